//! IMAP: the mailbox of an e-mail account, read for what comes back.
//!
//! `dialogue` speaks; `mail` tells what a raw mail is, whoever hands it in; `bounce` reads what servers say of a mail.

mod bounce;
mod dialogue;
mod mail;

pub use bounce::{Action, Bounce, Fate};
pub use mail::{Letter, Mail};

use super::{Login, Mailbox, TestError, smtp};
use crate::{
    domain::{
        email_account::SmtpAuth,
        mailbox::{Bookmark, ImapSettings},
    },
    server::dial::Dialer,
};
use dialogue::{Dialogue, Door, Fault, Step};
use rustls::ClientConfig;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// A connection test may take so long.
const TEST: Duration = Duration::from_secs(30);
/// A look into a mailbox may take so long.
const LOOK: Duration = Duration::from_secs(90);
/// Mails that one look passes.
const MAILS: u32 = 200;
/// Mails whose text one look reads: what comes back and what answers, and nothing else.
const TEXTS: usize = 40;
/// How much of a header is read.
const HEADER_MAX: usize = 32 * 1024;
/// How much of a mail is read: reports stand at its beginning, the mail that came back at its end.
const MAIL_MAX: usize = 256 * 1024;

/// A mail that was read.
#[derive(Debug)]
pub struct Looked {
    /// Its number in the mailbox.
    pub uid: u32,
    /// Its own Message-ID, without brackets.
    pub message_id: Option<String>,
    /// What it is.
    pub mail: Mail,
}

/// What a look into a mailbox found.
#[derive(Debug)]
pub struct Look {
    /// Oldest first.
    pub mails: Vec<Looked>,
    /// Where the next look begins.
    pub bookmark: Bookmark,
    /// There is more to read at once.
    pub is_behind: bool,
}

/// Why a look found nothing out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRead {
    /// A sentence for a person, with what to do.
    pub message: String,
    /// The credentials were refused: asking often locks accounts.
    pub is_refused: bool,
}

/// Reads mailboxes.
pub struct Imap {
    dialer: Dialer,
    tls: Arc<ClientConfig>,
}

/// What to do when nobody can sign in.
const CHECK: &str = " Check user name and password, and that IMAP is switched on at the provider.";

/// What happened, in one sentence, and a code for programs.
fn sentence(fault: &Fault) -> (&'static str, String) {
    match fault {
        Fault::NotReached(why) => {
            let (code, text) = smtp::not_reached(*why, "Mailboxes are read on the ports 143 and 993.");
            (code, text)
        }
        Fault::Insecure(why) => ("tls", format!("TLS failed: {why}")),
        Fault::NotOffered(why) if why.contains("STARTTLS") => ("tls", format!("TLS failed: {why}")),
        Fault::NotOffered(why) => ("credentials", format!("AUTH failed: {why}{CHECK}")),
        Fault::Refused(step, said) => {
            let (code, hint) = match step {
                Step::Auth => ("credentials", CHECK),
                Step::Tls => ("tls", ""),
                _ => ("provider", ""),
            };
            (code, format!("{} failed: the server said: {}.{hint}", step.label(), said.trim_end_matches('.')))
        }
        Fault::Lost(step, how) => {
            let (code, hint) = match step {
                Step::Greeting => ("connect", " Check port and security: TLS goes with 993, STARTTLS with 143."),
                Step::Tls => ("tls", ""),
                _ => ("provider", ""),
            };
            (code, format!("{} failed: {how}.{hint}", step.label()))
        }
    }
}

/// Where the mails begin that one look passes.
fn window(bookmark: Option<Bookmark>, now: Bookmark) -> u32 {
    match bookmark {
        // A server that counts anew, and one never looked at: the newest, which may be answers to what was sent just now.
        Some(bookmark) if bookmark.validity == now.validity => bookmark.next.min(now.next),
        _ => now.next.saturating_sub(MAILS).max(1),
    }
}

impl Imap {
    /// Wires it.
    pub fn new(dialer: Dialer, tls: Arc<ClientConfig>) -> Self {
        Self { dialer, tls }
    }

    fn door<'a>(&'a self, mailbox: &'a Mailbox, settings: &'a ImapSettings, login: &'a Login) -> Door<'a> {
        let (own, smtp) = (login.field("imap_password"), &mailbox.settings);
        // A password of its own is a password, however mail is sent.
        let (auth, password) = match own {
            "" => (smtp.auth, login.field("smtp_password")),
            own => (SmtpAuth::Password, own),
        };
        let username = settings.username.as_deref().unwrap_or(match smtp.username.as_str() {
            "" => &mailbox.address,
            username => username,
        });
        Door { dialer: &self.dialer, tls: &self.tls, settings, username, auth, password }
    }

    /// Signs in and opens the inbox. Nothing to test is a success.
    pub async fn test(&self, login: &Login) -> Result<(), TestError> {
        let Some((mailbox, settings)) = reading(login) else { return Ok(()) };
        let tried = async {
            let mut dialogue = Dialogue::open(&self.door(mailbox, settings, login)).await?;
            let opened = dialogue.examine().await;
            dialogue.close().await;
            opened
        };
        let fault = match timeout(TEST, tried).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(fault)) => fault,
            Err(_) => Fault::Lost(Step::Greeting, "the server did not answer in time"),
        };
        let (code, text) = sentence(&fault);
        Err(TestError { code, message: format!("IMAP: {text}") })
    }

    /// Reads what is new since `bookmark`. Headers of all, texts only of what comes back and of answers.
    pub async fn look(&self, login: &Login, bookmark: Option<Bookmark>) -> Result<Look, NotRead> {
        let not_read = |fault: &Fault| {
            let (code, message) = sentence(fault);
            NotRead { message, is_refused: code == "credentials" }
        };
        let Some((mailbox, settings)) = reading(login) else {
            return Err(NotRead { message: "The account reads no mailbox.".to_owned(), is_refused: false });
        };
        let looked = async {
            let mut dialogue = Dialogue::open(&self.door(mailbox, settings, login)).await?;
            let look = read(&mut dialogue, bookmark, &mailbox.address).await;
            dialogue.close().await;
            look
        };
        match timeout(LOOK, looked).await {
            Ok(Ok(look)) => Ok(look),
            Ok(Err(fault)) => Err(not_read(&fault)),
            Err(_) => Err(not_read(&Fault::Lost(Step::Read, "the server did not answer in time"))),
        }
    }
}

/// The account's mailbox, if it is read.
fn reading(login: &Login) -> Option<(&Mailbox, &ImapSettings)> {
    let mailbox = login.mailbox()?;
    Some((mailbox, mailbox.settings.imap.as_ref()?))
}

async fn read(dialogue: &mut Dialogue, bookmark: Option<Bookmark>, own: &str) -> Result<Look, Fault> {
    let now = dialogue.examine().await?;
    let first = window(bookmark, now);
    let mut end = now.next.min(first.saturating_add(MAILS));
    let mut mails = Vec::new();
    if first < end {
        let mut texts = 0;
        for header in dialogue.fetch(first, end - 1, "HEADER", HEADER_MAX).await? {
            let uid = header.uid;
            let mut raw = header.bytes;
            if mail::is_worth_reading(&raw) {
                if texts == TEXTS {
                    end = uid; // the rest is for the next look
                    break;
                }
                texts += 1;
                let whole = dialogue.fetch(uid, uid, "", MAIL_MAX).await?;
                // Gone meanwhile: somebody else deleted it.
                let Some(whole) = whole.into_iter().next() else { continue };
                raw = whole.bytes;
            }
            mails.push(Looked { uid, message_id: mail::message_id(&raw), mail: mail::read(&raw, own) });
        }
    }
    let bookmark = Bookmark { validity: now.validity, next: end };
    Ok(Look { mails, bookmark, is_behind: end < now.next })
}

#[cfg(test)]
mod tests;
