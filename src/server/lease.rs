//! How long a claimed message is ours to send.

use super::clock::Clock;
use crate::domain::time::Timestamp;
use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
};
use tokio::time::Instant;

/// The right to send a message. When it ends, others ask the provider what became of the message, and send it again where
/// there is no trace of it: nothing may leave after that, whatever held us up.
///
/// One clock stands still while a machine sleeps, the other can be set: both must agree that it lasts.
#[derive(Clone)]
pub struct Lease {
    until: Timestamp,
    since: Instant,
    length: i64,
    clock: Arc<dyn Clock>,
}

impl Lease {
    /// Begins now, for `length` milliseconds.
    pub fn begin(clock: Arc<dyn Clock>, length: i64) -> Self {
        Self { until: clock.now().plus(length), since: Instant::now(), length, clock }
    }

    /// When it ends, by the clock that all processes share.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// Whether so many milliseconds are left of it.
    pub fn has(&self, millis: i64) -> bool {
        let elapsed = i64::try_from(self.since.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.clock.now().0.saturating_add(millis) <= self.until.0 && elapsed.saturating_add(millis) <= self.length
    }
}

impl Debug for Lease {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("until", &self.until).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::clock::FakeClock;
    use std::time::Duration;

    const LENGTH: i64 = 90_000;

    #[test]
    fn it_lasts_only_as_long_as_both_clocks_say() {
        let clock = Arc::new(FakeClock::new(Timestamp(0)));
        let mut lease = Lease::begin(clock.clone(), LENGTH);
        assert!(lease.has(30_000));
        clock.advance(60_000);
        assert!(lease.has(29_000), "the last second");
        clock.advance(1_001);
        assert!(!lease.has(29_000), "a machine that slept: its own clock stood still");
        clock.advance(-61_001);
        lease.since = Instant::now().checked_sub(Duration::from_secs(61)).expect("this machine runs for longer");
        assert!(!lease.has(30_000), "a clock that was set back");
    }
}
