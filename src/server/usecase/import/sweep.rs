//! What imports leave is swept away, a little at a time: files when they are imported or given up, rejected rows after a
//! month.

use crate::{
    domain::{
        import::{DRAFT_KEPT, REJECTED_KEPT, State},
        time::Timestamp,
    },
    server::{
        App,
        error::Error,
        store::{
            self,
            import::{Litter, StoredImport},
        },
    },
};

/// No round has this number.
const NONE: i64 = -1;

/// Sweeps what is due.
pub async fn pass(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let due = async { store::import::sweepable(&mut *app.db.read().await?, now).await }.await?;
    for stored in due {
        one(app, &stored, now).await?;
    }
    Ok(())
}

async fn one(app: &App, stored: &StoredImport, now: Timestamp) -> Result<(), Error> {
    let import = &stored.import;
    // An upload that has not come to its end has no encoding yet.
    let is_torn = import.encoding.is_empty();
    let is_running = import.state == State::Running;
    let waits_until = import.updated_at.plus(DRAFT_KEPT);
    let is_waiting = import.can_start(now);
    let kept_until = import.ended_at.map(|at| at.plus(REJECTED_KEPT)).filter(|until| *until > now);
    if !is_running && !is_waiting {
        sweep(app, stored, Litter::Chunks).await?;
    }
    sweep(app, stored, Litter::Seen(if is_running { stored.round } else { NONE })).await?;
    let are_kept = is_running || kept_until.is_some();
    sweep(app, stored, Litter::Rejects(if are_kept { stored.round } else { NONE })).await?;
    if is_torn {
        return Ok(app.db.write(async |conn| store::import::forget(conn, &import.id).await).await?);
    }
    let next = if is_waiting { Some(waits_until) } else { kept_until };
    let is_given_up = import.state == State::Draft && !is_waiting;
    app.db.write(async |conn| store::import::swept(conn, stored, next, is_given_up).await).await?;
    Ok(())
}

async fn sweep(app: &App, stored: &StoredImport, litter: Litter) -> Result<(), Error> {
    while app.db.write(async |conn| store::import::sweep(conn, &stored.import.id, litter).await).await? {
        tokio::task::yield_now().await;
    }
    Ok(())
}
