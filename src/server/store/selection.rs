//! Many messages at once. What matches is looked for in windows of an index, without a lock; what is changed is locked and
//! looked at once more.

use super::{Conn, Dialect, Sql, batch_of_ids, gather, gathered, message::like, row, rows};
use crate::domain::{
    channel::Channel,
    id::{AccountId, MessageId, OrganizationId},
    message::{MessageFilter, Status},
    selection::{Bulk, Count},
    time::Timestamp,
};
use sqlx::{Any, query::QueryAs};

/// 1 for a message that the filters $2 to $5 let pass, else 0. Of a deleted account nothing can be sent.
macro_rules! hit {
    () => {
        "cast(case when m.direction = 'outbound' and (cast($2 as text) is null or m.status = $2) \
         and (cast($3 as text) is null or m.channel = $3) and (cast($4 as text) is null or m.account_id = $4) \
         and (cast($5 as text) is null or lower(m.body) like lower($5) escape '!' or lower(m.recipient) like lower($5) escape '!' \
         or lower(m.subject) like lower($5) escape '!') \
         and exists (select 1 from account d where d.id = m.account_id and d.deleted_at is null) \
         then 1 else 0 end as bigint)"
    };
}
/// In the words of the index `message_failed`.
macro_rules! failed {
    () => {
        " from message m where m.organization_id = $1 and m.status in ('failed', 'undelivered') \
         and coalesce(m.error_retryable, 'yes') = 'yes'"
    };
}
/// Queues are by account; `cross join` keeps SQLite from walking through those of everybody.
macro_rules! queued {
    () => {
        " from account a cross join message m where m.account_id = a.id and m.status = 'queued' and a.organization_id = $1"
    };
}

const FAILED: &str = concat!("select m.id, ", hit!(), failed!(), " and m.id > $6 order by m.id limit $7");
const COUNT_FAILED: &str = concat!(
    "select count(*), cast(coalesce(sum(q.hit), 0) as bigint) from (select ",
    hit!(),
    " as hit",
    failed!(),
    " order by m.id desc limit $6) as q"
);
const QUEUED: &str = concat!(
    "select m.id, ",
    hit!(),
    ", m.due_at",
    queued!(),
    " and a.id = $6 and (m.due_at, m.id) > ($7, $8) order by m.due_at, m.id limit $9"
);
const COUNT_QUEUED: &str = concat!(
    "select count(*), cast(coalesce(sum(q.hit), 0) as bigint) from (select ",
    hit!(),
    " as hit",
    queued!(),
    " limit $6) as q"
);
/// The queues of an organization, or the one of an account.
const QUEUES: &str =
    "select id from account where organization_id = $1 and (cast($2 as text) is null or id = $2) order by id";

macro_rules! pick {
    ($dialect:ident, $lock:literal) => {
        gather!(
            $dialect,
            [id],
            "select m.id from ",
            rows!($dialect, id text),
            " join message m on m.id = x.id where m.organization_id = $2 and m.status in ($3, $4) order by m.id",
            $lock
        )
    };
}
/// Those of a window that are still as they were, locked in the order of their ids, so that two who do this never wait for
/// each other.
const PICK: Sql = Sql { sqlite: pick!(sqlite, ""), postgres: pick!(postgres, " for update of m") };
macro_rules! retry {
    ($dialect:ident) => {
        concat!(
            "update message set status = 'queued', due_at = $2, lease_token = null, lease_until = null, \
             provider_message_id = null, accepted_at = null, poll_at = null, error_code = null, error_message = null, \
             error_retryable = null, waiting_reason = null, waiting_since = null, waiting_until = null, waiting_detail = null, \
             updated_at = $2 from ",
            rows!($dialect, id text),
            " where message.id = x.id"
        )
    };
}
const RETRY: Sql = Sql { sqlite: retry!(sqlite), postgres: retry!(postgres) };
macro_rules! cancel {
    ($dialect:ident) => {
        concat!(
            "update message set status = 'canceled', waiting_reason = null, waiting_since = null, waiting_until = null, \
             waiting_detail = null, updated_at = $2 from ",
            rows!($dialect, id text),
            " where message.id = x.id"
        )
    };
}
const CANCEL: Sql = Sql { sqlite: cancel!(sqlite), postgres: cancel!(postgres) };

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[FAILED, COUNT_FAILED, QUEUED, COUNT_QUEUED, QUEUES];

/// Statements that differ.
pub const DUAL: &[Sql] = &[PICK, RETRY, CANCEL];

type Args = <Any as sqlx::Database>::Arguments;

/// $1 to $5 of a statement.
fn narrowed<T>(
    query: QueryAs<'static, Any, T, Args>,
    organization: &OrganizationId,
    filter: &MessageFilter,
) -> QueryAs<'static, Any, T, Args> {
    query
        .bind(organization.as_str().to_owned())
        .bind(filter.status.map(Status::as_str))
        .bind(filter.channel.map(Channel::as_str))
        .bind(filter.account_id.as_ref().map(|id| id.as_str().to_owned()))
        .bind(filter.q.as_deref().map(like))
}

/// How many there are among the `window` messages that could be meant.
pub async fn count(
    conn: &mut Conn,
    bulk: Bulk,
    organization: &OrganizationId,
    filter: &MessageFilter,
    window: u32,
) -> sqlx::Result<Count> {
    let query = match bulk {
        Bulk::Retry => sqlx::query_as(COUNT_FAILED),
        Bulk::Cancel => sqlx::query_as(COUNT_QUEUED),
    };
    let query = narrowed(query, organization, filter).bind(i64::from(window));
    let (seen, hits): (i64, i64) = query.fetch_one(conn).await?;
    Ok(Count::of(row::count("hits", hits)?, seen >= i64::from(window)))
}

/// Where a walk through an index stands.
#[derive(Debug, Clone, Default)]
pub struct Place {
    due_at: i64,
    id: String,
}

/// A window: those that match, and where the next one begins; `None` at the end.
pub type Window = (Vec<MessageId>, Option<Place>);

/// The next failed messages, oldest first.
pub async fn failed(
    conn: &mut Conn,
    organization: &OrganizationId,
    filter: &MessageFilter,
    place: Place,
    window: u32,
) -> sqlx::Result<Window> {
    let query = narrowed(sqlx::query_as(FAILED), organization, filter).bind(place.id).bind(i64::from(window));
    let rows: Vec<(String, i64)> = query.fetch_all(conn).await?;
    read(rows.into_iter().map(|(id, hit)| (id, hit, 0)).collect(), window)
}

/// The next queued messages of an account, in the order in which they leave.
pub async fn queued(
    conn: &mut Conn,
    organization: &OrganizationId,
    filter: &MessageFilter,
    account: &AccountId,
    place: Place,
    window: u32,
) -> sqlx::Result<Window> {
    let query = narrowed(sqlx::query_as(QUEUED), organization, filter).bind(account.as_str().to_owned());
    let query = query.bind(place.due_at).bind(place.id).bind(i64::from(window));
    read(query.fetch_all(conn).await?, window)
}

fn read(rows: Vec<(String, i64, i64)>, window: u32) -> sqlx::Result<Window> {
    let is_full = u32::try_from(rows.len()).unwrap_or(u32::MAX) >= window;
    let next = rows.last().filter(|_| is_full).map(|(id, _, due_at)| Place { due_at: *due_at, id: id.clone() });
    let hits = rows.into_iter().filter(|(_, hit, _)| *hit == 1).map(|(id, _, _)| row::id("id", id));
    Ok((hits.collect::<sqlx::Result<_>>()?, next))
}

/// The accounts whose queues could be meant.
pub async fn queues(
    conn: &mut Conn,
    organization: &OrganizationId,
    filter: &MessageFilter,
) -> sqlx::Result<Vec<AccountId>> {
    let query = sqlx::query_scalar(QUEUES).bind(organization.as_str());
    let ids: Vec<String> = query.bind(filter.account_id.as_ref().map(AccountId::as_str)).fetch_all(conn).await?;
    ids.into_iter().map(|id| row::id("id", id)).collect()
}

#[derive(serde::Deserialize)]
struct Picked {
    id: MessageId,
}

/// Does it to those that are still as they were; which these are.
pub async fn change(
    conn: &mut Conn,
    dialect: Dialect,
    bulk: Bulk,
    organization: &OrganizationId,
    ids: &[MessageId],
    now: Timestamp,
) -> sqlx::Result<Vec<MessageId>> {
    let [first, second] = bulk.begins_from().map(Status::as_str);
    let picked: String = sqlx::query_scalar(PICK.of(dialect))
        .bind(batch_of_ids(ids))
        .bind(organization.as_str())
        .bind(first)
        .bind(second)
        .fetch_one(&mut *conn)
        .await?;
    let picked: Vec<MessageId> = gathered::<Picked>(&picked)?.into_iter().map(|picked| picked.id).collect();
    if !picked.is_empty() {
        let query = match bulk {
            Bulk::Retry => sqlx::query(RETRY.of(dialect)),
            Bulk::Cancel => sqlx::query(CANCEL.of(dialect)),
        };
        query.bind(batch_of_ids(&picked)).bind(now.0).execute(conn).await?;
    }
    Ok(picked)
}
