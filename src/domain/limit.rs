//! How many and how fast: the limit of a day, its warm-up, and the pace between two messages. Pure arithmetic; which day
//! it is in an account's zone is the server's to say.

use super::{
    field_error::FieldErrors,
    time::{DAY, SECOND, Timestamp},
};
use serde::{Deserialize, Serialize};

/// The most messages a day: 1–100 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DailyLimit(u32);

/// The limit is out of bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to 100000")]
pub struct NotADailyLimit;

impl DailyLimit {
    /// What the form allows without further ado.
    pub const UNCONFIRMED_MAX: u32 = 1_000;
    /// The most there is.
    pub const MAX: u32 = 100_000;
    /// What an account gets when nobody says otherwise.
    pub const DEFAULT: Self = Self(100);

    /// Checks the bounds.
    pub fn new(limit: i64) -> Result<Self, NotADailyLimit> {
        u32::try_from(limit).ok().filter(|n| (1..=Self::MAX).contains(n)).map(Self).ok_or(NotADailyLimit)
    }

    /// Reads what was typed; nothing typed is the default.
    pub fn parse_typed(text: &str) -> Result<Self, NotADailyLimit> {
        match text.trim() {
            "" => Ok(Self::DEFAULT),
            text => text.parse().map_err(|_| NotADailyLimit).and_then(Self::new),
        }
    }

    /// What a person types to go above [`Self::UNCONFIRMED_MAX`].
    pub const RAISE: &str = "raise the limit";

    /// Notes a fault when the typed limit is above both `usual` and what needs no confirmation, and nobody confirmed it.
    pub fn check_confirmed(typed: &str, confirmation: &str, usual: u32, errors: &mut FieldErrors) {
        let asked = Self::parse_typed(typed).map_or(0, Self::get);
        let is_confirmed = confirmation.trim().eq_ignore_ascii_case(Self::RAISE);
        if asked > usual.max(Self::UNCONFIRMED_MAX) && !is_confirmed {
            errors.add("daily_limit", format!("is above {}: type “{}” below", Self::UNCONFIRMED_MAX, Self::RAISE));
        }
    }

    /// Messages a day.
    pub fn get(self) -> u32 {
        self.0
    }
}

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

/// The settings of a pace as they are entered, in the names of the API: what is left out stays as it is, a number that is
/// empty is turned off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaceForm(pub Vec<(&'static str, String)>);

impl PaceForm {
    /// What can be entered, and whether it is a number.
    pub const FIELDS: [(&'static str, bool); 8] = [
        ("rate_per_second", true),
        ("min_gap_seconds", true),
        ("limit_window", false),
        ("time_zone", false),
        ("warmup_start", true),
        ("warmup_step", true),
        ("on_unknown", false),
        ("used_elsewhere_today", true),
    ];

    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| *given == name).map(|(_, text)| text.trim())
    }

    /// A whole number within bounds; `Some(None)` when it is turned off, `None` when it is left out or wrong.
    #[expect(clippy::option_option, reason = "left out, turned off, and a number are three things")]
    fn whole(&self, errors: &mut FieldErrors, name: &str, least: u32, most: u32) -> Option<Option<u32>> {
        let text = self.text(name)?;
        if text.is_empty() {
            return Some(None);
        }
        let number = text.parse::<u32>().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            errors.add(name, format!("must be a whole number from {least} to {most}"));
        }
        number.map(Some)
    }

    /// What was sent elsewhere today, when that is entered, and the pace as it shall be. A warm-up that goes on keeps its
    /// first day.
    pub fn parse(
        &self,
        before: &Pace,
        now: Timestamp,
        is_zone: impl Fn(&str) -> bool,
    ) -> Result<(Option<u32>, Pace), FieldErrors> {
        let (mut pace, mut errors) = (before.clone(), FieldErrors::default());
        if let Some(rate) = self.whole(&mut errors, "rate_per_second", 1, RATE_MAX) {
            pace.rate_per_second = rate;
        }
        if let Some(gap) = self.whole(&mut errors, "min_gap_seconds", 1, GAP_MAX) {
            pace.min_gap_seconds = gap;
        }
        match self.text("limit_window").map(LimitWindow::from_name) {
            Some(Some(window)) => pace.limit_window = window,
            Some(None) => errors.add("limit_window", "must be day or rolling"),
            None => {}
        }
        match self.text("time_zone") {
            Some(zone) if is_zone(zone) => zone.clone_into(&mut pace.time_zone),
            Some(_) => errors.add("time_zone", "must be a zone like Europe/Berlin"),
            None => {}
        }
        match self.text("on_unknown") {
            Some("hold") => pace.resends_unknown = false,
            Some("resend") => pace.resends_unknown = true,
            Some(_) => errors.add("on_unknown", "must be hold or resend"),
            None => {}
        }
        self.warm_up(&mut errors, &mut pace, now);
        let elsewhere = self.whole(&mut errors, "used_elsewhere_today", 0, COUNT_MAX).flatten();
        if errors.is_empty() { Ok((elsewhere, pace)) } else { Err(errors) }
    }

    fn warm_up(&self, errors: &mut FieldErrors, pace: &mut Pace, now: Timestamp) {
        let old = pace.warmup;
        let start = self.whole(errors, "warmup_start", 1, COUNT_MAX);
        let step = self.whole(errors, "warmup_step", 0, COUNT_MAX);
        let since = old.map_or(now, |old| old.since);
        match (start.unwrap_or(old.map(|old| old.start)), step.unwrap_or(old.map(|old| old.step))) {
            (Some(start), step) => pace.warmup = Some(Warmup { start, step: step.unwrap_or(0), since }),
            (None, Some(_)) if step.flatten().is_some() && errors.of("warmup_start").is_none() => {
                errors.add("warmup_start", "is required for a warm-up");
            }
            (None, _) => pace.warmup = None,
        }
    }
}

/// The most messages that a field about a day takes.
const COUNT_MAX: u32 = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_above_a_thousand_wants_a_word() {
        let is_fine = |typed, confirmation, usual| {
            let mut errors = FieldErrors::default();
            DailyLimit::check_confirmed(typed, confirmation, usual, &mut errors);
            errors.is_empty()
        };
        assert!(is_fine("1000", "", 100));
        assert!(!is_fine("1001", "", 100));
        assert!(!is_fine("1001", "yes", 100));
        assert!(is_fine("1001", " Raise the limit", 100));
        assert!(is_fine("5000", "", 5_000), "it is so already");
        assert!(!is_fine("5001", "", 5_000));
    }

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

    fn parse(before: &Pace, given: &[(&'static str, &str)]) -> Result<(Option<u32>, Pace), FieldErrors> {
        let form = PaceForm(given.iter().map(|(name, text)| (*name, (*text).to_owned())).collect());
        form.parse(before, Timestamp(9), |zone| zone == "Europe/Berlin")
    }

    #[test]
    fn what_is_left_out_stays_and_a_number_that_is_empty_is_turned_off() {
        let warm = Pace { warmup: Some(Warmup { start: 5, step: 1, since: Timestamp(7) }), ..Pace::default() };
        assert_eq!(parse(&warm, &[]), Ok((None, warm.clone())));
        let given = [
            ("rate_per_second", " 3 "),
            ("limit_window", "rolling"),
            ("time_zone", "Europe/Berlin"),
            ("warmup_start", "10"),
            ("warmup_step", ""),
            ("on_unknown", "resend"),
            ("used_elsewhere_today", "0"),
        ];
        let (elsewhere, pace) = parse(&warm, &given).expect("a good form");
        assert_eq!((elsewhere, pace.rate_per_second, pace.min_gap_seconds), (Some(0), Some(3), None));
        assert_eq!(pace.warmup, Some(Warmup { start: 10, step: 0, since: Timestamp(7) }), "its first day stays");
        assert!(pace.resends_unknown && pace.limit_window == LimitWindow::Rolling);
        let (_, after) = parse(&pace, &[("rate_per_second", ""), ("warmup_step", "2")]).expect("a good form");
        assert_eq!(
            (after.rate_per_second, after.warmup.map(|warmup| (warmup.start, warmup.step))),
            (None, Some((10, 2)))
        );
        assert_eq!(parse(&pace, &[("warmup_start", ""), ("warmup_step", "")]).expect("a good form").1.warmup, None);
        let began = parse(&Pace::default(), &[("warmup_start", "4")]).expect("a good form").1.warmup;
        assert_eq!(began, Some(Warmup { start: 4, step: 0, since: Timestamp(9) }));
    }

    #[test]
    fn a_form_says_what_is_wrong_with_each_field() {
        let wrong = [
            ("rate_per_second", "0"),
            ("min_gap_seconds", "soon"),
            ("limit_window", ""),
            ("time_zone", "Mars"),
            ("warmup_step", "1"),
            ("on_unknown", "ask"),
            ("used_elsewhere_today", "100001"),
        ];
        let errors = parse(&Pace::default(), &wrong).expect_err("all of it is wrong");
        for field in
            wrong.map(|(name, _)| name).into_iter().filter(|name| *name != "warmup_step").chain(["warmup_start"])
        {
            assert!(errors.of(field).is_some(), "{field}");
        }
        assert_eq!(parse(&Pace::default(), &[("warmup_start", "x")]).expect_err("no number").0.len(), 1);
    }

    #[test]
    fn a_gap_is_kept_with_a_random_part() {
        let pace = Pace { min_gap_seconds: Some(60), rate_per_second: Some(100), ..Pace::default() };
        assert_eq!((pace.interval(1, 0), pace.interval(1, u16::MAX)), (60_000, 90_000));
        assert!(!pace.is_free() && Pace::default().is_free());
    }
}
