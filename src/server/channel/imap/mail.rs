//! What a raw mail is: a report about one that was sent, an answer of a person, an answer of a machine, or none of ours.

use super::bounce::{self, Bounce};
use crate::domain::id::MessageId;
use mail_parser::{Address, HeaderName, HeaderValue, Message, MessageParser, MimeHeaders, PartType};

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mail {
    /// A mail server says what became of a mail.
    Bounce(Bounce),
    /// Somebody answers.
    Reply {
        /// The Message-IDs that it may answer, without brackets, the likeliest first.
        to_message_id: Vec<String>,
        /// What they write.
        letter: Letter,
    },
    /// A machine answers: out of office, list, receipt.
    AutoReply {
        /// The Message-IDs that it may answer, without brackets, the likeliest first.
        to_message_id: Vec<String>,
        /// What it says.
        letter: Letter,
    },
    /// Somebody calls a mail unwanted (RFC 5965).
    Complaint {
        /// The Message-IDs of what they complain about, without brackets.
        about_message_id: Vec<String>,
    },
    /// A mail of our own, or one that has nothing to do with us.
    Other,
}

/// As much of a mail as people read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Letter {
    /// Who wrote, in lower case.
    pub from: String,
    /// What it is about.
    pub subject: String,
    /// The text; of a mail in HTML what is left of it as text.
    pub text: String,
}

/// The most characters of a text that are kept.
const TEXT_MAX: usize = 20_000;

/// Local parts under which mail servers write.
const DAEMONS: [&str; 3] = ["mailer-daemon", "postmaster", "mail-daemon"];

/// One header as text; "" when it is not there.
pub(super) fn header<'a>(message: &'a Message<'_>, name: &'a str) -> &'a str {
    message.header(HeaderName::from(name)).and_then(HeaderValue::as_text).unwrap_or_default().trim()
}

/// The Message-IDs of a header, without brackets.
pub(super) fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    value.as_text_list().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// The own Message-ID of a mail.
pub fn message_id(raw: &[u8]) -> Option<String> {
    MessageParser::default().parse_headers(raw)?.message_id().map(str::to_owned)
}

fn sender(message: &Message<'_>) -> String {
    let first = message.from().and_then(Address::first).and_then(|address| address.address());
    first.unwrap_or_default().to_lowercase()
}

fn is_report(message: &Message<'_>) -> bool {
    let is = |part: &str, name: &str| part.eq_ignore_ascii_case(name);
    message.content_type().is_some_and(|kind| {
        is(kind.ctype(), "multipart") && kind.subtype().is_some_and(|subtype| is(subtype, "report"))
    })
}

/// True for mails that call themselves a mail server's.
pub(super) fn is_signed_by_a_server(message: &Message<'_>) -> bool {
    let sender = sender(message);
    let local = sender.split('@').next().unwrap_or_default();
    DAEMONS.contains(&local) || !header(message, "X-Failed-Recipients").is_empty()
}

/// True for mails that servers may have written: their envelope has no sender, or they call themselves so.
fn is_of_a_server(message: &Message<'_>) -> bool {
    // As it stands: parsed, an empty address looks like none.
    message.header_raw("Return-Path").unwrap_or_default().trim() == "<>" || is_signed_by_a_server(message)
}

/// Whether the text is worth reading, by the headers alone: a report that can be about a mail of ours, or an answer to one.
/// What people write to each other is none of our business.
pub fn is_worth_reading(headers: &[u8]) -> bool {
    let is_ours = |mail: &Message<'_>| answered(mail).iter().any(|id| may_be_ours(id));
    MessageParser::default()
        .parse_headers(headers)
        .is_some_and(|mail| is_report(&mail) || is_of_a_server(&mail) || is_ours(&mail))
}

/// Whether a Message-ID looks like those that we make: the message's own id stands before the `@`.
fn may_be_ours(id: &str) -> bool {
    id.split('@').next().is_some_and(|local| local.to_uppercase().parse::<MessageId>().is_ok())
}

/// The Message-IDs that a mail may answer, the likeliest first.
fn answered(message: &Message<'_>) -> Vec<String> {
    let mut answered = ids(message.in_reply_to());
    answered.extend(ids(message.references()).into_iter().rev());
    let mut seen = std::collections::HashSet::new();
    answered.retain(|id| seen.insert(id.clone()));
    answered
}

fn letter(message: &Message<'_>) -> Letter {
    let clean = |text: &str| text.replace('\0', "").replace("\r\n", "\n").trim().chars().take(TEXT_MAX).collect();
    Letter {
        from: sender(message),
        subject: clean(message.subject().unwrap_or_default()),
        text: message.body_text(0).map(|text| clean(&text)).unwrap_or_default(),
    }
}

/// The mails that a report of an unwanted mail encloses; `None` when it is no such report.
fn complained_about(message: &Message<'_>) -> Option<Vec<String>> {
    let is_feedback = message.content_type().and_then(|kind| kind.attribute("report-type"));
    if !is_feedback.is_some_and(|kind| kind.eq_ignore_ascii_case("feedback-report")) {
        return None;
    }
    let enclosed = message.parts.iter().filter_map(|part| match &part.body {
        PartType::Message(enclosed) => enclosed.message_id().map(str::to_owned),
        _ => None,
    });
    Some(enclosed.collect())
}

/// True for what no person wrote (RFC 3834, and what was usual before it).
fn is_automatic(message: &Message<'_>) -> bool {
    let submitted = header(message, "Auto-Submitted");
    let precedence = header(message, "Precedence").to_lowercase();
    (!submitted.is_empty() && !submitted.to_lowercase().starts_with("no"))
        || ["X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress"]
            .iter()
            .any(|name| !header(message, name).is_empty())
        || ["bulk", "junk", "list", "auto_reply"].contains(&precedence.as_str())
        || message.header(HeaderName::from("List-Id")).is_some()
}

/// Tells what a mail is; headers alone are enough for all but bounces. `own` is the address of the mailbox.
pub fn read(raw: &[u8], own: &str) -> Mail {
    let Some(message) = MessageParser::default().parse(raw) else { return Mail::Other };
    if is_report(&message) || is_of_a_server(&message) {
        if let Some(bounce) = bounce::read(&message) {
            return Mail::Bounce(bounce);
        }
        if let Some(about_message_id) = complained_about(&message) {
            return Mail::Complaint { about_message_id };
        }
        if is_report(&message) {
            return Mail::Other; // of another kind: that it was read
        }
    }
    if is_automatic(&message) {
        return Mail::AutoReply { to_message_id: answered(&message), letter: letter(&message) };
    }
    if sender(&message) == own.to_lowercase() {
        return Mail::Other;
    }
    let to_message_id = answered(&message);
    if to_message_id.is_empty() { Mail::Other } else { Mail::Reply { to_message_id, letter: letter(&message) } }
}
