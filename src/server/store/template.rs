//! Templates and their versions. A version is written once and never changed.

use super::{Conn, Dialect, Sql, batch, message::like, row, row::NEWEST, rows};
use crate::domain::{
    channel::Channel,
    id::{OrganizationId, TemplateId},
    page::{Limit, Page},
    template::{Template, TemplateFilter, Version},
    time::Timestamp,
};
use serde::Serialize;
use std::collections::BTreeMap;

macro_rules! select {
    () => {
        "select t.id, t.name, t.channel, v.subject, v.body, t.version, t.demo_at, t.created_at, t.updated_at from template t \
         join template_version v on v.template_id = t.id and v.version = t.version "
    };
}

const FIND: &str = concat!(select!(), "where t.id = $1 and t.organization_id = $2");
const LIST: &str = concat!(
    select!(),
    "where t.organization_id = $1 and t.id < $2 and (cast($3 as text) is null or t.channel = $3) \
     and (cast($4 as text) is null or lower(t.name) like lower($4) escape '!' or lower(v.subject) like lower($4) escape '!' \
     or lower(v.body) like lower($4) escape '!') order by t.id desc limit $5"
);
/// Those that use a snippet now, which all get a new version with it.
const USING: &str = concat!(
    select!(),
    "where t.organization_id = $1 and t.id in (select u.template_id from template_snippet u where u.organization_id = $1 \
     and u.name = $2) order by t.id"
);
const INSERT: &str = "insert into template (id, organization_id, name, channel, version, demo_at, created_at, updated_at) \
     values ($1, $2, $3, $4, 0, $5, $6, $6)";
const RENAME: &str = "update template set name = $3, updated_at = $4 where id = $1 and organization_id = $2";
macro_rules! add_version {
    ($dialect:ident) => {
        concat!(
            "insert into template_version (template_id, version, organization_id, subject, body, snippets, created_at) \
             select t.id, t.version + 1, t.organization_id, x.subject, x.body, x.snippets, $3 from ",
            rows!($dialect, id text, subject text, body text, snippets text),
            " join template t on t.id = x.id and t.organization_id = $2"
        )
    };
}
const ADD_VERSION: Sql = Sql { sqlite: add_version!(sqlite), postgres: add_version!(postgres) };
macro_rules! advance {
    ($dialect:ident) => {
        concat!(
            "update template set version = version + 1, updated_at = $3 where organization_id = $2 and id in (select x.id from ",
            rows!($dialect, id text),
            ")"
        )
    };
}
const ADVANCE: Sql = Sql { sqlite: advance!(sqlite), postgres: advance!(postgres) };
macro_rules! forget_uses {
    ($dialect:ident) => {
        concat!(
            "delete from template_snippet where organization_id = $2 and template_id in (select x.id from ",
            rows!($dialect, id text),
            ")"
        )
    };
}
const FORGET_USES: Sql = Sql { sqlite: forget_uses!(sqlite), postgres: forget_uses!(postgres) };
macro_rules! add_uses {
    ($dialect:ident) => {
        concat!(
            "insert into template_snippet (organization_id, name, template_id) select $2, x.name, x.id from ",
            rows!($dialect, id text, name text),
            " where true on conflict do nothing"
        )
    };
}
const ADD_USES: Sql = Sql { sqlite: add_uses!(sqlite), postgres: add_uses!(postgres) };
macro_rules! select_version {
    () => {
        "select v.version, v.subject, v.body, v.snippets, v.created_at from template_version v where v.template_id = $1 \
         and v.organization_id = $2 and "
    };
}
macro_rules! names {
    ($dialect:ident) => {
        concat!(
            "select t.id, t.name from template t where t.organization_id = $2 and t.id in (select x.id from ",
            rows!($dialect, id text),
            ")"
        )
    };
}
const NAMES: Sql = Sql { sqlite: names!(sqlite), postgres: names!(postgres) };
const FIND_VERSION: &str = concat!(select_version!(), "v.version = $3");
const LIST_VERSIONS: &str = concat!(select_version!(), "v.version < $3 order by v.version desc limit $4");
const DELETE: &str = "delete from template where id = $1 and organization_id = $2 returning id";
const REMOVE_DEMO: &str = "delete from template where organization_id = $1 and demo_at is not null";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[FIND, LIST, USING, INSERT, RENAME, FIND_VERSION, LIST_VERSIONS, DELETE, REMOVE_DEMO];

/// Statements that differ.
pub const DUAL: &[Sql] = &[NAMES, ADD_VERSION, ADVANCE, FORGET_USES, ADD_USES];

#[derive(sqlx::FromRow)]
struct TemplateRow {
    id: String,
    name: String,
    channel: String,
    subject: Option<String>,
    body: String,
    version: i64,
    demo_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

impl TemplateRow {
    fn read(self) -> sqlx::Result<Template> {
        Ok(Template {
            id: row::id("id", self.id)?,
            name: self.name,
            channel: row::value("channel", &self.channel, Channel::from_name)?,
            subject: self.subject,
            body: self.body,
            version: row::count("version", self.version)?,
            is_demo: self.demo_at.is_some(),
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        })
    }
}

#[derive(sqlx::FromRow)]
struct VersionRow {
    version: i64,
    subject: Option<String>,
    body: String,
    snippets: String,
    created_at: i64,
}

impl VersionRow {
    fn read(self) -> sqlx::Result<Version> {
        Ok(Version {
            version: row::count("version", self.version)?,
            subject: self.subject,
            body: self.body,
            snippets: row::json("snippets", &self.snippets)?,
            created_at: Timestamp(self.created_at),
        })
    }
}

/// One template of an organization.
pub async fn find(conn: &mut Conn, id: &TemplateId, organization: &OrganizationId) -> sqlx::Result<Option<Template>> {
    let found: Option<TemplateRow> =
        sqlx::query_as(FIND).bind(id.as_str()).bind(organization.as_str()).fetch_optional(conn).await?;
    found.map(TemplateRow::read).transpose()
}

/// One page of an organization's templates, newest first.
pub async fn list(
    conn: &mut Conn,
    organization: &OrganizationId,
    filter: &TemplateFilter,
    limit: Limit,
) -> sqlx::Result<Page<Template>> {
    let rows: Vec<TemplateRow> = sqlx::query_as(LIST)
        .bind(organization.as_str())
        .bind(filter.cursor.as_ref().map_or(NEWEST, TemplateId::as_str))
        .bind(filter.channel.map(Channel::as_str))
        .bind(Some(&filter.q).filter(|q| !q.is_empty()).map(|q| like(q)))
        .bind(limit.asked())
        .fetch_all(conn)
        .await?;
    let templates = rows.into_iter().map(TemplateRow::read).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::from_rows(templates, limit, |template| template.id.to_string()))
}

/// The templates that use a snippet now.
pub async fn list_using(conn: &mut Conn, organization: &OrganizationId, snippet: &str) -> sqlx::Result<Vec<Template>> {
    let rows: Vec<TemplateRow> =
        sqlx::query_as(USING).bind(organization.as_str()).bind(snippet.to_owned()).fetch_all(conn).await?;
    rows.into_iter().map(TemplateRow::read).collect()
}

/// The names of templates, by their ids.
pub async fn names<'a>(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    ids: impl Iterator<Item = &'a TemplateId>,
) -> sqlx::Result<BTreeMap<String, String>> {
    let query = sqlx::query_as(NAMES.of(dialect)).bind(super::batch_of_ids(ids)).bind(organization.as_str());
    let found: Vec<(String, String)> = query.fetch_all(conn).await?;
    Ok(found.into_iter().collect())
}

/// Stores a template that says nothing yet: its first version follows, in the same transaction.
pub async fn insert(
    conn: &mut Conn,
    id: &TemplateId,
    organization: &OrganizationId,
    name: &str,
    channel: Channel,
    is_demo: bool,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(INSERT)
        .bind(id.as_str())
        .bind(organization.as_str())
        .bind(name.to_owned())
        .bind(channel.as_str())
        .bind(is_demo.then_some(now.0))
        .bind(now.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Calls it something else, which makes no version.
pub async fn rename(
    conn: &mut Conn,
    id: &TemplateId,
    organization: &OrganizationId,
    name: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(RENAME).bind(id.as_str()).bind(organization.as_str()).bind(name.to_owned()).bind(now.0);
    query.execute(conn).await.map(drop)
}

/// What a template says from now on.
#[derive(Debug, Clone)]
pub struct NewVersion {
    /// Whose.
    pub id: TemplateId,
    /// E-mail only.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
    /// The texts of the snippets that it uses, by name.
    pub snippets: BTreeMap<String, String>,
}

/// Makes the next version of each template: its own number is one more than the last, and it is the current one.
pub async fn add_versions(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    versions: &[NewVersion],
    now: Timestamp,
) -> sqlx::Result<()> {
    #[derive(Serialize)]
    struct Row<'a> {
        id: &'a str,
        subject: Option<&'a str>,
        body: &'a str,
        snippets: String,
    }
    #[derive(Serialize)]
    struct Use<'a> {
        id: &'a str,
        name: &'a str,
    }
    let rows = versions.iter().map(|version| Row {
        id: version.id.as_str(),
        subject: version.subject.as_deref(),
        body: &version.body,
        snippets: serde_json::to_string(&version.snippets).expect("texts"),
    });
    let rows = batch(&rows.collect::<Vec<_>>());
    let uses =
        versions.iter().flat_map(|version| version.snippets.keys().map(|name| Use { id: version.id.as_str(), name }));
    let uses = batch(&uses.collect::<Vec<_>>());
    for add in [true, false] {
        let query = if add { sqlx::query(ADD_VERSION.of(dialect)) } else { sqlx::query(ADVANCE.of(dialect)) };
        query.bind(rows.clone()).bind(organization.as_str()).bind(now.0).execute(&mut *conn).await?;
    }
    sqlx::query(FORGET_USES.of(dialect)).bind(rows).bind(organization.as_str()).execute(&mut *conn).await?;
    sqlx::query(ADD_USES.of(dialect)).bind(uses).bind(organization.as_str()).execute(conn).await?;
    Ok(())
}

/// What a template said once.
pub async fn find_version(
    conn: &mut Conn,
    id: &TemplateId,
    organization: &OrganizationId,
    version: u32,
) -> sqlx::Result<Option<Version>> {
    let found: Option<VersionRow> = sqlx::query_as(FIND_VERSION)
        .bind(id.as_str())
        .bind(organization.as_str())
        .bind(i64::from(version))
        .fetch_optional(conn)
        .await?;
    found.map(VersionRow::read).transpose()
}

/// One page of what it said, newest first, before a version.
pub async fn list_versions(
    conn: &mut Conn,
    id: &TemplateId,
    organization: &OrganizationId,
    before: Option<u32>,
    limit: Limit,
) -> sqlx::Result<Page<Version>> {
    let rows: Vec<VersionRow> = sqlx::query_as(LIST_VERSIONS)
        .bind(id.as_str())
        .bind(organization.as_str())
        .bind(before.map_or(i64::MAX, i64::from))
        .bind(limit.asked())
        .fetch_all(conn)
        .await?;
    let versions = rows.into_iter().map(VersionRow::read).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::from_rows(versions, limit, |version| version.version.to_string()))
}

/// Who holds on to versions of a template, in words that end the sentence "It is used by …". Whoever keeps a template's id looks
/// it up here.
pub async fn holder(conn: &mut Conn, id: &TemplateId, organization: &OrganizationId) -> sqlx::Result<Option<String>> {
    Ok(super::sequence::holder(conn, id, organization).await?.map(|name| format!("the sequence {name}")))
}

/// Forgets a template with its versions. False when the organization has none of that id.
pub async fn delete(conn: &mut Conn, id: &TemplateId, organization: &OrganizationId) -> sqlx::Result<bool> {
    let gone = sqlx::query(DELETE).bind(id.as_str()).bind(organization.as_str()).fetch_all(conn).await?;
    Ok(!gone.is_empty())
}

/// Forgets the templates of the demo data.
pub async fn remove_demo(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<()> {
    sqlx::query(REMOVE_DEMO).bind(organization.as_str()).execute(conn).await.map(drop)
}
