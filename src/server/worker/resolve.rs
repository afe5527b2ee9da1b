//! Unknown outcomes: a message that a provider may have is never sent again on a guess. Where the provider can be asked,
//! its own list is the evidence, for and against; where nobody can be asked, a person decides, or the account's setting.

use crate::{
    domain::{
        id::MessageId,
        message::{Failure, Source, Status, WaitingReason},
        time::{HOUR, MINUTE, SECOND, Timestamp},
    },
    server::{
        App,
        channel::{Found, Sought},
        clock::jitter,
        error::Error,
        live::Topic,
        store::{
            self,
            account::StoredAccount,
            attempt::LastAttempt,
            message::StoredMessage,
            queue::Settled,
            tally::{Kind, Tally},
        },
        usecase::account,
    },
};

/// Between two questions about the same message.
const AGAIN: i64 = 10 * SECOND;

/// So often a message whose try had no clear end is tried again by itself. One whose sending ends the process would end it
/// for ever; and no recipient gets the same mail more often than that.
const RECOVERIES: u32 = 3;
/// From its second recovery on a message comes back at an instant of its own, up to so much later: those that were lost
/// together do not go down together once more.
const APART: i64 = 30 * SECOND;

/// What is to become of a message.
enum Evidence {
    /// The provider has it: these names, oldest first.
    There(Vec<Found>),
    /// It was not sent, or the account's owner takes the risk: a sentence for the timeline.
    SendAgain(&'static str),
    /// None yet; look again then.
    NoneYet(Option<Timestamp>),
}

/// Looks for evidence about one unknown message, and settles it when there is some.
pub async fn one(app: &App, stored: &StoredMessage, account: &StoredAccount) -> Result<(), Error> {
    let now = app.clock.now();
    let id = &stored.message.id;
    let last = store::attempt::last(&mut *app.db.read().await?, id).await?;
    let evidence = match &last {
        Some(last) => look(app, stored, account, last, now).await,
        None => Evidence::NoneYet(None),
    };
    let changed = app
        .db
        .write(async |conn| {
            // Two that look alike are not told apart by looking: one after the other takes what is there.
            store::account::lock_many(conn, app.db.dialect, [&account.account.id]).await?;
            let Some(locked) = store::queue::lock(conn, app.db.dialect, id).await? else { return Ok(false) };
            if locked.message.status != Status::Unknown || store::attempt::last(conn, id).await? != last {
                return Ok(false); // a report was faster, or what was found out is about an earlier try
            }
            match &evidence {
                Evidence::There(found) => there(app, conn, &locked, account, found, now).await,
                Evidence::SendAgain(why) => send_again(app, conn, id, account, why, now).await.map(|()| true),
                Evidence::NoneYet(at) => store::queue::set_poll(conn, id, *at).await.map(|()| false),
            }
        })
        .await?;
    if changed {
        app.live.publish(&stored.organization_id, Topic::Messages, Some(id.as_str()));
        app.live.publish(&stored.organization_id, Topic::Accounts, None);
        app.wake.notify_one();
    }
    Ok(())
}

async fn look(
    app: &App,
    stored: &StoredMessage,
    account: &StoredAccount,
    last: &LastAttempt,
    now: Timestamp,
) -> Evidence {
    let sender = app.channels.of(account.account.provider);
    let ended = last.finished_at.unwrap_or(now);
    if !sender.can_find() {
        let is_time = now.0 - ended.0 >= MINUTE;
        return if account.account.pace.resends_unknown && is_time {
            Evidence::SendAgain(
                "Nobody can be asked whether it left; sent once more under the same Message-ID, as set.",
            )
        } else {
            Evidence::NoneYet(None)
        };
    }
    let Ok(login) = account::open(app, account) else {
        // What is entered anew may be of another owner; the configuration must name the same one.
        return Evidence::NoneYet(account.platform.as_ref().map(|_| now.plus(HOUR)));
    };
    let message = &stored.message;
    let sought = Sought {
        channel: message.channel,
        from: message.from.as_deref().unwrap_or_default(),
        to: &message.to,
        body: &message.body,
        since: last.started_at,
        until: ended,
    };
    match sender.find(&login, &sought).await {
        Ok(found) if !found.is_empty() => Evidence::There(found),
        // Long after the call ended, what is not in the list never was.
        Ok(_) if now.0 - ended.0 >= app.settings.reconcile() => {
            Evidence::SendAgain("The provider does not have it: it was not sent. Queued again.")
        }
        Ok(_) => Evidence::NoneYet(Some(now.plus(AGAIN.min(app.settings.reconcile())))),
        Err(_) => Evidence::NoneYet(Some(now.plus(MINUTE))),
    }
}

/// Takes the first of the provider's messages that is not linked to another one of ours.
async fn there(
    app: &App,
    conn: &mut store::Conn,
    locked: &StoredMessage,
    account: &StoredAccount,
    found: &[Found],
    now: Timestamp,
) -> sqlx::Result<bool> {
    let id = &locked.message.id;
    let soon = Some(now.plus(AGAIN.min(app.settings.reconcile())));
    // What is under way has no name yet: one of those found may be its.
    if store::queue::has_twin(conn, &account.account.id, &locked.message.to).await? {
        store::queue::set_poll(conn, id, soon).await?;
        return Ok(false);
    }
    for one in found {
        let name = one.provider_message_id.as_str();
        if store::message::find_by_provider_id(conn, &account.account.id, name).await?.is_some() {
            continue;
        }
        let status = one.report.status;
        let settled = Settled {
            status,
            provider_message_id: Some(name),
            failure: one.report.failure.as_ref(),
            accepted_at: Some(now),
            poll_at: (!status.is_final()).then(|| now.plus(MINUTE)),
        };
        store::queue::settle(conn, id, &settled, now).await?;
        let mut event = store::message::event(app.new_id(), now, status, Source::Poll);
        event.provider_status = Some(one.report.provider_status.clone());
        event.error.clone_from(&one.report.failure);
        event.detail = Some("Found in the provider's list: it was sent.".to_owned());
        store::message::insert_event(conn, app.db.dialect, id, &event).await?;
        let mut tally = Tally::default();
        tally.count(&locked.organization_id, locked.message.channel, Kind::Accepted);
        tally.save(conn, app.db.dialect, now).await?;
        return Ok(true);
    }
    let last = store::attempt::last(conn, id).await?;
    let is_late = last.and_then(|last| last.finished_at).is_some_and(|end| now.0 - end.0 >= app.settings.reconcile());
    if is_late {
        // All that fit are others of ours: this one is not there.
        send_again(app, conn, id, account, "The provider does not have it: it was not sent. Queued again.", now)
            .await?;
        return Ok(true);
    }
    store::queue::set_poll(conn, id, soon).await?;
    Ok(false)
}

/// Queues it once more; what the lost try had reserved goes back to its own day. After some recoveries it is not: what the
/// provider does not have fails, and what it may have stays held for a person.
async fn send_again(
    app: &App,
    conn: &mut store::Conn,
    id: &MessageId,
    account: &StoredAccount,
    why: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let lost = store::attempt::count_unknown(conn, id).await?;
    let is_asked = app.channels.of(account.account.provider).can_find();
    if lost > RECOVERIES && !is_asked {
        store::queue::set_poll(conn, id, None).await?;
        let mut event = store::message::event(app.new_id(), now, Status::Unknown, Source::Poll);
        event.detail =
            Some("It was sent several times and nobody ever said how it ended: held for a person.".to_owned());
        return store::message::insert_event(conn, app.db.dialect, id, &event).await;
    }
    if let Some(key) = store::attempt::refund_last(conn, id, now).await? {
        store::usage::refund(conn, &account.account.id, &key, 1).await?;
        store::lane::unblock(conn, &account.account.id, Some(WaitingReason::DailyLimit)).await?;
    }
    if lost > RECOVERIES {
        let failure = Failure {
            code: "quarantined".to_owned(),
            message: "It was tried several times, each try ended without an answer, and the provider does not have it. Tern does not try it by itself any more.".to_owned(),
            retryable: true,
        };
        let status = Status::Failed;
        let settled =
            Settled { status, provider_message_id: None, failure: Some(&failure), accepted_at: None, poll_at: None };
        store::queue::settle(conn, id, &settled, now).await?;
        let mut tally = Tally::default();
        tally.count(&account.organization_id, account.account.channel, Kind::Failed);
        tally.save(conn, app.db.dialect, now).await?;
        let mut event = store::message::event(app.new_id(), now, status, Source::Poll);
        event.error = Some(failure);
        return store::message::insert_event(conn, app.db.dialect, id, &event).await;
    }
    let due_at = if lost > 1 { now.plus(jitter(APART)) } else { now };
    store::queue::requeue(conn, id, due_at, None, now).await?;
    let mut event = store::message::event(app.new_id(), now, Status::Queued, Source::Poll);
    event.detail = Some(why.to_owned());
    store::message::insert_event(conn, app.db.dialect, id, &event).await
}
