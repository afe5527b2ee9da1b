//! One message's way to its provider.

use super::claim::{Claimed, Through};
use crate::server::{
    App,
    channel::{Mail, Outgoing, Receipt, SendError},
    store::account::StoredAccount,
};

/// Hands one claimed message to its provider.
pub async fn send(app: &App, through: &Through, claimed: &Claimed) -> Result<Receipt, SendError> {
    let login = through.login.as_ref().map_err(|closed| SendError::Unauthorized(closed.to_string()))?;
    let outgoing = outgoing(app, &through.account, claimed);
    app.channels.of(through.account.account.provider).send(login, &outgoing).await
}

fn outgoing(app: &App, account: &StoredAccount, claimed: &Claimed) -> Outgoing {
    let due = &claimed.due;
    Outgoing {
        message_id: due.id.clone(),
        attempt_id: claimed.attempt.clone(),
        channel: account.account.channel,
        from: account.account.address.clone(),
        to: due.to.clone(),
        subject: due.subject.clone(),
        body: due.body.clone(),
        status_url: status_url(app, account, claimed),
        mail: Mail::default(),
        lease: claimed.lease.clone(),
    }
}

/// Names message and attempt, so that the callback alone proves what happened. A real provider refuses a URL that it
/// cannot reach, so a Tern on loopback sends none to it and asks instead.
fn status_url(app: &App, account: &StoredAccount, claimed: &Claimed) -> Option<String> {
    if !app.can_be_called {
        return None;
    }
    let base = app.settings.public_url();
    let (account, message, attempt) = (&account.account.id, &claimed.due.id, &claimed.attempt);
    Some(format!("{base}/webhooks/twilio/{account}/status?message={message}&attempt={attempt}"))
}
