//! Callers who do not give up: each sends one message after the other and repeats a call with its idempotency key until
//! it is answered, whatever happens to the server.

use super::machine::Machine;
use serde_json::json;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// A message that was answered with 202.
#[derive(Debug, Clone)]
pub struct Promise {
    pub id: String,
    /// The length of the watched file after the answer had come.
    pub watched: u64,
}

/// The callers' side: what they ask for, and what they were told.
pub struct Load {
    accounts: Vec<String>,
    next: AtomicU64,
    /// Messages to ask for.
    total: AtomicU64,
    is_over: AtomicBool,
    promises: Mutex<Vec<Promise>>,
    /// Answers other than 202, by status.
    pub refusals: Mutex<Vec<u16>>,
    watched: Option<std::path::PathBuf>,
}

/// Recipients: most have a phone that is on, some are refused or fail later.
fn recipient(number: u64) -> String {
    match number % 40 {
        7 => "+15005550001".to_owned(),
        17 => "+15005550030".to_owned(),
        27 => "+15005550070".to_owned(),
        _ => format!("+1555867{:04}", number % 10_000),
    }
}

impl Load {
    /// Nobody calls until [`Load::run`].
    pub fn new(accounts: Vec<String>, total: u64, watched: Option<std::path::PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            accounts,
            next: AtomicU64::new(0),
            total: AtomicU64::new(total),
            is_over: AtomicBool::new(false),
            promises: Mutex::default(),
            refusals: Mutex::default(),
            watched,
        })
    }

    /// Calls with so many callers until every message is asked for and answered, or the load is over; for at most `limit`.
    pub async fn run(&self, machine: &Machine, callers: usize, limit: Duration) {
        let calls = futures::future::join_all((0..callers).map(|_| self.call(machine)));
        if tokio::time::timeout(limit, calls).await.is_err() {
            machine.show_log();
            panic!("{} of {} messages were answered within {limit:?}", self.promises().len(), self.total());
        }
    }

    async fn call(&self, machine: &Machine) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.total() {
                return;
            }
            let account = &self.accounts[usize::try_from(number).expect("few") % self.accounts.len()];
            let form = json!({
                "channel": "sms", "to": recipient(number), "body": format!("Message {number}"),
                "messaging_account_id": account,
            });
            loop {
                if self.is_over.load(Ordering::Relaxed) {
                    return;
                }
                match machine.post_once("/api/messages", &format!("load-{number}"), &form).await {
                    Some((202, message)) => {
                        let watched = self.watched.as_ref().and_then(|path| std::fs::metadata(path).ok());
                        let id = message["id"].as_str().expect("an id").to_owned();
                        let promise = Promise { id, watched: watched.map_or(0, |file| file.len()) };
                        self.promises.lock().expect("no panic").push(promise);
                        break;
                    }
                    Some((status, _)) => self.refusals.lock().expect("no panic").push(status),
                    None => {}
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Messages that are asked for in all.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// So many more from now, and no others: whatever happened before happened in the middle of the load.
    pub fn go_on_for(&self, more: u64) {
        self.total.store(self.next.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }

    /// The callers go home; who waits for an answer stops waiting.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// What was promised so far.
    pub fn promises(&self) -> Vec<Promise> {
        self.promises.lock().expect("no panic").clone()
    }

    /// The messages of it.
    pub fn answered(&self) -> Vec<String> {
        self.promises().into_iter().map(|promise| promise.id).collect()
    }
}
