//! Segments: whom somebody means is given a name, and is asked for by it; whoever fits later belongs to it.

use super::{MESSAGES, connected, form};
use crate::support::{Client, OWN_NUMBER, PUBLIC_URL, RECIPIENT, World};
use serde_json::{Value, json};

const SEGMENTS: &str = "/api/segments";
const LEADS: &str = "/api/leads";
const DAY: i64 = 24 * 60 * 60 * 1_000;

async fn create(owner: &Client, lead: Value) -> String {
    owner.post(LEADS, lead).await.expect_status(201).id()
}

async fn keep(owner: &Client, name: &str, audience: Value) -> String {
    owner.post(SEGMENTS, json!({ "name": name, "audience": audience })).await.expect_status(201).id()
}

/// The names of those whom a list shows.
async fn names(owner: &Client, query: &str) -> Vec<String> {
    let list = owner.get(&format!("{LEADS}?{query}")).await.expect_status(200).json();
    let name = |lead: &Value| lead["name"].as_str().expect("a name").to_owned();
    list["data"].as_array().expect("a list").iter().map(name).collect()
}

#[tokio::test]
async fn a_segment_is_kept_asked_for_changed_and_forgotten() {
    let world = World::new().await;
    let owner = world.owner().await;
    create(&owner, json!({ "name": "Kim", "email": "kim@example.com", "tags": ["vip"] })).await;
    create(&owner, json!({ "name": "Lee", "email": "lee@example.org", "tags": ["vip"] })).await;
    let conditions = json!([{ "field": "email", "op": "contains", "value": "example.org" }]);
    let asked = json!({ "name": " Org people ", "audience": { "tag": "VIP", "conditions": conditions } });
    let segment = owner.post(SEGMENTS, asked).await.expect_status(201).json();
    let id = segment["id"].as_str().expect("an id");
    let shape = json!({
        "id": id, "name": "Org people", "audience": { "q": "", "tag": "vip", "conditions": conditions },
        "created_at": "2026-11-22T09:30:00Z",
    });
    assert_eq!(segment, shape);
    let one = format!("{SEGMENTS}/{id}");
    assert_eq!(owner.get(&one).await.expect_status(200).json(), shape);
    assert_eq!(owner.get(SEGMENTS).await.expect_status(200).json()["data"], json!([shape]));
    assert_eq!(names(&owner, &format!("segment={id}")).await, ["Lee"]);
    assert_eq!(names(&owner, &format!("segment={id}&q=kim")).await, [""; 0]);
    let whole = format!("audience={{%22segment%22:%22{id}%22}}");
    assert_eq!(names(&owner, &whole).await, ["Lee"]);
    let file = owner.get(&format!("{LEADS}/export.csv?segment={id}")).await.expect_status(200).text.clone();
    assert!(file.contains("lee@example.org") && !file.contains("kim@example.com"), "{file}");

    // Whoever fits later belongs to it; a change counts at once.
    create(&owner, json!({ "name": "Ola", "email": "ola@example.org", "tags": ["vip"] })).await;
    assert_eq!(names(&owner, &format!("segment={id}")).await, ["Ola", "Lee"]);
    let changed = owner.patch(&one, json!({ "audience": { "q": "kim" } })).await.expect_status(200).json();
    assert_eq!((&changed["name"], &changed["audience"]["q"]), (&json!("Org people"), &json!("kim")));
    assert_eq!(names(&owner, &format!("segment={id}")).await, ["Kim"]);
    owner.patch(&one, json!({ "name": "All Kims" })).await.expect_status(200);

    // To another organization it does not exist.
    let stranger = world.stranger().await;
    stranger.get(&one).await.expect_status(404);
    stranger.patch(&one, json!({ "name": "Mine" })).await.expect_status(404);
    stranger.delete(&one).await.expect_status(404);
    stranger.get(&format!("{LEADS}?segment={id}")).await.expect_status(400);
    owner.delete(&one).await.expect_status(200);
    owner.delete(&one).await.expect_status(404);
    let answer = owner.get(&format!("{LEADS}?segment={id}")).await.expect_status(400).json();
    assert_eq!(answer["fields"]["segment"], "is no segment that there is");
}

#[tokio::test]
async fn a_name_is_given_once_and_faults_name_their_field() {
    let world = World::new().await;
    let owner = world.owner().await;
    let silent = keep(&owner, "Silent", json!({})).await;
    let other = keep(&owner, "Other", json!({})).await;
    let again = owner.post(SEGMENTS, json!({ "name": "SILENT", "audience": {} })).await.expect_status(409).json();
    assert_eq!(again["code"], "duplicate_segment");
    owner.patch(&format!("{SEGMENTS}/{other}"), json!({ "name": "silent" })).await.expect_status(409);
    // It is no other's than its own.
    owner.patch(&format!("{SEGMENTS}/{silent}"), json!({ "name": "SILENT" })).await.expect_status(200);
    world.stranger().await.post(SEGMENTS, json!({ "name": "Silent", "audience": {} })).await.expect_status(201);
    for (given, field) in [
        (json!({ "audience": {} }), "name"),
        (json!({ "name": "x" }), "audience"),
        (json!({ "name": "x", "audience": { "who": "all" } }), "audience"),
        (json!({ "name": "x", "audience": { "segment": "nobody" } }), "segment"),
        (json!({ "name": "x", "audience": { "segment": "01JDF3ZS0V8R4C7N2Q9W5K6M1T" } }), "segment"),
        (
            json!({ "name": "x", "audience": { "conditions": [{ "field": "sequence.x", "op": "is_set" }] } }),
            "conditions",
        ),
        (json!({ "name": "x", "audience": {}, "color": "red" }), "color"),
    ] {
        let answer = owner.post(SEGMENTS, given.clone()).await.expect_status(400).json();
        assert!(answer["fields"][field].is_string(), "{given}: {answer}");
    }
}

#[tokio::test]
async fn what_leads_did_and_where_they_are_can_be_asked_for() {
    let (world, owner, account) = connected().await;
    let kim = create(&owner, json!({ "name": "Kim", "phone": RECIPIENT })).await;
    create(&owner, json!({ "name": "Lee", "email": "lee@example.com" })).await;
    let condition =
        |field: &str, op: &str, value: &str| json!({ "conditions": [{ "field": field, "op": op, "value": value }] });
    let never_written = keep(&owner, "Never written to", condition("contacted", "is_not_set", "")).await;
    let written = keep(&owner, "Written to", condition("contacted", "within", "7")).await;
    let silent = keep(&owner, "Silent", condition("replied", "not_within", "7")).await;
    let answered = keep(&owner, "Answered", condition("replied", "is_set", "")).await;
    let meant = async |segment: &str| names(&owner, &format!("segment={segment}")).await;
    assert_eq!(meant(&never_written).await, ["Lee", "Kim"]);
    owner.post(MESSAGES, form()).await.expect_status(202);
    world.work().await;
    assert_eq!((meant(&never_written).await, meant(&written).await), (vec!["Lee".into()], vec!["Kim".into()]));
    assert_eq!((meant(&silent).await.len(), meant(&answered).await.len()), (2, 0));
    let url = format!("{PUBLIC_URL}/webhooks/twilio/{account}/inbound");
    let reply = world.twilio.receive(OWN_NUMBER, RECIPIENT, "Yes, please", &url);
    world.hand_back(&reply).await.expect_status(200);
    assert_eq!((meant(&silent).await, meant(&answered).await), (vec!["Lee".into()], vec!["Kim".into()]));
    // A week later that is long ago.
    world.clock.advance(8 * DAY);
    assert_eq!((meant(&written).await.len(), meant(&silent).await.len()), (0, 2));

    // Who is in a sequence; and a sequence takes in whom a segment means.
    let template = json!({ "name": "Hello", "channel": "sms", "body": "Hello" });
    let template = owner.post("/api/templates", template).await.expect_status(201).id();
    let steps = json!([{ "channel": "sms", "delay_hours": 1, "template_id": template }]);
    let sequence = json!({ "name": "Welcome", "steps": steps });
    let sequence = owner.post("/api/sequences", sequence).await.expect_status(201).id();
    let outside = keep(&owner, "In none", condition("sequence", "is_not_set", "")).await;
    let inside = keep(&owner, "In Welcome", condition(&format!("sequence.{sequence}"), "is_set", "")).await;
    assert_eq!((meant(&outside).await.len(), meant(&inside).await.len()), (2, 0));
    let enroll = format!("/api/sequences/{sequence}/enroll");
    let done = owner.post(&enroll, json!({ "filter": { "segment": answered } })).await.expect_status(200).json();
    assert_eq!(done["enrolled"], 1);
    assert_eq!((meant(&outside).await, meant(&inside).await), (vec!["Lee".into()], vec!["Kim".into()]));
    owner.post(&enroll, json!({ "filter": { "segment": kim } })).await.expect_status(400);

    // A segment made of another one and more is one of its own.
    let audience = json!({ "segment": inside, "q": "kim" });
    let both = keep(&owner, "Both", audience).await;
    owner.delete(&format!("{SEGMENTS}/{inside}")).await.expect_status(200);
    assert_eq!(meant(&both).await, ["Kim"]);
}

#[tokio::test]
async fn a_list_is_sorted_as_it_is_asked_for_page_by_page() {
    let world = World::new().await;
    let owner = world.owner().await;
    for (name, company) in [("Ola", "Zeta"), ("Kim", "Alpha"), ("Mia", "")] {
        let email = format!("{}@example.com", name.to_lowercase());
        create(&owner, json!({ "name": name, "company": company, "email": email, "tags": ["vip"] })).await;
    }
    assert_eq!(names(&owner, "sort=name").await, ["Kim", "Mia", "Ola"]);
    assert_eq!(names(&owner, "sort=company&tag=vip").await, ["Kim", "Ola", "Mia"], "those without one are last");
    assert_eq!(names(&owner, "sort=newest").await, ["Mia", "Kim", "Ola"]);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = owner.get(&format!("{LEADS}?sort=name&limit=1&cursor={cursor}")).await.expect_status(200).json();
        seen.push(page["data"][0]["name"].clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    }
    assert_eq!(seen, [json!("Kim"), json!("Mia"), json!("Ola")]);
    let answer = owner.get(&format!("{LEADS}?sort=size")).await.expect_status(400).json();
    assert_eq!(answer["fields"]["sort"], "must be newest, name or company");
}
