//! Wrong guesses of passwords.

use super::Conn;
use crate::domain::time::Timestamp;

const FIND: &str = "select failures, window_until from guess where key = $1 and window_until > $2";
const ADD: &str = "insert into guess (key, failures, window_until) values ($1, 1, $3) \
     on conflict (key) do update set \
     failures = case when guess.window_until > $2 then guess.failures + 1 else 1 end, \
     window_until = case when guess.window_until > $2 then guess.window_until else $3 end returning failures";
const CLEAR: &str = "delete from guess where key = $1";
const SWEEP: &str = "delete from guess where window_until <= $1";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[FIND, ADD, CLEAR, SWEEP];

/// Failures of `key` in its running window, and when the window ends.
pub async fn find(conn: &mut Conn, key: &str, now: Timestamp) -> sqlx::Result<Option<(i64, Timestamp)>> {
    let found: Option<(i64, i64)> = sqlx::query_as(FIND).bind(key).bind(now.0).fetch_optional(conn).await?;
    Ok(found.map(|(failures, until)| (failures, Timestamp(until))))
}

/// Counts a failure and returns how many the window has now; a new window ends at `until`.
pub async fn add(conn: &mut Conn, key: &str, now: Timestamp, until: Timestamp) -> sqlx::Result<i64> {
    let failures: Vec<i64> = sqlx::query_scalar(ADD).bind(key).bind(now.0).bind(until.0).fetch_all(conn).await?;
    failures.first().copied().ok_or(sqlx::Error::RowNotFound)
}

/// Forgets the failures of `key`.
pub async fn clear(conn: &mut Conn, key: &str) -> sqlx::Result<()> {
    sqlx::query(CLEAR).bind(key).execute(conn).await.map(drop)
}

/// Forgets windows that ended.
pub async fn sweep(conn: &mut Conn, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(SWEEP).bind(now.0).execute(conn).await.map(drop)
}
