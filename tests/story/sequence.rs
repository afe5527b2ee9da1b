//! Sequences: steps over any channel, one after the other, by each lead's own clock, until somebody answers.

use super::{connected, set_limit};
use crate::support::{Client, OWN_NUMBER, PUBLIC_URL, RECIPIENT, World, but, twilio_form};
use serde_json::{Value, json};
use tern::domain::time::{DAY, HOUR, MINUTE};

const SEQUENCES: &str = "/api/sequences";
const LEADS: &str = "/api/leads";

pub(super) async fn template(owner: &Client, channel: &str, body: &str) -> String {
    let subject = (channel == "email").then_some("Hello");
    let form = json!({ "name": format!("{channel}: {body}"), "channel": channel, "subject": subject, "body": body });
    owner.post("/api/templates", form).await.expect_status(201).id()
}

pub(super) async fn lead(owner: &Client, lead: Value) -> String {
    owner.post(LEADS, lead).await.expect_status(201).id()
}

pub(super) fn step(channel: &str, delay_hours: u32, template: &str) -> Value {
    json!({ "channel": channel, "delay_hours": delay_hours, "template_id": template })
}

/// An active sequence that heeds no quiet hours; its id.
pub(super) async fn active(owner: &Client, steps: Value, more: Value) -> String {
    owner.patch("/api/rules", json!({ "quiet_hours": false })).await.expect_status(200);
    let form = but(json!({ "name": "Follow-up", "steps": steps, "is_active": true }), more);
    owner.post(SEQUENCES, form).await.expect_status(201).id()
}

pub(super) async fn enroll(owner: &Client, sequence: &str, leads: &[&str]) -> Value {
    let path = format!("{SEQUENCES}/{sequence}/enroll");
    owner.post(&path, json!({ "lead_ids": leads })).await.expect_status(200).json()
}

/// The runs of a sequence, oldest first.
pub(super) async fn runs(owner: &Client, sequence: &str) -> Vec<Value> {
    let page = owner.get(&format!("{SEQUENCES}/{sequence}/enrollments")).await.expect_status(200).json();
    page["data"].as_array().expect("a list").iter().rev().cloned().collect()
}

async fn counts(owner: &Client, sequence: &str) -> Vec<Value> {
    let told = owner.get(&format!("{SEQUENCES}/{sequence}")).await.expect_status(200).json();
    told["counts"].as_array().expect("a list").clone()
}

/// Time goes by, and the worker works.
pub(super) async fn later(world: &World, millis: i64) {
    world.clock.advance(millis);
    world.work().await;
    world.hear_all().await;
}

pub(super) async fn write(world: &World, account: &str, from: &str, text: &str) {
    let url = format!("{PUBLIC_URL}/webhooks/twilio/{account}/inbound");
    let call = world.twilio.receive(OWN_NUMBER, from, text, &url);
    world.hand_back(&call).await.expect_status(200);
}

/// Recipient and text of all that left, oldest first.
pub(super) async fn sent(world: &World) -> Vec<String> {
    world
        .rows("select recipient || ': ' || body from message where accepted_at is not null and direction = 'outbound' order by id")
        .await
}

#[tokio::test]
async fn a_lead_gets_each_step_once_and_in_time() {
    let (world, owner, _) = connected().await;
    owner.connect_mailbox(&world).await;
    let (sms, email) =
        (template(&owner, "sms", "Hi {{ first_name }}").await, template(&owner, "email", "Still there?").await);
    let sequence =
        active(&owner, json!([step("sms", 0, &sms), step("email", 24, &email), step("sms", 48, &sms)]), json!({}))
            .await;
    let kim = lead(&owner, json!({ "name": "Kim Lee", "phone": RECIPIENT, "email": "kim@example.com" })).await;
    assert_eq!(enroll(&owner, &sequence, &[&kim]).await, json!({ "enrolled": 1, "skipped": [], "skipped_total": 0 }));
    world.work().await;
    assert_eq!(sent(&world).await, [format!("{RECIPIENT}: Hi Kim")]);
    let run = runs(&owner, &sequence).await.remove(0);
    let seen = (&run["status"], &run["step"], &run["lead"], &run["next_step_at"]);
    assert_eq!(seen, (&json!("active"), &json!(1), &json!("Kim Lee"), &json!("2026-11-23T09:30:00Z")));
    later(&world, 23 * HOUR).await;
    assert_eq!(sent(&world).await.len(), 1, "not yet");
    later(&world, HOUR).await;
    assert_eq!(sent(&world).await.len(), 2);
    later(&world, 2 * DAY).await;
    later(&world, 10 * DAY).await;
    let all = sent(&world).await;
    assert_eq!(
        all,
        [format!("{RECIPIENT}: Hi Kim"), "kim@example.com: Still there?".into(), format!("{RECIPIENT}: Hi Kim")]
    );
    let run = runs(&owner, &sequence).await.remove(0);
    assert_eq!((&run["status"], &run["next_step_at"]), (&json!("finished"), &json!(null)));
    let counts = counts(&owner, &sequence).await;
    assert_eq!(
        counts[0],
        json!({ "waiting": 0, "queued": 0, "sent": 1, "delivered": 1, "failed": 0, "unknown": 0, "canceled": 0, "replied": 0, "lost": 0 })
    );
    // Whoever is done may begin again.
    assert_eq!(enroll(&owner, &sequence, &[&kim]).await["enrolled"], 1);
}

#[tokio::test]
async fn an_answer_ends_the_run_and_takes_back_what_waits() {
    let (world, owner, account) = connected().await;
    let sms = template(&owner, "sms", "Hi").await;
    let sequence = active(&owner, json!([step("sms", 0, &sms), step("sms", 24, &sms)]), json!({})).await;
    set_limit(&owner, &account, 1).await;
    let first = lead(&owner, json!({ "phone": RECIPIENT })).await;
    let second = lead(&owner, json!({ "phone": "+14155550177" })).await;
    enroll(&owner, &sequence, &[&first, &second]).await;
    world.work().await;
    assert_eq!(sent(&world).await.len(), 1, "the limit of the day");
    let waiting = world.rows("select recipient from message where status = 'queued'").await;
    let [waiting] = &waiting[..] else { panic!("one waits: {waiting:?}") };
    write(&world, &account, waiting, "Who is this?").await;
    assert_eq!(
        world.rows("select status from message where direction = 'outbound' order by status").await,
        ["accepted", "canceled"]
    );
    later(&world, 3 * DAY).await;
    let to: Vec<String> = sent(&world).await;
    assert!(to.iter().all(|sent| !sent.starts_with(waiting.as_str())), "{to:?}");
    let stopped: Vec<Value> =
        runs(&owner, &sequence).await.into_iter().filter(|run| run["status"] == "stopped").collect();
    assert_eq!((stopped.len(), &stopped[0]["stop_reason"]), (1, &json!("replied")));
    write(&world, &account, if waiting == RECIPIENT { "+14155550177" } else { RECIPIENT }, "Yes please").await;
    assert_eq!(
        counts(&owner, &sequence).await.iter().map(|of| of["replied"].as_u64().expect("a number")).sum::<u64>(),
        2
    );
}

#[tokio::test]
async fn where_an_answer_ends_nothing_the_run_goes_on() {
    let (world, owner, account) = connected().await;
    let sms = template(&owner, "sms", "Hi").await;
    let more = json!({ "stop_on_reply": false });
    let sequence = active(&owner, json!([step("sms", 0, &sms), step("sms", 24, &sms)]), more).await;
    let kim = lead(&owner, json!({ "phone": RECIPIENT })).await;
    enroll(&owner, &sequence, &[&kim]).await;
    world.work().await;
    write(&world, &account, RECIPIENT, "Tell me more").await;
    later(&world, DAY).await;
    assert_eq!(sent(&world).await.len(), 2);
    assert_eq!(counts(&owner, &sequence).await[0]["replied"], 1);
}

#[tokio::test]
async fn whoever_says_stop_or_gets_a_certain_tag_or_cannot_be_reached_is_done() {
    let (world, owner, account) = connected().await;
    let sms = template(&owner, "sms", "Hi {{ custom.plan }}").await;
    let more = json!({ "stop_tags": ["Won", "lost"] });
    let sequence = active(&owner, json!([step("sms", 24, &sms)]), more).await;
    let custom = json!({ "plan": "pro" });
    let mut ids = Vec::new();
    for n in 0..5 {
        let custom = if n == 3 { json!({}) } else { custom.clone() };
        ids.push(lead(&owner, json!({ "phone": format!("+1415555010{n}"), "custom": custom })).await);
    }
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(enroll(&owner, &sequence, &all).await["enrolled"], 5);
    write(&world, &account, "+14155550100", "STOP").await;
    owner.patch(&format!("{LEADS}/{}", ids[1]), json!({ "tags": ["won"] })).await.expect_status(200);
    owner.delete(&format!("{LEADS}/{}", ids[2])).await.expect_status(200);
    later(&world, DAY).await;
    assert_eq!(sent(&world).await, ["+14155550104: Hi pro"]);
    let ends: Vec<Value> = runs(&owner, &sequence).await.iter().map(|run| run["stop_reason"].clone()).collect();
    assert_eq!(ends, [json!("opted_out"), json!("tagged"), json!("not_rendered"), json!(null)]);
    let again = enroll(&owner, &sequence, &all).await;
    let reasons: Vec<&str> = again["skipped"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["reason"].as_str().expect("a reason"))
        .collect();
    assert_eq!((again["enrolled"].as_u64(), reasons), (Some(3), vec!["not_found", "opted_out"]));
}

#[tokio::test]
async fn a_step_without_an_address_is_skipped_or_ends_the_run_as_is_set() {
    let (world, owner, _) = connected().await;
    owner.connect_mailbox(&world).await;
    let (sms, email) = (template(&owner, "sms", "Hi").await, template(&owner, "email", "Hello").await);
    let kim = lead(&owner, json!({ "email": "kim@example.com" })).await;
    let skips =
        active(&owner, json!([step("email", 0, &email), step("sms", 1, &sms), step("email", 1, &email)]), json!({}))
            .await;
    let stops = json!([step("email", 0, &email), but(step("sms", 1, &sms), json!({ "on_missing": "stop" }))]);
    let stops = active(&owner, stops, json!({})).await;
    let never = active(&owner, json!([step("sms", 0, &sms)]), json!({})).await;
    for (sequence, reason) in [(&skips, None), (&stops, None), (&never, Some("no_contact"))] {
        let told = enroll(&owner, sequence, &[&kim]).await;
        assert_eq!(told["skipped"][0]["reason"].as_str(), reason, "{told}");
    }
    world.work().await;
    later(&world, HOUR).await;
    later(&world, HOUR).await;
    assert_eq!(sent(&world).await.len(), 3);
    assert_eq!(runs(&owner, &skips).await[0]["status"], "finished");
    let ended = runs(&owner, &stops).await.remove(0);
    assert_eq!((&ended["status"], &ended["stop_reason"]), (&json!("stopped"), &json!("no_contact")));
}

#[tokio::test]
async fn nothing_leaves_at_night_by_the_clock_of_the_lead() {
    let (world, owner, _) = connected().await;
    let sms = template(&owner, "sms", "Hi").await;
    let window = json!({ "days": ["mon", "tue", "wed", "thu", "fri"], "from": "9:00", "to": "17:00" });
    owner
        .patch("/api/rules", json!({ "time_zone": "Asia/Tokyo", "holidays": ["2026-11-23"] }))
        .await
        .expect_status(200);
    let more = json!({ "window": window, "skip_holidays": true });
    let sequence = active(&owner, json!([step("sms", 0, &sms)]), more).await;
    // Now it is Sunday, half past nine in UTC; the Monday is a holiday.
    for (zone, phone) in
        [(Some("Europe/Berlin"), "+14155550101"), (Some("America/New_York"), "+14155550102"), (None, "+14155550103")]
    {
        let id = lead(&owner, json!({ "phone": phone, "time_zone": zone })).await;
        enroll(&owner, &sequence, &[&id]).await;
    }
    let due: Vec<Value> = runs(&owner, &sequence).await.iter().map(|run| run["next_step_at"].clone()).collect();
    assert_eq!(due, [json!("2026-11-24T08:00:00Z"), json!("2026-11-24T14:00:00Z"), json!("2026-11-24T00:00:00Z")]);
    later(&world, DAY).await;
    assert!(sent(&world).await.is_empty());
    later(&world, 14 * HOUR + 30 * MINUTE).await;
    assert_eq!(sent(&world).await, ["+14155550103: Hi"]);
    later(&world, 8 * HOUR).await;
    assert_eq!(sent(&world).await.len(), 2);
}

#[tokio::test]
async fn a_sequence_that_could_never_send_is_not_switched_on_and_says_why() {
    let world = World::new().await;
    let owner = world.owner().await;
    let (sms, email) = (template(&owner, "sms", "Hi").await, template(&owner, "email", "Hello").await);
    let form = json!({ "name": "Follow-up", "steps": [step("sms", 0, &sms)] });
    let id = owner.post(SEQUENCES, form).await.expect_status(201).id();
    let one = format!("{SEQUENCES}/{id}");
    let told = owner.patch(&one, json!({ "is_active": true })).await.expect_status(400).json();
    assert_eq!(told["error"], "This sequence cannot send");
    assert_eq!(told["fields"]["account_ids"], "There is no active account for SMS");
    assert_eq!(owner.get(&one).await.json()["is_active"], false);
    owner.connect_twilio().await;
    let empty = json!({ "name": "Empty", "steps": [], "is_active": true });
    owner.post(SEQUENCES, empty).await.expect_status(400).expect_fields(&["steps"]);
    for (wrong, field) in [
        (json!({ "steps": [step("email", 0, &sms)] }), "steps.0.template_id"),
        (
            json!({ "steps": [step("email", 0, &email), step("sms", 1, "01ARZ3NDEKTSV4RRFFQ69G5FAV")] }),
            "steps.1.template_id",
        ),
        (json!({ "steps": [step("fax", 0, &sms)] }), "steps.0.channel"),
        (json!({ "steps": [but(step("sms", 0, &sms), json!({ "delay_hours": -1 }))] }), "steps.0.delay_hours"),
        (json!({ "steps": [but(step("sms", 0, &sms), json!({ "colour": "red" }))] }), "steps.0.colour"),
        (json!({ "steps": [7] }), "steps.0"),
        (json!({ "window": { "days": ["mon"], "from": "09:00", "to": "09:00" } }), "window.to"),
        (json!({ "window": 7 }), "window"),
        (json!({ "name": "" }), "name"),
        (json!({ "account_ids": ["01ARZ3NDEKTSV4RRFFQ69G5FAV"] }), "account_ids"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let answer = owner.patch(&one, wrong.clone()).await.expect_status(400).json();
        assert!(answer["fields"][field].is_string(), "{wrong}: {answer}");
    }
    owner.patch(&one, json!({ "is_active": true })).await.expect_status(200);
    // What runs is not changed into something that could never send, and its templates stay.
    owner.patch(&one, json!({ "steps": [step("email", 0, &email)] })).await.expect_status(400);
    owner.delete(&format!("/api/templates/{sms}")).await.expect_error(409, "It is used by the sequence Follow-up");
}

#[tokio::test]
async fn whoever_has_begun_gets_what_was_written_then() {
    let (world, owner, _) = connected().await;
    let sms = template(&owner, "sms", "Old").await;
    let sequence = active(&owner, json!([step("sms", 0, &sms), step("sms", 24, &sms)]), json!({})).await;
    let kim = lead(&owner, json!({ "phone": RECIPIENT })).await;
    enroll(&owner, &sequence, &[&kim]).await;
    world.work().await;
    owner.patch(&format!("/api/templates/{sms}"), json!({ "body": "New" })).await.expect_status(200);
    let other = template(&owner, "sms", "Other").await;
    let steps = json!({ "steps": [step("sms", 0, &sms), step("sms", 0, &other)] });
    assert_eq!(owner.patch(&format!("{SEQUENCES}/{sequence}"), steps).await.expect_status(200).json()["version"], 2);
    let lee = lead(&owner, json!({ "phone": "+14155550177" })).await;
    enroll(&owner, &sequence, &[&lee]).await;
    later(&world, DAY).await;
    later(&world, DAY).await;
    let of =
        |number: &str, all: &[String]| all.iter().filter(|sent| sent.starts_with(number)).cloned().collect::<Vec<_>>();
    let all = sent(&world).await;
    assert_eq!(of(RECIPIENT, &all), [format!("{RECIPIENT}: Old"), format!("{RECIPIENT}: Old")]);
    assert_eq!(of("+14155550177", &all), ["+14155550177: New", "+14155550177: Other"]);
}

#[tokio::test]
async fn accounts_share_the_work_by_what_they_can_send_and_a_lead_keeps_its_sender() {
    let (world, owner, small) = connected().await;
    set_limit(&owner, &small, 10).await;
    let large = but(twilio_form(), json!({ "phone_number": "+16285550188", "daily_limit": 30 }));
    owner.post("/api/messaging-accounts", large).await.expect_status(201);
    let sms = template(&owner, "sms", "Hi").await;
    let sequence = active(&owner, json!([step("sms", 0, &sms), step("sms", 24, &sms)]), json!({})).await;
    for n in 0..40 {
        let id = lead(&owner, json!({ "phone": format!("+141555511{n:02}") })).await;
        enroll(&owner, &sequence, &[&id]).await;
    }
    world.work().await;
    let shares =
        "select cast(count(*) as text) from message where accepted_at is not null group by sender order by sender";
    assert_eq!(world.rows(shares).await, ["10", "30"]);
    later(&world, DAY).await;
    later(&world, DAY).await;
    let senders = "select cast(count(distinct sender) as text) from message group by recipient";
    assert!(world.rows(senders).await.iter().all(|count| count == "1"), "the same sender for both steps");
    assert_eq!(sent(&world).await.len(), 80);
}

#[tokio::test]
async fn a_pause_holds_everything_and_ends_where_it_began() {
    let (world, owner, account) = connected().await;
    let sms = template(&owner, "sms", "Hi").await;
    let sequence = active(&owner, json!([step("sms", 0, &sms)]), json!({})).await;
    set_limit(&owner, &account, 3).await;
    for n in 0..10 {
        let id = lead(&owner, json!({ "phone": format!("+1415555010{n}") })).await;
        enroll(&owner, &sequence, &[&id]).await;
    }
    world.work().await;
    assert_eq!(sent(&world).await.len(), 3);
    let one = format!("{SEQUENCES}/{sequence}");
    owner.patch(&one, json!({ "is_active": false })).await.expect_status(200);
    later(&world, 2 * DAY).await;
    assert_eq!(sent(&world).await.len(), 3);
    let waiting = owner.get("/api/messages?status=queued&limit=1").await.json()["data"][0].clone();
    assert_eq!(waiting["waiting"]["reason"], "paused", "{waiting}");
    owner.patch(&one, json!({ "is_active": true })).await.expect_status(200);
    for _ in 0..4 {
        later(&world, DAY).await;
    }
    assert_eq!(sent(&world).await.len(), 10);
    owner.delete(&one).await.expect_status(200);
    owner.get(&one).await.expect_status(404);
    assert_eq!(sent(&world).await.len(), 10, "its messages stay");
}

#[tokio::test]
async fn leads_are_enrolled_by_what_is_known_of_them_and_each_organization_by_itself() {
    let (world, owner, _) = connected().await;
    let sms = template(&owner, "sms", "Hi").await;
    let sequence = active(&owner, json!([step("sms", 0, &sms)]), json!({})).await;
    for n in 0..4 {
        lead(&owner, json!({ "phone": format!("+1415555010{n}"), "tags": [if n < 3 { "fair" } else { "shop" }] }))
            .await;
    }
    let path = format!("{SEQUENCES}/{sequence}/enroll");
    let filter = json!({ "filter": { "tag": "fair" } });
    assert_eq!(owner.post(&path, filter.clone()).await.expect_status(200).json()["enrolled"], 3);
    let again = owner.post(&path, filter).await.expect_status(200).json();
    assert_eq!((&again["enrolled"], &again["skipped_total"]), (&json!(0), &json!(3)));
    assert_eq!(again["skipped"][0]["reason"], "already_active");
    for wrong in
        [json!({}), json!({ "lead_ids": [], "filter": {} }), json!({ "filter": 7 }), json!({ "lead_ids": "x" })]
    {
        owner.post(&path, wrong).await.expect_status(400);
    }
    let stranger = world.stranger().await;
    let run = runs(&owner, &sequence).await[0]["id"].as_str().expect("an id").to_owned();
    let theirs = lead(&stranger, json!({ "phone": RECIPIENT })).await;
    stranger.post(&path, json!({ "lead_ids": [theirs] })).await.expect_status(404);
    for path in [format!("{SEQUENCES}/{sequence}"), format!("{SEQUENCES}/{sequence}/enrollments")] {
        stranger.get(&path).await.expect_status(404);
    }
    stranger.patch(&format!("{SEQUENCES}/{sequence}"), json!({ "is_active": false })).await.expect_status(404);
    stranger.delete(&format!("{SEQUENCES}/{sequence}")).await.expect_status(404);
    stranger.post(&format!("/api/enrollments/{run}/stop"), json!({})).await.expect_status(404);
    let told = enroll(&owner, &sequence, &[&theirs]).await;
    assert_eq!(told["skipped"][0]["reason"], "not_found");
    owner.post(&format!("/api/enrollments/{run}/stop"), json!({})).await.expect_status(200);
    owner.post(&format!("/api/enrollments/{run}/stop"), json!({})).await.expect_status(409);
    world.work().await;
    assert_eq!(sent(&world).await.len(), 2);
}

#[tokio::test]
async fn rules_are_read_field_by_field() {
    let world = World::new().await;
    let owner = world.owner().await;
    let shape =
        json!({ "time_zone": "UTC", "holidays": [], "quiet_hours": true, "cap_per_day": null, "cap_per_week": null });
    assert_eq!(owner.get("/api/rules").await.expect_status(200).json(), shape);
    let changed =
        owner.patch("/api/rules", json!({ "cap_per_day": 2, "holidays": ["2026-12-25", "2026-12-24"] })).await;
    let expected = but(shape, json!({ "cap_per_day": 2, "holidays": ["2026-12-24", "2026-12-25"], "cap_per_week": 7 }));
    let expected = but(expected, json!({ "cap_per_week": null }));
    let changed = changed.expect_status(200).json();
    assert_eq!((&changed["cap_per_day"], &changed["holidays"]), (&expected["cap_per_day"], &expected["holidays"]));
    for (wrong, field) in [
        (json!({ "time_zone": "Mars" }), "time_zone"),
        (json!({ "time_zone": 7 }), "time_zone"),
        (json!({ "holidays": ["someday"] }), "holidays"),
        (json!({ "holidays": ["2026-02-30"] }), "holidays"),
        (json!({ "cap_per_day": 0 }), "cap_per_day"),
        (json!({ "quiet_hours": "yes" }), "quiet_hours"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        owner.patch("/api/rules", wrong).await.expect_status(400).expect_fields(&[field]);
    }
    let stranger = world.stranger().await;
    assert_eq!(stranger.get("/api/rules").await.json()["cap_per_day"], json!(null));
}

/// Why each message waits, and until when.
pub(super) async fn waiting(owner: &Client) -> Vec<(String, String, String)> {
    let page = owner.get("/api/messages?status=queued").await.expect_status(200).json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = page["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (text(&one["to"]), text(&one["waiting"]["reason"]), text(&one["waiting"]["until"])))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn planned_messages_wait_for_the_day_of_whom_they_are_for_and_others_leave() {
    let (world, owner, _) = connected().await;
    owner.connect_mailbox(&world).await;
    let (sms, email) = (template(&owner, "sms", "Hi").await, template(&owner, "email", "Hello").await);
    let sequence = active(&owner, json!([step("sms", 0, &sms), step("email", 0, &email)]), json!({})).await;
    owner.patch("/api/rules", json!({ "quiet_hours": true })).await.expect_status(200);
    // Half past nine in the morning in UTC.
    for (phone, zone, email) in [
        ("+14155552671", None, "a@example.com"),
        ("+14155552672", Some("Europe/Berlin"), "b@example.com"),
        ("+4915123456789", None, "c@example.com"),
    ] {
        let id = lead(&owner, json!({ "phone": phone, "time_zone": zone, "email": email })).await;
        enroll(&owner, &sequence, &[&id]).await;
    }
    world.work().await;
    let expected = ("+14155552671".to_owned(), "quiet_hours".to_owned(), "2026-11-22T16:00:00Z".to_owned());
    assert_eq!(waiting(&owner).await, [expected], "it is half past one where that number is");
    assert_eq!(sent(&world).await.len(), 2);
    assert_eq!(
        world.rows("select distinct cast(attempts as text) from message where status = 'queued'").await,
        ["0"],
        "it was not tried"
    );
    // What somebody sends by hand is their own decision.
    let by_hand = owner.send("+14155552673").await;
    world.work().await;
    assert_eq!(owner.status(&by_hand).await, "accepted");
    later(&world, 7 * HOUR).await;
    later(&world, MINUTE).await;
    later(&world, MINUTE).await;
    let all = sent(&world).await;
    let mails = all.iter().filter(|sent| sent.contains("@example.com: Hello")).count();
    assert_eq!(mails, 3, "mail has no quiet hours: {all:?}");
    assert!(waiting(&owner).await.is_empty());
}

#[tokio::test]
async fn a_person_gets_no_more_messages_than_the_organization_allows() {
    let (world, owner, _) = connected().await;
    owner.connect_mailbox(&world).await;
    let (sms, email) = (template(&owner, "sms", "Hi").await, template(&owner, "email", "Hello").await);
    let steps = json!([step("sms", 0, &sms), step("email", 1, &email), step("sms", 1, &sms)]);
    let sequence = active(&owner, steps, json!({ "stop_on_reply": false })).await;
    owner.patch("/api/rules", json!({ "cap_per_day": 2, "cap_per_week": 3 })).await.expect_status(200);
    let kim = lead(&owner, json!({ "phone": RECIPIENT, "email": "kim@example.com" })).await;
    owner.send(RECIPIENT).await;
    world.work().await;
    enroll(&owner, &sequence, &[&kim]).await;
    world.work().await;
    assert_eq!(sent(&world).await.len(), 2, "one by hand, one by plan");
    later(&world, HOUR).await;
    let waits = waiting(&owner).await;
    assert_eq!(waits.len(), 1, "{waits:?}");
    assert_eq!((waits[0].1.as_str(), waits[0].2.as_str()), ("contact_cap", "2026-11-23T09:30:00.001Z"));
    let by_hand = owner.send(RECIPIENT).await;
    world.work().await;
    assert_eq!(owner.status(&by_hand).await, "accepted", "a person decides for themselves");
    later(&world, DAY).await;
    assert_eq!(sent(&world).await.len(), 3, "now the week is full");
    for _ in 0..8 {
        later(&world, DAY).await;
    }
    assert_eq!(sent(&world).await.len(), 5, "all of it has left in the end");
}

#[tokio::test]
async fn the_demo_has_a_sequence_that_waits_to_be_switched_on_and_goes_with_the_rest() {
    let world = World::new().await;
    let owner = world.owner().await;
    let forms = world.client(owner.credentials.clone()).with("content-type", "application/x-www-form-urlencoded");
    let call = async |name: &str| {
        let mut paths = leptos::server_fn::axum::server_fn_paths();
        let (path, method) = paths.find(|(path, _)| path.contains(name)).expect("a server function");
        forms.call(method.as_str(), path, "").await.expect_status(200);
    };
    call("load_demo").await;
    let page = owner.get(SEQUENCES).await.expect_status(200).json();
    let demo = &page["data"][0];
    assert_eq!((&demo["is_active"], &demo["is_demo"]), (&json!(false), &json!(true)));
    assert_eq!(demo["steps"].as_array().map(Vec::len), Some(3));
    let path = format!("{SEQUENCES}/{}", demo["id"].as_str().expect("an id"));
    // All of the demo's leads can be reached, and all that it has can be sent.
    let enrolled = owner.post(&format!("{path}/enroll"), json!({ "filter": {} })).await.expect_status(200).json();
    assert_eq!((&enrolled["enrolled"], &enrolled["skipped_total"]), (&json!(4), &json!(0)));
    owner.patch(&path, json!({ "is_active": true })).await.expect_status(200);
    call("remove_demo").await;
    assert_eq!(owner.get(SEQUENCES).await.expect_status(200).json()["data"], json!([]));
    assert_eq!(owner.get("/api/templates").await.expect_status(200).json()["data"], json!([]));
}
