//! The end of every story: what callers were promised, what the stand-ins took and what is stored must agree.

use super::{Answer, Folder};
use std::{
    sync::{Arc, Mutex},
    thread,
};
use tern::server::{
    oracle,
    simulate::{Simulator, smtp::MailServer},
    store::Db,
};

/// What callers were told, for the oracle.
#[derive(Clone, Default)]
pub struct Promised(Arc<Mutex<Vec<String>>>);

impl Promised {
    /// Remembers the messages of an answer that promises some.
    pub fn note(&self, method: &str, path: &str, answer: &Answer) {
        if method != "POST" || !matches!(answer.status.as_u16(), 200 | 202) {
            return;
        }
        let mut promised = self.0.lock().expect("no panic");
        match path.split('?').next() {
            Some("/api/messages") => promised.push(answer.id()),
            Some("/api/messages/batch") => {
                let rows = answer.json()["data"].as_array().cloned().unwrap_or_default();
                promised.extend(rows.iter().filter_map(|row| row["message"]["id"].as_str()).map(str::to_owned));
            }
            _ => {}
        }
    }
}

/// Judges the world when it ends, unless its story has failed already. A part of the world and not its `Drop`, so that a
/// restart can take the world apart.
pub struct Judge {
    pub promised: Promised,
    folder: Arc<Folder>,
    twilio: Arc<Simulator>,
    mail: Arc<MailServer>,
}

impl Judge {
    pub fn new(folder: Arc<Folder>, twilio: Arc<Simulator>, mail: Arc<MailServer>) -> Self {
        Self { promised: Promised::default(), folder, twilio, mail }
    }

    async fn verdict(&self) -> oracle::Verdict {
        let db = Db::open(&format!("sqlite://{}/tern.db", self.folder.path().display())).await.expect("the database");
        let promised = self.promised.0.lock().expect("no panic").clone();
        let verdict = oracle::examine(&db, &[self.twilio.journal(), self.mail.journal()].concat(), Some(&promised))
            .await
            .expect("a verdict");
        db.close().await;
        verdict
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        // A story ends inside its runtime, where nothing can be waited for: the judge has one of its own.
        let judged = thread::scope(|scope| {
            let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            scope.spawn(move || runtime().block_on(self.verdict())).join()
        });
        let verdict = judged.expect("a judge that does not fail");
        assert!(verdict.is_good(), "the oracle says:\n{verdict}");
    }
}
