//! What an organization asks of all that it sends by plan: sequences and campaigns. A message that a person or a program
//! sends by itself is their own decision.

use super::field_error::FieldErrors;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most holidays.
const HOLIDAYS_MAX: usize = 500;
/// The highest cap.
const CAP_MAX: u32 = 1_000;

/// The rules, in the shape of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Of leads of whom no other is known: an IANA name.
    pub time_zone: String,
    /// Days on which nothing leaves of what heeds them, `2026-12-25`.
    pub holidays: BTreeSet<String>,
    /// Whether SMS and WhatsApp wait for the day of whom they are for.
    pub quiet_hours: bool,
    /// Messages that a person gets in a day, over all accounts and channels; `None`: any number.
    pub cap_per_day: Option<u32>,
    /// The same in seven days.
    pub cap_per_week: Option<u32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            holidays: BTreeSet::new(),
            quiet_hours: true,
            cap_per_day: None,
            cap_per_week: None,
        }
    }
}

impl Rules {
    /// The same in the one way in which they are stored. `is_zone` and `is_day`: whether there is such a one.
    pub fn parse(mut self, is_zone: impl Fn(&str) -> bool, is_day: impl Fn(&str) -> bool) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        self.time_zone = self.time_zone.trim().into();
        if !is_zone(&self.time_zone) {
            errors.add("time_zone", "must be a zone like Europe/Berlin");
        }
        let typed = self.holidays.iter().map(|day| day.trim().to_owned()).filter(|day| !day.is_empty());
        self.holidays = typed.collect();
        if let Some(wrong) = self.holidays.iter().find(|day| !is_day(day)) {
            errors.add("holidays", format!("must be days like 2026-12-25, not {wrong:.20}"));
        }
        if self.holidays.len() > HOLIDAYS_MAX {
            errors.add("holidays", format!("must be at most {HOLIDAYS_MAX}"));
        }
        for (field, cap) in [("cap_per_day", self.cap_per_day), ("cap_per_week", self.cap_per_week)] {
            if cap.is_some_and(|cap| !(1..=CAP_MAX).contains(&cap)) {
                errors.add(field, format!("must be from 1 to {CAP_MAX}, or nothing"));
            }
        }
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_their_fields_and_what_is_silent_is_as_it_was_from_the_start() {
        let rules: Rules = serde_json::from_str("{}").expect("rules");
        assert_eq!(rules, Rules::default());
        let wrong = Rules {
            time_zone: "Mars".to_owned(),
            holidays: ["soon".to_owned()].into(),
            cap_per_day: Some(0),
            cap_per_week: Some(9_999),
            ..Rules::default()
        };
        let errors = wrong.parse(|zone| zone == "UTC", |day| day.len() == 10).expect_err("faults");
        let fields: Vec<&str> = errors.0.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["time_zone", "holidays", "cap_per_day", "cap_per_week"]);
    }
}
