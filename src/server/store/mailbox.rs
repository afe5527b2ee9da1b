//! Mailboxes that are read: how far, and when again.

use super::{Conn, row};
use crate::domain::{
    id::{AccountId, OrganizationId},
    mailbox::Bookmark,
    time::Timestamp,
};

/// Read from now on; another mailbox than before is begun anew.
const OPEN: &str = "insert into mailbox (account_id, next_at) select a.id, $3 from account a where a.id = $1 and a.organization_id = $2 \
     on conflict (account_id) do update set uid_validity = null, uid_next = null, next_at = excluded.next_at, failures = 0, last_error = null";
const CLOSE: &str = "delete from mailbox where account_id = $1 and exists \
     (select 1 from account a where a.id = $1 and a.organization_id = $2)";
const DUE: &str = "select m.account_id from mailbox m join account a on a.id = m.account_id \
     where m.next_at <= $1 and a.deleted_at is null order by m.next_at limit $2";
const NEXT: &str =
    "select min(m.next_at) from mailbox m join account a on a.id = m.account_id where a.deleted_at is null";
const CLAIM: &str = "update mailbox set next_at = $3 where account_id = $1 and next_at <= $2 returning uid_validity, uid_next, failures";
const SAVE: &str = "update mailbox set uid_validity = $2, uid_next = $3, next_at = $4, failures = 0, last_error = null where account_id = $1";
const FAIL: &str = "update mailbox set next_at = $2, failures = failures + 1, last_error = $3 where account_id = $1";
const HURRY: &str = "update mailbox set next_at = $2 where account_id = $1";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[OPEN, CLOSE, DUE, NEXT, CLAIM, SAVE, FAIL, HURRY];

/// Has the mailbox of an account read from `at` on, whatever was read before.
pub async fn open(
    conn: &mut Conn,
    account: &AccountId,
    organization: &OrganizationId,
    at: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(OPEN).bind(account.as_str()).bind(organization.as_str()).bind(at.0).execute(conn).await.map(drop)
}

/// Has it read no more.
pub async fn close(conn: &mut Conn, account: &AccountId, organization: &OrganizationId) -> sqlx::Result<()> {
    sqlx::query(CLOSE).bind(account.as_str()).bind(organization.as_str()).execute(conn).await.map(drop)
}

/// The accounts whose mailbox is to be read, who waited longest first.
pub async fn list_due(conn: &mut Conn, now: Timestamp, limit: i64) -> sqlx::Result<Vec<AccountId>> {
    let ids: Vec<String> = sqlx::query_scalar(DUE).bind(now.0).bind(limit).fetch_all(conn).await?;
    ids.into_iter().map(|id| row::id("account_id", id)).collect()
}

/// When the next one is due.
pub async fn next_due(conn: &mut Conn) -> sqlx::Result<Option<Timestamp>> {
    let next: Option<i64> = sqlx::query_scalar(NEXT).fetch_one(conn).await?;
    Ok(next.map(Timestamp))
}

/// A look that is ours until its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// How far it was read.
    pub bookmark: Option<Bookmark>,
    /// Looks in a row that failed.
    pub failures: u32,
}

/// Takes the look that is due; `None` when somebody else did. Nobody else looks before `until`.
pub async fn claim(
    conn: &mut Conn,
    account: &AccountId,
    now: Timestamp,
    until: Timestamp,
) -> sqlx::Result<Option<Claimed>> {
    let rows: Vec<(Option<i64>, Option<i64>, i64)> =
        sqlx::query_as(CLAIM).bind(account.as_str()).bind(now.0).bind(until.0).fetch_all(conn).await?;
    let Some((validity, next, failures)) = rows.into_iter().next() else { return Ok(None) };
    let bookmark = match (validity, next) {
        (Some(validity), Some(next)) => {
            Some(Bookmark { validity: row::count("uid_validity", validity)?, next: row::count("uid_next", next)? })
        }
        _ => None,
    };
    Ok(Some(Claimed { bookmark, failures: row::count("failures", failures)? }))
}

/// Notes how far it was read, and when to look again.
pub async fn save(conn: &mut Conn, account: &AccountId, bookmark: Bookmark, next_at: Timestamp) -> sqlx::Result<()> {
    sqlx::query(SAVE)
        .bind(account.as_str())
        .bind(i64::from(bookmark.validity))
        .bind(i64::from(bookmark.next))
        .bind(next_at.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Notes a look that failed.
pub async fn fail(conn: &mut Conn, account: &AccountId, error: &str, next_at: Timestamp) -> sqlx::Result<()> {
    sqlx::query(FAIL).bind(account.as_str()).bind(next_at.0).bind(error).execute(conn).await.map(drop)
}

/// Has it looked into at once.
pub async fn hurry(conn: &mut Conn, account: &AccountId, at: Timestamp) -> sqlx::Result<()> {
    sqlx::query(HURRY).bind(account.as_str()).bind(at.0).execute(conn).await.map(drop)
}
