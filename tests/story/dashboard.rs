//! The dashboard: numbers as they happen, what needs a person, and what becomes of a queue.

use super::{connected, set_limit};
use crate::support::{Answer, Client, RECIPIENT, World};
use serde_json::{Value, json};
use tern::{
    domain::time::{DAY, MINUTE},
    server::simulate::{Fault, On},
};

/// Calls a server function by its name, as a page does.
async fn function(client: &Client, name: &str, form: &str) -> Answer {
    let (path, method) = leptos::server_fn::axum::server_fn_paths()
        .find(|(path, _)| {
            path.rsplit('/').next().unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit()) == name
        })
        .expect("a server function");
    client.with("content-type", "application/x-www-form-urlencoded").call(method.as_str(), path, form.to_owned()).await
}

async fn dashboard(client: &Client) -> Value {
    function(client, "load_dashboard", "").await.expect_status(200).json()
}

/// The numbers of text messages, so many days ago.
fn sms(dashboard: &Value, back: usize) -> [i64; 4] {
    let counts = &dashboard["days"][13 - back]["counts"][1];
    ["accepted", "delivered", "failed", "received"].map(|kind| counts[kind].as_i64().expect("a number"))
}

async fn forecast(client: &Client, account: &str) -> Value {
    client.get(&format!("/api/messaging-accounts/{account}/forecast")).await.expect_status(200).json()
}

/// A message that the provider took without saying so, and that nobody asks it about.
async fn unknown(world: &World, owner: &Client) -> String {
    let id = owner.send(RECIPIENT).await;
    world.twilio.misbehave_on(On::Create, Fault::AcceptThenFail, 1);
    world.work().await;
    world.tamper("update message set poll_at = null where id = $1", &[&id]).await;
    assert_eq!(owner.status(&id).await, "unknown");
    id
}

#[tokio::test]
async fn numbers_are_kept_by_day_and_channel() {
    let (world, owner, _) = connected().await;
    let empty = dashboard(&owner).await;
    assert_eq!((empty["days"].as_array().map(Vec::len), sms(&empty, 0)), (Some(14), [0, 0, 0, 0]));
    for to in [RECIPIENT, RECIPIENT, "+15005550001"] {
        owner.send(to).await;
    }
    world.work().await;
    world.hear_all().await;
    let shown = dashboard(&owner).await;
    assert_eq!(shown["days"][13]["day"], "2026-11-22");
    assert_eq!(sms(&shown, 0), [2, 2, 1, 0]);
    world.clock.advance(DAY);
    assert_eq!(sms(&dashboard(&owner).await, 0), [0, 0, 0, 0]);
    assert_eq!(sms(&dashboard(&owner).await, 1), [2, 2, 1, 0]);
    world.clock.advance(13 * DAY);
    let later = dashboard(&owner).await;
    assert!((0..14).all(|back| sms(&later, back) == [0, 0, 0, 0]), "what is older is not shown");
}

#[tokio::test]
async fn numbers_and_needs_belong_to_one_organization() {
    let (world, owner, account) = connected().await;
    unknown(&world, &owner).await;
    let stranger = world.stranger().await;
    let theirs = dashboard(&stranger).await;
    assert_eq!((&theirs["unknown"]["count"], &theirs["outlooks"]), (&json!(0), &json!([])));
    assert!((0..14).all(|back| sms(&theirs, back) == [0, 0, 0, 0]));
    for path in ["forecast", "try"] {
        let path = format!("/api/messaging-accounts/{account}/{path}");
        let method = if path.ends_with("try") { "POST" } else { "GET" };
        stranger.with("content-type", "application/json").call(method, &path, "{}").await.expect_status(404);
    }
}

#[tokio::test]
async fn an_unknown_message_waits_for_a_person_who_says_what_became_of_it() {
    let (world, owner, _) = connected().await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(unknown(&world, &owner).await);
        world.clock.advance(1_000);
    }
    let shown = dashboard(&owner).await["unknown"].clone();
    let first: Vec<&str> = shown["first"].as_array().expect("a list").iter().filter_map(|m| m["id"].as_str()).collect();
    assert_eq!((&shown["count"], &first[..]), (&json!(6), &ids.iter().map(String::as_str).collect::<Vec<_>>()[..5]));
    let form = format!("id={}&was_sent=true", ids[0]);
    function(&owner, "resolve_message", &form).await.expect_status(200);
    assert_eq!(owner.status(&ids[0]).await, "sent");
    let shown = dashboard(&owner).await;
    assert_eq!((&shown["unknown"]["count"], sms(&shown, 0)), (&json!(5), [1, 0, 0, 0]), "what was sent counts");
    world.hear_all().await;
    assert_eq!(sms(&dashboard(&owner).await, 0), [6, 6, 0, 0], "a report counts nothing twice");
}

#[tokio::test]
async fn an_account_that_waits_for_its_provider_is_tried_at_once() {
    let (world, owner, account) = connected().await;
    let id = owner.send(RECIPIENT).await;
    world.twilio.misbehave(Fault::Throttled { retry_after: Some(600) }, 1);
    world.work().await;
    let block = dashboard(&owner).await["outlooks"][0]["account"]["block"].clone();
    assert_eq!((&block["reason"], &block["until"]), (&json!("provider"), &json!("2026-11-22T09:40:00Z")));
    world.clock.advance(MINUTE);
    world.work().await;
    assert_eq!(owner.status(&id).await, "queued");
    let tried =
        owner.post(&format!("/api/messaging-accounts/{account}/try"), json!({})).await.expect_status(200).json();
    assert_eq!(tried["waiting"], Value::Null);
    world.work().await;
    assert_eq!(owner.status(&id).await, "accepted");
    function(&owner, "try_account", &format!("id={account}")).await.expect_status(200);
}

#[tokio::test]
async fn a_forecast_says_what_leaves_today_and_what_tomorrow() {
    let (world, owner, account) = connected().await;
    set_limit(&owner, &account, 3).await;
    for _ in 0..8 {
        owner.send(RECIPIENT).await;
    }
    let before = forecast(&owner, &account).await;
    let expected = json!({
        "today": { "used": 0, "queued": 8, "limit": 3, "will_send": 3 }, "tomorrow": { "will_send": 3, "limit": 3 },
    });
    assert_eq!(before, expected);
    world.work().await;
    let after = forecast(&owner, &account).await;
    let expected = json!({
        "today": { "used": 3, "queued": 5, "limit": 3, "will_send": 0 }, "tomorrow": { "will_send": 3, "limit": 3 },
    });
    assert_eq!(after, expected);
    let shown = dashboard(&owner).await["outlooks"][0]["forecast"].clone();
    assert_eq!((&shown["today"], &shown["runs_out_at"]), (&after["today"], &json!("2026-11-22T09:30:00Z")));
    owner.patch(&format!("/api/messaging-accounts/{account}"), json!({ "is_active": false })).await.expect_status(200);
    assert_eq!(forecast(&owner, &account).await["tomorrow"]["will_send"], 0);
}

#[tokio::test]
async fn a_mailbox_has_its_forecast_and_is_no_messaging_account() {
    let (world, owner, number) = connected().await;
    let mailbox = owner.connect_mailbox(&world).await;
    let path = format!("/api/email-accounts/{mailbox}");
    let answer = owner.get(&format!("{path}/forecast")).await.expect_status(200).json();
    assert_eq!(answer["today"]["will_send"], 0);
    owner.post(&format!("{path}/try"), json!({})).await.expect_status(200);
    owner.get(&format!("/api/messaging-accounts/{mailbox}/forecast")).await.expect_status(404);
    owner.post(&format!("/api/email-accounts/{number}/try"), json!({})).await.expect_status(404);
}

#[tokio::test]
async fn the_page_is_whole_without_a_script() {
    let (world, owner, _) = connected().await;
    unknown(&world, &owner).await;
    let browser = owner.with("accept", "text/html");
    let page = browser.get("/").await.expect_status(200).text;
    for part in
        ["Needs a person", "It was sent", "It was not sent", "<svg role=\"img\"", "Show the numbers", "What comes"]
    {
        assert!(page.contains(part), "{part} is not in the page");
    }
    assert!(!page.contains(" style=\""), "the policy allows no inline styles");
    let nobody = world.nobody().with("accept", "text/html").get("/").await;
    assert_eq!((nobody.status.as_u16(), nobody.headers["location"].to_str().ok()), (302, Some("/sign-in?next=%2F")));
}
