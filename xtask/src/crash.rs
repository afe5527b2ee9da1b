//! `cargo xtask crash`: the crash tests for longer. `cargo xtask mutants`: bugs that the tests must see.

use crate::{
    command::{exec, output},
    postgres::Postgres,
    shared::{cargo, root, target},
};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// Runs the crash tests on both databases, with so many kills in each storm.
pub fn crash(kills: u32) -> Result<()> {
    let postgres = Postgres::start()?;
    let mut tests = cargo();
    tests.args(["test", "--package", "tern", "--features", "ssr", "--test", "tests", "--", "--nocapture", "crash::"]);
    tests.env("TEST_POSTGRES_URL", postgres.url()).env("TERN_CRASH_KILLS", kills.to_string());
    exec("the crash tests", &mut tests)
}

/// A bug to plant: a patch, and the test that must fail with it.
struct Mutant {
    name: String,
    path: PathBuf,
    test: String,
}

/// The mutants of `tests/data/mutant/`. Each patch says in a line `Red: <test>` which test sees it.
fn mutants() -> Result<Vec<Mutant>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("tests/data/mutant"))? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        let test = text.lines().find_map(|line| line.strip_prefix("Red: ")).map(str::to_owned);
        let test = test.with_context(|| format!("{} names no test", path.display()))?;
        let name = path.file_stem().unwrap_or_default().display().to_string();
        found.push(Mutant { name, path, test });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    if found.is_empty() {
        bail!("there are no mutants");
    }
    Ok(found)
}

/// A copy of the checkout as it is, gone when dropped.
struct Copy(PathBuf);

impl Copy {
    fn new() -> Result<Self> {
        let copy = Self(std::env::temp_dir().join(format!("tern-mutants-{}", std::process::id())));
        let files = ["ls-files", "--cached", "--others", "--exclude-standard"];
        for file in output(Command::new("git").args(files).current_dir(root())).lines() {
            let (from, to) = (root().join(file), copy.0.join(file));
            if from.is_file() {
                fs::create_dir_all(to.parent().context("a file in a folder")?)?;
                fs::copy(from, to)?;
            }
        }
        Ok(copy)
    }

    /// Plants a bug, or takes it out again.
    fn patch(&self, path: &Path, reverse: bool) -> Result<()> {
        let mut patch = Command::new("git");
        patch.arg("apply").arg(path).current_dir(&self.0);
        if reverse {
            patch.arg("--reverse");
        }
        exec(&format!("the patch {}", path.display()), &mut patch)
    }

    /// Cargo in the copy; what it builds goes where the checkout's own goes, for the sake of the dependencies.
    fn cargo_test(&self, test: &str) -> Command {
        let mut cargo = cargo();
        cargo.current_dir(&self.0).args(["test", "--package", "tern", "--features", "ssr"]);
        // A test beside the code that it tests, or one of `tests/`.
        if test.starts_with("server::") {
            cargo.arg("--lib")
        } else {
            cargo.args(["--test", "tests"])
        };
        cargo
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Plants every bug in a copy of the checkout, one at a time, and sees the test that is named in it fail.
pub fn plant(only: Option<&str>) -> Result<()> {
    let mut mutants = mutants()?;
    mutants.retain(|mutant| only.is_none_or(|only| only.split(',').any(|name| name == mutant.name)));
    if mutants.is_empty() {
        bail!("no mutant is called {}", only.unwrap_or_default());
    }
    let postgres = Postgres::start()?;
    let copy = Copy::new()?;
    // Whoever builds next in a checkout must not take the copy's for its own: see `shared::claim`.
    fs::create_dir_all(target())?;
    fs::write(target().join("tern.checkout"), copy.0.display().to_string())?;
    let mut survivors = Vec::new();
    for mutant in &mutants {
        let start = Instant::now();
        copy.patch(&mutant.path, false)?;
        // A bug that does not compile would be seen by everything.
        exec(
            &format!("building the mutant {}", mutant.name),
            copy.cargo_test(&mutant.test).args(["--no-run", "--quiet"]),
        )?;
        let mut test = copy.cargo_test(&mutant.test);
        test.args(["--quiet", "--", "--exact", &mutant.test]).env("TEST_POSTGRES_URL", postgres.url());
        let out = test.env("CI", "true").output().context("cargo test")?;
        let said = String::from_utf8_lossy(&out.stdout);
        let is_red = !out.status.success() && said.contains("0 passed; 1 failed");
        let seconds = start.elapsed().as_secs();
        println!("{}: {} in {} ({seconds} s)", mutant.name, if is_red { "seen" } else { "NOT SEEN" }, mutant.test);
        if !is_red {
            println!("{said}");
            survivors.push(mutant.name.as_str());
        }
        copy.patch(&mutant.path, true)?;
    }
    if survivors.is_empty() {
        println!("{} mutants, all seen", mutants.len());
        return Ok(());
    }
    bail!("not seen: {}", survivors.join(", "))
}
