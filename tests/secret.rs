//! No secret is ever written down in clear: not in an answer, not in the log, not in the data folder.

use crate::support::{Client, Credentials, OWN_NUMBER, RECIPIENT, Wishes, World, but, dovecot, twilio_form};
use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use std::{cell::RefCell, io};
use tern::server::simulate::{
    ACCOUNT_SID, AUTH_TOKEN, Fault, KEY_SECRET, KEY_SID, On,
    smtp::{self, Manners},
};
use tracing_subscriber::util::SubscriberInitExt;

/// A password that is nowhere else.
const PASSWORD: &str = "marker-password-7b1f0c";
/// Credentials that no provider takes.
const WRONG_TOKEN: &str = "marker-wrong-token-55e2";
/// A key for signatures: an Ed25519 seed in base64.
const DKIM_KEY: &str = "bWFya2VyLWRraW0ta2V5LTkzYzFhNy1tYXJrZXItMDE=";

thread_local! {
    /// What this thread said while somebody listened.
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Writes to the log of the thread that speaks.
struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.iter_mut().for_each(|log| log.extend_from_slice(bytes)));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Listens to all that this thread says at any level, through `tracing` or `log`; the runtime of a test has no other
/// thread for its tasks. One listener for all threads: with one of its own, `tracing` remembers what other threads do
/// not care for.
fn listen() {
    let everything = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    let _ = everything.with_writer(|| Log).finish().try_init();
    LOG.set(Some(Vec::new()));
}

/// What was said since.
fn heard() -> Vec<u8> {
    LOG.take().expect("somebody listened")
}

/// A secret in every dress in which it might be written down. Base64 depends on where in a text the secret begins, so
/// all three places are looked for, without the characters that its neighbours share.
fn dresses(secret: &str) -> Vec<Vec<u8>> {
    let mut dresses = vec![
        secret.as_bytes().to_vec(),
        hex::encode(secret).into_bytes(),
        hex::encode_upper(secret).into_bytes(),
        form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>().into_bytes(),
        secret.chars().rev().collect::<String>().into_bytes(),
    ];
    for before in 0..3 {
        let text = [vec![b'x'; before], secret.as_bytes().to_vec()].concat();
        for encoded in [BASE64_STANDARD.encode(&text), BASE64_URL_SAFE_NO_PAD.encode(&text)] {
            let (from, to) = ((before * 8).div_ceil(6), text.len() * 8 / 6);
            dresses.push(encoded.as_bytes()[from..to].to_vec());
        }
    }
    dresses
}

/// The secrets that are found anywhere in `places`, by name.
fn found<'a>(secrets: &[(&'a str, String)], places: &[Vec<u8>]) -> Vec<&'a str> {
    let is_in = |place: &[u8], needle: &[u8]| place.windows(needle.len()).any(|window| window == needle);
    let is_found = |secret: &str| {
        let dresses = dresses(secret);
        places.iter().any(|place| dresses.iter().any(|needle| is_in(place, needle)))
    };
    secrets.iter().filter(|(_, secret)| is_found(secret)).map(|(name, _)| *name).collect()
}

/// Everything that people and programs do with secrets, well and badly; the secrets.
async fn live(world: &World) -> Vec<(&'static str, String)> {
    let form = json!({ "email": "owner@example.com", "password": PASSWORD, "organization": "Acme" });
    let answer = world.nobody().post("/api/auth/sign-up", form.clone()).await.expect_status(201);
    let owner = world.client(answer.session());
    world.nobody().post("/api/auth/sign-up", form.clone()).await.expect_status(403);
    world.nobody().post("/api/auth/sign-in", but(form.clone(), json!({ "email": "x" }))).await.expect_status(401);
    world.nobody().post("/api/auth/sign-in", form).await.expect_status(200);
    let made = owner.post("/api/api-keys", json!({ "name": "CRM" })).await.expect_status(201).json();
    let key = made["key"].as_str().expect("a key").to_owned();
    // The two answers that must hold a secret.
    world.answers.lock().expect("no panic").clear();
    let program = world.client(Credentials::Key(key.clone()));

    accounts_and_messages(world, &program).await;
    mailboxes(world, &program).await;
    read_mailbox(world, &program).await;
    for path in ["/accounts", "/messages", "/settings", "/sign-in"] {
        owner.get(path).await;
    }
    owner.get("/api/sessions").await.expect_status(200);
    owner.get("/api/api-keys").await.expect_status(200);
    let Credentials::Cookie(session) = owner.credentials else { panic!("a cookie") };
    vec![
        ("password", PASSWORD.to_owned()),
        ("auth token", AUTH_TOKEN.to_owned()),
        ("account SID", ACCOUNT_SID.to_owned()),
        ("secret of an API key of Twilio", KEY_SECRET.to_owned()),
        ("wrong token", WRONG_TOKEN.to_owned()),
        ("API key", key),
        ("password of a mailbox", smtp::PASSWORD.to_owned()),
        ("key for signatures", DKIM_KEY.to_owned()),
        ("password of a mailbox that is read", dovecot::PASSWORD.to_owned()),
        ("session", session),
        ("encryption key", crate::support::KEY.to_owned()),
    ]
}

async fn accounts_and_messages(world: &World, program: &Client) {
    let accounts = "/api/messaging-accounts";
    let wrong = but(twilio_form(), json!({ "auth_token": WRONG_TOKEN }));
    program.post(accounts, wrong).await.expect_status(400);
    program.post(accounts, but(twilio_form(), json!({ "daily_limit": 0 }))).await.expect_status(400);
    program.post(accounts, but(twilio_form(), json!({ "channel": AUTH_TOKEN }))).await.expect_status(400);
    let id = program.connect_twilio().await;
    let by_key =
        json!({ "channel": "whatsapp", "account_sid": format!("{ACCOUNT_SID}/{KEY_SID}"), "auth_token": KEY_SECRET });
    program.post(accounts, but(twilio_form(), by_key)).await.expect_status(201);
    program.post(accounts, twilio_form()).await.expect_status(409);
    let credentials = json!({ "account_sid": ACCOUNT_SID, "auth_token": WRONG_TOKEN });
    program.put(&format!("{accounts}/{id}/credentials"), credentials).await.expect_status(400);
    for fault in [None, Some(Fault::Unauthorized), Some(Fault::Fail), Some(Fault::Nonsense)] {
        if let Some(fault) = fault {
            world.twilio.misbehave(fault, 1);
        }
        program.post(&format!("{accounts}/{id}/test"), json!({})).await.expect_status(200);
    }
    program.post(&format!("{accounts}/{id}/test"), json!({})).await.expect_status(200);
    program.send(RECIPIENT).await;
    let named = json!({ "channel": "sms", "to": RECIPIENT, "body": "Hello", "messaging_account_id": id });
    for fault in [Fault::AcceptThenDrop, Fault::Fail, Fault::Throttled { retry_after: None }, Fault::Unauthorized] {
        world.twilio.misbehave_on(On::Create, fault, 1);
        program.post("/api/messages", named.clone()).await.expect_status(202);
        world.work().await;
    }
    for callback in world.twilio.take_callbacks() {
        world.hand_back(&callback).await;
        world.hand_back(&tern::server::simulate::Callback { signature: "x".to_owned(), ..callback }).await;
    }
    let list = program.get("/api/messages").await.expect_status(200).json();
    for message in list["data"].as_array().expect("a list") {
        program.get(&format!("/api/messages/{}/events", message["id"].as_str().expect("an id"))).await;
    }
    program.get(accounts).await.expect_status(200);
}

async fn mailboxes(world: &World, program: &Client) {
    let accounts = "/api/email-accounts";
    let signed = json!({ "dkim_domain": "tern.example", "dkim_selector": "t1", "dkim_private_key": DKIM_KEY });
    let form = but(world.mail.form(), signed);
    // A server that repeats what it hears.
    let refusal = format!("535 5.7.8 No: {WRONG_TOKEN}");
    world.mail.server.behave(Manners { refusal, ..Manners::default() });
    program.post(accounts, but(form.clone(), json!({ "smtp_password": WRONG_TOKEN }))).await.expect_status(400);
    program.post(accounts, but(form.clone(), json!({ "smtp_port": 0 }))).await.expect_status(400);
    program.post(accounts, but(form.clone(), json!({ "dkim_private_key": WRONG_TOKEN }))).await.expect_status(400);
    let id = program.post(accounts, form).await.expect_status(201).id();
    let path = format!("{accounts}/{id}");
    let wrong = json!({ "smtp_password": WRONG_TOKEN });
    program.put(&format!("{path}/credentials"), wrong).await.expect_status(400);
    for to in ["kim@example.com", "5xx@example.com", "lose-after-dot@example.com"] {
        let mail = json!({ "channel": "email", "to": to, "subject": "Hi", "body": "Hello", "email_account_id": id });
        program.post("/api/messages", mail).await.expect_status(202);
        world.work().await;
    }
    assert_eq!(world.mail.server.kept().len(), 1);
    program.post(&format!("{path}/test"), json!({})).await.expect_status(200);
    program.get(accounts).await.expect_status(200);
    program.get(&path).await.expect_status(200);
}

async fn read_mailbox(world: &World, program: &Client) {
    let server = dovecot::Dovecot::start(&world.mail.identity).await;
    let read = json!({
        "email_address": "c@tern.example", "imap_host": "localhost", "imap_port": server.tls_port,
        "imap_username": dovecot::USER, "imap_password": dovecot::PASSWORD,
    });
    let accounts = "/api/email-accounts";
    let form = but(world.mail.form(), read);
    program.post(accounts, but(form.clone(), json!({ "imap_password": WRONG_TOKEN }))).await.expect_status(400);
    let path = format!("{accounts}/{}", program.post(accounts, form).await.expect_status(201).id());
    program.patch(&path, json!({ "imap_password": WRONG_TOKEN })).await.expect_status(400);
    world.work().await;
    program.post(&format!("{path}/test"), json!({})).await.expect_status(200);
    program.get(&path).await.expect_status(200);
}

#[tokio::test]
async fn no_secret_is_written_down_anywhere() {
    listen();
    let world = World::new().await;
    let secrets = live(&world).await;
    let log = heard();
    let text = String::from_utf8_lossy(&log);
    for part in ["tern::server::http", "hyper_util", "reqwest"] {
        assert!(text.contains(part), "the log of {part} was captured");
    }
    assert_eq!(found(&secrets, &[log]), [""; 0], "in the log");
    let answers = world.answers.lock().expect("no panic").clone();
    assert!(answers.len() > 30);
    assert_eq!(found(&secrets, &answers), [""; 0], "in an answer");
    let stored = world.stored_bytes();
    assert!(stored.iter().any(|bytes| bytes.len() > 10_000), "the database was read");
    assert_eq!(found(&secrets, &stored), [""; 0], "in the data folder");
}

/// The credentials of the configuration take the same ways as those that people enter, and are not even stored sealed.
#[tokio::test]
async fn the_operators_credentials_are_written_down_nowhere() {
    const OTHER_SID: &str = "ACfeedc0defeedc0defeedc0defeedc0de";
    let with = |sid: &str, token: &str| Wishes {
        platform: Some([sid, token, OWN_NUMBER].map(str::to_owned)),
        ..Wishes::default()
    };
    listen();
    let world = World::with(with(ACCOUNT_SID, AUTH_TOKEN)).await;
    let owner = world.owner().await;
    let use_it = async |world: &World, owner: &Client| {
        owner.send(RECIPIENT).await;
        let page = owner.with("accept", "text/html");
        for fault in [None, Some(Fault::AcceptThenDrop), Some(Fault::Unauthorized)] {
            if let Some(fault) = fault {
                world.twilio.misbehave_on(On::Create, fault, 1);
            }
            owner.post("/api/messages", json!({ "channel": "whatsapp", "to": RECIPIENT, "body": "Hello" })).await;
            world.work().await;
        }
        for callback in world.twilio.take_callbacks() {
            world.hand_back(&callback).await;
        }
        for path in ["/", "/accounts", "/messages", "/settings", "/api/messages", "/api/messaging-accounts"] {
            page.get(path).await.expect_status(200);
        }
    };
    use_it(&world, &owner).await;
    assert!(!world.twilio.accepted().is_empty());
    let world = world.restart_with(with(OTHER_SID, WRONG_TOKEN)).await;
    let owner = world.client(owner.credentials);
    use_it(&world, &owner).await;
    let world = world.restart().await;
    world.work().await;
    world.client(owner.credentials).get("/").await.expect_status(200);
    let secrets = [
        ("account SID", ACCOUNT_SID.to_owned()),
        ("auth token", AUTH_TOKEN.to_owned()),
        ("another account SID", OTHER_SID.to_owned()),
        ("wrong token", WRONG_TOKEN.to_owned()),
    ];
    assert_eq!(found(&secrets, &[heard()]), [""; 0], "in the log");
    assert_eq!(found(&secrets, &world.answers.lock().expect("no panic").clone()), [""; 0], "in an answer");
    assert_eq!(found(&secrets, &world.stored_bytes()), [""; 0], "in the data folder");
}

#[tokio::test]
async fn the_search_finds_a_secret_that_was_planted() {
    let secrets = [("password", PASSWORD.to_owned())];
    listen();
    tokio::spawn(async { tracing::trace!("a planted {PASSWORD}") }).await.expect("a task");
    assert_eq!(found(&secrets, &[heard()]), ["password"], "in the log");

    let world = World::new().await;
    let owner = world.owner().await;
    owner.post("/api/api-keys", json!({ "name": PASSWORD })).await.expect_status(201);
    assert_eq!(found(&secrets, &world.answers.lock().expect("no panic").clone()), ["password"], "in an answer");
    assert_eq!(found(&secrets, &world.stored_bytes()), ["password"], "in the data folder");

    for before in ["", "a", "ab", "abc"] {
        let text = format!("{before}{PASSWORD}after");
        for dressed in [hex::encode(&text), BASE64_STANDARD.encode(&text), BASE64_URL_SAFE_NO_PAD.encode(&text)] {
            assert_eq!(found(&secrets, &[dressed.clone().into_bytes()]), ["password"], "{dressed}");
        }
    }
    assert_eq!(found(&secrets, &[b"nothing to see".to_vec()]), [""; 0]);
}
