//! Many messages at once: all that match the filters of a list are sent again, or canceled. The work is done in windows,
//! each a transaction of its own, so that nobody waits long for the database; what is done stays done.

use crate::{
    domain::{
        id::MessageId,
        message::{MessageFilter, Source, Status},
        selection::{Bulk, Done, Offers},
    },
    server::{
        Who,
        error::Error,
        live::Topic,
        store::{self, selection::Place},
    },
};

/// Messages that are looked at, and changed at most, at a time.
const WINDOW: u32 = 1_000;
/// Messages that one request changes.
const MOST: u32 = 50_000;
/// Messages that are looked at to say how many there are.
const COUNTED: u32 = 5_000;

/// How many messages that match could be sent again, and canceled.
pub async fn offers(who: &Who, filter: &MessageFilter) -> Result<Offers, Error> {
    let mut conn = who.app.db.read().await?;
    let mut offers = Offers::default();
    for (bulk, count) in [(Bulk::Retry, &mut offers.retry), (Bulk::Cancel, &mut offers.cancel)] {
        if bulk.fits(filter) {
            *count = store::selection::count(&mut conn, bulk, &who.organization.id, filter, COUNTED).await?;
        }
    }
    Ok(offers)
}

/// Does it to all that match, each once: what fails meanwhile is not tried over and over.
pub async fn apply(who: &Who, bulk: Bulk, filter: &MessageFilter) -> Result<Done, Error> {
    let mut done = Done::default();
    if !bulk.fits(filter) {
        return Ok(done);
    }
    let (db, organization) = (&who.app.db, &who.organization.id);
    let queues = match bulk {
        Bulk::Retry => vec![None],
        Bulk::Cancel => {
            let queues = store::selection::queues(&mut *db.read().await?, organization, filter).await?;
            queues.into_iter().map(Some).collect()
        }
    };
    for queue in queues {
        let mut next = Some(Place::default());
        while let Some(place) = next {
            if done.count >= MOST || who.app.stop.is_cancelled() {
                done.has_more = true;
                return Ok(done);
            }
            let mut conn = db.read().await?;
            let (ids, then) = match &queue {
                None => store::selection::failed(&mut conn, organization, filter, place, WINDOW).await?,
                Some(id) => store::selection::queued(&mut conn, organization, filter, id, place, WINDOW).await?,
            };
            drop(conn);
            done.count += change(who, bulk, &ids).await?;
            next = then;
        }
    }
    Ok(done)
}

/// Does it to these messages, as far as they still are where it begins from; how many it were in the end.
pub async fn change(who: &Who, bulk: Bulk, ids: &[MessageId]) -> Result<u32, Error> {
    if ids.is_empty() {
        return Ok(0);
    }
    let (app, now) = (&who.app, who.app.clock.now());
    let (status, detail) = match bulk {
        Bulk::Retry => (Status::Queued, "Queued again by a person, with all that matched."),
        Bulk::Cancel => (Status::Canceled, "Canceled by a person, with all that matched."),
    };
    let changed = app
        .db
        .write(async |conn| {
            let ids = store::selection::change(conn, app.db.dialect, bulk, &who.organization.id, ids, now).await?;
            let events: Vec<_> = ids
                .into_iter()
                .map(|id| {
                    let mut event = store::message::event(app.new_id(), now, status, Source::User);
                    event.detail = Some(detail.to_owned());
                    (id, event)
                })
                .collect();
            store::message::insert_events(conn, app.db.dialect, &events).await?;
            Ok::<_, sqlx::Error>(events.len())
        })
        .await?;
    if changed > 0 {
        app.live.publish(&who.organization.id, Topic::Messages, None);
        app.wake.notify_one();
    }
    Ok(u32::try_from(changed).unwrap_or(u32::MAX))
}
