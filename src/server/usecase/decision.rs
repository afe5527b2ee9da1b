//! What a person decides about one message: cancel it, send it again, say what became of it.

use super::message::load;
use crate::{
    domain::{
        id::MessageId,
        message::{Direction, Failure, Message, Source, Status},
        time::Timestamp,
    },
    server::{
        Who,
        error::Error,
        live::Topic,
        store::{
            self, Conn,
            message::StoredMessage,
            queue::Settled,
            tally::{Kind, Tally},
        },
    },
};

const DELETED: &str = "Its account was deleted; nothing can be sent through it";
const NOT_SENT: &str = "A person decided that it was not sent; its account was deleted, so it is not sent again.";

/// Changes a message that is in one of the states `allowed`, and adds to its timeline.
async fn change(
    who: &Who,
    id: &MessageId,
    allowed: &[Status],
    to: Status,
    refusal: &str,
    detail: &str,
) -> Result<Message, Error> {
    let now = who.app.clock.now();
    who.app
        .db
        .write(async |conn| {
            store::message::find(conn, id, &who.organization.id).await?.ok_or_else(Error::not_found)?;
            let locked = store::queue::lock(conn, who.app.db.dialect, id).await?.ok_or_else(Error::not_found)?;
            if !allowed.contains(&locked.message.status) || locked.message.direction == Direction::Inbound {
                return Err(Error::conflict("wrong_status", refusal));
            }
            let mut event = store::message::event(who.app.new_id(), now, to, Source::User);
            event.detail = Some(detail.to_owned());
            match to {
                Status::Canceled => {
                    store::queue::cancel(conn, id, now).await?;
                }
                Status::Queued if is_orphan(conn, who, &locked).await? => {
                    if locked.message.status != Status::Unknown {
                        return Err(Error::conflict("account_deleted", DELETED));
                    }
                    (event.status, event.detail) = (Status::Failed, Some(NOT_SENT.to_owned()));
                    fail(conn, id, now).await?;
                }
                // A person may be wrong: what the earlier try had reserved stays used.
                Status::Queued => store::queue::requeue(conn, id, now, None, now).await?,
                status => {
                    let accepted_at = Some(now);
                    let settled =
                        Settled { status, provider_message_id: None, failure: None, accepted_at, poll_at: None };
                    store::queue::settle(conn, id, &settled, now).await?;
                    // A later report finds it sent, and does not count it again.
                    let mut tally = Tally::default();
                    tally.count(&locked.organization_id, locked.message.channel, Kind::Accepted);
                    tally.save(conn, who.app.db.dialect, now).await?;
                }
            }
            Ok(store::message::insert_event(conn, who.app.db.dialect, id, &event).await?)
        })
        .await?;
    who.app.live.publish(&who.organization.id, Topic::Messages, Some(id.as_str()));
    who.app.wake.notify_one();
    load(who, id).await
}

/// Whether its account was deleted: what is queued there would wait for ever.
async fn is_orphan(conn: &mut Conn, who: &Who, stored: &StoredMessage) -> sqlx::Result<bool> {
    let Some(id) = &stored.message.account_id else { return Ok(false) };
    Ok(store::account::find(conn, id, &who.organization.id).await?.is_none())
}

/// Settles what was not sent and cannot be.
async fn fail(conn: &mut Conn, id: &MessageId, now: Timestamp) -> sqlx::Result<()> {
    let failure = Failure { code: "account_deleted".to_owned(), message: format!("{DELETED}."), retryable: false };
    let (status, failure) = (Status::Failed, Some(&failure));
    let settled = Settled { status, provider_message_id: None, failure, accepted_at: None, poll_at: None };
    store::queue::settle(conn, id, &settled, now).await
}

/// Stops a message that has not left.
pub async fn cancel(who: &Who, id: &MessageId) -> Result<Message, Error> {
    let refusal = "Only a queued message can be canceled";
    change(who, id, &[Status::Queued], Status::Canceled, refusal, "Canceled by a person.").await
}

/// Tries a failed message again.
pub async fn retry(who: &Who, id: &MessageId) -> Result<Message, Error> {
    let refusal = "Only a failed or undelivered message can be sent again";
    change(who, id, &[Status::Failed, Status::Undelivered], Status::Queued, refusal, "Queued again by a person.").await
}

/// Settles what cannot be known: a person says whether it was sent.
pub async fn resolve(who: &Who, id: &MessageId, was_sent: bool) -> Result<Message, Error> {
    let (to, detail) = if was_sent {
        (Status::Sent, "A person decided that it was sent.")
    } else {
        (Status::Queued, "A person decided that it was not sent; queued again.")
    };
    change(who, id, &[Status::Unknown], to, "Only an unknown message can be resolved", detail).await
}
