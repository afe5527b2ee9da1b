//! `cargo xtask test`: every check and test, in steps that are named, timed and counted.

use crate::{
    build,
    command::{exec, output},
    postgres::Postgres,
    shared::{cargo, root},
    tools::{WASM, npm, test_machine, wasm_toolchain},
};
use anyhow::{Result, bail};
use std::{process::Command, time::Instant};

/// A step: its name and what it does.
type Step = (&'static str, fn() -> Result<()>);

const STEPS: &[Step] =
    &[("fmt", fmt), ("clippy", clippy), ("lean", lean), ("build", bundle), ("rust", rust), ("browser", browser)];

/// Runs all steps, or those named in `only`; stops at the first that fails.
pub fn test(only: Option<&str>) -> Result<()> {
    let chosen = |name: &str| only.is_none_or(|only| only.split(',').any(|part| part == name));
    if let Some(unknown) = only.and_then(|only| only.split(',').find(|name| STEPS.iter().all(|step| step.0 != *name))) {
        bail!("no step is called {unknown}");
    }
    // First of all, so that a machine that lacks something says so at once.
    wasm_toolchain()?;
    npm()?;
    test_machine()?;
    let mut passed = Vec::new();
    for (name, step) in STEPS.iter().filter(|step| chosen(step.0)) {
        eprintln!("xtask: ── {name}");
        let start = Instant::now();
        step().map_err(|error| error.context(format!("step {name}")))?;
        passed.push(format!("{name} {:.0} s", start.elapsed().as_secs_f32()));
    }
    println!("{}", passed.join(", "));
    println!("{} passed, 0 failed", passed.len());
    Ok(())
}

fn fmt() -> Result<()> {
    exec("cargo fmt --all", cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    let deny = ["--", "-D", "warnings"];
    exec(
        "clippy of the server",
        cargo().args(["clippy", "--package", "tern", "--features", "ssr", "--all-targets"]).args(deny),
    )?;
    // The browser's code on this machine's own target: the same code, and no second standard library is needed.
    let browser = ["clippy", "--package", "tern", "--lib", "--no-default-features", "--features", "hydrate"];
    exec("clippy of the browser's side", cargo().args(browser).args(deny))?;
    exec("clippy of the benchmarks", cargo().args(["clippy", "--package", "tern-bench"]).args(deny))?;
    exec("clippy of xtask", cargo().args(["clippy", "--package", "xtask", "--features", "tools"]).args(deny))
}

/// The browser must not load what only the server needs.
fn lean() -> Result<()> {
    let mut tree = cargo();
    tree.args(["tree", "--package", "tern", "--target", WASM, "--no-default-features", "--features", "hydrate"]);
    let tree = output(tree.args(["--edges", "normal", "--prefix", "none"]));
    if !tree.contains("leptos v") {
        bail!("cargo tree lists nothing");
    }
    let heavy = ["chrono", "rand", "reqwest", "tokio", "sqlx", "axum"];
    match tree.lines().find(|line| heavy.iter().any(|name| line.starts_with(&format!("{name} v")))) {
        Some(line) => bail!("the browser's side depends on {line}"),
        None => Ok(()),
    }
}

fn bundle() -> Result<()> {
    build::build(false, true).map(drop)
}

fn rust() -> Result<()> {
    let postgres = Postgres::start()?;
    let mut tests = cargo();
    tests.args(["test", "--package", "tern", "--features", "ssr"]).env("TEST_POSTGRES_URL", postgres.url());
    exec("cargo test", &mut tests)
}

fn browser() -> Result<()> {
    let folder = npm()?;
    let mut playwright = Command::new("npx");
    playwright.args(["playwright", "test"]).current_dir(folder);
    exec("Playwright", playwright.env("TERN_BIN", root().join("target/tern/tern")))
}
