//! Messages: send, list, tell the story, cancel, retry, resolve.

use super::{account::day_of, session::hash_token};
use crate::{
    domain::{
        account::Account,
        channel::Channel,
        field_error::FieldErrors,
        id::MessageId,
        message::{
            Direction, Message, MessageFilter, NewMessage, OnLimit, SendForm, Source, Status, Story, Waiting,
            WaitingReason,
        },
        page::Page,
        segment,
        time::Timestamp,
    },
    server::{
        Who,
        error::Error,
        live::Topic,
        phone,
        store::{self, Conn, account::StoredAccount, message::StoredMessage, queue::Settled},
    },
};

/// Longest idempotency key.
const KEY_MAX: usize = 255;

/// A caller's idempotency key with the hash of its request.
pub struct Idempotency {
    key: String,
    body_hash: String,
}

impl Idempotency {
    /// Checks the header; `body` is the raw request.
    pub fn new(key: &str, body: &str) -> Result<Self, Error> {
        let good = (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        if !good {
            return Err(FieldErrors::one("Idempotency-Key", "must be 1 to 255 visible ASCII characters").into());
        }
        Ok(Self { key: key.to_owned(), body_hash: hash_token(body) })
    }
}

/// Stores a message, durably, and lets the worker know. The answer is the stored message.
pub async fn send(who: &Who, form: SendForm, idempotency: Option<Idempotency>) -> Result<Message, Error> {
    refuse_what_is_not_there(&form)?;
    let new = form.parse(phone::parse)?;
    let now = who.app.clock.now();
    // Whoever loses a race for an idempotency key looks again and finds the winner's message.
    let message = loop {
        if let Some(stored) = store_once(who, &new, idempotency.as_ref(), now).await? {
            break stored;
        }
    };
    who.app.live.publish(&who.organization.id, Topic::Messages, Some(message.id.as_str()));
    who.app.wake.notify_one();
    Ok(message)
}

/// The message, stored now or under the same key before; `None` when the key was taken at the same time.
async fn store_once(
    who: &Who,
    new: &NewMessage,
    idempotency: Option<&Idempotency>,
    now: Timestamp,
) -> Result<Option<Message>, Error> {
    who.app
        .db
        .write(async |conn| {
            if let Some(earlier) = find_earlier(conn, who, idempotency).await? {
                return Ok(Some(earlier));
            }
            let account = choose_account(conn, who, new).await?;
            let id: MessageId = who.app.new_id();
            if let Some(Idempotency { key, body_hash }) = idempotency
                && !store::message::take_key(conn, &who.organization.id, key, body_hash, &id, now).await?
            {
                return Ok(None);
            }
            enqueue(conn, who, id, new, &account, now).await.map(Some)
        })
        .await
}

/// The contract's own words for what cannot be.
fn refuse_what_is_not_there(form: &SendForm) -> Result<(), Error> {
    let channel = form.channel.trim();
    if !channel.is_empty() && Channel::from_name(channel).is_none() {
        let fields = FieldErrors::one("channel", "must be email, sms or whatsapp");
        return Err(Error::invalid_as(
            &format!("Unknown channel: {}", channel.chars().take(40).collect::<String>()),
            fields,
        ));
    }
    if !form.lead_id.trim().is_empty() {
        return Err(Error::missing("Lead not found"));
    }
    let id = form.account_id.trim();
    if !id.is_empty() && id.parse::<crate::domain::id::AccountId>().is_err() {
        return Err(account_not_found(Channel::from_name(channel)));
    }
    Ok(())
}

fn account_not_found(channel: Option<Channel>) -> Error {
    Error::missing(if channel == Some(Channel::Email) {
        "Email account not found"
    } else {
        "Messaging account not found"
    })
}

async fn find_earlier(conn: &mut Conn, who: &Who, idempotency: Option<&Idempotency>) -> Result<Option<Message>, Error> {
    let Some(idempotency) = idempotency else { return Ok(None) };
    let Some((hash, id)) = store::message::find_key(conn, &who.organization.id, &idempotency.key).await? else {
        return Ok(None);
    };
    if hash != idempotency.body_hash {
        use crate::api::error::{ApiError, Kind};
        let message = "This idempotency key was used for another request";
        return Err(ApiError::new(Kind::KeyReused, "idempotency_key_reused", message).into());
    }
    Ok(store::message::find(conn, &id, &who.organization.id).await?.map(|stored| stored.message))
}

/// The named account, else the organization's default for the channel.
async fn choose_account(conn: &mut Conn, who: &Who, new: &NewMessage) -> Result<StoredAccount, Error> {
    let organization = &who.organization.id;
    if let Some(id) = &new.account_id {
        let found = store::account::find(conn, id, organization).await?;
        return found
            .filter(|stored| stored.account.channel == new.channel)
            .ok_or_else(|| account_not_found(Some(new.channel)));
    }
    let default = store::account::find_default(conn, organization, new.channel).await?;
    default.ok_or_else(|| {
        let (field, message) = match new.channel {
            Channel::Email => ("email_account_id", "No email account specified"),
            Channel::Sms | Channel::Whatsapp => ("messaging_account_id", "Missing Twilio credentials"),
        };
        Error::invalid_as(message, FieldErrors::one(field, "connect an account for this channel first"))
    })
}

async fn enqueue(
    conn: &mut Conn,
    who: &Who,
    id: MessageId,
    new: &NewMessage,
    stored: &StoredAccount,
    now: Timestamp,
) -> Result<Message, Error> {
    let account = &stored.account;
    let waiting = why_it_waits(conn, new, stored, now).await?;
    let until = waiting.as_ref().and_then(|waiting| waiting.until);
    let segments = if new.channel == Channel::Sms { segment::measure(&new.body).count.max(1) } else { 1 };
    let message = Message {
        id,
        channel: new.channel,
        direction: Direction::Outbound,
        to: new.to.as_str().to_owned(),
        from: Some(account.address.clone()),
        subject: new.subject.clone(),
        body: new.body.clone(),
        status: Status::Queued,
        account_id: Some(account.id.clone()),
        lead_id: None,
        provider_message_id: None,
        segments,
        attempts: 0,
        error: None,
        waiting,
        is_demo: account.is_demo,
        created_at: now,
        updated_at: now,
    };
    let organization_id = who.organization.id.clone();
    let stored = StoredMessage { message, organization_id, lease_token: None, accepted_at: None };
    store::message::insert(conn, &stored, until.unwrap_or(now)).await?;
    let mut event = store::message::event(who.app.new_id(), now, Status::Queued, Source::Api);
    event.detail = stored.message.waiting.as_ref().map(|waiting| waiting.detail.clone());
    store::message::insert_event(conn, &stored.message.id, &event).await?;
    Ok(stored.message)
}

/// Why the message will not leave at once, if so; an error when the caller wants none that waits for the daily limit.
async fn why_it_waits(
    conn: &mut Conn,
    new: &NewMessage,
    stored: &StoredAccount,
    now: Timestamp,
) -> Result<Option<Waiting>, Error> {
    let account = &stored.account;
    let (day, tomorrow) = day_of(now, &stored.time_zone);
    let used = store::usage::find(conn, &account.id, &day).await?;
    if new.on_limit == OnLimit::Reject {
        let queued = store::queue::count_queued(conn, &account.id).await?;
        if used.saturating_add(queued) >= account.daily_limit {
            return Err(Error::conflict("daily_limit", &format!("Daily {} limit reached", account.channel.as_str())));
        }
    }
    let wait = |reason, until, detail: String| Some(Waiting { reason, since: now, until, detail });
    Ok(match new.send_at.filter(|at| *at > now) {
        Some(at) => wait(WaitingReason::Scheduled, Some(at), "It is scheduled for later.".to_owned()),
        None if !account.is_active => {
            let detail = "The account is switched off. Enable it to let this message go.";
            wait(WaitingReason::AccountInactive, None, detail.to_owned())
        }
        None if stored.is_stopped => {
            let reason = account.last_error.clone().unwrap_or_default();
            wait(WaitingReason::AccountError, None, format!("The account cannot send: {reason}"))
        }
        None if used >= account.daily_limit => wait(WaitingReason::DailyLimit, Some(tomorrow), limit_reached(account)),
        None => None,
    })
}

/// What a message says that waits for the next day.
pub fn limit_reached(account: &Account) -> String {
    format!(
        "{} has sent its {} messages of today. It goes out when the account's next day begins.",
        account.display_name, account.daily_limit
    )
}

/// One page of the organization's messages, newest first.
pub async fn list(who: &Who, filter: &MessageFilter) -> Result<Page<Message>, Error> {
    if filter.lead_id.is_some() {
        return Ok(Page { data: Vec::new(), next_cursor: None });
    }
    Ok(store::message::list(&mut *who.app.db.read().await?, &who.organization.id, filter).await?)
}

/// One message.
pub async fn load(who: &Who, id: &MessageId) -> Result<Message, Error> {
    let found = store::message::find(&mut *who.app.db.read().await?, id, &who.organization.id).await?;
    Ok(found.ok_or_else(Error::not_found)?.message)
}

/// One message with its timeline.
pub async fn story(who: &Who, id: &MessageId) -> Result<Story, Error> {
    let mut conn = who.app.db.read().await?;
    let found = store::message::find(&mut conn, id, &who.organization.id).await?.ok_or_else(Error::not_found)?;
    let events = store::message::list_events(&mut conn, id, &who.organization.id).await?;
    Ok(Story { message: found.message, events })
}

/// Changes a message that is in the state `from`, and adds to its timeline.
async fn change(
    who: &Who,
    id: &MessageId,
    allowed: &[Status],
    to: Status,
    refusal: &str,
    detail: &str,
) -> Result<Message, Error> {
    let now = who.app.clock.now();
    who.app
        .db
        .write(async |conn| {
            store::message::find(conn, id, &who.organization.id).await?.ok_or_else(Error::not_found)?;
            let locked = store::queue::lock(conn, who.app.db.dialect, id).await?.ok_or_else(Error::not_found)?;
            if !allowed.contains(&locked.message.status) || locked.message.direction == Direction::Inbound {
                return Err(Error::conflict("wrong_status", refusal));
            }
            match to {
                Status::Canceled => {
                    store::queue::cancel(conn, id, now).await?;
                }
                Status::Queued => store::queue::requeue(conn, id, now, None, now).await?,
                status => {
                    let accepted_at = Some(now);
                    let settled =
                        Settled { status, provider_message_id: None, failure: None, accepted_at, poll_at: None };
                    store::queue::settle(conn, id, &settled, now).await?;
                }
            }
            let mut event = store::message::event(who.app.new_id(), now, to, Source::User);
            event.detail = Some(detail.to_owned());
            Ok(store::message::insert_event(conn, id, &event).await?)
        })
        .await?;
    who.app.live.publish(&who.organization.id, Topic::Messages, Some(id.as_str()));
    who.app.wake.notify_one();
    load(who, id).await
}

/// Stops a message that has not left.
pub async fn cancel(who: &Who, id: &MessageId) -> Result<Message, Error> {
    let refusal = "Only a queued message can be canceled";
    change(who, id, &[Status::Queued], Status::Canceled, refusal, "Canceled by a person.").await
}

/// Tries a failed message again.
pub async fn retry(who: &Who, id: &MessageId) -> Result<Message, Error> {
    let refusal = "Only a failed or undelivered message can be sent again";
    change(who, id, &[Status::Failed, Status::Undelivered], Status::Queued, refusal, "Queued again by a person.").await
}

/// Settles what cannot be known: a person says whether it was sent.
pub async fn resolve(who: &Who, id: &MessageId, was_sent: bool) -> Result<Message, Error> {
    let (to, detail) = if was_sent {
        (Status::Sent, "A person decided that it was sent.")
    } else {
        (Status::Queued, "A person decided that it was not sent; queued again.")
    };
    change(who, id, &[Status::Unknown], to, "Only an unknown message can be resolved", detail).await
}
