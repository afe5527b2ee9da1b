//! What mail servers say of a mail that they could not deliver (RFC 3464 inside RFC 6522), and the older forms that say it
//! in prose.

use super::mail::{header, ids, is_signed_by_a_server};
use crate::{
    domain::message::{Failure, Status},
    server::channel::{Report, smtp},
};
use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

/// The most characters of a server's words that are kept.
const SAID_MAX: usize = 500;
/// The most recipients of one report; ours have one each.
const FATES_MAX: usize = 20;
/// How much prose is read.
const PROSE_MAX: usize = 64 * 1024;

/// What became of a mail for one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Given up.
    Failed,
    /// Not yet; the server goes on trying.
    Delayed,
    /// It arrived.
    Delivered,
    /// Passed on to a server that reports nothing.
    Relayed,
}

/// What a server says of one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// What became of it.
    pub action: Action,
    /// The enhanced code, like `5.1.1`.
    pub code: String,
    /// The words of the server that refused.
    pub said: String,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// What may name the mail: Message-IDs without brackets, envelope ids; the surest first.
    pub names: Vec<String>,
    /// For each recipient.
    pub fates: Vec<Fate>,
}

impl Fate {
    /// As a provider's report about the message.
    pub fn report(&self) -> Report {
        let (status, word) = match self.action {
            Action::Failed => (Status::Undelivered, "failed"),
            // Both prove that the server had taken it, and nothing more.
            Action::Delayed => (Status::Sent, "delayed"),
            Action::Relayed => (Status::Sent, "relayed"),
            Action::Delivered => (Status::Delivered, "delivered"),
        };
        let failure = matches!(self.action, Action::Failed | Action::Delayed).then(|| Failure {
            code: self.code.clone(),
            message: match (smtp::meaning(&self.code), self.said.as_str()) {
                (sentence, "") => sentence.to_owned(),
                (sentence, said) => format!("{sentence} The server said: {said}"),
            },
            retryable: !smtp::is_bad_address(&self.code),
        });
        Report { status, provider_status: word.to_owned(), failure }
    }

    /// True when the address is bad and stays bad.
    pub fn is_hard(&self) -> bool {
        self.action == Action::Failed && smtp::is_bad_address(&self.code)
    }
}

/// The first enhanced code in a text: `5.1.1` stands for itself, as in `#5.1.1)`.
fn enhanced(text: &str) -> Option<&str> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    words.map(|word| word.trim_end_matches('.')).find(|word| {
        let parts: Vec<&str> = word.split('.').collect();
        let fits = |part: &&str| (1..=3).contains(&part.len());
        parts.len() == 3 && matches!(parts[0], "2" | "4" | "5") && parts.iter().all(fits)
    })
}

/// On one line, short.
fn tidy(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(SAID_MAX).collect()
}

/// The blocks of a delivery status: fields with their continuation lines joined.
fn blocks(text: &str) -> Vec<Vec<(String, String)>> {
    let mut blocks = vec![Vec::<(String, String)>::new()];
    for line in text.lines() {
        let block = blocks.last_mut().expect("one at least");
        if line.trim().is_empty() {
            if !block.is_empty() {
                blocks.push(Vec::new());
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = block.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            block.push((name.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    blocks
}

fn field<'a>(block: &'a [(String, String)], name: &str) -> Option<&'a str> {
    block.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The value behind its type: `smtp; 550 …`, `rfc822; a@b`.
fn untyped(value: &str) -> &str {
    value.split_once(';').map_or(value, |(_, rest)| rest).trim()
}

fn fate(block: &[(String, String)]) -> Option<Fate> {
    let action = match field(block, "action")?.split_whitespace().next()?.to_lowercase().as_str() {
        "failed" => Action::Failed,
        "delayed" => Action::Delayed,
        "delivered" => Action::Delivered,
        "relayed" | "expanded" => Action::Relayed,
        _ => return None,
    };
    let said = field(block, "diagnostic-code").map(|value| tidy(untyped(value))).unwrap_or_default();
    let status = field(block, "status").and_then(enhanced);
    // Some servers write x.0.0 and have the real code in their words.
    let code = match (status, enhanced(&said)) {
        (Some(status), Some(better)) if status.ends_with(".0.0") && better.starts_with(&status[..1]) => better,
        (Some(status), _) => status,
        (None, Some(said)) => said,
        (None, None) if action == Action::Failed => "5.0.0",
        (None, None) => "4.0.0",
    };
    Some(Fate { action, code: code.to_owned(), said })
}

fn is_kind(part: &MessagePart<'_>, kind: &str, subtypes: &[&str]) -> bool {
    part.content_type().is_some_and(|found| {
        let subtype = found.subtype().unwrap_or_default();
        found.ctype().eq_ignore_ascii_case(kind) && subtypes.iter().any(|known| known.eq_ignore_ascii_case(subtype))
    })
}

/// The ids that the returned mail, or what is left of it, calls itself by.
fn own_ids(returned: &Message<'_>) -> Vec<String> {
    // Microsoft renames what it is given and keeps the old name beside.
    let before = header(returned, "X-Microsoft-Original-Message-ID").trim_matches(['<', '>']).to_owned();
    let own = returned.message_id().map(str::to_owned);
    own.into_iter().chain((!before.is_empty()).then_some(before)).collect()
}

/// Lines of prose that carry the returned mail's Message-ID.
fn ids_in_prose(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim_start_matches(['>', ' ', '\t', '|']));
    let ids = lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("message-id").then(|| value.trim().trim_matches(['<', '>']).to_owned())
    });
    ids.filter(|id| !id.is_empty()).collect()
}

/// The token of a return path that was made for one mail: `bounce+TOKEN@…`.
fn verp(message: &Message<'_>) -> Vec<String> {
    let to = message.to().into_iter().flat_map(Address::iter).filter_map(|address| address.address());
    let token = |address: &str| {
        let (_, token) = address.split('@').next()?.rsplit_once(['+', '='])?;
        Some(token.to_owned())
    };
    to.filter_map(token).collect()
}

/// Reads a report; `None` when it says nothing of a delivery.
pub fn read(message: &Message<'_>) -> Option<Bounce> {
    let (mut names, mut envelopes, mut fates, mut prose) = (Vec::new(), Vec::new(), Vec::new(), String::new());
    let mut is_report = false;
    for part in &message.parts {
        if is_kind(part, "message", &["delivery-status", "global-delivery-status"]) {
            is_report = true;
            for block in blocks(&String::from_utf8_lossy(part.contents())) {
                envelopes.extend(field(&block, "original-envelope-id").map(str::to_owned));
                fates.extend(fate(&block));
            }
        } else if is_kind(part, "text", &["rfc822-headers", "global-headers"])
            || is_kind(part, "message", &["global-headers", "rfc822-headers"])
        {
            names.extend(MessageParser::default().parse_headers(part.contents()).iter().flat_map(own_ids));
        } else if let PartType::Message(returned) = &part.body {
            names.extend(own_ids(returned));
        } else if let PartType::Text(text) | PartType::Html(text) = &part.body
            && prose.len() < PROSE_MAX
        {
            prose.extend(text.chars().take(PROSE_MAX));
            prose.push('\n');
        }
    }
    fates.truncate(FATES_MAX);
    // Machines that answer for people use such words, too.
    if !is_report && is_signed_by_a_server(message) {
        fates.extend(fate_in_prose(message, &prose));
    }
    if fates.is_empty() {
        return None;
    }
    if names.is_empty() {
        names = ids_in_prose(&prose);
    }
    names.extend(envelopes);
    // Large providers thread a report below the mail that it is about.
    names.extend(ids(message.in_reply_to()));
    names.extend(ids(message.references()).into_iter().rev());
    names.extend(verp(message));
    (!names.is_empty()).then_some(Bounce { names, fates })
}

/// What a server says without a form, as qmail and old Exim do: believed when it says that it gave up.
fn fate_in_prose(message: &Message<'_>, prose: &str) -> Option<Fate> {
    // The returned mail begins here; whatever it says is not the server's word.
    let ends = ["below this line is a copy", "this is a copy of the message", "original message", "message header"];
    let lower = prose.to_ascii_lowercase();
    let end = ends.iter().filter_map(|end| lower.find(end)).min().unwrap_or(prose.len());
    let (own, lower) = (&prose[..end], &lower[..end]);
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let gave_up = !header(message, "X-Failed-Recipients").is_empty()
        || says(&[
            "permanent error",
            "permanent fatal",
            "i've given up",
            "could not be delivered",
            "undeliverable",
            "delivery failed",
        ]);
    let goes_on = says(&["will be retried", "will retry", "delivery attempts will continue", "no action is required"]);
    if !gave_up || goes_on {
        return None;
    }
    let code = enhanced(own).filter(|code| !code.starts_with('2')).unwrap_or("5.0.0");
    let line = own.lines().find(|line| line.contains(code)).or_else(|| {
        own.lines()
            .find(|line| line.split_whitespace().any(|word| matches!(word, "550" | "551" | "552" | "553" | "554")))
    });
    Some(Fate { action: Action::Failed, code: code.to_owned(), said: line.map(tidy).unwrap_or_default() })
}
