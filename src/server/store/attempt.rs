//! Tries to hand a message to its provider: written down before the first byte leaves, closed with what came of them.

use super::{Conn, Dialect, Sql, batch, row, rows};
use crate::domain::{id::MessageId, time::Timestamp};
use serde::Serialize;

macro_rules! insert {
    ($dialect:ident) => {
        concat!(
            "insert into attempt (id, message_id, account_id, number, token, quota_day, started_at) \
             select x.id, x.message_id, x.account_id, x.number, x.token, x.quota_day, x.started_at from ",
            rows!($dialect, id text, message_id text, account_id text, number bigint, token text, quota_day text, started_at bigint)
        )
    };
}
const INSERT: Sql = Sql { sqlite: insert!(sqlite), postgres: insert!(postgres) };
const FINISH: &str = "update attempt set finished_at = $3, outcome = $4, refunded_at = $5 \
     where message_id = $1 and token = $2 and finished_at is null returning quota_day";
/// The newest try, closed without an answer, whose answer came after all.
const REOPEN: &str = "update attempt set finished_at = null, outcome = null where message_id = $1 and token = $2 and outcome = 'unknown' \
     and refunded_at is null and number = (select max(number) from attempt t where t.message_id = $1) returning id";
/// Written down and never made: it leaves no trace, and what it had reserved goes back.
const WITHDRAW: &str =
    "delete from attempt where message_id = $1 and token = $2 and finished_at is null returning quota_day";
const UNCOUNT: &str = "update message set attempts = attempts - 1 where id = $1";
/// The newest try of a message: when it began and ended.
const LAST: &str = "select started_at, finished_at from attempt where message_id = $1 order by number desc limit 1";
/// Since a person last ordered it.
const FIRST_TRY: &str = "select min(started_at) from attempt where message_id = $1 and started_at >= \
     coalesce((select max(e.at) from event e where e.message_id = $1 and e.source = 'user' and e.status = 'queued'), 0)";
const COUNT_UNKNOWN: &str = "select count(*) from attempt where message_id = $1 and outcome = 'unknown' and started_at >= \
     coalesce((select max(e.at) from event e where e.message_id = $1 and e.source = 'user' and e.status = 'queued'), 0)";
const REFUND_LAST: &str = "update attempt set refunded_at = $2 where message_id = $1 and refunded_at is null and outcome = 'unknown' \
     and number = (select max(number) from attempt t where t.message_id = $1) returning quota_day";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[FINISH, REOPEN, WITHDRAW, UNCOUNT, LAST, FIRST_TRY, COUNT_UNKNOWN, REFUND_LAST];
/// Statements that differ.
pub const DUAL: &[Sql] = &[INSERT];

/// A try, as it is written down before it is made.
#[derive(Debug, Serialize)]
pub struct NewAttempt<'a> {
    /// The try.
    pub id: &'a str,
    /// What is tried.
    pub message_id: &'a str,
    /// Through which account.
    pub account_id: &'a str,
    /// The how manieth.
    pub number: u32,
    /// The lease it is made under.
    pub token: &'a str,
    /// The key of usage that it was reserved on.
    pub quota_day: &'a str,
    /// Unix milliseconds.
    pub started_at: i64,
}

/// Writes down tries before they are made.
pub async fn insert(conn: &mut Conn, dialect: Dialect, attempts: &[NewAttempt<'_>]) -> sqlx::Result<()> {
    if attempts.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT.of(dialect)).bind(batch(attempts)).execute(conn).await.map(drop)
}

/// Closes the open try of `token`; the day its quota was reserved on, or `None` when it was closed before.
pub async fn finish(
    conn: &mut Conn,
    message: &MessageId,
    token: &str,
    outcome: &str,
    is_refund: bool,
    now: Timestamp,
) -> sqlx::Result<Option<String>> {
    let days: Vec<Option<String>> = sqlx::query_scalar(FINISH)
        .bind(message.as_str())
        .bind(token)
        .bind(now.0)
        .bind(outcome)
        .bind(is_refund.then_some(now.0))
        .fetch_all(conn)
        .await?;
    Ok(days.into_iter().next().flatten())
}

/// Opens the newest try of `token` again that was closed as unknown: its answer came late. False when there is none, or
/// when it was decided upon meanwhile.
pub async fn reopen(conn: &mut Conn, message: &MessageId, token: &str) -> sqlx::Result<bool> {
    let reopened = sqlx::query(REOPEN).bind(message.as_str()).bind(token).fetch_all(conn).await?;
    Ok(!reopened.is_empty())
}

/// Takes the open try of `token` back, which was never made; the day its quota was reserved on.
pub async fn withdraw(conn: &mut Conn, message: &MessageId, token: &str) -> sqlx::Result<Option<String>> {
    let days: Vec<Option<String>> =
        sqlx::query_scalar(WITHDRAW).bind(message.as_str()).bind(token).fetch_all(&mut *conn).await?;
    if !days.is_empty() {
        sqlx::query(UNCOUNT).bind(message.as_str()).execute(conn).await?;
    }
    Ok(days.into_iter().next().flatten())
}

/// The newest try of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastAttempt {
    /// When it was written down.
    pub started_at: Timestamp,
    /// When its outcome was.
    pub finished_at: Option<Timestamp>,
}

/// The newest try of a message, if there was one.
pub async fn last(conn: &mut Conn, message: &MessageId) -> sqlx::Result<Option<LastAttempt>> {
    let found: Option<(i64, Option<i64>)> = sqlx::query_as(LAST).bind(message.as_str()).fetch_optional(conn).await?;
    Ok(found.map(|(started, finished)| LastAttempt {
        started_at: Timestamp(started),
        finished_at: finished.map(Timestamp),
    }))
}

/// When a message was tried for the first time since a person ordered it.
pub async fn first_try(conn: &mut Conn, message: &MessageId) -> sqlx::Result<Option<Timestamp>> {
    let first: Option<i64> = sqlx::query_scalar(FIRST_TRY).bind(message.as_str()).fetch_one(conn).await?;
    Ok(first.map(Timestamp))
}

/// How many of its tries since then had no clear end.
pub async fn count_unknown(conn: &mut Conn, message: &MessageId) -> sqlx::Result<u32> {
    let count: i64 = sqlx::query_scalar(COUNT_UNKNOWN).bind(message.as_str()).fetch_one(conn).await?;
    row::count("unknown", count)
}

/// Marks the newest try of unknown outcome as given back; the key its quota was reserved on.
pub async fn refund_last(conn: &mut Conn, message: &MessageId, now: Timestamp) -> sqlx::Result<Option<String>> {
    let days: Vec<Option<String>> =
        sqlx::query_scalar(REFUND_LAST).bind(message.as_str()).bind(now.0).fetch_all(conn).await?;
    Ok(days.into_iter().next().flatten())
}
