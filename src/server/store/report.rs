//! What reports of providers are joined with, and what they make of messages: a handful of statements for any number.

use super::{Conn, Dialect, Sql, batch, batch_of_ids, gather, gathered, row, rows};
use crate::domain::{
    channel::Channel,
    id::{AccountId, AttemptId, MessageId, OrganizationId},
    message::Status,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

macro_rules! find_attempts {
    ($dialect:ident) => {
        gather!(
            $dialect,
            [id, message_id, account_id, is_superseded],
            "select a.id, a.message_id, a.account_id, case when a.outcome = 'accepted' and (a.number < m.attempts or m.status = 'queued') \
             then 1 else 0 end as is_superseded from ",
            rows!($dialect, id text),
            " join attempt a on a.id = x.id join message m on m.id = a.message_id where a.account_id is not null"
        )
    };
}
const FIND_ATTEMPTS: Sql = Sql { sqlite: find_attempts!(sqlite), postgres: find_attempts!(postgres) };
macro_rules! lock_many {
    ($dialect:ident, $lock:literal) => {
        gather!(
            $dialect,
            [id, organization_id, channel, recipient, status, is_leased],
            "select m.id, m.organization_id, m.channel, m.recipient, m.status, case when m.lease_token is null then 0 else 1 end as is_leased from ",
            rows!($dialect, id text),
            " join message m on m.id = x.id order by m.id",
            $lock
        )
    };
}
/// In one order, so that two who lock several do not wait for each other.
const LOCK_MANY: Sql = Sql { sqlite: lock_many!(sqlite, ""), postgres: lock_many!(postgres, " for update of m") };
macro_rules! join {
    ($dialect:ident) => {
        concat!(
            "update message set status = x.status, provider_message_id = coalesce(message.provider_message_id, x.provider_message_id), \
             error_code = x.error_code, error_message = x.error_message, error_retryable = x.error_retryable, \
             accepted_at = coalesce(message.accepted_at, x.accepted_at), poll_at = x.poll_at, updated_at = x.updated_at from ",
            rows!(
                $dialect, id text, status text, provider_message_id text, error_code text, error_message text, error_retryable text,
                accepted_at bigint, poll_at bigint, updated_at bigint
            ),
            " where message.id = x.id"
        )
    };
}
const JOIN: Sql = Sql { sqlite: join!(sqlite), postgres: join!(postgres) };

/// Statements that differ.
pub const DUAL: &[Sql] = &[FIND_ATTEMPTS, LOCK_MANY, JOIN];

/// What a try was made for.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The message.
    pub message_id: MessageId,
    /// Through which account.
    pub account_id: AccountId,
    /// The provider took it, and another try was ordered after it.
    pub is_superseded: bool,
}

#[derive(Deserialize)]
struct TriedRow {
    id: AttemptId,
    message_id: MessageId,
    account_id: AccountId,
    is_superseded: u8,
}

/// Tries by their ids.
pub async fn find_attempts(
    conn: &mut Conn,
    dialect: Dialect,
    ids: &[&AttemptId],
) -> sqlx::Result<HashMap<AttemptId, Tried>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found: String =
        sqlx::query_scalar(FIND_ATTEMPTS.of(dialect)).bind(batch_of_ids(ids.iter().copied())).fetch_one(conn).await?;
    let tried = |row: TriedRow| {
        let TriedRow { id, message_id, account_id, is_superseded } = row;
        (id, Tried { message_id, account_id, is_superseded: is_superseded != 0 })
    };
    Ok(gathered(&found)?.into_iter().map(tried).collect())
}

/// As much of a message as a report is joined with.
#[derive(Debug)]
pub struct Standing {
    /// Whose message.
    pub organization_id: OrganizationId,
    /// Its way.
    pub channel: Channel,
    /// Whom it is for.
    pub recipient: String,
    /// Where it is now.
    pub status: Status,
    /// A try of it is under way: its own result is still to come.
    pub is_leased: bool,
}

/// Reads messages and keeps others from changing them until the transaction ends.
pub async fn lock_many(
    conn: &mut Conn,
    dialect: Dialect,
    ids: &[&MessageId],
) -> sqlx::Result<HashMap<MessageId, Standing>> {
    #[derive(Deserialize)]
    struct Row {
        id: MessageId,
        organization_id: OrganizationId,
        channel: String,
        recipient: String,
        status: String,
        is_leased: u8,
    }
    let found: String =
        sqlx::query_scalar(LOCK_MANY.of(dialect)).bind(batch_of_ids(ids.iter().copied())).fetch_one(conn).await?;
    let standing = |found: Row| {
        let standing = Standing {
            organization_id: found.organization_id,
            channel: row::value("channel", &found.channel, Channel::from_name)?,
            recipient: found.recipient,
            status: row::value("status", &found.status, Status::from_name)?,
            is_leased: found.is_leased != 0,
        };
        Ok((found.id, standing))
    };
    gathered(&found)?.into_iter().map(standing).collect()
}

/// What reports made of a message.
#[derive(Debug, Serialize)]
pub struct Joined<'a> {
    /// The message.
    pub id: &'a str,
    /// Where it is now.
    pub status: &'static str,
    /// What the provider calls it; what is stored already stays.
    pub provider_message_id: Option<&'a str>,
    /// What went wrong.
    pub error_code: Option<&'a str>,
    /// A sentence about it.
    pub error_message: Option<&'a str>,
    /// `yes` or `no`.
    pub error_retryable: Option<&'static str>,
    /// When the provider took it, Unix milliseconds; what is stored already stays.
    pub accepted_at: Option<i64>,
    /// When to ask the provider; `None` to stop asking. Of a message in flight it takes over if its own result never comes.
    pub poll_at: Option<i64>,
    /// Unix milliseconds.
    pub updated_at: i64,
}

/// Writes what reports made of messages; leases stay.
pub async fn join(conn: &mut Conn, dialect: Dialect, joined: &[Joined<'_>]) -> sqlx::Result<()> {
    if joined.is_empty() {
        return Ok(());
    }
    sqlx::query(JOIN.of(dialect)).bind(batch(joined)).execute(conn).await.map(drop)
}
