//! Messages.

use super::{
    guard::error_body,
    input::Input,
    params::{Id, Params},
};
use crate::{
    domain::{
        field_error::FieldErrors,
        id::MessageId,
        message::{Event, Message, MessageFilter, SendForm, Status},
        page::Page,
    },
    server::{
        Who,
        error::Error,
        usecase::{
            decision,
            message::{self, Earlier, Idempotency, Queued},
        },
    },
};
use axum::{
    Json,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use serde_json::{Value, json};
use std::time::Duration;

/// Messages in one request.
const BATCH: usize = 1_000;
/// The field of a batch's message that is the header of a single one.
const KEY: &str = "idempotency_key";

/// Seconds to wait for the provider, if asked.
fn parse_wait(params: &mut Params) -> Result<Option<Duration>, Error> {
    const NO_WAIT: &str = "must be a number of seconds from 1 to 30";
    let seconds = |text: &str| text.parse().ok().filter(|seconds| (1..=30).contains(seconds));
    if params.has("wait") && params.text("wait").is_none() {
        params.errors.add("wait", NO_WAIT);
    }
    let seconds = params.read("wait", |text| seconds(text).ok_or(NO_WAIT));
    params.check()?;
    Ok(seconds.map(Duration::from_secs))
}

/// The fields of a new message.
fn read_form(input: &mut Input) -> SendForm {
    let channel = input.text("channel");
    let (email_account, messaging_account) = (input.text("email_account_id"), input.text("messaging_account_id"));
    SendForm {
        account_id: if channel == "email" { email_account } else { messaging_account },
        channel,
        to: input.text("to"),
        lead_id: input.text("lead_id"),
        subject: input.text("subject"),
        body: input.text("body"),
        send_at: input.text("send_at"),
        on_limit: input.text("on_limit"),
    }
}

/// One message of a batch, which has its idempotency key as a field.
fn read_one(value: Value) -> Result<(SendForm, Option<Idempotency>), Error> {
    let is_keyed = value.get(KEY).is_some_and(|key| !key.is_null());
    let mut input = Input::of(value)?;
    let form = read_form(&mut input);
    let key = input.text(KEY);
    input.check()?;
    let idempotency = if is_keyed { Some(Idempotency::named(KEY, &key, &input.raw)?) } else { None };
    Ok((form, idempotency))
}

/// Many messages, each answered for itself, in their order.
pub async fn send_batch(who: Who, mut input: Input) -> Result<Json<Value>, Error> {
    let list = input.list("messages");
    if input.errors.is_empty() && !(1..=BATCH).contains(&list.len()) {
        input.errors.add("messages", format!("must be a list of 1 to {BATCH} messages"));
    }
    input.check()?;
    let sent = message::send_many(&who, list.into_iter().map(read_one).collect()).await;
    let answers: Vec<Value> = sent
        .into_iter()
        .map(|sent| match sent {
            Ok(Queued::Now(message)) => json!({ "message": message }),
            Ok(Queued::Before(earlier)) => {
                let message: Value = serde_json::from_str(&earlier.answer).unwrap_or_default();
                json!({ "message": message, "replayed": true })
            }
            Err(error) => json!({ "error": error_body(&error.into()) }),
        })
        .collect();
    Ok(Json(json!({ "data": answers })))
}

/// One message. A repeat with the same idempotency key gets the very answer of the first; of those that wait for the
/// provider, that of the first that did.
pub async fn send(
    who: Who,
    mut params: Params,
    headers: HeaderMap,
    mut input: Input,
) -> Result<impl IntoResponse, Error> {
    let wait = parse_wait(&mut params)?;
    let form = read_form(&mut input);
    input.check()?;
    let idempotency = match headers.get("idempotency-key") {
        Some(key) => Some(Idempotency::new(key.to_str().unwrap_or_default(), &input.raw)?),
        None => None,
    };
    let hints = who.app.live.subscribe();
    let queued = message::send(&who, form, idempotency.clone()).await?;
    let (status, body) = match (queued, wait) {
        (Queued::Now(message), None) => (StatusCode::ACCEPTED, message::answer(&message)),
        (Queued::Before(earlier), None) => (StatusCode::ACCEPTED, earlier.answer),
        (Queued::Before(Earlier { waited: Some(waited), .. }), Some(_)) => (StatusCode::OK, waited),
        (queued, Some(wait)) => {
            let answer = message::answer(&settled(&who, queued.id(), hints, wait).await?);
            let kept = match &idempotency {
                Some(idempotency) => message::keep_waited(&who, idempotency, answer).await,
                None => answer,
            };
            (StatusCode::OK, kept)
        }
    };
    Ok((status, [(header::CONTENT_TYPE, "application/json")], body))
}

/// The message once its provider has spoken, or as it is when the time is over.
async fn settled(
    who: &Who,
    id: &MessageId,
    mut hints: tokio::sync::broadcast::Receiver<crate::server::live::Hint>,
    wait: Duration,
) -> Result<Message, Error> {
    let spoken = async {
        loop {
            let now = message::load(who, id).await?;
            let is_open = now.waiting.is_none() && matches!(now.status, Status::Queued | Status::Sending);
            if !is_open {
                return Ok(now);
            }
            // Lagging behind is a reason to look, too.
            if let Err(tokio::sync::broadcast::error::RecvError::Closed) = hints.recv().await {
                return Ok(now);
            }
        }
    };
    tokio::select! {
        spoken = spoken => spoken,
        () = tokio::time::sleep(wait) => message::load(who, id).await,
        () = who.app.stop.cancelled() => message::load(who, id).await,
    }
}

pub async fn list(who: Who, params: Params) -> Result<Json<Page<Message>>, Error> {
    let filter = MessageFilter::parse(
        params.text("status"),
        params.text("channel"),
        params.text("account_id"),
        params.text("lead_id"),
        params.text("q"),
        params.text("cursor"),
        params.text("limit"),
    )?;
    Ok(Json(message::list(&who, &filter).await?))
}

pub async fn load(who: Who, Id(id): Id<MessageId>) -> Result<Json<Message>, Error> {
    Ok(Json(message::load(&who, &id).await?))
}

pub async fn events(who: Who, Id(id): Id<MessageId>) -> Result<Json<Vec<Event>>, Error> {
    Ok(Json(message::story(&who, &id).await?.events))
}

pub async fn cancel(who: Who, Id(id): Id<MessageId>) -> Result<Json<Message>, Error> {
    Ok(Json(decision::cancel(&who, &id).await?))
}

pub async fn retry(who: Who, Id(id): Id<MessageId>) -> Result<Json<Message>, Error> {
    Ok(Json(decision::retry(&who, &id).await?))
}

pub async fn resolve(who: Who, Id(id): Id<MessageId>, mut input: Input) -> Result<Json<Message>, Error> {
    let decision = input.text("as");
    input.check()?;
    let was_sent = match decision.as_str() {
        "sent" => true,
        "not_sent" => false,
        _ => return Err(FieldErrors::one("as", "must be sent or not_sent").into()),
    };
    Ok(Json(decision::resolve(&who, &id, was_sent).await?))
}
