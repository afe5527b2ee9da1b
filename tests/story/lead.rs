//! Leads: one person once, by any address and in any notation; what is sent to them and what they answer is theirs.

use super::{MESSAGES, connected, form};
use crate::support::{Client, OWN_NUMBER, PUBLIC_URL, RECIPIENT, World, but};
use serde_json::{Value, json};

const LEADS: &str = "/api/leads";

async fn create(owner: &Client, lead: Value) -> String {
    owner.post(LEADS, lead).await.expect_status(201).id()
}

#[tokio::test]
async fn a_lead_is_stored_as_it_was_given_and_changed_field_by_field() {
    let world = World::new().await;
    let owner = world.owner().await;
    let given = json!({
        "name": " Kim Lee ", "company": "Northwind", "email": "Kim@Example.com", "phone": "+1 (415) 555-2671",
        "time_zone": "Europe/Berlin", "custom": { "Plan": "pro", "seats": 12 }, "tags": ["VIP", "fair  2026", "vip"],
    });
    let lead = owner.post(LEADS, given).await.expect_status(201).json();
    let id = lead["id"].as_str().expect("an id");
    let shape = json!({
        "id": id, "name": "Kim Lee", "company": "Northwind", "email": "kim@example.com", "phone": "+1 (415) 555-2671",
        "phone_number": "+14155552671", "whatsapp": null, "whatsapp_number": null, "time_zone": "Europe/Berlin",
        "custom": { "plan": "pro", "seats": "12" }, "tags": ["fair 2026", "vip"], "notes": "", "is_demo": false,
        "contacted_at": null, "replied_at": null, "created_at": "2026-11-22T09:30:00Z", "updated_at": "2026-11-22T09:30:00Z",
    });
    assert_eq!(lead, shape);
    let one = format!("{LEADS}/{id}");
    assert_eq!(owner.get(&one).await.expect_status(200).json(), shape);
    let change = json!({ "company": null, "custom": { "plan": null, "city": "Berlin" }, "tags": ["customer"] });
    let changed = owner.patch(&one, change).await.expect_status(200).json();
    assert_eq!((&changed["company"], &changed["name"]), (&json!(null), &json!("Kim Lee")));
    assert_eq!(
        (&changed["custom"], &changed["tags"]),
        (&json!({ "city": "Berlin", "seats": "12" }), &json!(["customer"]))
    );
    // To another organization it does not exist.
    let stranger = world.stranger().await;
    stranger.get(&one).await.expect_status(404);
    stranger.patch(&one, json!({ "name": "Mine" })).await.expect_status(404);
    stranger.delete(&one).await.expect_status(404);
    let theirs = create(&stranger, json!({ "email": "lee@example.com" })).await;
    stranger.post(&format!("{LEADS}/{theirs}/merge"), json!({ "lead_id": id })).await.expect_status(404);
    assert_eq!(owner.get(&one).await.expect_status(200).json()["name"], "Kim Lee");
    owner.delete(&one).await.expect_status(200);
    owner.get(&one).await.expect_status(404);
    owner.delete(&one).await.expect_status(404);
}

#[tokio::test]
async fn bad_input_names_its_field_and_stores_nothing() {
    let world = World::new().await;
    let owner = world.owner().await;
    for (given, field) in [
        (json!({ "name": "Kim" }), "email"),
        (json!({ "email": "kim" }), "email"),
        (json!({ "phone": "4155552671" }), "phone"),
        (json!({ "email": "kim@example.com", "time_zone": "Mars" }), "time_zone"),
        (json!({ "email": "kim@example.com", "custom": [1] }), "custom"),
        (json!({ "email": "kim@example.com", "custom": { "plan": [] } }), "custom.plan"),
        (json!({ "email": "kim@example.com", "tags": "vip" }), "tags"),
        (json!({ "email": "kim@example.com", "tags": [1] }), "tags"),
        (json!({ "email": "kim@example.com", "score": 7 }), "score"),
    ] {
        let answer = owner.post(LEADS, given.clone()).await.expect_status(400).json();
        assert!(answer["fields"][field].is_string(), "{given}: {answer}");
    }
    for query in [
        "?cursor=x",
        "?limit=0",
        "?conditions=x",
        "?conditions=[{\"field\":\"password\",\"op\":\"is\",\"value\":\"x\"}]",
    ] {
        owner.get(&format!("{LEADS}{}", query.replace('"', "%22"))).await.expect_status(400);
    }
    assert_eq!(owner.get(LEADS).await.expect_status(200).json()["data"], json!([]));
}

#[tokio::test]
async fn one_person_is_one_lead_in_any_notation() {
    let world = World::new().await;
    let owner = world.owner().await;
    let kim = create(&owner, json!({ "email": "kim@example.com", "phone": "+52 1 55 1234 5678" })).await;
    for same in [
        json!({ "email": "KIM@example.com" }),
        json!({ "phone": "+525512345678" }),
        json!({ "whatsapp": "+52 55 1234 5678", "email": "other@example.com" }),
    ] {
        let answer = owner.post(LEADS, same.clone()).await.expect_status(409).json();
        assert_eq!((&answer["code"], &answer["id"]), (&json!("duplicate_lead"), &json!(kim)), "{same}");
    }
    let lee = create(&owner, json!({ "email": "lee@example.com" })).await;
    owner.patch(&format!("{LEADS}/{lee}"), json!({ "whatsapp": "+525512345678" })).await.expect_status(409);
    // It is no other's than one's own.
    owner.patch(&format!("{LEADS}/{kim}"), json!({ "whatsapp": "+525512345678" })).await.expect_status(200);
    // Another organization knows whom it likes.
    let stranger = world.stranger().await;
    create(&stranger, json!({ "email": "kim@example.com" })).await;
}

#[tokio::test]
async fn a_message_to_a_lead_goes_to_its_address_for_the_channel() {
    let (world, owner, account) = connected().await;
    let kim = create(&owner, json!({ "name": "Kim", "phone": RECIPIENT })).await;
    let to_kim = |more: Value| but(but(form(), json!({ "to": null, "lead_id": kim })), more);
    let message = owner.post(MESSAGES, to_kim(json!({}))).await.expect_status(202).json();
    assert_eq!((&message["to"], &message["lead_id"]), (&json!(RECIPIENT), &json!(kim)));
    let answer = owner.post(MESSAGES, to_kim(json!({ "channel": "email", "subject": "Hello" }))).await;
    assert_eq!(answer.expect_status(400).json()["error"], "No email contact for lead");
    for unknown in ["01JDF3ZS0V8R4C7N2Q9W5K6M1T", "nobody"] {
        let answer = owner.post(MESSAGES, to_kim(json!({ "lead_id": unknown }))).await;
        assert_eq!(answer.expect_status(404).json()["error"], "Lead not found");
    }
    // Who writes to the number writes to the lead, too; and so does whoever answers from it.
    let by_number = owner.post(MESSAGES, form()).await.expect_status(202).json();
    assert_eq!(by_number["lead_id"], json!(kim));
    world.work().await;
    let url = format!("{PUBLIC_URL}/webhooks/twilio/{account}/inbound");
    let reply = world.twilio.receive(OWN_NUMBER, RECIPIENT, "Yes, please", &url);
    world.hand_back(&reply).await.expect_status(200);
    let list = owner.get(&format!("{MESSAGES}?lead_id={kim}")).await.expect_status(200).json();
    let texts: Vec<&Value> = list["data"].as_array().expect("a list").iter().map(|message| &message["body"]).collect();
    assert_eq!(texts, ["Yes, please", "Hello", "Hello"]);
    let lead = owner.get(&format!("{LEADS}/{kim}")).await.json();
    assert!(lead["contacted_at"].is_string() && lead["replied_at"].is_string(), "{lead}");
    // What was sent stays when the lead goes.
    owner.delete(&format!("{LEADS}/{kim}")).await.expect_status(200);
    assert_eq!(owner.message(message["id"].as_str().expect("an id")).await["lead_id"], json!(null));
}

#[tokio::test]
async fn what_was_said_before_anybody_was_known_belongs_to_the_lead_that_is_taken_in() {
    let (world, owner, account) = connected().await;
    let (one, other) = ("+525512345678", "+5215512345678");
    let to = |to: &str| but(form(), json!({ "to": to }));
    let before = owner.post(MESSAGES, to(one)).await.expect_status(202).id();
    let elsewhere = owner.post(MESSAGES, to(RECIPIENT)).await.expect_status(202).id();
    world.work().await;
    let url = format!("{PUBLIC_URL}/webhooks/twilio/{account}/inbound");
    let reply = world.twilio.receive(OWN_NUMBER, other, "Who is this?", &url);
    world.hand_back(&reply).await.expect_status(200);
    assert_eq!(owner.message(&before).await["lead_id"], json!(null));
    let texts = async |lead: &str| {
        let list = owner.get(&format!("{MESSAGES}?lead_id={lead}")).await.expect_status(200).json();
        list["data"].as_array().expect("a list").iter().map(|message| message["body"].clone()).collect::<Vec<_>>()
    };
    // Whoever takes the same number in elsewhere gets nothing of it.
    let stranger = world.stranger().await;
    let theirs = create(&stranger, json!({ "phone": one })).await;
    assert_eq!(stranger.get(&format!("{MESSAGES}?lead_id={theirs}")).await.json()["data"], json!([]));
    let kim = create(&owner, json!({ "phone": other })).await;
    assert_eq!(texts(&kim).await, ["Who is this?", "Hello"]);
    let lead = owner.get(&format!("{LEADS}/{kim}")).await.json();
    assert!(lead["contacted_at"].is_string() && lead["replied_at"].is_string(), "{lead}");
    // Another address of somebody who is known already; and a file.
    assert_eq!(owner.message(&elsewhere).await["lead_id"], json!(null));
    owner.patch(&format!("{LEADS}/{kim}"), json!({ "whatsapp": RECIPIENT })).await.expect_status(200);
    assert_eq!(owner.message(&elsewhere).await["lead_id"], json!(kim));
    owner.delete(&format!("{LEADS}/{kim}")).await.expect_status(200);
    let csv = owner.with("content-type", "text/csv");
    csv.call("POST", "/api/leads/import", format!("name,phone\nKim,{one}\n")).await.expect_status(202);
    world.work().await;
    let again = owner.get("/api/leads").await.json()["data"][0]["id"].as_str().expect("a lead").to_owned();
    assert_eq!(texts(&again).await, ["Who is this?", "Hello"]);
    assert_eq!(owner.message(&elsewhere).await["lead_id"], json!(null));
}

#[tokio::test]
async fn a_merge_can_be_undone() {
    let (world, owner, _) = connected().await;
    let kim = create(&owner, json!({ "name": "Kim", "email": "kim@example.com", "tags": ["vip"] })).await;
    let lee =
        create(&owner, json!({ "name": "Kim Lee", "phone": RECIPIENT, "tags": ["fair"], "custom": { "plan": "pro" } }))
            .await;
    let before = [owner.get(&format!("{LEADS}/{kim}")).await.json(), owner.get(&format!("{LEADS}/{lee}")).await.json()];
    let message = owner.post(MESSAGES, form()).await.expect_status(202).id();
    world.work().await;
    let merge = format!("{LEADS}/{kim}/merge");
    owner.post(&merge, json!({ "lead_id": kim })).await.expect_status(400);
    owner.post(&merge, json!({ "lead_id": "nobody" })).await.expect_status(404);
    let merged = owner.post(&merge, json!({ "lead_id": lee })).await.expect_status(200).json();
    assert_eq!(
        (&merged["name"], &merged["phone"], &merged["tags"]),
        (&json!("Kim"), &json!(RECIPIENT), &json!(["fair", "vip"]))
    );
    assert_eq!(owner.message(&message).await["lead_id"], json!(kim));
    owner.get(&format!("{LEADS}/{lee}")).await.expect_status(404);
    // Nobody of another organization undoes it.
    let stranger = world.stranger().await;
    stranger.post(&format!("{LEADS}/{kim}/unmerge"), json!({})).await.expect_status(404);
    let back = owner.post(&format!("{LEADS}/{kim}/unmerge"), json!({})).await.expect_status(200).json();
    assert_eq!(back["id"], json!(lee));
    assert_eq!(owner.message(&message).await["lead_id"], json!(lee));
    for (id, before) in [(&kim, &before[0]), (&lee, &before[1])] {
        let mut now = owner.get(&format!("{LEADS}/{id}")).await.json();
        now["contacted_at"] = json!(null);
        assert_eq!(&now, before);
    }
    owner.post(&format!("{LEADS}/{kim}/unmerge"), json!({})).await.expect_status(409);
}
