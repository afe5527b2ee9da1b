//! The providers, and only here: how each is spoken to, and what its answers mean. An adapter turns every outside answer
//! into one of five outcomes ([`SendError`] or a [`Receipt`]); it knows nothing of the database.
//!
//! A new provider is one file here, one entry in `domain::channel`, one line in [`Channels::of`].

mod body;
pub mod imagined;
pub mod imap;
pub mod sandbox;
pub mod smtp;
pub mod twilio;

use super::lease::Lease;
use crate::domain::{
    account::SenderNumber,
    channel::{Channel, Provider},
    consent::Wish,
    email_account::SmtpSettings,
    id::{AccountId, AttemptId, MessageId},
    message::{Failure, Status},
    secret::Secret,
    time::Timestamp,
};
use async_trait::async_trait;
use std::sync::Arc;

/// The opened credentials of one account, by the names of [`Provider::fields`]. Lives for one call.
pub struct Login {
    fields: Vec<(String, Secret)>,
    mailbox: Option<Mailbox>,
}

/// What an e-mail account sends from.
#[derive(Debug, Clone)]
pub struct Mailbox {
    /// Whose connections may be used.
    pub account: AccountId,
    /// The sender.
    pub address: String,
    /// Its name.
    pub display_name: String,
    /// The server.
    pub settings: SmtpSettings,
}

impl Login {
    /// Takes over the opened fields.
    pub fn new(fields: Vec<(String, Secret)>) -> Self {
        Self { fields, mailbox: None }
    }

    /// The same for an e-mail account.
    #[must_use]
    pub fn with_mailbox(mut self, mailbox: Mailbox) -> Self {
        self.mailbox = Some(mailbox);
        self
    }

    /// What an e-mail account sends from; `None` for all others.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        self.mailbox.as_ref()
    }

    /// The field, or "" when the account has none of that name (the provider will refuse it).
    pub fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map_or("", |(_, secret)| secret.expose())
    }
}

/// What a connection test asks for.
pub struct Probe<'a> {
    /// The channel the account will serve.
    pub channel: Channel,
    /// The sender that it will use; `None` for e-mail, whose sender is in the login.
    pub sender: Option<&'a SenderNumber>,
    /// The person insists: do not ask whether the account owns the sender.
    pub force: bool,
}

/// Why a connection test failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestError {
    /// For a program: `not_owned` (the person may insist), `cannot_send`, `credentials`, `unreachable`, `provider`.
    pub code: &'static str,
    /// A sentence for a person, with what to do.
    pub message: String,
}

/// One message, ready to leave.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The message.
    pub message_id: MessageId,
    /// This try.
    pub attempt_id: AttemptId,
    /// The way.
    pub channel: Channel,
    /// The sender: a number in E.164, a short code or a mailbox, without channel prefix.
    pub from: String,
    /// The recipient, without channel prefix.
    pub to: String,
    /// E-mail only.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
    /// Where the provider reports the fate of this very message and attempt; `None` when nobody outside could reach it.
    pub status_url: Option<String>,
    /// E-mail only.
    pub mail: Mail,
    /// When it ends before the last byte has left, the rest stays here.
    pub lease: Lease,
}

/// What an e-mail may have beyond its text; each part may be left out.
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// The same text as HTML.
    pub html: Option<String>,
    /// The sender's name, instead of the account's.
    pub from_name: Option<String>,
    /// Where answers go, instead of the account's own wish.
    pub reply_to: Option<String>,
    /// Where one click unsubscribes (RFC 8058): https.
    pub unsubscribe_url: Option<String>,
    /// The Message-ID that it answers, with angle brackets.
    pub in_reply_to: Option<String>,
    /// The Message-IDs of the thread, with spaces between them; `in_reply_to` alone when left out.
    pub references: Option<String>,
}

/// The provider has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the provider calls it.
    pub provider_message_id: String,
    /// Our word for its first state, `accepted` as a rule.
    pub status: Status,
    /// The provider's own word.
    pub provider_status: Option<String>,
}

/// Why a message is not, or perhaps not, with the provider. What to do next follows from the variant alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// Certainly not sent, and never will be as it stands: the message fails.
    Rejected(Failure),
    /// Certainly not sent: the credentials were refused. The account stops; the message waits. A sentence for its owner.
    Unauthorized(String),
    /// Certainly not sent: too fast. Try again after so many milliseconds, when the provider said.
    Throttled {
        /// Milliseconds to wait, when the provider said.
        after: Option<i64>,
    },
    /// Certainly not sent: the provider could not be reached. A sentence.
    Unavailable(String),
    /// Perhaps sent: never repeated without evidence. A sentence.
    Unknown(String),
    /// Certainly not sent: it was claimed, and did not leave. A sentence.
    Withheld(&'static str),
}

/// Why a message whose lease ended is withheld.
pub const TOO_LATE: &str = "Its turn came too late; it is claimed once more.";

impl SendError {
    /// The provider was reached and answered the call for what it was.
    pub fn is_answer(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Unauthorized(_))
    }
}

/// What a provider says about a message, asked or unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Our word for it.
    pub status: Status,
    /// The provider's own word.
    pub provider_status: String,
    /// What went wrong.
    pub failure: Option<Failure>,
}

/// Somebody wrote to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inbound {
    /// What the provider calls it.
    pub provider_message_id: String,
    /// Who wrote, without channel prefix.
    pub from: String,
    /// To which of our senders, without channel prefix.
    pub to: String,
    /// E-mail only.
    pub subject: Option<String>,
    /// The text.
    pub body: String,
    /// What the provider itself understood it to mean.
    pub opt_out: Option<Wish>,
}

/// The answer to "what became of it?".
#[derive(Debug, Clone, Default)]
pub struct Poll {
    /// The newest state; `None` when the provider does not know the message.
    pub report: Option<Report>,
    /// What came back from the recipient (sandbox only; real providers call).
    pub replies: Vec<Inbound>,
    /// Milliseconds until it is worth asking again; `None` when never.
    pub again_after: Option<i64>,
}

/// What is known of a message when a provider is asked about it.
pub struct Asked<'a> {
    /// What the provider calls it.
    pub provider_message_id: &'a str,
    /// The way.
    pub channel: Channel,
    /// The sender.
    pub from: &'a str,
    /// The recipient.
    pub to: &'a str,
    /// The text.
    pub body: &'a str,
    /// When the provider took it.
    pub accepted_at: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// A message whose call had no clear end.
pub struct Sought<'a> {
    /// The way.
    pub channel: Channel,
    /// The sender.
    pub from: &'a str,
    /// The recipient.
    pub to: &'a str,
    /// The text.
    pub body: &'a str,
    /// When the call began.
    pub since: Timestamp,
    /// When it had ended at the latest.
    pub until: Timestamp,
}

/// A message that the provider has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What the provider calls it.
    pub provider_message_id: String,
    /// What became of it so far.
    pub report: Report,
}

/// A call of a provider at our door, as it came.
pub struct Incoming<'a> {
    /// `POST` or `GET`.
    pub method: &'a str,
    /// The whole URL as the provider knows it: the configured public URL with path and query, never the Host header.
    pub url: &'a str,
    /// The signature header, if any.
    pub signature: Option<&'a str>,
    /// The content type, lower case, without parameters.
    pub content_type: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// What a call told us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Equal for two deliveries of the same event.
    pub dedupe_key: String,
    /// The raw event, fit to be stored: account identifiers masked to their last four.
    pub raw: String,
    /// What it says.
    pub event: ToldEvent,
}

/// A status of one of our messages, or a message to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToldEvent {
    /// About one of ours. Which one is in the callback URL; the provider's id joins what has none.
    Status {
        /// What the provider calls it.
        provider_message_id: String,
        /// What became of it; `None` for a word we do not know (stored, not applied).
        report: Option<Report>,
    },
    /// Somebody wrote.
    Inbound(Inbound),
}

/// The call is not genuine, or cannot be read. The caller learns neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The signature is missing or wrong.
    #[error("bad signature")]
    Signature,
    /// Genuine, but not what was agreed on.
    #[error("unreadable")]
    Unreadable,
}

/// One provider.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Tries the credentials and whether the sender can be used.
    async fn test(&self, login: &Login, probe: &Probe<'_>) -> Result<(), TestError>;
    /// Hands over one message.
    async fn send(&self, login: &Login, message: &Outgoing) -> Result<Receipt, SendError>;
    /// Asks what became of a message.
    async fn poll(&self, login: &Login, asked: &Asked<'_>) -> Result<Poll, SendError>;
    /// Looks in the provider's own list for a message whose call had no clear end. All that fit, oldest first; an account
    /// may have sent the same text to the same recipient more than once.
    async fn find(&self, _login: &Login, _sought: &Sought<'_>) -> Result<Vec<Found>, SendError> {
        Ok(Vec::new())
    }
    /// Whether [`Sender::find`] is an answer: what it does not find was not sent.
    fn can_find(&self) -> bool {
        false
    }
    /// How long a call may take under a lease of so many milliseconds: nothing is begun that could outlive its lease.
    fn longest_call(&self, lease: i64) -> i64 {
        lease / 3
    }
    /// Calls of one account at a time, beyond which latency grows and nothing else. What is claimed is of unknown outcome
    /// after a crash, so no more are claimed than can be called.
    fn most_at_once(&self) -> u32 {
        256
    }
    /// Milliseconds after a receipt when it is first worth asking what became of the message; `None` when nobody can be
    /// asked.
    fn first_poll_after(&self) -> Option<i64>;
    /// Checks the signature, then reads. Pure.
    fn read_webhook(&self, login: &Login, call: &Incoming<'_>) -> Result<Told, WebhookError>;
}

/// All providers.
pub struct Channels {
    real: Arc<Real>,
    /// Who stands in for all of them.
    imagined: Option<Arc<dyn Sender>>,
}

struct Real {
    twilio: twilio::Twilio,
    smtp: smtp::Smtp,
    imap: imap::Imap,
    sandbox: sandbox::Sandbox,
}

impl Channels {
    /// Wires the providers: the shared HTTP client, the address of Twilio's API (no slash at its end), the mail servers.
    pub fn new(http: reqwest::Client, twilio_url: String, smtp: smtp::Smtp, imap: imap::Imap) -> Self {
        let real = Real { twilio: twilio::Twilio::new(http, twilio_url), smtp, imap, sandbox: sandbox::Sandbox };
        Self { real: Arc::new(real), imagined: None }
    }

    /// The same, and nothing leaves: `sender` takes what any of them would.
    #[must_use]
    pub fn imagined(&self, sender: Arc<dyn Sender>) -> Self {
        Self { real: self.real.clone(), imagined: Some(sender) }
    }

    /// Who reads mailboxes.
    pub fn mailboxes(&self) -> &imap::Imap {
        &self.real.imap
    }

    /// Who carries messages for `provider`.
    pub fn of(&self, provider: Provider) -> &dyn Sender {
        if let Some(imagined) = &self.imagined {
            return imagined.as_ref();
        }
        match provider {
            Provider::Twilio => &self.real.twilio,
            Provider::Smtp => &self.real.smtp,
            Provider::Sandbox => &self.real.sandbox,
        }
    }
}
