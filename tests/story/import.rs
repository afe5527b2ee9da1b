//! Files of leads: messy ones come in as what they are, exactly once each, whatever dies meanwhile; and go out again.

use crate::support::{Client, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tern::{
    domain::import::State,
    server::{
        store,
        usecase::import::run::{Step, claim},
    },
};

/// What people keep in spreadsheets.
const MESSY: &str = "Name;E-Mail;Phone;WhatsApp;Plan\n\
    Kim Lee;Kim@Example.com;+1 (415) 555-2671;;pro\n\
    \n\
    Bo;bo@example.com;;;\n\
    No Mail;not an address;;;\n\
    No Country;;0151 23456789;;\n\
    Kim again;kim@EXAMPLE.com;;;gold\n\
    Same number;;001 415 555 2671;;\n\
    \"Two\nlines\";two@example.com;;;\n\
    Two people;kim@example.com;;+49 30 901820;\n\
    Berlin;;+49 30 901820;;\n\
    Two people;bo@example.com;+49 30 901820;;\n\
    Short;short@example.com\n\
    Long;long@example.com;;;;more\n\
    Nobody;;;;\n\
    'Quoted;=quoted@example.com;'+49 30 901821;;\n";

async fn upload(client: &Client, query: &str, text: &str) -> Value {
    let client = client.with("content-type", "text/csv");
    client.call("POST", &format!("/api/leads/import{query}"), text.to_owned()).await.expect_status(202).json()
}

async fn load(client: &Client, import: &Value) -> Value {
    client.get(&format!("/api/imports/{}", import["id"].as_str().expect("an id"))).await.expect_status(200).json()
}

/// Created, updated, skipped, failed.
fn counts(import: &Value) -> [i64; 4] {
    ["created", "updated", "skipped", "failed"].map(|name| import[name].as_i64().expect("a count"))
}

async fn errors(client: &Client, import: &Value) -> String {
    let path = format!("/api/imports/{}/errors.csv", import["id"].as_str().expect("an id"));
    client.get(&path).await.expect_status(200).text
}

async fn leads(client: &Client) -> Vec<Value> {
    let page = client.get("/api/leads?limit=200").await.expect_status(200).json();
    page["data"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_messy_file_becomes_what_can_be_told_of_it_and_the_dry_run_says_so_before() {
    let world = World::new().await;
    let owner = world.owner().await;
    let dry = upload(&owner, "?dry_run=true", MESSY).await;
    assert_eq!((&dry["state"], &dry["dry_run"], &dry["rows_total"]), (&json!("running"), &json!(true), &json!(14)));
    world.work().await;
    let dry = load(&owner, &dry).await;
    assert_eq!((&dry["state"], &dry["rows_done"]), (&json!("done"), &json!(14)));
    assert!(leads(&owner).await.is_empty(), "a dry run changes nothing");
    let foretold = errors(&owner, &dry).await;
    let path = format!("/api/imports/{}/start", dry["id"].as_str().expect("an id"));
    owner.post(&path, json!({})).await.expect_status(202);
    world.work().await;
    let done = load(&owner, &dry).await;
    assert_eq!((&done["state"], &done["dry_run"]), (&json!("done"), &json!(false)));
    assert_eq!(counts(&done), counts(&dry));
    assert_eq!(counts(&done), [5, 4, 0, 5], "{}", errors(&owner, &done).await);
    assert_eq!(errors(&owner, &done).await, foretold);
    for line in [
        "5,E-Mail,\"must be an e-mail address",
        "6,Phone,\"must be a phone number with country code",
        "13,,\"has addresses of two different leads",
        "15,,\"has 6 cells, but the file has 5 columns",
        "16,E-Mail,or a phone or WhatsApp number is required",
    ] {
        let reason = line.replace('"', "");
        assert!(foretold.contains(line) || foretold.contains(&reason), "{line} is not in\n{foretold}");
    }
    let leads = leads(&owner).await;
    let kim = leads.iter().find(|lead| lead["email"] == "kim@example.com").expect("Kim");
    assert_eq!((&kim["name"], &kim["custom"]["plan"]), (&json!("Berlin"), &json!("gold")));
    assert_eq!(kim["whatsapp_number"], "+4930901820");
    owner.post(&path, json!({})).await.expect_status(409);
}

#[tokio::test]
async fn options_say_what_duplicates_and_numbers_without_country_become() {
    let world = World::new().await;
    let owner = world.owner().await;
    owner
        .post(
            "/api/leads",
            json!({ "email": "kim@example.com", "name": "Kim", "tags": ["vip"], "custom": { "a": "1" } }),
        )
        .await
        .expect_status(201);
    let file = "mail,number,who,what\nkim@example.com,0151 23456789,Kim Lee,2\nbo@example.com,,Bo,\n";
    let mapping = "%7B%22mail%22%3A%22email%22%2C%22number%22%3A%22phone%22%2C%22who%22%3A%22name%22%2C%22what%22%3A%22custom.b%22%7D";
    let query = format!("?mapping={mapping}&default_country=de&tags=Fair%202026&consent_source=Trade%20fair");
    let skipped = upload(&owner, &format!("{query}&on_duplicate=skip"), file).await;
    world.work().await;
    assert_eq!(counts(&load(&owner, &skipped).await), [1, 0, 1, 0]);
    let find = async |mail: &str| leads(&owner).await.into_iter().find(|lead| lead["email"] == *mail).expect("a lead");
    assert_eq!(
        (&find("kim@example.com").await["name"], &find("bo@example.com").await["tags"]),
        (&json!("Kim"), &json!(["fair 2026"]))
    );
    let updated = upload(&owner, &query, file).await;
    assert_eq!(updated["consent_source"], "Trade fair");
    world.work().await;
    assert_eq!(counts(&load(&owner, &updated).await), [0, 2, 0, 0]);
    let kim = find("kim@example.com").await;
    assert_eq!(
        (&kim["name"], &kim["phone"], &kim["phone_number"]),
        (&json!("Kim Lee"), &json!("0151 23456789"), &json!("+4915123456789"))
    );
    assert_eq!((&kim["custom"], &kim["tags"]), (&json!({ "a": "1", "b": "2" }), &json!(["fair 2026", "vip"])));
    // Every lead can be traced to the imports that wrote it.
    let traces = world.rows("select l.email || ' ' || count(*) from lead l join import_lead i on i.lead_id = l.id group by l.email order by 1").await;
    assert_eq!(traces, ["bo@example.com 2", "kim@example.com 1"]);
    // What its columns mean is known from now on.
    let again = upload(&owner, "", file).await;
    assert_eq!(again["mapping"], json!(["email", "phone", "name", "custom.b"]));
}

#[tokio::test]
async fn what_cannot_be_imported_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    let owner = world.owner().await;
    let csv = owner.with("content-type", "text/csv");
    let post =
        async |query: &str, body: &str| csv.call("POST", &format!("/api/leads/import{query}"), body.to_owned()).await;
    let file = "email\nkim@example.com\n";
    for (query, field) in [
        ("?on_duplicate=merge", "on_duplicate"),
        ("?default_country=XX", "default_country"),
        ("?dry_run=maybe", "dry_run"),
        ("?mapping=email", "mapping"),
        ("?mapping=%7B%22mail%22%3A%22email%22%7D", "mapping"),
        ("?mapping=%7B%22email%22%3A%22password%22%7D", "mapping"),
        ("?mapping=%7B%22email%22%3A%22name%22%7D", "mapping"),
    ] {
        let answer = post(query, file).await.expect_status(400).json();
        assert!(answer["fields"][field].is_string(), "{query}: {answer}");
    }
    for (body, code) in [("", "empty_file"), ("\u{1}\u{2}\u{3}", "not_a_table")] {
        assert_eq!(post("", body).await.expect_status(400).json()["code"], code);
    }
    assert!(post("", "name\nKim\n").await.expect_status(400).json()["fields"]["mapping"].is_string());
    let large = format!("email\n{}", "x@example.com\n".repeat(400_000));
    post("", &large).await.expect_status(413);
    owner.with("content-type", "application/json").call("POST", "/api/leads/import", "{}").await.expect_status(415);
    world.work().await;
    for table in
        ["select id from lead", "select text from import_chunk", "select id from import where state = 'running'"]
    {
        assert_eq!(world.rows(table).await, [""; 0], "{table}");
    }
    let left = std::fs::read_dir(world.app.settings.data_dir.clone()).expect("the folder").flatten();
    assert!(left.map(|file| file.file_name()).all(|name| !name.to_string_lossy().starts_with("upload-")));
}

#[tokio::test]
async fn a_form_takes_a_file_to_its_columns() {
    let world = World::new().await;
    let owner = world.owner().await;
    let form = |file: &str| {
        format!(
            "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"C:\\fair.csv\"\r\ncontent-type: text/csv\r\n\r\n{file}\r\n--x--\r\n"
        )
    };
    let browser = owner.with("content-type", "multipart/form-data; boundary=x");
    let answer = browser
        .call("POST", "/leads/import/file", form("Vorname;E-Mail\nKim;kim@example.com\n"))
        .await
        .expect_status(303);
    let to = answer.headers["location"].to_str().expect("a path").to_owned();
    let id = to.strip_prefix("/leads/import/").expect("the page of the import");
    let import = owner.get(&format!("/api/imports/{id}")).await.expect_status(200).json();
    assert_eq!(
        (&import["state"], &import["file_name"], &import["mapping"]),
        (&json!("draft"), &json!("fair.csv"), &json!(["first_name", "email"]))
    );
    let failed = browser.call("POST", "/leads/import/file", form("")).await.expect_status(303);
    assert_eq!(failed.headers["location"], "/leads/import?failed=empty_file");
    browser
        .with("sec-fetch-site", "cross-site")
        .call("POST", "/leads/import/file", form("a@b.example"))
        .await
        .expect_status(403);
    // The API takes the same form.
    let answer = browser.call("POST", "/api/leads/import", form("email\nbo@example.com\n")).await.expect_status(202);
    world.work().await;
    assert_eq!(counts(&load(&owner, &answer.json()).await), [1, 0, 0, 0]);
    // A draft that nobody begins is given up after a day.
    world.clock.advance(2 * tern::domain::time::DAY);
    world.work().await;
    assert_eq!(owner.get(&format!("/api/imports/{id}")).await.json()["state"], "canceled");
    assert_eq!(world.rows("select import_id from import_chunk").await, [""; 0]);
}

#[tokio::test]
async fn another_organization_sees_and_changes_nothing() {
    let world = World::new().await;
    let (owner, stranger) = (world.owner().await, world.stranger().await);
    stranger.post("/api/leads", json!({ "email": "kim@example.com", "name": "Theirs" })).await.expect_status(201);
    let import = upload(&owner, "?dry_run=true", "name,email\nOurs,kim@example.com\n,broken\n").await;
    world.work().await;
    let path = format!("/api/imports/{}", import["id"].as_str().expect("an id"));
    stranger.get(&path).await.expect_status(404);
    stranger.get(&format!("{path}/errors.csv")).await.expect_status(404);
    stranger.post(&format!("{path}/cancel"), json!({})).await.expect_status(404);
    stranger.post(&format!("{path}/start"), json!({})).await.expect_status(404);
    assert_eq!(stranger.get("/api/imports").await.json()["data"], json!([]));
    owner.post(&format!("{path}/start"), json!({})).await.expect_status(202);
    world.work().await;
    assert_eq!(counts(&load(&owner, &import).await), [1, 0, 0, 1]);
    assert_eq!(leads(&stranger).await[0]["name"], "Theirs");
    assert!(!stranger.get("/api/leads/export.csv").await.text.contains("Ours"));
    assert_eq!(owner.get("/api/imports?limit=1").await.json()["data"][0]["id"], import["id"]);
}

/// A file in which every tenth row is bad and every fifth comes again.
fn people(count: usize) -> String {
    let row = |n: usize| match n % 10 {
        3 => format!("Bad {n},no address {n},\n"),
        5 | 8 => format!("Again {n},kim{}@example.com,\n", n - 4),
        _ => format!("Kim {n},kim{n}@example.com,+1415{:07}\n", 5_550_000 + n),
    };
    std::iter::once("name,email,phone\n".to_owned()).chain((0..count).map(row)).collect()
}

/// Takes the import that is to be worked at.
async fn take(world: &World) -> tern::server::usecase::import::run::Run {
    let due =
        async { store::import::claimable(&mut world.app.db.read().await.expect("a connection"), now(world)).await };
    let stored = due.await.expect("asked").remove(0);
    assert_eq!(stored.import.state, State::Running);
    claim(&world.app, stored).await.expect("asked").expect("nobody else has it")
}

fn now(world: &World) -> tern::domain::time::Timestamp {
    world.app.clock.now()
}

#[tokio::test]
async fn a_process_that_dies_between_any_two_transactions_neither_loses_nor_doubles_a_row() {
    let text = people(60);
    for is_dry in [false, true] {
        for steps in 0..9 {
            let world = World::new().await;
            let owner = world.owner().await;
            let import = upload(&owner, if is_dry { "?dry_run=true" } else { "" }, &text).await;
            let mut run = take(&world).await.of_rows(7);
            for _ in 0..steps {
                let step = run.step().await.expect("a step");
                run = run.of_rows(7);
                assert_eq!(step, Step::More);
            }
            drop(run);
            // The lease of the dead is still on it.
            world.work().await;
            let half = load(&owner, &import).await;
            assert_eq!((&half["state"], &half["rows_done"]), (&json!("running"), &json!((steps * 7).min(60))));
            world.clock.advance(31 * tern::domain::time::SECOND);
            world.work().await;
            let done = load(&owner, &import).await;
            assert_eq!((&done["state"], counts(&done)), (&json!("done"), [42, 12, 0, 6]), "after {steps} steps");
            let expected = if is_dry { 0 } else { 42 };
            assert_eq!(world.rows("select email from lead").await.len(), expected);
            assert_eq!(errors(&owner, &done).await.lines().count(), 7);
        }
    }
}

#[tokio::test]
async fn what_is_canceled_stops_at_once_and_keeps_what_it_did() {
    let world = World::new().await;
    let owner = world.owner().await;
    let import = upload(&owner, "", &people(60)).await;
    let path = format!("/api/imports/{}/cancel", import["id"].as_str().expect("an id"));
    let mut run = take(&world).await.of_rows(10);
    assert_eq!(run.step().await.expect("a step"), Step::More);
    owner.post(&path, json!({})).await.expect_status(200);
    assert_eq!(run.step().await.expect("a step"), Step::Lost);
    let canceled = load(&owner, &import).await;
    assert_eq!(
        (&canceled["state"], &canceled["rows_done"], leads(&owner).await.len()),
        (&json!("canceled"), &json!(10), 7)
    );
    world.work().await;
    assert_eq!(world.rows("select import_id from import_chunk").await, [""; 0]);
    owner.post(&path, json!({})).await.expect_status(200);
    // Rejected rows can be had for a month.
    assert_eq!(errors(&owner, &import).await.lines().count(), 2);
    world.clock.advance(31 * tern::domain::time::DAY);
    world.work().await;
    assert_eq!(world.rows("select reason from import_reject").await, [""; 0]);
}

#[tokio::test]
async fn imports_of_an_organization_come_one_after_the_other() {
    let world = World::new().await;
    let owner = world.owner().await;
    let first = upload(&owner, "", "name,email\nFirst,kim@example.com\n").await;
    let second = upload(&owner, "", "name,email\nSecond,kim@example.com\n").await;
    let run = take(&world).await;
    assert_eq!(run.id().as_str(), first["id"]);
    let mut conn = world.app.db.read().await.expect("a connection");
    assert!(store::import::claimable(&mut conn, now(&world)).await.expect("asked").is_empty());
    drop(conn);
    run.leave().await.expect("left");
    world.work().await;
    assert_eq!(
        (counts(&load(&owner, &first).await), counts(&load(&owner, &second).await)),
        ([1, 0, 0, 0], [0, 1, 0, 0])
    );
    assert_eq!(leads(&owner).await[0]["name"], "Second");
}

#[tokio::test]
async fn addresses_that_change_hands_inside_a_file_are_told_as_if_each_row_came_alone() {
    let world = World::new().await;
    let owner = world.owner().await;
    for (mail, phone) in [("kim@example.com", "+14155552671"), ("bo@example.com", "+14155552672")] {
        owner.post("/api/leads", json!({ "email": mail, "phone": phone })).await.expect_status(201);
    }
    // Kim has a new number; somebody new has the old one, then Bo takes that over by its owner's mail.
    let file = "name,email,phone\nKim,kim@example.com,+14155552673\nNew,new@example.com,+14155552671\n\
                Bo,bo@example.com,+14155552671\nNew,new@example.com,+14155552674\nBo,bo@example.com,+14155552671\n";
    let dry = upload(&owner, "?dry_run=true", file).await;
    world.work().await;
    let dry = load(&owner, &dry).await;
    assert_eq!(counts(&dry), [1, 3, 0, 1]);
    owner
        .post(&format!("/api/imports/{}/start", dry["id"].as_str().expect("an id")), json!({}))
        .await
        .expect_status(202);
    world.work().await;
    assert_eq!(counts(&load(&owner, &dry).await), [1, 3, 0, 1]);
    let all: BTreeSet<String> =
        leads(&owner).await.iter().map(|lead| format!("{} {}", lead["email"], lead["phone"])).collect();
    let expected =
        [("kim", 3), ("bo", 1), ("new", 4)].map(|(name, n)| format!("\"{name}@example.com\" \"+1415555267{n}\""));
    assert_eq!(all, BTreeSet::from(expected));
}

#[tokio::test]
async fn what_is_exported_runs_nowhere_and_comes_back_as_it_was() {
    let world = World::new().await;
    let owner = world.owner().await;
    let given = [
        json!({ "name": "=1+1", "email": "kim@example.com", "phone": "+4915123456789", "custom": { "plan": "@SUM(A1)" }, "tags": ["vip", "fair"] }),
        json!({ "name": "'=quoted", "company": "-Minus; & \"Sons\"", "email": "bo@example.com", "notes": "two\nlines", "time_zone": "Europe/Berlin" }),
        json!({ "name": "+Plus", "whatsapp": "+1 (415) 555-2671", "custom": { "city": "Köln" } }),
    ];
    for lead in &given {
        owner.post("/api/leads", lead.clone()).await.expect_status(201);
    }
    let answer = owner.get("/api/leads/export.csv").await.expect_status(200);
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    assert!(answer.text.starts_with("\u{feff}name,company,email,"), "{}", answer.text);
    let mut reader = csv::Reader::from_reader(answer.text.as_bytes());
    for cell in reader.records().flat_map(|row| row.expect("a row").iter().map(str::to_owned).collect::<Vec<_>>()) {
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
    }
    assert!(answer.text.contains("'+4915123456789"));
    let vip = owner.get("/api/leads/export.csv?tag=vip").await.expect_status(200).text;
    assert_eq!((vip.lines().count(), vip.contains("kim@example.com")), (2, true));
    owner.get("/api/leads/export.csv?conditions=x").await.expect_status(400);
    let stranger = world.stranger().await;
    let import = upload(&stranger, "", &answer.text).await;
    world.work().await;
    assert_eq!(counts(&load(&stranger, &import).await), [3, 0, 0, 0], "{}", errors(&stranger, &import).await);
    let told = |leads: Vec<Value>| {
        let fields = ["name", "company", "email", "phone", "whatsapp", "custom", "tags", "notes", "time_zone"];
        leads.iter().map(|lead| fields.map(|field| lead[field].to_string()).join(" ")).collect::<BTreeSet<_>>()
    };
    assert_eq!(told(leads(&owner).await), told(leads(&stranger).await));
}
