//! One connection to a mailbox (RFC 3501), command by command, opened read-only: nothing in it ever changes.
//!
//! imap-proto reads what the server says; the connection is ours. async-imap (0.12.0) writes passwords into the log at
//! `trace`, takes a FETCH that was refused or cut off for one that found nothing (mail would be skipped), and buffers up
//! to 512 MiB of what a server sends.

use crate::{
    domain::{
        email_account::{SmtpAuth, SmtpSecurity},
        mailbox::{Bookmark, IMAP_PORTS, ImapSettings},
    },
    server::{
        dial::{Dialer, NotReached, ascii_host},
        tls::{self, Stream},
    },
};
use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use imap_proto::{AttributeValue, Capability, Outcome, Response, ResponseCode, Status};
use rustls::ClientConfig;
use std::{borrow::Cow, sync::Arc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

/// Room for what is read at a time.
const CHUNK: usize = 16 * 1024;
/// The longest line that is read.
const LINE_MAX: usize = 64 * 1024;
/// The most that is read over one connection.
const TOTAL_MAX: usize = 32 * 1024 * 1024;
/// The most characters of a server's words that are shown.
const SHOWN_MAX: usize = 300;

/// How far a dialogue came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The server's first words.
    Greeting,
    /// STARTTLS and the handshake.
    Tls,
    /// LOGIN or AUTHENTICATE.
    Auth,
    /// EXAMINE.
    Open,
    /// FETCH.
    Read,
}

impl Step {
    /// What people call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Greeting => "TCP",
            Self::Tls => "TLS",
            Self::Auth => "AUTH",
            Self::Open => "Opening the inbox",
            Self::Read => "Reading",
        }
    }
}

/// Why a dialogue ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nobody was reached.
    NotReached(NotReached),
    /// No secure connection. A sentence.
    Insecure(String),
    /// The server does not offer what the account needs. A sentence.
    NotOffered(&'static str),
    /// The server said no, in these words.
    Refused(Step, String),
    /// The connection broke, or what came could not be read. How, in words.
    Lost(Step, &'static str),
}

/// What a dialogue needs to begin.
pub struct Door<'a> {
    /// Reaches machines.
    pub dialer: &'a Dialer,
    /// Whom we believe.
    pub tls: &'a Arc<ClientConfig>,
    /// Where to.
    pub settings: &'a ImapSettings,
    /// Who signs in.
    pub username: &'a str,
    /// How.
    pub auth: SmtpAuth,
    /// With what.
    pub password: &'a str,
}

/// A part of a mail, as the server gave it.
#[derive(Debug)]
pub struct Fetched {
    /// Its number in the mailbox.
    pub uid: u32,
    /// What was asked for.
    pub bytes: Vec<u8>,
}

/// A connection.
pub struct Dialogue {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    read: usize,
    commands: u32,
}

/// The server's words, fit to be shown: on one line, short, without what it was told.
fn shown(outcome: &Outcome<'_>, told: &[&str]) -> String {
    let text = outcome.information.as_deref().unwrap_or_default();
    if told.iter().any(|told| told.len() > 3 && text.contains(told)) {
        return "(it repeated what it was told)".to_owned();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_MAX).collect()
}

/// A quoted string, where the text can be one.
fn quoted(text: &str) -> Option<Zeroizing<String>> {
    let is_plain = text.bytes().all(|b| (b' '..=b'~').contains(&b));
    is_plain.then(|| Zeroizing::new(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))))
}

/// The length of the literal that the line announces at its end.
fn literal(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"\r\n")?.strip_suffix(b"}")?;
    let start = inner.iter().rposition(|b| *b == b'{')?;
    std::str::from_utf8(&inner[start + 1..]).ok()?.parse().ok()
}

impl Dialogue {
    /// Connects, makes the way secure, signs in. Whoever calls bounds the time.
    pub async fn open(door: &Door<'_>) -> Result<Self, Fault> {
        const PORTS: &str = "TLS goes with port 993, STARTTLS with 143.";
        let settings = door.settings;
        let host = ascii_host(&settings.host);
        let tcp = door.dialer.dial(&host, settings.port, &IMAP_PORTS).await.map_err(Fault::NotReached)?;
        let secure = |stream| async { tls::handshake(door.tls, &host, stream, PORTS).await.map_err(Fault::Insecure) };
        let stream: Box<dyn Stream> = match settings.security {
            SmtpSecurity::Tls => secure(tcp).await?,
            SmtpSecurity::Starttls | SmtpSecurity::None => Box::new(tcp),
        };
        let mut dialogue = Self { stream, buffer: Vec::new(), read: 0, commands: 0 };
        match dialogue.next(Step::Greeting).await? {
            Response::Data { status: Status::Ok | Status::PreAuth, .. } => {}
            Response::Data { outcome, .. } => return Err(Fault::Refused(Step::Greeting, shown(&outcome, &[]))),
            _ => return Err(Fault::Lost(Step::Greeting, "what came was no answer of a mail server")),
        }
        if settings.security == SmtpSecurity::Starttls {
            if !dialogue.capabilities().await?.iter().any(|name| name == "STARTTLS") {
                return Err(Fault::NotOffered(
                    "The server does not offer STARTTLS here, so the password was not sent. Use TLS and port 993, or ask the provider.",
                ));
            }
            dialogue.command(Step::Tls, "STARTTLS", &[]).await?;
            // Nothing that came in clear is believed afterwards.
            if !dialogue.buffer.is_empty() {
                let why = "the server sent something in clear where the handshake begins.";
                return Err(Fault::Insecure(why.to_owned()));
            }
            let tcp = dialogue.stream;
            let stream = tls::handshake(door.tls, &host, tcp, PORTS).await.map_err(Fault::Insecure)?;
            dialogue = Self { stream, buffer: Vec::new(), read: 0, commands: 0 };
        }
        dialogue.sign_in(door).await?;
        Ok(dialogue)
    }

    async fn fill(&mut self, step: Step) -> Result<(), Fault> {
        self.buffer.reserve(CHUNK);
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => Err(Fault::Lost(step, "the connection broke")),
            Ok(read) => {
                self.read += read;
                if self.read > TOTAL_MAX {
                    return Err(Fault::Lost(step, "the server sent more than it was asked for"));
                }
                Ok(())
            }
        }
    }

    /// The bytes of the next response: a line, and for mails the literals in it.
    async fn frame(&mut self, step: Step) -> Result<Vec<u8>, Fault> {
        let (mut start, mut searched) = (0, 0);
        loop {
            let Some(end) = self.buffer[searched..].iter().position(|b| *b == b'\n').map(|at| searched + at + 1) else {
                searched = self.buffer.len();
                if searched - start > LINE_MAX {
                    return Err(Fault::Lost(step, "what came was no answer of a mail server"));
                }
                self.fill(step).await?;
                continue;
            };
            // In free texts a number in braces is a number in braces.
            let is_mail =
                self.buffer.starts_with(b"* ") && self.buffer[..end.min(64)].windows(6).any(|w| w == b" FETCH");
            match literal(&self.buffer[start..end]).filter(|_| is_mail) {
                None => return Ok(self.buffer.drain(..end).collect()),
                Some(length) if length > TOTAL_MAX => {
                    return Err(Fault::Lost(step, "the server sent more than it was asked for"));
                }
                Some(length) => {
                    while self.buffer.len() < end + length {
                        self.fill(step).await?;
                    }
                    start = end + length;
                    searched = start;
                }
            }
        }
    }

    /// The next response; what is none that we know says nothing to us.
    async fn next(&mut self, step: Step) -> Result<Response<'static>, Fault> {
        loop {
            let frame = self.frame(step).await?;
            match Response::parse(&frame) {
                Ok((_, response)) => return Ok(response.into_owned()),
                Err(_)
                    if frame.starts_with(b"* ")
                        && step != Step::Greeting
                        && !frame.windows(6).any(|w| w == b" FETCH") => {}
                Err(_) => return Err(Fault::Lost(step, "what came was no answer of a mail server")),
            }
        }
    }

    async fn write(&mut self, step: Step, line: &str) -> Result<(), Fault> {
        let line = Zeroizing::new(format!("{line}\r\n"));
        let written = async {
            self.stream.write_all(line.as_bytes()).await?;
            self.stream.flush().await
        };
        written.await.map_err(|_| Fault::Lost(step, "the connection broke"))
    }

    /// Gives a command: its answers, once the server said that it is done. `then` are the answers to its challenges.
    async fn ask(
        &mut self,
        step: Step,
        command: &str,
        then: &[&str],
        told: &[&str],
    ) -> Result<Vec<Response<'static>>, Fault> {
        self.commands += 1;
        let tag = format!("T{}", self.commands);
        self.write(step, &Zeroizing::new(format!("{tag} {command}"))).await?;
        let (mut answers, mut then) = (Vec::new(), then.iter());
        loop {
            match self.next(step).await? {
                Response::Done { tag: done, status, outcome } if done.0 == tag => {
                    return match status {
                        Status::Ok => Ok(answers),
                        _ => Err(Fault::Refused(step, shown(&outcome, told))),
                    };
                }
                Response::Data { status: Status::Bye, outcome } => {
                    return Err(Fault::Refused(step, shown(&outcome, told)));
                }
                Response::Continue(_) => match then.next() {
                    Some(answer) => self.write(step, answer).await?,
                    None => return Err(Fault::Lost(step, "the server answered out of turn")),
                },
                answer => answers.push(answer),
            }
        }
    }

    async fn command(&mut self, step: Step, command: &str, told: &[&str]) -> Result<Vec<Response<'static>>, Fault> {
        self.ask(step, command, &[], told).await
    }

    /// What the server offers now, upper case; mechanisms as `AUTH=NAME`.
    async fn capabilities(&mut self) -> Result<Vec<String>, Fault> {
        let mut names = Vec::new();
        for answer in self.command(Step::Greeting, "CAPABILITY", &[]).await? {
            if let Response::Capabilities(found) = answer {
                names.extend(found.iter().map(|one| match one {
                    Capability::Imap4rev1 => "IMAP4REV1".to_owned(),
                    Capability::Auth(name) => format!("AUTH={}", name.to_uppercase()),
                    Capability::Atom(name) => name.to_uppercase(),
                }));
            }
        }
        Ok(names)
    }

    async fn sign_in(&mut self, door: &Door<'_>) -> Result<(), Fault> {
        let offered = self.capabilities().await?;
        let has = |name: &str| offered.iter().any(|offer| offer == name);
        let (user, password) = (door.username, door.password);
        let encode = |text: String| Zeroizing::new(BASE64.encode(Zeroizing::new(text).as_bytes()));
        if door.auth == SmtpAuth::Xoauth2 {
            if !has("AUTH=XOAUTH2") {
                return Err(Fault::NotOffered("The server takes no OAuth tokens (XOAUTH2) here. Use a password."));
            }
            let token = encode(format!("user={user}\x01auth=Bearer {password}\x01\x01"));
            // A refusal comes as a challenge; an empty answer to it brings the refusal proper.
            let then = [token.as_str(), ""];
            self.ask(Step::Auth, "AUTHENTICATE XOAUTH2", &then, &[password, &token]).await?;
        } else if has("AUTH=PLAIN") {
            let both = encode(format!("\0{user}\0{password}"));
            self.ask(Step::Auth, "AUTHENTICATE PLAIN", &[both.as_str()], &[password, &both]).await?;
        } else {
            let words = quoted(user).zip(quoted(password)).filter(|_| !has("LOGINDISABLED"));
            let (user, secret) = words.ok_or(Fault::NotOffered(
                "The server takes no such password here. Check port and security, or switch IMAP on at the provider.",
            ))?;
            let line = Zeroizing::new(format!("LOGIN {} {}", *user, *secret));
            self.command(Step::Auth, &line, &[password]).await?;
        }
        Ok(())
    }

    /// Opens the inbox, to be read only: how the server counts, and what the next mail's number will be.
    pub async fn examine(&mut self) -> Result<Bookmark, Fault> {
        let (mut validity, mut next) = (None, None);
        for answer in self.command(Step::Open, "EXAMINE INBOX", &[]).await? {
            if let Response::Data { outcome, .. } = answer {
                match outcome.code {
                    Some(ResponseCode::UidValidity(number)) => validity = Some(number),
                    Some(ResponseCode::UidNext(number)) => next = Some(number),
                    _ => {}
                }
            }
        }
        match (validity, next) {
            (Some(validity), Some(next)) => Ok(Bookmark { validity, next }),
            _ => Err(Fault::NotOffered("The server does not number its mails, so nobody can tell which are new.")),
        }
    }

    /// A part of each mail from `first` to `last` that is there, at most `most` bytes each; no mail becomes a read one.
    pub async fn fetch(&mut self, first: u32, last: u32, part: &str, most: usize) -> Result<Vec<Fetched>, Fault> {
        let command = format!("UID FETCH {first}:{last} (UID BODY.PEEK[{part}]<0.{most}>)");
        let mut fetched = Vec::new();
        for answer in self.command(Step::Read, &command, &[]).await? {
            let Response::Fetch(_, values) = answer else { continue };
            let (mut uid, mut bytes) = (None, None);
            for value in values {
                match value {
                    AttributeValue::Uid(number) => uid = Some(number),
                    AttributeValue::BodySection { data, .. } => {
                        bytes = Some(data.map_or_else(Vec::new, Cow::into_owned));
                    }
                    _ => {}
                }
            }
            if let (Some(uid), Some(bytes)) = (uid, bytes)
                && (first..=last).contains(&uid)
            {
                fetched.push(Fetched { uid, bytes });
            }
        }
        fetched.sort_unstable_by_key(|one| one.uid);
        Ok(fetched)
    }

    /// Says good-bye and does not wait for an answer.
    pub async fn close(mut self) {
        let _ = self.write(Step::Read, "T0 LOGOUT").await;
        let _ = self.stream.shutdown().await;
    }
}
