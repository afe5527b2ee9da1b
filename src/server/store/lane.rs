//! Lanes: what moves while an account sends. Why its whole queue waits stands here once.

use super::{Conn, Dialect, Sql, batch, batch_of_ids, row, rows};
use crate::domain::{
    id::{AccountId, OrganizationId},
    message::{Waiting, WaitingReason},
    time::Timestamp,
};
use serde::Serialize;
use std::collections::HashMap;

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select l.account_id, l.next_at, l.last_day, l.failures, l.blocked_reason, l.blocked_since, l.blocked_until, \
             l.blocked_detail from lane l ",
            $rest
        )
    };
}

const FIND: &str = select!("where l.account_id = $1");
macro_rules! find_many {
    ($dialect:ident) => {
        concat!(select!("where l.account_id in (select x.id from "), rows!($dialect, id text), ")")
    };
}
const FIND_MANY: Sql = Sql { sqlite: find_many!(sqlite), postgres: find_many!(postgres) };
const LIST: &str =
    select!("join account a on a.id = l.account_id where a.organization_id = $1 and a.deleted_at is null");
macro_rules! save {
    ($dialect:ident) => {
        concat!(
            "insert into lane (account_id, next_at, last_day, failures, blocked_reason, blocked_since, blocked_until, blocked_detail) \
             select x.account_id, x.next_at, x.last_day, x.failures, x.blocked_reason, x.blocked_since, x.blocked_until, x.blocked_detail from ",
            rows!(
                $dialect, account_id text, next_at bigint, last_day text, failures bigint, blocked_reason text, blocked_since bigint,
                blocked_until bigint, blocked_detail text
            ),
            " where true on conflict (account_id) do update set next_at = excluded.next_at, last_day = excluded.last_day, \
             failures = excluded.failures, blocked_reason = excluded.blocked_reason, blocked_since = excluded.blocked_since, \
             blocked_until = excluded.blocked_until, blocked_detail = excluded.blocked_detail"
        )
    };
}
const SAVE: Sql = Sql { sqlite: save!(sqlite), postgres: save!(postgres) };
const UNBLOCK: &str = "update lane set failures = 0, blocked_reason = null, blocked_since = null, blocked_until = null, blocked_detail = null \
     where account_id = $1 and (cast($2 as text) is null or blocked_reason = $2)";
/// The operator may have raised the limit of the platform default.
const UNBLOCK_PLATFORM: &str = "update lane set failures = 0, blocked_reason = null, blocked_since = null, blocked_until = null, blocked_detail = null \
     where blocked_reason = 'daily_limit' and account_id in (select a.id from account a where a.platform = $1 and a.address = $2)";

macro_rules! stopped {
    ($dialect:ident) => {
        concat!(
            "select a.id from ",
            rows!($dialect, id text),
            " join account a on a.id = x.id left join lane l on l.account_id = a.id where a.paused_at is not null \
             or a.stopped_at is not null or a.deleted_at is not null or (l.blocked_reason = 'provider' and l.blocked_until > $2)"
        )
    };
}
const STOPPED: Sql = Sql { sqlite: stopped!(sqlite), postgres: stopped!(postgres) };
const FORGIVE: &str = "update lane set failures = 0 where account_id = $1 and failures > 0";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[FIND, LIST, UNBLOCK, UNBLOCK_PLATFORM, FORGIVE];
/// Statements that differ.
pub const DUAL: &[Sql] = &[FIND_MANY, SAVE, STOPPED];

/// An account's lane.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lane {
    /// The next message may leave at this instant.
    pub next_at: Timestamp,
    /// The newest key of usage that was counted on.
    pub last_day: Option<String>,
    /// Calls in a row that did not reach the provider.
    pub failures: u32,
    /// Why nothing leaves, and until when.
    pub block: Option<Waiting>,
}

impl Lane {
    /// The block, unless it is over.
    pub fn blocked(&self, now: Timestamp) -> Option<&Waiting> {
        self.block.as_ref().filter(|block| block.until.is_none_or(|until| until > now))
    }
}

#[derive(sqlx::FromRow)]
struct LaneRow {
    account_id: String,
    next_at: i64,
    last_day: Option<String>,
    failures: i64,
    blocked_reason: Option<String>,
    blocked_since: Option<i64>,
    blocked_until: Option<i64>,
    blocked_detail: Option<String>,
}

impl LaneRow {
    fn read(self) -> sqlx::Result<(AccountId, Lane)> {
        let block = match (self.blocked_reason, self.blocked_since) {
            (Some(reason), Some(since)) => Some(Waiting {
                reason: row::value("blocked_reason", &reason, WaitingReason::from_name)?,
                since: Timestamp(since),
                until: self.blocked_until.map(Timestamp),
                detail: self.blocked_detail.unwrap_or_default(),
            }),
            _ => None,
        };
        let failures = row::count("failures", self.failures)?;
        let lane = Lane { next_at: Timestamp(self.next_at), last_day: self.last_day, failures, block };
        Ok((row::id("account_id", self.account_id)?, lane))
    }
}

/// The lane of an account; one that has never sent is free.
pub async fn find(conn: &mut Conn, account: &AccountId) -> sqlx::Result<Lane> {
    let found: Option<LaneRow> = sqlx::query_as(FIND).bind(account.as_str()).fetch_optional(conn).await?;
    Ok(found.map(LaneRow::read).transpose()?.map(|(_, lane)| lane).unwrap_or_default())
}

/// The lanes of an organization.
pub async fn list(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<HashMap<AccountId, Lane>> {
    let rows: Vec<LaneRow> = sqlx::query_as(LIST).bind(organization.as_str()).fetch_all(conn).await?;
    rows.into_iter().map(LaneRow::read).collect()
}

/// The lanes of some accounts; those that have never sent are left out.
pub async fn find_many(
    conn: &mut Conn,
    dialect: Dialect,
    accounts: impl IntoIterator<Item = &AccountId>,
) -> sqlx::Result<HashMap<AccountId, Lane>> {
    let rows: Vec<LaneRow> = sqlx::query_as(FIND_MANY.of(dialect)).bind(batch_of_ids(accounts)).fetch_all(conn).await?;
    rows.into_iter().map(LaneRow::read).collect()
}

#[derive(Serialize)]
struct SavedRow<'a> {
    account_id: &'a str,
    next_at: i64,
    last_day: Option<&'a str>,
    failures: u32,
    blocked_reason: Option<&'static str>,
    blocked_since: Option<i64>,
    blocked_until: Option<i64>,
    blocked_detail: Option<&'a str>,
}

impl<'a> SavedRow<'a> {
    fn new(account: &'a AccountId, lane: &'a Lane) -> Self {
        let block = lane.block.as_ref();
        Self {
            account_id: account.as_str(),
            next_at: lane.next_at.0,
            last_day: lane.last_day.as_deref(),
            failures: lane.failures,
            blocked_reason: block.map(|block| block.reason.as_str()),
            blocked_since: block.map(|block| block.since.0),
            blocked_until: block.and_then(|block| block.until).map(|at| at.0),
            blocked_detail: block.map(|block| block.detail.as_str()),
        }
    }
}

/// Writes the lanes of accounts.
pub async fn save(conn: &mut Conn, dialect: Dialect, lanes: &[(&AccountId, &Lane)]) -> sqlx::Result<()> {
    if lanes.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = lanes.iter().map(|(account, lane)| SavedRow::new(account, lane)).collect();
    sqlx::query(SAVE.of(dialect)).bind(batch(&rows)).execute(conn).await.map(drop)
}

/// Those of some accounts that must not send any more: switched off, stopped, deleted, or told to pause by the provider.
/// A limit that is reached is none: what was claimed is counted already.
pub async fn stopped(
    conn: &mut Conn,
    dialect: Dialect,
    accounts: &[AccountId],
    now: Timestamp,
) -> sqlx::Result<Vec<AccountId>> {
    let ids: Vec<String> =
        sqlx::query_scalar(STOPPED.of(dialect)).bind(batch_of_ids(accounts)).bind(now.0).fetch_all(conn).await?;
    ids.into_iter().map(|id| row::id("id", id)).collect()
}

/// Calls reach the provider again: those that did not before are forgotten; a pause stays.
pub async fn forgive(conn: &mut Conn, account: &AccountId) -> sqlx::Result<()> {
    sqlx::query(FORGIVE).bind(account.as_str()).execute(conn).await.map(drop)
}

/// Lets the lane go again: whatever blocks it, or only if it is blocked for this reason.
pub async fn unblock(conn: &mut Conn, account: &AccountId, reason: Option<WaitingReason>) -> sqlx::Result<()> {
    sqlx::query(UNBLOCK).bind(account.as_str()).bind(reason.map(WaitingReason::as_str)).execute(conn).await.map(drop)
}

/// Lets the lanes of the platform defaults of a sender go again that wait for their limit.
pub async fn unblock_platform(conn: &mut Conn, platform: &str, address: &str) -> sqlx::Result<()> {
    sqlx::query(UNBLOCK_PLATFORM).bind(platform).bind(address).execute(conn).await.map(drop)
}
