//! Leads that were two and are one, and what it takes to part them again.

use super::{Conn, Dialect, Sql, batch, batch_of_ids, row, rows};
use crate::domain::{
    id::{LeadId, MessageId, OrganizationId},
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
const INSERT: &str = "insert into lead_merge (id, organization_id, kept_id, before, gone, moved, created_at) \
     values ($1, $2, $3, $4, $5, $6, $7)";
/// The newest of a lead: merges are undone in the order in which they pile up.
const FIND_LAST: &str = "select id, before, gone, moved, created_at from lead_merge \
     where kept_id = $1 and organization_id = $2 order by id desc limit 1";
const DELETE: &str = "delete from lead_merge where id = $1 and organization_id = $2";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[MOVE, INSERT, FIND_LAST, DELETE];

/// Statements that differ.
pub const DUAL: &[Sql] = &[MOVE_BACK];

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
    let json = |lead: &Lead| serde_json::to_string(lead).expect("plain data");
    sqlx::query(INSERT)
        .bind(&merge.id)
        .bind(organization.as_str())
        .bind(merge.before.id.as_str())
        .bind(json(&merge.before))
        .bind(json(&merge.gone))
        .bind(batch(&merge.moved))
        .bind(merge.at.0)
        .execute(conn)
        .await
        .map(drop)
}

/// The last merge into a lead that is not undone.
pub async fn find_last(conn: &mut Conn, kept: &LeadId, organization: &OrganizationId) -> sqlx::Result<Option<Merge>> {
    let query = sqlx::query_as(FIND_LAST).bind(kept.as_str()).bind(organization.as_str());
    let found: Option<(String, String, String, String, i64)> = query.fetch_optional(conn).await?;
    let Some((id, before, gone, moved, at)) = found else { return Ok(None) };
    let (before, gone) = (read_json(&before)?, read_json(&gone)?);
    Ok(Some(Merge { id, before, gone, moved: read_json(&moved)?, at: Timestamp(at) }))
}

fn read_json<T: serde::de::DeserializeOwned>(text: &str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// A merge that is undone is none.
pub async fn delete(conn: &mut Conn, id: &str, organization: &OrganizationId) -> sqlx::Result<()> {
    sqlx::query(DELETE).bind(id).bind(organization.as_str()).execute(conn).await.map(drop)
}
