//! The runs of leads through sequences.

use super::{
    Conn, Dialect, Sql, batch, batch_of_ids, gather, gathered,
    row::{self, NEWEST},
    rows,
};
use crate::domain::{
    channel::Channel,
    id::{AccountId, EnrollmentId, LeadId, MessageId, OrganizationId, SequenceId},
    message::Status,
    page::{Limit, Page},
    sequence::{Enrollment, EnrollmentStatus, StopReason},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

macro_rules! insert {
    ($dialect:ident) => {
        concat!(
            "insert into enrollment (id, organization_id, sequence_id, version, lead_id, status, step, channel, due_at, senders, created_at, updated_at) \
             select x.id, $2, $3, $4, x.lead_id, 'active', x.step, x.channel, x.due_at, '{}', $5, $5 from ",
            rows!($dialect, id text, lead_id text, step bigint, channel text, due_at bigint),
            " where exists (select 1 from lead l where l.id = x.lead_id and l.organization_id = $2) \
             on conflict (sequence_id, lead_id) where status = 'active' do nothing returning lead_id"
        )
    };
}
/// A lead that is active in the sequence stays where it is.
const INSERT: Sql = Sql { sqlite: insert!(sqlite), postgres: insert!(postgres) };
const DUE: &str = "select s.id, s.organization_id, c.channel from sequence s \
     cross join (select 'email' as channel union all select 'sms' union all select 'whatsapp') c \
     where s.active_since is not null and exists (select 1 from enrollment e where e.sequence_id = s.id \
     and e.channel = c.channel and e.status = 'active' and e.due_at <= $1) order by s.id, c.channel";
const NEXT_DUE: &str = "select (select min(e.due_at) from enrollment e where e.sequence_id = s.id and e.channel = c.channel \
     and e.status = 'active') from sequence s \
     cross join (select 'email' as channel union all select 'sms' union all select 'whatsapp') c where s.active_since is not null";
macro_rules! take {
    ($dialect:ident, $lock:literal) => {
        gather!(
            $dialect,
            [id, lead_id, version, step, senders, message_status, accepted_at],
            "select e.id, e.lead_id, e.version, e.step, e.senders, m.status as message_status, m.accepted_at \
             from enrollment e left join message m on m.enrollment_id = e.id and m.step = e.step - 1 \
             where e.sequence_id = $1 and e.channel = $2 and e.status = 'active' and e.due_at <= $3 \
             order by e.due_at, e.id limit $4",
            $lock
        )
    };
}
const TAKE: Sql = Sql { sqlite: take!(sqlite, ""), postgres: take!(postgres, " for update of e skip locked") };
macro_rules! advance {
    ($dialect:ident) => {
        concat!(
            "update enrollment set status = x.status, stop_reason = x.stop_reason, step = x.step, channel = x.channel, \
             due_at = x.due_at, senders = x.senders, updated_at = $2 from ",
            rows!($dialect, id text, status text, stop_reason text, step bigint, channel text, due_at bigint, senders text),
            " where enrollment.id = x.id and enrollment.status = 'active'"
        )
    };
}
const ADVANCE: Sql = Sql { sqlite: advance!(sqlite), postgres: advance!(postgres) };
const STOP: &str = "update enrollment set status = 'stopped', stop_reason = $3, updated_at = $4 \
     where id = $1 and organization_id = $2 and status = 'active' returning id";
/// Whatever sequences the lead is in.
const STOP_OF_LEAD: &str = "update enrollment set status = 'stopped', stop_reason = $3, updated_at = $4 \
     where lead_id = $1 and organization_id = $2 and status = 'active' returning id";
/// Where an answer ends the run.
const STOP_ON_REPLY: &str = "update enrollment set status = 'stopped', stop_reason = 'replied', updated_at = $3 \
     where lead_id = $1 and organization_id = $2 and status = 'active' and exists \
     (select 1 from sequence s where s.id = enrollment.sequence_id and s.stop_on_reply = 'yes') returning id";
macro_rules! stop_by_tag {
    ($dialect:ident) => {
        concat!(
            "update enrollment set status = 'stopped', stop_reason = 'tagged', updated_at = $3 where lead_id in (select x.id from ",
            rows!($dialect, id text),
            ") and organization_id = $2 and status = 'active' and exists (select 1 from lead_tag t join sequence_stop_tag s on s.tag = t.tag \
             where t.lead_id = enrollment.lead_id and s.sequence_id = enrollment.sequence_id) returning id"
        )
    };
}
/// Where a tag that the lead has ends the run.
const STOP_BY_TAG: Sql = Sql { sqlite: stop_by_tag!(sqlite), postgres: stop_by_tag!(postgres) };
macro_rules! list_of_leads {
    ($dialect:ident) => {
        concat!("select e.id from ", rows!($dialect, id text), " cross join enrollment e where e.lead_id = x.id and e.organization_id = $2")
    };
}
/// All runs of some leads, whatever became of them.
const LIST_OF_LEADS: Sql = Sql { sqlite: list_of_leads!(sqlite), postgres: list_of_leads!(postgres) };
/// The first answer to a step that has left: of all runs of the lead that are not long over.
const NOTE_REPLY: &str = "update enrollment set replied_step = step - 1 where lead_id = $1 and organization_id = $2 \
     and replied_step is null and step > 0 and updated_at > $3";
const HOLD: &str = "update enrollment set due_at = $3, updated_at = $4 where lead_id = $1 and organization_id = $2 \
     and status = 'active' and due_at < $3";
macro_rules! cancel {
    ($dialect:ident) => {
        concat!(
            "update message set status = 'canceled', waiting_reason = null, waiting_since = null, waiting_until = null, \
             waiting_detail = null, updated_at = $2 where status = 'queued' and enrollment_id in (select x.id from ",
            rows!($dialect, id text),
            ") returning id"
        )
    };
}
/// What these runs had queued, and nobody has claimed yet.
const CANCEL: Sql = Sql { sqlite: cancel!(sqlite), postgres: cancel!(postgres) };
/// What a sequence has queued: straight to each of its steps in the index, past all that has left.
macro_rules! queued {
    () => {
        " where sequence_id = $1 and organization_id = $2 and status = 'queued' and step in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, \
         13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, \
         45, 46, 47, 48, 49)"
    };
}
const CANCEL_ALL: &str = concat!(
    "update message set status = 'canceled', waiting_reason = null, waiting_since = null, waiting_until = null, \
     waiting_detail = null, updated_at = $3",
    queued!()
);
/// So far away that nobody sends it.
const HOLD_BACK: &str = concat!(
    "update message set due_at = 9000000000000000, waiting_reason = 'paused', waiting_since = $3, waiting_until = null, \
     waiting_detail = $4, updated_at = $3",
    queued!()
);
const RELEASE: &str = concat!(
    "update message set due_at = $3, waiting_reason = null, waiting_since = null, waiting_until = null, \
     waiting_detail = null, updated_at = $3",
    queued!(),
    " and waiting_reason = 'paused'"
);
const EXISTS: &str = "select id from enrollment where id = $1 and organization_id = $2";
const LIST_ANSWERED: &str = "select distinct m.enrollment_id from message m join sequence s on s.id = m.sequence_id \
     where m.lead_id = $1 and m.organization_id = $2 and m.status = 'queued' and s.stop_on_reply = 'yes'";
const LIST: &str = "select e.id, e.sequence_id, e.lead_id, coalesce(nullif(l.name, ''), l.email, l.phone, l.whatsapp) as lead, \
     e.status, e.stop_reason, e.step, e.due_at, e.created_at from enrollment e join lead l on l.id = e.lead_id \
     where e.sequence_id = $1 and e.organization_id = $2 and e.id < $3 and (cast($4 as text) is null or e.status = $4) \
     order by e.id desc limit $5";
const LIST_OF_LEAD: &str = "select e.id, e.sequence_id, e.lead_id, s.name as lead, \
     e.status, e.stop_reason, e.step, e.due_at, e.created_at from enrollment e join sequence s on s.id = e.sequence_id \
     where e.lead_id = $1 and e.organization_id = $2 order by e.id desc limit 50";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[
    DUE,
    NEXT_DUE,
    STOP,
    STOP_OF_LEAD,
    STOP_ON_REPLY,
    NOTE_REPLY,
    HOLD,
    CANCEL_ALL,
    HOLD_BACK,
    RELEASE,
    EXISTS,
    LIST_ANSWERED,
    LIST,
    LIST_OF_LEAD,
];

/// Statements that differ.
pub const DUAL: &[Sql] = &[INSERT, TAKE, ADVANCE, STOP_BY_TAG, LIST_OF_LEADS, CANCEL];

/// A run that is to begin.
#[derive(Debug, Serialize)]
pub struct NewEnrollment<'a> {
    /// Its id.
    pub id: EnrollmentId,
    /// Whose run.
    pub lead_id: &'a str,
    /// The first step.
    pub step: u32,
    /// Its channel.
    pub channel: &'static str,
    /// Unix milliseconds.
    pub due_at: i64,
}

/// Begins runs, all or those that can; the leads that have begun.
pub async fn insert(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    (sequence, version): (&SequenceId, u32),
    new: &[NewEnrollment<'_>],
    now: Timestamp,
) -> sqlx::Result<Vec<LeadId>> {
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let begun: Vec<String> = sqlx::query_scalar(INSERT.of(dialect))
        .bind(batch(new))
        .bind(organization.as_str())
        .bind(sequence.as_str())
        .bind(i64::from(version))
        .bind(now.0)
        .fetch_all(conn)
        .await?;
    begun.into_iter().map(|id| row::id("lead_id", id)).collect()
}

/// A channel of an active sequence on which a step is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Which sequence.
    pub sequence: SequenceId,
    /// Whose.
    pub organization: OrganizationId,
    /// Which channel.
    pub channel: Channel,
}

/// Where steps are due.
pub async fn list_due(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Due>> {
    let found: Vec<(String, String, String)> = sqlx::query_as(DUE).bind(now.0).fetch_all(conn).await?;
    let read = |(sequence, organization, channel): (String, String, String)| {
        Ok(Due {
            sequence: row::id("id", sequence)?,
            organization: row::id("organization_id", organization)?,
            channel: row::value("channel", &channel, Channel::from_name)?,
        })
    };
    found.into_iter().map(read).collect()
}

/// When a step is due next, of each channel of each active sequence.
pub async fn list_next_due(conn: &mut Conn) -> sqlx::Result<Vec<Timestamp>> {
    let due: Vec<Option<i64>> = sqlx::query_scalar(NEXT_DUE).fetch_all(conn).await?;
    Ok(due.into_iter().flatten().map(Timestamp).collect())
}

/// Who wrote to a lead, by the names of channels.
pub type Senders = BTreeMap<String, AccountId>;

/// A run whose step is due.
#[derive(Debug, Clone)]
pub struct Run {
    /// The run.
    pub id: EnrollmentId,
    /// Whose.
    pub lead_id: LeadId,
    /// The version of the plan.
    pub version: u32,
    /// Which step.
    pub step: u32,
    /// Who writes to this lead.
    pub senders: Senders,
    /// Where the message of the step before is, and when it left; `None` when there was none.
    pub before: Option<(Status, Option<Timestamp>)>,
}

#[derive(Deserialize)]
struct RunRow {
    id: EnrollmentId,
    lead_id: LeadId,
    version: u32,
    step: u32,
    senders: String,
    message_status: Option<String>,
    accepted_at: Option<i64>,
}

/// Runs whose step is due, the longest due first, which nobody else changes until the transaction ends.
pub async fn take(conn: &mut Conn, dialect: Dialect, due: &Due, now: Timestamp, most: i64) -> sqlx::Result<Vec<Run>> {
    let query = sqlx::query_scalar(TAKE.of(dialect)).bind(due.sequence.as_str()).bind(due.channel.as_str());
    let text: String = query.bind(now.0).bind(most).fetch_one(conn).await?;
    let read = |found: RunRow| {
        let status = found.message_status.map(|status| row::value("status", &status, Status::from_name)).transpose()?;
        Ok(Run {
            id: found.id,
            lead_id: found.lead_id,
            version: found.version,
            step: found.step,
            senders: row::json("senders", &found.senders)?,
            before: status.map(|status| (status, found.accepted_at.map(Timestamp))),
        })
    };
    gathered(&text)?.into_iter().map(read).collect()
}

/// Where a run goes on, or that it is over.
#[derive(Debug, Serialize)]
pub struct Advance<'a> {
    /// The run.
    pub id: &'a str,
    /// [`EnrollmentStatus::as_str`].
    pub status: &'static str,
    /// [`StopReason::as_str`].
    pub stop_reason: Option<&'static str>,
    /// The next step.
    pub step: u32,
    /// Its channel.
    pub channel: &'static str,
    /// Unix milliseconds.
    pub due_at: i64,
    /// JSON of [`Senders`].
    pub senders: String,
}

/// Writes down where runs go on.
pub async fn advance(conn: &mut Conn, dialect: Dialect, runs: &[Advance<'_>], now: Timestamp) -> sqlx::Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    sqlx::query(ADVANCE.of(dialect)).bind(batch(runs)).bind(now.0).execute(conn).await.map(drop)
}

fn ids(found: Vec<String>) -> sqlx::Result<Vec<EnrollmentId>> {
    found.into_iter().map(|id| row::id("id", id)).collect()
}

/// Ends a run; nothing when it is over, or not the organization's.
pub async fn stop(
    conn: &mut Conn,
    id: &EnrollmentId,
    organization: &OrganizationId,
    reason: StopReason,
    now: Timestamp,
) -> sqlx::Result<Vec<EnrollmentId>> {
    let query = sqlx::query_scalar(STOP).bind(id.as_str()).bind(organization.as_str()).bind(reason.as_str());
    ids(query.bind(now.0).fetch_all(conn).await?)
}

/// Ends all runs of a lead.
pub async fn stop_of_lead(
    conn: &mut Conn,
    lead: &LeadId,
    organization: &OrganizationId,
    reason: StopReason,
    now: Timestamp,
) -> sqlx::Result<Vec<EnrollmentId>> {
    let query = sqlx::query_scalar(STOP_OF_LEAD).bind(lead.as_str()).bind(organization.as_str()).bind(reason.as_str());
    ids(query.bind(now.0).fetch_all(conn).await?)
}

/// Ends the runs of a lead that an answer ends.
pub async fn stop_on_reply(
    conn: &mut Conn,
    lead: &LeadId,
    organization: &OrganizationId,
    now: Timestamp,
) -> sqlx::Result<Vec<EnrollmentId>> {
    let query = sqlx::query_scalar(STOP_ON_REPLY).bind(lead.as_str()).bind(organization.as_str()).bind(now.0);
    ids(query.fetch_all(conn).await?)
}

/// Ends the runs of leads that one of their tags ends.
pub async fn stop_by_tag(
    conn: &mut Conn,
    dialect: Dialect,
    leads: &[LeadId],
    organization: &OrganizationId,
    now: Timestamp,
) -> sqlx::Result<Vec<EnrollmentId>> {
    let query =
        sqlx::query_scalar(STOP_BY_TAG.of(dialect)).bind(batch_of_ids(leads)).bind(organization.as_str()).bind(now.0);
    ids(query.fetch_all(conn).await?)
}

/// All runs of some leads of an organization.
pub async fn list_of_leads(
    conn: &mut Conn,
    dialect: Dialect,
    leads: &[LeadId],
    organization: &OrganizationId,
) -> sqlx::Result<Vec<EnrollmentId>> {
    let query = sqlx::query_scalar(LIST_OF_LEADS.of(dialect)).bind(batch_of_ids(leads)).bind(organization.as_str());
    ids(query.fetch_all(conn).await?)
}

/// Notes which step a lead has answered first, in runs that moved after `since`.
pub async fn note_reply(
    conn: &mut Conn,
    lead: &LeadId,
    organization: &OrganizationId,
    since: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(NOTE_REPLY).bind(lead.as_str()).bind(organization.as_str()).bind(since.0);
    query.execute(conn).await.map(drop)
}

/// Nothing more is due for a lead before an instant.
pub async fn hold(
    conn: &mut Conn,
    lead: &LeadId,
    organization: &OrganizationId,
    until: Timestamp,
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(HOLD).bind(lead.as_str()).bind(organization.as_str()).bind(until.0).bind(now.0);
    query.execute(conn).await.map(drop)
}

/// Cancels what runs had queued and nobody has claimed.
pub async fn cancel(
    conn: &mut Conn,
    dialect: Dialect,
    runs: &[EnrollmentId],
    now: Timestamp,
) -> sqlx::Result<Vec<MessageId>> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query_scalar(CANCEL.of(dialect)).bind(batch_of_ids(runs)).bind(now.0);
    let found: Vec<String> = query.fetch_all(conn).await?;
    found.into_iter().map(|id| row::id("id", id)).collect()
}

/// Cancels all that a sequence has queued.
pub async fn cancel_all(
    conn: &mut Conn,
    sequence: &SequenceId,
    organization: &OrganizationId,
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(CANCEL_ALL).bind(sequence.as_str()).bind(organization.as_str());
    query.bind(now.0).execute(conn).await.map(drop)
}

/// Keeps what a sequence has queued where it is; `why` is for people.
pub async fn hold_back(
    conn: &mut Conn,
    sequence: &SequenceId,
    organization: &OrganizationId,
    why: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(HOLD_BACK).bind(sequence.as_str()).bind(organization.as_str());
    query.bind(now.0).bind(why).execute(conn).await.map(drop)
}

/// Lets go on what was held back.
pub async fn release(
    conn: &mut Conn,
    sequence: &SequenceId,
    organization: &OrganizationId,
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(RELEASE).bind(sequence.as_str()).bind(organization.as_str());
    query.bind(now.0).execute(conn).await.map(drop)
}

/// Whether the organization has such a run.
pub async fn exists(conn: &mut Conn, id: &EnrollmentId, organization: &OrganizationId) -> sqlx::Result<bool> {
    let query = sqlx::query(EXISTS).bind(id.as_str()).bind(organization.as_str());
    Ok(query.fetch_optional(conn).await?.is_some())
}

/// Runs of a lead that an answer ends and that have a message queued, over or not.
pub async fn list_answered(
    conn: &mut Conn,
    lead: &LeadId,
    organization: &OrganizationId,
) -> sqlx::Result<Vec<EnrollmentId>> {
    ids(sqlx::query_scalar(LIST_ANSWERED).bind(lead.as_str()).bind(organization.as_str()).fetch_all(conn).await?)
}

type EnrollmentRow = (String, String, String, Option<String>, String, Option<String>, i64, i64, i64);

fn read(row: EnrollmentRow) -> sqlx::Result<Enrollment> {
    let (id, sequence, lead_id, lead, status, reason, step, due_at, created_at) = row;
    let status = row::value("status", &status, EnrollmentStatus::from_name)?;
    Ok(Enrollment {
        id: row::id("id", id)?,
        sequence_id: row::id("sequence_id", sequence)?,
        lead_id: row::id("lead_id", lead_id)?,
        lead: lead.unwrap_or_default(),
        status,
        stop_reason: reason.map(|reason| row::value("stop_reason", &reason, StopReason::from_name)).transpose()?,
        step: row::count("step", step)?,
        next_step_at: (status == EnrollmentStatus::Active).then_some(Timestamp(due_at)),
        created_at: Timestamp(created_at),
    })
}

/// One page of the runs of a sequence, newest first.
pub async fn list(
    conn: &mut Conn,
    organization: &OrganizationId,
    sequence: &SequenceId,
    status: Option<EnrollmentStatus>,
    cursor: Option<&EnrollmentId>,
    limit: Limit,
) -> sqlx::Result<Page<Enrollment>> {
    let found: Vec<EnrollmentRow> = sqlx::query_as(LIST)
        .bind(sequence.as_str())
        .bind(organization.as_str())
        .bind(cursor.map_or(NEWEST, EnrollmentId::as_str))
        .bind(status.map(EnrollmentStatus::as_str))
        .bind(limit.asked())
        .fetch_all(conn)
        .await?;
    let found = found.into_iter().map(read).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::from_rows(found, limit, |last| last.id.to_string()))
}

/// The newest runs of a lead; `lead` of each is the name of its sequence.
pub async fn list_of_lead(
    conn: &mut Conn,
    organization: &OrganizationId,
    lead: &LeadId,
) -> sqlx::Result<Vec<Enrollment>> {
    let query = sqlx::query_as(LIST_OF_LEAD).bind(lead.as_str()).bind(organization.as_str());
    let found: Vec<EnrollmentRow> = query.fetch_all(conn).await?;
    found.into_iter().map(read).collect()
}
