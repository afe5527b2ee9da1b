//! The forecast of a campaign or of runs through a sequence: what will leave, when, to whom, through which account, if nobody
//! answers, nothing fails and nothing is changed meanwhile.

use super::{
    campaign::Excluded,
    channel::Channel,
    id::{AccountId, LeadId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Messages that an answer lists when it is not asked for another number.
pub const LISTED: usize = 1_000;
/// Messages that a page lists.
pub const SHOWN: usize = 50;
/// The most messages that an answer lists.
pub const LISTED_MAX: usize = 100_000;

/// What will happen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rehearsal {
    /// People who get at least one message.
    pub people: u32,
    /// Messages that will leave.
    pub messages: u32,
    /// What they are billed as.
    pub segments: u32,
    /// The first message leaves.
    pub starts_at: Option<Timestamp>,
    /// The last message leaves.
    pub ends_at: Option<Timestamp>,
    /// False when it goes on after the last one: the forecast ends after a year, or after half a minute of work.
    pub is_complete: bool,
    /// People who still wait for a message where the forecast ends: no account can send it.
    pub waiting: u32,
    /// How many get nothing, or not all, by reason.
    pub excluded: Vec<Excluded>,
    /// Who they are; the first thousand.
    pub excluded_leads: Vec<LeftOut>,
    /// What each account sends on each day, oldest first.
    pub days: Vec<AccountDay>,
    /// The messages in the order in which they leave; the first of them.
    pub data: Vec<Planned>,
}

impl Rehearsal {
    /// The same with the first messages only.
    #[must_use]
    pub fn listing(mut self, limit: usize) -> Self {
        self.data.truncate(limit);
        self
    }
}

/// Somebody who gets nothing, or not all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Who.
    pub lead_id: LeadId,
    /// What they are called.
    pub lead: String,
    /// For a program; see [`Excluded`].
    pub reason: String,
}

/// A day of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountDay {
    /// `yyyy-mm-dd` in the account's time zone; in UTC where its limit is one of any 24 hours.
    pub day: String,
    /// Which account.
    pub account_id: AccountId,
    /// What it is called.
    pub account: String,
    /// Messages of this forecast that leave on this day.
    pub sent: u32,
    /// All that leaves through the account on this day, with what has left already.
    pub used: u32,
    /// The limit of the day.
    pub limit: u32,
    /// Whether the limit is reached.
    pub is_full: bool,
}

/// A message that will leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// To whom.
    pub lead_id: LeadId,
    /// What they are called.
    pub lead: String,
    /// Their address.
    pub to: String,
    /// Through which account.
    pub account_id: AccountId,
    /// How.
    pub channel: Channel,
    /// Which step, from 0.
    pub step: u32,
    /// What it is billed as.
    pub segments: u32,
    /// When it leaves.
    pub at: Timestamp,
}
