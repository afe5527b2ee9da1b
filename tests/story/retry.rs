//! What is tried again, how long, and what must not be tried for ever.

use super::{MESSAGES, connected, post, set_limit};
use crate::support::{RECIPIENT, World};
use serde_json::{Value, json};
use tern::{
    domain::time::{DAY, HOUR, MINUTE},
    server::simulate::{Fault, On},
};

/// Queues a mail; its id.
async fn mail(client: &crate::support::Client, to: &str) -> String {
    let form = json!({ "channel": "email", "to": to, "subject": "Hello", "body": "Hello" });
    client.post(MESSAGES, form).await.expect_status(202).id()
}

#[tokio::test]
async fn a_mail_that_is_always_asked_to_come_back_later_is_given_up_after_five_days() {
    let world = World::new().await;
    let owner = world.owner().await;
    owner.connect_mailbox(&world).await;
    let id = mail(&owner, "4xx@example.com").await;
    world.work().await;
    for _ in 0..20 {
        world.clock.advance(6 * HOUR);
        world.work().await;
        assert_eq!(owner.status(&id).await, "queued");
    }
    world.clock.advance(10 * MINUTE);
    world.work().await;
    let message = owner.message(&id).await;
    assert_eq!((&message["status"], &message["error"]["code"]), (&json!("failed"), &json!("throttled")));
    assert_eq!(message["error"]["retryable"], true);
    // A person begins it anew, with five days of its own.
    post(&owner, &id, "retry", json!({})).await.expect_status(200);
    world.clock.advance(HOUR);
    world.work().await;
    assert_eq!(owner.status(&id).await, "queued");
}

#[tokio::test]
async fn what_waited_for_its_turn_is_not_given_up_at_its_first_try() {
    let (world, owner, account) = connected().await;
    set_limit(&owner, &account, 1).await;
    let first = owner.send(RECIPIENT).await;
    let second = owner.send(RECIPIENT).await;
    world.work().await;
    assert_eq!((owner.status(&first).await.as_str(), owner.status(&second).await.as_str()), ("accepted", "queued"));
    world.clock.advance(6 * DAY);
    world.twilio.misbehave_on(On::Create, Fault::Throttled { retry_after: None }, 1);
    world.work().await;
    assert_eq!(owner.status(&second).await, "queued", "it waited for us, and not for the provider");
    world.clock.advance(10 * MINUTE);
    world.work().await;
    assert_eq!(owner.status(&second).await, "accepted");
}

#[tokio::test]
async fn a_message_whose_tries_never_end_is_not_tried_for_ever() {
    let (world, owner, _) = connected().await;
    world.twilio.misbehave_on(On::Create, Fault::Fail, 4);
    let id = owner.send(RECIPIENT).await;
    for _ in 0..12 {
        world.work().await;
        world.clock.advance(MINUTE);
    }
    let message = owner.message(&id).await;
    assert_eq!((&message["status"], &message["error"]["code"]), (&json!("failed"), &json!("quarantined")));
    assert_eq!((&message["attempts"], &message["error"]["retryable"]), (&json!(4), &json!(true)));
    let account = owner.get("/api/messaging-accounts").await.json()[0]["messages_sent_today"].clone();
    assert_eq!(account, 0, "the provider does not have it: nothing is used up");
    post(&owner, &id, "retry", json!({})).await.expect_status(200);
    world.work().await;
    assert_eq!(owner.status(&id).await, "accepted");
}

#[tokio::test]
async fn a_mail_is_sent_again_unasked_only_so_often() {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = owner.connect_mailbox(&world).await;
    owner.patch(&format!("/api/email-accounts/{account}"), json!({ "on_unknown": "resend" })).await.expect_status(200);
    let id = mail(&owner, "lose-after-dot@example.com").await;
    for _ in 0..20 {
        world.work().await;
        world.clock.advance(2 * MINUTE);
    }
    let message = owner.message(&id).await;
    assert_eq!((&message["status"], &message["attempts"]), (&json!("unknown"), &json!(4)));
}

#[tokio::test]
async fn a_message_that_cannot_be_read_holds_up_nobody() {
    let (world, owner, _) = connected().await;
    let (bad, good) = (owner.send(RECIPIENT).await, owner.send(RECIPIENT).await);
    world.tamper("update message set segments = -1 where id = $1", &[&bad]).await;
    world.work().await;
    assert_eq!(owner.status(&good).await, "accepted");
    let of_bad = "select status || ' ' || error_code from message where segments = -1";
    assert_eq!(world.rows(of_bad).await, ["failed quarantined"]);
    let used = owner.get("/api/messaging-accounts").await.json()[0]["messages_sent_today"].clone();
    assert_eq!(used, 1, "it took nothing from the limit");
    world.tamper("update message set segments = 1 where id = $1", &[&bad]).await;
}

#[tokio::test]
async fn a_message_that_cannot_be_read_after_a_crash_is_held_and_the_others_are_settled() {
    let (world, owner, _) = connected().await;
    world.twilio.misbehave_on(On::Create, Fault::AcceptThenHang, 2);
    let (bad, good) = (owner.send(RECIPIENT).await, owner.send(RECIPIENT).await);
    world.worker.pass().await.expect("a pass");
    world.tamper("update message set segments = -1 where id = $1", &[&bad]).await;
    world.clock.advance(10 * MINUTE);
    world.worker.pass().await.expect("a pass");
    assert_eq!(world.rows("select status from message where segments = -1").await, ["unknown"]);
    assert_ne!(owner.status(&good).await, "sending");
    world.tamper("update message set segments = 1 where id = $1", &[&bad]).await;
}

#[tokio::test]
async fn an_account_that_cannot_be_read_stops_and_the_others_go_on() {
    let (world, owner, _) = connected().await;
    let mailbox = owner.connect_mailbox(&world).await;
    let settings = world.rows("select settings from account where settings is not null").await[0].clone();
    let (unsent, sent) = (mail(&owner, "kim@example.com").await, owner.send(RECIPIENT).await);
    world.tamper("update account set settings = '{}' where id = $1", &[&mailbox]).await;
    world.work().await;
    world.tamper("update account set settings = $2 where id = $1", &[&mailbox, &settings]).await;
    assert_eq!((owner.status(&sent).await.as_str(), owner.status(&unsent).await.as_str()), ("accepted", "queued"));
    let account = owner.get(&format!("/api/email-accounts/{mailbox}")).await.json();
    assert_eq!(account["connection_status"], "error");
    assert!(account["last_error"].as_str().is_some_and(|text| text.contains("cannot be read")), "{account}");
    let tested: Value = owner.post(&format!("/api/email-accounts/{mailbox}/test"), json!({})).await.json();
    assert_eq!(tested["success"], true);
    world.work().await;
    assert_eq!(owner.status(&unsent).await, "sent");
}
