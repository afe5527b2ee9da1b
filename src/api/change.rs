//! Changes to many leads.

use super::{codec::Json, error::ApiError};
use crate::domain::{
    change::{ChangeChoices, Told},
    id::ChangeId,
};
use leptos::prelude::*;

/// Changes that are under way, and the newest if it ended a short while ago; the newest first.
#[server(output = Json)]
pub async fn list_changes() -> Result<Vec<Told>, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::change::told(&who).await?)
}

/// What the dialog needs: for all leads that the list shows.
#[server(output = Json)]
pub async fn load_change_choices(
    #[server(default)] q: String,
    #[server(default)] tag: String,
    #[server(default)] segment: String,
) -> Result<ChangeChoices, ApiError> {
    let who = crate::server::request().await?;
    let asked = crate::domain::audience::Audience { q, tag, segment, ..Default::default() };
    Ok(crate::server::usecase::change::choices(&who, asked).await?)
}

/// Changes all leads that the list shows; afterwards the visitor is at the list. `of` holds what the list asks for: `q`,
/// `tag`, `segment`, `sort`. Nothing is deleted unless `is_sure` is `yes`.
#[server(output = Json)]
pub async fn change_leads(
    #[server(default)] of: std::collections::BTreeMap<String, String>,
    #[server(default)] action: String,
    #[server(default)] new_tag: String,
    #[server(default)] old_tag: String,
    #[server(default)] sequence_id: String,
    #[server(default)] is_sure: String,
) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    let text = |name: &str| of.get(name).cloned().unwrap_or_default();
    let (q, tag, segment, sort) = (text("q"), text("tag"), text("segment"), text("sort"));
    let list = [("q", &q), ("tag", &tag), ("segment", &segment), ("sort", &sort)];
    let back: Vec<String> = list
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| format!("{name}={}", form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()))
        .collect();
    let begun = async {
        let typed = if action == "remove_tag" { &old_tag } else { &new_tag };
        let deed = crate::domain::change::Deed::parse(&action, typed, &sequence_id);
        let deed = deed.map_err(|mut faults| {
            // Each action has a field of its own for its tag.
            let name = if action == "remove_tag" { "old_tag" } else { "new_tag" };
            faults
                .0
                .iter_mut()
                .filter(|fault| fault.field == "tag")
                .for_each(|fault| name.clone_into(&mut fault.field));
            faults
        })?;
        if deed == crate::domain::change::Deed::Delete && is_sure != "yes" {
            let why = "tick this to delete them";
            return Err(crate::domain::field_error::FieldErrors::one("is_sure", why).into());
        }
        let asked = crate::domain::audience::Audience { q: q.clone(), tag, segment, ..Default::default() };
        crate::server::usecase::change::create(&who, deed, asked).await.map(drop)
    };
    let begun: Result<(), crate::server::error::Error> = begun.await;
    let typed = [("action", &*action), ("new_tag", &*new_tag), ("old_tag", &*old_tag), ("sequence_id", &*sequence_id)];
    begun.map_err(|error| ApiError::from(error).keeping(typed))?;
    leptos_axum::redirect(&format!("/leads{}{}", if back.is_empty() { "" } else { "?" }, back.join("&")));
    Ok(())
}

/// Ends a change; what was done stays done.
#[server(output = Json)]
pub async fn cancel_change(id: ChangeId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    crate::server::usecase::change::cancel(&who, &id).await?;
    Ok(())
}
