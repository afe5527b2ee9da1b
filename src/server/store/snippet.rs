//! Snippets: pieces that templates share. Their present texts; versions of templates keep those of their own time.

use super::{Conn, Dialect, Sql, batch, row, row::NEWEST, rows};
use crate::domain::{
    id::{OrganizationId, SnippetId},
    page::{Limit, Page},
    template::Snippet,
    time::Timestamp,
};
use serde::Serialize;
use std::collections::BTreeMap;

macro_rules! select {
    () => {
        "select s.id, s.name, s.body, (select count(*) from template_snippet u where u.organization_id = s.organization_id \
         and u.name = s.name) as used_by, s.created_at, s.updated_at from snippet s "
    };
}

const FIND: &str = concat!(select!(), "where s.id = $1 and s.organization_id = $2");
const LIST: &str = concat!(select!(), "where s.organization_id = $1 and s.id < $2 order by s.id desc limit $3");
const FIND_NAMED: &str = "select id from snippet where organization_id = $1 and name = $2";
macro_rules! texts {
    ($dialect:ident) => {
        concat!(
            "select s.name, s.body from ",
            rows!($dialect, name text),
            " cross join snippet s where s.organization_id = $2 and s.name = x.name"
        )
    };
}
/// `cross join` keeps SQLite from walking the other way.
const TEXTS: Sql = Sql { sqlite: texts!(sqlite), postgres: texts!(postgres) };
/// New, or what one says now; since when it is there, stays.
const SAVE: &str = "insert into snippet (id, organization_id, name, body, created_at, updated_at) values ($1, $2, $3, $4, $5, $5) \
     on conflict (id) do update set name = excluded.name, body = excluded.body, updated_at = excluded.updated_at \
     where snippet.organization_id = excluded.organization_id";
const DELETE: &str = "delete from snippet where id = $1 and organization_id = $2 returning id";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[FIND, LIST, FIND_NAMED, SAVE, DELETE];

/// Statements that differ.
pub const DUAL: &[Sql] = &[TEXTS];

#[derive(sqlx::FromRow)]
struct SnippetRow {
    id: String,
    name: String,
    body: String,
    used_by: i64,
    created_at: i64,
    updated_at: i64,
}

impl SnippetRow {
    fn read(self) -> sqlx::Result<Snippet> {
        Ok(Snippet {
            id: row::id("id", self.id)?,
            name: self.name,
            body: self.body,
            used_by: row::count("used_by", self.used_by)?,
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        })
    }
}

/// One snippet of an organization.
pub async fn find(conn: &mut Conn, id: &SnippetId, organization: &OrganizationId) -> sqlx::Result<Option<Snippet>> {
    let found: Option<SnippetRow> =
        sqlx::query_as(FIND).bind(id.as_str()).bind(organization.as_str()).fetch_optional(conn).await?;
    found.map(SnippetRow::read).transpose()
}

/// One page of an organization's snippets, newest first.
pub async fn list(
    conn: &mut Conn,
    organization: &OrganizationId,
    cursor: Option<&SnippetId>,
    limit: Limit,
) -> sqlx::Result<Page<Snippet>> {
    let rows: Vec<SnippetRow> = sqlx::query_as(LIST)
        .bind(organization.as_str())
        .bind(cursor.map_or(NEWEST, SnippetId::as_str))
        .bind(limit.asked())
        .fetch_all(conn)
        .await?;
    let snippets = rows.into_iter().map(SnippetRow::read).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::from_rows(snippets, limit, |snippet| snippet.id.to_string()))
}

/// Which one is called so.
pub async fn find_named(conn: &mut Conn, organization: &OrganizationId, name: &str) -> sqlx::Result<Option<SnippetId>> {
    let query = sqlx::query_scalar(FIND_NAMED).bind(organization.as_str()).bind(name.to_owned());
    row::maybe_id("id", query.fetch_optional(conn).await?)
}

/// The present texts of those of these names that there are.
pub async fn texts(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    names: &[String],
) -> sqlx::Result<BTreeMap<String, String>> {
    #[derive(Serialize)]
    struct Name<'a> {
        name: &'a str,
    }
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let names: Vec<Name<'_>> = names.iter().map(|name| Name { name }).collect();
    let query = sqlx::query_as(TEXTS.of(dialect)).bind(batch(&names)).bind(organization.as_str());
    let texts: Vec<(String, String)> = query.fetch_all(conn).await?;
    Ok(texts.into_iter().collect())
}

/// Stores a snippet: a new one, or what one of the organization says now.
pub async fn save(
    conn: &mut Conn,
    id: &SnippetId,
    organization: &OrganizationId,
    (name, body): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(SAVE)
        .bind(id.as_str())
        .bind(organization.as_str())
        .bind(name.to_owned())
        .bind(body.to_owned())
        .bind(now.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Forgets a snippet. False when the organization has none of that id.
pub async fn delete(conn: &mut Conn, id: &SnippetId, organization: &OrganizationId) -> sqlx::Result<bool> {
    let gone = sqlx::query(DELETE).bind(id.as_str()).bind(organization.as_str()).fetch_all(conn).await?;
    Ok(!gone.is_empty())
}
