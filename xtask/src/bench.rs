//! `cargo xtask bench engine`: the engine beside its peers. The measuring is in `benches/engine`.

use crate::{
    command::exec,
    postgres::Postgres,
    shared::{cargo, root, target},
    tools::npm_in,
};
use anyhow::{Result, bail};
use std::process::Command;

/// Measures the release folder, or the binary of `--tern`; the other arguments are those of `benches/engine`.
pub fn engine(args: &[String]) -> Result<()> {
    let shipped = root().join("target/tern-release/tern");
    let is_named = args.iter().any(|arg| arg == "--tern");
    if !is_named && !shipped.exists() {
        bail!("there is nothing to measure: `cargo xtask build --release` first, or name a binary with --tern");
    }
    let peers = npm_in("benches/peers")?;
    exec("cargo build", cargo().args(["build", "--quiet", "--release", "--package", "tern-bench"]))?;
    let postgres = Postgres::start_durable()?;
    let mut bench = Command::new(target().join("release/tern-bench"));
    bench.arg("--postgres").arg(postgres.url()).arg("--peers").arg(peers);
    if !is_named {
        bench.arg("--tern").arg(shipped);
    }
    exec("the benchmark", bench.args(args))
}
