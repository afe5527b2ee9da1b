//! Files on their way in: to the disk as they come, then, as text in pieces, into the database.

use crate::{
    api::error::{ApiError, Kind},
    domain::{
        id::ImportId,
        import::{Counts, DRAFT_KEPT, Import, Options, State, column::Field},
        text::parse_line,
    },
    server::{
        App, Who,
        clock::new_id,
        error::Error,
        store::{self, import::StoredImport},
        table::{self, Chunk, Refused, Table, Wish},
    },
};
use axum::body::Bytes;
use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use std::{fs::File, path::PathBuf, time::Duration};
use tokio::{io::AsyncWriteExt, sync::mpsc};

/// The most characters of a file's name.
const NAME_MAX: usize = 200;
/// Pieces that are read ahead of the database.
const AHEAD: usize = 2;
/// A sender that is silent for so long is gone.
const SILENCE: Duration = Duration::from_mins(1);

/// A file on the disk that is gone when nobody reads it any more, whatever becomes of the process.
struct Spool {
    file: tokio::fs::File,
    path: Option<PathBuf>,
}

impl Drop for Spool {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Spool {
    async fn new(app: &App) -> std::io::Result<Self> {
        let folder = &app.settings.data_dir;
        tokio::fs::create_dir_all(folder).await?;
        let path = folder.join(format!("upload-{}", new_id(app.clock.now())));
        let file = tokio::fs::File::options().create_new(true).read(true).write(true).open(&path).await?;
        // Nameless from here on where the system allows it; else when it is dropped.
        let path = if tokio::fs::remove_file(&path).await.is_ok() { None } else { Some(path) };
        Ok(Self { file, path })
    }
}

fn disk(error: &std::io::Error) -> Error {
    Error::Internal(format!("an upload: {error}"))
}

fn invalid(code: &str, message: &str) -> Error {
    ApiError::new(Kind::Invalid, code, message).into()
}

/// Takes a file in: it is a draft then.
pub async fn receive<E>(
    who: &Who,
    file_name: &str,
    wish: Wish,
    body: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<StoredImport, Error> {
    let spool = spool(&who.app, body).await?;
    let (app, organization) = (&who.app, &who.organization.id);
    let (id, now): (ImportId, _) = (app.new_id(), app.clock.now());
    let name = parse_line(file_name.rsplit(['/', '\\']).next().unwrap_or_default(), NAME_MAX).unwrap_or_default();
    let begin = async |conn: &mut store::Conn| {
        store::import::insert(conn, &id, organization, &name, now, now.plus(DRAFT_KEPT)).await
    };
    app.db.write(begin).await?;
    let stored = async {
        let table = keep(app, &id, spool, wish).await?;
        ready(who, &id, name.clone(), table).await
    };
    match stored.await {
        Ok(stored) => Ok(stored),
        Err(error) => {
            discard(who, &id).await?;
            Err(error)
        }
    }
}

/// Forgets a file that is no good.
pub async fn discard(who: &Who, id: &ImportId) -> Result<(), Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    app.db.write(async |conn| store::import::discard(conn, id, organization, now).await).await?;
    app.wake_importing.notify_one();
    Ok(())
}

async fn spool<E>(app: &App, mut body: impl Stream<Item = Result<Bytes, E>> + Unpin) -> Result<Spool, Error> {
    let most = app.settings.upload_max();
    let mut spool = Spool::new(app).await.map_err(|error| disk(&error))?;
    let mut length = 0;
    loop {
        let next = tokio::time::timeout(SILENCE, body.next()).await;
        let Ok(next) = next else { return Err(invalid("upload_stalled", "The upload stopped in its middle")) };
        let Some(block) = next else { break };
        let block = block.map_err(|_| invalid("upload_torn", "The upload broke off"))?;
        length += block.len() as u64;
        if length > most {
            return Err(too_large(app));
        }
        spool.file.write_all(&block).await.map_err(|error| disk(&error))?;
    }
    spool.file.flush().await.map_err(|error| disk(&error))?;
    Ok(spool)
}

/// More than is accepted.
pub fn too_large(app: &App) -> Error {
    let most = app.settings.upload_max() / 1024 / 1024;
    let message =
        format!("The file is larger than {most} MiB. Split it, or ask the operator to raise TERN_UPLOAD_MAX_MIB");
    ApiError::new(Kind::TooLarge, "too_large", message).into()
}

/// Reads the file on a thread of its own, and stores what comes.
async fn keep(app: &App, id: &ImportId, mut spool: Spool, wish: Wish) -> Result<Table, Error> {
    let mut file: File = spool.file.try_clone().await.map_err(|error| disk(&error))?.into_std().await;
    let (send, mut pieces) = mpsc::channel::<Chunk>(AHEAD);
    let reading =
        tokio::task::spawn_blocking(move || table::read(&mut file, &wish, |chunk| send.blocking_send(chunk).is_ok()));
    let mut n = 0;
    while let Some(piece) = pieces.recv().await {
        let add = async |conn: &mut store::Conn| store::import::add_chunk(conn, id, n, piece.line, &piece.text).await;
        app.db.write(add).await?;
        n += 1;
    }
    let read = reading.await.map_err(|_| Error::Internal("reading an upload panicked".to_owned()))?;
    spool.path.take().map_or(Ok(()), std::fs::remove_file).ok();
    read.map_err(|refused| match refused {
        Refused::Io(error) => disk(&error),
        refused => invalid(refused.code(), &refused.to_string()),
    })
}

async fn ready(who: &Who, id: &ImportId, file_name: String, table: Table) -> Result<StoredImport, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let (columns, sample) = table::columns(&table.first, table.has_header);
    let remembered =
        async { store::import::recall(&mut *app.db.read().await?, organization, &fingerprint(&columns)).await };
    let remembered = remembered.await?.filter(|mapping| mapping.len() == columns.len());
    let mapping = remembered.unwrap_or_else(|| table::guess_mapping(&columns, &sample, table.has_header));
    let import = Import {
        id: id.clone(),
        state: State::Draft,
        dry_run: false,
        file_name,
        encoding: table.encoding,
        delimiter: table.delimiter,
        has_header: table.has_header,
        columns,
        mapping,
        options: Options::default(),
        rows_total: table.rows,
        rows_done: 0,
        counts: Counts::default(),
        reason: None,
        created_at: now,
        updated_at: now,
        ended_at: None,
    };
    let stored = StoredImport { import, organization_id: organization.clone(), first: table.first, round: 0 };
    let is_ready = app.db.write(async |conn| store::import::ready(conn, &stored).await).await?;
    if is_ready { Ok(stored) } else { Err(Error::Internal("an upload was swept away".to_owned())) }
}

/// The same for files with the same columns, in whatever case.
pub fn fingerprint(columns: &[String]) -> String {
    let names: Vec<String> = columns.iter().map(|name| name.trim().to_lowercase()).collect();
    hex::encode(Sha256::digest(names.join("\u{1f}")))
}

/// What the columns of a file mean, as a request says: by the names of columns. What is not said is left out.
pub fn mapping_of(columns: &[String], said: &[(String, String)]) -> Result<Vec<Field>, Error> {
    let mut mapping = vec![Field::Ignore; columns.len()];
    let mut errors = crate::domain::field_error::FieldErrors::default();
    for (name, field) in said {
        let at = columns.iter().position(|column| column.eq_ignore_ascii_case(name.trim()));
        let Some(at) = at else {
            errors.add("mapping", format!("names a column that the file has not: {name:.60}"));
            continue;
        };
        if let Some(field) = errors.check("mapping", Field::parse(field)) {
            mapping[at] = field;
        }
    }
    if errors.is_empty() { Ok(mapping) } else { Err(errors.into()) }
}
