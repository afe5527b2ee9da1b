//! A worker that is frozen past its lease and wakes up again: it may finish nothing that is no longer its own.

use super::machine::{Machine, PATIENCE, ask, on_postgres, on_sqlite, until};
use serde_json::{Value, json};
use std::time::Duration;
use tern::server::store::Db;

async fn status(db: &Db) -> String {
    ask(db, "select status from message").await
}

/// Sends one message, whose call the provider answers late, and waits until it is under way.
async fn send_slowly(machine: &mut Machine, fault: Value) -> (Db, String) {
    let accounts = machine.set_up(&[100]).await;
    // No report tells what became of it: only results and persons do.
    machine.command("settings", json!({ "callbacks": false })).await;
    machine.command("faults", fault).await;
    let form = json!({ "channel": "sms", "to": "+15558675310", "body": "Hello", "messaging_account_id": accounts[0] });
    let (answer, message) = machine.call("/api/messages", &form).await.expect("Tern");
    assert_eq!(answer, 202, "{message}");
    let db = machine.db().await;
    until("it is under way", Duration::from_secs(10), async || status(&db).await == "sending").await;
    (db, message["id"].as_str().expect("an id").to_owned())
}

#[tokio::test]
async fn a_worker_that_wakes_up_after_its_lease_changes_nothing() {
    on_postgres(async |mut machine| {
        machine.start_twilio(&[]).await;
        let zombie = machine.start();
        machine.answers().await;
        // Its late answer says "not sent, try again", which was true of its own try and is not of the next one.
        let late = json!({ "kind": "throttled", "retry_after": 1, "on": "create", "after_ms": 1_500 });
        let (db, id) = send_slowly(&mut machine, late).await;
        zombie.signal("STOP");
        // The next try takes its time: a result that is not its own would come in the middle of it.
        machine.command("faults", json!({ "kind": "latency", "ms": 2_500, "on": "create" })).await;
        let (second, port) = machine.start_second();
        machine.answers_on(port).await;
        // The second one takes over: the provider has nothing, so somebody lets the message go again.
        let resolve = format!("/api/messages/{id}/resolve");
        let attempts = async || ask::<i64>(&db, "select attempts from message").await;
        let is_tried_again = async || {
            if status(&db).await == "unknown" {
                machine.call_on(port, &resolve, &json!({ "as": "not_sent" })).await;
            }
            attempts().await == 2
        };
        until("another worker sends it", PATIENCE, is_tried_again).await;
        let events = async || ask::<i64>(&db, "select count(*) from event").await;
        let before = events().await;
        zombie.signal("CONT");
        let has_spoken = async || events().await != before || status(&db).await != "sending";
        until("the zombie tells its result", Duration::from_secs(20), has_spoken).await;
        zombie.kill();
        machine.settles().await;
        assert_eq!(attempts().await, 2);
        // It stays visible, and settles nothing: of the second try's own result nobody says that it came too late.
        let told =
            "select cast(count(*) as text) || ' ' || max(detail) from event where detail like 'A result came after%'";
        let told: String = ask(&db, told).await;
        assert!(told.starts_with("1 ") && !told.ends_with("accepted."), "{told}");
        let ended = status(&db).await;
        assert!(["accepted", "sent", "delivered"].contains(&ended.as_str()), "the provider has it: {ended}");
        second.kill();
        let verdict = machine.judged("after the zombie", &[id]).await;
        assert_eq!(verdict.accepted, 1, "{verdict}");
        db.close().await;
    })
    .await;
}

#[tokio::test]
async fn the_only_worker_wakes_up_after_its_own_lease_and_sends_nothing_twice() {
    on_sqlite(async |mut machine| {
        machine.start_twilio(&[]).await;
        let server = machine.start();
        machine.answers().await;
        let (db, id) = send_slowly(&mut machine, json!({ "kind": "latency", "ms": 1_000, "on": "create" })).await;
        server.signal("STOP");
        let until_ms: i64 = ask(&db, "select lease_until from message").await;
        let is_over = async || {
            use tern::server::clock::{Clock, SystemClock};
            SystemClock.now().0 > until_ms && machine.journal().len() == 1
        };
        until("the lease has run out", PATIENCE, is_over).await;
        server.signal("CONT");
        machine.settles().await;
        let ended = status(&db).await;
        assert!(["accepted", "sent", "delivered"].contains(&ended.as_str()), "the provider has it: {ended}");
        server.kill();
        let verdict = machine.judged("after the sleep", &[id]).await;
        assert_eq!(verdict.accepted, 1, "{verdict}");
        db.close().await;
    })
    .await;
}
