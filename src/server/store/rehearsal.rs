//! What a forecast needs of an organization, copied into a database of its own; and what came of it there.

use super::{Conn, Dialect, Sql, batch_of_ids, gather, gathered, row, rows};
use crate::domain::{
    channel::Channel,
    id::{AccountId, LeadId, OrganizationId, SequenceId},
    rehearsal::Planned,
    time::Timestamp,
};
use serde::Deserialize;

/// Rows that are copied at a time.
pub const PAGE: u16 = 1_000;

/// A source of rows as it stands.
macro_rules! plain {
    ($dialect:ident, $from:literal) => {
        $from
    };
}
/// A source of rows beside the ids of `$1`, which are `x`; a `cross join` keeps SQLite from walking the other table.
macro_rules! of_ids {
    ($dialect:ident, $from:literal) => {
        concat!(rows!($dialect, id text), " cross join ", $from)
    };
}
/// Writes rows of a table to another database.
macro_rules! put {
    ($table:literal, [$first:ident $first_kind:ident $(, $column:ident $kind:ident)*]) => {
        Sql {
            sqlite: put!(sqlite, $table, [$first $first_kind $(, $column $kind)*]),
            postgres: put!(postgres, $table, [$first $first_kind $(, $column $kind)*]),
        }
    };
    ($dialect:ident, $table:literal, [$first:ident $first_kind:ident $(, $column:ident $kind:ident)*]) => {
        concat!(
            "insert into ", $table, " (", stringify!($first), $(", ", stringify!($column),)* ") select x.", stringify!($first),
            $(", x.", stringify!($column),)* " from ", rows!($dialect, $first $first_kind $(, $column $kind)*),
            " where true on conflict do nothing"
        )
    };
}
/// Reads rows `t` of a table on either engine, and writes them to another database.
macro_rules! copied {
    ($table:literal, [$($column:ident $kind:ident),+], $source:ident!($from:literal)) => {
        [
            Sql {
                sqlite: copied!(sqlite, [$($column),+], $source!($from)),
                postgres: copied!(postgres, [$($column),+], $source!($from)),
            },
            put!($table, [$($column $kind),+]),
        ]
    };
    ($dialect:ident, [$first:ident $(, $column:ident)*], $source:ident!($from:literal)) => {
        gather!(
            $dialect, [$first $(, $column)*],
            "select t.", stringify!($first), $(", t.", stringify!($column),)* " from ", $source!($dialect, $from)
        )
    };
}
const ORGANIZATION: [Sql; 2] = copied!("organization", [id text, name text, created_at bigint, rules text], plain!("organization t where t.id = $1"));
const ACCOUNTS: [Sql; 2] = copied!("account", [id text, organization_id text, channel text, address text, display_name text, daily_limit bigint, time_zone text, secret text, paused_at bigint, connection_status text, last_error text, stopped_at bigint, demo_at bigint, created_at bigint, deleted_at bigint, provider text, settings text, rate_per_second bigint, min_gap_seconds bigint, limit_window text, warmup_start bigint, warmup_step bigint, warmup_since bigint, on_unknown text, platform text], plain!("account t where t.organization_id = $1"));
const LANES: [Sql; 2] = copied!("lane", [account_id text, next_at bigint, last_day text, failures bigint, blocked_reason text, blocked_since bigint, blocked_until bigint, blocked_detail text], plain!("lane t join account a on a.id = t.account_id where a.organization_id = $1"));
// Of the last days: no limit looks back further.
const USAGE: [Sql; 2] = copied!("usage", [account_id text, day text, used bigint, elsewhere bigint], plain!("usage t join account a on a.id = t.account_id where a.organization_id = $1 and t.day >= $2"));
const TEMPLATES: [Sql; 2] = copied!("template", [id text, organization_id text, name text, channel text, version bigint, demo_at bigint, created_at bigint, updated_at bigint], plain!("template t where t.organization_id = $1"));
const TEMPLATE_VERSIONS: [Sql; 2] = copied!("template_version", [template_id text, version bigint, organization_id text, subject text, body text, snippets text, created_at bigint], plain!("template_version t where t.organization_id = $1"));
const SEQUENCES: [Sql; 2] = copied!("sequence", [id text, organization_id text, name text, active_since bigint, version bigint, stop_on_reply text, demo_at bigint, created_at bigint, updated_at bigint, kind text], plain!("sequence t where t.organization_id = $1"));
const SEQUENCE_VERSIONS: [Sql; 2] = copied!("sequence_version", [sequence_id text, version bigint, organization_id text, plan text, created_at bigint], plain!("sequence_version t where t.organization_id = $1"));
const STOP_TAGS: [Sql; 2] = copied!("sequence_stop_tag", [sequence_id text, tag text], plain!("sequence_stop_tag t join sequence s on s.id = t.sequence_id where s.organization_id = $1"));
// Those that go on, and the one that is asked about.
const CAMPAIGNS: [Sql; 2] = copied!("campaign", [id text, organization_id text, state text, audience text, send_at bigint, gathered_to text, gathered_at bigint, excluded text, started_at bigint, ended_at bigint, created_at bigint, updated_at bigint], plain!("campaign t where t.organization_id = $1 and (t.state in ('scheduled', 'running') or t.id = $2)"));
const SEGMENTS: [Sql; 2] = copied!(
    "segment",
    [id text, organization_id text, name text, name_key text, audience text, created_at bigint, updated_at bigint],
    plain!("segment t where t.organization_id = $1")
);
const RECORD: [Sql; 2] = copied!("consent_head", [organization_id text, number bigint, first bigint, digest text, key text], plain!("consent_head t where t.organization_id = $1"));
const SUPPRESSIONS: [Sql; 2] = copied!("suppression", [id text, organization_id text, channel text, fingerprint text, address text, reason text, source text, created_at bigint], plain!("suppression t where t.organization_id = $1 and t.id > $2 order by t.id limit $3"));
const LEADS: [Sql; 2] = copied!("lead", [id text, organization_id text, name text, company text, email text, phone text, phone_number text, phone_key text, whatsapp text, whatsapp_number text, whatsapp_key text, time_zone text, custom text, notes text, demo_at bigint, created_at bigint, updated_at bigint], of_ids!("lead t where t.id = x.id and t.organization_id = $2"));
const TAGS: [Sql; 2] = copied!("lead_tag", [organization_id text, tag text, lead_id text], of_ids!("lead_tag t where t.lead_id = x.id and t.organization_id = $2"));
const RUNS: [Sql; 2] = copied!("enrollment", [id text, organization_id text, sequence_id text, version bigint, lead_id text, status text, stop_reason text, step bigint, channel text, due_at bigint, senders text, replied_step bigint, created_at bigint, updated_at bigint], of_ids!("enrollment t where t.lead_id = x.id and t.organization_id = $2"));
macro_rules! planned {
    ($dialect:ident) => {
        gather!(
            $dialect,
            [lead_id, lead, recipient, account_id, channel, step, segments, at],
            "select m.lead_id, coalesce(nullif(l.name, ''), m.recipient) as lead, m.recipient, m.account_id, m.channel, m.step, m.segments, \
             m.accepted_at as at from message m join lead l on l.id = m.lead_id where m.sequence_id = $1 and m.organization_id = $2 \
             and m.accepted_at >= $3 order by m.accepted_at, m.id"
        )
    };
}
/// Messages without their texts: nobody reads them.
macro_rules! messages {
    ($dialect:ident, $source:ident!($from:literal)) => {
        gather!(
            $dialect,
            [id, organization_id, account_id, lead_id, channel, direction, sender, recipient, body, segments, status, attempts, waiting_reason, waiting_since, due_at, accepted_at, created_at, updated_at, sequence_id, enrollment_id, step],
            "select t.id, t.organization_id, t.account_id, t.lead_id, t.channel, t.direction, t.sender, t.recipient, '' as body, t.segments, t.status, t.attempts, t.waiting_reason, t.waiting_since, t.due_at, t.accepted_at, t.created_at, t.updated_at, t.sequence_id, t.enrollment_id, t.step from ",
            $source!($dialect, $from)
        )
    };
    ($source:ident!($from:literal)) => {
        Sql { sqlite: messages!(sqlite, $source!($from)), postgres: messages!(postgres, $source!($from)) }
    };
}
const PUT_MESSAGES: Sql = put!("message", [id text, organization_id text, account_id text, lead_id text, channel text, direction text, sender text, recipient text, body text, segments bigint, status text, attempts bigint, waiting_reason text, waiting_since bigint, due_at bigint, accepted_at bigint, created_at bigint, updated_at bigint, sequence_id text, enrollment_id text, step bigint]);
/// What waits, what counts against a person's cap, and the step before the next one.
const MESSAGES: Sql = messages!(of_ids!(
    "message t where t.lead_id = x.id and t.organization_id = $2 and (t.created_at >= $3 or t.accepted_at >= $3 or t.status = 'queued' \
     or exists (select 1 from enrollment e where e.id = t.enrollment_id and e.status = 'active' and e.step = t.step + 1))"
));
/// The last one in either direction: an audience may ask when it was.
const LAST: Sql = messages!(of_ids!(
    "message t where t.organization_id = $2 and t.id in ((select m.id from message m where m.lead_id = x.id and m.direction = 'outbound' \
     and m.accepted_at is not null order by m.accepted_at desc limit 1), (select m.id from message m where m.lead_id = x.id \
     and m.direction = 'inbound' order by m.id desc limit 1))"
));
/// What else waits in an account's queue, in the order in which it leaves; what is held, of the campaign itself alone.
const QUEUE: Sql = messages!(plain!(
    "message t where t.account_id = $1 and t.organization_id = $2 and t.status = 'queued' and (t.due_at < 9000000000000000 \
     or t.sequence_id = $6) and (t.due_at, t.id) > ($3, $4) order by t.due_at, t.id limit $5"
));
/// Who is on the way in a sequence.
const ACTIVE: &str = "select lead_id from enrollment where sequence_id = $1 and status = 'active' and organization_id = $2 and lead_id > $3 \
     order by lead_id limit $4";
const ACTIVE_SEQUENCES: &str = "select id from sequence where organization_id = $1 and active_since is not null";
const PLANNED: Sql = Sql { sqlite: planned!(sqlite), postgres: planned!(postgres) };
const STOPPED: &str = "select e.lead_id, coalesce(nullif(l.name, ''), l.email, l.phone, l.whatsapp), e.stop_reason from enrollment e \
     join lead l on l.id = e.lead_id where e.sequence_id = $1 and e.organization_id = $2 and e.stop_reason is not null and e.updated_at >= $3";
const WAITING: &str = "select (select count(*) from enrollment e where e.sequence_id = $1 and e.status = 'active') \
     + (select count(*) from message m where m.sequence_id = $1 and m.status = 'queued')";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[ACTIVE, ACTIVE_SEQUENCES, STOPPED, WAITING];

/// Statements that differ.
pub const DUAL: &[Sql] = &[
    ORGANIZATION[0],
    ORGANIZATION[1],
    ACCOUNTS[0],
    ACCOUNTS[1],
    LANES[0],
    LANES[1],
    USAGE[0],
    USAGE[1],
    TEMPLATES[0],
    TEMPLATES[1],
    TEMPLATE_VERSIONS[0],
    TEMPLATE_VERSIONS[1],
    SEQUENCES[0],
    SEQUENCES[1],
    SEQUENCE_VERSIONS[0],
    SEQUENCE_VERSIONS[1],
    STOP_TAGS[0],
    STOP_TAGS[1],
    CAMPAIGNS[0],
    CAMPAIGNS[1],
    SEGMENTS[0],
    SEGMENTS[1],
    RECORD[0],
    RECORD[1],
    SUPPRESSIONS[0],
    SUPPRESSIONS[1],
    LEADS[0],
    LEADS[1],
    TAGS[0],
    TAGS[1],
    RUNS[0],
    RUNS[1],
    PUT_MESSAGES,
    MESSAGES,
    LAST,
    QUEUE,
    PLANNED,
];

/// From where, to where, and whose.
pub struct Copy<'a> {
    /// The database of the organization, at one instant.
    pub from: &'a mut Conn,
    /// Its engine.
    pub dialect: Dialect,
    /// The database of the forecast.
    pub to: &'a mut Conn,
    /// Whose affairs.
    pub organization: &'a OrganizationId,
}

/// Copies the rows of one statement; what was read, and how much.
macro_rules! copy {
    ($copy:ident, [$read:expr, $write:expr] $(, $value:expr)*) => {{
        let text: String = sqlx::query_scalar($read.of($copy.dialect))$(.bind($value))*.fetch_one(&mut *$copy.from).await?;
        sqlx::query($write.of(Dialect::Sqlite)).bind(&text).execute(&mut *$copy.to).await?;
        text
    }};
}

/// A row of a page, as far as the next page needs it.
#[derive(Deserialize)]
struct Last {
    id: String,
    #[serde(default)]
    due_at: i64,
    lead_id: Option<LeadId>,
}

impl Copy<'_> {
    /// All but people and messages: accounts with what they have sent since `day`, templates, sequences, campaigns, and who must
    /// not be written to.
    pub async fn frame(&mut self, campaign: &str, day: &str) -> sqlx::Result<()> {
        let whose = self.organization.as_str();
        copy!(self, [ORGANIZATION[0], ORGANIZATION[1]], whose);
        copy!(self, [ACCOUNTS[0], ACCOUNTS[1]], whose);
        copy!(self, [LANES[0], LANES[1]], whose);
        copy!(self, [USAGE[0], USAGE[1]], whose, day);
        copy!(self, [TEMPLATES[0], TEMPLATES[1]], whose);
        copy!(self, [TEMPLATE_VERSIONS[0], TEMPLATE_VERSIONS[1]], whose);
        copy!(self, [SEQUENCES[0], SEQUENCES[1]], whose);
        copy!(self, [SEQUENCE_VERSIONS[0], SEQUENCE_VERSIONS[1]], whose);
        copy!(self, [STOP_TAGS[0], STOP_TAGS[1]], whose);
        copy!(self, [CAMPAIGNS[0], CAMPAIGNS[1]], whose, campaign);
        copy!(self, [SEGMENTS[0], SEGMENTS[1]], whose);
        copy!(self, [RECORD[0], RECORD[1]], whose);
        let mut after = String::new();
        loop {
            let text = copy!(self, [SUPPRESSIONS[0], SUPPRESSIONS[1]], whose, &after, i64::from(PAGE));
            match gathered::<Last>(&text)?.pop() {
                Some(last) => after = last.id,
                None => return Ok(()),
            }
        }
    }

    /// Some people with their tags and runs, and those of their messages that what follows depends on; `since`: how far back a
    /// person's cap looks.
    pub async fn leads<'a>(
        &mut self,
        leads: impl IntoIterator<Item = &'a LeadId>,
        since: Timestamp,
    ) -> sqlx::Result<()> {
        let (ids, whose) = (batch_of_ids(leads), self.organization.as_str());
        copy!(self, [LEADS[0], LEADS[1]], &ids, whose);
        copy!(self, [TAGS[0], TAGS[1]], &ids, whose);
        copy!(self, [RUNS[0], RUNS[1]], &ids, whose);
        copy!(self, [MESSAGES, PUT_MESSAGES], &ids, whose, since.0);
        copy!(self, [LAST, PUT_MESSAGES], &ids, whose);
        Ok(())
    }

    /// What waits in an account's queue after a place in it: for whom, and the next place; `None` at its end. What is
    /// held waits for nobody, but for that of `campaign`, which goes on in its forecast.
    pub async fn queue(
        &mut self,
        account: &AccountId,
        (due_at, id): (i64, String),
        campaign: &str,
    ) -> sqlx::Result<(Vec<LeadId>, Option<(i64, String)>)> {
        let whose = self.organization.as_str();
        let text = copy!(self, [QUEUE, PUT_MESSAGES], account.as_str(), whose, due_at, &id, i64::from(PAGE), campaign);
        let rows: Vec<Last> = gathered(&text)?;
        let next = rows.last().map(|last| (last.due_at, last.id.clone()));
        Ok((rows.into_iter().filter_map(|row| row.lead_id).collect(), next))
    }
}

/// The sequences, campaigns among them, that go on.
pub async fn list_active(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<Vec<SequenceId>> {
    let ids: Vec<String> = sqlx::query_scalar(ACTIVE_SEQUENCES).bind(organization.as_str()).fetch_all(conn).await?;
    ids.into_iter().map(|id| row::id("id", id)).collect()
}

/// People on the way in a sequence, in the order of their ids.
pub async fn list_on_the_way(
    conn: &mut Conn,
    organization: &OrganizationId,
    sequence: &SequenceId,
    after: Option<&LeadId>,
) -> sqlx::Result<Vec<LeadId>> {
    let query = sqlx::query_scalar(ACTIVE).bind(sequence.as_str()).bind(organization.as_str());
    let ids: Vec<String> = query.bind(after.map_or("", LeadId::as_str)).bind(i64::from(PAGE)).fetch_all(conn).await?;
    ids.into_iter().map(|id| row::id("lead_id", id)).collect()
}

#[derive(Deserialize)]
struct PlannedRow {
    lead_id: LeadId,
    lead: String,
    recipient: String,
    account_id: AccountId,
    channel: Channel,
    step: u32,
    segments: u32,
    at: i64,
}

/// What a sequence has sent since an instant, in the order in which it left.
pub async fn list_sent(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    sequence: &SequenceId,
    since: Timestamp,
) -> sqlx::Result<Vec<Planned>> {
    let query = sqlx::query_scalar(PLANNED.of(dialect)).bind(sequence.as_str()).bind(organization.as_str());
    let text: String = query.bind(since.0).fetch_one(conn).await?;
    let read = |row: PlannedRow| Planned {
        lead_id: row.lead_id,
        lead: row.lead,
        to: row.recipient,
        account_id: row.account_id,
        channel: row.channel,
        step: row.step,
        segments: row.segments,
        at: Timestamp(row.at),
    };
    Ok(gathered::<PlannedRow>(&text)?.into_iter().map(read).collect())
}

/// Whose runs have ended early since an instant, and why.
pub async fn list_stopped(
    conn: &mut Conn,
    organization: &OrganizationId,
    sequence: &SequenceId,
    since: Timestamp,
) -> sqlx::Result<Vec<(LeadId, String, String)>> {
    let query = sqlx::query_as(STOPPED).bind(sequence.as_str()).bind(organization.as_str()).bind(since.0);
    let found: Vec<(String, Option<String>, String)> = query.fetch_all(conn).await?;
    let read = |(id, lead, reason): (String, Option<String>, String)| {
        Ok((row::id("lead_id", id)?, lead.unwrap_or_default(), reason))
    };
    found.into_iter().map(read).collect()
}

/// People who wait for a message of a sequence.
pub async fn count_waiting(conn: &mut Conn, sequence: &SequenceId) -> sqlx::Result<u32> {
    let count: i64 = sqlx::query_scalar(WAITING).bind(sequence.as_str()).fetch_one(conn).await?;
    row::count("count", count)
}
