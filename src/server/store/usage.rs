//! What accounts have sent: a ledger by key of a day or an hour. What is reserved is given back to the key it was
//! reserved on, never to today.

use super::{Conn, row};
use crate::{
    domain::id::{AccountId, OrganizationId},
    server::bucket::Bucket,
};

const RESERVE: &str = "insert into usage (account_id, day, used) values ($1, $2, $3) \
     on conflict (account_id, day) do update set used = usage.used + $3 where usage.used + $3 <= $4 returning used";
const REFUND: &str = "update usage set used = used - $3 where account_id = $1 and day = $2 and used >= $3";
const FIND: &str = "select cast(coalesce(sum(used + elsewhere), 0) as bigint) from usage where account_id = $1 and day >= $2 and day <= $3";
const LIST: &str = "select u.account_id, u.day, u.used + u.elsewhere from usage u join account a on a.id = u.account_id \
     where a.organization_id = $1 and a.deleted_at is null and u.day >= $2";
const SET_ELSEWHERE: &str = "insert into usage (account_id, day, used, elsewhere) values ($1, $2, 0, $3) \
     on conflict (account_id, day) do update set elsewhere = excluded.elsewhere";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[RESERVE, REFUND, FIND, LIST, SET_ELSEWHERE];

/// Reserves `count` under `key` as long as that key holds at most `limit`; false when they do not fit.
pub async fn reserve(conn: &mut Conn, account: &AccountId, key: &str, count: u32, limit: u32) -> sqlx::Result<bool> {
    if count > limit {
        return Ok(false); // the upsert would let the first row of a day through
    }
    let kept = sqlx::query(RESERVE)
        .bind(account.as_str())
        .bind(key)
        .bind(i64::from(count))
        .bind(i64::from(limit))
        .fetch_all(conn)
        .await?;
    Ok(!kept.is_empty())
}

/// Gives `count` back to the key they were reserved on.
pub async fn refund(conn: &mut Conn, account: &AccountId, key: &str, count: u32) -> sqlx::Result<()> {
    sqlx::query(REFUND).bind(account.as_str()).bind(key).bind(i64::from(count)).execute(conn).await.map(drop)
}

/// What counts against the limit of the account now.
pub async fn find(conn: &mut Conn, account: &AccountId, bucket: &Bucket) -> sqlx::Result<u32> {
    let used: i64 =
        sqlx::query_scalar(FIND).bind(account.as_str()).bind(&bucket.first).bind(&bucket.last).fetch_one(conn).await?;
    row::count("used", used)
}

/// The usage of all accounts of an organization since a key: account, key, used.
pub async fn list(
    conn: &mut Conn,
    organization: &OrganizationId,
    since: &str,
) -> sqlx::Result<Vec<(String, String, i64)>> {
    sqlx::query_as(LIST).bind(organization.as_str()).bind(since).fetch_all(conn).await
}

/// Notes what was sent past Tern under `key`.
pub async fn set_elsewhere(conn: &mut Conn, account: &AccountId, key: &str, count: u32) -> sqlx::Result<()> {
    sqlx::query(SET_ELSEWHERE).bind(account.as_str()).bind(key).bind(i64::from(count)).execute(conn).await.map(drop)
}
