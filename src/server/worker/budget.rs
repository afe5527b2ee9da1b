//! The budget of retries: what a provider refuses or cannot take for a moment is tried again, but retries must not become
//! the load that keeps it down. Each account earns a tenth of a retry with every first try, and a few with time; who has
//! none left waits for the next one. A lane's pause stops all calls when nothing goes through; this bounds what is called
//! when some things do.
//!
//! In memory: what is to be retried has its time in the database, so a restart forgets only that it was owed.

use crate::domain::{
    id::AccountId,
    time::{SECOND, Timestamp},
};
use std::{collections::HashMap, sync::Mutex};

/// One retry, in the small coin that first tries earn.
const RETRY: i64 = 1_000;
/// What a first try earns: retries are at most a tenth of the calls, beyond the minimum.
const EARNED: i64 = RETRY / 10;
/// The minimum: a retry a second.
const EVERY: i64 = SECOND;
/// The most that is saved up.
const MOST: i64 = 60 * RETRY;

#[derive(Debug, Clone, Copy)]
struct Purse {
    /// Below nothing: promised to retries that wait.
    coins: i64,
    at: Timestamp,
}

impl Purse {
    /// Adds what time has brought.
    fn grow(&mut self, now: Timestamp) {
        let passed = (now.0 - self.at.0).clamp(0, 3_600 * SECOND);
        self.coins = (self.coins + passed * RETRY / EVERY).min(MOST);
        self.at = now;
    }
}

/// The purses of all accounts.
#[derive(Debug, Default)]
pub struct Budget(Mutex<HashMap<AccountId, Purse>>);

impl Budget {
    fn with<T>(&self, account: &AccountId, now: Timestamp, work: impl FnOnce(&mut Purse) -> T) -> T {
        let mut purses = self.0.lock().expect("no panic");
        let purse = purses.entry(account.clone()).or_insert(Purse { coins: MOST, at: now });
        purse.grow(now);
        work(purse)
    }

    /// What a try earns and, when it is to be repeated, costs: so many milliseconds from now that may be, at the earliest.
    pub fn settle(&self, account: &AccountId, is_first: bool, is_repeated: bool, now: Timestamp) -> i64 {
        if is_first {
            self.earn(account, now);
        }
        if is_repeated { self.spend(account, now) } else { 0 }
    }

    /// A message was tried for the first time.
    fn earn(&self, account: &AccountId, now: Timestamp) {
        self.with(account, now, |purse| purse.coins = (purse.coins + EARNED).min(MOST));
    }

    /// Pays for a retry: so many milliseconds from now it may be made at the earliest.
    fn spend(&self, account: &AccountId, now: Timestamp) -> i64 {
        self.with(account, now, |purse| {
            purse.coins -= RETRY;
            if purse.coins >= 0 { 0 } else { -purse.coins * EVERY / RETRY }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    fn account() -> AccountId {
        "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().expect("an id")
    }

    #[test]
    fn retries_come_no_faster_than_they_are_earned() {
        let (budget, account) = (Budget::default(), account());
        let waits: Vec<i64> = (0..63).map(|_| budget.spend(&account, NOW)).collect();
        assert_eq!((waits[59], waits[60], waits[62]), (0, SECOND, 3 * SECOND));
        assert_eq!(budget.spend(&account, NOW.plus(4 * SECOND)), 0, "time pays");
        for _ in 0..10 {
            budget.earn(&account, NOW.plus(4 * SECOND));
        }
        assert_eq!(budget.spend(&account, NOW.plus(4 * SECOND)), 0, "and so do ten first tries");
        assert_eq!(budget.spend(&account, NOW.plus(4 * SECOND)), SECOND);
        assert_eq!(budget.spend(&account, NOW.plus(-9 * SECOND)), 2 * SECOND, "a clock that is set back pays nothing");
    }

    #[test]
    fn nobody_saves_more_than_a_minute_brings_and_accounts_do_not_share() {
        let (budget, account) = (Budget::default(), account());
        for _ in 0..10_000 {
            budget.earn(&account, NOW);
        }
        let later = NOW.plus(3_600 * SECOND);
        assert_eq!((0..61).map(|_| budget.spend(&account, later)).max(), Some(SECOND));
        let other = "01ARZ3NDEKTSV4RRFFQ69G5FAW".parse().expect("an id");
        assert_eq!(budget.spend(&other, later), 0);
    }
}
