//! What happens: use cases, storage, providers, worker, HTTP. Not there in the browser.
//!
//! Use cases take a [`Who`], which only a signed-in request can have; `store` and `channel` never meet but in a use case
//! or the worker.

pub mod answer;
pub mod batch;
pub mod bucket;
pub mod channel;
pub mod clock;
pub mod command;
pub mod config;
pub mod dial;
pub mod error;
pub mod http;
pub mod lease;
pub mod live;
pub mod oracle;
pub mod phone;
pub mod platform;
pub mod quiet;
pub mod schedule;
pub mod send;
pub mod simulate;
pub mod store;
pub mod table;
pub mod template;
pub mod tls;
pub mod usecase;
pub mod vault;
pub mod worker;

use crate::api::error::ApiError;
use crate::domain::{
    account::Account,
    channel::Channel,
    id::{AccountId, MessageId, SessionId},
    time::{MINUTE, Timestamp},
    user::{Me, Organization, User},
};
use batch::Batcher;
use channel::{Channels, imap, smtp};
use clock::{Clock, Ids};
use config::{Role, Settings};
use dial::{Dialer, SystemResolver};
use error::Error;
use futures::future::BoxFuture;
use leptos::prelude::use_context;
use live::Live;
use platform::Platform;
use std::{
    ops::Deref,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};
use store::Db;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use usecase::{
    message::{NewRow, store_batch},
    webhook::{Heard, Opened, hear, open_many},
};
use vault::Vault;

/// Messages that one transaction stores.
const ENQUEUE: usize = 512;
/// Calls of providers that one transaction stores.
const HEAR: usize = 256;
/// Password hashes at a time: each takes 19 MiB and a core.
const HASHES: usize = 2;

/// Everything a use case may need; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What [`App`] shares.
pub struct Parts {
    /// As configured.
    pub settings: Settings,
    /// The database.
    pub db: Db,
    /// Keys for credentials.
    pub vault: Arc<Vault>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Makes identifiers.
    ids: Ids,
    /// Keys of records of consent.
    pub consent_keys: usecase::consent::Keys,
    /// Plans of sequences.
    pub plans: schedule::Plans,
    /// Templates that were compiled.
    pub texts: template::Texts,
    /// The providers.
    pub channels: Channels,
    /// The operator's own sender.
    pub platform: Option<Platform>,
    /// Hints for open pages.
    pub live: Live,
    /// Stores the messages of callers who come at the same time together.
    pub enqueue: Batcher<NewRow, Result<bool, ApiError>>,
    /// Reads the accounts of calls of providers that come at the same time together.
    pub open: Batcher<AccountId, Result<Option<Arc<Opened>>, ApiError>>,
    /// Stores the calls of providers that come at the same time together.
    pub hear: Batcher<Heard, Result<Option<MessageId>, ApiError>>,
    /// Wakes the worker after a commit that gives it something to do.
    pub wake: Notify,
    /// Wakes the part of the worker that asks providers.
    pub wake_asking: Notify,
    /// Wakes the part of the worker that takes steps of sequences.
    pub wake_planning: Notify,
    /// Wakes the part of the worker that reads mailboxes.
    pub wake_reading: Notify,
    /// Wakes the part of the worker that imports.
    pub wake_importing: Notify,
    /// Whether providers can call us.
    pub can_be_called: bool,
    /// Set when the process is asked to stop.
    pub stop: CancellationToken,
    /// Bounds the password hashes that run at a time.
    pub hashing: Semaphore,
    /// One forecast is made at a time: it takes a core.
    pub rehearsing: Semaphore,
    /// Which part of the server this process is.
    pub role: Role,
    /// When the worker was last seen working.
    worker_beat: AtomicI64,
    /// The configured keys do not fit what is stored; found at start.
    is_key_wrong: AtomicBool,
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// A batcher of the application itself, which is not whole yet.
fn batcher<T: Send + 'static, R: Send + 'static>(
    parts: &Weak<Parts>,
    most: usize,
    work: fn(App, Vec<T>) -> BoxFuture<'static, Vec<R>>,
) -> Batcher<T, R> {
    let parts = parts.clone();
    Batcher::new(most, move |batch: Vec<T>| match parts.upgrade() {
        Some(parts) => work(App(parts), batch),
        None => Box::pin(async { Vec::new() }), // nobody is left to be told
    })
}

impl App {
    /// Wires everything. The schema must be up to date.
    pub fn new(
        settings: Settings,
        role: Role,
        db: Db,
        vault: Vault,
        clock: Arc<dyn Clock>,
        http: reqwest::Client,
    ) -> Self {
        // Whoever starts the program has read file and number already, and stopped at bad ones.
        let platform = Platform::new(&settings).ok().flatten();
        let tls = tls::client(settings.ssl_cert_file.as_deref()).or_else(|_| tls::client(None));
        let tls = tls.expect("the built-in roots");
        let dialer = Dialer::new(&settings.allow_private_hosts, Arc::new(SystemResolver));
        let imap = imap::Imap::new(dialer.clone(), tls.clone());
        let smtp = smtp::Smtp::new(dialer, tls, settings.smtp_hello(), clock.clone(), smtp::Patience::default());
        let channels = Channels::new(http, settings.twilio_api_url.trim_end_matches('/').to_owned(), smtp, imap);
        Self::build(settings, role, db, Arc::new(vault), clock, channels, platform)
    }

    /// The same organization's affairs on another database and another clock, where `sender` stands in for all providers:
    /// nothing that happens there leaves, and nothing of it is heard of here.
    #[must_use]
    pub fn imagine(&self, db: Db, clock: Arc<dyn Clock>, sender: Arc<dyn channel::Sender>) -> Self {
        let channels = self.channels.imagined(sender);
        Self::build(self.settings.clone(), Role::All, db, self.vault.clone(), clock, channels, self.platform.clone())
    }

    fn build(
        settings: Settings,
        role: Role,
        db: Db,
        vault: Arc<Vault>,
        clock: Arc<dyn Clock>,
        channels: Channels,
        platform: Option<Platform>,
    ) -> Self {
        let can_be_called = settings.can_be_called();
        let enqueue = {
            let db = db.clone();
            Batcher::new(ENQUEUE, move |batch| {
                let db = db.clone();
                Box::pin(async move { store_batch(&db, batch).await })
            })
        };
        let parts = Arc::new_cyclic(|parts: &Weak<Parts>| Parts {
            open: batcher(parts, HEAR, |app, ids| Box::pin(async move { open_many(&app, &ids).await })),
            hear: batcher(parts, HEAR, |app, batch| Box::pin(async move { hear(&app, &batch).await })),
            enqueue,
            settings,
            db,
            vault,
            clock,
            ids: Ids::default(),
            plans: schedule::Plans::default(),
            texts: template::Texts::default(),
            consent_keys: usecase::consent::Keys::default(),
            channels,
            platform,
            live: Live::default(),
            wake: Notify::new(),
            wake_asking: Notify::new(),
            wake_planning: Notify::new(),
            wake_reading: Notify::new(),
            wake_importing: Notify::new(),
            can_be_called,
            stop: CancellationToken::new(),
            hashing: Semaphore::new(HASHES),
            rehearsing: Semaphore::new(1),
            role,
            worker_beat: AtomicI64::new(0),
            is_key_wrong: AtomicBool::new(false),
        });
        Self(parts)
    }

    /// Whether the configured keys fail to open what is stored.
    pub fn is_key_wrong(&self) -> bool {
        self.is_key_wrong.load(Ordering::Relaxed)
    }

    /// When the worker was last seen working.
    pub fn worker_beat(&self) -> Timestamp {
        Timestamp(self.worker_beat.load(Ordering::Relaxed))
    }

    /// Notes that the worker works.
    pub fn beat(&self) {
        self.worker_beat.store(self.clock.now().0, Ordering::Relaxed);
    }

    /// When a message of unknown outcome is first looked into: asked about at `at`, or sent once more a minute later where
    /// nobody can be asked and its account is set so; `None` when it is held for a person.
    pub fn first_question(&self, account: &Account, at: Timestamp) -> Option<Timestamp> {
        if self.channels.of(account.provider).can_find() {
            Some(at)
        } else {
            (account.pace.resends_unknown && account.channel == Channel::Email).then(|| at.plus(MINUTE))
        }
    }

    /// A new identifier that sorts by time.
    pub fn new_id<T: TryFrom<String>>(&self) -> T {
        T::try_from(self.ids.next(self.clock.now())).ok().expect("a ULID is an id")
    }
}

/// Somebody signed in, perhaps in no organization yet.
#[derive(Clone)]
pub struct Person {
    /// The application.
    pub app: App,
    /// Who.
    pub me: Me,
    /// By which browser; `None` for a program with a key.
    pub session: Option<SessionId>,
}

/// Somebody signed in, acting for an organization: what use cases ask for.
#[derive(Clone)]
pub struct Who {
    /// The application.
    pub app: App,
    /// Who.
    pub user: User,
    /// For whom.
    pub organization: Organization,
    /// By which browser; `None` for a program with a key.
    pub session: Option<SessionId>,
}

impl Person {
    /// For the organization, or an error when there is none.
    pub fn who(self) -> Result<Who, Error> {
        let organization = self.me.organization.ok_or_else(Error::no_organization)?;
        Ok(Who { app: self.app, user: self.me.user, organization, session: self.session })
    }
}

/// The application, inside a server function.
pub fn app() -> Result<App, Error> {
    use_context::<App>().ok_or_else(|| Error::Internal("no application in context".to_owned()))
}

/// Who asks, inside a server function; `None` when nobody is signed in.
pub async fn visitor() -> Result<Option<Person>, Error> {
    http::auth::visitor(&app()?).await
}

/// Who asks, inside a server function: signed in and in an organization, or an error.
pub async fn request() -> Result<Who, Error> {
    visitor().await?.ok_or_else(Error::signed_out)?.who()
}
