//! Segments: audiences that have a name.

use super::{
    Conn,
    row::{self, NEWEST},
};
use crate::domain::{
    audience::Segment,
    id::{OrganizationId, SegmentId},
    page::{Limit, Page},
    time::Timestamp,
};

macro_rules! select {
    () => {
        "select s.id, s.name, s.audience, s.created_at from segment s where "
    };
}

const FIND: &str = concat!(select!(), "s.id = $1 and s.organization_id = $2");
const LIST: &str = concat!(select!(), "s.organization_id = $1 and s.id < $2 order by s.id desc limit $3");
const INSERT: &str = "insert into segment (id, organization_id, name, name_key, audience, created_at, updated_at) \
     values ($1, $2, $3, $4, $5, $6, $6) on conflict (organization_id, name_key) do nothing returning id";
const OTHER: &str = "select id from segment where organization_id = $1 and name_key = $2 and id <> $3";
const UPDATE: &str = "update segment set name = $3, name_key = $4, audience = $5, updated_at = $6 \
     where id = $1 and organization_id = $2 returning id";
const DELETE: &str = "delete from segment where id = $1 and organization_id = $2 returning id";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[FIND, LIST, INSERT, OTHER, UPDATE, DELETE];

#[derive(sqlx::FromRow)]
struct SegmentRow {
    id: String,
    name: String,
    audience: String,
    created_at: i64,
}

impl SegmentRow {
    fn read(self) -> sqlx::Result<Segment> {
        Ok(Segment {
            id: row::id("id", self.id)?,
            name: self.name,
            audience: row::json("audience", &self.audience)?,
            created_at: Timestamp(self.created_at),
        })
    }
}

/// One segment of an organization.
pub async fn find(conn: &mut Conn, id: &SegmentId, organization: &OrganizationId) -> sqlx::Result<Option<Segment>> {
    let query = sqlx::query_as(FIND).bind(id.as_str()).bind(organization.as_str());
    let found: Option<SegmentRow> = query.fetch_optional(conn).await?;
    found.map(SegmentRow::read).transpose()
}

/// One page of an organization's segments, newest first.
pub async fn list(
    conn: &mut Conn,
    organization: &OrganizationId,
    cursor: Option<&SegmentId>,
    limit: Limit,
) -> sqlx::Result<Page<Segment>> {
    let cursor = cursor.map_or(NEWEST, SegmentId::as_str);
    let query = sqlx::query_as(LIST).bind(organization.as_str()).bind(cursor).bind(limit.asked());
    let found: Vec<SegmentRow> = query.fetch_all(conn).await?;
    let found = found.into_iter().map(SegmentRow::read).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::from_rows(found, limit, |last| last.id.to_string()))
}

/// Stores a new segment; false when there is one of the name.
pub async fn insert(conn: &mut Conn, organization: &OrganizationId, segment: &Segment) -> sqlx::Result<bool> {
    let query = sqlx::query(INSERT)
        .bind(segment.id.as_str())
        .bind(organization.as_str())
        .bind(&segment.name)
        .bind(segment.name.to_lowercase())
        .bind(row::text(&segment.audience))
        .bind(segment.created_at.0);
    Ok(!query.fetch_all(conn).await?.is_empty())
}

/// Whether another segment of the organization has the name.
pub async fn is_taken(
    conn: &mut Conn,
    organization: &OrganizationId,
    name: &str,
    but: &SegmentId,
) -> sqlx::Result<bool> {
    let query = sqlx::query_scalar(OTHER).bind(organization.as_str()).bind(name.to_lowercase()).bind(but.as_str());
    let other: Option<String> = query.fetch_optional(conn).await?;
    Ok(other.is_some())
}

/// Stores what a segment is now.
pub async fn update(
    conn: &mut Conn,
    organization: &OrganizationId,
    segment: &Segment,
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(UPDATE)
        .bind(segment.id.as_str())
        .bind(organization.as_str())
        .bind(&segment.name)
        .bind(segment.name.to_lowercase())
        .bind(row::text(&segment.audience))
        .bind(now.0);
    query.fetch_all(conn).await.map(drop)
}

/// Forgets a segment. False when the organization has none of that id.
pub async fn delete(conn: &mut Conn, id: &SegmentId, organization: &OrganizationId) -> sqlx::Result<bool> {
    let gone = sqlx::query(DELETE).bind(id.as_str()).bind(organization.as_str()).fetch_all(conn).await?;
    Ok(!gone.is_empty())
}
