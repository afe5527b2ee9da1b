//! Messages and their timelines, as people see them. What the worker does with the queue is in [`super::queue`].

use super::{
    Conn, Dialect, Sql, batch,
    row::{self, NEWEST},
    rows,
};
use crate::domain::{
    channel::Channel,
    id::{AccountId, EnrollmentId, EventId, LeadId, MessageId, OrganizationId, SequenceId},
    message::{Direction, Event, Failure, Message, MessageFilter, Source, Status, Waiting, WaitingReason},
    page::Page,
    time::Timestamp,
};
use serde::Serialize;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select m.id, m.organization_id, m.account_id, m.lead_id, m.channel, m.direction, m.sender, m.recipient, m.subject, \
             m.body, m.segments, m.status, m.attempts, m.provider_message_id, m.error_code, m.error_message, \
             m.error_retryable, m.waiting_reason, m.waiting_since, m.waiting_until, m.waiting_detail, m.lease_token, \
             m.accepted_at, m.demo_at, m.sequence_id, m.enrollment_id, m.step, m.created_at, m.updated_at, \
             (select a.platform from account a where a.id = m.account_id) as platform from message m ",
            $rest
        )
    };
}
pub(super) use select;

const FIND: &str = select!("where m.id = $1 and m.organization_id = $2");
/// Of whichever organization: only for whoever proves by other means that they may.
const FIND_ANY: &str = select!("where m.id = $1");
/// Every filter but the cursor is optional; the page goes down the index from the cursor, so a page costs the same at
/// both ends of history. Text and pattern are both lowered by the engine: SQLite lowers ASCII only.
const LIST: &str = select!(
    "where m.organization_id = $1 and m.id < $2 and m.id >= $9 and (cast($3 as text) is null or m.status = $3) and (cast($4 as text) is null or m.channel = $4) \
     and (cast($5 as text) is null or m.account_id = $5) and cast($6 as text) is null \
     and (cast($7 as text) is null or lower(m.body) like lower($7) escape '!' or lower(m.recipient) like lower($7) escape '!' \
     or lower(m.subject) like lower($7) escape '!') order by m.id desc limit $8"
);
/// The same down the index of one lead.
const LIST_OF_LEAD: &str = select!(
    "where m.lead_id = $6 and m.organization_id = $1 and m.id < $2 and m.id >= $9 and (cast($3 as text) is null or m.status = $3) \
     and (cast($4 as text) is null or m.channel = $4) and (cast($5 as text) is null or m.account_id = $5) \
     and (cast($7 as text) is null or lower(m.body) like lower($7) escape '!' or lower(m.recipient) like lower($7) escape '!' \
     or lower(m.subject) like lower($7) escape '!') order by m.id desc limit $8"
);
/// How many messages from the cursor on the other filters let pass, up to a number, and the last one of them: where a search
/// ends that has found too little.
const REACH: &str = "select count(*), min(q.id) from (select m.id from message m where m.organization_id = $1 and m.id < $2 \
     and (cast($3 as text) is null or m.status = $3) and (cast($4 as text) is null or m.channel = $4) \
     and (cast($5 as text) is null or m.account_id = $5) order by m.id desc limit $6) as q";
macro_rules! insert {
    ($dialect:ident) => {
        concat!(
            "insert into message (id, organization_id, account_id, lead_id, channel, direction, sender, recipient, subject, body, \
             segments, status, attempts, provider_message_id, error_code, error_message, error_retryable, waiting_reason, \
             waiting_since, waiting_until, waiting_detail, due_at, accepted_at, demo_at, sequence_id, enrollment_id, step, created_at, updated_at) \
             select x.id, x.organization_id, x.account_id, x.lead_id, x.channel, x.direction, x.sender, x.recipient, x.subject, x.body, \
             x.segments, x.status, x.attempts, x.provider_message_id, x.error_code, x.error_message, x.error_retryable, x.waiting_reason, \
             x.waiting_since, x.waiting_until, x.waiting_detail, x.due_at, x.accepted_at, x.demo_at, x.sequence_id, x.enrollment_id, x.step, x.created_at, x.updated_at from ",
            rows!(
                $dialect, id text, organization_id text, account_id text, lead_id text, channel text, direction text, sender text,
                recipient text, subject text, body text, segments bigint, status text, attempts bigint, provider_message_id text,
                error_code text, error_message text, error_retryable text, waiting_reason text, waiting_since bigint,
                waiting_until bigint, waiting_detail text, due_at bigint, accepted_at bigint, demo_at bigint, sequence_id text, enrollment_id text, step bigint, created_at bigint,
                updated_at bigint
            )
        )
    };
}
const INSERT: Sql = Sql { sqlite: insert!(sqlite), postgres: insert!(postgres) };
macro_rules! insert_events {
    ($dialect:ident) => {
        concat!(
            "insert into event (id, message_id, at, status, source, provider_status, error_code, error_message, error_retryable, detail) \
             select x.id, x.message_id, x.at, x.status, x.source, x.provider_status, x.error_code, x.error_message, x.error_retryable, x.detail from ",
            rows!($dialect, id text, message_id text, at bigint, status text, source text, provider_status text, error_code text, error_message text, error_retryable text, detail text)
        )
    };
}
const INSERT_EVENTS: Sql = Sql { sqlite: insert_events!(sqlite), postgres: insert_events!(postgres) };
const EVENTS: &str = "select e.id, e.at, e.status, e.source, e.provider_status, e.error_code, e.error_message, e.error_retryable, e.detail \
     from event e join message m on m.id = e.message_id \
     where e.message_id = $1 and m.organization_id = $2 order by e.id limit 1000";
const FIND_BY_PROVIDER_ID: &str = "select id from message where account_id = $1 and provider_message_id = $2";
const REMOVE_DEMO: &str = "delete from message where organization_id = $1 and (demo_at is not null or account_id in \
     (select id from account where organization_id = $1 and demo_at is not null))";
const HAS_DEMO: &str =
    "select id from account where organization_id = $1 and demo_at is not null and deleted_at is null limit 1";

/// For the prepare test.
pub const STATEMENTS: &[&str] =
    &[FIND, FIND_ANY, LIST, LIST_OF_LEAD, REACH, EVENTS, FIND_BY_PROVIDER_ID, REMOVE_DEMO, HAS_DEMO];

/// Statements that differ.
pub const DUAL: &[Sql] = &[INSERT, INSERT_EVENTS];

#[derive(sqlx::FromRow)]
pub(super) struct MessageRow {
    id: String,
    organization_id: String,
    account_id: Option<String>,
    lead_id: Option<String>,
    channel: String,
    direction: String,
    sender: Option<String>,
    recipient: String,
    subject: Option<String>,
    body: String,
    segments: i64,
    status: String,
    attempts: i64,
    provider_message_id: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
    error_retryable: Option<String>,
    waiting_reason: Option<String>,
    waiting_since: Option<i64>,
    waiting_until: Option<i64>,
    waiting_detail: Option<String>,
    lease_token: Option<String>,
    accepted_at: Option<i64>,
    demo_at: Option<i64>,
    sequence_id: Option<String>,
    enrollment_id: Option<String>,
    step: Option<i64>,
    created_at: i64,
    updated_at: i64,
    platform: Option<String>,
}

/// A message with what only the worker needs.
#[derive(Debug, Clone)]
pub struct StoredMessage {
    /// As it is shown.
    pub message: Message,
    /// Through which account: also where that is the platform default, which is not shown.
    pub account_id: Option<AccountId>,
    /// Its tenant.
    pub organization_id: OrganizationId,
    /// Whose attempt is under way.
    pub lease_token: Option<String>,
    /// When the provider took it.
    pub accepted_at: Option<Timestamp>,
    /// Which step of whose run it is.
    pub origin: Option<Origin>,
}

/// That a message is a step of a lead's run through a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Through which sequence.
    pub sequence: SequenceId,
    /// The run.
    pub enrollment: EnrollmentId,
    /// From 0.
    pub step: u32,
}

fn failure(code: Option<String>, message: Option<String>, retryable: Option<&str>) -> Option<Failure> {
    code.map(|code| Failure { code, message: message.unwrap_or_default(), retryable: retryable == Some("yes") })
}

impl MessageRow {
    pub(super) fn read(self) -> sqlx::Result<StoredMessage> {
        let waiting = match (self.waiting_reason, self.waiting_since) {
            (Some(reason), Some(since)) => Some(Waiting {
                reason: row::value("waiting_reason", &reason, WaitingReason::from_name)?,
                since: Timestamp(since),
                until: self.waiting_until.map(Timestamp),
                detail: self.waiting_detail.unwrap_or_default(),
            }),
            _ => None,
        };
        let origin = match (self.sequence_id, self.enrollment_id, self.step) {
            (Some(sequence), Some(enrollment), Some(step)) => Some(Origin {
                sequence: row::id("sequence_id", sequence)?,
                enrollment: row::id("enrollment_id", enrollment)?,
                step: row::count("step", step)?,
            }),
            _ => None,
        };
        let account_id: Option<AccountId> = row::maybe_id("account_id", self.account_id)?;
        let message = Message {
            id: row::id("id", self.id)?,
            channel: row::value("channel", &self.channel, Channel::from_name)?,
            direction: row::value("direction", &self.direction, Direction::from_name)?,
            to: self.recipient,
            from: self.sender,
            subject: self.subject,
            body: self.body,
            status: row::value("status", &self.status, Status::from_name)?,
            account_id: account_id.clone().filter(|_| self.platform.is_none()),
            lead_id: row::maybe_id("lead_id", self.lead_id)?,
            provider_message_id: self.provider_message_id,
            segments: row::count("segments", self.segments)?,
            attempts: row::count("attempts", self.attempts)?,
            error: failure(self.error_code, self.error_message, self.error_retryable.as_deref()),
            waiting,
            is_demo: self.demo_at.is_some(),
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        };
        Ok(StoredMessage {
            message,
            account_id,
            organization_id: row::id("organization_id", self.organization_id)?,
            lease_token: self.lease_token,
            accepted_at: self.accepted_at.map(Timestamp),
            origin,
        })
    }
}

#[derive(sqlx::FromRow)]
struct EventRow {
    id: String,
    at: i64,
    status: String,
    source: String,
    provider_status: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
    error_retryable: Option<String>,
    detail: Option<String>,
}

impl EventRow {
    fn read(self) -> sqlx::Result<Event> {
        Ok(Event {
            id: row::id("id", self.id)?,
            at: Timestamp(self.at),
            status: row::value("status", &self.status, Status::from_name)?,
            source: row::value("source", &self.source, Source::from_name)?,
            provider_status: self.provider_status,
            error: failure(self.error_code, self.error_message, self.error_retryable.as_deref()),
            detail: self.detail,
        })
    }
}

/// One message of an organization.
pub async fn find(
    conn: &mut Conn,
    id: &MessageId,
    organization: &OrganizationId,
) -> sqlx::Result<Option<StoredMessage>> {
    let found: Option<MessageRow> =
        sqlx::query_as(FIND).bind(id.as_str()).bind(organization.as_str()).fetch_optional(conn).await?;
    found.map(MessageRow::read).transpose()
}

/// One message of whichever organization: only for whoever proves by other means that they may ask.
pub async fn find_any(conn: &mut Conn, id: &MessageId) -> sqlx::Result<Option<StoredMessage>> {
    let found: Option<MessageRow> = sqlx::query_as(FIND_ANY).bind(id.as_str()).fetch_optional(conn).await?;
    found.map(MessageRow::read).transpose()
}

/// Messages that a search reads for one page.
pub const SEARCHED: u32 = 20_000;

/// One page, newest first. A search reads `searched` messages and no more: the page that it gives may be short, even
/// empty, and still have a next one.
pub async fn list(
    conn: &mut Conn,
    organization: &OrganizationId,
    filter: &MessageFilter,
    searched: u32,
) -> sqlx::Result<Page<StoredMessage>> {
    let reach = match &filter.q {
        Some(_) if filter.lead_id.is_none() => reach(conn, organization, filter, searched).await?,
        _ => None,
    };
    let query = if filter.lead_id.is_some() { sqlx::query_as(LIST_OF_LEAD) } else { sqlx::query_as(LIST) };
    let rows: Vec<MessageRow> = query
        .bind(organization.as_str())
        .bind(filter.cursor.as_ref().map_or(NEWEST, MessageId::as_str))
        .bind(filter.status.map(Status::as_str))
        .bind(filter.channel.map(Channel::as_str))
        .bind(filter.account_id.as_ref().map(AccountId::as_str))
        .bind(filter.lead_id.as_ref().map(LeadId::as_str))
        .bind(filter.q.as_deref().map(like))
        .bind(filter.limit.asked())
        .bind(reach.as_deref().unwrap_or_default())
        .fetch_all(conn)
        .await?;
    let messages = rows.into_iter().map(MessageRow::read).collect::<sqlx::Result<Vec<_>>>()?;
    let mut page = Page::from_rows(messages, filter.limit, |stored| stored.message.id.to_string());
    page.next_cursor = page.next_cursor.or(reach);
    Ok(page)
}

/// The last message that a search reads; `None` when it reads all there are.
async fn reach(
    conn: &mut Conn,
    organization: &OrganizationId,
    filter: &MessageFilter,
    searched: u32,
) -> sqlx::Result<Option<String>> {
    let (seen, last): (i64, Option<String>) = sqlx::query_as(REACH)
        .bind(organization.as_str())
        .bind(filter.cursor.as_ref().map_or(NEWEST, MessageId::as_str))
        .bind(filter.status.map(Status::as_str))
        .bind(filter.channel.map(Channel::as_str))
        .bind(filter.account_id.as_ref().map(AccountId::as_str))
        .bind(i64::from(searched))
        .fetch_one(conn)
        .await?;
    Ok(last.filter(|_| seen >= i64::from(searched)))
}

/// The pattern that finds `text` anywhere, literally.
pub(super) fn like(text: &str) -> String {
    let literal = text.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{literal}%")
}

#[derive(Serialize)]
struct NewRow<'a> {
    id: &'a str,
    organization_id: &'a str,
    account_id: Option<&'a str>,
    lead_id: Option<&'a str>,
    channel: &'static str,
    direction: &'static str,
    sender: Option<&'a str>,
    recipient: &'a str,
    subject: Option<&'a str>,
    body: &'a str,
    segments: u32,
    status: &'static str,
    attempts: u32,
    provider_message_id: Option<&'a str>,
    error_code: Option<&'a str>,
    error_message: Option<&'a str>,
    error_retryable: Option<&'static str>,
    waiting_reason: Option<&'static str>,
    waiting_since: Option<i64>,
    waiting_until: Option<i64>,
    waiting_detail: Option<&'a str>,
    due_at: i64,
    accepted_at: Option<i64>,
    demo_at: Option<i64>,
    sequence_id: Option<&'a str>,
    enrollment_id: Option<&'a str>,
    step: Option<u32>,
    created_at: i64,
    updated_at: i64,
}

impl<'a> NewRow<'a> {
    fn new(stored: &'a StoredMessage, due_at: Timestamp) -> Self {
        let message = &stored.message;
        let (waiting, error) = (message.waiting.as_ref(), message.error.as_ref());
        Self {
            id: message.id.as_str(),
            organization_id: stored.organization_id.as_str(),
            account_id: stored.account_id.as_ref().map(AccountId::as_str),
            lead_id: message.lead_id.as_ref().map(LeadId::as_str),
            channel: message.channel.as_str(),
            direction: message.direction.as_str(),
            sender: message.from.as_deref(),
            recipient: &message.to,
            subject: message.subject.as_deref(),
            body: &message.body,
            segments: message.segments,
            status: message.status.as_str(),
            attempts: message.attempts,
            provider_message_id: message.provider_message_id.as_deref(),
            error_code: error.map(|e| e.code.as_str()),
            error_message: error.map(|e| e.message.as_str()),
            error_retryable: error.map(|e| if e.retryable { "yes" } else { "no" }),
            waiting_reason: waiting.map(|w| w.reason.as_str()),
            waiting_since: waiting.map(|w| w.since.0),
            waiting_until: waiting.and_then(|w| w.until).map(|at| at.0),
            waiting_detail: waiting.map(|w| w.detail.as_str()),
            due_at: due_at.0,
            accepted_at: stored.accepted_at.map(|at| at.0),
            demo_at: message.is_demo.then_some(message.created_at.0),
            sequence_id: stored.origin.as_ref().map(|origin| origin.sequence.as_str()),
            enrollment_id: stored.origin.as_ref().map(|origin| origin.enrollment.as_str()),
            step: stored.origin.as_ref().map(|origin| origin.step),
            created_at: message.created_at.0,
            updated_at: message.updated_at.0,
        }
    }
}

/// Stores messages, each with the instant from which it may leave.
pub async fn insert_many<'a>(
    conn: &mut Conn,
    dialect: Dialect,
    messages: impl IntoIterator<Item = (&'a StoredMessage, Timestamp)>,
) -> sqlx::Result<()> {
    let rows: Vec<_> = messages.into_iter().map(|(stored, due_at)| NewRow::new(stored, due_at)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT.of(dialect)).bind(batch(&rows)).execute(conn).await.map(drop)
}

/// Stores a message. `due_at` is when it may leave.
pub async fn insert(conn: &mut Conn, dialect: Dialect, stored: &StoredMessage, due_at: Timestamp) -> sqlx::Result<()> {
    insert_many(conn, dialect, [(stored, due_at)]).await
}

#[derive(Serialize)]
struct NewEvent<'a> {
    id: &'a str,
    message_id: &'a str,
    at: i64,
    status: &'static str,
    source: &'static str,
    provider_status: Option<&'a str>,
    error_code: Option<&'a str>,
    error_message: Option<&'a str>,
    error_retryable: Option<&'static str>,
    detail: Option<&'a str>,
}

impl<'a> NewEvent<'a> {
    fn new(message: &'a MessageId, event: &'a Event) -> Self {
        let error = event.error.as_ref();
        Self {
            id: event.id.as_str(),
            message_id: message.as_str(),
            at: event.at.0,
            status: event.status.as_str(),
            source: event.source.as_str(),
            provider_status: event.provider_status.as_deref(),
            error_code: error.map(|e| e.code.as_str()),
            error_message: error.map(|e| e.message.as_str()),
            error_retryable: error.map(|e| if e.retryable { "yes" } else { "no" }),
            detail: event.detail.as_deref(),
        }
    }
}

/// Adds to timelines.
pub async fn insert_events(conn: &mut Conn, dialect: Dialect, events: &[(MessageId, Event)]) -> sqlx::Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = events.iter().map(|(message, event)| NewEvent::new(message, event)).collect();
    sqlx::query(INSERT_EVENTS.of(dialect)).bind(batch(&rows)).execute(conn).await.map(drop)
}

/// Adds to a timeline.
pub async fn insert_event(conn: &mut Conn, dialect: Dialect, message: &MessageId, event: &Event) -> sqlx::Result<()> {
    insert_events(conn, dialect, &[(message.clone(), event.clone())]).await
}

/// The timeline of a message of an organization, oldest first.
pub async fn list_events(conn: &mut Conn, id: &MessageId, organization: &OrganizationId) -> sqlx::Result<Vec<Event>> {
    let rows: Vec<EventRow> =
        sqlx::query_as(EVENTS).bind(id.as_str()).bind(organization.as_str()).fetch_all(conn).await?;
    rows.into_iter().map(EventRow::read).collect()
}

/// The message of an account that the provider calls so.
pub async fn find_by_provider_id(
    conn: &mut Conn,
    account: &AccountId,
    provider_message_id: &str,
) -> sqlx::Result<Option<MessageId>> {
    let found: Option<String> = sqlx::query_scalar(FIND_BY_PROVIDER_ID)
        .bind(account.as_str())
        .bind(provider_message_id)
        .fetch_optional(conn)
        .await?;
    found.map(|id| row::id("id", id)).transpose()
}

/// Deletes the demo's messages, with their timelines.
pub async fn remove_demo(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<()> {
    sqlx::query(REMOVE_DEMO).bind(organization.as_str()).execute(conn).await.map(drop)
}

/// True while the organization has demo accounts.
pub async fn has_demo(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<bool> {
    let found: Option<String> = sqlx::query_scalar(HAS_DEMO).bind(organization.as_str()).fetch_optional(conn).await?;
    Ok(found.is_some())
}

/// A new entry of a timeline.
pub fn event(id: EventId, at: Timestamp, status: Status, source: Source) -> Event {
    Event { id, at, status, source, provider_status: None, error: None, detail: None }
}
