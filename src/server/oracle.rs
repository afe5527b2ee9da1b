//! The judge of the send engine: compares what callers were promised, what the provider took and what the database says.
//!
//! It believes the provider's journal ([`simulate::journal`](super::simulate::journal)) and the callers, never the engine:
//! nothing here uses code of the worker or of a use case that sends. Behind `tern oracle`, the stories and the crash tests.

use super::{
    bucket::day_of,
    config::Settings,
    simulate::journal::{self, Entry},
    store::{
        self, Db,
        oracle::{Facts, Outbound},
    },
};
use crate::domain::{
    message::Status,
    time::{MINUTE, Timestamp},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::{self, Display, Formatter},
    path::PathBuf,
};

/// A call may reach the provider so long after its claim: one that was claimed before midnight counts to the old day.
const UNDER_WAY: i64 = 2 * MINUTE;
/// Findings of a kind that are spelt out.
const SHOWN: usize = 20;

/// What `tern oracle` is told.
#[derive(Debug, Clone, clap::Args)]
pub struct OracleArgs {
    /// The journal of `tern simulate`
    #[arg(long)]
    pub journal: PathBuf,
    /// A file with the id of every message that was answered with 202, one per line
    #[arg(long)]
    pub answered: Option<PathBuf>,
    /// The database.
    #[command(flatten)]
    pub settings: Settings,
}

/// What must not be, in sentences; five empty lists are what is promised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Messages that should have left.
    pub messages: usize,
    /// Requests that the provider accepted.
    pub accepted: usize,
    /// Messages that wait for evidence or a person.
    pub held: usize,
    /// Messages that have no end yet: queued or on their way.
    pub open: usize,
    /// Promised, and nowhere; or said to be with the provider, who knows nothing of them.
    pub lost: Vec<String>,
    /// Accepted more often than somebody asked for.
    pub doubled: Vec<String>,
    /// Accepted on a day that was used up.
    pub above_limit: Vec<String>,
    /// A state that the provider's journal contradicts.
    pub wrong_state: Vec<String>,
    /// A day's count that is not what its messages hold.
    pub drift: Vec<String>,
}

impl Verdict {
    fn kinds(&self) -> [(&'static str, &[String]); 5] {
        [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("above the limit", &self.above_limit),
            ("wrong final state", &self.wrong_state),
            ("usage drift", &self.drift),
        ]
    }

    /// Whether all is as promised.
    pub fn is_good(&self) -> bool {
        self.kinds().iter().all(|(_, found)| found.is_empty())
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let counted =
            [("messages", self.messages), ("accepted", self.accepted), ("held", self.held), ("open", self.open)];
        for (name, count) in counted {
            writeln!(f, "{name:<18}{count:>9}")?;
        }
        for (name, found) in self.kinds() {
            writeln!(f, "{name:<18}{:>9}", found.len())?;
        }
        for (name, found) in self.kinds() {
            for sentence in found.iter().take(SHOWN) {
                writeln!(f, "{name}: {sentence}")?;
            }
        }
        Ok(())
    }
}

/// Reads the database and judges. `answered` are the messages that callers were promised, where somebody noted them.
pub async fn examine(db: &Db, journal: &[Entry], answered: Option<&[String]>) -> sqlx::Result<Verdict> {
    Ok(judge(&store::oracle::load(&mut *db.read().await?).await?, journal, answered))
}

/// `tern oracle`: the verdict on a database and a journal.
pub async fn run(args: &OracleArgs) -> Result<Verdict, String> {
    let journal = journal::read(&args.journal)?;
    let answered = args.answered.as_ref().map(|path| {
        let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Ok::<_, String>(text.lines().map(str::to_owned).collect::<Vec<_>>())
    });
    let answered = answered.transpose()?;
    let wrong = |error: sqlx::Error| format!("cannot read the database: {error}");
    let db = Db::open(&args.settings.database_url()).await.map_err(wrong)?;
    let verdict = examine(&db, &journal, answered.as_deref()).await.map_err(wrong);
    db.close().await;
    verdict
}

/// What persons decided about a message, and what the provider reported of it.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// A person let it go again so often.
    again: u32,
    /// A person said that it was sent.
    is_sent: bool,
    /// A person stopped it.
    is_canceled: bool,
    /// The provider said that it failed.
    is_failed: bool,
}

/// Judges. Pure: all that it knows is in its arguments.
pub fn judge(facts: &Facts, journal: &[Entry], answered: Option<&[String]>) -> Verdict {
    let known: HashMap<&str, &Outbound> = facts.messages.iter().map(|message| (message.id.as_str(), message)).collect();
    let by_sid: HashMap<&str, &str> = facts
        .messages
        .iter()
        .filter_map(|message| Some((message.provider_message_id.as_deref()?, message.id.as_str())))
        .collect();
    let mut taken: HashMap<&str, Vec<&Entry>> = HashMap::new();
    let mut verdict = Verdict { messages: facts.messages.len(), accepted: journal.len(), ..Verdict::default() };
    for entry in journal {
        // Where no address for reports was given, the provider's name of the message tells.
        let message = entry.message.as_deref().or_else(|| by_sid.get(entry.sid.as_str()).copied());
        match message.filter(|id| known.contains_key(id)) {
            Some(id) => taken.entry(id).or_default().push(entry),
            None => verdict.lost.push(format!(
                "{} was accepted for message {}, which the database does not know",
                entry.sid,
                entry.message.as_deref().unwrap_or("(unnamed)"),
            )),
        }
    }
    let unknown = answered.unwrap_or_default().iter().filter(|id| !known.contains_key(id.as_str()));
    verdict.lost.extend(unknown.map(|id| format!("{id} was answered and is not in the database")));
    let mut told: HashMap<&str, Told> = HashMap::new();
    for event in &facts.events {
        let told = told.entry(event.message.as_str()).or_default();
        match (event.is_by_person, event.status) {
            (true, Status::Queued) => told.again += event.times,
            (true, Status::Canceled) => told.is_canceled = true,
            (true, _) => told.is_sent = true,
            (false, _) => told.is_failed = true,
        }
    }
    let by_name: HashMap<&str, &Entry> = journal.iter().map(|entry| (entry.sid.as_str(), entry)).collect();
    for message in facts.messages.iter().filter(|message| !message.is_sandbox) {
        let taken = taken.get(message.id.as_str()).map_or(&[][..], Vec::as_slice);
        let told = told.get(message.id.as_str()).copied().unwrap_or_default();
        look_at(message, taken, told, &by_name, &mut verdict);
    }
    count_days(facts, &known, &taken, &mut verdict);
    verdict
}

/// Whether the provider gave it that name, or gave it to one just like it: of equal messages to one recipient no list
/// tells which is which.
fn is_its_name(sid: &str, taken: &[&Entry], by_name: &HashMap<&str, &Entry>) -> bool {
    let like = |entry: &Entry| (entry.account.clone(), entry.to.clone(), entry.from.clone(), entry.body.clone());
    by_name.get(sid).is_some_and(|named| taken.iter().any(|entry| like(entry) == like(named)))
}

fn look_at(message: &Outbound, taken: &[&Entry], told: Told, by_name: &HashMap<&str, &Entry>, verdict: &mut Verdict) {
    let id = &message.id;
    let times = u32::try_from(taken.len()).unwrap_or(u32::MAX);
    if times > 1 + told.again {
        let sids: Vec<_> = taken.iter().map(|entry| format!("{} (try {:?})", entry.sid, entry.attempt)).collect();
        verdict.doubled.push(format!("{id} was accepted {times} times: {}", sids.join(", ")));
    }
    // One that a person let go again may be wherever it was before the provider took it once more.
    let is_taken = times > told.again;
    let mut wrong = |why: &str| verdict.wrong_state.push(format!("{id} is {} {why}", message.status.as_str()));
    match message.status {
        Status::Queued => {
            verdict.open += 1;
            if is_taken {
                wrong("although the provider accepted it");
            }
        }
        Status::Sending => verdict.open += 1,
        Status::Unknown => verdict.held += 1,
        Status::Failed if is_taken && !told.is_failed => {
            wrong("although the provider accepted it and reported no failure");
        }
        Status::Canceled if is_taken && !told.is_failed => {
            let who = if told.is_canceled { "by a person" } else { "by nobody" };
            wrong(&format!("({who}) although the provider accepted it"));
        }
        Status::Suppressed if times > 0 => wrong("although the provider accepted it"),
        Status::Failed | Status::Canceled | Status::Suppressed => {}
        Status::Accepted | Status::Sent | Status::Delivered | Status::Read | Status::Undelivered => {
            let sid = message.provider_message_id.as_deref();
            if taken.is_empty() && !told.is_sent {
                verdict.lost.push(format!("{id} is {}, and the provider never took it", message.status.as_str()));
            } else if sid.is_some_and(|sid| !is_its_name(sid, taken, by_name)) {
                wrong("by a name that the provider did not give it");
            }
        }
    }
}

/// Holds the limits and the counts of days against the journal and the tries.
fn count_days(
    facts: &Facts,
    known: &HashMap<&str, &Outbound>,
    taken: &HashMap<&str, Vec<&Entry>>,
    verdict: &mut Verdict,
) {
    type Days<'a> = BTreeMap<(&'a str, String), i64>;
    let zones: HashMap<&str, &str> =
        facts.accounts.iter().map(|account| (account.id.as_str(), account.time_zone.as_str())).collect();
    let day_of_try: HashMap<&str, &str> =
        facts.holds.iter().map(|hold| (hold.attempt.as_str(), hold.day.as_str())).collect();
    let mut accepted = Days::new();
    for (id, entries) in taken {
        let account = known[id].account.as_str();
        let zone = zones.get(account).copied().unwrap_or("UTC");
        for entry in entries {
            let day = |at: i64| day_of(Timestamp(at), zone).0;
            let today = day(entry.received_ms);
            // The day is the provider's; the engine's is believed only where midnight fell between claim and call.
            let recorded = entry.attempt.as_deref().and_then(|attempt| day_of_try.get(attempt)).copied();
            let earlier = day(entry.received_ms - UNDER_WAY);
            let day = if recorded == Some(earlier.as_str()) { earlier } else { today };
            *accepted.entry((account, day)).or_default() += 1;
        }
    }
    let limits: HashMap<&str, u32> =
        facts.accounts.iter().map(|account| (account.id.as_str(), account.daily_limit)).collect();
    for ((account, day), count) in &accepted {
        let limit = limits.get(account).copied().unwrap_or_default();
        if *count > i64::from(limit) {
            verdict.above_limit.push(format!("{account} had {count} accepted on {day}, its limit is {limit}"));
        }
    }
    // A limit of the last 24 hours is counted by the hour; its hours add up to days, too.
    let day = |key: &str| key[..key.len().min(10)].to_owned();
    let mut held = Days::new();
    for hold in &facts.holds {
        *held.entry((hold.account.as_str(), day(&hold.day))).or_default() += 1;
    }
    let mut used = Days::new();
    for row in &facts.usage {
        *used.entry((row.account.as_str(), day(&row.day))).or_default() += row.used;
    }
    let days: BTreeSet<_> = held.keys().chain(used.keys()).chain(accepted.keys()).collect();
    for key in days {
        let count = |days: &Days| days.get(key).copied().unwrap_or_default();
        let (used, held, accepted) = (count(&used), count(&held), count(&accepted));
        if used != held || used < accepted {
            let (account, day) = key;
            verdict.drift.push(format!(
                "{account} counts {used} on {day}; messages hold {held}, the provider accepted {accepted}"
            ));
        }
    }
}

#[cfg(test)]
mod tests;
