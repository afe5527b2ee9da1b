//! A mail server that keeps what it is given and misbehaves on command: by recipient ([`fate`]), or as [`Manners`] say.
//!
//! PLAIN, LOGIN, XOAUTH2, STARTTLS, TLS. Bounded, and meant for the loopback interface.

pub mod fate;
mod session;

use super::journal::{Entry, Heard, Journal, masked};
use crate::server::clock::{Clock, SystemClock};
use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_rustls::TlsAcceptor;

/// Signs in.
pub const USER: &str = "ann@tern.example";
/// With this password.
pub const PASSWORD: &str = "simulator-mail-password-0001";
/// Or with this access token.
pub const TOKEN: &str = "simulator-access-token-0001";

/// Connections at a time.
const CONNECTIONS: usize = 200;
/// Mails that are kept; the oldest go first.
const KEPT: usize = 50_000;

/// A mail that was taken.
#[derive(Debug, Clone, Serialize)]
pub struct Kept {
    /// The return path.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// Headers and body, dots as they were meant, lines ending in CRLF.
    pub raw: String,
    /// Who had signed in.
    pub user: Option<String>,
    /// The connection was secure.
    pub is_secure: bool,
    /// Which connection, from 1.
    pub connection: u64,
    /// For the journal: when it came, in unix milliseconds.
    #[serde(skip)]
    pub received_ms: i64,
    /// For the journal: what the sender heard.
    #[serde(skip)]
    pub heard: Heard,
}

impl Kept {
    /// As the journal has it. Tern writes its own id of a message into the header `Message-ID`.
    fn entry(&self) -> Entry {
        let mut lines = self.raw.lines().take_while(|line| !line.is_empty());
        let id = lines.find_map(|line| line.strip_prefix("Message-ID: ")).unwrap_or_default();
        let local = id.trim_start_matches('<').split_once('@').map(|(local, _)| local.to_uppercase());
        Entry {
            received_ms: self.received_ms,
            account: masked(self.user.as_deref().unwrap_or_default()),
            to: self.to.join(","),
            from: Some(self.from.clone()),
            body: masked(&self.raw),
            sid: id.to_owned(),
            message: local,
            attempt: None,
            heard: self.heard,
            watched: None,
        }
    }
}

/// How the server behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, named in the control API")]
pub struct Manners {
    /// Offered, and understood.
    pub starttls: bool,
    /// Says something in clear where the handshake begins.
    pub inject: bool,
    /// Offered.
    pub pipelining: bool,
    /// Offered mechanisms.
    pub auth: Vec<String>,
    /// A password is taken without TLS, too.
    pub auth_in_clear: bool,
    /// Nobody has to sign in.
    pub is_open: bool,
    /// The first line, instead of a friendly one.
    pub greeting: Option<String>,
    /// The answer to a wrong password.
    pub refusal: String,
    /// The answer to MAIL FROM, instead of a friendly one.
    pub sender: Option<String>,
    /// Mails over one connection; then 421.
    pub mails_per_connection: Option<u32>,
    /// Takes a lone CR or LF for the end of a line, as careless servers do.
    pub is_careless: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            starttls: true,
            inject: false,
            pipelining: true,
            auth: ["PLAIN", "LOGIN", "XOAUTH2"].map(str::to_owned).to_vec(),
            auth_in_clear: true,
            is_open: false,
            greeting: None,
            refusal: "535 5.7.8 Authentication credentials invalid".to_owned(),
            sender: None,
            mails_per_connection: None,
            is_careless: false,
        }
    }
}

/// What was seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// Connections.
    pub connections: u64,
    /// Bytes of AUTH, with what followed.
    pub auth_bytes: u64,
    /// Times somebody signed in.
    pub sign_ins: u64,
}

#[derive(Default)]
struct Memory {
    manners: Manners,
    kept: VecDeque<Kept>,
    seen: Seen,
}

/// The server: what it remembers, and its certificate.
pub struct MailServer {
    state: Mutex<Memory>,
    tls: TlsAcceptor,
    /// In PEM, for those who want to trust it.
    pub certificate: String,
    places: Arc<Semaphore>,
    clock: Arc<dyn Clock>,
    journal: Option<Journal>,
}

/// A certificate and its key, both in PEM.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Identity {
    /// Self-signed, for these names, made now.
    pub fn new(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("names of ours");
        Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() }
    }

    /// From files.
    pub fn read(certificate: &PathBuf, key: &PathBuf) -> Result<Self, String> {
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        };
        Ok(Self { certificate: read(certificate)?, key: read(key)? })
    }
}

impl MailServer {
    /// One that shows this identity.
    pub fn new(identity: &Identity) -> Result<Arc<Self>, String> {
        Self::with(identity, Arc::new(SystemClock), None)
    }

    /// The same with a clock and, if there is one, a journal of its own.
    pub fn with(identity: &Identity, clock: Arc<dyn Clock>, journal: Option<Journal>) -> Result<Arc<Self>, String> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect();
        let certificates = certificates.map_err(|error| format!("the certificate cannot be read: {error}"))?;
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes());
        let key = key.map_err(|error| format!("the key of the certificate cannot be read: {error}"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(certificates, key))
            .map_err(|error| format!("the certificate does not work: {error}"))?;
        Ok(Arc::new(Self {
            state: Mutex::default(),
            tls: TlsAcceptor::from(Arc::new(config)),
            certificate: identity.certificate.clone(),
            places: Arc::new(Semaphore::new(CONNECTIONS)),
            clock,
            journal,
        }))
    }

    fn state(&self) -> MutexGuard<'_, Memory> {
        self.state.lock().expect("no panic")
    }

    /// The mails that were taken, oldest first.
    pub fn kept(&self) -> Vec<Kept> {
        self.state().kept.iter().cloned().collect()
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.state().seen
    }

    /// From now on it behaves like this.
    pub fn behave(&self, manners: Manners) {
        self.state().manners = manners;
    }

    /// Forgets all.
    pub fn reset(&self) {
        *self.state() = Memory::default();
    }

    /// The mails that were taken, as the journal has them.
    pub fn journal(&self) -> Vec<Entry> {
        self.state().kept.iter().map(Kept::entry).collect()
    }

    /// Remembers a mail, and has written it down where there is a journal.
    async fn keep(&self, mail: Kept) -> io::Result<()> {
        let written = self.journal.as_ref().map(|journal| journal.append(&mail.entry()));
        {
            let kept = &mut self.state().kept;
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(mail);
        }
        match written {
            Some(written) => written.await.map_err(|_| io::ErrorKind::Other.into()),
            None => Ok(()),
        }
    }

    /// Serves whoever comes; `is_tls`: secure from the first byte.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, is_tls: bool) {
        loop {
            let Ok(place) = self.places.clone().acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else { continue };
            let server = self.clone();
            tokio::spawn(async move {
                session::run(&server, stream, is_tls).await;
                drop(place);
            });
        }
    }
}

/// `GET /mail`
pub async fn list(State(server): State<Arc<MailServer>>) -> Json<Vec<Kept>> {
    Json(server.kept())
}

/// `DELETE /mail`: forgets mails and manners.
pub async fn forget(State(server): State<Arc<MailServer>>) -> StatusCode {
    server.reset();
    StatusCode::NO_CONTENT
}

/// `GET /mail/seen`
pub async fn show_seen(State(server): State<Arc<MailServer>>) -> Json<Seen> {
    Json(server.seen())
}

/// `GET /mail/certificate`, in PEM: to trust it with `SSL_CERT_FILE`.
pub async fn show_certificate(State(server): State<Arc<MailServer>>) -> impl IntoResponse {
    server.certificate.clone()
}

/// `POST /mail/manners`: what is not named is as at the start.
pub async fn set_manners(State(server): State<Arc<MailServer>>, Json(manners): Json<Manners>) -> StatusCode {
    server.behave(manners);
    StatusCode::NO_CONTENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_in_the_journal_by_the_message_that_it_carries() {
        let mail = |raw: &str| Kept {
            from: USER.to_owned(),
            to: vec!["bob@example.com".to_owned()],
            raw: raw.to_owned(),
            user: Some(USER.to_owned()),
            is_secure: true,
            connection: 1,
            received_ms: 5,
            heard: Heard::Drop,
        };
        let entry = mail("From: x\r\nMessage-ID: <01jdf3@tern.example>\r\n\r\nHello\r\n").entry();
        assert_eq!((entry.sid.as_str(), entry.message.as_deref()), ("<01jdf3@tern.example>", Some("01JDF3")));
        assert_eq!((entry.received_ms, entry.heard, entry.account), (5, Heard::Drop, masked(USER)));
        assert_eq!(mail("From: x\r\n\r\nMessage-ID: <01jdf3@tern.example>\r\n").entry().message, None, "in the text");
    }
}
