//! Messages: sent once, followed to their end, never lost and never doubled.

use super::{MESSAGES, connected, events, form, post};
use crate::support::{OWN_NUMBER, RECIPIENT, Wishes, World, but, until};
use serde_json::{Value, json};
use std::time::Duration;
use tern::{
    domain::time::{DAY, HOUR, MINUTE},
    server::simulate::{Fault, On},
};

#[tokio::test]
async fn a_message_is_stored_sent_and_followed_to_its_end() {
    let (world, owner, account) = connected().await;
    let message = owner.post(MESSAGES, form()).await.expect_status(202).json();
    let id = message["id"].as_str().expect("an id");
    let shape = json!({
        "id": id, "channel": "sms", "direction": "outbound", "to": RECIPIENT, "from": OWN_NUMBER, "subject": null,
        "body": "Hello", "status": "queued", "account_id": account, "lead_id": null, "provider_message_id": null,
        "segments": 1, "attempts": 0, "error": null, "waiting": null, "is_demo": false,
        "created_at": "2026-11-22T09:30:00Z", "updated_at": "2026-11-22T09:30:00Z",
    });
    assert_eq!(message, shape);
    assert!(world.twilio.accepted().is_empty(), "nothing leaves before the worker comes");
    world.work().await;
    let accepted = owner.message(id).await;
    assert_eq!((&accepted["status"], &accepted["attempts"]), (&json!("accepted"), &json!(1)));
    let [sent] = &world.twilio.accepted()[..] else { panic!("one message") };
    assert_eq!((sent.to.as_str(), sent.from.as_deref(), sent.body.as_str()), (RECIPIENT, Some(OWN_NUMBER), "Hello"));
    assert_eq!(accepted["provider_message_id"], json!(sent.sid));
    world.hear_all().await;
    assert_eq!(owner.status(id).await, "delivered");
    let told = [("queued", "api"), ("accepted", "worker"), ("sent", "webhook"), ("delivered", "webhook")];
    assert_eq!(events(&owner, id).await, told.map(|(status, source)| (status.to_owned(), source.to_owned())));
    let account = owner.get(&format!("/api/messaging-accounts/{account}")).await.json();
    assert_eq!(account["messages_sent_today"], 1);
}

#[tokio::test]
async fn reports_in_any_order_and_any_number_of_times_lead_to_the_same_end() {
    let (world, owner, _) = connected().await;
    for (to, end) in [(RECIPIENT, "delivered"), ("+15005550030", "undelivered"), ("+15005550070", "failed")] {
        for order in [[0, 1, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 1, 1]] {
            let id = owner.send(to).await;
            world.work().await;
            let callbacks = world.twilio.take_callbacks();
            for at in order {
                let callback = &callbacks[at.min(callbacks.len() - 1)];
                world.hand_back(callback).await.expect_status(200);
            }
            let message = owner.message(&id).await;
            assert_eq!(message["status"], end, "{to} {order:?}");
            assert_eq!(message["error"].is_null(), end == "delivered", "{message}");
            assert_eq!(events(&owner, &id).await.len(), 2 + callbacks.len(), "a repeat adds nothing");
        }
    }
}

#[tokio::test]
async fn reports_of_many_messages_may_be_shuffled_and_come_at_the_same_time() {
    let (world, owner, _) = connected().await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        ids.push(owner.send(RECIPIENT).await);
    }
    world.work().await;
    let mut callbacks = world.twilio.take_callbacks();
    callbacks.reverse();
    callbacks.extend(callbacks.clone());
    let answers = futures::future::join_all(callbacks.iter().map(|callback| world.hand_back(callback))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    for id in &ids {
        assert_eq!(owner.status(id).await, "delivered");
    }
    assert_eq!(world.twilio.accepted().len(), 10);
}

#[tokio::test]
async fn a_refused_message_fails_with_its_code_and_costs_no_quota() {
    let (world, owner, account) = connected().await;
    let id = owner.send("+15005550001").await;
    world.work().await;
    let message = owner.message(&id).await;
    assert_eq!(message["status"], "failed");
    assert_eq!((&message["error"]["code"], &message["error"]["retryable"]), (&json!("21211"), &json!(false)));
    assert!(message["error"]["message"].as_str().is_some_and(|text| text.len() > 10), "{message}");
    let account = owner.get(&format!("/api/messaging-accounts/{account}")).await.json();
    assert_eq!(account["messages_sent_today"], 0);
    world.work().await;
    assert_eq!(owner.message(&id).await["attempts"], 1, "it is not tried again");
}

#[tokio::test]
async fn a_failed_message_is_sent_again_when_a_person_says_so() {
    let (world, owner, _) = connected().await;
    let id = owner.send("+15005550030").await;
    post(&owner, &id, "retry", json!({})).await.expect_status(409);
    world.work().await;
    world.hear_all().await;
    assert_eq!(owner.status(&id).await, "undelivered");
    let again = post(&owner, &id, "retry", json!({})).await.expect_status(200).json();
    assert_eq!((&again["status"], &again["error"]), (&json!("queued"), &Value::Null));
    world.work().await;
    let second = owner.message(&id).await;
    assert_eq!((&second["status"], &second["attempts"]), (&json!("accepted"), &json!(2)));
    let accepted = world.twilio.accepted();
    assert_eq!(accepted.len(), 2);
    assert_eq!(second["provider_message_id"], json!(accepted[1].sid), "the new try is asked about, not the old one");
    world.hear_all().await;
    assert_eq!(owner.status(&id).await, "undelivered");
}

#[tokio::test]
async fn a_late_report_of_an_earlier_try_does_not_end_the_next_one() {
    let (world, owner, _) = connected().await;
    let id = owner.send("+15005550030").await;
    world.work().await;
    let [sent, undelivered] = &world.twilio.take_callbacks()[..] else { panic!("two reports") };
    world.hand_back(undelivered).await.expect_status(200);
    post(&owner, &id, "retry", json!({})).await.expect_status(200);
    world.hand_back(sent).await.expect_status(200);
    assert_eq!(owner.status(&id).await, "queued");
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 2);
    assert_eq!(owner.status(&id).await, "accepted");
}

#[tokio::test]
async fn the_same_idempotency_key_sends_one_message() {
    let (world, owner, _) = connected().await;
    let once = owner.with("idempotency-key", "order-7");
    let first = once.post(MESSAGES, form()).await.expect_status(202).json();
    world.work().await;
    once.post(MESSAGES, but(form(), json!({ "body": "Other" }))).await.expect_status(422);
    let world = world.restart().await;
    let owner = world.client(owner.credentials);
    let once = owner.with("idempotency-key", "order-7");
    assert_eq!(once.post(MESSAGES, form()).await.expect_status(202).json()["id"], first["id"]);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 1);
    let stranger = world.stranger().await;
    stranger.connect_twilio().await;
    let theirs = stranger.with("idempotency-key", "order-7").post(MESSAGES, form()).await.expect_status(202).json();
    assert_ne!(theirs["id"], first["id"], "a key belongs to its organization");
    for bad in ["", "with space", &"x".repeat(256)] {
        owner.with("idempotency-key", bad).post(MESSAGES, form()).await.expect_fields(&["Idempotency-Key"]);
    }
}

#[tokio::test]
async fn a_repeat_gets_the_very_answer_of_the_first() {
    let (world, owner, _) = connected().await;
    let once = owner.with("idempotency-key", "order-9");
    let strict = but(form(), json!({ "on_limit": "reject", "body": "Grüße \"👋🏽\"\n" }));
    for (key, body) in [("order-10", form()), ("order-11", strict)] {
        let once = owner.with("idempotency-key", key);
        let first = once.post(MESSAGES, body.clone()).await.expect_status(202);
        world.work().await;
        world.hear_all().await;
        assert_eq!(owner.status(&first.id()).await, "delivered");
        let again = once.post(MESSAGES, body).await.expect_status(202);
        assert_eq!((&again.text, again.headers.get("content-type")), (&first.text, first.headers.get("content-type")));
    }
    // Nothing leaves before the worker comes, so the time is over first.
    let waiting = format!("{MESSAGES}?wait=1");
    let first = once.post(&waiting, form()).await.expect_status(200);
    assert_eq!(first.json()["status"], "queued");
    let unheard = once.post(MESSAGES, form()).await.expect_status(202);
    assert_eq!(unheard.id(), first.id());
    world.work().await;
    assert_eq!(once.post(&waiting, form()).await.expect_status(200).text, first.text);
    assert_eq!(once.post(MESSAGES, form()).await.expect_status(202).text, unheard.text);
    // Whoever waits only now is told what has become of it, and from then on always the same.
    let late = owner.with("idempotency-key", "order-10");
    let waited = late.post(&waiting, form()).await.expect_status(200);
    assert_eq!(waited.json()["status"], "delivered");
    assert_eq!(late.post(&waiting, form()).await.expect_status(200).text, waited.text);
}

#[tokio::test]
async fn an_answer_from_before_answers_were_kept_is_the_message_of_now() {
    let (world, owner, _) = connected().await;
    let once = owner.with("idempotency-key", "order-12");
    let first = once.post(MESSAGES, form()).await.expect_status(202);
    world.tamper("update idempotency set answer = null where key = $1", &["order-12"]).await;
    world.work().await;
    let again = once.post(MESSAGES, form()).await.expect_status(202);
    assert_eq!((again.id(), &again.json()["status"]), (first.id(), &json!("accepted")));
}

#[tokio::test]
async fn the_same_idempotency_key_at_the_same_time_sends_one_message() {
    let (world, owner, _) = connected().await;
    let once = owner.with("idempotency-key", "order-8");
    let answers = futures::future::join_all((0..8).map(|_| once.post(MESSAGES, form()))).await;
    let good = answers.iter().filter(|answer| answer.status == 202).map(crate::support::Answer::id);
    let ids: std::collections::BTreeSet<String> = good.collect();
    assert_eq!(ids.len(), 1);
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 202 | 409)));
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 1);
}

#[tokio::test]
async fn a_caller_may_wait_for_the_provider() {
    let (world, owner, _) = connected().await;
    let path = format!("{MESSAGES}?wait=30");
    let (answer, ()) = tokio::join!(owner.post(&path, form()), async {
        until(async || !owner.get(MESSAGES).await.json()["data"][0].is_null()).await;
        world.work().await;
    });
    assert_eq!(answer.expect_status(200).json()["status"], "accepted");
    let answer = owner.post(&format!("{MESSAGES}?wait=1"), form()).await.expect_status(200);
    assert_eq!(answer.json()["status"], "queued", "nobody spoke");
    for bad in ["0", "31", "-1", "soon", ""] {
        owner.post(&format!("{MESSAGES}?wait={bad}"), form()).await.expect_fields(&["wait"]);
    }
}

#[tokio::test]
async fn a_message_without_an_answer_is_unknown_and_never_sent_again_by_itself() {
    for fault in [Fault::AcceptThenDrop, Fault::AcceptThenFail, Fault::Nonsense] {
        let (world, owner, account) = connected().await;
        let id = owner.send(RECIPIENT).await;
        world.twilio.misbehave_on(On::Create, fault, 1);
        world.work().await;
        assert_eq!(owner.status(&id).await, "unknown", "{fault:?}");
        let account = owner.get(&format!("/api/messaging-accounts/{account}")).await.json();
        assert_eq!(account["messages_sent_today"], 1, "it may have cost quota");
        world.clock.advance(2 * DAY);
        world.work().await;
        assert_eq!(world.twilio.accepted().len(), 1, "{fault:?}");
        world.hear_all().await;
        assert_eq!(owner.status(&id).await, "delivered", "a report is evidence");
        world.work().await;
        assert_eq!(world.twilio.accepted().len(), 1);
    }
}

#[tokio::test]
async fn a_provider_that_never_answers_leaves_the_message_unknown() {
    let world = World::with(Wishes { patience: Duration::from_secs(2), ..Wishes::default() }).await;
    let owner = world.owner().await;
    owner.connect_twilio().await;
    let id = owner.send(RECIPIENT).await;
    world.twilio.misbehave(Fault::AcceptThenHang, 1);
    world.work().await;
    assert_eq!(owner.status(&id).await, "unknown");
    world.clock.advance(2 * DAY);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 1);
}

#[tokio::test]
async fn a_person_settles_what_is_unknown() {
    let (world, owner, _) = connected().await;
    world.twilio.misbehave_on(On::Create, Fault::Fail, 2);
    let (sent, lost) = (owner.send(RECIPIENT).await, owner.send(RECIPIENT).await);
    post(&owner, &sent, "resolve", json!({ "as": "sent" })).await.expect_status(409);
    world.work().await;
    post(&owner, &sent, "resolve", json!({ "as": "maybe" })).await.expect_fields(&["as"]);
    post(&owner, &sent, "resolve", json!({ "as": 1 })).await.expect_fields(&["as"]);
    post(&owner, &sent, "retry", json!({})).await.expect_status(409);
    let answer = post(&owner, &sent, "resolve", json!({ "as": "sent" })).await.expect_status(200);
    assert_eq!(answer.json()["status"], "sent");
    let answer = post(&owner, &lost, "resolve", json!({ "as": "not_sent" })).await.expect_status(200);
    assert_eq!(answer.json()["status"], "queued");
    world.work().await;
    assert_eq!((owner.status(&sent).await, owner.status(&lost).await), ("sent".into(), "accepted".into()));
    assert_eq!(world.twilio.accepted().len(), 1);
}

#[tokio::test]
async fn a_server_that_dies_while_sending_leaves_the_message_unknown() {
    let (world, owner, _) = connected().await;
    let id = owner.send(RECIPIENT).await;
    world.twilio.misbehave(Fault::AcceptThenHang, 1);
    world.worker.pass().await.expect("a pass");
    until(async || !world.twilio.accepted().is_empty()).await;
    assert_eq!(owner.status(&id).await, "sending");
    let credentials = owner.credentials.clone();
    let world = world.crash().await;
    let owner = world.client(credentials);
    world.work().await;
    assert_eq!(owner.status(&id).await, "sending", "the lease still runs");
    world.clock.advance(2 * MINUTE);
    world.work().await;
    assert_eq!(owner.status(&id).await, "unknown");
    world.clock.advance(2 * DAY);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 1, "it is never sent twice");
    world.hear_all().await;
    assert_eq!(owner.status(&id).await, "delivered");
}

#[tokio::test]
async fn the_only_owner_of_a_folder_settles_at_its_start_what_the_last_one_left() {
    let (world, owner, _) = connected().await;
    let id = owner.send(RECIPIENT).await;
    world.twilio.misbehave(Fault::AcceptThenHang, 1);
    world.worker.pass().await.expect("a pass");
    until(async || !world.twilio.accepted().is_empty()).await;
    let credentials = owner.credentials.clone();
    let world = world.crash().await;
    let owner = world.client(credentials);
    let running = tokio::spawn(world.worker.clone().run());
    until(async || owner.status(&id).await != "sending").await;
    assert_eq!(owner.status(&id).await, "unknown");
    world.app.stop.cancel();
    running.await.expect("a worker that stops");
    assert_eq!(world.twilio.accepted().len(), 1);
}

#[tokio::test]
async fn a_queued_message_is_canceled_and_never_leaves() {
    let (world, owner, _) = connected().await;
    let id = owner.send(RECIPIENT).await;
    let canceled = post(&owner, &id, "cancel", json!({})).await.expect_status(200).json();
    assert_eq!(canceled["status"], "canceled");
    post(&owner, &id, "cancel", json!({})).await.expect_status(409);
    world.work().await;
    assert!(world.twilio.accepted().is_empty());
    let id = owner.send(RECIPIENT).await;
    world.work().await;
    post(&owner, &id, "cancel", json!({})).await.expect_status(409);
}

#[tokio::test]
async fn a_message_for_later_leaves_at_its_time() {
    let (world, owner, _) = connected().await;
    let later = but(form(), json!({ "send_at": "2026-11-22T10:30:00Z" }));
    let message = owner.post(MESSAGES, later).await.expect_status(202).json();
    assert_eq!(message["waiting"]["reason"], "scheduled");
    assert_eq!(message["waiting"]["until"], "2026-11-22T10:30:00Z");
    world.work().await;
    assert!(world.twilio.accepted().is_empty());
    world.clock.advance(HOUR);
    world.work().await;
    assert_eq!(world.twilio.accepted().len(), 1);
}

#[tokio::test]
async fn a_report_that_gets_lost_is_asked_for() {
    let (world, owner, _) = connected().await;
    let id = owner.send(RECIPIENT).await;
    world.work().await;
    world.twilio.take_callbacks();
    world.clock.advance(MINUTE);
    world.work().await;
    assert_eq!(owner.status(&id).await, "delivered");
    assert_eq!(events(&owner, &id).await.last(), Some(&("delivered".to_owned(), "poll".to_owned())));
}

#[tokio::test]
async fn the_sandbox_delivers_and_answers_a_question() {
    let world = World::new().await;
    let owner = world.owner().await;
    let account = json!({ "provider": "sandbox", "channel": "whatsapp", "phone_number": "+14155550111" });
    owner.post("/api/messaging-accounts", account).await.expect_status(201);
    let question = json!({ "channel": "whatsapp", "to": RECIPIENT, "body": "Shall I call?" });
    let id = owner.post(MESSAGES, question).await.expect_status(202).id();
    for _ in 0..8 {
        world.work().await;
        world.clock.advance(MINUTE);
    }
    assert_eq!(owner.status(&id).await, "read");
    let list = owner.get(&format!("{MESSAGES}?channel=whatsapp")).await.expect_status(200).json();
    assert_eq!(list["data"][0]["direction"], "inbound");
    assert_eq!(list["data"].as_array().map(Vec::len), Some(2), "answered once");
}

#[tokio::test]
async fn a_list_is_paged_and_filtered() {
    let (world, owner, account) = connected().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        world.clock.advance(1);
        ids.push(owner.send(RECIPIENT).await);
    }
    ids.reverse();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = owner.get(&format!("{MESSAGES}?limit=2&cursor={cursor}")).await.expect_status(200).json();
        seen.extend(
            page["data"].as_array().expect("a list").iter().filter_map(|m| m["id"].as_str().map(str::to_owned)),
        );
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    let count = async |query: &str| {
        let page = owner.get(&format!("{MESSAGES}?{query}")).await.expect_status(200).json();
        page["data"].as_array().map(Vec::len)
    };
    assert_eq!(count("status=queued&channel=sms").await, Some(5));
    assert_eq!(count("status=failed").await, Some(0));
    assert_eq!(count(&format!("account_id={account}")).await, Some(5));
    assert_eq!(count("q=hell").await, Some(5));
    assert_eq!(count("q=%25").await, Some(0), "a percent sign is no wildcard");
    for (field, bad) in [
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "1000000000"),
        ("limit", "201"),
        ("limit", "many"),
        ("status", "gone"),
        ("channel", "fax"),
        ("cursor", "%00"),
        ("account_id", "%FF"),
        ("q", "%00"),
    ] {
        owner.get(&format!("{MESSAGES}?{field}={bad}")).await.expect_fields(&[field]);
    }
}

#[tokio::test]
async fn another_organization_finds_no_message() {
    let (world, owner, _) = connected().await;
    let id = owner.send(RECIPIENT).await;
    let stranger = world.stranger().await;
    assert_eq!(stranger.get(MESSAGES).await.json()["data"], json!([]));
    for id in [id.as_str(), "01ARZ3NDEKTSV4RRFFQ69G5FAV", "x", "%00"] {
        stranger.get(&format!("{MESSAGES}/{id}")).await.expect_error(404, "Not found");
        stranger.get(&format!("{MESSAGES}/{id}/events")).await.expect_error(404, "Not found");
        for (what, body) in [("cancel", json!({})), ("retry", json!({})), ("resolve", json!({ "as": "sent" }))] {
            post(&stranger, id, what, body).await.expect_error(404, "Not found");
        }
    }
    assert_eq!(owner.status(&id).await, "queued");
}

#[tokio::test]
async fn without_an_account_nothing_can_be_sent() {
    let world = World::new().await;
    let owner = world.owner().await;
    owner.post(MESSAGES, form()).await.expect_error(400, "Missing Twilio credentials");
    let mail = json!({ "channel": "email", "to": "a@example.com", "subject": "Hi", "body": "Hello" });
    owner.post(MESSAGES, mail.clone()).await.expect_error(400, "No email account specified");
    for id in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "x", "\u{0}"] {
        let named = but(mail.clone(), json!({ "email_account_id": id }));
        owner.post(MESSAGES, named).await.expect_error(404, "Email account not found");
        let named = but(form(), json!({ "messaging_account_id": id }));
        owner.post(MESSAGES, named).await.expect_error(404, "Messaging account not found");
    }
    let lead = but(form(), json!({ "to": null, "lead_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV" }));
    owner.post(MESSAGES, lead).await.expect_error(404, "Lead not found");
    owner.post(MESSAGES, but(form(), json!({ "channel": "fax" }))).await.expect_error(400, "Unknown channel: fax");
}

#[tokio::test]
async fn bad_input_names_its_field() {
    let (world, owner, account) = connected().await;
    for (field, values) in [
        ("channel", json!(["", "fax", "SMS ", 1, [], null])),
        ("to", json!(["", " ", "hello", "+1", "+1415555019\u{200b}9", "9".repeat(500), 14_155_550_199_u64, {}, null])),
        ("body", json!(["", " \n ", "a\u{0}b", "a\u{1b}b", "x".repeat(1_601), 7, [], null])),
        ("subject", json!(["Hi", 1])),
        ("send_at", json!(["tomorrow", "2026-02-31T00:00:00Z", "2026-11-22", 1_795_339_800_u64])),
        ("on_limit", json!(["drop", 1])),
        ("messaging_account_id", json!([7, {}])),
    ] {
        for value in values.as_array().expect("values") {
            let answer = owner.post(MESSAGES, but(form(), json!({ "messaging_account_id": account }))).await;
            answer.expect_status(202);
            let mut bad = form();
            bad[field] = value.clone();
            owner.post(MESSAGES, bad).await.expect_fields(&[field]);
        }
    }
    let stored = world.rows("select distinct body from message").await;
    assert_eq!(stored, ["Hello"]);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused() {
    let (world, owner, _) = connected().await;
    let typed = owner.with("content-type", "application/json; charset=utf-8");
    for bad in ["", "{", "[]", "null", "7", "\"x\"", "{\"a\":1}}", "{'a':1}", &"[".repeat(200_000)] {
        let answer = typed.call("POST", MESSAGES, bad.to_owned()).await.expect_status(400);
        assert_eq!(answer.json()["code"], "invalid_json", "{}", answer.text);
    }
    typed.call("POST", MESSAGES, vec![0xff, 0xfe]).await.expect_status(400);
    for size in [600_000, 10_000_000] {
        let large = format!("{{\"body\":\"{}\"}}", "x".repeat(size));
        typed.call("POST", MESSAGES, large).await.expect_error(413, "The request is too large");
    }
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"] {
        let typed = owner.with("content-type", content_type);
        typed.call("POST", MESSAGES, form().to_string()).await.expect_status(415);
    }
    owner.call("POST", MESSAGES, form().to_string()).await.expect_status(415);
    owner.call("PUT", MESSAGES, String::new()).await.expect_status(405);
    owner.get("/api/nothing").await.expect_error(404, "Not found");
    assert!(world.rows("select id from message").await.is_empty());
}
