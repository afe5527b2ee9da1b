//! Open connections, by account: signing in costs more than sending, so a connection carries many mails. It belongs to
//! one account with one state of its settings and secrets; when those change, it is closed.

use super::dialogue::{Dialogue, Door, Fault};
use crate::domain::id::AccountId;
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Connections of one account at a time; providers allow three to twenty.
pub const CONNECTIONS: u32 = 8;
/// Mails over one connection; large providers close theirs after about a hundred.
const CARRIES: u32 = 90;
/// A good-bye gets so long.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a connection depends on: equal prints, same connection.
pub type Print = [u8; 32];

/// The fingerprint of everything that a connection depends on.
pub fn print(door: &Door<'_>) -> Print {
    let settings = serde_json::to_string(door.settings).expect("texts and numbers");
    let parts = [settings.as_str(), door.password, door.hello];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

struct Lane {
    print: Print,
    places: Arc<Semaphore>,
    idle: Vec<(Dialogue, Instant)>,
}

#[derive(Default)]
struct Lanes {
    by_account: HashMap<AccountId, Lane>,
    /// Somebody looks for connections that nobody uses.
    is_swept: bool,
}

/// The open connections of all accounts.
pub struct Pool {
    lanes: Arc<Mutex<Lanes>>,
    /// An unused connection is kept for so long.
    idle: Duration,
}

/// A connection in use, and its place in the pool.
pub struct Taken {
    /// The connection.
    pub dialogue: Dialogue,
    /// It has carried mail before, so the server may have closed it meanwhile.
    pub is_used: bool,
    account: AccountId,
    print: Print,
    place: OwnedSemaphorePermit,
}

fn farewell(dialogues: impl IntoIterator<Item = Dialogue>) {
    for dialogue in dialogues {
        tokio::spawn(tokio::time::timeout(FAREWELL, dialogue.close()));
    }
}

impl Pool {
    /// An empty one, which closes what was unused for `idle`.
    pub fn new(idle: Duration) -> Self {
        Self { lanes: Arc::default(), idle }
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().expect("no panic")
    }

    /// The places of the account; connections of another state of it are closed.
    fn places(&self, account: &AccountId, print: Print) -> Arc<Semaphore> {
        let mut lanes = self.lanes();
        let new = || Lane { print, places: Arc::new(Semaphore::new(CONNECTIONS as usize)), idle: Vec::new() };
        let lane = lanes.by_account.entry(account.clone()).or_insert_with(new);
        if lane.print != print {
            let old = std::mem::replace(lane, new());
            farewell(old.idle.into_iter().map(|(dialogue, _)| dialogue));
        }
        lane.places.clone()
    }

    /// A connection that is open already, or a new one. `fresh` insists on a new one.
    pub async fn take(&self, account: &AccountId, door: &Door<'_>, fresh: bool) -> Result<Taken, Fault> {
        let print = print(door);
        let places = self.places(account, print);
        let place = places.acquire_owned().await.expect("never closed");
        let now = Instant::now();
        let open = if fresh { None } else { self.open(account, print, now) };
        let is_used = open.is_some();
        let dialogue = match open {
            Some(dialogue) => dialogue,
            None => Dialogue::open(door).await?,
        };
        Ok(Taken { dialogue, is_used, account: account.clone(), print, place })
    }

    /// The connection that was used last, so that the others can grow old.
    fn open(&self, account: &AccountId, print: Print, now: Instant) -> Option<Dialogue> {
        let mut lanes = self.lanes();
        let lane = lanes.by_account.get_mut(account).filter(|lane| lane.print == print)?;
        let (dialogue, since) = lane.idle.pop()?;
        if now.duration_since(since) < self.idle {
            return Some(dialogue);
        }
        let old = std::mem::take(&mut lane.idle).into_iter().map(|(dialogue, _)| dialogue);
        farewell(old.chain([dialogue]));
        None
    }

    /// Gives a connection back; one that is broken or has carried enough is closed.
    pub fn give_back(&self, taken: Taken) {
        let Taken { dialogue, account, print, place, .. } = taken;
        if dialogue.is_broken || dialogue.carried >= CARRIES {
            farewell([dialogue]);
            return;
        }
        let mut lanes = self.lanes();
        match lanes.by_account.get_mut(&account).filter(|lane| lane.print == print) {
            Some(lane) => lane.idle.push((dialogue, Instant::now())),
            None => farewell([dialogue]),
        }
        drop(place); // only now: whoever waits finds the connection
        if !std::mem::replace(&mut lanes.is_swept, true) {
            tokio::spawn(sweep(Arc::downgrade(&self.lanes), self.idle));
        }
    }

    /// Closes what waits.
    #[cfg(test)]
    pub fn forget(&self) {
        self.lanes().by_account.clear();
    }

    /// Connections that wait for work.
    #[cfg(test)]
    pub fn idle(&self) -> usize {
        self.lanes().by_account.values().map(|lane| lane.idle.len()).sum()
    }
}

/// Closes what nobody has used for a while, until nothing is left or the pool is gone.
async fn sweep(pool: std::sync::Weak<Mutex<Lanes>>, idle: Duration) {
    loop {
        tokio::time::sleep(idle / 3).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut lanes = pool.lock().expect("no panic");
        let now = Instant::now();
        let mut old = Vec::new();
        lanes.by_account.retain(|_, lane| {
            let first_young = lane.idle.partition_point(|(_, since)| now.duration_since(*since) >= idle);
            old.extend(lane.idle.drain(..first_young).map(|(dialogue, _)| dialogue));
            !lane.idle.is_empty() || lane.places.available_permits() < CONNECTIONS as usize
        });
        farewell(old);
        if lanes.by_account.is_empty() {
            lanes.is_swept = false;
            return;
        }
    }
}
