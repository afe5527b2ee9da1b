//! What is planned and waits for its turn leaves only as long as it is wanted, and only when it may.

use super::{
    campaign::{draft, people, tell},
    connected,
    sequence::{active, enroll, later, lead, runs, sent, step, template, waiting, write},
    set_limit,
};
use crate::support::{Client, RECIPIENT, World, until};
use serde_json::{Value, json};
use tern::{
    domain::time::{DAY, HOUR, MINUTE},
    server::simulate::{Fault, On},
};

const LEADS: &str = "/api/leads";

/// Something happens while calls are under way, and the provider takes none of them: they are back in the queue.
async fn meanwhile(world: &World, calls: u32, happens: impl AsyncFnOnce()) {
    world.twilio.misbehave_on(On::Create, Fault::Throttled { retry_after: Some(60) }, calls);
    world.twilio.hold();
    world.worker.pass().await.expect("a pass");
    until(async || world.twilio.held() == calls as usize).await;
    happens().await;
    world.twilio.release();
    world.worker.settle().await;
    later(world, 2 * MINUTE).await;
}

async fn statuses(world: &World) -> Vec<String> {
    world.rows("select status from message where direction = 'outbound' order by id").await
}

/// What is said of messages that were called off.
async fn reasons(world: &World) -> Vec<String> {
    world.rows("select distinct coalesce(detail, '') from event where status = 'canceled'").await
}

#[tokio::test]
async fn what_was_under_way_when_its_run_ended_does_not_leave_later() {
    let (world, owner, account) = connected().await;
    let sms = template(&owner, "sms", "Hi").await;
    let kim = lead(&owner, json!({ "phone": RECIPIENT })).await;
    // Also the last step of a run, which is over when that is queued.
    let two = active(&owner, json!([step("sms", 0, &sms), step("sms", 24, &sms)]), json!({})).await;
    let one = active(&owner, json!([step("sms", 0, &sms)]), json!({ "name": "One" })).await;
    for (sequence, status) in [(&two, "stopped"), (&one, "finished")] {
        enroll(&owner, sequence, &[&kim]).await;
        meanwhile(&world, 1, async || write(&world, &account, RECIPIENT, "Please call me").await).await;
        assert_eq!(runs(&owner, sequence).await[0]["status"], status);
    }
    assert_eq!(statuses(&world).await, ["canceled", "canceled"]);
    assert_eq!(reasons(&world).await, ["The lead's run has ended."]);
    assert!(world.twilio.accepted().is_empty());
}

#[tokio::test]
async fn what_was_under_way_when_its_campaign_was_held_or_canceled_waits_or_goes() {
    let (world, owner, _) = connected().await;
    people(&owner, 2).await;
    let text = template(&owner, "sms", "Hi").await;
    let campaign = draft(&owner, &text, json!({})).await;
    tell(&owner, &campaign, "start").await.expect_status(200);
    meanwhile(&world, 2, async || drop(tell(&owner, &campaign, "pause").await.expect_status(200))).await;
    assert_eq!(statuses(&world).await, ["queued", "queued"]);
    let waits = waiting(&owner).await;
    assert!(waits.iter().all(|(_, reason, until)| reason == "paused" && until.is_empty()), "{waits:?}");
    tell(&owner, &campaign, "resume").await.expect_status(200);
    meanwhile(&world, 2, async || drop(tell(&owner, &campaign, "cancel").await.expect_status(200))).await;
    assert_eq!(statuses(&world).await, ["canceled", "canceled"]);
    assert!(world.twilio.accepted().is_empty());
    // One that is held and goes on sends what came back.
    let other = draft(&owner, &text, json!({ "name": "Other" })).await;
    tell(&owner, &other, "start").await.expect_status(200);
    meanwhile(&world, 2, async || drop(tell(&owner, &other, "pause").await.expect_status(200))).await;
    tell(&owner, &other, "resume").await.expect_status(200);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 2);
}

#[tokio::test]
async fn what_was_under_way_when_its_sequence_or_its_lead_was_deleted_does_not_leave_later() {
    let (world, owner, _) = connected().await;
    let sms = template(&owner, "sms", "Hi").await;
    for goes in ["sequences", "leads"] {
        let sequence = active(&owner, json!([step("sms", 0, &sms), step("sms", 24, &sms)]), json!({})).await;
        let kim = lead(&owner, json!({ "phone": RECIPIENT })).await;
        enroll(&owner, &sequence, &[&kim]).await;
        let id = if goes == "leads" { &kim } else { &sequence };
        meanwhile(&world, 1, async || drop(owner.delete(&format!("/api/{goes}/{id}")).await.expect_status(200))).await;
        if goes == "sequences" {
            owner.delete(&format!("{LEADS}/{kim}")).await.expect_status(200);
        }
    }
    assert_eq!(statuses(&world).await, ["canceled", "canceled"]);
    assert!(world.twilio.accepted().is_empty());
}

#[tokio::test]
async fn what_waits_for_its_account_leaves_in_the_hours_of_its_sequence() {
    let (world, owner, account) = connected().await;
    let pace = json!({ "min_gap_seconds": 1800 });
    owner.patch(&format!("/api/messaging-accounts/{account}"), pace).await.expect_status(200);
    let sms = template(&owner, "sms", "Hi").await;
    // It is half past nine, of a Sunday.
    let hours = json!({ "window": { "days": ["sun", "mon"], "from": "9:00", "to": "10:00" } });
    let sequence = active(&owner, json!([step("sms", 0, &sms)]), hours).await;
    for n in 0..4 {
        let id = lead(&owner, json!({ "phone": format!("+1415555010{n}"), "time_zone": "UTC" })).await;
        enroll(&owner, &sequence, &[&id]).await;
    }
    world.work().await;
    for _ in 0..12 {
        later(&world, 10 * MINUTE).await;
    }
    let all = sent(&world).await;
    assert!((1..=2).contains(&all.len()), "one each half hour and no more: {all:?}");
    let waits = waiting(&owner).await;
    let monday = "2026-11-23T09:00:00Z";
    assert!(waits.iter().any(|(_, reason, until)| reason == "scheduled" && until == monday), "{waits:?}");
    later(&world, 21 * HOUR).await;
    assert_eq!(sent(&world).await.len(), all.len(), "not at night");
    for _ in 0..18 {
        later(&world, 10 * MINUTE).await;
    }
    let left = "select cast(accepted_at as text) from message where accepted_at is not null";
    for at in world.rows(left).await {
        let of_day = at.parse::<i64>().expect("an instant").rem_euclid(DAY);
        assert!((9 * HOUR..10 * HOUR).contains(&of_day), "{at} is outside of its hours");
    }
    assert!(sent(&world).await.len() > all.len(), "the next day has its hours");
}

#[tokio::test]
async fn what_the_day_holds_back_takes_no_room_of_the_week() {
    let (world, owner, _) = connected().await;
    let sms = template(&owner, "sms", "Hi").await;
    let kim = lead(&owner, json!({ "phone": RECIPIENT })).await;
    owner.send(RECIPIENT).await;
    world.work().await;
    world.clock.advance(3 * DAY);
    let (one, other) = (
        active(&owner, json!([step("sms", 0, &sms)]), json!({ "name": "One" })).await,
        active(&owner, json!([step("sms", 0, &sms)]), json!({ "name": "Other" })).await,
    );
    owner.patch("/api/rules", json!({ "cap_per_day": 1, "cap_per_week": 2 })).await.expect_status(200);
    enroll(&owner, &one, &[&kim]).await;
    enroll(&owner, &other, &[&kim]).await;
    world.work().await;
    assert_eq!(sent(&world).await.len(), 2, "one of the two leaves today: {:?}", waiting(&owner).await);
    let waits = waiting(&owner).await;
    assert_eq!((waits.len(), waits[0].1.as_str()), (1, "contact_cap"));
}

async fn suppressions(owner: &Client, lead: &str) -> usize {
    let list = owner.get(&format!("/api/suppressions?lead_id={lead}")).await.expect_status(200).json();
    list["data"].as_array().expect("a list").len()
}

#[tokio::test]
async fn two_who_become_one_are_left_alone_when_either_said_so() {
    let (world, owner, account) = connected().await;
    let kept = lead(&owner, json!({ "phone": "+14155550177" })).await;
    let gone = lead(&owner, json!({ "phone": RECIPIENT })).await;
    write(&world, &account, RECIPIENT, "STOP").await;
    assert_eq!(suppressions(&owner, &kept).await, 0);
    owner.post(&format!("{LEADS}/{kept}/merge"), json!({ "lead_id": gone })).await.expect_status(200);
    assert!(suppressions(&owner, &kept).await > 0, "the other address is kept in the notes alone");
    let form = json!({ "channel": "sms", "to": "+14155550177", "body": "Hello" });
    assert_eq!(owner.post("/api/messages", form).await.expect_status(202).json()["status"], "suppressed");
}

#[tokio::test]
async fn runs_of_two_who_become_one_go_on_once_and_part_with_them() {
    let (world, owner, account) = connected().await;
    set_limit(&owner, &account, 2).await;
    let sms = template(&owner, "sms", "Hi").await;
    let steps = json!([step("sms", 0, &sms), step("sms", 24, &sms)]);
    let both = active(&owner, steps.clone(), json!({ "name": "Both" })).await;
    let single = active(&owner, steps, json!({ "name": "Single" })).await;
    let kept = lead(&owner, json!({ "phone": RECIPIENT })).await;
    let gone = lead(&owner, json!({ "whatsapp": "+14155550178", "phone": "+14155550179" })).await;
    enroll(&owner, &both, &[&kept, &gone]).await;
    enroll(&owner, &single, &[&gone]).await;
    world.work().await;
    assert_eq!(sent(&world).await.len(), 2, "the third waits for tomorrow");
    owner.post(&format!("{LEADS}/{kept}/merge"), json!({ "lead_id": gone })).await.expect_status(200);
    let of =
        |runs: Vec<Value>| runs.into_iter().map(|run| run["lead_id"].as_str().map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(of(runs(&owner, &both).await), [Some(kept.clone())], "one of two");
    assert_eq!(of(runs(&owner, &single).await), [Some(kept.clone())], "it goes on");
    owner.post(&format!("{LEADS}/{kept}/unmerge"), json!({})).await.expect_status(200);
    assert_eq!(of(runs(&owner, &single).await), [Some(gone)]);
    assert_eq!(of(runs(&owner, &both).await), [Some(kept)]);
}

#[tokio::test]
async fn a_tag_in_a_column_of_a_file_takes_back_what_waits() {
    let (world, owner, account) = connected().await;
    set_limit(&owner, &account, 1).await;
    let sms = template(&owner, "sms", "Hi").await;
    let sequence = active(&owner, json!([step("sms", 0, &sms)]), json!({ "stop_tags": ["customer"] })).await;
    let ids = [
        lead(&owner, json!({ "phone": "+14155550101" })).await,
        lead(&owner, json!({ "phone": "+14155550102" })).await,
    ];
    let stays =
        active(&owner, json!([step("sms", 0, &sms), step("sms", 1, &sms)]), json!({ "stop_tags": ["customer"] })).await;
    enroll(&owner, &sequence, &[&ids[0]]).await;
    world.work().await;
    enroll(&owner, &stays, &[&ids[1]]).await;
    world.work().await;
    assert_eq!(statuses(&world).await, ["accepted", "queued"]);
    let csv = owner.with("content-type", "text/csv");
    let file = "phone,tags\n+14155550102,customer\n";
    csv.call("POST", "/api/leads/import", file.to_owned()).await.expect_status(202);
    world.work().await;
    assert_eq!(statuses(&world).await, ["accepted", "canceled"]);
}

#[tokio::test]
async fn what_failed_through_an_account_that_is_gone_is_not_tried_again() {
    let (world, owner, account) = connected().await;
    lead(&owner, json!({ "phone": "+15005550030", "tags": ["spring"] })).await;
    let text = template(&owner, "sms", "Hi").await;
    let campaign = draft(&owner, &text, json!({})).await;
    tell(&owner, &campaign, "start").await.expect_status(200);
    world.work().await;
    world.hear_all().await;
    later(&world, MINUTE).await;
    owner.delete(&format!("/api/messaging-accounts/{account}")).await.expect_status(200);
    world.clock.advance(MINUTE);
    assert_eq!(tell(&owner, &campaign, "retry").await.expect_status(200).json(), json!({ "retried": 0 }));
    later(&world, MINUTE).await;
    assert_eq!(owner.get(&format!("/api/campaigns/{campaign}")).await.json()["state"], "done");
}
