//! Many messages at once: what failed is sent again, what waits is stopped, and nothing else.

use super::{MESSAGES, connected, events, form, post};
use crate::support::{Client, OWN_NUMBER, RECIPIENT, but};
use serde_json::{Value, json};

/// Switched off: undelivered, and worth another try.
const AWAY: &str = "+15005550030";
/// No number: it will never be one.
const NOBODY: &str = "+15005550001";

async fn send(owner: &Client, to: &str, body: &str) -> String {
    owner.post(MESSAGES, but(form(), json!({ "to": to, "body": body }))).await.expect_status(202).id()
}

async fn all(owner: &Client, what: &str, filter: Value) -> Value {
    owner.post(&format!("{MESSAGES}/{what}"), filter).await.expect_status(200).json()
}

#[tokio::test]
async fn what_failed_for_a_while_is_sent_again_once_and_what_failed_for_good_is_left_alone() {
    let (world, owner, _) = connected().await;
    let (away, again, nobody, fine) = (
        send(&owner, AWAY, "Hello").await,
        send(&owner, AWAY, "Hello").await,
        send(&owner, NOBODY, "Hello").await,
        send(&owner, RECIPIENT, "Hello").await,
    );
    world.work().await;
    world.hear_all().await;
    assert_eq!(all(&owner, "retry", json!({})).await, json!({ "retried": 2, "has_more": false }));
    for id in [&away, &again] {
        let message = owner.message(id).await;
        assert_eq!((&message["status"], &message["error"]), (&json!("queued"), &Value::Null));
        assert_eq!(events(&owner, id).await.last(), Some(&("queued".to_owned(), "user".to_owned())));
    }
    assert_eq!((owner.status(&nobody).await, owner.status(&fine).await), ("failed".to_owned(), "delivered".to_owned()));
    assert_eq!(all(&owner, "retry", json!({})).await["retried"], 0, "pressed twice, sent once");
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 5);
    assert_eq!(owner.message(&away).await["attempts"], 2);
}

#[tokio::test]
async fn only_what_matches_the_filters_is_sent_again() {
    let (world, owner, account) = connected().await;
    let whatsapp = json!({ "channel": "whatsapp", "phone_number": OWN_NUMBER });
    let other = but(crate::support::twilio_form(), whatsapp);
    owner.post("/api/messaging-accounts", other).await.expect_status(201);
    let (first, second) = (send(&owner, AWAY, "Your table").await, send(&owner, AWAY, "Your bill").await);
    let third = owner.post(MESSAGES, json!({ "channel": "whatsapp", "to": AWAY, "body": "Your table" })).await.id();
    world.work().await;
    world.hear_all().await;
    let filter = json!({ "channel": "sms", "q": "TABLE", "account_id": account, "status": "undelivered" });
    assert_eq!(all(&owner, "retry", filter).await["retried"], 1);
    assert_eq!(owner.status(&first).await, "queued");
    for id in [&second, &third] {
        assert_eq!(owner.status(id).await, "undelivered");
    }
    assert_eq!(all(&owner, "retry", json!({ "status": "delivered" })).await["retried"], 0);
}

#[tokio::test]
async fn a_misspelt_filter_changes_nothing_instead_of_everything() {
    let (world, owner, _) = connected().await;
    let id = send(&owner, AWAY, "Hello").await;
    world.work().await;
    world.hear_all().await;
    owner.post(&format!("{MESSAGES}/retry"), json!({ "chanel": "email" })).await.expect_fields(&["chanel"]);
    owner.post(&format!("{MESSAGES}/retry"), json!({ "channel": "fax" })).await.expect_fields(&["channel"]);
    assert_eq!(owner.status(&id).await, "undelivered");
}

#[tokio::test]
async fn what_waits_is_stopped_and_what_is_under_way_is_not() {
    let (world, owner, account) = connected().await;
    let sent = send(&owner, RECIPIENT, "Hello").await;
    world.work().await;
    let (first, second) = (send(&owner, RECIPIENT, "One").await, send(&owner, RECIPIENT, "Two").await);
    let later = json!({ "body": "One, later", "send_at": "2026-12-24T09:00:00Z" });
    let later = owner.post(MESSAGES, but(form(), later)).await.expect_status(202).id();
    let filter = json!({ "q": "one", "account_id": account });
    assert_eq!(all(&owner, "cancel", filter).await, json!({ "canceled": 2, "has_more": false }));
    for id in [&first, &later] {
        let message = owner.message(id).await;
        assert_eq!((&message["status"], &message["waiting"]), (&json!("canceled"), &Value::Null));
    }
    assert_eq!((owner.status(&second).await, owner.status(&sent).await), ("queued".to_owned(), "accepted".to_owned()));
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 2);
}

#[tokio::test]
async fn strangers_messages_are_not_touched() {
    let (world, owner, _) = connected().await;
    let id = send(&owner, AWAY, "Hello").await;
    world.work().await;
    world.hear_all().await;
    let stranger = world.stranger().await;
    for what in ["retry", "cancel"] {
        let done = all(&stranger, what, json!({})).await;
        assert!(done["retried"] == 0 || done["canceled"] == 0, "{done}");
    }
    assert_eq!(owner.status(&id).await, "undelivered");
}

#[tokio::test]
async fn more_than_one_window_is_done_in_one_request() {
    let (world, owner, account) = connected().await;
    let one = but(form(), json!({}));
    let messages = |count| json!({ "messages": vec![one.clone(); count] });
    for _ in 0..2 {
        owner.post(&format!("{MESSAGES}/batch"), messages(600)).await.expect_status(200);
    }
    assert_eq!(all(&owner, "cancel", json!({ "account_id": account })).await["canceled"], 1_200);
    world.work().await;
    assert!(world.twilio.accepted().is_empty());
}

#[tokio::test]
async fn a_message_of_a_deleted_account_is_not_queued_for_ever() {
    let (world, owner, account) = connected().await;
    let id = send(&owner, AWAY, "Hello").await;
    world.work().await;
    world.hear_all().await;
    owner.delete(&format!("/api/messaging-accounts/{account}")).await.expect_status(200);
    assert_eq!(all(&owner, "retry", json!({})).await["retried"], 0);
    let sentence = "Its account was deleted; nothing can be sent through it";
    post(&owner, &id, "retry", json!({})).await.expect_error(409, sentence);
}

#[tokio::test]
async fn of_a_deleted_account_a_person_can_still_say_that_it_was_not_sent() {
    let (world, owner, _) = connected().await;
    let account = owner.connect_mailbox(&world).await;
    let mail = json!({ "channel": "email", "to": "lose-after-dot@example.com", "subject": "Hello", "body": "Hello" });
    let id = owner.post(MESSAGES, mail).await.expect_status(202).id();
    world.work().await;
    assert_eq!(owner.status(&id).await, "unknown");
    owner.delete(&format!("/api/email-accounts/{account}")).await.expect_status(200);
    let settled = post(&owner, &id, "resolve", json!({ "as": "not_sent" })).await.expect_status(200).json();
    assert_eq!((&settled["status"], &settled["error"]["code"]), (&json!("failed"), &json!("account_deleted")));
}
