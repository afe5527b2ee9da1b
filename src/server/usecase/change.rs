//! Changes to many leads: asked for, gone on with batch by batch, ended. A batch and how far it is are one transaction, so a
//! restart goes on exactly where it was.

use super::{enrollment, lead, segment, suppression};
use crate::{
    domain::{
        audience::Audience,
        change::{Change, ChangeChoices, ChangeState, Deed, NO_SEQUENCE, Told},
        field_error::FieldErrors,
        id::{ChangeId, LeadId, OrganizationId, SequenceId},
        lead::{Lead, TAGS_MAX},
        page::{Limit, Page},
        sequence::{Sequence, SequenceKind},
        time::HOUR,
    },
    server::{
        App, Who,
        error::Error,
        live::Topic,
        store::{
            self, Conn,
            audience::SEARCHED,
            change::{Running, StoredChange},
        },
        usecase::consent,
    },
};
use std::collections::BTreeMap;

/// Changes that a page shows.
const SHOWN: Limit = Limit::few();
/// So long after its end the page of leads says what came of a change.
const WHILE: i64 = HOUR;

/// Begins a change of all that match now.
pub async fn create(who: &Who, deed: Deed, audience: Audience) -> Result<Change, Error> {
    let audience = audience.parse()?;
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let id: ChangeId = app.new_id();
    let work = async |conn: &mut Conn| {
        let audience = segment::flat(conn, who, audience).await?;
        if let Deed::Enroll { sequence_id } = &deed {
            let unknown = || FieldErrors::one("sequence_id", NO_SEQUENCE);
            find_sequence(app, conn, organization, sequence_id).await?.ok_or_else(unknown)?;
        }
        let (count, is_more) = store::audience::count(conn, app.db.dialect, organization, &audience, now).await?;
        let change = Change {
            id,
            deed,
            audience,
            state: ChangeState::Running,
            reason: None,
            total: (!is_more).then_some(count),
            matched: 0,
            changed: 0,
            skipped: BTreeMap::new(),
            created_at: now,
            ended_at: None,
        };
        store::change::insert(conn, organization, &change, who.user.email.as_str()).await?;
        Ok::<_, Error>(change)
    };
    let change = app.db.write(work).await?;
    app.wake_planning.notify_one();
    tell(app, organization, &change.id);
    Ok(change)
}

/// A sequence that leads can be enrolled in; what a campaign sends is none.
async fn find_sequence(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    id: &SequenceId,
) -> sqlx::Result<Option<Sequence>> {
    let found = store::sequence::find(conn, app.db.dialect, id, organization).await?;
    Ok(found.filter(|sequence| sequence.kind == SequenceKind::Sequence && !sequence.plan.steps.is_empty()))
}

/// Whom the dialog speaks of, how many they are, and what can be done to them.
pub async fn choices(who: &Who, audience: Audience) -> Result<ChangeChoices, Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    let audience = audience.parse()?;
    let mut conn = app.db.read().await?;
    segment::check(&mut conn, who, &audience).await?;
    let now = app.clock.now();
    let (count, is_more) = store::audience::count(&mut conn, app.db.dialect, organization, &audience, now).await?;
    let tags = store::lead::all_tags(&mut conn, organization).await?;
    let sequences = store::sequence::list(&mut conn, app.db.dialect, organization, None, Limit::batch()).await?;
    let sequences = sequences.data.into_iter().filter(|sequence| !sequence.plan.steps.is_empty());
    let sequences = sequences.map(|sequence| (sequence.id, sequence.name)).collect();
    Ok(ChangeChoices { whom: audience.words(), count, is_more, tags, sequences })
}

/// One change.
pub async fn load(who: &Who, id: &ChangeId) -> Result<Change, Error> {
    let mut conn = who.app.db.read().await?;
    store::change::find(&mut conn, id, &who.organization.id).await?.ok_or_else(Error::not_found)
}

/// One page of them, newest first.
pub async fn list(who: &Who, cursor: Option<&ChangeId>, limit: Limit) -> Result<Page<Change>, Error> {
    let mut conn = who.app.db.read().await?;
    Ok(store::change::list(&mut conn, &who.organization.id, cursor, limit).await?)
}

/// What the page of leads tells: what is under way, and what came of the newest, a while ago at most.
pub async fn told(who: &Who) -> Result<Vec<Told>, Error> {
    let now = who.app.clock.now();
    let is_told = |(at, change): &(usize, &Change)| match change.ended_at {
        None => true,
        Some(end) => *at == 0 && now.0 - end.0 < WHILE,
    };
    let changes = list(who, None, SHOWN).await?.data;
    Ok(changes.iter().enumerate().filter(is_told).map(|(_, change)| Told::from(change)).collect())
}

/// Ends a change; what was done stays done.
pub async fn cancel(who: &Who, id: &ChangeId) -> Result<Change, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        let found = store::change::lock(conn, app.db.dialect, id, organization).await?;
        let mut stored = found.ok_or_else(Error::not_found)?;
        if stored.change.state != ChangeState::Running {
            return Err(Error::conflict("not_running", "This change has ended already"));
        }
        (stored.change.state, stored.change.ended_at) = (ChangeState::Canceled, Some(now));
        store::change::advance(conn, organization, &stored, now).await?;
        Ok(stored.change)
    };
    let change = app.db.write(work).await?;
    tell(app, organization, id);
    Ok(change)
}

fn tell(app: &App, organization: &OrganizationId, id: &ChangeId) {
    app.live.publish(organization, Topic::Leads, Some(id.as_str()));
}

/// Goes on with a change by one batch, as the worker; true when there is more to do.
pub async fn advance(app: &App, running: &Running) -> Result<bool, Error> {
    let organization = &running.organization;
    let is_more = app.db.write(async |conn| step(app, conn, running).await).await?;
    tell(app, organization, &running.id);
    // What was queued is canceled, and steps may be due.
    app.live.publish(organization, Topic::Messages, None);
    app.wake_planning.notify_one();
    Ok(is_more)
}

async fn step(app: &App, conn: &mut Conn, running: &Running) -> Result<bool, Error> {
    let (organization, dialect, now) = (&running.organization, app.db.dialect, app.clock.now());
    store::lead::lock(conn, dialect, organization).await?;
    let found = store::change::lock(conn, dialect, &running.id, organization).await?;
    let Some(mut stored) = found.filter(|stored| stored.change.state == ChangeState::Running) else {
        return Ok(false);
    };
    let (audience, reached) = (&stored.change.audience, stored.reached.as_ref());
    // Consent is recorded address by address, and its record locked meanwhile.
    let limit = if matches!(stored.change.deed, Deed::Suppress) { Limit::default() } else { Limit::batch() };
    let page = store::audience::list(conn, dialect, organization, audience, reached, limit, SEARCHED, now).await?;
    let looked_at = u32::try_from(page.data.len()).unwrap_or(u32::MAX);
    let acted = act(app, conn, organization, &stored, &page.data).await?;
    let change = &mut stored.change;
    if let Some((changed, skipped)) = acted {
        change.matched = change.matched.saturating_add(looked_at);
        change.changed = change.changed.saturating_add(changed);
        for (reason, count) in skipped {
            *change.skipped.entry(reason.to_owned()).or_default() += count;
        }
        stored.reached = page.next_cursor.and_then(|cursor| cursor.parse().ok());
        if stored.reached.is_none() {
            (change.state, change.ended_at) = (ChangeState::Done, Some(now));
        }
    } else {
        (change.state, change.ended_at) = (ChangeState::Failed, Some(now));
        change.reason = Some("The sequence was deleted or has no steps any more.".to_owned());
    }
    store::change::advance(conn, organization, &stored, now).await?;
    Ok(stored.change.state == ChangeState::Running)
}

type Acted = (u32, BTreeMap<&'static str, u32>);

/// How many it changed, and why it did not change the others; `None` when nothing can be done any more.
async fn act(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    stored: &StoredChange,
    leads: &[Lead],
) -> Result<Option<Acted>, Error> {
    let (dialect, now) = (app.db.dialect, app.clock.now());
    match &stored.change.deed {
        Deed::AddTag { tag } => {
            let (full, able): (Vec<&Lead>, Vec<&Lead>) =
                leads.iter().filter(|lead| !lead.tags.contains(tag)).partition(|lead| lead.tags.len() >= TAGS_MAX);
            let ids = ids(able.into_iter());
            let pairs = ids.iter().map(|id| (tag.as_str(), id.as_str()));
            store::lead::add_tags(conn, dialect, organization, pairs).await?;
            // Messages are locked before leads.
            enrollment::tagged(app, conn, organization, &ids).await?;
            store::lead::touch(conn, dialect, organization, &ids, now).await?;
            let unchanged = leads.len() - ids.len() - full.len();
            Ok(Some(acted(ids.len(), [("too_many_tags", full.len()), ("unchanged", unchanged)])))
        }
        Deed::RemoveTag { tag } => {
            let ids = ids(leads.iter().filter(|lead| lead.tags.contains(tag)));
            store::lead::remove_tag(conn, dialect, organization, tag, &ids).await?;
            store::lead::touch(conn, dialect, organization, &ids, now).await?;
            Ok(Some(acted(ids.len(), [("unchanged", leads.len() - ids.len())])))
        }
        Deed::Enroll { sequence_id } => {
            let Some(sequence) = find_sequence(app, conn, organization, sequence_id).await? else { return Ok(None) };
            let (begun, left) = enrollment::begin_in(app, conn, organization, &sequence, leads).await?;
            let mut skipped = BTreeMap::new();
            for (_, reason) in left {
                *skipped.entry(reason).or_default() += 1;
            }
            Ok(Some((begun, skipped)))
        }
        Deed::Suppress => {
            let ways = leads.iter().flat_map(Lead::ways);
            let said: Vec<_> = ways.map(|way| suppression::said(organization, way, stored.asked_by.clone())).collect();
            let reached = leads.iter().filter(|lead| !lead.ways().is_empty()).count();
            consent::record(app, conn, &said).await?;
            Ok(Some(acted(reached, [("no_contact", leads.len() - reached)])))
        }
        Deed::Delete => {
            lead::forget(app, conn, organization, leads).await?;
            Ok(Some(acted(leads.len(), [])))
        }
    }
}

/// The counts of a batch, without reasons that nobody had.
fn acted<const N: usize>(changed: usize, left: [(&'static str, usize); N]) -> Acted {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let left = left.into_iter().filter(|(_, count)| *count > 0).map(|(reason, count)| (reason, number(count)));
    (number(changed), left.collect())
}

fn ids<'a>(leads: impl Iterator<Item = &'a Lead>) -> Vec<LeadId> {
    leads.map(|lead| lead.id.clone()).collect()
}
