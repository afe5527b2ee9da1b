//! The schema: made by any number of starters at once, refused when it is newer, and what SQLite needs to be safe.

use super::{Folder, account, each_engine, each_engine_twice, look, organization, queue};
use futures::future::join_all;
use std::time::Duration;
use tern::server::store::{Db, Dialect, usage::Reservation};

#[tokio::test]
async fn a_second_start_changes_nothing_and_keeps_the_data() {
    each_engine(async |db| {
        let organization = organization(&db).await;
        let account = account(&db, &organization).await;
        let message = queue(&db, &organization, &account.id, 1).await.remove(0);
        db.migrate().await.expect("up to date");
        assert_eq!(look(&db, &organization, &message).await.message.id, message);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_that_start_at_once_make_one_schema() {
    for _ in 0..5 {
        let folder = Folder::new();
        let starts = (0..6).map(|_| {
            let url = folder.url();
            tokio::spawn(async move {
                let db = Db::open(&url).await.expect("opened");
                db.migrate().await.expect("migrated");
                db.close().await;
            })
        });
        assert!(join_all(starts).await.into_iter().all(|started| started.is_ok()));
    }
    each_engine_twice(async |db, other| {
        // The schema is there already here; the lock of the migrator is what is taken four times.
        let starts = [db.migrate(), other.migrate(), db.migrate(), other.migrate()];
        assert!(join_all(starts).await.into_iter().all(|started| started.is_ok()));
    })
    .await;
}

#[tokio::test]
async fn a_schema_of_a_newer_tern_is_refused() {
    each_engine(async |db| {
        let newer =
            "update _sqlx_migrations set version = 9999 where version = (select max(version) from _sqlx_migrations)";
        let moved = db.write(async |conn| sqlx::query(newer).execute(conn).await).await;
        moved.expect("a migration that this program does not know");
        assert!(db.migrate().await.is_err());
    })
    .await;
}

#[tokio::test]
async fn sqlite_survives_a_power_cut_and_keeps_its_references() {
    each_engine(async |db| {
        if db.dialect == Dialect::Postgres {
            return;
        }
        for (setting, value) in [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")] {
            let question = sqlx::AssertSqlSafe(format!("select cast({setting} as text) from pragma_{setting}"));
            let set: Result<String, sqlx::Error> =
                db.write(async |conn| sqlx::query_scalar(question).fetch_one(conn).await).await;
            assert_eq!(set.expect(setting), value, "{setting}");
        }
        let written = sqlx::query("delete from account").execute(&mut *db.read().await.expect("a connection")).await;
        assert!(written.is_err(), "a connection for reading writes nothing");
    })
    .await;
}

#[tokio::test]
async fn a_row_of_nobody_is_refused() {
    each_engine(async |db| {
        let orphan = "insert into usage (account_id, day, used) values ('nobody', '2027-01-15', 1)";
        assert!(db.write(async |conn| sqlx::query(orphan).execute(conn).await).await.is_err());
    })
    .await;
}

/// Each reads before it writes: with a plain `begin` one of them would fail at once with `SQLITE_BUSY_SNAPSHOT`.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_writers_on_one_database_take_turns() {
    each_engine_twice(async |db, other| {
        let account = account(&db, &organization(&db).await).await.id;
        let writers = (0..2).map(|n| {
            let (db, account) = (if n == 0 { db.clone() } else { other.clone() }, account.clone());
            tokio::spawn(async move {
                for _ in 0..30 {
                    let written = db.write(async |conn| {
                        super::store::usage::find(conn, &account, &super::day(super::TODAY)).await?;
                        let one = Reservation { account_id: account.as_str(), key: super::TODAY, count: 1 };
                        super::store::usage::reserve(conn, db.dialect, &[one]).await
                    });
                    written.await.expect("nobody is turned away");
                }
            })
        });
        let done = tokio::time::timeout(Duration::from_secs(30), join_all(writers)).await.expect("no deadlock");
        assert!(done.into_iter().all(|done| done.is_ok()));
        let mut conn = db.read().await.expect("a connection");
        assert_eq!(super::store::usage::find(&mut conn, &account, &super::day(super::TODAY)).await.expect("found"), 60);
    })
    .await;
}

/// The column of the provider is replaced while other tables refer to its table.
#[tokio::test]
async fn accounts_from_before_e_mail_keep_everything_and_their_references() {
    const BEFORE: [&str; 3] = [
        include_str!("../../migrations/0001_people.sql"),
        include_str!("../../migrations/0002_account.sql"),
        include_str!("../../migrations/0003_message.sql"),
    ];
    const ROWS: &str = "insert into organization (id, name, created_at) values ('o', 'Northwind', 1); \
        insert into account (id, organization_id, provider, channel, address, display_name, daily_limit, secret, connection_status, created_at) \
        values ('a', 'o', 'twilio', 'sms', '+14155550132', 'Sales', 100, 'sealed', 'connected', 1), \
        ('b', 'o', 'sandbox', 'email', 'ann@example.com', 'Ann', 100, null, 'connected', 2); \
        insert into usage (account_id, day, used) values ('a', '2027-01-15', 7)";
    each_engine(async |db| {
        let folder = Folder::new();
        let db = if db.dialect == Dialect::Sqlite { Db::open(&folder.url()).await.expect("opened") } else { db };
        let told = db.write(async |conn| {
            if db.dialect == Dialect::Postgres {
                sqlx::raw_sql("create schema before; set local search_path to before").execute(&mut *conn).await?;
            }
            for text in BEFORE.into_iter().chain([ROWS, include_str!("../../migrations/0004_email_account.sql")]) {
                sqlx::raw_sql(text).execute(&mut *conn).await?;
            }
            let kept = "select id || ' ' || provider || ' ' || coalesce(secret, '-') || ' ' || coalesce(settings, '-') \
                        from account order by id";
            let kept: Vec<String> = sqlx::query_scalar(kept).fetch_all(&mut *conn).await?;
            assert_eq!(kept, ["a twilio sealed -", "b sandbox - -"]);
            let new = "update account set provider = 'smtp', settings = '{}' where id = 'b'";
            sqlx::query(new).execute(&mut *conn).await?;
            Ok::<_, sqlx::Error>(())
        });
        told.await.expect("migrated");
        for refused in ["update account set provider = 'fax'", "delete from account where id = 'a'"] {
            let tried = db.write(async |conn| {
                if db.dialect == Dialect::Postgres {
                    sqlx::raw_sql("set local search_path to before").execute(&mut *conn).await?;
                }
                sqlx::query(refused).execute(conn).await
            });
            assert!(tried.await.is_err(), "{refused}");
        }
    })
    .await;
}
