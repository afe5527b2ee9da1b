//! Measures the engine beside its peers, in one run, with equal durability. `cargo xtask bench engine` builds this, starts
//! a private PostgreSQL and runs it; the table on standard output is Markdown.
//!
//! A round is: ours, peer, peer, ours. A dispatch is measured from the first request at the provider until the last result
//! is stored, on both sides. The oracle judges each of our dispatches; a verdict that is not good fails the run.

mod compare;
mod database;
mod import;
mod load;
mod number;
mod option;
mod peer;
mod process;
mod report;
mod sink;
mod steps;
mod world;

use anyhow::{Result, bail};
use number::{megabytes, of};
use option::{Options, USAGE};
use peer::{Peers, Sent};
use sink::Sink;
use std::{
    fs::File,
    io::Write,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};
use world::{Dispatch, Folder, Kind, World};

/// A run that takes longer than this does not end by itself.
const LIMIT: Duration = Duration::from_secs(300);
/// Accounts of a dispatch.
const ACCOUNTS: usize = 8;
/// With how many under way a provider of 100 ms is measured.
const UNDER_WAY: usize = 256;
/// Free space that a run leaves to others.
const SPARE_KB: u64 = 10_000_000;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--help") {
        tell(USAGE);
        return ExitCode::SUCCESS;
    }
    match Options::parse(&args).and_then(|options| Bench::new(options)?.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// For whoever waits.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "bench: {line}");
}

struct Bench {
    options: Options,
    sink: Sink,
    peers: Peers,
    /// Of the table.
    rows: Vec<[String; 4]>,
    verdicts: Vec<String>,
    is_good: bool,
}

/// Durable writes per second of this disk, right now.
fn syncs_per_second() -> Result<f64> {
    let folder = Folder::new(&std::env::temp_dir(), "disk")?;
    let mut file = File::create(folder.0.join("file"))?;
    let start = Instant::now();
    for _ in 0..200 {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
    }
    Ok(load::per_second(200, start.elapsed()))
}

impl Bench {
    fn new(options: Options) -> Result<Self> {
        let sink = Sink::start()?;
        let peers = Peers::new(options.peers.clone(), &options.postgres)?;
        Ok(Self { options, sink, peers, rows: Vec::new(), verdicts: Vec::new(), is_good: true })
    }

    fn run(mut self) -> Result<()> {
        let disk = syncs_per_second()?;
        tell(&format!("{disk:.0} fdatasync/s before"));
        type Part = (&'static str, fn(&mut Bench) -> Result<()>);
        let parts: [Part; 9] = [
            ("core", Bench::core),
            ("postgres", Bench::on_postgres),
            ("latency", Bench::latency),
            ("mail", Bench::mail),
            ("syncs", Bench::syncs),
            ("history", Bench::history),
            ("million", Bench::million),
            ("import", Bench::import),
            ("steps", Bench::steps),
        ];
        for (name, part) in parts {
            if self.options.has(name) {
                tell(&format!("── {name}"));
                // What was measured before is still told.
                if let Err(error) = part(&mut self) {
                    self.is_good = false;
                    tell(&format!("part {name} failed: {error:#}"));
                    self.verdicts.push(format!("part {name} FAILED"));
                }
            }
        }
        let mut out = std::io::stdout();
        writeln!(out, "| what | Tern | peer | ratio |\n| --- | --- | --- | --- |")?;
        for row in &self.rows {
            writeln!(out, "| {} |", row.join(" | "))?;
        }
        writeln!(
            out,
            "\nThe oracle: {}.",
            if self.verdicts.is_empty() { "not asked".to_owned() } else { self.verdicts.join("; ") }
        )?;
        writeln!(out, "`fdatasync` of this disk: {disk:.0}/s before, {:.0}/s after.", syncs_per_second()?)?;
        if self.is_good { Ok(()) } else { bail!("not good: see above") }
    }

    fn row(&mut self, what: &str, ours: String, peer: String, ratio: Option<f64>) {
        let ratio = ratio.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.1} ×"));
        tell(&format!("{what}: {ours} | {peer} | {ratio}"));
        self.rows.push([what.to_owned(), ours, peer, ratio]);
    }

    fn judge(&mut self, what: &str, world: &World) -> Result<()> {
        let (is_good, words) = world.verdict()?;
        self.is_good &= is_good;
        self.verdicts.push(format!("{what} {}", if is_good { "good, five zeros" } else { "NOT GOOD" }));
        if !is_good {
            tell(&format!("{what}: {words}"));
        }
        Ok(())
    }

    fn core(&mut self) -> Result<()> {
        self.compare("SQLite", None)
    }

    fn on_postgres(&mut self) -> Result<()> {
        let base = self.options.postgres.clone();
        self.compare("PostgreSQL", Some(&base))
    }

    /// A provider that takes 100 ms, with 256 messages under way.
    #[expect(clippy::cast_precision_loss, reason = "an ideal is told in four digits")]
    fn latency(&mut self) -> Result<()> {
        let latency = Duration::from_millis(100);
        let ideal = UNDER_WAY as f64 / latency.as_secs_f64();
        let one = self.dispatch_slowly(latency, 1, self.options.messages)?;
        let many = self.dispatch_slowly(latency, 16, self.options.messages)?;

        let peer_count = self.options.peer_messages;
        self.peers.reset()?;
        self.peers.fill(peer_count)?;
        let folder = Folder::new(&std::env::temp_dir(), "peer")?;
        self.sink.reset(folder.0.join("journal"), latency, false)?;
        // Its transactions last as long as the call, so it needs a connection for each; the server has 200.
        let theirs = self.peers.dispatch(&self.sink, peer_count, 180, LIMIT)?;
        let words = |rate: f64, most: u64, micros: f64| {
            let reached = rate / (most as f64 / latency.as_secs_f64()) * 100.0;
            format!("{rate:.0}/s with {most} under way ({reached:.0} % of ideal), {micros:.0} µs CPU")
        };
        let peer =
            words(theirs.per_second(), theirs.most_under_way, theirs.micros(theirs.node_cpu + theirs.database_cpu));
        for (name, ours) in [("one account", one), ("16 accounts", many)] {
            self.row(
                &format!("dispatch, 100 ms, {name} (ideal with {UNDER_WAY}: {ideal:.0}/s)"),
                words(ours.per_second(), ours.most_under_way, ours.cpu_micros()),
                peer.clone(),
                Some(ours.per_second() / theirs.per_second()),
            );
        }
        Ok(())
    }

    /// A dispatch of ours to a provider that takes its time.
    fn dispatch_slowly(&mut self, latency: Duration, accounts: usize, count: usize) -> Result<Dispatch> {
        let world = World::new(&self.options.tern, &self.sink, None, accounts, Kind::Sms)?;
        let web = world.start("web")?;
        world.enqueue(count, self.options.callers)?;
        web.stop()?;
        self.sink.reset(world.journal(), latency, false)?;
        let ours = world.dispatch(count as u64, world.start("worker")?, LIMIT)?;
        self.judge(&format!("dispatch at 100 ms, {accounts} accounts"), &world)?;
        Ok(ours)
    }

    /// Mail over eight connections.
    fn mail(&mut self) -> Result<()> {
        let (count, peer_count) = (self.options.messages.min(10_000), self.options.peer_messages);
        let (mut ours, mut bare, mut durable) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.options.rounds {
            for turn in ["ours", "peer", "ours"] {
                if turn == "ours" {
                    let world =
                        World::new(&self.options.tern, &self.sink, None, 1, Kind::Email(self.sink.smtp.port()))?;
                    let web = world.start("web")?;
                    world.enqueue(count, self.options.callers)?;
                    web.stop()?;
                    self.sink.reset(world.journal(), Duration::ZERO, false)?;
                    ours.push(world.dispatch(count as u64, world.start("worker")?, LIMIT)?);
                    let sent = world.database.count("select count(*) from message where accepted_at is not null")?;
                    if sent != count as u64 {
                        bail!("{sent} of {count} mails are known to be sent");
                    }
                } else {
                    let folder = Folder::new(&std::env::temp_dir(), "peer")?;
                    self.sink.reset(folder.0.join("journal"), Duration::ZERO, false)?;
                    bare.push(self.peers.mail(&self.sink, peer_count, false, LIMIT)?);
                    self.peers.reset()?;
                    self.peers.fill(peer_count)?;
                    self.sink.reset(folder.0.join("journal"), Duration::ZERO, false)?;
                    durable.push(self.peers.mail(&self.sink, peer_count, true, LIMIT)?);
                }
            }
        }
        let rate = of(&ours, Dispatch::per_second);
        let our_words = format!(
            "{rate:.0}/s, {:.0} µs CPU, {:.0} connections opened",
            of(&ours, Dispatch::cpu_micros),
            of(&ours, |turn| turn.connections as f64)
        );
        for (what, turns) in [
            ("mail, 8 connections; peer: nodemailer's pool, no database", &bare),
            ("the same; peer: with its database", &durable),
        ] {
            let their_rate = of(turns, Sent::per_second);
            let words = format!(
                "{their_rate:.0}/s, {:.0} µs CPU",
                of(turns, |turn| turn.micros(turn.node_cpu + turn.database_cpu))
            );
            self.row(what, our_words.clone(), words, Some(rate / their_rate));
        }
        Ok(())
    }

    /// Syncs of a message that is dispatched, counted and not timed.
    fn syncs(&mut self) -> Result<()> {
        let count = self.options.messages.min(5_000);
        let world = World::new(&self.options.tern, &self.sink, None, ACCOUNTS, Kind::Sms)?;
        let web = world.start("web")?;
        world.enqueue(count, self.options.callers)?;
        web.stop()?;
        self.sink.reset(world.journal(), Duration::ZERO, false)?;
        let counted = match world.start_counted() {
            Ok(counted) => counted,
            Err(error) => {
                tell(&format!("strace is not there, syncs are not counted: {error:#}"));
                return Ok(());
            }
        };
        world.dispatch(count as u64, counted, LIMIT)?;
        let syncs = world.syncs()?;
        self.judge("dispatch under strace", &world)?;
        #[expect(clippy::cast_precision_loss, reason = "told in two digits")]
        let each = syncs as f64 / count as f64;
        self.row("syncs of a dispatched message", format!("{each:.3}"), "1 commit".to_owned(), None);
        Ok(())
    }

    /// Claim and complete with ever more history behind them.
    fn history(&mut self) -> Result<()> {
        let batch = self.options.messages.min(4_000);
        let world = World::new(&self.options.tern, &self.sink, None, ACCOUNTS, Kind::Sms)?;
        let send = |bench: &Self, count: usize| -> Result<Dispatch> {
            let web = world.start("web")?;
            world.enqueue(count, bench.options.callers)?;
            web.stop()?;
            bench.sink.reset(world.journal(), Duration::ZERO, true)?;
            world.dispatch(count as u64, world.start("worker")?, LIMIT)
        };
        send(self, 1)?;
        // History is over: delivered, and nobody asks for news of it.
        let web = world.start("web")?;
        let requests = self.sink.kept().iter().map(|sent| report::delivered(world.address, sent)).collect();
        load::run(world.address, requests, 1, 200, false)?;
        web.stop()?;
        let original = world.database.read("select id from message")?;
        let (mut rows, mut words, mut first) = (1, Vec::new(), None);
        for (mark, size) in ['A', 'B', 'C', 'D'].into_iter().zip([10_000, 100_000, 1_000_000, 10_000_000]) {
            if size > self.options.history {
                break;
            }
            room(size * 2)?;
            world.database.copy(&original, mark, size - rows)?;
            rows = size;
            let turns = [send(self, batch)?, send(self, batch)?, send(self, batch)?];
            rows += 3 * batch as u64;
            let (micros, rate) = (of(&turns, Dispatch::cpu_micros), of(&turns, Dispatch::per_second));
            tell(&format!("{size} messages of history: {micros:.0} µs CPU, {rate:.0}/s"));
            words.push(format!("{size}: {micros:.0} µs CPU, {rate:.0}/s"));
            let base = *first.get_or_insert(micros);
            if size == self.options.history {
                self.row(
                    "dispatch behind a history of messages",
                    words.join("; "),
                    "–".to_owned(),
                    Some(micros / base),
                );
            }
        }
        Ok(())
    }

    /// Memory while a million messages leave.
    fn million(&mut self) -> Result<()> {
        let count = 1_000_000;
        room(3 * count)?;
        let world = World::new(&self.options.tern, &self.sink, None, 16, Kind::Sms)?;
        let web = world.start("web")?;
        world.enqueue(world.accounts.len(), 1)?;
        web.stop()?;
        let share = count / world.accounts.len() as u64;
        let originals = world.database.read("select id from message order by id")?;
        for (id, mark) in originals.lines().zip("ABCDEFGHJKMNPQRSTVWXYZ".chars()) {
            world.database.copy(id, mark, share - 1)?;
        }
        tell("a million messages are queued");
        self.sink.reset(world.journal(), Duration::ZERO, false)?;
        let sent =
            world.dispatch(share * world.accounts.len() as u64, world.start("worker")?, Duration::from_mins(60))?;
        self.judge("a million", &world)?;
        let words = format!(
            "{:.1} MB at most, {:.0}/s, {:.0} µs CPU",
            megabytes(sent.cost.resident_kb),
            sent.per_second(),
            sent.cpu_micros()
        );
        self.row("a million messages", words, "–".to_owned(), None);
        Ok(())
    }
}

/// Fails when `messages` more would leave others too little space; a message with its rows takes about 2 KB.
fn room(messages: u64) -> Result<()> {
    let mut df = std::process::Command::new("df");
    let text = process::output(df.args(["--output=avail", "-k"]).arg(std::env::temp_dir()))?;
    let free: u64 = text.lines().last().unwrap_or_default().trim().parse()?;
    if free < SPARE_KB + 2 * messages {
        bail!("{} MB are free in {}: too little", free / 1024, Path::new(&std::env::temp_dir()).display());
    }
    Ok(())
}
