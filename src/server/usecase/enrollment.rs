//! Runs of leads through sequences: begun, ended; and what ends them by itself.

use super::{consent, sequence::changed};
use crate::{
    domain::{
        audience::Audience,
        id::{EnrollmentId, LeadId, OrganizationId, SequenceId},
        lead::{Lead, Way},
        message::{Source, Status},
        page::{Limit, Page},
        sequence::{Enrolled, Enrollment, EnrollmentStatus, OnMissing, Plan, Skipped, StopReason},
        time::{DAY, HOUR, Timestamp},
    },
    server::{
        App, Who,
        error::Error,
        live::Topic,
        schedule::Clockwork,
        store::{self, Conn, enrollment::NewEnrollment},
    },
};
use std::collections::{BTreeSet, HashSet};

/// Leads that one transaction enrolls.
const BATCH: usize = 1_000;
/// Skipped leads that an answer names.
const NAMED: usize = 1_000;
/// An answer is one to a step that was taken in the last days.
const ANSWERS_WITHIN: i64 = 30 * DAY;

/// Who is to be enrolled.
#[derive(Debug, Clone)]
pub enum Wanted {
    /// These leads, as their ids were typed.
    Leads(Vec<String>),
    /// All that an audience means.
    Audience(Audience),
}

/// Begins the runs of leads, batch by batch: what is done stays done.
pub async fn enroll(who: &Who, id: &SequenceId, wanted: &Wanted) -> Result<Enrolled, Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    let mut enrolled = Enrolled::default();
    match wanted {
        Wanted::Leads(typed) => {
            let known: Vec<LeadId> = typed.iter().filter_map(|id| id.trim().parse().ok()).collect();
            for id in typed.iter().filter(|id| id.trim().parse::<LeadId>().is_err()) {
                skip(&mut enrolled, id, "not_found");
            }
            for batch in known.chunks(BATCH) {
                let leads = async {
                    let mut conn = app.db.read().await?;
                    store::lead::find_many(&mut conn, app.db.dialect, organization, batch).await
                };
                let leads = leads.await?;
                let there: HashSet<&LeadId> = leads.iter().map(|lead| &lead.id).collect();
                for id in batch.iter().filter(|id| !there.contains(id)) {
                    skip(&mut enrolled, id.as_str(), "not_found");
                }
                begin(who, id, &leads, &mut enrolled).await?;
            }
        }
        Wanted::Audience(audience) => {
            super::segment::check(&mut *app.db.read().await?, who, audience).await?;
            let (mut cursor, limit) = (None::<LeadId>, Limit::batch());
            loop {
                let page = async {
                    let mut conn = app.db.read().await?;
                    let (searched, now) = (store::audience::SEARCHED, app.clock.now());
                    let cursor = cursor.as_ref();
                    store::audience::list(
                        &mut conn,
                        app.db.dialect,
                        organization,
                        audience,
                        cursor,
                        limit,
                        searched,
                        now,
                    )
                    .await
                };
                let page = page.await?;
                begin(who, id, &page.data, &mut enrolled).await?;
                match page.next_cursor.and_then(|cursor| cursor.parse().ok()) {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
        }
    }
    app.wake_planning.notify_one();
    changed(who, Some(id));
    Ok(enrolled)
}

fn skip(enrolled: &mut Enrolled, lead: &str, reason: &str) {
    enrolled.skipped_total += 1;
    if enrolled.skipped.len() < NAMED {
        enrolled.skipped.push(Skipped { lead_id: lead.to_owned(), reason: reason.to_owned() });
    }
}

async fn begin(who: &Who, id: &SequenceId, leads: &[Lead], enrolled: &mut Enrolled) -> Result<(), Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        let found = store::sequence::find(conn, app.db.dialect, id, organization).await?;
        let sequence = found.ok_or_else(Error::not_found)?;
        let left_alone = left_alone(app, conn, organization, leads).await?;
        let clockwork = Clockwork::new(&sequence.plan, &store::rules::find(conn, organization).await?);
        let (mut new, mut skipped) = (Vec::new(), Vec::new());
        for lead in leads {
            let first = sequence.plan.steps.first().ok_or_else(no_steps)?;
            let earliest = now.plus(i64::from(first.delay_hours) * HOUR);
            let due_at = clockwork.next(earliest, lead.time_zone.as_deref());
            let is_reached = sequence.plan.steps.iter().any(|step| lead.address(step.channel).is_some());
            match due_at {
                _ if left_alone.contains(&lead.id) => skipped.push((&lead.id, "opted_out")),
                _ if !is_reached || lacks_first(&sequence.plan, lead) => skipped.push((&lead.id, "no_contact")),
                None => skipped.push((&lead.id, "no_time")),
                Some(due_at) => new.push(NewEnrollment {
                    id: app.new_id(),
                    lead_id: lead.id.as_str(),
                    step: 0,
                    channel: first.channel.as_str(),
                    due_at: due_at.0,
                }),
            }
        }
        let of = (id, sequence.version);
        let begun = store::enrollment::insert(conn, app.db.dialect, organization, of, &new, now).await?;
        let begun: HashSet<&str> = begun.iter().map(LeadId::as_str).collect();
        let others = new.iter().filter(|new| !begun.contains(new.lead_id)).map(|new| (new.lead_id, "already_active"));
        let skipped = skipped.into_iter().map(|(id, reason)| (id.as_str(), reason));
        let skipped: Vec<(String, &str)> = skipped.chain(others).map(|(id, reason)| (id.to_owned(), reason)).collect();
        Ok::<_, Error>((begun.len(), skipped))
    };
    let (begun, skipped) = app.db.write(work).await?;
    enrolled.enrolled += u32::try_from(begun).unwrap_or(u32::MAX);
    for (lead, reason) in skipped {
        skip(enrolled, &lead, reason);
    }
    Ok(())
}

fn no_steps() -> Error {
    Error::conflict("no_steps", "This sequence has no steps yet")
}

/// Whether the lead's run would end at its first step.
fn lacks_first(plan: &Plan, lead: &Lead) -> bool {
    plan.steps.first().is_some_and(|step| step.on_missing == OnMissing::Stop && lead.address(step.channel).is_none())
}

/// Leads that do not want to be written to, on any channel.
pub(super) async fn left_alone(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    leads: &[Lead],
) -> sqlx::Result<HashSet<LeadId>> {
    let key = consent::need_key(app, conn, organization).await?;
    let prints: Vec<(LeadId, Vec<String>)> = leads
        .iter()
        .map(|lead| (lead.id.clone(), lead.ways().iter().map(|way: &Way| key.fingerprint(way)).collect()))
        .collect();
    let all: BTreeSet<&String> = prints.iter().flat_map(|(_, prints)| prints).collect();
    let listed = store::suppression::find(conn, app.db.dialect, organization, all).await?;
    let will: HashSet<&str> =
        listed.iter().filter(|listed| listed.reason.is_of_person()).map(|listed| listed.fingerprint.as_str()).collect();
    let is_alone = |prints: &[String]| prints.iter().any(|print| will.contains(print.as_str()));
    Ok(prints.into_iter().filter(|(_, prints)| is_alone(prints)).map(|(id, _)| id).collect())
}

/// One page of the runs of a sequence, newest first.
pub async fn list(
    who: &Who,
    sequence: &SequenceId,
    status: Option<EnrollmentStatus>,
    cursor: Option<&EnrollmentId>,
    limit: Limit,
) -> Result<Page<Enrollment>, Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    let mut conn = app.db.read().await?;
    let found = store::sequence::find(&mut conn, app.db.dialect, sequence, organization).await?;
    found.ok_or_else(Error::not_found)?;
    Ok(store::enrollment::list(&mut conn, organization, sequence, status, cursor, limit).await?)
}

/// Ends a run, and cancels what it has queued. One that is over already stays as it ended.
pub async fn stop(who: &Who, id: &EnrollmentId) -> Result<(), Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        let stopped = store::enrollment::stop(conn, id, organization, StopReason::Manual, now).await?;
        if stopped.is_empty() {
            let is_there = store::enrollment::exists(conn, id, organization).await?;
            let over = || Error::conflict("not_active", "This run is over already");
            return Err(if is_there { over() } else { Error::not_found() });
        }
        Ok::<_, Error>(cancel(app, conn, &stopped, StopReason::Manual, now).await?)
    };
    app.db.write(work).await?;
    app.live.publish(organization, Topic::Messages, None);
    changed(who, None);
    Ok(())
}

/// What runs that ended had queued is canceled, each message with the reason in its timeline.
async fn cancel(
    app: &App,
    conn: &mut Conn,
    runs: &[EnrollmentId],
    reason: StopReason,
    now: Timestamp,
) -> sqlx::Result<()> {
    let canceled = store::enrollment::cancel(conn, app.db.dialect, runs, now).await?;
    let events: Vec<_> = canceled
        .into_iter()
        .map(|message| {
            let mut event = store::message::event(app.new_id(), now, Status::Canceled, Source::Worker);
            event.detail = Some(format!("The lead's run has ended: {}.", reason.label().to_lowercase()));
            (message, event)
        })
        .collect();
    store::message::insert_events(conn, app.db.dialect, &events).await
}

/// A lead has answered, in the transaction that stores the answer: where that ends a run nothing more of it leaves.
pub async fn answered(app: &App, conn: &mut Conn, organization: &OrganizationId, lead: &LeadId) -> sqlx::Result<()> {
    let now = app.clock.now();
    store::enrollment::note_reply(conn, lead, organization, now.plus(-ANSWERS_WITHIN)).await?;
    store::enrollment::stop_on_reply(conn, lead, organization, now).await?;
    // Also a run that is done with its steps may have the last one queued.
    let ended = store::enrollment::list_answered(conn, lead, organization).await?;
    cancel(app, conn, &ended, StopReason::Replied, now).await
}

/// A lead does not want to be written to, or cannot be: all its runs end.
pub async fn left(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    lead: &LeadId,
    reason: StopReason,
) -> sqlx::Result<()> {
    let now = app.clock.now();
    store::enrollment::stop_of_lead(conn, lead, organization, reason, now).await.map(drop)
}

/// Leads have other tags now, some of which may end their runs.
pub async fn tagged(app: &App, conn: &mut Conn, organization: &OrganizationId, leads: &[LeadId]) -> sqlx::Result<()> {
    let now = app.clock.now();
    let stopped = store::enrollment::stop_by_tag(conn, app.db.dialect, leads, organization, now).await?;
    cancel(app, conn, &stopped, StopReason::Tagged, now).await
}

/// The runs of a lead, newest first, with the names of their sequences.
pub async fn list_of_lead(who: &Who, lead: &LeadId) -> Result<Vec<Enrollment>, Error> {
    let mut conn = who.app.db.read().await?;
    Ok(store::enrollment::list_of_lead(&mut conn, &who.organization.id, lead).await?)
}
