//! Quiet hours: planned SMS and WhatsApp messages wait for the day of whom they are for, and are never dropped.
//!
//! 8 a.m. to 9 p.m. by the recipient's clock is the rule of the USA (47 CFR 64.1200(c)(1)) and the default for everybody; some
//! countries ask for more. Where only the number is known, its country says the clock; where a country has several, all of
//! them must agree.

use super::schedule::{Calendar, zone};
use crate::domain::{
    time::Timestamp,
    window::{DAYS, Window},
};
use std::collections::BTreeSet;

/// What is known of the numbers that begin so: clocks, from the most eastern to the most western that many people live by;
/// hours; whether Sundays count.
struct Country {
    prefix: &'static str,
    zones: &'static [&'static str],
    from: &'static str,
    to: &'static str,
    has_sunday: bool,
}

const fn country(prefix: &'static str, zones: &'static [&'static str]) -> Country {
    Country { prefix, zones, from: "08:00", to: "21:00", has_sunday: true }
}

/// The longest prefix that fits counts.
const COUNTRIES: [Country; 44] = [
    country("+1", &["America/New_York", "America/Los_Angeles"]),
    country("+1808", &["Pacific/Honolulu"]),
    country("+1907", &["America/Anchorage"]),
    country("+1787", &["America/Puerto_Rico"]),
    country("+1939", &["America/Puerto_Rico"]),
    country("+7", &["Asia/Vladivostok", "Europe/Moscow"]),
    country("+20", &["Africa/Cairo"]),
    country("+27", &["Africa/Johannesburg"]),
    country("+30", &["Europe/Athens"]),
    country("+31", &["Europe/Amsterdam"]),
    country("+32", &["Europe/Brussels"]),
    // No advertising by SMS at night, on Sundays (charter of the French operators, af2m).
    Country { prefix: "+33", zones: &["Europe/Paris"], from: "08:00", to: "20:00", has_sunday: false },
    country("+34", &["Europe/Madrid"]),
    country("+351", &["Europe/Lisbon"]),
    country("+353", &["Europe/Dublin"]),
    country("+358", &["Europe/Helsinki"]),
    country("+36", &["Europe/Budapest"]),
    country("+380", &["Europe/Kyiv"]),
    country("+39", &["Europe/Rome"]),
    country("+40", &["Europe/Bucharest"]),
    country("+41", &["Europe/Zurich"]),
    country("+420", &["Europe/Prague"]),
    country("+43", &["Europe/Vienna"]),
    country("+44", &["Europe/London"]),
    country("+45", &["Europe/Copenhagen"]),
    country("+46", &["Europe/Stockholm"]),
    country("+47", &["Europe/Oslo"]),
    country("+48", &["Europe/Warsaw"]),
    country("+49", &["Europe/Berlin"]),
    country("+52", &["America/Cancun", "America/Tijuana"]),
    country("+54", &["America/Argentina/Buenos_Aires"]),
    country("+55", &["America/Sao_Paulo", "America/Manaus"]),
    country("+56", &["America/Santiago"]),
    country("+57", &["America/Bogota"]),
    country("+61", &["Australia/Sydney", "Australia/Perth"]),
    country("+62", &["Asia/Jayapura", "Asia/Jakarta"]),
    country("+63", &["Asia/Manila"]),
    country("+64", &["Pacific/Auckland"]),
    country("+65", &["Asia/Singapore"]),
    country("+81", &["Asia/Tokyo"]),
    country("+82", &["Asia/Seoul"]),
    country("+90", &["Europe/Istanbul"]),
    // Promotional messages from ten to nine (TRAI, TCCCPR 2018).
    Country { prefix: "+91", zones: &["Asia/Kolkata"], from: "10:00", to: "21:00", has_sunday: true },
    country("+971", &["Asia/Dubai"]),
];

/// The first instant from `at` on at which a number may be written to. `known` is the zone of its owner, `own` the
/// organization's, for numbers of which nothing is known.
pub fn next(at: Timestamp, number: &str, known: Option<&str>, own: &str) -> Timestamp {
    let fits = COUNTRIES.iter().filter(|country| number.starts_with(country.prefix));
    let country = fits.max_by_key(|country| country.prefix.len());
    let (from, to, has_sunday) = country.map_or(("08:00", "21:00", true), |c| (c.from, c.to, c.has_sunday));
    let days = DAYS.iter().filter(|day| has_sunday || **day != "sun").map(|day| (*day).to_owned()).collect();
    let window = Window { days, from: from.to_owned(), to: to.to_owned() };
    let zones: Vec<&str> = match (known, country) {
        (Some(known), _) => vec![known],
        (None, Some(country)) => country.zones.to_vec(),
        (None, None) => vec![own],
    };
    let calendar = Calendar { window: Some(&window), holidays: &BTreeSet::new() };
    let mut at = at;
    // All clocks must agree: whoever moves it asks the others again.
    for _ in 0..4 {
        let moved = zones.iter().fold(at, |at, name| calendar.next(at, &zone(name)).unwrap_or(at));
        if moved == at {
            break;
        }
        at = moved;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, number: &str, known: Option<&str>) -> String {
        next(Timestamp::parse(text).expect("an instant"), number, known, "Europe/Berlin").to_string()
    }

    #[test]
    fn nobody_is_woken_by_their_own_clock() {
        for (now, number, known, expected) in [
            // Half past four in the morning of New York, ten in Berlin.
            ("2026-11-23T09:30:00Z", "+12125550100", Some("America/New_York"), "2026-11-23T13:00:00Z"),
            ("2026-11-23T09:30:00Z", "+4915123456789", None, "2026-11-23T09:30:00Z"),
            // Nobody knows which clock of the country: eight in the west, nine in the evening in the east.
            ("2026-11-23T14:00:00Z", "+12125550100", None, "2026-11-23T16:00:00Z"),
            ("2026-11-24T02:30:00Z", "+14155550100", None, "2026-11-24T16:00:00Z"),
            ("2026-11-23T16:00:00Z", "+18085550100", None, "2026-11-23T18:00:00Z"),
            // Of a country that is not listed: the organization's own clock.
            ("2026-11-23T22:00:00Z", "+37125550100", None, "2026-11-24T07:00:00Z"),
            // No Sundays in France, and not before ten in India.
            ("2026-11-22T10:00:00Z", "+33612345678", None, "2026-11-23T07:00:00Z"),
            ("2026-11-23T03:00:00Z", "+919876543210", None, "2026-11-23T04:30:00Z"),
            // The night in which the clock goes forward.
            ("2026-03-29T00:30:00Z", "+4915123456789", None, "2026-03-29T06:00:00Z"),
        ] {
            assert_eq!(at(now, number, known), expected, "{now} {number}");
        }
    }

    #[test]
    fn every_clock_is_one() {
        for country in &COUNTRIES {
            assert!(country.zones.iter().all(|name| crate::server::bucket::is_zone(name)), "{}", country.prefix);
            let window = Window { days: vec!["mon".into()], from: country.from.into(), to: country.to.into() };
            assert!(window.parse().is_ok(), "{}", country.prefix);
        }
    }
}
