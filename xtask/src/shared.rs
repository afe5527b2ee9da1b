//! What both lives of xtask need: the checkout, the shared target folder, and cargo.

use std::{env, path::PathBuf, process::Command};

/// The checkout. As cargo says at run time: this program may have been compiled for another checkout.
pub fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest.parent().expect("xtask lies in the repository").to_owned()
}

/// Makes the shared target folder ours. To cargo two checkouts are the same package and it compares times only, so what
/// another checkout has built last would pass for ours: a touched file is compiled anew.
#[cfg(not(feature = "tools"))]
pub fn claim() -> std::io::Result<()> {
    use std::{
        fs::{self, File},
        time::SystemTime,
    };
    let (note, here) = (target().join("tern.checkout"), root().display().to_string());
    if fs::read_to_string(&note).ok().as_ref() == Some(&here) {
        return Ok(());
    }
    let roots =
        ["build.rs", "src/lib.rs", "src/main.rs", "tests/main.rs", "xtask/src/main.rs", "benches/engine/src/main.rs"];
    for file in roots {
        File::options().append(true).open(root().join(file))?.set_modified(SystemTime::now())?;
    }
    fs::create_dir_all(target())?;
    fs::write(note, here)
}

/// The target folder of all checkouts on this machine.
pub fn target() -> PathBuf {
    let named = ["TERN_TARGET_DIR", "CARGO_TARGET_DIR"].into_iter().find_map(env::var_os).map(PathBuf::from);
    named.unwrap_or_else(|| {
        let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache");
        cache.unwrap_or_else(home).join("tern/target")
    })
}

/// Cargo in the checkout with the shared target folder.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).env("CARGO_TARGET_DIR", target());
    // `cargo run` describes xtask in these; build scripts that watch them would run again at every switch between
    // `cargo xtask build` and `cargo build`.
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|n| n.starts_with("CARGO_PKG_") || n.starts_with("CARGO_MANIFEST_")) {
            cargo.env_remove(name);
        }
    }
    cargo
}
