//! The worker: claims what is due, lane by lane, sends it, and writes down what came of it.
//!
//! Each account is a lane with its own pace, its own room for messages under way and its own pause: what hangs or is slow
//! in one does not hold up another.

mod budget;
mod campaign;
mod change;
mod claim;
mod import;
mod lane;
mod mailbox;
mod outcome;
mod poll;
mod resolve;
mod rules;
mod send;
mod sequence;
pub mod skew;
mod turn;

use crate::{
    domain::{
        channel::Provider,
        id::{AccountId, MessageId},
        message::{Source, Status},
        time::{SECOND, Timestamp},
    },
    server::{
        App,
        channel::{Receipt, SendError, TOO_LATE},
        error::Error,
        live::Topic,
        store::{self, Dialect, queue::Settled},
    },
};
use budget::Budget;
use claim::{Claimed, HORIZON, Through};
use futures::FutureExt;
use lane::{Lanes, Ready};
use outcome::Settling;
use skew::Skew;
use std::{
    collections::BTreeMap,
    mem,
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::task::TaskTracker;

/// Results that one transaction writes.
const RESULTS: usize = 512;
/// Lost messages that are settled in one pass.
const LOST: usize = 1_000;
/// How long a stop waits for calls that are under way.
const DRAIN: Duration = Duration::from_secs(20);

/// The worker of this process.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

struct Inner {
    app: App,
    lanes: Mutex<Lanes>,
    /// Results that wait to be written together.
    results: Mutex<Vec<Settling>>,
    /// Whoever writes results.
    writing: tokio::sync::Mutex<()>,
    tasks: TaskTracker,
    /// When lost leases were last looked for.
    looked_at: AtomicI64,
    /// What the accounts may still retry.
    budget: Budget,
    /// Whether this machine may trust its clock.
    skew: Skew,
}

/// A panic in an adapter is one message's trouble: it may have left.
async fn caught(call: impl Future<Output = Result<Receipt, SendError>>) -> Result<Receipt, SendError> {
    let called = AssertUnwindSafe(call).catch_unwind().await;
    called.unwrap_or_else(|_| Err(SendError::Unknown("Tern failed while it sent the message.".to_owned())))
}

/// A panic in one pass is a bug, and no reason to send nothing any more.
async fn guarded(pass: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let done = AssertUnwindSafe(pass).catch_unwind().await;
    done.unwrap_or_else(|_| Err(Error::Internal("the pass panicked".to_owned())))
}

impl Worker {
    /// Nothing runs until [`Worker::run`] or [`Worker::pass`].
    pub fn new(app: App) -> Self {
        Self(Arc::new(Inner {
            app,
            lanes: Mutex::default(),
            results: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            tasks: TaskTracker::new(),
            looked_at: AtomicI64::new(i64::MIN),
            budget: Budget::default(),
            skew: Skew::default(),
        }))
    }

    /// Works until the application stops, then waits for what is under way.
    pub async fn run(self) {
        let app = &self.0.app;
        if let Err(error) = self.recover().await {
            tracing::error!(error.cause = %error, "recovery failed");
        }
        // Asking providers may take long: it never holds up what is to leave.
        let asking = tokio::spawn(self.clone().ask());
        let reading = tokio::spawn(self.clone().read());
        let planning = tokio::spawn(self.clone().plan());
        let importing = tokio::spawn(import::run(app.clone()));
        while !app.stop.is_cancelled() {
            app.beat();
            let done = guarded(self.claim_pass()).await;
            self.rest(done, &app.wake).await;
        }
        let ready = {
            let mut lanes = self.0.lanes.lock().expect("no panic");
            let accounts = lanes.with_ready();
            lanes.take_back(&accounts)
        };
        self.withhold(ready, "Tern was stopped before it was sent.");
        let _ = tokio::join!(asking, reading, planning, importing);
        self.0.tasks.close();
        let _ = tokio::time::timeout(DRAIN, self.0.tasks.wait()).await;
    }

    /// Asks providers until the application stops.
    async fn ask(self) {
        let app = &self.0.app;
        while !app.stop.is_cancelled() {
            let done = tokio::select! {
                () = app.stop.cancelled() => return,
                done = guarded(poll::pass(app)) => done,
            };
            self.rest(done, &app.wake_asking).await;
        }
    }

    /// Takes steps of sequences until the application stops.
    async fn plan(self) {
        let app = &self.0.app;
        while !app.stop.is_cancelled() {
            let mut is_more = false;
            let done = guarded(async {
                is_more = campaign::pass(app).await? | change::pass(app).await?;
                is_more |= sequence::pass(app).await?;
                Ok(())
            });
            if let Err(error) = done.await {
                tracing::error!(error.cause = %error, "a pass over the sequences failed");
            }
            if is_more {
                continue;
            }
            let next = async {
                let mut conn = app.db.read().await?;
                let steps = store::enrollment::list_next_due(&mut conn).await?;
                Ok::<_, sqlx::Error>(steps.into_iter().chain(store::campaign::next_open(&mut conn).await?).min())
            };
            let next = next.await.ok().flatten();
            // What is due and had no room is looked at again; on PostgreSQL others may add something unheard.
            let pause = next.map_or(30 * SECOND, |at| (at.0 - app.clock.now().0).clamp(SECOND, 5 * SECOND));
            tokio::select! {
                () = app.stop.cancelled() => {}
                () = app.wake_planning.notified() => {}
                () = tokio::time::sleep(Duration::from_millis(pause.unsigned_abs())) => {}
            }
        }
    }

    /// Reads mailboxes until the application stops.
    async fn read(self) {
        let app = &self.0.app;
        while !app.stop.is_cancelled() {
            let done = tokio::select! {
                () = app.stop.cancelled() => return,
                done = guarded(mailbox::pass(app)) => done,
            };
            if let Err(error) = done {
                tracing::error!(error.cause = %error, "a pass over the mailboxes failed");
            }
            let next = async { store::mailbox::next_due(&mut *app.db.read().await?).await }.await.ok().flatten();
            let pause = next.map_or(30 * SECOND, |at| (at.0 - app.clock.now().0).clamp(SECOND, 30 * SECOND));
            tokio::select! {
                () = app.stop.cancelled() => {}
                () = app.wake_reading.notified() => {}
                () = tokio::time::sleep(Duration::from_millis(pause.unsigned_abs())) => {}
            }
        }
    }

    /// Rests until there is something to do.
    async fn rest(&self, done: Result<(), Error>, wake: &Notify) {
        let pause = match done {
            Ok(()) => self.pause().await,
            Err(error) => {
                tracing::error!(error.cause = %error, "a pass of the worker failed");
                Duration::from_secs(1)
            }
        };
        tokio::select! {
            () = self.0.app.stop.cancelled() => {}
            () = wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }

    /// What the last owner of an SQLite folder left behind is settled at once: there is only one owner. On PostgreSQL
    /// somebody else may be sending it, so leases run out first.
    async fn recover(&self) -> Result<(), Error> {
        if self.0.app.db.dialect == Dialect::Sqlite {
            while self.settle_lost(Timestamp(i64::MAX)).await? {}
            self.0.app.db.write(store::import::release_all).await?;
        }
        Ok(())
    }

    /// How long there is nothing to do; on PostgreSQL other processes may add something unheard.
    async fn pause(&self) -> Duration {
        let app = &self.0.app;
        let now = app.clock.now();
        let (is_busy, has_ready) = {
            let lanes = self.0.lanes.lock().expect("no panic");
            (lanes.is_busy(), !lanes.with_ready().is_empty())
        };
        let longest = if app.db.dialect == Dialect::Postgres || has_ready { SECOND } else { 30 * SECOND };
        // A call that ends wakes us; what is due and has no room is not looked at over and over meanwhile.
        let least = if is_busy { 200 } else { 20 };
        let next = async { store::queue::next_due(&mut *app.db.read().await?).await }.await;
        let until = next.ok().flatten().map_or(longest, |at| (at.0 - now.0).clamp(least, longest));
        Duration::from_millis(u64::try_from(until).unwrap_or(1_000))
    }

    /// Takes steps that are due; claims and starts everything that is due; asks providers that are to be asked; reads mailboxes
    /// that are to be read; imports what is to be imported.
    pub async fn pass(&self) -> Result<(), Error> {
        while campaign::pass(&self.0.app).await?
            | change::pass(&self.0.app).await?
            | sequence::pass(&self.0.app).await?
        {}
        self.claim_pass().await?;
        poll::pass(&self.0.app).await?;
        mailbox::pass(&self.0.app).await?;
        import::pass(&self.0.app).await
    }

    async fn claim_pass(&self) -> Result<(), Error> {
        let app = &self.0.app;
        self.0.skew.check(app).await?;
        let now = app.clock.now();
        if self.0.looked_at.swap(now.0, Ordering::Relaxed) / SECOND != now.0 / SECOND {
            self.settle_lost(now.plus(-self.slack())).await?;
        }
        self.withhold_of_stopped(now).await?;
        while !app.stop.is_cancelled() {
            let now = app.clock.now();
            let due = store::queue::due_accounts(&mut *app.db.read().await?, now, now.plus(HORIZON)).await?;
            let rooms = self.pick(due);
            if rooms.is_empty() {
                return Ok(());
            }
            let claims = claim::claim(app, &rooms).await?;
            if claims.is_empty() {
                return Ok(());
            }
            for claim in claims {
                let most = self.most_at_once(&claim.through);
                let begins = self.0.lanes.lock().expect("no panic").add(claim, most);
                for ready in begins {
                    self.begin(ready);
                }
            }
        }
        Ok(())
    }

    /// What is ready of accounts that must not send any more goes back: a pause holds at once, not when all that was claimed
    /// has left.
    async fn withhold_of_stopped(&self, now: Timestamp) -> Result<(), Error> {
        let app = &self.0.app;
        let ready = self.0.lanes.lock().expect("no panic").with_ready();
        if ready.is_empty() {
            return Ok(());
        }
        let stopped = store::lane::stopped(&mut *app.db.read().await?, app.db.dialect, &ready, now).await?;
        let back = self.0.lanes.lock().expect("no panic").take_back(&stopped);
        self.withhold(back, "Its account was paused before it was sent.");
        Ok(())
    }

    /// Puts back what was claimed and not begun.
    fn withhold(&self, back: impl IntoIterator<Item = Ready>, why: &'static str) {
        for (through, claimed) in back {
            self.settle_soon(through, claimed, Err(SendError::Withheld(why)));
        }
    }

    fn pick(&self, due: Vec<(AccountId, Provider)>) -> BTreeMap<AccountId, u32> {
        let most = |provider| self.0.app.channels.of(provider).most_at_once();
        let due = due.into_iter().map(|(id, provider)| (id, most(provider))).collect();
        self.0.lanes.lock().expect("no panic").pick(due)
    }

    fn most_at_once(&self, through: &Through) -> u32 {
        self.0.app.channels.of(through.account.account.provider).most_at_once()
    }

    /// Waits until nothing is under way.
    pub async fn settle(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.tasks.reopen();
    }

    /// Calls the provider, message after message, as long as the account has one ready.
    fn begin(&self, ready: Ready) {
        let worker = self.clone();
        self.0.tasks.spawn(async move {
            let mut next = Some(ready);
            while let Some((through, claimed)) = next {
                next = worker.send(through, claimed).await;
            }
        });
    }

    async fn send(&self, through: Arc<Through>, claimed: Claimed) -> Option<Ready> {
        let app = &self.0.app;
        let early = claimed.at.0 - app.clock.now().0;
        if early > 0 {
            app.clock.sleep(early.unsigned_abs()).await;
        }
        let sender = app.channels.of(through.account.account.provider);
        let began = Instant::now();
        // A lease that runs out during the call would let somebody else find no trace of the message, and send it, too.
        let outcome = if claimed.lease.has(sender.longest_call(app.settings.lease())) {
            caught(send::send(app, &through, &claimed)).await
        } else {
            Err(SendError::Withheld(TOO_LATE))
        };
        let next = {
            let (account, most) = (&through.account.account.id, sender.most_at_once());
            self.0.lanes.lock().expect("no panic").next(account, outcome.as_ref().err(), began.elapsed(), most)
        };
        self.settle_soon(through, claimed, outcome);
        self.withhold(next.back, "The provider refused or did not answer the one before it.");
        if next.has_room {
            app.wake.notify_one();
        }
        next.begins
    }

    /// Hands a result to whoever writes the next ones.
    fn settle_soon(&self, through: Arc<Through>, claimed: Claimed, outcome: Result<Receipt, SendError>) {
        let (account, now) = (&through.account.account.id, self.0.app.clock.now());
        let is_first_try = claimed.due.attempts <= 1 && !matches!(outcome, Err(SendError::Withheld(_)));
        let is_repeated = matches!(outcome, Err(SendError::Throttled { .. } | SendError::Unavailable(_)));
        // Here, and not where it is written: that may take several transactions, and it is owed once.
        let owed = self.0.budget.settle(account, is_first_try, is_repeated, now);
        let is_first = {
            let mut results = self.0.results.lock().expect("no panic");
            results.push(Settling { through, claimed, outcome, owed });
            results.len() == 1
        };
        if is_first {
            self.0.tasks.spawn(self.clone().write_results());
        }
    }

    /// What came in while the last results were written makes up the next batch.
    async fn write_results(self) {
        let _turn = self.0.writing.lock().await;
        let results = mem::take(&mut *self.0.results.lock().expect("no panic"));
        for batch in results.chunks(RESULTS) {
            // The result is all that tells a sent message from an unsent one: it is written however long the database takes.
            self.write_batch(batch).await;
        }
        // What was put back may leave again, and whoever waited for a probe.
        if results.iter().any(|result| result.outcome.is_err() || result.through.failures > 0) {
            self.0.app.wake.notify_one();
        }
        if results.iter().any(|result| matches!(result.outcome, Err(SendError::Unknown(_)))) {
            self.0.app.wake_asking.notify_one();
        }
    }

    /// Until it is written. A row that cannot be read stands only in its own way: its lease runs out, and it is set aside.
    async fn write_batch(&self, batch: &[Settling]) {
        let app = &self.0.app;
        loop {
            match outcome::write(app, batch).await {
                Ok(()) => return,
                Err(error) if claim::is_unreadable(&error) => break,
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
        for one in batch.chunks(1) {
            while let Err(error) = outcome::write(app, one).await {
                if claim::is_unreadable(&error) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }

    /// Another machine's clock may be so much behind ours.
    fn slack(&self) -> i64 {
        if self.0.app.db.dialect == Dialect::Postgres { skew::MOST } else { 0 }
    }

    /// Messages whose sender died: the provider may have them, so they are held as unknown until there is evidence.
    /// True when there may be more.
    async fn settle_lost(&self, leases_until: Timestamp) -> Result<bool, Error> {
        let app = &self.0.app;
        let lost = store::queue::list_lost(&mut *app.db.read().await?, leases_until, LOST).await?;
        for batch in lost.chunks(100) {
            match self.settle_some_lost(batch).await {
                Err(Error::Database(error)) if claim::is_unreadable(&error) => self.settle_unreadable(batch).await?,
                done => done?,
            }
        }
        Ok(lost.len() >= LOST)
    }

    /// Something about one of these cannot be read: it is held, and the others are settled.
    async fn settle_unreadable(&self, batch: &[MessageId]) -> Result<(), Error> {
        const WHY: &str = "What is stored of this message cannot be read; the provider may have it.";
        let app = &self.0.app;
        for id in batch {
            match self.settle_some_lost(std::slice::from_ref(id)).await {
                Err(Error::Database(error)) if claim::is_unreadable(&error) => {
                    tracing::error!(message.id = %id, error.cause = %error, "a message cannot be read; it is held");
                    let (status, now) = (Status::Unknown, app.clock.now());
                    app.db.write(async |conn| store::queue::set_aside(conn, id, status, WHY, now).await).await?;
                }
                done => done?,
            }
        }
        Ok(())
    }

    async fn settle_some_lost(&self, batch: &[MessageId]) -> Result<(), Error> {
        let app = &self.0.app;
        let now = app.clock.now();
        let organizations = app
            .db
            .write(async |conn| {
                let (mut organizations, mut events) = (Vec::new(), Vec::new());
                for id in batch {
                    let Some(locked) = store::queue::lock(conn, app.db.dialect, id).await? else { continue };
                    let Some(token) = locked.lease_token.as_ref().filter(|_| locked.message.status == Status::Sending)
                    else {
                        continue;
                    };
                    store::attempt::finish(conn, id, token, "unknown", false, now).await?;
                    // It can be asked about soon: whoever sent it is gone.
                    let poll_at = match &locked.account_id {
                        Some(account) => store::account::find_any(conn, account)
                            .await?
                            .and_then(|stored| app.first_question(&stored.account, now.plus(SECOND))),
                        None => None,
                    };
                    store::queue::settle(conn, id, &Settled { poll_at, ..Settled::UNKNOWN }, now).await?;
                    let mut event = store::message::event(app.new_id(), now, Status::Unknown, Source::Worker);
                    event.detail =
                        Some("Tern stopped while the message was on its way; the provider may have it.".to_owned());
                    events.push((id.clone(), event));
                    organizations.push(locked.organization_id);
                }
                store::message::insert_events(conn, app.db.dialect, &events).await?;
                Ok::<_, sqlx::Error>(organizations)
            })
            .await?;
        for organization in organizations {
            app.live.publish(&organization, Topic::Messages, None);
        }
        app.wake_asking.notify_one();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_adapter_that_panics_leaves_a_message_of_unknown_outcome() {
        let broken = async { Vec::<Result<Receipt, SendError>>::new().remove(0) };
        assert!(matches!(caught(broken).await, Err(SendError::Unknown(_))));
        let fine = async { Err(SendError::Throttled { after: None }) };
        assert_eq!(caught(fine).await, Err(SendError::Throttled { after: None }));
    }
}
