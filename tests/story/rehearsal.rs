//! The forecast of a campaign, and of a sequence: by the real scheduler, and so the same as what then happens.

use super::{connected, set_limit};
use crate::support::{Client, OWN_NUMBER, PUBLIC_URL, RECIPIENT, World, but, twilio_form};
use serde_json::{Value, json};
use tern::{
    domain::time::{DAY, Timestamp},
    server::clock::Clock,
};

const CAMPAIGNS: &str = "/api/campaigns";
const LEADS: &str = "/api/leads";
const ZONES: [&str; 4] = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati"];

async fn template(owner: &Client, channel: &str, body: &str) -> String {
    let subject = (channel == "email").then_some("Hello");
    let form = json!({ "name": format!("{channel}: {body}"), "channel": channel, "subject": subject, "body": body });
    owner.post("/api/templates", form).await.expect_status(201).id()
}

/// People all over the world, every seventh without what the text needs; their ids.
async fn people(owner: &Client, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        let custom = if n % 7 == 3 { json!({}) } else { json!({ "plan": "pro" }) };
        let lead = json!({
            "name": format!("Person {n}"), "phone": format!("+1415555{n:04}"), "email": format!("p{n}@example.com"),
            "time_zone": ZONES[n % ZONES.len()], "custom": custom, "tags": ["spring"],
        });
        ids.push(owner.post(LEADS, lead).await.expect_status(201).id());
    }
    ids
}

/// Time goes from one instant at which something happens to the next, for so long.
pub async fn live(world: &World, days: i64) {
    let organization = world.rows("select id from organization order by id limit 1").await.remove(0);
    let organization = organization.parse().expect("an id");
    let end = world.clock.now().plus(days * DAY);
    loop {
        let waiting = async || world.rows("select cast(count(*) as text) from message where status = 'queued'").await;
        let mut before = Vec::new();
        loop {
            world.work().await;
            let now = waiting().await;
            if now == before {
                break;
            }
            before = now;
        }
        let next = world.worker.next_turn(&organization).await.expect("the next instant");
        match next.filter(|next| *next <= end) {
            Some(next) => world.clock.advance(next.0 - world.clock.now().0),
            None => break,
        }
    }
}

/// What left of a campaign or a sequence: to whom, when, through which account, which step.
pub async fn outcome(world: &World) -> Vec<String> {
    world
        .rows(
            "select lead_id || ' ' || cast(step as text) || ' ' || account_id || ' ' || cast(accepted_at as text) \
             from message where accepted_at is not null and sequence_id is not null order by 1",
        )
        .await
}

fn planned(forecast: &Value) -> Vec<String> {
    let text = |one: &Value, name: &str| one[name].as_str().expect("a text").to_owned();
    let at = |one: &Value| Timestamp::parse(&text(one, "at")).expect("an instant").0;
    let line =
        |one: &Value| format!("{} {} {} {}", text(one, "lead_id"), one["step"], text(one, "account_id"), at(one));
    let mut all: Vec<String> = forecast["data"].as_array().expect("a list").iter().map(line).collect();
    all.sort();
    all
}

fn reasons(forecast: &Value) -> Vec<(String, u64)> {
    let excluded = forecast["excluded"].as_array().expect("a list");
    excluded
        .iter()
        .map(|one| (one["reason"].as_str().expect("a reason").to_owned(), one["count"].as_u64().expect("a number")))
        .collect()
}

#[tokio::test]
async fn a_campaign_goes_as_was_forecast_message_by_message() {
    let (world, owner, first) = connected().await;
    set_limit(&owner, &first, 12).await;
    let second = but(twilio_form(), json!({ "phone_number": "+16285550188", "daily_limit": 7 }));
    let second = owner.post("/api/messaging-accounts", second).await.expect_status(201).id();
    owner.patch("/api/rules", json!({ "quiet_hours": false })).await.expect_status(200);
    let ids = people(&owner, 60).await;
    owner.post(LEADS, json!({ "email": "mail@example.com", "tags": ["spring"] })).await.expect_status(201);
    let url = format!("{PUBLIC_URL}/webhooks/twilio/{first}/inbound");
    world.hand_back(&world.twilio.receive(OWN_NUMBER, "+14155550000", "STOP", &url)).await.expect_status(200);
    // What waits already comes first, and counts.
    for _ in 0..5 {
        owner.send(RECIPIENT).await;
    }
    let text = template(&owner, "sms", "Hi {{ first_name }}, {{ custom.plan }}").await;
    let window = json!({ "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "09:00", "to": "17:00" });
    let form = json!({
        "name": "Spring", "channel": "sms", "template_id": text, "audience": { "tag": "spring" }, "window": window,
        "send_at": "2026-11-22T12:00:00Z",
    });
    let campaign = owner.post(CAMPAIGNS, form).await.expect_status(201).id();
    let path = format!("{CAMPAIGNS}/{campaign}");
    let before = world.stored_bytes().len();
    let forecast = owner.post(&format!("{path}/forecast"), json!({})).await.expect_status(200).json();
    assert_eq!(world.stored_bytes().len(), before, "nothing is left of it");
    assert_eq!(owner.get(&path).await.json()["state"], "draft", "nothing has changed");
    assert!(world.rows("select id from enrollment").await.is_empty());
    let unrendered = ids.iter().enumerate().filter(|(n, _)| n % 7 == 3).count() as u64;
    let expected = [("no_contact", 1), ("not_rendered", unrendered), ("opted_out", 1)];
    assert_eq!(reasons(&forecast), expected.map(|(reason, count)| (reason.to_owned(), count)));
    let goes = 60 - 1 - unrendered;
    assert_eq!((&forecast["messages"], &forecast["people"]), (&json!(goes), &json!(goes)));
    assert_eq!((&forecast["is_complete"], &forecast["waiting"]), (&json!(true), &json!(0)));
    let days = forecast["days"].as_array().expect("days");
    let full = |account: &str| days.iter().filter(|day| day["account_id"] == account && day["is_full"] == true).count();
    assert!(full(&first) >= 1 && full(&second) >= 1, "{days:?}");
    let opted: Vec<&Value> = forecast["excluded_leads"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|one| one["reason"] == "opted_out")
        .collect();
    assert_eq!((opted[0]["lead_id"].as_str(), opted[0]["lead"].as_str()), (Some(ids[0].as_str()), Some("Person 0")));
    owner.post(&format!("{path}/start"), json!({})).await.expect_status(200);
    // Half way it is forecast once more, from where it is.
    live(&world, 1).await;
    let rest = owner.post(&format!("{path}/forecast"), json!({})).await.expect_status(200).json();
    live(&world, 20).await;
    let happened = outcome(&world).await;
    assert_eq!(happened, planned(&forecast));
    let rest = planned(&rest);
    assert!(!rest.is_empty() && rest.len() < happened.len(), "{} of {}", rest.len(), happened.len());
    assert!(rest.iter().all(|one| happened.contains(one)), "{rest:#?} {happened:#?}");
    owner.post(&format!("{path}/forecast"), json!({})).await.expect_status(409);
}

#[tokio::test]
async fn a_sequence_is_forecast_with_its_nights_its_pace_and_what_competes() {
    let (world, owner, first) = connected().await;
    owner.connect_mailbox(&world).await;
    let path = format!("/api/messaging-accounts/{first}");
    owner.patch(&path, json!({ "daily_limit": 25 })).await.expect_status(200);
    owner.patch("/api/rules", json!({ "quiet_hours": true, "cap_per_day": 1 })).await.expect_status(200);
    let ids = people(&owner, 24).await;
    let (sms, email) = (template(&owner, "sms", "Hi {{ first_name }}").await, template(&owner, "email", "Hello").await);
    let step = |channel: &str, delay: u32, template: &str| json!({ "channel": channel, "delay_hours": delay, "template_id": template });
    let other = json!({ "name": "Other", "is_active": true, "steps": [step("sms", 30, &sms)] });
    let other = owner.post("/api/sequences", other).await.expect_status(201).id();
    owner.post(&format!("/api/sequences/{other}/enroll"), json!({ "lead_ids": ids[..12] })).await.expect_status(200);
    let form = json!({ "name": "Follow-up", "steps": [step("sms", 0, &sms), step("email", 24, &email), step("sms", 1, &sms)] });
    let sequence = owner.post("/api/sequences", form).await.expect_status(201).id();
    let wanted = json!({ "lead_ids": ids });
    let forecast = format!("/api/sequences/{sequence}/forecast");
    let forecast = owner.post(&forecast, wanted.clone()).await.expect_status(200).json();
    assert_eq!(forecast["messages"], 72);
    assert_eq!(owner.get(&format!("/api/sequences/{sequence}")).await.json()["is_active"], false);
    owner.patch(&format!("/api/sequences/{sequence}"), json!({ "is_active": true })).await.expect_status(200);
    owner.post(&format!("/api/sequences/{sequence}/enroll"), wanted).await.expect_status(200);
    live(&world, 60).await;
    let happened = outcome(&world).await;
    let planned = planned(&forecast);
    assert_eq!((happened.len(), planned.len()), (84, 72));
    assert!(planned.iter().all(|one| happened.contains(one)), "{planned:#?} {happened:#?}");
}

#[tokio::test]
async fn a_campaign_that_is_held_is_forecast_as_if_it_went_on() {
    let (world, owner, account) = connected().await;
    set_limit(&owner, &account, 2).await;
    owner.patch("/api/rules", json!({ "quiet_hours": false })).await.expect_status(200);
    people(&owner, 5).await;
    let text = template(&owner, "sms", "Hi {{ first_name }}").await;
    let form = json!({ "name": "Spring", "channel": "sms", "template_id": text, "audience": { "tag": "spring" } });
    let path = format!("{CAMPAIGNS}/{}", owner.post(CAMPAIGNS, form).await.expect_status(201).id());
    owner.post(&format!("{path}/start"), json!({})).await.expect_status(200);
    live(&world, 0).await;
    owner.post(&format!("{path}/pause"), json!({})).await.expect_status(200);
    let forecast = owner.post(&format!("{path}/forecast"), json!({})).await.expect_status(200).json();
    assert_eq!((&forecast["messages"], &forecast["is_complete"]), (&json!(3), &json!(true)));
    assert_eq!(owner.get(&path).await.json()["state"], "paused", "nothing has changed");
    live(&world, 20).await;
    assert_eq!(outcome(&world).await.len(), 2);
}

#[tokio::test]
async fn what_cannot_send_is_refused_as_at_its_start_and_strangers_see_nothing() {
    let (world, owner, _) = connected().await;
    people(&owner, 1).await;
    let email = template(&owner, "email", "Hello").await;
    let form = json!({ "name": "Spring", "channel": "email", "template_id": email });
    let campaign = owner.post(CAMPAIGNS, form).await.expect_status(201).id();
    let path = format!("{CAMPAIGNS}/{campaign}/forecast");
    let why = owner.post(&path, json!({})).await.expect_status(400).json();
    assert_eq!(why["fields"]["account_ids"], "There is no active account for E-mail");
    owner.post(&format!("{path}?limit=0"), json!({})).await.expect_status(400);
    let stranger = world.stranger().await;
    stranger.post(&path, json!({})).await.expect_error(404, "Not found");
    let form =
        json!({ "name": "Follow-up", "steps": [{ "channel": "email", "delay_hours": 0, "template_id": email }] });
    let sequence = owner.post("/api/sequences", form).await.expect_status(201).id();
    let path = format!("/api/sequences/{sequence}/forecast");
    stranger.post(&path, json!({ "filter": {} })).await.expect_error(404, "Not found");
    owner.post(&path, json!({})).await.expect_status(400);
}
