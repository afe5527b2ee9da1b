//! Limits, pace and evidence: never above, never a guess, and a reason for whatever waits.

use super::{MESSAGES, connected, events, form, set_limit};
use crate::support::{RECIPIENT, but};
use serde_json::{Value, json};
use tern::{
    domain::time::{DAY, HOUR, MINUTE, SECOND},
    server::simulate::{Fault, On},
};

fn path(account: &str) -> String {
    format!("/api/messaging-accounts/{account}")
}

#[tokio::test]
async fn a_rate_counts_segments_and_spreads_them() {
    let (world, owner, account) = connected().await;
    let paced = owner.patch(&path(&account), json!({ "rate_per_second": 2 })).await.expect_status(200).json();
    assert_eq!(paced["rate_per_second"], 2);
    let long = but(form(), json!({ "body": "x".repeat(200) }));
    owner.post(MESSAGES, long).await.expect_status(202);
    for _ in 0..3 {
        owner.send(RECIPIENT).await;
    }
    // Two segments take the first second; then one message each half second.
    let mut sent = Vec::new();
    for _ in 0..5 {
        world.work().await;
        sent.push(world.twilio.accepted().len());
        world.clock.advance(SECOND / 2);
    }
    assert_eq!(sent, [1, 1, 2, 3, 4]);
    owner.patch(&path(&account), json!({ "rate_per_second": null })).await.expect_status(200);
    owner.send(RECIPIENT).await;
    world.clock.advance(SECOND);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 5);
}

#[tokio::test]
async fn a_gap_is_kept_between_messages() {
    let (world, owner, account) = connected().await;
    owner.patch(&path(&account), json!({ "min_gap_seconds": 60 })).await.expect_status(200);
    for _ in 0..3 {
        owner.send(RECIPIENT).await;
    }
    let mut sent = Vec::new();
    for _ in 0..4 {
        world.work().await;
        sent.push(world.twilio.accepted().len());
        world.clock.advance(59 * SECOND);
    }
    assert!(sent[0] == 1 && sent[1] == 1 && sent[3] <= 3, "{sent:?}");
    world.clock.advance(5 * MINUTE);
    for _ in 0..3 {
        world.work().await;
        world.clock.advance(2 * MINUTE);
    }
    assert_eq!(world.twilio.accepted().len(), 3);
}

#[tokio::test]
async fn the_last_24_hours_may_be_what_counts() {
    let (world, owner, account) = connected().await;
    set_limit(&owner, &account, 2).await;
    owner.patch(&path(&account), json!({ "limit_window": "rolling" })).await.expect_status(200);
    for _ in 0..3 {
        owner.send(RECIPIENT).await;
    }
    world.work().await;
    world.clock.advance(15 * HOUR); // the next day begins, and it changes nothing
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 2);
    world.clock.advance(10 * HOUR);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 3);
}

#[tokio::test]
async fn a_warm_up_lets_more_through_each_day() {
    let (world, owner, account) = connected().await;
    owner.patch(&path(&account), json!({ "warmup_start": 1, "warmup_step": 1 })).await.expect_status(200);
    for _ in 0..6 {
        owner.send(RECIPIENT).await;
    }
    let mut sent = Vec::new();
    for _ in 0..3 {
        world.work().await;
        world.work().await;
        sent.push(world.twilio.accepted().len());
        world.clock.advance(DAY);
    }
    assert_eq!(sent, [1, 3, 6]);
}

#[tokio::test]
async fn what_was_sent_past_tern_counts_too() {
    let (world, owner, account) = connected().await;
    set_limit(&owner, &account, 3).await;
    let told = owner.patch(&path(&account), json!({ "used_elsewhere_today": 2 })).await.expect_status(200).json();
    assert_eq!(told["messages_sent_today"], 2);
    let last = [owner.send(RECIPIENT).await, owner.send(RECIPIENT).await];
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 1);
    assert_eq!(owner.message(&last[1]).await["waiting"]["reason"], "daily_limit");
    owner.patch(&path(&account), json!({ "used_elsewhere_today": 0 })).await.expect_status(200);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 2);
}

#[tokio::test]
async fn the_day_is_one_of_the_accounts_zone() {
    for (zone, hours) in [
        ("Pacific/Kiritimati", 1),
        ("Asia/Kolkata", 9),
        ("Europe/Berlin", 14),
        ("UTC", 15),
        ("America/New_York", 20),
        ("America/Los_Angeles", 23),
        ("Pacific/Honolulu", 1),
        ("Australia/Lord_Howe", 4),
    ] {
        let (world, owner, account) = connected().await;
        owner.patch(&path(&account), json!({ "time_zone": zone, "daily_limit": 1 })).await.expect_status(200);
        let second = (owner.send(RECIPIENT).await, owner.send(RECIPIENT).await).1;
        world.work().await;
        assert_eq!(world.twilio.accepted().len(), 1, "{zone}");
        let until = owner.message(&second).await["waiting"]["until"].as_str().expect("an instant").to_owned();
        world.clock.advance((hours - 1) * HOUR + 29 * MINUTE);
        world.work().await;
        assert_eq!(world.twilio.accepted().len(), 1, "{zone} before {until}");
        world.clock.advance(HOUR);
        world.work().await;
        assert_eq!(world.twilio.accepted().len(), 2, "{zone} after {until}");
    }
}

#[tokio::test]
async fn two_hundred_at_once_never_pass_limits_of_fifty_and_thirty() {
    let (world, owner, first) = connected().await;
    let other = json!({ "provider": "twilio", "channel": "whatsapp", "phone_number": "+16285550188",
        "account_sid": tern::server::simulate::ACCOUNT_SID, "auth_token": tern::server::simulate::AUTH_TOKEN });
    let second = owner.post("/api/messaging-accounts", other).await.expect_status(201).id();
    set_limit(&owner, &first, 50).await;
    set_limit(&owner, &second, 30).await;
    let forms = (0..200).map(|n| but(form(), json!({ "channel": if n % 2 == 0 { "sms" } else { "whatsapp" } })));
    let answers = futures::future::join_all(forms.map(|form| owner.post(MESSAGES, form))).await;
    assert!(answers.iter().all(|answer| answer.status == 202));
    for day in 1..=4 {
        for _ in 0..4 {
            world.work().await;
        }
        let accepted = world.twilio.accepted();
        let by = |from: &str| accepted.iter().filter(|sent| sent.from.as_deref() == Some(from)).count();
        let (sms, whatsapp) = (by("+14155550132"), by("whatsapp:+16285550188"));
        assert_eq!((sms, whatsapp), ((50 * day).min(100), (30 * day).min(100)), "day {day}");
        for answer in &answers {
            let message = owner.message(&answer.id()).await;
            let is_explained = message["status"] != "queued" || message["waiting"]["reason"] == "daily_limit";
            assert!(is_explained, "{message}");
        }
        world.clock.advance(DAY);
    }
}

#[tokio::test]
async fn bad_settings_of_the_pace_name_their_field() {
    let (_world, owner, account) = connected().await;
    for (field, values) in [
        ("rate_per_second", json!([0, -1, 1_001, 1.5, "fast"])),
        ("min_gap_seconds", json!([0, -1, 3_601])),
        ("limit_window", json!(["week", 1])),
        ("time_zone", json!(["Mars/Olympus", "", 1])),
        ("warmup_start", json!([0, 100_001])),
        ("warmup_step", json!([-1])),
        ("used_elsewhere_today", json!([-1, 100_001])),
        ("on_unknown", json!(["guess"])),
    ] {
        for value in values.as_array().expect("values") {
            let patch = json!({ field: value });
            let answer = owner.patch(&path(&account), patch).await.expect_status(400);
            assert!(answer.json()["fields"][field].is_string(), "{field} {value}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn the_providers_list_is_evidence_for_a_message_and_against_it() {
    let (world, owner, account) = connected().await;
    let there = owner.send(RECIPIENT).await;
    world.twilio.misbehave_on(On::Create, Fault::AcceptThenFail, 1);
    world.work().await;
    let lost = owner.send("+14155550177").await;
    world.twilio.misbehave_on(On::Create, Fault::Fail, 1);
    world.work().await;
    for id in [&there, &lost] {
        assert_eq!(owner.status(id).await, "unknown");
    }
    world.clock.advance(6 * SECOND);
    world.work().await;
    assert_eq!(owner.status(&there).await, "accepted", "it is in the list");
    assert_eq!(owner.status(&lost).await, "unknown", "it may still appear there");
    world.clock.advance(45 * SECOND);
    world.work().await;
    world.work().await;
    assert_eq!(owner.status(&lost).await, "accepted", "it was not there and was sent again");
    assert_eq!(world.twilio.accepted().len(), 2);
    let told = events(&owner, &lost).await;
    assert!(told.contains(&("queued".to_owned(), "poll".to_owned())), "{told:?}");
    let account = owner.get(&path(&account)).await.json();
    assert_eq!(account["messages_sent_today"], 2, "what was not sent was given back");
}

#[tokio::test]
async fn equal_messages_of_unknown_outcome_are_told_apart_by_number() {
    let (world, owner, _) = connected().await;
    let ids = [owner.send(RECIPIENT).await, owner.send(RECIPIENT).await, owner.send(RECIPIENT).await];
    // Of three equal messages the provider took two.
    world.twilio.misbehave_on(On::Create, Fault::AcceptThenFail, 2);
    world.work().await;
    for _ in 0..12 {
        world.clock.advance(6 * SECOND);
        world.work().await;
    }
    let mut names = Vec::new();
    for id in &ids {
        let message = owner.message(id).await;
        assert_ne!(message["provider_message_id"], Value::Null, "{message}");
        names.push(message["provider_message_id"].to_string());
    }
    names.sort();
    names.dedup();
    assert_eq!((names.len(), world.twilio.accepted().len()), (3, 3));
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_left_alone_for_a_while() {
    let (world, owner, account) = connected().await;
    for n in 0..30 {
        owner.send(&format!("+1415555{:04}", 200 + n)).await;
    }
    world.twilio.misbehave_on(On::Create, Fault::Throttled { retry_after: Some(30) }, 1);
    world.work().await;
    let before = world.twilio.accepted().len();
    let waiting = owner.get(&path(&account)).await.json()["waiting"].clone();
    assert_eq!((&waiting["reason"], &waiting["until"]), (&json!("provider"), &json!("2026-11-22T09:30:30Z")));
    owner.send("+14155550301").await;
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), before, "nothing leaves while the provider wants patience");
    world.clock.advance(31 * SECOND);
    for _ in 0..4 {
        world.work().await;
    }
    assert_eq!(world.twilio.accepted().len(), 31);
}
