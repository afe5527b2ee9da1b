//! What refusals of mail servers mean: a table of codes, with a default for each class. Where a code is not in it, its
//! first parts decide; see RFC 3463, IANA's registry of enhanced codes, and what large providers document.

use super::{dialogue::Step, reply::Reply};
use crate::{
    domain::{
        message::Failure,
        time::{HOUR, MINUTE},
    },
    server::channel::SendError,
};

/// What follows from a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// The mailbox is bad and stays bad.
    Address,
    /// The message is refused as it is.
    Message,
    /// The account is refused: no message of it will pass.
    Account,
    /// Too fast: so many milliseconds of patience.
    Slow(i64),
    /// Something of the server's own; it will pass.
    Later,
}

/// Code or beginning of one, class, sentence. The first that fits counts.
const TABLE: &[(&str, Class, &str)] = &[
    ("5.1.0", Class::Address, "The recipient's address was refused."),
    ("5.1.1", Class::Address, "The mailbox does not exist."),
    ("5.1.2", Class::Address, "The recipient's mail server does not exist."),
    ("5.1.3", Class::Address, "The recipient's address is not a valid one."),
    ("5.1.6", Class::Address, "The mailbox has moved and left no address."),
    ("5.1.7", Class::Account, "The sender's address is not a valid one."),
    ("5.1.8", Class::Account, "The sender's domain does not exist or may not send."),
    ("5.1.10", Class::Address, "The recipient's domain takes no mail."),
    ("5.2.1", Class::Address, "The mailbox is disabled."),
    ("5.2.2", Class::Message, "The mailbox is full."),
    ("5.2.3", Class::Message, "The message is too large for the recipient."),
    ("5.2.252", Class::Account, "The server does not let this account send under this address."),
    ("5.3.4", Class::Message, "The message is too large for the server."),
    ("5.4.5", Class::Slow(HOUR), "The account has used up the provider's limit of today."),
    ("5.4.6", Class::Message, "The recipient's mail is sent in a circle."),
    ("5.7.3", Class::Account, "The server refused user name or password."),
    ("5.7.8", Class::Account, "The server refused user name or password."),
    ("5.7.9", Class::Account, "The server wants another way to sign in: an app password or OAuth."),
    ("5.7.14", Class::Account, "The provider wants a person to sign in with a browser first."),
    ("5.7.25", Class::Account, "The sending server has no valid name in reverse DNS."),
    ("5.7.26", Class::Account, "The mail is not authenticated: SPF and DKIM of the sender's domain must pass."),
    ("5.7.27", Class::Account, "The mail is not authenticated: SPF of the sender's domain must pass."),
    ("5.7.30", Class::Account, "The provider takes no passwords any more: use OAuth."),
    ("5.7.57", Class::Account, "The server wants the account to sign in before it sends."),
    ("5.7.60", Class::Account, "The server does not let this account send under this address."),
    ("5.7.139", Class::Account, "Authenticated SMTP is switched off for this mailbox or its organization."),
    ("5.7.515", Class::Account, "The mail is not authenticated: SPF, DKIM and DMARC of the sender's domain must pass."),
    ("5.7", Class::Message, "The message was refused by a policy of the server."),
    ("5.1", Class::Address, "The recipient's address was refused."),
    ("5", Class::Message, "The server refused the message."),
    ("4.2.1", Class::Slow(10 * MINUTE), "The recipient gets mail too fast."),
    ("4.2.2", Class::Later, "The mailbox is full."),
    ("4.5.3", Class::Slow(MINUTE), "Too many recipients at once."),
    ("4.7.0", Class::Slow(5 * MINUTE), "The server asks for a slower pace."),
    ("4.7", Class::Slow(5 * MINUTE), "The server asks to come back later."),
    ("4", Class::Later, "The server cannot take the message now."),
    ("421", Class::Slow(MINUTE), "The server asks to come back later."),
    ("450", Class::Slow(5 * MINUTE), "The server asks to come back later."),
    ("451", Class::Slow(5 * MINUTE), "The server asks to come back later."),
    ("452", Class::Later, "The server has no room for the message now."),
    ("454", Class::Later, "The server cannot check the password now."),
    ("530", Class::Account, "The server wants the account to sign in before it sends."),
    ("534", Class::Account, "The server wants another way to sign in: an app password or OAuth."),
    ("535", Class::Account, "The server refused user name or password."),
    ("538", Class::Account, "The server takes no password without TLS."),
    ("550", Class::Address, "The mailbox does not exist, or takes no mail from this account."),
    ("551", Class::Address, "The mailbox is not here."),
    ("552", Class::Message, "The message is too large, or the mailbox is full."),
    ("553", Class::Address, "The recipient's address is not a valid one."),
];

/// The row for a code: itself, or its first parts.
fn row(code: &str) -> Option<(Class, &'static str)> {
    let fits = |key: &str| code.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    TABLE.iter().find(|(key, ..)| fits(key)).map(|(_, class, sentence)| (*class, *sentence))
}

/// What an enhanced code means that a server reported later, by mail.
pub fn meaning(code: &str) -> &'static str {
    row(code).map_or("The mail could not be delivered.", |(_, sentence)| sentence)
}

/// True when an enhanced code says that the recipient's address is bad and stays bad. Plain codes say too little: `550` is
/// anything.
pub fn is_bad_address(code: &str) -> bool {
    code.contains('.') && matches!(row(code), Some((Class::Address, _)))
}

/// Class and sentence of a refusal at a step.
fn judge(step: Step, reply: &Reply) -> (Class, &'static str) {
    let known = reply.enhanced().and_then(row);
    let plain = row(&reply.code.to_string());
    // A default row of the enhanced codes says less than a plain code that speaks of the account or of the pace.
    let is_default = matches!(known, Some((Class::Later | Class::Message, _)));
    let found = match (known, plain) {
        (Some(_), Some(plain @ (Class::Account, _))) if is_default => Some(plain),
        (Some(_), Some(slow @ (Class::Slow(_), _))) if is_default && reply.code == 421 => Some(slow),
        (Some(known), _) => Some(known),
        (None, plain) => plain,
    };
    match (step, found) {
        // Whatever is said to the sender's address or at the door is about the account, not about the recipient.
        (Step::MailFrom, Some((Class::Address | Class::Message, _)) | None) if !reply.is_transient() => {
            (Class::Account, "The server does not let this account send under this address.")
        }
        (Step::Auth, _) if !reply.is_transient() => match found {
            Some((Class::Account, sentence)) => (Class::Account, sentence),
            _ => (Class::Account, "The server refused user name or password."),
        },
        (Step::Greeting | Step::Hello | Step::Tls, _) if !reply.is_transient() => {
            (Class::Later, "The server does not talk to this machine.")
        }
        (_, Some(found)) => found,
        (_, None) if reply.is_transient() => (Class::Later, "The server cannot take the message now."),
        (_, None) => (Class::Message, "The server refused the message."),
    }
}

/// A sentence for a person, with the server's own words.
pub fn sentence(step: Step, reply: &Reply) -> String {
    format!("{} The server said: {}", judge(step, reply).1, reply.shown())
}

/// The outcome of a refusal; a server that refuses has certainly not taken the message.
pub fn outcome(step: Step, reply: &Reply) -> SendError {
    let message = sentence(step, reply);
    let failure = |retryable| Failure { code: reply.best_code(), message: message.clone(), retryable };
    match judge(step, reply).0 {
        Class::Address => SendError::Rejected(failure(false)),
        Class::Message => SendError::Rejected(failure(true)),
        Class::Account => SendError::Unauthorized(message),
        Class::Slow(after) => SendError::Throttled { after: Some(after) },
        Class::Later => SendError::Unavailable(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(step: Step, line: &str) -> String {
        let (code, text) = line.split_once(' ').unwrap_or((line, ""));
        let reply = Reply { code: code.parse().expect("a code"), lines: vec![text.to_owned()] };
        match outcome(step, &reply) {
            SendError::Rejected(failure) => format!("rejected {} {}", failure.code, failure.retryable),
            SendError::Unauthorized(_) => "unauthorized".to_owned(),
            SendError::Throttled { after } => format!("throttled {}", after.unwrap_or(0) / 1_000),
            SendError::Unavailable(_) => "unavailable".to_owned(),
            SendError::Unknown(_) => "unknown".to_owned(),
            SendError::Withheld(_) => "withheld".to_owned(),
        }
    }

    #[test]
    fn refusals_become_outcomes() {
        for (step, line, expected) in [
            (Step::Recipient, "550 5.1.1 no such user", "rejected 5.1.1 false"),
            (Step::Recipient, "550 5.1.10 null MX", "rejected 5.1.10 false"),
            (Step::Recipient, "550 5.1.99 new", "rejected 5.1.99 false"),
            (Step::Recipient, "550 no such user", "rejected 550 false"),
            (Step::Recipient, "552 5.2.2 full", "rejected 5.2.2 true"),
            (Step::Recipient, "452 4.2.2 full", "unavailable"),
            (Step::Recipient, "450 4.2.1 too fast", "throttled 600"),
            (Step::Recipient, "451 4.7.1 greylisted", "throttled 300"),
            (Step::Recipient, "450 greylisted", "throttled 300"),
            (Step::Recipient, "421 4.3.2 closing", "throttled 60"),
            (Step::Recipient, "421 4.7.28 rate", "throttled 300"),
            (Step::Recipient, "451 4.3.0 trouble", "unavailable"),
            (Step::Recipient, "454 4.4.1 no route", "unavailable"),
            (Step::Recipient, "554 5.7.1 relay access denied", "rejected 5.7.1 true"),
            (Step::Data, "554 transaction failed", "rejected 554 true"),
            (Step::Confirmation, "550 5.4.5 daily limit", "throttled 3600"),
            (Step::Confirmation, "550 5.7.26 unauthenticated", "unauthorized"),
            (Step::Confirmation, "550 5.7.515 DMARC", "unauthorized"),
            (Step::Confirmation, "552 5.3.4 too big", "rejected 5.3.4 true"),
            (Step::MailFrom, "553 5.7.1 not owned by user", "unauthorized"),
            (Step::MailFrom, "550 5.1.0 sender rejected", "unauthorized"),
            (Step::MailFrom, "530 5.7.0 authentication required", "unauthorized"),
            (Step::MailFrom, "550 5.4.5 daily limit", "throttled 3600"),
            (Step::MailFrom, "451 4.3.0 later", "unavailable"),
            (Step::Auth, "535 5.7.8 bad credentials", "unauthorized"),
            (Step::Auth, "534 5.7.9 app password needed", "unauthorized"),
            (Step::Auth, "550 5.7.30 basic authentication is not supported", "unauthorized"),
            (Step::Auth, "501 syntax", "unauthorized"),
            (Step::Auth, "454 4.7.0 later", "throttled 300"),
            (Step::Auth, "421 too many", "throttled 60"),
            (Step::Greeting, "554 no service", "unavailable"),
            (Step::Greeting, "421 4.7.0 too many connections", "throttled 300"),
        ] {
            assert_eq!(word(step, line), expected, "{step:?} {line}");
        }
    }

    #[test]
    fn every_refusal_has_an_outcome_and_none_is_unknown() {
        let steps = [Step::Greeting, Step::Auth, Step::MailFrom, Step::Recipient, Step::Data, Step::Confirmation];
        for step in steps {
            for code in 400..600 {
                for text in ["", "4.9.9 x", "5.9.9 x", "2.0.0 x", "x"] {
                    assert_ne!(word(step, &format!("{code} {text}")), "unknown");
                }
            }
        }
    }

    #[test]
    fn a_code_is_found_by_itself_before_its_first_parts() {
        assert_eq!(row("5.1.1").map(|row| row.1), Some("The mailbox does not exist."));
        assert_eq!(row("5.1.11").map(|row| row.1), Some("The recipient's address was refused."));
        assert_eq!(row("299"), None);
    }
}
