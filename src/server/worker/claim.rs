//! The durable intent: what leaves next is claimed, its quota reserved and its try written down in one transaction, before
//! the first byte leaves. One transaction serves all lanes that have room.

use super::outcome::BREAK_AT;
use crate::{
    domain::{
        id::{AccountId, AttemptId},
        message::{Source, Status, Waiting, WaitingReason},
        time::Timestamp,
    },
    server::{
        App,
        bucket::Bucket,
        clock::{chance, new_id},
        error::Error,
        live::Topic,
        store::{self, Conn, account::StoredAccount, lane::Lane, message::StoredMessage, queue::NewAttempt},
        usecase::message::limit_reached,
    },
};
use std::sync::Arc;

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
    /// Its calls in a row that did not reach the provider.
    pub failures: u32,
}

/// A message under our lease.
#[derive(Clone)]
pub struct Claimed {
    /// The message, `sending`.
    pub stored: StoredMessage,
    /// This try.
    pub attempt: AttemptId,
    /// Whoever settles the message must show it.
    pub token: String,
    /// Not before this instant.
    pub at: Timestamp,
}

/// Takes what each account may send now, at most so many messages each.
pub async fn claim(app: &App, lanes: &[(AccountId, u32)]) -> Result<Vec<Claim>, Error> {
    let now = app.clock.now();
    let claims = app
        .db
        .write(async |conn| {
            let mut claims = Vec::new();
            for (account, room) in lanes {
                claims.extend(lane(app, conn, account, *room, now).await?);
            }
            Ok::<_, sqlx::Error>(claims)
        })
        .await?;
    for claim in &claims {
        let account = &claim.through.account;
        app.live.publish(&account.organization_id, Topic::Accounts, Some(account.account.id.as_str()));
    }
    Ok(claims)
}

async fn lane(app: &App, conn: &mut Conn, id: &AccountId, room: u32, now: Timestamp) -> sqlx::Result<Option<Claim>> {
    let Some(stored) = store::account::lock(conn, app.db.dialect, id).await? else { return Ok(None) };
    let mut lane = store::lane::find(conn, id).await?;
    if !stored.account.is_active || stored.is_stopped || lane.blocked(now).is_some() {
        return Ok(None);
    }
    let pace = &stored.account.pace;
    let bucket = Bucket::at(now, pace, lane.last_day.as_deref());
    let limit = pace.limit_of_day(stored.account.daily_limit, now);
    let used = store::usage::find(conn, id, &bucket).await?;
    let left = limit.saturating_sub(used);
    let mut room = room.min(left).min(in_pace(&stored, &lane, now));
    let is_probe = lane.failures >= BREAK_AT;
    if is_probe {
        room = room.min(1);
    }
    let token = new_id(now);
    let mut messages = Vec::new();
    if room > 0 {
        let lease_until = now.plus(app.settings.lease());
        messages = store::queue::claim(conn, app.db.dialect, id, now, room, &token, lease_until).await?;
        leave_out_suppressed(app, conn, &token, &mut messages, now).await?;
    }
    let count = u32::try_from(messages.len()).unwrap_or(room);
    if count > 0 && !store::usage::reserve(conn, id, &bucket.key, count, u32::MAX >> 1).await? {
        return Err(sqlx::Error::Protocol("usage could not be reserved".to_owned()));
    }
    let before = lane.clone();
    lane.block = None;
    if count >= left {
        lane.block = Some(Waiting {
            reason: WaitingReason::DailyLimit,
            since: now,
            until: Some(bucket.until),
            detail: limit_reached(&stored.account, limit),
        });
    }
    if is_probe && count > 0 && lane.block.is_none() {
        // Others wait for what becomes of this one; its success ends the pause, a crash outlasts it by a lease.
        lane.block = Some(Waiting {
            reason: WaitingReason::Provider,
            since: now,
            until: Some(now.plus(app.settings.lease())),
            detail: "One message is on its way, to see whether the provider can be reached again.".to_owned(),
        });
    }
    lane.last_day = Some(bucket.key.clone());
    let claimed = start(app, &mut lane, &stored, messages, &token, now);
    if lane != before {
        store::lane::save(conn, id, &lane).await?;
    }
    let attempts: Vec<NewAttempt<'_>> = claimed
        .iter()
        .map(|claimed| NewAttempt {
            id: claimed.attempt.as_str(),
            message_id: claimed.stored.message.id.as_str(),
            account_id: id.as_str(),
            number: claimed.stored.message.attempts,
            token: &claimed.token,
            quota_day: &bucket.key,
            started_at: now.0,
        })
        .collect();
    if attempts.is_empty() {
        return Ok(None);
    }
    store::queue::insert_attempts(conn, app.db.dialect, &attempts).await?;
    let through = Arc::new(Through { account: stored, failures: lane.failures });
    Ok(Some(Claim { through, messages: claimed }))
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

/// Gives each message its turn and its try.
fn start(
    app: &App,
    lane: &mut Lane,
    stored: &StoredAccount,
    messages: Vec<StoredMessage>,
    token: &str,
    now: Timestamp,
) -> Vec<Claimed> {
    let pace = &stored.account.pace;
    messages
        .into_iter()
        .map(|stored| {
            let at = if pace.is_free() { now } else { Timestamp(lane.next_at.0.max(now.0)) };
            if !pace.is_free() {
                lane.next_at = at.plus(pace.interval(stored.message.segments, chance()));
            }
            Claimed { stored, attempt: app.new_id(), token: token.to_owned(), at }
        })
        .collect()
}

/// Checked here and not when the message was queued: nothing slips between.
async fn leave_out_suppressed(
    app: &App,
    conn: &mut Conn,
    token: &str,
    messages: &mut Vec<StoredMessage>,
    now: Timestamp,
) -> sqlx::Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let suppressed = store::queue::suppress(conn, token, now).await?;
    messages.retain(|stored| !suppressed.contains(&stored.message.id));
    let events: Vec<_> = suppressed
        .into_iter()
        .map(|id| (id, store::message::event(app.new_id(), now, Status::Suppressed, Source::Worker)))
        .collect();
    store::message::insert_events(conn, app.db.dialect, &events).await
}
