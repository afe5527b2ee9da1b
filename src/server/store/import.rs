//! Imports: their files in pieces, how far they are, what was rejected, what columns meant last time.

use super::{Conn, Dialect, Sql, batch, gather, gathered, row, rows};
use crate::domain::{
    id::{ImportId, OrganizationId},
    import::{Counts, Import, OnDuplicate, Options, Rejected, State, column::Field},
    page::{Limit, Page},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, organization_id, state, dry_run, round, file_name, encoding, delimiter, has_header, columns, sample, mapping, \
             tags, on_duplicate, default_country, consent_source, rows_total, created, updated, skipped, failed, reason, chunk, \
             chunk_row, created_at, updated_at, ended_at from import where ",
            $rest
        )
    };
}

const INSERT: &str = "insert into import (id, organization_id, state, dry_run, round, file_name, encoding, delimiter, has_header, columns, \
     sample, mapping, tags, on_duplicate, default_country, consent_source, rows_total, created, updated, skipped, failed, chunk, \
     chunk_row, sweep_at, created_at, updated_at) values ($1, $2, 'uploading', 0, 0, $3, '', '', 0, '[]', '[]', '[]', '[]', 'update', \
     '', '', 0, 0, 0, 0, 0, 0, 0, $5, $4, $4)";
const ADD_CHUNK: &str = "insert into import_chunk (import_id, n, line, text) values ($1, $2, $3, $4)";
const READY: &str = "update import set state = 'draft', encoding = $3, delimiter = $4, has_header = $5, columns = $6, sample = $7, \
     mapping = $8, rows_total = $9, updated_at = $10 where id = $1 and organization_id = $2 and state = 'uploading' returning id";
/// An upload that failed is never seen, and swept away.
const DISCARD: &str = "update import set state = 'canceled', sweep_at = $3 where id = $1 and organization_id = $2 and state = 'uploading'";
/// What columns mean, and how rows are read, of one that is not running.
const SETTLE: &str = "update import set has_header = $3, columns = $4, mapping = $5, rows_total = $6, on_duplicate = $7, default_country = $8, \
     tags = $9, consent_source = $10, updated_at = $11 where id = $1 and organization_id = $2 \
     and (state = 'draft' or (state = 'done' and dry_run = 1)) returning id";
/// From the beginning; what an earlier round left is swept away.
const START: &str = "update import set state = 'running', dry_run = $3, round = round + 1, created = 0, updated = 0, skipped = 0, failed = 0, \
     reason = null, chunk = 0, chunk_row = 0, lease_token = null, lease_until = null, sweep_at = $4, updated_at = $4, ended_at = null \
     where id = $1 and organization_id = $2 and (state = 'draft' or (state = 'done' and dry_run = 1)) returning id";
const CANCEL: &str = "update import set state = 'canceled', lease_token = null, lease_until = null, sweep_at = $3, updated_at = $3, \
     ended_at = $3 where id = $1 and organization_id = $2 and (state in ('draft', 'running') or (state = 'done' and dry_run = 1)) \
     returning id";
const FIND: &str = select!("id = $1 and organization_id = $2 and encoding <> ''");
const LIST: &str = select!("organization_id = $1 and id < $2 and encoding <> '' order by id desc limit $3");
/// The oldest of each organization that nobody works at; of the others one is worked at.
const CLAIMABLE: &str = select!(
    "state = 'running' and id = (select i.id from import i where i.state = 'running' and \
     i.organization_id = import.organization_id order by i.id limit 1) and (lease_until is null or lease_until <= $1) order by id limit 20"
);
const CLAIM: &str = "update import set lease_token = $2, lease_until = $4 where id = $1 and state = 'running' \
     and (lease_until is null or lease_until <= $3) returning chunk, chunk_row";
/// Ours still: nobody canceled it, and the lease was not lost.
const HOLD: &str = "update import set lease_until = $3 where id = $1 and lease_token = $2 and state = 'running' returning chunk, chunk_row";
const RELEASE: &str = "update import set lease_token = null, lease_until = null where id = $1 and lease_token = $2";
const RELEASE_ALL: &str = "update import set lease_token = null, lease_until = null where state = 'running'";
const ADVANCE: &str = "update import set created = created + $3, updated = updated + $4, skipped = skipped + $5, failed = failed + $6, \
     chunk = $7, chunk_row = $8, updated_at = $9 where id = $1 and lease_token = $2";
const FINISH: &str = "update import set state = $3, reason = $4, lease_token = null, lease_until = null, sweep_at = $5, updated_at = $5, \
     ended_at = $5 where id = $1 and lease_token = $2";
const CHUNK: &str = "select line, text from import_chunk where import_id = $1 and n = $2";
const REJECTED: &str = "select r.line, r.field, r.reason, r.cells from import i join import_reject r on r.import_id = i.id and r.round = i.round \
     where i.id = $1 and i.organization_id = $2 and r.line > $3 order by r.line limit $4";
macro_rules! reject {
    ($dialect:ident) => {
        concat!(
            "insert into import_reject (import_id, round, line, field, reason, cells) \
             select $2, $3, cast(x.line as bigint), x.field, x.reason, x.cells from ",
            rows!($dialect, line bigint, field text, reason text, cells text),
            " where true"
        )
    };
}
const REJECT: Sql = Sql { sqlite: reject!(sqlite), postgres: reject!(postgres) };
macro_rules! seen {
    ($dialect:ident) => {
        gather!(
            $dialect,
            [key, lead_id, state],
            "select s.key, s.lead_id, s.state from ",
            rows!($dialect, key text),
            " cross join import_seen s where s.import_id = $2 and s.round = $3 and s.key = x.key"
        )
    };
}
/// What a dry run has seen of addresses and people.
const SEEN: Sql = Sql { sqlite: seen!(sqlite), postgres: seen!(postgres) };
macro_rules! see {
    ($dialect:ident) => {
        concat!(
            "insert into import_seen (import_id, round, key, lead_id, state) select $2, $3, x.key, x.lead_id, x.state from ",
            rows!($dialect, key text, lead_id text, state text),
            " where true on conflict (import_id, round, key) do update set lead_id = excluded.lead_id, state = excluded.state"
        )
    };
}
const SEE: Sql = Sql { sqlite: see!(sqlite), postgres: see!(postgres) };
const RECALL: &str = "select mapping from import_mapping where organization_id = $1 and columns = $2";
const REMEMBER: &str = "insert into import_mapping (organization_id, columns, mapping, updated_at) values ($1, $2, $3, $4) \
     on conflict (organization_id, columns) do update set mapping = excluded.mapping, updated_at = excluded.updated_at";
const SWEEPABLE: &str = select!("sweep_at <= $1 order by sweep_at limit 20");
const NEXT_SWEEP: &str = "select min(sweep_at) from import where sweep_at is not null";
const SWEEP_CHUNKS: &str = "delete from import_chunk where import_id = $1 and n in \
     (select c.n from import_chunk c where c.import_id = $1 order by c.n limit $2) returning n";
const SWEEP_SEEN: &str = "delete from import_seen where import_id = $1 and (round, key) in \
     (select s.round, s.key from import_seen s where s.import_id = $1 and s.round <> $2 order by s.round, s.key limit $3) returning round";
const SWEEP_REJECTS: &str = "delete from import_reject where import_id = $1 and (round, line) in \
     (select r.round, r.line from import_reject r where r.import_id = $1 and r.round <> $2 order by r.round, r.line limit $3) \
     returning round";
/// When to come again; a draft that nobody began is given up.
const SWEPT: &str = "update import set sweep_at = $4, state = case when $5 = 1 then 'canceled' else state end \
     where id = $1 and round = $2 and state = $3";
const FORGET: &str = "delete from import where id = $1 and encoding = ''";

/// For the prepare test.
pub const STATEMENTS: &[&str] = &[
    INSERT,
    ADD_CHUNK,
    READY,
    DISCARD,
    SETTLE,
    START,
    CANCEL,
    FIND,
    LIST,
    CLAIMABLE,
    CLAIM,
    HOLD,
    RELEASE,
    RELEASE_ALL,
    ADVANCE,
    FINISH,
    CHUNK,
    REJECTED,
    RECALL,
    REMEMBER,
    SWEEPABLE,
    NEXT_SWEEP,
    SWEEP_CHUNKS,
    SWEEP_SEEN,
    SWEEP_REJECTS,
    SWEPT,
    FORGET,
];

/// Statements that differ.
pub const DUAL: &[Sql] = &[REJECT, SEEN, SEE];

/// An import, and what only the server knows of it.
#[derive(Debug, Clone)]
pub struct StoredImport {
    /// As its organization sees it.
    pub import: Import,
    /// Whose.
    pub organization_id: OrganizationId,
    /// The first rows, the one with names among them.
    pub first: Vec<Vec<String>>,
    /// Which start this is.
    pub round: i64,
}

#[derive(sqlx::FromRow)]
struct ImportRow {
    id: String,
    organization_id: String,
    state: String,
    dry_run: i64,
    round: i64,
    file_name: String,
    encoding: String,
    delimiter: String,
    has_header: i64,
    columns: String,
    sample: String,
    mapping: String,
    tags: String,
    on_duplicate: String,
    default_country: String,
    consent_source: String,
    rows_total: i64,
    created: i64,
    updated: i64,
    skipped: i64,
    failed: i64,
    reason: Option<String>,
    created_at: i64,
    updated_at: i64,
    ended_at: Option<i64>,
}

impl ImportRow {
    fn read(self) -> sqlx::Result<StoredImport> {
        let counts =
            Counts { created: self.created, updated: self.updated, skipped: self.skipped, failed: self.failed };
        let options = Options {
            on_duplicate: row::value("on_duplicate", &self.on_duplicate, OnDuplicate::parse)?,
            default_country: self.default_country,
            tags: row::json("tags", &self.tags)?,
            consent_source: self.consent_source,
        };
        let import = Import {
            id: row::id("id", self.id)?,
            state: row::value("state", &self.state, State::parse)?,
            dry_run: self.dry_run == 1,
            file_name: self.file_name,
            encoding: self.encoding,
            delimiter: self.delimiter,
            has_header: self.has_header == 1,
            columns: row::json("columns", &self.columns)?,
            mapping: row::json("mapping", &self.mapping)?,
            options,
            rows_total: self.rows_total,
            rows_done: counts.rows(),
            counts,
            reason: self.reason,
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
            ended_at: self.ended_at.map(Timestamp),
        };
        let organization_id = row::id("organization_id", self.organization_id)?;
        Ok(StoredImport { import, organization_id, first: row::json("sample", &self.sample)?, round: self.round })
    }
}

/// A new one, whose file is still to come; what is left of it is swept away at `sweep_at`.
pub async fn insert(
    conn: &mut Conn,
    id: &ImportId,
    organization: &OrganizationId,
    file_name: &str,
    now: Timestamp,
    sweep_at: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(INSERT).bind(id.as_str()).bind(organization.as_str()).bind(file_name);
    query.bind(now.0).bind(sweep_at.0).execute(conn).await.map(drop)
}

/// A piece of its file.
pub async fn add_chunk(conn: &mut Conn, id: &ImportId, n: i64, line: i64, text: &str) -> sqlx::Result<()> {
    sqlx::query(ADD_CHUNK).bind(id.as_str()).bind(n).bind(line).bind(text).execute(conn).await.map(drop)
}

/// The file is whole. False when it is not being uploaded.
pub async fn ready(conn: &mut Conn, stored: &StoredImport) -> sqlx::Result<bool> {
    let import = &stored.import;
    let gone = sqlx::query(READY)
        .bind(import.id.as_str())
        .bind(stored.organization_id.as_str())
        .bind(&import.encoding)
        .bind(&import.delimiter)
        .bind(i64::from(import.has_header))
        .bind(row::text(&import.columns))
        .bind(row::text(&stored.first))
        .bind(row::text(&import.mapping))
        .bind(import.rows_total)
        .bind(import.updated_at.0)
        .fetch_all(conn)
        .await?;
    Ok(!gone.is_empty())
}

/// The file will not come; what came of it is swept away.
pub async fn discard(
    conn: &mut Conn,
    id: &ImportId,
    organization: &OrganizationId,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(DISCARD).bind(id.as_str()).bind(organization.as_str()).bind(now.0).execute(conn).await.map(drop)
}

/// Writes what the columns mean and how rows are read. False when it runs or has ended.
pub async fn settle(conn: &mut Conn, stored: &StoredImport) -> sqlx::Result<bool> {
    let (import, options) = (&stored.import, &stored.import.options);
    let changed = sqlx::query(SETTLE)
        .bind(import.id.as_str())
        .bind(stored.organization_id.as_str())
        .bind(i64::from(import.has_header))
        .bind(row::text(&import.columns))
        .bind(row::text(&import.mapping))
        .bind(import.rows_total)
        .bind(options.on_duplicate.as_str())
        .bind(&options.default_country)
        .bind(row::text(&options.tags))
        .bind(&options.consent_source)
        .bind(import.updated_at.0)
        .fetch_all(conn)
        .await?;
    Ok(!changed.is_empty())
}

/// Starts it from its first row. False when it runs or has ended.
pub async fn start(
    conn: &mut Conn,
    id: &ImportId,
    organization: &OrganizationId,
    is_dry: bool,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let query = sqlx::query(START).bind(id.as_str()).bind(organization.as_str()).bind(i64::from(is_dry)).bind(now.0);
    Ok(!query.fetch_all(conn).await?.is_empty())
}

/// Ends it. False when it has ended already.
pub async fn cancel(
    conn: &mut Conn,
    id: &ImportId,
    organization: &OrganizationId,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let query = sqlx::query(CANCEL).bind(id.as_str()).bind(organization.as_str()).bind(now.0);
    Ok(!query.fetch_all(conn).await?.is_empty())
}

/// One of an organization.
pub async fn find(conn: &mut Conn, id: &ImportId, organization: &OrganizationId) -> sqlx::Result<Option<StoredImport>> {
    let found: Option<ImportRow> =
        sqlx::query_as(FIND).bind(id.as_str()).bind(organization.as_str()).fetch_optional(conn).await?;
    found.map(ImportRow::read).transpose()
}

/// One page, newest first.
pub async fn list(
    conn: &mut Conn,
    organization: &OrganizationId,
    cursor: Option<&ImportId>,
    limit: Limit,
) -> sqlx::Result<Page<Import>> {
    let cursor = cursor.map_or(row::NEWEST, ImportId::as_str);
    let query = sqlx::query_as(LIST).bind(organization.as_str()).bind(cursor).bind(limit.asked());
    let rows: Vec<ImportRow> = query.fetch_all(conn).await?;
    let imports = rows.into_iter().map(|row| Ok(row.read()?.import)).collect::<sqlx::Result<Vec<_>>>()?;
    Ok(Page::from_rows(imports, limit, |import| import.id.to_string()))
}

/// Those that somebody should work at, one of each organization.
pub async fn claimable(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<StoredImport>> {
    let rows: Vec<ImportRow> = sqlx::query_as(CLAIMABLE).bind(now.0).fetch_all(conn).await?;
    rows.into_iter().map(ImportRow::read).collect()
}

/// The next row: which piece, and how many of its rows are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The piece, from 0.
    pub chunk: i64,
    /// The row in it, from 0; empty rows are none.
    pub row: i64,
}

fn position(rows: Vec<(i64, i64)>) -> Option<Position> {
    rows.into_iter().next().map(|(chunk, row)| Position { chunk, row })
}

/// Takes one until the lease ends; `None` when somebody else did, or it was canceled.
pub async fn claim(
    conn: &mut Conn,
    id: &ImportId,
    token: &str,
    now: Timestamp,
    until: Timestamp,
) -> sqlx::Result<Option<Position>> {
    let query = sqlx::query_as(CLAIM).bind(id.as_str()).bind(token).bind(now.0).bind(until.0);
    Ok(position(query.fetch_all(conn).await?))
}

/// Keeps it longer, and nobody cancels it until the transaction ends; `None` when it is ours no more.
pub async fn hold(conn: &mut Conn, id: &ImportId, token: &str, until: Timestamp) -> sqlx::Result<Option<Position>> {
    Ok(position(sqlx::query_as(HOLD).bind(id.as_str()).bind(token).bind(until.0).fetch_all(conn).await?))
}

/// Somebody else may go on at once.
pub async fn release(conn: &mut Conn, id: &ImportId, token: &str) -> sqlx::Result<()> {
    sqlx::query(RELEASE).bind(id.as_str()).bind(token).execute(conn).await.map(drop)
}

/// Nobody works at any: the database has one owner, which has just started.
pub async fn release_all(conn: &mut Conn) -> sqlx::Result<()> {
    sqlx::query(RELEASE_ALL).execute(conn).await.map(drop)
}

/// Counts rows that were done, and notes the next one, in the transaction that wrote them.
pub async fn advance(
    conn: &mut Conn,
    id: &ImportId,
    token: &str,
    counts: Counts,
    next: Position,
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(ADVANCE).bind(id.as_str()).bind(token);
    let query = query.bind(counts.created).bind(counts.updated).bind(counts.skipped).bind(counts.failed);
    query.bind(next.chunk).bind(next.row).bind(now.0).execute(conn).await.map(drop)
}

/// Ends it as done or failed.
pub async fn finish(
    conn: &mut Conn,
    id: &ImportId,
    token: &str,
    state: State,
    reason: Option<&str>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(FINISH).bind(id.as_str()).bind(token).bind(state.as_str()).bind(reason).bind(now.0);
    query.execute(conn).await.map(drop)
}

/// A piece: its first line and its text; `None` behind the last one.
pub async fn chunk(conn: &mut Conn, id: &ImportId, n: i64) -> sqlx::Result<Option<(i64, String)>> {
    sqlx::query_as(CHUNK).bind(id.as_str()).bind(n).fetch_optional(conn).await
}

/// A row that was rejected, as it is stored.
#[derive(Debug, Serialize)]
pub struct NewReject {
    /// Where it begins.
    pub line: i64,
    /// Name of the column; empty when it is the row.
    pub field: String,
    /// A sentence without full stop.
    pub reason: String,
    /// Its cells as a JSON list.
    pub cells: String,
}

/// Keeps rejected rows.
pub async fn reject(
    conn: &mut Conn,
    dialect: Dialect,
    id: &ImportId,
    round: i64,
    rejects: &[NewReject],
) -> sqlx::Result<()> {
    if rejects.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(REJECT.of(dialect)).bind(batch(rejects)).bind(id.as_str()).bind(round);
    query.execute(conn).await.map(drop)
}

/// Rejected rows after a line.
pub async fn rejected(
    conn: &mut Conn,
    id: &ImportId,
    organization: &OrganizationId,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<Rejected>> {
    let query = sqlx::query_as(REJECTED).bind(id.as_str()).bind(organization.as_str()).bind(after).bind(limit);
    let rows: Vec<(i64, String, String, String)> = query.fetch_all(conn).await?;
    let read = |(line, column, reason, cells): (i64, String, String, String)| {
        Ok(Rejected { line, column, reason, cells: row::json("cells", &cells)? })
    };
    rows.into_iter().map(read).collect()
}

/// What a dry run knows of an address (its lead; nobody when it was given up), or of a lead by its own id (its state).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seen {
    /// An address, or an id.
    pub key: String,
    /// Whose; empty: nobody's.
    pub lead_id: String,
    /// JSON, for the key that is an id.
    pub state: Option<String>,
}

/// What the dry run has seen of these keys.
pub async fn seen(
    conn: &mut Conn,
    dialect: Dialect,
    id: &ImportId,
    round: i64,
    keys: impl IntoIterator<Item = &str>,
) -> sqlx::Result<Vec<Seen>> {
    #[derive(Serialize)]
    struct Key<'a> {
        key: &'a str,
    }
    let keys: Vec<Key<'_>> = keys.into_iter().map(|key| Key { key }).collect();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query_scalar(SEEN.of(dialect)).bind(batch(&keys)).bind(id.as_str()).bind(round);
    let text: String = query.fetch_one(conn).await?;
    gathered(&text)
}

/// Notes what a dry run would have stored.
pub async fn see(conn: &mut Conn, dialect: Dialect, id: &ImportId, round: i64, seen: &[Seen]) -> sqlx::Result<()> {
    if seen.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(SEE.of(dialect)).bind(batch(seen)).bind(id.as_str()).bind(round);
    query.execute(conn).await.map(drop)
}

/// What columns of these names meant last time.
pub async fn recall(conn: &mut Conn, organization: &OrganizationId, columns: &str) -> sqlx::Result<Option<Vec<Field>>> {
    let query = sqlx::query_scalar(RECALL).bind(organization.as_str()).bind(columns);
    let mapping: Option<String> = query.fetch_optional(conn).await?;
    // One of an older version may name what is no field any more.
    Ok(mapping.and_then(|mapping| serde_json::from_str(&mapping).ok()))
}

/// Remembers what columns of these names mean.
pub async fn remember(
    conn: &mut Conn,
    organization: &OrganizationId,
    columns: &str,
    mapping: &[Field],
    now: Timestamp,
) -> sqlx::Result<()> {
    let query = sqlx::query(REMEMBER).bind(organization.as_str()).bind(columns).bind(row::text(&mapping)).bind(now.0);
    query.execute(conn).await.map(drop)
}

/// Those of which something is to be swept away.
pub async fn sweepable(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<StoredImport>> {
    let rows: Vec<ImportRow> = sqlx::query_as(SWEEPABLE).bind(now.0).fetch_all(conn).await?;
    rows.into_iter().map(ImportRow::read).collect()
}

/// When there is something to sweep.
pub async fn next_sweep(conn: &mut Conn) -> sqlx::Result<Option<Timestamp>> {
    let next: Option<i64> = sqlx::query_scalar(NEXT_SWEEP).fetch_one(conn).await?;
    Ok(next.map(Timestamp))
}

/// Which rows of an import are swept away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Litter {
    /// The pieces of its file.
    Chunks,
    /// What dry runs have seen, but for the one of this round.
    Seen(i64),
    /// What was rejected, but in this round.
    Rejects(i64),
}

/// Sweeps some away: a transaction that deletes all at once would hold up everybody. False when nothing is left.
pub async fn sweep(conn: &mut Conn, id: &ImportId, litter: Litter) -> sqlx::Result<bool> {
    let query = match litter {
        Litter::Chunks => sqlx::query(SWEEP_CHUNKS).bind(id.as_str()).bind(16_i64),
        Litter::Seen(but) => sqlx::query(SWEEP_SEEN).bind(id.as_str()).bind(but).bind(2_000_i64),
        Litter::Rejects(but) => sqlx::query(SWEEP_REJECTS).bind(id.as_str()).bind(but).bind(2_000_i64),
    };
    Ok(!query.fetch_all(conn).await?.is_empty())
}

/// Everything is swept until `next`; a draft may be given up with that.
pub async fn swept(
    conn: &mut Conn,
    stored: &StoredImport,
    next: Option<Timestamp>,
    is_given_up: bool,
) -> sqlx::Result<()> {
    let import = &stored.import;
    let query = sqlx::query(SWEPT).bind(import.id.as_str()).bind(stored.round).bind(import.state.as_str());
    query.bind(next.map(|next| next.0)).bind(i64::from(is_given_up)).execute(conn).await.map(drop)
}

/// Forgets an upload that did not come to its end.
pub async fn forget(conn: &mut Conn, id: &ImportId) -> sqlx::Result<()> {
    sqlx::query(FORGET).bind(id.as_str()).execute(conn).await.map(drop)
}
