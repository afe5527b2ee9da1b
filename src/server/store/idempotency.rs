//! Answers already given, by the caller's idempotency key.

use super::{Conn, Dialect, Sql, batch, row, rows};
use crate::domain::id::{MessageId, OrganizationId};
use serde::Serialize;
use std::collections::HashSet;

macro_rules! take {
    ($dialect:ident) => {
        concat!(
            "insert into idempotency (organization_id, key, body_hash, message_id, created_at, answer) \
             select x.organization_id, x.key, x.body_hash, x.message_id, x.created_at, x.answer from ",
            rows!($dialect, organization_id text, key text, body_hash text, message_id text, created_at bigint, answer text),
            " where true on conflict do nothing returning message_id"
        )
    };
}
const TAKE: Sql = Sql { sqlite: take!(sqlite), postgres: take!(postgres) };
const FIND: &str =
    "select body_hash, message_id, answer, waited from idempotency where organization_id = $1 and key = $2";
const KEEP_WAITED: &str =
    "update idempotency set waited = coalesce(waited, $3) where organization_id = $1 and key = $2 returning waited";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[FIND, KEEP_WAITED];

/// Statements that differ.
pub const DUAL: &[Sql] = &[TAKE];

/// What an idempotency key was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedKey {
    /// The hash of the request.
    pub body_hash: String,
    /// The message.
    pub message_id: MessageId,
    /// What the first caller was told; `None` for keys from before answers were kept.
    pub answer: Option<String>,
    /// What the first caller was told who waited for the provider.
    pub waited: Option<String>,
}

/// What an idempotency key was used for, if it was.
pub async fn find(conn: &mut Conn, organization: &OrganizationId, key: &str) -> sqlx::Result<Option<UsedKey>> {
    let found: Option<(String, String, Option<String>, Option<String>)> =
        sqlx::query_as(FIND).bind(organization.as_str()).bind(key).fetch_optional(conn).await?;
    let Some((body_hash, id, answer, waited)) = found else { return Ok(None) };
    Ok(Some(UsedKey { body_hash, message_id: row::id("message_id", id)?, answer, waited }))
}

/// Keeps the answer for a caller who waited, unless there is one; the one that stands. `None` when there is no such key.
pub async fn keep_waited(
    conn: &mut Conn,
    organization: &OrganizationId,
    key: &str,
    answer: &str,
) -> sqlx::Result<Option<String>> {
    let kept: Vec<String> =
        sqlx::query_scalar(KEEP_WAITED).bind(organization.as_str()).bind(key).bind(answer).fetch_all(conn).await?;
    Ok(kept.into_iter().next())
}

/// An idempotency key, with the hash of its request, for a message that is about to be stored.
#[derive(Debug, Serialize)]
pub struct NewKey<'a> {
    /// Whose key.
    pub organization_id: &'a str,
    /// The key.
    pub key: &'a str,
    /// The hash of the request.
    pub body_hash: &'a str,
    /// The message.
    pub message_id: &'a str,
    /// Unix milliseconds.
    pub created_at: i64,
    /// What the caller is told.
    pub answer: &'a str,
}

/// Takes idempotency keys; the messages whose key was free.
pub async fn take(conn: &mut Conn, dialect: Dialect, keys: &[NewKey<'_>]) -> sqlx::Result<HashSet<MessageId>> {
    let taken: Vec<String> = sqlx::query_scalar(TAKE.of(dialect)).bind(batch(keys)).fetch_all(conn).await?;
    taken.into_iter().map(|id| row::id("message_id", id)).collect()
}
