//! `tern simulate`: stateful stand-ins for Twilio's REST API of 2010-04-01 and for a mail server, for development and tests.
//!
//! It answers, calls back and fails as `reference/twilio.md` says Twilio does, and misbehaves on command. What becomes
//! of a message is in [`fate`]. Not here: media, content templates, scheduled messages, voice.

mod account;
mod callback;
mod chaos;
mod control;
pub mod fate;
mod fault;
pub mod journal;
mod message;
mod page;
mod refusal;
pub mod smtp;

pub use callback::Callback;
pub use chaos::Chaos;
pub use fault::{Fault, On};
pub use message::Accepted;

use super::clock::{Clock, SystemClock, random_bytes};
use crate::domain::{
    secret::{Entered, Secret},
    time::Timestamp,
};
use account::Account;
use axum::{
    Router,
    extract::{Request, State},
    http::Uri,
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use chaos::Lots;
use fault::Ordered;
use journal::Journal;
use message::Message;
use refusal::Refusal;
use serde::Serialize;
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
};
use tokio_util::sync::CancellationToken;

/// The account that is there when none is named.
pub const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
/// Its auth token.
pub const AUTH_TOKEN: &str = "simulator-token-0000000000000001";
/// A Standard API key of the first account.
pub const KEY_SID: &str = "SK00000000000000000000000000000001";
/// Its secret.
pub const KEY_SECRET: &str = "simulator-key-secret-000000000001";

/// When everything here was made: 2023-01-01.
const NOT_BEFORE: Timestamp = Timestamp(1_672_531_200_000);
/// Requests under way at a stop get so long; those that hang on command never end by themselves.
const DRAIN: Duration = Duration::from_secs(1);
/// Twilio waits so long for a webhook's answer.
const CALL: Duration = Duration::from_secs(15);
/// Webhooks under way at a time: a test of load must not use up the machine's sockets.
const CALLS: usize = 64;

/// What the stand-in knows from its start.
#[derive(Debug, Clone, clap::Args)]
pub struct SimulateArgs {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:3900")]
    pub listen: SocketAddr,
    /// An account, `<sid>:<auth token>`; may be repeated
    #[arg(long, default_value = "AC00000000000000000000000000000001:simulator-token-0000000000000001")]
    pub account: Vec<Credential>,
    /// A number that the accounts own; may be repeated
    #[arg(long, default_values = ["+14155550132", "+14155550199", "+16285550188", "+15005550006"])]
    pub number: Vec<String>,
    /// Milliseconds from one step in the life of a message to the next
    #[arg(long, default_value_t = 400)]
    pub pace_ms: u64,
    /// Where a mail server listens, too: plain or STARTTLS. Its mails are at `GET /mail`
    #[arg(long)]
    pub smtp: Option<SocketAddr>,
    /// Where the mail server listens with TLS from the first byte
    #[arg(long)]
    pub smtps: Option<SocketAddr>,
    /// The mail server's certificate, PEM; one for localhost is made at each start when not given
    #[arg(long, requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of that certificate, PEM
    #[arg(long, requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// One line per request, without numbers, texts and secrets
    #[arg(long)]
    pub log: bool,
    /// Append every accepted message to this file, durably, before it is answered
    #[arg(long)]
    pub journal: Option<PathBuf>,
    /// Misbehave by lot, from the first request on; the same seed repeats itself
    #[arg(long, value_name = "SEED")]
    pub chaos: Option<u64>,
    /// Note in the journal how long this file was when a message was accepted
    #[arg(long, hide = true)]
    pub watch: Option<PathBuf>,
}

impl Default for SimulateArgs {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 3900)),
            account: vec![Credential { sid: ACCOUNT_SID.to_owned(), token: AUTH_TOKEN.into() }],
            number: ["+14155550132", "+14155550199", "+16285550188", "+15005550006"].map(str::to_owned).to_vec(),
            pace_ms: 400,
            smtp: None,
            smtps: None,
            tls_cert: None,
            tls_key: None,
            log: false,
            journal: None,
            chaos: None,
            watch: None,
        }
    }
}

/// An account's SID and auth token.
#[derive(Debug, Clone)]
pub struct Credential {
    /// `AC` and 32 hex digits.
    pub sid: String,
    /// Signs in, and signs webhooks.
    pub token: Entered,
}

impl std::str::FromStr for Credential {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((sid, token)) if is_sid("AC", sid) && !token.is_empty() => {
                Ok(Self { sid: sid.to_owned(), token: token.into() })
            }
            _ => Err("must be AC and 32 hex digits, a colon, and the auth token"),
        }
    }
}

/// The stand-in: everything it knows and remembers.
pub struct Simulator {
    accounts: Vec<Account>,
    numbers: Vec<String>,
    clock: Arc<dyn Clock>,
    http: reqwest::Client,
    calls: Semaphore,
    log: bool,
    journal: Option<Journal>,
    watch: Option<PathBuf>,
    /// The settings to which a reset returns.
    initial: Settings,
    /// Requests wait while it is true.
    holds: watch::Sender<bool>,
    state: Mutex<Memory>,
}

/// What a reset forgets.
struct Memory {
    settings: Settings,
    /// In the order in which they came.
    messages: Vec<Message>,
    by_sid: HashMap<String, usize>,
    /// Messages that move when they are told to.
    waiting: Vec<String>,
    faults: VecDeque<Ordered>,
    chaos: Option<Lots>,
    /// Accounts that are not `active`, and what they are instead.
    inactive: HashMap<String, String>,
    /// Who replied STOP to which of our numbers.
    stopped: BTreeSet<(String, String)>,
}

/// How callbacks and time behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, named in the control API")]
struct Settings {
    /// Messages do not move by themselves.
    manual: bool,
    pace_ms: u64,
    /// False: the callbacks get lost.
    callbacks: bool,
    duplicate_callbacks: bool,
    shuffle_callbacks: bool,
}

impl Memory {
    fn new(settings: Settings) -> Self {
        Self {
            settings,
            messages: Vec::new(),
            by_sid: HashMap::new(),
            waiting: Vec::new(),
            faults: VecDeque::new(),
            chaos: None,
            inactive: HashMap::new(),
            stopped: BTreeSet::new(),
        }
    }
}

impl Simulator {
    /// One that lives by the machine's clock: each message moves on every `pace_ms`. Needs a tokio runtime.
    pub fn new(args: &SimulateArgs) -> Result<Arc<Self>, String> {
        Self::with(args, Arc::new(SystemClock), false)
    }

    /// One for tests: nothing moves until [`Simulator::flush_callbacks`] or [`Simulator::take_callbacks`], and
    /// `clock` says when it happened.
    pub fn manual(args: &SimulateArgs, clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::with(args, clock, true).expect("a journal that can be written")
    }

    fn with(args: &SimulateArgs, clock: Arc<dyn Clock>, manual: bool) -> Result<Arc<Self>, String> {
        // The program has chosen it already; a unit test has not.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(CALL)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("TwilioProxy/1.1")
            .build()
            .expect("a client without special wishes");
        let initial = Settings {
            manual,
            pace_ms: args.pace_ms,
            callbacks: true,
            duplicate_callbacks: false,
            shuffle_callbacks: false,
        };
        let journal = args.journal.as_deref().map(|path| {
            Journal::open(path).map_err(|error| format!("cannot write the journal {}: {error}", path.display()))
        });
        let mut memory = Memory::new(initial);
        memory.chaos = args.chaos.map(|seed| Lots::new(Chaos { seed, ..Chaos::default() }));
        let accounts = args.account.iter().map(|c| Account::new(&c.sid, c.token.clone().into_secret())).collect();
        Ok(Arc::new(Self {
            accounts,
            numbers: args.number.clone(),
            clock,
            http,
            calls: Semaphore::new(CALLS),
            log: args.log,
            journal: journal.transpose()?,
            watch: args.watch.clone(),
            initial,
            holds: watch::Sender::new(false),
            state: Mutex::new(memory),
        }))
    }

    /// Forgets every message, fault, setting and opt-out.
    pub fn reset(&self) {
        *self.state() = Memory::new(self.initial);
        self.release();
    }

    fn state(&self) -> MutexGuard<'_, Memory> {
        self.state.lock().expect("no panic")
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn token(&self, account: &str) -> &Secret {
        let account = self.accounts.iter().find(|known| known.sid == account).or(self.accounts.first());
        &account.expect("at least one account").token
    }
}

/// Everything that can be called: Twilio's paths, and `/simulator/…` to command the stand-in.
pub fn router(simulator: Arc<Simulator>) -> Router {
    let twilio = Router::new()
        .route("/2010-04-01/Accounts/{file}", get(account::fetch))
        .route("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers.json", get(account::list_numbers))
        .route("/2010-04-01/Accounts/{account}/Messages.json", get(message::list).post(message::create))
        .route("/2010-04-01/Accounts/{account}/Messages/{file}", get(message::fetch))
        .method_not_allowed_fallback(async || Refusal::new(405, 20004, "Method not allowed"))
        .layer(middleware::from_fn_with_state(simulator.clone(), fault::misbehave));
    let control = Router::new()
        .route("/simulator/accepted", get(control::list_accepted))
        .route("/simulator/faults", post(control::add_fault))
        .route("/simulator/chaos", post(control::change_chaos))
        .route("/simulator/settings", get(control::show_settings).post(control::change_settings))
        .route("/simulator/account", post(control::change_account))
        .route("/simulator/inbound", post(control::receive))
        .route("/simulator/flush", post(control::flush))
        .route("/simulator/reset", post(control::reset));
    twilio
        .merge(control)
        .fallback(async |uri: Uri| Refusal::not_found(uri.path()))
        .layer(middleware::from_fn_with_state(simulator.clone(), log))
        .with_state(simulator)
}

/// What the mail server took, and how it behaves.
fn mail_router(server: Arc<smtp::MailServer>) -> Router {
    Router::new()
        .route("/mail", get(smtp::list).delete(smtp::forget))
        .route("/mail/seen", get(smtp::show_seen))
        .route("/mail/manners", post(smtp::set_manners))
        .route("/mail/certificate", get(smtp::show_certificate))
        .with_state(server)
}

/// One line per request; the query is left out, it holds people's numbers.
async fn log(State(simulator): State<Arc<Simulator>>, request: Request, next: Next) -> Response {
    let line = simulator.log.then(|| (request.method().clone(), request.uri().path().to_owned()));
    let response = next.run(request).await;
    if let Some((method, path)) = line {
        tracing::info!("{method} {path} {}", response.status().as_u16());
    }
    response
}

/// The mail server, listening where it is told to.
async fn start_mail(args: &SimulateArgs, journal: Option<Journal>) -> Result<Arc<smtp::MailServer>, String> {
    let identity = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => smtp::Identity::read(certificate, key)?,
        _ => smtp::Identity::new(&["localhost", "127.0.0.1", "::1"]),
    };
    let server = smtp::MailServer::with(&identity, Arc::new(SystemClock), journal)?;
    for (address, is_tls) in [(args.smtp, false), (args.smtps, true)] {
        let Some(address) = address else { continue };
        let listener =
            TcpListener::bind(address).await.map_err(|error| format!("cannot listen on {address}: {error}"))?;
        tracing::info!("the stand-in for a mail server is ready on {address}");
        tokio::spawn(server.clone().serve(listener, is_tls));
    }
    Ok(server)
}

/// Listens until `stop`.
pub async fn run(args: SimulateArgs, stop: CancellationToken) -> Result<(), String> {
    let listener =
        TcpListener::bind(args.listen).await.map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let twilio = Simulator::new(&args)?;
    let mail = start_mail(&args, twilio.journal.clone()).await?;
    let routes = mail_router(mail).merge(router(twilio));
    let server = axum::serve(listener, routes).with_graceful_shutdown(stop.clone().cancelled_owned());
    tracing::info!("the stand-in for Twilio is ready on http://{address}");
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        done = async { server.await } => done.map_err(|error| error.to_string()),
        () = late => Ok(()),
    }
}

/// Two capital letters and 32 hex digits.
fn is_sid(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| rest.len() == 32 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn new_sid(prefix: &str) -> String {
    format!("{prefix}{}", hex::encode(random_bytes::<16>()))
}

/// As Twilio writes instants: RFC 2822 in GMT.
fn rfc2822(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests;
