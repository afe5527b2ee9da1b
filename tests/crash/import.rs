//! kill -9 in the middle of an import, again and again: in the end every row was counted once, and every person is there once.

use super::{
    Chance,
    machine::{Machine, ask, on_postgres, on_sqlite, until},
    tell,
};
use std::{collections::BTreeSet, time::Duration};

/// Kills of one engine.
const KILLS: u64 = 12;
/// Rows of the file.
const ROWS: i64 = 30_000;

/// A file in which of twenty rows one is bad and four are of people who stood further up.
fn people() -> String {
    let row = |n: i64| match n % 20 {
        7 => format!("Bad {n},no address,\n"),
        9 | 13 | 16 | 19 => format!("Again,KIM{}@example.com,\n", n - n % 20),
        _ => format!("Kim {n},kim{n}@example.com,+1415{:07}\n", 5_550_000 + n),
    };
    std::iter::once("name,email,phone\n".to_owned()).chain((0..ROWS).map(row)).collect()
}

async fn storm(mut machine: Machine, what: &str) {
    let mut chance = Chance::new(what);
    machine.start_twilio(&[]).await;
    // The dead hold an import of a shared database for half a minute: the clock of their leases is not ours to turn.
    let is_shared = !machine.db_url.starts_with("sqlite");
    let mut server = machine.start();
    machine.answers().await;
    machine.set_up(&[]).await;
    let path = "/api/leads/import?tags=fair&consent_source=Fair";
    let (status, import) = machine.upload(path, people()).await;
    assert_eq!(status, 202, "{import}");
    let db = machine.db().await;
    let (mut kills, mut seen) = (0, BTreeSet::from([0_i64]));
    while kills < KILLS {
        // It goes on, and dies while it does.
        let before = seen.last().copied().unwrap_or_default();
        until("the import goes on", Duration::from_secs(30), async || {
            ask::<i64>(&db, "select created + updated + skipped + failed from import").await > before
        })
        .await;
        tokio::time::sleep(Duration::from_millis(chance.below(60))).await;
        server.kill();
        kills += 1;
        let done: i64 = ask(&db, "select created + updated + skipped + failed from import").await;
        seen.insert(done);
        let counted: i64 = ask(&db, "select (select count(*) from lead) - created from import").await;
        assert_eq!(counted, 0, "{what}: leads and their count part after {done} rows");
        if is_shared {
            let free = "update import set lease_until = 0 where state = 'running'";
            db.write(async |conn| sqlx::query(free).execute(conn).await.map(drop)).await.expect("a lease that ran out");
        }
        server = machine.start();
        assert!(machine.answers_or_ended(&mut server).await, "the server ended by itself");
        if done == ROWS {
            break;
        }
    }
    until("the import ends", Duration::from_mins(1), async || {
        ask::<String>(&db, "select state from import").await == "done"
    })
    .await;
    server.kill();
    tell(&format!("{what}: {kills} kills, seen after {seen:?} rows"));
    assert!(seen.iter().any(|done| (1..ROWS).contains(done)), "no kill came in the middle: {seen:?}");
    let counts = "select created || ' ' || updated || ' ' || skipped || ' ' || failed from import";
    let (bad, again) = (ROWS / 20, ROWS / 5);
    assert_eq!(ask::<String>(&db, counts).await, format!("{} {again} 0 {bad}", ROWS - bad - again));
    for (table, expected) in [
        ("select count(*) from lead", ROWS - bad - again),
        ("select count(distinct email) from lead", ROWS - bad - again),
        ("select count(*) from lead_tag where tag = 'fair'", ROWS - bad - again),
        ("select count(*) from import_lead", ROWS - bad - again),
        ("select count(*) from import_reject", bad),
        ("select count(*) from lead where name = 'Again'", ROWS / 20),
    ] {
        assert_eq!(ask::<i64>(&db, table).await, expected, "{table}");
    }
    db.close().await;
}

#[tokio::test]
async fn an_import_that_is_killed_again_and_again_is_exact_on_sqlite() {
    on_sqlite(async |machine| storm(machine, "import on SQLite").await).await;
}

#[tokio::test]
async fn an_import_that_is_killed_again_and_again_is_exact_on_postgres() {
    on_postgres(async |machine| storm(machine, "import on PostgreSQL").await).await;
}
