//! What providers tell us: believed when it is signed, stored before it is answered.

use crate::support::{Client, OWN_NUMBER, PUBLIC_URL, RECIPIENT, Wishes, World, until};
use serde_json::json;
use std::time::Duration;
use tern::server::simulate::{ACCOUNT_SID, Callback, Fault};

/// A world in which one message is with the provider, and what the provider will say about it.
async fn sent() -> (World, Client, String, Vec<Callback>) {
    let world = World::new().await;
    let owner = world.owner().await;
    owner.connect_twilio().await;
    let id = owner.send(RECIPIENT).await;
    world.work().await;
    let callbacks = world.twilio.take_callbacks();
    assert_eq!(callbacks.len(), 2);
    (world, owner, id, callbacks)
}

#[tokio::test]
async fn what_is_not_signed_is_refused_and_nothing_is_stored() {
    let (world, owner, id, callbacks) = sent().await;
    let genuine = &callbacks[1];
    let forged = |change: &dyn Fn(&mut Callback)| {
        let mut forged = genuine.clone();
        change(&mut forged);
        forged
    };
    let other_account = |call: &mut Callback| {
        let (head, tail) = call.url.split_once("/webhooks/twilio/").expect("our path");
        let rest = tail.split_once('/').expect("an account").1;
        call.url = format!("{head}/webhooks/twilio/01ARZ3NDEKTSV4RRFFQ69G5FAV/{rest}");
    };
    let mut answers = Vec::new();
    for call in [
        forged(&|call| call.signature.clear()),
        forged(&|call| call.signature = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned()),
        forged(&|call| call.signature = callbacks[0].signature.clone()),
        forged(&|call| call.body = call.body.replace("delivered", "read")),
        forged(&|call| call.body.push_str("&ErrorCode=30003")),
        forged(&|call| call.url.push_str("&more=1")),
        forged(&|call| call.url = call.url.replace("/status", "/inbound")),
        forged(&|call| call.body.clear()),
        forged(&other_account),
        forged(&|call| call.url = format!("{PUBLIC_URL}/webhooks/twilio/x/status")),
        forged(&|call| call.url = format!("{PUBLIC_URL}/webhooks/twilio/%00/status")),
    ] {
        let answer = world.hand_back(&call).await.expect_status(403);
        let mut body = answer.json();
        body["request_id"].take();
        answers.push(body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "a bad signature and an unknown account get the same answer: {answers:?}");
    let path = genuine.url.strip_prefix(PUBLIC_URL).expect("our URL");
    world.nobody().call("POST", path, genuine.body.clone()).await.expect_status(403);
    world.nobody().get(path).await.expect_status(403);
    assert!(world.rows("select id from webhook_call").await.is_empty());
    assert_eq!(owner.status(&id).await, "accepted");
    world.hand_back(genuine).await.expect_status(200);
    assert_eq!(owner.status(&id).await, "delivered");
}

#[tokio::test]
async fn a_call_is_stored_once_without_the_account_sid() {
    let (world, _owner, _, callbacks) = sent().await;
    for callback in callbacks.iter().chain(&callbacks) {
        world.hand_back(callback).await.expect_status(200);
    }
    let raw = world.rows("select raw from webhook_call").await;
    assert_eq!(raw.len(), 2);
    for raw in raw {
        assert!(raw.contains("MessageStatus") && !raw.contains(ACCOUNT_SID), "{raw}");
    }
}

#[tokio::test]
async fn a_signed_call_may_not_be_larger_than_providers_need() {
    let (world, _owner, _, callbacks) = sent().await;
    let mut large = callbacks[0].clone();
    large.body = "x".repeat(10_000_000);
    let answer = world.hand_back(&large).await;
    assert!(matches!(answer.status.as_u16(), 403 | 413), "{answer:?}");
    assert!(world.rows("select id from webhook_call").await.is_empty());
}

#[tokio::test]
async fn a_report_that_overtakes_the_answer_is_joined() {
    let world = World::with(Wishes { patience: Duration::from_secs(2), ..Wishes::default() }).await;
    let owner = world.owner().await;
    owner.connect_twilio().await;
    let id = owner.send(RECIPIENT).await;
    world.twilio.misbehave(Fault::AcceptThenHang, 1);
    world.worker.pass().await.expect("a pass");
    until(async || !world.twilio.accepted().is_empty()).await;
    // The provider has it, and its answer never comes.
    world.hear_all().await;
    assert_eq!(owner.status(&id).await, "delivered");
    world.worker.settle().await;
    assert_eq!(world.rows("select coalesce(outcome, 'open') from attempt").await, ["unknown"], "the try is closed");
    let message = owner.message(&id).await;
    assert_eq!(message["status"], "delivered");
    assert_eq!(message["provider_message_id"], json!(world.twilio.accepted()[0].sid));
}

#[tokio::test]
async fn a_reply_is_stored_once_and_listed() {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = owner.connect_twilio().await;
    let url = format!("{PUBLIC_URL}/webhooks/twilio/{account}/inbound");
    let call = world.twilio.receive(OWN_NUMBER, RECIPIENT, "Yes 👍\u{0} please", &url);
    for _ in 0..2 {
        let answer = world.hand_back(&call).await.expect_status(200);
        assert!(answer.text.ends_with("<Response></Response>"), "{}", answer.text);
    }
    let list = owner.get("/api/messages").await.json();
    let [reply] = &list["data"].as_array().expect("a list")[..] else { panic!("one reply: {list}") };
    let seen = (&reply["direction"], &reply["from"], &reply["to"], &reply["body"]);
    assert_eq!(seen, (&json!("inbound"), &json!(RECIPIENT), &json!(OWN_NUMBER), &json!("Yes 👍 please")));
    let id = reply["id"].as_str().expect("an id");
    for what in ["retry", "cancel"] {
        owner.post(&format!("/api/messages/{id}/{what}"), json!({})).await.expect_status(409);
    }
}

#[tokio::test]
async fn replies_that_come_at_the_same_time_are_stored_once() {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = owner.connect_twilio().await;
    let url = format!("{PUBLIC_URL}/webhooks/twilio/{account}/inbound");
    let call = world.twilio.receive(OWN_NUMBER, RECIPIENT, "Yes", &url);
    let answers = futures::future::join_all((0..8).map(|_| world.hand_back(&call))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    assert_eq!(owner.get("/api/messages").await.json()["data"].as_array().map(Vec::len), Some(1));
}
