//! What an organization asks of all that it sends by plan.

use super::{Conn, row};
use crate::domain::{id::OrganizationId, rules::Rules};

const FIND: &str = "select rules from organization where id = $1";
const SAVE: &str = "update organization set rules = $2 where id = $1";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[FIND, SAVE];

/// The rules of an organization.
pub async fn find(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<Rules> {
    let text: String = sqlx::query_scalar(FIND).bind(organization.as_str()).fetch_one(conn).await?;
    row::json("rules", &text)
}

/// Other rules.
pub async fn save(conn: &mut Conn, organization: &OrganizationId, rules: &Rules) -> sqlx::Result<()> {
    let text = row::text(rules);
    sqlx::query(SAVE).bind(organization.as_str()).bind(text).execute(conn).await.map(drop)
}
