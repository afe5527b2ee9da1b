//! Processes that a run starts, and what they cost. Each is ended by its own id, and dies with its owner.

use anyhow::{Context, Result, bail};
use std::{
    fs,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A process orderly stopped within this time is believed to hang.
const STOP: Duration = Duration::from_secs(40);

pub struct Process {
    child: Child,
    /// It only watches the process that is meant, its child.
    is_tracer: bool,
    /// What it cost before it ended.
    pub cost: Cost,
}

/// What a process has cost so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    pub cpu: Duration,
    /// The most it ever had resident, in kB.
    pub resident_kb: u64,
    /// How often its threads had to wait for somebody.
    pub waits: u64,
}

impl Process {
    pub fn start(command: &mut Command) -> Result<Self> {
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.with_context(|| format!("cannot start {:?}", command.get_program()))?;
        Ok(Self { child, is_tracer: false, cost: Cost::default() })
    }

    /// Starts strace, which passes a signal on to nobody: what it watches is looked at and asked to end.
    pub fn start_tracer(command: &mut Command) -> Result<Self> {
        let mut tracer = Self::start(command)?;
        tracer.is_tracer = true;
        Ok(tracer)
    }

    /// The process that is meant.
    fn id(&self) -> u32 {
        let own = self.child.id();
        if self.is_tracer { children(own).next().unwrap_or(own) } else { own }
    }

    /// Fails when it has ended already.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("a process ended by itself ({status}); its log is on standard error"),
            None => Ok(()),
        }
    }

    pub fn look(&mut self) -> Cost {
        self.cost = cost(self.id()).unwrap_or(self.cost);
        self.cost
    }

    /// Asks it to end, and waits.
    pub fn stop(mut self) -> Result<Cost> {
        self.look();
        signal(self.id(), "TERM")?;
        let end = Instant::now() + STOP;
        while Instant::now() < end {
            if self.child.try_wait()?.is_some() {
                return Ok(self.cost);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("process {} did not stop", self.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn signal(id: u32, name: &str) -> Result<()> {
    if Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status()?.success() {
        return Ok(());
    }
    bail!("kill -{name} {id} failed")
}

/// Fields of `/proc/PID/stat` behind the name, which may hold blanks: the first is the state.
fn stat(id: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    Some(text.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

fn ticks(fields: &[String], at: std::ops::Range<usize>) -> u64 {
    fields[at].iter().filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// A tick of `/proc` is a hundredth of a second on every Linux that we know.
fn cpu(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 10)
}

fn cost(id: u32) -> Option<Cost> {
    let fields = stat(id)?;
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let high = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let resident_kb = high.trim().trim_end_matches(" kB").parse().ok()?;
    let threads = fs::read_dir(format!("/proc/{id}/task")).ok()?.flatten();
    let waits = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("status")).ok()?;
        text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<u64>().ok())
    });
    Some(Cost { cpu: cpu(ticks(&fields, 11..13)), resident_kb, waits: waits.sum() })
}

/// CPU of a process, of its living children and of those it has waited for: PostgreSQL with all its backends.
pub fn family(id: u32) -> Duration {
    let own = stat(id).map_or(0, |fields| ticks(&fields, 11..15));
    cpu(own + children(id).filter_map(stat).map(|fields| ticks(&fields, 11..13)).sum::<u64>())
}

fn children(id: u32) -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let id = id.to_string();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(move |child| stat(*child).is_some_and(|fields| fields.get(1) == Some(&id)))
}

/// What a command prints; an error when it fails.
pub fn output(command: &mut Command) -> Result<String> {
    let out = command.stdin(Stdio::null()).output().with_context(|| format!("{:?}", command.get_program()))?;
    if !out.status.success() {
        bail!("{:?} failed: {}", command.get_program(), String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
}
