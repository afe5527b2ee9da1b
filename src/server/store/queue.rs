//! The queue: what is due, whose turn it is, what came of it. The message row is the job.
//!
//! A claim is durable before the first byte leaves; a result is taken only from the holder of the claim's token.

use super::{
    Conn, Dialect, Sql,
    message::{MessageRow, StoredMessage, select},
};
use crate::domain::{
    id::{AccountId, AttemptId, MessageId},
    message::{Failure, Status, Waiting, WaitingReason},
    time::Timestamp,
};

/// Accounts with something due that may send. Each account's queue is only looked at its head: a campaign that waits for
/// tomorrow costs nothing today.
const DUE_ACCOUNTS: &str = "select a.id from account a where a.paused_at is null and a.stopped_at is null and a.deleted_at is null \
     and exists (select 1 from message m where m.account_id = a.id and m.status = 'queued' and m.due_at <= $1) limit $2";
const COUNT_DUE: &str = "select count(*) from (select id from message where account_id = $1 and status = 'queued' and due_at <= $2 limit $3) as due";
const COUNT_QUEUED: &str = "select count(*) from message where account_id = $1 and status = 'queued'";

macro_rules! claim {
    ($lock:literal) => {
        concat!(
            "with due as (select id from message where account_id = $1 and status = 'queued' and due_at <= $2 \
             order by due_at, id limit $3",
            $lock,
            ") update message set status = 'sending', lease_token = $4, lease_until = $5, attempts = attempts + 1, \
             waiting_reason = null, waiting_since = null, waiting_until = null, waiting_detail = null, updated_at = $2 \
             where id in (select id from due) and status = 'queued' returning id"
        )
    };
}
/// The repeated `status = 'queued'` is the correctness, `skip locked` the throughput.
const CLAIM: Sql = Sql { sqlite: claim!(""), postgres: claim!(" for update skip locked") };

/// A message that is about to be joined with a report: nobody else may read the same state meanwhile.
const LOCK: Sql = Sql { sqlite: select!("where m.id = $1"), postgres: select!("where m.id = $1 for update") };

const HELD: &str = select!("where m.lease_token = $1 and m.status = 'sending' order by m.due_at, m.id");
const INSERT_ATTEMPT: &str = "insert into attempt (id, message_id, account_id, number, token, quota_day, started_at) values ($1, $2, $3, $4, $5, $6, $7)";
const FINISH_ATTEMPT: &str = "update attempt set finished_at = $3, outcome = $4, refunded_at = $5 \
     where message_id = $1 and token = $2 and finished_at is null returning quota_day";
const FIND_ATTEMPT: &str = "select message_id from attempt where id = $1 and account_id = $2";
const FIND_SUPERSEDED: &str = "select a.id from attempt a join message m on m.id = a.message_id \
     where a.id = $1 and a.outcome = 'accepted' and (a.number < m.attempts or m.status = 'queued')";
const SETTLE: &str = "update message set status = $2, provider_message_id = coalesce(provider_message_id, $3), \
     error_code = $4, error_message = $5, error_retryable = $6, accepted_at = coalesce(accepted_at, $7), poll_at = $8, \
     lease_token = null, lease_until = null, updated_at = $9 where id = $1";
const ADVANCE: &str = "update message set status = $2, provider_message_id = coalesce(provider_message_id, $3), \
     error_code = $4, error_message = $5, error_retryable = $6, poll_at = $8, updated_at = $7 where id = $1";
/// What the last try left behind is not true of the next one.
const REQUEUE: &str = "update message set status = 'queued', due_at = $2, lease_token = null, lease_until = null, \
     provider_message_id = null, accepted_at = null, poll_at = null, error_code = null, error_message = null, \
     error_retryable = null, waiting_reason = $3, \
     waiting_since = coalesce(waiting_since, $4), waiting_until = $5, waiting_detail = $6, updated_at = $4 where id = $1";
const WAIT: &str = "update message set due_at = $3, waiting_reason = $4, waiting_since = coalesce(waiting_since, $5), waiting_until = $6, \
     waiting_detail = $7, updated_at = $5 where account_id = $1 and status = 'queued' and due_at <= $2";
const HOLD: &str = "update message set waiting_reason = $2, waiting_since = $3, waiting_until = null, waiting_detail = $4, updated_at = $3 \
     where account_id = $1 and status = 'queued' and (waiting_reason is null or waiting_reason <> 'scheduled' or due_at <= $3)";
const WAKE: &str = "update message set due_at = $2, waiting_reason = null, waiting_since = null, waiting_until = null, waiting_detail = null, \
     updated_at = $2 where account_id = $1 and status = 'queued' and waiting_reason = $3";
const CANCEL: &str = "update message set status = 'canceled', waiting_reason = null, waiting_since = null, waiting_until = null, \
     waiting_detail = null, updated_at = $2 where id = $1 and status = 'queued' returning id";
const CANCEL_ALL: &str = "update message set status = 'canceled', waiting_reason = null, waiting_since = null, waiting_until = null, \
     waiting_detail = null, updated_at = $2 where account_id = $1 and status = 'queued' returning id";
const LOST: &str =
    "select id from message where status = 'sending' and lease_until <= $1 order by lease_until, id limit $2";
const DUE_POLLS: &str = select!("where m.poll_at <= $1 order by m.poll_at, m.id limit $2");
const SET_POLL: &str = "update message set poll_at = $2 where id = $1";
const NEXT_DUE: &str = "select min(at) from (\
     select min(due_at) as at from message where status = 'queued' and due_at > $1 \
     union all select min(poll_at) as at from message where poll_at is not null) as next";

/// Statements that are the same on both engines.
pub const STATEMENTS: &[&str] = &[
    DUE_ACCOUNTS,
    COUNT_DUE,
    COUNT_QUEUED,
    HELD,
    INSERT_ATTEMPT,
    FINISH_ATTEMPT,
    FIND_ATTEMPT,
    FIND_SUPERSEDED,
    SETTLE,
    ADVANCE,
    REQUEUE,
    WAIT,
    HOLD,
    WAKE,
    CANCEL,
    CANCEL_ALL,
    LOST,
    DUE_POLLS,
    SET_POLL,
    NEXT_DUE,
];
/// Statements that differ.
pub const DUAL: &[Sql] = &[CLAIM, LOCK];

/// Up to `limit` accounts that have something due and may send.
pub async fn due_accounts(conn: &mut Conn, now: Timestamp, limit: i64) -> sqlx::Result<Vec<AccountId>> {
    let ids: Vec<String> = sqlx::query_scalar(DUE_ACCOUNTS).bind(now.0).bind(limit).fetch_all(conn).await?;
    ids.into_iter().map(|id| super::row::id("id", id)).collect()
}

/// How many messages of an account are due, at most `limit`.
pub async fn count_due(conn: &mut Conn, account: &AccountId, now: Timestamp, limit: i64) -> sqlx::Result<u32> {
    let due: i64 = sqlx::query_scalar(COUNT_DUE).bind(account.as_str()).bind(now.0).bind(limit).fetch_one(conn).await?;
    super::row::count("due", due)
}

/// How many messages of an account are queued.
pub async fn count_queued(conn: &mut Conn, account: &AccountId) -> sqlx::Result<u32> {
    let queued: i64 = sqlx::query_scalar(COUNT_QUEUED).bind(account.as_str()).fetch_one(conn).await?;
    super::row::count("queued", queued)
}

/// Takes up to `limit` due messages of an account under `token`; oldest first.
pub async fn claim(
    conn: &mut Conn,
    dialect: Dialect,
    account: &AccountId,
    now: Timestamp,
    limit: u32,
    token: &str,
    lease_until: Timestamp,
) -> sqlx::Result<Vec<StoredMessage>> {
    sqlx::query(CLAIM.of(dialect))
        .bind(account.as_str())
        .bind(now.0)
        .bind(i64::from(limit))
        .bind(token)
        .bind(lease_until.0)
        .fetch_all(&mut *conn)
        .await?;
    let rows: Vec<MessageRow> = sqlx::query_as(HELD).bind(token).fetch_all(conn).await?;
    rows.into_iter().map(MessageRow::read).collect()
}

/// Writes down a try before it is made.
pub async fn insert_attempt(
    conn: &mut Conn,
    id: &AttemptId,
    stored: &StoredMessage,
    token: &str,
    quota_day: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(INSERT_ATTEMPT)
        .bind(id.as_str())
        .bind(stored.message.id.as_str())
        .bind(stored.message.account_id.as_ref().map(crate::domain::id::AccountId::as_str))
        .bind(i64::from(stored.message.attempts))
        .bind(token)
        .bind(quota_day)
        .bind(now.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Closes the open try of `token`; the day its quota was reserved on, or `None` when it was closed before.
pub async fn finish_attempt(
    conn: &mut Conn,
    message: &MessageId,
    token: &str,
    outcome: &str,
    is_refund: bool,
    now: Timestamp,
) -> sqlx::Result<Option<String>> {
    let days: Vec<Option<String>> = sqlx::query_scalar(FINISH_ATTEMPT)
        .bind(message.as_str())
        .bind(token)
        .bind(now.0)
        .bind(outcome)
        .bind(is_refund.then_some(now.0))
        .fetch_all(conn)
        .await?;
    Ok(days.into_iter().next().flatten())
}

/// The message of a try through an account.
pub async fn find_attempt(conn: &mut Conn, id: &AttemptId, account: &AccountId) -> sqlx::Result<Option<MessageId>> {
    let found: Option<String> =
        sqlx::query_scalar(FIND_ATTEMPT).bind(id.as_str()).bind(account.as_str()).fetch_optional(conn).await?;
    found.map(|id| super::row::id("message_id", id)).transpose()
}

/// True when the try was made and another one was ordered after it.
pub async fn is_superseded(conn: &mut Conn, id: &AttemptId) -> sqlx::Result<bool> {
    let found: Option<String> = sqlx::query_scalar(FIND_SUPERSEDED).bind(id.as_str()).fetch_optional(conn).await?;
    Ok(found.is_some())
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

/// Writes what a report says of a message whose own result is still to come: the lease stays. `poll_at` takes over if
/// that result never comes.
pub async fn advance(
    conn: &mut Conn,
    id: &MessageId,
    status: Status,
    provider_message_id: Option<&str>,
    failure: Option<&Failure>,
    poll_at: Option<Timestamp>,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(ADVANCE)
        .bind(id.as_str())
        .bind(status.as_str())
        .bind(provider_message_id)
        .bind(failure.map(|e| e.code.as_str()))
        .bind(failure.map(|e| e.message.as_str()))
        .bind(failure.map(|e| if e.retryable { "yes" } else { "no" }))
        .bind(now.0)
        .bind(poll_at.map(|at| at.0))
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

/// Everything due of an account waits until `until`.
pub async fn wait(
    conn: &mut Conn,
    account: &AccountId,
    reason: WaitingReason,
    until: Timestamp,
    detail: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(WAIT)
        .bind(account.as_str())
        .bind(now.0)
        .bind(until.0)
        .bind(reason.as_str())
        .bind(now.0)
        .bind(until.0)
        .bind(detail)
        .execute(conn)
        .await
        .map(drop)
}

/// Everything queued of an account waits for a person, but for what waits for its date: that must not forget it.
pub async fn hold(
    conn: &mut Conn,
    account: &AccountId,
    reason: WaitingReason,
    detail: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(HOLD)
        .bind(account.as_str())
        .bind(reason.as_str())
        .bind(now.0)
        .bind(detail)
        .execute(conn)
        .await
        .map(drop)
}

/// What waited for `reason` is due now.
pub async fn wake(conn: &mut Conn, account: &AccountId, reason: WaitingReason, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(WAKE).bind(account.as_str()).bind(now.0).bind(reason.as_str()).execute(conn).await.map(drop)
}

/// Cancels a queued message; false when it is not queued.
pub async fn cancel(conn: &mut Conn, id: &MessageId, now: Timestamp) -> sqlx::Result<bool> {
    Ok(!sqlx::query(CANCEL).bind(id.as_str()).bind(now.0).fetch_all(conn).await?.is_empty())
}

/// Cancels what an account has queued.
pub async fn cancel_all(conn: &mut Conn, account: &AccountId, now: Timestamp) -> sqlx::Result<Vec<MessageId>> {
    let ids: Vec<String> = sqlx::query_scalar(CANCEL_ALL).bind(account.as_str()).bind(now.0).fetch_all(conn).await?;
    ids.into_iter().map(|id| super::row::id("id", id)).collect()
}

/// Messages whose sender died: the lease ran out before a result came.
pub async fn list_lost(conn: &mut Conn, now: Timestamp, limit: i64) -> sqlx::Result<Vec<MessageId>> {
    let ids: Vec<String> = sqlx::query_scalar(LOST).bind(now.0).bind(limit).fetch_all(conn).await?;
    ids.into_iter().map(|id| super::row::id("id", id)).collect()
}

/// Messages whose provider is to be asked.
pub async fn list_due_polls(conn: &mut Conn, now: Timestamp, limit: i64) -> sqlx::Result<Vec<StoredMessage>> {
    let rows: Vec<MessageRow> = sqlx::query_as(DUE_POLLS).bind(now.0).bind(limit).fetch_all(conn).await?;
    rows.into_iter().map(MessageRow::read).collect()
}

/// When to ask the provider next; `None` to stop asking.
pub async fn set_poll(conn: &mut Conn, id: &MessageId, at: Option<Timestamp>) -> sqlx::Result<()> {
    sqlx::query(SET_POLL).bind(id.as_str()).bind(at.map(|at| at.0)).execute(conn).await.map(drop)
}

/// When something will be due next, after `now`.
pub async fn next_due(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Option<Timestamp>> {
    let at: Option<i64> = sqlx::query_scalar(NEXT_DUE).bind(now.0).fetch_one(conn).await?;
    Ok(at.map(Timestamp))
}
