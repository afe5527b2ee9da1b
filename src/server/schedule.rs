//! When a message of a plan may leave: windows and holidays by the clock of whom it is for, also when that clock is changed.

use super::store::{self, Conn};
use crate::domain::{
    id::{OrganizationId, SequenceId},
    rules::Rules,
    sequence::Plan,
    time::Timestamp,
    window::Window,
};
use jiff::{civil::Date, tz::TimeZone};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// So many days are looked at for one on which something may leave.
const LOOK_AHEAD: usize = 400;

/// The clock and calendar of whom a message is for.
pub struct Calendar<'a> {
    /// Days and hours; `None`: all of them.
    pub window: Option<&'a Window>,
    /// Days on which nothing leaves.
    pub holidays: &'a BTreeSet<Date>,
}

/// The calendar of a plan, for leads anywhere.
pub struct Clockwork {
    window: Option<Window>,
    holidays: BTreeSet<Date>,
    own: TimeZone,
}

impl Clockwork {
    /// By what the organization asks.
    pub fn new(plan: &Plan, rules: &Rules) -> Self {
        let heeded = rules.holidays.iter().filter(|_| plan.skip_holidays);
        Self {
            window: plan.window.clone(),
            holidays: heeded.filter_map(|text| day(text)).collect(),
            own: zone(&rules.time_zone),
        }
    }

    /// The first instant from `at` on, by the clock of a lead, or the organization's where that is not known; `None` when there
    /// is none in more than a year.
    pub fn next(&self, at: Timestamp, time_zone: Option<&str>) -> Option<Timestamp> {
        let calendar = Calendar { window: self.window.as_ref(), holidays: &self.holidays };
        match time_zone {
            Some(name) => calendar.next(at, &zone(name)),
            None => calendar.next(at, &self.own),
        }
    }
}

/// Versions of sequences whose plans are kept at hand.
const KEPT: usize = 200;

/// Plans of versions: they never change.
#[derive(Default)]
pub struct Plans(Mutex<HashMap<(OrganizationId, SequenceId, u32), Arc<Plan>>>);

impl Plans {
    /// The plan of a version; `None` when it was deleted.
    pub async fn find(
        &self,
        conn: &mut Conn,
        organization: &OrganizationId,
        sequence: &SequenceId,
        version: u32,
    ) -> sqlx::Result<Option<Arc<Plan>>> {
        let place = (organization.clone(), sequence.clone(), version);
        if let Some(plan) = self.kept().get(&place) {
            return Ok(Some(plan.clone()));
        }
        let Some(plan) = store::sequence::find_plan(conn, sequence, organization, version).await? else {
            return Ok(None);
        };
        let plan = Arc::new(plan);
        let mut kept = self.kept();
        if kept.len() >= KEPT {
            kept.clear(); // rare, and soon read again
        }
        kept.insert(place, plan.clone());
        Ok(Some(plan))
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<(OrganizationId, SequenceId, u32), Arc<Plan>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A zone by its name; UTC when there is none of that name.
pub fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

impl Calendar<'_> {
    /// The first instant from `at` on, by the clock of `zone`; `None` when there is none in more than a year.
    pub fn next(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.window.is_none() && self.holidays.is_empty() {
            return Some(at);
        }
        let instant = jiff::Timestamp::from_millisecond(at.0).ok()?;
        let mut day = zone.to_datetime(instant).date();
        for _ in 0..LOOK_AHEAD {
            if let Some((from, to)) = self.open(day, zone)
                && at < to
            {
                return Some(at.max(from));
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    /// The stretch of a day in which something may leave. Hours that a change of the clock leaves out are none: a window that
    /// lies in them is empty on that day.
    fn open(&self, day: Date, zone: &TimeZone) -> Option<(Timestamp, Timestamp)> {
        let weekday = usize::try_from(day.weekday().to_monday_zero_offset()).ok()?;
        if self.holidays.contains(&day) || self.window.is_some_and(|window| !window.has_day(weekday)) {
            return None;
        }
        let (from, to) = self.window.map_or((0, 24 * 60), Window::minutes);
        let at = |minute: u16| {
            let (day, minute) = if minute == 24 * 60 { (day.tomorrow().ok()?, 0) } else { (day, minute) };
            let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
            let instant = zone.to_timestamp(day.at(hour, minute, 0, 0)).ok()?;
            Some(Timestamp(instant.as_millisecond()))
        };
        let (from, to) = (at(from)?, at(to)?);
        (from < to).then_some((from, to))
    }
}

/// Reads a day, `2026-12-25`.
pub fn day(text: &str) -> Option<Date> {
    (text.len() == 10).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::window::DAYS;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("an instant")
    }

    fn window(days: &[&str], from: &str, to: &str) -> Window {
        let days = days.iter().map(|day| (*day).to_owned()).collect();
        Window { days, from: from.to_owned(), to: to.to_owned() }.parse().expect("a window")
    }

    fn next(window: &Window, holidays: &[&str], now: &str, name: &str) -> Option<String> {
        let holidays = holidays.iter().map(|text| day(text).expect("a day")).collect();
        let calendar = Calendar { window: Some(window), holidays: &holidays };
        calendar.next(at(now), &zone(name)).map(|at| at.to_string())
    }

    #[test]
    fn nothing_leaves_at_night_on_other_days_and_on_holidays() {
        let office = window(&DAYS[..5], "09:00", "17:00");
        for (now, expected) in [
            // A Monday in Berlin.
            ("2026-11-23T07:59:59Z", "2026-11-23T08:00:00Z"),
            ("2026-11-23T08:00:00Z", "2026-11-23T08:00:00Z"),
            ("2026-11-23T15:59:59Z", "2026-11-23T15:59:59Z"),
            ("2026-11-23T16:00:00Z", "2026-11-24T08:00:00Z"),
            // A Friday evening.
            ("2026-11-27T18:00:00Z", "2026-11-30T08:00:00Z"),
            // The end of the month and of the year.
            ("2026-12-31T16:00:00Z", "2027-01-01T08:00:00Z"),
        ] {
            assert_eq!(next(&office, &[], now, "Europe/Berlin").as_deref(), Some(expected), "{now}");
        }
        let holidays = ["2026-12-24", "2026-12-25", "2027-01-01"];
        assert_eq!(
            next(&office, &holidays, "2026-12-23T17:00:00Z", "Europe/Berlin").as_deref(),
            Some("2026-12-28T08:00:00Z")
        );
        assert_eq!(
            next(&office, &holidays, "2026-12-31T17:00:00Z", "Europe/Berlin").as_deref(),
            Some("2027-01-04T08:00:00Z")
        );
        let leap = window(&DAYS, "09:00", "10:00");
        assert_eq!(next(&leap, &[], "2028-02-28T23:30:00Z", "UTC").as_deref(), Some("2028-02-29T09:00:00Z"));
    }

    #[test]
    fn the_clock_of_the_lead_counts_also_when_it_is_changed() {
        let day = window(&DAYS, "09:00", "17:00");
        for (zone, now, expected) in [
            // Summer time begins and ends between these evenings and mornings.
            ("Europe/Berlin", "2026-03-28T20:00:00Z", "2026-03-29T07:00:00Z"),
            ("Europe/Berlin", "2026-10-24T20:00:00Z", "2026-10-25T08:00:00Z"),
            ("America/New_York", "2026-03-07T23:00:00Z", "2026-03-08T13:00:00Z"),
            ("America/New_York", "2026-10-31T23:00:00Z", "2026-11-01T14:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T08:00:00Z", "2026-10-03T22:00:00Z"),
            ("Pacific/Kiritimati", "2026-11-22T04:00:00Z", "2026-11-22T19:00:00Z"),
            // Samoa left out the 30th of December 2011.
            ("Pacific/Apia", "2011-12-30T04:00:00Z", "2011-12-30T19:00:00Z"),
            ("Asia/Kathmandu", "2026-11-22T12:00:00Z", "2026-11-23T03:15:00Z"),
        ] {
            assert_eq!(next(&day, &[], now, zone).as_deref(), Some(expected), "{zone} {now}");
        }
        // On the day on which the clock goes from two to three there is no half past two.
        let night = window(&["sun"], "02:00", "02:59");
        assert_eq!(next(&night, &[], "2026-03-29T00:00:00Z", "Europe/Berlin").as_deref(), Some("2026-03-29T01:00:00Z"));
        let midnight = window(&DAYS, "00:00", "01:00");
        assert_eq!(
            next(&midnight, &[], "2026-09-06T03:30:00Z", "America/Santiago").as_deref(),
            Some("2026-09-07T03:00:00Z")
        );
    }

    #[test]
    fn without_a_window_only_holidays_count_and_never_is_none() {
        let holidays: BTreeSet<Date> = [day("2026-12-25").expect("a day")].into();
        let calendar = Calendar { window: None, holidays: &holidays };
        assert_eq!(calendar.next(at("2026-12-25T10:00:00Z"), &zone("UTC")), Some(at("2026-12-26T00:00:00Z")));
        assert_eq!(calendar.next(at("2026-12-24T10:00:00Z"), &zone("UTC")), Some(at("2026-12-24T10:00:00Z")));
        let all: BTreeSet<Date> =
            day("2026-11-22").expect("a day").series(jiff::Span::new().days(1)).take(500).collect();
        assert_eq!(Calendar { window: None, holidays: &all }.next(at("2026-11-22T00:00:00Z"), &zone("UTC")), None);
    }
}
