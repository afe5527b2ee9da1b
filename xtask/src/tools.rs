//! What cargo does not bring: a WebAssembly standard library, a browser, a database server, a mail server, npm
//! tools.
//! Each is looked for first; what is missing is installed when that is allowed, and otherwise named in one line.

use crate::{
    command::{exec, output, quietly},
    shared::{root, target},
};
use anyhow::{Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The browser's target.
pub const WASM: &str = "wasm32-unknown-unknown";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_STD: &str = "/usr/lib/rustlib/src/rust/library/std";
const DEBIAN_LLD: &str = "/usr/bin/rust-lld";

/// How to compile for the browser.
#[derive(Clone, Copy)]
pub enum Toolchain {
    /// The active toolchain has the target.
    Installed,
    /// Debian's rustc with its own library sources: the standard library is compiled with the application.
    DebianBuildStd,
}

impl Toolchain {
    /// Sets cargo up for it.
    pub fn apply(self, cargo: &mut Command) {
        if matches!(self, Self::DebianBuildStd) {
            // RUSTC_BOOTSTRAP: build-std is not stable; it works with the sources of the very same release.
            cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1").args(["-Z", "build-std=std,panic_abort"]);
        }
    }
}

fn has_target() -> bool {
    let folder = output(Command::new("rustc").args(["--print", "target-libdir", "--target", WASM]));
    !folder.is_empty() && Path::new(&folder).is_dir()
}

fn has_debian_rust() -> bool {
    [DEBIAN_STD, DEBIAN_RUSTC, DEBIAN_LLD].iter().all(|path| Path::new(path).exists())
}

/// The toolchain for the browser, installed when need be.
pub fn wasm_toolchain() -> Result<Toolchain> {
    if has_target() {
        return Ok(Toolchain::Installed);
    }
    if has_debian_rust() {
        return Ok(Toolchain::DebianBuildStd);
    }
    // A refusal is remembered, so that not every build waits for a server that cannot be reached.
    let refused = target().join("no-rustup");
    if may_install() && !refused.exists() {
        eprintln!("xtask: rustup target add {WASM}");
        if quietly(Command::new("rustup").args(["target", "add", WASM]), Duration::from_secs(30)) && has_target() {
            return Ok(Toolchain::Installed);
        }
        fs::create_dir_all(target())?;
        fs::write(&refused, "")?;
    }
    if may_install() && is_debian_root() {
        apt(&["rustc-web", "rust-web-src"])?;
        // rustc-web names its linker only as a suggestion; the link tells which version it wants.
        let wanted = fs::read_link(DEBIAN_LLD).unwrap_or_default().to_string_lossy().into_owned();
        let version: String =
            wanted.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        if !has_debian_rust() && !version.is_empty() {
            apt(&[&format!("lld-{version}")])?;
        }
        if has_debian_rust() {
            return Ok(Toolchain::DebianBuildStd);
        }
    }
    bail!(
        "no standard library for {WASM}: run `rustup target add {WASM}`, or on Debian, as root, \
         `apt-get install rustc-web rust-web-src lld-22`"
    )
}

fn may_install() -> bool {
    std::env::var_os("TERN_NO_INSTALL").is_none()
}

fn is_debian_root() -> bool {
    Path::new("/etc/debian_version").exists() && is_root()
}

/// True when this process may do everything.
pub fn is_root() -> bool {
    output(Command::new("id").arg("-u")) == "0"
}

/// Installs Debian packages; the lists are fetched first, for a fresh machine has none.
fn apt(packages: &[&str]) -> Result<()> {
    eprintln!("xtask: apt-get install {}", packages.join(" "));
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    quietly(apt().arg("update"), Duration::from_mins(5));
    let mut install = apt();
    install.args(["install", "-y", "--no-install-recommends"]).args(packages);
    if !quietly(&mut install, Duration::from_mins(15)) {
        bail!("apt-get install {} failed; run it by hand to see why", packages.join(" "));
    }
    Ok(())
}

/// The folder of PostgreSQL's programs, newest version first.
pub fn postgres_bin() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path().join("bin")).collect();
    found.retain(|bin| bin.join("initdb").exists() && bin.join("postgres").exists());
    found.sort();
    found.pop()
}

/// The browser of the tests.
pub fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("TERN_CHROMIUM").map(PathBuf::from);
    named.or_else(|| Some("/usr/bin/chromium".into())).filter(|path| path.exists())
}

/// What the tests need from the machine: one line names all that is missing, or one call installs it.
pub fn test_machine() -> Result<()> {
    let mut missing = Vec::new();
    if postgres_bin().is_none() {
        missing.push("postgresql");
    }
    if chromium().is_none() {
        missing.push("chromium");
    }
    // The mail server whose mailboxes the stories read.
    if !["/usr/sbin/dovecot", "/usr/lib/dovecot/imap"].iter().all(|program| Path::new(program).exists()) {
        missing.push("dovecot-imapd");
    }
    if missing.is_empty() {
        return Ok(());
    }
    if may_install() && is_debian_root() {
        return apt(&missing);
    }
    bail!("the tests need {}: as root, `apt-get install {}`", missing.join(" and "), missing.join(" "))
}

/// The npm tools of the tests.
pub fn npm() -> Result<PathBuf> {
    npm_in("end2end")
}

/// What a folder's lock names, installed; again when the lock changed.
pub fn npm_in(name: &str) -> Result<PathBuf> {
    let folder = root().join(name);
    let (lock, stamp) = (fs::read(folder.join("package-lock.json"))?, folder.join("node_modules/.installed"));
    if fs::read(&stamp).ok().as_ref() != Some(&lock) {
        if !may_install() {
            bail!("npm packages are missing: run `npm ci` in {name}/");
        }
        eprintln!("xtask: npm ci in {name}/");
        exec("npm ci", Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--silent"]).current_dir(&folder))?;
        fs::write(&stamp, &lock)?;
    }
    Ok(folder)
}

/// Installs everything that the other commands need.
pub fn setup() -> Result<()> {
    wasm_toolchain()?;
    npm()?;
    test_machine()?;
    eprintln!("xtask: everything is there");
    Ok(())
}
