//! kill -9 while a sequence, a campaign and an import are under way: everybody gets every step once, and every row is counted
//! once.

use super::{
    Chance,
    machine::{Machine, PATIENCE, ask, on_postgres, on_sqlite, until},
    tell,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tern::server::store::Db;

/// Kills of one engine.
const KILLS: i64 = 8;
/// People who are there when it begins.
const PEOPLE: i64 = 300;
/// Steps of the sequence; the campaign is one more message.
const STEPS: i64 = 3;
/// Rows of the file that is read in meanwhile.
const ROWS: i64 = 20_000;

fn rows(count: i64, first: i64) -> String {
    let row = |n: i64| format!("Kim {n},+1415{:07}\n", first + n);
    std::iter::once("name,phone\n".to_owned()).chain((0..count).map(row)).collect()
}

async fn made(machine: &Machine, path: &str, form: Value) -> String {
    let (status, answer) = machine.call(path, &form).await.expect("Tern");
    assert!((200..300).contains(&status), "{path}: {answer}");
    answer["id"].as_str().unwrap_or_default().to_owned()
}

/// A step waits for the one before by the clock, which is not ours to turn; nor are the leases of the dead.
async fn hurry(db: &Db) {
    let work = async |conn: &mut tern::server::store::Conn| {
        sqlx::query("update enrollment set due_at = 0 where status = 'active'").execute(&mut *conn).await?;
        sqlx::query("update import set lease_until = 0 where state = 'running'").execute(conn).await.map(drop)
    };
    db.write(work).await.expect("a change");
}

async fn storm(mut machine: Machine, what: &str) {
    let mut chance = Chance::new(what);
    machine.start_twilio(&[]).await;
    let mut server = machine.start();
    machine.answers().await;
    machine.set_up(&[100_000, 100_000]).await;
    assert_eq!(machine.upload("/api/leads/import?tags=here", rows(PEOPLE, 5_560_000)).await.0, 202);
    let db = machine.db().await;
    until("the people are there", Duration::from_mins(1), async || {
        ask::<String>(&db, "select state from import").await == "done"
    })
    .await;
    // Each its own: of equal texts to one person no provider can tell which one it took.
    let mut texts = Vec::new();
    for n in 0..=STEPS {
        let text =
            json!({ "name": format!("Hi {n}"), "channel": "sms", "body": format!("Hi {{{{ name }}}}, number {n}") });
        texts.push(made(&machine, "/api/templates", text).await);
    }
    let text = texts.pop();
    let rules = machine.http.patch(format!("{}/api/rules", machine.url())).bearer_auth(machine.key());
    let rules = rules.json(&json!({ "quiet_hours": false })).send().await.expect("Tern");
    assert!(rules.status().is_success());
    let step = |text: &String| json!({ "channel": "sms", "delay_hours": 0, "template_id": text });
    let steps: Vec<Value> = texts.iter().map(step).collect();
    let sequence = json!({ "name": "Follow-up", "is_active": true, "steps": steps });
    let sequence = made(&machine, "/api/sequences", sequence).await;
    let campaign = json!({ "name": "Spring", "channel": "sms", "template_id": text, "audience": { "tag": "here" } });
    let campaign = made(&machine, "/api/campaigns", campaign).await;
    let chaos = json!({
        "seed": chance.below(u64::MAX), "accept_then_fail": 100, "accept_then_drop": 100, "lost_callback": 700,
    });
    machine.command("chaos", chaos).await;
    made(&machine, &format!("/api/sequences/{sequence}/enroll"), json!({ "filter": { "tag": "here" } })).await;
    made(&machine, &format!("/api/campaigns/{campaign}/start"), json!({})).await;
    assert_eq!(machine.upload("/api/leads/import?tags=late", rows(ROWS, 6_000_000)).await.0, 202);
    let all = PEOPLE * (STEPS + 1);
    let progress = "select count(*) from message where attempts > 0";
    let mut seen = BTreeSet::from([0]);
    for kill in 1..=KILLS {
        // It goes on, and dies while it does.
        let next = all * kill / (KILLS + 1);
        until("messages leave", PATIENCE, async || {
            hurry(&db).await;
            ask::<i64>(&db, progress).await >= next
        })
        .await;
        tokio::time::sleep(Duration::from_millis(chance.below(60))).await;
        server.kill();
        seen.insert(ask::<i64>(&db, progress).await);
        server = machine.start();
        assert!(machine.answers_or_ended(&mut server).await, "the server ended by itself");
    }
    machine.command("chaos", json!(null)).await;
    until("all is done", PATIENCE, async || {
        hurry(&db).await;
        let left = "select (select count(*) from enrollment where status = 'active') + (select count(*) from import where state <> 'done') \
                    + (select count(*) from campaign where state <> 'done')";
        ask::<i64>(&db, left).await == 0
    })
    .await;
    machine.settles().await;
    server.kill();
    tell(&format!("{what}: {KILLS} kills, seen after {seen:?} messages"));
    for (question, expected) in [
        ("select count(*) from message", all),
        ("select count(*) from enrollment where status = 'finished'", 2 * PEOPLE),
        ("select count(*) from enrollment", 2 * PEOPLE),
        ("select count(distinct recipient || ' ' || sequence_id || ' ' || cast(step as text)) from message", all),
        ("select count(*) from lead", PEOPLE + ROWS),
        ("select cast(sum(created) as bigint) from import", PEOPLE + ROWS),
        ("select cast(sum(updated + skipped + failed) as bigint) from import", 0),
    ] {
        assert_eq!(ask::<i64>(&db, question).await, expected, "{what}: {question}");
    }
    db.close().await;
    let verdict = machine.judged(what, &[]).await;
    assert_eq!((verdict.open, verdict.accepted), (0, usize::try_from(all).expect("few")), "{verdict}");
}

#[tokio::test]
async fn every_step_is_taken_once_in_a_storm_of_kills_on_sqlite() {
    on_sqlite(async |machine| storm(machine, "steps on SQLite").await).await;
}

#[tokio::test]
async fn every_step_is_taken_once_in_a_storm_of_kills_on_postgres() {
    on_postgres(async |machine| storm(machine, "steps on PostgreSQL").await).await;
}
