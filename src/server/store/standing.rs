//! Whether planned messages may still leave: how their runs stand, and the sequence or campaign that these belong to.

use super::{Conn, Dialect, Sql, batch_of_ids, gather, gathered, rows};
use crate::domain::id::{EnrollmentId, SequenceId};
use serde::Deserialize;
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

/// Statements that differ.
pub const DUAL: &[Sql] = &[FIND];

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
