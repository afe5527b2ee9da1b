//! Messages: their shape, their timeline, and the forms in which they are asked for.

mod status;

pub use status::Status;

use super::{
    channel::Channel,
    email::Email,
    field_error::FieldErrors,
    id::{AccountId, EventId, LeadId, MessageId},
    page::Limit,
    phone::PhoneNumber,
    text::{parse_body, parse_line},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Which way it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From us.
    Outbound,
    /// To us.
    Inbound,
}

impl Direction {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Outbound, Self::Inbound].into_iter().find(|direction| direction.as_str() == name)
    }
}

/// What went wrong, in words for a person and a code for a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The provider's code or one of ours.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// True when the same message may succeed later.
    pub retryable: bool,
}

/// Why a message waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitingReason {
    /// The account has sent its daily limit.
    DailyLimit,
    /// The account is switched off.
    AccountInactive,
    /// The account's credentials were refused.
    AccountError,
    /// The provider asked for patience, or could not be reached.
    Provider,
    /// It is to go out later.
    Scheduled,
    /// It is night where its recipient is.
    QuietHours,
    /// Its recipient got as many messages as the organization allows.
    ContactCap,
    /// Its sequence or campaign is held.
    Paused,
    /// Others of the account leave first.
    Turn,
    /// Nobody knows whether it went out (status `unknown`): evidence, or a person, decides.
    Evidence,
}

impl WaitingReason {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DailyLimit => "daily_limit",
            Self::AccountInactive => "account_inactive",
            Self::AccountError => "account_error",
            Self::Provider => "provider",
            Self::Scheduled => "scheduled",
            Self::QuietHours => "quiet_hours",
            Self::ContactCap => "contact_cap",
            Self::Paused => "paused",
            Self::Turn => "turn",
            Self::Evidence => "evidence",
        }
    }

    /// The reason for people, in two words; the sentence is in [`Waiting::detail`].
    pub fn label(self) -> &'static str {
        match self {
            Self::DailyLimit => "Daily limit",
            Self::AccountInactive => "Account is off",
            Self::AccountError => "Account cannot send",
            Self::Provider => "Provider pauses",
            Self::Scheduled => "Scheduled",
            Self::QuietHours => "Quiet hours",
            Self::ContactCap => "Contact cap",
            Self::Paused => "Paused",
            Self::Turn => "In turn",
            Self::Evidence => "Needs evidence",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::DailyLimit,
            Self::AccountInactive,
            Self::AccountError,
            Self::Provider,
            Self::Scheduled,
            Self::QuietHours,
            Self::ContactCap,
            Self::Paused,
            Self::Turn,
            Self::Evidence,
        ]
        .into_iter()
        .find(|reason| reason.as_str() == name)
    }
}

/// The answer to "why has it not gone out, and when will it?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Why.
    pub reason: WaitingReason,
    /// Since when.
    pub since: Timestamp,
    /// When it is tried next; `None` when that is up to a person.
    pub until: Option<Timestamp>,
    /// A sentence.
    pub detail: String,
}

/// A message, in the very shape of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Identifier; sorts by creation.
    pub id: MessageId,
    /// The way.
    pub channel: Channel,
    /// From us or to us.
    pub direction: Direction,
    /// The recipient.
    pub to: String,
    /// The sender.
    pub from: Option<String>,
    /// E-mail only.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
    /// Where it is.
    pub status: Status,
    /// The account; `None` for the installation's platform defaults.
    pub account_id: Option<AccountId>,
    /// The lead.
    pub lead_id: Option<LeadId>,
    /// What the provider calls it.
    pub provider_message_id: Option<String>,
    /// Parts it is billed as (SMS; 1 otherwise).
    pub segments: u32,
    /// Tries so far.
    pub attempts: u32,
    /// What went wrong.
    pub error: Option<Failure>,
    /// Why it waits.
    pub waiting: Option<Waiting>,
    /// True when it belongs to the demo data.
    #[serde(default)]
    pub is_demo: bool,
    /// Stored.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// Who told us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A call of the API or the page.
    Api,
    /// The worker.
    Worker,
    /// The provider called back.
    Webhook,
    /// We asked the provider.
    Poll,
    /// A person decided.
    User,
}

impl Source {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Webhook => "webhook",
            Self::Poll => "poll",
            Self::User => "user",
        }
    }

    /// Reads the name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Api, Self::Worker, Self::Webhook, Self::Poll, Self::User]
            .into_iter()
            .find(|source| source.as_str() == name)
    }
}

/// One entry of a message's timeline, in the shape of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Identifier.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// The status it tells of.
    pub status: Status,
    /// Who told us.
    pub source: Source,
    /// The provider's own word.
    pub provider_status: Option<String>,
    /// What went wrong.
    pub error: Option<Failure>,
    /// A sentence.
    pub detail: Option<String>,
}

/// What a message's own page shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The message.
    pub message: Message,
    /// Its timeline, oldest first.
    pub events: Vec<Event>,
}

/// The most characters of a text: Twilio's own limit for SMS and WhatsApp (error 21617).
pub const BODY_MAX: usize = 1_600;

/// The most characters of an e-mail's text.
pub const EMAIL_BODY_MAX: usize = 100_000;
/// The most characters of a subject: one header line (RFC 5322).
pub const SUBJECT_MAX: usize = 998;
/// The most characters of a search.
const SEARCH_MAX: usize = 200;

/// Which messages a list shows; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageFilter {
    /// Where it is.
    pub status: Option<Status>,
    /// The way.
    pub channel: Option<Channel>,
    /// Through which account.
    pub account_id: Option<AccountId>,
    /// To which lead.
    pub lead_id: Option<LeadId>,
    /// Part of the recipient or the text.
    pub q: Option<String>,
    /// Older than this one.
    pub cursor: Option<MessageId>,
    /// Rows in the page.
    pub limit: Limit,
}

impl MessageFilter {
    /// Reads what a person chooses from; a page of it is another matter.
    pub fn chosen(status: &str, channel: &str, account_id: &str, q: &str) -> Result<Self, FieldErrors> {
        Self::parse(Some(status), Some(channel), Some(account_id), None, Some(q), None, None)
    }

    /// Reads query parameters; an empty one is none.
    pub fn parse(
        status: Option<&str>,
        channel: Option<&str>,
        account_id: Option<&str>,
        lead_id: Option<&str>,
        q: Option<&str>,
        cursor: Option<&str>,
        limit: Option<&str>,
    ) -> Result<Self, FieldErrors> {
        fn read<T>(
            errors: &mut FieldErrors,
            field: &str,
            text: Option<&str>,
            parse: impl Fn(&str) -> Option<T>,
            hint: &str,
        ) -> Option<T> {
            let text = text.map(str::trim).filter(|text| !text.is_empty())?;
            errors.check(field, parse(text).ok_or(hint))
        }
        let mut errors = FieldErrors::default();
        let filter = Self {
            status: read(&mut errors, "status", status, Status::from_name, "is no status of a message"),
            channel: read(&mut errors, "channel", channel, Channel::from_name, "must be email, sms or whatsapp"),
            account_id: read(&mut errors, "account_id", account_id, |text| text.parse().ok(), "is no id"),
            lead_id: read(&mut errors, "lead_id", lead_id, |text| text.parse().ok(), "is no id"),
            q: read(
                &mut errors,
                "q",
                q,
                |text| parse_line(text, SEARCH_MAX).ok(),
                "must be at most 200 plain characters",
            ),
            cursor: read(&mut errors, "cursor", cursor, |text| text.parse().ok(), "is no cursor of this list"),
            limit: read(&mut errors, "limit", limit, |text| Limit::parse(text).ok(), "must be a number from 1 to 200")
                .unwrap_or_default(),
        };
        if errors.is_empty() { Ok(filter) } else { Err(errors) }
    }
}

/// A message that somebody asks to send, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SendForm {
    /// Name of the channel.
    pub channel: String,
    /// The account; empty: the default.
    pub account_id: String,
    /// The recipient.
    pub to: String,
    /// A lead instead of a recipient.
    pub lead_id: String,
    /// E-mail only.
    pub subject: String,
    /// The text.
    pub body: String,
    /// Not before this instant, RFC 3339.
    pub send_at: String,
    /// `defer` (also when empty) or `reject`.
    pub on_limit: String,
}

/// What happens to a message over the daily limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLimit {
    /// It waits for the next day.
    Defer,
    /// It is refused.
    Reject,
}

/// Who is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// By number.
    Phone(PhoneNumber),
    /// By mail.
    Email(Email),
}

impl Recipient {
    /// The number in E.164 or the address.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Phone(number) => number.as_str(),
            Self::Email(email) => email.as_str(),
        }
    }
}

/// A message that may be stored: every part is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The way.
    pub channel: Channel,
    /// Through which account; `None`: the default.
    pub account_id: Option<AccountId>,
    /// Who is written to.
    pub to: Recipient,
    /// The lead that was named.
    pub lead_id: Option<LeadId>,
    /// E-mail only.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
    /// Not before this instant.
    pub send_at: Option<Timestamp>,
    /// Over the daily limit.
    pub on_limit: OnLimit,
}

impl SendForm {
    /// Everything that can be said without the database. `parse_number`: the shape in the browser, a full library on
    /// the server.
    pub fn parse<E: std::fmt::Display>(
        &self,
        parse_number: impl Fn(&str) -> Result<PhoneNumber, E>,
    ) -> Result<NewMessage, FieldErrors> {
        let mut errors = FieldErrors::default();
        let channel =
            errors.check("channel", Channel::from_name(self.channel.trim()).ok_or("must be email, sms or whatsapp"));
        let body_max = if channel == Some(Channel::Email) { EMAIL_BODY_MAX } else { BODY_MAX };
        let body = errors.check("body", parse_body(&self.body, body_max));
        let to = match (self.to.trim(), channel) {
            ("", _) => errors.check("to", Err::<Recipient, _>("is required")),
            (to, Some(Channel::Email)) => errors.check("to", Email::parse(to)).map(Recipient::Email),
            (to, _) => errors.check("to", parse_number(to)).map(Recipient::Phone),
        };
        let account_id = match self.account_id.trim() {
            "" => None,
            id => errors.check("account_id", id.parse::<AccountId>()),
        };
        let lead_id = match self.lead_id.trim() {
            "" => None,
            id => errors.check("lead_id", id.parse::<LeadId>()),
        };
        let subject = match self.subject.trim() {
            "" => None,
            _ if channel.is_some_and(|channel| channel != Channel::Email) => {
                errors.check("subject", Err::<String, _>("is for e-mail only"))
            }
            subject => errors.check("subject", parse_line(subject, SUBJECT_MAX)),
        };
        let send_at = match self.send_at.trim() {
            "" => None,
            at => errors.check("send_at", Timestamp::parse(at)),
        };
        let on_limit = match self.on_limit.trim() {
            "" | "defer" => OnLimit::Defer,
            "reject" => OnLimit::Reject,
            _ => {
                errors.add("on_limit", "must be defer or reject");
                OnLimit::Defer
            }
        };
        match (channel, to, body) {
            (Some(channel), Some(to), Some(body)) if errors.is_empty() => {
                Ok(NewMessage { channel, account_id, to, lead_id, subject, body, send_at, on_limit })
            }
            _ => Err(errors),
        }
    }
}
