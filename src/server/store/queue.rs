//! The queue: what is due, whose turn it is, what came of it. The message row is the job.
//!
//! A claim is durable before the first byte leaves; a result is taken only from the holder of the claim's token.

use super::{
    Conn, Dialect, Sql, batch, batch_of_ids, gather, gathered,
    message::{MessageRow, StoredMessage, select},
    row, rows,
};
use crate::domain::{
    channel::Provider,
    consent::Act,
    id::{AccountId, AttemptId, EnrollmentId, LeadId, MessageId},
    message::{Failure, Status, Waiting},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{FromRow, Row};
use std::collections::{HashMap, HashSet};

/// Accounts with something due that may send. Each queue is only looked at its head, and a lane that is blocked not at
/// all: a campaign that waits for tomorrow costs nothing today.
const DUE_ACCOUNTS: &str = "select a.id, a.provider from account a left join lane l on l.account_id = a.id \
     where a.paused_at is null and a.stopped_at is null and a.deleted_at is null \
     and coalesce(l.blocked_until, 0) <= $1 and coalesce(l.next_at, 0) <= $2 \
     and exists (select 1 from message m where m.account_id = a.id and m.status = 'queued' and m.due_at <= $1)";
macro_rules! count_many {
    ($dialect:ident) => {
        gather!(
            $dialect,
            [id, count],
            "select x.id, (select count(*) from message m where m.account_id = x.id and m.status = 'queued' and m.due_at < 9000000000000000) as count from ",
            rows!($dialect, id text)
        )
    };
}
const COUNT_MANY: Sql = Sql { sqlite: count_many!(sqlite), postgres: count_many!(postgres) };
const COUNT_QUEUED: &str = "select count(*) from message where account_id = $1 and status = 'queued'";

macro_rules! due {
    ($dialect:ident, $lock:literal) => {
        gather!(
            $dialect,
            [id, lead_id, recipient, subject, body, segments, attempts, enrollment_id, time_zone],
            "select id, lead_id, recipient, subject, body, segments, attempts, enrollment_id, \
             case when enrollment_id is not null then (select l.time_zone from lead l where l.id = message.lead_id) end as time_zone from message \
             where account_id = $1 and status = 'queued' and due_at <= $2 order by due_at, id limit $3",
            $lock
        )
    };
}
const DUE: Sql = Sql { sqlite: due!(sqlite, ""), postgres: due!(postgres, " for update skip locked") };
macro_rules! claim {
    ($dialect:ident) => {
        concat!(
            "update message set status = 'sending', lease_token = $2, lease_until = $3, attempts = attempts + 1, \
             waiting_reason = null, waiting_since = null, waiting_until = null, waiting_detail = null, updated_at = $4 from ",
            rows!($dialect, id text),
            " where message.id = x.id and message.status = 'queued'"
        )
    };
}
/// The repeated `status = 'queued'` is the correctness, `skip locked` the throughput.
const CLAIM: Sql = Sql { sqlite: claim!(sqlite), postgres: claim!(postgres) };

/// A message that is about to be joined with a report: nobody else may read the same state meanwhile.
const LOCK: Sql = Sql { sqlite: select!("where m.id = $1"), postgres: select!("where m.id = $1 for update") };

macro_rules! accept_attempts {
    ($dialect:ident) => {
        concat!(
            "update attempt set finished_at = x.accepted_at, outcome = 'accepted' from ",
            rows!($dialect, attempt_id text, accepted_at bigint),
            " where attempt.id = x.attempt_id and attempt.finished_at is null"
        )
    };
}
const ACCEPT_ATTEMPTS: Sql = Sql { sqlite: accept_attempts!(sqlite), postgres: accept_attempts!(postgres) };
/// Those of a batch that are still ours, locked.
macro_rules! held {
    ($dialect:ident, $lock:literal) => {
        gather!(
            $dialect,
            [id],
            "select x.attempt_id as id from ",
            rows!($dialect, attempt_id text, message_id text, token text),
            " join message m on m.id = x.message_id where m.lease_token = x.token and m.status = 'sending'",
            $lock
        )
    };
}
const HELD: Sql = Sql { sqlite: held!(sqlite, ""), postgres: held!(postgres, " for update of m") };
/// Only for whoever holds the lease, and only where no report was faster.
macro_rules! accept {
    ($dialect:ident) => {
        concat!(
            "update message set status = x.status, provider_message_id = coalesce(message.provider_message_id, x.provider_message_id), \
             error_code = null, error_message = null, error_retryable = null, accepted_at = coalesce(message.accepted_at, x.accepted_at), \
             poll_at = x.poll_at, lease_token = null, lease_until = null, updated_at = x.accepted_at from ",
            rows!($dialect, message_id text, token text, status text, provider_message_id text, accepted_at bigint, poll_at bigint),
            " where message.id = x.message_id and message.lease_token = x.token and message.status = 'sending'"
        )
    };
}
const ACCEPT: Sql = Sql { sqlite: accept!(sqlite), postgres: accept!(postgres) };
macro_rules! suppress {
    ($dialect:ident) => {
        concat!(
            "update message set status = 'suppressed', attempts = attempts - 1, lease_token = null, lease_until = null, \
             error_code = 'suppressed', error_message = x.message, error_retryable = 'no', updated_at = $2 from ",
            rows!($dialect, id text, message text),
            " where message.id = x.id"
        )
    };
}
/// What was claimed and must not be sent after all.
const SUPPRESS: Sql = Sql { sqlite: suppress!(sqlite), postgres: suppress!(postgres) };
macro_rules! contacts {
    ($dialect:ident) => {
        gather!(
            $dialect,
            [id, count, oldest],
            "select m.lead_id as id, count(*) as count, min(coalesce(m.accepted_at, m.updated_at)) as oldest from ",
            rows!($dialect, id text),
            " cross join message m where m.lead_id = x.id and m.direction = 'outbound' \
             and m.status in ('sending', 'accepted', 'sent', 'delivered', 'read', 'undelivered', 'unknown') \
             and coalesce(m.accepted_at, m.updated_at) > $2 group by m.lead_id"
        )
    };
}
const CONTACTS: Sql = Sql { sqlite: contacts!(sqlite), postgres: contacts!(postgres) };
const SETTLE: &str = "update message set status = $2, provider_message_id = coalesce(provider_message_id, $3), \
     error_code = $4, error_message = $5, error_retryable = $6, accepted_at = coalesce(accepted_at, $7), poll_at = $8, \
     lease_token = null, lease_until = null, updated_at = $9 where id = $1";
/// What the last try left behind is not true of the next one.
const REQUEUE: &str = "update message set status = 'queued', due_at = $2, lease_token = null, lease_until = null, \
     provider_message_id = null, accepted_at = null, poll_at = null, error_code = null, error_message = null, \
     error_retryable = null, waiting_reason = $3, \
     waiting_since = coalesce(waiting_since, $4), waiting_until = $5, waiting_detail = $6, updated_at = $4 where id = $1";
const CANCEL: &str = "update message set status = 'canceled', waiting_reason = null, waiting_since = null, waiting_until = null, \
     waiting_detail = null, updated_at = $2 where id = $1 and status = 'queued' returning id";
const CANCEL_ALL: &str = "update message set status = 'canceled', waiting_reason = null, waiting_since = null, waiting_until = null, \
     waiting_detail = null, updated_at = $2 where account_id = $1 and status = 'queued' returning id";
const LOST: &str =
    "select id from message where status = 'sending' and lease_until <= $1 order by lease_until, id limit $2";
const DUE_POLLS: &str = select!("where m.poll_at <= $1 order by m.poll_at, m.id limit $2");
const SET_POLL: &str = "update message set poll_at = $2 where id = $1";
/// When each lane has something to do next: its first message, its block, its pace.
const NEXT_DUE: &str = "select (select m.due_at from message m where m.account_id = a.id and m.status = 'queued' order by m.due_at limit 1) as due_at, \
     coalesce(l.blocked_until, 0) as blocked_until, coalesce(l.next_at, 0) as next_at \
     from account a left join lane l on l.account_id = a.id \
     where a.paused_at is null and a.stopped_at is null and a.deleted_at is null";
const NEXT_POLL: &str = "select min(poll_at) from message where poll_at is not null";
/// Without reading it: what it says about itself cannot be read.
const SET_ASIDE: &str = "update message set status = $2, error_code = 'quarantined', error_message = $3, error_retryable = 'yes', \
     waiting_reason = null, waiting_since = null, waiting_until = null, waiting_detail = null, poll_at = null, \
     lease_token = null, lease_until = null, updated_at = $4 where id = $1";
/// Whether a message just like it is with the provider right now, whose name is not known yet.
const HAS_TWIN: &str = "select id from message where account_id = $1 and recipient = $2 and status = 'sending' limit 1";

/// Statements that are the same on both engines.
pub const STATEMENTS: &[&str] = &[
    DUE_ACCOUNTS,
    COUNT_QUEUED,
    SETTLE,
    REQUEUE,
    CANCEL,
    CANCEL_ALL,
    LOST,
    DUE_POLLS,
    SET_POLL,
    NEXT_DUE,
    NEXT_POLL,
    SET_ASIDE,
    HAS_TWIN,
];
/// Statements that differ.
pub const DUAL: &[Sql] = &[DUE, CONTACTS, COUNT_MANY, CLAIM, HELD, SUPPRESS, LOCK, ACCEPT_ATTEMPTS, ACCEPT];

/// Accounts that have something due and may send before `horizon`.
pub async fn due_accounts(
    conn: &mut Conn,
    now: Timestamp,
    horizon: Timestamp,
) -> sqlx::Result<Vec<(AccountId, Provider)>> {
    let rows: Vec<(String, String)> = sqlx::query_as(DUE_ACCOUNTS).bind(now.0).bind(horizon.0).fetch_all(conn).await?;
    rows.into_iter()
        .map(|(id, provider)| Ok((row::id("id", id)?, row::value("provider", &provider, Provider::from_name)?)))
        .collect()
}

/// Messages that wait, by account; those that are held back take nobody's room.
pub async fn count_many<'a>(
    conn: &mut Conn,
    dialect: Dialect,
    accounts: impl IntoIterator<Item = &'a AccountId>,
) -> sqlx::Result<HashMap<AccountId, u32>> {
    #[derive(Deserialize)]
    struct Row {
        id: AccountId,
        count: u32,
    }
    let query = sqlx::query_scalar(COUNT_MANY.of(dialect)).bind(batch_of_ids(accounts));
    let text: String = query.fetch_one(conn).await?;
    Ok(gathered::<Row>(&text)?.into_iter().map(|row| (row.id, row.count)).collect())
}

/// How many messages of an account are queued.
pub async fn count_queued(conn: &mut Conn, account: &AccountId) -> sqlx::Result<u32> {
    let queued: i64 = sqlx::query_scalar(COUNT_QUEUED).bind(account.as_str()).fetch_one(conn).await?;
    row::count("queued", queued)
}

/// A message that was claimed: what its way to the provider needs, and no more.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Due {
    /// The message, `sending`.
    pub id: MessageId,
    /// Whom it is for, if that is a lead.
    pub lead_id: Option<LeadId>,
    /// The recipient.
    #[serde(rename = "recipient")]
    pub to: String,
    /// E-mail only.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
    /// What it counts at the provider; 1 where nothing is counted in segments.
    pub segments: u32,
    /// Its tries, this one included.
    pub attempts: u32,
    /// The run through a sequence or campaign whose step it is.
    pub enrollment_id: Option<EnrollmentId>,
    /// The zone of the lead, where that is known and it is planned.
    pub time_zone: Option<String>,
}

/// Messages that are to be worked on.
pub struct Readable<T> {
    /// In their order.
    pub messages: Vec<T>,
    /// Those whose rows cannot be read, and why: they must not hold up the others.
    pub unreadable: Vec<(MessageId, String)>,
}

impl<T> Default for Readable<T> {
    fn default() -> Self {
        Self { messages: Vec::new(), unreadable: Vec::new() }
    }
}

impl<T> Readable<T> {
    fn note(&mut self, id: Option<&str>, read: Result<T, impl ToString>) -> sqlx::Result<()> {
        match read {
            Ok(message) => self.messages.push(message),
            Err(error) => {
                let id = id.unwrap_or_default().to_owned();
                self.unreadable.push((row::id("id", id)?, error.to_string()));
            }
        }
        Ok(())
    }
}

impl Readable<Due> {
    /// All at once as a rule; one by one when that does not work.
    fn read(found: &str) -> sqlx::Result<Self> {
        let mut due = Self::default();
        if let Ok(messages) = gathered(found) {
            due.messages = messages;
            return Ok(due);
        }
        for value in gathered::<Value>(found)? {
            due.note(value["id"].as_str(), Due::deserialize(&value))?;
        }
        Ok(due)
    }
}

/// Takes up to `limit` due messages of an account under `token`; oldest first. What cannot be read stays as it is.
pub async fn claim(
    conn: &mut Conn,
    dialect: Dialect,
    account: &AccountId,
    now: Timestamp,
    limit: u32,
    token: &str,
    lease_until: Timestamp,
) -> sqlx::Result<Readable<Due>> {
    let found: String = sqlx::query_scalar(DUE.of(dialect))
        .bind(account.as_str())
        .bind(now.0)
        .bind(i64::from(limit))
        .fetch_one(&mut *conn)
        .await?;
    let mut found = Readable::read(&found)?;
    let due = &mut found.messages;
    if due.is_empty() {
        return Ok(found);
    }
    let claimed = sqlx::query(CLAIM.of(dialect))
        .bind(batch_of_ids(due.iter().map(|due| &due.id)))
        .bind(token)
        .bind(lease_until.0)
        .bind(now.0)
        .execute(conn)
        .await?;
    if claimed.rows_affected() != due.len() as u64 {
        return Err(sqlx::Error::Protocol("a locked message was changed".to_owned()));
    }
    for due in due {
        due.attempts += 1;
    }
    Ok(found)
}

/// A message that its provider took, at the first word about it.
#[derive(Debug, Serialize)]
pub struct Acceptance<'a> {
    /// The message.
    pub message_id: &'a str,
    /// The try.
    pub attempt_id: &'a str,
    /// The lease it was made under.
    pub token: &'a str,
    /// Our word for its state.
    pub status: &'static str,
    /// What the provider calls it.
    pub provider_message_id: &'a str,
    /// Unix milliseconds.
    pub accepted_at: i64,
    /// When to ask the provider; `None` when there is nothing to ask.
    pub poll_at: Option<i64>,
}

/// Writes what providers took; the tries whose messages were still `sending` under their token. Of the others somebody
/// told us something meanwhile: they are settled one by one.
pub async fn accept(
    conn: &mut Conn,
    dialect: Dialect,
    acceptances: &[Acceptance<'_>],
) -> sqlx::Result<HashSet<AttemptId>> {
    #[derive(Deserialize)]
    struct Held {
        id: AttemptId,
    }
    let all = batch(acceptances);
    let held: String = sqlx::query_scalar(HELD.of(dialect)).bind(&all).fetch_one(&mut *conn).await?;
    let held: HashSet<AttemptId> = gathered::<Held>(&held)?.into_iter().map(|held| held.id).collect();
    if held.is_empty() {
        return Ok(held);
    }
    let all = if held.len() == acceptances.len() {
        all
    } else {
        let still = acceptances.iter().filter(|acceptance| held.contains(acceptance.attempt_id));
        batch(&still.collect::<Vec<_>>())
    };
    sqlx::query(ACCEPT.of(dialect)).bind(&all).execute(&mut *conn).await?;
    sqlx::query(ACCEPT_ATTEMPTS.of(dialect)).bind(&all).execute(conn).await?;
    Ok(held)
}

/// Takes out of a claim what must not be sent after all, each for its reason.
pub async fn suppress(
    conn: &mut Conn,
    dialect: Dialect,
    claimed: &[(MessageId, Act)],
    now: Timestamp,
) -> sqlx::Result<()> {
    #[derive(Serialize)]
    struct Suppressed<'a> {
        id: &'a str,
        message: &'static str,
    }
    let rows = claimed.iter().map(|(id, act)| Suppressed { id: id.as_str(), message: act.sentence() });
    let rows = batch(&rows.collect::<Vec<_>>());
    sqlx::query(SUPPRESS.of(dialect)).bind(rows).bind(now.0).execute(conn).await.map(drop)
}

/// What a lead got in a stretch of time.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Contacts {
    /// Messages.
    pub count: i64,
    /// The first of them, Unix milliseconds.
    #[serde(deserialize_with = "instant")]
    pub oldest: Timestamp,
}

fn instant<'de, D: serde::Deserializer<'de>>(number: D) -> Result<Timestamp, D::Error> {
    Ok(Timestamp(i64::deserialize(number)?))
}

/// What leads got since an instant, what is under way included.
pub async fn count_contacts<'a>(
    conn: &mut Conn,
    dialect: Dialect,
    leads: impl IntoIterator<Item = &'a LeadId>,
    since: Timestamp,
) -> sqlx::Result<HashMap<LeadId, Contacts>> {
    #[derive(Deserialize)]
    struct Row {
        id: LeadId,
        #[serde(flatten)]
        contacts: Contacts,
    }
    let query = sqlx::query_scalar(CONTACTS.of(dialect)).bind(batch_of_ids(leads)).bind(since.0);
    let text: String = query.fetch_one(conn).await?;
    Ok(gathered::<Row>(&text)?.into_iter().map(|row| (row.id, row.contacts)).collect())
}

/// Reads a message and keeps others from changing it until the transaction ends.
pub async fn lock(conn: &mut Conn, dialect: Dialect, id: &MessageId) -> sqlx::Result<Option<StoredMessage>> {
    let found: Option<MessageRow> = sqlx::query_as(LOCK.of(dialect)).bind(id.as_str()).fetch_optional(conn).await?;
    found.map(MessageRow::read).transpose()
}

/// A message's new state.
pub struct Settled<'a> {
    /// Where it is now.
    pub status: Status,
    /// What the provider calls it; what is stored already stays.
    pub provider_message_id: Option<&'a str>,
    /// What went wrong.
    pub failure: Option<&'a Failure>,
    /// When the provider took it; what is stored already stays.
    pub accepted_at: Option<Timestamp>,
    /// When to ask the provider; `None` to stop asking.
    pub poll_at: Option<Timestamp>,
}

impl Settled<'static> {
    /// Maybe sent: held until there is evidence or a person decides.
    pub const UNKNOWN: Self =
        Self { status: Status::Unknown, provider_message_id: None, failure: None, accepted_at: None, poll_at: None };
}

/// Writes the state and ends the lease.
pub async fn settle(conn: &mut Conn, id: &MessageId, settled: &Settled<'_>, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(SETTLE)
        .bind(id.as_str())
        .bind(settled.status.as_str())
        .bind(settled.provider_message_id)
        .bind(settled.failure.map(|e| e.code.as_str()))
        .bind(settled.failure.map(|e| e.message.as_str()))
        .bind(settled.failure.map(|e| if e.retryable { "yes" } else { "no" }))
        .bind(settled.accepted_at.map(|at| at.0))
        .bind(settled.poll_at.map(|at| at.0))
        .bind(now.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Puts a message back; it says why it waits.
pub async fn requeue(
    conn: &mut Conn,
    id: &MessageId,
    due_at: Timestamp,
    waiting: Option<&Waiting>,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(REQUEUE)
        .bind(id.as_str())
        .bind(due_at.0)
        .bind(waiting.map(|w| w.reason.as_str()))
        .bind(now.0)
        .bind(waiting.and_then(|w| w.until).map(|at| at.0))
        .bind(waiting.map(|w| w.detail.as_str()))
        .execute(conn)
        .await
        .map(drop)
}

/// Cancels a queued message; false when it is not queued.
pub async fn cancel(conn: &mut Conn, id: &MessageId, now: Timestamp) -> sqlx::Result<bool> {
    Ok(!sqlx::query(CANCEL).bind(id.as_str()).bind(now.0).fetch_all(conn).await?.is_empty())
}

/// Cancels what an account has queued.
pub async fn cancel_all(conn: &mut Conn, account: &AccountId, now: Timestamp) -> sqlx::Result<Vec<MessageId>> {
    let ids: Vec<String> = sqlx::query_scalar(CANCEL_ALL).bind(account.as_str()).bind(now.0).fetch_all(conn).await?;
    ids.into_iter().map(|id| row::id("id", id)).collect()
}

/// Messages whose sender died: the lease ran out before a result came.
pub async fn list_lost(conn: &mut Conn, now: Timestamp, limit: usize) -> sqlx::Result<Vec<MessageId>> {
    let ids: Vec<String> =
        sqlx::query_scalar(LOST).bind(now.0).bind(i64::try_from(limit).unwrap_or(i64::MAX)).fetch_all(conn).await?;
    ids.into_iter().map(|id| row::id("id", id)).collect()
}

/// Messages whose provider is to be asked.
pub async fn list_due_polls(conn: &mut Conn, now: Timestamp, limit: i64) -> sqlx::Result<Readable<StoredMessage>> {
    let mut due = Readable::default();
    for row in sqlx::query(DUE_POLLS).bind(now.0).bind(limit).fetch_all(conn).await? {
        let id: String = row.try_get("id")?;
        due.note(Some(&id), MessageRow::from_row(&row).and_then(MessageRow::read))?;
    }
    Ok(due)
}

/// When to ask the provider next; `None` to stop asking.
pub async fn set_poll(conn: &mut Conn, id: &MessageId, at: Option<Timestamp>) -> sqlx::Result<()> {
    sqlx::query(SET_POLL).bind(id.as_str()).bind(at.map(|at| at.0)).execute(conn).await.map(drop)
}

/// When something will be due next.
pub async fn next_due(conn: &mut Conn) -> sqlx::Result<Option<Timestamp>> {
    let lanes = list_next_due(conn).await?;
    let poll: Option<i64> = sqlx::query_scalar(NEXT_POLL).fetch_one(conn).await?;
    Ok(lanes.into_iter().chain(poll.map(Timestamp)).min())
}

/// When something may leave next, of each account that has something queued.
pub async fn list_next_due(conn: &mut Conn) -> sqlx::Result<Vec<Timestamp>> {
    let lanes: Vec<(Option<i64>, i64, i64)> = sqlx::query_as(NEXT_DUE).fetch_all(conn).await?;
    let next = |(due_at, blocked, next_at): (Option<i64>, i64, i64)| Some(Timestamp(due_at?.max(blocked).max(next_at)));
    Ok(lanes.into_iter().filter_map(next).collect())
}

/// Takes a message that cannot be handled out of everybody's way, and says why.
pub async fn set_aside(
    conn: &mut Conn,
    message: &MessageId,
    status: Status,
    why: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(SET_ASIDE).bind(message.as_str()).bind(status.as_str()).bind(why).bind(now.0);
    query.execute(conn).await.map(drop)
}

/// Whether another message to the recipient is with the provider right now, by a name that is not known yet.
pub async fn has_twin(conn: &mut Conn, account: &AccountId, recipient: &str) -> sqlx::Result<bool> {
    let found: Option<String> =
        sqlx::query_scalar(HAS_TWIN).bind(account.as_str()).bind(recipient).fetch_optional(conn).await?;
    Ok(found.is_some())
}
