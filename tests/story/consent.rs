//! Consent: whoever says stop is left alone on every channel, whatever happens to their lead, until they say otherwise;
//! and what was said is kept in a record that shows when somebody has changed it.

use super::{MESSAGES, connected, events};
use crate::support::{Client, OWN_NUMBER, PUBLIC_URL, RECIPIENT, World, but, twilio_form};
use serde_json::{Value, json};
use tern::{domain::id::OrganizationId, server::usecase::consent};

const LEADS: &str = "/api/leads";
const SUPPRESSIONS: &str = "/api/suppressions";
/// The stand-in's carrier says that they opted out.
const STOPPED: &str = "+15005550004";

async fn create(owner: &Client, lead: Value) -> String {
    owner.post(LEADS, lead).await.expect_status(201).id()
}

/// Somebody writes to our number.
async fn write(world: &World, account: &str, from: &str, text: &str) {
    let url = format!("{PUBLIC_URL}/webhooks/twilio/{account}/inbound");
    let call = world.twilio.receive(OWN_NUMBER, from, text, &url);
    world.hand_back(&call).await.expect_status(200);
}

async fn send(owner: &Client, channel: &str, to: &str) -> Value {
    let subject = (channel == "email").then_some("Hello");
    let form = json!({ "channel": channel, "to": to, "subject": subject, "body": "Hello" });
    owner.post(MESSAGES, form).await.expect_status(202).json()
}

/// The whole list, as pairs of channel and address with the reason.
async fn listed(owner: &Client) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let page = owner.get(SUPPRESSIONS).await.expect_status(200).json();
    let mut all: Vec<_> = page["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (text(&one["channel"]), text(&one["address"]), text(&one["reason"])))
        .collect();
    all.sort();
    all
}

async fn organization(world: &World) -> OrganizationId {
    let first = world.rows("select id from organization order by id limit 1").await;
    first[0].parse().expect("an id")
}

/// What must not be, by the record of the owner's organization.
async fn faults(world: &World) -> Vec<String> {
    consent::verify(&world.app, &organization(world).await, None).await.expect("read").faults
}

#[tokio::test]
async fn a_stop_counts_for_every_channel_and_for_what_is_queued_already() {
    let (world, owner, account) = connected().await;
    owner.connect_mailbox(&world).await;
    let whatsapp = but(twilio_form(), json!({ "channel": "whatsapp" }));
    owner.post("/api/messaging-accounts", whatsapp).await.expect_status(201);
    create(&owner, json!({ "email": "kim@example.com", "phone": RECIPIENT, "whatsapp": "+491712345678" })).await;
    let mut queued = Vec::new();
    for (channel, to) in [("email", "kim@example.com"), ("sms", RECIPIENT), ("whatsapp", "+491712345678")] {
        queued.push(send(&owner, channel, to).await["id"].as_str().expect("an id").to_owned());
    }
    write(&world, &account, RECIPIENT, "Stop!").await;
    world.work().await;
    for id in &queued {
        assert_eq!(owner.status(id).await, "suppressed");
        assert_eq!(events(&owner, id).await.last().map(|(status, _)| status.clone()), Some("suppressed".to_owned()));
    }
    assert!(world.rows("select id from attempt").await.is_empty(), "nobody has tried");
    let message = send(&owner, "whatsapp", RECIPIENT).await;
    assert_eq!((&message["status"], &message["error"]["code"]), (&json!("suppressed"), &json!("suppressed")));
    assert_eq!(message["error"]["message"], "This recipient asked not to be contacted.");
    let all = listed(&owner).await;
    assert_eq!(all.len(), 5, "{all:?}");
    assert!(all.iter().all(|(_, _, reason)| reason == "stopped"), "{all:?}");
    assert!(faults(&world).await.is_empty());
}

#[tokio::test]
async fn it_begins_again_by_a_word_and_a_mere_yes_answers_something_else() {
    let (world, owner, account) = connected().await;
    create(&owner, json!({ "phone": RECIPIENT })).await;
    write(&world, &account, RECIPIENT, "Yes").await;
    write(&world, &account, RECIPIENT, "HELP").await;
    assert!(listed(&owner).await.is_empty());
    assert!(world.rows("select act from consent").await.is_empty(), "neither says anything about being written to");
    write(&world, &account, RECIPIENT, "unsubscribe").await;
    assert_eq!(listed(&owner).await.len(), 2);
    write(&world, &account, RECIPIENT, "yes").await;
    assert!(listed(&owner).await.is_empty());
    let said =
        world.rows("select number || ' ' || act || ' ' || source || ' ' || detail from consent order by number").await;
    assert_eq!(said, ["1 stopped recipient unsubscribe", "2 started recipient yes"]);
    assert_eq!(send(&owner, "sms", RECIPIENT).await["status"], "queued");
    world.work().await;
    assert!(faults(&world).await.is_empty());
}

#[tokio::test]
async fn a_word_does_not_undo_what_was_done_by_another_way() {
    let (world, owner, account) = connected().await;
    create(&owner, json!({ "phone": RECIPIENT })).await;
    owner.post(SUPPRESSIONS, json!({ "channel": "sms", "address": RECIPIENT })).await.expect_status(201);
    write(&world, &account, RECIPIENT, "STOP").await;
    write(&world, &account, RECIPIENT, "START").await;
    assert_eq!(listed(&owner).await, [("sms".to_owned(), RECIPIENT.to_owned(), "suppressed".to_owned())]);
}

#[tokio::test]
async fn what_the_carrier_knows_counts_like_a_word_of_the_person() {
    let (world, owner, _) = connected().await;
    create(&owner, json!({ "phone": STOPPED, "email": "kim@example.com" })).await;
    let id = owner.send(STOPPED).await;
    world.work().await;
    assert_eq!(owner.status(&id).await, "failed");
    let all = listed(&owner).await;
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(all[0], ("email".to_owned(), "kim@example.com".to_owned(), "carrier_stopped".to_owned()));
    assert_eq!(send(&owner, "sms", STOPPED).await["status"], "suppressed");
    assert_eq!(world.rows("select cast(count(*) as text) from attempt").await, ["1"]);
}

#[tokio::test]
async fn it_survives_the_deletion_of_the_lead_and_its_coming_back_in_another_notation() {
    let (world, owner, account) = connected().await;
    let mexican = "+5215512345678";
    let id = create(&owner, json!({ "phone": mexican, "email": "kim@example.com" })).await;
    write(&world, &account, mexican, "STOP").await;
    owner.delete(&format!("{LEADS}/{id}")).await.expect_status(200);
    let all = listed(&owner).await;
    assert!(all.iter().all(|(_, address, _)| address == "-"), "the addresses are forgotten: {all:?}");
    let bytes = world.rows("select coalesce(address, '') || fingerprint from suppression").await.join(" ");
    assert!(!bytes.contains("5512345678") && !bytes.contains("kim@"), "{bytes}");
    create(&owner, json!({ "phone": "+525512345678", "email": "other@example.com" })).await;
    for to in ["+525512345678", mexican] {
        assert_eq!(send(&owner, "sms", to).await["status"], "suppressed", "{to}");
    }
    let again = owner.get(&format!("{SUPPRESSIONS}?address=other@example.com")).await.expect_status(200).json();
    assert_eq!(again["data"][0]["reason"], "stopped", "the new address of the same person: {again}");
    assert!(faults(&world).await.is_empty());
}

#[tokio::test]
async fn a_new_address_of_somebody_who_said_stop_is_left_alone_too() {
    let (world, owner, account) = connected().await;
    let id = create(&owner, json!({ "phone": RECIPIENT })).await;
    write(&world, &account, RECIPIENT, "STOP").await;
    owner.patch(&format!("{LEADS}/{id}"), json!({ "email": "kim@example.com" })).await.expect_status(200);
    let other = create(&owner, json!({ "phone": "+14155550177" })).await;
    owner.post(&format!("{LEADS}/{id}/merge"), json!({ "lead_id": other })).await.expect_status(200);
    let third = create(&owner, json!({ "whatsapp": "+14155550178" })).await;
    let of_third = owner.get(&format!("{SUPPRESSIONS}?lead_id={third}")).await.expect_status(200).json();
    assert_eq!(of_third["data"], json!([]), "others can be written to");
    let of_first = owner.get(&format!("{SUPPRESSIONS}?lead_id={id}")).await.expect_status(200).json();
    assert_eq!(of_first["data"].as_array().map(Vec::len), Some(3), "{of_first}");
}

#[tokio::test]
async fn people_change_the_list_and_the_record_says_who() {
    let (world, owner, _) = connected().await;
    let form = json!({ "channel": "email", "address": "Kim@Example.com", "reason": "Called us" });
    let made = owner.post(SUPPRESSIONS, form.clone()).await.expect_status(201).json();
    let shape = json!({
        "id": made["id"], "channel": "email", "address": "kim@example.com", "reason": "suppressed", "source": "user",
        "created_at": "2026-11-22T09:30:00Z",
    });
    assert_eq!(made, shape);
    assert_eq!(owner.post(SUPPRESSIONS, form).await.expect_status(201).json()["id"], made["id"], "once");
    for (wrong, field) in [
        (json!({ "channel": "fax", "address": "1" }), "channel"),
        (json!({ "channel": "email", "address": "kim" }), "address"),
        (json!({ "channel": "sms", "address": "12" }), "address"),
        (json!({ "channel": "sms", "address": RECIPIENT, "reason": "a\nb" }), "reason"),
        (json!({ "channel": "sms", "address": RECIPIENT, "until": 1 }), "until"),
    ] {
        owner.post(SUPPRESSIONS, wrong).await.expect_status(400).expect_fields(&[field]);
    }
    for query in ["?cursor=x", "?limit=0", "?address=x"] {
        owner.get(&format!("{SUPPRESSIONS}{query}")).await.expect_status(400);
    }
    let one = format!("{SUPPRESSIONS}/{}", made["id"].as_str().expect("an id"));
    let stranger = world.stranger().await;
    stranger.delete(&one).await.expect_status(404);
    assert!(listed(&stranger).await.is_empty());
    owner.delete(&one).await.expect_status(200);
    owner.delete(&one).await.expect_status(404);
    let said = world.rows("select act || ' ' || detail from consent order by number").await;
    assert_eq!(said, ["suppressed Called us", "suppressed Called us", "allowed owner@example.com"]);
    assert!(faults(&world).await.is_empty());
}

#[tokio::test]
async fn a_mail_has_a_way_out_that_only_a_deliberate_act_takes() {
    let (world, owner, _) = connected().await;
    owner.connect_mailbox(&world).await;
    let lead = create(&owner, json!({ "email": "kim@example.com", "phone": RECIPIENT })).await;
    let form = json!({ "channel": "email", "lead_id": lead, "subject": "Hello", "body": "Hello" });
    owner.post(MESSAGES, form).await.expect_status(202);
    send(&owner, "email", "nobody@example.net").await;
    world.work().await;
    let mails = world.mail.server.kept();
    let text = |to: &str| mails.iter().find(|mail| mail.to == [to]).expect("a mail").raw.clone();
    assert!(!text("nobody@example.net").contains("List-Unsubscribe"), "what goes to no lead is no campaign");
    let mail = text("kim@example.com");
    assert!(mail.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{mail}");
    let url = mail.split("List-Unsubscribe: <").nth(1).and_then(|rest| rest.split('>').next()).expect("a link");
    let path = url.strip_prefix(PUBLIC_URL).expect("ours").to_owned();
    let reader = world.nobody();
    // What scanners do: look, and look closely.
    for _ in 0..2 {
        let page = reader.get(&path).await.expect_status(200);
        assert!(page.text.contains("Unsubscribe?") && page.text.contains("k…@example.com"), "{}", page.text);
        assert!(!page.text.contains("kim@example.com"), "the link may have been passed on");
        reader.call("HEAD", &path, "").await.expect_status(200);
    }
    assert!(listed(&owner).await.is_empty(), "a look changes nothing");
    let stranger = reader.with("origin", "https://mail.example").with("sec-fetch-site", "cross-site");
    let form = stranger.with("content-type", "application/x-www-form-urlencoded");
    let wrong = format!("{}0", &path[..path.len() - 1]);
    let wrong = if wrong == path { format!("{}1", &path[..path.len() - 1]) } else { wrong };
    for wrong in [wrong.as_str(), "/u/x", "/u/01arz3ndektsv4rrffq69g5fav0123"] {
        form.call("POST", wrong, "List-Unsubscribe=One-Click").await.expect_status(404);
        assert!(reader.get(wrong).await.text.contains("This link does not work"), "{wrong}");
    }
    assert!(listed(&owner).await.is_empty());
    form.call("POST", &path, "List-Unsubscribe=One-Click").await.expect_status(200);
    let all = listed(&owner).await;
    assert_eq!(all.len(), 3, "{all:?}");
    assert!(all.iter().all(|(_, _, reason)| reason == "unsubscribed"), "{all:?}");
    let again = form.call("POST", &path, "page=1").await.expect_status(303);
    assert_eq!(again.headers["location"], path.as_str());
    assert!(reader.get(&path).await.text.contains("You are unsubscribed"));
    assert_eq!(world.rows("select act from consent").await, ["unsubscribed"], "once is enough");
}

#[tokio::test]
async fn the_record_shows_what_somebody_changed_in_it() {
    let changes: [(&str, &str); 6] = [
        ("update consent set act = 'started' where number = 2", "Entry 2 was changed"),
        ("update consent set detail = 'STOP please' where number = 1", "Entry 1 was changed"),
        ("update consent set at = at + 1 where number = 3", "Entry 3 was changed"),
        ("delete from consent where number = 2", "another one is missing"),
        ("delete from consent where number = 3", "It ends with entry 2"),
        ("delete from suppression where channel = 'sms' or channel = 'whatsapp'", "not on the list"),
    ];
    for (change, fault) in changes {
        let (world, owner, account) = connected().await;
        for (n, text) in ["STOP", "quit", "END"].into_iter().enumerate() {
            write(&world, &account, &format!("+1415555010{n}"), text).await;
        }
        assert_eq!(listed(&owner).await.len(), 6);
        assert!(faults(&world).await.is_empty());
        world.tamper(change, &[]).await;
        let found = faults(&world).await;
        assert!(found.iter().any(|found| found.contains(fault)), "{change}: {found:?}");
    }
}

#[tokio::test]
async fn a_seal_that_was_told_shows_later_that_nothing_was_cut_off() {
    let (world, _, account) = connected().await;
    write(&world, &account, RECIPIENT, "STOP").await;
    write(&world, &account, RECIPIENT, "START").await;
    let organization = organization(&world).await;
    let told = consent::verify(&world.app, &organization, None).await.expect("read");
    let expected = Some((told.entries, told.digest.as_str()));
    write(&world, &account, RECIPIENT, "STOP").await;
    assert!(consent::verify(&world.app, &organization, expected).await.expect("read").faults.is_empty());
    world.tamper("delete from consent where number > 1", &[]).await;
    world
        .tamper("update consent_head set number = 1, digest = (select digest from consent where number = 1)", &[])
        .await;
    let found = consent::verify(&world.app, &organization, expected).await.expect("read").faults;
    assert!(found.iter().any(|fault| fault.contains("told before")), "{found:?}");
}

/// A generator that is the same everywhere (SplitMix64): a failure names its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % sides as u64).expect("small")
    }
}

const NUMBERS: [&str; 5] = ["+14155550101", "+14155550102", "+5215512345678", "+525512345678", "+14155550105"];
const EMAILS: [&str; 3] = ["a@example.com", "b@example.com", "c@example.com"];

/// What must not be tried any more, by a model that knows nothing of fingerprints: addresses of whoever said stop.
#[derive(Default)]
struct Model {
    stopped: std::collections::BTreeSet<String>,
}

/// The two notations of one Mexican number.
fn same(address: &str) -> String {
    address.replace("+521551", "+52551")
}

impl Model {
    /// All addresses of the leads that have one of these; a lead is told by the API.
    fn person(leads: &[Value], address: &str) -> Vec<String> {
        let ways = |lead: &Value| -> Vec<String> {
            let fields = ["email", "phone_number", "whatsapp_number"];
            fields.iter().filter_map(|field| lead[*field].as_str()).map(same).collect()
        };
        let mut all: Vec<String> =
            leads.iter().map(ways).filter(|ways| ways.contains(&same(address))).flatten().collect();
        all.push(same(address));
        all
    }

    fn stop(&mut self, leads: &[Value], address: &str) {
        self.stopped.extend(Self::person(leads, address));
    }

    fn start(&mut self, leads: &[Value], address: &str) {
        for one in Self::person(leads, address) {
            self.stopped.remove(&one);
        }
    }

    /// Somebody's new addresses are theirs.
    fn inherit(&mut self, leads: &[Value]) {
        for lead in leads {
            let fields = ["email", "phone_number", "whatsapp_number"];
            let ways: Vec<String> = fields.iter().filter_map(|field| lead[*field].as_str()).map(same).collect();
            if ways.iter().any(|way| self.stopped.contains(way)) {
                self.stopped.extend(ways);
            }
        }
    }
}

/// Whatever anybody does in whatever order, nobody who said stop is tried again.
#[tokio::test]
async fn no_sequence_of_operations_reaches_whoever_said_stop() {
    for seed in 0..12 {
        wander(seed).await;
    }
}

async fn wander(seed: u64) {
    let (world, owner, account) = connected().await;
    owner.connect_mailbox(&world).await;
    let (mut dice, mut model) = (Dice(seed), Model::default());
    for step in 0..60 {
        let (number, email) = (NUMBERS[dice.roll(NUMBERS.len())], EMAILS[dice.roll(EMAILS.len())]);
        let leads = owner.get(LEADS).await.json()["data"].as_array().cloned().unwrap_or_default();
        let one = |dice: &mut Dice| leads.get(dice.roll(leads.len().max(1))).and_then(|lead| lead["id"].as_str());
        match dice.roll(11) {
            // Many of these are refused: somebody has the address already.
            0 => drop(owner.post(LEADS, json!({ "email": email, "phone": number })).await),
            1 => drop(owner.post(LEADS, json!({ "whatsapp": number })).await),
            2 => {
                if let Some(id) = one(&mut dice) {
                    let field = ["phone", "whatsapp"][dice.roll(2)];
                    owner.patch(&format!("{LEADS}/{id}"), json!({ field: number })).await;
                }
            }
            3 => {
                if let (Some(id), Some(other)) = (one(&mut dice), one(&mut dice)) {
                    owner.post(&format!("{LEADS}/{id}/merge"), json!({ "lead_id": other })).await;
                }
            }
            4 => {
                if let Some(id) = one(&mut dice) {
                    owner.post(&format!("{LEADS}/{id}/unmerge"), json!({})).await;
                }
            }
            5 => {
                if let Some(id) = one(&mut dice) {
                    owner.delete(&format!("{LEADS}/{id}")).await;
                }
            }
            6 => {
                write(&world, &account, number, ["STOP", "please stop texting me", "arrêt"][dice.roll(3)]).await;
                model.stop(&leads, number);
            }
            7 if dice.roll(3) == 0 => {
                write(&world, &account, number, "START").await;
                model.start(&leads, number);
            }
            8 => drop(owner.post(MESSAGES, json!({ "channel": "sms", "to": number, "body": "x" })).await),
            9 => {
                let form = json!({ "channel": "email", "to": email, "subject": "x", "body": "x" });
                owner.post(MESSAGES, form).await.expect_status(202);
            }
            _ => {
                let before: std::collections::BTreeSet<String> = tried(&world).await.into_iter().collect();
                world.work().await;
                for attempt in tried(&world).await.into_iter().filter(|attempt| !before.contains(attempt)) {
                    let to = attempt.split(' ').nth(1).unwrap_or_default();
                    assert!(!model.stopped.contains(&same(to)), "seed {seed}, step {step}: {to} had said stop");
                }
            }
        }
        let leads = owner.get(LEADS).await.json()["data"].as_array().cloned().unwrap_or_default();
        model.inherit(&leads);
    }
    assert_eq!(faults(&world).await, Vec::<String>::new(), "seed {seed}");
}

/// Every try there was, with its recipient.
async fn tried(world: &World) -> Vec<String> {
    world.rows("select a.id || ' ' || m.recipient from attempt a join message m on m.id = a.message_id").await
}
