//! E-mail accounts: connect, test, change, delete, and what becomes of the mail.

use super::{MESSAGES, events};
use crate::support::{Client, World, but};
use serde_json::{Value, json};
use tern::{
    domain::time::MINUTE,
    server::simulate::smtp::{Manners, PASSWORD, TOKEN, USER},
};

const ACCOUNTS: &str = "/api/email-accounts";

fn path(id: &str) -> String {
    format!("{ACCOUNTS}/{id}")
}

async fn load(client: &Client, id: &str) -> Value {
    client.get(&path(id)).await.expect_status(200).json()
}

/// Queues a mail through the account; its id.
async fn send(client: &Client, account: &str, to: &str, body: &str) -> String {
    let form = json!({ "channel": "email", "to": to, "subject": "Hello", "body": body, "email_account_id": account });
    client.post(MESSAGES, form).await.expect_status(202).id()
}

async fn connected() -> (World, Client, String) {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = owner.connect_mailbox(&world).await;
    (world, owner, id)
}

#[tokio::test]
async fn a_mailbox_is_tested_connected_and_shown_without_its_password() {
    let world = World::new().await;
    let owner = world.owner().await;
    let form =
        but(world.mail.form(), json!({ "email_address": " Ann@Tern.Example ", "reply_to": "answers@tern.example" }));
    let account = owner.post(ACCOUNTS, form).await.expect_status(201).json();
    let shape = json!({
        "id": account["id"], "provider": "smtp", "email_address": USER, "display_name": USER, "smtp_host": "localhost",
        "smtp_port": world.mail.port, "smtp_security": "starttls", "smtp_username": USER, "smtp_auth": "password",
        "reply_to": "answers@tern.example", "dkim_domain": null, "dkim_selector": null, "imap_host": null, "imap_port": null, "imap_security": null,
        "imap_username": null, "imap_error": null, "daily_send_limit": 100,
        "emails_sent_today": 0, "is_active": true, "connection_status": "connected", "last_error": null,
        "created_at": "2026-11-22T09:30:00Z",
        "rate_per_second": null, "min_gap_seconds": null, "limit_window": "day", "time_zone": "UTC", "warmup": null,
        "on_unknown": "hold", "waiting": null,
    });
    assert_eq!(account, shape);
    assert_eq!(load(&owner, account["id"].as_str().expect("an id")).await, shape);
    assert_eq!(owner.get(ACCOUNTS).await.expect_status(200).json(), json!([shape]));
    assert_eq!(owner.get("/api/messaging-accounts").await.json(), json!([]), "each kind has its own list");
    assert_eq!(world.mail.server.seen().sign_ins, 1);
    assert!(world.mail.server.kept().is_empty(), "a test sends nothing");
}

#[tokio::test]
async fn every_security_and_sign_in_connects() {
    let world = World::new().await;
    let owner = world.owner().await;
    for (at, change) in [
        json!({ "smtp_security": "tls", "smtp_port": world.mail.tls_port }),
        json!({ "smtp_security": "none" }),
        json!({ "smtp_auth": "xoauth2", "smtp_password": TOKEN }),
    ]
    .into_iter()
    .enumerate()
    {
        let form = but(but(world.mail.form(), json!({ "email_address": format!("a{at}@tern.example") })), change);
        owner.post(ACCOUNTS, form).await.expect_status(201);
    }
    world.mail.server.behave(Manners { is_open: true, auth: Vec::new(), ..Manners::default() });
    let open = json!({ "smtp_auth": "none", "smtp_username": null, "smtp_password": null, "smtp_security": "none" });
    owner.post(ACCOUNTS, but(world.mail.form(), open)).await.expect_status(201);
    assert!(world.rows("select coalesce(secret, 'none') from account order by id desc limit 1").await[0] == "none");
}

#[tokio::test]
async fn the_sandbox_needs_no_server() {
    let world = World::new().await;
    let owner = world.owner().await;
    let form = json!({ "provider": "sandbox", "email_address": "try@example.com", "display_name": "Try" });
    let account = owner.post(ACCOUNTS, form).await.expect_status(201).json();
    assert_eq!((&account["provider"], &account["smtp_host"]), (&json!("sandbox"), &Value::Null));
    let id = account["id"].as_str().expect("an id").to_owned();
    let message = send(&owner, &id, "kim@example.com", "Hello").await;
    world.work().await;
    assert_eq!(owner.status(&message).await, "accepted");
}

#[tokio::test]
async fn missing_and_bad_fields_are_named() {
    let world = World::new().await;
    let owner = world.owner().await;
    let missing = owner.post(ACCOUNTS, json!({})).await.expect_error(400, "Missing required fields");
    missing.expect_fields(&["email_address", "smtp_host", "smtp_password", "smtp_username"]);
    for (field, values) in [
        ("provider", json!(["fax", "twilio", 1])),
        ("email_address", json!(["hello", "a@b", "a@example.com\r\nBcc: x@y.z", true])),
        ("display_name", json!(["x".repeat(81), "a\r\nBcc: x", []])),
        ("daily_send_limit", json!([0, -1, 100_001, 1.5, "", "many"])),
        ("smtp_host", json!(["a b", "http://x", "127.1", "2130706433", "a\u{0}b", 1])),
        ("smtp_port", json!([0, 65_536, -1, 1.5, "x"])),
        ("smtp_security", json!(["ssl", "TLS", 1])),
        ("smtp_auth", json!(["cram-md5", 1])),
        ("smtp_username", json!(["a\nb", "x".repeat(321)])),
        ("smtp_password", json!(["a\nb", "x".repeat(8_001), 5])),
        ("reply_to", json!(["nobody", "a@example.com\nBcc: x"])),
        ("dkim_domain", json!(["example", "a.com; x"])),
        ("dkim_selector", json!(["a b"])),
        ("dkim_private_key", json!(["no key", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"])),
    ] {
        for value in values.as_array().expect("values") {
            let base = if field.starts_with("dkim") {
                json!({ "dkim_domain": "tern.example", "dkim_selector": "t1", "dkim_private_key": "bWFya2VyLWRraW0ta2V5LTkzYzFhNy1tYXJrZXItMDE=" })
            } else {
                json!({})
            };
            let form = but(but(world.mail.form(), base), json!({ field: value }));
            let answer = owner.post(ACCOUNTS, form).await;
            let named = answer.json()["fields"].as_object().is_some_and(|fields| fields.contains_key(field));
            assert!(answer.status == 400 && named, "{field} = {value}: {} {}", answer.status, answer.text);
        }
    }
    assert_eq!(owner.get(ACCOUNTS).await.json(), json!([]));
    assert_eq!(world.mail.server.seen().connections, 0);
}

#[tokio::test]
async fn a_failed_test_stores_nothing_and_names_the_step() {
    let world = World::new().await;
    let owner = world.owner().await;
    let unlisted = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    for (change, code, step) in [
        (json!({ "smtp_password": "wrong" }), "credentials", "AUTH failed"),
        (json!({ "smtp_security": "tls" }), "tls", "TLS failed"),
        (json!({ "smtp_port": unlisted }), "connect", "TCP failed"),
        (json!({ "smtp_host": "nowhere.invalid", "smtp_port": 587 }), "dns", "DNS failed"),
        (json!({ "smtp_host": "10.0.0.1", "smtp_port": 587 }), "host_not_allowed", "TERN_ALLOW_PRIVATE_HOSTS"),
        (json!({ "smtp_host": "169.254.169.254", "smtp_port": 80 }), "host_not_allowed", "TERN_ALLOW_PRIVATE_HOSTS"),
        (json!({ "smtp_host": "1.1.1.1", "smtp_port": 22 }), "port_not_allowed", "2525"),
    ] {
        let answer = owner.post(ACCOUNTS, but(world.mail.form(), change.clone())).await.expect_status(400);
        let error = answer.json()["error"].as_str().expect("a sentence").to_owned();
        assert!(error.starts_with("Connection test failed: ") && error.contains(step), "{change}: {error}");
        assert_eq!(answer.json()["code"], code, "{change}");
    }
    assert!(world.rows("select id from account").await.is_empty());
}

#[tokio::test]
async fn an_address_is_connected_once_per_organization() {
    let (world, owner, id) = connected().await;
    let again = but(world.mail.form(), json!({ "email_address": "ANN@tern.example" }));
    owner.post(ACCOUNTS, again.clone()).await.expect_error(409, "This e-mail address is already connected");
    world.stranger().await.post(ACCOUNTS, again.clone()).await.expect_status(201);
    owner.delete(&path(&id)).await.expect_status(200);
    let (a, b) = tokio::join!(owner.post(ACCOUNTS, again.clone()), owner.post(ACCOUNTS, again));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test]
async fn settings_change_and_nothing_else() {
    let (_world, owner, id) = connected().await;
    let change = json!({ "display_name": " Ann ", "daily_send_limit": 7, "is_active": false });
    let changed = owner.patch(&path(&id), change).await.expect_status(200).json();
    let seen = (&changed["display_name"], &changed["daily_send_limit"], &changed["is_active"]);
    assert_eq!(seen, (&json!("Ann"), &json!(7), &json!(false)));
    for (field, value) in [
        ("smtp_host", json!("evil.example")),
        ("smtp_password", json!("x")),
        ("email_address", json!("b@tern.example")),
        ("daily_limit", json!(5)),
        ("daily_send_limit", json!(0)),
        ("daily_send_limit", Value::Null),
        ("display_name", json!("a\nb")),
        ("is_active", json!("yes")),
    ] {
        owner.patch(&path(&id), json!({ field: value })).await.expect_fields(&[field]);
    }
    assert_eq!(load(&owner, &id).await, changed);
}

#[tokio::test]
async fn another_server_needs_the_password_again() {
    let (world, owner, id) = connected().await;
    let credentials = format!("{}/credentials", path(&id));
    let signed = json!({
        "smtp_password": PASSWORD, "dkim_domain": "tern.example", "dkim_selector": "t1",
        "dkim_private_key": "bWFya2VyLWRraW0ta2V5LTkzYzFhNy1tYXJrZXItMDE=",
    });
    owner.put(&credentials, json!({ "smtp_host": "localhost" })).await.expect_fields(&["smtp_password"]);
    owner.put(&credentials, json!({ "smtp_password": "wrong" })).await.expect_status(400);
    let account = owner.put(&credentials, signed).await.expect_status(200).json();
    assert_eq!((&account["dkim_selector"], &account["smtp_port"]), (&json!("t1"), &json!(world.mail.port)));
    // The key stays when only the password comes again; the port follows the new security.
    let change = json!({ "smtp_password": PASSWORD, "smtp_security": "tls", "smtp_port": world.mail.tls_port });
    let account = owner.put(&credentials, change).await.expect_status(200).json();
    assert_eq!((&account["dkim_domain"], &account["smtp_security"]), (&json!("tern.example"), &json!("tls")));
    send(&owner, &id, "kim@example.com", "Hello").await;
    world.work().await;
    let mail = world.mail.server.kept().pop().expect("a mail");
    assert!(mail.raw.contains("DKIM-Signature: v=1; a=ed25519-sha256; d=tern.example; s=t1;"), "{}", mail.raw);
}

#[tokio::test]
async fn replies_and_signature_change_without_the_password_and_the_key_stays() {
    const KEY: &str = "bWFya2VyLWRraW0ta2V5LTkzYzFhNy1tYXJrZXItMDE=";
    let (world, owner, id) = connected().await;
    let change = async |change: Value| owner.patch(&path(&id), change).await;
    change(json!({ "dkim_domain": "tern.example", "dkim_selector": "t1" })).await.expect_fields(&["dkim_private_key"]);
    change(json!({ "dkim_private_key": KEY })).await.expect_fields(&["dkim_domain", "dkim_selector"]);
    let signed = json!({ "dkim_domain": "tern.example", "dkim_selector": "t1", "dkim_private_key": KEY });
    change(but(signed.clone(), json!({ "dkim_private_key": "no key" }))).await.expect_fields(&["dkim_private_key"]);
    let shown = change(signed).await.expect_status(200).json();
    assert_eq!((&shown["dkim_domain"], &shown["dkim_selector"]), (&json!("tern.example"), &json!("t1")));
    let shown =
        change(json!({ "reply_to": "answers@tern.example", "dkim_selector": "t2" })).await.expect_status(200).json();
    assert_eq!((&shown["dkim_selector"], &shown["reply_to"]), (&json!("t2"), &json!("answers@tern.example")));
    send(&owner, &id, "kim@example.com", "Hello").await;
    world.work().await;
    let mail = world.mail.server.kept().pop().expect("a mail");
    for part in ["d=tern.example; s=t2;", "Reply-To: answers@tern.example"] {
        assert!(mail.raw.contains(part), "{part} in {}", mail.raw);
    }
    let shown = change(json!({ "reply_to": null, "dkim_domain": null })).await.expect_status(200).json();
    assert_eq!((&shown["dkim_selector"], &shown["reply_to"]), (&Value::Null, &Value::Null));
    change(json!({ "dkim_domain": "tern.example", "dkim_selector": "t1" })).await.expect_fields(&["dkim_private_key"]);
    send(&owner, &id, "kim@example.com", "Hello").await;
    world.work().await;
    assert!(!world.mail.server.kept().pop().expect("a mail").raw.contains("DKIM-Signature"));
}

#[tokio::test]
async fn a_mail_leaves_through_its_account_and_is_called_by_its_message_id() {
    let (world, owner, account) = connected().await;
    owner.patch(&path(&account), json!({ "display_name": "Ann Müller" })).await.expect_status(200);
    let id = send(&owner, &account, "Kim@Example.com", "Hello Kim,\n.\ngood-bye").await;
    world.work().await;
    let message = owner.message(&id).await;
    let message_id = format!("<{}@tern.example>", id.to_lowercase());
    assert_eq!((&message["status"], &message["provider_message_id"]), (&json!("sent"), &json!(message_id)));
    assert_eq!(load(&owner, &account).await["emails_sent_today"], 1);
    let mail = world.mail.server.kept().pop().expect("a mail");
    assert_eq!((mail.from.as_str(), mail.to, mail.is_secure), (USER, vec!["kim@example.com".to_owned()], true));
    for line in [
        "From: =?utf-8?b?QW5uIE3DvGxsZXI=?= <ann@tern.example>",
        "To: kim@example.com",
        "Subject: Hello",
        "Date: Sun, 22 Nov 2026 09:30:00 +0000",
        "Content-Type: text/plain; charset=utf-8",
        &format!("Message-ID: {message_id}"),
    ] {
        assert!(mail.raw.lines().any(|found| found == line), "{line} in {}", mail.raw);
    }
    assert!(mail.raw.ends_with("\r\n\r\nHello Kim,\r\n.\r\ngood-bye\r\n"), "{}", mail.raw);
    let timeline: Vec<String> = events(&owner, &id).await.into_iter().map(|(status, _)| status).collect();
    assert_eq!(timeline, ["queued", "sent"]);
}

#[tokio::test]
async fn what_a_server_says_decides_what_becomes_of_the_mail() {
    for (to, status, refunded) in [
        ("kim@example.com", "sent", false),
        ("5xx@example.com", "failed", true),
        ("data-554-5.7.1@example.com", "failed", true),
        ("4xx@example.com", "queued", true),
        ("452-4.2.2@example.com", "queued", true),
        ("drop-after-dot@example.com", "unknown", false),
        ("lose-after-dot@example.com", "unknown", false),
    ] {
        let (world, owner, account) = connected().await;
        let id = send(&owner, &account, to, "Hello").await;
        world.work().await;
        let message = owner.message(&id).await;
        assert_eq!(message["status"], status, "{to}: {message}");
        assert_eq!(load(&owner, &account).await["emails_sent_today"], u32::from(!refunded), "{to}");
        let reason = &message["waiting"]["reason"];
        assert!((status == "queued") == (reason == "provider"), "{to}: {message}");
        if status == "failed" {
            assert!(message["error"]["message"].as_str().is_some_and(|text| text.contains("The server said: 5")));
        }
    }
}

#[tokio::test]
async fn a_mail_tried_again_keeps_its_name() {
    let (world, owner, account) = connected().await;
    let id = send(&owner, &account, "drop-after-dot@example.com", "Hello").await;
    world.work().await;
    assert_eq!(owner.status(&id).await, "unknown");
    super::post(&owner, &id, "resolve", json!({ "as": "not_sent" })).await.expect_status(200);
    world.work().await;
    let message_id = |raw: &str| raw.lines().find(|line| line.starts_with("Message-ID: ")).map(str::to_owned);
    let names: Vec<_> = world.mail.server.kept().iter().map(|mail| message_id(&mail.raw)).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0], names[1], "a mailbox can tell that it is the same");
}

#[tokio::test]
async fn a_refused_password_stops_the_account_until_a_test_succeeds() {
    let (world, owner, account) = connected().await;
    world.mail.server.behave(Manners { auth: vec!["XOAUTH2".to_owned()], ..Manners::default() });
    let ids = [send(&owner, &account, "a@example.com", "1").await, send(&owner, &account, "b@example.com", "2").await];
    world.work().await;
    for id in &ids {
        let message = owner.message(id).await;
        assert_eq!((&message["status"], &message["waiting"]["reason"]), (&json!("queued"), &json!("account_error")));
    }
    let shown = load(&owner, &account).await;
    assert!(shown["connection_status"] == "error" && shown["last_error"].as_str().is_some_and(|e| e.contains("AUTH")));
    world.mail.server.behave(Manners::default());
    let test = owner.post(&format!("{}/test", path(&account)), json!({})).await.expect_status(200).json();
    assert_eq!(test, json!({ "success": true }));
    world.work().await;
    for id in &ids {
        assert_eq!(owner.status(id).await, "sent");
    }
}

#[tokio::test]
async fn many_mails_share_few_connections() {
    let (world, owner, account) = connected().await;
    let before = world.mail.server.seen().connections;
    for at in 0..30 {
        send(&owner, &account, &format!("r{at}@example.com"), "Hello").await;
    }
    for _ in 0..4 {
        world.work().await;
    }
    assert_eq!(world.mail.server.kept().len(), 30);
    assert!(world.mail.server.seen().connections - before <= 8, "{:?}", world.mail.server.seen());
}

#[tokio::test]
async fn without_an_account_there_is_no_mail() {
    let world = World::new().await;
    let owner = world.owner().await;
    let form = json!({ "channel": "email", "to": "kim@example.com", "body": "Hello" });
    owner.post(MESSAGES, form.clone()).await.expect_error(400, "No email account specified");
    for id in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "x"] {
        let named = but(form.clone(), json!({ "email_account_id": id }));
        owner.post(MESSAGES, named).await.expect_error(404, "Email account not found");
    }
    let id = owner.connect_mailbox(&world).await;
    assert_eq!(owner.post(MESSAGES, form).await.expect_status(202).json()["account_id"], json!(id), "the default");
}

#[tokio::test]
async fn accounts_of_one_kind_are_not_found_among_the_other() {
    let (world, owner, mailbox) = connected().await;
    let number = owner.connect_twilio().await;
    owner.get(&path(&number)).await.expect_error(404, "Not found");
    owner.delete(&path(&number)).await.expect_error(404, "Not found");
    owner.get(&format!("/api/messaging-accounts/{mailbox}")).await.expect_error(404, "Not found");
    owner
        .post("/api/messaging-accounts", but(crate::support::twilio_form(), json!({ "provider": "smtp" })))
        .await
        .expect_fields(&["provider"]);
    let stranger = world.stranger().await;
    stranger.get(&path(&mailbox)).await.expect_error(404, "Not found");
    stranger.patch(&path(&mailbox), json!({ "daily_send_limit": 1 })).await.expect_error(404, "Not found");
    stranger.post(&format!("{}/test", path(&mailbox)), json!({})).await.expect_error(404, "Not found");
    stranger.put(&format!("{}/credentials", path(&mailbox)), json!({})).await.expect_error(404, "Not found");
    stranger.delete(&path(&mailbox)).await.expect_error(404, "Not found");
    let mail = json!({ "channel": "email", "to": "kim@example.com", "body": "x", "email_account_id": mailbox });
    stranger.post(MESSAGES, mail).await.expect_error(404, "Email account not found");
    let _ = world;
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_left_alone_but_for_one_mail_at_a_time() {
    let (world, owner, account) = connected().await;
    let port = world.mail.port.to_string();
    let closed = "update account set settings = replace(settings, $1, $2)";
    world.tamper(closed, &[&format!("\"port\":{port}"), "\"port\":1"]).await;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(send(&owner, &account, &format!("to{n}@example.com"), "Hello").await);
    }
    let tries = async || -> i64 {
        world.rows("select cast(count(*) as text) from attempt").await[0].parse().expect("a number")
    };
    world.work().await;
    let shown = load(&owner, &account).await;
    assert_eq!(shown["waiting"]["reason"], "provider", "{shown}");
    let first = tries().await;
    assert!(owner.message(&ids[19]).await["waiting"]["until"].is_string());
    for _ in 0..6 {
        world.clock.advance(15 * MINUTE);
        world.work().await;
    }
    assert_eq!(tries().await, first + 6, "one probe after each pause");
    world.tamper(closed, &["\"port\":1", &format!("\"port\":{port}")]).await;
    owner.post(&format!("{}/try", path(&account)), json!({})).await.expect_status(200);
    for _ in 0..3 {
        world.clock.advance(10 * MINUTE);
        world.work().await;
    }
    for id in &ids {
        assert_eq!(owner.status(id).await, "sent");
    }
    assert_eq!(world.mail.server.kept().len(), 20);
}
