//! Messages: accepted or refused, shown, listed, and what becomes of them.

mod new;

use super::{
    Memory, Simulator,
    account::Caller,
    chaos::Lots,
    fate::{Fate, fate, sender_refusal},
    journal::{Entry, Heard},
    new_sid,
    page::{Query, page, value},
    refusal::Refusal,
    rfc2822,
};
use crate::domain::{
    segment::measure,
    time::{DAY, Timestamp},
};
use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Path, Query as Asked, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use new::NewMessage;
use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::sync::oneshot;

/// Twilio's code and a sentence.
type Failure = (u32, &'static str);

/// A message, in Twilio's words.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub sid: String,
    pub account: String,
    pub direction: &'static str,
    pub status: &'static str,
    pub failure: Option<Failure>,
    /// Nothing until a messaging service has chosen.
    pub from: Option<String>,
    /// As asked for.
    pub asked_from: Option<String>,
    pub to: String,
    pub body: Option<String>,
    pub service: Option<String>,
    pub media: usize,
    pub status_callback: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub sent: Option<Timestamp>,
    /// What is still to come.
    pub life: VecDeque<Step>,
    /// For the journal.
    pub heard: Heard,
    /// For the journal: how long the watched file was.
    pub watched: Option<u64>,
}

/// A step in the life of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub status: &'static str,
    pub failure: Option<Failure>,
}

/// A message that was accepted, for the eyes of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// What the stand-in calls it.
    pub sid: String,
    /// As asked for, with `whatsapp:` in front where it was.
    pub to: String,
    /// As asked for; nothing while a messaging service has not chosen.
    pub from: Option<String>,
    /// The text.
    pub body: String,
    /// Where its life is reported.
    pub status_callback: Option<String>,
    /// Where it is now, in Twilio's word.
    pub status: String,
}

impl Message {
    pub fn is_whatsapp(&self) -> bool {
        self.to.starts_with("whatsapp:")
    }

    fn segments(&self) -> u64 {
        // A sender is not chosen yet: Twilio has not counted.
        if self.from.is_none() { 0 } else { u64::from(measure(self.body.as_deref().unwrap_or_default()).count.max(1)) }
    }

    /// The resource as Twilio shows it.
    pub fn json(&self) -> Value {
        let uri = format!("/2010-04-01/Accounts/{}/Messages/{}", self.account, self.sid);
        let price =
            self.sent.map(|_| format!("-{:.5}", 0.0079 * f64::from(u32::try_from(self.segments()).unwrap_or(1))));
        json!({
            "sid": self.sid,
            "account_sid": self.account,
            "api_version": "2010-04-01",
            "direction": self.direction,
            "status": self.status,
            "error_code": self.failure.map(|(code, _)| code),
            "error_message": self.failure.map(|(_, message)| message),
            "from": self.from,
            "to": self.to,
            "body": self.body,
            "messaging_service_sid": self.service,
            "num_segments": self.segments().to_string(),
            "num_media": self.media.to_string(),
            "price": price,
            "price_unit": "USD",
            "date_created": rfc2822(self.created),
            "date_updated": rfc2822(self.updated),
            "date_sent": self.sent.map(rfc2822),
            "uri": format!("{uri}.json"),
            "subresource_uris": { "media": format!("{uri}/Media.json") },
        })
    }

    /// The next step, if there is one.
    fn advance(&mut self, now: Timestamp, is_suspended: bool, own_number: Option<&str>) -> Option<Step> {
        let mut step = self.life.pop_front()?;
        if is_suspended && self.sent.is_none() {
            step = Step { status: "failed", failure: Some((30002, "The account is suspended.")) };
            self.life.clear();
        }
        self.status = step.status;
        self.failure = step.failure;
        self.updated = now;
        if self.from.is_none() {
            let prefix = if self.is_whatsapp() { "whatsapp:" } else { "" };
            self.from = own_number.map(|number| format!("{prefix}{number}"));
        }
        if step.status == "sent" {
            self.sent = Some(now);
        }
        Some(step)
    }
}

/// A number without its channel.
pub(super) fn bare(address: &str) -> &str {
    address.strip_prefix("whatsapp:").unwrap_or(address)
}

/// What becomes of a message after it was accepted.
fn life(new: &NewMessage) -> VecDeque<Step> {
    let step = |status| Step { status, failure: None };
    let mut life = VecDeque::new();
    if new.service.is_some() {
        life.push_back(step("queued"));
    }
    match fate(bare(&new.to)) {
        Fate::Deliver => {
            life.extend([step("sent"), step("delivered")]);
            life.extend(new.to.starts_with("whatsapp:").then_some(step("read")));
        }
        Fate::Undelivered { code, message } => {
            life.extend([step("sent"), Step { status: "undelivered", failure: Some((code, message)) }]);
        }
        Fate::FailLater { code, message } => {
            life.push_back(Step { status: "failed", failure: Some((code, message)) });
        }
        Fate::StaySent => life.push_back(step("sent")),
        Fate::Refuse { .. } => {}
    }
    life
}

impl Memory {
    pub(super) fn insert(&mut self, message: Message) {
        self.by_sid.insert(message.sid.clone(), self.messages.len());
        self.messages.push(message);
    }

    pub(super) fn find(&self, account: &str, sid: &str) -> Option<&Message> {
        self.by_sid.get(sid).map(|at| &self.messages[*at]).filter(|message| message.account == account)
    }
}

impl Simulator {
    /// Every message that was accepted, in order.
    pub fn accepted(&self) -> Vec<Accepted> {
        let state = self.state();
        let sent = state.messages.iter().filter(|message| message.direction == "outbound-api");
        sent.map(|message| Accepted {
            sid: message.sid.clone(),
            to: message.to.clone(),
            from: message.from.clone(),
            body: message.body.clone().unwrap_or_default(),
            status_callback: message.status_callback.clone(),
            status: message.status.to_owned(),
        })
        .collect()
    }

    /// What the state of the account has to say against a message.
    fn check(&self, new: &NewMessage) -> Result<(), Refusal> {
        if let Fate::Refuse { code, message } = fate(bare(&new.to)) {
            return Err(Refusal::bad(code, message));
        }
        let Some(from) = &new.from else { return Ok(()) };
        let number = bare(from);
        if let Some((code, message)) = sender_refusal(number) {
            return Err(Refusal::bad(code, message));
        }
        if !new::is_name(number) && !self.numbers.iter().any(|own| own == number) {
            return Err(if from == number {
                Refusal::bad(
                    21606,
                    format!("The 'From' phone number {from} is not one of yours that can send messages."),
                )
            } else {
                Refusal::bad(63007, "Twilio could not find a Channel with the specified From address")
            });
        }
        if self.state().stopped.contains(&(new.to.clone(), from.clone())) {
            return Err(Refusal::bad(21610, "Attempt to send to unsubscribed recipient"));
        }
        Ok(())
    }

    /// Takes a message; whoever answers waits for the journal first, if there is one.
    fn accept(
        self: &Arc<Self>,
        account: String,
        new: NewMessage,
        heard: Heard,
    ) -> Result<(Value, Option<oneshot::Receiver<()>>), Refusal> {
        let watched = self.watch.as_ref().map(|path| std::fs::metadata(path).map_or(0, |file| file.len()));
        if self.account_status(&account) != "active" {
            return Err(Refusal::new(401, 20005, "The account is not active"));
        }
        self.check(&new)?;
        let now = self.now();
        let message = Message {
            sid: new_sid(if new.media == 0 { "SM" } else { "MM" }),
            account,
            direction: "outbound-api",
            status: if new.service.is_some() { "accepted" } else { "queued" },
            failure: None,
            life: life(&new),
            asked_from: new.from.clone(),
            from: new.from,
            to: new.to,
            body: new.body,
            service: new.service,
            media: new.media,
            status_callback: new.status_callback,
            created: now,
            updated: now,
            sent: None,
            heard,
            watched,
        };
        let written = self.journal.as_ref().map(|journal| journal.append(&Entry::new(&message)));
        let (sid, shown) = (message.sid.clone(), message.json());
        let mut state = self.state();
        state.insert(message);
        if state.settings.manual {
            state.waiting.push(sid);
        } else {
            tokio::spawn(self.clone().live(sid));
        }
        Ok((shown, written))
    }

    /// Moves a message on; the callbacks of the step, or nothing when its life is over.
    pub(super) fn step(&self, sid: &str) -> Option<Vec<super::Callback>> {
        let now = self.now();
        let own_number = self.numbers.first().map(String::as_str);
        let mut state = self.state();
        let at = *state.by_sid.get(sid)?;
        let is_suspended = state.inactive.contains_key(&state.messages[at].account);
        let step = state.messages[at].advance(now, is_suspended, own_number)?;
        let settings = state.settings;
        let message = state.messages[at].clone();
        let is_lost = state.chaos.as_mut().is_some_and(Lots::loses_callback);
        drop(state);
        let callback = (settings.callbacks && !is_lost).then(|| self.status_callback(&message, step)).flatten();
        let copies = if settings.duplicate_callbacks { 2 } else { 1 };
        Some(callback.map_or_else(Vec::new, |callback| vec![callback; copies]))
    }

    /// The life of a message by the clock of the machine.
    async fn live(self: Arc<Self>, sid: String) {
        let mut late = Vec::new();
        loop {
            let settings = self.state().settings;
            tokio::time::sleep(Duration::from_millis(settings.pace_ms)).await;
            let Some(callbacks) = self.step(&sid) else { break };
            if settings.shuffle_callbacks {
                late.extend(callbacks);
            } else {
                self.post_all(callbacks).await;
            }
        }
        self.post_all(super::callback::shuffled(late)).await;
    }
}

/// `POST …/Messages.json`
pub(super) async fn create(
    State(simulator): State<Arc<Simulator>>,
    caller: Caller,
    Extension(heard): Extension<Heard>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.starts_with("application/x-www-form-urlencoded") {
        return Ok(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response());
    }
    let form: Query = form_urlencoded::parse(&body).into_owned().collect();
    let (message, written) = simulator.accept(caller.account, NewMessage::parse(&form)?, heard)?;
    if let Some(written) = written {
        written.await.map_err(|_| Refusal::new(500, 20500, "The journal cannot be written"))?;
    }
    Ok((StatusCode::CREATED, Json(message)).into_response())
}

/// `GET …/Messages/{sid}.json`
pub(super) async fn fetch(
    State(simulator): State<Arc<Simulator>>,
    caller: Caller,
    Path((_, file)): Path<(String, String)>,
) -> Result<Json<Value>, Refusal> {
    let sid = file.strip_suffix(".json").unwrap_or(&file);
    let state = simulator.state();
    let message = state.find(&caller.account, sid);
    message.map(|message| Json(message.json())).ok_or_else(|| Refusal::not_found(&format!("Messages/{file}")))
}

/// `GET …/Messages.json`, the newest first.
pub(super) async fn list(
    State(simulator): State<Arc<Simulator>>,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Result<Json<Value>, Refusal> {
    let days = [("DateSent", true, true), ("DateSent<", false, true), ("DateSent>", true, false)];
    let mut bounds = (i64::MIN, i64::MAX);
    let mut is_bound = false;
    for (name, is_from, is_until) in days {
        let Some(text) = value(&query, name) else { continue };
        let (from, until) = span(text).ok_or_else(|| Refusal::bad(20001, format!("{name} is not a date")))?;
        is_bound = true;
        bounds = (
            if is_from { bounds.0.max(from) } else { bounds.0 },
            if is_until { bounds.1.min(until) } else { bounds.1 },
        );
    }
    let (to, from) = (value(&query, "To"), value(&query, "From"));
    let state = simulator.state();
    let found: Vec<&Message> = state
        .messages
        .iter()
        .rev()
        .filter(|message| message.account == caller.account)
        .filter(|message| to.is_none_or(|to| message.to == to))
        .filter(|message| from.is_none_or(|from| message.from.as_deref() == Some(from)))
        // A message that is still queued has no date of sending, and no filter finds it.
        .filter(|message| !is_bound || message.sent.is_some_and(|at| (bounds.0..=bounds.1).contains(&at.0)))
        .collect();
    let path = format!("/2010-04-01/Accounts/{}/Messages.json", caller.account);
    Ok(Json(page((&path, "messages"), &query, &found, |message| &message.sid, |message| message.json())))
}

/// First and last millisecond of a day (`2026-11-01`), or of the second of an instant (`2026-11-01T09:30:00Z`).
fn span(text: &str) -> Option<(i64, i64)> {
    let millis = |text: &str| text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond);
    match millis(text) {
        Some(at) => Some((at - at.rem_euclid(1_000), at - at.rem_euclid(1_000) + 999)),
        None => millis(&format!("{text}T00:00:00Z")).map(|at| (at, at + DAY - 1)),
    }
}

#[cfg(test)]
mod tests;
