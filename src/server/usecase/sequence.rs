//! Sequences: written, switched on when they can send, held, forgotten.

use crate::{
    domain::{
        account::Account,
        channel::Channel,
        field_error::FieldErrors,
        id::{OrganizationId, SequenceId},
        page::{Limit, Page},
        sequence::{
            Choice, Choices, NewSequence, Plan, Report, Sequence, SequenceForm, SequenceKind, Step, StepCounts,
        },
        template::TemplateFilter,
    },
    server::{
        App, Who,
        error::Error,
        live::Topic,
        schedule::Clockwork,
        store::{self, Conn},
    },
};
use std::collections::BTreeSet;

/// Runs that one transaction forgets.
const WINDOW: u32 = 1_000;
/// Why a message waits whose sequence is held.
const HELD: &str = "Its sequence is paused. Switch it on to let this message go.";

const CANNOT: &str = "This sequence cannot send";

/// Stores a sequence, which is held until it is switched on.
pub async fn create(who: &Who, form: SequenceForm) -> Result<Sequence, Error> {
    let NewSequence { name, stop_on_reply, stop_tags, mut plan } = form.parse()?;
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let id: SequenceId = app.new_id();
    let work = async |conn: &mut Conn| {
        pin(conn, who, &mut plan).await?;
        let sequence = Sequence {
            id: id.clone(),
            name,
            is_active: false,
            stop_on_reply,
            stop_tags,
            version: 1,
            plan,
            is_demo: false,
            kind: SequenceKind::Sequence,
            created_at: now,
            updated_at: now,
        };
        Ok::<_, Error>(store::sequence::insert(conn, app.db.dialect, organization, &sequence).await?)
    };
    app.db.write(work).await?;
    changed(who, Some(&id));
    load(who, &id).await
}

/// Stores what a sequence is now. Another plan is another version: runs that have begun keep theirs.
pub async fn update(
    who: &Who,
    id: &SequenceId,
    change: impl FnOnce(SequenceForm) -> SequenceForm,
) -> Result<Sequence, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        store::sequence::lock(conn, app.db.dialect, id, organization).await?;
        let before = find(conn, who, id).await?;
        let NewSequence { name, stop_on_reply, stop_tags, mut plan } = change(SequenceForm::from(&before)).parse()?;
        pin(conn, who, &mut plan).await?;
        if before.is_active {
            check(conn, who, &plan, CANNOT).await?;
        }
        let has_new_plan = plan != before.plan;
        let version = before.version + u32::from(has_new_plan);
        let sequence = Sequence { name, stop_on_reply, stop_tags, plan, version, updated_at: now, ..before };
        Ok::<_, Error>(store::sequence::update(conn, app.db.dialect, organization, &sequence, has_new_plan).await?)
    };
    app.db.write(work).await?;
    changed(who, Some(id));
    load(who, id).await
}

/// Switches a sequence on, with its templates as they are now, or says why it could never send.
pub async fn activate(who: &Who, id: &SequenceId) -> Result<Sequence, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        store::sequence::lock(conn, app.db.dialect, id, organization).await?;
        let before = find(conn, who, id).await?;
        let mut plan = before.plan.clone();
        pin(conn, who, &mut plan).await?;
        check(conn, who, &plan, CANNOT).await?;
        if plan != before.plan {
            let version = before.version + 1;
            let sequence = Sequence { plan, version, updated_at: now, ..before };
            store::sequence::update(conn, app.db.dialect, organization, &sequence, true).await?;
        }
        store::sequence::set_active(conn, id, organization, true, now).await?;
        // What had been queued when it was held goes on.
        Ok::<_, Error>(store::enrollment::release(conn, id, organization, now).await?)
    };
    app.db.write(work).await?;
    app.wake_planning.notify_one();
    app.wake.notify_one();
    changed(who, Some(id));
    load(who, id).await
}

/// Holds a sequence: no step is taken, and what is queued stays where it is.
pub async fn pause(who: &Who, id: &SequenceId) -> Result<Sequence, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        store::sequence::lock(conn, app.db.dialect, id, organization).await?;
        find(conn, who, id).await?;
        store::sequence::set_active(conn, id, organization, false, now).await?;
        Ok::<_, Error>(store::enrollment::hold_back(conn, id, organization, HELD, now).await?)
    };
    app.db.write(work).await?;
    changed(who, Some(id));
    load(who, id).await
}

/// Every template must be there, and of its step's channel; the step holds on to its current version.
pub(super) async fn pin(conn: &mut Conn, who: &Who, plan: &mut Plan) -> Result<(), Error> {
    let mut errors = FieldErrors::default();
    for (at, step) in plan.steps.iter_mut().enumerate() {
        let field = format!("steps.{at}.template_id");
        match store::template::find(conn, &step.template_id, &who.organization.id).await? {
            Some(template) if template.channel == step.channel => step.template_version = template.version,
            Some(template) => {
                errors.add(
                    &field,
                    format!("is a template for {}, not for {}", template.channel.label(), step.channel.label()),
                );
            }
            None => errors.add(&field, "is no template that there is"),
        }
    }
    let accounts = store::account::list(conn, &who.organization.id).await?;
    let known: BTreeSet<_> = accounts.iter().map(|stored| &stored.account.id).collect();
    if plan.account_ids.iter().any(|id| !known.contains(id)) {
        errors.add("account_ids", "must be accounts that there are");
    }
    if errors.is_empty() { Ok(()) } else { Err(errors.into()) }
}

/// Whoever may send the messages of a channel, by a plan.
pub fn eligible<'a>(
    plan: &'a Plan,
    accounts: &'a [Account],
    channel: Channel,
) -> impl Iterator<Item = &'a Account> + 'a {
    let is_meant = |account: &Account| plan.account_ids.is_empty() || plan.account_ids.contains(&account.id);
    accounts.iter().filter(move |account| account.channel == channel && account.is_active && is_meant(account))
}

/// Why a plan could never send, found now and not in the night.
pub(super) async fn check(conn: &mut Conn, who: &Who, plan: &Plan, what: &str) -> Result<(), Error> {
    let (organization, mut errors) = (&who.organization.id, FieldErrors::default());
    if plan.steps.is_empty() {
        errors.add("steps", "must be at least one");
    }
    let accounts: Vec<Account> =
        store::account::list(conn, organization).await?.into_iter().map(|stored| stored.account).collect();
    for channel in plan.steps.iter().map(|step| step.channel).collect::<BTreeSet<_>>() {
        if eligible(plan, &accounts, channel).next().is_none() {
            let whose = if plan.account_ids.is_empty() { "There is" } else { "Among the chosen accounts there is" };
            errors.add("account_ids", format!("{whose} no active account for {}", channel.label()));
        }
    }
    let rules = store::rules::find(conn, organization).await?;
    if Clockwork::new(plan, &rules).next(who.app.clock.now(), None).is_none() {
        errors.add("window", "leaves no time in which anything could be sent");
    }
    if errors.is_empty() { Ok(()) } else { Err(Error::invalid_as(what, errors)) }
}

/// What a campaign sends is asked for, and changed, as a campaign.
pub(super) async fn find(conn: &mut Conn, who: &Who, id: &SequenceId) -> Result<Sequence, Error> {
    let found = store::sequence::find(conn, who.app.db.dialect, id, &who.organization.id).await?;
    found.filter(|sequence| sequence.kind == SequenceKind::Sequence).ok_or_else(Error::not_found)
}

/// One sequence.
pub async fn load(who: &Who, id: &SequenceId) -> Result<Sequence, Error> {
    find(&mut *who.app.db.read().await?, who, id).await
}

/// One sequence, and what came of each of its steps.
pub async fn story(who: &Who, id: &SequenceId) -> Result<(Sequence, Vec<StepCounts>), Error> {
    let mut conn = who.app.db.read().await?;
    let sequence = find(&mut conn, who, id).await?;
    let counts = store::sequence::count(&mut conn, id, sequence.plan.steps.len()).await?;
    Ok((sequence, counts))
}

/// What the page of a sequence shows.
pub async fn report(who: &Who, id: &SequenceId) -> Result<Report, Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    let mut conn = app.db.read().await?;
    let sequence = find(&mut conn, who, id).await?;
    let steps = &sequence.plan.steps;
    let counts = store::sequence::count(&mut conn, id, steps.len()).await?;
    let ids = steps.iter().map(|step| &step.template_id);
    let names = store::template::names(&mut conn, app.db.dialect, organization, ids).await?;
    let name = |step: &Step| names.get(step.template_id.as_str()).cloned().unwrap_or_default();
    let templates = steps.iter().map(name).collect();
    Ok(Report { sequence, counts, templates })
}

/// What a sequence can be made of.
pub async fn choices(who: &Who) -> Result<Choices, Error> {
    let organization = &who.organization.id;
    let mut conn = who.app.db.read().await?;
    let accounts = store::account::list(&mut conn, organization).await?.into_iter().map(|stored| stored.account);
    let account = |account: Account| Choice {
        label: format!("{} ({})", account.display_name, account.address),
        id: account.id.to_string(),
        channel: account.channel,
    };
    let accounts = accounts.map(account).collect();
    let (mut templates, mut filter) = (Vec::new(), TemplateFilter::default());
    loop {
        let page = store::template::list(&mut conn, organization, &filter, Limit::batch()).await?;
        templates.extend(page.data.into_iter().map(|template| Choice {
            id: template.id.to_string(),
            label: template.name,
            channel: template.channel,
        }));
        match page.next_cursor.and_then(|cursor| cursor.parse().ok()) {
            Some(next) => filter.cursor = Some(next),
            None => return Ok(Choices { templates, accounts }),
        }
    }
}

/// The names of all sequences, newest first.
pub async fn names(who: &Who) -> Result<Vec<(SequenceId, String)>, Error> {
    let (mut names, mut cursor) = (Vec::new(), None::<SequenceId>);
    loop {
        let page = list(who, cursor.as_ref(), Limit::batch()).await?;
        names.extend(page.data.into_iter().map(|sequence| (sequence.id, sequence.name)));
        match page.next_cursor.and_then(|cursor| cursor.parse().ok()) {
            Some(next) => cursor = Some(next),
            None => return Ok(names),
        }
    }
}

/// One page of them, newest first.
pub async fn list(who: &Who, cursor: Option<&SequenceId>, limit: Limit) -> Result<Page<Sequence>, Error> {
    let (app, organization) = (&who.app, &who.organization.id);
    let mut conn = app.db.read().await?;
    Ok(store::sequence::list(&mut conn, app.db.dialect, organization, cursor, limit).await?)
}

/// Forgets a sequence with all runs; what they had queued is canceled, and its messages stay.
pub async fn delete(who: &Who, id: &SequenceId) -> Result<(), Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let work = async |conn: &mut Conn| {
        store::sequence::lock(conn, app.db.dialect, id, organization).await?;
        find(conn, who, id).await?;
        store::sequence::set_active(conn, id, organization, false, now).await?;
        Ok::<_, Error>(store::enrollment::cancel_all(conn, id, organization, now).await?)
    };
    app.db.write(work).await?;
    forget(app, organization, id).await?;
    changed(who, Some(id));
    Ok(())
}

/// Forgets one that is not active, piece by piece: where it breaks off, it is there with what is left, and can be deleted again.
pub(super) async fn forget(app: &App, organization: &OrganizationId, id: &SequenceId) -> Result<(), Error> {
    while app.db.write(async |conn| store::sequence::clear(conn, id, organization, WINDOW).await).await? {}
    Ok(app.db.write(async |conn| store::sequence::delete(conn, id, organization).await).await?)
}

pub(super) fn changed(who: &Who, id: Option<&SequenceId>) {
    who.app.live.publish(&who.organization.id, Topic::Sequences, id.map(SequenceId::as_str));
}
