//! Messages of people who are no leads yet.

use super::{Conn, Dialect, Sql, batch, gather, gathered, rows};
use crate::domain::id::{LeadId, OrganizationId};
use serde::{Deserialize, Serialize};

macro_rules! strangers {
    ($dialect:ident, $lock:literal) => {
        gather!(
            $dialect,
            [id, lead_id],
            "select m.id, x.lead_id from ",
            rows!($dialect, lead_id text, address text),
            " cross join message m where m.organization_id = $2 and m.lead_id is null and \
             (case m.direction when 'inbound' then m.sender else m.recipient end) = x.address order by m.id",
            $lock
        )
    };
}
/// Locked in the order in which everybody locks messages.
const STRANGERS: Sql = Sql { sqlite: strangers!(sqlite, ""), postgres: strangers!(postgres, " for update of m") };
macro_rules! join {
    ($dialect:ident) => {
        concat!(
            "update message set lead_id = x.lead_id from ",
            rows!($dialect, id text, lead_id text),
            " where message.id = x.id and message.organization_id = $2"
        )
    };
}
const JOIN: Sql = Sql { sqlite: join!(sqlite), postgres: join!(postgres) };

/// Statements that differ.
pub const DUAL: &[Sql] = &[STRANGERS, JOIN];

/// An address that a lead has.
#[derive(Debug, Serialize)]
pub struct Owned<'a> {
    /// The lead.
    pub lead_id: &'a LeadId,
    /// An e-mail address in lower case, or a number in E.164.
    pub address: String,
}

/// A message of nobody, and whose it is.
#[derive(Debug, Serialize, Deserialize)]
struct Stranger {
    id: String,
    lead_id: String,
}

/// Messages to and from these addresses that were nobody's become the leads'.
pub async fn join(
    conn: &mut Conn,
    dialect: Dialect,
    organization: &OrganizationId,
    owned: &[Owned<'_>],
) -> sqlx::Result<()> {
    if owned.is_empty() {
        return Ok(());
    }
    let query = sqlx::query_scalar(STRANGERS.of(dialect)).bind(batch(owned)).bind(organization.as_str());
    let text: String = query.fetch_one(&mut *conn).await?;
    let strangers: Vec<Stranger> = gathered(&text)?;
    if strangers.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(JOIN.of(dialect)).bind(batch(&strangers)).bind(organization.as_str());
    query.execute(conn).await.map(drop)
}
