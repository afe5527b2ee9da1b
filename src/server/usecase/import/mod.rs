//! Imports: a file is taken in, its columns are given a meaning, and its rows become leads; or it is only looked at what would.

pub mod batch;
pub mod row;
pub mod run;
pub mod sweep;
pub mod upload;

use crate::{
    domain::{
        field_error::FieldErrors,
        id::ImportId,
        import::{
            Import, Options, Rejected, Review, State,
            column::{Field, check},
        },
        page::{Limit, Page},
    },
    server::{
        Who,
        error::Error,
        live::Topic,
        phone,
        store::{self, Conn, import::StoredImport},
        table::{self, columns},
    },
};
use upload::fingerprint;

/// Rejected rows that a page shows.
const SHOWN: i64 = 20;
/// Rejected rows that are read at a time.
pub const REJECTS: i64 = 500;

/// Reads options as they come in a form or a request.
pub fn options(on_duplicate: &str, country: &str, tags: &str, consent: &str) -> Result<Options, FieldErrors> {
    Options::parse(on_duplicate, country, tags, consent, |name| phone::region(name).is_some())
}

async fn find(conn: &mut Conn, who: &Who, id: &ImportId) -> Result<StoredImport, Error> {
    store::import::find(conn, id, &who.organization.id).await?.ok_or_else(Error::not_found)
}

/// One import.
pub async fn load(who: &Who, id: &ImportId) -> Result<Import, Error> {
    Ok(find(&mut *who.app.db.read().await?, who, id).await?.import)
}

/// One page, newest first.
pub async fn list(who: &Who, cursor: Option<&ImportId>, limit: Limit) -> Result<Page<Import>, Error> {
    Ok(store::import::list(&mut *who.app.db.read().await?, &who.organization.id, cursor, limit).await?)
}

/// One import with its first rows and the first rejected ones.
pub async fn review(who: &Who, id: &ImportId) -> Result<Review, Error> {
    let mut conn = who.app.db.read().await?;
    let StoredImport { import, first, .. } = find(&mut conn, who, id).await?;
    let rejected = store::import::rejected(&mut conn, id, &who.organization.id, 0, SHOWN).await?;
    let (_, sample) = columns(&first, import.has_header);
    let can_start = import.can_start(who.app.clock.now());
    Ok(Review { import, sample, rejected, can_start })
}

/// Some rejected rows after a line.
pub async fn rejected(who: &Who, id: &ImportId, after: i64) -> Result<Vec<Rejected>, Error> {
    let mut conn = who.app.db.read().await?;
    Ok(store::import::rejected(&mut conn, id, &who.organization.id, after, REJECTS).await?)
}

fn not_now() -> Error {
    Error::conflict("import_not_waiting", "This import was begun, or its file is gone; upload the file again")
}

/// Changes what waits to be begun.
async fn change(
    who: &Who,
    id: &ImportId,
    change: impl FnOnce(&mut StoredImport) -> Result<(), Error>,
) -> Result<Import, Error> {
    let (app, now) = (&who.app, who.app.clock.now());
    let mut stored = find(&mut *app.db.read().await?, who, id).await?;
    if !stored.import.can_start(now) {
        return Err(not_now());
    }
    change(&mut stored)?;
    stored.import.updated_at = now;
    if !app.db.write(async |conn| store::import::settle(conn, &stored).await).await? {
        return Err(not_now());
    }
    changed(who, id);
    Ok(stored.import)
}

/// Says whether the first row names the columns, and what they mean. When the first changes, the columns are guessed anew.
pub async fn set_columns(who: &Who, id: &ImportId, has_header: bool, mapping: Vec<Field>) -> Result<Import, Error> {
    change(who, id, |stored| {
        let import = &mut stored.import;
        if has_header != import.has_header {
            let (names, sample) = columns(&stored.first, has_header);
            import.rows_total += if has_header { -1 } else { 1 };
            import.has_header = has_header;
            import.mapping = table::guess_mapping(&names, &sample, has_header);
            import.columns = names;
            return Ok(());
        }
        let mut mapping = mapping;
        mapping.resize(import.columns.len(), Field::Ignore);
        check(&mapping)?;
        import.mapping = mapping;
        Ok(())
    })
    .await
}

/// Says how its rows are read.
pub async fn set_options(who: &Who, id: &ImportId, options: Options) -> Result<Import, Error> {
    change(who, id, |stored| {
        stored.import.options = options;
        Ok(())
    })
    .await
}

/// Begins: for good, or only to count. What the columns mean is remembered for files with the same ones.
pub async fn start(who: &Who, id: &ImportId, is_dry: bool) -> Result<Import, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let import = find(&mut *app.db.read().await?, who, id).await?.import;
    if !import.can_start(now) {
        return Err(not_now());
    }
    check(&import.mapping)?;
    let begin = async |conn: &mut Conn| {
        if !is_dry {
            let columns = fingerprint(&import.columns);
            store::import::remember(conn, organization, &columns, &import.mapping, now).await?;
        }
        store::import::start(conn, id, organization, is_dry, now).await
    };
    if !app.db.write(begin).await? {
        return Err(not_now());
    }
    app.wake_importing.notify_one();
    changed(who, id);
    load(who, id).await
}

/// Takes a meaning and options, and begins, as one request does it. A file that does not fit is forgotten.
pub async fn begin(
    who: &Who,
    stored: StoredImport,
    said: Option<&[(String, String)]>,
    options: Options,
    is_dry: bool,
) -> Result<Import, Error> {
    let import = stored.import;
    let begun = async {
        let mapping = said.map_or(Ok(import.mapping.clone()), |said| upload::mapping_of(&import.columns, said))?;
        set_columns(who, &import.id, import.has_header, mapping).await?;
        set_options(who, &import.id, options).await?;
        start(who, &import.id, is_dry).await
    };
    match begun.await {
        Ok(import) => Ok(import),
        Err(error) => {
            cancel(who, &import.id).await?;
            Err(error)
        }
    }
}

/// Ends it; what was imported stays.
pub async fn cancel(who: &Who, id: &ImportId) -> Result<Import, Error> {
    let (app, organization, now) = (&who.app, &who.organization.id, who.app.clock.now());
    let before = load(who, id).await?;
    let is_ended = !app.db.write(async |conn| store::import::cancel(conn, id, organization, now).await).await?;
    if is_ended && before.state != State::Canceled {
        return Err(Error::conflict("import_ended", "This import has ended already"));
    }
    app.wake_importing.notify_one();
    changed(who, id);
    load(who, id).await
}

fn changed(who: &Who, id: &ImportId) {
    who.app.live.publish(&who.organization.id, Topic::Imports, Some(id.as_str()));
}
