//! A disk under observation (`disk.c`): which bytes were written when, and which of them a power cut cannot take.
//!
//! The server runs with `LD_PRELOAD`; the C compiler that builds the preload is the linker of Rust, so it is there wherever
//! the tests were built. SQLite promises durability by what it has synced, and here that is seen, not assumed.

use super::{Chance, machine::Machine};
use std::{path::PathBuf, process::Command};

/// Bytes before the data of a record.
const HEAD: usize = 18;
/// A disk writes so many bytes whole or not at all.
const SECTOR: usize = 512;

/// Lets the machine's servers run on a disk under observation.
pub struct Disk {
    pub log: PathBuf,
    full: PathBuf,
}

impl Disk {
    /// Servers that start from now on run on it.
    pub fn under(machine: &mut Machine) -> Self {
        let folder = machine.folder.path();
        let (library, log, full) = (folder.join("disk.so"), folder.join("disk.log"), folder.join("disk.full"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/crash/disk.c");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl");
        assert!(cc.status().expect("a C compiler").success(), "{cc:?}");
        let path = |path: &PathBuf| path.display().to_string();
        machine.env.extend([("LD_PRELOAD", path(&library)), ("TERN_DISK_FULL", path(&full))]);
        Self { log, full }
    }

    /// Writes down what happens to the disk.
    pub fn observe(&self, machine: &mut Machine) {
        machine.env.push(("TERN_DISK_LOG", self.log.display().to_string()));
    }

    /// From now on there is no space left, or there is again.
    pub fn set_full(&self, is_full: bool) {
        if is_full {
            std::fs::write(&self.full, "").expect("a file");
        } else {
            std::fs::remove_file(&self.full).expect("a file of ours");
        }
    }
}

/// The database, or its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Database,
    Wal,
}

/// What happened to the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Bytes were written at an offset.
    Write(usize, Vec<u8>),
    /// The file was given a length.
    Truncate(usize),
    /// What was written before this position of the log is durable.
    Sync(u64),
}

/// An event, and where its record begins and ends in the log.
#[derive(Debug, Clone)]
pub struct Record {
    pub part: Part,
    pub event: Event,
    pub begin: u64,
    pub end: u64,
}

/// Reads the log. A last record that was cut off by the end of its server is left out.
pub fn read(bytes: &[u8]) -> Vec<Record> {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let (mut records, mut at) = (Vec::new(), 0);
    while at + HEAD <= bytes.len() {
        let (a, length) = (number(at + 2), usize::try_from(number(at + 10)).expect("a length"));
        let end = at + HEAD + length;
        let Some(data) = bytes.get(at + HEAD..end) else { break };
        let offset = || usize::try_from(a).expect("an offset");
        let event = match bytes[at] {
            b'w' => Event::Write(offset(), data.to_vec()),
            b't' => Event::Truncate(offset()),
            b's' => Event::Sync(a),
            other => panic!("the log of the disk is broken at {at}: {other}"),
        };
        let part = if bytes[at + 1] == 0 { Part::Database } else { Part::Wal };
        records.push(Record { part, event, begin: at as u64, end: end as u64 });
        at = end;
    }
    records
}

/// What a cut leaves of what was not durable yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing of it reached the disk.
    All,
    /// All of it did: the process died, the machine did not.
    None,
    /// A part, in the order of writing, torn anywhere.
    Tail,
    /// Any sectors, in no order.
    Some,
}

/// The two files of a database.
#[derive(Debug, Clone, Default)]
pub struct Files {
    pub database: Vec<u8>,
    pub wal: Vec<u8>,
}

impl Files {
    fn part(&mut self, part: Part) -> &mut Vec<u8> {
        match part {
            Part::Database => &mut self.database,
            Part::Wal => &mut self.wal,
        }
    }

    fn apply(&mut self, part: Part, event: &Event) {
        let file = self.part(part);
        match event {
            Event::Write(offset, data) => {
                let end = offset + data.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[*offset..end].copy_from_slice(data);
            }
            Event::Truncate(length) => file.resize(*length, 0),
            Event::Sync(_) => {}
        }
    }
}

/// Plays a log forward, cut by cut.
pub struct Player<'a> {
    records: &'a [Record],
    next: usize,
    durable: Files,
    /// Written and not synced, in order.
    pending: Vec<&'a Record>,
}

impl<'a> Player<'a> {
    pub fn new(records: &'a [Record]) -> Self {
        Self { records, next: 0, durable: Files::default(), pending: Vec::new() }
    }

    /// What the disk may hold when the power goes at this position of the log; positions only grow.
    pub fn cut(&mut self, at: u64, loss: Loss, chance: &mut Chance) -> Files {
        while let Some(record) = self.records.get(self.next).filter(|record| record.end <= at) {
            self.next += 1;
            let Event::Sync(until) = record.event else {
                self.pending.push(record);
                continue;
            };
            let is_durable = |known: &&Record| known.part == record.part && known.end <= until;
            for known in self.pending.iter().filter(|known| is_durable(known)) {
                self.durable.apply(known.part, &known.event);
            }
            self.pending.retain(|known| !is_durable(known));
        }
        let mut files = self.durable.clone();
        // The record in which the cut falls was being written.
        let torn = self.records.get(self.next).filter(|record| record.begin < at);
        let under_way: Vec<&Record> = self.pending.iter().copied().chain(torn).collect();
        let kept = match loss {
            Loss::All => 0,
            Loss::Tail => usize::try_from(chance.below(under_way.len() as u64 + 1)).expect("few"),
            Loss::None | Loss::Some => under_way.len(),
        };
        for (index, record) in under_way[..kept].iter().enumerate() {
            match (&record.event, loss) {
                (Event::Write(offset, data), Loss::Tail) if index + 1 == kept => {
                    let length = usize::try_from(chance.below(data.len() as u64 + 1)).expect("short");
                    files.apply(record.part, &Event::Write(*offset, data[..length].to_vec()));
                }
                (Event::Write(offset, data), Loss::Some) => {
                    for (sector, piece) in data.chunks(SECTOR).enumerate().filter(|_| chance.below(2) == 0) {
                        files.apply(record.part, &Event::Write(offset + sector * SECTOR, piece.to_vec()));
                    }
                }
                (event, Loss::Some) if chance.below(2) == 0 => files.apply(record.part, event),
                (_, Loss::Some) => {}
                (event, _) => files.apply(record.part, event),
            }
        }
        files
    }
}

/// The same disk under `synchronous = normal`: the log is synced only before the database is written from it.
pub fn with_fewer_syncs(records: &[Record]) -> Vec<Record> {
    let is_before_the_database = |index: usize| {
        let mut later = records[index + 1..].iter().filter(|record| matches!(record.event, Event::Write(..)));
        later.next().is_some_and(|record| record.part == Part::Database)
    };
    let is_kept = |(index, record): &(usize, &Record)| {
        let is_sync_of_the_log = record.part == Part::Wal && matches!(record.event, Event::Sync(_));
        !is_sync_of_the_log || is_before_the_database(*index)
    };
    records.iter().enumerate().filter(is_kept).map(|(_, record)| record.clone()).collect()
}

#[test]
fn what_was_not_synced_may_be_gone_and_what_was_is_there() {
    let record = |kind: u8, part: u8, a: u64, data: &[u8]| {
        [&[kind, part][..], &a.to_le_bytes(), &(data.len() as u64).to_le_bytes(), data].concat()
    };
    let parts = [
        record(b'w', 1, 0, b"abcd"), // 0..22
        record(b's', 1, 22, b""),    // 22..40
        record(b'w', 1, 4, b"ef"),   // 40..60
        record(b'w', 0, 0, b"x"),    // 60..79
        record(b's', 0, 60, b""),    // 79..97: began before the write was logged
        record(b't', 1, 2, b""),     // 97..115
        b"w".to_vec(),               // cut off
    ];
    let records = read(&parts.concat());
    assert_eq!(records.iter().map(|record| record.end).collect::<Vec<_>>(), [22, 40, 60, 79, 97, 115]);
    let mut chance = Chance::new("a disk");
    let mut left = |at, loss| {
        let files = Player::new(&records).cut(at, loss, &mut chance);
        (String::from_utf8(files.wal).expect("text"), String::from_utf8(files.database).expect("text"))
    };
    let text = |wal: &str, database: &str| (wal.to_owned(), database.to_owned());
    assert_eq!(left(22, Loss::All), text("", ""));
    assert_eq!(left(39, Loss::All), text("", ""), "the sync is not over");
    assert_eq!(left(40, Loss::All), text("abcd", ""));
    assert_eq!(left(97, Loss::All), text("abcd", ""), "a sync says nothing about later writes, nor other files");
    assert_eq!(left(97, Loss::None), text("abcdef", "x"));
    assert_eq!(left(115, Loss::None), text("ab", "x"));
    for _ in 0..100 {
        let (wal, database) = left(79, Loss::Tail);
        assert!(["abcd", "abcde", "abcdef"].contains(&wal.as_str()) && ["", "x"].contains(&database.as_str()));
        assert!(wal == "abcdef" || database.is_empty(), "in the order of writing");
    }
    assert_eq!(with_fewer_syncs(&records).len(), 5, "the log is not synced before it grows");
    assert_eq!(with_fewer_syncs(&records[..2]).len(), 1);
}
