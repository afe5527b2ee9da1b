//! Leads.

use super::{codec::Json, error::ApiError};
use crate::domain::{
    id::LeadId,
    lead::{Lead, Profile},
    page::Page,
};
use leptos::prelude::*;
use std::collections::BTreeMap;

/// One page of leads; empty parameters do not matter, and `sort` is `newest`, `name` or `company`.
#[server(output = Json)]
pub async fn list_leads(
    q: Option<String>,
    tag: Option<String>,
    segment: Option<String>,
    sort: Option<String>,
    cursor: Option<String>,
) -> Result<Page<Lead>, ApiError> {
    let who = crate::server::request().await?;
    let [q, tag, segment] = [q, tag, segment].map(Option::unwrap_or_default);
    let asked = crate::domain::audience::Audience { q, tag, segment, ..Default::default() };
    let audience = asked.parse().map_err(crate::server::error::Error::from)?;
    // A cursor that cannot be is that of the first page, and an order that cannot be the usual one.
    let place = cursor.and_then(|cursor| cursor.parse::<crate::domain::audience::Place>().ok());
    let order = sort.and_then(|name| crate::domain::audience::Order::from_name(&name)).unwrap_or_default();
    let limit = crate::domain::page::Limit::default();
    Ok(crate::server::usecase::lead::list(&who, &audience, order, place.as_ref(), limit).await?)
}

/// All tags that leads have.
#[server(output = Json)]
pub async fn list_tags() -> Result<Vec<String>, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::lead::tags(&who).await?)
}

/// A lead with what its page shows; an id that cannot be does not exist.
#[server(output = Json)]
pub async fn load_lead(id: String) -> Result<Profile, ApiError> {
    let who = crate::server::request().await?;
    let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
    Ok(crate::server::usecase::lead::profile(&who, &id).await?)
}

/// Stores a new lead, or what is now known of the one of the `id`; afterwards the visitor is on its page. Of the fields of
/// `lead`, `tags` have commas between them, and `custom` is a line for each.
#[server(output = Json)]
pub async fn save_lead(
    #[server(default)] id: String,
    #[server(default)] lead: BTreeMap<String, String>,
) -> Result<Lead, ApiError> {
    let who = crate::server::request().await?;
    let text = |name: &str| lead.get(name).cloned().unwrap_or_default();
    let saved = async {
        let custom = crate::domain::lead::custom_of_lines(&text("custom"));
        let custom = custom.map_err(|why| crate::domain::field_error::FieldErrors::one("custom", why))?;
        let form = crate::domain::lead::LeadForm {
            name: text("name"),
            company: text("company"),
            email: text("email"),
            phone: text("phone"),
            whatsapp: text("whatsapp"),
            time_zone: text("time_zone"),
            custom,
            tags: text("tags").split(',').map(str::to_owned).collect(),
            notes: text("notes"),
        };
        match id.as_str() {
            "" => crate::server::usecase::lead::create(&who, &form).await,
            id => {
                let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
                crate::server::usecase::lead::update(&who, &id, |_| form).await
            }
        }
    };
    let saved = saved.await.map_err(|error| {
        let mut error = ApiError::from(error);
        for fault in &mut error.fields.0 {
            if let Some(name) = fault.field.strip_prefix("custom.") {
                fault.message = format!("{name}: {}", fault.message);
                fault.field.truncate("custom".len());
            }
        }
        error.typed.extend(lead.into_iter().map(|(name, typed)| (format!("lead[{name}]"), typed)));
        error
    })?;
    leptos_axum::redirect(&format!("/leads/{}", saved.id));
    Ok(saved)
}

/// Forgets a lead; afterwards the visitor is on the list.
#[server(output = Json)]
pub async fn delete_lead(id: LeadId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    crate::server::usecase::lead::delete(&who, &id).await?;
    leptos_axum::redirect("/leads");
    Ok(())
}

/// Two leads are one person: the one of the `id` stays. `other` is whatever finds nobody else: an e-mail address, a number, a
/// name, the address of the lead's page.
#[server(output = Json)]
pub async fn merge_lead(id: LeadId, #[server(default)] other: String) -> Result<Lead, ApiError> {
    let who = crate::server::request().await?;
    let found = crate::server::usecase::lead::find_other(&who, &id, &other).await;
    let found = found.map_err(|error| ApiError::from(error).keeping([("other", &*other)]))?;
    let lead = crate::server::usecase::lead::merge(&who, &id, &found).await?;
    leptos_axum::redirect(&format!("/leads/{}", lead.id));
    Ok(lead)
}

/// Undoes the last merge into a lead.
#[server(output = Json)]
pub async fn unmerge_lead(id: LeadId) -> Result<Lead, ApiError> {
    let who = crate::server::request().await?;
    let lead = crate::server::usecase::lead::unmerge(&who, &id).await?;
    leptos_axum::redirect(&format!("/leads/{id}"));
    Ok(lead)
}
