//! No space on the disk, no database behind the wire: nothing leaves that is not written down, and all goes on by itself.

use super::{
    disk::Disk,
    load::Load,
    machine::{Machine, admin, on_postgres, on_sqlite, until},
    tell,
};
use serde_json::json;
use std::time::Duration;

/// How long an outage lasts, once it is felt.
const OUTAGE: Duration = Duration::from_secs(2);

/// Messages after an outage.
const AFTER: u64 = 300;

/// Callers send until `outage` has happened, and go on for a while; in the end everybody is answered and all is settled.
async fn go_through(machine: &Machine, accounts: Vec<String>, outage: impl AsyncFnOnce(&Load)) -> usize {
    machine.command("chaos", json!({ "seed": 11, "hang": 0, "accept_then_hang": 0 })).await;
    let load = Load::new(accounts, u64::MAX, None);
    tokio::join!(load.run(machine, 8, Duration::from_mins(2)), async {
        until("there is a load", Duration::from_secs(30), async || machine.journal().len() > 50).await;
        outage(&load).await;
        load.go_on_for(AFTER);
    });
    machine.command("chaos", json!(null)).await;
    machine.settles().await;
    let verdict = machine.judged("after the outage", &load.answered()).await;
    assert_eq!(load.answered().len(), usize::try_from(load.total()).expect("few"));
    assert!(verdict.accepted > verdict.messages / 2, "it did not go on:\n{verdict}");
    verdict.held
}

#[tokio::test]
async fn a_full_disk_lets_nothing_leave_and_all_goes_on_when_there_is_space() {
    on_sqlite(async |mut machine| {
        let disk = Disk::under(&mut machine);
        machine.start_twilio(&[]).await;
        let mut server = machine.start();
        machine.answers().await;
        let accounts = machine.set_up(&[100_000, 100_000]).await;
        let held = go_through(&machine, accounts, async |load| {
            disk.set_full(true);
            let felt = async || load.refusals.lock().expect("no panic").iter().any(|status| *status >= 500);
            until("callers are refused", Duration::from_secs(10), felt).await;
            let answered = load.answered().len();
            // What was claimed before may still arrive: at most what may be under way, and then no more.
            let mut before = machine.journal().len();
            let calm = async {
                loop {
                    tokio::time::sleep(OUTAGE / 2).await;
                    let now = machine.journal().len();
                    if now == before {
                        break;
                    }
                    before = now;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), calm).await.expect("nothing leaves any more");
            assert_eq!(load.answered().len(), answered, "nobody is promised what cannot be stored");
            disk.set_full(false);
        })
        .await;
        assert!(server.ended().is_none(), "it went on by itself");
        tell(&format!("a full disk: {held} held"));
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_gone_stops_everything_and_all_goes_on_when_it_is_back() {
    on_postgres(async |mut machine| {
        machine.start_twilio(&[]).await;
        let mut server = machine.start();
        machine.answers().await;
        let accounts = machine.set_up(&[100_000, 100_000]).await;
        let (base, name) =
            machine.db_url.rsplit_once('/').map(|(base, name)| (base.to_owned(), name.to_owned())).expect("a URL");
        let terminate = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
        let held = go_through(&machine, accounts, async |load| {
            for _ in 0..10 {
                admin(&base, terminate.clone()).await;
            }
            admin(&base, format!("alter database {name} allow_connections false")).await;
            admin(&base, terminate.clone()).await;
            let before = load.refusals.lock().expect("no panic").len();
            let felt = async || load.refusals.lock().expect("no panic").len() > before + 5;
            until("callers are refused", Duration::from_secs(40), felt).await;
            admin(&base, format!("alter database {name} allow_connections true")).await;
        })
        .await;
        assert!(server.ended().is_none(), "it went on by itself");
        tell(&format!("a database that was gone: {held} held"));
    })
    .await;
}
