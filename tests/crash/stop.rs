//! SIGTERM under full load: what is under way is finished, what hangs is held, nothing is left in between.

use super::{
    load::Load,
    machine::{Machine, Process, on_postgres, on_sqlite, only, until},
    tell,
};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A stop waits so long for calls to the provider; a second more is ours.
const DEADLINE: Duration = Duration::from_secs(21);
/// Requests that the provider never answers.
const HUNG: i64 = 3;

/// Asks for a stop and waits for it; how long it took.
#[expect(clippy::disallowed_methods, reason = "a deadline of a real process is measured")]
async fn stop(server: &mut Process) -> Duration {
    let start = Instant::now();
    server.signal("TERM");
    let status = server.ends(DEADLINE).await;
    assert!(status.success(), "{status}");
    start.elapsed()
}

/// A stop in the middle of a load, with so many requests that hang; how long it took.
async fn stop_under_load(machine: &mut Machine, hung: i64) -> Duration {
    machine.start_twilio(&[]).await;
    let mut server = machine.start();
    machine.answers().await;
    let accounts = machine.set_up(&[100_000, 100_000, 100_000]).await;
    // Slower than the callers, so that the stop comes in the middle of a queue.
    pace(machine, "update account set rate_per_second = 30").await;
    machine.command("chaos", only(json!({ "latency": 1_000, "latency_ms": 200 }))).await;
    if hung > 0 {
        // Not accepted: a report would tell of one that was.
        machine.command("faults", json!({ "kind": "hang", "on": "create", "times": hung })).await;
    }
    let load = Load::new(accounts, 100_000, None);
    let full = async {
        until("the load is full", Duration::from_secs(30), async || machine.journal().len() > 60).await;
        let took = stop(&mut server).await;
        load.end();
        took
    };
    let (took, ()) = tokio::join!(full, load.run(machine, 12, Duration::from_secs(90)));
    check(machine, &load, hung).await;
    took
}

async fn pace(machine: &Machine, statement: &'static str) {
    let db = machine.db().await;
    db.write(async |conn| sqlx::query(statement).execute(conn).await.map(drop)).await.expect("a pace");
    db.close().await;
}

/// What the stop has left, and what the next start makes of it.
async fn check(machine: &Machine, load: &Arc<Load>, hung: i64) {
    let db = machine.db().await;
    let statuses = machine.statuses(&db).await;
    db.close().await;
    let count = |name: &str| statuses.get(name).copied().unwrap_or(0);
    assert_eq!(count("unknown") + count("sending"), hung, "only what hangs is uncertain: {statuses:?}");
    assert!(count("queued") > 0, "it was stopped in the middle: {statuses:?}");
    machine.judged("after the stop", &load.answered()).await;
    machine.command("chaos", json!(null)).await;
    pace(machine, "update account set rate_per_second = null").await;
    let server = machine.start();
    machine.answers().await;
    machine.settles().await;
    server.kill();
    let verdict = machine.judged("after the next start", &load.answered()).await;
    assert!(verdict.held <= usize::try_from(hung).expect("few"), "{verdict}");
}

#[tokio::test]
async fn a_stop_under_load_leaves_nothing_in_between_on_sqlite() {
    on_sqlite(async |mut machine| {
        let took = stop_under_load(&mut machine, 0).await;
        tell(&format!("stopped under load after {:.1} s", took.as_secs_f32()));
        assert!(took < Duration::from_secs(5), "nothing hung");
    })
    .await;
}

#[tokio::test]
async fn a_stop_under_load_leaves_nothing_in_between_on_postgres() {
    on_postgres(async |mut machine| {
        let took = stop_under_load(&mut machine, 0).await;
        assert!(took < Duration::from_secs(5), "nothing hung: {took:?}");
    })
    .await;
}

#[tokio::test]
async fn a_stop_holds_exactly_what_hangs_and_keeps_its_deadline() {
    on_sqlite(async |mut machine| {
        let took = stop_under_load(&mut machine, HUNG).await;
        tell(&format!("stopped with {HUNG} hung requests after {:.1} s", took.as_secs_f32()));
    })
    .await;
}
