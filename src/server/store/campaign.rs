//! Campaigns: whom, when, and how far. What one sends, and where each of its people is, is in `sequence`, `enrollment`, `message`.

use super::{
    Conn, Dialect, Sql,
    row::{self, NEWEST},
};
use crate::domain::{
    audience::Audience,
    campaign::{Campaign, CampaignCounts, CampaignState, Excluded},
    id::{CampaignId, LeadId, MessageId, OrganizationId, SequenceId},
    page::{Limit, Page},
    sequence::StepCounts,
    time::Timestamp,
};
use sqlx::{Any, Database, query::Query};
use std::collections::BTreeMap;

macro_rules! select {
    () => {
        "select c.id, s.name, c.audience, c.send_at, c.state, c.gathered_at, c.started_at, c.ended_at, c.created_at, c.updated_at, \
         s.demo_at, v.plan from campaign c join sequence s on s.id = c.id \
         join sequence_version v on v.sequence_id = s.id and v.version = s.version where "
    };
}
const FIND: &str = concat!(select!(), "c.id = $1 and c.organization_id = $2");
const LIST: &str = concat!(select!(), "c.organization_id = $1 and c.id < $2 order by c.id desc limit $3");
const INSERT: &str = "insert into campaign (id, organization_id, state, audience, send_at, excluded, created_at, updated_at) \
     values ($1, $2, 'draft', $3, $4, '{}', $5, $5)";
const UPDATE: &str =
    "update campaign set audience = $3, send_at = $4, updated_at = $5 where id = $1 and organization_id = $2";
/// The first start counts; an end holds until it goes on.
const SET_STATE: &str = "update campaign set state = $3, started_at = coalesce(started_at, $4), ended_at = $5, updated_at = $6 \
     where id = $1 and organization_id = $2";
const LIST_OPEN: &str = "select id, organization_id, state from campaign where ended_at is null \
     and state in ('scheduled', 'running', 'canceled') and coalesce(send_at, 0) <= $1 order by id";
const NEXT_OPEN: &str = "select min(coalesce(send_at, 0)) from campaign where ended_at is null and state in ('scheduled', 'running', 'canceled')";
const PROGRESS: Sql = Sql {
    sqlite: "select state, gathered_to, gathered_at, excluded from campaign where id = $1 and organization_id = $2",
    postgres: "select state, gathered_to, gathered_at, excluded from campaign where id = $1 and organization_id = $2 for update",
};
const EXCLUDED: &str = "select excluded from campaign where id = $1 and organization_id = $2";
const ADVANCE: &str = "update campaign set gathered_to = $3, gathered_at = $4, excluded = $5, updated_at = $6 \
     where id = $1 and organization_id = $2";
/// A run that waits, or a message that does, off two partial indexes.
const IS_BUSY: &str = "select (select count(*) from (select 1 as one from enrollment e where e.sequence_id = $1 and e.status = 'active' limit 1) as x) \
     + (select count(*) from (select 1 as one from message m where m.sequence_id = $1 and m.step = 0 and m.status in ('queued', 'sending') limit 1) as y)";
const END_RUNS: &str = "update enrollment set status = 'stopped', stop_reason = 'canceled', updated_at = $2 where id in \
     (select e.id from enrollment e where e.sequence_id = $1 and e.status = 'active' limit $3)";
const COUNT_STOPPED: &str = "select stop_reason, count(*) from enrollment where sequence_id = $1 and stop_reason is not null group by stop_reason";
const FAILED: &str = "select id from message where sequence_id = $1 and step = 0 and status in ('failed', 'undelivered') \
     and coalesce(error_retryable, 'yes') = 'yes' and updated_at < $2 and organization_id = $3 \
     and exists (select 1 from account a where a.id = message.account_id and a.deleted_at is null) limit $4";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[
    FIND,
    LIST,
    INSERT,
    UPDATE,
    SET_STATE,
    LIST_OPEN,
    NEXT_OPEN,
    EXCLUDED,
    ADVANCE,
    IS_BUSY,
    END_RUNS,
    COUNT_STOPPED,
    FAILED,
];

/// Statements that differ.
pub const DUAL: &[Sql] = &[PROGRESS];

/// The sequence that a campaign is.
pub fn sequence_of(id: &CampaignId) -> SequenceId {
    SequenceId::parse(id.as_str()).expect("both are ids")
}

#[derive(sqlx::FromRow)]
struct CampaignRow {
    id: String,
    name: String,
    audience: String,
    send_at: Option<i64>,
    state: String,
    gathered_at: Option<i64>,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    demo_at: Option<i64>,
    plan: String,
}

impl CampaignRow {
    fn read(self) -> sqlx::Result<Campaign> {
        let mut plan = super::sequence::read_plan(&self.plan)?;
        let step = plan.steps.pop().ok_or_else(|| super::inconsistent("plan"))?;
        Ok(Campaign {
            id: row::id("id", self.id)?,
            name: self.name,
            channel: step.channel,
            template_id: step.template_id,
            template_version: step.template_version,
            audience: row::json("audience", &self.audience)?,
            account_ids: plan.account_ids,
            window: plan.window,
            skip_holidays: plan.skip_holidays,
            send_at: self.send_at.map(Timestamp),
            state: row::value("state", &self.state, CampaignState::from_name)?,
            is_gathered: self.gathered_at.is_some(),
            is_demo: self.demo_at.is_some(),
            started_at: self.started_at.map(Timestamp),
            ended_at: self.ended_at.map(Timestamp),
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        })
    }
}

/// One campaign of an organization.
pub async fn find(conn: &mut Conn, id: &CampaignId, organization: &OrganizationId) -> sqlx::Result<Option<Campaign>> {
    let query = sqlx::query_as(FIND).bind(id.as_str()).bind(organization.as_str());
    let found: Option<CampaignRow> = query.fetch_optional(conn).await?;
    found.map(CampaignRow::read).transpose()
}

/// One page of an organization's campaigns, newest first.
pub async fn list(
    conn: &mut Conn,
    organization: &OrganizationId,
    cursor: Option<&CampaignId>,
    limit: Limit,
) -> sqlx::Result<Page<Campaign>> {
    let cursor = cursor.map_or(NEWEST, CampaignId::as_str);
    let query = sqlx::query_as(LIST).bind(organization.as_str()).bind(cursor).bind(limit.asked());
    let found: Vec<CampaignRow> = query.fetch_all(conn).await?;
    let found = found.into_iter().map(CampaignRow::read).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::from_rows(found, limit, |last| last.id.to_string()))
}

/// What of a campaign is beside its sequence, and can change until it is started.
#[derive(Debug)]
pub struct Draft<'a> {
    /// Which.
    pub id: &'a CampaignId,
    /// Whom.
    pub audience: &'a Audience,
    /// When.
    pub send_at: Option<Timestamp>,
}

/// Stores a new campaign, whose sequence is there already.
pub async fn insert(
    conn: &mut Conn,
    organization: &OrganizationId,
    draft: &Draft<'_>,
    now: Timestamp,
) -> sqlx::Result<()> {
    write(sqlx::query(INSERT), conn, organization, draft, now).await
}

/// Stores whom a campaign is for, and when.
pub async fn update(
    conn: &mut Conn,
    organization: &OrganizationId,
    draft: &Draft<'_>,
    now: Timestamp,
) -> sqlx::Result<()> {
    write(sqlx::query(UPDATE), conn, organization, draft, now).await
}

async fn write(
    query: Query<'static, Any, <Any as Database>::Arguments>,
    conn: &mut Conn,
    organization: &OrganizationId,
    draft: &Draft<'_>,
    now: Timestamp,
) -> sqlx::Result<()> {
    query
        .bind(draft.id.as_str().to_owned())
        .bind(organization.as_str().to_owned())
        .bind(row::text(draft.audience))
        .bind(draft.send_at.map(|at| at.0))
        .bind(now.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Brings a campaign into a state; `started`: notes the first start.
pub async fn set_state(
    conn: &mut Conn,
    id: &CampaignId,
    organization: &OrganizationId,
    (state, ended_at): (CampaignState, Option<Timestamp>),
    started: bool,
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(SET_STATE).bind(id.as_str()).bind(organization.as_str()).bind(state.as_str());
    let query = query.bind(started.then_some(now.0)).bind(ended_at.map(|at| at.0)).bind(now.0);
    query.execute(conn).await.map(drop)
}

/// A campaign that the worker has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Which.
    pub id: CampaignId,
    /// Whose.
    pub organization: OrganizationId,
    /// Where it is.
    pub state: CampaignState,
}

/// All whose time has come.
pub async fn list_open(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Open>> {
    let found: Vec<(String, String, String)> = sqlx::query_as(LIST_OPEN).bind(now.0).fetch_all(conn).await?;
    let read = |(id, organization, state): (String, String, String)| {
        Ok(Open {
            id: row::id("id", id)?,
            organization: row::id("organization_id", organization)?,
            state: row::value("state", &state, CampaignState::from_name)?,
        })
    };
    found.into_iter().map(read).collect()
}

/// When the next campaign is to be looked at.
pub async fn next_open(conn: &mut Conn) -> sqlx::Result<Option<Timestamp>> {
    let at: Option<i64> = sqlx::query_scalar(NEXT_OPEN).fetch_one(conn).await?;
    Ok(at.map(Timestamp))
}

/// How far a campaign has gathered its people.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// Where it is.
    pub state: CampaignState,
    /// The last one who was looked at.
    pub gathered_to: Option<LeadId>,
    /// Everybody was.
    pub gathered_at: Option<Timestamp>,
    /// How many were left out, by reason.
    pub excluded: BTreeMap<String, u32>,
}

fn read_excluded(text: &str) -> sqlx::Result<BTreeMap<String, u32>> {
    serde_json::from_str(text).map_err(|_| super::inconsistent("excluded"))
}

type ProgressRow = (String, Option<String>, Option<i64>, String);

/// How far it is; nobody else moves it until the transaction ends.
pub async fn lock_progress(
    conn: &mut Conn,
    dialect: Dialect,
    id: &CampaignId,
    organization: &OrganizationId,
) -> sqlx::Result<Option<Progress>> {
    let query = sqlx::query_as(PROGRESS.of(dialect)).bind(id.as_str()).bind(organization.as_str());
    let found: Option<ProgressRow> = query.fetch_all(conn).await?.pop();
    let Some((state, gathered_to, gathered_at, excluded)) = found else { return Ok(None) };
    Ok(Some(Progress {
        state: row::value("state", &state, CampaignState::from_name)?,
        gathered_to: gathered_to.map(|id| row::id("gathered_to", id)).transpose()?,
        gathered_at: gathered_at.map(Timestamp),
        excluded: read_excluded(&excluded)?,
    }))
}

/// Notes how far it is.
pub async fn advance(
    conn: &mut Conn,
    id: &CampaignId,
    organization: &OrganizationId,
    progress: &Progress,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(ADVANCE)
        .bind(id.as_str())
        .bind(organization.as_str())
        .bind(progress.gathered_to.as_ref().map(LeadId::as_str))
        .bind(progress.gathered_at.map(|at| at.0))
        .bind(row::text(&progress.excluded))
        .bind(now.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Whether somebody waits for a message of it.
pub async fn is_busy(conn: &mut Conn, id: &CampaignId) -> sqlx::Result<bool> {
    let busy: i64 = sqlx::query_scalar(IS_BUSY).bind(id.as_str()).fetch_one(conn).await?;
    Ok(busy > 0)
}

/// Ends so many of its runs; how many it were.
pub async fn end_runs(conn: &mut Conn, id: &CampaignId, most: u32, now: Timestamp) -> sqlx::Result<u64> {
    let query = sqlx::query(END_RUNS).bind(id.as_str()).bind(now.0).bind(i64::from(most));
    Ok(query.execute(conn).await?.rows_affected())
}

/// Messages of it that failed before `now`, and whose failure may pass.
pub async fn list_failed(
    conn: &mut Conn,
    id: &CampaignId,
    organization: &OrganizationId,
    now: Timestamp,
    most: u32,
) -> sqlx::Result<Vec<MessageId>> {
    let query = sqlx::query_scalar(FAILED).bind(id.as_str()).bind(now.0).bind(organization.as_str());
    let found: Vec<String> = query.bind(i64::from(most)).fetch_all(conn).await?;
    found.into_iter().map(|id| row::id("id", id)).collect()
}

/// What came of a campaign, and whom it left out; whose it is, is known already.
pub async fn count(
    conn: &mut Conn,
    id: &CampaignId,
    organization: &OrganizationId,
) -> sqlx::Result<(CampaignCounts, Vec<Excluded>)> {
    let steps = super::sequence::count(conn, &sequence_of(id), 1).await?;
    let StepCounts { waiting, queued, sent, delivered, failed, unknown, canceled, replied, lost } =
        steps.into_iter().next().unwrap_or_default();
    let query = sqlx::query_scalar(EXCLUDED).bind(id.as_str()).bind(organization.as_str());
    let excluded: String = query.fetch_one(&mut *conn).await?;
    let mut excluded = read_excluded(&excluded)?;
    let stopped: Vec<(String, i64)> = sqlx::query_as(COUNT_STOPPED).bind(id.as_str()).fetch_all(conn).await?;
    for (reason, count) in stopped {
        *excluded.entry(reason).or_default() += u32::try_from(count).unwrap_or(u32::MAX);
    }
    if canceled > 0 {
        *excluded.entry("canceled".to_owned()).or_default() += canceled;
    }
    let excluded = excluded.into_iter().map(|(reason, count)| Excluded { reason, count }).collect();
    let counts = CampaignCounts { queued: waiting + queued, sent, delivered, failed, unknown, replied, lost };
    Ok((counts, excluded))
}
