//! The judge sees each thing that it is for.

use super::{
    super::{
        simulate::journal::{Heard, masked},
        store::oracle::{Happened, Hold, Sender, Used},
    },
    *,
};

/// 2026-11-22T09:30:00Z.
const NOW: i64 = 1_795_339_800_000;

fn message(id: &str, status: Status) -> Outbound {
    let provider_message_id = matches!(status, Status::Accepted | Status::Sent).then(|| format!("SM-{id}"));
    Outbound { id: id.to_owned(), account: "A".to_owned(), is_sandbox: false, status, attempts: 1, provider_message_id }
}

fn entry(id: &str) -> Entry {
    Entry {
        received_ms: NOW,
        account: masked("AC"),
        to: "+15558675310".to_owned(),
        from: None,
        body: masked("Hello"),
        sid: format!("SM-{id}"),
        message: Some(id.to_owned()),
        attempt: Some(format!("T-{id}")),
        heard: Heard::Truth,
        watched: None,
    }
}

/// A day as promised: two accepted, one held that may have been, one refused, one that waits.
fn good() -> (Facts, Vec<Entry>) {
    let hold = |id: &str| Hold { attempt: format!("T-{id}"), account: "A".to_owned(), day: "2026-11-22".to_owned() };
    let facts = Facts {
        messages: vec![
            message("1", Status::Accepted),
            message("2", Status::Unknown),
            message("3", Status::Failed),
            message("4", Status::Queued),
        ],
        accounts: vec![Sender { id: "A".to_owned(), daily_limit: 3, time_zone: "UTC".to_owned() }],
        events: Vec::new(),
        holds: vec![hold("1"), hold("2")],
        usage: vec![Used { account: "A".to_owned(), day: "2026-11-22".to_owned(), used: 2 }],
    };
    (facts, vec![entry("1"), entry("2")])
}

fn event(id: &str, is_by_person: bool, status: Status) -> Happened {
    Happened { message: id.to_owned(), is_by_person, status, times: 1 }
}

/// How many of each kind, in the order of the report.
fn counts(verdict: &Verdict) -> [usize; 5] {
    verdict.kinds().map(|(_, found)| found.len())
}

fn found(facts: &Facts, journal: &[Entry]) -> [usize; 5] {
    counts(&judge(facts, journal, None))
}

#[test]
fn a_good_day_is_good() {
    let (facts, journal) = good();
    let verdict = judge(&facts, &journal, Some(&["1".to_owned(), "4".to_owned()]));
    assert!(verdict.is_good(), "{verdict}");
    assert_eq!((verdict.messages, verdict.accepted, verdict.held, verdict.open), (4, 2, 1, 1));
}

#[test]
fn what_is_lost_is_seen() {
    let (mut facts, journal) = good();
    let verdict = judge(&facts, &journal, Some(&["9".to_owned()]));
    assert_eq!(counts(&verdict), [1, 0, 0, 0, 0], "promised, not stored");
    assert!(verdict.to_string().contains("lost: 9 was answered"), "{verdict}");
    assert_eq!(found(&facts, &journal[1..]), [1, 0, 0, 0, 0], "said to be accepted");
    facts.events.push(event("1", true, Status::Sent));
    facts.messages[0].provider_message_id = None;
    assert_eq!(found(&facts, &journal[1..]), [0; 5], "a person said so");
    facts.messages.remove(1);
    assert_eq!(found(&facts, &journal)[0], 1, "accepted, and no row");
    let (mut facts, _) = good();
    facts.messages.truncate(1);
    facts.messages[0].is_sandbox = true;
    assert_eq!(judge(&facts, &[], Some(&["1".to_owned()])).lost, [""; 0], "it never was to leave");
}

#[test]
fn what_is_doubled_is_seen() {
    let (mut facts, mut journal) = good();
    journal.push(Entry { sid: "SM-other".to_owned(), ..entry("2") });
    facts.usage[0].used = 3;
    facts.holds.push(Hold { attempt: "T-x".to_owned(), ..facts.holds[0].clone() });
    assert_eq!(found(&facts, &journal), [0, 1, 0, 0, 0]);
    facts.events.push(event("2", true, Status::Queued));
    assert_eq!(found(&facts, &journal), [0; 5], "a person asked for it");
    let (facts, mut journal) = good();
    journal.push(Entry { message: None, ..entry("1") });
    assert_eq!(found(&facts, &journal)[1], 1, "also by the provider's name of it");
}

#[test]
fn what_goes_above_the_limit_is_seen() {
    let (mut facts, journal) = good();
    facts.accounts[0].daily_limit = 1;
    assert_eq!(found(&facts, &journal), [0, 0, 1, 0, 0]);
    let (mut facts, mut journal) = good();
    facts.accounts[0].daily_limit = 1;
    let midnight = NOW - NOW.rem_euclid(86_400_000) + 86_400_000;
    (journal[0].received_ms, journal[1].received_ms) = (midnight - 1, midnight);
    facts.holds[1].day = "2026-11-23".to_owned();
    facts.usage[0].used = 1;
    facts.usage.push(Used { account: "A".to_owned(), day: "2026-11-23".to_owned(), used: 1 });
    assert_eq!(found(&facts, &journal), [0; 5], "two days");
    facts.accounts[0].time_zone = "America/New_York".to_owned();
    assert_eq!(found(&facts, &journal)[2], 1, "one day there");
}

#[test]
fn a_call_under_way_at_midnight_counts_to_the_day_that_it_was_claimed_on() {
    let (facts, mut journal) = good();
    let midnight = NOW - NOW.rem_euclid(86_400_000) + 86_400_000;
    (journal[0].received_ms, journal[1].received_ms) = (midnight, midnight + UNDER_WAY - 1);
    assert_eq!(found(&facts, &journal), [0; 5]);
    journal[1].received_ms = midnight + UNDER_WAY;
    assert_eq!(found(&facts, &journal), [0, 0, 0, 0, 1], "too late for that");
}

#[test]
fn a_state_that_the_provider_contradicts_is_seen() {
    for status in [Status::Queued, Status::Failed, Status::Canceled, Status::Suppressed] {
        let (mut facts, journal) = good();
        facts.messages[1].status = status;
        assert_eq!(found(&facts, &journal), [0, 0, 0, 1, 0], "{status:?}");
    }
    let (mut facts, journal) = good();
    facts.messages[1].status = Status::Failed;
    facts.events.push(event("2", false, Status::Failed));
    assert_eq!(found(&facts, &journal), [0; 5], "the provider reported it");
    facts.messages[1].status = Status::Queued;
    facts.events.push(event("2", true, Status::Queued));
    assert_eq!(found(&facts, &journal), [0; 5], "a person let it go again");
    facts.messages[0].provider_message_id = Some("SM-other".to_owned());
    assert_eq!(found(&facts, &journal), [0, 0, 0, 1, 0], "a name of another");
}

#[test]
fn a_count_that_drifts_is_seen() {
    for used in [1, 3] {
        let (mut facts, journal) = good();
        facts.usage[0].used = used;
        assert_eq!(found(&facts, &journal), [0, 0, 0, 0, 1], "{used}");
    }
    let (mut facts, journal) = good();
    facts.usage[0].day = "2026-11-23".to_owned();
    assert_eq!(found(&facts, &journal)[4], 2, "a refund to another day");
    let (mut facts, journal) = good();
    facts.holds.pop();
    facts.usage[0].used = 1;
    assert_eq!(found(&facts, &journal)[4], 1, "less than the provider accepted");
}
