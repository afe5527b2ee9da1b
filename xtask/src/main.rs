//! `cargo xtask run | test | build | setup`: everything that is needed to build, run and test this repository.
//!
//! Without the feature `tools` this program compiles in a second. It then runs itself again with the build tools, from a
//! target folder that all checkouts share, so that a second clone does not compile them anew.

#[cfg(feature = "tools")]
mod bench;
#[cfg(feature = "tools")]
mod build;
#[cfg(feature = "tools")]
mod command;
#[cfg(feature = "tools")]
mod crash;
#[cfg(feature = "tools")]
mod front;
#[cfg(feature = "tools")]
mod postgres;
mod shared;
#[cfg(feature = "tools")]
mod split;
#[cfg(feature = "tools")]
mod test;
#[cfg(feature = "tools")]
mod tools;

use std::process::ExitCode;

#[cfg(not(feature = "tools"))]
fn main() -> ExitCode {
    use std::os::unix::process::CommandExt;
    if let Err(error) = shared::claim() {
        eprintln!("xtask: the shared target folder: {error}");
        return ExitCode::FAILURE;
    }
    let mut cargo = shared::cargo();
    cargo.args(["run", "--quiet", "--package", "xtask", "--features", "tools", "--"]);
    let error = cargo.args(std::env::args_os().skip(1)).exec();
    eprintln!("xtask: cannot start cargo: {error}");
    ExitCode::FAILURE
}

#[cfg(feature = "tools")]
const USAGE: &str = "\
cargo xtask run [--release] [-- ARGS]   build, then start Tern on http://127.0.0.1:3000 with its data in ./data
cargo xtask test [--only STEP,…]        every check and test; the steps: fmt, clippy, lean, build, rust, browser
cargo xtask build [--release]           target/tern/, or with --release the folder to ship: target/tern-release/
cargo xtask crash [--kills N]           the crash tests with N kills per database (default 1000); for the night
cargo xtask mutants [--only NAME,…]     plants the bugs of tests/data/mutant/, and sees a test fail for each
cargo xtask bench engine [ARGS]         speed of sending beside its peers, as a table; `--help` for ARGS
cargo xtask bench import [ARGS]         speed of importing leads beside a peer, as a table
cargo xtask setup                       install what the other commands need, and nothing else

TERN_TARGET_DIR   where cargo builds (default: CARGO_TARGET_DIR, else ~/.cache/tern/target), shared by all checkouts
TERN_NO_INSTALL   set it to be told what is missing instead of having it installed";

#[cfg(feature = "tools")]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (own, rest) = match args.iter().position(|arg| arg == "--") {
        Some(at) => (&args[..at], &args[at + 1..]),
        None => (&args[..], &[][..]),
    };
    if own.iter().any(|arg| arg == "--help" || arg == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let release = own.iter().any(|arg| arg == "--release");
    let value = |flag: &str| own.iter().skip_while(|arg| *arg != flag).nth(1).map(String::as_str);
    let only = value("--only");
    let done = match own.first().map(String::as_str) {
        Some("run") => build::run(release, rest),
        Some("test") => test::test(only),
        Some("build") => build::build(release, release).map(drop),
        Some("crash") => match value("--kills").map_or(Ok(1_000), str::parse) {
            Ok(kills) => crash::crash(kills),
            Err(_) => Err(anyhow::anyhow!("--kills must be a number")),
        },
        Some("mutants") => crash::plant(only),
        Some("bench") if own.get(1).is_some_and(|name| name == "engine") => bench::engine(&args[2..]),
        Some("bench") if own.get(1).is_some_and(|name| name == "import") => {
            let only = ["--only", "import"].map(str::to_owned);
            bench::engine(&[&only, &args[2..]].concat())
        }
        Some("setup") => tools::setup(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
