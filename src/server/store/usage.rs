//! What accounts have sent: a ledger by key of a day or an hour. What is reserved is given back to the key it was
//! reserved on, never to today.

use super::{Conn, Dialect, Sql, batch, row, rows};
use crate::{
    domain::id::{AccountId, OrganizationId},
    server::bucket::Bucket,
};
use serde::Serialize;
use std::collections::HashMap;

macro_rules! reserve {
    ($dialect:ident) => {
        concat!(
            "insert into usage (account_id, day, used) select x.account_id, x.key, x.count from ",
            rows!($dialect, account_id text, key text, count bigint),
            " where true on conflict (account_id, day) do update set used = usage.used + excluded.used"
        )
    };
}
const RESERVE: Sql = Sql { sqlite: reserve!(sqlite), postgres: reserve!(postgres) };
const REFUND: &str = "update usage set used = used - $3 where account_id = $1 and day = $2 and used >= $3";
macro_rules! find_many {
    ($dialect:ident) => {
        concat!(
            "select u.account_id, cast(sum(u.used + u.elsewhere) as bigint) from ",
            rows!($dialect, account_id text, first text, last text),
            " join usage u on u.account_id = x.account_id and u.day >= x.first and u.day <= x.last group by u.account_id"
        )
    };
}
const FIND_MANY: Sql = Sql { sqlite: find_many!(sqlite), postgres: find_many!(postgres) };
const FIND: &str = "select cast(coalesce(sum(used + elsewhere), 0) as bigint) from usage where account_id = $1 and day >= $2 and day <= $3";
const LIST: &str = "select u.account_id, u.day, u.used + u.elsewhere from usage u join account a on a.id = u.account_id \
     where a.organization_id = $1 and a.deleted_at is null and u.day >= $2";
const SET_ELSEWHERE: &str = "insert into usage (account_id, day, used, elsewhere) values ($1, $2, 0, $3) \
     on conflict (account_id, day) do update set elsewhere = excluded.elsewhere";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[REFUND, FIND, LIST, SET_ELSEWHERE];
/// Statements that differ.
pub const DUAL: &[Sql] = &[RESERVE, FIND_MANY];

/// What an account is about to send.
#[derive(Debug, Serialize)]
pub struct Reservation<'a> {
    /// The account.
    pub account_id: &'a str,
    /// Where it is counted.
    pub key: &'a str,
    /// How many messages.
    pub count: u32,
}

/// Reserves what accounts are about to send. The caller holds their locks and has looked at their limits.
pub async fn reserve(conn: &mut Conn, dialect: Dialect, reservations: &[Reservation<'_>]) -> sqlx::Result<()> {
    if reservations.is_empty() {
        return Ok(());
    }
    sqlx::query(RESERVE.of(dialect)).bind(batch(reservations)).execute(conn).await.map(drop)
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

/// What counts against the limits of accounts now; those that count nothing are left out.
pub async fn find_many(
    conn: &mut Conn,
    dialect: Dialect,
    buckets: &[(&AccountId, &Bucket)],
) -> sqlx::Result<HashMap<AccountId, u32>> {
    #[derive(Serialize)]
    struct Stretch<'a> {
        account_id: &'a str,
        first: &'a str,
        last: &'a str,
    }
    let stretches: Vec<_> = buckets
        .iter()
        .map(|(account, bucket)| Stretch { account_id: account.as_str(), first: &bucket.first, last: &bucket.last })
        .collect();
    let rows: Vec<(String, i64)> =
        sqlx::query_as(FIND_MANY.of(dialect)).bind(batch(&stretches)).fetch_all(conn).await?;
    rows.into_iter().map(|(id, used)| Ok((row::id("account_id", id)?, row::count("used", used)?))).collect()
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
