//! What accounts have sent of their day.

use super::{Conn, row};
use crate::domain::id::{AccountId, OrganizationId};

const RESERVE: &str = "insert into usage (account_id, day, used) values ($1, $2, $3) \
     on conflict (account_id, day) do update set used = usage.used + $3 where usage.used + $3 <= $4 returning used";
const REFUND: &str = "update usage set used = used - $3 where account_id = $1 and day = $2 and used >= $3";
const FIND: &str = "select used from usage where account_id = $1 and day = $2";
const LIST: &str = "select u.account_id, u.day, u.used from usage u join account a on a.id = u.account_id \
     where a.organization_id = $1 and a.deleted_at is null and u.day >= $2";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[RESERVE, REFUND, FIND, LIST];

/// Reserves `count` of the day's limit; false when they do not fit.
pub async fn reserve(conn: &mut Conn, account: &AccountId, day: &str, count: u32, limit: u32) -> sqlx::Result<bool> {
    if count > limit {
        return Ok(false); // the upsert would let the first row of a day through
    }
    let kept = sqlx::query(RESERVE)
        .bind(account.as_str())
        .bind(day)
        .bind(i64::from(count))
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    Ok(!kept.is_empty())
}

/// Gives `count` back to the day they were reserved on.
pub async fn refund(conn: &mut Conn, account: &AccountId, day: &str, count: u32) -> sqlx::Result<()> {
    sqlx::query(REFUND).bind(account.as_str()).bind(day).bind(i64::from(count)).execute(conn).await.map(drop)
}

/// What the account has used of `day`.
pub async fn find(conn: &mut Conn, account: &AccountId, day: &str) -> sqlx::Result<u32> {
    let used: Option<i64> = sqlx::query_scalar(FIND).bind(account.as_str()).bind(day).fetch_optional(conn).await?;
    row::count("used", used.unwrap_or(0))
}

/// The usage of all accounts of an organization since `day`: account, day, used.
pub async fn list(
    conn: &mut Conn,
    organization: &OrganizationId,
    day: &str,
) -> sqlx::Result<Vec<(String, String, i64)>> {
    sqlx::query_as(LIST).bind(organization.as_str()).bind(day).fetch_all(conn).await
}
