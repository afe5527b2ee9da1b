//! kill -9 at any moment, again and again, while callers send and the provider misbehaves.

use super::{
    Chance,
    load::Load,
    machine::{Machine, ask, on_postgres, on_sqlite},
    tell,
};
use serde_json::json;
use std::time::{Duration, Instant};
use tern::server::simulate::journal::Heard;

/// Kills of one engine in an ordinary run; `TERN_CRASH_KILLS` asks for more.
const KILLS: u64 = 25;
/// An account that has used up its day soon.
const SMALL: u32 = 40;

#[expect(clippy::disallowed_methods, reason = "the report says how long the real processes took")]
async fn storm(mut machine: Machine, what: &str) {
    let start = Instant::now();
    let kills = std::env::var("TERN_CRASH_KILLS").map_or(KILLS, |kills| kills.parse().expect("a number of kills"));
    let mut chance = Chance::new(what);
    machine.start_twilio(&[]).await;
    let mut server = machine.start();
    machine.answers().await;
    let accounts = machine.set_up(&[100_000, 100_000, SMALL]).await;
    // Most reports get lost: they would heal much of what the engine might do wrong.
    let chaos = json!({
        "seed": chance.below(u64::MAX), "accept_then_fail": 150, "accept_then_drop": 100, "lost_callback": 700,
    });
    machine.command("chaos", chaos).await;
    machine.command("settings", json!({ "duplicate_callbacks": true })).await;
    let load = Load::new(accounts, kills * 40, None);
    let (mut done, mut early) = (0, 0);
    let storm = async {
        while done < kills {
            // Some die while they start, most while they work.
            let is_early = chance.below(8) == 0;
            let is_up = is_early || machine.answers_or_ended(&mut server).await;
            assert!(is_up, "the server ended by itself");
            tokio::time::sleep(Duration::from_millis(if is_early {
                chance.below(200)
            } else {
                50 + chance.below(450)
            }))
            .await;
            server.kill();
            server = machine.start();
            done += 1;
            early += u64::from(is_early);
        }
        machine.answers().await;
        server
    };
    let (server, ()) = tokio::join!(storm, load.run(&machine, 12, Duration::from_secs(60 + 4 * kills)));
    let stormed = start.elapsed();
    // What hangs would hang on; a last kill ends it.
    machine.command("chaos", json!(null)).await;
    server.kill();
    let server = machine.start();
    machine.answers().await;
    machine.settles().await;
    server.kill();
    let verdict = machine.verdict(&load.answered()).await;
    let misled = machine.journal().iter().filter(|entry| entry.heard != Heard::Truth).count();
    tell(&format!(
        "{what}: {done} kills ({early} while starting) in {:.0} s, settled after {:.0} s: {} answered, {} accepted ({misled} of them not heard of), {} held",
        stormed.as_secs_f32(),
        start.elapsed().as_secs_f32(),
        load.answered().len(),
        verdict.accepted,
        verdict.held,
    ));
    machine.judged(what, &load.answered()).await;
    assert_eq!(load.answered().len(), usize::try_from(kills * 40).expect("few"), "everybody was answered in the end");
    assert!(verdict.accepted > verdict.messages / 3, "the storm let too little through to prove anything:\n{verdict}");
    if machine.db_url.starts_with("sqlite") {
        let db = machine.db().await;
        let health: String = ask(&db, "pragma integrity_check").await;
        assert_eq!(health, "ok");
    }
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_in_a_storm_of_kills_on_sqlite() {
    on_sqlite(async |machine| storm(machine, "kills on SQLite").await).await;
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_in_a_storm_of_kills_on_postgres() {
    on_postgres(async |machine| storm(machine, "kills on PostgreSQL").await).await;
}
