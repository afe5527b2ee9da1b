//! One connection to a mail server, command by command, so that every failure says at which step it happened. The step
//! decides everything: before the final dot nothing was sent, behind it nobody knows.
//!
//! Why not lettre's own client (0.11.23): it believes what a server said in clear before the handshake of STARTTLS, it
//! does not tell a failure behind the final dot from one before, and it keeps what a refused XOAUTH2 was told to itself.

use super::reply::Reply;
use crate::{
    domain::email_account::{SMTP_PORTS, SmtpAuth, SmtpSecurity, SmtpSettings},
    server::{
        dial::{Dialer, NotReached, ascii_host},
        tls::{self, Stream},
    },
};
use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use futures::FutureExt;
use rustls::ClientConfig;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    time::timeout,
};
use zeroize::Zeroizing;

/// What follows a refusal in the same breath is waited for so long.
const REST: Duration = Duration::from_secs(2);

/// How far a dialogue came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The server's first words.
    Greeting,
    /// EHLO.
    Hello,
    /// STARTTLS and the handshake.
    Tls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    MailFrom,
    /// RCPT TO.
    Recipient,
    /// DATA, before its dot.
    Data,
    /// The reply to the final dot.
    Confirmation,
}

impl Step {
    /// What people call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Greeting | Self::Hello => "TCP",
            Self::Tls => "TLS",
            Self::Auth => "AUTH",
            Self::MailFrom => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::Data | Self::Confirmation => "DATA",
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
    /// The server said no.
    Refused(Step, Reply),
    /// The connection broke, or what came was no reply. How, in words.
    Lost(Step, &'static str),
}

/// What the server offers.
#[derive(Debug, Default)]
struct Offers {
    starttls: bool,
    pipelining: bool,
    /// Mechanisms, upper case.
    auth: Vec<String>,
}

impl Offers {
    fn read(reply: &Reply) -> Self {
        let mut offers = Self::default();
        for line in reply.lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            // Some servers write `AUTH=PLAIN`, for clients of long ago.
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            match words.next() {
                Some("STARTTLS") => offers.starttls = true,
                Some("PIPELINING") => offers.pipelining = true,
                Some("AUTH") => offers.auth.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        offers
    }

    fn has_auth(&self, mechanism: &str) -> bool {
        self.auth.iter().any(|offered| offered == mechanism)
    }
}

/// What a dialogue needs to begin.
pub struct Door<'a> {
    /// Reaches machines.
    pub dialer: &'a Dialer,
    /// Whom we believe.
    pub tls: &'a Arc<ClientConfig>,
    /// What we call ourselves.
    pub hello: &'a str,
    /// Where to.
    pub settings: &'a SmtpSettings,
    /// Signs in.
    pub password: &'a str,
}

/// One message on its way.
pub struct Envelope<'a> {
    /// The return path.
    pub from: &'a str,
    /// The recipient.
    pub to: &'a str,
    /// The mail, every line ending in CRLF and dots at its lines' beginnings doubled.
    pub data: &'a [u8],
}

/// A connection that is signed in.
pub struct Dialogue {
    stream: BufReader<Box<dyn Stream>>,
    offers: Offers,
    /// Messages it has carried.
    pub carried: u32,
    /// Nothing may follow on it.
    pub is_broken: bool,
    /// A refused message is to be forgotten before the next one. Not at once: its outcome must not wait for that.
    is_begun: bool,
}

/// In words, without anything of the server's.
fn lost(step: Step, error: &io::Error) -> Fault {
    Fault::Lost(
        step,
        match error.kind() {
            io::ErrorKind::InvalidData => "what came was no answer of a mail server",
            io::ErrorKind::TimedOut => "no answer came in time",
            _ => "the connection broke",
        },
    )
}

/// A server may repeat what it was told. That is shown to nobody: only its code is left then.
fn discreet(reply: Reply, told: &[Zeroizing<String>]) -> Reply {
    let is_told = |line: &String| told.iter().any(|told| told.len() > 3 && line.contains(told.as_str()));
    if !reply.lines.iter().any(is_told) {
        return reply;
    }
    let lines = reply.enhanced().map(str::to_owned).into_iter().collect();
    Reply { code: reply.code, lines }
}

async fn handshake(
    tls: &Arc<ClientConfig>,
    host: &str,
    stream: impl Stream + 'static,
) -> Result<Box<dyn Stream>, Fault> {
    tls::handshake(tls, host, stream, "Choose STARTTLS for port 587, TLS for 465.").await.map_err(Fault::Insecure)
}

impl Dialogue {
    /// Connects, makes the way secure, signs in. Whoever calls bounds the time.
    pub async fn open(door: &Door<'_>) -> Result<Self, Fault> {
        let settings = door.settings;
        let host = ascii_host(&settings.host);
        let tcp = door.dialer.dial(&host, settings.port, &SMTP_PORTS).await.map_err(Fault::NotReached)?;
        let stream: Box<dyn Stream> = match settings.security {
            SmtpSecurity::Tls => handshake(door.tls, &host, tcp).await?,
            SmtpSecurity::Starttls | SmtpSecurity::None => Box::new(tcp),
        };
        let mut dialogue = Self::over(stream);
        dialogue.expect(Step::Greeting, 220).await?;
        dialogue.hello(door.hello).await?;
        if settings.security == SmtpSecurity::Starttls {
            dialogue = dialogue.start_tls(door.tls, &host).await?;
            dialogue.hello(door.hello).await?;
        }
        dialogue.sign_in(settings, door.password).await?;
        Ok(dialogue)
    }

    fn over(stream: Box<dyn Stream>) -> Self {
        Self {
            stream: BufReader::new(stream),
            offers: Offers::default(),
            carried: 0,
            is_broken: false,
            is_begun: false,
        }
    }

    async fn write(&mut self, step: Step, bytes: &[u8]) -> Result<(), Fault> {
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        written.await.map_err(|error| {
            self.is_broken = true;
            lost(step, &error)
        })
    }

    async fn reply(&mut self, step: Step) -> Result<Reply, Fault> {
        let reply = Reply::read(&mut self.stream).await.map_err(|error| {
            self.is_broken = true;
            lost(step, &error)
        })?;
        self.is_broken |= reply.code == 421; // the server closes
        Ok(reply)
    }

    /// The reply, which must have this code.
    async fn expect(&mut self, step: Step, code: u16) -> Result<Reply, Fault> {
        let reply = self.reply(step).await?;
        match reply.code {
            found if found == code => Ok(reply),
            400.. => Err(Fault::Refused(step, reply)),
            _ => {
                self.is_broken = true;
                Err(Fault::Lost(step, "the server answered out of turn"))
            }
        }
    }

    async fn command(&mut self, step: Step, line: &str, code: u16) -> Result<Reply, Fault> {
        self.write(step, format!("{line}\r\n").as_bytes()).await?;
        self.expect(step, code).await
    }

    async fn hello(&mut self, name: &str) -> Result<(), Fault> {
        let reply = self.command(Step::Hello, &format!("EHLO {name}"), 250).await?;
        self.offers = Offers::read(&reply);
        Ok(())
    }

    /// Nothing that came in clear is believed afterwards: what is left in the buffer was put there by somebody else.
    async fn start_tls(mut self, tls: &Arc<ClientConfig>, host: &str) -> Result<Self, Fault> {
        if !self.offers.starttls {
            return Err(Fault::NotOffered(
                "The server does not offer STARTTLS here, so neither password nor mail was sent. Use TLS and port 465, or ask the provider.",
            ));
        }
        self.command(Step::Tls, "STARTTLS", 220).await?;
        if !self.stream.buffer().is_empty() {
            return Err(Fault::Insecure("the server sent something in clear where the handshake begins.".to_owned()));
        }
        Ok(Self::over(handshake(tls, host, self.stream.into_inner()).await?))
    }

    async fn sign_in(&mut self, settings: &SmtpSettings, password: &str) -> Result<(), Fault> {
        let user = settings.username.as_str();
        let encode = |text: &str| Zeroizing::new(BASE64.encode(text));
        let (first, then) = match settings.auth {
            SmtpAuth::None => return Ok(()),
            SmtpAuth::Xoauth2 if self.offers.has_auth("XOAUTH2") => {
                let text = Zeroizing::new(format!("user={user}\x01auth=Bearer {password}\x01\x01"));
                // A refusal comes as a challenge; an empty answer to it brings the refusal proper.
                (Zeroizing::new(format!("AUTH XOAUTH2 {}", *encode(&text))), vec![Zeroizing::default()])
            }
            SmtpAuth::Password if self.offers.has_auth("PLAIN") => {
                let text = Zeroizing::new(format!("\0{user}\0{password}"));
                (Zeroizing::new(format!("AUTH PLAIN {}", *encode(&text))), Vec::new())
            }
            SmtpAuth::Password if self.offers.has_auth("LOGIN") => {
                (Zeroizing::new("AUTH LOGIN".to_owned()), vec![encode(user), encode(password)])
            }
            SmtpAuth::Xoauth2 => {
                return Err(Fault::NotOffered("The server takes no OAuth tokens (XOAUTH2) here. Use a password."));
            }
            SmtpAuth::Password => {
                return Err(Fault::NotOffered(
                    "The server offers no sign-in with a password (PLAIN or LOGIN) here. Check port and security, or switch it on at the provider.",
                ));
            }
        };
        let mut answers = then.into_iter();
        let mut told = vec![Zeroizing::new(password.to_owned())];
        let mut line = first;
        loop {
            let command = Zeroizing::new(format!("{}\r\n", *line).into_bytes());
            self.write(Step::Auth, &command).await?;
            told.extend(line.rsplit(' ').next().map(|word| Zeroizing::new(word.to_owned())));
            let reply = self.reply(Step::Auth).await?;
            match (reply.code, answers.next()) {
                (235, _) => return Ok(()),
                (334, Some(next)) => line = next,
                (400.., _) => return Err(Fault::Refused(Step::Auth, discreet(reply, &told))),
                _ => {
                    self.is_broken = true;
                    return Err(Fault::Lost(Step::Auth, "the server answered out of turn"));
                }
            }
        }
    }

    /// Asks whether the account may send, and takes it back.
    pub async fn try_sender(&mut self, from: &str) -> Result<(), Fault> {
        self.command(Step::MailFrom, &format!("MAIL FROM:<{from}>"), 250).await?;
        self.reset().await
    }

    /// Forgets a message that was begun.
    pub async fn reset(&mut self) -> Result<(), Fault> {
        self.command(Step::Hello, "RSET", 250).await.map(drop)
    }

    /// Hands over all of a message but its final dot. Whatever fails here, nothing was sent.
    pub async fn offer(&mut self, mail: &Envelope<'_>) -> Result<(), Fault> {
        let (from, to) = (format!("MAIL FROM:<{}>", mail.from), format!("RCPT TO:<{}>", mail.to));
        if std::mem::replace(&mut self.is_begun, true) {
            self.reset().await?;
        }
        if self.offers.pipelining {
            self.write(Step::MailFrom, format!("{from}\r\n{to}\r\nDATA\r\n").as_bytes()).await?;
            let sender = self.expect(Step::MailFrom, 250).await;
            if let Err(Fault::Lost(..)) = sender {
                return sender.map(drop);
            }
            let recipient = self.accepted(Step::Recipient).await;
            if sender.is_err() || recipient.is_err() {
                // The outcome is known; the rest is about whether the connection may be used again, and that is not if
                // the server waits for a text that nobody will write.
                let rest = timeout(REST, self.expect(Step::Data, 354)).await;
                self.is_broken |= !matches!(rest, Ok(Err(Fault::Refused(..))));
                return sender.map(drop).and(recipient);
            }
            self.expect(Step::Data, 354).await?;
        } else {
            self.command(Step::MailFrom, &from, 250).await?;
            self.write(Step::Recipient, format!("{to}\r\n").as_bytes()).await?;
            self.accepted(Step::Recipient).await?;
            self.command(Step::Data, "DATA", 354).await?;
        }
        // From here on nothing but the dot or the end may follow.
        self.is_broken = true;
        self.write(Step::Data, mail.data).await?;
        self.still_listening().await
    }

    /// A server that has left or spoken before the dot will not take it: better known now than never.
    async fn still_listening(&mut self) -> Result<(), Fault> {
        match self.stream.fill_buf().now_or_never() {
            None => Ok(()),
            Some(Ok([])) => Err(Fault::Lost(Step::Data, "the connection broke")),
            Some(Err(error)) => Err(lost(Step::Data, &error)),
            Some(Ok(_)) => match self.reply(Step::Data).await? {
                reply if reply.code >= 400 => Err(Fault::Refused(Step::Data, reply)),
                _ => Err(Fault::Lost(Step::Data, "the server answered out of turn")),
            },
        }
    }

    /// 250, or 251: it will be passed on.
    async fn accepted(&mut self, step: Step) -> Result<(), Fault> {
        let reply = self.reply(step).await?;
        match reply.code {
            250 | 251 => Ok(()),
            400.. => Err(Fault::Refused(step, reply)),
            _ => {
                self.is_broken = true;
                Err(Fault::Lost(step, "the server answered out of turn"))
            }
        }
    }

    /// Ends the message and hears what became of it. What is lost at [`Step::Confirmation`] nobody knows. A dot that
    /// cannot be written was not sent: a socket takes these three bytes, or their one record of TLS, whole or not at all
    /// as far as the other side can read them.
    pub async fn confirm(&mut self) -> Result<Reply, Fault> {
        self.write(Step::Data, b".\r\n").await?;
        let reply = self.reply(Step::Confirmation).await?;
        if reply.code >= 400 {
            self.is_broken = reply.code == 421;
            return Err(Fault::Refused(Step::Confirmation, reply));
        }
        if !reply.is_done() {
            return Err(Fault::Lost(Step::Confirmation, "the server answered out of turn"));
        }
        (self.is_broken, self.is_begun) = (false, false);
        self.carried += 1;
        Ok(reply)
    }

    /// Says good-bye and does not wait for an answer.
    pub async fn close(mut self) {
        if !self.is_broken {
            let _ = self.write(Step::Hello, b"QUIT\r\n").await;
        }
        let _ = self.stream.shutdown().await;
    }
}
