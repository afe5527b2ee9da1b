//! A file of leads, from the upload until its last row is stored: 5 of 100 rows are bad, 20 of 100 are of people who stood
//! further up.

use crate::{
    Bench, LIMIT, load,
    number::{median, megabytes},
    peer::Imported,
    process::Process,
    tell,
    world::{Folder, Kind, World},
};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::{
    fs::File,
    io::{BufWriter, Read, Write},
    net::TcpStream,
    path::Path,
    time::{Duration, Instant},
};

/// Rows of the files.
const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];
/// Rows of the file beside which messages are enqueued.
const BESIDE: usize = 100_000;

/// `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from(z >> 33).unwrap_or_default() % end.max(1)
    }
}

/// A file of so many rows; how many of them are people.
fn write(path: &Path, rows: usize) -> Result<usize> {
    let (mut file, mut chance) = (BufWriter::new(File::create(path)?), Chance(7));
    writeln!(file, "Name,Company,E-Mail,Phone,Plan")?;
    let mut people: Vec<usize> = Vec::new();
    for n in 0..rows {
        match chance.below(100) {
            0..5 => writeln!(file, "Bad {n},Acme,not an address {n},,free")?,
            5..25 if !people.is_empty() => {
                let again = people[chance.below(people.len())];
                writeln!(file, "Kim Lee {again},Northwind,kim.{again}@example{}.com,,pro", again % 977)?;
            }
            _ => {
                people.push(n);
                let number = 2_000_000 + (n * 7_919) % 8_000_000;
                writeln!(
                    file,
                    "Kim Lee {n},Company {},kim.{n}@example{}.com,+1415{number:07},plan {}",
                    n % 5_000,
                    n % 977,
                    n % 5
                )?;
            }
        }
    }
    file.flush()?;
    Ok(people.len())
}

/// What an import looked like.
pub struct Done {
    rows: usize,
    /// From the first byte of the upload to the last row.
    took: Duration,
    /// Of it, the upload.
    upload: Duration,
    /// By how much memory grew.
    grown_kb: u64,
}

impl Done {
    fn per_second(&self) -> f64 {
        load::per_second(self.rows, self.took)
    }
}

/// Sends JSON, and reads JSON.
pub fn answer(world: &World, method: &str, path: &str, body: &Value) -> Result<Value> {
    let (key, body) = (world.key(), body.to_string());
    let head = format!(
        "Host: {}\r\nAuthorization: {key}\r\nConnection: close\r\nContent-Type: application/json",
        world.address
    );
    let request = format!("{method} {path} HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    exchange(world, request.as_bytes(), None)
}

fn exchange(world: &World, request: &[u8], body: Option<&Path>) -> Result<Value> {
    let mut stream = TcpStream::connect(world.address)?;
    stream.write_all(request)?;
    if let Some(path) = body {
        std::io::copy(&mut File::open(path)?, &mut stream)?;
    }
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("no answer")?;
    if !head.starts_with("HTTP/1.1 20") {
        bail!("{head}\n{body}");
    }
    Ok(serde_json::from_str(body)?)
}

/// Imports a file, of which a row is bad at least.
pub fn import(world: &World, server: &mut Process, path: &Path, rows: usize, beside: impl FnOnce()) -> Result<Done> {
    let head = |method: &str, path: &str, more: &str| {
        let key = world.key();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {key}\r\nConnection: close\r\n{more}\r\n",
            world.address
        )
    };
    let before = server.look().resident_kb;
    let length = std::fs::metadata(path)?.len();
    let start = Instant::now();
    let post = head("POST", "/api/leads/import", &format!("Content-Type: text/csv\r\nContent-Length: {length}\r\n"));
    let begun = exchange(world, post.as_bytes(), Some(path))?;
    let upload = start.elapsed();
    let get = head("GET", &format!("/api/imports/{}", begun["id"].as_str().context("no id")?), "");
    beside();
    loop {
        let now = exchange(world, get.as_bytes(), None)?;
        if now["state"] == "done" {
            let failed = now["failed"].as_u64().unwrap_or_default();
            if now["rows_done"] != rows || failed == 0 {
                bail!("{now}");
            }
            break;
        }
        if now["state"] != "running" || start.elapsed() > LIMIT {
            bail!("it is {now}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let took = start.elapsed();
    Ok(Done { rows, took, upload, grown_kb: server.look().resident_kb.saturating_sub(before) })
}

impl Bench {
    /// Imports beside csv-parse with pg.
    pub fn import(&mut self) -> Result<()> {
        let folder = Folder::new(&std::env::temp_dir(), "files")?;
        let base = self.options.postgres.clone();
        for rows in SIZES {
            let path = folder.0.join(format!("{rows}.csv"));
            let people = write(&path, rows)?;
            let rounds = if rows < 1_000_000 { self.options.rounds.max(3) } else { self.options.rounds };
            let (mut sqlite, mut postgres, mut peer) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..rounds {
                sqlite.push(self.import_once(None, &path, rows, people)?);
                postgres.push(self.import_once(Some(&base), &path, rows, people)?);
                self.peers.reset()?;
                peer.push(self.peers.import(&path, rows, people, LIMIT)?);
            }
            let theirs = median(peer.iter().map(|done| load::per_second(rows, done.took)).collect());
            let grown = peer.iter().map(|done| done.grown_kb).max().unwrap_or_default();
            let peer = format!("{theirs:.0} rows/s, +{:.0} MB", megabytes(grown));
            for (name, done) in [("SQLite", sqlite), ("PostgreSQL", postgres)] {
                let ours = median(done.iter().map(Done::per_second).collect());
                let upload = median(done.iter().map(|done| done.upload.as_secs_f64() * 1e3).collect());
                let grown = done.iter().map(|done| done.grown_kb).max().unwrap_or_default();
                let words = format!("{ours:.0} rows/s (upload {upload:.0} ms of it), +{:.0} MB", megabytes(grown));
                self.row(&format!("{name}: import of {rows} rows"), words, peer.clone(), Some(ours / theirs));
            }
        }
        self.beside(&folder.0.join(format!("{BESIDE}.csv")))
    }

    fn import_once(&self, postgres: Option<&str>, path: &Path, rows: usize, people: usize) -> Result<Done> {
        let world = World::new(&self.options.tern, &self.sink, postgres, 1, Kind::Sms)?;
        let mut server = world.start("all")?;
        let done = import(&world, &mut server, path, rows, || ())?;
        server.stop()?;
        let stored = world.database.count("select count(*) from lead")?;
        if stored != people as u64 {
            bail!("{stored} leads of {people} people");
        }
        tell(&format!("{rows} rows: {:.0}/s, upload {:?}, +{} kB", done.per_second(), done.upload, done.grown_kb));
        Ok(done)
    }

    /// How long an enqueue takes while an import runs, and while none does.
    fn beside(&mut self, path: &Path) -> Result<()> {
        let world = World::new(&self.options.tern, &self.sink, None, 1, Kind::Sms)?;
        let mut server = world.start("all")?;
        let alone = load::run(world.address, world.enqueues(200), 1, 202, false)?;
        let mut during = None;
        import(&world, &mut server, path, BESIDE, || {
            during = Some(load::run(world.address, world.enqueues(100), 1, 202, false));
        })?;
        server.stop()?;
        let during = during.context("nothing was enqueued")??;
        let words = |done: &load::Done| format!("p50 {:.1} / p99 {:.1} ms", done.percentile(50), done.percentile(99));
        self.row(
            "SQLite: enqueue by one caller while an import runs",
            words(&during),
            words(&alone) + " while none does",
            None,
        );
        Ok(())
    }
}

/// What a peer's import looked like; see `peers/import.js`.
impl Imported {
    /// From what it prints: milliseconds, rows stored, growth in kB.
    pub fn read(text: &str) -> Result<(u64, Self)> {
        let numbers: Vec<u64> = text.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
        let [millis, stored, grown_kb] = numbers[..] else { bail!("the peer said: {text}") };
        Ok((stored, Self { took: Duration::from_millis(millis), grown_kb }))
    }
}
