//! Which part of an account's usage a message counts to. The day is a key, not a reset: a new day is a new row, so
//! downtime can neither skip a reset nor do it twice.

use crate::domain::{
    limit::{LimitWindow, Pace},
    time::{DAY, HOUR, Timestamp},
};

/// Sorts after every hour of a day.
const LAST_HOUR: &str = "T99";

/// A stretch of usage: the key that is counted on now, and the keys that count against the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// What is sent now counts here: `yyyy-mm-dd` in the account's zone, or `yyyy-mm-ddThh` in UTC.
    pub key: String,
    /// The first key that counts against the limit now.
    pub first: String,
    /// The last one.
    pub last: String,
    /// When there may be room again.
    pub until: Timestamp,
}

impl Bucket {
    /// The bucket of `now`. `newest` is the newest key the account has counted on: its days never go back, whatever the
    /// clock does.
    pub fn at(now: Timestamp, pace: &Pace, newest: Option<&str>) -> Self {
        match pace.limit_window {
            LimitWindow::Day => {
                let (day, until) = day_of(now, &pace.time_zone);
                let key = never_back(day, newest);
                Self { first: key.clone(), last: format!("{key}{LAST_HOUR}"), key, until }
            }
            LimitWindow::Rolling => {
                let hour = |at: Timestamp| at.to_string()[..13].to_owned();
                let key = never_back(hour(now), newest);
                let until = Timestamp(now.0 - now.0.rem_euclid(HOUR) + HOUR);
                Self { first: hour(now.plus(-DAY)), last: key.clone(), key, until }
            }
        }
    }
}

fn never_back(key: String, newest: Option<&str>) -> String {
    match newest {
        Some(newest) if newest.len() == key.len() && newest > key.as_str() => newest.to_owned(),
        _ => key,
    }
}

/// The day of `now` in a zone, `yyyy-mm-dd`, and when the next one begins. Days of 23 and 25 hours are days, too.
pub fn day_of(now: Timestamp, time_zone: &str) -> (String, Timestamp) {
    let zone = jiff::tz::TimeZone::get(time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let instant = jiff::Timestamp::from_millisecond(now.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let today = zone.to_datetime(instant).date();
    let next = today.tomorrow().ok().and_then(|day| zone.to_timestamp(day.at(0, 0, 0, 0)).ok());
    let next = next.map_or(now.plus(DAY), |midnight| Timestamp(midnight.as_millisecond()));
    (today.to_string(), next)
}

/// Whether the name is a zone of the IANA database.
pub fn is_zone(name: &str) -> bool {
    jiff::tz::TimeZone::get(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(time_zone: &str, limit_window: LimitWindow) -> Pace {
        Pace { time_zone: time_zone.to_owned(), limit_window, ..Pace::default() }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("an instant")
    }

    #[test]
    fn a_day_ends_at_the_midnight_of_its_zone_also_when_clocks_change() {
        for (zone, now, day, until) in [
            ("UTC", "2026-11-22T09:30:00Z", "2026-11-22", "2026-11-23T00:00:00Z"),
            // 23 hours and 25 hours.
            ("Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29", "2026-03-29T22:00:00Z"),
            ("Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25", "2026-10-25T23:00:00Z"),
            ("America/New_York", "2026-03-08T06:00:00Z", "2026-03-08", "2026-03-09T04:00:00Z"),
            ("America/New_York", "2026-11-01T05:00:00Z", "2026-11-01", "2026-11-02T05:00:00Z"),
            // Half an hour of daylight saving.
            ("Australia/Lord_Howe", "2026-10-03T14:00:00Z", "2026-10-04", "2026-10-04T13:00:00Z"),
            ("Pacific/Kiritimati", "2026-11-22T10:00:00Z", "2026-11-23", "2026-11-23T10:00:00Z"),
            // Samoa left out the 30th of December 2011.
            ("Pacific/Apia", "2011-12-30T09:59:00Z", "2011-12-29", "2011-12-30T10:00:00Z"),
            ("Asia/Kathmandu", "2026-11-22T18:14:00Z", "2026-11-22", "2026-11-22T18:15:00Z"),
            // Midnight does not exist on this day: it begins at one.
            ("America/Santiago", "2026-09-06T03:30:00Z", "2026-09-05", "2026-09-06T04:00:00Z"),
        ] {
            let bucket = Bucket::at(at(now), &pace(zone, LimitWindow::Day), None);
            assert_eq!((bucket.key.as_str(), bucket.until), (day, at(until)), "{zone} {now}");
            let next = Bucket::at(bucket.until, &pace(zone, LimitWindow::Day), None);
            assert!(next.key > bucket.key, "{zone}: {} after {}", next.key, bucket.key);
        }
    }

    #[test]
    fn a_clock_that_is_set_back_opens_no_old_day() {
        let pace = pace("UTC", LimitWindow::Day);
        let bucket = Bucket::at(at("2026-11-22T23:59:00Z"), &pace, Some("2026-11-23"));
        assert_eq!(bucket.key, "2026-11-23");
        assert_eq!(Bucket::at(at("2026-11-24T00:00:00Z"), &pace, Some("2026-11-23")).key, "2026-11-24");
    }

    #[test]
    fn the_last_24_hours_are_counted_by_the_hour_and_never_too_few() {
        let bucket = Bucket::at(at("2026-11-22T09:30:00Z"), &pace("UTC", LimitWindow::Rolling), None);
        assert_eq!((bucket.first.as_str(), bucket.last.as_str()), ("2026-11-21T09", "2026-11-22T09"));
        assert_eq!(bucket.until, at("2026-11-22T10:00:00Z"));
    }
}
