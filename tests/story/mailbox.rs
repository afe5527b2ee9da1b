//! Mailboxes that are read for what comes back, on a real IMAP server.

use super::{MESSAGES, events};
use crate::support::{
    Answer, Client, World, but,
    dovecot::{self, Dovecot},
};
use serde_json::{Value, json};
use tern::{
    domain::time::MINUTE,
    server::{
        simulate::smtp::{PASSWORD, USER},
        usecase::doctor,
    },
};

const ACCOUNTS: &str = "/api/email-accounts";
/// The id that the samples in `tests/data/bounce` name.
const NAMED: &str = "01jdf3zs0v8r4c7n2q9w5k6m1a";

fn path(id: &str) -> String {
    format!("{ACCOUNTS}/{id}")
}

/// The sample, about this message.
fn about(sample: &str, message: &str) -> String {
    let file = format!("{}/tests/data/bounce/{sample}.eml", env!("CARGO_MANIFEST_DIR"));
    let raw = std::fs::read_to_string(file).expect("a sample");
    raw.replace(NAMED, &message.to_lowercase()).replace(&NAMED.to_uppercase(), message)
}

/// A mail through the account that has left; its id.
async fn sent(world: &World, client: &Client, account: &str, to: &str) -> String {
    let form =
        json!({ "channel": "email", "to": to, "subject": "Hello", "body": "Hello", "email_account_id": account });
    let id = client.post(MESSAGES, form).await.expect_status(202).id();
    world.work().await;
    id
}

/// A minute later, the worker has looked.
async fn look(world: &World) {
    world.clock.advance(MINUTE);
    world.work().await;
}

struct Reading {
    world: World,
    owner: Client,
    account: String,
    dovecot: Dovecot,
}

/// An account whose mailbox is read.
async fn reading() -> Reading {
    let world = World::new().await;
    let owner = world.owner().await;
    let dovecot = Dovecot::start(&world.mail.identity).await;
    let form = but(world.mail.form(), json!({ "imap_host": "localhost", "imap_port": dovecot.tls_port }));
    let account = owner.post(ACCOUNTS, form).await.expect_status(201).id();
    Reading { world, owner, account, dovecot }
}

#[tokio::test]
async fn a_mailbox_is_tested_and_shown_without_its_password() {
    let world = World::new().await;
    let owner = world.owner().await;
    let dovecot = Dovecot::start(&world.mail.identity).await;
    let form = |change: Value| but(but(world.mail.form(), json!({ "imap_host": "localhost" })), change);
    for (change, step) in [
        (json!({ "imap_port": dovecot.tls_port, "imap_password": "wrong one" }), "IMAP: AUTH failed"),
        (json!({ "imap_port": dovecot.port, "imap_security": "tls" }), "IMAP: TLS failed"),
        (json!({ "imap_port": 1 }), "IMAP: TCP failed"),
        (json!({ "imap_host": "nowhere.invalid" }), "IMAP: DNS failed"),
        (json!({ "imap_host": "10.0.0.1" }), "TERN_ALLOW_PRIVATE_HOSTS"),
        (json!({ "imap_host": "1.1.1.1", "imap_port": 22 }), "143 and 993"),
    ] {
        let error = owner.post(ACCOUNTS, form(change.clone())).await.expect_status(400).json();
        let error = error["error"].as_str().expect("a sentence");
        assert!(error.starts_with("Connection test failed: IMAP: ") && error.contains(step), "{change}: {error}");
    }
    owner.post(ACCOUNTS, form(json!({ "imap_host": null, "imap_port": 993 }))).await.expect_fields(&["imap_host"]);
    assert_eq!(owner.get(ACCOUNTS).await.json(), json!([]));
    let own = json!({
        "imap_port": dovecot.port, "imap_security": "starttls",
        "imap_username": dovecot::USER, "imap_password": dovecot::PASSWORD,
    });
    let account = owner.post(ACCOUNTS, form(own)).await.expect_status(201).json();
    let shown = json!([account["imap_host"], account["imap_port"], account["imap_security"], account["imap_username"]]);
    assert_eq!(shown, json!(["localhost", dovecot.port, "starttls", dovecot::USER]));
    assert_eq!((account.get("imap_password"), &account["imap_error"]), (None, &Value::Null));
}

#[tokio::test]
async fn a_mailbox_is_added_later_changed_and_left_alone_again() {
    let world = World::new().await;
    let owner = world.owner().await;
    let dovecot = Dovecot::start(&world.mail.identity).await;
    let account = owner.connect_mailbox(&world).await;
    let change = async |change: Value| owner.patch(&path(&account), change).await;
    // Whoever may change an account must not have its password sent to a server of their own.
    change(json!({ "imap_host": "127.0.0.1", "imap_port": dovecot.port })).await.expect_fields(&["imap_password"]);
    change(json!({ "imap_host": "localhost", "imap_port": 1 })).await.expect_status(400);
    assert_eq!(owner.get(&path(&account)).await.json()["imap_host"], Value::Null);
    let added = json!({ "imap_host": "localhost", "imap_port": dovecot.tls_port, "daily_send_limit": 7 });
    let shown = change(added).await.expect_status(200).json();
    assert_eq!((&shown["imap_host"], &shown["daily_send_limit"]), (&json!("localhost"), &json!(7)));
    change(json!({ "imap_port": 0 })).await.expect_fields(&["imap_port"]);
    let shown = change(
        json!({ "imap_username": dovecot::USER, "imap_port": dovecot.tls_port, "imap_password": dovecot::PASSWORD }),
    );
    assert_eq!(shown.await.expect_status(200).json()["imap_username"], dovecot::USER);
    // New credentials for sending leave the mailbox and its own password as they were.
    let replaced = owner.put(&format!("{}/credentials", path(&account)), json!({ "smtp_password": PASSWORD })).await;
    assert_eq!(replaced.expect_status(200).json()["imap_username"], dovecot::USER);
    owner.post(&format!("{}/test", path(&account)), json!({})).await.expect_status(200);
    assert_eq!(world.rows("select account_id from mailbox").await, [account.as_str()]);
    let off = change(json!({ "imap_host": null })).await.expect_status(200).json();
    assert_eq!((&off["imap_host"], &off["imap_port"]), (&Value::Null, &Value::Null));
    assert!(world.rows("select account_id from mailbox").await.is_empty());
}

/// The edit dialog's form, as a browser without a script posts it.
async fn edit(client: &Client, account: &str, fields: &[(&str, &str)]) -> Answer {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("id", account).append_pair("display_name", "Ann").append_pair("daily_limit", "100");
    for (name, value) in fields {
        form.append_pair(name, value);
    }
    let client = client.with("content-type", "application/x-www-form-urlencoded").with("accept", "application/json");
    client.call("POST", "/fn/update_account", form.finish()).await
}

#[tokio::test]
async fn the_edit_dialog_has_a_mailbox_read_otherwise_and_no_more() {
    let Reading { world, owner, account, dovecot } = reading().await;
    let looks = async || world.rows("select account_id from mailbox").await.len();
    let shown = async || owner.get(&path(&account)).await.json();
    let port = dovecot.tls_port.to_string();
    let on = ("mailbox[reads_bounces]", "yes");
    let door = [on, ("mailbox[imap_host]", "localhost"), ("mailbox[imap_security]", "tls")];
    let with = |more: &[(&'static str, &'static str)], port: &'static str| {
        [&door[..], &[("mailbox[imap_port]", port)], more].concat()
    };
    let port: &'static str = port.leak();
    // A failed test changes nothing, not even the name.
    edit(&owner, &account, &with(&[], "1")).await.expect_status(400);
    let user = [("mailbox[imap_username]", dovecot::USER), ("credentials[imap_password]", "wrong one")];
    let refused = edit(&owner, &account, &with(&user, port)).await.expect_status(400);
    assert!(refused.text.contains("AUTH failed") && !refused.text.contains("wrong one"), "{}", refused.text);
    assert_eq!((&shown().await["imap_username"], &shown().await["display_name"]), (&json!(USER), &json!(USER)));
    let user = [("mailbox[imap_username]", dovecot::USER), ("credentials[imap_password]", dovecot::PASSWORD)];
    edit(&owner, &account, &with(&user, port)).await.expect_status(200);
    assert_eq!(
        (&shown().await["imap_username"], &shown().await["display_name"]),
        (&json!(dovecot::USER), &json!("Ann"))
    );
    // An empty password is the stored one: the test signs in with it.
    owner.post(&format!("{}/test", path(&account)), json!({})).await.expect_status(200);
    edit(&owner, &account, &with(&user[..1], port)).await.expect_status(200);
    let other = [on, ("mailbox[imap_host]", "127.0.0.1"), ("mailbox[imap_port]", port)];
    let refused = edit(&owner, &account, &other).await.expect_status(400);
    assert!(refused.text.contains("imap_password") && looks().await == 1, "{}", refused.text);
    edit(&owner, &account, &[("mailbox[imap_host]", "localhost")]).await.expect_status(200);
    assert_eq!((&shown().await["imap_host"], looks().await), (&Value::Null, 0));
}

#[tokio::test]
async fn an_account_is_renamed_while_its_mailbox_cannot_be_reached() {
    let Reading { world, owner, account, dovecot } = reading().await;
    let port = dovecot.tls_port.to_string();
    drop(dovecot);
    let door = [("mailbox[reads_bounces]", "yes"), ("mailbox[imap_host]", "localhost"), ("mailbox[imap_port]", &port)];
    edit(&owner, &account, &door).await.expect_status(200);
    assert_eq!(owner.get(&path(&account)).await.json()["display_name"], "Ann");
    world.stranger().await.patch(&path(&account), json!({ "imap_host": null })).await.expect_status(404);
}

#[tokio::test]
async fn a_mail_that_comes_back_is_not_delivered_and_its_address_is_left_alone() {
    let Reading { world, owner, account, mut dovecot } = reading().await;
    let message = sent(&world, &owner, &account, "kim@example.net").await;
    let file = dovecot.deliver(&about("gmail", &message));
    look(&world).await;
    let shown = owner.message(&message).await;
    assert_eq!((&shown["status"], &shown["error"]["code"]), (&json!("undelivered"), &json!("5.1.1")));
    let text = shown["error"]["message"].as_str().expect("a sentence");
    assert!(text.starts_with("The mailbox does not exist. The server said: 550-5.1.1 The email account"), "{text}");
    let timeline = events(&owner, &message).await;
    assert_eq!(timeline.last(), Some(&("undelivered".to_owned(), "poll".to_owned())));
    assert!(file.exists(), "nothing in the mailbox has changed: it lies among the new ones");
    assert_eq!(world.rows("select reason from suppression where address = 'kim@example.net'").await, ["bounced"]);
    let again = sent(&world, &owner, &account, "kim@example.net").await;
    let again = owner.message(&again).await;
    assert_eq!((&again["status"], &again["error"]["code"]), (&json!("suppressed"), &json!("suppressed")));
    assert!(again["error"]["message"].as_str().is_some_and(|text| text.contains("came back")));
    assert_eq!(world.mail.server.kept().len(), 1);
}

#[tokio::test]
async fn a_report_counts_once_however_often_it_is_read() {
    let Reading { world, owner, account, mut dovecot } = reading().await;
    let message = sent(&world, &owner, &account, "kim@example.net").await;
    dovecot.deliver(&about("postfix_full", &message));
    look(&world).await;
    let timeline = events(&owner, &message).await;
    assert_eq!(timeline.last().map(|(status, _)| status.as_str()), Some("undelivered"));
    let bookmark = "select cast(uid_validity as text) || ':' || cast(uid_next as text) from mailbox";
    let before = world.rows(bookmark).await;
    look(&world).await;
    assert_eq!(world.rows(bookmark).await, before);
    dovecot.count_anew();
    look(&world).await;
    let after = world.rows(bookmark).await;
    assert_eq!((after.as_slice(), after == before), (["4242:2".to_owned()].as_slice(), false), "read once more");
    assert_eq!(events(&owner, &message).await, timeline);
    assert!(world.rows("select id from suppression").await.is_empty(), "a full mailbox is not a bad address");
    let day = owner.post(&format!("{MESSAGES}/{message}/retry"), json!({})).await;
    day.expect_status(200);
}

#[tokio::test]
async fn a_delay_is_news_and_no_end() {
    let Reading { world, owner, account, mut dovecot } = reading().await;
    let message = sent(&world, &owner, &account, "kim@example.net").await;
    dovecot.deliver(&about("gmail_delayed", &message));
    look(&world).await;
    assert_eq!(owner.status(&message).await, "sent");
    let story = owner.get(&format!("{MESSAGES}/{message}/events")).await.expect_status(200).json();
    let news = story.as_array().and_then(|events| events.last()).expect("an event");
    assert_eq!((&news["provider_status"], &news["error"]["code"]), (&json!("delayed"), &json!("4.4.1")));
    dovecot.deliver(&about("postfix_delivered", &message));
    look(&world).await;
    assert_eq!(owner.status(&message).await, "delivered");
    dovecot.deliver(&about("postfix_expired", &message));
    look(&world).await;
    assert_eq!(owner.status(&message).await, "delivered", "in any order");
}

#[tokio::test]
async fn what_comes_back_proves_that_it_was_sent() {
    let Reading { world, owner, account, mut dovecot } = reading().await;
    for (sample, status) in [
        ("out_of_office", "unknown"),
        ("vacation", "unknown"),
        ("own_copy", "unknown"),
        ("newsletter", "unknown"),
        ("reply", "sent"),
        ("gmail_delayed", "sent"),
        ("exchange", "undelivered"),
        ("qmail", "undelivered"),
    ] {
        let to = format!("drop-after-dot@{}.example", sample.replace('_', "-"));
        let message = sent(&world, &owner, &account, &to).await;
        assert_eq!(owner.status(&message).await, "unknown");
        let raw = about(sample, &message).replace("Message-ID: <kim-1", &format!("Message-ID: <{message}"));
        dovecot.deliver(&raw);
        look(&world).await;
        assert_eq!(owner.status(&message).await, status, "{sample}");
    }
    assert_eq!(owner.get(&path(&account)).await.json()["emails_sent_today"], 8, "all of them count");
}

#[tokio::test]
async fn a_report_in_another_mailbox_is_about_nothing() {
    let Reading { world, owner, account: other, mut dovecot } = reading().await;
    let form = but(world.mail.form(), json!({ "email_address": "b@tern.example" }));
    let account = owner.post(ACCOUNTS, form.clone()).await.expect_status(201).id();
    let message = sent(&world, &owner, &account, "kim@example.net").await;
    let stranger = world.stranger().await;
    let theirs = stranger.post(ACCOUNTS, form).await.expect_status(201).id();
    let foreign = sent(&world, &stranger, &theirs, "kim@example.net").await;
    for id in [&message, &foreign] {
        dovecot.deliver(&about("gmail", id).replace("gmr@mx", &format!("{id}@mx")));
    }
    look(&world).await;
    assert_eq!((owner.status(&message).await, stranger.status(&foreign).await), ("sent".to_owned(), "sent".to_owned()));
    assert!(world.rows("select id from suppression").await.is_empty());
    assert_ne!(other, account);
}

#[tokio::test]
async fn a_message_that_is_to_be_sent_once_more_is_not_stopped_by_old_news() {
    let Reading { world, owner, account, mut dovecot } = reading().await;
    let message = sent(&world, &owner, &account, "kim@example.net").await;
    dovecot.deliver(&about("postfix_full", &message));
    look(&world).await;
    owner.patch(&path(&account), json!({ "is_active": false })).await.expect_status(200);
    owner.post(&format!("{MESSAGES}/{message}/retry"), json!({})).await.expect_status(200);
    dovecot.deliver(&about("postfix_expired", &message));
    look(&world).await;
    assert_eq!(owner.status(&message).await, "queued");
    owner.patch(&path(&account), json!({ "is_active": true })).await.expect_status(200);
    world.work().await;
    assert_eq!(owner.status(&message).await, "sent");
}

#[tokio::test]
async fn a_mailbox_that_cannot_be_read_holds_up_nothing_and_says_why() {
    let Reading { world, owner, account, mut dovecot } = reading().await;
    let port = format!("\"port\":{}", dovecot.tls_port);
    let change = "update account set settings = replace(settings, $1, $2)";
    world.tamper(change, &[&port, "\"port\":1"]).await;
    look(&world).await;
    let error = owner.get(&path(&account)).await.json()["imap_error"].clone();
    assert!(error.as_str().is_some_and(|text| text.starts_with("TCP failed")), "{error}");
    let told = doctor::examine(&world.app).await.expect("a report").join("\n");
    let dialog = owner.get(&format!("/accounts?edit={account}")).await.expect_status(200).text;
    for text in [&told, &dialog] {
        assert!(text.contains("Its mailbox cannot be read, so bounces and replies are not seen: TCP failed"), "{text}");
    }
    let page = owner.get("/accounts").await.expect_status(200).text;
    assert!(page.contains("Its mailbox cannot be read") && page.contains("See why and mend it"), "{page}");
    let message = sent(&world, &owner, &account, "kim@example.net").await;
    assert_eq!(owner.status(&message).await, "sent");
    assert_eq!(owner.get(&path(&account)).await.json()["connection_status"], "connected");
    dovecot.deliver(&about("gmail", &message));
    world.tamper(change, &["\"port\":1", &port]).await;
    for _ in 0..3 {
        look(&world).await;
    }
    assert_eq!(owner.status(&message).await, "undelivered");
    assert_eq!(owner.get(&path(&account)).await.json()["imap_error"], Value::Null);
}

#[tokio::test]
async fn many_mails_are_read_in_bounded_steps() {
    let Reading { world, owner, account, mut dovecot } = reading().await;
    let message = sent(&world, &owner, &account, "kim@example.net").await;
    look(&world).await;
    for n in 0..450 {
        dovecot.deliver(&format!("From: a@example.com\r\nMessage-ID: <{n}@example.com>\r\n\r\nHello\r\n"));
    }
    dovecot.deliver(&about("ses", &message));
    look(&world).await;
    assert_eq!(owner.status(&message).await, "sent", "200 at a time");
    for _ in 0..2 {
        world.clock.advance(1_000);
        world.work().await;
    }
    assert_eq!(owner.status(&message).await, "undelivered");
}

/// Two runs of one lead by mail, and the mailbox that is read.
async fn enrolled(owner: &Client, world: &World) -> (String, String) {
    let form = json!({ "name": "Mail", "channel": "email", "subject": "Hello", "body": "Hello" });
    let template = owner.post("/api/templates", form).await.expect_status(201).id();
    let step = json!({ "channel": "email", "delay_hours": 0, "template_id": template });
    let later = json!({ "channel": "email", "delay_hours": 24, "template_id": template });
    let form = json!({ "name": "Follow-up", "steps": [step, later], "is_active": true });
    let sequence = owner.post("/api/sequences", form).await.expect_status(201).id();
    let lead = owner.post("/api/leads", json!({ "email": "kim@example.net", "phone": "+14155552671" })).await;
    let lead = lead.expect_status(201).id();
    let path = format!("/api/sequences/{sequence}/enroll");
    owner.post(&path, json!({ "lead_ids": [lead] })).await.expect_status(200);
    world.work().await;
    let sent = world.rows("select id from message where direction = 'outbound'").await;
    (sequence, sent[0].clone())
}

async fn run(owner: &Client, sequence: &str) -> Value {
    owner.get(&format!("/api/sequences/{sequence}/enrollments")).await.expect_status(200).json()["data"][0].clone()
}

#[tokio::test]
async fn an_answer_by_mail_is_a_message_and_ends_the_run() {
    let Reading { world, owner, mut dovecot, .. } = reading().await;
    let (sequence, message) = enrolled(&owner, &world).await;
    // From another address than the one that was written to, as people do.
    dovecot.deliver(&about("reply", &message).replace("From: Kim <kim@example.net>", "From: Kim <KIM@home.example>"));
    for _ in 0..2 {
        look(&world).await;
    }
    let list = owner.get("/api/messages?limit=1").await.json()["data"][0].clone();
    let seen = json!([list["direction"], list["from"], list["subject"], list["body"]]);
    assert_eq!(seen, json!(["inbound", "kim@home.example", "Re: Hello", "Yes, gladly.\n\n> Hello"]));
    assert_eq!(world.rows("select cast(count(*) as text) from message where direction = 'inbound'").await, ["1"]);
    let run = run(&owner, &sequence).await;
    assert_eq!(
        (&run["status"], &run["stop_reason"], &run["lead_id"]),
        (&json!("stopped"), &json!("replied"), &list["lead_id"])
    );
    world.clock.advance(2 * tern::domain::time::DAY);
    world.work().await;
    assert_eq!(world.mail.server.kept().len(), 1);
}

#[tokio::test]
async fn stop_by_mail_counts_for_every_channel_and_a_complaint_does_too() {
    for (sample, reason) in [("reply", "stopped"), ("complaint", "complained")] {
        let Reading { world, owner, mut dovecot, .. } = reading().await;
        let (sequence, message) = enrolled(&owner, &world).await;
        dovecot.deliver(&about(sample, &message).replace("Yes, gladly.", "Please remove me from your list."));
        look(&world).await;
        let list = owner.get("/api/suppressions").await.json();
        let reasons: Vec<&str> =
            list["data"].as_array().expect("a list").iter().filter_map(|one| one["reason"].as_str()).collect();
        assert_eq!(reasons, [reason; 3], "{list}");
        assert_eq!(run(&owner, &sequence).await["stop_reason"], "opted_out");
    }
}

#[tokio::test]
async fn whoever_is_away_is_left_alone_until_they_are_back() {
    for (says, until) in
        [("I am back on December 1st.", "2026-12-01T00:00:00Z"), ("I am out of the office.", "2026-11-25T09:31:00Z")]
    {
        let Reading { world, owner, mut dovecot, .. } = reading().await;
        let (sequence, message) = enrolled(&owner, &world).await;
        let raw = about("out_of_office", &message)
            .replace("I am out of the office. A mail could not be delivered to my desk.", says);
        dovecot.deliver(&raw);
        look(&world).await;
        let run = run(&owner, &sequence).await;
        assert_eq!((&run["status"], &run["next_step_at"]), (&json!("active"), &json!(until)), "{says}");
        assert!(
            world.rows("select id from message where direction = 'inbound'").await.is_empty(),
            "a machine is nobody"
        );
    }
}
