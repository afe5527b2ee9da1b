//! What providers tell us: stored raw before they get their answer, then joined with what is known.

use crate::{
    api::error::ApiError,
    domain::{
        channel::Channel,
        id::{AccountId, AttemptId, MessageId},
        message::{Direction, Message, Source, Status},
        time::MINUTE,
    },
    server::{
        App,
        channel::{Inbound, Incoming, Report, Told, ToldEvent},
        error::Error,
        live::Topic,
        store::{
            self, Conn,
            account::StoredAccount,
            message::StoredMessage,
            queue::Settled,
            tally::{Kind, Tally},
        },
        usecase::account,
    },
};

/// The call is not genuine, or of no account of ours: the caller is told the same.
pub struct Refused;

/// Takes in a call of a provider. `attempt` is what our own callback URL named.
pub async fn receive(
    app: &App,
    account_id: &str,
    attempt: Option<&str>,
    call: &Incoming<'_>,
) -> Result<Result<(), Refused>, Error> {
    let Ok(id) = account_id.parse::<AccountId>() else { return Ok(Err(Refused)) };
    let Some(stored) = store::account::find_any(&mut *app.db.read().await?, &id).await? else {
        return Ok(Err(Refused));
    };
    let Ok(login) = account::open(app, &stored) else { return Ok(Err(Refused)) };
    let Ok(told) = app.channels.of(stored.account.provider).read_webhook(&login, call) else { return Ok(Err(Refused)) };
    let attempt = attempt.and_then(|id| id.parse::<AttemptId>().ok());
    let organization = stored.organization_id.clone();
    // What is not stored is not confirmed: the provider calls again.
    let heard = app.hear.call(Heard { stored, attempt, told }).await;
    let touched = heard.ok_or_else(|| Error::Internal("a provider's call was not stored".to_owned()))??;
    if let Some(message) = touched {
        app.live.publish(&organization, Topic::Messages, Some(message.as_str()));
    }
    Ok(Ok(()))
}

/// A genuine call that is to be stored together with others.
pub struct Heard {
    stored: StoredAccount,
    attempt: Option<AttemptId>,
    told: Told,
}

/// Stores and joins calls that came at the same time in one transaction: for each the message that changed, if one did.
pub async fn hear(app: &App, batch: &[Heard]) -> Vec<Result<Option<MessageId>, ApiError>> {
    let stored = app.db.write(async |conn| {
        let mut touched = Vec::with_capacity(batch.len());
        for heard in batch {
            touched.push(Ok(hear_one(app, conn, heard).await?));
        }
        Ok::<_, sqlx::Error>(touched)
    });
    stored.await.unwrap_or_else(|error| vec![Err(Error::from(error).into()); batch.len()])
}

async fn hear_one(app: &App, conn: &mut Conn, heard: &Heard) -> sqlx::Result<Option<MessageId>> {
    let Heard { stored, attempt, told } = heard;
    let (id, now) = (&stored.account.id, app.clock.now());
    let message = match (attempt, &told.event) {
        (Some(attempt), _) => store::queue::find_attempt(conn, attempt, id).await?,
        (None, ToldEvent::Status { provider_message_id, .. }) => {
            store::message::find_by_provider_id(conn, id, provider_message_id).await?
        }
        (None, ToldEvent::Inbound(_)) => None,
    };
    let call_id = app.new_id::<AttemptId>();
    let key = match attempt {
        Some(attempt) => format!("{attempt}:{}", told.dedupe_key),
        None => told.dedupe_key.clone(),
    };
    if !store::webhook::insert(conn, call_id.as_str(), id, message.as_ref(), &key, &told.raw, now).await? {
        return Ok(None); // a repeat
    }
    match (&told.event, message) {
        (ToldEvent::Status { provider_message_id, report: Some(report) }, Some(message)) => {
            if let Some(attempt) = attempt
                && !matches!(report.status, Status::Delivered | Status::Read)
                && store::queue::is_superseded(conn, attempt).await?
            {
                // Only an arrival says anything about a message that is being sent once more.
                let mut event = store::message::event(app.new_id(), now, report.status, Source::Webhook);
                event.provider_status = Some(report.provider_status.clone());
                event.error.clone_from(&report.failure);
                event.detail = Some("About an earlier try.".to_owned());
                store::message::insert_event(conn, app.db.dialect, &message, &event).await?;
                return Ok(Some(message));
            }
            apply(app, conn, &message, report, Some(provider_message_id), Source::Webhook).await?;
            Ok(Some(message))
        }
        (ToldEvent::Inbound(inbound), _) => take_in(app, conn, stored, inbound).await,
        _ => Ok(None),
    }
}

/// Joins a report with a message's status: any order and any repetition of reports ends in the same status. Every
/// report that says something new becomes part of the timeline.
pub async fn apply(
    app: &App,
    conn: &mut Conn,
    id: &MessageId,
    report: &Report,
    provider_message_id: Option<&str>,
    source: Source,
) -> sqlx::Result<Option<Status>> {
    let Some(locked) = store::queue::lock(conn, app.db.dialect, id).await? else { return Ok(None) };
    let now = app.clock.now();
    let before = locked.message.status;
    let status = before.join(report.status);
    if status != before {
        let failure = match status {
            Status::Failed | Status::Undelivered => report.failure.as_ref(),
            _ => None,
        };
        let accepted_at = Some(locked.accepted_at.unwrap_or(now));
        let poll_at = (!status.is_final()).then(|| now.plus(MINUTE));
        // A message in flight stays leased: its own result closes the attempt, and is joined in turn.
        if locked.lease_token.is_some() {
            store::queue::advance(conn, id, status, provider_message_id, failure, poll_at, now).await?;
        } else {
            let settled = Settled { status, provider_message_id, failure, accepted_at, poll_at };
            store::queue::settle(conn, id, &settled, now).await?;
        }
    }
    let mut event = store::message::event(app.new_id(), now, report.status, source);
    event.provider_status = Some(report.provider_status.clone());
    event.error.clone_from(&report.failure);
    if status != report.status {
        event.detail = Some(format!("Arrived late; the message is {} already.", status.label().to_lowercase()));
    }
    store::message::insert_event(conn, app.db.dialect, id, &event).await?;
    let mut tally = Tally::default();
    for kind in news(before, status) {
        tally.count(&locked.organization_id, locked.message.channel, kind);
    }
    tally.save(conn, app.db.dialect, now).await?;
    Ok(Some(status))
}

/// What a change of status adds to the numbers of the day. That a provider took a message is counted with its answer,
/// unless there was none.
fn news(before: Status, status: Status) -> impl Iterator<Item = Kind> {
    let arrived = |status| matches!(status, Status::Delivered | Status::Read);
    let failed = |status| matches!(status, Status::Failed | Status::Undelivered);
    let taken = (before == Status::Unknown && status != before).then_some(Kind::Accepted);
    let delivered = (arrived(status) && !arrived(before)).then_some(Kind::Delivered);
    let lost = (failed(status) && !failed(before)).then_some(Kind::Failed);
    [taken, delivered, lost].into_iter().flatten()
}

/// Stores a message to us, once.
pub async fn take_in(
    app: &App,
    conn: &mut Conn,
    stored: &StoredAccount,
    inbound: &Inbound,
) -> sqlx::Result<Option<MessageId>> {
    let account = &stored.account;
    if store::message::find_by_provider_id(conn, &account.id, &inbound.provider_message_id).await?.is_some() {
        return Ok(None);
    }
    let now = app.clock.now();
    let message = Message {
        id: app.new_id(),
        channel: account.channel,
        direction: Direction::Inbound,
        to: account.address.clone(),
        from: Some(inbound.from.clone()),
        subject: None,
        body: inbound.body.clone(),
        status: Status::Delivered,
        account_id: Some(account.id.clone()),
        lead_id: None,
        provider_message_id: Some(inbound.provider_message_id.clone()),
        segments: if account.channel == Channel::Sms {
            crate::domain::segment::measure(&inbound.body).count.max(1)
        } else {
            1
        },
        attempts: 0,
        error: None,
        waiting: None,
        is_demo: account.is_demo,
        created_at: now,
        updated_at: now,
    };
    let organization_id = stored.organization_id.clone();
    let id = message.id.clone();
    let new = StoredMessage { message, organization_id, lease_token: None, accepted_at: Some(now) };
    store::message::insert(conn, app.db.dialect, &new, now).await?;
    let mut event = store::message::event(app.new_id(), now, Status::Delivered, Source::Webhook);
    event.detail = Some("Received.".to_owned());
    store::message::insert_event(conn, app.db.dialect, &id, &event).await?;
    let mut tally = Tally::default();
    tally.count(&stored.organization_id, account.channel, Kind::Received);
    tally.save(conn, app.db.dialect, now).await?;
    Ok(Some(id))
}
