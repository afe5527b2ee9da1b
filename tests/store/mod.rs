//! Stories of the database. Each runs on SQLite and on PostgreSQL, on a database of its own.

mod account;
mod api_key;
mod guess;
mod import;
mod lead;
mod message;
mod migration;
mod queue;
mod session;
mod statement;
mod template;
mod usage;
mod user;
mod vault_canary;
mod webhook;

use futures::FutureExt;
use sqlx::AssertSqlSafe;
use std::{
    io::Write,
    panic::{AssertUnwindSafe, resume_unwind},
    path::{Path, PathBuf},
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
};
use tern::{
    domain::{
        account::{Account, ConnectionStatus},
        channel::{Channel, Provider},
        email::Email,
        id::{AccountId, MessageId, OrganizationId},
        limit::Pace,
        message::{Direction, Message, Status},
        time::Timestamp,
        user::{Organization, Role, User},
    },
    server::{
        bucket::Bucket,
        clock::new_id,
        store::{self, Db, message::StoredMessage},
    },
};

/// When every story begins.
pub const NOW: Timestamp = Timestamp(1_800_000_000_000);
/// The day of the stories.
pub const TODAY: &str = "2027-01-15";

/// The key of a calendar day, alone.
pub fn day(key: &str) -> Bucket {
    Bucket { key: key.to_owned(), first: key.to_owned(), last: format!("{key}T99"), until: NOW }
}

/// Runs the story on each engine.
pub async fn each_engine(story: impl AsyncFn(Db)) {
    each_engine_twice(async |db, _| story(db).await).await;
}

/// Runs the story on each engine, with the same database opened twice, as two processes would.
pub async fn each_engine_twice(story: impl AsyncFn(Db, Db)) {
    let folder = Folder::new();
    tell("SQLite", &folder.url(), &story).await;
    let Ok(base) = std::env::var("TEST_POSTGRES_URL") else {
        assert!(std::env::var_os("CI").is_none(), "TEST_POSTGRES_URL is missing: half of the stories would be untold");
        let _ = writeln!(std::io::stderr(), "PostgreSQL left out: TEST_POSTGRES_URL is missing");
        return;
    };
    let admin = Db::open(&format!("{base}/postgres")).await.expect("the server of TEST_POSTGRES_URL");
    let name = format!("story_{}", new_id(NOW).to_lowercase());
    command(&admin, format!("create database {name}")).await;
    let told = AssertUnwindSafe(tell("PostgreSQL", &format!("{base}/{name}"), &story)).catch_unwind().await;
    command(&admin, format!("drop database {name} with (force)")).await;
    admin.close().await;
    told.unwrap_or_else(|panic| resume_unwind(panic));
}

async fn tell(engine: &str, url: &str, story: &impl AsyncFn(Db, Db)) {
    let (db, other) = (Db::open(url).await.expect(engine), Db::open(url).await.expect(engine));
    db.migrate().await.expect(engine);
    let told = AssertUnwindSafe(story(db.clone(), other.clone())).catch_unwind().await;
    db.close().await;
    other.close().await;
    told.unwrap_or_else(|panic| {
        let _ = writeln!(std::io::stderr(), "the story failed on {engine}");
        resume_unwind(panic)
    });
}

async fn command(admin: &Db, text: String) {
    let mut conn = admin.read().await.expect("a connection");
    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *conn).await.expect("a database of our own");
}

/// A folder that is gone when the story is told.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("tern-store-{}", new_id(NOW)));
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// An SQLite database in it.
    pub fn url(&self) -> String {
        format!("sqlite://{}/tern.db", self.path().display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A new identifier of any noun.
pub fn id<T: FromStr<Err: std::fmt::Debug>>() -> T {
    id_at(NOW)
}

/// A new identifier that sorts by `at`.
pub fn id_at<T: FromStr<Err: std::fmt::Debug>>(at: Timestamp) -> T {
    new_id(at).parse().expect("a ULID is an id")
}

/// Asks one question by a bare text: for what the store has no function, because only a test wants to know.
pub async fn ask(db: &Db, question: &'static str, about: &str) -> Option<String> {
    let mut conn = db.read().await.expect("a connection");
    sqlx::query_scalar(question).bind(about).fetch_one(&mut *conn).await.expect(question)
}

/// An organization is founded.
pub async fn organization(db: &Db) -> OrganizationId {
    let organization = Organization { id: id(), name: "Northwind".to_owned() };
    db.write(async |conn| store::user::insert_organization(conn, &organization, NOW).await).await.expect("stored");
    organization.id
}

/// Somebody joins an organization.
pub async fn user(db: &Db, organization: &OrganizationId) -> User {
    let email = Email::parse(&format!("{}@example.com", new_id(NOW).to_lowercase())).expect("an address");
    let user = User { id: id(), email, role: Role::Member };
    let stored = db.write(async |conn| store::user::insert(conn, &user, Some(organization), "hash", NOW).await).await;
    assert!(stored.expect("stored"), "the address is free");
    user
}

/// An account that nobody has stored yet, with a number of its own.
pub fn new_account() -> Account {
    static NUMBER: AtomicU32 = AtomicU32::new(1_000_000);
    Account {
        is_default: false,
        id: id(),
        provider: Provider::Twilio,
        channel: Channel::Sms,
        address: format!("+1555{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
        display_name: "Sales".to_owned(),
        daily_limit: 100,
        sent_today: 0,
        pace: Pace::default(),
        block: None,
        is_active: true,
        connection_status: ConnectionStatus::Connected,
        smtp: None,
        last_error: None,
        mailbox_error: None,
        is_demo: false,
        is_platform: false,
        created_at: NOW,
    }
}

/// An organization connects an account, with a secret.
pub async fn account(db: &Db, organization: &OrganizationId) -> Account {
    let account = new_account();
    connect(db, &account, organization).await;
    account
}

/// An organization connects this account, with a secret.
pub async fn connect(db: &Db, account: &Account, organization: &OrganizationId) {
    let stored = db.write(async |conn| store::account::insert(conn, account, organization, Some("sealed")).await).await;
    assert!(stored.expect("stored"), "the number is free");
}

/// A queued message that nobody has stored yet.
pub fn new_message(organization: &OrganizationId, account: &AccountId) -> StoredMessage {
    let message = Message {
        id: id(),
        channel: Channel::Sms,
        direction: Direction::Outbound,
        to: "+15550001111".to_owned(),
        from: None,
        subject: None,
        body: "Hello".to_owned(),
        status: Status::Queued,
        account_id: Some(account.clone()),
        lead_id: None,
        provider_message_id: None,
        segments: 1,
        attempts: 0,
        error: None,
        waiting: None,
        is_demo: false,
        created_at: NOW,
        updated_at: NOW,
    };
    let (account_id, organization_id) = (Some(account.clone()), organization.clone());
    StoredMessage { message, account_id, organization_id, lease_token: None, accepted_at: None, origin: None }
}

/// Stores a message that is due now.
pub async fn store_message(db: &Db, stored: &StoredMessage) {
    db.write(async |conn| store::message::insert(conn, db.dialect, stored, NOW).await).await.expect("stored");
}

/// So many messages are queued through an account and due now.
pub async fn queue(db: &Db, organization: &OrganizationId, account: &AccountId, count: usize) -> Vec<MessageId> {
    let messages: Vec<_> = (0..count).map(|_| new_message(organization, account)).collect();
    let stored = db.write(async |conn| {
        for message in &messages {
            store::message::insert(conn, db.dialect, message, NOW).await?;
        }
        Ok::<_, sqlx::Error>(())
    });
    stored.await.expect("stored");
    messages.into_iter().map(|stored| stored.message.id).collect()
}

/// A message as its organization sees it.
pub async fn look(db: &Db, organization: &OrganizationId, message: &MessageId) -> StoredMessage {
    let mut conn = db.read().await.expect("a connection");
    store::message::find(&mut conn, message, organization).await.expect("found").expect("it is there")
}
