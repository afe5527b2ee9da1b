//! The worker: claims what is due, lane by lane, sends it, and writes down what came of it.
//!
//! Each account is a lane with its own pace, its own room for messages under way and its own pause: what hangs or is slow
//! in one does not hold up another.

mod claim;
mod outcome;
mod poll;
mod resolve;
mod send;

use crate::{
    domain::{
        id::{AccountId, MessageId},
        message::{Source, Status},
        time::{SECOND, Timestamp},
    },
    server::{
        App,
        batch::Batcher,
        channel::SendError,
        error::Error,
        live::Topic,
        store::{self, Dialect, queue::Settled},
    },
};
use claim::{Claim, Claimed, HORIZON, Through};
use futures::future::BoxFuture;
use outcome::Settling;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

/// Messages of one account that are under way at first; more when all goes well, fewer when the provider is overrun.
const FIRST_WINDOW: u32 = 64;
/// The most of one account: beyond it latency grows and nothing else.
const WIDEST_WINDOW: u32 = 256;
/// Messages that one transaction claims.
const BATCH: u32 = 512;
/// Results that one transaction writes.
const RESULTS: usize = 512;
/// How long a stop waits for calls that are under way.
const DRAIN: Duration = Duration::from_secs(20);

/// The worker of this process.
#[derive(Clone)]
pub struct Worker(Arc<Inner>);

struct Inner {
    app: App,
    lanes: Mutex<HashMap<AccountId, Lane>>,
    results: Batcher<Arc<Settling>, bool>,
    tasks: TaskTracker,
}

/// What this process has under way for an account.
#[derive(Debug, Clone, Copy)]
struct Lane {
    in_flight: u32,
    window: u32,
    /// The pass that served it last: whoever waited longest is next.
    served: u64,
}

impl Default for Lane {
    fn default() -> Self {
        Self { in_flight: 0, window: FIRST_WINDOW, served: 0 }
    }
}

impl Lane {
    /// Room for more, once it is worth a transaction.
    fn room(self) -> u32 {
        let room = self.window.saturating_sub(self.in_flight);
        if self.in_flight == 0 || room >= self.window.div_ceil(4) { room } else { 0 }
    }
}

impl Worker {
    /// Nothing runs until [`Worker::run`] or [`Worker::pass`].
    pub fn new(app: App) -> Self {
        let writer = app.clone();
        let write = move |batch: Vec<Arc<Settling>>| -> BoxFuture<'static, Vec<bool>> {
            let app = writer.clone();
            Box::pin(async move {
                let is_written = outcome::write(&app, &batch).await;
                vec![is_written; batch.len()]
            })
        };
        let results = Batcher::new(RESULTS, write);
        Self(Arc::new(Inner { app, lanes: Mutex::default(), results, tasks: TaskTracker::new() }))
    }

    /// Works until the application stops, then waits for what is under way.
    pub async fn run(self) {
        let app = &self.0.app;
        if let Err(error) = self.recover().await {
            tracing::error!(error.cause = %error, "recovery failed");
        }
        // Asking providers may take long: it never holds up what is to leave.
        let asking = tokio::spawn(self.clone().ask());
        while !app.stop.is_cancelled() {
            app.beat();
            let done = self.claim_pass().await;
            self.rest(done, &app.wake).await;
        }
        let _ = asking.await;
        self.0.tasks.close();
        let _ = tokio::time::timeout(DRAIN, self.0.tasks.wait()).await;
    }

    /// Asks providers until the application stops.
    async fn ask(self) {
        let app = &self.0.app;
        while !app.stop.is_cancelled() {
            let done = tokio::select! {
                () = app.stop.cancelled() => return,
                done = poll::pass(app) => done,
            };
            self.rest(done, &app.wake_asking).await;
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
            self.settle_lost(Timestamp(i64::MAX)).await?;
        }
        Ok(())
    }

    /// How long there is nothing to do; on PostgreSQL other processes may add something unheard.
    async fn pause(&self) -> Duration {
        let app = &self.0.app;
        let now = app.clock.now();
        let longest = if app.db.dialect == Dialect::Postgres { SECOND } else { 30 * SECOND };
        let next = async { store::queue::next_due(&mut *app.db.read().await?).await }.await;
        let until = next.ok().flatten().map_or(longest, |at| (at.0 - now.0).clamp(20, longest));
        Duration::from_millis(u64::try_from(until).unwrap_or(1_000))
    }

    /// Claims and starts everything that is due; asks providers that are to be asked.
    pub async fn pass(&self) -> Result<(), Error> {
        self.claim_pass().await?;
        poll::pass(&self.0.app).await
    }

    async fn claim_pass(&self) -> Result<(), Error> {
        let app = &self.0.app;
        let now = app.clock.now();
        self.settle_lost(now).await?;
        loop {
            let due = store::queue::due_accounts(&mut *app.db.read().await?, now, now.plus(HORIZON)).await?;
            let lanes = self.pick(due);
            if lanes.is_empty() {
                return Ok(());
            }
            let claims = claim::claim(app, &lanes).await?;
            let is_idle = claims.is_empty();
            for claim in claims {
                self.start(claim);
            }
            if is_idle || app.stop.is_cancelled() {
                return Ok(());
            }
        }
    }

    /// The lanes that have room, whoever waited longest first, as many as fit into one transaction.
    fn pick(&self, due: Vec<AccountId>) -> Vec<(AccountId, u32)> {
        let mut lanes = self.0.lanes.lock().expect("no panic");
        let mut ready: Vec<(u64, AccountId, u32)> = due
            .into_iter()
            .filter_map(|id| {
                let lane = lanes.get(&id).copied().unwrap_or_default();
                (lane.room() > 0).then(|| (lane.served, id, lane.room()))
            })
            .collect();
        ready.sort_unstable();
        let turn = lanes.values().map(|lane| lane.served).max().unwrap_or(0) + 1;
        let (mut picked, mut left) = (Vec::new(), BATCH);
        for (_, id, room) in ready {
            if left == 0 {
                break;
            }
            let room = room.min(left);
            left -= room;
            lanes.entry(id.clone()).or_default().served = turn;
            picked.push((id, room));
        }
        picked
    }

    /// Waits until nothing is under way.
    pub async fn settle(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.tasks.reopen();
    }

    /// Sends what was claimed.
    fn start(&self, claim: Claim) {
        let id = claim.through.account.account.id.clone();
        let count = u32::try_from(claim.messages.len()).unwrap_or(BATCH);
        self.0.lanes.lock().expect("no panic").entry(id).or_default().in_flight += count;
        for claimed in claim.messages {
            let (worker, through) = (self.clone(), claim.through.clone());
            self.0.tasks.spawn(async move { worker.send(through, claimed).await });
        }
    }

    async fn send(&self, through: Arc<Through>, claimed: Claimed) {
        let app = &self.0.app;
        let early = claimed.at.0 - app.clock.now().0;
        if early > 0 {
            tokio::time::sleep(Duration::from_millis(early.unsigned_abs())).await;
        }
        // A panic in an adapter is one message's trouble: it may have left.
        let (to, call) = (app.clone(), (through.clone(), claimed.clone()));
        let called = tokio::spawn(async move { send::send(&to, &call.0, &call.1).await }).await;
        let outcome =
            called.unwrap_or_else(|_| Err(SendError::Unknown("Tern failed while it sent the message.".to_owned())));
        let settling = Arc::new(Settling { through, claimed, outcome });
        // The result is all that tells a sent message from an unsent one: it is written however long the database takes.
        while self.0.results.call(settling.clone()).await != Some(true) {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.landed(&settling);
    }

    /// One message of the account is no longer under way.
    fn landed(&self, settling: &Settling) {
        let is_ready = {
            let mut lanes = self.0.lanes.lock().expect("no panic");
            let lane = lanes.entry(settling.through.account.account.id.clone()).or_default();
            lane.in_flight = lane.in_flight.saturating_sub(1);
            lane.window = match settling.outcome {
                Err(SendError::Throttled { .. } | SendError::Unavailable(_) | SendError::Unknown(_)) => {
                    (lane.window / 2).max(4)
                }
                _ => (lane.window + 1).min(WIDEST_WINDOW),
            };
            lane.room() > 0
        };
        if is_ready {
            self.0.app.wake.notify_one();
        }
    }

    /// Messages whose sender died: the provider may have them, so they are held as unknown until there is evidence.
    async fn settle_lost(&self, leases_until: Timestamp) -> Result<(), Error> {
        let app = &self.0.app;
        let lost = store::queue::list_lost(&mut *app.db.read().await?, leases_until, 1_000).await?;
        for batch in lost.chunks(100) {
            self.settle_some_lost(batch).await?;
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
                    store::queue::finish_attempt(conn, id, token, "unknown", false, now).await?;
                    // It can be asked about soon: whoever sent it is gone.
                    let poll_at = match &locked.message.account_id {
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
