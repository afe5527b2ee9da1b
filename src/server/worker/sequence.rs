//! Takes the steps of sequences: whoever is due gets the next message queued, through the account that has most room, and
//! moves on. A batch is one transaction, in which each run is locked, looked at once more, and moved: a step is taken once,
//! and an answer that was stored before it ends the run.
//!
//! No more is queued than what the accounts can send today and a little, so that a pause, an answer or another account find
//! little in their way, and the longest due are the first of the next day.

use crate::{
    domain::{
        account::Account,
        channel::Channel,
        consent::Act,
        id::{AccountId, EnrollmentId, LeadId, MessageId, OrganizationId, SequenceId},
        lead::{Lead, Way},
        message::{Direction, Message, Source, Status},
        segment,
        sequence::{EnrollmentStatus, OnMissing, Plan, Sequence, Step, StopReason},
        time::{HOUR, MINUTE, Timestamp},
    },
    server::{
        App,
        bucket::Bucket,
        error::Error,
        live::Topic,
        schedule::Clockwork,
        store::{
            self, Conn,
            enrollment::{Advance, Due, Run, Senders},
            message::{Origin, StoredMessage},
        },
        template::{Compiled, Context, Sender},
        usecase::{
            consent::{self, Key},
            sequence::eligible,
            template, unsubscribe,
        },
    },
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Runs that one transaction moves.
const BATCH: u32 = 500;
/// So many messages more than what an account can send today are queued for it: they begin its next day.
const SPARE: i64 = 50;
/// A run is looked at again after so long when the message of its last step has not left yet and nothing else says when.
const AGAIN: i64 = MINUTE;

/// Takes all steps that are due; true when there may be more at once.
pub async fn pass(app: &App) -> Result<bool, Error> {
    let due = store::enrollment::list_due(&mut *app.db.read().await?, app.clock.now()).await?;
    let mut is_more = false;
    for due in due {
        match take(app, &due).await {
            Ok(taken) => is_more |= taken,
            Err(error) => {
                tracing::error!(sequence.id = %due.sequence, error.cause = %error, "steps of a sequence could not be taken");
            }
        }
    }
    Ok(is_more)
}

/// One batch of a sequence's channel; true when it was a whole one.
async fn take(app: &App, due: &Due) -> Result<bool, Error> {
    let (moved, queued) = app.db.write(async |conn| move_on(app, conn, due).await).await?;
    if moved > 0 {
        app.live.publish(&due.organization, Topic::Sequences, Some(due.sequence.as_str()));
    }
    if queued > 0 {
        app.live.publish(&due.organization, Topic::Messages, None);
        app.wake.notify_one();
    }
    Ok(moved == BATCH as usize)
}

/// What a batch of runs needs to know.
struct Batch<'a> {
    app: &'a App,
    due: &'a Due,
    now: Timestamp,
    sequence: Sequence,
    plans: HashMap<u32, (Plan, Clockwork)>,
    texts: HashMap<(u32, u32), Arc<Compiled>>,
    leads: HashMap<LeadId, Lead>,
    /// Why an address must not be written to, by fingerprint.
    listed: HashMap<String, Act>,
    key: Arc<Key>,
    rooms: Rooms,
}

/// Runs that moved, and messages that were queued.
async fn move_on(app: &App, conn: &mut Conn, due: &Due) -> Result<(usize, usize), Error> {
    let (now, dialect) = (app.clock.now(), app.db.dialect);
    let Some(sequence) = store::sequence::find(conn, dialect, &due.sequence, &due.organization).await? else {
        return Ok((0, 0));
    };
    if !sequence.is_active {
        return Ok((0, 0)); // it was held meanwhile
    }
    // Without its key nobody knows who must not be written to.
    let Some(key) = consent::find_key(app, conn, &due.organization).await? else { return Ok((0, 0)) };
    let rooms = Rooms::look(app, conn, &due.organization, due.channel, now).await?;
    let most = rooms.all(&sequence.plan, due.channel).clamp(0, i64::from(BATCH));
    if most == 0 {
        return Ok((0, 0));
    }
    let runs = store::enrollment::take(conn, dialect, due, now, most).await?;
    let found = store::lead::find_many(conn, dialect, &due.organization, runs.iter().map(|run| &run.lead_id)).await?;
    let leads: HashMap<LeadId, Lead> = found.into_iter().map(|lead| (lead.id.clone(), lead)).collect();
    let listed = listed(app, conn, due, &key, &leads).await?;
    let (plans, texts) = (HashMap::new(), HashMap::new());
    let mut batch = Batch { app, due, now, sequence, plans, texts, leads, listed, key, rooms };
    batch.read_plans(conn, &runs).await?;
    let (mut moves, mut messages) = (Vec::with_capacity(runs.len()), Vec::new());
    for run in &runs {
        let (next, message) = batch.step(run);
        moves.push(next);
        messages.extend(message);
    }
    write(app, conn, &runs, moves, &messages, now).await?;
    Ok((runs.len(), messages.len()))
}

async fn write(
    app: &App,
    conn: &mut Conn,
    runs: &[Run],
    moves: Vec<Next>,
    messages: &[StoredMessage],
    now: Timestamp,
) -> sqlx::Result<()> {
    store::message::insert_many(conn, app.db.dialect, messages.iter().map(|message| (message, now))).await?;
    let event = |stored: &StoredMessage| {
        let status = stored.message.status;
        (stored.message.id.clone(), store::message::event(app.new_id(), now, status, Source::Worker))
    };
    let events: Vec<_> = messages.iter().map(event).collect();
    store::message::insert_events(conn, app.db.dialect, &events).await?;
    let advance = |(run, next): (&'_ Run, Next)| Advance {
        id: "",
        status: next.status.as_str(),
        stop_reason: next.reason.map(StopReason::as_str),
        step: next.step,
        channel: next.channel.as_str(),
        due_at: next.due_at.0,
        senders: serde_json::to_string(next.senders.as_ref().unwrap_or(&run.senders)).expect("plain data"),
    };
    let advances: Vec<Advance<'_>> =
        runs.iter().zip(moves).map(|(run, next)| Advance { id: run.id.as_str(), ..advance((run, next)) }).collect();
    store::enrollment::advance(conn, app.db.dialect, &advances, now).await
}

/// Why addresses of these leads must not be written to on the channel; a person's will on any channel counts for all.
async fn listed(
    app: &App,
    conn: &mut Conn,
    due: &Due,
    key: &Key,
    leads: &HashMap<LeadId, Lead>,
) -> sqlx::Result<HashMap<String, Act>> {
    let prints: Vec<String> = leads.values().flat_map(Lead::ways).map(|way: Way| key.fingerprint(&way)).collect();
    let listed = store::suppression::find(conn, app.db.dialect, &due.organization, &prints).await?;
    let counts = listed.into_iter().filter(|one| one.channel == due.channel || one.reason.is_of_person());
    Ok(counts.map(|one| (one.fingerprint, one.reason)).collect())
}

/// Where a run goes on.
struct Next {
    status: EnrollmentStatus,
    reason: Option<StopReason>,
    step: u32,
    channel: Channel,
    due_at: Timestamp,
    senders: Option<Senders>,
}

impl Batch<'_> {
    /// The plans and texts of the versions that these runs follow.
    async fn read_plans(&mut self, conn: &mut Conn, runs: &[Run]) -> Result<(), Error> {
        let organization = &self.due.organization;
        let rules = store::rules::find(conn, organization).await?;
        for run in runs {
            if !self.plans.contains_key(&run.version) {
                let found = store::sequence::find_plan(conn, &self.due.sequence, organization, run.version).await?;
                let plan = found.ok_or_else(|| Error::Internal("a plan is missing".to_owned()))?;
                let clockwork = Clockwork::new(&plan, &rules);
                self.plans.insert(run.version, (plan, clockwork));
            }
            let place = (run.version, run.step);
            let step = self.plans[&run.version].0.steps.get(run.step as usize);
            if let (Some(step), false) = (step, self.texts.contains_key(&place)) {
                let text = template::pinned(self.app, conn, organization, step).await?;
                self.texts.insert(place, text);
            }
        }
        Ok(())
    }

    /// Takes the next step of a run.
    fn step(&mut self, run: &Run) -> (Next, Option<StoredMessage>) {
        let (plan, clockwork) = &self.plans[&run.version];
        let Some(step) = plan.steps.get(run.step as usize).cloned() else {
            return (self.finish(run, None), None);
        };
        let Some(lead) = self.leads.get(&run.lead_id) else {
            return (self.end(run, StopReason::Manual), None); // it was deleted, and its run goes with it
        };
        let zone = lead.time_zone.as_deref();
        if lead.tags.iter().any(|tag| self.sequence.stop_tags.contains(tag)) {
            return (self.end(run, StopReason::Tagged), None);
        }
        if let Some(later) = self.not_before(run, &step).filter(|later| *later > self.now) {
            let due_at = clockwork.next(later, zone).unwrap_or(later);
            return (self.stay(run, due_at), None);
        }
        match clockwork.next(self.now, zone) {
            Some(at) if at <= self.now => {}
            at => return (self.stay(run, at.unwrap_or_else(|| self.now.plus(24 * HOUR))), None),
        }
        if let Some(reason) = self.left_alone(lead) {
            return (self.end(run, reason), None);
        }
        let address = lead.address(step.channel).map(str::to_owned);
        let is_listed = |address: &String| {
            let way = Way { channel: step.channel, address: address.clone() };
            self.listed.contains_key(&self.key.fingerprint(&way))
        };
        let Some(address) = address.filter(|address| !is_listed(address)) else {
            return match step.on_missing {
                OnMissing::Stop => (self.end(run, StopReason::NoContact), None),
                OnMissing::Skip => (self.go_on(run, None), None),
            };
        };
        let sticky = run.senders.get(step.channel.as_str());
        let Some(account) = self.rooms.choose(plan, step.channel, sticky) else {
            return (self.stay(run, self.now.plus(AGAIN)), None);
        };
        let id: MessageId = self.app.new_id();
        let url = unsubscribe::url(self.app, &self.key, &id);
        let sender = Sender { name: account.display_name.clone(), address: account.address.clone() };
        let context = Context::new(lead, Some(&sender), Some(&url));
        let rendered = self.texts.get(&(run.version, run.step)).and_then(|text| text.render(&context).ok());
        let Some(rendered) = rendered else { return (self.end(run, StopReason::NotRendered), None) };
        let message = Message {
            id,
            channel: step.channel,
            direction: Direction::Outbound,
            to: address,
            from: Some(account.address.clone()),
            segments: if step.channel == Channel::Sms { segment::measure(&rendered.body).count.max(1) } else { 1 },
            subject: rendered.subject,
            body: rendered.body,
            status: Status::Queued,
            account_id: Some(account.id.clone()),
            lead_id: Some(lead.id.clone()),
            provider_message_id: None,
            attempts: 0,
            error: None,
            waiting: None,
            is_demo: account.is_demo || lead.is_demo,
            created_at: self.now,
            updated_at: self.now,
        };
        let stored = StoredMessage {
            account_id: message.account_id.clone(),
            message,
            organization_id: self.due.organization.clone(),
            lease_token: None,
            accepted_at: None,
            origin: Some(origin(&self.due.sequence, &run.id, run.step)),
        };
        let mut senders = run.senders.clone();
        senders.insert(step.channel.as_str().to_owned(), account.id.clone());
        (self.go_on(run, Some(senders)), Some(stored))
    }

    /// The delay counts from the instant at which the message before has left: while it has not, not before now.
    fn not_before(&self, run: &Run, step: &Step) -> Option<Timestamp> {
        let delay = i64::from(step.delay_hours) * HOUR;
        match run.before {
            Some((Status::Queued | Status::Sending, _)) => Some(self.now.plus(delay.max(AGAIN))),
            Some((_, Some(left))) => Some(left.plus(delay)),
            _ => None,
        }
    }

    /// Whether the person does not want to be written to, or mail to them came back.
    fn left_alone(&self, lead: &Lead) -> Option<StopReason> {
        let acts = lead.ways().into_iter().filter_map(|way| self.listed.get(&self.key.fingerprint(&way)).copied());
        acts.filter_map(|act| match act {
            act if act.is_of_person() => Some(StopReason::OptedOut),
            Act::Bounced => Some(StopReason::Bounced),
            _ => None,
        })
        .min()
    }

    fn stay(&self, run: &Run, due_at: Timestamp) -> Next {
        let channel = self.due.channel;
        Next { status: EnrollmentStatus::Active, reason: None, step: run.step, channel, due_at, senders: None }
    }

    fn end(&self, run: &Run, reason: StopReason) -> Next {
        Next { status: EnrollmentStatus::Stopped, reason: Some(reason), ..self.stay(run, self.now) }
    }

    fn finish(&self, run: &Run, senders: Option<Senders>) -> Next {
        let steps = self.plans.get(&run.version).map_or(0, |(plan, _)| plan.steps.len());
        let step = u32::try_from(steps).unwrap_or(u32::MAX);
        Next { status: EnrollmentStatus::Finished, step, senders, ..self.stay(run, self.now) }
    }

    /// To the step after this one.
    fn go_on(&self, run: &Run, senders: Option<Senders>) -> Next {
        let (plan, clockwork) = &self.plans[&run.version];
        let Some(next) = plan.steps.get(run.step as usize + 1) else { return self.finish(run, senders) };
        let earliest = self.now.plus(i64::from(next.delay_hours) * HOUR);
        let zone = self.leads.get(&run.lead_id).and_then(|lead| lead.time_zone.as_deref());
        let due_at = clockwork.next(earliest, zone).unwrap_or(earliest);
        Next { step: run.step + 1, channel: next.channel, senders, ..self.stay(run, due_at) }
    }
}

fn origin(sequence: &SequenceId, enrollment: &EnrollmentId, step: u32) -> Origin {
    Origin { sequence: sequence.clone(), enrollment: enrollment.clone(), step }
}

/// How much each account of a channel may still be given.
struct Rooms {
    accounts: Vec<Account>,
    left: BTreeMap<AccountId, i64>,
}

impl Rooms {
    async fn look(
        app: &App,
        conn: &mut Conn,
        organization: &OrganizationId,
        channel: Channel,
        now: Timestamp,
    ) -> sqlx::Result<Self> {
        let dialect = app.db.dialect;
        let stored = store::account::list(conn, organization).await?;
        let stored: Vec<_> = stored.into_iter().filter(|stored| stored.account.channel == channel).collect();
        let ids = || stored.iter().map(|stored| &stored.account.id);
        let lanes = store::lane::find_many(conn, dialect, ids()).await?;
        let bucket = |account: &Account| {
            let newest = lanes.get(&account.id).and_then(|lane| lane.last_day.as_deref());
            Bucket::at(now, &account.pace, newest)
        };
        let buckets: Vec<_> = stored.iter().map(|stored| (&stored.account.id, bucket(&stored.account))).collect();
        let buckets: Vec<_> = buckets.iter().map(|(id, bucket)| (*id, bucket)).collect();
        let used = store::usage::find_many(conn, dialect, &buckets).await?;
        let queued = store::queue::count_many(conn, dialect, ids()).await?;
        let left = stored.iter().map(|stored| {
            let (account, id) = (&stored.account, &stored.account.id);
            let limit = i64::from(account.pace.limit_of_day(account.daily_limit, now));
            let count = |of: &HashMap<AccountId, u32>| i64::from(of.get(id).copied().unwrap_or(0));
            (id.clone(), limit - count(&used) - count(&queued))
        });
        let left = left.collect();
        Ok(Self { accounts: stored.into_iter().map(|stored| stored.account).collect(), left })
    }

    /// Messages that may be queued for all that a plan may use.
    fn all(&self, plan: &Plan, channel: Channel) -> i64 {
        let room = |account: &Account| (self.left.get(&account.id).copied().unwrap_or(0) + SPARE).max(0);
        eligible(plan, &self.accounts, channel).map(room).sum()
    }

    /// Whoever wrote to the lead before, else the account with most room, which has less afterwards.
    fn choose(&mut self, plan: &Plan, channel: Channel, sticky: Option<&AccountId>) -> Option<Account> {
        let room = |account: &&Account| self.left.get(&account.id).copied().unwrap_or(0);
        let same = sticky.and_then(|id| eligible(plan, &self.accounts, channel).find(|account| account.id == *id));
        let chosen = match same {
            // It has its share of tomorrow already.
            Some(same) if room(&same) <= -SPARE => return None,
            Some(same) => same,
            None => eligible(plan, &self.accounts, channel).max_by_key(room)?,
        };
        let chosen = chosen.clone();
        if let Some(left) = self.left.get_mut(&chosen.id) {
            *left -= 1;
        }
        Some(chosen)
    }
}
