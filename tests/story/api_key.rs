//! Keys for programs.

use crate::support::{Client, Credentials, World};
use serde_json::{Value, json};
use tern::domain::time::{HOUR, MINUTE};

const KEYS: &str = "/api/api-keys";

async fn create(owner: &Client) -> Value {
    owner.post(KEYS, json!({ "name": " CRM " })).await.expect_status(201).json()
}

fn program(world: &World, key: &Value) -> Client {
    world.client(Credentials::Key(key["key"].as_str().expect("a key").to_owned()))
}

#[tokio::test]
async fn a_key_is_shown_once_and_not_stored() {
    let world = World::new().await;
    let owner = world.owner().await;
    let made = create(&owner).await;
    let key = made["key"].as_str().expect("a key");
    assert!(key.starts_with("tern_") && key.len() >= 48, "256 bits");
    assert_eq!(made["name"], "CRM");
    assert_eq!(made["prefix"].as_str(), key.get(..12));
    let listed = owner.get(KEYS).await.expect_status(200);
    assert!(!listed.text.contains(key), "{}", listed.text);
    let list = listed.json();
    let [only] = &list.as_array().expect("a list")[..] else { panic!("one key") };
    assert_eq!((&only["id"], &only["prefix"], &only["key"]), (&made["id"], &made["prefix"], &Value::Null));
    let is_in = |bytes: &Vec<u8>| bytes.windows(key.len()).any(|window| window == key.as_bytes());
    assert!(!world.stored_bytes().iter().any(is_in));
}

#[tokio::test]
async fn a_program_with_a_key_acts_for_the_organization() {
    let world = World::new().await;
    let owner = world.owner().await;
    let program = program(&world, &create(&owner).await);
    let me = program.get("/api/me").await.expect_status(200).json();
    assert_eq!(me["organization"]["name"], "Acme");
    program.get("/api/messages").await.expect_status(200);
    program.post("/api/auth/sign-out", json!({})).await.expect_status(204);
    program.get("/api/me").await.expect_status(200);
    owner.get("/api/me").await.expect_status(200);
}

#[tokio::test]
async fn the_owner_sees_when_a_key_was_last_used() {
    let world = World::new().await;
    let owner = world.owner().await;
    let key = create(&owner).await;
    let last_used = async || owner.get(KEYS).await.json()[0]["last_used_at"].clone();
    assert_eq!(last_used().await, Value::Null);
    world.clock.advance(HOUR);
    program(&world, &key).get("/api/me").await.expect_status(200);
    assert_eq!(last_used().await, "2026-11-22T10:30:00Z");
    world.clock.advance(MINUTE);
    program(&world, &key).get("/api/me").await.expect_status(200);
    assert_eq!(last_used().await, "2026-11-22T10:30:00Z", "noted every ten minutes");
}

#[tokio::test]
async fn a_deleted_key_ends_at_once() {
    let world = World::new().await;
    let owner = world.owner().await;
    let key = create(&owner).await;
    let program = program(&world, &key);
    let path = format!("{KEYS}/{}", key["id"].as_str().expect("an id"));
    assert_eq!(owner.delete(&path).await.expect_status(200).json(), json!({ "success": true }));
    program.get("/api/me").await.expect_error(401, "Unauthorized");
    owner.delete(&path).await.expect_error(404, "Not found");
    assert_eq!(owner.get(KEYS).await.json(), json!([]));
}

#[tokio::test]
async fn another_organization_neither_sees_nor_deletes_a_key() {
    let world = World::new().await;
    let key = create(&world.owner().await).await;
    let stranger = world.stranger().await;
    assert_eq!(stranger.get(KEYS).await.json(), json!([]));
    let path = format!("{KEYS}/{}", key["id"].as_str().expect("an id"));
    stranger.delete(&path).await.expect_error(404, "Not found");
    program(&world, &key).get("/api/me").await.expect_status(200);
}

#[tokio::test]
async fn a_key_needs_a_name_that_can_be_read() {
    let world = World::new().await;
    let owner = world.owner().await;
    for name in [json!(""), json!("  "), json!(7), json!(null), json!("x".repeat(81)), json!("a\u{200b}b")] {
        owner.post(KEYS, json!({ "name": name })).await.expect_fields(&["name"]);
    }
    assert_eq!(owner.get(KEYS).await.json(), json!([]));
}

#[tokio::test]
async fn what_is_no_key_signs_nobody_in() {
    let world = World::new().await;
    let key = create(&world.owner().await).await;
    let key = key["key"].as_str().expect("a key");
    for wrong in ["", "tern_", &key[5..], &key[..key.len() - 1], &format!("{key}A"), &key.to_uppercase()] {
        world.client(Credentials::Key(wrong.to_owned())).get("/api/me").await.expect_error(401, "Unauthorized");
    }
    let basic = world.nobody().with("authorization", &format!("Basic {key}"));
    basic.get("/api/me").await.expect_error(401, "Unauthorized");
}

#[tokio::test]
async fn a_browser_without_a_script_gets_the_key_in_the_page_and_nowhere_else() {
    let world = World::new().await;
    let owner = world.owner().await;
    let browser = owner.with("accept", "text/html").with("content-type", "application/x-www-form-urlencoded");
    let key_in = |page: &str| {
        let at = page.find("<code>tern_")? + "<code>".len();
        page[at..].split('<').next().map(str::to_owned)
    };
    let page = browser.call("POST", "/settings", "name=CRM+import").await.expect_status(200);
    let key = key_in(&page.text).expect("a key");
    assert_eq!((key.len(), page.headers["cache-control"].to_str().ok()), (48, Some("no-store")));
    assert!(page.text.contains("CRM import") && page.headers.get("set-cookie").is_none());
    world.client(Credentials::Key(key.clone())).get("/api/me").await.expect_status(200);
    let again = browser.get("/settings").await.expect_status(200);
    assert!(!again.text.contains(&key) && again.text.contains("CRM import"), "it is shown once");
    for wrong in ["name=", "", &format!("name={}", "x".repeat(81)), &"x".repeat(5_000)] {
        let back = browser.call("POST", "/settings", wrong.to_owned()).await.expect_status(303);
        let location = back.headers["location"].to_str().expect("visible ASCII").to_owned();
        assert!(location.starts_with("/settings?__path="), "{location}");
        assert!(browser.get(&location).await.expect_status(200).text.contains("class=\"fault\""));
    }
    browser.with("sec-fetch-site", "cross-site").call("POST", "/settings", "name=x").await.expect_status(403);
    let nobody = world.nobody().with("accept", "text/html").call("POST", "/settings", "name=x").await;
    assert_eq!(nobody.status, 303);
    assert_eq!(owner.get(KEYS).await.json().as_array().map(Vec::len), Some(1));
}
