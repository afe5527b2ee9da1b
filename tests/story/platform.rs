//! The platform default: the operator's own sender, for organizations that have connected none.

use super::{MESSAGES, events, form};
use crate::support::{Client, Folder, OWN_NUMBER, RECIPIENT, Wishes, World, but, twilio_form};
use serde_json::{Value, json};
use std::process::Command;
use tern::{
    domain::time::{DAY, MINUTE},
    server::simulate::{ACCOUNT_SID, AUTH_TOKEN, Fault, KEY_SECRET, KEY_SID, On},
};

const ACCOUNTS: &str = "/api/messaging-accounts";

/// An operator who has set all three variables.
fn configured(daily_limit: u32) -> Wishes {
    with(ACCOUNT_SID, AUTH_TOKEN, OWN_NUMBER, daily_limit)
}

fn with(sid: &str, token: &str, number: &str, platform_daily_limit: u32) -> Wishes {
    Wishes { platform: Some([sid, token, number].map(str::to_owned)), platform_daily_limit, ..Wishes::default() }
}

/// Queues a text message; the message.
async fn send(client: &Client) -> Value {
    client.post(MESSAGES, form()).await.expect_status(202).json()
}

fn id(message: &Value) -> &str {
    message["id"].as_str().expect("an id")
}

/// The id that nobody is told.
async fn hidden(world: &World) -> String {
    world.rows("select id from account where platform is not null order by id").await.remove(0)
}

#[tokio::test]
async fn whoever_has_no_account_sends_by_the_operators() {
    let world = World::with(configured(100)).await;
    let owner = world.owner().await;
    for channel in ["sms", "whatsapp"] {
        let message = owner.post(MESSAGES, but(form(), json!({ "channel": channel }))).await.expect_status(202).json();
        assert_eq!((&message["account_id"], &message["from"]), (&Value::Null, &json!(OWN_NUMBER)));
        world.work().await;
        assert_eq!(owner.status(id(&message)).await, "accepted");
        world.hear_all().await;
        let told = owner.message(id(&message)).await;
        assert_eq!(
            (told["status"] == "read" || told["status"] == "delivered", &told["account_id"]),
            (true, &Value::Null)
        );
        assert_eq!(events(&owner, id(&message)).await[1], ("accepted".to_owned(), "worker".to_owned()));
    }
    let sent: Vec<_> = world.twilio.accepted().into_iter().map(|sent| sent.from.unwrap_or_default()).collect();
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|from| from.ends_with(OWN_NUMBER)), "{sent:?}");
    let list = owner.get(MESSAGES).await.expect_status(200).json();
    assert!(list["data"].as_array().expect("a list").iter().all(|message| message["account_id"].is_null()));
    let mail = json!({ "channel": "email", "to": "kim@example.com", "subject": "Hi", "body": "Hello" });
    owner.post(MESSAGES, mail).await.expect_error(400, "No email account specified");
}

#[tokio::test]
async fn nobody_sees_or_changes_the_account_behind_it() {
    let world = World::with(configured(100)).await;
    let owner = world.owner().await;
    let message = send(&owner).await;
    assert_eq!(owner.get(ACCOUNTS).await.json(), json!([]));
    let path = format!("{ACCOUNTS}/{}", hidden(&world).await);
    owner.get(&path).await.expect_error(404, "Not found");
    owner.patch(&path, json!({ "daily_limit": 5 })).await.expect_error(404, "Not found");
    owner.delete(&path).await.expect_error(404, "Not found");
    for what in ["test", "try"] {
        owner.post(&format!("{path}/{what}"), json!({})).await.expect_error(404, "Not found");
    }
    let entered = json!({ "account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN });
    owner.put(&format!("{path}/credentials"), entered).await.expect_error(404, "Not found");
    let named = but(form(), json!({ "messaging_account_id": hidden(&world).await }));
    owner.post(MESSAGES, named).await.expect_error(404, "Messaging account not found");
    world.work().await;
    assert_eq!(owner.status(id(&message)).await, "accepted");
    assert_eq!(world.rows("select coalesce(secret, '-') from account").await, ["-"], "its credentials are not stored");
}

#[tokio::test]
async fn an_account_of_ones_own_comes_first_also_with_the_same_number() {
    let world = World::with(configured(100)).await;
    let owner = world.owner().await;
    send(&owner).await;
    let account = owner.connect_twilio().await;
    assert_eq!(send(&owner).await["account_id"], json!(account));
    let whatsapp = owner.post(MESSAGES, but(form(), json!({ "channel": "whatsapp" }))).await.expect_status(202).json();
    assert_eq!(whatsapp["account_id"], Value::Null, "there is none for this channel");
    owner.patch(&format!("{ACCOUNTS}/{account}"), json!({ "is_active": false })).await.expect_status(200);
    assert_eq!(send(&owner).await["account_id"], Value::Null);
    owner.post(ACCOUNTS, twilio_form()).await.expect_error(409, "This phone number is already connected");
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 3);
}

#[tokio::test]
async fn without_all_three_variables_there_is_none() {
    let world = World::new().await;
    let owner = world.owner().await;
    owner.post(MESSAGES, form()).await.expect_error(400, "Missing Twilio credentials");
    let mut world = world;
    for partial in [[ACCOUNT_SID, AUTH_TOKEN, ""], [ACCOUNT_SID, "", OWN_NUMBER], ["", AUTH_TOKEN, OWN_NUMBER]] {
        world = world.restart_with(with(partial[0], partial[1], partial[2], 100)).await;
        let owner = world.client(owner.credentials.clone());
        owner.post(MESSAGES, form()).await.expect_error(400, "Missing Twilio credentials");
    }
}

#[tokio::test]
async fn each_organization_has_a_limit_of_its_own() {
    let world = World::with(configured(2)).await;
    let (owner, stranger) = (world.owner().await, world.stranger().await);
    let mut ours = Vec::new();
    for _ in 0..3 {
        ours.push(send(&owner).await);
        world.work().await;
    }
    let theirs = send(&stranger).await;
    world.work().await;
    assert_eq!(stranger.status(id(&theirs)).await, "accepted", "another organization's messages do not count");
    stranger.get(&format!("{MESSAGES}/{}", id(&ours[0]))).await.expect_status(404);
    let last = owner.message(id(&ours[2])).await;
    assert_eq!((&last["status"], &last["waiting"]["reason"]), (&json!("queued"), &json!("daily_limit")));
    assert_eq!(last["waiting"]["until"], "2026-11-23T00:00:00Z");
    let strict = but(form(), json!({ "on_limit": "reject" }));
    owner.post(MESSAGES, strict.clone()).await.expect_error(409, "Daily sms limit reached");
    stranger.post(MESSAGES, strict).await.expect_status(202);
    let whatsapp = but(form(), json!({ "channel": "whatsapp", "on_limit": "reject" }));
    owner.post(MESSAGES, whatsapp).await.expect_status(202);
    world.clock.advance(DAY);
    world.work().await;
    assert_eq!(owner.status(id(&ours[2])).await, "accepted");
}

#[tokio::test]
async fn a_limit_that_the_operator_raises_lets_waiting_messages_go() {
    let world = World::with(configured(1)).await;
    let owner = world.owner().await;
    let messages = [send(&owner).await, send(&owner).await];
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 1);
    let world = world.restart_with(configured(2)).await;
    world.work().await;
    let owner = world.client(owner.credentials);
    for message in &messages {
        assert_eq!(owner.status(id(message)).await, "accepted");
    }
}

#[tokio::test]
async fn what_is_queued_waits_until_the_credentials_are_back() {
    let world = World::with(configured(100)).await;
    let owner = world.owner().await;
    let message = send(&owner).await;
    let other = "AC00000000000000000000000000000002";
    let mut world = world;
    for changed in [
        Wishes::default(),
        with(other, AUTH_TOKEN, OWN_NUMBER, 100),
        with(ACCOUNT_SID, AUTH_TOKEN, "+16285550188", 100),
        with(ACCOUNT_SID, "not-the-token", OWN_NUMBER, 100),
    ] {
        world = world.restart_with(changed).await;
        world.work().await;
        world.clock.advance(MINUTE);
        world.work().await;
        let waiting = world.client(owner.credentials.clone()).message(id(&message)).await;
        assert_eq!((&waiting["status"], &waiting["waiting"]["reason"]), (&json!("queued"), &json!("account_error")));
        let why = waiting["waiting"]["detail"].as_str().unwrap_or_default();
        assert!(why.contains("operator") && why.contains("TWILIO_ACCOUNT_SID"), "{why}");
    }
    assert!(world.twilio.accepted().is_empty());
    let world = world.restart_with(configured(100)).await;
    world.work().await;
    assert_eq!(world.client(owner.credentials).status(id(&message)).await, "accepted");
}

#[tokio::test]
async fn another_number_sends_what_comes_and_leaves_alone_what_was() {
    let world = World::with(configured(100)).await;
    let owner = world.owner().await;
    let before = send(&owner).await;
    let world = world.restart_with(with(ACCOUNT_SID, AUTH_TOKEN, " whatsapp:+1 628 555 0188", 100)).await;
    let owner = world.client(owner.credentials);
    let after = send(&owner).await;
    assert_eq!(after["from"], "+16285550188");
    world.work().await;
    assert_eq!((owner.status(id(&before)).await, owner.status(id(&after)).await), ("queued".into(), "accepted".into()));
    super::post(&owner, id(&before), "cancel", json!({})).await.expect_status(200);
}

#[tokio::test]
async fn an_api_key_in_place_of_the_token_is_the_same_sender() {
    let world = World::with(configured(100)).await;
    let owner = world.owner().await;
    let message = send(&owner).await;
    let key = format!("{ACCOUNT_SID}/{KEY_SID}");
    let world = world.restart_with(with(&key, KEY_SECRET, OWN_NUMBER, 100)).await;
    world.work().await;
    assert_eq!(world.client(owner.credentials).status(id(&message)).await, "accepted");
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_at_the_provider() {
    let world = World::with(configured(100)).await;
    let owner = world.owner().await;
    let message = send(&owner).await;
    world.twilio.misbehave_on(On::Create, Fault::AcceptThenFail, 1);
    world.work().await;
    assert_eq!(owner.status(id(&message)).await, "unknown");
    // Without credentials nobody can be asked, and nothing is sent again.
    let world = world.restart().await;
    world.clock.advance(MINUTE);
    world.work().await;
    let world = world.restart_with(configured(100)).await;
    world.clock.advance(DAY / 2);
    world.work().await;
    let status = world.client(owner.credentials).status(id(&message)).await;
    assert!(!["unknown", "queued"].contains(&status.as_str()), "{status}");
    assert_eq!(world.twilio.accepted().len(), 1);
}

#[tokio::test]
async fn somebody_who_answers_is_heard() {
    let world = World::with(configured(100)).await;
    let owner = world.owner().await;
    send(&owner).await;
    let forged = format!("/webhooks/twilio/{}/inbound", hidden(&world).await);
    world.nobody().post(&forged, json!({ "Body": "Yes" })).await.expect_status(403);
    assert_eq!(owner.get(MESSAGES).await.json()["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(owner.get(MESSAGES).await.json()["data"][0]["to"], RECIPIENT);
}

/// `tern doctor` with these variables: whether it is content, and what it says.
fn doctor(variables: &[(&str, &str)]) -> (bool, String) {
    let folder = Folder::new();
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_tern"));
    for name in ["TERN_DATABASE_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER"] {
        doctor.env_remove(name);
    }
    doctor.arg("doctor").arg("--data-dir").arg(folder.path()).envs(variables.iter().copied());
    let said = doctor.output().expect("the binary");
    (said.status.success(), [said.stdout, said.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat())
}

#[test]
fn the_doctor_says_whether_there_is_one() {
    let (sid, token) = (("TWILIO_ACCOUNT_SID", ACCOUNT_SID), ("TWILIO_AUTH_TOKEN", AUTH_TOKEN));
    for (variables, says) in [
        (&[][..], "no default: organizations send by accounts of their own"),
        (&[sid, token], "no default: TWILIO_PHONE_NUMBER is not set"),
        (&[sid, token, ("TWILIO_PHONE_NUMBER", "+1 415 555 0132")], "+14155550132 sends SMS and WhatsApp"),
    ] {
        let (is_content, words) = doctor(variables);
        assert!(
            is_content && words.contains(says) && !words.contains(ACCOUNT_SID) && !words.contains(AUTH_TOKEN),
            "{words}"
        );
    }
    for wrong in [("TWILIO_PHONE_NUMBER", "555"), ("TERN_PLATFORM_DAILY_LIMIT", "0")] {
        let (is_content, words) = doctor(&[sid, token, wrong]);
        assert!(!is_content && (words.contains(wrong.0) || words.contains("--platform-daily-limit")), "{words}");
    }
}

#[tokio::test]
async fn the_dashboard_names_it_and_offers_nothing_that_nobody_can_do() {
    let world = World::with(configured(1)).await;
    let owner = world.owner().await.with("accept", "text/html");
    let queued = "platform default";
    let page = owner.get("/").await.expect_status(200).text;
    assert!(!page.to_lowercase().contains(queued), "it is not in use");
    for _ in 0..2 {
        send(&owner).await;
    }
    world.work().await;
    let page = owner.get("/").await.expect_status(200).text;
    assert!(page.contains("Platform default") && page.contains(OWN_NUMBER), "its forecast is shown");
    assert!(owner.get("/messages").await.expect_status(200).text.contains("Platform default"));
    assert!(!owner.get("/accounts").await.expect_status(200).text.contains("Platform default"));
    let world = world.restart().await;
    let owner = world.client(owner.credentials).with("accept", "text/html");
    let page = owner.get("/").await.expect_status(200).text;
    assert!(page.contains("no longer configured") && !page.contains("?edit="), "{page}");
}
