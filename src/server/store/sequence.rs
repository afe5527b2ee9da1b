//! Sequences and the versions of their plans.

use super::{
    Conn, Dialect, Sql, batch,
    row::{self, NEWEST},
    rows,
};
use crate::domain::{
    id::{OrganizationId, SequenceId, TemplateId},
    page::{Limit, Page},
    sequence::{Plan, Sequence, SequenceKind, StepCounts},
    time::Timestamp,
};
use serde::Serialize;
use std::collections::BTreeMap;

macro_rules! select {
    () => {
        "select s.id, s.organization_id, s.name, s.active_since, s.version, s.stop_on_reply, s.demo_at, s.created_at, s.updated_at, s.kind, v.plan, \
         (select json_group_array(t.tag) from sequence_stop_tag t where t.sequence_id = s.id) as stop_tags \
         from sequence s join sequence_version v on v.sequence_id = s.id and v.version = s.version where "
    };
    (postgres) => {
        "select s.id, s.organization_id, s.name, s.active_since, s.version, s.stop_on_reply, s.demo_at, s.created_at, s.updated_at, s.kind, v.plan, \
         (select coalesce(json_agg(t.tag order by t.tag), '[]')::text from sequence_stop_tag t where t.sequence_id = s.id) as stop_tags \
         from sequence s join sequence_version v on v.sequence_id = s.id and v.version = s.version where "
    };
}
const FIND: Sql = Sql {
    sqlite: concat!(select!(), "s.id = $1 and s.organization_id = $2"),
    postgres: concat!(select!(postgres), "s.id = $1 and s.organization_id = $2"),
};
const LIST: Sql = Sql {
    sqlite: concat!(
        select!(),
        "s.organization_id = $1 and s.kind = 'sequence' and s.id < $2 order by s.id desc limit $3"
    ),
    postgres: concat!(
        select!(postgres),
        "s.organization_id = $1 and s.kind = 'sequence' and s.id < $2 order by s.id desc limit $3"
    ),
};
const LOCK: Sql = Sql {
    sqlite: "select id from sequence where id = $1 and organization_id = $2",
    postgres: "select id from sequence where id = $1 and organization_id = $2 for update",
};
const INSERT: &str = "insert into sequence (id, organization_id, name, version, stop_on_reply, demo_at, created_at, updated_at, kind) \
     values ($1, $2, $3, 1, $4, $5, $6, $6, $7)";
const UPDATE: &str = "update sequence set name = $3, version = $4, stop_on_reply = $5, updated_at = $6 where id = $1 and organization_id = $2";
const SET_ACTIVE: &str =
    "update sequence set active_since = $3, updated_at = $4 where id = $1 and organization_id = $2";
const ADD_VERSION: &str = "insert into sequence_version (sequence_id, version, organization_id, plan, created_at) values ($1, $2, $3, $4, $5)";
const FIND_PLAN: &str =
    "select plan from sequence_version where sequence_id = $1 and version = $2 and organization_id = $3";
macro_rules! add_templates {
    ($dialect:ident) => {
        concat!(
            "insert into sequence_template (organization_id, template_id, sequence_id) select $2, x.id, $3 from ",
            rows!($dialect, id text),
            " where true on conflict do nothing"
        )
    };
}
const ADD_TEMPLATES: Sql = Sql { sqlite: add_templates!(sqlite), postgres: add_templates!(postgres) };
const CLEAR_TAGS: &str = "delete from sequence_stop_tag where sequence_id = $1";
macro_rules! add_tags {
    ($dialect:ident) => {
        concat!("insert into sequence_stop_tag (sequence_id, tag) select $2, x.tag from ", rows!($dialect, tag text))
    };
}
const ADD_TAGS: Sql = Sql { sqlite: add_tags!(sqlite), postgres: add_tags!(postgres) };
const DELETE: &str = "delete from sequence where id = $1 and organization_id = $2";
/// What waits or is under way keeps its run, which is not there any more when it is claimed again: it never leaves.
const UNLINK: &str = "update message set sequence_id = null, enrollment_id = null, step = null where id in (select m.id from message m \
     where m.sequence_id = $1 and m.organization_id = $2 and m.status in ('accepted', 'sent', 'delivered', 'read', 'failed', 'undelivered', \
     'canceled', 'suppressed') limit $3)";
const END_RUNS: &str = "delete from enrollment where id in \
     (select e.id from enrollment e where e.sequence_id = $1 and e.organization_id = $2 limit $3)";
const HOLDER: &str = "select s.name from sequence_template t join sequence s on s.id = t.sequence_id \
     where t.organization_id = $1 and t.template_id = $2 order by s.id limit 1";
/// How many messages of each step are where, off one index.
const COUNT_MESSAGES: &str = "select step, status, count(*) from message where sequence_id = $1 group by step, status";
const COUNT_WAITING: &str =
    "select step, count(*) from enrollment where sequence_id = $1 and status = 'active' group by step";
const COUNT_REPLIED: &str = "select replied_step, count(*) from enrollment where sequence_id = $1 and replied_step is not null group by replied_step";
const UNLINK_DEMO: &str = "update message set sequence_id = null, enrollment_id = null, step = null where sequence_id in \
     (select id from sequence where organization_id = $1 and demo_at is not null)";
const REMOVE_DEMO: &str = "delete from sequence where organization_id = $1 and demo_at is not null";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    SET_ACTIVE,
    ADD_VERSION,
    FIND_PLAN,
    CLEAR_TAGS,
    DELETE,
    UNLINK,
    END_RUNS,
    HOLDER,
    COUNT_MESSAGES,
    COUNT_WAITING,
    COUNT_REPLIED,
    UNLINK_DEMO,
    REMOVE_DEMO,
];

/// Statements that differ.
pub const DUAL: &[Sql] = &[FIND, LIST, LOCK, ADD_TEMPLATES, ADD_TAGS];

#[derive(sqlx::FromRow)]
struct SequenceRow {
    id: String,
    name: String,
    active_since: Option<i64>,
    version: i64,
    stop_on_reply: String,
    demo_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    kind: String,
    plan: String,
    stop_tags: String,
}

pub(super) fn read_plan(text: &str) -> sqlx::Result<Plan> {
    serde_json::from_str(text).map_err(|_| super::inconsistent("plan"))
}

impl SequenceRow {
    fn read(self) -> sqlx::Result<Sequence> {
        let mut stop_tags: Vec<String> = row::json("stop_tags", &self.stop_tags)?;
        stop_tags.sort();
        Ok(Sequence {
            id: row::id("id", self.id)?,
            name: self.name,
            is_active: self.active_since.is_some(),
            stop_on_reply: self.stop_on_reply == "yes",
            stop_tags,
            version: row::count("version", self.version)?,
            plan: read_plan(&self.plan)?,
            is_demo: self.demo_at.is_some(),
            kind: if self.kind == "campaign" { SequenceKind::Campaign } else { SequenceKind::Sequence },
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        })
    }
}

/// One sequence of an organization.
pub async fn find(
    conn: &mut Conn,
    dialect: Dialect,
    id: &SequenceId,
    organization: &OrganizationId,
) -> sqlx::Result<Option<Sequence>> {
    let query = sqlx::query_as(FIND.of(dialect)).bind(id.as_str()).bind(organization.as_str());
    let found: Option<SequenceRow> = query.fetch_optional(conn).await?;
    found.map(SequenceRow::read).transpose()
}

/// Nobody else changes the sequence until the transaction ends.
pub async fn lock(
    conn: &mut Conn,
    dialect: Dialect,
    id: &SequenceId,
    organization: &OrganizationId,
) -> sqlx::Result<()> {
    let query = sqlx::query(LOCK.of(dialect)).bind(id.as_str()).bind(organization.as_str());
    query.execute(conn).await.map(drop)
}

/// One page of an organization's sequences, campaigns not among them, newest first.
pub async fn list(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    cursor: Option<&SequenceId>,
    limit: Limit,
) -> sqlx::Result<Page<Sequence>> {
    let cursor = cursor.map_or(NEWEST, SequenceId::as_str);
    let query = sqlx::query_as(LIST.of(dialect)).bind(organization.as_str()).bind(cursor).bind(limit.asked());
    let found: Vec<SequenceRow> = query.fetch_all(conn).await?;
    let found = found.into_iter().map(SequenceRow::read).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::from_rows(found, limit, |last| last.id.to_string()))
}

/// Stores a new sequence with the first version of its plan.
pub async fn insert(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    sequence: &Sequence,
) -> sqlx::Result<()> {
    sqlx::query(INSERT)
        .bind(sequence.id.as_str())
        .bind(organization.as_str())
        .bind(&sequence.name)
        .bind(if sequence.stop_on_reply { "yes" } else { "no" })
        .bind(sequence.is_demo.then_some(sequence.created_at.0))
        .bind(sequence.created_at.0)
        .bind(if sequence.kind == SequenceKind::Campaign { "campaign" } else { "sequence" })
        .execute(&mut *conn)
        .await?;
    add_version(conn, dialect, organization, sequence).await?;
    set_tags(conn, dialect, sequence).await
}

/// Stores what a sequence is now; `has_new_plan`: as another version.
pub async fn update(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    sequence: &Sequence,
    has_new_plan: bool,
) -> sqlx::Result<()> {
    if has_new_plan {
        add_version(conn, dialect, organization, sequence).await?;
    }
    sqlx::query(UPDATE)
        .bind(sequence.id.as_str())
        .bind(organization.as_str())
        .bind(&sequence.name)
        .bind(i64::from(sequence.version))
        .bind(if sequence.stop_on_reply { "yes" } else { "no" })
        .bind(sequence.updated_at.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query(CLEAR_TAGS).bind(sequence.id.as_str()).execute(&mut *conn).await?;
    set_tags(conn, dialect, sequence).await
}

async fn add_version(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    sequence: &Sequence,
) -> sqlx::Result<()> {
    sqlx::query(ADD_VERSION)
        .bind(sequence.id.as_str())
        .bind(i64::from(sequence.version))
        .bind(organization.as_str())
        .bind(row::text(&sequence.plan))
        .bind(sequence.updated_at.0)
        .execute(&mut *conn)
        .await?;
    let templates = super::batch_of_ids(sequence.plan.steps.iter().map(|step| &step.template_id));
    let query = sqlx::query(ADD_TEMPLATES.of(dialect)).bind(templates);
    query.bind(organization.as_str()).bind(sequence.id.as_str()).execute(conn).await.map(drop)
}

async fn set_tags(conn: &mut Conn, dialect: Dialect, sequence: &Sequence) -> sqlx::Result<()> {
    #[derive(Serialize)]
    struct Tag<'a> {
        tag: &'a str,
    }
    if sequence.stop_tags.is_empty() {
        return Ok(());
    }
    let tags: Vec<Tag<'_>> = sequence.stop_tags.iter().map(|tag| Tag { tag }).collect();
    let query = sqlx::query(ADD_TAGS.of(dialect)).bind(batch(&tags)).bind(sequence.id.as_str());
    query.execute(conn).await.map(drop)
}

/// Lets a sequence go on, or holds it.
pub async fn set_active(
    conn: &mut Conn,
    id: &SequenceId,
    organization: &OrganizationId,
    is_active: bool,
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(SET_ACTIVE).bind(id.as_str()).bind(organization.as_str());
    query.bind(is_active.then_some(now.0)).bind(now.0).execute(conn).await.map(drop)
}

/// What a version of a sequence does.
pub async fn find_plan(
    conn: &mut Conn,
    id: &SequenceId,
    organization: &OrganizationId,
    version: u32,
) -> sqlx::Result<Option<Plan>> {
    let query = sqlx::query_scalar(FIND_PLAN).bind(id.as_str()).bind(i64::from(version)).bind(organization.as_str());
    let plan: Option<String> = query.fetch_optional(conn).await?;
    plan.map(|plan| read_plan(&plan)).transpose()
}

/// Forgets some of a sequence's runs, and whose step its messages were: all at once would hold up everybody. False when nothing
/// is left.
pub async fn clear(conn: &mut Conn, id: &SequenceId, organization: &OrganizationId, limit: u32) -> sqlx::Result<bool> {
    let limit = i64::from(limit);
    let query = sqlx::query(UNLINK).bind(id.as_str()).bind(organization.as_str()).bind(limit);
    let unlinked = query.execute(&mut *conn).await?.rows_affected();
    let query = sqlx::query(END_RUNS).bind(id.as_str()).bind(organization.as_str()).bind(limit);
    Ok(unlinked + query.execute(conn).await?.rows_affected() > 0)
}

/// Forgets a sequence, whose runs are gone; its messages stay.
pub async fn delete(conn: &mut Conn, id: &SequenceId, organization: &OrganizationId) -> sqlx::Result<()> {
    sqlx::query(DELETE).bind(id.as_str()).bind(organization.as_str()).execute(conn).await.map(drop)
}

/// The name of a sequence that holds on to a template.
pub async fn holder(
    conn: &mut Conn,
    template: &TemplateId,
    organization: &OrganizationId,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(HOLDER).bind(organization.as_str()).bind(template.as_str()).fetch_optional(conn).await
}

/// What came of each step so far; whose sequence it is, is known already.
pub async fn count(conn: &mut Conn, id: &SequenceId, steps: usize) -> sqlx::Result<Vec<StepCounts>> {
    let mut counts: BTreeMap<usize, StepCounts> = (0..steps).map(|at| (at, StepCounts::default())).collect();
    let number = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
    let messages: Vec<(Option<i64>, String, i64)> =
        sqlx::query_as(COUNT_MESSAGES).bind(id.as_str()).fetch_all(&mut *conn).await?;
    for (step, status, count) in messages {
        let Some(step) = step.and_then(|step| usize::try_from(step).ok()) else { continue };
        let (of, count) = (counts.entry(step).or_default(), number(count));
        match status.as_str() {
            "queued" | "sending" => of.queued += count,
            "accepted" | "sent" => of.sent += count,
            "unknown" => of.unknown += count,
            "canceled" => of.canceled += count,
            "delivered" | "read" => (of.sent, of.delivered) = (of.sent + count, of.delivered + count),
            "undelivered" => {
                (of.sent, of.failed, of.lost) = (of.sent + count, of.failed + count, of.lost + count);
            }
            "failed" | "suppressed" => of.failed += count,
            _ => {}
        }
    }
    let waiting: Vec<(i64, i64)> = sqlx::query_as(COUNT_WAITING).bind(id.as_str()).fetch_all(&mut *conn).await?;
    let replied: Vec<(i64, i64)> = sqlx::query_as(COUNT_REPLIED).bind(id.as_str()).fetch_all(conn).await?;
    let place = |step: i64| usize::try_from(step).unwrap_or_default();
    for (step, count) in waiting {
        counts.entry(place(step)).or_default().waiting = number(count);
    }
    for (step, count) in replied {
        counts.entry(place(step)).or_default().replied = number(count);
    }
    Ok(counts.into_values().collect())
}

/// Forgets the sequences of the demo data.
pub async fn remove_demo(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<()> {
    sqlx::query(UNLINK_DEMO).bind(organization.as_str()).execute(&mut *conn).await?;
    sqlx::query(REMOVE_DEMO).bind(organization.as_str()).execute(conn).await.map(drop)
}
