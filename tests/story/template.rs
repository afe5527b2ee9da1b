//! Templates: written, seen with a lead, changed version by version; snippets that many share.

use crate::support::{Client, World, but};
use serde_json::{Value, json};
use tern::{
    domain::{
        channel::Channel,
        id::{OrganizationId, TemplateId},
        sequence::{OnMissing, Step},
    },
    server::{store::Conn, template::Context, usecase::template},
};

const TEMPLATES: &str = "/api/templates";
const SNIPPETS: &str = "/api/snippets";

fn sms(body: &str) -> Value {
    json!({ "name": "Reminder", "channel": "sms", "body": body })
}

async fn create(owner: &Client, template: Value) -> String {
    owner.post(TEMPLATES, template).await.expect_status(201).id()
}

async fn lead(owner: &Client) -> String {
    let kim = json!({ "name": "Kim Lee", "phone": "+14155552671", "custom": { "plan": "pro" }, "tags": ["vip"] });
    owner.post("/api/leads", kim).await.expect_status(201).id()
}

#[tokio::test]
async fn each_text_is_a_version_and_none_of_them_changes() {
    let world = World::new().await;
    let owner = world.owner().await;
    let given =
        json!({ "name": " Welcome ", "channel": "email", "subject": "Hi {{ first_name }}", "body": "Dear {{ name }}" });
    let template = owner.post(TEMPLATES, given).await.expect_status(201).json();
    let id = template["id"].as_str().expect("an id");
    let shape = json!({
        "id": id, "name": "Welcome", "channel": "email", "subject": "Hi {{ first_name }}", "body": "Dear {{ name }}",
        "version": 1, "is_demo": false, "created_at": "2026-11-22T09:30:00Z", "updated_at": "2026-11-22T09:30:00Z",
    });
    assert_eq!(template, shape);
    let one = format!("{TEMPLATES}/{id}");
    assert_eq!(owner.get(&one).await.expect_status(200).json(), shape);
    let version = async |change: Value| owner.patch(&one, change).await.expect_status(200).json()["version"].clone();
    assert_eq!(version(json!({ "name": "Hello" })).await, json!(1), "a name is no text");
    assert_eq!(version(json!({ "body": "Dear {{ name }}" })).await, json!(1), "nothing changed");
    assert_eq!(version(json!({ "body": "Hello {{ name }}" })).await, json!(2));
    assert_eq!(version(json!({ "subject": "Hello" })).await, json!(3));
    let versions = owner.get(&format!("{one}/versions")).await.expect_status(200).json();
    let texts: Vec<_> = versions["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|v| (v["version"].clone(), v["body"].clone()))
        .collect();
    let told = [(3, "Hello {{ name }}"), (2, "Hello {{ name }}"), (1, "Dear {{ name }}")];
    assert_eq!(texts, told.map(|(version, body)| (json!(version), json!(body))));
    let restored = owner.post(&format!("{one}/restore"), json!({ "version": 1 })).await.expect_status(200).json();
    assert_eq!(
        (&restored["version"], &restored["body"], &restored["name"]),
        (&json!(4), &json!("Dear {{ name }}"), &json!("Hello"))
    );
    owner.post(&format!("{one}/restore"), json!({ "version": 9 })).await.expect_status(404);
    let answer = owner.patch(&one, json!({ "channel": "sms" })).await.expect_status(400).json();
    assert!(answer["fields"]["channel"].is_string());
    owner.delete(&one).await.expect_status(200);
    owner.get(&one).await.expect_status(404);
    owner.delete(&one).await.expect_status(404);
}

#[tokio::test]
async fn what_a_lead_would_get_is_seen_before_anything_goes_out() {
    let world = World::new().await;
    let owner = world.owner().await;
    let kim = lead(&owner).await;
    let id = create(
        &owner,
        sms("Hi {{ first_name }}, your {{ custom.plan }} plan at {{ company }} ends. {{ custom.city or 'Bye' }}"),
    )
    .await;
    let preview =
        owner.post(&format!("{TEMPLATES}/{id}/preview"), json!({ "lead_id": kim })).await.expect_status(200).json();
    let shape = json!({
        "subject": null, "body": "Hi Kim, your pro plan at [company] ends. Bye", "encoding": "GSM-7", "segments": 1,
        "forced_by": [], "missing": ["company"], "lead_id": kim, "lead": "Kim Lee",
    });
    assert_eq!(preview, shape);
    // Nobody named: the newest lead.
    let newest = owner.post(&format!("{TEMPLATES}/{id}/preview"), json!({})).await.expect_status(200).json();
    assert_eq!(newest["lead_id"], json!(kim));
    for unknown in ["01JDF3ZS0V8R4C7N2Q9W5K6M1T", "nobody"] {
        let answer = owner.post(&format!("{TEMPLATES}/{id}/preview"), json!({ "lead_id": unknown })).await;
        assert_eq!(answer.expect_status(404).json()["error"], "Lead not found");
    }
    let draft = json!({ "channel": "sms", "body": "It’s {{ name }}".to_owned() + &"x".repeat(70), "lead_id": kim });
    let preview = owner.post(&format!("{TEMPLATES}/preview"), draft).await.expect_status(200).json();
    assert_eq!(
        (&preview["encoding"], &preview["segments"], &preview["forced_by"]),
        (&json!("UCS-2"), &json!(2), &json!(["’"]))
    );
    let mail =
        json!({ "channel": "email", "subject": "{A|A} {{ tags }}", "body": "{{ unsubscribe_url }}", "lead_id": kim });
    let preview = owner.post(&format!("{TEMPLATES}/preview"), mail).await.expect_status(200).json();
    assert_eq!(
        (&preview["subject"], &preview["encoding"], &preview["missing"]),
        (&json!("A vip"), &json!(null), &json!([]))
    );
    let long = json!({ "channel": "sms", "body": "x".repeat(1_601), "lead_id": kim });
    let answer = owner.post(&format!("{TEMPLATES}/preview"), long).await.expect_status(400).json();
    assert!(answer["fields"]["body"].as_str().expect("a fault").contains("1600"), "{answer}");
}

#[tokio::test]
async fn a_preview_is_the_same_each_time_and_another_for_others() {
    let world = World::new().await;
    let owner = world.owner().await;
    let id = create(&owner, sms("{a|b|c|d|e|f|g|h}")).await;
    let mut seen = std::collections::BTreeSet::new();
    for n in 0..30 {
        let lead = json!({ "email": format!("lead{n}@example.com") });
        let lead = owner.post("/api/leads", lead).await.expect_status(201).id();
        let path = format!("{TEMPLATES}/{id}/preview");
        let body =
            async || owner.post(&path, json!({ "lead_id": lead })).await.expect_status(200).json()["body"].to_string();
        let first = body().await;
        assert_eq!(body().await, first);
        let draft = json!({ "channel": "sms", "body": "{a|b|c|d|e|f|g|h}", "lead_id": lead, "template_id": id });
        let draft = owner.post(&format!("{TEMPLATES}/preview"), draft).await.expect_status(200).json();
        assert_eq!(draft["body"].to_string(), first);
        seen.insert(first);
    }
    assert!(seen.len() > 3, "{seen:?}");
}

#[tokio::test]
async fn a_fault_is_told_with_its_line_and_column() {
    let world = World::new().await;
    let owner = world.owner().await;
    for (body, line, column, reason) in [
        ("Hi\n {{ name | shout }}", 2, 12, "there is no filter shout"),
        ("Hi {{ name", 1, 4, "never closed"),
        ("{% if name %}x", 1, 1, "endif"),
        ("Hi {first_name}", 1, 4, "{{ first_name }}"),
        ("{{ 'x' * 99999999 }}", 1, 8, "*"),
        ("{% include \"none\" %}", 1, 4, "no snippet none"),
    ] {
        let answer = owner.post(TEMPLATES, sms(body)).await.expect_status(400).json();
        let told = answer["fields"]["body"].as_str().expect("a fault of the body");
        assert!(
            told.starts_with(&format!("line {line}, column {column}: ")) && told.contains(reason),
            "{body}: {told}"
        );
        assert_eq!((&answer["line"], &answer["column"]), (&json!(line), &json!(column)));
        assert!(answer["error"].as_str().expect("a sentence").contains(reason), "{answer}");
    }
    let mail = json!({ "name": "x", "channel": "email", "subject": "{{ name", "body": "x" });
    let answer = owner.post(TEMPLATES, mail).await.expect_status(400).json();
    assert!(answer["fields"]["subject"].is_string(), "{answer}");
    for (given, field) in [
        (json!({ "name": null }), "name"),
        (json!({ "channel": "fax" }), "channel"),
        (json!({ "channel": null }), "channel"),
        (json!({ "channel": "email" }), "subject"),
        (json!({ "body": " " }), "body"),
        (json!({ "body": "x".repeat(33_000) }), "body"),
        (json!({ "body": 7 }), "body"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let answer = owner.post(TEMPLATES, but(sms("x"), given.clone())).await.expect_status(400).json();
        assert!(answer["fields"][field].is_string(), "{given}: {answer}");
    }
    for query in ["?cursor=x", "?limit=0", "?channel=fax"] {
        owner.get(&format!("{TEMPLATES}{query}")).await.expect_status(400);
    }
    assert_eq!(owner.get(TEMPLATES).await.expect_status(200).json()["data"], json!([]));
}

#[tokio::test]
async fn templates_are_listed_searched_and_paged() {
    let world = World::new().await;
    let owner = world.owner().await;
    for n in 0..3 {
        create(&owner, but(sms(&format!("Text {n}")), json!({ "name": format!("Template {n}") }))).await;
    }
    create(&owner, json!({ "name": "Mail", "channel": "email", "subject": "Sale", "body": "x" })).await;
    let names = async |query: &str| {
        let page = owner.get(&format!("{TEMPLATES}{query}")).await.expect_status(200).json();
        let names: Vec<_> = page["data"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|t| t["name"].as_str().expect("a name").to_owned())
            .collect();
        (names, page["next_cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(names("?channel=email").await.0, ["Mail"]);
    assert_eq!(names("?q=text%201").await.0, ["Template 1"]);
    assert_eq!(names("?q=sale").await.0, ["Mail"]);
    let (first, cursor) = names("?limit=3").await;
    assert_eq!(first, ["Mail", "Template 2", "Template 1"]);
    let rest = names(&format!("?limit=3&cursor={}", cursor.expect("a next page"))).await;
    assert_eq!(rest, (vec!["Template 0".to_owned()], None));
}

#[tokio::test]
async fn another_snippet_is_another_version_of_what_uses_it() {
    let world = World::new().await;
    let owner = world.owner().await;
    let kim = lead(&owner).await;
    let sign = owner.post(SNIPPETS, json!({ "name": "sign", "body": "Ann" })).await.expect_status(201).id();
    let id = create(&owner, sms("Hi {{ first_name }}! {% include \"sign\" %}")).await;
    let other = create(&owner, sms("Alone")).await;
    let body = async || {
        let path = format!("{TEMPLATES}/{id}/preview");
        owner.post(&path, json!({ "lead_id": kim })).await.expect_status(200).json()["body"].clone()
    };
    assert_eq!(body().await, json!("Hi Kim! Ann"));
    let one = format!("{SNIPPETS}/{sign}");
    let changed =
        owner.patch(&one, json!({ "body": "Your {{ sender.name or 'team' }}" })).await.expect_status(200).json();
    assert_eq!((&changed["used_by"], &changed["name"]), (&json!(1), &json!("sign")));
    assert_eq!(body().await, json!("Hi Kim! Your team"));
    let version =
        async |id: &str| owner.get(&format!("{TEMPLATES}/{id}")).await.expect_status(200).json()["version"].clone();
    assert_eq!((version(&id).await, version(&other).await), (json!(2), json!(1)));
    let versions = owner.get(&format!("{TEMPLATES}/{id}/versions")).await.expect_status(200).json();
    assert_eq!(versions["data"][1]["snippets"], json!({ "sign": "Ann" }), "what was pinned stays");
    // It cannot go, or be called something else, while it is used.
    let answer = owner.delete(&one).await.expect_status(409).json();
    assert_eq!(answer["error"], "It cannot be deleted while one template uses it");
    owner.patch(&one, json!({ "name": "signature" })).await.expect_status(409);
    owner.patch(&one, json!({ "body": "{{ name | nope }}" })).await.expect_status(400);
    owner.post(SNIPPETS, json!({ "name": "sign", "body": "x" })).await.expect_status(409);
    for (given, field) in [
        (json!({ "name": "Sign!", "body": "x" }), "name"),
        (json!({ "name": "a" }), "body"),
        (json!({ "name": "a", "body": "{% include \"sign\" %}" }), "body"),
    ] {
        let answer = owner.post(SNIPPETS, given.clone()).await.expect_status(400).json();
        assert!(answer["fields"][field].is_string(), "{given}: {answer}");
    }
    owner.delete(&format!("{TEMPLATES}/{id}")).await.expect_status(200);
    assert_eq!(owner.get(SNIPPETS).await.expect_status(200).json()["data"][0]["used_by"], json!(0));
    owner.delete(&one).await.expect_status(200);
    owner.get(&one).await.expect_status(404);
}

#[tokio::test]
async fn templates_and_snippets_of_others_do_not_exist() {
    let world = World::new().await;
    let owner = world.owner().await;
    let stranger = world.stranger().await;
    let (id, kim) = (create(&owner, sms("Hi {% if name %}{{ name }}{% endif %}")).await, lead(&owner).await);
    let sign = owner.post(SNIPPETS, json!({ "name": "sign", "body": "Ann" })).await.expect_status(201).id();
    let (one, snippet) = (format!("{TEMPLATES}/{id}"), format!("{SNIPPETS}/{sign}"));
    stranger.get(&one).await.expect_status(404);
    stranger.patch(&one, json!({ "body": "Mine" })).await.expect_status(404);
    stranger.delete(&one).await.expect_status(404);
    stranger.get(&format!("{one}/versions")).await.expect_status(404);
    stranger.post(&format!("{one}/restore"), json!({ "version": 1 })).await.expect_status(404);
    stranger.post(&format!("{one}/preview"), json!({})).await.expect_status(404);
    stranger.get(&snippet).await.expect_status(404);
    stranger.patch(&snippet, json!({ "body": "Mine" })).await.expect_status(404);
    stranger.delete(&snippet).await.expect_status(404);
    // Neither through what they write: no snippet, no lead, not even as the newest one.
    stranger.post(TEMPLATES, sms("{% include \"sign\" %}")).await.expect_status(400);
    let draft = json!({ "channel": "sms", "body": "{{ name }}", "lead_id": kim });
    stranger.post(&format!("{TEMPLATES}/preview"), draft.clone()).await.expect_status(404);
    let seen = stranger.post(&format!("{TEMPLATES}/preview"), but(draft, json!({ "lead_id": null }))).await;
    assert_eq!(seen.expect_status(200).json()["body"], json!("Alex Example"));
    for path in [TEMPLATES, SNIPPETS] {
        assert_eq!(stranger.get(path).await.expect_status(200).json()["data"], json!([]));
    }
    stranger.post(SNIPPETS, json!({ "name": "sign", "body": "Theirs" })).await.expect_status(201);
    assert_eq!(owner.get(&one).await.expect_status(200).json()["version"], json!(1));
}

#[tokio::test]
async fn whoever_holds_on_to_a_version_sends_what_it_said() {
    let world = World::new().await;
    let owner = world.owner().await;
    let sign = owner.post(SNIPPETS, json!({ "name": "sign", "body": "Ann" })).await.expect_status(201).id();
    let id = create(&owner, sms("Hi {{ first_name }}, {% include \"sign\" %}")).await;
    owner.patch(&format!("{SNIPPETS}/{sign}"), json!({ "body": "Bob" })).await.expect_status(200);
    owner.patch(&format!("{TEMPLATES}/{id}"), json!({ "body": "Bye {{ company }}" })).await.expect_status(200);
    let organization = world.rows("select id from organization").await.remove(0).parse().expect("an id");
    let id: TemplateId = id.parse().expect("an id");
    let lead = Context::new(&Context::example_lead(), None, None);
    let mut conn = world.app.db.read().await.expect("a connection");
    let pinned = async |conn: &mut Conn, organization: &OrganizationId, template_version: u32| {
        let (template_id, channel, on_missing) = (id.clone(), Channel::Sms, OnMissing::Skip);
        let step = Step { channel, delay_hours: 0, template_id, template_version, on_missing };
        template::pinned(&world.app, conn, organization, &step).await
    };
    for (version, text) in [(1, "Hi Alex, Ann"), (2, "Hi Alex, Bob"), (3, "Bye Example Ltd")] {
        let compiled = pinned(&mut conn, &organization, version).await.expect("there");
        assert_eq!(compiled.render(&lead).map(|made| made.body).as_deref(), Ok(text));
    }
    assert!(pinned(&mut conn, &organization, 4).await.is_err());
    let other = "01JDF3ZS0V8R4C7N2Q9W5K6M1T".parse().expect("an id");
    // Also not what somebody else's has compiled already.
    assert!(pinned(&mut conn, &other, 1).await.is_err());
}

#[tokio::test]
async fn the_demo_has_a_template_for_each_channel_that_every_lead_can_get() {
    let world = World::new().await;
    let owner = world.owner().await;
    let forms = world.client(owner.credentials.clone()).with("content-type", "application/x-www-form-urlencoded");
    let call = async |name: &str| {
        let mut paths = leptos::server_fn::axum::server_fn_paths();
        let (path, method) = paths.find(|(path, _)| path.contains(name)).expect("a server function");
        forms.call(method.as_str(), path, "").await.expect_status(200);
    };
    call("load_demo").await;
    let page = owner.get(TEMPLATES).await.expect_status(200).json();
    let templates = page["data"].as_array().expect("a list");
    let channels: std::collections::BTreeSet<_> = templates.iter().map(|t| t["channel"].to_string()).collect();
    assert_eq!((templates.len(), channels.len()), (3, 3));
    for template in templates {
        let path = format!("{TEMPLATES}/{}/preview", template["id"].as_str().expect("an id"));
        let preview = owner.post(&path, json!({})).await.expect_status(200).json();
        assert_eq!(preview["missing"], json!([]), "{preview}");
    }
    call("remove_demo").await;
    assert_eq!(owner.get(TEMPLATES).await.expect_status(200).json()["data"], json!([]));
}
