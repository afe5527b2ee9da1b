//! Messaging accounts: connect, test, change, delete.

use crate::support::{Client, OWN_NUMBER, World, but, twilio_form};
use serde_json::{Value, json};
use tern::server::simulate::{AUTH_TOKEN, Fault};

const ACCOUNTS: &str = "/api/messaging-accounts";

fn sandbox_form() -> Value {
    json!({ "provider": "sandbox", "channel": "sms", "phone_number": "+14155550111" })
}

fn path(id: &str) -> String {
    format!("{ACCOUNTS}/{id}")
}

async fn load(client: &Client, id: &str) -> Value {
    client.get(&path(id)).await.expect_status(200).json()
}

#[tokio::test]
async fn an_account_is_tested_connected_and_shown_without_its_credentials() {
    let world = World::new().await;
    let owner = world.owner().await;
    let form = but(twilio_form(), json!({ "phone_number": " +1 (415) 555-0132 ", "provider": null }));
    let account = owner.post(ACCOUNTS, form).await.expect_status(201).json();
    let shape = json!({
        "id": account["id"], "provider": "twilio", "channel": "sms", "phone_number": OWN_NUMBER,
        "display_name": OWN_NUMBER, "daily_limit": 100, "messages_sent_today": 0, "is_active": true,
        "connection_status": "connected", "last_error": null, "created_at": "2026-11-22T09:30:00Z",
        "rate_per_second": null, "min_gap_seconds": null, "limit_window": "day", "time_zone": "UTC", "warmup": null,
        "on_unknown": "hold", "waiting": null,
    });
    assert_eq!(account, shape);
    assert_eq!(load(&owner, account["id"].as_str().expect("an id")).await, shape);
    assert_eq!(owner.get(ACCOUNTS).await.expect_status(200).json(), json!([shape]));
    for answer in world.answers.lock().expect("no panic").iter() {
        let text = String::from_utf8_lossy(answer);
        assert!(!text.contains(AUTH_TOKEN) && !text.contains("credentials") && !text.contains("AC0000"), "{text}");
    }
}

#[tokio::test]
async fn the_sandbox_needs_no_credentials() {
    let world = World::new().await;
    let owner = world.owner().await;
    let wishes = json!({ "display_name": "Try", "daily_limit": 100_000 });
    let account = owner.post(ACCOUNTS, but(sandbox_form(), wishes)).await.expect_status(201).json();
    assert_eq!((&account["display_name"], &account["daily_limit"]), (&json!("Try"), &json!(100_000)));
    assert_eq!(account["connection_status"], "connected");
}

#[tokio::test]
async fn missing_fields_are_named() {
    let world = World::new().await;
    let owner = world.owner().await;
    let missing = owner.post(ACCOUNTS, json!({})).await.expect_error(400, "Missing required fields");
    missing.expect_fields(&["account_sid", "auth_token", "channel", "phone_number"]);
    let half = but(twilio_form(), json!({ "auth_token": " ", "channel": null }));
    let missing = owner.post(ACCOUNTS, half).await.expect_error(400, "Missing required fields");
    missing.expect_fields(&["auth_token", "channel"]);
    assert_eq!(owner.get(ACCOUNTS).await.json(), json!([]));
}

#[tokio::test]
async fn a_bad_field_is_named() {
    let world = World::new().await;
    let owner = world.owner().await;
    for (field, values) in [
        ("provider", json!(["fax", 1])),
        ("channel", json!(["email", "fax", {}])),
        ("phone_number", json!(["hello", "+1", "4155550132", "+14155550132\u{200b}", "1".repeat(1_000), true])),
        ("display_name", json!(["x".repeat(81), "a\u{202e}b", "a\u{0}b", []])),
        ("daily_limit", json!([0, -1, 1_000_000_000, 100_001, 1.5, "", "many", true, 1e300])),
        ("force", json!(["yes", 1])),
        ("auth_token", json!([5, "a\nb", "x".repeat(2_001)])),
    ] {
        for value in values.as_array().expect("values") {
            let form = but(twilio_form(), json!({ field: value }));
            let answer = owner.post(ACCOUNTS, form).await;
            let named = answer.json()["fields"].as_object().is_some_and(|fields| fields.contains_key(field));
            assert!(answer.status == 400 && named, "{field} = {value}: {} {}", answer.status, answer.text);
        }
    }
    assert_eq!(owner.get(ACCOUNTS).await.json(), json!([]));
}

#[tokio::test]
async fn a_failed_test_stores_nothing_and_says_why() {
    let world = World::new().await;
    let owner = world.owner().await;
    let wrong = but(twilio_form(), json!({ "auth_token": "wrong" }));
    let answer = owner.post(ACCOUNTS, wrong).await.expect_status(400);
    let sentence = answer.json()["error"].as_str().expect("a sentence").to_owned();
    assert!(sentence.starts_with("Connection test failed: "), "{sentence}");
    assert_eq!(answer.json()["code"], "credentials");
    let no_sid = but(twilio_form(), json!({ "account_sid": "me" }));
    assert_eq!(owner.post(ACCOUNTS, no_sid).await.expect_status(400).json()["code"], "credentials");
    for (fault, code) in [(Fault::Fail, "provider"), (Fault::Nonsense, "provider")] {
        world.twilio.misbehave(fault, 1);
        assert_eq!(owner.post(ACCOUNTS, twilio_form()).await.expect_status(400).json()["code"], code);
    }
    assert_eq!(owner.get(ACCOUNTS).await.json(), json!([]));
    assert!(world.rows("select id from account").await.is_empty());
}

#[tokio::test]
async fn a_number_that_the_provider_does_not_list_needs_insisting() {
    let world = World::new().await;
    let owner = world.owner().await;
    let form = but(twilio_form(), json!({ "phone_number": "+14155550177" }));
    let answer = owner.post(ACCOUNTS, form.clone()).await.expect_status(400);
    assert_eq!(answer.json()["code"], "not_owned");
    owner.post(ACCOUNTS, but(form, json!({ "force": true }))).await.expect_status(201);
    let short = but(twilio_form(), json!({ "phone_number": "72345" }));
    owner.post(ACCOUNTS, short.clone()).await.expect_fields(&["phone_number"]);
    owner.post(ACCOUNTS, but(short, json!({ "force": true }))).await.expect_status(201);
}

#[tokio::test]
async fn a_number_is_connected_once_per_channel_and_organization() {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = owner.connect_twilio().await;
    owner.post(ACCOUNTS, twilio_form()).await.expect_error(409, "This phone number is already connected");
    owner.post(ACCOUNTS, but(twilio_form(), json!({ "channel": "whatsapp" }))).await.expect_status(201);
    world.stranger().await.post(ACCOUNTS, twilio_form()).await.expect_status(201);
    owner.delete(&path(&id)).await.expect_status(200);
    owner.post(ACCOUNTS, twilio_form()).await.expect_status(201);
}

#[tokio::test]
async fn the_same_number_connected_twice_at_the_same_time_is_connected_once() {
    let world = World::new().await;
    let owner = world.owner().await;
    let (a, b) = tokio::join!(owner.post(ACCOUNTS, twilio_form()), owner.post(ACCOUNTS, twilio_form()));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!(owner.get(ACCOUNTS).await.json().as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn accounts_are_listed_newest_first() {
    let world = World::new().await;
    let owner = world.owner().await;
    let first = owner.connect_twilio().await;
    world.clock.advance(1);
    let second = owner.post(ACCOUNTS, sandbox_form()).await.expect_status(201).id();
    let list = owner.get(ACCOUNTS).await.json();
    assert_eq!([&list[0]["id"], &list[1]["id"]], [&json!(second), &json!(first)]);
}

#[tokio::test]
async fn settings_change_and_nothing_else() {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = owner.connect_twilio().await;
    let change = json!({ "display_name": " Support ", "daily_limit": 7, "is_active": false });
    let changed = owner.patch(&path(&id), change).await.expect_status(200).json();
    let seen = (&changed["display_name"], &changed["daily_limit"], &changed["is_active"]);
    assert_eq!(seen, (&json!("Support"), &json!(7), &json!(false)));
    assert_eq!(load(&owner, &id).await, changed);
    assert_eq!(owner.patch(&path(&id), json!({})).await.expect_status(200).json(), changed);
    for (field, value) in [
        ("phone_number", json!("+14155550199")),
        ("auth_token", json!("x")),
        ("provider", json!("sandbox")),
        ("id", json!("x")),
        ("daily_limit", json!(0)),
        ("daily_limit", json!(-1)),
        ("daily_limit", json!(1_000_000_000)),
        ("daily_limit", json!("many")),
        ("daily_limit", json!(2.5)),
        ("daily_limit", Value::Null),
        ("display_name", json!("")),
        ("display_name", json!("a\u{200b}")),
        ("is_active", json!("yes")),
    ] {
        owner
            .patch(&path(&id), json!({ field: value, "display_name": value_or(field, &value) }))
            .await
            .expect_fields(&[field]);
    }
    assert_eq!(load(&owner, &id).await, changed, "nothing of a refused change is kept");
}

/// A good name beside the bad field.
fn value_or(field: &str, value: &Value) -> Value {
    if field == "display_name" { value.clone() } else { json!("Good") }
}

#[tokio::test]
async fn a_test_tells_and_notes_how_it_went() {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = owner.connect_twilio().await;
    let test = async || owner.post(&format!("{ACCOUNTS}/{id}/test"), json!({})).await.expect_status(200).json();
    assert_eq!(test().await, json!({ "success": true }));
    world.twilio.misbehave(Fault::Unauthorized, 1);
    let failed = test().await;
    assert_eq!(failed["success"], false);
    let account = load(&owner, &id).await;
    assert_eq!((&account["connection_status"], &account["last_error"]), (&json!("error"), &failed["error"]));
    assert_eq!(test().await, json!({ "success": true }));
    let account = load(&owner, &id).await;
    assert_eq!((&account["connection_status"], &account["last_error"]), (&json!("connected"), &Value::Null));
}

#[tokio::test]
async fn credentials_are_replaced_after_a_test() {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = owner.connect_twilio().await;
    let credentials = format!("{ACCOUNTS}/{id}/credentials");
    let before = world.rows("select secret from account").await;
    let wrong = json!({ "account_sid": twilio_form()["account_sid"], "auth_token": "wrong" });
    owner.put(&credentials, wrong).await.expect_status(400);
    assert_eq!(world.rows("select secret from account").await, before);
    owner.put(&credentials, json!({})).await.expect_fields(&["account_sid", "auth_token"]);
    let good = json!({ "account_sid": twilio_form()["account_sid"], "auth_token": AUTH_TOKEN });
    owner.put(&credentials, but(good.clone(), json!({ "daily_limit": 5 }))).await.expect_fields(&["daily_limit"]);
    owner.put(&credentials, good).await.expect_status(200);
    assert_ne!(world.rows("select secret from account").await, before);
}

#[tokio::test]
async fn a_deleted_account_is_gone_with_its_credentials_and_its_history_stays() {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = owner.connect_twilio().await;
    let sent = owner.send("+14155550199").await;
    world.work().await;
    owner.patch(&path(&id), json!({ "is_active": false })).await.expect_status(200);
    let named = json!({ "channel": "sms", "to": "+14155550199", "body": "Hello", "messaging_account_id": id });
    let waiting = owner.post("/api/messages", named).await.expect_status(202).id();
    assert_eq!(owner.delete(&path(&id)).await.expect_status(200).json(), json!({ "success": true }));
    owner.get(&path(&id)).await.expect_error(404, "Not found");
    owner.delete(&path(&id)).await.expect_error(404, "Not found");
    assert_eq!(owner.get(ACCOUNTS).await.json(), json!([]));
    assert_eq!(owner.status(&sent).await, "accepted");
    assert_eq!(owner.status(&waiting).await, "canceled");
    assert!(world.rows("select coalesce(secret, '') from account").await.iter().all(String::is_empty));
}

#[tokio::test]
async fn another_organization_finds_no_account() {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = owner.connect_twilio().await;
    let before = load(&owner, &id).await;
    let stranger = world.stranger().await;
    assert_eq!(stranger.get(ACCOUNTS).await.json(), json!([]));
    for id in [id.as_str(), "01ARZ3NDEKTSV4RRFFQ69G5FAV", "x", "%00", "..%2F..%2Fetc"] {
        stranger.get(&path(id)).await.expect_error(404, "Not found");
        stranger.delete(&path(id)).await.expect_error(404, "Not found");
        stranger.patch(&path(id), json!({ "daily_limit": 1 })).await.expect_error(404, "Not found");
        stranger.post(&format!("{ACCOUNTS}/{id}/test"), json!({})).await.expect_error(404, "Not found");
        let credentials = json!({ "account_sid": "x", "auth_token": "y" });
        stranger.put(&format!("{ACCOUNTS}/{id}/credentials"), credentials).await.expect_error(404, "Not found");
        let message = json!({ "channel": "sms", "to": "+14155550199", "body": "x", "messaging_account_id": id });
        stranger.post("/api/messages", message).await.expect_error(404, "Messaging account not found");
    }
    assert_eq!(load(&owner, &id).await, before);
}
