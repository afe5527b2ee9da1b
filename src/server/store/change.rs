//! Changes to many leads, and how far they are.

use super::{
    Conn, Dialect, Sql,
    row::{self, NEWEST},
};
use crate::domain::{
    change::{Change, ChangeState},
    id::{ChangeId, LeadId, OrganizationId},
    page::{Limit, Page},
    time::Timestamp,
};

macro_rules! select {
    () => {
        "select b.id, b.deed, b.audience, b.asked_by, b.state, b.reason, b.reached, b.total, b.matched, b.changed, b.skipped, \
         b.created_at, b.ended_at from lead_change b where "
    };
}
const FIND: &str = concat!(select!(), "b.id = $1 and b.organization_id = $2");
/// Nobody else moves it until the transaction ends.
const LOCK: Sql = Sql { sqlite: FIND, postgres: concat!(select!(), "b.id = $1 and b.organization_id = $2 for update") };
const LIST: &str = concat!(select!(), "b.organization_id = $1 and b.id < $2 order by b.id desc limit $3");
const INSERT: &str = "insert into lead_change (id, organization_id, deed, audience, asked_by, state, total, matched, changed, skipped, \
     created_at, updated_at) values ($1, $2, $3, $4, $5, 'running', $6, 0, 0, '{}', $7, $7)";
const ADVANCE: &str = "update lead_change set state = $3, reason = $4, reached = $5, matched = $6, changed = $7, skipped = $8, \
     ended_at = $9, updated_at = $10 where id = $1 and organization_id = $2";
const LIST_RUNNING: &str = "select id, organization_id from lead_change where state = 'running' order by id";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[FIND, LIST, INSERT, ADVANCE, LIST_RUNNING];

/// Statements that differ.
pub const DUAL: &[Sql] = &[LOCK];

#[derive(sqlx::FromRow)]
struct ChangeRow {
    id: String,
    deed: String,
    audience: String,
    asked_by: String,
    state: String,
    reason: Option<String>,
    reached: Option<String>,
    total: Option<i64>,
    matched: i64,
    changed: i64,
    skipped: String,
    created_at: i64,
    ended_at: Option<i64>,
}

/// A change, and what only the worker needs of it.
#[derive(Debug, Clone)]
pub struct StoredChange {
    /// The change.
    pub change: Change,
    /// Who asked for it.
    pub asked_by: String,
    /// The last lead that was looked at.
    pub reached: Option<LeadId>,
}

impl ChangeRow {
    fn read(self) -> sqlx::Result<StoredChange> {
        let change = Change {
            id: row::id("id", self.id)?,
            deed: row::json("deed", &self.deed)?,
            audience: row::json("audience", &self.audience)?,
            state: row::value("state", &self.state, ChangeState::from_name)?,
            reason: self.reason,
            total: self.total.map(|total| row::count("total", total)).transpose()?,
            matched: row::count("matched", self.matched)?,
            changed: row::count("changed", self.changed)?,
            skipped: row::json("skipped", &self.skipped)?,
            created_at: Timestamp(self.created_at),
            ended_at: self.ended_at.map(Timestamp),
        };
        Ok(StoredChange { change, asked_by: self.asked_by, reached: row::maybe_id("reached", self.reached)? })
    }
}

/// One change of an organization.
pub async fn find(conn: &mut Conn, id: &ChangeId, organization: &OrganizationId) -> sqlx::Result<Option<Change>> {
    let query = sqlx::query_as(FIND).bind(id.as_str()).bind(organization.as_str());
    let found: Option<ChangeRow> = query.fetch_optional(conn).await?;
    Ok(found.map(ChangeRow::read).transpose()?.map(|stored| stored.change))
}

/// The same, and nobody else moves it until the transaction ends.
pub async fn lock(
    conn: &mut Conn,
    dialect: Dialect,
    id: &ChangeId,
    organization: &OrganizationId,
) -> sqlx::Result<Option<StoredChange>> {
    let query = sqlx::query_as(LOCK.of(dialect)).bind(id.as_str()).bind(organization.as_str());
    let found: Option<ChangeRow> = query.fetch_optional(conn).await?;
    found.map(ChangeRow::read).transpose()
}

/// One page of an organization's changes, newest first.
pub async fn list(
    conn: &mut Conn,
    organization: &OrganizationId,
    cursor: Option<&ChangeId>,
    limit: Limit,
) -> sqlx::Result<Page<Change>> {
    let cursor = cursor.map_or(NEWEST, ChangeId::as_str);
    let query = sqlx::query_as(LIST).bind(organization.as_str()).bind(cursor).bind(limit.asked());
    let found: Vec<ChangeRow> = query.fetch_all(conn).await?;
    let read = |row: ChangeRow| row.read().map(|stored| stored.change);
    let found = found.into_iter().map(read).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::from_rows(found, limit, |last| last.id.to_string()))
}

/// Stores a change that begins.
pub async fn insert(
    conn: &mut Conn,
    organization: &OrganizationId,
    change: &Change,
    asked_by: &str,
) -> sqlx::Result<()> {
    sqlx::query(INSERT)
        .bind(change.id.as_str())
        .bind(organization.as_str())
        .bind(row::text(&change.deed))
        .bind(row::text(&change.audience))
        .bind(asked_by)
        .bind(change.total.map(i64::from))
        .bind(change.created_at.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Notes how far it is.
pub async fn advance(
    conn: &mut Conn,
    organization: &OrganizationId,
    stored: &StoredChange,
    now: Timestamp,
) -> sqlx::Result<()> {
    let change = &stored.change;
    sqlx::query(ADVANCE)
        .bind(change.id.as_str())
        .bind(organization.as_str())
        .bind(change.state.as_str())
        .bind(&change.reason)
        .bind(stored.reached.as_ref().map(LeadId::as_str))
        .bind(i64::from(change.matched))
        .bind(i64::from(change.changed))
        .bind(row::text(&change.skipped))
        .bind(change.ended_at.map(|at| at.0))
        .bind(now.0)
        .execute(conn)
        .await
        .map(drop)
}

/// A change that the worker has to go on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Which.
    pub id: ChangeId,
    /// Whose.
    pub organization: OrganizationId,
}

/// All that are under way.
pub async fn list_running(conn: &mut Conn) -> sqlx::Result<Vec<Running>> {
    let found: Vec<(String, String)> = sqlx::query_as(LIST_RUNNING).fetch_all(conn).await?;
    let read = |(id, organization): (String, String)| {
        Ok(Running { id: row::id("id", id)?, organization: row::id("organization_id", organization)? })
    };
    found.into_iter().map(read).collect()
}
