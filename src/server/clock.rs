//! Time and chance, the only two places where they come from.

use crate::domain::time::Timestamp;
use futures::future::BoxFuture;
use std::{
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use ulid::Ulid;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// Now, in unix milliseconds.
    fn now(&self) -> Timestamp;
    /// Waits so many milliseconds.
    fn sleep(&self, millis: u64) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(millis)))
    }
}

/// The machine's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that a test moves by hand.
pub struct FakeClock(AtomicI64);

impl FakeClock {
    /// Starts at `at`.
    pub fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.0))
    }

    /// Moves on by `millis`; back when negative.
    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// The clock of a forecast: goes to where it is set, and nobody waits by it.
pub struct VirtualClock(AtomicI64);

impl VirtualClock {
    /// Starts at `at`.
    pub fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.0))
    }

    /// It is `at` now.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.0, Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn sleep(&self, _: u64) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// 32 random bytes from the operating system.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// Any number, each as likely.
pub fn chance() -> u16 {
    u16::from_be_bytes(random_bytes())
}

/// From nothing to `most`, by chance.
pub fn jitter(most: i64) -> i64 {
    most * i64::from(chance()) / i64::from(u16::MAX)
}

/// A new identifier that sorts by `now`; within a millisecond by chance.
pub fn new_id(now: Timestamp) -> String {
    random_ulid(now).to_string()
}

fn random_ulid(now: Timestamp) -> Ulid {
    let millis = u64::try_from(now.0).unwrap_or(0);
    Ulid::from_parts(millis, u128::from_be_bytes(random_bytes()))
}

/// Makes identifiers that sort in the order in which they are made, also within a millisecond and when the clock is
/// set back.
#[derive(Default)]
pub struct Ids(Mutex<Option<Ulid>>);

impl Ids {
    /// The next one.
    pub fn next(&self, now: Timestamp) -> String {
        let mut last = self.0.lock().expect("no panic");
        let fresh = random_ulid(now);
        let next = match *last {
            Some(last) if fresh.timestamp_ms() <= last.timestamp_ms() => last.increment().unwrap_or_else(|over| over),
            _ => fresh,
        };
        *last = Some(next);
        next.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_as_they_were_made_even_when_the_clock_is_set_back() {
        let ids = Ids::default();
        let made: Vec<String> = [5, 5, 5, 6, 6, 3, 7].map(|at| ids.next(Timestamp(at))).into();
        assert!(made.is_sorted_by(|a, b| a < b), "{made:?}");
    }
}
