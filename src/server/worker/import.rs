//! Imports, one at a time for each organization, beside everything else. What was begun by a process that is gone is taken
//! over when its lease has run out.

use crate::{
    domain::{
        id::{ImportId, OrganizationId},
        import::State,
        time::{SECOND, Timestamp},
    },
    server::{
        App,
        error::Error,
        store::{self, Dialect, import::StoredImport},
        usecase::import::{
            run::{Run, Step, claim},
            sweep,
        },
    },
};
use futures::FutureExt;
use std::{collections::BTreeSet, panic::AssertUnwindSafe, time::Duration};
use tokio::task::JoinSet;

/// Organizations whose imports run at a time.
const AT_A_TIME: usize = 4;
/// Failures in a row after which an import is given up.
const PATIENCE: u32 = 10;
/// After a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Imports until the application stops.
pub async fn run(app: App) {
    let mut running = JoinSet::new();
    let mut busy = BTreeSet::new();
    while !app.stop.is_cancelled() {
        if let Err(error) = begin(&app, &mut running, &mut busy).await {
            tracing::error!(error.cause = %error, "looking for imports failed");
        }
        if let Err(error) = sweep::pass(&app).await {
            tracing::error!(error.cause = %error, "sweeping imports failed");
        }
        let pause = Duration::from_millis(pause(&app).await.unsigned_abs());
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = app.wake_importing.notified() => {}
            Some(ended) = running.join_next() => {
                if let Ok(organization) = ended {
                    busy.remove(&organization);
                } else {
                    busy.clear(); // a bug: the lease keeps two from running all the same
                }
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
    while running.join_next().await.is_some() {}
}

/// How long nothing is to be done: on PostgreSQL another process may have taken an upload, or died.
async fn pause(app: &App) -> i64 {
    let longest = if app.db.dialect == Dialect::Postgres { SECOND } else { 30 * SECOND };
    let next = async { store::import::next_sweep(&mut *app.db.read().await?).await }.await.ok().flatten();
    next.map_or(longest, |at: Timestamp| (at.0 - app.clock.now().0).clamp(SECOND, longest))
}

async fn begin(
    app: &App,
    running: &mut JoinSet<OrganizationId>,
    busy: &mut BTreeSet<OrganizationId>,
) -> Result<(), Error> {
    for stored in claimable(app).await? {
        if running.len() >= AT_A_TIME {
            return Ok(());
        }
        let organization = stored.organization_id.clone();
        let Some(run) = claim(app, stored).await? else { continue };
        busy.insert(organization.clone());
        let app = app.clone();
        running.spawn(async move {
            go(&app, run).await;
            // There may be another one of the same organization.
            app.wake_importing.notify_one();
            organization
        });
    }
    Ok(())
}

async fn claimable(app: &App) -> Result<Vec<StoredImport>, Error> {
    Ok(store::import::claimable(&mut *app.db.read().await?, app.clock.now()).await?)
}

/// Works at one until it ends, or the application stops.
async fn go(app: &App, mut run: Run) {
    let id = run.id().clone();
    let mut failures = 0;
    while !app.stop.is_cancelled() {
        match step(&mut run, &id).await {
            Ok(Step::More) => failures = 0,
            Ok(Step::Ended | Step::Lost) => return,
            Err(error) => {
                failures += 1;
                tracing::error!(import.id = %id, error.cause = %error, "an import failed to go on");
                let is_hopeless = failures >= PATIENCE;
                let reason =
                    "Tern could not store its rows; what was imported before stays. The log of the server says why.";
                if is_hopeless && run.end(State::Failed, Some(reason)).await.is_ok() {
                    return;
                }
                tokio::select! {
                    () = app.stop.cancelled() => {}
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
        tokio::task::yield_now().await;
    }
    if let Err(error) = run.leave().await {
        tracing::warn!(import.id = %id, error.cause = %error, "an import waits for its lease to run out");
    }
}

/// A panic is one import's trouble.
async fn step(run: &mut Run, id: &ImportId) -> Result<Step, Error> {
    let stepped = AssertUnwindSafe(run.step()).catch_unwind().await;
    stepped.unwrap_or_else(|_| Err(Error::Internal(format!("the import {id} panicked"))))
}

/// Everything that waits to be imported, to its end; then what is to be swept.
pub async fn pass(app: &App) -> Result<(), Error> {
    loop {
        let mut has_run = false;
        for stored in claimable(app).await? {
            if let Some(run) = claim(app, stored).await? {
                has_run = true;
                go(app, run).await;
            }
        }
        if !has_run {
            break;
        }
    }
    sweep::pass(app).await
}
