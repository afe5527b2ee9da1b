//! The worker: claims what is due, account by account, and sends it.
//!
//! Each account is a lane: what hangs or is slow in one does not hold up another. A message is claimed, its quota
//! reserved and the attempt written down in one transaction, durable before the first byte leaves.

mod poll;
mod send;

use crate::{
    domain::{
        id::{AccountId, MessageId},
        message::{Source, Status},
        time::{SECOND, Timestamp},
    },
    server::{
        App,
        error::Error,
        live::Topic,
        store::{self, Dialect, queue::Settled},
    },
};
use std::{collections::HashMap, sync::Mutex, time::Duration};
use tokio_util::task::TaskTracker;

/// Messages of one account that may be with the provider at a time.
const IN_FLIGHT: u32 = 16;
/// Accounts that are served in one pass.
const LANES: i64 = 100;
/// A lease outlives the longest call of a provider, with a margin.
const LEASE: i64 = 90 * SECOND;
/// How long a stop waits for calls that are under way.
const DRAIN: Duration = Duration::from_secs(20);

/// The worker of this process.
#[derive(Clone)]
pub struct Worker(std::sync::Arc<Inner>);

struct Inner {
    app: App,
    in_flight: Mutex<HashMap<AccountId, u32>>,
    tasks: TaskTracker,
}

impl Worker {
    /// Nothing runs until [`Worker::run`] or [`Worker::pass`].
    pub fn new(app: App) -> Self {
        Self(std::sync::Arc::new(Inner { app, in_flight: Mutex::default(), tasks: TaskTracker::new() }))
    }

    /// Works until the application stops, then waits for what is under way.
    pub async fn run(self) {
        let app = &self.0.app;
        if let Err(error) = self.recover().await {
            tracing::error!(error.cause = %error, "recovery failed");
        }
        while !app.stop.is_cancelled() {
            app.beat();
            let pause = match self.pass().await {
                Ok(()) => self.pause().await,
                Err(error) => {
                    tracing::error!(error.cause = %error, "a pass of the worker failed");
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = app.stop.cancelled() => {}
                () = app.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.0.tasks.close();
        let _ = tokio::time::timeout(DRAIN, self.0.tasks.wait()).await;
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
        let next = async { store::queue::next_due(&mut *app.db.read().await?, now).await }.await;
        let until = next.ok().flatten().map_or(longest, |at| (at.0 - now.0).clamp(20, longest));
        Duration::from_millis(u64::try_from(until).unwrap_or(1_000))
    }

    /// Claims and starts everything that is due; asks providers that are to be asked.
    pub async fn pass(&self) -> Result<(), Error> {
        let app = &self.0.app;
        self.settle_lost(app.clock.now()).await?;
        let lanes = store::queue::due_accounts(&mut *app.db.read().await?, app.clock.now(), LANES).await?;
        for account in lanes {
            self.serve(&account).await?;
        }
        poll::pass(app).await
    }

    /// Waits until nothing is under way.
    pub async fn settle(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.tasks.reopen();
    }

    /// Claims what one account may send now and starts it.
    async fn serve(&self, account: &AccountId) -> Result<(), Error> {
        let under_way = self.0.in_flight.lock().expect("no panic").get(account).copied().unwrap_or(0);
        let room = IN_FLIGHT.saturating_sub(under_way);
        if room == 0 {
            return Ok(());
        }
        let Some(claim) = send::claim(&self.0.app, account, room).await? else { return Ok(()) };
        let count = u32::try_from(claim.messages.len()).unwrap_or(room);
        *self.0.in_flight.lock().expect("no panic").entry(account.clone()).or_insert(0) += count;
        for message in claim.messages {
            let (worker, account, stored) = (self.clone(), account.clone(), claim.account.clone());
            self.0.tasks.spawn(async move {
                send::send(&worker.0.app, &stored, message).await;
                worker.landed(&account);
            });
        }
        Ok(())
    }

    /// One message of the account is no longer under way.
    fn landed(&self, account: &AccountId) {
        let mut in_flight = self.0.in_flight.lock().expect("no panic");
        if let Some(count) = in_flight.get_mut(account) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                in_flight.remove(account);
            }
        }
        drop(in_flight);
        self.0.app.wake.notify_one();
    }

    /// Messages whose sender died: the provider may have them, so they are held as unknown, never sent again by themselves.
    async fn settle_lost(&self, leases_until: Timestamp) -> Result<(), Error> {
        let app = &self.0.app;
        let lost = store::queue::list_lost(&mut *app.db.read().await?, leases_until, 1_000).await?;
        for id in lost {
            self.settle_one_lost(&id).await?;
        }
        Ok(())
    }

    async fn settle_one_lost(&self, id: &MessageId) -> Result<(), Error> {
        let app = &self.0.app;
        let now = app.clock.now();
        let organization = app
            .db
            .write(async |conn| {
                let Some(locked) = store::queue::lock(conn, app.db.dialect, id).await? else { return Ok(None) };
                if locked.message.status != Status::Sending {
                    return Ok(None);
                }
                if let Some(token) = &locked.lease_token {
                    store::queue::finish_attempt(conn, id, token, "unknown", false, now).await?;
                }
                store::queue::settle(conn, id, &Settled::UNKNOWN, now).await?;
                let mut event = store::message::event(app.new_id(), now, Status::Unknown, Source::Worker);
                event.detail =
                    Some("Tern stopped while the message was on its way; the provider may have it.".to_owned());
                store::message::insert_event(conn, id, &event).await?;
                Ok::<_, sqlx::Error>(Some(locked.organization_id))
            })
            .await?;
        if let Some(organization) = organization {
            app.live.publish(&organization, Topic::Messages, Some(id.as_str()));
        }
        Ok(())
    }
}
