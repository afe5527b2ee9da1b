//! Many messages at once: all that match the filters of a list, sent again or canceled together.

use super::message::{MessageFilter, Status};
use serde::{Deserialize, Serialize};

/// What is done to all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bulk {
    /// Failed and undelivered ones are queued again, if their failure may pass: who opted out or has no such number is
    /// left alone. One of those can still be sent again by itself.
    Retry,
    /// Queued ones are stopped.
    Cancel,
}

impl Bulk {
    /// The name in forms.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Retry, Self::Cancel].into_iter().find(|bulk| bulk.as_str() == name)
    }

    /// The statuses that it begins from.
    pub fn begins_from(self) -> [Status; 2] {
        match self {
            Self::Retry => [Status::Failed, Status::Undelivered],
            Self::Cancel => [Status::Queued; 2],
        }
    }

    /// False when the filters alone say that there is nothing to do.
    pub fn fits(self, filter: &MessageFilter) -> bool {
        filter.lead_id.is_none() && filter.status.is_none_or(|status| self.begins_from().contains(&status))
    }
}

/// How many there are, counted no further than is worth knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Count {
    /// As many at least.
    pub count: u32,
    /// There may be more.
    pub is_more: bool,
}

impl Count {
    /// The most that is counted.
    pub const MAX: u32 = 1_000;

    /// Of `hits` among the messages that were looked at, which are all there are unless `is_cut`.
    pub fn of(hits: u32, is_cut: bool) -> Self {
        Self { count: hits.min(Self::MAX), is_more: is_cut || hits > Self::MAX }
    }

    /// True when there is nothing.
    pub fn is_none(self) -> bool {
        self.count == 0 && !self.is_more
    }

    /// "12", "1 000+".
    pub fn words(self) -> String {
        let number = if self.count >= 1_000 {
            format!("{} {:03}", self.count / 1_000, self.count % 1_000)
        } else {
            self.count.to_string()
        };
        format!("{number}{}", if self.is_more { "+" } else { "" })
    }
}

/// What can be done to the messages that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Offers {
    /// How many can be sent again.
    pub retry: Count,
    /// How many can be canceled.
    pub cancel: Count,
}

impl Offers {
    /// How many it would be.
    pub fn of(self, bulk: Bulk) -> Count {
        match bulk {
            Bulk::Retry => self.retry,
            Bulk::Cancel => self.cancel,
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Done {
    /// To so many.
    pub count: u32,
    /// More match: one request changes so many and no more.
    pub has_more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_says_when_it_was_counted_no_further() {
        let words = |hits, is_cut| Count::of(hits, is_cut).words();
        assert_eq!(words(0, false), "0");
        assert_eq!(words(12, false), "12");
        assert_eq!(words(12, true), "12+");
        assert_eq!(words(1_000, false), "1 000");
        assert_eq!(words(1_001, false), "1 000+");
        assert!(Count::of(0, false).is_none() && !Count::of(0, true).is_none());
    }

    #[test]
    fn filters_may_leave_nothing_to_do() {
        let with = |status| MessageFilter { status, ..MessageFilter::default() };
        assert!(Bulk::Retry.fits(&with(None)) && Bulk::Retry.fits(&with(Some(Status::Undelivered))));
        assert!(!Bulk::Retry.fits(&with(Some(Status::Queued))));
        assert!(Bulk::Cancel.fits(&with(Some(Status::Queued))) && !Bulk::Cancel.fits(&with(Some(Status::Sent))));
        for bulk in [Bulk::Retry, Bulk::Cancel] {
            assert_eq!(Bulk::from_name(bulk.as_str()), Some(bulk));
        }
    }
}
