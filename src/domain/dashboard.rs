//! The dashboard: numbers of days, what needs a person, and what becomes of the queues.

use super::{
    account::{Account, ConnectionStatus},
    channel::Channel,
    forecast::Forecast,
    message::{Message, Waiting, WaitingReason},
};
use serde::{Deserialize, Serialize};

/// Days that are drawn; the last one is today.
pub const DAYS: usize = 14;
/// Unknown messages that are shown; all are counted.
pub const UNKNOWN_SHOWN: usize = 5;

/// Numbers of one channel on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Taken by a provider.
    pub accepted: u32,
    /// Arrived.
    pub delivered: u32,
    /// Failed, before or after they left.
    pub failed: u32,
    /// Written to us.
    pub received: u32,
}

/// Numbers of one day in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Day {
    /// `yyyy-mm-dd`.
    pub day: String,
    /// By channel, in the order of [`Channel::ALL`].
    pub counts: [Counts; 3],
}

impl Day {
    /// A number of all channels.
    pub fn sum(&self, of: fn(&Counts) -> u32) -> u32 {
        self.counts.iter().map(of).fold(0, u32::saturating_add)
    }

    /// Adds a number that is kept under these names; false when no such number is known.
    pub fn note(&mut self, channel: &str, kind: &str, count: u32) -> bool {
        let Some(at) = Channel::ALL.iter().position(|known| known.as_str() == channel) else { return false };
        let counts = &mut self.counts[at];
        let place = match kind {
            "accepted" => &mut counts.accepted,
            "delivered" => &mut counts.delivered,
            "failed" => &mut counts.failed,
            "received" => &mut counts.received,
            _ => return false,
        };
        *place = place.saturating_add(count);
        true
    }
}

/// Messages of which nobody knows whether they went out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unknown {
    /// How many there are, counted up to [`super::forecast::COUNT_MAX`].
    pub count: u32,
    /// The oldest of them.
    pub first: Vec<Message>,
}

impl Unknown {
    /// The same for people; `None` when there are none.
    pub fn words(&self) -> Option<String> {
        match self.count {
            0 => None,
            1 => Some("1 message may have gone out".to_owned()),
            count => Some(format!("{} messages may have gone out", super::forecast::count(count))),
        }
    }
}

/// An account and what becomes of its queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// The account.
    pub account: Account,
    /// Its today and tomorrow.
    pub forecast: Forecast,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Dashboard {
    /// The last days, oldest first.
    pub days: Vec<Day>,
    /// What a person has to decide.
    pub unknown: Unknown,
    /// The accounts, newest first.
    pub outlooks: Vec<Outlook>,
}

/// Why an account needs a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need<'a> {
    /// Its connection does not work; what the provider said.
    Stopped(&'a str),
    /// Its provider asked for patience, or could not be reached.
    Blocked(&'a Waiting),
    /// Mail leaves, and what comes back to it is not seen. A sentence.
    Unread(String),
}

impl Need<'_> {
    /// What an account needs; one that is switched off needs nothing.
    pub fn of(account: &Account) -> Option<Need<'_>> {
        if !account.is_active {
            return None;
        }
        if account.connection_status == ConnectionStatus::Error {
            return Some(Need::Stopped(account.last_error.as_deref().unwrap_or("The connection does not work.")));
        }
        let block = account.block.as_ref().filter(|block| block.reason == WaitingReason::Provider);
        block.map(Need::Blocked).or_else(|| account.mailbox_trouble().map(Need::Unread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_noted_under_its_names_alone() {
        let mut day = Day::default();
        for (channel, kind, count) in [("sms", "accepted", 3), ("email", "accepted", 4), ("sms", "failed", 1)] {
            assert!(day.note(channel, kind, count));
        }
        assert!(!day.note("fax", "accepted", 1) && !day.note("sms", "lost", 1));
        assert_eq!(day.sum(|counts| counts.accepted), 7);
        assert_eq!(day.counts[1], Counts { accepted: 3, failed: 1, ..Counts::default() });
    }
}
