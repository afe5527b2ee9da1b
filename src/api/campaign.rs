//! Campaigns, and forecasts of what they and sequences will send.

use super::{codec::Json, error::ApiError};
use crate::domain::{
    audience::Segment,
    campaign::{Campaign, CampaignStory, Told},
    id::CampaignId,
    page::Page,
    rehearsal::Rehearsal,
    sequence::Choices,
};
use leptos::prelude::*;
use std::collections::BTreeMap;

/// One page of campaigns, newest first.
#[server(output = Json)]
pub async fn list_campaigns(cursor: Option<String>) -> Result<Page<Told<Campaign>>, ApiError> {
    let who = crate::server::request().await?;
    // A cursor that cannot be is that of the first page.
    let cursor = cursor.and_then(|cursor| cursor.parse().ok());
    let limit = crate::domain::page::Limit::default();
    let page = crate::server::usecase::campaign::list(&who, cursor.as_ref(), limit).await?;
    let campaigns: Vec<&Campaign> = page.data.iter().collect();
    let templates = crate::server::usecase::campaign::templates(&who, &campaigns).await?;
    let told = page.data.into_iter().zip(templates).map(|(campaign, template)| Told { campaign, template });
    Ok(Page { data: told.collect(), next_cursor: page.next_cursor })
}

/// A campaign with what came of it; an id that cannot be does not exist.
#[server(output = Json)]
pub async fn load_story(id: String) -> Result<Told<CampaignStory>, ApiError> {
    let who = crate::server::request().await?;
    let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
    let campaign = crate::server::usecase::campaign::load(&who, &id).await?;
    let templates = crate::server::usecase::campaign::templates(&who, &[&campaign.campaign]).await?;
    Ok(Told { campaign, template: templates.into_iter().next().unwrap_or_default() })
}

/// A campaign, what it can be made of, the tags of leads, and the segments; no id: a new one.
#[server(output = Json)]
pub async fn load_campaign_editor(
    #[server(default)] id: String,
) -> Result<(Option<Campaign>, Choices, Vec<String>, Vec<Segment>), ApiError> {
    let who = crate::server::request().await?;
    let campaign = match id.as_str() {
        "" => None,
        id => {
            let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
            Some(crate::server::usecase::campaign::load(&who, &id).await?.campaign)
        }
    };
    let choices = crate::server::usecase::sequence::choices(&who).await?;
    let tags = crate::server::usecase::lead::tags(&who).await?;
    Ok((campaign, choices, tags, crate::server::usecase::segment::all(&who).await?))
}

/// Stores a new campaign as a draft, or what the draft of the `id` is now; afterwards the visitor is on its page. The fields are
/// those of its editor: of `days` and `accounts` the names matter and not the values.
#[server(output = Json)]
pub async fn save_campaign(
    #[server(default)] id: String,
    #[server(default)] name: String,
    #[server(default)] message: BTreeMap<String, String>,
    #[server(default)] audience: BTreeMap<String, String>,
    #[server(default)] send: BTreeMap<String, String>,
    #[server(default)] rule: BTreeMap<String, String>,
    #[server(default)] days: BTreeMap<String, String>,
    #[server(default)] accounts: BTreeMap<String, String>,
) -> Result<CampaignId, ApiError> {
    let who = crate::server::request().await?;
    let mut typed = crate::domain::sequence::draft::Fields::from([("name".to_owned(), name)]);
    let groups = [
        ("message", message),
        ("audience", audience),
        ("send", send),
        ("rule", rule),
        ("days", days),
        ("accounts", accounts),
    ];
    for (group, fields) in groups {
        typed.extend(fields.into_iter().map(|(field, text)| (format!("{group}[{field}]"), text)));
    }
    let draft = crate::domain::campaign::draft::Draft::read(&typed);
    let saved = crate::server::usecase::campaign::save(&who, &id, draft).await.map_err(|error| {
        let mut error = ApiError::from(error);
        error.typed = typed.into_iter().collect();
        error
    })?;
    leptos_axum::redirect(&format!("/campaigns/{saved}"));
    Ok(saved)
}

/// Does to a campaign what the button `what` says: `start`, `pause`, `resume` or `cancel`.
#[server(output = Json)]
pub async fn move_campaign(id: CampaignId, #[server(default)] what: String) -> Result<Campaign, ApiError> {
    let who = crate::server::request().await?;
    let moved = match what.as_str() {
        "start" => crate::server::usecase::campaign::start(&who, &id).await?,
        "pause" => crate::server::usecase::campaign::pause(&who, &id).await?,
        "resume" => crate::server::usecase::campaign::resume(&who, &id).await?,
        "cancel" => {
            let canceled = crate::server::usecase::campaign::cancel(&who, &id).await?;
            leptos_axum::redirect(&format!("/campaigns/{id}")); // from its dialog
            canceled
        }
        _ => return Err(crate::server::error::Error::not_found().into()),
    };
    Ok(moved.campaign)
}

/// Queues again what failed; how many messages it were.
#[server(output = Json)]
pub async fn retry_campaign(id: CampaignId) -> Result<u32, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::campaign::retry(&who, &id).await?)
}

/// Forgets a campaign; afterwards the visitor is on the list.
#[server(output = Json)]
pub async fn delete_campaign(id: CampaignId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    crate::server::usecase::campaign::delete(&who, &id).await?;
    leptos_axum::redirect("/campaigns");
    Ok(())
}

/// What a campaign will send.
#[server(output = Json)]
pub async fn forecast_campaign(id: String) -> Result<Rehearsal, ApiError> {
    let who = crate::server::request().await?;
    let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
    let patience = crate::server::usecase::rehearsal::PATIENCE;
    let told = crate::server::usecase::rehearsal::campaign(&who, &id, patience).await?;
    Ok(told.listing(crate::domain::rehearsal::SHOWN))
}

/// What a sequence will send to the leads of a tag, to those that a search finds, or (`all`) to everybody.
#[server(output = Json)]
pub async fn forecast_sequence(
    id: String,
    #[server(default)] tag: String,
    #[server(default)] q: String,
    #[server(default)] all: bool,
) -> Result<Rehearsal, ApiError> {
    let who = crate::server::request().await?;
    let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
    let wanted = crate::server::usecase::enrollment::Wanted::chosen(&tag, &q, all)?;
    let patience = crate::server::usecase::rehearsal::PATIENCE;
    let told = crate::server::usecase::rehearsal::sequence(&who, &id, &wanted, patience).await?;
    Ok(told.listing(crate::domain::rehearsal::SHOWN))
}
