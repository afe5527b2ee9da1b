//! One claim, and one message's way to its provider and back.

use crate::{
    domain::{
        account::ConnectionStatus,
        id::{AccountId, AttemptId},
        message::{Failure, Source, Status, Waiting, WaitingReason},
        time::{DAY, MINUTE, SECOND, Timestamp},
    },
    server::{
        App,
        channel::{Mail, Outgoing, Receipt, SendError},
        clock::{new_id, random_bytes},
        error::Error,
        live::Topic,
        store::{self, Conn, account::StoredAccount, message::StoredMessage, queue::Settled},
        usecase::{
            account::{self, day_of},
            message::limit_reached,
        },
    },
};
use std::sync::Arc;

/// A message is given up when its provider could not be reached for so long.
const GIVE_UP_AFTER: i64 = DAY;

/// Messages that this process must send now, or nobody will.
pub struct Claim {
    /// Through which account.
    pub account: Arc<StoredAccount>,
    /// Each with its attempt.
    pub messages: Vec<Claimed>,
}

/// A message under our lease.
pub struct Claimed {
    /// The message, `sending`.
    stored: StoredMessage,
    /// This try.
    attempt: AttemptId,
    /// Whoever settles the message must show it.
    token: String,
}

/// Takes up to `room` due messages of an account in one transaction: quota reserved, attempts written, leases set.
/// What the daily limit does not let through waits for the account's next day.
pub async fn claim(app: &App, id: &AccountId, room: u32) -> Result<Option<Claim>, Error> {
    let now = app.clock.now();
    let token = new_id(now);
    let claimed = app
        .db
        .write(async |conn| {
            let Some(stored) = store::account::find_any(conn, id).await? else { return Ok(None) };
            if !stored.account.is_active || stored.is_stopped {
                return Ok(None);
            }
            let (day, tomorrow) = day_of(now, &stored.time_zone);
            let due = store::queue::count_due(conn, id, now, room.into()).await?;
            let used = store::usage::find(conn, id, &day).await?;
            let take = due.min(stored.account.daily_limit.saturating_sub(used));
            if take == 0 {
                if due > 0 {
                    let detail = limit_reached(&stored.account);
                    store::queue::wait(conn, id, WaitingReason::DailyLimit, tomorrow, &detail, now).await?;
                }
                return Ok(None);
            }
            if !store::usage::reserve(conn, id, &day, take, stored.account.daily_limit).await? {
                return Ok(None); // another process reserved meanwhile; fewer may fit, which the next pass finds out
            }
            let lease_until = now.plus(super::LEASE);
            let messages = store::queue::claim(conn, app.db.dialect, id, now, take, &token, lease_until).await?;
            let missed = take.saturating_sub(u32::try_from(messages.len()).unwrap_or(take));
            if missed > 0 {
                store::usage::refund(conn, id, &day, missed).await?; // another process took them
            }
            let mut claimed = Vec::with_capacity(messages.len());
            for stored in messages {
                let attempt: AttemptId = app.new_id();
                store::queue::insert_attempt(conn, &attempt, &stored, &token, &day, now).await?;
                claimed.push(Claimed { stored, attempt, token: token.clone() });
            }
            Ok::<_, sqlx::Error>(Some(Claim { account: Arc::new(stored), messages: claimed }))
        })
        .await?;
    if let Some(claim) = &claimed {
        app.live.publish(&claim.account.organization_id, Topic::Accounts, Some(id.as_str()));
    }
    Ok(claimed)
}

/// Hands one claimed message to its provider and writes down what came of it.
pub async fn send(app: &App, account: &StoredAccount, claimed: Claimed) {
    let outcome = match account::open(app, account) {
        Ok(login) => {
            let outgoing = outgoing(app, account, &claimed);
            app.channels.of(account.account.provider).send(&login, &outgoing).await
        }
        Err(_) => Err(SendError::Unauthorized(account::ENTER_AGAIN.to_owned())),
    };
    // The result is all that tells a sent message from an unsent one: it is written even if the database is busy.
    for _ in 0..5 {
        match settle(app, account, &claimed, &outcome).await {
            Ok(()) => break,
            Err(error) => {
                tracing::error!(message.id = %claimed.stored.message.id, error.cause = %error, "the result of a send could not be written");
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
        }
    }
    let organization = &account.organization_id;
    app.live.publish(organization, Topic::Messages, Some(claimed.stored.message.id.as_str()));
    app.live.publish(organization, Topic::Accounts, Some(account.account.id.as_str()));
}

fn outgoing(app: &App, account: &StoredAccount, claimed: &Claimed) -> Outgoing {
    let message = &claimed.stored.message;
    Outgoing {
        message_id: message.id.clone(),
        attempt_id: claimed.attempt.clone(),
        channel: message.channel,
        from: account.account.address.clone(),
        to: message.to.clone(),
        subject: message.subject.clone(),
        body: message.body.clone(),
        status_url: status_url(app, account, claimed),
        mail: Mail::default(),
    }
}

/// Names message and attempt, so that the callback alone proves what happened. A real provider refuses a URL that it
/// cannot reach, so a Tern on loopback sends none to it and asks instead.
fn status_url(app: &App, account: &StoredAccount, claimed: &Claimed) -> Option<String> {
    let base = app.settings.public_url();
    if is_loopback(&base) && !is_loopback(&app.settings.twilio_api_url) {
        return None;
    }
    let (account, message, attempt) = (&account.account.id, &claimed.stored.message.id, &claimed.attempt);
    Some(format!("{base}/webhooks/twilio/{account}/status?message={message}&attempt={attempt}"))
}

fn is_loopback(url: &str) -> bool {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified())
}

/// Writes down the outcome, if the lease is still ours.
async fn settle(
    app: &App,
    account: &StoredAccount,
    claimed: &Claimed,
    outcome: &Result<Receipt, SendError>,
) -> sqlx::Result<()> {
    let (id, now) = (&claimed.stored.message.id, app.clock.now());
    app.db
        .write(async |conn| {
            let Some(locked) = store::queue::lock(conn, app.db.dialect, id).await? else { return Ok(()) };
            if locked.lease_token.as_deref() != Some(claimed.token.as_str()) {
                // Somebody settled it meanwhile: nothing is overwritten, the result stays visible.
                let mut event = store::message::event(app.new_id(), now, locked.message.status, Source::Worker);
                event.detail = Some(format!("A result came after the message was settled: {}.", word(outcome)));
                return store::message::insert_event(conn, id, &event).await;
            }
            // A report that was faster than this answer proves that the provider has it, whatever the answer says.
            let is_proved = locked.message.status.proves_sending();
            let is_refund = !is_proved && !matches!(outcome, Ok(_) | Err(SendError::Unknown(_)));
            let day = store::queue::finish_attempt(conn, id, &claimed.token, word(outcome), is_refund, now).await?;
            if let (true, Some(day)) = (is_refund, day) {
                store::usage::refund(conn, &account.account.id, &day, 1).await?;
                store::queue::wake(conn, &account.account.id, WaitingReason::DailyLimit, now).await?;
            }
            match outcome {
                Ok(receipt) => accepted(app, conn, account, &locked, receipt, now).await,
                Err(_) if is_proved => proved(app, conn, account, &locked, word(outcome), now).await,
                Err(error) => not_accepted(app, conn, account, &locked, error, now).await,
            }
        })
        .await
}

fn word(outcome: &Result<Receipt, SendError>) -> &'static str {
    match outcome {
        Ok(_) => "accepted",
        Err(SendError::Rejected(_)) => "rejected",
        Err(SendError::Unauthorized(_)) => "unauthorized",
        Err(SendError::Throttled { .. }) => "throttled",
        Err(SendError::Unavailable(_)) => "unavailable",
        Err(SendError::Unknown(_)) => "unknown",
    }
}

/// The provider has it. A callback may have been faster: its status is joined, not overwritten.
async fn accepted(
    app: &App,
    conn: &mut Conn,
    account: &StoredAccount,
    locked: &StoredMessage,
    receipt: &Receipt,
    now: Timestamp,
) -> sqlx::Result<()> {
    let id = &locked.message.id;
    let status = locked.message.status.join(receipt.status);
    let first_poll = now.plus(app.channels.of(account.account.provider).first_poll_after());
    let settled = Settled {
        status,
        provider_message_id: Some(&receipt.provider_message_id),
        failure: locked.message.error.as_ref().filter(|_| matches!(status, Status::Failed | Status::Undelivered)),
        accepted_at: Some(now),
        poll_at: (!status.is_final()).then_some(first_poll),
    };
    store::queue::settle(conn, id, &settled, now).await?;
    let mut event = store::message::event(app.new_id(), now, receipt.status, Source::Worker);
    event.provider_status.clone_from(&receipt.provider_status);
    store::message::insert_event(conn, id, &event).await
}

/// The call failed, and the provider's own report says that the message is on its way: it is neither sent again nor
/// written off.
async fn proved(
    app: &App,
    conn: &mut Conn,
    account: &StoredAccount,
    locked: &StoredMessage,
    answer: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let message = &locked.message;
    let first_poll = now.plus(app.channels.of(account.account.provider).first_poll_after());
    let settled = Settled {
        status: message.status,
        provider_message_id: None,
        failure: message.error.as_ref(),
        accepted_at: Some(locked.accepted_at.unwrap_or(now)),
        poll_at: (!message.status.is_final()).then_some(first_poll),
    };
    store::queue::settle(conn, &message.id, &settled, now).await?;
    let detail = format!("The provider reported it, although its answer to the call was: {answer}.");
    note(app, conn, locked, message.status, &detail, now).await
}

async fn not_accepted(
    app: &App,
    conn: &mut Conn,
    account: &StoredAccount,
    locked: &StoredMessage,
    error: &SendError,
    now: Timestamp,
) -> sqlx::Result<()> {
    let message = &locked.message;
    match error {
        SendError::Rejected(failure) => fail(app, conn, locked, failure, now).await,
        SendError::Unknown(detail) => {
            store::queue::settle(conn, &message.id, &Settled::UNKNOWN, now).await?;
            note(app, conn, locked, Status::Unknown, detail, now).await
        }
        SendError::Unauthorized(reason) => {
            let health = ConnectionStatus::Error;
            store::account::set_health(conn, &account.account.id, health, Some(reason), Some(now)).await?;
            let detail = format!("The account cannot send: {reason}");
            store::queue::hold(conn, &account.account.id, WaitingReason::AccountError, &detail, now).await?;
            let waiting = Waiting { reason: WaitingReason::AccountError, since: now, until: None, detail };
            put_back(app, conn, locked, now, &waiting, now).await
        }
        SendError::Throttled { after } => {
            let until = now.plus(after.unwrap_or_else(|| back_off(message.attempts)));
            let detail = "The provider asked for a slower pace.".to_owned();
            let waiting = Waiting { reason: WaitingReason::Provider, since: now, until: Some(until), detail };
            put_back(app, conn, locked, until, &waiting, now).await
        }
        SendError::Unavailable(detail) if now.0 - message.created_at.0 > GIVE_UP_AFTER => {
            let failure = Failure { code: "unreachable".to_owned(), message: detail.clone(), retryable: true };
            fail(app, conn, locked, &failure, now).await
        }
        SendError::Unavailable(detail) => {
            let until = now.plus(back_off(message.attempts));
            let waiting =
                Waiting { reason: WaitingReason::Provider, since: now, until: Some(until), detail: detail.clone() };
            put_back(app, conn, locked, until, &waiting, now).await
        }
    }
}

async fn fail(
    app: &App,
    conn: &mut Conn,
    locked: &StoredMessage,
    failure: &Failure,
    now: Timestamp,
) -> sqlx::Result<()> {
    let settled = Settled {
        status: Status::Failed,
        provider_message_id: None,
        failure: Some(failure),
        accepted_at: None,
        poll_at: None,
    };
    store::queue::settle(conn, &locked.message.id, &settled, now).await?;
    let mut event = store::message::event(app.new_id(), now, Status::Failed, Source::Worker);
    event.error = Some(failure.clone());
    store::message::insert_event(conn, &locked.message.id, &event).await
}

async fn put_back(
    app: &App,
    conn: &mut Conn,
    locked: &StoredMessage,
    due_at: Timestamp,
    waiting: &Waiting,
    now: Timestamp,
) -> sqlx::Result<()> {
    store::queue::requeue(conn, &locked.message.id, due_at, Some(waiting), now).await?;
    note(app, conn, locked, Status::Queued, &waiting.detail, now).await
}

async fn note(
    app: &App,
    conn: &mut Conn,
    locked: &StoredMessage,
    status: Status,
    detail: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let mut event = store::message::event(app.new_id(), now, status, Source::Worker);
    event.detail = Some(detail.to_owned());
    store::message::insert_event(conn, &locked.message.id, &event).await
}

/// Exponential from a second to five minutes, with full jitter in its upper half.
fn back_off(attempts: u32) -> i64 {
    let most = (SECOND << attempts.min(9)).min(5 * MINUTE);
    let chance = i64::from(u16::from_be_bytes(random_bytes()));
    most / 2 + most / 2 * chance / i64::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_back_off_grows_and_is_bounded() {
        for attempts in 0..40 {
            let wait = back_off(attempts);
            assert!((SECOND / 2..=5 * MINUTE).contains(&wait), "{attempts}: {wait}");
        }
    }

    #[test]
    fn loopback_is_recognised() {
        for url in ["http://127.0.0.1:3000", "http://localhost:1", "http://[::1]:3000", "http://0.0.0.0:3000"] {
            assert!(is_loopback(url), "{url}");
        }
        assert!(!is_loopback("https://api.twilio.com"));
    }
}
