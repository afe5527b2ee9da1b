//! A machine for crash tests: a stand-in for Twilio with a journal, and servers on one database that are started, killed
//! and frozen by their own process ids.

use super::tell;
use crate::support::Folder;
use futures::FutureExt;
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use std::{
    collections::BTreeMap,
    fs::File,
    net::TcpListener,
    panic::{AssertUnwindSafe, resume_unwind},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};
use tern::server::{
    clock::{Clock, SystemClock, new_id},
    oracle::{self, Verdict},
    simulate::journal::{self, Entry},
    store::Db,
};
use tokio::sync::{Mutex, MutexGuard};

/// One crash test at a time: they measure time, and a machine of two cores has none to share.
static TURN: Mutex<()> = Mutex::const_new(());
/// Leases of the tests, in seconds; a call of a provider ends after a third of it.
const LEASE: u64 = 9;
/// Time enough for everything to settle, also with the leases of an operator.
pub const PATIENCE: Duration = Duration::from_secs(150);
/// How long an unknown outcome rests before the provider is asked.
const RECONCILE: u64 = 1;
/// The numbers that the stand-in owns.
pub const NUMBERS: [&str; 3] = ["+14155550132", "+14155550199", "+16285550188"];

/// A process that dies with its owner.
pub struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().expect("a process"))
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(sent.expect("the command kill").success(), "kill -{name}");
    }

    /// Ends it without a chance to tidy up.
    pub fn kill(mut self) {
        self.0.kill().expect("a process of ours");
        self.0.wait().expect("a process of ours");
    }

    /// How it ended; nothing when it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("a process of ours")
    }

    /// Waits until it has ended by itself; how.
    pub async fn ends(&mut self, limit: Duration) -> ExitStatus {
        let ending = async {
            loop {
                if let Some(status) = self.ended() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(limit, ending)
            .await
            .unwrap_or_else(|_| panic!("the process does not end within {limit:?}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks again and again until it is so, for at most so long.
pub async fn until(what: &str, limit: Duration, is_so: impl AsyncFn() -> bool) {
    let asking = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(limit, asking).await.is_ok(), "not within {limit:?}: {what}");
}

/// Asks the database for one value.
pub async fn ask<T>(db: &Db, question: &'static str) -> T
where
    T: for<'r> sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any> + Send + Unpin,
{
    let mut conn = db.read().await.expect("a connection");
    sqlx::query_scalar(question).fetch_one(&mut *conn).await.expect(question)
}

/// Lots of the stand-in: nothing goes wrong but what these say.
pub fn only(lots: Value) -> Value {
    let none = json!({
        "seed": 9, "fail": 0, "accept_then_fail": 0, "throttled": 0, "hang": 0, "accept_then_hang": 0, "accept_then_drop": 0,
        "nonsense": 0, "latency": 0,
    });
    crate::support::but(none, lots)
}

/// A port that was free a moment ago.
fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// The machine.
pub struct Machine {
    pub folder: Folder,
    pub http: Client,
    pub db_url: String,
    /// Environment of the servers, besides the usual.
    pub env: Vec<(&'static str, String)>,
    port: u16,
    twilio_port: u16,
    key: String,
    twilio: Option<Process>,
    _turn: MutexGuard<'static, ()>,
}

impl Machine {
    /// One on SQLite.
    pub async fn sqlite() -> Self {
        let folder = Folder::new();
        let url = format!("sqlite://{}/tern.db", folder.path().display());
        Self::new(folder, url).await
    }

    async fn new(folder: Folder, db_url: String) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let turn = TURN.lock().await;
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().expect("a client");
        let (port, twilio_port) = (port(), port());
        Self { folder, http, db_url, env: Vec::new(), port, twilio_port, key: String::new(), twilio: None, _turn: turn }
    }

    fn tern(&self, log: &str) -> Command {
        let log = File::options().create(true).append(true).open(self.folder.path().join(log)).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tern"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).env("RUST_LOG", "warn").env("NO_PROXY", "*");
        command
    }

    /// Starts the stand-in, with these flags besides the usual.
    pub async fn start_twilio(&mut self, flags: &[&str]) {
        let mut twilio = self.tern("twilio.log");
        twilio.args([
            "simulate",
            "--listen",
            &format!("127.0.0.1:{}", self.twilio_port),
            "--pace-ms",
            "50",
            "--journal",
        ]);
        self.twilio = Some(Process::start(twilio.arg(self.journal_path()).args(flags)));
        let url = format!("{}/simulator/settings", self.twilio_url());
        until("the stand-in answers", Duration::from_secs(20), async || self.http.get(&url).send().await.is_ok()).await;
    }

    /// A server on the machine's port.
    pub fn start(&self) -> Process {
        self.start_on(self.port, &[])
    }

    /// Another server beside it, with a port of its own; PostgreSQL only.
    pub fn start_second(&self) -> (Process, u16) {
        let port = port();
        (self.start_on(port, &[]), port)
    }

    fn start_on(&self, port: u16, flags: &[&str]) -> Process {
        let mut server = self.tern("tern.log");
        server
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--twilio-api-url", &self.twilio_url()])
            .args(["--data-dir", &self.folder.path().display().to_string(), "--database-url", &self.db_url])
            .args(flags)
            .env("TERN_PUBLIC_URL", format!("http://127.0.0.1:{}", self.port))
            .env("TERN_LEASE_SECONDS", LEASE.to_string())
            .env("TERN_RECONCILE_SECONDS", RECONCILE.to_string())
            .env("ENCRYPTION_KEY", crate::support::KEY)
            .env("LEPTOS_OUTPUT_NAME", "tern")
            .envs(self.env.iter().map(|(name, value)| (*name, value)));
        Process::start(&mut server)
    }

    /// The key of whoever calls.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where the server is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn twilio_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.twilio_port)
    }

    fn journal_path(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// What the provider took.
    pub fn journal(&self) -> Vec<Entry> {
        journal::read(&self.journal_path()).expect("a journal")
    }

    /// Waits until the server on `port` answers.
    pub async fn answers_on(&self, port: u16) {
        let url = format!("http://127.0.0.1:{port}/healthz");
        until("the server answers", Duration::from_secs(30), async || self.http.get(&url).send().await.is_ok()).await;
    }

    /// Waits until the machine's server answers.
    pub async fn answers(&self) {
        self.answers_on(self.port).await;
    }

    /// Waits until the machine's server answers, or has ended.
    pub async fn answers_or_ended(&self, server: &mut Process) -> bool {
        let url = format!("{}/healthz", self.url());
        for _ in 0..1_500 {
            if server.ended().is_some() {
                return false;
            }
            if self.http.get(&url).send().await.is_ok() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the server neither answers nor ends");
    }

    /// Commands the stand-in.
    pub async fn command(&self, what: &str, body: Value) {
        let url = format!("{}/simulator/{what}", self.twilio_url());
        let answer = self.http.post(url).json(&body).send().await.expect("the stand-in");
        assert!(answer.status().is_success(), "{what}: {}", answer.status());
    }

    /// Asks the machine's server; `None` when nobody answers.
    pub async fn call(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        self.call_on(self.port, path, body).await
    }

    /// Asks the server on `port`.
    pub async fn call_on(&self, port: u16, path: &str, body: &Value) -> Option<(u16, Value)> {
        let request = self.http.post(format!("http://127.0.0.1:{port}{path}")).bearer_auth(&self.key).json(body);
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }

    /// Sends a file.
    pub async fn upload(&self, path: &str, text: String) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.url())).bearer_auth(&self.key);
        let answer = request.header("content-type", "text/csv").body(text).send().await.expect("Tern");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// Asks the machine's server to do something once, however often it is asked.
    pub async fn post_once(&self, path: &str, key: &str, body: &Value) -> Option<(u16, Value)> {
        let request = self.http.post(format!("{}{path}", self.url())).bearer_auth(&self.key);
        let answer = request.header("idempotency-key", key).json(body).send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.json().await.ok()?))
    }

    /// Signs up and connects accounts with these daily limits; their ids.
    pub async fn set_up(&mut self, limits: &[u32]) -> Vec<String> {
        let form =
            json!({ "email": "owner@example.com", "password": crate::support::PASSWORD, "organization": "Acme" });
        let answer = self.http.post(format!("{}/api/auth/sign-up", self.url())).json(&form).send().await.expect("Tern");
        let cookie =
            answer.headers()["set-cookie"].to_str().expect("visible ASCII").split(';').next().map(str::to_owned);
        let make = self.http.post(format!("{}/api/api-keys", self.url())).header("cookie", cookie.expect("a cookie"));
        let key: Value = make.json(&json!({ "name": "load" })).send().await.expect("Tern").json().await.expect("JSON");
        key["key"].as_str().expect("a key").clone_into(&mut self.key);
        let mut accounts = Vec::new();
        for (number, limit) in NUMBERS.into_iter().zip(limits) {
            let mut form = crate::support::twilio_form();
            (form["phone_number"], form["daily_limit"]) = (json!(number), json!(limit));
            let (status, account) = self.call("/api/messaging-accounts", &form).await.expect("Tern");
            assert_eq!(status, 201, "{account}");
            accounts.push(account["id"].as_str().expect("an id").to_owned());
        }
        accounts
    }

    /// Opens the database beside the servers.
    pub async fn db(&self) -> Db {
        Db::open(&self.db_url).await.expect("the database")
    }

    /// How many messages of each status there are.
    pub async fn statuses(&self, db: &Db) -> BTreeMap<String, i64> {
        let text = "select status, count(*) from message where direction = 'outbound' group by status";
        let mut conn = db.read().await.expect("a connection");
        let rows: Vec<(String, i64)> = sqlx::query_as(text).fetch_all(&mut *conn).await.expect("statuses");
        rows.into_iter().collect()
    }

    /// Waits until nothing is due, on its way or being looked into: what is queued waits for tomorrow's limit.
    pub async fn settles(&self) {
        let db = self.db().await;
        let text = "select count(*) from message where status = 'sending' \
                    or (status = 'unknown' and poll_at is not null) or (status = 'queued' and not exists \
                    (select 1 from lane l where l.account_id = message.account_id and l.blocked_reason = 'daily_limit'))";
        let is_settled = async || ask::<i64>(&db, text).await == 0;
        let waiting = AssertUnwindSafe(until("everything is settled", PATIENCE, is_settled)).catch_unwind().await;
        if let Err(panic) = waiting {
            tell(&format!("{:?}", self.statuses(&db).await));
            self.show_log();
            resume_unwind(panic);
        }
        db.close().await;
    }

    /// The end of the servers' log, for whoever looks into a failure.
    pub fn show_log(&self) {
        let text = std::fs::read_to_string(self.folder.path().join("tern.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        tell(&format!("the log ends:\n{}", lines[lines.len().saturating_sub(20)..].join("\n")));
    }

    /// What the oracle says.
    pub async fn verdict(&self, answered: &[String]) -> Verdict {
        let db = self.db().await;
        let verdict = oracle::examine(&db, &self.journal(), Some(answered)).await.expect("a verdict");
        db.close().await;
        verdict
    }

    /// Ends the test with the oracle; the verdict when it is good.
    pub async fn judged(&self, what: &str, answered: &[String]) -> Verdict {
        let verdict = self.verdict(answered).await;
        if !verdict.is_good() {
            self.show_log();
        }
        assert!(verdict.is_good(), "{what}: the oracle says:\n{verdict}");
        verdict
    }
}

/// Runs the test on SQLite.
pub async fn on_sqlite(test: impl AsyncFnOnce(Machine)) {
    test(Machine::sqlite().await).await;
}

/// Runs the test on a PostgreSQL database of its own; it is told so when there is none.
pub async fn on_postgres(test: impl AsyncFnOnce(Machine)) {
    let Ok(base) = std::env::var("TEST_POSTGRES_URL") else {
        assert!(std::env::var_os("CI").is_none(), "TEST_POSTGRES_URL is missing: half of the crashes would not happen");
        tell("PostgreSQL left out: TEST_POSTGRES_URL is missing");
        return;
    };
    let name = format!("crash_{}", new_id(SystemClock.now()).to_lowercase());
    admin(&base, format!("create database {name}")).await;
    let machine = Machine::new(Folder::new(), format!("{base}/{name}")).await;
    let tested = AssertUnwindSafe(test(machine)).catch_unwind().await;
    admin(&base, format!("drop database {name} with (force)")).await;
    tested.unwrap_or_else(|panic| resume_unwind(panic));
}

/// One statement of the database's administrator.
pub async fn admin(base: &str, text: String) {
    let db = Db::open(&format!("{base}/postgres")).await.expect("the server of TEST_POSTGRES_URL");
    let mut conn = db.read().await.expect("a connection");
    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *conn).await.expect("a statement");
    drop(conn);
    db.close().await;
}
