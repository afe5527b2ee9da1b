//! What providers called us with.

use super::Conn;
use crate::domain::{
    id::{AccountId, MessageId},
    time::Timestamp,
};

const INSERT: &str = "insert into webhook_call (id, account_id, message_id, dedupe_key, raw, received_at) values ($1, $2, $3, $4, $5, $6) \
     on conflict (account_id, dedupe_key) do nothing returning id";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[INSERT];

/// Stores a call; false for a repeat.
pub async fn insert(
    conn: &mut Conn,
    id: &str,
    account: &AccountId,
    message: Option<&MessageId>,
    dedupe_key: &str,
    raw: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let stored = sqlx::query(INSERT)
        .bind(id)
        .bind(account.as_str())
        .bind(message.map(MessageId::as_str))
        .bind(dedupe_key)
        .bind(raw)
        .bind(now.0)
        .fetch_all(conn)
        .await?;
    Ok(!stored.is_empty())
}
