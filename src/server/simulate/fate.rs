//! What becomes of a message, by its recipient: the magic numbers of Twilio's test credentials, and a few more of the
//! same range. One table for `tern simulate` and the sandbox.

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Deliver,
    /// Refused when it is handed over.
    Refuse {
        /// Twilio's code.
        code: u32,
        /// A sentence.
        message: &'static str,
    },
    /// It leaves, and does not arrive.
    Undelivered {
        /// Twilio's code.
        code: u32,
        /// A sentence.
        message: &'static str,
    },
    /// Accepted, and fails before it leaves.
    FailLater {
        /// Twilio's code.
        code: u32,
        /// A sentence.
        message: &'static str,
    },
    /// The carrier never sends a receipt.
    StaySent,
}

/// The fate of a message to `to`, a number or a mailbox.
pub fn fate(to: &str) -> Fate {
    let refuse = |code, message| Fate::Refuse { code, message };
    match to {
        "+15005550001" => refuse(21211, "The recipient is not a valid phone number."),
        "+15005550002" => refuse(21612, "There is no route from this sender to this recipient."),
        "+15005550003" => refuse(21408, "The account may not send to this country."),
        "+15005550004" => refuse(21610, "The recipient replied STOP and must not be contacted from this number."),
        "+15005550009" => refuse(21614, "The recipient is not a mobile number."),
        "+15005550030" => Fate::Undelivered {
            code: 30003,
            message: "The phone could not be reached: switched off, or without signal.",
        },
        "+15005550070" => {
            Fate::FailLater { code: 30007, message: "The message was filtered as unwanted by the carrier." }
        }
        "+15005550050" => Fate::StaySent,
        mailbox if mailbox.starts_with("bounce") && mailbox.contains('@') => {
            Fate::Undelivered { code: 550, message: "The mailbox does not exist." }
        }
        _ => Fate::Deliver,
    }
}

/// Why a sender is refused, if it is one of Twilio's magic numbers for that: code and sentence.
pub fn sender_refusal(from: &str) -> Option<(u32, &'static str)> {
    match from {
        "+15005550001" => Some((21212, "The 'From' number is not valid.")),
        "+15005550007" => Some((21606, "The 'From' number cannot send messages.")),
        "+15005550008" => Some((21611, "The queue of the 'From' number is full.")),
        _ => None,
    }
}
