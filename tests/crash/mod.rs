//! Crashes of the real binary: killed, stopped, frozen, out of disk, out of database, out of power. Each test drives
//! `tern serve` and `tern simulate` as processes of their own and ends with the oracle.
//!
//! `cargo xtask crash --kills 1000` runs the same for longer.

mod disk;
mod import;
mod lane;
mod load;
mod machine;
mod outage;
mod plan;
mod power;
mod stop;
mod storm;
mod zombie;

use std::io::Write;

/// Chance that can be repeated: `TERN_CRASH_SEED` repeats a run as far as the machine's own timing lets it.
pub struct Chance(u64);

impl Chance {
    /// A seed of its own, told so that a failure can be tried again.
    pub fn new(what: &str) -> Self {
        let named = std::env::var("TERN_CRASH_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = named.unwrap_or_else(|| u64::from_be_bytes(tern::server::clock::random_bytes()));
        tell(&format!("{what}: TERN_CRASH_SEED={seed}"));
        Self(seed)
    }

    /// Below `end`. `SplitMix64`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}

/// Past the capture of the test harness.
pub fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "crash: {line}");
}
