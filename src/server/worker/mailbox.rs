//! Reading the mailboxes of e-mail accounts about once a minute, beside everything else: a slow one holds up nobody.

use crate::{
    domain::{
        id::AccountId,
        time::{HOUR, MINUTE, SECOND, Timestamp},
    },
    server::{
        App,
        channel::imap::NotRead,
        clock::jitter,
        error::Error,
        live::Topic,
        store::{self, account::StoredAccount, mailbox::Claimed},
        usecase::{account, mailbox},
    },
};
use futures::StreamExt;

/// Between two looks into one mailbox.
const EVERY: i64 = MINUTE;
/// When a look left something to read.
const AT_ONCE: i64 = SECOND;
/// A look is somebody else's again after so long: longer than one takes.
const LEASE: i64 = 3 * MINUTE;
/// The longest pause of a mailbox that cannot be reached.
const LONGEST: i64 = HOUR;
/// The shortest of one that refuses the password: asking often locks accounts.
const REFUSED: i64 = 15 * MINUTE;
/// Mailboxes that one pass looks into.
const BATCH: i64 = 200;
/// Looks at a time.
const AT_A_TIME: usize = 16;

/// Looks into every mailbox that is due.
pub async fn pass(app: &App) -> Result<(), Error> {
    let due = store::mailbox::list_due(&mut *app.db.read().await?, app.clock.now(), BATCH).await?;
    futures::stream::iter(due)
        .for_each_concurrent(AT_A_TIME, |id| async move {
            if let Err(error) = one(app, &id).await {
                tracing::error!(account.id = %id, error.cause = %error, "reading a mailbox failed");
            }
        })
        .await;
    Ok(())
}

async fn one(app: &App, id: &AccountId) -> Result<(), Error> {
    let now = app.clock.now();
    let claim = async |conn: &mut store::Conn| store::mailbox::claim(conn, id, now, now.plus(LEASE)).await;
    let Some(claimed) = app.db.write(claim).await? else { return Ok(()) };
    let Some(stored) = store::account::find_any(&mut *app.db.read().await?, id).await? else { return Ok(()) };
    let looked = match account::open(app, &stored) {
        Ok(login) => app.channels.mailboxes().look(&login, claimed.bookmark).await,
        Err(_) => Err(NotRead { message: account::ENTER_AGAIN.to_owned(), is_refused: true }),
    };
    let look = match looked {
        Ok(look) => look,
        Err(why) => return failed(app, &stored, claimed, &why).await,
    };
    let now = app.clock.now();
    let next_at = now.plus(if look.is_behind { AT_ONCE } else { EVERY });
    let touched = app
        .db
        .write(async |conn| {
            let touched = mailbox::join(app, conn, &stored, &look).await?;
            store::mailbox::save(conn, id, look.bookmark, next_at).await?;
            Ok::<_, sqlx::Error>(touched)
        })
        .await?;
    if !touched.is_empty() {
        app.live.publish(&stored.organization_id, Topic::Leads, None);
    }
    for message in &touched {
        app.live.publish(&stored.organization_id, Topic::Messages, Some(message.as_str()));
    }
    if claimed.failures > 0 {
        app.live.publish(&stored.organization_id, Topic::Accounts, Some(id.as_str()));
    }
    Ok(())
}

async fn failed(app: &App, stored: &StoredAccount, claimed: Claimed, why: &NotRead) -> Result<(), Error> {
    let id = &stored.account.id;
    tracing::warn!(account.id = %id, reason = why.message, "a mailbox cannot be read");
    let next_at = again(app.clock.now(), claimed.failures, why.is_refused);
    app.db.write(async |conn| store::mailbox::fail(conn, id, &why.message, next_at).await).await?;
    app.live.publish(&stored.organization_id, Topic::Accounts, Some(id.as_str()));
    Ok(())
}

/// Longer each time, by chance within its upper half, so that many mailboxes of one server do not come back together.
fn again(now: Timestamp, failures: u32, is_refused: bool) -> Timestamp {
    let grown = (EVERY << failures.min(6)).min(LONGEST);
    let pause = if is_refused { grown.max(REFUSED) } else { grown };
    now.plus(pause / 2 + jitter(pause - pause / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_that_fails_is_looked_into_less_and_less() {
        for failures in 0..40 {
            let wait = again(Timestamp(0), failures, false).0;
            assert!((MINUTE / 2..=LONGEST).contains(&wait), "{failures}: {wait}");
            assert!(again(Timestamp(0), failures, true).0 >= REFUSED / 2);
        }
        assert!(again(Timestamp(0), 9, false).0 >= LONGEST / 2);
    }
}
