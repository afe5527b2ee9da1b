//! A Tern to be measured: a data folder, a database, accounts with the sink as their provider, and the server that runs
//! in it, if one does.

use crate::{
    database::Database,
    load,
    process::{Cost, Process, output},
    sink::{ACCOUNT, Sink, TOKEN},
};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// The most that an account may send on a day.
const LIMIT: u32 = 100_000;

/// A folder that goes with its owner.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(below: &Path, name: &str) -> Result<Self> {
        let path = below.join(format!("tern-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub struct World {
    pub database: Database,
    pub accounts: Vec<String>,
    pub address: SocketAddr,
    binary: PathBuf,
    folder: Folder,
    /// Where the journal lies: in memory, where there is such a folder.
    memory: Folder,
    key: String,
    sink: Sink,
}

/// What is sent through the accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sms,
    /// The mail server listens on this port.
    Email(u16),
}

pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until somebody listens.
pub fn listens(address: SocketAddr, process: &mut Process) -> Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(address).is_err() {
        process.check()?;
        if Instant::now() > end {
            bail!("nobody listens on {address}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

impl World {
    /// An organization with `accounts` accounts, every one with the largest daily limit.
    pub fn new(binary: &Path, sink: &Sink, postgres: Option<&str>, accounts: usize, kind: Kind) -> Result<Self> {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let name = format!("world{}", NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let folder = Folder::new(&std::env::temp_dir(), &name)?;
        let shared = Path::new("/dev/shm");
        let memory = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let memory = Folder::new(&memory, &format!("{name}-journal"))?;
        let database = match postgres {
            None => Database::Sqlite(folder.0.join("tern.db")),
            Some(base) => {
                let name = format!("tern_bench_{name}");
                output(crate::database::psql(&format!("{base}/postgres")).args([
                    "-c",
                    &format!("drop database if exists {name}"),
                    "-c",
                    &format!("create database {name}"),
                ]))?;
                Database::Postgres(format!("{base}/{name}"))
            }
        };
        let mut world = Self {
            database,
            accounts: Vec::new(),
            address: SocketAddr::from(([127, 0, 0, 1], free_port()?)),
            binary: binary.to_owned(),
            folder,
            memory,
            key: String::new(),
            sink: sink.clone(),
        };
        let server = world.start("web")?;
        world.set_up(accounts, kind)?;
        server.stop()?;
        Ok(world)
    }

    fn set_up(&mut self, accounts: usize, kind: Kind) -> Result<()> {
        let form =
            json!({ "email": "owner@example.com", "password": "a long and calm password", "organization": "Acme" });
        let (_, cookie, _) = load::call(self.address, "/api/auth/sign-up", &[], &form)?;
        let cookie = cookie.context("no session")?;
        let (_, _, key) =
            load::call(self.address, "/api/api-keys", &[("Cookie", &cookie)], &json!({ "name": "load" }))?;
        self.key = format!("Bearer {}", key["key"].as_str().context("no key")?);
        for number in 0..accounts {
            let (path, form) = match kind {
                Kind::Sms => (
                    "/api/messaging-accounts",
                    json!({
                        "provider": "twilio", "channel": "sms", "phone_number": format!("+1415555{:04}", 100 + number),
                        "account_sid": ACCOUNT, "auth_token": TOKEN, "daily_limit": LIMIT,
                    }),
                ),
                Kind::Email(port) => (
                    "/api/email-accounts",
                    json!({
                        "email_address": format!("ann{number}@northwind.example"), "smtp_host": "127.0.0.1",
                        "smtp_port": port, "smtp_security": "none", "smtp_auth": "none", "daily_send_limit": LIMIT,
                    }),
                ),
            };
            let (status, _, account) = load::call(self.address, path, &[("Authorization", &self.key)], &form)?;
            if status != 201 {
                bail!("{path} answered {status}: {account}");
            }
            self.accounts.push(account["id"].as_str().context("no id")?.to_owned());
        }
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.env("RUST_LOG", "warn").env("NO_PROXY", "*").env("LEPTOS_OUTPUT_NAME", "tern");
        command.env("ENCRYPTION_KEY", "the key of the benchmarks").env("TERN_ALLOW_PRIVATE_HOSTS", "127.0.0.0/8");
        command.env("TERN_PUBLIC_URL", format!("http://{}", self.address));
        command.env("TERN_LISTEN", self.address.to_string());
        command.env("TWILIO_API_URL", format!("http://{}", self.sink.http));
        command.env("TERN_DATA_DIR", &self.folder.0).env("TERN_DATABASE_URL", self.database.url());
        command
    }

    /// `tern serve` in a role. The web listens when this returns.
    pub fn start(&self, role: &str) -> Result<Process> {
        let mut server = Process::start(self.command().args(["serve", "--role", role]))?;
        if role != "worker" {
            listens(self.address, &mut server)?;
        }
        Ok(server)
    }

    /// The worker under strace, which counts syncs and, thanks to its filter, slows down nothing else. It writes them
    /// when the worker ends.
    pub fn start_counted(&self) -> Result<Process> {
        let inner = self.command();
        let mut command = Command::new("strace");
        command.args(["-f", "--seccomp-bpf", "-c", "-S", "name", "-e", "trace=fsync,fdatasync", "-o"]);
        command.arg(self.syncs_path()).arg(inner.get_program()).args(["serve", "--role", "worker"]);
        for (name, value) in inner.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        Process::start_tracer(&mut command)
    }

    fn syncs_path(&self) -> PathBuf {
        self.folder.0.join("syncs")
    }

    /// What strace has counted.
    pub fn syncs(&self) -> Result<u64> {
        let text = std::fs::read_to_string(self.syncs_path())?;
        let calls = |line: &str| -> Option<u64> {
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_sync = words.last().is_some_and(|name| name.ends_with("sync"));
            if is_sync { words.get(3)?.parse().ok() } else { None }
        };
        Ok(text.lines().filter_map(calls).sum())
    }

    /// Requests that enqueue `count` messages, spread over the accounts.
    pub fn enqueues(&self, count: usize) -> Vec<Vec<u8>> {
        let is_email = self.database.count("select count(*) from account where channel = 'email'").is_ok_and(|n| n > 0);
        let request = |number: usize| {
            let account = &self.accounts[number % self.accounts.len()];
            let text = format!("Hello number {number}, your table for two is booked for Friday at eight. Until then!");
            let body = if is_email {
                json!({
                    "channel": "email", "email_account_id": account, "to": format!("guest{number}@example.com"),
                    "subject": "Your table", "body": text,
                })
            } else {
                json!({
                    "channel": "sms", "messaging_account_id": account,
                    "to": format!("+1628555{:04}", number % 10_000), "body": text,
                })
            };
            let headers = [("Authorization", self.key.as_str())];
            load::post(self.address, "/api/messages", &headers, "application/json", &body.to_string())
        };
        (0..count).map(request).collect()
    }

    /// Enqueues through the API, and notes the ids that were answered.
    pub fn enqueue(&self, count: usize, callers: usize) -> Result<load::Done> {
        let done = load::run(self.address, self.enqueues(count), callers, 202, true)?;
        let mut ids = String::new();
        for body in &done.bodies {
            let message: serde_json::Value = serde_json::from_str(body)?;
            ids += message["id"].as_str().context("a message without id")?;
            ids.push('\n');
        }
        use std::io::Write;
        let mut file = std::fs::File::options().create(true).append(true).open(self.answered())?;
        file.write_all(ids.as_bytes())?;
        Ok(done)
    }

    fn answered(&self) -> PathBuf {
        self.memory.0.join("answered")
    }

    /// What a caller shows.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn journal(&self) -> PathBuf {
        self.memory.0.join("journal")
    }

    /// Messages that have no end yet.
    pub fn open(&self) -> Result<u64> {
        self.database.count("select count(*) from message where status in ('queued', 'sending')")
    }

    /// Lets the worker send `count` messages that are queued.
    pub fn dispatch(&self, count: u64, mut worker: Process, limit: Duration) -> Result<Dispatch> {
        let start = Instant::now();
        while self.sink.accepted() < count {
            worker.check()?;
            worker.look();
            if start.elapsed() > limit {
                bail!("only {} of {count} were sent within {limit:?}", self.sink.accepted());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        while self.open()? > 0 {
            worker.check()?;
            if start.elapsed() > limit {
                bail!("{} messages were not settled within {limit:?}", self.open()?);
            }
        }
        let end = Instant::now();
        let seen = self.sink.seen();
        let cost = worker.look();
        worker.stop()?;
        let first = seen.first.context("nothing was sent")?;
        Ok(Dispatch {
            count,
            took: end - first,
            provider_took: seen.last.unwrap_or(end) - first,
            cost,
            most_under_way: seen.most_under_way,
            connections: seen.connections,
        })
    }

    /// The oracle's verdict: good or not, and its words.
    pub fn verdict(&self) -> Result<(bool, String)> {
        let mut oracle = self.command();
        oracle.arg("oracle").arg("--journal").arg(self.journal());
        if self.answered().exists() {
            oracle.arg("--answered").arg(self.answered());
        }
        let out = oracle.output()?;
        let words = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        Ok((out.status.success(), words))
    }
}

/// What a dispatch looked like.
pub struct Dispatch {
    pub count: u64,
    /// From the first request at the provider until the last result is stored.
    pub took: Duration,
    /// Until the provider has accepted the last one.
    pub provider_took: Duration,
    pub cost: Cost,
    pub most_under_way: u64,
    pub connections: u64,
}

impl Dispatch {
    pub fn per_second(&self) -> f64 {
        load::per_second(usize::try_from(self.count).unwrap_or(usize::MAX), self.took)
    }

    #[expect(clippy::cast_precision_loss, reason = "a cost is told in three digits")]
    pub fn cpu_micros(&self) -> f64 {
        self.cost.cpu.as_secs_f64() * 1e6 / self.count.max(1) as f64
    }

    /// Threads that had to wait, per message.
    #[expect(clippy::cast_precision_loss, reason = "told in one digit")]
    pub fn waits(&self) -> f64 {
        self.cost.waits as f64 / self.count.max(1) as f64
    }
}
