//! How many and how fast: the limit of a day, its warm-up, and the pace between two messages. Pure arithmetic; which day
//! it is in an account's zone is the server's to say.

use super::{
    field_error::FieldErrors,
    time::{DAY, SECOND, Timestamp},
};
use serde::{Deserialize, Serialize};

/// What the daily limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitWindow {
    /// A calendar day of the account's zone.
    #[default]
    Day,
    /// The last 24 hours, in steps of an hour.
    Rolling,
}

impl LimitWindow {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Rolling => "rolling",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Day, Self::Rolling].into_iter().find(|window| window.as_str() == name)
    }
}

/// A new sender starts small: so many messages on its first day, and so many more on each day after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warmup {
    /// Messages on the first day.
    pub start: u32,
    /// More on each day after it.
    pub step: u32,
    /// When the first day began.
    pub since: Timestamp,
}

/// The settings of an account's pace; all in the shape of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// The zone of its day, an IANA name.
    pub time_zone: String,
    /// What the daily limit counts.
    pub limit_window: LimitWindow,
    /// Segments a second; `None`: as fast as the provider takes them.
    pub rate_per_second: Option<u32>,
    /// Seconds between two messages at least, with up to half of it at random on top.
    pub min_gap_seconds: Option<u32>,
    /// The warm-up, if it is on.
    pub warmup: Option<Warmup>,
    /// A message of unknown outcome that nobody can be asked about is sent once more (e-mail, under the same Message-ID)
    /// instead of held for a person.
    #[serde(default)]
    pub resends_unknown: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            limit_window: LimitWindow::Day,
            rate_per_second: None,
            min_gap_seconds: None,
            warmup: None,
            resends_unknown: false,
        }
    }
}

/// The most segments a second that can be set: what the fastest senders of providers are allowed.
pub const RATE_MAX: u32 = 1_000;
/// The longest gap that can be set: an hour.
pub const GAP_MAX: u32 = 3_600;

impl Pace {
    /// The limit of the day `now` is in: the daily limit, or less while the account warms up.
    pub fn limit_of_day(&self, daily_limit: u32, now: Timestamp) -> u32 {
        let Some(warmup) = self.warmup else { return daily_limit };
        let days = u32::try_from((now.0 - warmup.since.0).div_euclid(DAY)).unwrap_or(0);
        daily_limit.min(warmup.start.saturating_add(warmup.step.saturating_mul(days)))
    }

    /// Milliseconds that a message of so many segments keeps the lane for itself. `chance` is any number.
    pub fn interval(&self, segments: u32, chance: u16) -> i64 {
        let rate = self.rate_per_second.map_or(0, |rate| {
            let rate = i64::from(rate.max(1));
            (i64::from(segments.max(1)) * SECOND + rate - 1) / rate
        });
        let gap = self.min_gap_seconds.map_or(0, |gap| {
            let gap = i64::from(gap) * SECOND;
            gap + gap / 2 * i64::from(chance) / i64::from(u16::MAX)
        });
        rate.max(gap)
    }

    /// True when messages need not wait for each other.
    pub fn is_free(&self) -> bool {
        self.rate_per_second.is_none() && self.min_gap_seconds.is_none()
    }
}

/// The part of an account's form that sets its pace, as it came; the names are those of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaceForm {
    /// Empty: none.
    pub rate_per_second: String,
    /// Empty: none.
    pub min_gap_seconds: String,
    /// Empty: the form has no such part, and nothing changes.
    pub limit_window: String,
    /// Empty: as before.
    pub time_zone: String,
    /// Empty: no warm-up.
    pub warmup_start: String,
    /// Empty: none.
    pub warmup_step: String,
    /// Empty: as before.
    pub on_unknown: String,
    /// Empty: as before.
    pub used_elsewhere_today: String,
}

impl PaceForm {
    /// What was sent elsewhere today, and the pace as it shall be. A warm-up that goes on keeps its first day.
    pub fn parse(
        &self,
        before: &Pace,
        now: Timestamp,
        is_zone: impl Fn(&str) -> bool,
    ) -> Result<(Option<u32>, Pace), FieldErrors> {
        let mut pace = before.clone();
        if self.limit_window.is_empty() {
            return Ok((None, pace));
        }
        let mut errors = FieldErrors::default();
        pace.rate_per_second = whole(&mut errors, "rate_per_second", &self.rate_per_second, 1, RATE_MAX);
        pace.min_gap_seconds = whole(&mut errors, "min_gap_seconds", &self.min_gap_seconds, 1, GAP_MAX);
        match LimitWindow::from_name(&self.limit_window) {
            Some(window) => pace.limit_window = window,
            None => errors.add("limit_window", "must be day or rolling"),
        }
        match self.time_zone.trim() {
            "" => {}
            zone if is_zone(zone) => zone.clone_into(&mut pace.time_zone),
            _ => errors.add("time_zone", "must be a zone like Europe/Berlin"),
        }
        let start = whole(&mut errors, "warmup_start", &self.warmup_start, 1, COUNT_MAX);
        let step = whole(&mut errors, "warmup_step", &self.warmup_step, 0, COUNT_MAX);
        if start.is_none() && step.is_some() && errors.of("warmup_start").is_none() {
            errors.add("warmup_start", "is required for a warm-up");
        }
        let since = before.warmup.map_or(now, |warmup| warmup.since);
        pace.warmup = start.map(|start| Warmup { start, step: step.unwrap_or(0), since });
        match self.on_unknown.as_str() {
            "" => {}
            "hold" => pace.resends_unknown = false,
            "resend" => pace.resends_unknown = true,
            _ => errors.add("on_unknown", "must be hold or resend"),
        }
        let elsewhere = whole(&mut errors, "used_elsewhere_today", &self.used_elsewhere_today, 0, COUNT_MAX);
        if errors.is_empty() { Ok((elsewhere, pace)) } else { Err(errors) }
    }
}

/// The most messages that a field about a day takes.
const COUNT_MAX: u32 = 100_000;

/// A whole number within bounds; `None` when nothing is typed, or something else, which is noted.
fn whole(errors: &mut FieldErrors, name: &str, typed: &str, least: u32, most: u32) -> Option<u32> {
    let typed = typed.trim();
    if typed.is_empty() {
        return None;
    }
    let number = typed.parse().ok().filter(|number| (least..=most).contains(number));
    if number.is_none() {
        errors.add(name, format!("must be a whole number from {least} to {most}"));
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_up_grows_to_the_limit_and_stays_there() {
        let pace = Pace { warmup: Some(Warmup { start: 10, step: 5, since: Timestamp(0) }), ..Pace::default() };
        let limits = [0, 1, 2, 17, 18, 19, 10_000].map(|day| pace.limit_of_day(100, Timestamp(day * DAY + 1)));
        assert_eq!(limits, [10, 15, 20, 95, 100, 100, 100]);
        assert_eq!(pace.limit_of_day(100, Timestamp(-DAY)), 10, "a clock that was set back");
        assert_eq!(Pace::default().limit_of_day(100, Timestamp(0)), 100);
    }

    #[test]
    fn a_rate_counts_segments_and_is_never_passed() {
        let pace = Pace { rate_per_second: Some(3), ..Pace::default() };
        assert_eq!((pace.interval(1, 0), pace.interval(2, 0), pace.interval(0, 0)), (334, 667, 334));
        // Any second holds at most the rate.
        let starts: Vec<i64> = (0..30).map(|n| n * pace.interval(1, 0)).collect();
        for from in &starts {
            assert!(starts.iter().filter(|at| (*from..from + SECOND).contains(at)).count() <= 3);
        }
    }

    #[test]
    fn a_form_says_what_is_wrong_with_each_field_and_changes_nothing_it_does_not_have() {
        let is_zone = |zone: &str| zone == "Europe/Berlin";
        let warm = Pace { warmup: Some(Warmup { start: 5, step: 1, since: Timestamp(7) }), ..Pace::default() };
        assert_eq!(PaceForm::default().parse(&warm, Timestamp(9), is_zone), Ok((None, warm.clone())));
        let form = PaceForm {
            rate_per_second: " 3 ".into(),
            limit_window: "rolling".into(),
            time_zone: "Europe/Berlin".into(),
            warmup_start: "10".into(),
            on_unknown: "resend".into(),
            used_elsewhere_today: "0".into(),
            ..PaceForm::default()
        };
        let (elsewhere, pace) = form.parse(&warm, Timestamp(9), is_zone).expect("a good form");
        assert_eq!((elsewhere, pace.rate_per_second, pace.min_gap_seconds), (Some(0), Some(3), None));
        assert_eq!(pace.warmup, Some(Warmup { start: 10, step: 0, since: Timestamp(7) }), "its first day stays");
        assert!(pace.resends_unknown && pace.limit_window == LimitWindow::Rolling);
        let wrong = PaceForm {
            rate_per_second: "0".into(),
            min_gap_seconds: "soon".into(),
            limit_window: "week".into(),
            time_zone: "Mars".into(),
            warmup_step: "1".into(),
            ..PaceForm::default()
        };
        let errors = wrong.parse(&Pace::default(), Timestamp(0), is_zone).expect_err("all of it is wrong");
        for field in ["rate_per_second", "min_gap_seconds", "limit_window", "time_zone", "warmup_start"] {
            assert!(errors.of(field).is_some(), "{field}");
        }
    }

    #[test]
    fn a_gap_is_kept_with_a_random_part() {
        let pace = Pace { min_gap_seconds: Some(60), rate_per_second: Some(100), ..Pace::default() };
        assert_eq!((pace.interval(1, 0), pace.interval(1, u16::MAX)), (60_000, 90_000));
        assert!(!pace.is_free() && Pace::default().is_free());
    }
}
