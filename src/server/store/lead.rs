//! Leads and their tags.

use super::{Conn, Dialect, Sql, batch, batch_of_ids, row, rows};
use crate::domain::{
    channel::Channel,
    email::Email,
    id::{LeadId, OrganizationId},
    lead::{Lead, NewLead},
    phone::PhoneNumber,
    time::Timestamp,
};
use serde::Serialize;
use std::collections::HashMap;

/// When something last left for a lead: read off its messages, so that nothing can drift from them.
macro_rules! contacted {
    () => {
        "(select m.accepted_at from message m where m.lead_id = l.id and m.direction = 'outbound' \
         and m.accepted_at is not null order by m.accepted_at desc limit 1)"
    };
}
pub(super) use contacted;
macro_rules! replied {
    () => {
        "(select m.created_at from message m where m.lead_id = l.id and m.direction = 'inbound' \
         order by m.created_at desc limit 1)"
    };
}
pub(super) use replied;
macro_rules! select {
    () => {
        concat!(
            "select l.id, l.name, l.company, l.email, l.phone, l.phone_number, l.whatsapp, l.whatsapp_number, l.time_zone, \
             l.custom, l.notes, l.demo_at, l.created_at, l.updated_at, ",
            contacted!(),
            " as contacted_at, ",
            replied!(),
            " as replied_at from "
        )
    };
}
pub(super) use select;

const FIND: &str = concat!(select!(), "lead l where l.id = $1 and l.organization_id = $2");
/// The leads that one of these addresses belongs to, as this or as another kind of number.
const FIND_SAME: &str = "select id from lead where organization_id = $1 and email = $2 and id <> $5 \
     union select id from lead where organization_id = $1 and phone_key in ($3, $4) and id <> $5 \
     union select id from lead where organization_id = $1 and whatsapp_key in ($3, $4) and id <> $5 order by id limit 1";
macro_rules! find_many {
    ($dialect:ident) => {
        concat!(
            "select l.id, l.name, l.company, l.email, l.phone, l.phone_number, l.whatsapp, l.whatsapp_number, l.time_zone, \
             l.custom, l.notes, l.demo_at, l.created_at, l.updated_at, null as contacted_at, null as replied_at from ",
            rows!($dialect, id text),
            " cross join lead l where l.id = x.id and l.organization_id = $2 order by l.id"
        )
    };
}
macro_rules! lock_many {
    ($dialect:ident, $lock:literal) => {
        concat!("select l.id from ", rows!($dialect, id text), " cross join lead l where l.id = x.id order by l.id", $lock)
    };
}
/// In one order, so that two who lock several do not wait for each other.
const LOCK_MANY: Sql =
    Sql { sqlite: lock_many!(sqlite, ""), postgres: lock_many!(postgres, " for no key update of l") };
const FIND_MANY: Sql = Sql { sqlite: find_many!(sqlite), postgres: find_many!(postgres) };
/// Whose address it is: $2 is an e-mail address, or a number's key.
const FIND_BY_EMAIL: &str = "select id from lead where organization_id = $1 and email = $2";
const FIND_BY_NUMBER: &str =
    "select id from lead where organization_id = $1 and (phone_key = $2 or whatsapp_key = $2) order by id limit 1";
/// New, or what is now known of one that is there; since when it is there, and whether it is of the demo, stays.
const SAVE: &str = "insert into lead (id, organization_id, name, company, email, phone, phone_number, phone_key, whatsapp, \
     whatsapp_number, whatsapp_key, time_zone, custom, notes, demo_at, created_at, updated_at) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
     on conflict (id) do update set name = excluded.name, company = excluded.company, email = excluded.email, \
     phone = excluded.phone, phone_number = excluded.phone_number, phone_key = excluded.phone_key, \
     whatsapp = excluded.whatsapp, whatsapp_number = excluded.whatsapp_number, whatsapp_key = excluded.whatsapp_key, \
     time_zone = excluded.time_zone, custom = excluded.custom, notes = excluded.notes, updated_at = excluded.updated_at \
     where lead.organization_id = excluded.organization_id";
/// Of those of some leads that are the organization's: of its leads first, for nothing else is as few.
macro_rules! of_many {
    ($dialect:ident, $before:literal, $after:literal) => {
        concat!(
            $before,
            " in (select o.id from ",
            rows!($dialect, id text),
            " cross join lead o where o.id = x.id and o.organization_id = $2)",
            $after
        )
    };
}
macro_rules! unlink {
    ($dialect:ident) => {
        of_many!($dialect, "update message set lead_id = null where lead_id", "")
    };
}
const UNLINK: Sql = Sql { sqlite: unlink!(sqlite), postgres: unlink!(postgres) };
macro_rules! delete {
    ($dialect:ident) => {
        of_many!($dialect, "delete from lead where id", " returning id")
    };
}
const DELETE: Sql = Sql { sqlite: delete!(sqlite), postgres: delete!(postgres) };
macro_rules! touch {
    ($dialect:ident) => {
        of_many!($dialect, "update lead set updated_at = $3 where id", "")
    };
}
const TOUCH: Sql = Sql { sqlite: touch!(sqlite), postgres: touch!(postgres) };
macro_rules! remove_tag {
    ($dialect:ident) => {
        of_many!($dialect, "delete from lead_tag where lead_id", " and tag = $3")
    };
}
const REMOVE_TAG: Sql = Sql { sqlite: remove_tag!(sqlite), postgres: remove_tag!(postgres) };
macro_rules! tags {
    ($dialect:ident) => {
        concat!(
            "select t.lead_id, t.tag from ",
            rows!($dialect, id text),
            " join lead_tag t on t.lead_id = x.id order by t.lead_id, t.tag"
        )
    };
}
const TAGS: Sql = Sql { sqlite: tags!(sqlite), postgres: tags!(postgres) };
const ALL_TAGS: &str = "select distinct tag from lead_tag where organization_id = $1 order by tag limit 500";
const CLEAR_TAGS: &str = "delete from lead_tag where lead_id = $1 and organization_id = $2";
macro_rules! add_tags {
    ($dialect:ident) => {
        concat!(
            "insert into lead_tag (organization_id, tag, lead_id) select $2, x.tag, x.lead_id from ",
            rows!($dialect, tag text, lead_id text),
            " where true on conflict do nothing"
        )
    };
}
const ADD_TAGS: Sql = Sql { sqlite: add_tags!(sqlite), postgres: add_tags!(postgres) };
/// Whoever changes an organization's leads does so alone: what no index says of two columns is looked at first.
const LOCK: Sql = Sql {
    sqlite: "select id from organization where id = $1",
    // Rows that refer to the organization are stored meanwhile.
    postgres: "select id from organization where id = $1 for no key update",
};

const UNLINK_DEMO: &str = "update message set lead_id = null where lead_id in \
     (select id from lead where organization_id = $1 and demo_at is not null)";
const REMOVE_DEMO: &str = "delete from lead where organization_id = $1 and demo_at is not null";
/// Of all leads: for whoever reads all of them anyway.
const CUSTOM_NAMES: Sql = Sql {
    sqlite: "select distinct j.key from lead l, json_each(l.custom) j where l.organization_id = $1 and l.custom <> '{}' \
             order by j.key limit 1000",
    postgres: "select distinct j.key from lead l, json_object_keys(cast(l.custom as json)) j (key) where l.organization_id = $1 \
               and l.custom <> '{}' order by j.key limit 1000",
};
macro_rules! custom_keys {
    ($key:literal, $each:literal) => {
        concat!(
            "select distinct ",
            $key,
            " from (select l.custom from lead l where l.organization_id = $1 order by l.id desc limit 500) as q cross join ",
            $each,
            " as k order by 1 limit 100"
        )
    };
}
/// The names of custom fields: those of the newest leads.
const CUSTOM_KEYS: Sql = Sql {
    sqlite: custom_keys!("k.key", "json_each(q.custom)"),
    postgres: custom_keys!("k", "lateral json_object_keys(cast(q.custom as json))"),
};
/// For the prepare test.
pub const STATEMENTS: &[&str] =
    &[FIND, FIND_SAME, FIND_BY_EMAIL, FIND_BY_NUMBER, SAVE, ALL_TAGS, CLEAR_TAGS, UNLINK_DEMO, REMOVE_DEMO];

/// Statements that differ.
pub const DUAL: &[Sql] =
    &[LOCK_MANY, FIND_MANY, UNLINK, DELETE, TOUCH, REMOVE_TAG, TAGS, ADD_TAGS, LOCK, CUSTOM_NAMES, CUSTOM_KEYS];

#[derive(sqlx::FromRow)]
pub(super) struct LeadRow {
    id: String,
    name: String,
    company: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    phone_number: Option<String>,
    whatsapp: Option<String>,
    whatsapp_number: Option<String>,
    time_zone: Option<String>,
    custom: String,
    notes: String,
    contacted_at: Option<i64>,
    replied_at: Option<i64>,
    demo_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

fn number(column: &'static str, text: Option<String>) -> sqlx::Result<Option<PhoneNumber>> {
    text.map(|text| row::value(column, &text, |text| PhoneNumber::parse_e164(text).ok())).transpose()
}

impl LeadRow {
    pub(super) fn read(self) -> sqlx::Result<Lead> {
        Ok(Lead {
            id: row::id("id", self.id)?,
            name: self.name,
            company: self.company,
            email: self.email,
            phone: self.phone,
            phone_number: number("phone_number", self.phone_number)?,
            whatsapp: self.whatsapp,
            whatsapp_number: number("whatsapp_number", self.whatsapp_number)?,
            time_zone: self.time_zone,
            custom: row::json("custom", &self.custom)?,
            tags: Vec::new(),
            notes: self.notes,
            is_demo: self.demo_at.is_some(),
            contacted_at: self.contacted_at.map(Timestamp),
            replied_at: self.replied_at.map(Timestamp),
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        })
    }
}

/// Tags are kept apart: one question for all leads of a page.
pub(super) async fn add_known_tags(conn: &mut Conn, dialect: Dialect, leads: &mut [Lead]) -> sqlx::Result<()> {
    if leads.is_empty() {
        return Ok(());
    }
    let ids = batch_of_ids(leads.iter().map(|lead| &lead.id));
    let rows: Vec<(String, String)> = sqlx::query_as(TAGS.of(dialect)).bind(ids).fetch_all(conn).await?;
    let mut tags: HashMap<String, Vec<String>> = HashMap::new();
    for (lead, tag) in rows {
        tags.entry(lead).or_default().push(tag);
    }
    for lead in leads {
        lead.tags = tags.remove(lead.id.as_str()).unwrap_or_default();
    }
    Ok(())
}

/// One lead of an organization.
pub async fn find(
    conn: &mut Conn,
    dialect: Dialect,
    id: &LeadId,
    organization: &OrganizationId,
) -> sqlx::Result<Option<Lead>> {
    let found: Option<LeadRow> =
        sqlx::query_as(FIND).bind(id.as_str()).bind(organization.as_str()).fetch_optional(&mut *conn).await?;
    let Some(mut lead) = found.map(LeadRow::read).transpose()? else { return Ok(None) };
    add_known_tags(conn, dialect, std::slice::from_mut(&mut lead)).await?;
    Ok(Some(lead))
}

/// Nobody else locks these leads until the transaction ends.
pub async fn lock_many(conn: &mut Conn, dialect: Dialect, leads: &[LeadId]) -> sqlx::Result<()> {
    if dialect == Dialect::Sqlite {
        return Ok(()); // its one writer is alone
    }
    sqlx::query(LOCK_MANY.of(dialect)).bind(batch_of_ids(leads)).execute(conn).await.map(drop)
}

/// Those of these leads that the organization has, without when they were last written to and last answered.
pub async fn find_many<'a>(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    ids: impl IntoIterator<Item = &'a LeadId>,
) -> sqlx::Result<Vec<Lead>> {
    let query = sqlx::query_as(FIND_MANY.of(dialect)).bind(batch_of_ids(ids)).bind(organization.as_str());
    let found: Vec<LeadRow> = query.fetch_all(&mut *conn).await?;
    let mut leads = found.into_iter().map(LeadRow::read).collect::<sqlx::Result<Vec<_>>>()?;
    add_known_tags(conn, dialect, &mut leads).await?;
    Ok(leads)
}

/// Nobody else changes the organization's leads until the transaction ends.
pub async fn lock(conn: &mut Conn, dialect: Dialect, organization: &OrganizationId) -> sqlx::Result<()> {
    sqlx::query(LOCK.of(dialect)).bind(organization.as_str()).execute(conn).await.map(drop)
}

/// The oldest other lead that is the same person: by e-mail, or by a number in any notation.
pub async fn find_same(
    conn: &mut Conn,
    organization: &OrganizationId,
    lead: &NewLead,
    but: Option<&LeadId>,
) -> sqlx::Result<Option<LeadId>> {
    let id: Option<String> = sqlx::query_scalar(FIND_SAME)
        .bind(organization.as_str())
        .bind(lead.email.as_ref().map(Email::as_str))
        .bind(lead.phone.as_ref().map(|number| number.dialled.key()))
        .bind(lead.whatsapp.as_ref().map(|number| number.dialled.key()))
        .bind(but.map_or("", LeadId::as_str))
        .fetch_optional(conn)
        .await?;
    row::maybe_id("id", id)
}

/// Whose address it is: e-mail in lower case, or a number in E.164 in any notation.
pub async fn find_by_address(
    conn: &mut Conn,
    organization: &OrganizationId,
    channel: Channel,
    address: &str,
) -> sqlx::Result<Option<LeadId>> {
    let query = match channel {
        Channel::Email => sqlx::query_scalar(FIND_BY_EMAIL).bind(organization.as_str()).bind(address.to_owned()),
        Channel::Sms | Channel::Whatsapp => {
            let Ok(number) = PhoneNumber::parse_e164(address) else { return Ok(None) };
            sqlx::query_scalar(FIND_BY_NUMBER).bind(organization.as_str()).bind(number.key())
        }
    };
    let id: Option<String> = query.fetch_optional(conn).await?;
    row::maybe_id("id", id)
}

/// Stores a lead with its tags: a new one, or what is now known of one of the organization, which stays `created_at`.
pub async fn save(
    conn: &mut Conn,
    dialect: Dialect,
    id: &LeadId,
    organization: &OrganizationId,
    lead: &NewLead,
    is_demo: bool,
    (created_at, updated_at): (Timestamp, Timestamp),
) -> sqlx::Result<()> {
    let (phone, whatsapp) = (lead.phone.as_ref(), lead.whatsapp.as_ref());
    sqlx::query(SAVE)
        .bind(id.as_str())
        .bind(organization.as_str())
        .bind(&lead.name)
        .bind(&lead.company)
        .bind(lead.email.as_ref().map(Email::as_str))
        .bind(phone.map(|number| number.given.as_str()))
        .bind(phone.map(|number| number.dialled.as_str()))
        .bind(phone.map(|number| number.dialled.key()))
        .bind(whatsapp.map(|number| number.given.as_str()))
        .bind(whatsapp.map(|number| number.dialled.as_str()))
        .bind(whatsapp.map(|number| number.dialled.key()))
        .bind(&lead.time_zone)
        .bind(serde_json::to_string(&lead.custom).expect("texts"))
        .bind(&lead.notes)
        .bind(is_demo.then_some(created_at.0))
        .bind(created_at.0)
        .bind(updated_at.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query(CLEAR_TAGS).bind(id.as_str()).bind(organization.as_str()).execute(&mut *conn).await?;
    add_tags(conn, dialect, organization, lead.tags.iter().map(|tag| (tag.as_str(), id.as_str()))).await
}

/// Adds tags to leads of an organization, each as (tag, lead).
pub async fn add_tags<'a>(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    tags: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> sqlx::Result<()> {
    let tags: Vec<Tagged<'_>> = tags.into_iter().map(|(tag, lead_id)| Tagged { tag, lead_id }).collect();
    if tags.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(ADD_TAGS.of(dialect)).bind(batch(&tags)).bind(organization.as_str());
    query.execute(conn).await.map(drop)
}

#[derive(Serialize)]
struct Tagged<'a> {
    tag: &'a str,
    lead_id: &'a str,
}

/// Takes a tag from leads of an organization.
pub async fn remove_tag(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    tag: &str,
    leads: &[LeadId],
) -> sqlx::Result<()> {
    let query = sqlx::query(REMOVE_TAG.of(dialect)).bind(batch_of_ids(leads)).bind(organization.as_str()).bind(tag);
    query.execute(conn).await.map(drop)
}

/// Notes that leads of an organization have changed.
pub async fn touch(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    leads: &[LeadId],
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(TOUCH.of(dialect)).bind(batch_of_ids(leads)).bind(organization.as_str()).bind(now.0);
    query.execute(conn).await.map(drop)
}

/// Forgets leads of an organization; their messages stay, and are nobody's.
pub async fn delete(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    leads: &[LeadId],
) -> sqlx::Result<()> {
    let (ids, organization) = (batch_of_ids(leads), organization.as_str());
    sqlx::query(UNLINK.of(dialect)).bind(&ids).bind(organization).execute(&mut *conn).await?;
    sqlx::query(DELETE.of(dialect)).bind(ids).bind(organization).execute(conn).await.map(drop)
}

/// Forgets the leads of the demo data.
pub async fn remove_demo(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<()> {
    sqlx::query(UNLINK_DEMO).bind(organization.as_str()).execute(&mut *conn).await?;
    sqlx::query(REMOVE_DEMO).bind(organization.as_str()).execute(conn).await.map(drop)
}

/// All tags of an organization, in the order of the alphabet.
pub async fn all_tags(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(ALL_TAGS).bind(organization.as_str()).fetch_all(conn).await
}

/// All names of custom fields of an organization's leads, in the order of the alphabet.
pub async fn custom_names(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(CUSTOM_NAMES.of(dialect)).bind(organization.as_str()).fetch_all(conn).await
}

/// The names of custom fields that the newest leads have, in the order of the alphabet.
pub async fn custom_keys(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(CUSTOM_KEYS.of(dialect)).bind(organization.as_str()).fetch_all(conn).await
}
