//! Whether planned messages may still leave: how their runs stand, and the sequence or campaign that these belong to; and what
//! becomes of those that may not, or not yet.

use super::{Conn, Dialect, Sql, batch, batch_of_ids, gather, gathered, rows};
use crate::domain::{
    id::{EnrollmentId, MessageId, SequenceId},
    message::Waiting,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A run that is done with its steps may have the last one queued: an answer calls it off.
macro_rules! standing {
    ($dialect:ident) => {
        gather!(
            $dialect,
            [id, sequence_id, version, standing],
            "select e.id, e.sequence_id, e.version, case \
             when e.status = 'stopped' or c.state = 'canceled' then 'over' \
             when e.status = 'finished' and e.replied_step is not null and s.stop_on_reply = 'yes' then 'over' \
             when c.state = 'paused' or (c.id is null and s.active_since is null) then 'held' else 'on' end as standing from ",
            rows!($dialect, id text),
            " cross join enrollment e join sequence s on s.id = e.sequence_id left join campaign c on c.id = e.sequence_id \
             where e.id = x.id"
        )
    };
}
const FIND: Sql = Sql { sqlite: standing!(sqlite), postgres: standing!(postgres) };

macro_rules! put_off {
    ($dialect:ident) => {
        concat!(
            "update message set status = 'queued', attempts = attempts - 1, lease_token = null, lease_until = null, \
             due_at = x.due_at, waiting_reason = x.reason, waiting_since = $2, waiting_until = x.until, waiting_detail = x.detail, \
             updated_at = $2 from ",
            rows!($dialect, id text, due_at bigint, reason text, until bigint, detail text),
            " where message.id = x.id"
        )
    };
}
/// What was claimed and has to wait.
const PUT_OFF: Sql = Sql { sqlite: put_off!(sqlite), postgres: put_off!(postgres) };
macro_rules! call_off {
    ($dialect:ident) => {
        concat!(
            "update message set status = 'canceled', attempts = attempts - 1, lease_token = null, lease_until = null, updated_at = $2 from ",
            rows!($dialect, id text),
            " where message.id = x.id"
        )
    };
}
/// What was claimed and is not wanted any more.
const CALL_OFF: Sql = Sql { sqlite: call_off!(sqlite), postgres: call_off!(postgres) };

/// Statements that differ.
pub const DUAL: &[Sql] = &[FIND, PUT_OFF, CALL_OFF];

/// What may become of a run's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// They leave.
    On,
    /// They wait: the sequence or campaign is paused.
    Held,
    /// They are called off.
    Over,
}

/// A run, as a message of it needs to know it.
#[derive(Debug, Clone, Deserialize)]
pub struct Stand {
    id: EnrollmentId,
    /// Its sequence, or the one that its campaign is.
    pub sequence_id: SequenceId,
    /// Which version of it.
    pub version: u32,
    /// What may become of its messages.
    pub standing: Standing,
}

/// How runs stand; one that is not there was deleted with its lead or its sequence.
pub async fn find<'a>(
    conn: &mut Conn,
    dialect: Dialect,
    runs: impl IntoIterator<Item = &'a EnrollmentId>,
) -> sqlx::Result<HashMap<EnrollmentId, Stand>> {
    let query = sqlx::query_scalar(FIND.of(dialect)).bind(batch_of_ids(runs));
    let text: String = query.fetch_one(conn).await?;
    Ok(gathered::<Stand>(&text)?.into_iter().map(|stand| (stand.id.clone(), stand)).collect())
}

/// Takes out of a claim what is not wanted any more.
pub async fn call_off(conn: &mut Conn, dialect: Dialect, claimed: &[MessageId], now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(CALL_OFF.of(dialect)).bind(batch_of_ids(claimed)).bind(now.0).execute(conn).await.map(drop)
}

/// A claimed message that has to wait.
#[derive(Debug)]
pub struct PutOff {
    /// Which.
    pub id: MessageId,
    /// Not before this instant.
    pub due_at: Timestamp,
    /// Why.
    pub waiting: Waiting,
}

/// Puts claimed messages back until later, each for its reason: they were not tried.
pub async fn put_off(conn: &mut Conn, dialect: Dialect, held: &[PutOff], now: Timestamp) -> sqlx::Result<()> {
    #[derive(Serialize)]
    struct Held<'a> {
        id: &'a str,
        due_at: i64,
        reason: &'static str,
        until: Option<i64>,
        detail: &'a str,
    }
    fn row(PutOff { id, due_at, waiting }: &PutOff) -> Held<'_> {
        let until = waiting.until.map(|at| at.0);
        Held { id: id.as_str(), due_at: due_at.0, reason: waiting.reason.as_str(), until, detail: &waiting.detail }
    }
    if held.is_empty() {
        return Ok(());
    }
    let rows: Vec<Held<'_>> = held.iter().map(row).collect();
    sqlx::query(PUT_OFF.of(dialect)).bind(batch(&rows)).bind(now.0).execute(conn).await.map(drop)
}
