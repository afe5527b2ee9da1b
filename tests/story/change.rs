//! Changes to all leads that match: begun, told while they go on, stopped, and exact whatever happens in between.

use super::{MESSAGES, connected, form};
use crate::support::{Client, OWN_NUMBER, RECIPIENT, World, but};
use serde_json::{Value, json};
use tern::{
    domain::id::ChangeId,
    server::{store::change::Running, usecase::change},
};

const CHANGES: &str = "/api/leads/changes";
const LEADS: &str = "/api/leads";

async fn lead(owner: &Client, lead: Value) -> String {
    owner.post(LEADS, lead).await.expect_status(201).id()
}

async fn begin(owner: &Client, change: Value) -> String {
    owner.post(CHANGES, change).await.expect_status(202).id()
}

async fn load(owner: &Client, id: &str) -> Value {
    owner.get(&format!("{CHANGES}/{id}")).await.expect_status(200).json()
}

/// State, and how many were looked at and changed.
async fn seen(owner: &Client, id: &str) -> (String, i64, i64) {
    let change = load(owner, id).await;
    let number = |name: &str| change[name].as_i64().expect("a number");
    (change["state"].as_str().expect("a state").to_owned(), number("matched"), number("changed"))
}

/// The names of all leads with a tag, newest first.
async fn tagged(owner: &Client, tag: &str) -> Vec<String> {
    let list = owner.get(&format!("{LEADS}?tag={tag}")).await.expect_status(200).json();
    let name = |lead: &Value| lead["name"].as_str().expect("a name").to_owned();
    list["data"].as_array().expect("a list").iter().map(name).collect()
}

/// Many people, by a file.
async fn import(world: &World, owner: &Client, count: usize) {
    let rows = (0..count).map(|n| format!("Kim {n},+1415{:07}\n", 6_000_000 + n));
    let file: String = std::iter::once("name,phone\n".to_owned()).chain(rows).collect();
    let client = owner.with("content-type", "text/csv");
    client.call("POST", &format!("{LEADS}/import"), file).await.expect_status(202);
    world.work().await;
}

/// One batch, as the worker of the owner's organization takes it.
async fn step(world: &World, owner: &Client, id: &str) -> bool {
    let me = owner.get("/api/me").await.expect_status(200).json();
    let organization = me["organization"]["id"].as_str().expect("an id").parse().expect("an id");
    let running = Running { id: ChangeId::parse(id).expect("an id"), organization };
    change::advance(&world.app, &running).await.expect("a batch")
}

/// An active sequence of two text messages; its id.
async fn sequence(owner: &Client, more: Value) -> String {
    owner.patch("/api/rules", json!({ "quiet_hours": false })).await.expect_status(200);
    let text = json!({ "name": "Hi", "channel": "sms", "body": "Hi {{ name }}" });
    let text = owner.post("/api/templates", text).await.expect_status(201).id();
    let step = |delay: u32| json!({ "channel": "sms", "delay_hours": delay, "template_id": text });
    let form = json!({ "name": "Follow-up", "is_active": true, "steps": [step(0), step(24)] });
    owner.post("/api/sequences", but(form, more)).await.expect_status(201).id()
}

#[tokio::test]
async fn a_tag_is_given_to_all_who_match_and_taken_again() {
    let world = World::new().await;
    let owner = world.owner().await;
    lead(&owner, json!({ "name": "Ada", "email": "ada@example.org", "tags": ["vip"] })).await;
    lead(&owner, json!({ "name": "Kim", "email": "kim@example.org" })).await;
    lead(&owner, json!({ "name": "Lee", "email": "lee@example.com" })).await;
    let asked = json!({ "action": "add_tag", "tag": " VIP ", "audience": { "q": "example.org" } });
    let begun = owner.post(CHANGES, asked).await.expect_status(202).json();
    let id = begun["id"].as_str().expect("an id").to_owned();
    let shape = json!({
        "id": id, "action": "add_tag", "tag": "vip", "audience": { "q": "example.org", "tag": "", "conditions": [] },
        "state": "running", "reason": null, "total": 2, "matched": 0, "changed": 0, "skipped": {},
        "created_at": "2026-11-22T09:30:00Z", "ended_at": null,
    });
    assert_eq!(begun, shape);
    world.work().await;
    let done = json!({
        "state": "done", "matched": 2, "changed": 1, "skipped": { "unchanged": 1 }, "ended_at": "2026-11-22T09:30:00Z",
    });
    assert_eq!(load(&owner, &id).await, but(shape, done));
    assert_eq!(tagged(&owner, "vip").await, ["Kim", "Ada"]);
    let remove = json!({ "action": "remove_tag", "tag": "vip", "audience": { "tag": "vip" } });
    let id = begin(&owner, remove).await;
    world.work().await;
    assert_eq!(seen(&owner, &id).await, ("done".to_owned(), 2, 2));
    assert_eq!(tagged(&owner, "vip").await, [""; 0]);
    let list = owner.get(CHANGES).await.expect_status(200).json();
    assert_eq!(list["data"].as_array().expect("a list").len(), 2);
    assert_eq!(list["data"][0]["id"], *id);
}

#[tokio::test]
async fn it_goes_on_batch_by_batch_over_a_restart_and_can_be_stopped() {
    let world = World::new().await;
    let owner = world.owner().await;
    import(&world, &owner, 2_300).await;
    let id = begin(&owner, json!({ "action": "add_tag", "tag": "fair", "audience": {} })).await;
    assert_eq!(load(&owner, &id).await["total"], 2_300);
    assert!(step(&world, &owner, &id).await);
    assert_eq!(seen(&owner, &id).await, ("running".to_owned(), 1_000, 1_000));
    // Whoever is added later is newer than all that are still to be looked at.
    lead(&owner, json!({ "name": "Late", "email": "late@example.com" })).await;
    let world = world.crash().await;
    let again = world.client(owner.credentials.clone());
    world.work().await;
    assert_eq!(seen(&again, &id).await, ("done".to_owned(), 2_300, 2_300));
    assert!(!tagged(&again, "fair").await.contains(&"Late".to_owned()));

    let id = begin(&again, json!({ "action": "remove_tag", "tag": "fair", "audience": { "tag": "fair" } })).await;
    assert!(step(&world, &again, &id).await);
    let stopped = again.post(&format!("{CHANGES}/{id}/cancel"), json!({})).await.expect_status(200).json();
    assert_eq!((&stopped["state"], &stopped["changed"]), (&json!("canceled"), &json!(1_000)));
    assert!(!step(&world, &again, &id).await, "nothing more of it happens");
    world.work().await;
    assert_eq!(seen(&again, &id).await, ("canceled".to_owned(), 1_000, 1_000));
    assert_eq!(world.rows("select cast(count(*) as text) from lead_tag where tag = 'fair'").await, ["1300"]);
    let twice = again.post(&format!("{CHANGES}/{id}/cancel"), json!({})).await.expect_status(409).json();
    assert_eq!(twice["code"], "not_running");
}

#[tokio::test]
async fn all_who_match_are_enrolled_and_a_tag_that_ends_runs_ends_them() {
    let (world, owner, _) = connected().await;
    let sequence = sequence(&owner, json!({ "stop_tags": ["won"] })).await;
    lead(&owner, json!({ "name": "Kim", "phone": RECIPIENT })).await;
    lead(&owner, json!({ "name": "Mia", "email": "mia@example.com" })).await;
    let enroll = json!({ "action": "enroll", "sequence_id": sequence, "audience": {} });
    let id = begin(&owner, enroll.clone()).await;
    world.work().await;
    let change = load(&owner, &id).await;
    assert_eq!((&change["changed"], &change["skipped"]), (&json!(1), &json!({ "no_contact": 1 })));
    assert_eq!(world.rows("select recipient from message").await, [RECIPIENT]);
    begin(&owner, json!({ "action": "add_tag", "tag": "won", "audience": {} })).await;
    world.work().await;
    assert_eq!(world.rows("select stop_reason from enrollment").await, ["tagged"]);
    // What cannot go on says why.
    let id = begin(&owner, enroll).await;
    owner.delete(&format!("/api/sequences/{sequence}")).await.expect_status(200);
    world.work().await;
    let change = load(&owner, &id).await;
    assert_eq!(change["state"], "failed");
    assert_eq!(change["reason"], "The sequence was deleted or has no steps any more.");
}

#[tokio::test]
async fn whoever_is_not_to_be_contacted_is_not_also_after_being_deleted() {
    let (world, owner, _) = connected().await;
    let kim = lead(&owner, json!({ "name": "Kim", "phone": RECIPIENT, "email": "kim@example.com" })).await;
    begin(&owner, json!({ "action": "suppress", "audience": {} })).await;
    world.work().await;
    let list = owner.get(&format!("/api/suppressions?lead_id={kim}")).await.expect_status(200).json();
    assert!(list["data"].as_array().expect("a list").len() >= 2, "{list}");
    assert_eq!(world.rows("select distinct detail from consent").await, ["owner@example.com"], "who asked for it");
    begin(&owner, json!({ "action": "delete", "audience": {} })).await;
    world.work().await;
    owner.get(&format!("{LEADS}/{kim}")).await.expect_status(404);
    lead(&owner, json!({ "name": "Kim again", "phone": RECIPIENT })).await;
    let message = owner.post(MESSAGES, form()).await.expect_status(202).json();
    assert_eq!(message["status"], "suppressed");
    assert_eq!(world.rows("select cast(count(*) as text) from message where accepted_at is not null").await, ["0"]);
}

#[tokio::test]
async fn what_runs_had_queued_for_the_deleted_is_canceled_and_what_left_stays() {
    let (world, owner, account) = connected().await;
    let sequence = sequence(&owner, json!({})).await;
    lead(&owner, json!({ "name": "Kim", "phone": RECIPIENT })).await;
    lead(&owner, json!({ "name": "Lee", "phone": "+15558675311" })).await;
    super::set_limit(&owner, &account, 1).await;
    begin(&owner, json!({ "action": "enroll", "sequence_id": sequence, "audience": {} })).await;
    world.work().await;
    let id = begin(&owner, json!({ "action": "delete", "audience": {} })).await;
    world.work().await;
    assert_eq!(seen(&owner, &id).await, ("done".to_owned(), 2, 2));
    assert_eq!(owner.get(LEADS).await.json()["data"], json!([]));
    let mut statuses = world.rows("select status from message").await;
    statuses.sort();
    assert_eq!(statuses, ["accepted", "canceled"]);
    world.clock.advance(10 * tern::domain::time::DAY);
    world.work().await;
    assert_eq!(world.rows("select sender from message where accepted_at is not null").await, [OWN_NUMBER]);
}

#[tokio::test]
async fn faults_name_their_field_and_others_have_leads_of_their_own() {
    let world = World::new().await;
    let owner = world.owner().await;
    lead(&owner, json!({ "name": "Kim", "email": "kim@example.org" })).await;
    for (change, field) in [
        (json!({ "action": "delete" }), "audience"),
        (json!({ "action": "forget", "audience": {} }), "action"),
        (json!({ "audience": {} }), "action"),
        (json!({ "action": "add_tag", "audience": {} }), "tag"),
        (json!({ "action": "enroll", "sequence_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "audience": {} }), "sequence_id"),
        (json!({ "action": "delete", "audience": { "segment": "01ARZ3NDEKTSV4RRFFQ69G5FAV" } }), "segment"),
        (json!({ "action": "delete", "audience": {}, "all": true }), "all"),
    ] {
        let answer = owner.post(CHANGES, change.clone()).await.expect_status(400).json();
        assert!(answer["fields"][field].is_string(), "{change}: {answer}");
    }
    assert_eq!(owner.get(CHANGES).await.expect_status(200).json()["data"], json!([]));
    let id = begin(&owner, json!({ "action": "add_tag", "tag": "mine", "audience": {} })).await;
    let stranger = world.stranger().await;
    stranger.get(&format!("{CHANGES}/{id}")).await.expect_status(404);
    stranger.post(&format!("{CHANGES}/{id}/cancel"), json!({})).await.expect_status(404);
    assert_eq!(stranger.get(CHANGES).await.expect_status(200).json()["data"], json!([]));
    let theirs = begin(&stranger, json!({ "action": "delete", "audience": {} })).await;
    world.work().await;
    assert_eq!(seen(&stranger, &theirs).await, ("done".to_owned(), 0, 0));
    assert_eq!(tagged(&owner, "mine").await, ["Kim"]);
}
