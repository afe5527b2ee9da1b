//! What every page says about the installation.

use super::keys;
use crate::{
    domain::{channel::Provider, installation::Installation},
    server::{Who, error::Error, store},
};

/// What the shell shows above a page.
pub async fn load(who: &Who) -> Result<Installation, Error> {
    let mut conn = who.app.db.read().await?;
    let accounts = store::account::list(&mut conn, &who.organization.id).await?;
    let only_sandbox = who.app.platform.is_none()
        && !accounts.is_empty()
        && accounts.iter().all(|stored| stored.account.provider == Provider::Sandbox);
    let has_demo = accounts.iter().any(|stored| stored.account.is_demo);
    drop(conn);
    // Somebody may have entered the last credentials anew, in another process.
    keys::recheck(&who.app).await?;
    Ok(Installation { wrong_key: who.app.is_key_wrong(), only_sandbox, has_demo })
}
