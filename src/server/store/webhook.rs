//! What providers called us with.

use super::{Conn, Dialect, Sql, batch, rows};
use serde::Serialize;
use std::collections::HashSet;

macro_rules! insert {
    ($dialect:ident) => {
        concat!(
            "insert into webhook_call (id, account_id, message_id, dedupe_key, raw, received_at) \
             select x.id, x.account_id, x.message_id, x.dedupe_key, x.raw, x.received_at from ",
            rows!($dialect, id text, account_id text, message_id text, dedupe_key text, raw text, received_at bigint),
            " where true on conflict (account_id, dedupe_key) do nothing returning id"
        )
    };
}
const INSERT: Sql = Sql { sqlite: insert!(sqlite), postgres: insert!(postgres) };

/// Statements that differ.
pub const DUAL: &[Sql] = &[INSERT];

/// A call that is about to be stored.
#[derive(Debug, Serialize)]
pub struct NewCall<'a> {
    /// The call.
    pub id: &'a str,
    /// Whose provider called.
    pub account_id: &'a str,
    /// The message it is about, when that is known.
    pub message_id: Option<&'a str>,
    /// Equal for repeats of one delivery.
    pub dedupe_key: &'a str,
    /// As it came, fit to be stored.
    pub raw: &'a str,
    /// Unix milliseconds.
    pub received_at: i64,
}

/// Stores calls; the ids of those that are no repeats.
pub async fn insert(conn: &mut Conn, dialect: Dialect, calls: &[NewCall<'_>]) -> sqlx::Result<HashSet<String>> {
    let stored: Vec<String> = sqlx::query_scalar(INSERT.of(dialect)).bind(batch(calls)).fetch_all(conn).await?;
    Ok(stored.into_iter().collect())
}
