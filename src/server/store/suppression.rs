//! Whom nothing may be sent to, by the fingerprints of their addresses (`usecase::consent`).

use super::{Conn, Dialect, Sql, batch, gather, gathered, row, rows};
use crate::domain::{
    channel::Channel,
    consent::{Act, Suppression, Teller},
    id::{OrganizationId, SuppressionId},
    lead::Way,
    page::{Limit, Page},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

macro_rules! insert {
    ($dialect:ident) => {
        concat!(
            "insert into suppression (id, organization_id, channel, fingerprint, address, reason, source, created_at) \
             select x.id, $2, x.channel, x.fingerprint, x.address, x.reason, x.source, $3 from ",
            rows!($dialect, id text, channel text, fingerprint text, address text, reason text, source text),
            // What a word ends gives way to what only a person can lift; an address that was forgotten is known again.
            " where true on conflict (organization_id, fingerprint, channel) do update set \
             address = coalesce(suppression.address, excluded.address), \
             source = case when suppression.reason in ('stopped', 'carrier_stopped') then excluded.source \
             else suppression.source end, \
             reason = case when suppression.reason in ('stopped', 'carrier_stopped') then excluded.reason \
             else suppression.reason end"
        )
    };
}
/// An address is suppressed once on a channel.
const INSERT: Sql = Sql { sqlite: insert!(sqlite), postgres: insert!(postgres) };
macro_rules! find {
    ($dialect:ident) => {
        gather!(
            $dialect,
            [fingerprint, channel, reason],
            "select s.fingerprint, s.channel, s.reason from ",
            rows!($dialect, fingerprint text),
            // In this order, whatever the engine thinks of a list that it has never counted.
            " cross join suppression s where s.organization_id = $2 and s.fingerprint = x.fingerprint"
        )
    };
}
const FIND: Sql = Sql { sqlite: find!(sqlite), postgres: find!(postgres) };
macro_rules! lift {
    ($dialect:ident) => {
        concat!(
            "delete from suppression where organization_id = $2 and reason in ('stopped', 'carrier_stopped') \
             and fingerprint in (select x.fingerprint from ",
            rows!($dialect, fingerprint text),
            ")"
        )
    };
}
/// Only what a word had ended begins again by a word.
const LIFT: Sql = Sql { sqlite: lift!(sqlite), postgres: lift!(postgres) };
macro_rules! forget {
    ($dialect:ident) => {
        concat!(
            "update suppression set address = null where organization_id = $2 and fingerprint in (select x.fingerprint from ",
            rows!($dialect, fingerprint text),
            ")"
        )
    };
}
const FORGET: Sql = Sql { sqlite: forget!(sqlite), postgres: forget!(postgres) };
macro_rules! select {
    () => {
        "select id, channel, fingerprint, address, reason, source, created_at from suppression where organization_id = $1 "
    };
}
const LIST: &str = concat!(select!(), "and id < $2 order by id desc limit $3");
const LIST_OF: &str = concat!(select!(), "and fingerprint = $2 order by id desc");
const GET: &str = concat!(select!(), "and id = $2");
const DELETE: &str = "delete from suppression where organization_id = $1 and id = $2";
const ANY: &str = "select id from suppression where organization_id = $1 limit 1";
const OLD: &str =
    "select id, organization_id, channel, address from suppression where fingerprint is null order by id limit $1";
const KNOWN: &str = "select id, organization_id, channel, address from suppression where organization_id = $1 and address is not null and id > $2 order by id limit $3";
const COUNT_FORGOTTEN: &str =
    "select count(*) from suppression where organization_id = $1 and address is null and fingerprint is not null";
/// Two notations of one number may both be listed: the older one stays.
const ADOPT: &str = "update suppression set fingerprint = $3 where id = $1 and organization_id = $2 and not exists \
     (select 1 from suppression s where s.organization_id = $2 and s.fingerprint = $3 and s.channel = suppression.channel and s.id <> $1)";
const DROP_OLD: &str = "delete from suppression where id = $1 and organization_id = $2 and fingerprint is null";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[LIST, LIST_OF, GET, DELETE, ANY, OLD, KNOWN, COUNT_FORGOTTEN, ADOPT, DROP_OLD];

/// Statements that differ.
pub const DUAL: &[Sql] = &[INSERT, FIND, LIFT, FORGET];

/// An address that is to be suppressed.
#[derive(Serialize)]
pub struct NewSuppression<'a> {
    /// Its id.
    pub id: SuppressionId,
    /// [`Channel::as_str`].
    pub channel: &'a str,
    /// See `usecase::consent::Key`.
    pub fingerprint: String,
    /// E.164, or an e-mail address in lower case.
    pub address: &'a str,
    /// [`Act::as_str`].
    pub reason: &'a str,
    /// [`Teller::as_str`].
    pub source: &'a str,
}

/// Suppresses addresses, each once; what is listed for a stronger reason stays as it is.
pub async fn insert(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    new: &[NewSuppression<'_>],
    now: Timestamp,
) -> sqlx::Result<()> {
    if new.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(INSERT.of(dialect)).bind(batch(new)).bind(organization.as_str()).bind(now.0);
    query.execute(conn).await.map(drop)
}

/// That a fingerprint is listed, where and why.
#[derive(Debug, Deserialize)]
pub struct Listed {
    /// Whose address.
    pub fingerprint: String,
    /// On which channel.
    pub channel: Channel,
    /// Why.
    pub reason: Act,
}

#[derive(Serialize)]
struct Print<'a> {
    fingerprint: &'a str,
}

fn prints<'a>(fingerprints: impl IntoIterator<Item = &'a String>) -> String {
    batch(&fingerprints.into_iter().map(|fingerprint| Print { fingerprint }).collect::<Vec<_>>())
}

/// Which of the fingerprints are listed.
pub async fn find<'a>(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    fingerprints: impl IntoIterator<Item = &'a String>,
) -> sqlx::Result<Vec<Listed>> {
    let query = sqlx::query_scalar(FIND.of(dialect)).bind(prints(fingerprints)).bind(organization.as_str());
    let text: String = query.fetch_one(conn).await?;
    gathered(&text)
}

/// Takes off the list what a word had put there.
pub async fn lift<'a>(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    fingerprints: impl IntoIterator<Item = &'a String>,
) -> sqlx::Result<()> {
    let query = sqlx::query(LIFT.of(dialect)).bind(prints(fingerprints)).bind(organization.as_str());
    query.execute(conn).await.map(drop)
}

/// Forgets the addresses, and keeps their fingerprints.
pub async fn forget<'a>(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    fingerprints: impl IntoIterator<Item = &'a String>,
) -> sqlx::Result<()> {
    let query = sqlx::query(FORGET.of(dialect)).bind(prints(fingerprints)).bind(organization.as_str());
    query.execute(conn).await.map(drop)
}

type SuppressionRow = (String, String, Option<String>, Option<String>, String, String, i64);

fn read((id, channel, _, address, reason, source, created_at): SuppressionRow) -> sqlx::Result<Suppression> {
    Ok(Suppression {
        id: row::id("id", id)?,
        channel: row::value("channel", &channel, Channel::from_name)?,
        address,
        reason: row::value("reason", &reason, Act::from_name)?,
        source: row::value("source", &source, Teller::from_name)?,
        created_at: Timestamp(created_at),
    })
}

/// A page of the list, newest first.
pub async fn list(
    conn: &mut Conn,
    organization: &OrganizationId,
    cursor: Option<&SuppressionId>,
    limit: Limit,
) -> sqlx::Result<Page<Suppression>> {
    let cursor = cursor.map_or(row::NEWEST, SuppressionId::as_str);
    let query = sqlx::query_as(LIST).bind(organization.as_str()).bind(cursor).bind(limit.asked());
    let found: Vec<SuppressionRow> = query.fetch_all(conn).await?;
    let found = found.into_iter().map(read).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::from_rows(found, limit, |last| last.id.to_string()))
}

/// All entries of an address.
pub async fn list_of(
    conn: &mut Conn,
    organization: &OrganizationId,
    fingerprint: &str,
) -> sqlx::Result<Vec<Suppression>> {
    let query = sqlx::query_as(LIST_OF).bind(organization.as_str()).bind(fingerprint);
    let found: Vec<SuppressionRow> = query.fetch_all(conn).await?;
    found.into_iter().map(read).collect()
}

/// One entry, with its fingerprint.
pub async fn get(
    conn: &mut Conn,
    organization: &OrganizationId,
    id: &SuppressionId,
) -> sqlx::Result<Option<(Suppression, String)>> {
    let query = sqlx::query_as(GET).bind(organization.as_str()).bind(id.as_str());
    let found: Option<SuppressionRow> = query.fetch_optional(conn).await?;
    let Some(found) = found else { return Ok(None) };
    let fingerprint = found.2.clone().unwrap_or_default();
    Ok(Some((read(found)?, fingerprint)))
}

/// Takes one entry off the list.
pub async fn delete(conn: &mut Conn, organization: &OrganizationId, id: &SuppressionId) -> sqlx::Result<()> {
    sqlx::query(DELETE).bind(organization.as_str()).bind(id.as_str()).execute(conn).await.map(drop)
}

/// Whether nobody is on the list.
pub async fn is_empty(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<bool> {
    Ok(sqlx::query(ANY).bind(organization.as_str()).fetch_optional(conn).await?.is_none())
}

/// An address of the list that is to have its fingerprint.
pub struct Plain {
    /// Of the entry.
    pub id: String,
    /// Whose list.
    pub organization_id: OrganizationId,
    /// The address.
    pub way: Way,
}

type PlainRow = (String, String, String, Option<String>);

fn read_plain((id, organization, channel, address): PlainRow) -> sqlx::Result<Plain> {
    Ok(Plain {
        id,
        organization_id: row::id("organization_id", organization)?,
        way: Way {
            channel: row::value("channel", &channel, Channel::from_name)?,
            address: address.unwrap_or_default(),
        },
    })
}

/// Entries of before there were fingerprints, of all organizations.
pub async fn list_old(conn: &mut Conn, most: i64) -> sqlx::Result<Vec<Plain>> {
    let found: Vec<PlainRow> = sqlx::query_as(OLD).bind(most).fetch_all(conn).await?;
    found.into_iter().map(read_plain).collect()
}

/// Entries whose address is known, after the one of the id `after`.
pub async fn list_known(
    conn: &mut Conn,
    organization: &OrganizationId,
    after: &str,
    most: i64,
) -> sqlx::Result<Vec<Plain>> {
    let query = sqlx::query_as(KNOWN).bind(organization.as_str()).bind(after).bind(most);
    let found: Vec<PlainRow> = query.fetch_all(conn).await?;
    found.into_iter().map(read_plain).collect()
}

/// How many entries have nothing but their fingerprint.
pub async fn count_forgotten(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<i64> {
    sqlx::query_scalar(COUNT_FORGOTTEN).bind(organization.as_str()).fetch_one(conn).await
}

/// Gives an entry its fingerprint; one that is listed already by another notation goes.
pub async fn adopt(conn: &mut Conn, plain: &Plain, fingerprint: &str) -> sqlx::Result<()> {
    let organization = plain.organization_id.as_str();
    sqlx::query(ADOPT).bind(&plain.id).bind(organization).bind(fingerprint).execute(&mut *conn).await?;
    sqlx::query(DROP_OLD).bind(&plain.id).bind(organization).execute(conn).await.map(drop)
}
