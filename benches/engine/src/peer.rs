//! The peers: Node programs on PostgreSQL, run as Tern is.

use crate::{
    database::psql,
    load,
    process::{Process, family, output},
    sink::Sink,
    world::{Folder, free_port, listens},
};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::{
    fs::File,
    io::Read,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const KEY: &str = "Bearer key-of-the-peer";

pub struct Peers {
    /// Where their programs are.
    pub folder: PathBuf,
    /// Their database.
    pub url: String,
    /// The server's first process.
    postmaster: u32,
}

/// What a peer's dispatch looked like.
pub struct Sent {
    pub count: usize,
    pub took: Duration,
    pub node_cpu: Duration,
    pub database_cpu: Duration,
    pub resident_kb: u64,
    pub most_under_way: u64,
}

/// What a peer's import looked like.
pub struct Imported {
    pub took: Duration,
    /// By how much memory grew.
    pub grown_kb: u64,
}

impl Sent {
    pub fn per_second(&self) -> f64 {
        load::per_second(self.count, self.took)
    }

    #[expect(clippy::cast_precision_loss, reason = "a cost is told in three digits")]
    pub fn micros(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e6 / self.count.max(1) as f64
    }
}

impl Peers {
    pub fn new(folder: PathBuf, base: &str) -> Result<Self> {
        let admin = format!("{base}/postgres");
        output(psql(&admin).args(["-c", "drop database if exists peers", "-c", "create database peers"]))?;
        let text = output(psql(&admin).args(["-c", "select pg_read_file('postmaster.pid', 0, 20)"]))?;
        let postmaster = text.lines().next().context("no postmaster")?.trim().parse()?;
        Ok(Self { folder, url: format!("{base}/peers"), postmaster })
    }

    pub fn reset(&self) -> Result<()> {
        output(psql(&self.url).arg("-f").arg(self.folder.join("schema.sql"))).map(drop)
    }

    /// Fills the peers' queue with `count` messages.
    pub fn fill(&self, count: usize) -> Result<()> {
        let sql = format!(
            "insert into peer_message (id, account_id, sender, recipient, body) select gen_random_uuid()::text, \
             (n % 8)::text, case when n % 2 = 0 then '+14155550100' else '+14155550101' end, \
             '+1628555' || lpad((n % 10000)::text, 4, '0'), \
             'Hello number ' || n || ', your table for two is booked for Friday at eight. Until then!' \
             from generate_series(1, {count}) n"
        );
        output(psql(&self.url).args(["-c", &sql]))?;
        output(psql(&self.url).args(["-c", "vacuum analyze"])).map(drop)
    }

    fn node(&self, program: &str, env: &[(&str, String)]) -> Command {
        let mut node = Command::new("node");
        node.arg(self.folder.join(program)).env("PEER_DATABASE", &self.url).env("NODE_ENV", "production");
        node.env("PEER_KEY", KEY).envs(env.iter().map(|(name, value)| (*name, value)));
        node
    }

    /// Runs a program that sends `count` messages, says `done` and waits to be ended.
    fn run(&self, program: &str, env: &[(&str, String)], sink: &Sink, count: usize, limit: Duration) -> Result<Sent> {
        let folder = Folder::new(&std::env::temp_dir(), "said")?;
        let path = folder.0.join(program);
        let before = family(self.postmaster);
        let mut node = Process::start(self.node(program, env).stdout(File::create(&path)?))?;
        let start = Instant::now();
        // Loading its modules takes Node half a second, which is not a cost of messages.
        let mut idle = None;
        let end = loop {
            if sink.seen().first.is_some() {
                idle.get_or_insert(node.look().cpu);
            }
            let mut text = String::new();
            File::open(&path)?.read_to_string(&mut text)?;
            if text.starts_with("done") {
                break Instant::now();
            }
            node.check()?;
            if start.elapsed() > limit {
                bail!("{program} did not end within {limit:?}: {} sent", sink.accepted());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let cost = node.look();
        let database_cpu = family(self.postmaster).saturating_sub(before);
        drop(node);
        let seen = sink.seen();
        if sink.accepted() != count as u64 {
            bail!("{program} sent {} of {count}", sink.accepted());
        }
        Ok(Sent {
            count,
            took: end - seen.first.context("nothing was sent")?,
            node_cpu: cost.cpu.saturating_sub(idle.unwrap_or_default()),
            database_cpu,
            resident_kb: cost.resident_kb,
            most_under_way: seen.most_under_way,
        })
    }

    /// The reference design, through Twilio's SDK.
    pub fn dispatch(&self, sink: &Sink, count: usize, concurrency: usize, limit: Duration) -> Result<Sent> {
        let env = [("PEER_SINK", format!("http://{}", sink.http)), ("PEER_CONCURRENCY", concurrency.to_string())];
        self.run("dispatch.js", &env, sink, count, limit)
    }

    /// Nodemailer's pool, with the reference design's database or with none.
    pub fn mail(&self, sink: &Sink, count: usize, is_durable: bool, limit: Duration) -> Result<Sent> {
        let env = [("PEER_MAIL_PORT", sink.smtp.port().to_string()), ("PEER_MESSAGES", count.to_string())];
        self.run(if is_durable { "dispatch.js" } else { "mail.js" }, &env, sink, count, limit)
    }

    /// csv-parse, a library for phone numbers, one statement for a thousand rows.
    pub fn import(&self, file: &Path, rows: usize, people: usize, limit: Duration) -> Result<Imported> {
        let command = self.node("import.js", &[("PEER_FILE", file.display().to_string())]);
        let limit = limit.as_secs().to_string();
        let mut bounded = Command::new("timeout");
        bounded.arg(limit).arg(command.get_program()).args(command.get_args());
        bounded.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let (stored, done) = Imported::read(&output(&mut bounded)?)?;
        if stored != people as u64 {
            bail!("the peer stored {stored} of {people} people in {rows} rows");
        }
        Ok(done)
    }

    /// Express, listening.
    pub fn serve(&self) -> Result<(Process, SocketAddr)> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut node = Process::start(&mut self.node("server.js", &[("PEER_PORT", address.port().to_string())]))?;
        listens(address, &mut node)?;
        Ok((node, address))
    }

    pub fn database_cpu(&self) -> Duration {
        family(self.postmaster)
    }

    pub fn enqueues(address: SocketAddr, count: usize) -> Vec<Vec<u8>> {
        let request = |number: usize| {
            let body = json!({
                "channel": "sms", "messaging_account_id": (number % 8).to_string(),
                "to": format!("+1628555{:04}", number % 10_000),
                "body": format!("Hello number {number}, your table for two is booked for Friday at eight. Until then!"),
            });
            load::post(address, "/api/messages", &[("Authorization", KEY)], "application/json", &body.to_string())
        };
        (0..count).map(request).collect()
    }
}
