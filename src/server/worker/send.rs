//! One message's way to its provider.

use super::claim::{Claimed, Through};
use crate::{
    domain::channel::Channel,
    server::{
        App,
        channel::{Mail, Outgoing, Receipt, SendError},
        store::account::StoredAccount,
        usecase::unsubscribe,
    },
};

/// Hands one claimed message to its provider.
pub async fn send(app: &App, through: &Through, claimed: &Claimed) -> Result<Receipt, SendError> {
    let login = through.login.as_ref().map_err(|closed| SendError::Unauthorized(closed.to_string()))?;
    let outgoing = outgoing(app, through, claimed);
    app.channels.of(through.account.account.provider).send(login, &outgoing).await
}

fn outgoing(app: &App, through: &Through, claimed: &Claimed) -> Outgoing {
    let (due, account) = (&claimed.due, &through.account);
    Outgoing {
        message_id: due.id.clone(),
        attempt_id: claimed.attempt.clone(),
        channel: account.account.channel,
        from: account.account.address.clone(),
        to: due.to.clone(),
        subject: due.subject.clone(),
        body: due.body.clone(),
        status_url: status_url(app, account, claimed),
        mail: Mail { unsubscribe_url: unsubscribe_url(app, through, claimed), ..Mail::default() },
        lease: claimed.lease.clone(),
    }
}

/// The button of the mail program, for mail to people who are reached out to (RFC 8058 asks for https).
fn unsubscribe_url(app: &App, through: &Through, claimed: &Claimed) -> Option<String> {
    let is_meant = through.account.account.channel == Channel::Email && claimed.due.lead_id.is_some();
    let key = through.key.as_ref().filter(|_| is_meant && app.settings.public_url().starts_with("https:"))?;
    Some(unsubscribe::url(app, key, &claimed.due.id))
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
