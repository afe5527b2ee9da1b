//! Many messages at once, by the filters of the list.

use super::input::Input;
use crate::{
    domain::{message::MessageFilter, selection::Bulk},
    server::{Who, error::Error, usecase::selection},
};
use axum::Json;
use serde_json::{Value, json};

async fn apply(who: &Who, bulk: Bulk, mut input: Input, name: &str) -> Result<Json<Value>, Error> {
    let [status, channel, account, q] = ["status", "channel", "account_id", "q"].map(|name| input.text(name));
    // A filter that is misspelt must not widen what is changed.
    input.refuse_others();
    input.check()?;
    let filter = MessageFilter::chosen(&status, &channel, &account, &q)?;
    let done = selection::apply(who, bulk, &filter).await?;
    Ok(Json(json!({ name: done.count, "has_more": done.has_more })))
}

/// Sends again what failed for a reason that may pass.
pub async fn retry(who: Who, input: Input) -> Result<Json<Value>, Error> {
    apply(&who, Bulk::Retry, input, "retried").await
}

/// Stops what is queued.
pub async fn cancel(who: Who, input: Input) -> Result<Json<Value>, Error> {
    apply(&who, Bulk::Cancel, input, "canceled").await
}
