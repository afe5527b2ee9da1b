//! Messages: send, list, tell the story, cancel, retry, resolve.

use super::{account::with_usage, consent, platform, recipient, session::hash_token, waiting};
use crate::{
    api::error::ApiError,
    domain::{
        account::Account,
        channel::Channel,
        field_error::FieldErrors,
        id::{AccountId, MessageId},
        lead::Way,
        message::{
            Direction, Event, Failure, Message, MessageFilter, NewMessage, OnLimit, SendForm, Source, Status, Story,
            Waiting, WaitingReason,
        },
        page::Page,
        segment,
        time::{MINUTE, SECOND, Timestamp},
    },
    server::{
        App, Who,
        bucket::Bucket,
        error::Error,
        live::Topic,
        phone,
        store::{self, Conn, Db, account::StoredAccount, idempotency::NewKey, message::StoredMessage},
    },
};
use futures::future::join_all;
use std::collections::{HashMap, HashSet};

/// Longest idempotency key.
const KEY_MAX: usize = 255;

/// Messages of one request that are stored at the same time: other requests get connections in between.
const TOGETHER: usize = 128;

/// A message that has not left so long after it was stored waits for its turn.
const TURN: i64 = 3 * SECOND;

/// A caller's idempotency key with the hash of its request.
#[derive(Clone)]
pub struct Idempotency {
    key: String,
    body_hash: String,
}

impl Idempotency {
    /// Checks the header; `body` is the raw request.
    pub fn new(key: &str, body: &str) -> Result<Self, Error> {
        Self::named("Idempotency-Key", key, body)
    }

    /// Checks the key of the field `name`.
    pub fn named(name: &str, key: &str, body: &str) -> Result<Self, Error> {
        let good = (1..=KEY_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
        if !good {
            return Err(FieldErrors::one(name, "must be 1 to 255 visible ASCII characters").into());
        }
        Ok(Self { key: key.to_owned(), body_hash: hash_token(body) })
    }
}

/// A message that is to be stored together with others.
pub struct NewRow {
    stored: StoredMessage,
    due_at: Timestamp,
    event: Event,
    keyed: Option<Keyed>,
}

/// An idempotency key, and what its caller is about to be told.
struct Keyed {
    idempotency: Idempotency,
    answer: String,
}

/// Stores messages of many callers in one transaction: for each true, or false when its idempotency key is taken. When
/// the database fails, everybody is told the same.
pub async fn store_batch(db: &Db, batch: Vec<NewRow>) -> Vec<Result<bool, ApiError>> {
    let stored = db
        .write(async |conn| {
            let keys: Vec<NewKey<'_>> = batch.iter().filter_map(NewRow::key).collect();
            let free = match &keys[..] {
                [] => HashSet::new(),
                keys => store::idempotency::take(conn, db.dialect, keys).await?,
            };
            let is_stored = |row: &&NewRow| row.keyed.is_none() || free.contains(&row.stored.message.id);
            let rows = batch.iter().filter(is_stored).map(|row| (&row.stored, row.due_at));
            store::message::insert_many(conn, db.dialect, rows).await?;
            let events: Vec<_> =
                batch.iter().filter(is_stored).map(|row| (row.stored.message.id.clone(), row.event.clone())).collect();
            store::message::insert_events(conn, db.dialect, &events).await?;
            Ok::<_, sqlx::Error>(batch.iter().map(|row| Ok(is_stored(&row))).collect())
        })
        .await;
    stored.unwrap_or_else(|error| vec![Err(Error::from(error).into()); batch.len()])
}

impl NewRow {
    fn key(&self) -> Option<NewKey<'_>> {
        self.keyed.as_ref().map(|keyed| NewKey {
            organization_id: self.stored.organization_id.as_str(),
            key: &keyed.idempotency.key,
            body_hash: &keyed.idempotency.body_hash,
            answer: &keyed.answer,
            message_id: self.stored.message.id.as_str(),
            created_at: self.stored.message.created_at.0,
        })
    }
}

/// A message that is stored.
pub enum Queued {
    /// By this request.
    Now(Box<Message>),
    /// By an earlier one with the same idempotency key.
    Before(Earlier),
}

/// What an earlier request with the same idempotency key was told.
pub struct Earlier {
    /// The message.
    pub id: MessageId,
    /// The message as it was then: JSON, byte for byte.
    pub answer: String,
    /// The same for the first that waited for the provider, if one did.
    pub waited: Option<String>,
}

impl Queued {
    /// The message.
    pub fn id(&self) -> &MessageId {
        match self {
            Self::Now(message) => &message.id,
            Self::Before(earlier) => &earlier.id,
        }
    }
}

/// A message as callers are told of it.
pub fn answer(message: &Message) -> String {
    serde_json::to_string(message).expect("texts and numbers")
}

/// Stores a message, durably, and lets the worker know.
pub async fn send(who: &Who, form: SendForm, idempotency: Option<Idempotency>) -> Result<Queued, Error> {
    let queued = queue(who, form, idempotency).await?;
    who.app.live.publish(&who.organization.id, Topic::Messages, Some(queued.id().as_str()));
    who.app.wake.notify_one();
    Ok(queued)
}

/// The same for a page, which has no idempotency key: the answer is the stored message.
pub async fn send_once(who: &Who, form: SendForm) -> Result<Message, Error> {
    match send(who, form, None).await? {
        Queued::Now(message) => Ok(*message),
        Queued::Before(earlier) => load(who, &earlier.id).await,
    }
}

/// Keeps what a caller is told who waited for the provider, for repeats that wait, too. What is kept already stands, and
/// is the answer.
pub async fn keep_waited(who: &Who, idempotency: &Idempotency, answer: String) -> String {
    let (organization, key) = (&who.organization.id, &idempotency.key);
    let kept =
        who.app.db.write(async |conn| store::idempotency::keep_waited(conn, organization, key, &answer).await).await;
    match kept {
        Ok(kept) => kept.unwrap_or(answer),
        Err(error) => {
            // The message is on its way whatever happens here: its caller shall know.
            tracing::warn!(error.cause = %error, "an answer could not be kept for repeats");
            answer
        }
    }
}

/// The instant of a form's date and time, as the API writes it; empty when none is wished for.
pub fn read_send_at(who: &Who, typed: &str, minutes_east: &str) -> Result<String, Error> {
    if typed.trim().is_empty() {
        return Ok(String::new());
    }
    let refuse = |why: &str| Error::from(FieldErrors::one("send_at", why));
    let at = Timestamp::parse_local(typed.trim(), minutes_east.parse().unwrap_or_default());
    let at = at.map_err(|_| refuse("must be a date and a time"))?;
    // A program may be late and means now; a person has mistyped.
    if at.plus(MINUTE) < who.app.clock.now() { Err(refuse("is in the past")) } else { Ok(at.to_string()) }
}

/// Stores many messages, each for itself and answered in their order: what is wrong with one does not hold up the others.
pub async fn send_many(
    who: &Who,
    forms: Vec<Result<(SendForm, Option<Idempotency>), Error>>,
) -> Vec<Result<Queued, Error>> {
    let mut sent = Vec::with_capacity(forms.len());
    let mut forms = forms.into_iter().peekable();
    while forms.peek().is_some() {
        let together = forms.by_ref().take(TOGETHER).map(async |form| {
            let (form, idempotency) = form?;
            queue(who, form, idempotency).await
        });
        sent.extend(join_all(together).await);
    }
    who.app.live.publish(&who.organization.id, Topic::Messages, None);
    who.app.wake.notify_one();
    sent
}

async fn queue(who: &Who, mut form: SendForm, idempotency: Option<Idempotency>) -> Result<Queued, Error> {
    refuse_what_is_not_there(&form)?;
    let mut conn = who.app.db.read().await?;
    recipient::address(&mut conn, who, &mut form).await?;
    let new = form.parse(phone::parse)?;
    if new.on_limit == OnLimit::Reject {
        drop(conn); // who waits for a connection to write with must not hold up others
        return queue_strictly(who, &new, idempotency).await;
    }
    let mut chosen = choose_account(&mut conn, who, &new).await?;
    if chosen.is_none() {
        drop(conn);
        who.app.db.write(async |conn| platform::begin(conn, who, new.channel).await).await?;
        conn = who.app.db.read().await?;
        chosen = choose_account(&mut conn, who, &new).await?;
    }
    let account = chosen.ok_or_else(no_platform)?;
    let (row, message) = prepare(&mut conn, who, &new, &account, idempotency.clone()).await?;
    drop(conn);
    match who.app.enqueue.call(row).await.transpose()? {
        Some(true) => Ok(Queued::Now(Box::new(message))),
        Some(false) => find_earlier(&mut *who.app.db.read().await?, who, idempotency.as_ref())
            .await?
            .map(Queued::Before)
            .ok_or_else(|| Error::Internal("an idempotency key is taken by nothing".to_owned())),
        None => Err(Error::Internal("the message could not be stored".to_owned())),
    }
}

/// The way of a caller who wants no message that waits for the limit: whoever else does so for the account comes after.
async fn queue_strictly(who: &Who, new: &NewMessage, idempotency: Option<Idempotency>) -> Result<Queued, Error> {
    let app = &who.app;
    app.db
        .write(async |conn| {
            if let Some(earlier) = find_earlier(conn, who, idempotency.as_ref()).await? {
                return Ok(Queued::Before(earlier));
            }
            let mut chosen = choose_account(conn, who, new).await?;
            if chosen.is_none() {
                platform::begin(conn, who, new.channel).await?;
                chosen = choose_account(conn, who, new).await?;
            }
            let mut account = chosen.ok_or_else(no_platform)?;
            store::account::lock_many(conn, app.db.dialect, [&account.account.id]).await?;
            // What was claimed while we waited for the lock counts.
            with_usage(conn, &mut account, app.clock.now()).await?;
            let queued = store::queue::count_queued(conn, &account.account.id).await?;
            let limit = account.account.pace.limit_of_day(account.account.daily_limit, app.clock.now());
            if account.account.sent_today.saturating_add(queued) >= limit {
                let channel = account.account.channel.as_str();
                return Err(Error::conflict("daily_limit", &format!("Daily {channel} limit reached")));
            }
            let (row, message) = prepare(conn, who, new, &account, idempotency.clone()).await?;
            if let Some(key) = row.key()
                && store::idempotency::take(conn, app.db.dialect, &[key]).await?.is_empty()
            {
                return Err(Error::conflict("idempotency_key_in_use", "The same request is under way"));
            }
            store::message::insert(conn, app.db.dialect, &row.stored, row.due_at).await?;
            store::message::insert_event(conn, app.db.dialect, &row.stored.message.id, &row.event).await?;
            Ok(Queued::Now(Box::new(message)))
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

async fn find_earlier(conn: &mut Conn, who: &Who, idempotency: Option<&Idempotency>) -> Result<Option<Earlier>, Error> {
    let Some(idempotency) = idempotency else { return Ok(None) };
    let Some(used) = store::idempotency::find(conn, &who.organization.id, &idempotency.key).await? else {
        return Ok(None);
    };
    if used.body_hash != idempotency.body_hash {
        use crate::api::error::{ApiError, Kind};
        let message = "This idempotency key was used for another request";
        return Err(ApiError::new(Kind::KeyReused, "idempotency_key_reused", message).into());
    }
    let (id, waited) = (used.message_id, used.waited);
    let Some(first) = used.answer else {
        // From before answers were kept.
        let found = store::message::find(conn, &id, &who.organization.id).await?;
        return Ok(found.map(|stored| Earlier { id, answer: answer(&stored.message), waited }));
    };
    Ok(Some(Earlier { id, answer: first, waited }))
}

/// The named account, else the organization's default for the channel, else the platform default; `None` when that one is
/// still to be made.
async fn choose_account(conn: &mut Conn, who: &Who, new: &NewMessage) -> Result<Option<StoredAccount>, Error> {
    let (organization, channel) = (&who.organization.id, new.channel);
    let mut chosen = match &new.account_id {
        Some(id) => {
            let named = store::account::find(conn, id, organization).await?;
            let named = named.filter(|stored| stored.account.channel == channel);
            Some(named.ok_or_else(|| account_not_found(Some(channel)))?)
        }
        None => store::account::find_default(conn, organization, channel).await?,
    };
    if chosen.is_none() {
        if channel == Channel::Email || who.app.platform.is_none() {
            return Err(no_account(channel));
        }
        chosen = platform::find(conn, &who.app, organization, channel).await?;
    }
    if let Some(chosen) = &mut chosen {
        with_usage(conn, chosen, who.app.clock.now()).await?;
    }
    Ok(chosen)
}

/// Nobody to send it through, in the contract's own words.
fn no_account(channel: Channel) -> Error {
    let (field, message) = match channel {
        Channel::Email => ("email_account_id", "No email account specified"),
        Channel::Sms | Channel::Whatsapp => ("messaging_account_id", "Missing Twilio credentials"),
    };
    Error::invalid_as(message, FieldErrors::one(field, "connect an account for this channel first"))
}

fn no_platform() -> Error {
    Error::Internal("the platform default was not made".to_owned())
}

/// The message as it will be stored, and as the caller sees it.
async fn prepare(
    conn: &mut Conn,
    who: &Who,
    new: &NewMessage,
    stored: &StoredAccount,
    idempotency: Option<Idempotency>,
) -> Result<(NewRow, Message), Error> {
    let (account, now) = (&stored.account, who.app.clock.now());
    let scheduled = new.send_at.filter(|at| *at > now);
    let way = Way { channel: new.channel, address: new.to.as_str().to_owned() };
    let suppressed = consent::find(&who.app, conn, &who.organization.id, &way).await?;
    let status = if suppressed.is_some() { Status::Suppressed } else { Status::Queued };
    let mut message = Message {
        id: who.app.new_id(),
        channel: new.channel,
        direction: Direction::Outbound,
        to: new.to.as_str().to_owned(),
        from: Some(account.address.clone()),
        subject: new.subject.clone(),
        body: new.body.clone(),
        status,
        account_id: stored.shown_id(),
        lead_id: recipient::lead(conn, who, new).await?,
        provider_message_id: None,
        segments: if new.channel == Channel::Sms { segment::measure(&new.body).count.max(1) } else { 1 },
        attempts: 0,
        error: suppressed.map(|act| Failure {
            code: "suppressed".to_owned(),
            message: act.sentence().to_owned(),
            retryable: false,
        }),
        waiting: scheduled.map(|at| Waiting {
            reason: WaitingReason::Scheduled,
            since: now,
            until: Some(at),
            detail: "It is scheduled for later.".to_owned(),
        }),
        is_demo: account.is_demo,
        created_at: now,
        updated_at: now,
    };
    let row = StoredMessage {
        message: message.clone(),
        account_id: Some(account.id.clone()),
        organization_id: who.organization.id.clone(),
        lease_token: None,
        accepted_at: None,
        origin: None,
    };
    explain(&mut message, stored, now);
    let mut event = store::message::event(who.app.new_id(), now, status, Source::Api);
    event.detail = message.waiting.as_ref().map(|waiting| waiting.detail.clone());
    let keyed = idempotency.map(|idempotency| Keyed { idempotency, answer: answer(&message) });
    Ok((NewRow { stored: row, due_at: scheduled.unwrap_or(now), event, keyed }, message))
}

/// Says why a queued message has not left: for a reason of its own, or one of its account.
fn explain(message: &mut Message, stored: &StoredAccount, now: Timestamp) {
    let account = &stored.account;
    let is_held = |waiting: &Waiting| waiting.reason == WaitingReason::Paused;
    if message.status != Status::Queued
        || message.waiting.as_ref().is_some_and(is_held)
        || message.waiting.as_ref().is_some_and(|waiting| waiting.until.is_some_and(|until| until > now))
    {
        return;
    }
    let since = message.created_at;
    let wait = |reason, until, detail: String| Some(Waiting { reason, since, until, detail });
    let limit = account.pace.limit_of_day(account.daily_limit, now);
    message.waiting = if !account.is_active {
        let detail = "The account is switched off. Enable it to let this message go.";
        wait(WaitingReason::AccountInactive, None, detail.to_owned())
    } else if stored.is_stopped {
        let reason = account.last_error.clone().unwrap_or_default();
        wait(WaitingReason::AccountError, None, format!("The account cannot send: {reason}"))
    } else if let Some(block) = &account.block {
        Some(Waiting { since: block.since.max(since), ..block.clone() })
    } else if account.sent_today >= limit {
        let until = Bucket::at(now, &account.pace, None).until;
        wait(WaitingReason::DailyLimit, Some(until), limit_reached(account, limit))
    } else if now.0 - since.0 > TURN {
        let detail = "Messages before it leave first; then it is its turn.";
        wait(WaitingReason::Turn, None, detail.to_owned())
    } else {
        None
    };
}

/// Says of each why it waits; the accounts are looked up once each.
async fn explain_all(conn: &mut Conn, app: &App, messages: &mut [StoredMessage]) -> sqlx::Result<()> {
    let now = app.clock.now();
    let mut accounts: HashMap<AccountId, Option<StoredAccount>> = HashMap::new();
    for StoredMessage { message, account_id, .. } in messages {
        if !matches!(message.status, Status::Queued | Status::Unknown) {
            continue;
        }
        let Some(id) = account_id.clone() else { continue };
        if !accounts.contains_key(&id) {
            let mut found = store::account::find_any(conn, &id).await?;
            if let Some(stored) = &mut found {
                with_usage(conn, stored, now).await?;
            }
            accounts.insert(id.clone(), found);
        }
        let account = accounts.get(&id).and_then(Option::as_ref);
        if message.status == Status::Unknown {
            message.waiting = Some(waiting::evidence(app, message, account, now));
        } else if let Some(stored) = account {
            explain(message, stored, now);
        }
    }
    Ok(())
}

/// What a message says that waits for the next day.
pub fn limit_reached(account: &Account, limit: u32) -> String {
    let messages = if limit == 1 { "message" } else { "messages" };
    format!(
        "{} has sent its {limit} {messages} of today. It goes out when the account's next day begins.",
        account.display_name
    )
}

/// One page of the organization's messages, newest first.
pub async fn list(who: &Who, filter: &MessageFilter) -> Result<Page<Message>, Error> {
    let mut conn = who.app.db.read().await?;
    let Page { mut data, next_cursor } =
        store::message::list(&mut conn, &who.organization.id, filter, store::message::SEARCHED).await?;
    explain_all(&mut conn, &who.app, &mut data).await?;
    Ok(Page { data: data.into_iter().map(|stored| stored.message).collect(), next_cursor })
}

/// One message.
pub async fn load(who: &Who, id: &MessageId) -> Result<Message, Error> {
    let mut conn = who.app.db.read().await?;
    let found = store::message::find(&mut conn, id, &who.organization.id).await?;
    let mut stored = found.ok_or_else(Error::not_found)?;
    explain_all(&mut conn, &who.app, std::slice::from_mut(&mut stored)).await?;
    Ok(stored.message)
}

/// One message with its timeline.
pub async fn story(who: &Who, id: &MessageId) -> Result<Story, Error> {
    let mut conn = who.app.db.read().await?;
    let mut found = store::message::find(&mut conn, id, &who.organization.id).await?.ok_or_else(Error::not_found)?;
    explain_all(&mut conn, &who.app, std::slice::from_mut(&mut found)).await?;
    let events = store::message::list_events(&mut conn, id, &who.organization.id).await?;
    Ok(Story { message: found.message, events })
}
