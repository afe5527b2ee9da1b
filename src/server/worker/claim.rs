//! The durable intent: what leaves next is claimed, its quota reserved and its try written down in one transaction, before
//! the first byte leaves. One transaction serves all lanes that have room.

use super::{outcome::BREAK_AT, rules};
use crate::{
    domain::{
        account::ConnectionStatus,
        consent::Act,
        id::{AccountId, AttemptId, MessageId},
        lead::Way,
        message::{Source, Status, Waiting, WaitingReason},
        time::{MINUTE, Timestamp},
    },
    server::{
        App,
        bucket::Bucket,
        channel::Login,
        clock::{chance, new_id},
        error::Error,
        lease::Lease,
        live::Topic,
        store::{self, Conn, account::StoredAccount, attempt::NewAttempt, lane::Lane, queue::Due, usage::Reservation},
        usecase::{
            account,
            consent::{self, Key},
            message::limit_reached,
            platform,
        },
    },
};
use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::Arc,
};

/// Messages of a paced lane are claimed so far ahead of their turn: often enough for a steady pace, seldom enough for the
/// disk.
pub const HORIZON: i64 = 250;

/// Messages that this process must send now, or nobody will.
pub struct Claim {
    /// Through which account.
    pub through: Arc<Through>,
    /// Each with its attempt.
    pub messages: Vec<Claimed>,
}

/// The account of a claim, as it was then.
pub struct Through {
    /// The account.
    pub account: StoredAccount,
    /// Its credentials, opened once for all messages of the claim, or why they cannot be.
    pub login: Result<Login, account::Closed>,
    /// Of the organization's record of consent.
    pub key: Option<Arc<Key>>,
    /// Its calls in a row that did not reach the provider.
    pub failures: u32,
}

/// A message under our lease.
pub struct Claimed {
    /// The message.
    pub due: Due,
    /// This try.
    pub attempt: AttemptId,
    /// Whoever settles the message must show it.
    pub token: Arc<str>,
    /// Not before this instant.
    pub at: Timestamp,
    /// How long.
    pub lease: Lease,
}

/// Takes what each account may send now, at most so many messages each.
pub async fn claim(app: &App, rooms: &BTreeMap<AccountId, u32>) -> Result<Vec<Claim>, Error> {
    let claims = match together(app, rooms).await {
        Err(error) if is_unreadable(&error) => one_by_one(app, rooms).await?,
        claims => claims?,
    };
    for claim in &claims {
        let account = &claim.through.account;
        app.live.publish(&account.organization_id, Topic::Accounts, Some(account.account.id.as_str()));
    }
    Ok(claims)
}

async fn together(app: &App, rooms: &BTreeMap<AccountId, u32>) -> sqlx::Result<Vec<Claim>> {
    let now = app.clock.now();
    let lease = Lease::begin(app.clock.clone(), app.settings.lease());
    let pass = Pass { app, now, lease, token: new_id(now).into() };
    app.db.write(async |conn| pass.run(conn, rooms).await).await
}

/// The database works, but something in it is not ours.
pub fn is_unreadable(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. })
}

/// One account of these cannot be read. It stops and says so; the others go on.
async fn one_by_one(app: &App, rooms: &BTreeMap<AccountId, u32>) -> sqlx::Result<Vec<Claim>> {
    const WHY: &str =
        "What is stored of this account cannot be read. Enter its credentials again, or ask the operator.";
    let mut claims = Vec::new();
    for (id, room) in rooms {
        match together(app, &BTreeMap::from([(id.clone(), *room)])).await {
            Err(error) if is_unreadable(&error) => {
                tracing::error!(account.id = %id, error.cause = %error, "an account cannot be read; it is stopped");
                let now = app.clock.now();
                let stop = async |conn: &mut Conn| {
                    store::account::set_health(conn, id, ConnectionStatus::Error, Some(WHY), Some(now)).await
                };
                app.db.write(stop).await?;
            }
            done => claims.extend(done?),
        }
    }
    Ok(claims)
}

/// One transaction's claims, all under one token.
struct Pass<'a> {
    app: &'a App,
    now: Timestamp,
    lease: Lease,
    token: Arc<str>,
}

/// An account while messages are claimed for it.
struct Turn {
    stored: StoredAccount,
    lane: Lane,
    bucket: Bucket,
    key: Option<Arc<Key>>,
    claimed: Vec<Claimed>,
}

impl Pass<'_> {
    async fn run(&self, conn: &mut Conn, rooms: &BTreeMap<AccountId, u32>) -> sqlx::Result<Vec<Claim>> {
        let dialect = self.app.db.dialect;
        let mut turns = self.open(conn, rooms.keys()).await?;
        let buckets: Vec<_> = turns.iter().map(|turn| (&turn.stored.account.id, &turn.bucket)).collect();
        let used = store::usage::find_many(conn, dialect, &buckets).await?;
        let mut moved = vec![false; turns.len()];
        for (turn, moved) in turns.iter_mut().zip(&mut moved) {
            let id = &turn.stored.account.id;
            let (room, used) = (rooms.get(id).copied().unwrap_or(0), used.get(id).copied().unwrap_or(0));
            *moved = self.take(conn, turn, room, used).await?;
        }
        self.reserve(conn, &turns).await?;
        let lanes: Vec<_> = turns.iter().zip(moved).filter(|(_, moved)| *moved).map(|(turn, _)| turn).collect();
        let lanes: Vec<_> = lanes.iter().map(|turn| (&turn.stored.account.id, &turn.lane)).collect();
        store::lane::save(conn, dialect, &lanes).await?;
        Ok(turns.into_iter().filter(|turn| !turn.claimed.is_empty()).map(|turn| self.claim(turn)).collect())
    }

    /// The accounts that may send, locked, each with its lane.
    async fn open(&self, conn: &mut Conn, ids: impl Iterator<Item = &AccountId> + Clone) -> sqlx::Result<Vec<Turn>> {
        let dialect = self.app.db.dialect;
        let accounts = store::account::lock_many(conn, dialect, ids.clone()).await?;
        let mut lanes = store::lane::find_many(conn, dialect, ids).await?;
        let turns = accounts.into_iter().filter_map(|stored| {
            let lane = lanes.remove(&stored.account.id).unwrap_or_default();
            let may_send = stored.account.is_active && !stored.is_stopped && lane.blocked(self.now).is_none();
            let bucket = Bucket::at(self.now, &stored.account.pace, lane.last_day.as_deref());
            may_send.then_some(Turn { stored, lane, bucket, key: None, claimed: Vec::new() })
        });
        Ok(turns.collect())
    }

    /// Claims for one account, of which `used` counts against its limit; true when its lane changed.
    async fn take(&self, conn: &mut Conn, turn: &mut Turn, room: u32, used: u32) -> sqlx::Result<bool> {
        let (app, now) = (self.app, self.now);
        let (id, pace) = (&turn.stored.account.id, &turn.stored.account.pace);
        let Some(key) = consent::find_key(app, conn, &turn.stored.organization_id).await? else {
            return self.refuse_without_record(conn, turn).await;
        };
        let limit = pace.limit_of_day(turn.stored.account.daily_limit, now);
        let left = limit.saturating_sub(used);
        let is_probe = turn.lane.failures >= BREAK_AT;
        let room = room.min(left).min(in_pace(&turn.stored, &turn.lane, now)).min(if is_probe { 1 } else { u32::MAX });
        let mut due = Vec::new();
        if room > 0 {
            let until = self.lease.until();
            let taken = store::queue::claim(conn, app.db.dialect, id, now, room, &self.token, until).await?;
            self.set_aside(conn, &taken.unreadable).await?;
            due = taken.messages;
            self.leave_out_suppressed(conn, &turn.stored, &key, &mut due).await?;
            rules::hold(app, conn, &turn.stored, &mut due, now).await?;
        }
        let count = u32::try_from(due.len()).unwrap_or(room);
        let before = turn.lane.clone();
        turn.lane.block = None;
        if count >= left {
            turn.lane.block = Some(Waiting {
                reason: WaitingReason::DailyLimit,
                since: now,
                until: Some(turn.bucket.until),
                detail: limit_reached(&turn.stored.account, limit),
            });
        }
        if is_probe && count > 0 && turn.lane.block.is_none() {
            // Others wait for what becomes of this one; its success ends the pause, a crash outlasts it by a lease.
            turn.lane.block = Some(Waiting {
                reason: WaitingReason::Provider,
                since: now,
                until: Some(self.lease.until()),
                detail: "One message is on its way, to see whether the provider can be reached again.".to_owned(),
            });
        }
        turn.key = Some(key);
        turn.lane.last_day = Some(turn.bucket.key.clone());
        turn.claimed = self.start(&mut turn.lane, &turn.stored, due);
        Ok(turn.lane != before)
    }

    /// Without its key nobody knows who must not be written to, so nothing leaves.
    async fn refuse_without_record(&self, conn: &mut Conn, turn: &mut Turn) -> sqlx::Result<bool> {
        let account = &turn.stored;
        let Err(closed) = account::open(self.app, account) else {
            let detail = "The encryption key does not open the record of those who must not be written to, so nothing \
                 is sent. Start Tern with the key of before.";
            let (until, detail) = (Some(self.now.plus(MINUTE)), detail.to_owned());
            turn.lane.block = Some(Waiting { reason: WaitingReason::Provider, since: self.now, until, detail });
            return Ok(true);
        };
        let (id, health, secret) = (&account.account.id, ConnectionStatus::Error, account.secret.as_deref());
        let why = platform::refusal(account, &closed.to_string());
        store::account::stop(conn, id, secret, health, &why, self.now).await?;
        Ok(false)
    }

    /// Gives each message its turn and its try.
    fn start(&self, lane: &mut Lane, stored: &StoredAccount, due: Vec<Due>) -> Vec<Claimed> {
        let (pace, now) = (&stored.account.pace, self.now);
        due.into_iter()
            .map(|due| {
                let at = if pace.is_free() { now } else { Timestamp(lane.next_at.0.max(now.0)) };
                if !pace.is_free() {
                    lane.next_at = at.plus(pace.interval(due.segments, chance()));
                }
                Claimed { due, attempt: self.app.new_id(), token: self.token.clone(), at, lease: self.lease.clone() }
            })
            .collect()
    }

    /// What cannot be read can neither be sent nor wait: it would be the first in its queue again and again.
    async fn set_aside(&self, conn: &mut Conn, unreadable: &[(MessageId, String)]) -> sqlx::Result<()> {
        const WHY: &str = "What is stored of this message cannot be read, so it was not sent.";
        for (id, error) in unreadable {
            tracing::error!(message.id = %id, error.cause = error, "a message cannot be read; it is set aside");
            store::queue::set_aside(conn, id, Status::Failed, WHY, self.now).await?;
            let mut event = store::message::event(self.app.new_id(), self.now, Status::Failed, Source::Worker);
            event.detail = Some(WHY.to_owned());
            store::message::insert_event(conn, self.app.db.dialect, id, &event).await?;
        }
        Ok(())
    }

    /// Checked here and not when the message was queued: nothing slips between.
    async fn leave_out_suppressed(
        &self,
        conn: &mut Conn,
        stored: &StoredAccount,
        key: &Key,
        due: &mut Vec<Due>,
    ) -> sqlx::Result<()> {
        if due.is_empty() {
            return Ok(());
        }
        let channel = stored.account.channel;
        let ways = due.iter().map(|due| Way { channel, address: due.to.clone() });
        let prints: Vec<String> = ways.map(|way| key.fingerprint(&way)).collect();
        let (organization, dialect) = (&stored.organization_id, self.app.db.dialect);
        let listed = store::suppression::find(conn, dialect, organization, &prints).await?;
        let listed = listed.iter().filter(|listed| listed.channel == channel);
        let reasons: HashMap<&str, Act> = listed.map(|one| (one.fingerprint.as_str(), one.reason)).collect();
        if reasons.is_empty() {
            return Ok(());
        }
        let mut suppressed = Vec::new();
        for (one, print) in mem::take(due).into_iter().zip(&prints) {
            match reasons.get(print.as_str()) {
                Some(reason) => suppressed.push((one.id, *reason)),
                None => due.push(one),
            }
        }
        store::queue::suppress(conn, dialect, &suppressed, self.now).await?;
        let event = |id| (id, store::message::event(self.app.new_id(), self.now, Status::Suppressed, Source::Worker));
        let events: Vec<_> = suppressed.into_iter().map(|(id, _)| event(id)).collect();
        store::message::insert_events(conn, self.app.db.dialect, &events).await
    }

    /// Writes down what is about to be sent: the quota and the tries.
    async fn reserve(&self, conn: &mut Conn, turns: &[Turn]) -> sqlx::Result<()> {
        let sending: Vec<&Turn> = turns.iter().filter(|turn| !turn.claimed.is_empty()).collect();
        let reservations: Vec<_> = sending
            .iter()
            .map(|turn| Reservation {
                account_id: turn.stored.account.id.as_str(),
                key: &turn.bucket.key,
                count: u32::try_from(turn.claimed.len()).unwrap_or(u32::MAX),
            })
            .collect();
        store::usage::reserve(conn, self.app.db.dialect, &reservations).await?;
        let attempts: Vec<_> = sending
            .iter()
            .flat_map(|turn| turn.claimed.iter().map(move |claimed| (turn, claimed)))
            .map(|(turn, claimed)| NewAttempt {
                id: claimed.attempt.as_str(),
                message_id: claimed.due.id.as_str(),
                account_id: turn.stored.account.id.as_str(),
                number: claimed.due.attempts,
                token: &claimed.token,
                quota_day: &turn.bucket.key,
                started_at: self.now.0,
            })
            .collect();
        store::attempt::insert(conn, self.app.db.dialect, &attempts).await
    }

    fn claim(&self, turn: Turn) -> Claim {
        let login = account::open(self.app, &turn.stored);
        let through = Through { account: turn.stored, login, key: turn.key, failures: turn.lane.failures };
        Claim { through: Arc::new(through), messages: turn.claimed }
    }
}

/// How many messages have their turn before the horizon, if each is one segment.
fn in_pace(stored: &StoredAccount, lane: &Lane, now: Timestamp) -> u32 {
    let pace = &stored.account.pace;
    if pace.is_free() {
        return u32::MAX;
    }
    let ahead = now.0 + HORIZON - lane.next_at.0.max(now.0);
    if ahead < 0 { 0 } else { u32::try_from(ahead / pace.interval(1, 0).max(1)).unwrap_or(u32::MAX).saturating_add(1) }
}
