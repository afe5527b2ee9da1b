//! What a lane has claimed ahead, when the provider falls silent, its process freezes, or several write at a time.

use super::{
    machine::{Machine, PATIENCE, ask, on_postgres, on_sqlite, only, until},
    tell,
};
use serde_json::json;
use std::time::Duration;
use tern::server::clock::{Clock, SystemClock};

/// Messages of a campaign.
const MANY: usize = 3_000;
/// So many are answered at once before the silence: it is in full swing.
const QUICK: usize = 500;
/// More requests than an account has under way and claimed ahead.
const HUNG: usize = 300;

/// Queues a campaign at once; the ids of its messages.
async fn campaign(machine: &Machine, account: &str, count: usize) -> Vec<String> {
    let message = |n: usize| json!({ "channel": "sms", "to": format!("+1555867{n:04}"), "body": format!("Hello {n}"), "messaging_account_id": account });
    let mut ids = Vec::new();
    for start in (0..count).step_by(1_000) {
        let messages: Vec<_> = (start..count.min(start + 1_000)).map(message).collect();
        let (status, answer) =
            machine.call("/api/messages/batch", &json!({ "messages": messages })).await.expect("Tern");
        assert_eq!(status, 200, "{answer}");
        let rows = answer["data"].as_array().expect("a list");
        ids.extend(rows.iter().map(|row| row["message"]["id"].as_str().expect("an id").to_owned()));
    }
    ids
}

/// A provider that is quick, so that much is claimed ahead, and then answers nothing more to what is under way.
async fn falls_silent(mut machine: Machine, what: &str) {
    machine.start_twilio(&[]).await;
    let server = machine.start();
    machine.answers().await;
    let accounts = machine.set_up(&[100_000]).await;
    // No report tells what became of them: only the provider's list does.
    machine.command("settings", json!({ "callbacks": false })).await;
    // Ordered beforehand: told in the middle, a slow test comes when only a handful are left, and all silence is theirs.
    machine.command("faults", json!({ "kind": "latency", "ms": 0, "on": "create", "times": QUICK })).await;
    machine.command("faults", json!({ "kind": "hang", "on": "create", "times": HUNG })).await;
    let ids = campaign(&machine, &accounts[0], MANY).await;
    machine.settles().await;
    server.kill();
    let verdict = machine.judged(what, &ids).await;
    assert_eq!((verdict.accepted, verdict.held), (MANY, 0), "{verdict}");
}

#[tokio::test]
async fn a_provider_that_falls_silent_gets_nothing_twice_on_sqlite() {
    on_sqlite(async |machine| falls_silent(machine, "a silent provider on SQLite").await).await;
}

#[tokio::test]
async fn a_provider_that_falls_silent_gets_nothing_twice_on_postgres() {
    on_postgres(async |machine| falls_silent(machine, "a silent provider on PostgreSQL").await).await;
}

#[tokio::test]
async fn a_worker_that_wakes_up_begins_nothing_that_it_had_claimed_before() {
    on_postgres(async |mut machine| {
        machine.start_twilio(&[]).await;
        let mut zombie = machine.start();
        machine.answers().await;
        let accounts = machine.set_up(&[100_000]).await;
        machine.command("settings", json!({ "callbacks": false })).await;
        // Slow enough that it freezes with calls under way and others ready.
        machine.command("chaos", only(json!({ "latency": 1_000, "latency_ms": 600 }))).await;
        let ids = campaign(&machine, &accounts[0], 600).await;
        until("it is in full swing", Duration::from_secs(30), async || machine.journal().len() > 70).await;
        zombie.signal("STOP");
        let db = machine.db().await;
        let claimed: i64 = ask(&db, "select count(*) from message where status = 'sending'").await;
        let last: i64 = ask(&db, "select max(lease_until) from message where status = 'sending'").await;
        tell(&format!("frozen with {claimed} messages claimed"));
        machine.command("chaos", json!(null)).await;
        let (second, port) = machine.start_second();
        machine.answers_on(port).await;
        // The second one settles what the first one left, and sends it where the provider has nothing.
        let left = "select count(*) from message where status in ('sending', 'queued', 'unknown')";
        let is_taken_over = async || SystemClock.now().0 > last && ask::<i64>(&db, left).await == 0;
        until("another worker takes over", PATIENCE, is_taken_over).await;
        zombie.signal("CONT");
        let is_awake = async || machine.call("/api/messages/batch", &json!({ "messages": [] })).await.is_some();
        until("the zombie answers", Duration::from_secs(20), is_awake).await;
        // Its stop ends when all that it had begun has ended.
        zombie.signal("TERM");
        zombie.ends(PATIENCE).await;
        second.kill();
        db.close().await;
        let verdict = machine.judged("after the zombie", &ids).await;
        assert_eq!(verdict.accepted, ids.len(), "{verdict}");
    })
    .await;
}

#[tokio::test]
async fn two_workers_and_hasty_reports_lose_and_double_nothing_and_lock_nobody_out() {
    on_postgres(async |mut machine| {
        machine.start_twilio(&[]).await;
        let first = machine.start();
        machine.answers().await;
        let accounts = machine.set_up(&[100_000, 100_000, 100_000]).await;
        let (second, port) = machine.start_second();
        machine.answers_on(port).await;
        // Reports at once, in any order and twice, while the results of the same messages are written.
        let hasty = json!({ "pace_ms": 0, "duplicate_callbacks": true, "shuffle_callbacks": true });
        machine.command("settings", hasty).await;
        machine.command("chaos", only(json!({ "accept_then_fail": 10, "throttled": 5 }))).await;
        let mut ids = Vec::new();
        for account in &accounts {
            ids.extend(campaign(&machine, account, 2_000).await);
        }
        until("most have left", PATIENCE, async || machine.journal().len() > 5_000).await;
        machine.command("chaos", json!(null)).await;
        machine.settles().await;
        let db = machine.db().await;
        let question = "select deadlocks from pg_stat_database where datname = current_database()";
        let deadlocks: i64 = ask(&db, question).await;
        db.close().await;
        first.kill();
        second.kill();
        machine.judged("two workers", &ids).await;
        assert_eq!(deadlocks, 0, "everybody takes locks in the same order");
    })
    .await;
}
