//! The encryption key: changed, lost, and what is sealed with it.

use crate::support::{Client, KEY, RECIPIENT, Wishes, World, twilio_form};
use aes_gcm::{AesGcm, KeyInit, Nonce, aead::Aead, aead::consts::U16, aes::Aes256};
use serde_json::json;
use sha2::{Digest, Sha256};
use tern::{
    domain::time::MINUTE,
    server::{
        simulate::{ACCOUNT_SID, AUTH_TOKEN},
        usecase::{
            consent,
            keys::{self, Rotation},
        },
    },
};

fn key(key: &str) -> Wishes {
    Wishes { key: key.to_owned(), ..Wishes::default() }
}

async fn test(client: &Client, account: &str) -> bool {
    let path = format!("/api/messaging-accounts/{account}/test");
    client.post(&path, json!({})).await.expect_status(200).json()["success"] == true
}

#[tokio::test]
async fn a_rotation_seals_everything_anew_and_the_old_key_can_go() {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = owner.connect_twilio().await;
    let world = world.restart_with(key(&format!("new:the key of tomorrow,old:{KEY}"))).await;
    let owner = world.client(owner.credentials);
    assert!(!world.app.is_key_wrong());
    assert!(test(&owner, &account).await, "an older key opens");
    let count = |resealed, current| Rotation { resealed, current, unreadable: 0 };
    // The account and the record of consent.
    assert_eq!(keys::rotate(&world.app).await.expect("a rotation"), count(2, 0));
    assert_eq!(keys::rotate(&world.app).await.expect("a rotation"), count(0, 2));
    let world = world.restart_with(key("the key of tomorrow")).await;
    assert!(!world.app.is_key_wrong());
    assert!(test(&world.client(owner.credentials), &account).await);
}

#[tokio::test]
async fn with_a_wrong_key_accounts_ask_for_their_credentials_again() {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = owner.connect_twilio().await;
    let id = owner.send(RECIPIENT).await;
    let world = world.restart_with(key("not the key of before")).await;
    let owner = world.client(owner.credentials);
    assert!(world.app.is_key_wrong());
    world.work().await;
    let message = owner.message(&id).await;
    assert_eq!((&message["status"], &message["waiting"]["reason"]), (&json!("queued"), &json!("account_error")));
    let path = format!("/api/messaging-accounts/{account}");
    let shown = owner.get(&path).await.expect_status(200).json();
    assert_eq!(shown["connection_status"], "error");
    assert!(shown["last_error"].as_str().is_some_and(|text| text.contains("Enter them again")), "{shown}");
    assert!(!test(&owner, &account).await);
    assert_eq!(keys::rotate(&world.app).await.expect("a rotation").unreadable, 2);
    let entered = json!({ "account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN });
    owner.put(&format!("{path}/credentials"), entered).await.expect_status(200);
    assert!(!world.app.is_key_wrong(), "everything opens again");
    world.work().await;
    assert_eq!(owner.status(&id).await, "accepted");
    assert!(test(&owner, &account).await);
    let world = world.restart_with(key("not the key of before")).await;
    assert!(!world.app.is_key_wrong(), "and after a restart");
}

/// The record of those who must not be written to is sealed by the same key.
#[tokio::test]
async fn with_a_lost_key_nobody_who_is_forgotten_is_written_to_until_the_operator_decides() {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = owner.connect_twilio().await;
    let lead = owner.post("/api/leads", json!({ "phone": RECIPIENT })).await.expect_status(201).id();
    for address in [RECIPIENT, "+14155550177"] {
        let form = json!({ "channel": "sms", "address": address });
        owner.post("/api/suppressions", form).await.expect_status(201);
    }
    owner.delete(&format!("/api/leads/{lead}")).await.expect_status(200);
    let id = owner.send("+14155550188").await;
    let world = world.restart_with(key("not the key of before")).await;
    let owner = world.client(owner.credentials);
    let entered = json!({ "account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN });
    owner.put(&format!("/api/messaging-accounts/{account}/credentials"), entered).await.expect_status(200);
    assert!(!world.app.is_key_wrong(), "all credentials open");
    world.work().await;
    let message = owner.message(&id).await;
    assert_eq!(message["status"], "queued");
    let why = message["waiting"]["detail"].as_str().expect("a reason");
    assert!(why.contains("must not be written to"), "{why}");
    let lost = consent::list_lost(&world.app).await.expect("read");
    let [organization] = &lost[..] else { panic!("one record: {lost:?}") };
    assert_eq!(consent::renew(&world.app, organization).await.expect("renewed"), 1, "one is forgotten");
    world.clock.advance(MINUTE);
    world.work().await;
    assert_eq!(owner.status(&id).await, "accepted");
    let form = json!({ "channel": "sms", "to": "+14155550177", "body": "x" });
    let message = owner.post("/api/messages", form).await.expect_status(202).json();
    assert_eq!(message["status"], "suppressed", "whose address is known is known again");
    let verdict = consent::verify(&world.app, organization, None).await.expect("read");
    assert_eq!((verdict.unverifiable, verdict.faults.len()), (2, 0), "{verdict}");
}

#[tokio::test]
async fn the_key_stays_wrong_until_the_last_account_is_good_or_gone() {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = owner.connect_twilio().await;
    let mailbox = owner.connect_mailbox(&world).await;
    let whatsapp = crate::support::but(twilio_form(), json!({ "channel": "whatsapp" }));
    let other = owner.post("/api/messaging-accounts", whatsapp.clone()).await.expect_status(201).id();
    let world = world.restart_with(key("not the key of before")).await;
    let owner = world.client(owner.credentials);
    let entered = json!({ "account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN });
    owner.put(&format!("/api/messaging-accounts/{account}/credentials"), entered).await.expect_status(200);
    assert!(world.app.is_key_wrong());
    let entered = json!({ "smtp_password": tern::server::simulate::smtp::PASSWORD });
    owner.put(&format!("/api/email-accounts/{mailbox}/credentials"), entered).await.expect_status(200);
    assert!(world.app.is_key_wrong(), "one is left");
    assert!(owner.with("accept", "text/html").get("/accounts").await.text.contains("encryption key"));
    owner.delete(&format!("/api/messaging-accounts/{other}")).await.expect_status(200);
    assert!(!world.app.is_key_wrong());
    assert!(!owner.with("accept", "text/html").get("/accounts").await.text.contains("encryption key"));
}

#[tokio::test]
async fn the_key_of_before_makes_everything_good_again() {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = owner.connect_twilio().await;
    let world = world.restart_with(key("not the key of before")).await.restart().await;
    assert!(!world.app.is_key_wrong());
    assert!(test(&world.client(owner.credentials), &account).await);
}

#[tokio::test]
async fn a_sealed_value_that_is_moved_does_not_open() {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = owner.connect_twilio().await;
    let whatsapp = crate::support::but(twilio_form(), json!({ "channel": "whatsapp" }));
    let other = owner.post("/api/messaging-accounts", whatsapp).await.expect_status(201).id();
    let moved = "update account set secret = (select secret from account where id = $1) where id = $2";
    world.tamper(moved, &[&account, &other]).await;
    assert!(!test(&owner, &other).await);
    assert!(test(&owner, &account).await);
}

#[tokio::test]
async fn a_sealed_value_that_is_damaged_does_not_open() {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = owner.connect_twilio().await;
    for damaged in ["", "v1.", "v1.a.b.c", "v2.x", "00:00:00", "hello"] {
        world.tamper("update account set secret = $1 where id = $2", &[damaged, &account]).await;
        assert!(!test(&owner, &account).await, "{damaged}");
        world.work().await;
    }
}

#[tokio::test]
async fn a_value_in_the_older_format_opens_and_is_sealed_anew() {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = owner.connect_twilio().await;
    let text = json!({ "account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN }).to_string();
    let secret: [u8; 32] = Sha256::digest(KEY.as_bytes()).into();
    let cipher = AesGcm::<Aes256, U16>::new(&secret.into());
    let sealed = cipher.encrypt(&Nonce::<U16>::from([7; 16]), text.as_bytes()).expect("sealed");
    let (text, tag) = sealed.split_at(sealed.len() - 16);
    let older = format!("{}:{}:{}", hex::encode([7; 16]), hex::encode(tag), hex::encode(text));
    world.tamper("update account set secret = $1 where id = $2", &[&older, &account]).await;
    assert!(test(&owner, &account).await);
    assert_eq!(keys::rotate(&world.app).await.expect("a rotation").resealed, 1);
    assert!(world.rows("select secret from account").await[0].starts_with("v1."));
    assert!(test(&owner, &account).await);
}
