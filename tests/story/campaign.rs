//! Campaigns: one message to many, within all limits, held and ended at any time, and never to somebody who is to be left alone.

use super::{
    connected,
    sequence::{later, template, write},
    set_limit,
};
use crate::support::{Answer, Client, World, but, twilio_form};
use serde_json::{Value, json};
use tern::{
    domain::time::{DAY, HOUR, MINUTE, Timestamp},
    server::{store, usecase},
};

const CAMPAIGNS: &str = "/api/campaigns";
const LEADS: &str = "/api/leads";

/// So many people with a phone, all tagged; their ids.
pub(super) async fn people(owner: &Client, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        let lead = json!({ "name": format!("Person {n}"), "phone": format!("+1415555{n:04}"), "tags": ["spring"] });
        ids.push(owner.post(LEADS, lead).await.expect_status(201).id());
    }
    ids
}

/// A draft for everybody with the tag; its id.
pub(super) async fn draft(owner: &Client, template: &str, more: Value) -> String {
    owner.patch("/api/rules", json!({ "quiet_hours": false })).await.expect_status(200);
    let form = json!({ "name": "Spring", "channel": "sms", "template_id": template, "audience": { "tag": "spring" } });
    let created = owner.post(CAMPAIGNS, but(form, more)).await.expect_status(201);
    assert_eq!(created.json()["state"], "draft");
    created.id()
}

pub(super) async fn tell(owner: &Client, campaign: &str, what: &str) -> Answer {
    owner.post(&format!("{CAMPAIGNS}/{campaign}/{what}"), json!({})).await
}

async fn story(owner: &Client, campaign: &str) -> Value {
    owner.get(&format!("{CAMPAIGNS}/{campaign}")).await.expect_status(200).json()
}

fn counts(queued: u32, sent: u32, delivered: u32, failed: u32, replied: u32) -> Value {
    json!({ "queued": queued, "sent": sent, "delivered": delivered, "failed": failed, "unknown": 0, "replied": replied, "lost": 0 })
}

async fn sent(world: &World) -> Vec<String> {
    world
        .rows(
            "select recipient from message where accepted_at is not null and direction = 'outbound' order by recipient",
        )
        .await
}

#[tokio::test]
async fn everybody_who_is_meant_gets_it_once_and_nobody_else() {
    let (world, owner, account) = connected().await;
    let text = template(&owner, "sms", "Hi {{ first_name }}, {{ custom.plan }}").await;
    let ids = people(&owner, 5).await;
    for id in &ids[..4] {
        owner.patch(&format!("{LEADS}/{id}"), json!({ "custom": { "plan": "pro" } })).await.expect_status(200);
    }
    owner.post(LEADS, json!({ "email": "mail@example.com", "tags": ["spring"] })).await.expect_status(201);
    owner.post(LEADS, json!({ "phone": "+14155559999" })).await.expect_status(201);
    write(&world, &account, "+14155550001", "STOP").await;
    let campaign = draft(&owner, &text, json!({})).await;
    world.work().await;
    assert!(sent(&world).await.is_empty(), "a draft sends nothing");
    assert_eq!(tell(&owner, &campaign, "start").await.expect_status(200).json()["state"], "running");
    world.work().await;
    assert_eq!(sent(&world).await, ["+14155550000", "+14155550002", "+14155550003"]);
    world.hear_all().await;
    later(&world, MINUTE).await;
    let told = story(&owner, &campaign).await;
    assert_eq!((&told["state"], &told["counts"]), (&json!("done"), &counts(0, 3, 3, 0, 0)));
    let excluded = json!([{ "reason": "no_contact", "count": 1 }, { "reason": "not_rendered", "count": 1 }, { "reason": "opted_out", "count": 1 }]);
    assert_eq!(told["excluded"], excluded);
    write(&world, &account, "+14155550003", "Tell me more").await;
    assert_eq!(story(&owner, &campaign).await["counts"]["replied"], 1);
    later(&world, 3 * DAY).await;
    assert_eq!(sent(&world).await.len(), 3, "it is over");
    // It is no sequence for anybody.
    owner.get(&format!("/api/sequences/{campaign}")).await.expect_error(404, "Not found");
    owner.patch(&format!("/api/sequences/{campaign}"), json!({ "name": "x" })).await.expect_error(404, "Not found");
    let enroll = format!("/api/sequences/{campaign}/enroll");
    owner.post(&enroll, json!({ "lead_ids": ids })).await.expect_error(404, "Not found");
    assert_eq!(owner.get("/api/sequences").await.json()["data"], json!([]));
    assert_eq!(owner.get(CAMPAIGNS).await.json()["data"][0]["name"], "Spring");
}

#[tokio::test]
async fn it_keeps_to_the_limits_and_shares_the_work_and_can_be_held_and_ended() {
    let (world, owner, first) = connected().await;
    set_limit(&owner, &first, 20).await;
    let second = but(twilio_form(), json!({ "phone_number": "+16285550188", "daily_limit": 10 }));
    owner.post("/api/messaging-accounts", second).await.expect_status(201);
    people(&owner, 200).await;
    let text = template(&owner, "sms", "Hi").await;
    let campaign = draft(&owner, &text, json!({})).await;
    tell(&owner, &campaign, "start").await.expect_status(200);
    world.work().await;
    let by_account =
        "select cast(count(*) as text) from message where accepted_at is not null group by account_id order by 1";
    assert_eq!(world.rows(by_account).await, ["10", "20"]);
    assert_eq!(story(&owner, &campaign).await["counts"], counts(170, 30, 0, 0, 0));
    later(&world, DAY).await;
    assert_eq!(sent(&world).await.len(), 60);
    assert_eq!(tell(&owner, &campaign, "pause").await.expect_status(200).json()["state"], "paused");
    tell(&owner, &campaign, "start").await.expect_status(409);
    tell(&owner, &campaign, "pause").await.expect_status(409);
    later(&world, DAY).await;
    assert_eq!(sent(&world).await.len(), 60, "held");
    let waiting = world.rows("select distinct waiting_reason from message where status = 'queued'").await;
    assert_eq!(waiting, ["paused"]);
    assert_eq!(tell(&owner, &campaign, "resume").await.expect_status(200).json()["state"], "running");
    world.work().await;
    assert_eq!(sent(&world).await.len(), 90);
    assert_eq!(tell(&owner, &campaign, "cancel").await.expect_status(200).json()["state"], "canceled");
    tell(&owner, &campaign, "resume").await.expect_status(409);
    later(&world, 3 * DAY).await;
    assert_eq!(sent(&world).await.len(), 90, "ended");
    let told = story(&owner, &campaign).await;
    assert_eq!((&told["counts"]["queued"], &told["counts"]["sent"]), (&json!(0), &json!(90)));
    assert_eq!(told["excluded"], json!([{ "reason": "canceled", "count": 110 }]));
    assert_eq!(world.rows("select id from enrollment where status = 'active'").await, [""; 0]);
    assert!(told["ended_at"].is_string());
    owner.delete(&format!("{CAMPAIGNS}/{campaign}")).await.expect_status(200);
    assert_eq!(owner.get(CAMPAIGNS).await.json()["data"], json!([]));
}

#[tokio::test]
async fn one_for_later_begins_when_its_time_has_come_with_whoever_is_meant_then() {
    let (world, owner, _) = connected().await;
    people(&owner, 2).await;
    let text = template(&owner, "sms", "Hi").await;
    let campaign = draft(&owner, &text, json!({ "send_at": "2026-11-23T09:30:00Z" })).await;
    assert_eq!(tell(&owner, &campaign, "start").await.expect_status(200).json()["state"], "scheduled");
    world.work().await;
    let late = json!({ "phone": "+14155557777", "tags": ["spring"] });
    owner.post(LEADS, late).await.expect_status(201);
    later(&world, 23 * HOUR).await;
    assert!(sent(&world).await.is_empty());
    tell(&owner, &campaign, "pause").await.expect_status(200);
    assert_eq!(tell(&owner, &campaign, "resume").await.expect_status(200).json()["state"], "scheduled");
    later(&world, HOUR).await;
    assert_eq!(sent(&world).await.len(), 3);
}

#[tokio::test]
async fn what_failed_and_may_succeed_later_is_sent_again_once() {
    let (world, owner, _) = connected().await;
    people(&owner, 1).await;
    let lost = json!({ "phone": "+15005550030", "tags": ["spring"] });
    owner.post(LEADS, lost).await.expect_status(201);
    let text = template(&owner, "sms", "Hi").await;
    let campaign = draft(&owner, &text, json!({})).await;
    tell(&owner, &campaign, "start").await.expect_status(200);
    world.work().await;
    world.hear_all().await;
    later(&world, MINUTE).await;
    let told = story(&owner, &campaign).await;
    assert_eq!((&told["state"], &told["counts"]["failed"]), (&json!("done"), &json!(1)));
    world.clock.advance(MINUTE);
    assert_eq!(tell(&owner, &campaign, "retry").await.expect_status(200).json(), json!({ "retried": 1 }));
    assert_eq!(story(&owner, &campaign).await["state"], "running");
    world.work().await;
    world.hear_all().await;
    later(&world, MINUTE).await;
    assert_eq!(story(&owner, &campaign).await["state"], "done");
    let tries = "select cast(attempts as text) from message where direction = 'outbound' order by 1";
    assert_eq!(world.rows(tries).await, ["1", "2"]);
}

#[tokio::test]
async fn what_could_never_send_is_refused_with_the_reason() {
    let (world, owner, account) = connected().await;
    let (sms, email) = (template(&owner, "sms", "Hi").await, template(&owner, "email", "Hello").await);
    let refused = |form: Value| {
        let owner = owner.clone();
        async move { owner.post(CAMPAIGNS, form).await.expect_status(400).json()["fields"].clone() }
    };
    let form = json!({ "name": "", "channel": "fax", "template_id": "x", "send_at": "soon" });
    let fields = refused(form).await;
    let mut names: Vec<&String> = fields.as_object().expect("fields").keys().collect();
    names.sort();
    assert_eq!(names, ["channel", "name", "send_at", "template_id"]);
    let wrong = json!({ "name": "Spring", "channel": "sms", "template_id": email });
    assert!(refused(wrong.clone()).await["template_id"].as_str().expect("why").contains("a template for E-mail"));
    let wrong = but(wrong, json!({ "template_id": sms, "audience": { "color": "red" } }));
    assert!(refused(wrong).await["audience"].is_string());
    let campaign = draft(&owner, &email, json!({ "channel": "email" })).await;
    let why = tell(&owner, &campaign, "start").await.expect_status(400).json();
    assert_eq!(why["fields"]["account_ids"], "There is no active account for E-mail");
    let path = format!("{CAMPAIGNS}/{campaign}");
    let changed = owner.patch(&path, json!({ "channel": "sms", "template_id": sms })).await.expect_status(200).json();
    assert_eq!((&changed["channel"], &changed["name"]), (&json!("sms"), &json!("Spring")));
    tell(&owner, &campaign, "start").await.expect_status(200);
    owner.patch(&path, json!({ "name": "Autumn" })).await.expect_status(409);
    owner.delete(&path).await.expect_status(409);
    owner.delete(&format!("/api/templates/{sms}")).await.expect_status(409);
    owner.delete(&format!("/api/messaging-accounts/{account}")).await.expect_status(200);
    world.work().await;
    assert!(sent(&world).await.is_empty());
}

#[tokio::test]
async fn a_restart_in_the_middle_gathers_everybody_once() {
    let (world, owner, account) = connected().await;
    set_limit(&owner, &account, 10_000).await;
    let row = |n: u32| format!("P{n},+1415{:07},spring\n", 5_550_000 + n);
    let csv: String = std::iter::once("name,phone,tags\n".to_owned()).chain((0..2_500).map(row)).collect();
    let upload = owner.with("content-type", "text/csv");
    upload.call("POST", "/api/leads/import", csv).await.expect_status(202);
    world.work().await;
    let text = template(&owner, "sms", "Hi").await;
    let campaign = draft(&owner, &text, json!({})).await;
    tell(&owner, &campaign, "start").await.expect_status(200);
    let mut conn = world.app.db.read().await.expect("a connection");
    let open = store::campaign::list_open(&mut conn, Timestamp(i64::MAX)).await.expect("campaigns").remove(0);
    drop(conn);
    assert!(usecase::campaign::advance(&world.app, &open).await.expect("a batch"));
    let gathered = world.rows("select cast(count(*) as text) from enrollment").await;
    assert!(gathered[0].parse::<u32>().expect("a number") < 2_500, "{gathered:?}");
    let world = world.crash().await;
    world.work().await;
    for _ in 0..20 {
        world.work().await;
    }
    assert_eq!(
        world
            .rows("select cast(count(*) as text) || ' ' || cast(count(distinct lead_id) as text) from enrollment")
            .await,
        ["2500 2500"]
    );
    assert_eq!(
        world
            .rows("select cast(count(*) as text) || ' ' || cast(count(distinct recipient) as text) from message")
            .await,
        ["2500 2500"]
    );
}

#[tokio::test]
async fn another_organization_sees_and_changes_nothing() {
    let (world, owner, _) = connected().await;
    people(&owner, 1).await;
    let text = template(&owner, "sms", "Hi").await;
    let campaign = draft(&owner, &text, json!({})).await;
    let stranger = world.stranger().await;
    let path = format!("{CAMPAIGNS}/{campaign}");
    stranger.get(&path).await.expect_error(404, "Not found");
    stranger.patch(&path, json!({ "name": "x" })).await.expect_error(404, "Not found");
    stranger.delete(&path).await.expect_error(404, "Not found");
    for what in ["start", "pause", "resume", "cancel", "retry"] {
        tell(&stranger, &campaign, what).await.expect_error(404, "Not found");
    }
    assert_eq!(stranger.get(CAMPAIGNS).await.json()["data"], json!([]));
    let form = json!({ "name": "Mine", "channel": "sms", "template_id": text });
    let why = stranger.post(CAMPAIGNS, form).await.expect_status(400).json();
    assert_eq!(why["fields"]["template_id"], "is no template that there is");
    assert_eq!(story(&owner, &campaign).await["state"], "draft");
}
