//! Keys for programs.

use super::{Conn, row};
use crate::domain::{
    api_key::ApiKey,
    id::{ApiKeyId, OrganizationId, UserId},
    time::Timestamp,
};

const INSERT: &str = "insert into api_key (id, organization_id, user_id, name, prefix, key_hash, created_at) \
     values ($1, $2, $3, $4, $5, $6, $7)";
const FIND: &str = "select id, user_id, coalesce(last_used_at, 0) from api_key where key_hash = $1";
const USED: &str = "update api_key set last_used_at = $2 where id = $1";
const LIST: &str = "select id, name, prefix, created_at, last_used_at from api_key where organization_id = $1 order by id desc limit 500";
const DELETE: &str = "delete from api_key where id = $1 and organization_id = $2 returning id";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[INSERT, FIND, USED, LIST, DELETE];

/// Stores a key by its hash.
pub async fn insert(
    conn: &mut Conn,
    key: &ApiKey,
    organization: &OrganizationId,
    user: &UserId,
    hash: &str,
) -> sqlx::Result<()> {
    sqlx::query(INSERT)
        .bind(key.id.as_str())
        .bind(organization.as_str())
        .bind(user.as_str())
        .bind(&key.name)
        .bind(&key.prefix)
        .bind(hash)
        .bind(key.created_at.0)
        .execute(conn)
        .await
        .map(drop)
}

/// The key of a hash, its maker, and when it was last used (0: never).
pub async fn find(conn: &mut Conn, hash: &str) -> sqlx::Result<Option<(ApiKeyId, UserId, Timestamp)>> {
    let found: Option<(String, String, i64)> = sqlx::query_as(FIND).bind(hash).fetch_optional(conn).await?;
    found.map(|(id, user, used)| Ok((row::id("id", id)?, row::id("user_id", user)?, Timestamp(used)))).transpose()
}

/// Notes that a key was used.
pub async fn used(conn: &mut Conn, id: &ApiKeyId, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(USED).bind(id.as_str()).bind(now.0).execute(conn).await.map(drop)
}

/// The keys of an organization, newest first.
pub async fn list(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<Vec<ApiKey>> {
    let rows: Vec<(String, String, String, i64, Option<i64>)> =
        sqlx::query_as(LIST).bind(organization.as_str()).fetch_all(conn).await?;
    rows.into_iter()
        .map(|(id, name, prefix, created_at, used)| {
            let (id, created_at) = (row::id("id", id)?, Timestamp(created_at));
            Ok(ApiKey { id, name, prefix, created_at, last_used_at: used.map(Timestamp) })
        })
        .collect()
}

/// Forgets a key; false when the organization has none of that id.
pub async fn delete(conn: &mut Conn, id: &ApiKeyId, organization: &OrganizationId) -> sqlx::Result<bool> {
    Ok(!sqlx::query(DELETE).bind(id.as_str()).bind(organization.as_str()).fetch_all(conn).await?.is_empty())
}
