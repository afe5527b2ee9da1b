//! What came of a try, written down under its token, many at a time.

use super::claim::{Claimed, Through};
use crate::{
    domain::{
        account::ConnectionStatus,
        consent::{Act, Teller},
        id::MessageId,
        lead::Way,
        message::{Event, Failure, Message, Source, Status, Waiting, WaitingReason},
        time::{DAY, MINUTE, SECOND, Timestamp},
    },
    server::{
        App,
        channel::{Receipt, SendError},
        clock::jitter,
        live::Topic,
        store::{
            self, Conn, Dialect,
            message::StoredMessage,
            queue::{Acceptance, Settled},
            tally::{Kind, Tally},
        },
        usecase::{
            consent::{self, Said},
            platform,
        },
    },
};
use std::{collections::HashSet, sync::Arc};

/// A message is given up when its provider could not be reached for so long since its first try.
const GIVE_UP_AFTER: i64 = DAY;
/// The same when the provider was there and asked to come back later: greylists and quotas pass, so mail is to be kept four
/// to five days (RFC 5321, 4.5.4.1). Not for ever: an address whose server always says "later" is a dead one.
const GIVE_UP_WAITING: i64 = 5 * DAY;
/// Calls in a row that do not reach the provider before the lane pauses.
pub const BREAK_AT: u32 = 5;
/// The shortest wait before a retry.
const SHORTEST: i64 = SECOND / 4;
/// The longest pause of a lane whose provider cannot be reached.
const LONGEST_PAUSE: i64 = 10 * MINUTE;
/// A message of unknown outcome is first asked about after so long.
const FIRST_QUESTION: i64 = 5 * SECOND;

/// A try with its outcome.
pub struct Settling {
    /// Through which account.
    pub through: Arc<Through>,
    /// What was tried.
    pub claimed: Claimed,
    /// What came of it.
    pub outcome: Result<Receipt, SendError>,
    /// So many milliseconds the account's budget lets a repetition wait at least.
    pub owed: i64,
}

/// Writes down the outcomes in one transaction; after an error nothing is written.
pub async fn write(app: &App, batch: &[Settling]) -> sqlx::Result<()> {
    let now = app.clock.now();
    match app.db.write(async |conn| settle(app, conn, batch, now).await).await {
        Ok(()) => {
            let organizations: HashSet<_> = batch.iter().map(|one| &one.through.account.organization_id).collect();
            for organization in organizations {
                // A page that shows one message asks again only for its own.
                let mut own = batch.iter().filter(|one| one.through.account.organization_id == *organization);
                let one = (own.next(), own.next());
                let id = match &one {
                    (Some(only), None) => Some(only.claimed.due.id.as_str()),
                    _ => None,
                };
                app.live.publish(organization, Topic::Messages, id);
                app.live.publish(organization, Topic::Accounts, None);
                if batch
                    .iter()
                    .any(|one| one.through.account.organization_id == *organization && opted_out(one).is_some())
                {
                    app.live.publish(organization, Topic::Leads, None);
                }
            }
            Ok(())
        }
        Err(error) => {
            tracing::error!(error.cause = %error, count = batch.len(), "the results of sends could not be written");
            Err(error)
        }
    }
}

async fn settle(app: &App, conn: &mut Conn, batch: &[Settling], now: Timestamp) -> sqlx::Result<()> {
    lock_in_order(app, conn, batch).await?;
    let (mut events, mut tally) = (Vec::new(), Tally::default());
    let acceptances: Vec<Acceptance<'_>> = batch.iter().filter_map(|one| acceptance(app, one, now)).collect();
    let settled = match &acceptances[..] {
        [] => HashSet::new(),
        all => store::queue::accept(conn, app.db.dialect, all).await?,
    };
    let mut reached = HashSet::new();
    for one in batch {
        let due = &one.claimed.due;
        let account = &one.through.account;
        if one.outcome.as_ref().err().is_none_or(SendError::is_answer)
            && one.through.failures > 0
            && reached.insert(&account.account.id)
        {
            // A pause that somebody else was told to keep stands; only the probe of a broken lane ends its own.
            if one.through.failures >= BREAK_AT {
                store::lane::unblock(conn, &account.account.id, Some(WaitingReason::Provider)).await?;
            } else {
                store::lane::forgive(conn, &account.account.id).await?;
            }
        }
        match &one.outcome {
            Ok(receipt) if settled.contains(&one.claimed.attempt) => {
                events.push((due.id.clone(), accepted_event(app, receipt, now)));
                tally.count(&account.organization_id, account.account.channel, Kind::Accepted);
            }
            _ => Settle { app, one, now }.one(conn, &mut events, &mut tally).await?,
        }
    }
    store::message::insert_events(conn, app.db.dialect, &events).await?;
    tally.save(conn, app.db.dialect, now).await?;
    consent::record(app, conn, &batch.iter().filter_map(opted_out).collect::<Vec<_>>()).await
}

/// The carrier refused it because its recipient has opted out there: that counts, whatever became of the try.
fn opted_out(one: &Settling) -> Option<Said> {
    let Err(SendError::Rejected(failure)) = &one.outcome else { return None };
    let account = &one.through.account;
    consent::is_opt_out(failure).then(|| Said {
        organization: account.organization_id.clone(),
        act: Act::CarrierStopped,
        way: Way { channel: account.account.channel, address: one.claimed.due.to.clone() },
        source: Teller::Provider,
        detail: Some(failure.code.clone()),
        message: Some(one.claimed.due.id.clone()),
    })
}

/// Where several processes write, everybody takes accounts before messages, and each of them in the order of their ids: the
/// claim, this, and the reports of providers never wait for each other in a circle.
async fn lock_in_order(app: &App, conn: &mut Conn, batch: &[Settling]) -> sqlx::Result<()> {
    if app.db.dialect == Dialect::Sqlite {
        return Ok(());
    }
    let failing = batch.iter().filter(|one| one.outcome.is_err() || one.through.failures > 0);
    let failing: Vec<_> = failing.map(|one| &one.through.account.account.id).collect();
    if !failing.is_empty() {
        store::account::lock_many(conn, app.db.dialect, failing).await?;
    }
    let ids: Vec<_> = batch.iter().map(|one| &one.claimed.due.id).collect();
    store::report::lock_many(conn, app.db.dialect, &ids).await.map(drop)
}

/// The row of the quick way: the provider took it.
fn acceptance<'a>(app: &App, one: &'a Settling, now: Timestamp) -> Option<Acceptance<'a>> {
    let receipt = one.outcome.as_ref().ok()?;
    let first_poll = app.channels.of(one.through.account.account.provider).first_poll_after();
    Some(Acceptance {
        message_id: one.claimed.due.id.as_str(),
        attempt_id: one.claimed.attempt.as_str(),
        token: &one.claimed.token,
        status: receipt.status.as_str(),
        provider_message_id: &receipt.provider_message_id,
        accepted_at: now.0,
        poll_at: first_poll.filter(|_| !receipt.status.is_final()).map(|after| now.plus(after).0),
    })
}

fn accepted_event(app: &App, receipt: &Receipt, now: Timestamp) -> Event {
    let mut event = store::message::event(app.new_id(), now, receipt.status, Source::Worker);
    event.provider_status.clone_from(&receipt.provider_status);
    event
}

/// The name of an outcome in the database.
fn word(outcome: &Result<Receipt, SendError>) -> &'static str {
    match outcome {
        Ok(_) => "accepted",
        Err(SendError::Rejected(_)) => "rejected",
        Err(SendError::Unauthorized(_)) => "unauthorized",
        Err(SendError::Throttled { .. }) => "throttled",
        Err(SendError::Unavailable(_)) => "unavailable",
        Err(SendError::Withheld(_)) => "withheld",
        Err(SendError::Unknown(_)) => "unknown",
    }
}

type Events = Vec<(MessageId, Event)>;

/// The careful way of one outcome.
struct Settle<'a> {
    app: &'a App,
    one: &'a Settling,
    now: Timestamp,
}

impl Settle<'_> {
    fn note(&self, events: &mut Events, status: Status, detail: &str) {
        let mut event = store::message::event(self.app.new_id(), self.now, status, Source::Worker);
        event.detail = Some(detail.to_owned());
        events.push((self.one.claimed.due.id.clone(), event));
    }

    /// When the provider is first asked what became of an accepted message; `None` when it says no more.
    fn first_poll(&self, status: Status) -> Option<Timestamp> {
        let after = self.app.channels.of(self.one.through.account.account.provider).first_poll_after();
        after.filter(|_| !status.is_final()).map(|after| self.now.plus(after))
    }

    async fn one(&self, conn: &mut Conn, events: &mut Events, tally: &mut Tally) -> sqlx::Result<()> {
        let (claimed, outcome) = (&self.one.claimed, &self.one.outcome);
        let id = &claimed.due.id;
        let Some(locked) = store::queue::lock(conn, self.app.db.dialect, id).await? else { return Ok(()) };
        if locked.lease_token.as_deref() != Some(&*claimed.token) && !self.is_late(conn, &locked).await? {
            // Somebody settled it meanwhile: nothing is overwritten, the result stays visible.
            let detail = format!("A result came after the message was settled: {}.", word(outcome));
            self.note(events, locked.message.status, &detail);
            return Ok(());
        }
        // A report that was faster than this answer proves that the provider has it, whatever the answer says.
        let is_proved = locked.message.status.proves_sending();
        let is_made = !matches!(outcome, Err(SendError::Withheld(_)));
        let is_refund = !is_made || !is_proved && !matches!(outcome, Ok(_) | Err(SendError::Unknown(_)));
        let key = if is_made {
            store::attempt::finish(conn, id, &claimed.token, word(outcome), is_refund, self.now).await?
        } else {
            store::attempt::withdraw(conn, id, &claimed.token).await?
        };
        if let (true, Some(key)) = (is_refund, key) {
            let account = &self.one.through.account.account.id;
            store::usage::refund(conn, account, &key, 1).await?;
            store::lane::unblock(conn, account, Some(WaitingReason::DailyLimit)).await?;
        }
        match outcome {
            Ok(receipt) => {
                tally.count(&locked.organization_id, locked.message.channel, Kind::Accepted);
                events.push((id.clone(), accepted_event(self.app, receipt, self.now)));
                self.accepted(conn, &locked, receipt).await
            }
            Err(_) if is_proved => self.proved(conn, events, tally, &locked).await,
            Err(error) => self.not_accepted(conn, events, tally, &locked, error).await,
        }
    }

    /// The lease ran out before the answer came, so the message is held as unknown. The answer to its newest try is the best
    /// evidence there is, unless somebody has decided meanwhile.
    async fn is_late(&self, conn: &mut Conn, locked: &StoredMessage) -> sqlx::Result<bool> {
        let is_evidence = !matches!(self.one.outcome, Err(SendError::Unknown(_)));
        let is_held = is_evidence && locked.message.status == Status::Unknown;
        Ok(is_held && store::attempt::reopen(conn, &locked.message.id, &self.one.claimed.token).await?)
    }

    /// The provider has it. A callback may have been faster: its status is joined, not overwritten.
    async fn accepted(&self, conn: &mut Conn, locked: &StoredMessage, receipt: &Receipt) -> sqlx::Result<()> {
        let status = locked.message.status.join(receipt.status);
        let settled = Settled {
            status,
            provider_message_id: Some(&receipt.provider_message_id),
            failure: locked.message.error.as_ref().filter(|_| matches!(status, Status::Failed | Status::Undelivered)),
            accepted_at: Some(self.now),
            poll_at: self.first_poll(status),
        };
        store::queue::settle(conn, &locked.message.id, &settled, self.now).await
    }

    /// The call failed, and the provider's own report says that the message is on its way: it is neither sent again nor
    /// written off.
    async fn proved(
        &self,
        conn: &mut Conn,
        events: &mut Events,
        tally: &mut Tally,
        locked: &StoredMessage,
    ) -> sqlx::Result<()> {
        let message = &locked.message;
        let settled = Settled {
            status: message.status,
            provider_message_id: None,
            failure: message.error.as_ref(),
            accepted_at: Some(locked.accepted_at.unwrap_or(self.now)),
            poll_at: self.first_poll(message.status),
        };
        store::queue::settle(conn, &message.id, &settled, self.now).await?;
        tally.count(&locked.organization_id, message.channel, Kind::Accepted);
        let answer = word(&self.one.outcome);
        let detail = format!("The provider reported it, although its answer to the call was: {answer}.");
        self.note(events, message.status, &detail);
        Ok(())
    }

    async fn not_accepted(
        &self,
        conn: &mut Conn,
        events: &mut Events,
        tally: &mut Tally,
        locked: &StoredMessage,
        error: &SendError,
    ) -> sqlx::Result<()> {
        let (message, now) = (&locked.message, self.now);
        let account = &self.one.through.account.account;
        match error {
            SendError::Rejected(failure) => self.fail(conn, events, tally, locked, failure).await,
            SendError::Unknown(detail) => {
                let poll_at = self.app.first_question(account, now.plus(FIRST_QUESTION));
                store::queue::settle(conn, &message.id, &Settled { poll_at, ..Settled::UNKNOWN }, now).await?;
                self.note(events, Status::Unknown, detail);
                Ok(())
            }
            SendError::Withheld(why) => self.put_back(conn, events, locked, None, why).await,
            SendError::Unauthorized(reason) => {
                let (health, reason) = (ConnectionStatus::Error, platform::refusal(&self.one.through.account, reason));
                // What was refused may have been replaced meanwhile.
                let secret = self.one.through.account.secret.as_deref();
                store::account::stop(conn, &account.id, secret, health, &reason, now).await?;
                self.put_back(conn, events, locked, None, &format!("The account cannot send: {reason}")).await
            }
            SendError::Throttled { after } => {
                let until = now.plus(after.unwrap_or_else(|| back_off(message.attempts)));
                let detail = "The provider asked for a slower pace.".to_owned();
                self.block(conn, until, &detail, false).await?;
                if self.is_tried_for(conn, message, GIVE_UP_WAITING).await? {
                    let message =
                        "The provider asked to come back later for five days. Tern has given up; it can be sent again.";
                    let failure =
                        Failure { code: "throttled".to_owned(), message: message.to_owned(), retryable: true };
                    return self.fail(conn, events, tally, locked, &failure).await;
                }
                let until = now.plus(self.one.owed);
                self.put_back(conn, events, locked, (until > now).then_some(until), &detail).await
            }
            SendError::Unavailable(detail) => {
                self.block(conn, now, detail, true).await?;
                if self.is_tried_for(conn, message, GIVE_UP_AFTER).await? {
                    let failure = Failure { code: "unreachable".to_owned(), message: detail.clone(), retryable: true };
                    return self.fail(conn, events, tally, locked, &failure).await;
                }
                let until = now.plus(back_off(message.attempts).max(self.one.owed));
                self.put_back(conn, events, locked, Some(until), detail).await
            }
        }
    }

    /// Whether its first try lies so long back. What waited for its turn before that waited for us, not for the provider.
    async fn is_tried_for(&self, conn: &mut Conn, message: &Message, millis: i64) -> sqlx::Result<bool> {
        let first = store::attempt::first_try(conn, &message.id).await?;
        Ok(first.is_some_and(|first| self.now.0 - first.0 > millis))
    }

    /// The lane waits until `until`; when the provider was not reached, only after some calls in a row, and then longer
    /// each time.
    async fn block(&self, conn: &mut Conn, until: Timestamp, detail: &str, is_failure: bool) -> sqlx::Result<()> {
        let account = &self.one.through.account.account.id;
        let mut lane = store::lane::find(conn, account).await?;
        let mut until = until;
        let mut detail = detail.to_owned();
        if is_failure {
            if lane.failures >= BREAK_AT && self.one.through.failures < BREAK_AT {
                return Ok(()); // it left before the lane was broken, and says nothing new
            }
            lane.failures = lane.failures.saturating_add(1);
            if lane.failures < BREAK_AT {
                return store::lane::save(conn, self.app.db.dialect, &[(account, &lane)]).await;
            }
            let longer = (lane.failures - BREAK_AT).min(8);
            let pause = ((15 * SECOND) << longer).min(LONGEST_PAUSE);
            until = self.now.plus(pause / 2 + jitter(pause / 2));
            detail = format!("{detail} Tern tries again by itself.");
        }
        // A longer pause that stands already stays.
        let stands = lane.block.as_ref().and_then(|block| block.until).is_some_and(|stands| stands >= until);
        if !stands {
            lane.block = Some(Waiting { reason: WaitingReason::Provider, since: self.now, until: Some(until), detail });
        }
        store::lane::save(conn, self.app.db.dialect, &[(account, &lane)]).await
    }

    async fn fail(
        &self,
        conn: &mut Conn,
        events: &mut Events,
        tally: &mut Tally,
        locked: &StoredMessage,
        failure: &Failure,
    ) -> sqlx::Result<()> {
        let message = &locked.message;
        let settled = Settled {
            status: Status::Failed,
            provider_message_id: None,
            failure: Some(failure),
            accepted_at: None,
            poll_at: None,
        };
        store::queue::settle(conn, &message.id, &settled, self.now).await?;
        tally.count(&locked.organization_id, message.channel, Kind::Failed);
        let mut event = store::message::event(self.app.new_id(), self.now, Status::Failed, Source::Worker);
        event.error = Some(failure.clone());
        events.push((message.id.clone(), event));
        Ok(())
    }

    /// Certainly not sent: it waits for its lane, or for itself until `until`.
    async fn put_back(
        &self,
        conn: &mut Conn,
        events: &mut Events,
        locked: &StoredMessage,
        until: Option<Timestamp>,
        detail: &str,
    ) -> sqlx::Result<()> {
        if store::account::is_deleted(conn, &self.one.through.account.account.id).await? {
            // Nobody would ever send it.
            let canceled = Settled { status: Status::Canceled, ..Settled::UNKNOWN };
            store::queue::settle(conn, &locked.message.id, &canceled, self.now).await?;
            self.note(events, Status::Canceled, "Its account was deleted.");
            return Ok(());
        }
        let waiting = until.map(|until| Waiting {
            reason: WaitingReason::Provider,
            since: self.now,
            until: Some(until),
            detail: detail.to_owned(),
        });
        let due_at = until.unwrap_or(self.now);
        store::queue::requeue(conn, &locked.message.id, due_at, waiting.as_ref(), self.now).await?;
        self.note(events, Status::Queued, detail);
        Ok(())
    }
}

/// Exponential to five minutes with full jitter: what failed together does not come back together.
fn back_off(attempts: u32) -> i64 {
    jitter((SECOND << attempts.min(9)).min(5 * MINUTE)).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_back_off_grows_and_is_bounded() {
        for attempts in 0..40 {
            let wait = back_off(attempts);
            assert!((SHORTEST..=5 * MINUTE).contains(&wait), "{attempts}: {wait}");
        }
    }
}
