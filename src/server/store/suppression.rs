//! Whom nothing may be sent to.

use super::Conn;
use crate::domain::{channel::Channel, id::OrganizationId, time::Timestamp};

const INSERT: &str = "insert into suppression (id, organization_id, channel, address, reason, source, created_at) \
     values ($1, $2, $3, $4, $5, $6, $7) on conflict (organization_id, channel, address) do nothing";
const FIND: &str = "select reason from suppression where organization_id = $1 and channel = $2 and address = $3";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[INSERT, FIND];

/// Suppresses an address, once. `source` is who says so: `provider`, `user`, `recipient`.
pub async fn insert(
    conn: &mut Conn,
    id: &str,
    organization: &OrganizationId,
    channel: Channel,
    address: &str,
    reason: &str,
    source: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(INSERT)
        .bind(id)
        .bind(organization.as_str())
        .bind(channel.as_str())
        .bind(address)
        .bind(reason)
        .bind(source)
        .bind(now.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Why an address must not be written to, if so.
pub async fn find(
    conn: &mut Conn,
    organization: &OrganizationId,
    channel: Channel,
    address: &str,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(FIND).bind(organization.as_str()).bind(channel.as_str()).bind(address).fetch_optional(conn).await
}
