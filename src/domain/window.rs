//! When messages of a plan may leave: days and hours, by the clock of whom they are for.

use super::field_error::FieldErrors;
use serde::{Deserialize, Serialize};

/// The days of the week, Monday first, as the API has them.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// Some days, and some hours of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Of [`DAYS`], in their order.
    pub days: Vec<String>,
    /// The first minute, `09:00`.
    pub from: String,
    /// The minute that is too late, `17:30`; `24:00` is the end of the day.
    pub to: String,
}

impl Window {
    /// The same in the one way in which it is stored. A window in which there is no minute is none.
    pub fn parse(self) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let typed: Vec<String> = self.days.iter().map(|day| day.trim().to_lowercase()).collect();
        if let Some(unknown) = typed.iter().find(|day| !DAYS.contains(&day.as_str())) {
            errors.add("window.days", format!("must be of mon, tue, wed, thu, fri, sat and sun, not {unknown:.20}"));
        }
        let days: Vec<String> =
            DAYS.iter().filter(|day| typed.iter().any(|typed| typed == *day)).map(|day| (*day).to_owned()).collect();
        if days.is_empty() {
            errors.add("window.days", "must be at least one day");
        }
        let from = errors.check("window.from", minute(&self.from));
        let to = errors.check("window.to", minute(&self.to));
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            errors.add("window.to", "must be later than its beginning: the window is empty");
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self { days, from: told(from.unwrap_or(0)), to: told(to.unwrap_or(DAY)) })
    }

    /// Whether a day is one of its days; 0 is Monday.
    pub fn has_day(&self, day: usize) -> bool {
        DAYS.get(day).is_some_and(|name| self.days.iter().any(|day| day == name))
    }

    /// First minute of the day, and the minute that is too late.
    pub fn minutes(&self) -> (u16, u16) {
        (minute(&self.from).unwrap_or(0), minute(&self.to).unwrap_or(DAY))
    }

    /// For people: "Mon–Fri, 09:00–17:00".
    pub fn words(&self) -> String {
        let label = |day: &str| format!("{}{}", day[..1].to_uppercase(), &day[1..]);
        let at = |day: &String| DAYS.iter().position(|known| known == day).unwrap_or_default();
        let is_row = self.days.windows(2).all(|pair| at(&pair[1]) == at(&pair[0]) + 1);
        let days = match (&self.days[..], is_row) {
            (all, _) if all.len() == DAYS.len() => "Every day".to_owned(),
            ([first, .., last], true) if self.days.len() > 2 => format!("{}–{}", label(first), label(last)),
            (all, _) => all.iter().map(|day| label(day)).collect::<Vec<_>>().join(", "),
        };
        format!("{days}, {}–{}", self.from, self.to)
    }
}

/// Reads `9:00`, `09:00` and `24:00`.
fn minute(text: &str) -> Result<u16, &'static str> {
    const WRONG: &str = "must be a time like 09:00";
    let (hour, minute) = text.trim().split_once(':').ok_or(WRONG)?;
    let number = |text: &str, most: usize| {
        let fits = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if fits { text.parse::<u16>().map_err(|_| WRONG) } else { Err(WRONG) }
    };
    let (hour, minute) = (number(hour, 2)?, if minute.len() == 2 { number(minute, 2)? } else { return Err(WRONG) });
    let all = hour * 60 + minute;
    if minute < 60 && all <= DAY { Ok(all) } else { Err(WRONG) }
}

fn told(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &[&str], from: &str, to: &str) -> Window {
        Window { days: days.iter().map(|day| (*day).to_owned()).collect(), from: from.to_owned(), to: to.to_owned() }
    }

    #[test]
    fn a_window_is_read_in_any_order_and_told_in_one() {
        let read = window(&["Fri", "mon", "tue", "mon"], "9:00", "17:30").parse().expect("a window");
        assert_eq!(read, window(&["mon", "tue", "fri"], "09:00", "17:30"));
        assert_eq!(read.words(), "Mon, Tue, Fri, 09:00–17:30");
        assert_eq!(read.minutes(), (540, 1050));
        assert_eq!(window(&DAYS, "0:00", "24:00").parse().expect("a window").words(), "Every day, 00:00–24:00");
        assert_eq!(window(&DAYS[..5], "09:00", "17:00").words(), "Mon–Fri, 09:00–17:00");
        assert!(read.has_day(0) && !read.has_day(2) && !read.has_day(9));
    }

    #[test]
    fn an_empty_window_and_a_wrong_time_are_refused_beside_their_fields() {
        for (days, from, to, field) in [
            (&[][..], "09:00", "17:00", "window.days"),
            (&["someday"][..], "09:00", "17:00", "window.days"),
            (&["mon"][..], "9", "17:00", "window.from"),
            (&["mon"][..], "09:00", "24:01", "window.to"),
            (&["mon"][..], "09:0", "17:00", "window.from"),
            (&["mon"][..], "09:00", "09:00", "window.to"),
            (&["mon"][..], "17:00", "09:00", "window.to"),
        ] {
            let errors = window(days, from, to).parse().expect_err("refused");
            assert!(errors.of(field).is_some(), "{days:?} {from} {to}: {errors:?}");
        }
    }
}
