//! Machines that share a database share its leases, so they must agree on the time: one that is ahead takes a message for
//! lost that another one is just sending.

use crate::{
    domain::time::{MINUTE, SECOND, Timestamp},
    server::{App, error::Error},
};
use std::sync::atomic::{AtomicI64, Ordering};

/// The most that the clock of a machine may differ from the database's. Leases count as lost so much later.
pub const MOST: i64 = 10 * SECOND;
/// Between two looks.
const EVERY: i64 = MINUTE;

/// When the clocks were last seen to agree.
#[derive(Debug)]
pub struct Skew(AtomicI64);

impl Default for Skew {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Skew {
    /// An error when the clocks differ too much: nothing may be claimed then.
    pub async fn check(&self, app: &App) -> Result<(), Error> {
        let now = app.clock.now();
        let agreed_at = self.0.load(Ordering::Relaxed);
        if (agreed_at..agreed_at.saturating_add(EVERY)).contains(&now.0) {
            return Ok(());
        }
        let behind = behind(app).await?;
        if behind.abs() > MOST {
            return Err(Error::Internal(format!("nothing is sent: {}", told(behind))));
        }
        self.0.store(now.0, Ordering::Relaxed);
        Ok(())
    }
}

/// By how many milliseconds this machine's clock is behind the database's; ahead when negative. An SQLite database has none.
pub async fn behind(app: &App) -> Result<i64, Error> {
    let theirs: Option<Timestamp> = app.db.now().await?;
    Ok(theirs.map_or(0, |theirs| theirs.0 - app.clock.now().0))
}

/// What to do about it.
pub fn told(behind: i64) -> String {
    let (seconds, way) = (behind.abs() / SECOND, if behind < 0 { "ahead of" } else { "behind" });
    format!("this machine's clock is {seconds} s {way} the database's; set both by NTP")
}
