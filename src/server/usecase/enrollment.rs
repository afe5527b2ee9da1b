//! Runs of leads through sequences: begun, ended; and what ends them by itself.

use super::{
    consent,
    sequence::{self, changed},
};
use crate::{
    domain::{
        audience::Audience,
        field_error::FieldErrors,
        id::{EnrollmentId, LeadId, OrganizationId, SequenceId},
        lead::{Lead, Way},
        message::{Source, Status},
        page::{Limit, Page},
        sequence::{Enrolled, Enrollment, EnrollmentStatus, OnMissing, Plan, Sequence, Skipped, StopReason},
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

impl Wanted {
    /// What a form says: the leads of a tag, those that a search finds, or everybody when that is meant.
    pub fn chosen(tag: &str, q: &str, all: bool) -> Result<Self, Error> {
        if !all && tag.trim().is_empty() && q.trim().is_empty() {
            let why = "is required, or a search; tick “All leads” to mean everybody";
            return Err(FieldErrors::one("tag", why).into());
        }
        let audience = Audience { q: q.to_owned(), tag: tag.to_owned(), ..Audience::default() };
        Ok(Self::Audience(audience.parse()?))
    }
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
    let work = async |conn: &mut Conn| {
        let sequence = sequence::find(conn, who, id).await?;
        begin_in(&who.app, conn, &who.organization.id, &sequence, leads).await
    };
    let (begun, skipped) = who.app.db.write(work).await?;
    enrolled.enrolled += begun;
    for (lead, reason) in skipped {
        skip(enrolled, lead.as_str(), reason);
    }
    Ok(())
}

/// When the first step of each lead would be due, or why there would be none, by a sequence as it is.
pub async fn look_ahead<'a>(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    sequence: &Sequence,
    leads: &'a [Lead],
) -> Result<Vec<(&'a Lead, Result<Timestamp, &'static str>)>, Error> {
    let first = sequence.plan.steps.first().ok_or_else(no_steps)?;
    let left_alone = left_alone(app, conn, organization, leads).await?;
    let clockwork = Clockwork::new(&sequence.plan, &store::rules::find(conn, organization).await?);
    let earliest = app.clock.now().plus(i64::from(first.delay_hours) * HOUR);
    let look = |lead: &Lead| {
        let is_reached = sequence.plan.steps.iter().any(|step| lead.address(step.channel).is_some());
        if left_alone.contains(&lead.id) {
            Err("opted_out")
        } else if !is_reached || lacks_first(&sequence.plan, lead) {
            Err("no_contact")
        } else {
            clockwork.next(earliest, lead.time_zone.as_deref()).ok_or("no_time")
        }
    };
    Ok(leads.iter().map(|lead| (lead, look(lead))).collect())
}

/// Begins the runs of leads, in the caller's transaction: how many, and who was left out and why.
pub async fn begin_in(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    sequence: &Sequence,
    leads: &[Lead],
) -> Result<(u32, Vec<(LeadId, &'static str)>), Error> {
    let (mut new, mut skipped) = (Vec::new(), Vec::new());
    let first = sequence.plan.steps.first().ok_or_else(no_steps)?;
    for (lead, due_at) in look_ahead(app, conn, organization, sequence, leads).await? {
        match due_at {
            Ok(due_at) => new.push(NewEnrollment {
                id: app.new_id(),
                lead_id: lead.id.as_str(),
                step: 0,
                channel: first.channel.as_str(),
                due_at: due_at.0,
            }),
            Err(reason) => skipped.push((lead.id.clone(), reason)),
        }
    }
    let (of, now) = ((&sequence.id, sequence.version), app.clock.now());
    let begun = store::enrollment::insert(conn, app.db.dialect, organization, of, &new, now).await?;
    let begun: HashSet<LeadId> = begun.into_iter().collect();
    let others = new.iter().filter(|new| !begun.contains(new.lead_id));
    skipped.extend(others.filter_map(|new| new.lead_id.parse().ok()).map(|lead| (lead, "already_active")));
    Ok((u32::try_from(begun.len()).unwrap_or(u32::MAX), skipped))
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
    sequence::find(&mut conn, who, sequence).await?;
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
    let why = format!("The lead's run has ended: {}.", reason.label().to_lowercase());
    cancel_saying(app, conn, runs, &why, now).await
}

async fn cancel_saying(
    app: &App,
    conn: &mut Conn,
    runs: &[EnrollmentId],
    why: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let canceled = store::enrollment::cancel(conn, app.db.dialect, runs, now).await?;
    let events: Vec<_> = canceled
        .into_iter()
        .map(|message| {
            let mut event = store::message::event(app.new_id(), now, Status::Canceled, Source::Worker);
            event.detail = Some(why.to_owned());
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

/// Leads are about to be forgotten, and their runs with them: nothing more of those leaves.
pub async fn forgotten(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    leads: &[LeadId],
) -> sqlx::Result<()> {
    let runs = store::enrollment::list_of_leads(conn, app.db.dialect, leads, organization).await?;
    cancel_saying(app, conn, &runs, "The lead was deleted.", app.clock.now()).await
}

/// A lead is about to become one with another, and its runs with it: of a sequence that both go through the other's run stays. The
/// runs that the other one goes on with.
pub async fn merged(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    gone: &LeadId,
    kept: &LeadId,
) -> sqlx::Result<Vec<EnrollmentId>> {
    let double = store::merge::list_double(conn, organization, gone, kept).await?;
    cancel_saying(app, conn, &double, "The lead was merged into another one, which goes on.", app.clock.now()).await?;
    store::merge::give_runs(conn, organization, gone, kept).await
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
