//! Twilio's error codes, as data: what each means for the message and its account. Twilio asks not to build logic on
//! single codes because the mapping changes; unknown ones have a default.
//!
//! Source: twilio.com/docs/api/errors.

use crate::{domain::message::Failure, server::channel::SendError};

/// What a code means for what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Certain for this recipient or this text: the message fails.
    Final,
    /// The same message may succeed later, by a person's decision.
    Later,
    /// Certainly not sent, too fast: wait.
    Slow,
    /// The account or its sender cannot send: it stops, its messages wait.
    Account,
}

/// Code, class, sentence.
const CODES: &[(u32, Class, &str)] = &[
    (10001, Class::Account, "Twilio says the account is not active. Look at it in the Twilio console."),
    (14107, Class::Slow, "Too many messages between these two numbers in a short time."),
    (
        20003,
        Class::Account,
        "Twilio says the Account SID or Auth Token is wrong. Copy both again from the home page of the Twilio console.",
    ),
    (20005, Class::Account, "Twilio says the account is not active. Look at it in the Twilio console."),
    (20008, Class::Account, "These are Twilio's test credentials, which cannot be used for this. Use the live ones."),
    (20404, Class::Account, "Twilio does not know this account. Copy the Account SID again from the Twilio console."),
    (20429, Class::Slow, "Twilio asked for a slower pace."),
    (21211, Class::Final, "The recipient is not a valid phone number."),
    (21212, Class::Account, "Twilio does not accept the sender's number."),
    (21265, Class::Final, "The recipient is a short code."),
    (21266, Class::Final, "Sender and recipient are the same number."),
    (21267, Class::Account, "A trial account cannot send from a name. Upgrade it in the Twilio console."),
    (21268, Class::Final, "The recipient is a premium-rate number."),
    (
        21408,
        Class::Final,
        "The Twilio account may not send to this country. Allow it under Messaging, Geo permissions in the Twilio console.",
    ),
    (21601, Class::Account, "The sender's number cannot send text messages."),
    (21602, Class::Final, "The message has no text."),
    (21606, Class::Account, "The sender's number is not one of this Twilio account that can send messages."),
    (
        21608,
        Class::Final,
        "A trial account can only write to verified numbers. Verify this one, or upgrade the account in the Twilio console.",
    ),
    (21609, Class::Account, "Twilio cannot call back: TERN_PUBLIC_URL is no public address."),
    (21610, Class::Final, "The recipient replied STOP and must not be contacted from this number."),
    (21611, Class::Slow, "Twilio's queue for this sender is full."),
    (21612, Class::Final, "Twilio has no route from this sender to this recipient."),
    (21614, Class::Final, "The recipient is not a mobile number."),
    (21616, Class::Account, "The sender matches several numbers of the account."),
    (21617, Class::Final, "The text is longer than 1,600 characters."),
    (21619, Class::Final, "The message has no text."),
    (21635, Class::Final, "The recipient is a landline."),
    (21659, Class::Account, "The sender is not a number of Twilio's."),
    (21660, Class::Account, "The sender's number belongs to another Twilio account."),
    (21661, Class::Account, "The sender's number cannot send text messages."),
    (30001, Class::Later, "Twilio's queue overflowed."),
    (30002, Class::Later, "The Twilio account is suspended."),
    (30003, Class::Later, "The phone could not be reached: switched off, or without signal."),
    (30004, Class::Final, "The message was blocked by the recipient or the carrier."),
    (30005, Class::Final, "The number is not in service."),
    (30006, Class::Final, "The recipient is a landline or its carrier cannot be reached."),
    (30007, Class::Final, "The message was filtered as unwanted by Twilio or the carrier."),
    (30008, Class::Later, "The carrier reported an unknown error."),
    (30017, Class::Later, "The carrier's network is congested."),
    (30022, Class::Later, "The sender's rate at the carriers was exceeded."),
    (30023, Class::Later, "The brand's daily cap at the carriers was reached."),
    (30032, Class::Final, "The toll-free sender is not verified. Verify it in the Twilio console."),
    (
        30034,
        Class::Final,
        "The sender is not part of an approved US campaign (10DLC). Register it in the Twilio console.",
    ),
    (30036, Class::Later, "The message waited too long in Twilio's queue."),
    (30450, Class::Later, "Twilio blocked the recipient's prefix for a while (SMS pumping protection)."),
    (63001, Class::Account, "WhatsApp did not accept the sender's sign-in. Look at the sender in the Twilio console."),
    (63002, Class::Account, "Twilio does not know the WhatsApp sender."),
    (63003, Class::Final, "The recipient is not on WhatsApp."),
    (63007, Class::Account, "The number is not a WhatsApp sender of this Twilio account."),
    (63013, Class::Final, "The message breaks a policy of WhatsApp."),
    (63015, Class::Final, "The recipient has not joined the WhatsApp sandbox."),
    (
        63016,
        Class::Final,
        "WhatsApp allows free text only within 24 hours of the recipient's last message. Send a template.",
    ),
    (63018, Class::Slow, "The WhatsApp sender's limit was reached."),
    (63024, Class::Final, "WhatsApp does not accept this recipient."),
    (63049, Class::Later, "Meta chose not to deliver this marketing message."),
];

/// Class and sentence of a code. Unknown codes of a refusal are final, unknown codes of a report may be tried again.
fn look_up(code: u32) -> (Class, &'static str) {
    let known = CODES.iter().find(|(known, ..)| *known == code).map(|(_, class, text)| (*class, *text));
    known.unwrap_or(match code {
        30_000..40_000 | 63_000..64_000 => (Class::Later, "The message failed at Twilio or the carrier."),
        _ => (Class::Final, "Twilio refused the message."),
    })
}

/// The failure of a report with this code.
pub fn failure(code: u32) -> Failure {
    let (class, message) = look_up(code);
    Failure { code: code.to_string(), message: message.to_owned(), retryable: class != Class::Final }
}

/// The outcome of a create that Twilio refused with this code (HTTP 400 and the like): it was certainly not sent.
pub fn refusal(code: u32) -> SendError {
    match look_up(code) {
        (Class::Account, message) => SendError::Unauthorized(format!("{message} (Twilio error {code})")),
        (Class::Slow, _) => SendError::Throttled { after: None },
        (Class::Final | Class::Later, _) => SendError::Rejected(failure(code)),
    }
}

/// The sentence of a code.
pub fn sentence(code: u32) -> &'static str {
    look_up(code).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_sentence_ends() {
        assert!(CODES.is_sorted_by_key(|(code, ..)| *code));
        assert!(CODES.iter().all(|(_, _, text)| text.ends_with('.')));
    }

    #[test]
    fn an_opt_out_is_final_and_a_foreign_sender_stops_the_account() {
        assert!(matches!(refusal(21610), SendError::Rejected(failure) if !failure.retryable));
        assert!(matches!(refusal(21606), SendError::Unauthorized(_)));
        assert_eq!(refusal(21611), SendError::Throttled { after: None });
        assert!(failure(30003).retryable);
        assert!(!failure(29999).retryable && failure(30999).retryable);
    }
}
