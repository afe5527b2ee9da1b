//! What is asked of planned messages in the moment in which they are claimed: quiet hours, and how many a person gets. Who may
//! not leave now goes back into the queue with the reason and the next instant; nothing is dropped.

use crate::{
    domain::{
        channel::Channel,
        id::{LeadId, MessageId},
        message::{Waiting, WaitingReason},
        rules::Rules,
        time::{DAY, Timestamp},
    },
    server::{
        App, quiet,
        store::{self, Conn, account::StoredAccount, queue::Due},
    },
};
use std::{collections::HashMap, mem};

/// Puts back what must wait, of what was claimed for an account.
pub async fn hold(
    app: &App,
    conn: &mut Conn,
    stored: &StoredAccount,
    due: &mut Vec<Due>,
    now: Timestamp,
) -> sqlx::Result<()> {
    if !due.iter().any(|one| one.is_planned) {
        return Ok(());
    }
    let rules = store::rules::find(conn, &stored.organization_id).await?;
    let mut held: Vec<(MessageId, Waiting)> = Vec::new();
    if rules.quiet_hours && stored.account.channel != Channel::Email {
        let until = |one: &Due| quiet::next(now, &one.to, one.time_zone.as_deref(), &rules.time_zone);
        hold_back(due, &mut held, |one| {
            let until = until(one);
            (until > now).then(|| Waiting {
                reason: WaitingReason::QuietHours,
                since: now,
                until: Some(until),
                detail: "It is night, or a day of rest, where its recipient is.".to_owned(),
            })
        });
    }
    cap(app, conn, &rules, due, &mut held, now).await?;
    if held.is_empty() {
        return Ok(());
    }
    store::queue::put_off(conn, app.db.dialect, &held, now).await
}

/// Takes out of `due` what waits for a reason.
fn hold_back(due: &mut Vec<Due>, held: &mut Vec<(MessageId, Waiting)>, mut why: impl FnMut(&Due) -> Option<Waiting>) {
    for one in mem::take(due) {
        match why(&one).filter(|_| one.is_planned) {
            Some(waiting) => held.push((one.id, waiting)),
            None => due.push(one),
        }
    }
}

/// No more than so many messages a day and in seven days reach a person, over all accounts and channels. All count; only
/// planned ones wait.
async fn cap(
    app: &App,
    conn: &mut Conn,
    rules: &Rules,
    due: &mut Vec<Due>,
    held: &mut Vec<(MessageId, Waiting)>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let caps = [(rules.cap_per_day, DAY, "a day"), (rules.cap_per_week, 7 * DAY, "in seven days")];
    for (cap, stretch, words) in caps {
        let Some(cap) = cap else { continue };
        let leads: Vec<LeadId> =
            due.iter().filter(|one| one.is_planned).filter_map(|one| one.lead_id.clone()).collect();
        // Claims of other machines wait here: two accounts never give one person the last message both.
        store::lead::lock_many(conn, app.db.dialect, &leads).await?;
        let since = now.plus(-stretch);
        let contacts = store::queue::count_contacts(conn, app.db.dialect, &leads, since).await?;
        // What was claimed now counts already.
        let mut left: HashMap<LeadId, (i64, Timestamp)> = HashMap::new();
        for one in due.iter() {
            let Some(lead) = &one.lead_id else { continue };
            let Some(contact) = contacts.get(lead) else { continue };
            let (room, _) = left.entry(lead.clone()).or_insert((i64::from(cap) - contact.count, contact.oldest));
            *room += 1;
        }
        hold_back(due, held, |one| {
            let (room, oldest) = left.get_mut(one.lead_id.as_ref()?)?;
            *room -= 1;
            (*room < 0).then(|| Waiting {
                reason: WaitingReason::ContactCap,
                since: now,
                until: Some(oldest.plus(stretch + 1).max(now.plus(1))),
                detail: format!("Its recipient gets {cap} messages {words} at most, over all accounts and channels."),
            })
        });
    }
    Ok(())
}
