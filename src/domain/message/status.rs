//! The one state machine that messages live by.
//!
//! ```text
//! queued ─claim→ sending ─result→ accepted → sent → delivered → read
//!    ↑              ├─ certainly not sent → queued (later) | failed
//!    │              └─ maybe sent → unknown ─evidence or a person→ sent | queued
//!    └── retry (a person) ── failed, undelivered            canceled, suppressed: never sent
//! ```
//! What a provider reports later is joined, not appended: the highest rank wins, so any order and any repetition of the
//! same reports end in the same status.

use serde::{Deserialize, Serialize};

/// Where a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Stored; waits for its turn.
    Queued,
    /// Handed to the provider right now.
    Sending,
    /// The provider took it.
    Accepted,
    /// The provider passed it on to the carrier.
    Sent,
    /// It arrived.
    Delivered,
    /// It was opened.
    Read,
    /// It never left the provider, or the provider refused it.
    Failed,
    /// It left, and did not arrive.
    Undelivered,
    /// Stopped by a person before it was sent.
    Canceled,
    /// The recipient must not be contacted; never sent.
    Suppressed,
    /// The provider may have it: held until there is evidence or a person decides.
    Unknown,
}

impl Status {
    /// All of them, in the order of a message's life.
    pub const ALL: [Self; 11] = [
        Self::Queued,
        Self::Sending,
        Self::Accepted,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Failed,
        Self::Undelivered,
        Self::Canceled,
        Self::Suppressed,
        Self::Unknown,
    ];

    /// The name in the database, the API and style sheets.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Undelivered => "undelivered",
            Self::Canceled => "canceled",
            Self::Suppressed => "suppressed",
            Self::Unknown => "unknown",
        }
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Sending => "Sending",
            Self::Accepted => "Accepted",
            Self::Sent => "Sent",
            Self::Delivered => "Delivered",
            Self::Read => "Read",
            Self::Failed => "Failed",
            Self::Undelivered => "Not delivered",
            Self::Canceled => "Canceled",
            Self::Suppressed => "Suppressed",
            Self::Unknown => "Unknown",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Height in the join of reports; what has not reached a provider has none. A receipt beats a failure report,
    /// whatever the order of arrival.
    fn rank(self) -> u8 {
        match self {
            Self::Queued | Self::Sending | Self::Unknown | Self::Suppressed => 0,
            Self::Accepted => 1,
            Self::Sent => 2,
            Self::Canceled => 3,
            Self::Failed => 4,
            Self::Undelivered => 5,
            Self::Delivered => 6,
            Self::Read => 7,
        }
    }

    /// The status after a provider reported `report`: the higher of the two. Only a provider's statuses can be reported.
    #[must_use]
    pub fn join(self, report: Self) -> Self {
        if report.rank() > self.rank() && self != Self::Suppressed { report } else { self }
    }

    /// True when no provider will say more about it. `Sent` may stay the last word (carriers without receipts), so it is not final.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Delivered | Self::Read | Self::Failed | Self::Undelivered | Self::Canceled | Self::Suppressed
        )
    }

    /// True when a report of it proves that the provider had the message.
    pub fn proves_sending(self) -> bool {
        self.rank() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const REPORTS: [Status; 7] = [
        Status::Accepted,
        Status::Sent,
        Status::Canceled,
        Status::Failed,
        Status::Undelivered,
        Status::Delivered,
        Status::Read,
    ];

    #[test]
    fn every_order_of_reports_ends_the_same() {
        let mut order = REPORTS;
        permute(&mut order, 0, &mut |order| {
            for start in [Status::Queued, Status::Sending, Status::Unknown] {
                assert_eq!(order.iter().fold(start, |status, report| status.join(*report)), Status::Read, "{order:?}");
            }
        });
    }

    fn permute(order: &mut [Status; 7], at: usize, visit: &mut impl FnMut(&[Status; 7])) {
        if at == order.len() {
            return visit(order);
        }
        for i in at..order.len() {
            order.swap(at, i);
            permute(order, at + 1, visit);
            order.swap(at, i);
        }
    }

    #[test]
    fn a_receipt_beats_a_failure_report() {
        for failure in [Status::Failed, Status::Undelivered] {
            assert_eq!(Status::Delivered.join(failure), Status::Delivered);
            assert_eq!(failure.join(Status::Delivered), Status::Delivered);
        }
        assert_eq!(Status::Read.join(Status::Delivered), Status::Read);
        assert_eq!(Status::Suppressed.join(Status::Delivered), Status::Suppressed);
    }

    proptest! {
        #[test]
        fn the_join_ignores_order_and_repetition(mut picks in prop::collection::vec(0..REPORTS.len(), 1..30)) {
            let end = |picks: &[usize]| picks.iter().fold(Status::Sending, |status, pick| status.join(REPORTS[*pick]));
            let first = end(&picks);
            picks.reverse();
            let again: Vec<usize> = picks.iter().chain(&picks).copied().collect();
            prop_assert_eq!(end(&again), first);
        }
    }

    #[test]
    fn every_name_reads_back() {
        for status in Status::ALL {
            assert_eq!(Status::from_name(status.as_str()), Some(status));
        }
    }
}
