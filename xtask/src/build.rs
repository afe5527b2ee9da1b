//! Server and browser side, built side by side and laid together in a folder of this checkout.

use crate::{
    command::{exec, timed},
    front,
    shared::{cargo, root, target},
    tools::{npm, wasm_toolchain},
};
use anyhow::{Context, Result};
use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
};

/// Builds into `target/tern/`, or `target/tern-release/` when `release`, and returns that folder.
/// `small` optimises the browser's side and holds it to its budget, also beside a development server.
pub fn build(release: bool, small: bool) -> Result<PathBuf> {
    let out = root().join("target").join(if release { "tern-release" } else { "tern" });
    fs::create_dir_all(&out)?;
    fs::create_dir_all(target())?;
    let toolchain = wasm_toolchain()?;
    if small {
        npm()?;
    }
    // Cargo's own lock ends with its build; this one holds until the result is copied away from its shared name.
    let lock = fs::File::create(target().join("tern.lock"))?;
    lock.lock().context("the shared target folder")?;
    std::thread::scope(|scope| {
        let server = scope.spawn(|| server(release, &out));
        let front = front::build(toolchain, small, &out);
        server.join().expect("no panic in the server's build").and(front)
    })?;
    fs::copy(root().join("Leptos.toml"), out.join("Leptos.toml"))?;
    Ok(out)
}

fn server(release: bool, out: &Path) -> Result<()> {
    let mut cargo = cargo();
    cargo.args(["build", "--package", "tern", "--features", "ssr"]);
    if release {
        cargo.arg("--release");
    }
    timed("server", || exec("the server's build", &mut cargo))?;
    let built = target().join(if release { "release" } else { "debug" }).join("tern");
    // A running server keeps the old file: its name is given to the new one.
    let fresh = out.join("tern.new");
    fs::copy(built, &fresh)?;
    Ok(fs::rename(fresh, out.join("tern"))?)
}

/// Builds and becomes the server, so that signals reach it.
pub fn run(release: bool, args: &[String]) -> Result<()> {
    let out = build(release, release)?;
    eprintln!("xtask: starting Tern; its data is in ./data");
    let error = Command::new(out.join("tern")).arg("serve").args(args).exec();
    Err(error).context("cannot start the server")
}
