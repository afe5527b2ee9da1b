//! A month of a sequence for ten thousand people all over the world: every message leaves once, by its recipient's clock, in its
//! order, within the limits; and of everybody it is known why they got no more.

use crate::support::{Client, Credentials, NOW, World, but};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tern::{
    domain::{
        audience::Audience,
        rehearsal::{Planned, Rehearsal},
        time::{DAY, HOUR, Timestamp},
        window::{DAYS, Window},
    },
    server::{
        schedule::{Calendar, day, zone},
        usecase::{api_key, enrollment::Wanted, rehearsal},
    },
};

/// What differs from one month to another.
struct Month {
    people: usize,
    begins: &'static str,
    days: i64,
    holiday: &'static str,
    /// Messages a day of each account.
    limit: u32,
}

/// Two of them change their clocks in other seasons, one by half an hour, one is a quarter off, one is a day ahead.
const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "America/New_York",
    "America/Los_Angeles",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "America/Santiago",
    "UTC",
];

fn people(count: usize) -> String {
    let row = |n: usize| {
        let plan = if n % 100 == 7 { "" } else { "pro" };
        format!("Person {n},person{n}@example.com,{},{plan}\n", ZONES[n % ZONES.len()])
    };
    std::iter::once("name,email,time zone,custom.plan\n".to_owned()).chain((0..count).map(row)).collect()
}

async fn sequence(owner: &Client) -> String {
    let form = json!({ "name": "Text", "channel": "email", "subject": "Hello", "body": "Hi {{ first_name }}, your plan is {{ custom.plan }}" });
    let asks = owner.post("/api/templates", form).await.expect_status(201).id();
    let form = json!({ "name": "First", "channel": "email", "subject": "Hello", "body": "Hi {{ first_name }}" });
    let greets = owner.post("/api/templates", form).await.expect_status(201).id();
    let step =
        |delay: u32, template: &str| json!({ "channel": "email", "delay_hours": delay, "template_id": template });
    let window = json!({ "days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "to": "17:00" });
    let form = json!({
        "name": "Month", "is_active": true, "window": window, "skip_holidays": true,
        "steps": [step(0, &greets), step(72, &asks), step(168, &greets)],
    });
    owner.post("/api/sequences", form).await.expect_status(201).id()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_people_get_a_month_of_messages_each_by_their_own_clock() {
    let (begins, holiday) = ("2026-11-22T09:30:00Z", "2026-12-08");
    month(&Month { people: 10_000, begins, days: 30, holiday, limit: 3_000 }).await;
}

/// Every clock of the zones that is changed is changed in one of these stretches, in one direction or the other; one of them has
/// the 29th of February.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_are_changed_and_months_end_and_nobody_is_written_to_at_another_hour() {
    for (begins, days, holiday) in [
        ("2027-03-05T09:30:00Z", 40, "2027-03-15"),
        ("2027-08-27T09:30:00Z", 30, "2027-09-01"),
        ("2027-10-22T23:30:00Z", 30, "2027-11-01"),
        ("2028-02-24T09:30:00Z", 30, "2028-02-28"),
    ] {
        month(&Month { people: 400, begins, days, holiday, limit: 120 }).await;
    }
}

async fn month(month: &Month) {
    let world = World::new().await;
    world.clock.advance(Timestamp::parse(month.begins).expect("an instant").0 - NOW.0);
    // A month is longer than a session that nobody uses.
    let key = world.owner().await.post("/api/api-keys", json!({ "name": "month" })).await.expect_status(201).json();
    let owner = world.client(Credentials::Key(key["key"].as_str().expect("a key").to_owned()));
    for address in ["a@tern.example", "b@tern.example"] {
        let form = but(world.mail.form(), json!({ "email_address": address, "daily_send_limit": month.limit }));
        owner.post("/api/email-accounts", form).await.expect_status(201);
    }
    owner.patch("/api/rules", json!({ "quiet_hours": false, "holidays": [month.holiday] })).await.expect_status(200);
    let upload = owner.with("content-type", "text/csv");
    upload.call("POST", "/api/leads/import", people(month.people)).await.expect_status(202);
    world.work().await;
    let imported = world.rows("select state || ' ' || cast(created as text) from import").await;
    assert_eq!(imported, [format!("done {}", month.people)]);
    let sequence = sequence(&owner).await;
    let forecast = forecast(&world, key["key"].as_str().expect("a key"), &sequence).await;
    let path = format!("/api/sequences/{sequence}/enroll");
    let enrolled = owner.post(&path, json!({ "filter": {} })).await.expect_status(200).json();
    assert_eq!(enrolled["enrolled"], month.people);
    super::rehearsal::live(&world, month.days).await;
    explained(&world, &owner, &sequence, month).await;
    in_time(&world, month).await;
    as_forecast(&world, &forecast).await;
}

async fn forecast(world: &World, key: &str, sequence: &str) -> Rehearsal {
    let person = api_key::authenticate(&world.app, key).await.expect("a look").expect("somebody");
    let who = person.who().expect("an organization");
    let (id, wanted) = (sequence.parse().expect("an id"), Wanted::Audience(Audience::default()));
    // However busy the machine is.
    rehearsal::sequence(&who, &id, &wanted, Duration::from_mins(10)).await.expect("a forecast")
}

/// Message by message: to whom, which step, through which account, when.
async fn as_forecast(world: &World, forecast: &Rehearsal) {
    assert!(forecast.is_complete && forecast.waiting == 0);
    assert_eq!((forecast.excluded.len(), forecast.excluded[0].reason.as_str()), (1, "not_rendered"));
    let line = |one: &Planned| format!("{} {} {} {}", one.lead_id, one.step, one.account_id, one.at.0);
    let mut planned: Vec<String> = forecast.data.iter().map(line).collect();
    planned.sort();
    let happened = super::rehearsal::outcome(world).await;
    let differ = planned.iter().zip(&happened).find(|(planned, happened)| planned != happened);
    assert_eq!((planned.len(), differ), (happened.len(), None));
}

/// Of everybody it is known where they are, and of every message.
async fn explained(world: &World, owner: &Client, sequence: &str, month: &Month) {
    let people = month.people;
    let ends = "select status || ' ' || coalesce(stop_reason, '-') || ' ' || cast(count(*) as text) from enrollment group by status, stop_reason order by 1";
    let odd = people / 100;
    assert_eq!(world.rows(ends).await, [format!("finished - {}", people - odd), format!("stopped not_rendered {odd}")]);
    assert_eq!(world.rows("select distinct status from message").await, ["sent"]);
    let told = owner.get(&format!("/api/sequences/{sequence}")).await.expect_status(200).json();
    let sent: Vec<&Value> = told["counts"].as_array().expect("a list").iter().map(|of| &of["sent"]).collect();
    assert_eq!(sent, [&json!(people), &json!(people - odd), &json!(people - odd)]);
    assert_eq!(world.rows("select cast(max(attempts) as text) from message").await, ["1"], "nothing is tried twice");
}

/// Each message left in its recipient's window, no sooner than the delay after the one before.
async fn in_time(world: &World, month: &Month) {
    let window = Window {
        days: DAYS[..5].iter().map(|day| (*day).to_owned()).collect(),
        from: "09:00".to_owned(),
        to: "17:00".to_owned(),
    };
    let holidays = BTreeSet::from([day(month.holiday).expect("a day")]);
    let calendar = Calendar { window: Some(&window), holidays: &holidays };
    let rows = "select l.id || ' ' || cast(m.step as text) || ' ' || cast(m.created_at as text) || ' ' || cast(m.accepted_at as text) || ' ' || l.time_zone \
                from message m join lead l on l.id = m.lead_id order by l.id, m.step";
    let mut before: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    let (mut all, mut late) = (0_usize, 0_usize);
    for row in world.rows(rows).await {
        let parts: Vec<&str> = row.split(' ').collect();
        let number = |at: usize| parts[at].parse::<i64>().expect("a number");
        let (step, queued, left, name) = (number(1), Timestamp(number(2)), Timestamp(number(3)), parts[4]);
        for at in [queued, left] {
            assert_eq!(calendar.next(at, &zone(name)), Some(at), "{row}: queued, or left, outside its window");
        }
        if let Some((last, at)) = before.insert(parts[0].to_owned(), (step, left.0)) {
            let delay = [0, 72, 168][usize::try_from(step).expect("a step")] * HOUR;
            assert!(last + 1 == step && left.0 - at >= delay, "{row}: too soon after the one before");
        }
        all += 1;
        // Over a weekend with a holiday.
        late += usize::from(left.0 - queued.0 > 4 * DAY);
    }
    assert_eq!(
        (all, late),
        (3 * month.people - 2 * (month.people / 100), 0),
        "what is queued leaves on the next day that there is"
    );
}
