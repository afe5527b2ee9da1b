//! What the dashboard asks: each question is answered from an index and counts no further than it must.

use super::{
    Conn,
    message::{MessageRow, select},
    row,
};
use crate::domain::{
    forecast::{COUNT_MAX, Due},
    id::{AccountId, OrganizationId},
    message::Message,
    time::Timestamp,
};

/// Only the index is read: whose account it is, is asked once and not of each message.
const DUE: &str = "select cast(coalesce(sum(case when q.due_at < $3 then 1 else 0 end), 0) as bigint), count(*) from \
     (select m.due_at from message m where m.account_id = $1 and m.status = 'queued' and m.due_at < $4 \
     and exists (select 1 from account a where a.id = $1 and a.organization_id = $2) order by m.due_at limit $5) as q";
const UNKNOWN: &str = select!("where m.organization_id = $1 and m.status = 'unknown' order by m.id limit $2");
const COUNT_UNKNOWN: &str = "select count(*) from (select m.id from message m where m.organization_id = $1 and m.status = 'unknown' limit $2) as q";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[DUE, UNKNOWN, COUNT_UNKNOWN];

/// How much of the account's queue is due before the end of today and before the end of tomorrow.
pub async fn due(
    conn: &mut Conn,
    account: &AccountId,
    organization: &OrganizationId,
    today: Timestamp,
    tomorrow: Timestamp,
) -> sqlx::Result<Due> {
    let (first, all): (i64, i64) = sqlx::query_as(DUE)
        .bind(account.as_str())
        .bind(organization.as_str())
        .bind(today.0)
        .bind(tomorrow.0)
        .bind(i64::from(COUNT_MAX))
        .fetch_one(conn)
        .await?;
    Ok(Due { today: row::count("today", first)?, tomorrow: row::count("tomorrow", all)? })
}

/// The oldest messages of which nobody knows whether they went out.
pub async fn list_unknown(conn: &mut Conn, organization: &OrganizationId, limit: usize) -> sqlx::Result<Vec<Message>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<MessageRow> = sqlx::query_as(UNKNOWN).bind(organization.as_str()).bind(limit).fetch_all(conn).await?;
    rows.into_iter().map(|row| row.read().map(|stored| stored.message)).collect()
}

/// How many there are of them.
pub async fn count_unknown(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<u32> {
    let count: i64 = sqlx::query_scalar(COUNT_UNKNOWN)
        .bind(organization.as_str())
        .bind(i64::from(COUNT_MAX))
        .fetch_one(conn)
        .await?;
    row::count("unknown", count)
}
