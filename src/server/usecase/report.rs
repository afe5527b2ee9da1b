//! What providers report, joined with what is known: any order and any repetition of reports ends in the same status.
//! Every report that says something new becomes part of the timeline.

use crate::{
    domain::{
        consent::{Act, Teller},
        id::MessageId,
        lead::Way,
        message::{Event, Source, Status},
        time::{MINUTE, Timestamp},
    },
    server::{
        App,
        channel::Report,
        store::{
            self, Conn,
            report::{Joined, Standing},
            tally::{Kind, Tally},
        },
        usecase::consent::{self, Said},
    },
};
use std::collections::{BTreeMap, HashMap};

/// A report about one of our messages.
pub struct News<'a> {
    /// Which message.
    pub message: &'a MessageId,
    /// What it says.
    pub report: &'a Report,
    /// What the provider calls the message, when it says so.
    pub provider_message_id: Option<&'a str>,
    /// How we know.
    pub source: Source,
    /// About a try that another one was ordered after: only an arrival says anything about the message.
    pub is_superseded: bool,
}

/// Joins reports in their order, with a handful of statements for all of them. What they say about consent is to be
/// recorded as the last thing in the transaction.
pub async fn join(app: &App, conn: &mut Conn, news: &[News<'_>]) -> sqlx::Result<Vec<Said>> {
    if news.is_empty() {
        return Ok(Vec::new());
    }
    let now = app.clock.now();
    let ids: Vec<&MessageId> = news.iter().map(|one| one.message).collect();
    let mut standings: HashMap<MessageId, Standing> = store::report::lock_many(conn, app.db.dialect, &ids).await?;
    let (mut joined, mut events, mut tally) = (BTreeMap::new(), Vec::with_capacity(news.len()), Tally::default());
    let mut said = Vec::new();
    for one in news {
        let Some(standing) = standings.get_mut(one.message) else { continue };
        said.extend(opted_out(one, standing));
        events.push((one.message.clone(), event(app, one, standing.status, now)));
        if is_void(one) {
            continue;
        }
        let before = standing.status;
        standing.status = before.join(one.report.status);
        for kind in changes(before, standing.status) {
            tally.count(&standing.organization_id, standing.channel, kind);
        }
        if standing.status != before {
            joined.insert(one.message.as_str(), joined_row(one, standing, now));
        }
    }
    let joined: Vec<Joined<'_>> = joined.into_values().collect();
    store::report::join(conn, app.db.dialect, &joined).await?;
    store::message::insert_events(conn, app.db.dialect, &events).await?;
    tally.save(conn, app.db.dialect, now).await?;
    Ok(said)
}

/// Whether the report says that the recipient opted out at the carrier.
fn opted_out(news: &News<'_>, standing: &Standing) -> Option<Said> {
    let failure = news.report.failure.as_ref().filter(|failure| consent::is_opt_out(failure))?;
    Some(Said {
        organization: standing.organization_id.clone(),
        act: Act::CarrierStopped,
        way: Way { channel: standing.channel, address: standing.recipient.clone() },
        source: Teller::Provider,
        detail: Some(failure.code.clone()),
        message: Some(news.message.clone()),
    })
}

/// Only an arrival says anything about a message that is being sent once more.
fn is_void(news: &News<'_>) -> bool {
    news.is_superseded && !matches!(news.report.status, Status::Delivered | Status::Read)
}

fn joined_row<'a>(news: &News<'a>, standing: &Standing, now: Timestamp) -> Joined<'a> {
    let status = standing.status;
    let failure = match status {
        Status::Failed | Status::Undelivered => news.report.failure.as_ref(),
        _ => None,
    };
    Joined {
        id: news.message.as_str(),
        status: status.as_str(),
        provider_message_id: news.provider_message_id,
        error_code: failure.map(|failure| failure.code.as_str()),
        error_message: failure.map(|failure| failure.message.as_str()),
        error_retryable: failure.map(|failure| if failure.retryable { "yes" } else { "no" }),
        // A message in flight stays leased: its own result closes the attempt, and is joined in turn.
        accepted_at: (!standing.is_leased).then_some(now.0),
        poll_at: (!status.is_final()).then(|| now.plus(MINUTE).0),
        updated_at: now.0,
    }
}

fn event(app: &App, news: &News<'_>, before: Status, now: Timestamp) -> Event {
    let report = news.report;
    let mut event = store::message::event(app.new_id(), now, report.status, news.source);
    event.provider_status = Some(report.provider_status.clone());
    event.error.clone_from(&report.failure);
    let status = before.join(report.status);
    if is_void(news) {
        event.detail = Some("About an earlier try.".to_owned());
    } else if status != report.status {
        event.detail = Some(format!("Arrived late; the message is {} already.", status.label().to_lowercase()));
    }
    event
}

/// What a change of status adds to the numbers of the day. That a provider took a message is counted with its answer,
/// unless there was none.
fn changes(before: Status, status: Status) -> impl Iterator<Item = Kind> {
    let arrived = |status| matches!(status, Status::Delivered | Status::Read);
    let failed = |status| matches!(status, Status::Failed | Status::Undelivered);
    let taken = (before == Status::Unknown && status != before).then_some(Kind::Accepted);
    let delivered = (arrived(status) && !arrived(before)).then_some(Kind::Delivered);
    let lost = (failed(status) && !failed(before)).then_some(Kind::Failed);
    [taken, delivered, lost].into_iter().flatten()
}
