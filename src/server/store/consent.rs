//! The record of what people said about being written to.

use super::{Conn, Dialect, Sql, batch, row, rows};
use crate::domain::{
    channel::Channel,
    consent::{Act, Teller},
    id::{MessageId, OrganizationId},
    time::Timestamp,
};
use serde::Serialize;

const HEAD: &str = "select number, first, digest, key from consent_head where organization_id = $1";
const BEGIN: &str = "insert into consent_head (organization_id, number, first, digest, key) values ($1, 0, 1, '', $2) \
     on conflict do nothing";
const WITHOUT: &str = "select id from organization o where not exists \
     (select 1 from consent_head h where h.organization_id = o.id) order by id limit 1000";
/// The end of the record, until the transaction ends nobody else's.
const LOCK: Sql = Sql {
    sqlite: HEAD,
    postgres: "select number, first, digest, key from consent_head where organization_id = $1 for update",
};
macro_rules! insert {
    ($dialect:ident) => {
        concat!(
            "insert into consent (organization_id, number, at, act, channel, fingerprint, source, detail, message_id, digest) \
             select $2, x.number, x.at, x.act, x.channel, x.fingerprint, x.source, x.detail, x.message_id, x.digest from ",
            rows!($dialect, number bigint, at bigint, act text, channel text, fingerprint text, source text, detail text, message_id text, digest text)
        )
    };
}
const INSERT: Sql = Sql { sqlite: insert!(sqlite), postgres: insert!(postgres) };
const MOVE: &str = "update consent_head set number = $2, digest = $3 where organization_id = $1";
macro_rules! select {
    () => {
        "select number, at, act, channel, fingerprint, source, detail, message_id, digest from consent where organization_id = $1 "
    };
}
const LIST: &str = concat!(select!(), "and number > $2 order by number limit $3");
const LIST_OF: &str = concat!(select!(), "and fingerprint = $2 order by number desc limit 50");
const SEALED: &str =
    "select organization_id, key from consent_head where organization_id > $1 order by organization_id limit $2";
const RESEAL: &str = "update consent_head set key = $3 where organization_id = $1 and key = $2";
const RENEW: &str =
    "update consent_head set key = $3, first = number + 1, digest = '' where organization_id = $1 and key = $2";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[HEAD, BEGIN, WITHOUT, MOVE, LIST, LIST_OF, SEALED, RESEAL, RENEW];

/// Statements that differ.
pub const DUAL: &[Sql] = &[LOCK, INSERT];

/// The end of an organization's record.
pub struct Head {
    /// How many entries there are.
    pub number: i64,
    /// The first one that the key can verify.
    pub first: i64,
    /// Of the last entry.
    pub digest: String,
    /// Sealed.
    pub key: String,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the record, from 1.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// What was said.
    pub act: Act,
    /// About which channel.
    pub channel: Channel,
    /// Whose address it was.
    pub fingerprint: String,
    /// Who says so.
    pub source: Teller,
    /// In which words.
    pub detail: Option<String>,
    /// In or about which message.
    pub message_id: Option<MessageId>,
    /// Seals it to the one before.
    pub digest: String,
}

type HeadRow = (i64, i64, String, String);

fn read_head((number, first, digest, key): HeadRow) -> Head {
    Head { number, first, digest, key }
}

/// The end of an organization's record; `None` before it has begun.
pub async fn head(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<Option<Head>> {
    let found: Option<HeadRow> = sqlx::query_as(HEAD).bind(organization.as_str()).fetch_optional(conn).await?;
    Ok(found.map(read_head))
}

/// The same, which stays the end until the transaction is over or adds to it.
pub async fn lock(conn: &mut Conn, dialect: Dialect, organization: &OrganizationId) -> sqlx::Result<Head> {
    let query = sqlx::query_as(LOCK.of(dialect)).bind(organization.as_str());
    Ok(read_head(query.fetch_one(conn).await?))
}

/// Begins an empty record under a sealed key, unless there is one.
pub async fn begin(conn: &mut Conn, organization: &OrganizationId, key: &str) -> sqlx::Result<()> {
    sqlx::query(BEGIN).bind(organization.as_str()).bind(key).execute(conn).await.map(drop)
}

/// Organizations that have no record yet.
pub async fn list_without(conn: &mut Conn) -> sqlx::Result<Vec<OrganizationId>> {
    let ids: Vec<String> = sqlx::query_scalar(WITHOUT).fetch_all(conn).await?;
    ids.into_iter().map(|id| row::id("id", id)).collect()
}

#[derive(Serialize)]
struct EntryOut<'a> {
    number: i64,
    at: i64,
    act: &'a str,
    channel: &'a str,
    fingerprint: &'a str,
    source: &'a str,
    detail: Option<&'a str>,
    message_id: Option<&'a str>,
    digest: &'a str,
}

/// Adds the next entries; the record must be locked.
pub async fn insert(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    entries: &[Entry],
) -> sqlx::Result<()> {
    let Some(last) = entries.last() else { return Ok(()) };
    let rows: Vec<EntryOut<'_>> = entries
        .iter()
        .map(|entry| EntryOut {
            number: entry.number,
            at: entry.at.0,
            act: entry.act.as_str(),
            channel: entry.channel.as_str(),
            fingerprint: &entry.fingerprint,
            source: entry.source.as_str(),
            detail: entry.detail.as_deref(),
            message_id: entry.message_id.as_ref().map(MessageId::as_str),
            digest: &entry.digest,
        })
        .collect();
    sqlx::query(INSERT.of(dialect)).bind(batch(&rows)).bind(organization.as_str()).execute(&mut *conn).await?;
    let query = sqlx::query(MOVE).bind(organization.as_str()).bind(last.number).bind(&last.digest);
    query.execute(conn).await.map(drop)
}

type EntryRow = (i64, i64, String, String, String, String, Option<String>, Option<String>, String);

fn read(row: EntryRow) -> sqlx::Result<Entry> {
    let (number, at, act, channel, fingerprint, source, detail, message, digest) = row;
    Ok(Entry {
        number,
        at: Timestamp(at),
        act: row::value("act", &act, Act::from_name)?,
        channel: row::value("channel", &channel, Channel::from_name)?,
        fingerprint,
        source: row::value("source", &source, Teller::from_name)?,
        detail,
        message_id: row::maybe_id("message_id", message)?,
        digest,
    })
}

/// The next entries after `number`, in their order.
pub async fn list(conn: &mut Conn, organization: &OrganizationId, number: i64, most: i64) -> sqlx::Result<Vec<Entry>> {
    let query = sqlx::query_as(LIST).bind(organization.as_str()).bind(number).bind(most);
    let found: Vec<EntryRow> = query.fetch_all(conn).await?;
    found.into_iter().map(read).collect()
}

/// The newest entries about an address.
pub async fn list_of(conn: &mut Conn, organization: &OrganizationId, fingerprint: &str) -> sqlx::Result<Vec<Entry>> {
    let query = sqlx::query_as(LIST_OF).bind(organization.as_str()).bind(fingerprint);
    let found: Vec<EntryRow> = query.fetch_all(conn).await?;
    found.into_iter().map(read).collect()
}

/// Organizations with their sealed keys, after the one of the id `after`.
pub async fn list_sealed(conn: &mut Conn, after: &str, most: i64) -> sqlx::Result<Vec<(OrganizationId, String)>> {
    let rows: Vec<(String, String)> = sqlx::query_as(SEALED).bind(after).bind(most).fetch_all(conn).await?;
    rows.into_iter().map(|(id, key)| Ok((row::id("organization_id", id)?, key))).collect()
}

/// Puts the same key, sealed anew, in the place of the one of before, unless somebody has changed it.
pub async fn reseal(conn: &mut Conn, organization: &OrganizationId, before: &str, key: &str) -> sqlx::Result<()> {
    sqlx::query(RESEAL).bind(organization.as_str()).bind(before).bind(key).execute(conn).await.map(drop)
}

/// Puts another key in the place of one that was lost: what was recorded so far can no longer be verified.
pub async fn renew(conn: &mut Conn, organization: &OrganizationId, before: &str, key: &str) -> sqlx::Result<()> {
    sqlx::query(RENEW).bind(organization.as_str()).bind(before).bind(key).execute(conn).await.map(drop)
}
