//! How many and how fast: the limit of a day, its warm-up, and the pace between two messages. Pure arithmetic; which day
//! it is in an account's zone is the server's to say.

use super::time::{DAY, SECOND, Timestamp};
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
    fn a_gap_is_kept_with_a_random_part() {
        let pace = Pace { min_gap_seconds: Some(60), rate_per_second: Some(100), ..Pace::default() };
        assert_eq!((pace.interval(1, 0), pace.interval(1, u16::MAX)), (60_000, 90_000));
        assert!(!pace.is_free() && Pace::default().is_free());
    }
}
