//! The database, and only here: one SQL text for SQLite and PostgreSQL.
//!
//! House rules, each from a defect that was reproduced:
//! - a write with `returning` is read with `fetch_all`: an error at commit is lost otherwise;
//! - transactions begin on the pool ([`Db::write`]), never inside another;
//! - after any error inside a transaction it is dropped (`?`); to tolerate a duplicate use `on conflict`;
//! - migrations run on a connection of their own (PostgreSQL) or inside `begin immediate` (SQLite).
//!
//! Functions take `&mut Conn`, so that they compose in a transaction; row types are private to their file.

pub mod account;
pub mod api_key;
pub mod attempt;
pub mod audience;
pub mod campaign;
pub mod change;
pub mod consent;
pub mod dashboard;
pub mod enrollment;
pub mod guess;
pub mod idempotency;
pub mod import;
pub mod import_lead;
pub mod lane;
pub mod lead;
pub mod mailbox;
pub mod merge;
pub mod message;
pub mod oracle;
pub mod queue;
pub mod rehearsal;
pub mod report;
pub mod row;
pub mod rules;
pub mod segment;
pub mod selection;
pub mod sequence;
pub mod session;
pub mod snippet;
pub mod standing;
pub mod stranger;
pub mod suppression;
pub mod tally;
pub mod template;
pub mod usage;
pub mod user;
pub mod vault_canary;
pub mod webhook;

use crate::domain::time::Timestamp;
use sqlx::{
    Any, AnyConnection, AnyPool, ConnectOptions, Connection,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::{MigrateError, Migrator},
    pool::PoolConnection,
};
use std::{
    path::Path,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// What every store function takes.
pub type Conn = AnyConnection;

/// The schema, forward only.
static MIGRATOR: Migrator = sqlx::migrate!("./migrations");

/// Oldest bundled SQLite without the WAL-reset corruption (fixed in 3.51.3).
const SQLITE_MIN: (u32, u32, u32) = (3, 51, 3);

/// `full`: a power cut must not forget an intent that a provider already acted on.
const PRAGMAS: &str = "pragma busy_timeout = 10000; pragma journal_mode = wal; pragma synchronous = full; \
                       pragma foreign_keys = on; pragma temp_store = memory; pragma cache_size = -8000; \
                       pragma wal_autocheckpoint = 4000";

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Inside the process.
    Sqlite,
    /// Several machines.
    Postgres,
}

/// A statement whose text differs between the engines; see [`DUAL`].
#[derive(Debug, Clone, Copy)]
pub struct Sql {
    sqlite: &'static str,
    postgres: &'static str,
}

impl Sql {
    /// The text for the engine.
    pub const fn of(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }
}

/// A JSON array of objects in `$1` as the row source `x`: one statement for a whole batch.
macro_rules! rows {
    (sqlite, $($column:ident $kind:ident),+) => {
        concat!("(select null as _", $(", value->>'", stringify!($column), "' as ", stringify!($column),)+ " from jsonb_each($1)) as x")
    };
    (postgres, $($column:ident $kind:ident),+) => {
        concat!("json_to_recordset($1::text::json) as x(_ text", $(", ", stringify!($column), " ", stringify!($kind)),+, ")")
    };
}
pub(crate) use rows;

/// The rows of a query as one text, for [`gathered`]: each row that SQLite hands over by itself may cost a change of
/// threads.
macro_rules! gather {
    (sqlite, [$first:ident $(, $column:ident)*], $($query:tt)+) => {
        concat!(
            "select json_group_array(json_object('", stringify!($first), "', g.", stringify!($first),
            $(", '", stringify!($column), "', g.", stringify!($column),)* ")) from (", $($query)+, ") g"
        )
    };
    (postgres, [$($column:ident),+], $($query:tt)+) => {
        concat!("select coalesce(json_agg(g), '[]')::text from (", $($query)+, ") g")
    };
}
pub(crate) use gather;

/// The rows of [`gather`].
pub(crate) fn gathered<T: serde::de::DeserializeOwned>(text: &str) -> sqlx::Result<Vec<T>> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}

/// The rows of a batch, for [`rows`].
pub(crate) fn batch<T: serde::Serialize>(rows: &[T]) -> String {
    serde_json::to_string(rows).expect("plain data")
}

/// Each id once, for [`rows`] with the one column `id`.
pub(crate) fn batch_of_ids<'a, T: AsRef<str> + 'a>(ids: impl IntoIterator<Item = &'a T>) -> String {
    #[derive(serde::Serialize)]
    struct Id<'a> {
        id: &'a str,
    }
    let ids: std::collections::BTreeSet<&str> = ids.into_iter().map(AsRef::as_ref).collect();
    batch(&ids.into_iter().map(|id| Id { id }).collect::<Vec<_>>())
}

/// The database: on SQLite one writer and several readers, on PostgreSQL one pool.
#[derive(Clone)]
pub struct Db {
    /// Which engine.
    pub dialect: Dialect,
    reader: AnyPool,
    writer: AnyPool,
    /// How many wait for a connection to write on.
    waiting: Arc<AtomicUsize>,
}

/// Counts somebody who waits, until it is dropped.
struct Waits(Arc<AtomicUsize>);

impl Waits {
    fn new(waiting: &Arc<AtomicUsize>) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting.clone())
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Db {
    /// Opens `sqlite://path` or `postgres://…`.
    pub async fn open(url: &str) -> sqlx::Result<Self> {
        sqlx::any::install_default_drivers();
        let base = || AnyPoolOptions::new().acquire_timeout(Duration::from_secs(15));
        if url.starts_with("postgres") {
            let options = AnyConnectOptions::from_str(url)?.disable_statement_logging();
            let pool = base()
                .max_connections(10)
                .after_connect(|conn, _| {
                    Box::pin(async move {
                        let settings = "set synchronous_commit = on; set statement_timeout = '30s'; \
                                        set idle_in_transaction_session_timeout = '10s'";
                        sqlx::raw_sql(settings).execute(conn).await.map(drop)
                    })
                })
                .connect_with(options)
                .await?;
            return Ok(Self {
                dialect: Dialect::Postgres,
                reader: pool.clone(),
                writer: pool,
                waiting: Arc::default(),
            });
        }
        let options = |mode: &str| {
            Ok::<_, sqlx::Error>(
                AnyConnectOptions::from_str(&format!("{url}?mode={mode}"))?.disable_statement_logging(),
            )
        };
        let writer = base()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .after_connect(|conn, _| Box::pin(async move { sqlx::raw_sql(PRAGMAS).execute(conn).await.map(drop) }))
            // On a full disk SQLite rolls back by itself; sqlx then fails to, and counts a transaction for ever.
            .after_release(|conn, _| {
                Box::pin(async move {
                    conn.ping().await?;
                    Ok(!conn.is_in_transaction())
                })
            })
            .connect_with(options("rwc")?)
            .await?;
        let reader = base()
            .max_connections(4)
            .test_before_acquire(false)
            .after_connect(|conn, _| {
                Box::pin(async move {
                    sqlx::raw_sql(PRAGMAS).execute(&mut *conn).await?;
                    // There are several, and the system's own cache holds what they read.
                    let reader = "pragma query_only = on; pragma cache_size = -2000";
                    sqlx::raw_sql(reader).execute(conn).await.map(drop)
                })
            })
            .connect_lazy_with(options("rw")?);
        let db = Self { dialect: Dialect::Sqlite, reader, writer, waiting: Arc::default() };
        db.check_sqlite_version().await?;
        Ok(db)
    }

    /// Opens a new SQLite file for affairs that are only imagined: nothing is lost when the machine goes down.
    pub async fn open_imagined(path: &Path) -> sqlx::Result<Self> {
        let db = Self::open(&format!("sqlite://{}", path.display())).await?;
        sqlx::raw_sql("pragma synchronous = off").execute(&mut *db.writer.acquire().await?).await?;
        Ok(db)
    }

    /// Runs `work` on what the database is at one instant, whatever others write meanwhile.
    pub async fn snapshot<T, E>(&self, work: impl AsyncFnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E>
    where
        E: From<sqlx::Error>,
    {
        let begin = match self.dialect {
            Dialect::Sqlite => "begin",
            Dialect::Postgres => "begin isolation level repeatable read read only",
        };
        let mut tx = self.reader.begin_with(begin).await?;
        let value = work(&mut tx).await?;
        tx.commit().await?;
        Ok(value)
    }

    async fn check_sqlite_version(&self) -> sqlx::Result<()> {
        let version: String = sqlx::query_scalar("select sqlite_version()").fetch_one(&self.writer).await?;
        let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        if (next(), next(), next()) < SQLITE_MIN {
            let (a, b, c) = SQLITE_MIN;
            return Err(sqlx::Error::Configuration(
                format!("SQLite {version} is too old; {a}.{b}.{c} is needed").into(),
            ));
        }
        Ok(())
    }

    /// Brings the schema up to date.
    pub async fn migrate(&self) -> Result<(), MigrateError> {
        match self.dialect {
            Dialect::Sqlite => {
                let mut tx = self.writer.begin_with("begin immediate").await?;
                MIGRATOR.run_direct(None, &mut *tx, false).await?;
                Ok(tx.commit().await?)
            }
            Dialect::Postgres => {
                let mut conn = self.writer.connect_options().connect().await?;
                let done = MIGRATOR.run_direct(None, &mut conn, false).await;
                conn.close().await.ok();
                done
            }
        }
    }

    /// A connection for reading.
    pub async fn read(&self) -> sqlx::Result<PoolConnection<Any>> {
        self.reader.acquire().await
    }

    /// Runs `work` in one transaction: all of it is stored, durably, or nothing.
    pub async fn write<T, E>(&self, work: impl AsyncFnOnce(&mut Conn) -> Result<T, E>) -> Result<T, E>
    where
        E: From<sqlx::Error>,
    {
        let begin = match self.dialect {
            Dialect::Sqlite => "begin immediate",
            Dialect::Postgres => "begin",
        };
        let waits = Waits::new(&self.waiting);
        let mut tx = self.writer.begin_with(begin).await?;
        drop(waits);
        let value = work(&mut tx).await?;
        tx.commit().await?;
        Ok(value)
    }

    /// Whether somebody waits for the writer that this transaction has: SQLite has one.
    pub fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// The time by the clock that all who share the database see; SQLite has none but the machine's.
    pub async fn now(&self) -> sqlx::Result<Option<Timestamp>> {
        if self.dialect == Dialect::Sqlite {
            return Ok(None);
        }
        let question = "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";
        let now: i64 = sqlx::query_scalar(question).fetch_one(&mut *self.read().await?).await?;
        Ok(Some(Timestamp(now)))
    }

    /// Ends all connections; what was committed stays.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// A row's text that is no value of ours: the database was changed by somebody else.
pub(crate) fn inconsistent(column: &'static str) -> sqlx::Error {
    sqlx::Error::Decode(format!("unexpected value in column {column}").into())
}

/// Every statement, for the test that prepares all of them on both engines.
pub fn statements() -> impl Iterator<Item = Sql> {
    let plain = [
        account::STATEMENTS,
        api_key::STATEMENTS,
        attempt::STATEMENTS,
        audience::STATEMENTS,
        campaign::STATEMENTS,
        change::STATEMENTS,
        consent::STATEMENTS,
        dashboard::STATEMENTS,
        enrollment::STATEMENTS,
        guess::STATEMENTS,
        idempotency::STATEMENTS,
        import::STATEMENTS,
        import_lead::STATEMENTS,
        lane::STATEMENTS,
        lead::STATEMENTS,
        mailbox::STATEMENTS,
        merge::STATEMENTS,
        message::STATEMENTS,
        oracle::STATEMENTS,
        queue::STATEMENTS,
        rehearsal::STATEMENTS,
        rules::STATEMENTS,
        segment::STATEMENTS,
        selection::STATEMENTS,
        sequence::STATEMENTS,
        session::STATEMENTS,
        snippet::STATEMENTS,
        suppression::STATEMENTS,
        tally::STATEMENTS,
        template::STATEMENTS,
        usage::STATEMENTS,
        user::STATEMENTS,
        vault_canary::STATEMENTS,
    ];
    let same = plain.into_iter().flatten().map(|text| Sql { sqlite: text, postgres: text });
    let differ = [
        account::DUAL,
        attempt::DUAL,
        audience::DUAL,
        campaign::DUAL,
        change::DUAL,
        consent::DUAL,
        enrollment::DUAL,
        idempotency::DUAL,
        import::DUAL,
        import_lead::DUAL,
        lane::DUAL,
        lead::DUAL,
        merge::DUAL,
        message::DUAL,
        queue::DUAL,
        rehearsal::DUAL,
        selection::DUAL,
        sequence::DUAL,
        report::DUAL,
        suppression::DUAL,
        snippet::DUAL,
        standing::DUAL,
        stranger::DUAL,
        tally::DUAL,
        template::DUAL,
        usage::DUAL,
        user::DUAL,
        webhook::DUAL,
    ];
    same.chain(differ.into_iter().flatten().copied())
}
