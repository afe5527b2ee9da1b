//! What the database says about every message that was to leave, for the oracle: whole tables, read once after a test or
//! a benchmark. Nothing here runs in a server.

use super::{Conn, row};
use crate::domain::message::Status;

/// Demo data never leaves.
const MESSAGES: &str = "select m.id, m.account_id, a.provider, m.status, m.attempts, m.provider_message_id from message m \
     join account a on a.id = m.account_id where m.direction = 'outbound' and m.demo_at is null order by m.id";
const ACCOUNTS: &str = "select id, daily_limit, time_zone from account where provider <> 'sandbox' order by id";
/// What persons decided, and the failures that providers reported.
const EVENTS: &str = "select e.message_id, e.source, e.status, count(*) from event e \
     where e.source = 'user' or (e.source in ('webhook', 'poll') and e.status in ('failed', 'undelivered')) \
     group by e.message_id, e.source, e.status";
/// The days that messages hold a part of, by try.
const HOLDS: &str = "select t.id, t.account_id, t.quota_day from attempt t join account a on a.id = t.account_id \
     where t.refunded_at is null and t.quota_day is not null and a.provider <> 'sandbox'";
const USAGE: &str = "select u.account_id, u.day, u.used from usage u join account a on a.id = u.account_id \
     where a.provider <> 'sandbox' order by u.account_id, u.day";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[MESSAGES, ACCOUNTS, EVENTS, HOLDS, USAGE];

/// A message that was to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    /// Its id.
    pub id: String,
    /// Through which account.
    pub account: String,
    /// It stays in the process: no journal tells of it.
    pub is_sandbox: bool,
    /// Where it is.
    pub status: Status,
    /// How often it was tried.
    pub attempts: u32,
    /// What the provider calls it.
    pub provider_message_id: Option<String>,
}

/// An account that sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Its id.
    pub id: String,
    /// Messages of a day.
    pub daily_limit: u32,
    /// Where its day begins.
    pub time_zone: String,
}

/// What happened to a message, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Which message.
    pub message: String,
    /// A person did it; otherwise the provider reported it.
    pub is_by_person: bool,
    /// What it became.
    pub status: Status,
    /// How often.
    pub times: u32,
}

/// A part of an account's day that a try holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The try, as the address for reports names it.
    pub attempt: String,
    /// Whose day.
    pub account: String,
    /// yyyy-mm-dd in the account's zone.
    pub day: String,
}

/// What an account has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Whose day.
    pub account: String,
    /// yyyy-mm-dd in the account's zone.
    pub day: String,
    /// Messages.
    pub used: i64,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// By id.
    pub messages: Vec<Outbound>,
    /// By id.
    pub accounts: Vec<Sender>,
    /// In no order.
    pub events: Vec<Happened>,
    /// In no order.
    pub holds: Vec<Hold>,
    /// By account and day.
    pub usage: Vec<Used>,
}

fn status(name: &str) -> sqlx::Result<Status> {
    row::value("status", name, Status::from_name)
}

/// Reads all of it.
pub async fn load(conn: &mut Conn) -> sqlx::Result<Facts> {
    type Message = (String, String, String, String, i64, Option<String>);
    let messages: Vec<Message> = sqlx::query_as(MESSAGES).fetch_all(&mut *conn).await?;
    let accounts: Vec<(String, i64, String)> = sqlx::query_as(ACCOUNTS).fetch_all(&mut *conn).await?;
    let events: Vec<(String, String, String, i64)> = sqlx::query_as(EVENTS).fetch_all(&mut *conn).await?;
    let holds: Vec<(String, String, String)> = sqlx::query_as(HOLDS).fetch_all(&mut *conn).await?;
    let usage: Vec<(String, String, i64)> = sqlx::query_as(USAGE).fetch_all(conn).await?;
    let messages = messages.into_iter().map(|(id, account, provider, name, attempts, provider_message_id)| {
        let (status, attempts) = (status(&name)?, row::count("attempts", attempts)?);
        Ok(Outbound { id, account, is_sandbox: provider == "sandbox", status, attempts, provider_message_id })
    });
    let accounts = accounts.into_iter().map(|(id, daily_limit, time_zone)| {
        Ok(Sender { id, daily_limit: row::count("daily_limit", daily_limit)?, time_zone })
    });
    let events = events.into_iter().map(|(message, source, name, times)| {
        let (status, times) = (status(&name)?, row::count("count", times)?);
        Ok(Happened { message, is_by_person: source == "user", status, times })
    });
    Ok(Facts {
        messages: messages.collect::<sqlx::Result<_>>()?,
        accounts: accounts.collect::<sqlx::Result<_>>()?,
        events: events.collect::<sqlx::Result<_>>()?,
        holds: holds.into_iter().map(|(attempt, account, day)| Hold { attempt, account, day }).collect(),
        usage: usage.into_iter().map(|(account, day, used)| Used { account, day, used }).collect(),
    })
}
