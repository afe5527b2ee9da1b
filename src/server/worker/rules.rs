//! What is asked of planned messages in the moment in which they are claimed: whether they are still wanted, the hours of their
//! plan, quiet hours, and how many a person gets. What is not wanted any more is called off; who may not leave now goes back into
//! the queue with the reason and the next instant.

use crate::{
    domain::{
        channel::Channel,
        id::{EnrollmentId, LeadId, MessageId, SequenceId},
        message::{Source, Status, Waiting, WaitingReason},
        rules::Rules,
        time::{DAY, MINUTE, Timestamp},
    },
    server::{
        App, quiet,
        schedule::Clockwork,
        store::{
            self, Conn,
            account::StoredAccount,
            queue::Due,
            standing::{PutOff, Stand, Standing},
        },
    },
};
use std::{collections::HashMap, mem};

/// What waits for nothing that has an instant is looked at again after so long. A sequence that goes on again releases it itself.
const AGAIN: i64 = 5 * MINUTE;

type Runs = HashMap<EnrollmentId, Stand>;

/// Puts back what must wait, of what was claimed for an account, and calls off what is not wanted any more.
pub async fn hold(
    app: &App,
    conn: &mut Conn,
    stored: &StoredAccount,
    due: &mut Vec<Due>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let runs: Vec<&EnrollmentId> = due.iter().filter_map(|one| one.enrollment_id.as_ref()).collect();
    if runs.is_empty() {
        return Ok(());
    }
    let runs = store::standing::find(conn, app.db.dialect, runs).await?;
    call_off(app, conn, &runs, due, now).await?;
    let rules = store::rules::find(conn, &stored.organization_id).await?;
    let mut held = Held { waiting: Vec::new(), now };
    held.take(due, |one| {
        let is_held = runs.get(one.enrollment_id.as_ref()?)?.standing == Standing::Held;
        is_held.then(|| (WaitingReason::Paused, None, "Its sequence or campaign is paused.".to_owned()))
    });
    keep_hours(app, conn, stored, &rules, &runs, due, &mut held).await?;
    if rules.quiet_hours && stored.account.channel != Channel::Email {
        let detail = "It is night, or a day of rest, where its recipient is.";
        held.take(due, |one| {
            let until = quiet::next(now, &one.to, one.time_zone.as_deref(), &rules.time_zone);
            (until > now).then(|| (WaitingReason::QuietHours, Some(until), detail.to_owned()))
        });
    }
    cap(app, conn, &rules, due, &mut held).await?;
    store::standing::put_off(conn, app.db.dialect, &held.waiting, now).await
}

/// What has to wait.
struct Held {
    waiting: Vec<PutOff>,
    now: Timestamp,
}

impl Held {
    /// Takes planned messages out of `due` that wait for a reason, perhaps until an instant.
    fn take(
        &mut self,
        due: &mut Vec<Due>,
        mut why: impl FnMut(&Due) -> Option<(WaitingReason, Option<Timestamp>, String)>,
    ) {
        let now = self.now;
        for one in mem::take(due) {
            match why(&one).filter(|_| one.enrollment_id.is_some()) {
                Some((reason, until, detail)) => self.waiting.push(PutOff {
                    id: one.id,
                    due_at: until.unwrap_or_else(|| now.plus(AGAIN)),
                    waiting: Waiting { reason, since: now, until, detail },
                }),
                None => due.push(one),
            }
        }
    }
}

/// A message that was under way when its run ended, or its campaign was canceled, is back in the queue when its call did not
/// reach the provider: nothing more of it leaves.
async fn call_off(app: &App, conn: &mut Conn, runs: &Runs, due: &mut Vec<Due>, now: Timestamp) -> sqlx::Result<()> {
    let is_wanted = |one: &Due| match &one.enrollment_id {
        Some(run) => runs.get(run).is_some_and(|run| run.standing != Standing::Over),
        None => true,
    };
    let (wanted, over): (Vec<Due>, Vec<Due>) = mem::take(due).into_iter().partition(is_wanted);
    *due = wanted;
    if over.is_empty() {
        return Ok(());
    }
    let ids: Vec<MessageId> = over.into_iter().map(|one| one.id).collect();
    store::standing::call_off(conn, app.db.dialect, &ids, now).await?;
    let event = |id| {
        let mut event = store::message::event(app.new_id(), now, Status::Canceled, Source::Worker);
        event.detail = Some("The lead's run has ended.".to_owned());
        (id, event)
    };
    let events: Vec<_> = ids.into_iter().map(event).collect();
    store::message::insert_events(conn, app.db.dialect, &events).await
}

/// Nothing leaves outside of the hours of its plan, by the clock of its lead, however long it waited for its account.
async fn keep_hours(
    app: &App,
    conn: &mut Conn,
    stored: &StoredAccount,
    rules: &Rules,
    runs: &Runs,
    due: &mut Vec<Due>,
    held: &mut Held,
) -> sqlx::Result<()> {
    let mut clocks: HashMap<(&SequenceId, u32), Clockwork> = HashMap::new();
    for run in due.iter().filter_map(|one| runs.get(one.enrollment_id.as_ref()?)) {
        let version = (&run.sequence_id, run.version);
        if clocks.contains_key(&version) {
            continue;
        }
        let plan = app.plans.find(conn, &stored.organization_id, version.0, version.1).await?;
        if let Some(plan) = plan {
            clocks.insert(version, Clockwork::new(&plan, rules));
        }
    }
    let now = held.now;
    held.take(due, |one| {
        let run = runs.get(one.enrollment_id.as_ref()?)?;
        let next = clocks.get(&(&run.sequence_id, run.version))?.next(now, one.time_zone.as_deref());
        let until = next.unwrap_or_else(|| now.plus(DAY));
        let detail = || "It leaves in the hours of its sequence or campaign, by the clock of its recipient.".to_owned();
        (until > now).then(|| (WaitingReason::Scheduled, Some(until), detail()))
    });
    Ok(())
}

/// How many more a person gets in a stretch of time, and since when those before count.
struct Room {
    stretch: i64,
    words: String,
    left: HashMap<LeadId, (i64, Timestamp)>,
}

/// No more than so many messages a day and in seven days reach a person, over all accounts and channels. All count; only
/// planned ones wait.
async fn cap(app: &App, conn: &mut Conn, rules: &Rules, due: &mut Vec<Due>, held: &mut Held) -> sqlx::Result<()> {
    let caps = [(rules.cap_per_day, DAY, "a day"), (rules.cap_per_week, 7 * DAY, "in seven days")];
    let caps: Vec<_> = caps.into_iter().filter_map(|(cap, stretch, words)| Some((cap?, stretch, words))).collect();
    let planned = due.iter().filter(|one| one.enrollment_id.is_some());
    let leads: Vec<LeadId> = planned.filter_map(|one| one.lead_id.clone()).collect();
    if caps.is_empty() || leads.is_empty() {
        return Ok(());
    }
    let now = held.now;
    // Claims of other machines wait here: two accounts never give one person the last message both.
    store::lead::lock_many(conn, app.db.dialect, &leads).await?;
    // What has to wait for another reason, and is still under way where it is counted.
    store::standing::put_off(conn, app.db.dialect, &held.waiting, now).await?;
    held.waiting.clear();
    let mut rooms = Vec::with_capacity(caps.len());
    for (cap, stretch, words) in caps {
        let contacts = store::queue::count_contacts(conn, app.db.dialect, &leads, now.plus(-stretch)).await?;
        let mut left: HashMap<LeadId, (i64, Timestamp)> = HashMap::new();
        for one in due.iter() {
            let Some(lead) = &one.lead_id else { continue };
            let Some(contact) = contacts.get(lead) else { continue };
            // What was claimed now counts already.
            left.entry(lead.clone()).or_insert((i64::from(cap) - contact.count, contact.oldest)).0 += 1;
        }
        let words = format!("Its recipient gets {cap} messages {words} at most, over all accounts and channels.");
        rooms.push(Room { stretch, words, left });
    }
    held.take(due, |one| {
        let lead = one.lead_id.as_ref()?;
        let full = rooms.iter().filter(|room| room.left.get(lead).is_some_and(|(left, _)| *left <= 0));
        let until = |room: &Room| room.left.get(lead).map(|(_, oldest)| oldest.plus(room.stretch + 1).max(now.plus(1)));
        let waits = full.max_by_key(|room| until(room));
        let waits = waits.map(|room| (WaitingReason::ContactCap, until(room), room.words.clone()));
        // Only what leaves takes up room; what nobody planned leaves in any case.
        if waits.is_none() || one.enrollment_id.is_none() {
            for room in &mut rooms {
                if let Some((left, _)) = room.left.get_mut(lead) {
                    *left -= 1;
                }
            }
        }
        waits
    });
    Ok(())
}
