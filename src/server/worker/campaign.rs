//! Moves campaigns on: their people are gathered when their time has come, their end is noticed.

use crate::server::{App, error::Error, store, usecase::campaign};

/// One batch of each; true when there may be more at once.
pub async fn pass(app: &App) -> Result<bool, Error> {
    let open = store::campaign::list_open(&mut *app.db.read().await?, app.clock.now()).await?;
    let mut is_more = false;
    for open in open {
        match campaign::advance(app, &open).await {
            Ok(more) => is_more |= more,
            Err(error) => {
                tracing::error!(campaign.id = %open.id, error.cause = %error, "a campaign could not be moved on");
            }
        }
    }
    Ok(is_more)
}
