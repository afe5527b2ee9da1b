//! What a run is told on the command line.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// What can be told.
pub const USAGE: &str = "\
--tern FILE            the release binary to measure
--postgres URL         a server with fsync on, without a database's name
--peers FOLDER         benches/peers, installed
--only PART,…          core, postgres, latency, mail, syncs, history (default: all of them); million, import and steps only when named
--messages N           messages of a dispatch of ours (20000)
--peer-messages N      of a peer's, which is slower (5000)
--callers N            callers at a time for enqueue and webhooks (64)
--rounds N             rounds of ours, peer, peer, ours (1)
--history N            the longest history (1000000)";

/// What a run is told.
pub struct Options {
    pub tern: PathBuf,
    pub postgres: String,
    pub peers: PathBuf,
    pub only: Option<Vec<String>>,
    pub messages: usize,
    pub peer_messages: usize,
    pub callers: usize,
    pub rounds: usize,
    pub history: u64,
}

impl Options {
    /// Reads the arguments.
    pub fn parse(args: &[String]) -> Result<Self> {
        const KNOWN: [&str; 9] = [
            "--tern",
            "--postgres",
            "--peers",
            "--only",
            "--messages",
            "--peer-messages",
            "--callers",
            "--rounds",
            "--history",
        ];
        if let Some(unknown) = args.iter().step_by(2).find(|arg| !KNOWN.contains(&arg.as_str())) {
            bail!("{unknown} is not known\n{USAGE}");
        }
        let value = |name: &str| args.iter().skip_while(|arg| *arg != name).nth(1).cloned();
        let number = |name: &str, usual: usize| -> Result<usize> {
            value(name).map_or(Ok(usual), |text| text.parse().with_context(|| format!("{name} must be a number")))
        };
        Ok(Self {
            tern: value("--tern").context(USAGE)?.into(),
            postgres: value("--postgres").context(USAGE)?,
            peers: value("--peers").context(USAGE)?.into(),
            only: value("--only").map(|text| text.split(',').map(str::to_owned).collect()),
            messages: number("--messages", 20_000)?,
            peer_messages: number("--peer-messages", 5_000)?,
            callers: number("--callers", 64)?,
            rounds: number("--rounds", 1)?,
            history: number("--history", 1_000_000)? as u64,
        })
    }

    /// Whether the part is to be measured.
    pub fn has(&self, part: &str) -> bool {
        self.only
            .as_ref()
            .map_or(!["million", "import", "steps"].contains(&part), |only| only.iter().any(|named| named == part))
    }
}
