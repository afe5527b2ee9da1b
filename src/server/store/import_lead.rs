//! Leads, many at a time: whose addresses they are, what becomes of them, which imports they came from.

use super::{Conn, Dialect, Sql, batch, gather, gathered, row, rows};
use crate::domain::{
    id::{ImportId, LeadId, OrganizationId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The leads that any of these addresses belongs to, as this or as another kind of number.
macro_rules! known {
    ($dialect:ident, $tags:literal) => {
        gather!(
            $dialect,
            [id, email, phone_key, whatsapp_key, custom, tags],
            "select l.id, l.email, l.phone_key, l.whatsapp_key, l.custom, ",
            $tags,
            " as tags from lead l where l.id in (select e.id from ",
            rows!($dialect, email text, number text),
            " cross join lead e where e.organization_id = $2 and e.email = x.email union select p.id from ",
            rows!($dialect, email text, number text),
            " cross join lead p where p.organization_id = $2 and p.phone_key = x.number union select w.id from ",
            rows!($dialect, email text, number text),
            " cross join lead w where w.organization_id = $2 and w.whatsapp_key = x.number)"
        )
    };
}
const KNOWN: Sql = Sql {
    sqlite: known!(sqlite, "(select json_group_array(t.tag) from lead_tag t where t.lead_id = l.id)"),
    postgres: known!(postgres, "(select coalesce(json_agg(t.tag), '[]')::text from lead_tag t where t.lead_id = l.id)"),
};
/// New leads as they are; of known ones what is not null or empty, with their custom fields joined.
macro_rules! write {
    ($dialect:ident, $custom:literal) => {
        concat!(
            "insert into lead (id, organization_id, name, company, email, phone, phone_number, phone_key, whatsapp, whatsapp_number, \
             whatsapp_key, time_zone, custom, notes, created_at, updated_at) \
             select x.id, $2, coalesce(x.name, ''), x.company, x.email, x.phone, x.phone_number, x.phone_key, x.whatsapp, \
             x.whatsapp_number, x.whatsapp_key, x.time_zone, coalesce(x.custom, '{}'), coalesce(x.notes, ''), \
             cast($3 as bigint), cast($3 as bigint) from ",
            rows!(
                $dialect, id text, name text, company text, email text, phone text, phone_number text, phone_key text,
                whatsapp text, whatsapp_number text, whatsapp_key text, time_zone text, custom text, notes text
            ),
            " where true on conflict (id) do update set \
             name = case excluded.name when '' then lead.name else excluded.name end, \
             company = coalesce(excluded.company, lead.company), email = coalesce(excluded.email, lead.email), \
             phone = coalesce(excluded.phone, lead.phone), phone_number = coalesce(excluded.phone_number, lead.phone_number), \
             phone_key = coalesce(excluded.phone_key, lead.phone_key), whatsapp = coalesce(excluded.whatsapp, lead.whatsapp), \
             whatsapp_number = coalesce(excluded.whatsapp_number, lead.whatsapp_number), \
             whatsapp_key = coalesce(excluded.whatsapp_key, lead.whatsapp_key), \
             time_zone = coalesce(excluded.time_zone, lead.time_zone), custom = ",
            $custom,
            ", notes = case excluded.notes when '' then lead.notes else excluded.notes end, updated_at = excluded.updated_at \
             where lead.organization_id = excluded.organization_id"
        )
    };
}
const WRITE: Sql = Sql {
    sqlite: write!(
        sqlite,
        "case excluded.custom when '{}' then lead.custom else json_patch(lead.custom, excluded.custom) end"
    ),
    postgres: write!(
        postgres,
        "case excluded.custom when '{}' then lead.custom else (lead.custom::jsonb || excluded.custom::jsonb)::text end"
    ),
};
macro_rules! link {
    ($dialect:ident) => {
        concat!(
            "insert into import_lead (lead_id, import_id) select x.id, $2 from ",
            rows!($dialect, id text),
            " where true on conflict do nothing"
        )
    };
}
const LINK: Sql = Sql { sqlite: link!(sqlite), postgres: link!(postgres) };
/// The imports that a lead came from, or was changed by, newest first.
const SOURCES: &str = "select i.import_id from import_lead i join lead l on l.id = i.lead_id \
     where i.lead_id = $1 and l.organization_id = $2 order by i.import_id desc";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[SOURCES];

/// Statements that differ.
pub const DUAL: &[Sql] = &[KNOWN, WRITE, LINK];

/// An address: one of the two.
#[derive(Debug, Serialize)]
pub struct Address<'a> {
    /// In lower case.
    pub email: Option<&'a str>,
    /// A number's key.
    pub number: Option<&'a str>,
}

/// What must be known of a lead that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Identifier.
    pub id: LeadId,
    /// In lower case.
    pub email: Option<String>,
    /// See `PhoneNumber::key`.
    pub phone_key: Option<String>,
    /// See `PhoneNumber::key`.
    pub whatsapp_key: Option<String>,
    /// Name and value.
    pub custom: BTreeMap<String, String>,
    /// In lower case.
    pub tags: Vec<String>,
}

#[derive(Deserialize)]
struct KnownRow {
    id: LeadId,
    email: Option<String>,
    phone_key: Option<String>,
    whatsapp_key: Option<String>,
    custom: String,
    tags: String,
}

/// The leads of an organization that have one of the addresses.
pub async fn known(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    addresses: &[Address<'_>],
) -> sqlx::Result<Vec<Known>> {
    let query = sqlx::query_scalar(KNOWN.of(dialect)).bind(batch(addresses)).bind(organization.as_str());
    let text: String = query.fetch_one(conn).await?;
    let rows: Vec<KnownRow> = gathered(&text)?;
    let read = |row: KnownRow| {
        Ok(Known {
            id: row.id,
            email: row.email,
            phone_key: row.phone_key,
            whatsapp_key: row.whatsapp_key,
            custom: row::json("custom", &row.custom)?,
            tags: row::json("tag", &row.tags)?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// A lead to be written: a new one, or what is now known of one.
#[derive(Debug, Serialize)]
pub struct Written<'a> {
    /// Identifier.
    pub id: &'a str,
    /// What is nothing changes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// See `Lead`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<&'a str>,
    /// In lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    /// As given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<&'a str>,
    /// As dialled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<&'a str>,
    /// See `PhoneNumber::key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_key: Option<&'a str>,
    /// As given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whatsapp: Option<&'a str>,
    /// As dialled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whatsapp_number: Option<&'a str>,
    /// See `PhoneNumber::key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whatsapp_key: Option<&'a str>,
    /// An IANA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<&'a str>,
    /// Joined with what is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom: Option<&'a BTreeMap<String, String>>,
    /// See `Lead`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<&'a str>,
}

/// Writes leads of an organization. Each address must be free, or the lead's own.
pub async fn write(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    leads: &[Written<'_>],
    now: Timestamp,
) -> sqlx::Result<()> {
    if leads.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(WRITE.of(dialect)).bind(batch(leads)).bind(organization.as_str()).bind(now.0);
    query.execute(conn).await.map(drop)
}

/// Notes that leads came from an import, or were changed by it.
pub async fn link(
    conn: &mut Conn,
    dialect: Dialect,
    import: &ImportId,
    leads: impl IntoIterator<Item = &LeadId>,
) -> sqlx::Result<()> {
    #[derive(Serialize)]
    struct Id<'a> {
        id: &'a str,
    }
    let ids: Vec<Id<'_>> = leads.into_iter().map(|id| Id { id: id.as_str() }).collect();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(LINK.of(dialect)).bind(batch(&ids)).bind(import.as_str()).execute(conn).await.map(drop)
}

/// The imports that a lead came from, or was changed by, newest first.
pub async fn sources(conn: &mut Conn, lead: &LeadId, organization: &OrganizationId) -> sqlx::Result<Vec<ImportId>> {
    let query = sqlx::query_scalar(SOURCES).bind(lead.as_str()).bind(organization.as_str());
    let ids: Vec<String> = query.fetch_all(conn).await?;
    ids.into_iter().map(|id| super::row::id("import_id", id)).collect()
}
