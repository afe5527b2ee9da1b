//! An import at work: batch after batch, in short transactions that also note how far it is. A crash loses batches and their
//! note, or neither.

use super::{
    batch::{Settled, Touched, WrittenLead, settle},
    row::{Entry, Person, Plan, read},
};
use crate::{
    domain::{
        channel::Channel,
        consent::{Act, Teller},
        email::Email,
        id::{ImportId, LeadId},
        import::{Counts, State},
        lead::Way,
        time::{SECOND, Timestamp},
    },
    server::{
        App,
        clock::new_id,
        error::Error,
        live::Topic,
        store::{
            self, Conn, Dialect,
            import::{NewReject, Position, Seen, StoredImport},
            import_lead::{Address, Known, Written},
        },
        table::Chunk,
        usecase::{
            consent::{self, Said},
            enrollment, lead,
        },
    },
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::Instant};

/// Somebody else goes on after so long without a sign of life.
const LEASE: i64 = 30 * SECOND;
/// Rows of the first batch; the next ones have as many as their time allows.
const ROWS: usize = 200;
/// The fewest and the most.
const ROWS_MIN: usize = 50;
const ROWS_MAX: usize = 500;
/// A batch that takes longer gets fewer rows: SQLite has one writer, and senders wait for the end of a batch.
const SLOW: Duration = Duration::from_millis(45);
/// One that takes less gets more.
const FAST: Duration = Duration::from_millis(30);
/// A transaction has more batches while nobody waits for its end, but no longer: so much is lost in a crash.
const LONGEST: Duration = Duration::from_millis(400);
/// Between two hints to open pages.
const HINT: i64 = SECOND / 2;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is more to do.
    More,
    /// It has ended.
    Ended,
    /// It is ours no more: it was canceled, or somebody else took it.
    Lost,
}

/// A piece of the file, read.
struct Piece {
    n: i64,
    entries: Vec<Entry>,
}

/// An import that this process works at.
pub struct Run {
    app: App,
    stored: StoredImport,
    plan: Arc<Plan>,
    token: String,
    at: Position,
    /// As it is stored.
    noted: Position,
    piece: Option<Piece>,
    /// The next piece is read while this one is written.
    ahead: Option<JoinHandle<Result<Option<Piece>, Error>>>,
    rows: usize,
    /// Rows of a transaction.
    most: usize,
    told_at: Timestamp,
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(ahead) = self.ahead.take() {
            ahead.abort();
        }
    }
}

/// Takes an import; `None` when somebody else did.
pub async fn claim(app: &App, stored: StoredImport) -> Result<Option<Run>, Error> {
    let (now, token) = (app.clock.now(), new_id(app.clock.now()));
    let id = &stored.import.id;
    let claim = async |conn: &mut Conn| {
        // One at a time for each organization, also when two machines look at the same moment.
        store::lead::lock(conn, app.db.dialect, &stored.organization_id).await?;
        let first = store::import::claimable(conn, now).await?.into_iter().any(|other| other.import.id == *id);
        if first { store::import::claim(conn, id, &token, now, now.plus(LEASE)).await } else { Ok(None) }
    };
    let Some(at) = app.db.write(claim).await? else { return Ok(None) };
    let plan = Arc::new(Plan::of(&stored.import));
    let app = app.clone();
    Ok(Some(Run {
        app,
        stored,
        plan,
        token,
        at,
        noted: at,
        piece: None,
        ahead: None,
        rows: ROWS,
        most: usize::MAX,
        told_at: Timestamp(0),
    }))
}

async fn load(app: App, id: ImportId, n: i64, plan: Arc<Plan>) -> Result<Option<Piece>, Error> {
    let found = async { store::import::chunk(&mut *app.db.read().await?, &id, n).await }.await?;
    let Some((line, text)) = found else { return Ok(None) };
    let parsed = tokio::task::spawn_blocking(move || read(&plan, n, &Chunk { line, text })).await;
    let entries = parsed.map_err(|_| Error::Internal("reading rows panicked".to_owned()))?;
    Ok(Some(Piece { n, entries }))
}

impl Run {
    /// Which import it is.
    pub fn id(&self) -> &ImportId {
        &self.stored.import.id
    }

    /// At most so many rows in a transaction.
    #[must_use]
    pub fn of_rows(mut self, rows: usize) -> Self {
        (self.rows, self.most) = (rows, rows);
        self
    }

    /// Reads on until there is a row to do; false at the end of the file.
    async fn fill(&mut self) -> Result<bool, Error> {
        loop {
            if let Some(piece) = &self.piece {
                if usize::try_from(self.at.row).is_ok_and(|row| row < piece.entries.len()) {
                    return Ok(true);
                }
                self.at = Position { chunk: piece.n + 1, row: 0 };
                self.piece = None;
            }
            let load = |n| load(self.app.clone(), self.stored.import.id.clone(), n, self.plan.clone());
            self.piece = match self.ahead.take() {
                Some(ahead) => ahead.await.map_err(|_| Error::Internal("reading ahead panicked".to_owned()))??,
                None => load(self.at.chunk).await?,
            };
            if self.piece.is_none() {
                return Ok(false);
            }
            self.ahead = Some(tokio::spawn(load(self.at.chunk + 1)));
        }
    }

    /// Does the next rows, in one transaction. After an error nothing was changed, and the same rows are next.
    pub async fn step(&mut self) -> Result<Step, Error> {
        if !self.fill().await? {
            return self.end(State::Done, None).await;
        }
        let db = self.app.db.clone();
        let done = db.write(async |conn| self.write(conn).await).await;
        let is_ours = match done {
            Ok(is_ours) => is_ours,
            Err(error) => {
                (self.at, self.piece) = (self.noted, None);
                if let Some(ahead) = self.ahead.take() {
                    ahead.abort();
                }
                return Err(error);
            }
        };
        if !is_ours {
            return Ok(Step::Lost);
        }
        self.noted = self.at;
        self.tell(false);
        Ok(Step::More)
    }

    /// One batch after the other, as long as nobody waits for the one writer and the next rows are at hand: the pages of indexes
    /// that a transaction touches are written once for all of its rows. False when the import is ours no more.
    async fn write(&mut self, conn: &mut Conn) -> Result<bool, Error> {
        let (dialect, now, begun) = (self.app.db.dialect, self.app.clock.now(), Instant::now());
        if !self.stored.import.dry_run {
            store::lead::lock(conn, dialect, &self.stored.organization_id).await?;
        }
        let id = &self.stored.import.id;
        let held = store::import::hold(conn, id, &self.token, now.plus(LEASE)).await?;
        if held != Some(self.noted) {
            return Ok(false);
        }
        let (mut counts, mut done_rows) = (Counts::default(), 0);
        while let Some(piece) = self.piece.take() {
            let start = Instant::now();
            let done = self.batch(conn, &piece, now).await;
            self.piece = Some(piece);
            let (taken, became) = done?;
            counts = counts.and(became);
            done_rows += taken;
            self.at.row += i64::try_from(taken).unwrap_or(i64::MAX);
            self.pace(start.elapsed());
            let is_full = done_rows >= self.most || begun.elapsed() > LONGEST;
            let is_alone = dialect == Dialect::Sqlite && !self.app.db.is_waited_for();
            let is_next_there = self.has_rows() || self.ahead.as_ref().is_some_and(JoinHandle::is_finished);
            if is_full || !is_alone || !is_next_there || !self.fill().await? {
                break;
            }
        }
        store::import::advance(conn, &self.stored.import.id, &self.token, counts, self.at, now).await?;
        Ok(true)
    }

    /// Whether rows of the piece at hand are left.
    fn has_rows(&self) -> bool {
        let piece = self.piece.as_ref();
        piece.is_some_and(|piece| usize::try_from(self.at.row).is_ok_and(|row| row < piece.entries.len()))
    }

    /// Rows of a piece, from where it is: how many were looked at, and what became of them.
    async fn batch(&self, conn: &mut Conn, piece: &Piece, now: Timestamp) -> Result<(usize, Counts), Error> {
        let (app, stored) = (&self.app, &self.stored);
        let (dialect, import) = (app.db.dialect, &stored.import);
        let from = usize::try_from(self.at.row).unwrap_or(usize::MAX);
        let to = piece.entries.len().min(from + self.rows);
        let entries = &piece.entries[from..to];
        let mut known = self.known(conn, entries).await?;
        if import.dry_run {
            known = self.seen(conn, entries, known).await?;
        }
        let settled = settle(entries, known, &self.plan, || app.new_id());
        if import.dry_run {
            self.see(conn, &settled).await?;
        } else {
            let arrived: Vec<_> = settled.written().iter().map(|lead| (lead.id, lead.ways())).collect();
            lead::adopt(app, conn, &stored.organization_id, &arrived).await?;
            let written: Vec<Written<'_>> = settled.people.iter().filter_map(Touched::written).collect();
            store::import_lead::write(conn, dialect, &stored.organization_id, &written, now).await?;
            store::lead::add_tags(conn, dialect, &stored.organization_id, settled.tags()).await?;
            leads_were_written(conn, app, stored, &settled).await?;
        }
        let rejects: Vec<NewReject> = settled
            .rejects
            .iter()
            .map(|(at, fault)| NewReject {
                line: entries[*at].line,
                field: fault.column.clone(),
                reason: fault.reason.clone(),
                cells: serde_json::to_string(&entries[*at].cells.iter().collect::<Vec<_>>()).expect("texts"),
            })
            .collect();
        store::import::reject(conn, dialect, &import.id, stored.round, &rejects).await?;
        Ok((settled.taken, settled.counts))
    }

    async fn known(&self, conn: &mut Conn, entries: &[Entry]) -> Result<Vec<Known>, Error> {
        let people = entries.iter().filter_map(|entry| entry.person.as_ref().ok());
        let mut addresses = Vec::with_capacity(2 * entries.len());
        for person in people {
            let email = person.lead.email.as_ref().map(Email::as_str);
            addresses.push(Address { email, number: person.phone_key.as_deref() });
            if person.whatsapp_key.is_some() {
                addresses.push(Address { email: None, number: person.whatsapp_key.as_deref() });
            }
        }
        let (dialect, organization) = (self.app.db.dialect, &self.stored.organization_id);
        Ok(store::import_lead::known(conn, dialect, organization, &addresses).await?)
    }

    /// What the dry run itself would have changed counts before what is stored.
    async fn seen(&self, conn: &mut Conn, entries: &[Entry], known: Vec<Known>) -> Result<Vec<Known>, Error> {
        let (dialect, id, round) = (self.app.db.dialect, &self.stored.import.id, self.stored.round);
        let mut known: BTreeMap<LeadId, Known> = known.into_iter().map(|known| (known.id.clone(), known)).collect();
        let people = entries.iter().filter_map(|entry| entry.person.as_ref().ok());
        let keys = people.flat_map(Person::keys);
        let owners = store::import::seen(conn, dialect, id, round, keys).await?;
        let ids: std::collections::BTreeSet<&str> =
            owners.iter().map(|seen| seen.lead_id.as_str()).chain(known.keys().map(LeadId::as_str)).collect();
        for seen in store::import::seen(conn, dialect, id, round, ids).await? {
            let state = seen.state.as_deref().map(serde_json::from_str::<Known>);
            let Some(Ok(state)) = state else { return Err(Error::Internal("a state of a dry run".to_owned())) };
            known.insert(state.id.clone(), state);
        }
        Ok(known.into_values().collect())
    }

    async fn see(&self, conn: &mut Conn, settled: &Settled) -> Result<(), Error> {
        let mut seen = BTreeMap::new();
        for touched in settled.people.iter().filter(|touched| touched.change.is_some()) {
            let known = &touched.known;
            let state = serde_json::to_string(known).expect("plain data");
            seen.insert(known.id.to_string(), (known.id.to_string(), Some(state)));
            for key in [&known.email, &known.phone_key, &known.whatsapp_key].into_iter().flatten() {
                seen.insert(key.clone(), (known.id.to_string(), None));
            }
        }
        let seen: Vec<Seen> = seen.into_iter().map(|(key, (lead_id, state))| Seen { key, lead_id, state }).collect();
        let (dialect, id) = (self.app.db.dialect, &self.stored.import.id);
        Ok(store::import::see(conn, dialect, id, self.stored.round, &seen).await?)
    }

    /// As many rows as a short batch has room for.
    fn pace(&mut self, took: Duration) {
        if took > SLOW {
            self.rows = (self.rows / 2).max(ROWS_MIN);
        } else if took < FAST {
            self.rows = (self.rows + self.rows / 2 + 1).min(ROWS_MAX);
        }
    }

    /// Ends it.
    pub async fn end(&mut self, state: State, reason: Option<&str>) -> Result<Step, Error> {
        let (app, id, now) = (&self.app, &self.stored.import.id, self.app.clock.now());
        let end = async |conn: &mut Conn| {
            let is_ours = store::import::hold(conn, id, &self.token, now.plus(LEASE)).await?.is_some();
            if is_ours {
                store::import::finish(conn, id, &self.token, state, reason, now).await?;
            }
            Ok::<_, sqlx::Error>(is_ours)
        };
        let is_ours = app.db.write(end).await?;
        self.tell(true);
        Ok(if is_ours { Step::Ended } else { Step::Lost })
    }

    /// Leaves it to whoever comes next, at once.
    pub async fn leave(self) -> Result<(), Error> {
        let (id, token) = (&self.stored.import.id, &self.token);
        self.app.db.write(async |conn| store::import::release(conn, id, token).await).await?;
        Ok(())
    }

    fn tell(&mut self, is_end: bool) {
        let now = self.app.clock.now();
        if is_end || now.0 - self.told_at.0 >= HINT {
            self.told_at = now;
            let organization = &self.stored.organization_id;
            self.app.live.publish(organization, Topic::Imports, Some(self.stored.import.id.as_str()));
            if is_end && !self.stored.import.dry_run {
                self.app.live.publish(organization, Topic::Leads, None);
            }
        }
    }
}

/// The one place that hears of every lead that an import creates or changes, in the transaction that writes it, with the
/// addresses that the rows said. The import's own `consent_source` says why they may be written to.
async fn leads_were_written(conn: &mut Conn, app: &App, stored: &StoredImport, settled: &Settled) -> Result<(), Error> {
    let (organization, options) = (&stored.organization_id, &stored.import.options);
    let written = settled.written();
    store::import_lead::link(conn, app.db.dialect, &stored.import.id, written.iter().map(|lead| lead.id)).await?;
    let ids: Vec<LeadId> = written.iter().map(|lead| lead.id.clone()).collect();
    let tagged = settled.people.iter().filter(|one| !one.new_tags.is_empty()).map(|one| one.known.id.clone());
    let tagged: Vec<LeadId> = tagged.collect();
    if !tagged.is_empty() {
        enrollment::tagged(app, conn, organization, &tagged).await?;
    }
    if !options.consent_source.is_empty() {
        let said: Vec<Said> = written.iter().filter_map(|lead| agreed(stored, lead)).collect();
        consent::record(app, conn, &said).await?;
    }
    Ok(consent::inherit_all(app, conn, organization, &ids).await?)
}

/// What the owner of the file says of each person in it, by the first of its addresses.
fn agreed(stored: &StoredImport, lead: &WrittenLead<'_>) -> Option<Said> {
    let email = lead.email.map(|email| (Channel::Email, email.as_str()));
    let phone = || lead.phone.map(|number| (Channel::Sms, number.as_str()));
    let whatsapp = || lead.whatsapp.map(|number| (Channel::Whatsapp, number.as_str()));
    let (channel, address) = email.or_else(phone).or_else(whatsapp)?;
    Some(Said {
        organization: stored.organization_id.clone(),
        act: Act::Agreed,
        way: Way { channel, address: address.to_owned() },
        source: Teller::User,
        detail: Some(stored.import.options.consent_source.clone()),
        message: None,
    })
}
