//! The worker by hand: one look at a time, on a clock that goes from one instant at which something happens to the next.

use super::{Worker, campaign, sequence};
use crate::{
    domain::{account::Account, id::OrganizationId, time::Timestamp},
    server::{bucket::Bucket, error::Error, store},
};

impl Worker {
    /// Plans and sends all that is due, as far as one look goes, and waits for what became of it.
    pub async fn turn(&self) -> Result<(), Error> {
        while campaign::pass(&self.0.app).await? | sequence::pass(&self.0.app).await? {}
        self.claim_pass().await?;
        self.settle().await;
        Ok(())
    }

    /// The next instant at which there is something to do for an organization, if nobody does anything until then; `None`:
    /// never.
    pub async fn next_turn(&self, organization: &OrganizationId) -> Result<Option<Timestamp>, Error> {
        let app = &self.0.app;
        let (mut conn, now) = (app.db.read().await?, app.clock.now());
        let steps = store::enrollment::list_next_due(&mut conn).await?;
        let queued = store::queue::list_next_due(&mut conn).await?;
        let campaign = store::campaign::next_open(&mut conn).await?;
        let mut days = Vec::new();
        // What is due and was not taken waits for room: for another day of an account.
        if steps.iter().any(|at| *at <= now) {
            let accounts = store::account::list(&mut conn, organization).await?;
            let ids = accounts.iter().map(|stored| &stored.account.id);
            let lanes = store::lane::find_many(&mut conn, app.db.dialect, ids).await?;
            let until = |account: &Account| {
                let newest = lanes.get(&account.id).and_then(|lane| lane.last_day.as_deref());
                Bucket::at(now, &account.pace, newest).until
            };
            days.extend(accounts.iter().filter(|stored| stored.account.is_active).map(|stored| until(&stored.account)));
        }
        Ok(steps.into_iter().chain(queued).chain(days).chain(campaign).filter(|at| *at > now).min())
    }
}
