//! Instants as unix milliseconds, written as RFC 3339 in UTC.
//!
//! Zones, daylight saving and arithmetic on calendars are the server's (crate jiff); the browser only shows instants.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Milliseconds of one second, minute, hour and day.
pub const SECOND: i64 = 1_000;
/// See [`SECOND`].
pub const MINUTE: i64 = 60 * SECOND;
/// See [`SECOND`].
pub const HOUR: i64 = 60 * MINUTE;
/// See [`SECOND`].
pub const DAY: i64 = 24 * HOUR;

/// An instant: milliseconds since 1970-01-01T00:00:00Z. On the wire an RFC 3339 string, milliseconds only when not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp(pub i64);

/// The text is not an RFC 3339 instant in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an instant like 2026-11-22T09:30:00Z")]
pub struct NotAnInstant;

impl Timestamp {
    /// This instant moved by `millis`, earlier when negative.
    #[must_use]
    pub fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Year, month and day in UTC. Days to civil date after Howard Hinnant, "chrono-compatible low-level date algorithms".
    pub fn civil(self) -> (i64, i64, i64) {
        let z = self.0.div_euclid(DAY) + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let mp = (5 * day_of_year + 2) / 153;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        (year_of_era + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * mp + 2) / 5 + 1)
    }

    /// "22 Nov 2026, 09:30 UTC": what the server draws before the browser puts it into the viewer's zone.
    pub fn for_people(self) -> String {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let (year, month, day) = self.civil();
        let minute = self.0.rem_euclid(DAY) / MINUTE;
        let name = usize::try_from(month - 1).ok().and_then(|m| MONTHS.get(m)).copied().unwrap_or_default();
        format!("{day} {name} {year}, {:02}:{:02} UTC", minute / 60, minute % 60)
    }

    /// Reads what a field for date and time holds, `2026-11-22T09:30`, in a zone so many minutes east of UTC.
    pub fn parse_local(text: &str, minutes_east: i64) -> Result<Self, NotAnInstant> {
        let seconds = if text.len() == 16 { ":00" } else { "" };
        let at = Self::parse(&format!("{text}{seconds}Z"))?;
        // No zone is further away than 14 hours.
        let is_zone = (-14 * 60..=14 * 60).contains(&minutes_east);
        if is_zone { Ok(at.plus(-minutes_east * MINUTE)) } else { Err(NotAnInstant) }
    }

    /// Reads `2026-11-22T09:30:00Z` and the same with a fraction of a second; other offsets are not ours to guess.
    pub fn parse(text: &str) -> Result<Self, NotAnInstant> {
        let bytes = text.as_bytes();
        let number = |from: usize, to: usize| -> Result<i64, NotAnInstant> {
            let digits = bytes.get(from..to).filter(|d| d.iter().all(u8::is_ascii_digit)).ok_or(NotAnInstant)?;
            Ok(digits.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0')))
        };
        let fixed = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if bytes.last() != Some(&b'Z') || fixed.iter().any(|(at, c)| bytes.get(*at) != Some(c)) {
            return Err(NotAnInstant);
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let millis = match bytes.get(19..bytes.len() - 1).ok_or(NotAnInstant)? {
            [] => 0,
            [b'.', digits @ ..] if !digits.is_empty() && digits.len() <= 9 && digits.iter().all(u8::is_ascii_digit) => {
                digits.iter().chain(b"000").take(3).fold(0, |n, d| n * 10 + i64::from(d - b'0'))
            }
            _ => return Err(NotAnInstant),
        };
        let y = year - i64::from(month <= 2);
        let year_of_era = y.rem_euclid(400);
        let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
        let days = y.div_euclid(400) * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
            - 719_468;
        let at = Self(days * DAY + hour * HOUR + minute * MINUTE + second * SECOND + millis);
        // 31 February and the like come back as another day.
        let valid = at.civil() == (year, month, day) && hour < 24 && minute < 60 && second < 60;
        if valid { Ok(at) } else { Err(NotAnInstant) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        let rest = self.0.rem_euclid(DAY);
        let (hour, minute, second, millis) = (rest / HOUR, rest / MINUTE % 60, rest / SECOND % 60, rest % SECOND);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if millis == 0 { f.write_str("Z") } else { write!(f, ".{millis:03}Z") }
    }
}

impl From<Timestamp> for String {
    fn from(at: Timestamp) -> Self {
        at.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = NotAnInstant;
    fn try_from(text: String) -> Result<Self, NotAnInstant> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants_read_and_write() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_795_339_800_000, "2026-11-22T09:30:00Z"),
            (951_782_400_123, "2000-02-29T00:00:00.123Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp(millis).to_string(), text);
            assert_eq!(Timestamp::parse(text), Ok(Timestamp(millis)));
        }
        assert_eq!(Timestamp(1_795_339_800_000).for_people(), "22 Nov 2026, 09:30 UTC");
    }

    #[test]
    fn a_local_time_is_read_in_its_zone() {
        let at = |text, east| Timestamp::parse_local(text, east).map(|at| at.to_string());
        assert_eq!(at("2026-11-22T09:30", 0), Ok("2026-11-22T09:30:00Z".into()));
        assert_eq!(at("2026-11-22T00:30", 60), Ok("2026-11-21T23:30:00Z".into()));
        assert_eq!(at("2026-11-22T09:30:15", -150), Ok("2026-11-22T12:00:15Z".into()));
        assert_eq!((at("2026-11-22", 0), at("2026-11-22T09:30", 900)), (Err(NotAnInstant), Err(NotAnInstant)));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for wrong in [
            "",
            "2026-11-22",
            "2026-02-31T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T09:30:00+01:00",
            "2026-11-22T09:30:00.Z",
            "2026-11-22 09:30:00Z",
        ] {
            assert_eq!(Timestamp::parse(wrong), Err(NotAnInstant), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_instant_survives_the_wire(millis in -62_135_596_800_000_i64..253_402_300_800_000) {
            prop_assert_eq!(Timestamp::parse(&Timestamp(millis).to_string()), Ok(Timestamp(millis)));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}") {
            let _ = Timestamp::parse(&text);
        }
    }
}
