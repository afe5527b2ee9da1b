//! What a lane has under way and what it has claimed ahead, when something comes between.

use super::{MESSAGES, connected, events, form};
use crate::support::{Client, RECIPIENT, World, but, until};
use serde_json::json;
use tern::{
    domain::time::{MINUTE, SECOND},
    server::simulate::{Fault, On},
};

/// Calls that an account has under way at first.
const CALLS: usize = 64;
/// More than those and what is claimed ahead of them.
const MANY: usize = 100;

/// Many messages, of which the provider holds the first calls.
async fn hold(world: &World, owner: &Client) {
    world.twilio.hold();
    let messages: Vec<_> = (0..MANY).map(|n| but(form(), json!({ "body": format!("Hello {n}") }))).collect();
    owner.post("/api/messages/batch", json!({ "messages": messages })).await.expect_status(200);
    world.worker.pass().await.expect("a pass");
    until(async || world.twilio.held() == CALLS).await;
    assert!(sending(world).await > CALLS, "some are claimed ahead");
}

async fn sending(world: &World) -> usize {
    world.rows("select id from message where status = 'sending'").await.len()
}

async fn used(world: &World) -> Vec<String> {
    world.rows("select day || ' ' || used from usage order by day").await
}

#[tokio::test]
async fn a_pause_takes_back_what_is_claimed_and_not_begun() {
    let (world, owner, account) = connected().await;
    hold(&world, &owner).await;
    let path = format!("/api/messaging-accounts/{account}");
    owner.patch(&path, json!({ "is_active": false })).await.expect_status(200);
    world.worker.pass().await.expect("a pass");
    until(async || sending(&world).await == CALLS).await;
    world.twilio.release();
    world.worker.settle().await;
    assert_eq!(world.twilio.accepted().len(), CALLS, "what was under way, and nothing more");
    assert_eq!(used(&world).await, [format!("2026-11-22 {CALLS}")]);
    owner.patch(&path, json!({ "is_active": true })).await.expect_status(200);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), MANY);
}

#[tokio::test]
async fn what_was_claimed_and_could_outlive_its_lease_is_claimed_once_more() {
    let (world, owner, _) = connected().await;
    hold(&world, &owner).await;
    // A call may take half a minute, and the lease ends in less.
    world.clock.advance(61 * SECOND);
    world.twilio.release();
    world.worker.settle().await;
    assert_eq!(world.twilio.accepted().len(), CALLS);
    assert_eq!(sending(&world).await, 0, "what was claimed ahead went back");
    assert_eq!(used(&world).await, [format!("2026-11-22 {CALLS}")]);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), MANY);
    let tries = world.rows("select cast(max(attempts) as text) from message").await;
    assert_eq!(tries, ["1"], "what was never tried is no try");
}

#[tokio::test]
async fn an_answer_after_the_lease_is_evidence_for_a_message_that_is_held() {
    let (world, owner, _) = connected().await;
    world.twilio.hold();
    let id = owner.send(RECIPIENT).await;
    world.worker.pass().await.expect("a pass");
    until(async || world.twilio.held() == 1).await;
    world.clock.advance(91 * SECOND);
    world.worker.pass().await.expect("a pass");
    assert_eq!(owner.status(&id).await, "unknown", "nobody knows whether its sender lives");
    world.twilio.release();
    world.worker.settle().await;
    let message = owner.get(&format!("{MESSAGES}/{id}")).await.json();
    assert_eq!((&message["status"], &message["attempts"]), (&json!("accepted"), &json!(1)));
    assert_eq!(used(&world).await, ["2026-11-22 1"]);
    world.clock.advance(5 * MINUTE);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 1);
}

#[tokio::test]
async fn a_refusal_after_the_lease_lets_a_message_go_again_that_is_held() {
    let (world, owner, _) = connected().await;
    world.twilio.hold();
    world.twilio.misbehave_on(On::Create, Fault::Throttled { retry_after: Some(1) }, 1);
    let id = owner.send(RECIPIENT).await;
    world.worker.pass().await.expect("a pass");
    until(async || world.twilio.held() == 1).await;
    world.clock.advance(91 * SECOND);
    world.worker.pass().await.expect("a pass");
    world.twilio.release();
    world.worker.settle().await;
    assert_eq!(owner.status(&id).await, "queued", "it was certainly not sent");
    assert_eq!(used(&world).await, ["2026-11-22 0"]);
    world.clock.advance(2 * SECOND);
    world.work().await;
    assert_eq!(owner.status(&id).await, "accepted");
    assert_eq!(world.twilio.accepted().len(), 1);
    assert!(events(&owner, &id).await.contains(&("unknown".to_owned(), "worker".to_owned())));
}
