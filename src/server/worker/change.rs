//! Goes on with changes to many leads, a batch of each at a time.

use crate::server::{App, error::Error, store, usecase::change};

/// One batch of each; true when there may be more at once.
pub async fn pass(app: &App) -> Result<bool, Error> {
    let running = store::change::list_running(&mut *app.db.read().await?).await?;
    let mut is_more = false;
    for running in running {
        match change::advance(app, &running).await {
            Ok(more) => is_more |= more,
            Err(error) => {
                tracing::error!(change.id = %running.id, error.cause = %error, "a change of leads could not go on");
            }
        }
    }
    Ok(is_more)
}
