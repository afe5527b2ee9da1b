//! What this process has under way for each account.

use super::claim::{Claim, Claimed, Through};
use crate::{domain::id::AccountId, server::channel::SendError};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    mem,
    sync::Arc,
    time::Duration,
};

/// Calls of one account at a time at first; more when all goes well, fewer when the provider is overrun.
const FIRST_WINDOW: u32 = 64;
/// The most calls of one account at a time, and the most that is claimed ahead.
const WIDEST_WINDOW: u32 = 256;
/// Messages that one transaction claims.
const BATCH: u32 = 512;
/// Messages under a lease of this process: each takes memory and perhaps a connection. Who hangs shrinks to a few, so
/// that others are not held up by it for long.
const MOST: u32 = 4096;
/// A call that takes so long is slow.
const SLOW: Duration = Duration::from_secs(1);
/// What is sent in so long is claimed ahead: longer than a claim takes, and little to doubt after a crash.
const AHEAD: Duration = Duration::from_millis(20);

/// A claimed message that waits for a call of its account to end.
pub type Ready = (Arc<Through>, Claimed);

/// The lanes of this process, by account.
#[derive(Default)]
pub struct Lanes(HashMap<AccountId, Lane>);

struct Lane {
    /// Calls under way.
    calling: u32,
    /// Claimed, and waiting for a call to end: as one ends the next begins, without waiting for a transaction.
    ready: VecDeque<Ready>,
    /// Calls at a time.
    window: u32,
    /// How long a call takes, on average.
    takes: Duration,
    /// The pass that served it last: whoever waited longest is next.
    served: u64,
}

impl Default for Lane {
    fn default() -> Self {
        Self { calling: 0, ready: VecDeque::new(), window: FIRST_WINDOW, takes: AHEAD, served: 0 }
    }
}

impl Lane {
    fn held(&self) -> u32 {
        self.calling + u32::try_from(self.ready.len()).unwrap_or(u32::MAX >> 1)
    }

    /// Messages to have ready besides those under way.
    fn ahead(&self, window: u32) -> u32 {
        let calls = AHEAD.as_micros() / self.takes.as_micros().max(1);
        // Where a call takes long, what is ready would wait long: for a lease that runs out, or a pause that it misses.
        let least = if self.takes < SLOW { window.div_ceil(4) } else { 0 };
        window.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX)).clamp(least, WIDEST_WINDOW)
    }

    /// Room for more, once it is worth a transaction. What is claimed ahead is what may leave while one is written.
    fn room(&self, most: u32) -> u32 {
        let window = self.window.min(most);
        let ahead = self.ahead(window);
        let room = (window + ahead).saturating_sub(self.held());
        if self.held() == 0 || room >= ahead.div_ceil(2).max(1) { room } else { 0 }
    }
}

/// What follows when a call has ended.
#[derive(Default)]
pub struct Next {
    /// The message whose call begins in its place.
    pub begins: Option<Ready>,
    /// What was ready and must not follow: the provider refuses, wants a pause or does not answer.
    pub back: VecDeque<Ready>,
    /// There is room for a claim.
    pub has_room: bool,
}

impl Lanes {
    /// Of the accounts with something due those that have room, whoever waited longest first, as many as fit into one
    /// transaction; each account with the most calls at a time that make sense at its provider.
    pub fn pick(&mut self, due: Vec<(AccountId, u32)>) -> BTreeMap<AccountId, u32> {
        let mut ready: Vec<(u64, AccountId, u32)> = due
            .into_iter()
            .filter_map(|(id, most)| {
                let lane = self.0.entry(id.clone()).or_default();
                let room = lane.room(most);
                (room > 0).then_some((lane.served, id, room))
            })
            .collect();
        ready.sort_unstable();
        let turn = self.0.values().map(|lane| lane.served).max().unwrap_or(0) + 1;
        let held: u32 = self.0.values().map(Lane::held).sum();
        let mut left = BATCH.min(MOST.saturating_sub(held));
        ready.truncate(left as usize);
        // Everybody gets as much as everybody else, and what some have no room for goes to the others.
        ready.sort_by_key(|(_, _, room)| *room);
        let mut others = u32::try_from(ready.len()).unwrap_or(u32::MAX);
        let mut picked = BTreeMap::new();
        for (_, id, room) in ready {
            let room = room.min(left / others.max(1));
            (left, others) = (left - room, others - 1);
            self.0.entry(id.clone()).or_default().served = turn;
            picked.insert(id, room);
        }
        picked
    }

    /// Takes over what was claimed; the messages whose call begins now.
    pub fn add(&mut self, claim: Claim, most: u32) -> Vec<Ready> {
        let lane = self.0.entry(claim.through.account.account.id.clone()).or_default();
        let through = claim.through;
        lane.ready.extend(claim.messages.into_iter().map(|claimed| (through.clone(), claimed)));
        let free = lane.window.min(most).saturating_sub(lane.calling);
        let begins: Vec<_> = (0..free).map_while(|_| lane.ready.pop_front()).collect();
        lane.calling += u32::try_from(begins.len()).unwrap_or(0);
        begins
    }

    /// The accounts that have messages ready.
    pub fn with_ready(&self) -> Vec<AccountId> {
        self.0.iter().filter(|(_, lane)| !lane.ready.is_empty()).map(|(id, _)| id.clone()).collect()
    }

    /// What is ready of these accounts, and not begun; nothing of it will be.
    pub fn take_back(&mut self, accounts: &[AccountId]) -> Vec<Ready> {
        let lanes = accounts.iter().filter_map(|id| self.0.get_mut(id).map(|lane| mem::take(&mut lane.ready)));
        lanes.collect::<Vec<_>>().into_iter().flatten().collect()
    }

    /// True while messages are under way.
    pub fn is_busy(&self) -> bool {
        self.0.values().any(|lane| lane.held() > 0)
    }

    /// A call of the account ended: what follows from it.
    pub fn next(&mut self, account: &AccountId, error: Option<&SendError>, took: Duration, most: u32) -> Next {
        let Some(lane) = self.0.get_mut(account) else { return Next::default() };
        if !matches!(error, Some(SendError::Withheld(_))) {
            lane.takes = (lane.takes * 7 + took) / 8;
        }
        lane.window = match error {
            Some(SendError::Withheld(_)) => lane.window, // the provider was not even called
            Some(error) if !error.is_answer() => (lane.window / 2).max(4),
            _ => (lane.window + 1).min(most.max(FIRST_WINDOW)),
        };
        let back = match error {
            Some(SendError::Unauthorized(_) | SendError::Throttled { .. }) => mem::take(&mut lane.ready),
            Some(SendError::Unavailable(_) | SendError::Unknown(_)) => {
                let keep = lane.ahead(lane.window.min(most)) as usize;
                lane.ready.split_off(keep.min(lane.ready.len()))
            }
            _ => VecDeque::new(),
        };
        let next = if lane.calling > lane.window.min(most) { None } else { lane.ready.pop_front() };
        if next.is_none() {
            lane.calling = lane.calling.saturating_sub(1);
        }
        Next { begins: next, back, has_room: lane.room(most) > 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::time::Timestamp, server::clock::new_id};

    #[test]
    fn a_transaction_serves_all_who_wait_and_nobody_at_the_cost_of_others() {
        let ids: Vec<AccountId> = (0..600).map(|_| new_id(Timestamp(0)).parse().expect("an id")).collect();
        let due = |count: usize| ids.iter().take(count).map(|id| (id.clone(), WIDEST_WINDOW)).collect();
        let few = Lanes::default().pick(due(3));
        assert!(few.values().all(|room| *room > FIRST_WINDOW), "there is enough for all: {few:?}");
        let many = Lanes::default().pick(due(100));
        assert_eq!((many.len(), many.values().min()), (100, Some(&(BATCH / 100))));
        let mut lanes = Lanes::default();
        let first = lanes.pick(due(600));
        assert_eq!(first.len(), 512);
        let second = lanes.pick(due(600));
        assert!(ids.iter().all(|id| first.contains_key(id) || second.contains_key(id)), "whoever waited is next");
    }
}
