//! Many messages in one request: each is stored or refused for itself, and answered in its place.

use super::{MESSAGES, connected, form};
use crate::support::{RECIPIENT, but};
use serde_json::{Value, json};

const BATCH: &str = "/api/messages/batch";

fn rows(answer: &Value) -> &Vec<Value> {
    answer["data"].as_array().expect("a list")
}

#[tokio::test]
async fn good_rows_are_queued_and_bad_ones_say_why_in_their_order() {
    let (world, owner, account) = connected().await;
    let numbered = |n: usize| but(form(), json!({ "body": format!("Hello {n}") }));
    let mut unkeyed = numbered(2);
    unkeyed["idempotency_key"] = Value::Null;
    let messages = json!([
        numbered(0),
        but(form(), json!({ "to": "nobody" })),
        unkeyed,
        "a text",
        but(form(), json!({ "channel": "fax" })),
        but(form(), json!({ "body": 5 })),
        but(form(), json!({ "messaging_account_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV" })),
        but(form(), json!({ "idempotency_key": "" })),
        but(numbered(8), json!({ "messaging_account_id": account, "on_limit": "reject" })),
    ]);
    let answer = owner.post(BATCH, json!({ "messages": messages })).await.expect_status(200).json();
    let rows = rows(&answer);
    assert_eq!(rows.len(), 9);
    for n in [0, 2, 8] {
        let message = &rows[n]["message"];
        assert_eq!((&message["body"], &message["status"]), (&json!(format!("Hello {n}")), &json!("queued")));
        assert_eq!(rows[n].as_object().expect("an object").len(), 1, "{}", rows[n]);
    }
    let codes = [(1, "invalid"), (3, "invalid"), (4, "invalid"), (5, "invalid"), (6, "not_found"), (7, "invalid")];
    for (n, code) in codes {
        assert_eq!(rows[n]["error"]["code"], code, "{}", rows[n]);
        assert!(rows[n]["error"]["error"].is_string() && rows[n].get("message").is_none(), "{}", rows[n]);
    }
    for (n, field) in [(1, "to"), (4, "channel"), (5, "body"), (7, "idempotency_key")] {
        assert!(rows[n]["error"]["fields"][field].is_string(), "{}", rows[n]);
    }
    assert_eq!(rows[4]["error"]["error"], "Unknown channel: fax");
    world.work().await;
    let mut bodies: Vec<_> = world.twilio.accepted().iter().map(|sent| sent.body.clone()).collect();
    bodies.sort();
    assert_eq!(bodies, ["Hello 0", "Hello 2", "Hello 8"]);
}

#[tokio::test]
async fn a_thousand_are_stored_in_their_places_and_one_more_is_refused() {
    let (world, owner, _) = connected().await;
    let some = |count: usize| -> Vec<Value> {
        (0..count).map(|n| json!({ "channel": "sms", "to": RECIPIENT, "body": n.to_string() })).collect()
    };
    let answer = owner.post(BATCH, json!({ "messages": some(1_000) })).await.expect_status(200).json();
    for (n, row) in rows(&answer).iter().enumerate() {
        assert_eq!(row["message"]["body"], n.to_string());
    }
    assert_eq!(world.rows("select cast(count(*) as text) from message").await, ["1000"]);
    for wrong in [json!({ "messages": some(1_001) }), json!({ "messages": [] }), json!({}), json!({ "messages": "x" })]
    {
        owner.post(BATCH, wrong).await.expect_fields(&["messages"]);
    }
    assert_eq!(world.rows("select cast(count(*) as text) from message").await, ["1000"]);
}

#[tokio::test]
async fn a_batch_that_is_repeated_doubles_nothing() {
    let (world, owner, _) = connected().await;
    let keyed = |key: &str, body: &str| but(form(), json!({ "idempotency_key": key, "body": body }));
    // The same key twice in one request is one message, too.
    let messages = json!({ "messages": [keyed("a", "1"), keyed("b", "2"), keyed("a", "1")] });
    let first = owner.post(BATCH, messages.clone()).await.expect_status(200).json();
    let id = |answer: &Value, n: usize| rows(answer)[n]["message"]["id"].clone();
    assert_eq!(id(&first, 0), id(&first, 2));
    assert_eq!(rows(&first).iter().filter(|row| row["replayed"] == true).count(), 1);
    world.work().await;
    let second = owner.post(BATCH, messages).await.expect_status(200).json();
    for n in [0, 1, 2] {
        let (before, now) = (&rows(&first)[n]["message"], &rows(&second)[n]["message"]);
        assert_eq!((now, &rows(&second)[n]["replayed"]), (before, &json!(true)), "as it was then");
    }
    let other = json!({ "messages": [keyed("b", "3")] });
    let other = owner.post(BATCH, other).await.expect_status(200).json();
    assert_eq!(rows(&other)[0]["error"]["code"], "idempotency_key_reused");
    // A key is one of the organization's, however it came.
    let keyed = owner.with("idempotency-key", "b").post(MESSAGES, form()).await;
    keyed.expect_status(422);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 2);
}
