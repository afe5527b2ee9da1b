//! Signed-in browsers.

use super::{Conn, row};
use crate::domain::{
    id::{SessionId, UserId},
    session::Session,
    time::Timestamp,
};

const INSERT: &str = "insert into session (id, token_hash, user_id, user_agent, created_at, seen_at, expires_at) \
     values ($1, $2, $3, $4, $5, $5, $6)";
const FIND: &str =
    "select id, user_id, seen_at from session where token_hash = $1 and expires_at > $2 and seen_at > $3";
const SEEN: &str = "update session set seen_at = $2 where id = $1";
const LIST: &str = "select id, user_agent, created_at, seen_at from session \
     where user_id = $1 and expires_at > $2 and seen_at > $3 order by id desc limit 100";
const DELETE: &str = "delete from session where id = $1 and user_id = $2 returning id";
const SWEEP: &str = "delete from session where expires_at <= $1 or seen_at <= $2";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[INSERT, FIND, SEEN, LIST, DELETE, SWEEP];

/// A session as it is looked up by its token.
pub struct Found {
    /// Identifier.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it was last noted.
    pub seen_at: Timestamp,
}

/// A session to be stored.
pub struct NewSession<'a> {
    /// Identifier.
    pub id: &'a SessionId,
    /// SHA-256 of the token, in hex.
    pub token_hash: &'a str,
    /// Whose it is.
    pub user_id: &'a UserId,
    /// What the browser calls itself.
    pub user_agent: &'a str,
    /// Absolute end.
    pub expires_at: Timestamp,
}

/// Stores a session.
pub async fn insert(conn: &mut Conn, new: &NewSession<'_>, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(INSERT)
        .bind(new.id.as_str())
        .bind(new.token_hash)
        .bind(new.user_id.as_str())
        .bind(new.user_agent)
        .bind(now.0)
        .bind(new.expires_at.0)
        .execute(conn)
        .await
        .map(drop)
}

/// The live session of a token: neither expired nor idle since before `idle_since`.
pub async fn find(
    conn: &mut Conn,
    token_hash: &str,
    now: Timestamp,
    idle_since: Timestamp,
) -> sqlx::Result<Option<Found>> {
    let found: Option<(String, String, i64)> =
        sqlx::query_as(FIND).bind(token_hash).bind(now.0).bind(idle_since.0).fetch_optional(conn).await?;
    found
        .map(|(id, user_id, seen_at)| {
            Ok(Found { id: row::id("id", id)?, user_id: row::id("user_id", user_id)?, seen_at: Timestamp(seen_at) })
        })
        .transpose()
}

/// Notes that a session was used.
pub async fn seen(conn: &mut Conn, id: &SessionId, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(SEEN).bind(id.as_str()).bind(now.0).execute(conn).await.map(drop)
}

/// The live sessions of a user, newest first.
pub async fn list(
    conn: &mut Conn,
    user: &UserId,
    current: Option<&SessionId>,
    now: Timestamp,
    idle_since: Timestamp,
) -> sqlx::Result<Vec<Session>> {
    let rows: Vec<(String, String, i64, i64)> =
        sqlx::query_as(LIST).bind(user.as_str()).bind(now.0).bind(idle_since.0).fetch_all(conn).await?;
    rows.into_iter()
        .map(|(id, user_agent, created_at, seen_at)| {
            let id: SessionId = row::id("id", id)?;
            let is_current = current == Some(&id);
            Ok(Session { id, user_agent, created_at: Timestamp(created_at), seen_at: Timestamp(seen_at), is_current })
        })
        .collect()
}

/// Ends a session of a user; false when there is none.
pub async fn delete(conn: &mut Conn, id: &SessionId, user: &UserId) -> sqlx::Result<bool> {
    Ok(!sqlx::query(DELETE).bind(id.as_str()).bind(user.as_str()).fetch_all(conn).await?.is_empty())
}

/// Forgets sessions that ended.
pub async fn sweep(conn: &mut Conn, now: Timestamp, idle_since: Timestamp) -> sqlx::Result<()> {
    sqlx::query(SWEEP).bind(now.0).bind(idle_since.0).execute(conn).await.map(drop)
}
