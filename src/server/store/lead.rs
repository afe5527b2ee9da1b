//! Leads, their tags, and which of them an audience means.

use super::{Conn, Dialect, Sql, batch, batch_of_ids, message::like, row, rows};
use crate::domain::{
    audience::{Audience, Op},
    channel::Channel,
    email::Email,
    id::{LeadId, OrganizationId},
    lead::{Lead, NewLead},
    page::{Limit, Page},
    phone::PhoneNumber,
    time::{DAY, Timestamp},
};
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};

/// When something last left for a lead: read off its messages, so that nothing can drift from them.
macro_rules! contacted {
    () => {
        "(select max(m.accepted_at) from message m where m.lead_id = l.id and m.direction = 'outbound')"
    };
}
macro_rules! replied {
    () => {
        "(select max(m.created_at) from message m where m.lead_id = l.id and m.direction = 'inbound')"
    };
}
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

/// The text of the field that a condition names.
macro_rules! text {
    (sqlite) => {
        text!("l.custom ->> x.custom")
    };
    (postgres) => {
        text!("cast(l.custom as json) ->> x.custom")
    };
    ($custom:literal) => {
        concat!(
            "coalesce(case x.field when 'name' then l.name when 'company' then l.company when 'email' then l.email \
             when 'phone' then l.phone_number when 'whatsapp' then l.whatsapp_number when 'time_zone' then l.time_zone \
             when 'created' then 'yes' when 'contacted' then cast(",
            contacted!(),
            " as text) when 'replied' then cast(",
            replied!(),
            " as text) else ",
            $custom,
            " end, '')"
        )
    };
}
/// Whether a lead has the tag that a condition names.
macro_rules! tagged {
    () => {
        "exists (select 1 from lead_tag t where t.organization_id = l.organization_id and t.tag = x.value and t.lead_id = l.id)"
    };
}
macro_rules! instant {
    () => {
        concat!(
            "coalesce(case x.field when 'created' then l.created_at when 'contacted' then ",
            contacted!(),
            " else ",
            replied!(),
            " end, 0)"
        )
    };
}
/// Whether the audience means a lead: the conditions $1, the organization $2, the pattern $3.
macro_rules! meant {
    ($dialect:ident) => {
        concat!(
            " l.organization_id = $2 and (cast($3 as text) is null or lower(l.name) like lower($3) escape '!' \
             or lower(l.company) like lower($3) escape '!' or l.email like lower($3) escape '!' or l.phone_number like $3 escape '!' \
             or l.phone like $3 escape '!' or l.whatsapp_number like $3 escape '!') \
             and not exists (select 1 from ",
            rows!($dialect, field text, custom text, op text, value text, at bigint),
            " where not (case x.op when 'is' then case when x.field = 'tag' then ",
            tagged!(),
            " else lower(",
            text!($dialect),
            ") = lower(x.value) end when 'is_not' then case when x.field = 'tag' then not ",
            tagged!(),
            " else lower(",
            text!($dialect),
            ") <> lower(x.value) end when 'contains' then lower(",
            text!($dialect),
            ") like lower(x.value) escape '!' when 'starts_with' then lower(",
            text!($dialect),
            ") like lower(x.value) escape '!' when 'is_set' then ",
            text!($dialect),
            " <> '' when 'is_not_set' then ",
            text!($dialect),
            " = '' when 'within' then ",
            instant!(),
            " >= x.at else ",
            instant!(),
            " < x.at end))"
        )
    };
}
macro_rules! list {
    ($dialect:ident) => {
        concat!(
            select!(),
            "lead l where",
            meant!($dialect),
            " and l.id < $4 and l.id >= $5 order by l.id desc limit $6"
        )
    };
}
/// A page of an audience without a tag: down the index from the cursor.
const LIST: Sql = Sql { sqlite: list!(sqlite), postgres: list!(postgres) };
macro_rules! list_tagged {
    ($dialect:ident) => {
        concat!(
            select!(),
            "lead_tag g cross join lead l where l.id = g.lead_id and g.organization_id = $2 and g.tag = $7 and",
            meant!($dialect),
            " and g.lead_id < $4 and g.lead_id >= $5 order by g.lead_id desc limit $6"
        )
    };
}
/// From a tag's leads to the leads; `cross join` keeps SQLite from walking the other way.
const LIST_TAGGED: Sql = Sql { sqlite: list_tagged!(sqlite), postgres: list_tagged!(postgres) };
/// How many leads there are from the cursor on, up to a number, and the last one of them: where a search ends.
const REACH: &str = "select count(*), min(q.id) from (select l.id from lead l where l.organization_id = $1 and l.id < $2 \
     order by l.id desc limit $3) as q";
const REACH_TAGGED: &str = "select count(*), min(q.id) from (select g.lead_id as id from lead_tag g where g.organization_id = $1 \
     and g.lead_id < $2 and g.tag = $4 order by g.lead_id desc limit $3) as q";
const FIND: &str = concat!(select!(), "lead l where l.id = $1 and l.organization_id = $2");
/// The leads that one of these addresses belongs to, as this or as another kind of number.
const FIND_SAME: &str = "select id from lead where organization_id = $1 and email = $2 and id <> $5 \
     union select id from lead where organization_id = $1 and phone_key in ($3, $4) and id <> $5 \
     union select id from lead where organization_id = $1 and whatsapp_key in ($3, $4) and id <> $5 order by id limit 2";
/// Whose address it is: $2 is an e-mail address, or a number's key.
const FIND_BY_EMAIL: &str = "select id from lead where organization_id = $1 and email = $2";
const FIND_BY_NUMBER: &str =
    "select id from lead where organization_id = $1 and (phone_key = $2 or whatsapp_key = $2) order by id limit 1";
const INSERT: &str = "insert into lead (id, organization_id, name, company, email, phone, phone_number, phone_key, whatsapp, \
     whatsapp_number, whatsapp_key, time_zone, custom, notes, demo_at, created_at, updated_at) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
const UPDATE: &str = "update lead set name = $3, company = $4, email = $5, phone = $6, phone_number = $7, phone_key = $8, \
     whatsapp = $9, whatsapp_number = $10, whatsapp_key = $11, time_zone = $12, custom = $13, notes = $14, updated_at = $15 \
     where id = $1 and organization_id = $2";
const DELETE: &str = "delete from lead where id = $1 and organization_id = $2 returning id";
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
const CLEAR_TAGS: &str = "delete from lead_tag where lead_id = $1";
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
    postgres: "select id from organization where id = $1 for update",
};
const UNLINK: &str = "update message set lead_id = null where lead_id = $1 and organization_id = $2";

const UNLINK_DEMO: &str = "update message set lead_id = null where lead_id in \
     (select id from lead where organization_id = $1 and demo_at is not null)";
const REMOVE_DEMO: &str = "delete from lead where organization_id = $1 and demo_at is not null";
/// For the prepare test.
pub const STATEMENTS: &[&str] = &[
    REACH,
    REACH_TAGGED,
    FIND,
    FIND_SAME,
    FIND_BY_EMAIL,
    FIND_BY_NUMBER,
    INSERT,
    UPDATE,
    DELETE,
    ALL_TAGS,
    CLEAR_TAGS,
    UNLINK,
    UNLINK_DEMO,
    REMOVE_DEMO,
];

/// Statements that differ.
pub const DUAL: &[Sql] = &[LIST, LIST_TAGGED, TAGS, ADD_TAGS, LOCK];

/// Sorts after every id.
const NEWEST: &str = "ZZZZZZZZZZZZZZZZZZZZZZZZZZ";

/// Leads that a search reads for one page.
pub const SEARCHED: u32 = 20_000;

#[derive(sqlx::FromRow)]
struct LeadRow {
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
    fn read(self) -> sqlx::Result<Lead> {
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
            custom: serde_json::from_str(&self.custom).map_err(|_| super::inconsistent("custom"))?,
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

/// A condition as the statements read it.
#[derive(Serialize)]
struct Asked<'a> {
    field: &'a str,
    custom: &'a str,
    op: &'static str,
    value: String,
    at: i64,
}

/// The conditions of an audience for $1; `now` is where days are counted back from.
fn asked(audience: &Audience, now: Timestamp) -> String {
    let asked = audience.conditions.iter().map(|condition| {
        let days = || condition.value.parse::<i64>().unwrap_or_default();
        let value = match condition.op {
            Op::Contains => like(&condition.value),
            Op::StartsWith => like(&condition.value).split_off(1),
            _ => condition.value.clone(),
        };
        Asked {
            field: &condition.field,
            custom: condition.field.strip_prefix("custom.").unwrap_or_default(),
            op: condition.op.as_str(),
            value,
            at: if matches!(condition.op, Op::Within | Op::NotWithin) { now.0 - days() * DAY } else { 0 },
        }
    });
    batch(&asked.collect::<Vec<_>>())
}

/// One page, newest first. A search reads `searched` leads and no more: the page that it gives may be short, even empty, and
/// still have a next one.
pub async fn list(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    audience: &Audience,
    cursor: Option<&LeadId>,
    limit: Limit,
    searched: u32,
    now: Timestamp,
) -> sqlx::Result<Page<Lead>> {
    let cursor = cursor.map_or(NEWEST, LeadId::as_str);
    let is_search = !audience.q.is_empty() || !audience.conditions.is_empty();
    let reach = if is_search { reach(conn, organization, &audience.tag, cursor, searched).await? } else { None };
    let is_tagged = !audience.tag.is_empty();
    let query = if is_tagged { sqlx::query_as(LIST_TAGGED.of(dialect)) } else { sqlx::query_as(LIST.of(dialect)) };
    let mut query = query
        .bind(asked(audience, now))
        .bind(organization.as_str())
        .bind(Some(&audience.q).filter(|q| !q.is_empty()).map(|q| like(q)))
        .bind(cursor)
        .bind(reach.as_deref().unwrap_or_default())
        .bind(limit.asked());
    if is_tagged {
        query = query.bind(&audience.tag);
    }
    let rows: Vec<LeadRow> = query.fetch_all(&mut *conn).await?;
    let leads = rows.into_iter().map(LeadRow::read).collect::<sqlx::Result<Vec<_>>>()?;
    let mut page = Page::from_rows(leads, limit, |lead| lead.id.to_string());
    page.next_cursor = page.next_cursor.or(reach);
    add_known_tags(conn, dialect, &mut page.data).await?;
    Ok(page)
}

/// The last lead that a search reads; `None` when it reads all there are.
async fn reach(
    conn: &mut Conn,
    organization: &OrganizationId,
    tag: &str,
    cursor: &str,
    searched: u32,
) -> sqlx::Result<Option<String>> {
    let query = if tag.is_empty() { sqlx::query_as(REACH) } else { sqlx::query_as(REACH_TAGGED) };
    let mut query = query.bind(organization.as_str()).bind(cursor).bind(i64::from(searched));
    if !tag.is_empty() {
        query = query.bind(tag);
    }
    let (seen, last): (i64, Option<String>) = query.fetch_one(conn).await?;
    Ok(last.filter(|_| seen >= i64::from(searched)))
}

/// Tags are kept apart: one question for all leads of a page.
async fn add_known_tags(conn: &mut Conn, dialect: Dialect, leads: &mut [Lead]) -> sqlx::Result<()> {
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

/// Nobody else changes the organization's leads until the transaction ends.
pub async fn lock(conn: &mut Conn, dialect: Dialect, organization: &OrganizationId) -> sqlx::Result<()> {
    sqlx::query(LOCK.of(dialect)).bind(organization.as_str()).execute(conn).await.map(drop)
}

/// Other leads that are the same person, oldest first, two at most: by e-mail, or by a number in any notation.
pub async fn find_same(
    conn: &mut Conn,
    organization: &OrganizationId,
    lead: &NewLead,
    but: Option<&LeadId>,
) -> sqlx::Result<Vec<LeadId>> {
    let ids: Vec<String> = sqlx::query_scalar(FIND_SAME)
        .bind(organization.as_str())
        .bind(lead.email.as_ref().map(Email::as_str))
        .bind(lead.phone.as_ref().map(|number| number.dialled.key()))
        .bind(lead.whatsapp.as_ref().map(|number| number.dialled.key()))
        .bind(but.map_or("", LeadId::as_str))
        .fetch_all(conn)
        .await?;
    ids.into_iter().map(|id| row::id("id", id)).collect()
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

/// Stores a lead with its tags.
pub async fn insert(
    conn: &mut Conn,
    dialect: Dialect,
    id: &LeadId,
    organization: &OrganizationId,
    lead: &NewLead,
    is_demo: bool,
    (created_at, updated_at): (Timestamp, Timestamp),
) -> sqlx::Result<()> {
    let (phone, whatsapp) = (lead.phone.as_ref(), lead.whatsapp.as_ref());
    sqlx::query(INSERT)
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
        .bind(custom(lead))
        .bind(&lead.notes)
        .bind(is_demo.then_some(created_at.0))
        .bind(created_at.0)
        .bind(updated_at.0)
        .execute(&mut *conn)
        .await?;
    add_tags(conn, dialect, organization, &[id], &lead.tags).await
}

fn custom(lead: &NewLead) -> String {
    serde_json::to_string(&lead.custom).expect("texts")
}

/// Stores what is now known of a lead, tags included.
pub async fn update(
    conn: &mut Conn,
    dialect: Dialect,
    id: &LeadId,
    organization: &OrganizationId,
    lead: &NewLead,
    now: Timestamp,
) -> sqlx::Result<()> {
    let (phone, whatsapp) = (lead.phone.as_ref(), lead.whatsapp.as_ref());
    sqlx::query(UPDATE)
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
        .bind(custom(lead))
        .bind(&lead.notes)
        .bind(now.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query(CLEAR_TAGS).bind(id.as_str()).execute(&mut *conn).await?;
    add_tags(conn, dialect, organization, &[id], &lead.tags).await
}

#[derive(Serialize)]
struct Tagged<'a> {
    tag: &'a str,
    lead_id: &'a str,
}

/// Gives each of the leads all of the tags; who has one keeps it.
pub async fn add_tags(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    leads: &[&LeadId],
    tags: &BTreeSet<String>,
) -> sqlx::Result<()> {
    let rows: Vec<Tagged<'_>> =
        leads.iter().flat_map(|lead| tags.iter().map(|tag| Tagged { tag, lead_id: lead.as_str() })).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(ADD_TAGS.of(dialect)).bind(batch(&rows)).bind(organization.as_str());
    query.execute(conn).await.map(drop)
}

/// Forgets a lead; its messages stay, and are nobody's. False when the organization has none of that id.
pub async fn delete(conn: &mut Conn, id: &LeadId, organization: &OrganizationId) -> sqlx::Result<bool> {
    sqlx::query(UNLINK).bind(id.as_str()).bind(organization.as_str()).execute(&mut *conn).await?;
    let gone = sqlx::query(DELETE).bind(id.as_str()).bind(organization.as_str()).fetch_all(conn).await?;
    Ok(!gone.is_empty())
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
