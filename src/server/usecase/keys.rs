//! The keys of the vault: whether they fit what is stored, and sealing everything anew.

use super::{account, consent};
use crate::{
    domain::secret::Secret,
    server::{App, error::Error, store, vault::Place},
};
use std::sync::atomic::Ordering;

/// The known value.
const CANARY: &str = "tern";
/// Accounts that are sealed anew in one go.
const BATCH: i64 = 100;

fn place(key_id: &str) -> Place<'_> {
    Place { table: "vault_canary", column: "sealed", organization: "", row: key_id }
}

/// Whether a canary opens with a configured key.
fn opens(app: &App, (key_id, sealed): &(String, String)) -> bool {
    app.vault.open(&place(key_id), sealed).is_ok_and(|secret| secret.expose() == CANARY)
}

/// Checks at start whether a configured key opens what was stored, and leaves a canary for the first key. When none
/// fits, Tern runs on: accounts ask for their credentials again.
pub async fn check(app: &App) -> Result<(), Error> {
    let canaries = store::vault_canary::list(&mut *app.db.read().await?).await?;
    let is_wrong = !canaries.is_empty() && !canaries.iter().any(|canary| opens(app, canary));
    app.is_key_wrong.store(is_wrong, Ordering::Relaxed);
    if is_wrong {
        tracing::error!(
            "the encryption key does not fit the stored credentials; start with the key of before (ENCRYPTION_KEY or the \
             key file in the data folder), or enter the credentials of every account again"
        );
    }
    let primary = app.vault.primary();
    if !is_wrong && !canaries.iter().any(|(key_id, _)| key_id == primary) {
        leave_canary(app).await?;
    }
    consent::adopt(app).await
}

async fn leave_canary(app: &App) -> Result<(), Error> {
    let primary = app.vault.primary();
    let sealed = app.vault.seal(&place(primary), &Secret::new(CANARY.to_owned()));
    let now = app.clock.now();
    Ok(app.db.write(async |conn| store::vault_canary::insert(conn, primary, &sealed, now).await).await?)
}

/// After credentials were entered anew or wiped: the keys fit once everything opens that is stored. That is remembered by
/// a canary, which also tells other processes.
pub async fn recheck(app: &App) -> Result<(), Error> {
    if !app.is_key_wrong() {
        return Ok(());
    }
    let canaries = store::vault_canary::list(&mut *app.db.read().await?).await?;
    if !canaries.iter().any(|canary| opens(app, canary)) {
        let mut after = String::new();
        loop {
            let batch = store::account::list_sealed(&mut *app.db.read().await?, &after, BATCH).await?;
            let Some(last) = batch.last() else { break };
            after = last.account.id.to_string();
            if batch.iter().any(|stored| account::open(app, stored).is_err()) {
                return Ok(());
            }
        }
        consent::mend(app).await?;
        leave_canary(app).await?;
    }
    app.is_key_wrong.store(false, Ordering::Relaxed);
    tracing::info!("all stored credentials open with the configured encryption key again");
    Ok(())
}

/// What a rotation did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Sealed anew with the first key.
    pub resealed: u32,
    /// Sealed with the first key already.
    pub current: u32,
    /// Opened by no configured key.
    pub unreadable: u32,
}

/// Seals everything anew with the first key, while the server runs. What is done stays done: it can be stopped and run
/// again. A value that somebody changes meanwhile is left alone, for it is new.
pub async fn rotate(app: &App) -> Result<Rotation, Error> {
    let mut rotation = Rotation::default();
    rotate_credentials(app, &mut rotation).await?;
    rotate_consent(app, &mut rotation).await?;
    Ok(rotation)
}

async fn rotate_consent(app: &App, rotation: &mut Rotation) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let batch = store::consent::list_sealed(&mut *app.db.read().await?, &after, BATCH).await?;
        let Some((last, _)) = batch.last() else { return Ok(()) };
        after = last.to_string();
        app.db
            .write(async |conn| {
                for (organization, old) in &batch {
                    match consent::reseal(app, organization, old) {
                        Ok(Some(sealed)) => {
                            store::consent::reseal(conn, organization, old, &sealed).await?;
                            rotation.resealed += 1;
                        }
                        Ok(None) => rotation.current += 1,
                        Err(_) => rotation.unreadable += 1,
                    }
                }
                Ok::<_, sqlx::Error>(())
            })
            .await?;
    }
}

async fn rotate_credentials(app: &App, rotation: &mut Rotation) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let batch = store::account::list_sealed(&mut *app.db.read().await?, &after, BATCH).await?;
        let Some(last) = batch.last() else { return Ok(()) };
        after = last.account.id.to_string();
        app.db
            .write(async |conn| {
                for stored in &batch {
                    match (account::reseal(app, stored), &stored.secret) {
                        (Ok(Some(sealed)), Some(old)) => {
                            store::account::reseal(conn, &stored.account.id, old, &sealed).await?;
                            rotation.resealed += 1;
                        }
                        (Ok(_), _) => rotation.current += 1,
                        (Err(_), _) => rotation.unreadable += 1,
                    }
                }
                Ok::<_, sqlx::Error>(())
            })
            .await?;
    }
}
