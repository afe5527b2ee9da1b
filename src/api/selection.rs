//! Many messages at once.

use super::{codec::Json, error::ApiError};
use crate::domain::selection::{Bulk, Done, Offers};
use leptos::prelude::*;

/// How many messages that match can be sent again, and canceled.
#[server(output = Json)]
pub async fn count_selection(
    #[server(default)] status: String,
    #[server(default)] channel: String,
    #[server(default)] account_id: String,
    #[server(default)] q: String,
) -> Result<Offers, ApiError> {
    let who = crate::server::request().await?;
    let filter = crate::domain::message::MessageFilter::chosen(&status, &channel, &account_id, &q)
        .map_err(crate::server::error::Error::from)?;
    Ok(crate::server::usecase::selection::offers(&who, &filter).await?)
}

/// Does it to all that match; afterwards the visitor is on the list, with the same filters.
#[server(output = Json)]
pub async fn apply_selection(
    bulk: Bulk,
    #[server(default)] status: String,
    #[server(default)] channel: String,
    #[server(default)] account_id: String,
    #[server(default)] q: String,
) -> Result<Done, ApiError> {
    let who = crate::server::request().await?;
    let filter = crate::domain::message::MessageFilter::chosen(&status, &channel, &account_id, &q)
        .map_err(crate::server::error::Error::from)?;
    let done = crate::server::usecase::selection::apply(&who, bulk, &filter).await?;
    let filters = [("q", &q), ("status", &status), ("channel", &channel), ("account_id", &account_id)];
    let filters = filters.into_iter().filter(|(_, text)| !text.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(filters).finish();
    leptos_axum::redirect(format!("/messages?{query}").trim_end_matches('?'));
    Ok(done)
}
