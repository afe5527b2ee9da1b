//! What a message of unknown outcome waits for, in words: the same rules as in [`crate::server::worker`].

use crate::{
    domain::{
        message::{Message, Waiting, WaitingReason},
        time::{MINUTE, SECOND, Timestamp},
    },
    server::{App, store::account::StoredAccount},
};

/// Evidence, or a person: which of them, and by when.
pub fn evidence(app: &App, message: &Message, account: Option<&StoredAccount>, now: Timestamp) -> Waiting {
    const MAYBE: &str = "The call ended without an answer: it may have gone out.";
    let since = message.updated_at;
    let account = account.map(|stored| &stored.account);
    let (span, next) = match account {
        Some(account) if app.channels.of(account.provider).can_find() => {
            let span = app.settings.reconcile();
            let next = format!(
                "The provider is asked for it: if it is there, it was sent; if it is not there after {} seconds, it is sent again.",
                span / SECOND
            );
            (Some(span), next)
        }
        Some(account) if account.pace.resends_unknown => {
            let next = "Nobody can be asked about it: as set, it is sent once more under the same Message-ID.";
            (Some(MINUTE), next.to_owned())
        }
        _ => (None, "Nobody can be asked about it: say whether it was sent.".to_owned()),
    };
    // What is over and still unknown goes on, at a time that the provider decides on.
    let until = span.map(|span| since.plus(span)).filter(|until| *until > now);
    Waiting { reason: WaitingReason::Evidence, since, until, detail: format!("{MAYBE} {next}") }
}
