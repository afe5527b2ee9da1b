//! Which leads an audience means, page by page.

use super::{
    Conn, Dialect, Sql, batch,
    lead::{LeadRow, add_known_tags, contacted, replied, select},
    message::like,
    row::NEWEST,
    rows,
};
use crate::domain::{
    audience::{Audience, Op, Order, Place},
    id::{LeadId, OrganizationId},
    lead::Lead,
    page::{Limit, Page},
    time::{DAY, Timestamp},
};
use serde::Serialize;
use std::borrow::Cow;

/// The text of the field that a condition names.
macro_rules! text {
    (sqlite) => {
        text!("l.custom ->> x.rest")
    };
    (postgres) => {
        text!("cast(l.custom as json) ->> x.rest")
    };
    ($custom:literal) => {
        concat!(
            "coalesce(case x.field when 'name' then l.name when 'company' then l.company when 'email' then l.email \
             when 'phone' then l.phone_number when 'whatsapp' then l.whatsapp_number when 'time_zone' then l.time_zone \
             when 'any' then l.name || '\n' || coalesce(l.company, '') || '\n' || coalesce(l.email, '') || '\n' || \
             coalesce(l.phone, '') || '\n' || coalesce(l.phone_number, '') || '\n' || coalesce(l.whatsapp_number, '') \
             when 'custom' then ",
            $custom,
            " end, '')"
        )
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
/// Whether the audience means a lead: the conditions $1, the organization $2, the pattern $3. What cannot be read off the lead
/// itself is one look into an index, however long the lead's history is.
macro_rules! meant {
    ($dialect:ident) => {
        concat!(
            " l.organization_id = $2 and (cast($3 as text) is null or lower(l.name) like lower($3) escape '!' \
             or lower(l.company) like lower($3) escape '!' or l.email like lower($3) escape '!' or l.phone_number like $3 escape '!' \
             or l.phone like $3 escape '!' or l.whatsapp_number like $3 escape '!') \
             and not exists (select 1 from ",
            rows!($dialect, field text, rest text, op text, value text, at bigint, wanted bigint),
            " where x.wanted <> case when (case when x.op = 'within' or x.field in ('created', 'contacted', 'replied') then ",
            instant!(),
            // Stored instants are never 0.
            " >= case when x.op = 'within' then x.at else 1 end \
             when x.field = 'tag' then exists (select 1 from lead_tag t where t.lead_id = l.id \
             and (x.op = 'is_set' or t.tag = x.value)) \
             when x.field = 'sequence' then exists (select 1 from enrollment e where e.lead_id = l.id \
             and e.status = 'active' and (x.rest = '' or e.sequence_id = x.rest)) \
             when x.op = 'is' then lower(",
            text!($dialect),
            ") = lower(x.value) when x.op = 'like' then lower(",
            text!($dialect),
            ") like lower(x.value) escape '!' else ",
            text!($dialect),
            " <> '' end) then 1 else 0 end)"
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
macro_rules! key {
    (name, $lead:literal) => {
        concat!(
            "coalesce(nullif(lower(",
            $lead,
            ".name), ''), ",
            $lead,
            ".email, ",
            $lead,
            ".phone_number, ",
            $lead,
            ".whatsapp_number, '')"
        )
    };
    (company, $lead:literal) => {
        concat!("(case when ", $lead, ".company is null then '1' else '0' || lower(", $lead, ".company) end)")
    };
}
/// So many leads of an organization behind a place in an order. The key alone is what SQLite begins at in the index.
macro_rules! behind {
    ($key:ident, $organization:literal, $after:literal, $id:literal, $count:literal) => {
        concat!(
            "(select i.id as id, ",
            key!($key, "i"),
            " as key from lead i where i.organization_id = ",
            $organization,
            " and ",
            key!($key, "i"),
            " >= ",
            $after,
            " and (",
            key!($key, "i"),
            ", i.id) > (",
            $after,
            ", ",
            $id,
            ") order by ",
            key!($key, "i"),
            ", i.id limit ",
            $count,
            ") as w"
        )
    };
}
macro_rules! list_by {
    ($dialect:ident, $key:ident) => {
        concat!(
            select!(),
            behind!($key, "$2", "$4", "$5", "$6"),
            " cross join lead l where l.id = w.id and",
            meant!($dialect),
            " and ($7 = '' or exists (select 1 from lead_tag g where g.lead_id = l.id and g.tag = $7)) order by w.key, l.id limit $8"
        )
    };
}
/// A page of an audience in another order, of so many leads as are looked at.
const LIST_BY_NAME: Sql = Sql { sqlite: list_by!(sqlite, name), postgres: list_by!(postgres, name) };
const LIST_BY_COMPANY: Sql = Sql { sqlite: list_by!(sqlite, company), postgres: list_by!(postgres, company) };
macro_rules! end_by {
    ($key:ident) => {
        concat!(
            "select w.key, w.id, count(*) over () as seen from ",
            behind!($key, "$1", "$2", "$3", "$4"),
            " order by w.key desc, w.id desc limit 1"
        )
    };
}
/// The last of so many leads behind a place, and how many they are.
const END_BY_NAME: &str = end_by!(name);
const END_BY_COMPANY: &str = end_by!(company);
const NAME_KEY: &str = concat!("select ", key!(name, "l"), " from lead l where l.id = $1 and l.organization_id = $2");
const COMPANY_KEY: &str =
    concat!("select ", key!(company, "l"), " from lead l where l.id = $1 and l.organization_id = $2");
macro_rules! count {
    ($dialect:ident) => {
        concat!("select count(*) from lead l where", meant!($dialect), " and l.id >= $4")
    };
}
const COUNT: Sql = Sql { sqlite: count!(sqlite), postgres: count!(postgres) };
macro_rules! count_tagged {
    ($dialect:ident) => {
        concat!(
            "select count(*) from lead_tag g cross join lead l where l.id = g.lead_id and g.organization_id = $2 and g.tag = $5 and",
            meant!($dialect),
            " and g.lead_id >= $4"
        )
    };
}
const COUNT_TAGGED: Sql = Sql { sqlite: count_tagged!(sqlite), postgres: count_tagged!(postgres) };
/// How many leads there are from the cursor on, up to a number, and the last one of them: where a search ends.
const REACH: &str = "select count(*), min(q.id) from (select l.id from lead l where l.organization_id = $1 and l.id < $2 \
     order by l.id desc limit $3) as q";
const REACH_TAGGED: &str = "select count(*), min(q.id) from (select g.lead_id as id from lead_tag g where g.organization_id = $1 \
     and g.lead_id < $2 and g.tag = $4 order by g.lead_id desc limit $3) as q";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[REACH, REACH_TAGGED, END_BY_NAME, END_BY_COMPANY, NAME_KEY, COMPANY_KEY];

/// Statements that differ.
pub const DUAL: &[Sql] = &[LIST, LIST_TAGGED, LIST_BY_NAME, LIST_BY_COMPANY, COUNT, COUNT_TAGGED];

/// Leads that a search reads for one page.
pub const SEARCHED: u32 = 20_000;
/// Leads that are counted where nothing but a tag, or nothing at all, is asked of them.
const COUNTED: u32 = 100_000;

/// A condition as the statements read it: what holds, and whether it is to hold.
#[derive(Serialize)]
struct Asked<'a> {
    field: &'a str,
    /// What stands behind the field's dot.
    rest: &'a str,
    op: &'static str,
    value: String,
    at: i64,
    wanted: u8,
}

/// The conditions of an audience for $1; `now` is where days are counted back from.
fn asked(audience: &Audience, now: Timestamp) -> String {
    let asked = audience.conditions.iter().map(|condition| {
        let days = || condition.value.parse::<i64>().unwrap_or_default();
        let (field, rest) = condition.field.split_once('.').unwrap_or((&condition.field, ""));
        let (op, value) = match condition.op {
            Op::Is | Op::IsNot => ("is", condition.value.clone()),
            Op::Contains => ("like", like(&condition.value)),
            Op::StartsWith => ("like", like(&condition.value).split_off(1)),
            Op::IsSet | Op::IsNotSet => ("is_set", String::new()),
            Op::Within | Op::NotWithin => ("within", String::new()),
        };
        let wanted = u8::from(!matches!(condition.op, Op::IsNot | Op::IsNotSet | Op::NotWithin));
        let at = if op == "within" { now.0 - days() * DAY } else { 0 };
        Asked { field, rest, op, value, at, wanted }
    });
    batch(&asked.collect::<Vec<_>>())
}

/// The audience with what its segment asks for, as that is now; `None` when the organization has no such segment.
async fn resolved<'a>(
    conn: &mut Conn,
    organization: &OrganizationId,
    audience: &'a Audience,
) -> sqlx::Result<Option<Cow<'a, Audience>>> {
    if audience.segment.is_empty() {
        return Ok(Some(Cow::Borrowed(audience)));
    }
    let segment = match audience.segment.parse() {
        Ok(id) => super::segment::find(conn, &id, organization).await?,
        Err(_) => None,
    };
    let asked = Audience { segment: String::new(), ..audience.clone() };
    Ok(segment.map(|segment| Cow::Owned(asked.and(segment.audience))))
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
    let Some(audience) = resolved(conn, organization, audience).await? else {
        return Ok(Page { data: Vec::new(), next_cursor: None });
    };
    let cursor = cursor.map_or(NEWEST, LeadId::as_str);
    let is_search = !audience.q.is_empty() || !audience.conditions.is_empty();
    let reach = if is_search { reach(conn, organization, &audience.tag, cursor, searched).await? } else { None };
    let is_tagged = !audience.tag.is_empty();
    let query = if is_tagged { sqlx::query_as(LIST_TAGGED.of(dialect)) } else { sqlx::query_as(LIST.of(dialect)) };
    let mut query = query
        .bind(asked(&audience, now))
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

/// One page in an order, from behind a place. A search reads `searched` leads and no more, as in [`list`].
pub async fn list_in(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    (audience, order): (&Audience, Order),
    place: Option<&Place>,
    limit: Limit,
    searched: u32,
    now: Timestamp,
) -> sqlx::Result<Page<Lead>> {
    let (list, end, key) = match order {
        Order::Newest => {
            let cursor = place.map(|place| &place.id);
            return list(conn, dialect, organization, audience, cursor, limit, searched, now).await;
        }
        Order::Name => {
            (sqlx::query_as(LIST_BY_NAME.of(dialect)), sqlx::query_as(END_BY_NAME), sqlx::query_scalar(NAME_KEY))
        }
        Order::Company => (
            sqlx::query_as(LIST_BY_COMPANY.of(dialect)),
            sqlx::query_as(END_BY_COMPANY),
            sqlx::query_scalar(COMPANY_KEY),
        ),
    };
    let Some(audience) = resolved(conn, organization, audience).await? else {
        return Ok(Page { data: Vec::new(), next_cursor: None });
    };
    let (after, id) = place.map_or(("", ""), |place| (place.key.as_str(), place.id.as_str()));
    let is_search = !audience.q.is_empty() || !audience.conditions.is_empty() || !audience.tag.is_empty();
    let looked_at = if is_search { i64::from(searched) } else { limit.asked() };
    let rows: Vec<LeadRow> = list
        .bind(asked(&audience, now))
        .bind(organization.as_str())
        .bind(Some(&audience.q).filter(|q| !q.is_empty()).map(|q| like(q)))
        .bind(after.to_owned())
        .bind(id.to_owned())
        .bind(looked_at)
        .bind(&audience.tag)
        .bind(limit.asked())
        .fetch_all(&mut *conn)
        .await?;
    let leads = rows.into_iter().map(LeadRow::read).collect::<sqlx::Result<Vec<_>>>()?;
    let mut page = Page::from_rows(leads, limit, |lead| lead.id.to_string());
    if page.next_cursor.is_some() {
        if let Some(id) = page.data.last().map(|lead| lead.id.clone()) {
            let key: String =
                key.bind(id.as_str().to_owned()).bind(organization.as_str()).fetch_one(&mut *conn).await?;
            page.next_cursor = Some(Place { key, id }.to_string());
        }
    } else if is_search {
        let end: Option<(String, String, i64)> = end
            .bind(organization.as_str())
            .bind(after.to_owned())
            .bind(id.to_owned())
            .bind(looked_at)
            .fetch_optional(&mut *conn)
            .await?;
        if let Some((key, id, seen)) = end
            && seen >= looked_at
        {
            page.next_cursor = Some(Place { key, id: super::row::id("id", id)? }.to_string());
        }
    }
    add_known_tags(conn, dialect, &mut page.data).await?;
    Ok(page)
}

/// How many leads an audience means, and whether there may be more: the newest so many are looked at, and no others.
pub async fn count(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    audience: &Audience,
    now: Timestamp,
) -> sqlx::Result<(u32, bool)> {
    let Some(audience) = resolved(conn, organization, audience).await? else { return Ok((0, false)) };
    let is_search = !audience.q.is_empty() || !audience.conditions.is_empty();
    let looked_at = if is_search { SEARCHED } else { COUNTED };
    let reach = reach(conn, organization, &audience.tag, NEWEST, looked_at).await?;
    let is_tagged = !audience.tag.is_empty();
    let query =
        if is_tagged { sqlx::query_scalar(COUNT_TAGGED.of(dialect)) } else { sqlx::query_scalar(COUNT.of(dialect)) };
    let mut query = query
        .bind(asked(&audience, now))
        .bind(organization.as_str())
        .bind(Some(&audience.q).filter(|q| !q.is_empty()).map(|q| like(q)))
        .bind(reach.as_deref().unwrap_or_default());
    if is_tagged {
        query = query.bind(&audience.tag);
    }
    let count: i64 = query.fetch_one(conn).await?;
    Ok((super::row::count("count", count)?, reach.is_some()))
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
