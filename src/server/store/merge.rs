//! Leads that were two and are one, and what it takes to part them again.

use super::{Conn, Dialect, Sql, batch, batch_of_ids, row, rows};
use crate::domain::{
    id::{EnrollmentId, LeadId, MessageId, OrganizationId},
    lead::Lead,
    time::Timestamp,
};

const MOVE: &str = "update message set lead_id = $2 where lead_id = $1 and organization_id = $3 returning id";
macro_rules! move_back {
    ($dialect:ident) => {
        concat!(
            "update message set lead_id = $2 from ",
            rows!($dialect, id text),
            " where message.id = x.id and message.lead_id = $3 and message.organization_id = $4"
        )
    };
}
const MOVE_BACK: Sql = Sql { sqlite: move_back!(sqlite), postgres: move_back!(postgres) };
macro_rules! both {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            "(e.status = 'active' and exists (select 1 from enrollment o where o.sequence_id = e.sequence_id and o.lead_id = $2 \
             and o.status = 'active'))",
            $after
        )
    };
}
/// Runs through sequences that the other lead goes through, too.
const LIST_DOUBLE: &str =
    both!("select e.id from enrollment e where e.lead_id = $1 and e.organization_id = $3 and ", "");
/// All others.
const MOVE_RUNS: &str = both!(
    "update enrollment set lead_id = $2 where id in (select e.id from enrollment e where e.lead_id = $1 and e.organization_id = $3 and not ",
    ") returning id"
);
macro_rules! move_runs_back {
    ($dialect:ident) => {
        concat!(
            "update enrollment set lead_id = $2 from ",
            rows!($dialect, id text),
            " where enrollment.id = x.id and enrollment.lead_id = $3 and enrollment.organization_id = $4"
        )
    };
}
const MOVE_RUNS_BACK: Sql = Sql { sqlite: move_runs_back!(sqlite), postgres: move_runs_back!(postgres) };
const INSERT: &str = "insert into lead_merge (id, organization_id, kept_id, before, gone, moved, runs, created_at) \
     values ($1, $2, $3, $4, $5, $6, $7, $8)";
/// The newest of a lead: merges are undone in the order in which they pile up.
const FIND_LAST: &str = "select id, before, gone, moved, runs, created_at from lead_merge \
     where kept_id = $1 and organization_id = $2 order by id desc limit 1";
const DELETE: &str = "delete from lead_merge where id = $1 and organization_id = $2";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[MOVE, LIST_DOUBLE, MOVE_RUNS, INSERT, FIND_LAST, DELETE];

/// Statements that differ.
pub const DUAL: &[Sql] = &[MOVE_BACK, MOVE_RUNS_BACK];

/// What it takes to undo a merge.
pub struct Merge {
    /// Its id.
    pub id: String,
    /// The kept lead before.
    pub before: Lead,
    /// The one that went.
    pub gone: Lead,
    /// The messages that were its own.
    pub moved: Vec<MessageId>,
    /// The runs that were its own.
    pub runs: Vec<EnrollmentId>,
    /// When.
    pub at: Timestamp,
}

/// Gives the messages of one lead to another; which these are.
pub async fn give_messages(
    conn: &mut Conn,
    organization: &OrganizationId,
    from: &LeadId,
    to: &LeadId,
) -> sqlx::Result<Vec<MessageId>> {
    let query = sqlx::query_scalar(MOVE).bind(from.as_str()).bind(to.as_str()).bind(organization.as_str());
    let ids: Vec<String> = query.fetch_all(conn).await?;
    ids.into_iter().map(|id| row::id("id", id)).collect()
}

/// Runs of one lead through sequences that the other goes through as well.
pub async fn list_double(
    conn: &mut Conn,
    organization: &OrganizationId,
    from: &LeadId,
    to: &LeadId,
) -> sqlx::Result<Vec<EnrollmentId>> {
    let query = sqlx::query_scalar(LIST_DOUBLE).bind(from.as_str()).bind(to.as_str()).bind(organization.as_str());
    let ids: Vec<String> = query.fetch_all(conn).await?;
    ids.into_iter().map(|id| row::id("id", id)).collect()
}

/// Gives the other runs of one lead to another; which these are.
pub async fn give_runs(
    conn: &mut Conn,
    organization: &OrganizationId,
    from: &LeadId,
    to: &LeadId,
) -> sqlx::Result<Vec<EnrollmentId>> {
    let query = sqlx::query_scalar(MOVE_RUNS).bind(from.as_str()).bind(to.as_str()).bind(organization.as_str());
    let ids: Vec<String> = query.fetch_all(conn).await?;
    ids.into_iter().map(|id| row::id("id", id)).collect()
}

/// Gives runs back.
pub async fn give_runs_back(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    runs: &[EnrollmentId],
    from: &LeadId,
    to: &LeadId,
) -> sqlx::Result<()> {
    let query = sqlx::query(MOVE_RUNS_BACK.of(dialect)).bind(batch_of_ids(runs));
    query.bind(to.as_str()).bind(from.as_str()).bind(organization.as_str()).execute(conn).await.map(drop)
}

/// Gives messages back.
pub async fn give_back(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    messages: &[MessageId],
    from: &LeadId,
    to: &LeadId,
) -> sqlx::Result<()> {
    let query = sqlx::query(MOVE_BACK.of(dialect)).bind(batch_of_ids(messages));
    query.bind(to.as_str()).bind(from.as_str()).bind(organization.as_str()).execute(conn).await.map(drop)
}

/// Notes a merge.
pub async fn insert(conn: &mut Conn, organization: &OrganizationId, merge: &Merge) -> sqlx::Result<()> {
    sqlx::query(INSERT)
        .bind(&merge.id)
        .bind(organization.as_str())
        .bind(merge.before.id.as_str())
        .bind(row::text(&merge.before))
        .bind(row::text(&merge.gone))
        .bind(batch(&merge.moved))
        .bind(batch(&merge.runs))
        .bind(merge.at.0)
        .execute(conn)
        .await
        .map(drop)
}

/// The last merge into a lead that is not undone.
pub async fn find_last(conn: &mut Conn, kept: &LeadId, organization: &OrganizationId) -> sqlx::Result<Option<Merge>> {
    let query = sqlx::query_as(FIND_LAST).bind(kept.as_str()).bind(organization.as_str());
    let found: Option<(String, String, String, String, String, i64)> = query.fetch_optional(conn).await?;
    let Some((id, before, gone, moved, runs, at)) = found else { return Ok(None) };
    let (before, gone) = (row::json("before", &before)?, row::json("gone", &gone)?);
    Ok(Some(Merge {
        id,
        before,
        gone,
        moved: row::json("moved", &moved)?,
        runs: row::json("runs", &runs)?,
        at: Timestamp(at),
    }))
}

/// A merge that is undone is none.
pub async fn delete(conn: &mut Conn, id: &str, organization: &OrganizationId) -> sqlx::Result<()> {
    sqlx::query(DELETE).bind(id).bind(organization.as_str()).execute(conn).await.map(drop)
}
