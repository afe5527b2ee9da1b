//! Numbers of a day, kept as things happen: a dashboard reads a few rows, whatever the history holds.

use super::{Conn, Dialect, Sql, batch, rows};
use crate::domain::{channel::Channel, id::OrganizationId, time::Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;

macro_rules! add {
    ($dialect:ident) => {
        concat!(
            "insert into tally (organization_id, day, channel, kind, count) select x.organization_id, x.day, x.channel, x.kind, x.count from ",
            rows!($dialect, organization_id text, day text, channel text, kind text, count bigint),
            " where true on conflict (organization_id, day, channel, kind) do update set count = tally.count + excluded.count"
        )
    };
}
const ADD: Sql = Sql { sqlite: add!(sqlite), postgres: add!(postgres) };
const LIST: &str =
    "select day, channel, kind, count from tally where organization_id = $1 and day >= $2 order by day, channel, kind";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[LIST];
/// Statements that differ.
pub const DUAL: &[Sql] = &[ADD];

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A provider took a message.
    Accepted,
    /// It arrived.
    Delivered,
    /// It failed, before or after it left.
    Failed,
    /// Somebody wrote to us.
    Received,
}

impl Kind {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Received => "received",
        }
    }
}

/// Counts of one transaction, added up.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<(OrganizationId, &'static str, &'static str), u32>);

#[derive(Serialize)]
struct Row<'a> {
    organization_id: &'a str,
    day: &'a str,
    channel: &'a str,
    kind: &'a str,
    count: u32,
}

impl Tally {
    /// One more.
    pub fn count(&mut self, organization: &OrganizationId, channel: Channel, kind: Kind) {
        *self.0.entry((organization.clone(), channel.as_str(), kind.as_str())).or_insert(0) += 1;
    }

    /// Adds the counts to the day of `now`.
    pub async fn save(&self, conn: &mut Conn, dialect: Dialect, now: Timestamp) -> sqlx::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let now = now.to_string();
        let row = |((organization, channel, kind), count): (&(OrganizationId, &'static str, &'static str), &u32)| {
            (organization.as_str().to_owned(), *channel, *kind, *count)
        };
        let rows: Vec<_> = self.0.iter().map(row).collect();
        let rows: Vec<Row<'_>> = rows
            .iter()
            .map(|(organization_id, channel, kind, count)| Row {
                organization_id,
                day: &now[..10],
                channel,
                kind,
                count: *count,
            })
            .collect();
        sqlx::query(ADD.of(dialect)).bind(batch(&rows)).execute(conn).await.map(drop)
    }
}

/// The counts of an organization since a day: day, channel, kind, count.
pub async fn list(
    conn: &mut Conn,
    organization: &OrganizationId,
    since: &str,
) -> sqlx::Result<Vec<(String, String, String, i64)>> {
    sqlx::query_as(LIST).bind(organization.as_str()).bind(since).fetch_all(conn).await
}
