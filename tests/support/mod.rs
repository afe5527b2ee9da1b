//! The world of the stories: a whole Tern on a temporary folder, called in process. No port but the stand-in's, no
//! sleeping; time moves when a test moves it. When the world ends, the oracle judges it.

mod client;
pub mod dovecot;
mod oracle;

pub use self::client::{Answer, Client, Credentials};
use self::oracle::Judge;
use axum::Router;
use leptos::config::LeptosOptions;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};
use tern::{
    domain::{
        secret::{Entered, Secret},
        time::Timestamp,
    },
    server::{
        App,
        clock::{FakeClock, SystemClock, new_id},
        config::{Role, Settings, SignUp},
        http,
        simulate::{
            self, Callback, SimulateArgs, Simulator,
            smtp::{self, Identity, MailServer},
        },
        store::Db,
        usecase::{keys, platform, session},
        vault::Vault,
        worker::Worker,
    },
};
use tokio::net::TcpListener;

/// 2026-11-22T09:30:00Z.
pub const NOW: Timestamp = Timestamp(1_795_339_800_000);
/// What providers and browsers see.
pub const PUBLIC_URL: &str = "https://tern.test";
/// The key of the vault, unless a test says otherwise.
pub const KEY: &str = "the key of the test world";
/// The owner's password.
pub const PASSWORD: &str = "a long and calm password";
/// The stand-in owns it.
pub const OWN_NUMBER: &str = "+14155550132";
/// Somebody whose phone is on.
pub const RECIPIENT: &str = "+14155550199";

/// A folder that goes with its owner.
pub struct Folder(PathBuf);

impl Folder {
    /// A new one.
    pub fn new() -> Self {
        use tern::server::clock::Clock;
        let path = std::env::temp_dir().join(format!("tern-test-{}", new_id(SystemClock.now())));
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a test may wish for.
pub struct Wishes {
    pub key: String,
    pub sign_up: SignUp,
    /// How long Tern waits for a provider's answer.
    pub patience: Duration,
    /// The operator's own SID, token and number.
    pub platform: Option<[String; 3]>,
    /// Its messages a day.
    pub platform_daily_limit: u32,
    pub upload_max_mib: u32,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            key: KEY.to_owned(),
            sign_up: SignUp::First,
            patience: Duration::from_secs(30),
            platform: None,
            platform_daily_limit: 100,
            upload_max_mib: 4,
        }
    }
}

/// Everything that was ever answered, head and body.
pub type Answers = Arc<Mutex<Vec<Vec<u8>>>>;

/// The stand-in for a mail server, whose certificate Tern trusts.
#[derive(Clone)]
pub struct MailStand {
    pub server: Arc<MailServer>,
    /// In clear, or STARTTLS.
    pub port: u16,
    /// TLS from the first byte.
    pub tls_port: u16,
    /// What it shows; another server may show it, too.
    pub identity: Arc<Identity>,
}

impl MailStand {
    async fn start(folder: &Folder, clock: Arc<FakeClock>) -> Self {
        let identity = Arc::new(Identity::new(&["localhost"]));
        let server = MailServer::with(&identity, clock, None).expect("a mail server");
        fs::write(folder.path().join("roots.pem"), &server.certificate).expect("a file");
        let mut ports = Vec::new();
        for is_tls in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            ports.push(listener.local_addr().expect("an address").port());
            tokio::spawn(server.clone().serve(listener, is_tls));
        }
        Self { server, port: ports[0], tls_port: ports[1], identity }
    }

    /// What connects the stand-in's mailbox.
    pub fn form(&self) -> Value {
        json!({
            "email_address": smtp::USER, "smtp_host": "localhost", "smtp_port": self.port, "smtp_security": "starttls",
            "smtp_username": smtp::USER, "smtp_password": smtp::PASSWORD,
        })
    }
}

/// A running Tern and its surroundings.
pub struct World {
    pub app: App,
    pub clock: Arc<FakeClock>,
    pub twilio: Arc<Simulator>,
    pub mail: MailStand,
    pub worker: Worker,
    pub answers: Answers,
    folder: Arc<Folder>,
    twilio_url: String,
    router: Router,
    judge: Judge,
}

impl World {
    pub async fn new() -> Self {
        Self::with(Wishes::default()).await
    }

    pub async fn with(wishes: Wishes) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(FakeClock::new(NOW));
        let twilio = Simulator::manual(&SimulateArgs::default(), clock.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let twilio_url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(axum::serve(listener, simulate::router(twilio.clone())).into_future());
        let folder = Arc::new(Folder::new());
        let mail = MailStand::start(&folder, clock.clone()).await;
        let judge = Judge::new(folder.clone(), twilio.clone(), mail.server.clone());
        Self::start(clock, twilio, twilio_url, mail, folder, Answers::default(), judge, wishes).await
    }

    async fn start(
        clock: Arc<FakeClock>,
        twilio: Arc<Simulator>,
        twilio_url: String,
        mail: MailStand,
        folder: Arc<Folder>,
        answers: Answers,
        judge: Judge,
        wishes: Wishes,
    ) -> Self {
        let [sid, token, number] = wishes.platform.map_or_else(Default::default, |all| all.map(Some));
        let settings = Settings {
            listen: ([127, 0, 0, 1], 3000).into(),
            data_dir: folder.path().to_owned(),
            database_url: None,
            encryption_key: None,
            public_url: Some(PUBLIC_URL.to_owned()),
            sign_up: wishes.sign_up,
            twilio_account_sid: sid.map(Entered::new),
            twilio_auth_token: token.map(Entered::new),
            twilio_phone_number: number,
            platform_daily_limit: wishes.platform_daily_limit,
            twilio_api_url: twilio_url.clone(),
            allow_private_hosts: ["127.0.0.0/8", "::1"].map(|range| range.parse().expect("a range")).to_vec(),
            upload_max_mib: wishes.upload_max_mib,
            lease_seconds: 90,
            reconcile_seconds: 45,
            ssl_cert_file: Some(folder.path().join("roots.pem")),
        };
        let db = Db::open(&settings.database_url()).await.expect("a database");
        db.migrate().await.expect("a schema");
        let vault = Vault::parse(&wishes.key).expect("a key");
        let client = reqwest::Client::builder().no_proxy().timeout(wishes.patience).build().expect("a client");
        let app = App::new(settings, Role::All, db, vault, clock.clone(), client);
        keys::check(&app).await.expect("a check of the keys");
        platform::check(&app).await.expect("a check of the platform default");
        let router = http::router(app.clone(), LeptosOptions::builder().output_name("tern").build());
        let worker = Worker::new(app.clone());
        Self { app, clock, twilio, mail, worker, answers, folder, twilio_url, router, judge }
    }

    /// The process ends and another one starts on the same folder.
    pub async fn restart(self) -> Self {
        self.restart_with(Wishes::default()).await
    }

    pub async fn restart_with(self, wishes: Wishes) -> Self {
        self.app.db.close().await;
        Self::start(self.clock, self.twilio, self.twilio_url, self.mail, self.folder, self.answers, self.judge, wishes)
            .await
    }

    /// The process dies: what was under way gets no chance to say how it went. Its calls end with it.
    pub async fn crash(self) -> Self {
        self.restart().await
    }

    /// Also listens on loopback, for programs that speak over a network; where.
    pub async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(axum::serve(listener, self.router.clone()).into_future());
        url
    }

    /// Somebody with these credentials.
    pub fn client(&self, credentials: Credentials) -> Client {
        let (router, answers, promised) = (self.router.clone(), self.answers.clone(), self.judge.promised.clone());
        Client { credentials, headers: Vec::new(), router, answers, promised }
    }

    /// Somebody unknown.
    pub fn nobody(&self) -> Client {
        self.client(Credentials::None)
    }

    /// The first user, signed up and signed in.
    pub async fn owner(&self) -> Client {
        let form = json!({ "email": "owner@example.com", "password": PASSWORD, "organization": "Acme" });
        let answer = self.nobody().post("/api/auth/sign-up", form).await.expect_status(201);
        self.client(answer.session())
    }

    /// Somebody of another organization.
    pub async fn stranger(&self) -> Client {
        let form = session::SignUpForm {
            email: "stranger@example.com",
            password: Secret::new(PASSWORD.to_owned()),
            organization: Some("Other"),
        };
        session::add(&self.app, form, true).await.expect("a second organization");
        let form = json!({ "email": "stranger@example.com", "password": PASSWORD });
        let answer = self.nobody().post("/api/auth/sign-in", form).await.expect_status(200);
        self.client(answer.session())
    }

    /// The worker looks once and finishes what it started.
    pub async fn work(&self) {
        self.worker.pass().await.expect("a pass of the worker");
        self.worker.settle().await;
    }

    /// A provider's call at our door, as the stand-in would make it.
    pub async fn hand_back(&self, callback: &Callback) -> Answer {
        let path = callback.url.strip_prefix(PUBLIC_URL).expect("our own URL").to_owned();
        let mut provider = self.nobody();
        provider.headers.push(("x-twilio-signature".to_owned(), callback.signature.clone()));
        provider.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        provider.call("POST", &path, callback.body.clone()).await
    }

    /// All that the provider has to say, in its order.
    pub async fn hear_all(&self) {
        for callback in self.twilio.take_callbacks() {
            self.hand_back(&callback).await.expect_status(200);
        }
    }

    /// One text per row.
    pub async fn rows(&self, sql: &'static str) -> Vec<String> {
        let mut conn = self.app.db.read().await.expect("a connection");
        sqlx::query_scalar(sql).fetch_all(&mut *conn).await.expect("rows")
    }

    /// Changes what is stored behind Tern's back.
    pub async fn tamper(&self, sql: &'static str, values: &[&str]) {
        let work = async |conn: &mut tern::server::store::Conn| {
            let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind((*value).to_owned()));
            query.execute(conn).await.map(drop)
        };
        self.app.db.write(work).await.expect("a change");
    }

    /// Every byte of the data folder.
    pub fn stored_bytes(&self) -> Vec<Vec<u8>> {
        let files = fs::read_dir(self.folder.path()).expect("the folder");
        files.map(|file| fs::read(file.expect("a file").path()).expect("its bytes")).collect()
    }
}

/// Lets others go on until it is so, which must be soon.
pub async fn until(is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it never happened");
}

/// What connects the stand-in's account.
pub fn twilio_form() -> Value {
    json!({
        "provider": "twilio", "channel": "sms", "phone_number": OWN_NUMBER,
        "account_sid": simulate::ACCOUNT_SID, "auth_token": simulate::AUTH_TOKEN,
    })
}

/// `base` with `changes`; null takes a field away.
pub fn but(mut base: Value, changes: Value) -> Value {
    let fields = base.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    base
}
