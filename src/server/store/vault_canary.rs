//! One sealed known value per encryption key.

use super::Conn;
use crate::domain::time::Timestamp;

const LIST: &str = "select key_id, sealed from vault_canary order by key_id";
const INSERT: &str =
    "insert into vault_canary (key_id, sealed, created_at) values ($1, $2, $3) on conflict (key_id) do nothing";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[LIST, INSERT];

/// All canaries: key id and sealed value.
pub async fn list(conn: &mut Conn) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as(LIST).fetch_all(conn).await
}

/// Stores the canary of a key, once.
pub async fn insert(conn: &mut Conn, key_id: &str, sealed: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(INSERT).bind(key_id).bind(sealed).bind(now.0).execute(conn).await.map(drop)
}
