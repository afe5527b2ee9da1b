//! Messages.

use super::{codec::Json, error::ApiError};
use crate::domain::{
    id::MessageId,
    message::{Message, Story},
    page::Page,
};
use leptos::prelude::*;

/// One page of messages, newest first; empty parameters do not matter.
#[server(output = Json)]
pub async fn list_messages(
    status: Option<String>,
    channel: Option<String>,
    account_id: Option<String>,
    lead_id: Option<String>,
    q: Option<String>,
    cursor: Option<String>,
) -> Result<Page<Message>, ApiError> {
    let who = crate::server::request().await?;
    let filter = crate::domain::message::MessageFilter::parse(
        status.as_deref(),
        channel.as_deref(),
        account_id.as_deref(),
        lead_id.as_deref(),
        q.as_deref(),
        cursor.as_deref(),
        None,
    )
    .map_err(crate::server::error::Error::from)?;
    Ok(crate::server::usecase::message::list(&who, &filter).await?)
}

/// A message with its timeline; an id that cannot be does not exist.
#[server(output = Json)]
pub async fn load_message(id: String) -> Result<Story, ApiError> {
    let who = crate::server::request().await?;
    let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
    Ok(crate::server::usecase::message::story(&who, &id).await?)
}

/// Queues a message; afterwards the visitor is on its page. `send_at` is as in the viewer's zone, so many `minutes_east` of
/// UTC, which a page without a script does not know.
#[server(output = Json)]
pub async fn send_message(
    #[server(default)] channel: String,
    #[server(default)] account_id: String,
    #[server(default)] to: String,
    #[server(default)] subject: String,
    #[server(default)] body: String,
    #[server(default)] send_at: String,
    #[server(default)] minutes_east: String,
) -> Result<Message, ApiError> {
    let who = crate::server::request().await?;
    let form = crate::domain::message::SendForm { channel, account_id, to, subject, body, ..Default::default() };
    let message = async {
        let send_at = crate::server::usecase::message::read_send_at(&who, &send_at, &minutes_east)?;
        let form = crate::domain::message::SendForm { send_at, ..form.clone() };
        crate::server::usecase::message::send_once(&who, form).await
    };
    let message = message.await.map_err(|e| {
        ApiError::from(e).keeping([
            ("channel", &form.channel),
            ("account_id", &form.account_id),
            ("to", &form.to),
            ("subject", &form.subject),
            ("body", &form.body),
            ("send_at", &send_at),
            ("minutes_east", &minutes_east),
        ])
    })?;
    leptos_axum::redirect(&format!("/messages/{}", message.id));
    Ok(message)
}

/// Stops a message that still waits.
#[server(output = Json)]
pub async fn cancel_message(id: MessageId) -> Result<Message, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::decision::cancel(&who, &id).await?)
}

/// Queues a message anew that has failed.
#[server(output = Json)]
pub async fn retry_message(id: MessageId) -> Result<Message, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::decision::retry(&who, &id).await?)
}

/// A person's decision on a message of which nobody knows whether it went out.
#[server(output = Json)]
pub async fn resolve_message(id: MessageId, was_sent: bool) -> Result<Message, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::decision::resolve(&who, &id, was_sent).await?)
}
