//! The forecast of a campaign, or of runs through a sequence, by the real scheduler: what it depends on is copied into a database
//! of its own, where the same worker works on a clock that goes from one instant at which something happens to the next, and
//! everything is accepted at once. Nothing leaves, and nothing here changes.
//!
//! What competes for the same accounts is in it, too: other sequences and campaigns, and all that is queued.

use super::{
    campaign,
    enrollment::{self, Wanted},
    sequence,
};
use crate::{
    domain::{
        account::Account,
        audience::Audience,
        campaign::{CampaignState, Excluded},
        id::{AccountId, CampaignId, LeadId, OrganizationId, SequenceId},
        lead::Lead,
        page::Limit,
        rehearsal::{AccountDay, LISTED, LeftOut, Planned, Rehearsal},
        time::{DAY, Timestamp},
    },
    server::{
        App, Who,
        bucket::{Bucket, day_of},
        channel::imagined::Imagined,
        clock::{VirtualClock, new_id},
        error::Error,
        store::{self, Conn, Db, campaign::sequence_of, rehearsal::Copy},
        worker::Worker,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// People whom a forecast can hold.
const PEOPLE_MAX: usize = 200_000;
/// It ends so long after now.
const HORIZON: i64 = 366 * DAY;
/// How long it may take to make one: with the wait for another one it ends before a request does.
pub const PATIENCE: Duration = Duration::from_secs(35);
/// How long somebody waits for another forecast to be made.
const TURN: Duration = Duration::from_secs(20);
/// What was sent before may still count: against the limit of any 24 hours, against a cap of seven days.
const LOOKS_BACK: i64 = 8 * DAY;

/// A database that goes with its owner.
struct Stage {
    db: Db,
    folder: PathBuf,
}

impl Stage {
    async fn open(app: &App) -> Result<Self, Error> {
        let folder = app.settings.data_dir.join("forecast").join(new_id(app.clock.now()));
        let failed = |error: std::io::Error| Error::Internal(format!("no room for a forecast: {error}"));
        fs::create_dir_all(&folder).map_err(failed)?;
        let db = Db::open_imagined(&folder.join("forecast.db")).await;
        let stage = match db {
            Ok(db) => Self { db, folder },
            Err(error) => {
                let _ = fs::remove_dir_all(&folder);
                return Err(error.into());
            }
        };
        let migrated = stage.db.migrate().await;
        migrated.map_err(|error| Error::Internal(format!("no schema for a forecast: {error}")))?;
        Ok(stage)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
        if let Some(all) = self.folder.parent() {
            let _ = fs::remove_dir(all); // only when it was the last one
        }
    }
}

/// What a process that died has left of its forecasts.
pub fn sweep(app: &App) {
    let _ = fs::remove_dir_all(app.settings.data_dir.join("forecast"));
}

/// What a campaign will send, from where it is.
pub async fn campaign(who: &Who, id: &CampaignId, patience: Duration) -> Result<Rehearsal, Error> {
    let campaign = campaign::load(who, id).await?.campaign;
    if matches!(campaign.state, CampaignState::Done | CampaignState::Canceled) {
        return Err(Error::conflict("ended", "This campaign has ended: there is nothing left to forecast"));
    }
    let is_new = !campaign.is_gathered;
    let audience = is_new.then_some(campaign.audience);
    let wanted = audience.clone().map(Wanted::Audience);
    rehearse(who, (&sequence_of(id), id.as_str()), wanted.as_ref(), patience, async |actor| {
        match campaign.state {
            CampaignState::Draft => drop(campaign::start(actor, id).await?),
            CampaignState::Paused => drop(campaign::resume(actor, id).await?),
            _ => {}
        }
        match audience {
            Some(audience) => left_out(actor, &sequence_of(id), &audience).await,
            None => Ok(Vec::new()),
        }
    })
    .await
}

/// What a sequence will send to people who are enrolled now.
pub async fn sequence(who: &Who, id: &SequenceId, wanted: &Wanted, patience: Duration) -> Result<Rehearsal, Error> {
    sequence::load(who, id).await?;
    rehearse(who, (id, ""), Some(wanted), patience, async |actor| {
        sequence::activate(actor, id).await?;
        let enrolled = enrollment::enroll(actor, id, wanted).await?;
        let skipped = enrolled.skipped.into_iter();
        named(actor, skipped.filter_map(|one| Some((one.lead_id.parse().ok()?, String::new(), one.reason))).collect())
            .await
    })
    .await
}

/// The same with the names of those who are listed.
async fn named(actor: &Who, mut out: LeftOuts) -> Result<LeftOuts, Error> {
    let (app, organization) = (&actor.app, &actor.organization.id);
    let mut conn = app.db.read().await?;
    let ids = out.iter().take(LISTED).map(|(id, ..)| id);
    let leads = store::lead::find_many(&mut conn, app.db.dialect, organization, ids).await?;
    let labels: BTreeMap<&LeadId, &str> = leads.iter().map(|lead| (&lead.id, lead.label())).collect();
    for (id, name, _) in &mut out {
        if let Some(label) = labels.get(id) {
            (*label).clone_into(name);
        }
    }
    Ok(out)
}

/// Who gets nothing, what they are called, and why.
type LeftOuts = Vec<(LeadId, String, String)>;

async fn rehearse(
    who: &Who,
    (sequence, campaign): (&SequenceId, &str),
    wanted: Option<&Wanted>,
    patience: Duration,
    begin: impl AsyncFnOnce(&Who) -> Result<LeftOuts, Error>,
) -> Result<Rehearsal, Error> {
    let app = &who.app;
    let busy = || Error::too_soon("Another forecast is being made. Try again in a moment.", 5_000);
    let _turn = timeout(TURN, app.rehearsing.acquire()).await.map_err(|_| busy())?.map_err(|_| busy())?;
    let (deadline, start) = (Instant::now() + patience, app.clock.now());
    let stage = Stage::open(app).await?;
    copy(who, &stage.db, (sequence, campaign), wanted).await?;
    let (clock, sender) = (Arc::new(VirtualClock::new(start)), Arc::new(Imagined::default()));
    let imagined = app.imagine(stage.db.clone(), clock.clone(), sender.clone());
    let actor = Who { app: imagined.clone(), ..who.clone() };
    let left_out = begin(&actor).await?;
    let worker = Worker::new(imagined.clone());
    let organization = &who.organization.id;
    let is_complete = loop {
        // One look is a mouthful: it looks again while something leaves.
        loop {
            let before = sender.taken();
            worker.turn().await?;
            if sender.taken() == before || Instant::now() > deadline {
                break;
            }
        }
        if store::rehearsal::count_waiting(&mut *stage.db.read().await?, sequence).await? == 0
            && is_gathered(&actor, campaign).await?
        {
            break true;
        }
        match worker.next_turn(organization).await? {
            Some(next) if next.0 <= start.0 + HORIZON && Instant::now() < deadline => clock.set(next),
            _ => break false,
        }
    };
    let told = tell(&actor, sequence, left_out, is_complete, start).await;
    stage.db.close().await;
    told
}

/// Whether everybody is on the way: a campaign for later has nobody who waits yet.
async fn is_gathered(actor: &Who, campaign: &str) -> Result<bool, Error> {
    match campaign.parse::<CampaignId>() {
        Ok(id) => Ok(campaign::load(actor, &id).await?.campaign.is_gathered),
        Err(_) => Ok(true),
    }
}

/// Copies what the forecast depends on, as it is at one instant.
async fn copy(
    who: &Who,
    to: &Db,
    (sequence, campaign): (&SequenceId, &str),
    wanted: Option<&Wanted>,
) -> Result<(), Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let (since, day) = (now.plus(-LOOKS_BACK), day_of(now.plus(-LOOKS_BACK), "UTC").0);
    let from = &app.db;
    from.snapshot(async |from| {
        to.write(async |to| {
            let mut people = BTreeSet::new();
            let dialect = app.db.dialect;
            let accounts = store::account::list(from, organization).await?;
            let mut sequences = store::rehearsal::list_active(from, organization).await?;
            // One that is held goes on in the forecast.
            if !sequences.contains(sequence) {
                sequences.push(sequence.clone());
            }
            let mut copy = Copy { from, dialect, to, organization };
            copy.frame(campaign, &day).await?;
            match wanted {
                Some(Wanted::Leads(typed)) => {
                    let known: Vec<LeadId> = typed.iter().filter_map(|id| id.trim().parse().ok()).collect();
                    add(&mut copy, &mut people, known, since).await?;
                }
                Some(Wanted::Audience(audience)) => {
                    let mut cursor = None;
                    loop {
                        let page = meant(app, copy.from, organization, audience, cursor.as_ref()).await?;
                        add(&mut copy, &mut people, page.0.into_iter().map(|lead| lead.id).collect(), since).await?;
                        match page.1 {
                            Some(next) => cursor = Some(next),
                            None => break,
                        }
                    }
                }
                None => {}
            }
            for one in &sequences {
                let mut after = None;
                loop {
                    let leads = store::rehearsal::list_on_the_way(copy.from, organization, one, after.as_ref()).await?;
                    let Some(last) = leads.last() else { break };
                    after = Some(last.clone());
                    add(&mut copy, &mut people, leads, since).await?;
                }
            }
            for stored in &accounts {
                let mut place = Some((i64::MIN, String::new()));
                while let Some(at) = place {
                    let (leads, next) = copy.queue(&stored.account.id, at, campaign).await?;
                    add(&mut copy, &mut people, leads, since).await?;
                    place = next;
                }
            }
            Ok(())
        })
        .await
    })
    .await
}

/// Copies people who are not there yet.
async fn add(
    copy: &mut Copy<'_>,
    people: &mut BTreeSet<LeadId>,
    leads: Vec<LeadId>,
    since: Timestamp,
) -> Result<(), Error> {
    let new: Vec<LeadId> = leads.into_iter().filter(|lead| people.insert(lead.clone())).collect();
    if people.len() > PEOPLE_MAX {
        let message = format!("A forecast can hold {PEOPLE_MAX} people, and there are more who are on the way");
        return Err(Error::conflict("too_many", &message));
    }
    for batch in new.chunks(store::rehearsal::PAGE.into()) {
        copy.leads(batch, since).await?;
    }
    Ok(())
}

/// A page of an audience, and where the next one begins.
async fn meant(
    app: &App,
    conn: &mut Conn,
    organization: &OrganizationId,
    audience: &Audience,
    cursor: Option<&LeadId>,
) -> Result<(Vec<Lead>, Option<LeadId>), Error> {
    let (dialect, searched, now) = (app.db.dialect, store::audience::SEARCHED, app.clock.now());
    let page =
        store::audience::list(conn, dialect, organization, audience, cursor, Limit::batch(), searched, now).await?;
    Ok((page.data, page.next_cursor.and_then(|next| next.parse().ok())))
}

/// Of an audience whoever a campaign would leave out.
async fn left_out(actor: &Who, id: &SequenceId, audience: &Audience) -> Result<LeftOuts, Error> {
    let (app, organization) = (&actor.app, &actor.organization.id);
    let mut conn = app.db.read().await?;
    let found = store::sequence::find(&mut conn, app.db.dialect, id, organization).await?;
    let sequence = found.ok_or_else(Error::not_found)?;
    let (mut out, mut cursor) = (Vec::new(), None);
    loop {
        let (leads, next) = meant(app, &mut conn, organization, audience, cursor.as_ref()).await?;
        let ahead = enrollment::look_ahead(app, &mut conn, organization, &sequence, &leads).await?;
        let refused = ahead.into_iter().filter_map(|(lead, due)| Some((lead, due.err()?)));
        out.extend(refused.map(|(lead, reason)| (lead.id.clone(), lead.label().to_owned(), reason.to_owned())));
        match next {
            Some(next) => cursor = Some(next),
            None => return Ok(out),
        }
    }
}

/// What came of it.
async fn tell(
    actor: &Who,
    sequence: &SequenceId,
    mut left_out: LeftOuts,
    is_complete: bool,
    start: Timestamp,
) -> Result<Rehearsal, Error> {
    let (app, organization) = (&actor.app, &actor.organization.id);
    let mut conn = app.db.read().await?;
    let data = store::rehearsal::list_sent(&mut conn, app.db.dialect, organization, sequence, start).await?;
    left_out.extend(store::rehearsal::list_stopped(&mut conn, organization, sequence, start).await?);
    let mut excluded = BTreeMap::<String, u32>::new();
    for (.., reason) in &left_out {
        *excluded.entry(reason.clone()).or_default() += 1;
    }
    let accounts = store::account::list(&mut conn, organization).await?;
    let accounts: BTreeMap<AccountId, Account> =
        accounts.into_iter().map(|stored| (stored.account.id.clone(), stored.account)).collect();
    let used = store::usage::list(&mut conn, organization, &day_of(start.plus(-DAY), "UTC").0).await?;
    let waiting = store::rehearsal::count_waiting(&mut conn, sequence).await?;
    let people: BTreeSet<&LeadId> = data.iter().map(|planned| &planned.lead_id).collect();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let named = left_out.into_iter().take(LISTED).map(|(lead_id, lead, reason)| LeftOut { lead_id, lead, reason });
    Ok(Rehearsal {
        people: count(people.len()),
        messages: count(data.len()),
        segments: data.iter().map(|planned| planned.segments).sum(),
        starts_at: data.first().map(|planned| planned.at),
        ends_at: data.last().map(|planned| planned.at),
        is_complete,
        waiting,
        excluded: excluded.into_iter().map(|(reason, count)| Excluded { reason, count }).collect(),
        excluded_leads: named.collect(),
        days: days(&data, &accounts, &used),
        data,
    })
}

/// What each account sends on each of its days.
fn days(data: &[Planned], accounts: &BTreeMap<AccountId, Account>, used: &[(String, String, i64)]) -> Vec<AccountDay> {
    let mut days = BTreeMap::<(String, AccountId), AccountDay>::new();
    for planned in data {
        let Some(account) = accounts.get(&planned.account_id) else { continue };
        let day = Bucket::at(planned.at, &account.pace, None).key[..10].to_owned();
        let entry = days.entry((day.clone(), account.id.clone())).or_insert_with(|| AccountDay {
            used: used
                .iter()
                .filter(|(id, key, _)| *id == account.id.as_str() && key.starts_with(&day))
                .map(|(.., used)| u32::try_from(*used).unwrap_or_default())
                .sum(),
            limit: account.pace.limit_of_day(account.daily_limit, planned.at),
            day,
            account_id: account.id.clone(),
            account: account.display_name.clone(),
            sent: 0,
            is_full: false,
        });
        entry.sent += 1;
        entry.is_full = entry.used >= entry.limit;
    }
    days.into_values().collect()
}
