//! Campaigns: written, started when they can send, held, gone on with, ended. What a campaign sends is a sequence of one step
//! that nobody sees as such, so all that is true of steps is true of it: taken once, by its window, over the accounts that
//! have room, and never to somebody who is to be left alone.

use super::{enrollment, message, segment, selection, sequence};
use crate::{
    domain::{
        audience::Audience,
        campaign::{
            Campaign, CampaignForm, CampaignState, CampaignStory, NewCampaign, draft::Draft as Typed, without_step,
        },
        id::{CampaignId, OrganizationId},
        page::{Limit, Page},
        selection::Bulk,
        sequence::{Sequence, SequenceKind},
        time::Timestamp,
    },
    server::{
        App, Who,
        error::Error,
        live::Topic,
        store::{
            self, Conn,
            campaign::{Draft, Open, sequence_of},
        },
    },
};

/// Runs that one transaction ends, and failed messages that one queues again.
const WINDOW: u32 = 1_000;
/// Why a message waits whose campaign is held.
const HELD: &str = "Its campaign is paused. Resume it to let this message go.";
const CANNOT: &str = "This campaign cannot send";

/// Stores a campaign as a draft.
pub async fn create(who: &Who, form: CampaignForm) -> Result<CampaignStory, Error> {
    let NewCampaign { sequence, audience, send_at } = form.parse()?;
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let id: CampaignId = app.new_id();
    let work = async |conn: &mut Conn| {
        let mut plan = sequence.plan;
        sequence::pin(conn, who, &mut plan).await.map_err(bare)?;
        segment::check(conn, who, &audience).await.map_err(within)?;
        let sent = Sequence {
            id: sequence_of(&id),
            name: sequence.name,
            is_active: false,
            stop_on_reply: sequence.stop_on_reply,
            stop_tags: sequence.stop_tags,
            version: 1,
            plan,
            is_demo: false,
            kind: SequenceKind::Campaign,
            created_at: now,
            updated_at: now,
        };
        store::sequence::insert(conn, app.db.dialect, organization, &sent).await?;
        let draft = Draft { id: &id, audience: &audience, send_at };
        Ok::<_, Error>(store::campaign::insert(conn, organization, &draft, now).await?)
    };
    app.db.write(work).await?;
    changed(who, &id);
    load(who, &id).await
}

/// Stores what a draft is now; one that was started stays as it is.
pub async fn update(
    who: &Who,
    id: &CampaignId,
    change: impl FnOnce(CampaignForm) -> CampaignForm,
) -> Result<CampaignStory, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        let before = lock(conn, who, id).await?;
        if before.state != CampaignState::Draft {
            return Err(Error::conflict("started", "This campaign was started and cannot be changed any more"));
        }
        let NewCampaign { sequence, audience, send_at } = change(CampaignForm::from(&before)).parse()?;
        let mut plan = sequence.plan;
        sequence::pin(conn, who, &mut plan).await.map_err(bare)?;
        segment::check(conn, who, &audience).await.map_err(within)?;
        let sent = sent_by(conn, who, id).await?;
        let has_new_plan = plan != sent.plan;
        let version = sent.version + u32::from(has_new_plan);
        let sent = Sequence { name: sequence.name, plan, version, updated_at: now, ..sent };
        store::sequence::update(conn, app.db.dialect, organization, &sent, has_new_plan).await?;
        let draft = Draft { id, audience: &audience, send_at };
        Ok::<_, Error>(store::campaign::update(conn, organization, &draft, now).await?)
    };
    app.db.write(work).await?;
    changed(who, id);
    load(who, id).await
}

/// Stores what the editor says of a new campaign, or of the draft of the `id`; its conditions, which no editor shows, stay.
pub async fn save(who: &Who, id: &str, draft: Typed) -> Result<CampaignId, Error> {
    let id: Option<CampaignId> = match id {
        "" => None,
        id => Some(id.parse().map_err(|_| Error::not_found())?),
    };
    let conditions = match &id {
        Some(id) => load(who, id).await?.campaign.audience.conditions,
        None => Vec::new(),
    };
    let (text, east) = (draft.send_at.clone(), draft.minutes_east.clone());
    let send_at = if draft.is_later { message::read_send_at(who, &text, &east) } else { Ok(String::new()) };
    let mut form = match draft.form(conditions) {
        Ok(form) => form,
        Err(mut errors) => {
            if let Err(Error::Api(api)) = send_at {
                errors.0.extend(api.fields.0);
            }
            return Err(errors.into());
        }
    };
    form.send_at = send_at?;
    let saved = match id {
        None => create(who, form).await?,
        Some(id) => {
            let over = |before: CampaignForm| {
                let audience = Audience { conditions: before.audience.conditions, ..form.audience };
                CampaignForm { audience, ..form }
            };
            update(who, &id, over).await?
        }
    };
    Ok(saved.campaign.id)
}

/// Faults of the step by the names that a campaign has for its fields.
fn bare(error: Error) -> Error {
    match error {
        Error::Api(api) if !api.fields.is_empty() => without_step(api.fields).into(),
        other => other,
    }
}

/// Faults of the audience by the names that a campaign has for its fields.
fn within(error: Error) -> Error {
    match error {
        Error::Api(mut api) if !api.fields.is_empty() => {
            api.fields.0.iter_mut().for_each(|fault| fault.field = format!("audience.{}", fault.field));
            api.fields.into()
        }
        other => other,
    }
}

async fn find(conn: &mut Conn, who: &Who, id: &CampaignId) -> Result<Campaign, Error> {
    store::campaign::find(conn, id, &who.organization.id).await?.ok_or_else(Error::not_found)
}

async fn lock(conn: &mut Conn, who: &Who, id: &CampaignId) -> Result<Campaign, Error> {
    store::sequence::lock(conn, who.app.db.dialect, &sequence_of(id), &who.organization.id).await?;
    find(conn, who, id).await
}

async fn sent_by(conn: &mut Conn, who: &Who, id: &CampaignId) -> Result<Sequence, Error> {
    let found = store::sequence::find(conn, who.app.db.dialect, &sequence_of(id), &who.organization.id).await?;
    found.ok_or_else(Error::not_found)
}

/// Starts a draft with its template as it is now, or says why it could never send.
pub async fn start(who: &Who, id: &CampaignId) -> Result<CampaignStory, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        let campaign = lock(conn, who, id).await?;
        if campaign.state != CampaignState::Draft {
            return Err(Error::conflict("started", "This campaign was started already"));
        }
        let sent = sent_by(conn, who, id).await?;
        let mut plan = sent.plan.clone();
        sequence::pin(conn, who, &mut plan).await.map_err(bare)?;
        sequence::check(conn, who, &plan, CANNOT).await?;
        if plan != sent.plan {
            let sent = Sequence { plan, version: sent.version + 1, updated_at: now, ..sent };
            store::sequence::update(conn, app.db.dialect, organization, &sent, true).await?;
        }
        go_on(conn, who, &campaign, now).await
    };
    app.db.write(work).await?;
    app.wake_planning.notify_one();
    changed(who, id);
    load(who, id).await
}

/// From now on, or from its time on.
async fn go_on(conn: &mut Conn, who: &Who, campaign: &Campaign, now: Timestamp) -> Result<(), Error> {
    let (id, organization) = (&campaign.id, &who.organization.id);
    let is_early = !campaign.is_gathered && campaign.send_at.is_some_and(|at| at > now);
    let state = if is_early { CampaignState::Scheduled } else { CampaignState::Running };
    store::sequence::set_active(conn, &sequence_of(id), organization, true, now).await?;
    Ok(store::campaign::set_state(conn, id, organization, (state, None), true, now).await?)
}

/// Holds a campaign: nobody more is gathered, nothing more leaves.
pub async fn pause(who: &Who, id: &CampaignId) -> Result<CampaignStory, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        let campaign = lock(conn, who, id).await?;
        if !matches!(campaign.state, CampaignState::Scheduled | CampaignState::Running) {
            return Err(Error::conflict("not_running", "Only a campaign that runs can be paused"));
        }
        let sequence = sequence_of(id);
        store::sequence::set_active(conn, &sequence, organization, false, now).await?;
        store::enrollment::hold_back(conn, &sequence, organization, HELD, now).await?;
        Ok::<_, Error>(
            store::campaign::set_state(conn, id, organization, (CampaignState::Paused, None), false, now).await?,
        )
    };
    app.db.write(work).await?;
    changed(who, id);
    load(who, id).await
}

/// Goes on with a campaign that was held.
pub async fn resume(who: &Who, id: &CampaignId) -> Result<CampaignStory, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        let campaign = lock(conn, who, id).await?;
        if campaign.state != CampaignState::Paused {
            return Err(Error::conflict("not_paused", "Only a campaign that is paused can be resumed"));
        }
        let plan = sent_by(conn, who, id).await?.plan;
        sequence::check(conn, who, &plan, CANNOT).await?;
        go_on(conn, who, &campaign, now).await?;
        Ok::<_, Error>(store::enrollment::release(conn, &sequence_of(id), organization, now).await?)
    };
    app.db.write(work).await?;
    app.wake_planning.notify_one();
    app.wake.notify_one();
    changed(who, id);
    load(who, id).await
}

/// Ends a campaign: what waits is canceled, what has left stays.
pub async fn cancel(who: &Who, id: &CampaignId) -> Result<CampaignStory, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        let campaign = lock(conn, who, id).await?;
        if !campaign.state.is_open() {
            return Err(Error::conflict("not_running", "This campaign is not running"));
        }
        let sequence = sequence_of(id);
        store::sequence::set_active(conn, &sequence, organization, false, now).await?;
        store::enrollment::cancel_all(conn, &sequence, organization, now).await?;
        // The worker ends the runs, batch by batch.
        Ok::<_, Error>(
            store::campaign::set_state(conn, id, organization, (CampaignState::Canceled, None), false, now).await?,
        )
    };
    app.db.write(work).await?;
    app.wake_planning.notify_one();
    app.wake.notify_one();
    app.live.publish(organization, Topic::Messages, None);
    changed(who, id);
    load(who, id).await
}

/// Queues again what failed, each message once, where the failure may pass; how many it were.
pub async fn retry(who: &Who, id: &CampaignId) -> Result<u32, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let campaign = load(who, id).await?.campaign;
    if !matches!(campaign.state, CampaignState::Running | CampaignState::Done) {
        return Err(Error::conflict("not_running", "Only a campaign that runs or is done can send again"));
    }
    let mut count = 0;
    loop {
        let mut conn = app.db.read().await?;
        let failed = store::campaign::list_failed(&mut conn, id, organization, now, WINDOW).await?;
        drop(conn);
        count += selection::change(who, Bulk::Retry, &failed).await?;
        if failed.len() < WINDOW as usize {
            break;
        }
    }
    if count > 0 && campaign.state == CampaignState::Done {
        let again = (CampaignState::Running, None);
        app.db.write(async |conn| store::campaign::set_state(conn, id, organization, again, false, now).await).await?;
        app.wake_planning.notify_one();
    }
    changed(who, id);
    Ok(count)
}

/// Forgets a campaign that is not under way; its messages stay.
pub async fn delete(who: &Who, id: &CampaignId) -> Result<(), Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    let work = async |conn: &mut Conn| {
        let campaign = lock(conn, who, id).await?;
        if campaign.state.is_open() {
            return Err(Error::conflict("running", "Cancel this campaign before you delete it"));
        }
        Ok(())
    };
    app.db.write(work).await?;
    sequence::forget(app, organization, &sequence_of(id)).await?;
    changed(who, id);
    Ok(())
}

/// One campaign, and what came of it.
pub async fn load(who: &Who, id: &CampaignId) -> Result<CampaignStory, Error> {
    let mut conn = who.app.db.read().await?;
    let campaign = find(&mut conn, who, id).await?;
    let (counts, excluded) = store::campaign::count(&mut conn, id, &who.organization.id).await?;
    Ok(CampaignStory { campaign, counts, excluded })
}

/// One page of them, newest first.
pub async fn list(who: &Who, cursor: Option<&CampaignId>, limit: Limit) -> Result<Page<Campaign>, Error> {
    let mut conn = who.app.db.read().await?;
    Ok(store::campaign::list(&mut conn, &who.organization.id, cursor, limit).await?)
}

/// What the templates of these campaigns are called, in their order.
pub async fn templates(who: &Who, campaigns: &[&Campaign]) -> Result<Vec<String>, Error> {
    let mut conn = who.app.db.read().await?;
    let ids = campaigns.iter().map(|campaign| &campaign.template_id);
    let names = store::template::names(&mut conn, who.app.db.dialect, &who.organization.id, ids).await?;
    let name = |campaign: &&Campaign| names.get(campaign.template_id.as_str()).cloned().unwrap_or_default();
    Ok(campaigns.iter().map(name).collect())
}

fn changed(who: &Who, id: &CampaignId) {
    tell(&who.app, &who.organization.id, id);
}

fn tell(app: &App, organization: &OrganizationId, id: &CampaignId) {
    app.live.publish(organization, Topic::Sequences, Some(id.as_str()));
}

/// Moves a campaign on by one batch, as the worker: gathers its people, notices that all is done, ends the runs of one that
/// was canceled. True when there is more to do at once.
pub async fn advance(app: &App, open: &Open) -> Result<bool, Error> {
    let (is_more, has_changed) = app.db.write(async |conn| step(app, conn, open).await).await?;
    if has_changed {
        tell(app, &open.organization, &open.id);
        app.wake_planning.notify_one();
    }
    Ok(is_more)
}

/// Whether there is more, and whether anything changed.
async fn step(app: &App, conn: &mut Conn, open: &Open) -> Result<(bool, bool), Error> {
    let (id, organization, dialect, now) = (&open.id, &open.organization, app.db.dialect, app.clock.now());
    store::sequence::lock(conn, dialect, &sequence_of(id), organization).await?;
    let Some(mut progress) = store::campaign::lock_progress(conn, dialect, id, organization).await? else {
        return Ok((false, false));
    };
    let set = async |conn: &mut Conn, state, ended_at| {
        store::campaign::set_state(conn, id, organization, (state, ended_at), false, now).await
    };
    match progress.state {
        CampaignState::Canceled => {
            let ended = store::campaign::end_runs(conn, id, WINDOW, now).await?;
            if ended == 0 {
                set(conn, CampaignState::Canceled, Some(now)).await?;
            }
            Ok((ended > 0, true))
        }
        CampaignState::Scheduled => {
            set(conn, CampaignState::Running, None).await?;
            Ok((true, true))
        }
        CampaignState::Running if progress.gathered_at.is_none() => {
            let campaign = store::campaign::find(conn, id, organization).await?.ok_or_else(Error::not_found)?;
            let found = store::sequence::find(conn, dialect, &sequence_of(id), organization).await?;
            let sequence = found.ok_or_else(Error::not_found)?;
            let (cursor, searched) = (progress.gathered_to.as_ref(), store::audience::SEARCHED);
            let (audience, limit) = (&campaign.audience, Limit::batch());
            let page =
                store::audience::list(conn, dialect, organization, audience, cursor, limit, searched, now).await?;
            let (_, skipped) = enrollment::begin_in(app, conn, organization, &sequence, &page.data).await?;
            for (_, reason) in skipped {
                *progress.excluded.entry(reason.to_owned()).or_default() += 1;
            }
            progress.gathered_to = page.next_cursor.and_then(|cursor| cursor.parse().ok());
            progress.gathered_at = progress.gathered_to.is_none().then_some(now);
            store::campaign::advance(conn, id, organization, &progress, now).await?;
            Ok((true, true))
        }
        CampaignState::Running if !store::campaign::is_busy(conn, id).await? => {
            // Nobody looks for steps of one that is done.
            store::sequence::set_active(conn, &sequence_of(id), organization, false, now).await?;
            set(conn, CampaignState::Done, Some(now)).await?;
            Ok((false, true))
        }
        _ => Ok((false, false)),
    }
}
