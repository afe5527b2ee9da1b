//! One connection to the mail server.

use super::{super::journal::Heard, Kept, MailServer, Manners, PASSWORD, TOKEN, USER, fate::Fate};
use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// The longest command line.
const LINE_MAX: usize = 16_384;
/// The largest mail.
const MAIL_MAX: usize = 4 * 1024 * 1024;
/// A silent client is left after so long.
const PATIENCE: Duration = Duration::from_mins(5);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

struct Session<'a> {
    server: &'a MailServer,
    manners: Manners,
    stream: BufReader<Box<dyn Stream>>,
    connection: u64,
    is_secure: bool,
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
    mails: u32,
}

/// Whether the dialogue goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    StartTls,
    End,
}

/// Talks until one of the two has enough.
pub async fn run(server: &MailServer, stream: TcpStream, is_tls: bool) {
    let _ = stream.set_nodelay(true);
    let (manners, connection) = {
        let mut state = server.state();
        state.seen.connections += 1;
        (state.manners.clone(), state.seen.connections)
    };
    let stream: Box<dyn Stream> = if is_tls {
        let Ok(Ok(stream)) = timeout(PATIENCE, server.tls.accept(stream)).await else { return };
        Box::new(stream)
    } else {
        Box::new(stream)
    };
    let mut session = Session {
        server,
        manners,
        stream: BufReader::new(stream),
        connection,
        is_secure: is_tls,
        user: None,
        from: None,
        to: Vec::new(),
        mails: 0,
    };
    let _ = session.talk().await;
    let _ = session.stream.shutdown().await;
}

/// The address between angle brackets.
fn address(argument: &str) -> Option<String> {
    let rest = argument.split_once('<')?.1;
    Some(rest.split_once('>')?.0.to_owned())
}

impl Session<'_> {
    async fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        // Several commands at once get their answers at once.
        if self.stream.buffer().is_empty() { self.stream.flush().await } else { Ok(()) }
    }

    /// One line, without its end.
    async fn hear(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        loop {
            let buffer = timeout(PATIENCE, self.stream.fill_buf()).await.map_err(|_| io::ErrorKind::TimedOut)??;
            if buffer.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let end = buffer.iter().position(|b| *b == b'\n');
            let taken = end.map_or(buffer.len(), |end| end + 1);
            line.extend_from_slice(&buffer[..taken]);
            self.stream.consume(taken);
            if line.len() > LINE_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if end.is_some() {
                let text = String::from_utf8_lossy(&line);
                return Ok(text.trim_end_matches(['\r', '\n']).to_owned());
            }
        }
    }

    async fn talk(&mut self) -> io::Result<()> {
        let greeting = self.manners.greeting.clone();
        self.say(greeting.as_deref().unwrap_or("220 mail.tern.example ESMTP of the stand-in")).await?;
        if greeting.is_some_and(|line| !line.starts_with("220")) {
            return Ok(());
        }
        loop {
            let line = self.hear().await?;
            match self.obey(&line).await? {
                Next::Go => {}
                Next::End => return Ok(()),
                Next::StartTls => self.start_tls().await?,
            }
        }
    }

    async fn obey(&mut self, line: &str) -> io::Result<Next> {
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => self.hello().await?,
            "STARTTLS" if self.manners.starttls && !self.is_secure => return Ok(Next::StartTls),
            "AUTH" => self.sign_in(line, argument).await?,
            "MAIL" => return self.mail(argument).await,
            "RCPT" => return self.recipient(argument).await,
            "DATA" => return self.data().await,
            "RSET" => {
                self.forget();
                self.say("250 2.0.0 Forgotten").await?;
            }
            "NOOP" => self.say("250 2.0.0 Still here").await?,
            "QUIT" => {
                self.say("221 2.0.0 Good-bye").await?;
                return Ok(Next::End);
            }
            _ => self.say("502 5.5.1 Not understood").await?,
        }
        Ok(Next::Go)
    }

    fn forget(&mut self) {
        self.from = None;
        self.to.clear();
    }

    async fn hello(&mut self) -> io::Result<()> {
        let mut offers = vec!["mail.tern.example".to_owned(), "8BITMIME".to_owned(), "ENHANCEDSTATUSCODES".to_owned()];
        if self.manners.pipelining {
            offers.push("PIPELINING".to_owned());
        }
        if self.manners.starttls && !self.is_secure {
            offers.push("STARTTLS".to_owned());
        }
        if !self.manners.auth.is_empty() && (self.is_secure || self.manners.auth_in_clear) {
            offers.push(format!("AUTH {}", self.manners.auth.join(" ")));
        }
        let last = offers.len() - 1;
        let lines =
            offers.iter().enumerate().map(|(at, offer)| format!("250{}{offer}", if at == last { ' ' } else { '-' }));
        let lines: Vec<String> = lines.collect();
        self.say(&lines.join("\r\n")).await
    }

    async fn start_tls(&mut self) -> io::Result<()> {
        let inject = if self.manners.inject { "\r\n250 mail.tern.example\r\n235 2.7.0 Welcome" } else { "" };
        self.say(&format!("220 2.0.0 Go ahead{inject}")).await?;
        let stream = std::mem::replace(&mut self.stream, BufReader::new(Box::new(tokio::io::empty())));
        if !stream.buffer().is_empty() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let secure = timeout(PATIENCE, self.server.tls.accept(stream.into_inner())).await;
        self.stream = BufReader::new(Box::new(secure.map_err(|_| io::ErrorKind::TimedOut)??));
        self.is_secure = true;
        self.user = None;
        Ok(())
    }

    /// One line of the client's, counted.
    async fn challenge(&mut self, text: &str) -> io::Result<String> {
        self.say(&format!("334 {text}")).await?;
        let line = self.hear().await?;
        self.server.state().seen.auth_bytes += line.len() as u64;
        Ok(line)
    }

    async fn sign_in(&mut self, line: &str, argument: &str) -> io::Result<()> {
        self.server.state().seen.auth_bytes += line.len() as u64;
        let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
        if !self.manners.auth.iter().any(|offered| offered.eq_ignore_ascii_case(mechanism)) {
            return self.say("504 5.5.4 Not offered").await;
        }
        let decode =
            |text: &str| BASE64.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let mut initial = initial.to_owned();
        let is_right = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                if initial.is_empty() {
                    initial = self.challenge("").await?;
                }
                decode(&initial) == format!("\0{USER}\0{PASSWORD}")
            }
            "LOGIN" => {
                let user = self.challenge(&BASE64.encode("Username:")).await?;
                let password = self.challenge(&BASE64.encode("Password:")).await?;
                decode(&user) == USER && decode(&password) == PASSWORD
            }
            _ => {
                let is_right = decode(&initial) == format!("user={USER}\x01auth=Bearer {TOKEN}\x01\x01");
                if !is_right {
                    let details = r#"{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}"#;
                    self.challenge(&BASE64.encode(details)).await?;
                }
                is_right
            }
        };
        if is_right {
            self.user = Some(USER.to_owned());
            self.server.state().seen.sign_ins += 1;
            self.say("235 2.7.0 Welcome").await
        } else {
            let refusal = self.manners.refusal.clone();
            self.say(&refusal).await
        }
    }

    async fn mail(&mut self, argument: &str) -> io::Result<Next> {
        if self.manners.mails_per_connection.is_some_and(|most| self.mails >= most) {
            self.say("421 4.7.0 Enough over this connection").await?;
            return Ok(Next::End);
        }
        if self.user.is_none() && !self.manners.is_open {
            self.say("530 5.7.0 Authentication required").await?;
        } else if let Some(line) = self.manners.sender.clone() {
            self.say(&line).await?;
        } else if let Some(from) = address(argument) {
            self.forget();
            self.from = Some(from);
            self.say("250 2.1.0 Sender ok").await?;
        } else {
            self.say("501 5.5.4 No address").await?;
        }
        Ok(Next::Go)
    }

    async fn recipient(&mut self, argument: &str) -> io::Result<Next> {
        let Some(to) = address(argument).filter(|_| self.from.is_some()) else {
            self.say("503 5.5.1 Sender first").await?;
            return Ok(Next::Go);
        };
        match super::fate::fate(&to) {
            Fate::RefuseRecipient(line) => {
                self.say(&line).await?;
                return Ok(if line.starts_with("421") { Next::End } else { Next::Go });
            }
            Fate::Hang => {
                self.stream.flush().await?;
                return self.fall_silent().await;
            }
            _ => {}
        }
        self.to.push(to);
        self.say("250 2.1.5 Recipient ok").await?;
        Ok(Next::Go)
    }

    /// Nothing more, until the client has enough.
    async fn fall_silent(&mut self) -> io::Result<Next> {
        loop {
            self.hear().await?;
        }
    }

    async fn data(&mut self) -> io::Result<Next> {
        let (Some(from), false) = (self.from.clone(), self.to.is_empty()) else {
            self.say("503 5.5.1 Recipient first").await?;
            return Ok(Next::Go);
        };
        self.say("354 Go ahead").await?;
        let fate = super::fate::fate(&self.to[0]);
        if fate == Fate::DropBeforeDot {
            timeout(PATIENCE, self.stream.fill_buf()).await.map_err(|_| io::ErrorKind::TimedOut)??;
            return Ok(Next::End);
        }
        let raw = self.text().await?;
        let mail = Kept {
            from,
            to: std::mem::take(&mut self.to),
            raw,
            user: self.user.clone(),
            is_secure: self.is_secure,
            connection: self.connection,
            received_ms: self.server.clock.now().0,
            heard: Heard::Truth,
        };
        self.forget();
        self.mails += 1;
        match fate {
            Fate::RefuseMail(line) => self.say(&line).await?,
            Fate::LoseAfterDot => return Ok(Next::End),
            Fate::DropAfterDot => {
                self.server.keep(Kept { heard: Heard::Drop, ..mail }).await?;
                return Ok(Next::End);
            }
            Fate::HangAfterDot => {
                self.server.keep(Kept { heard: Heard::Nothing, ..mail }).await?;
                return self.fall_silent().await;
            }
            _ => {
                self.server.keep(mail).await?;
                self.say(&format!("250 2.0.0 Taken as {}-{}", self.connection, self.mails)).await?;
            }
        }
        Ok(Next::Go)
    }

    /// The text up to the line with the single dot.
    async fn text(&mut self) -> io::Result<String> {
        let (mut text, mut line) = (Vec::new(), Vec::new());
        let mut skip_line_feed = false;
        loop {
            let byte = {
                let buffer = timeout(PATIENCE, self.stream.fill_buf()).await.map_err(|_| io::ErrorKind::TimedOut)??;
                *buffer.first().ok_or(io::ErrorKind::UnexpectedEof)?
            };
            self.stream.consume(1);
            if std::mem::take(&mut skip_line_feed) && byte == b'\n' {
                continue;
            }
            line.push(byte);
            let is_end = if self.manners.is_careless {
                skip_line_feed = byte == b'\r';
                matches!(byte, b'\r' | b'\n')
            } else {
                line.ends_with(b"\r\n")
            };
            if text.len() + line.len() > MAIL_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if is_end {
                let ends = if self.manners.is_careless { 1 } else { 2 };
                line.truncate(line.len() - ends);
                if line == b"." {
                    if skip_line_feed && self.stream.buffer().first() == Some(&b'\n') {
                        self.stream.consume(1);
                    }
                    return Ok(String::from_utf8_lossy(&text).into_owned());
                }
                text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                text.extend_from_slice(b"\r\n");
                line.clear();
            }
        }
    }
}
