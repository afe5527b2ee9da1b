//! Sender accounts.

use super::{Conn, Dialect, Sql, batch_of_ids, row, rows};
use crate::domain::{
    account::{Account, ConnectionStatus},
    channel::{Channel, Provider},
    email_account::SmtpSettings,
    id::{AccountId, OrganizationId},
    limit::{LimitWindow, Pace, Warmup},
    time::Timestamp,
};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, organization_id, provider, channel, address, display_name, daily_limit, time_zone, secret, \
             paused_at, connection_status, last_error, stopped_at, demo_at, created_at, settings, \
             rate_per_second, min_gap_seconds, limit_window, warmup_start, warmup_step, warmup_since, on_unknown, platform, \
             (select m.last_error from mailbox m where m.account_id = account.id) as mailbox_error from account ",
            $rest
        )
    };
}

const LIST: &str =
    select!("where organization_id = $1 and deleted_at is null and platform is null order by id desc limit 1000");
const FIND: &str = select!("where id = $1 and organization_id = $2 and deleted_at is null and platform is null");
/// The platform default of an organization, one row for each channel and sender that was ever configured.
const LIST_PLATFORM: &str = select!("where organization_id = $1 and platform is not null order by id desc limit 100");
const FIND_PLATFORM: &str = select!("where organization_id = $1 and channel = $2 and platform = $3 and address = $4");
/// By id alone: the worker and webhooks, which act for no person.
const LOAD: &str = select!("where id = $1");
macro_rules! find_many {
    ($dialect:ident, $lock:literal) => {
        concat!(select!("where id in (select x.id from "), rows!($dialect, id text), ") order by id", $lock)
    };
}
const FIND_MANY: Sql = Sql { sqlite: find_many!(sqlite, ""), postgres: find_many!(postgres, "") };
/// The same, and nobody else claims for them until the transaction ends. In one order, so that two who lock several do not
/// wait for each other.
const LOCK_MANY: Sql = Sql { sqlite: find_many!(sqlite, ""), postgres: find_many!(postgres, " for no key update") };
const DEFAULT: &str = select!(
    "where organization_id = $1 and channel = $2 and deleted_at is null and platform is null and paused_at is null \
     order by case when stopped_at is null then 0 else 1 end, id limit 1"
);
const SEALED: &str = select!("where secret is not null and id > $1 order by id limit $2");
const INSERT: &str = "insert into account (id, organization_id, provider, channel, address, display_name, daily_limit, secret, \
     connection_status, demo_at, created_at, settings, platform) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
     on conflict do nothing returning id";
const TAKEN: &str = "select id from account where organization_id = $1 and channel = $2 and address = $3 and deleted_at is null and platform is null";
const UPDATE: &str = "update account set display_name = $3, daily_limit = $4, paused_at = $5, \
     time_zone = $6, limit_window = $7, rate_per_second = $8, min_gap_seconds = $9, warmup_start = $10, warmup_step = $11, \
     warmup_since = $12, on_unknown = $13 where id = $1 and organization_id = $2 and deleted_at is null and platform is null";
const SET_HEALTH: &str = "update account set connection_status = $2, last_error = $3, stopped_at = $4 where id = $1";
/// Only while the secret is still the one that was refused.
const STOP: &str = "update account set connection_status = $2, last_error = $3, stopped_at = $4 where id = $1 and coalesce(secret, '') = $5";
const IS_DELETED: &str = "select id from account where id = $1 and deleted_at is not null";
const SET_SECRET: &str = "update account set secret = $2 where id = $1 and organization_id = $3 and deleted_at is null";
const SET_SETTINGS: &str =
    "update account set settings = $2 where id = $1 and organization_id = $3 and deleted_at is null";
const SET_ERROR: &str = "update account set connection_status = $2, last_error = $3 where id = $1";
const RESEAL: &str = "update account set secret = $3 where id = $1 and secret = $2 returning id";
const DELETE: &str = "update account set deleted_at = $3, secret = null where id = $1 and organization_id = $2 and deleted_at is null and platform is null returning id";
/// Platform defaults whose sender is not the configured one.
const STOP_PLATFORM: &str = "update account set connection_status = 'error', last_error = $3, stopped_at = coalesce(stopped_at, $4) \
     where platform is not null and not (platform = $1 and address = $2)";
/// Those whose sender is: the operator has looked at the credentials.
const START_PLATFORM: &str = "update account set connection_status = 'untested', last_error = null, stopped_at = null, daily_limit = $3 \
     where platform = $1 and address = $2";
const REMOVE_DEMO: &str = "update account set deleted_at = $2, secret = null where organization_id = $1 and demo_at is not null and deleted_at is null";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[
    LIST,
    FIND,
    LIST_PLATFORM,
    FIND_PLATFORM,
    STOP_PLATFORM,
    START_PLATFORM,
    LOAD,
    DEFAULT,
    SEALED,
    INSERT,
    TAKEN,
    UPDATE,
    SET_HEALTH,
    STOP,
    IS_DELETED,
    SET_ERROR,
    SET_SECRET,
    SET_SETTINGS,
    RESEAL,
    DELETE,
    REMOVE_DEMO,
];

/// Statements that differ.
pub const DUAL: &[Sql] = &[FIND_MANY, LOCK_MANY];

/// The word of the column `on_unknown`.
fn on_unknown(resends: bool) -> &'static str {
    if resends { "resend" } else { "hold" }
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    id: String,
    organization_id: String,
    provider: String,
    channel: String,
    address: String,
    display_name: String,
    daily_limit: i64,
    time_zone: String,
    secret: Option<String>,
    paused_at: Option<i64>,
    connection_status: String,
    last_error: Option<String>,
    stopped_at: Option<i64>,
    demo_at: Option<i64>,
    created_at: i64,
    settings: Option<String>,
    rate_per_second: Option<i64>,
    min_gap_seconds: Option<i64>,
    limit_window: String,
    warmup_start: Option<i64>,
    warmup_step: Option<i64>,
    warmup_since: Option<i64>,
    on_unknown: String,
    mailbox_error: Option<String>,
    platform: Option<String>,
}

/// An account with what only the server may know.
pub struct StoredAccount {
    /// As it is shown; `sent_today` is 0 until [`super::usage`] says otherwise.
    pub account: Account,
    /// Its tenant.
    pub organization_id: OrganizationId,
    /// Its sealed credentials.
    pub secret: Option<String>,
    /// Its credentials were refused while sending: nothing goes out until a test succeeds.
    pub is_stopped: bool,
    /// Which configured sender it stands for; `None` for an account that people have connected.
    pub platform: Option<String>,
}

impl StoredAccount {
    /// Its id for people: the platform default has none.
    pub fn shown_id(&self) -> Option<AccountId> {
        self.platform.is_none().then(|| self.account.id.clone())
    }
}

fn read_settings(text: &str) -> sqlx::Result<SmtpSettings> {
    serde_json::from_str(text).map_err(|_| super::inconsistent("settings"))
}

fn settings_text(settings: &SmtpSettings) -> String {
    serde_json::to_string(settings).expect("texts and numbers")
}

impl AccountRow {
    fn read(self) -> sqlx::Result<StoredAccount> {
        let warmup = match (self.warmup_start, self.warmup_step, self.warmup_since) {
            (Some(start), Some(step), Some(since)) => Some(Warmup {
                start: row::count("warmup_start", start)?,
                step: row::count("warmup_step", step)?,
                since: Timestamp(since),
            }),
            _ => None,
        };
        let pace = Pace {
            time_zone: self.time_zone,
            limit_window: row::value("limit_window", &self.limit_window, LimitWindow::from_name)?,
            rate_per_second: self.rate_per_second.map(|n| row::count("rate_per_second", n)).transpose()?,
            min_gap_seconds: self.min_gap_seconds.map(|n| row::count("min_gap_seconds", n)).transpose()?,
            warmup,
            resends_unknown: self.on_unknown == on_unknown(true),
        };
        let account = Account {
            id: row::id("id", self.id)?,
            provider: row::value("provider", &self.provider, Provider::from_name)?,
            channel: row::value("channel", &self.channel, Channel::from_name)?,
            address: self.address,
            display_name: self.display_name,
            daily_limit: row::count("daily_limit", self.daily_limit)?,
            sent_today: 0,
            pace,
            block: None,
            is_active: self.paused_at.is_none(),
            connection_status: row::value("connection_status", &self.connection_status, ConnectionStatus::from_name)?,
            smtp: self.settings.as_deref().map(read_settings).transpose()?,
            last_error: self.last_error,
            mailbox_error: self.mailbox_error,
            is_default: false,
            is_demo: self.demo_at.is_some(),
            is_platform: self.platform.is_some(),
            created_at: Timestamp(self.created_at),
        };
        Ok(StoredAccount {
            account,
            organization_id: row::id("organization_id", self.organization_id)?,
            secret: self.secret,
            is_stopped: self.stopped_at.is_some(),
            platform: self.platform,
        })
    }
}

/// The accounts of an organization, newest first.
pub async fn list(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<Vec<StoredAccount>> {
    let rows: Vec<AccountRow> = sqlx::query_as(LIST).bind(organization.as_str()).fetch_all(conn).await?;
    rows.into_iter().map(AccountRow::read).collect()
}

/// One account of an organization.
pub async fn find(
    conn: &mut Conn,
    id: &AccountId,
    organization: &OrganizationId,
) -> sqlx::Result<Option<StoredAccount>> {
    let found: Option<AccountRow> =
        sqlx::query_as(FIND).bind(id.as_str()).bind(organization.as_str()).fetch_optional(conn).await?;
    found.map(AccountRow::read).transpose()
}

/// One account, deleted or not, whoever owns it: for the worker and webhooks.
pub async fn find_any(conn: &mut Conn, id: &AccountId) -> sqlx::Result<Option<StoredAccount>> {
    let found: Option<AccountRow> = sqlx::query_as(LOAD).bind(id.as_str()).fetch_optional(conn).await?;
    found.map(AccountRow::read).transpose()
}

/// Accounts, deleted or not, whoever owns them: for providers that call.
pub async fn find_many(conn: &mut Conn, dialect: Dialect, ids: &[AccountId]) -> sqlx::Result<Vec<StoredAccount>> {
    let rows: Vec<AccountRow> = sqlx::query_as(FIND_MANY.of(dialect)).bind(batch_of_ids(ids)).fetch_all(conn).await?;
    rows.into_iter().map(AccountRow::read).collect()
}

/// Accounts, deleted or not, locked: whoever claims for them does so alone.
pub async fn lock_many(
    conn: &mut Conn,
    dialect: Dialect,
    ids: impl IntoIterator<Item = &AccountId>,
) -> sqlx::Result<Vec<StoredAccount>> {
    let rows: Vec<AccountRow> = sqlx::query_as(LOCK_MANY.of(dialect)).bind(batch_of_ids(ids)).fetch_all(conn).await?;
    rows.into_iter().map(AccountRow::read).collect()
}

/// The organization's default for a channel: its oldest active account, if possible one that can send.
pub async fn find_default(
    conn: &mut Conn,
    organization: &OrganizationId,
    channel: Channel,
) -> sqlx::Result<Option<StoredAccount>> {
    let found: Option<AccountRow> =
        sqlx::query_as(DEFAULT).bind(organization.as_str()).bind(channel.as_str()).fetch_optional(conn).await?;
    found.map(AccountRow::read).transpose()
}

/// Up to `limit` accounts with a secret, after the id `after` ("" at first), in order of id.
pub async fn list_sealed(conn: &mut Conn, after: &str, limit: i64) -> sqlx::Result<Vec<StoredAccount>> {
    let rows: Vec<AccountRow> = sqlx::query_as(SEALED).bind(after).bind(limit).fetch_all(conn).await?;
    rows.into_iter().map(AccountRow::read).collect()
}

/// The platform default of an organization, newest first: one row for each channel and sender that was ever used.
pub async fn list_platform(conn: &mut Conn, organization: &OrganizationId) -> sqlx::Result<Vec<StoredAccount>> {
    let rows: Vec<AccountRow> = sqlx::query_as(LIST_PLATFORM).bind(organization.as_str()).fetch_all(conn).await?;
    rows.into_iter().map(AccountRow::read).collect()
}

/// The platform default of an organization for a channel, with the sender that is configured.
pub async fn find_platform(
    conn: &mut Conn,
    organization: &OrganizationId,
    channel: Channel,
    platform: &str,
    address: &str,
) -> sqlx::Result<Option<StoredAccount>> {
    let found: Option<AccountRow> = sqlx::query_as(FIND_PLATFORM)
        .bind(organization.as_str())
        .bind(channel.as_str())
        .bind(platform)
        .bind(address)
        .fetch_optional(conn)
        .await?;
    found.map(AccountRow::read).transpose()
}

/// Stops every platform default but those of the configured sender, and says why.
pub async fn stop_platform(
    conn: &mut Conn,
    configured: Option<(&str, &str)>,
    why: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let (platform, address) = configured.unwrap_or_default();
    sqlx::query(STOP_PLATFORM).bind(platform).bind(address).bind(why).bind(now.0).execute(conn).await.map(drop)
}

/// Lets the platform defaults of the configured sender send, under this limit.
pub async fn start_platform(conn: &mut Conn, platform: &str, address: &str, daily_limit: u32) -> sqlx::Result<()> {
    let limit = i64::from(daily_limit);
    sqlx::query(START_PLATFORM).bind(platform).bind(address).bind(limit).execute(conn).await.map(drop)
}

/// Stores an account that somebody connects; false when the address is connected already.
pub async fn insert(
    conn: &mut Conn,
    account: &Account,
    organization: &OrganizationId,
    secret: Option<&str>,
) -> sqlx::Result<bool> {
    insert_row(conn, account, organization, secret, None).await
}

/// Stores the platform default of an organization; false when it is there already.
pub async fn insert_platform(
    conn: &mut Conn,
    account: &Account,
    organization: &OrganizationId,
    platform: &str,
) -> sqlx::Result<bool> {
    insert_row(conn, account, organization, None, Some(platform)).await
}

async fn insert_row(
    conn: &mut Conn,
    account: &Account,
    organization: &OrganizationId,
    secret: Option<&str>,
    platform: Option<&str>,
) -> sqlx::Result<bool> {
    let stored = sqlx::query(INSERT)
        .bind(account.id.as_str())
        .bind(organization.as_str())
        .bind(account.provider.as_str())
        .bind(account.channel.as_str())
        .bind(&account.address)
        .bind(&account.display_name)
        .bind(i64::from(account.daily_limit))
        .bind(secret)
        .bind(account.connection_status.as_str())
        .bind(account.is_demo.then_some(account.created_at.0))
        .bind(account.created_at.0)
        .bind(account.smtp.as_ref().map(settings_text))
        .bind(platform)
        .fetch_all(conn)
        .await?;
    Ok(!stored.is_empty())
}

/// True when the address is connected already.
pub async fn is_taken(
    conn: &mut Conn,
    organization: &OrganizationId,
    channel: Channel,
    address: &str,
) -> sqlx::Result<bool> {
    let found: Option<String> = sqlx::query_scalar(TAKEN)
        .bind(organization.as_str())
        .bind(channel.as_str())
        .bind(address)
        .fetch_optional(conn)
        .await?;
    Ok(found.is_some())
}

/// Writes the settings of an account.
pub async fn update(
    conn: &mut Conn,
    account: &Account,
    organization: &OrganizationId,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(UPDATE)
        .bind(account.id.as_str())
        .bind(organization.as_str())
        .bind(&account.display_name)
        .bind(i64::from(account.daily_limit))
        .bind((!account.is_active).then_some(now.0))
        .bind(&account.pace.time_zone)
        .bind(account.pace.limit_window.as_str())
        .bind(account.pace.rate_per_second.map(i64::from))
        .bind(account.pace.min_gap_seconds.map(i64::from))
        .bind(account.pace.warmup.map(|warmup| i64::from(warmup.start)))
        .bind(account.pace.warmup.map(|warmup| i64::from(warmup.step)))
        .bind(account.pace.warmup.map(|warmup| warmup.since.0))
        .bind(on_unknown(account.pace.resends_unknown))
        .execute(conn)
        .await
        .map(drop)
}

/// Writes what a test or a send said about the connection. `stopped_at` holds all sending until a test succeeds.
pub async fn set_health(
    conn: &mut Conn,
    id: &AccountId,
    status: ConnectionStatus,
    error: Option<&str>,
    stopped_at: Option<Timestamp>,
) -> sqlx::Result<()> {
    sqlx::query(SET_HEALTH)
        .bind(id.as_str())
        .bind(status.as_str())
        .bind(error)
        .bind(stopped_at.map(|at| at.0))
        .execute(conn)
        .await
        .map(drop)
}

/// Stops an account whose credentials were refused, unless others were entered meanwhile.
pub async fn stop(
    conn: &mut Conn,
    id: &AccountId,
    refused: Option<&str>,
    status: ConnectionStatus,
    error: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(STOP)
        .bind(id.as_str())
        .bind(status.as_str())
        .bind(error)
        .bind(now.0)
        .bind(refused.unwrap_or_default())
        .execute(conn)
        .await
        .map(drop)
}

/// True when the account was deleted.
pub async fn is_deleted(conn: &mut Conn, id: &AccountId) -> sqlx::Result<bool> {
    let found: Option<String> = sqlx::query_scalar(IS_DELETED).bind(id.as_str()).fetch_optional(conn).await?;
    Ok(found.is_some())
}

/// Writes why a test failed. It neither stops the sending nor lets a stopped account send again.
pub async fn set_error(conn: &mut Conn, id: &AccountId, error: &str) -> sqlx::Result<()> {
    let status = ConnectionStatus::Error.as_str();
    sqlx::query(SET_ERROR).bind(id.as_str()).bind(status).bind(error).execute(conn).await.map(drop)
}

/// Replaces the sealed credentials; `None` wipes them.
pub async fn set_secret(
    conn: &mut Conn,
    id: &AccountId,
    organization: &OrganizationId,
    secret: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query(SET_SECRET).bind(id.as_str()).bind(secret).bind(organization.as_str()).execute(conn).await.map(drop)
}

/// Replaces what is known of the mail server.
pub async fn set_settings(
    conn: &mut Conn,
    id: &AccountId,
    organization: &OrganizationId,
    settings: &SmtpSettings,
) -> sqlx::Result<()> {
    sqlx::query(SET_SETTINGS)
        .bind(id.as_str())
        .bind(settings_text(settings))
        .bind(organization.as_str())
        .execute(conn)
        .await
        .map(drop)
}

/// Replaces a sealed value unless somebody else did meanwhile.
pub async fn reseal(conn: &mut Conn, id: &AccountId, old: &str, new: &str) -> sqlx::Result<bool> {
    Ok(!sqlx::query(RESEAL).bind(id.as_str()).bind(old).bind(new).fetch_all(conn).await?.is_empty())
}

/// Marks an account as deleted and wipes its credentials; false when there is none.
pub async fn delete(
    conn: &mut Conn,
    id: &AccountId,
    organization: &OrganizationId,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let gone = sqlx::query(DELETE).bind(id.as_str()).bind(organization.as_str()).bind(now.0).fetch_all(conn).await?;
    Ok(!gone.is_empty())
}

/// Marks the demo's accounts as deleted.
pub async fn remove_demo(conn: &mut Conn, organization: &OrganizationId, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(REMOVE_DEMO).bind(organization.as_str()).bind(now.0).execute(conn).await.map(drop)
}
