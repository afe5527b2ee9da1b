//! What waits, why, and until when.

use super::{MESSAGES, connected, form, set_limit};
use crate::support::{RECIPIENT, but, until};
use serde_json::{Value, json};
use tern::{
    domain::time::{HOUR, MINUTE},
    server::simulate::{Fault, On},
};

#[tokio::test]
async fn what_is_over_the_daily_limit_waits_for_the_next_day_or_is_refused() {
    let (world, owner, account) = connected().await;
    set_limit(&owner, &account, 2).await;
    let (first, second, third) =
        (owner.send(RECIPIENT).await, owner.send(RECIPIENT).await, owner.send(RECIPIENT).await);
    world.work().await;
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 2);
    let waits = |message: &Value| {
        assert_eq!(message["status"], "queued");
        assert_eq!(message["waiting"]["reason"], "daily_limit");
        assert_eq!(message["waiting"]["until"], "2026-11-23T00:00:00Z");
    };
    waits(&owner.message(&third).await);
    let fourth = owner.post(MESSAGES, form()).await.expect_status(202).json();
    waits(&fourth);
    let strict = but(form(), json!({ "on_limit": "reject" }));
    let refused = owner.post(MESSAGES, strict).await.expect_error(409, "Daily sms limit reached");
    assert_eq!(refused.json()["code"], "daily_limit");
    world.clock.advance(14 * HOUR + 30 * MINUTE);
    world.work().await;
    for id in [&first, &second, &third] {
        assert_eq!(owner.status(id).await, "accepted");
    }
    assert_eq!(world.twilio.accepted().len(), 4);
}

#[tokio::test]
async fn a_strict_caller_is_refused_when_the_queue_uses_up_the_limit() {
    let (_world, owner, account) = connected().await;
    set_limit(&owner, &account, 1).await;
    let strict = but(form(), json!({ "on_limit": "reject" }));
    let (a, b) = tokio::join!(owner.post(MESSAGES, strict.clone()), owner.post(MESSAGES, strict));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409]);
}

#[tokio::test]
async fn a_raised_limit_wakes_what_waits() {
    let (world, owner, account) = connected().await;
    set_limit(&owner, &account, 1).await;
    let (_first, second) = (owner.send(RECIPIENT).await, owner.send(RECIPIENT).await);
    world.work().await;
    world.work().await;
    assert_eq!(owner.message(&second).await["waiting"]["reason"], "daily_limit");
    set_limit(&owner, &account, 2).await;
    world.work().await;
    assert_eq!(owner.status(&second).await, "accepted");
}

#[tokio::test]
async fn two_workers_never_send_more_than_the_limit_nor_a_message_twice() {
    let (world, owner, account) = connected().await;
    set_limit(&owner, &account, 5).await;
    for _ in 0..10 {
        owner.send(RECIPIENT).await;
    }
    let other = tern::server::worker::Worker::new(world.app.clone());
    let (a, b) = tokio::join!(world.worker.pass(), other.pass());
    a.and(b).expect("two passes");
    world.worker.settle().await;
    other.settle().await;
    assert_eq!(world.twilio.accepted().len(), 5);
}

#[tokio::test]
async fn an_account_that_is_switched_off_keeps_its_messages() {
    let (world, owner, account) = connected().await;
    let path = format!("/api/messaging-accounts/{account}");
    let before = owner.send(RECIPIENT).await;
    owner.patch(&path, json!({ "is_active": false })).await.expect_status(200);
    let named = but(form(), json!({ "messaging_account_id": account }));
    let after = owner.post(MESSAGES, named).await.expect_status(202).id();
    world.work().await;
    for id in [&before, &after] {
        assert_eq!(owner.message(id).await["waiting"]["reason"], "account_inactive");
    }
    owner.patch(&path, json!({ "is_active": true })).await.expect_status(200);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 2);
}

#[tokio::test]
async fn refused_credentials_stop_the_account_until_a_test_succeeds() {
    let (world, owner, account) = connected().await;
    let (first, second) = (owner.send(RECIPIENT).await, owner.send(RECIPIENT).await);
    world.twilio.misbehave_on(On::Create, Fault::Unauthorized, 2);
    world.work().await;
    world.work().await;
    for id in [&first, &second] {
        assert_eq!(owner.message(id).await["waiting"]["reason"], "account_error");
    }
    let path = format!("/api/messaging-accounts/{account}");
    assert_eq!(owner.get(&path).await.json()["connection_status"], "error");
    assert_eq!(owner.get(&path).await.json()["messages_sent_today"], 0);
    owner.post(&format!("{path}/test"), json!({})).await.expect_status(200);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 2);
}

#[tokio::test]
async fn a_busy_provider_is_asked_again_later() {
    let (world, owner, account) = connected().await;
    let id = owner.send(RECIPIENT).await;
    world.twilio.misbehave(Fault::Throttled { retry_after: Some(60) }, 1);
    world.work().await;
    let message = owner.message(&id).await;
    assert_eq!(message["waiting"]["reason"], "provider");
    assert_eq!(message["waiting"]["until"], "2026-11-22T09:31:00Z");
    world.work().await;
    assert!(world.twilio.accepted().is_empty());
    world.clock.advance(MINUTE);
    world.work().await;
    assert_eq!(owner.status(&id).await, "accepted");
    let account = owner.get(&format!("/api/messaging-accounts/{account}")).await.json();
    assert_eq!(account["messages_sent_today"], 1);
}

#[tokio::test]
async fn what_is_given_back_after_midnight_goes_to_the_day_that_it_was_taken_from() {
    let (world, owner, account) = connected().await;
    set_limit(&owner, &account, 1).await;
    world.twilio.misbehave_on(On::Create, Fault::Throttled { retry_after: Some(60) }, 1);
    world.twilio.hold();
    let id = owner.send(RECIPIENT).await;
    world.worker.pass().await.expect("a pass");
    until(async || world.twilio.held() == 1).await;
    // The provider refuses a call of one day on the next.
    world.clock.advance(15 * HOUR);
    world.twilio.release();
    world.worker.settle().await;
    assert_eq!(owner.status(&id).await, "queued");
    assert_eq!(world.rows("select day || ' ' || used from usage").await, ["2026-11-22 0"]);
    world.clock.advance(MINUTE);
    world.work().await;
    assert_eq!(owner.status(&id).await, "accepted");
    assert_eq!(world.rows("select day || ' ' || used from usage order by day").await, ["2026-11-22 0", "2026-11-23 1"]);
}

#[tokio::test]
async fn a_message_of_unknown_outcome_says_who_decides_and_by_when() {
    let (world, owner, _) = connected().await;
    world.twilio.misbehave(Fault::AcceptThenDrop, 1);
    let id = owner.send(RECIPIENT).await;
    world.work().await;
    let message = owner.message(&id).await;
    assert_eq!((&message["status"], &message["waiting"]["reason"]), (&json!("unknown"), &json!("evidence")));
    assert_eq!(message["waiting"]["until"], "2026-11-22T09:30:45Z", "the provider's list is the evidence: {message}");

    let mailbox = owner.connect_mailbox(&world).await;
    let mail = json!({
        "channel": "email", "email_account_id": mailbox, "to": "drop-after-dot@example.com", "subject": "Hello", "body": "Hello",
    });
    let id = owner.post(MESSAGES, mail).await.expect_status(202).id();
    world.work().await;
    let message = owner.message(&id).await;
    assert_eq!((&message["status"], &message["waiting"]["until"]), (&json!("unknown"), &Value::Null));
    let detail = message["waiting"]["detail"].as_str().unwrap_or_default();
    assert!(detail.ends_with("say whether it was sent."), "{detail}");
}
