//! SMTP: e-mail through the mailbox of an account (RFC 5321, 3207, 4954, 2920).
//!
//! `dialogue` speaks, `pool` keeps connections, `letter` writes mails, `code` knows what refusals mean. What an outcome
//! is depends on one moment: until the final dot has left, nothing was sent; from then on only the server's word counts.

mod code;
mod dialogue;
mod letter;
mod pool;
mod reply;

use super::{
    Asked, Incoming, Login, Mailbox, Outgoing, Poll, Probe, Receipt, SendError, Sender, TOO_LATE, TestError, Told,
    WebhookError,
};
use crate::{
    domain::{
        email_account::{PRESETS, SmtpAuth},
        message::{Failure, Status},
    },
    server::{
        clock::Clock,
        dial::{Dialer, NotReached},
        lease::Lease,
    },
};
use async_trait::async_trait;
use dialogue::{Dialogue, Door, Envelope, Fault, Step};
use letter::Letter;
use pool::{Pool, Taken};
use rustls::ClientConfig;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

/// How long things may take. The first two together stay below the lease of a message that is being sent.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From waiting for a connection to the last byte before the final dot.
    pub offer: Duration,
    /// From the final dot to the server's word. RFC 5321 allows it ten minutes; what comes later than this is unknown.
    pub confirm: Duration,
    /// With a connection that nobody uses; servers close theirs after one to five minutes.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { offer: Duration::from_secs(40), confirm: Duration::from_secs(45), idle: Duration::from_secs(45) }
    }
}

/// A connection test may take so long.
const TEST: Duration = Duration::from_secs(30);

/// The adapter.
pub struct Smtp {
    dialer: Dialer,
    tls: Arc<ClientConfig>,
    /// What we call ourselves to servers.
    hello: String,
    clock: Arc<dyn Clock>,
    patience: Patience,
    pool: Pool,
}

pub(super) use code::{is_bad_address, meaning};

/// Reads a key for signatures, or says what it must be.
pub fn check_key(text: &str) -> Result<(), &'static str> {
    letter::parse_key(text).map(drop)
}

fn failed(code: &'static str, message: impl Into<String>) -> TestError {
    TestError { code, message: message.into() }
}

/// A code and a sentence for people; `ports` says which ones are open to everybody.
pub(super) fn not_reached(why: NotReached, ports: &str) -> (&'static str, String) {
    let (code, text) = match why {
        NotReached::NoAddress => ("dns", "DNS failed: this host name has no address. Check how it is spelt."),
        NotReached::Closed => (
            "host_not_allowed",
            "This host is in a private network. The operator of Tern must allow it first (TERN_ALLOW_PRIVATE_HOSTS).",
        ),
        NotReached::Port => {
            let others = "Others are for hosts that the operator of Tern has allowed.";
            return ("port_not_allowed", format!("{ports} {others}"));
        }
        NotReached::Silent => ("connect", "TCP failed: the server did not answer on this port. Check host and port."),
    };
    (code, text.to_owned())
}

/// What happened, in one sentence, and a code for programs.
fn sentence(fault: &Fault) -> (&'static str, String) {
    match fault {
        Fault::NotReached(why) => {
            let (code, text) = not_reached(*why, "Mail leaves through the ports 25, 465, 587 and 2525.");
            let hint = if *why == NotReached::Silent { " Some networks block port 25." } else { "" };
            (code, text + hint)
        }
        Fault::Insecure(why) => ("tls", format!("TLS failed: {why}")),
        Fault::NotOffered(why) if why.contains("STARTTLS") => ("tls", format!("TLS failed: {why}")),
        Fault::NotOffered(why) => ("credentials", format!("AUTH failed: {why}")),
        Fault::Refused(step, reply) => {
            let code = match step {
                Step::Auth => "credentials",
                Step::MailFrom => "sender",
                Step::Tls => "tls",
                _ => "provider",
            };
            (code, format!("{} failed: {}", step.label(), code::sentence(*step, reply)))
        }
        Fault::Lost(step, how) => {
            let (code, hint) = match step {
                Step::Greeting => ("connect", " Check port and security: TLS goes with 465, STARTTLS with 587."),
                Step::Tls => ("tls", ""),
                _ => ("provider", ""),
            };
            (code, format!("{} failed: {how}.{hint}", step.label()))
        }
    }
}

/// What people must know of a large provider.
fn hint(host: &str) -> Option<&'static str> {
    let domain = |host: &str| host.rsplitn(3, '.').take(2).map(str::to_owned).collect::<Vec<_>>();
    let known = PRESETS.iter().find(|preset| !preset.host.is_empty() && domain(preset.host) == domain(host));
    known.map(|preset| preset.hint)
}

/// A fault before the final dot: nothing was sent.
fn unsent(fault: Fault) -> SendError {
    match fault {
        Fault::Refused(step, reply) => code::outcome(step, &reply),
        Fault::NotReached(NotReached::Closed | NotReached::Port) | Fault::NotOffered(_) => {
            SendError::Unauthorized(sentence(&fault).1)
        }
        fault => SendError::Unavailable(sentence(&fault).1),
    }
}

impl Smtp {
    /// Wires it. `hello` is a host name, or an address in brackets.
    pub fn new(
        dialer: Dialer,
        tls: Arc<ClientConfig>,
        hello: String,
        clock: Arc<dyn Clock>,
        patience: Patience,
    ) -> Self {
        Self { dialer, tls, hello, clock, patience, pool: Pool::new(patience.idle) }
    }

    fn door<'a>(&'a self, mailbox: &'a Mailbox, login: &'a Login) -> Door<'a> {
        let (dialer, tls, hello) = (&self.dialer, &self.tls, self.hello.as_str());
        Door { dialer, tls, hello, settings: &mailbox.settings, password: login.field("smtp_password") }
    }

    /// Everything up to the final dot. A connection that was kept may have been closed by the server meanwhile; nothing
    /// was sent then, so a new one is tried at once.
    async fn offer(&self, mailbox: &Mailbox, door: &Door<'_>, letter: &Letter) -> Result<Taken, SendError> {
        let envelope = Envelope { from: &letter.from, to: &letter.to, data: &letter.data };
        let mut fresh = false;
        loop {
            let mut taken = self.pool.take(&mailbox.account, door, fresh).await.map_err(unsent)?;
            let Err(fault) = taken.dialogue.offer(&envelope).await else { return Ok(taken) };
            let is_stale = taken.is_used
                && match &fault {
                    Fault::Lost(..) => true,
                    Fault::Refused(_, reply) => reply.code == 421,
                    _ => false,
                };
            // Refused in good order, the next message may use the connection.
            self.pool.give_back(taken);
            if !is_stale {
                return Err(unsent(fault));
            }
            fresh = true;
        }
    }

    async fn hand_over(
        &self,
        mailbox: &Mailbox,
        login: &Login,
        letter: &Letter,
        lease: &Lease,
    ) -> Result<String, SendError> {
        let door = self.door(mailbox, login);
        let deadline = Instant::now() + self.patience.offer;
        let mut taken = match timeout_at(deadline, self.offer(mailbox, &door, letter)).await {
            Ok(offered) => offered?,
            Err(_) => return Err(SendError::Unavailable("The mail server did not answer in time.".to_owned())),
        };
        // Dropped, and not given back: without its final dot no server takes a mail.
        if !lease.has(0) {
            return Err(SendError::Withheld(TOO_LATE));
        }
        let unknown = |how: &str| {
            SendError::Unknown(format!("The mail server had the whole message, and then {how}: it may have taken it."))
        };
        let confirmed = timeout(self.patience.confirm, taken.dialogue.confirm()).await;
        match confirmed {
            Ok(Ok(reply)) => {
                self.pool.give_back(taken);
                Ok(reply.shown())
            }
            Ok(Err(Fault::Refused(step, reply))) => {
                self.pool.give_back(taken);
                Err(code::outcome(step, &reply))
            }
            Ok(Err(Fault::Lost(Step::Confirmation, how))) => Err(unknown(how)),
            Ok(Err(fault)) => Err(unsent(fault)),
            Err(_) => Err(unknown("no answer came in time")),
        }
    }

    async fn try_out(&self, mailbox: &Mailbox, login: &Login) -> Result<(), Fault> {
        let from = letter::parse_address(&mailbox.address);
        let mut dialogue = Dialogue::open(&self.door(mailbox, login)).await?;
        let tried = match from {
            Ok(from) => dialogue.try_sender(from.as_ref()).await,
            Err(_) => Err(Fault::NotOffered("This mailbox has letters that mail servers do not take.")),
        };
        dialogue.close().await;
        tried
    }
}

fn no_mailbox() -> Failure {
    Failure {
        code: "no_server".to_owned(),
        message: "The account has no mail server. Connect it again.".to_owned(),
        retryable: false,
    }
}

#[async_trait]
impl Sender for Smtp {
    fn most_at_once(&self) -> u32 {
        pool::CONNECTIONS
    }

    fn longest_call(&self, lease: i64) -> i64 {
        let most = i64::try_from((self.patience.offer + self.patience.confirm).as_millis()).unwrap_or(i64::MAX);
        most.min(lease / 18 * 17)
    }

    async fn test(&self, login: &Login, _: &Probe<'_>) -> Result<(), TestError> {
        let mailbox = login.mailbox().ok_or_else(|| failed("provider", no_mailbox().message))?;
        let fault = match timeout(TEST, self.try_out(mailbox, login)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(fault)) => fault,
            Err(_) => Fault::Lost(Step::Greeting, "the server did not answer in time"),
        };
        let (code, mut text) = sentence(&fault);
        if code == "credentials" {
            let advice = match mailbox.settings.auth {
                SmtpAuth::Xoauth2 => Some("Access tokens live about an hour: get a new one."),
                _ => hint(&mailbox.settings.host).or(Some("Check user name and password.")),
            };
            text = format!("{text} {}", advice.unwrap_or_default());
        }
        Err(failed(code, text.trim_end()))
    }

    async fn send(&self, login: &Login, message: &Outgoing) -> Result<Receipt, SendError> {
        let mailbox = login.mailbox().ok_or_else(|| SendError::Rejected(no_mailbox()))?;
        let letter = letter::write(message, mailbox, login.field("dkim_private_key"), self.clock.now())
            .map_err(SendError::Rejected)?;
        let provider_status = self.hand_over(mailbox, login, &letter, &message.lease).await?;
        Ok(Receipt {
            provider_message_id: letter.message_id,
            status: Status::Sent,
            provider_status: Some(provider_status),
        })
    }

    /// Servers tell nothing afterwards; bounces come by mail.
    async fn poll(&self, _: &Login, _: &Asked<'_>) -> Result<Poll, SendError> {
        Ok(Poll::default())
    }

    fn first_poll_after(&self) -> Option<i64> {
        None
    }

    fn read_webhook(&self, _: &Login, _: &Incoming<'_>) -> Result<Told, WebhookError> {
        Err(WebhookError::Signature) // a mail server calls nobody
    }
}

#[cfg(test)]
mod tests;
