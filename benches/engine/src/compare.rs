//! The main workloads, ours and the peers' in turn: enqueue, dispatch, webhooks.

use super::{
    ACCOUNTS, Bench, LIMIT, load,
    number::{megabytes, of},
    peer::{Peers, Sent},
    report,
    sink::Accepted,
    tell,
    world::{Dispatch, Folder, Kind, World},
};
use anyhow::{Result, bail};
use std::time::Duration;

/// An enqueue or a storm of webhooks.
struct Took {
    done: load::Done,
    cpu: Duration,
    database_cpu: Duration,
}

impl Took {
    #[expect(clippy::cast_precision_loss, reason = "a cost is told in three digits")]
    fn micros(&self) -> f64 {
        (self.cpu + self.database_cpu).as_secs_f64() * 1e6 / self.done.latencies.len().max(1) as f64
    }
}

/// What one turn at the main workloads gave.
struct Turn<D> {
    enqueue: Took,
    dispatch: D,
    webhooks: Took,
}

impl Bench {
    /// Enqueue, dispatch and webhooks of ours.
    fn ours(&mut self, postgres: Option<&str>) -> Result<Turn<Dispatch>> {
        let count = self.options.messages;
        let world = World::new(&self.options.tern, &self.sink, postgres, ACCOUNTS, Kind::Sms)?;
        let database_cpu = |bench: &Self| if postgres.is_some() { bench.peers.database_cpu() } else { Duration::ZERO };

        let (before, mut web) = (database_cpu(self), world.start("web")?);
        let idle = web.look().cpu;
        let done = world.enqueue(count, self.options.callers)?;
        let cpu = web.look().cpu - idle;
        let enqueue = Took { done, cpu, database_cpu: database_cpu(self).saturating_sub(before) };
        web.stop()?;
        world.database.tidy()?;

        self.sink.reset(world.journal(), Duration::ZERO, true)?;
        let before = database_cpu(self);
        let mut dispatch = world.dispatch(count as u64, world.start("worker")?, LIMIT)?;
        dispatch.cost.cpu += database_cpu(self).saturating_sub(before);
        self.judge("dispatch", &world)?;

        let mut web = world.start("web")?;
        let requests: Vec<_> = self.sink.kept().iter().map(|sent| report::delivered(world.address, sent)).collect();
        let (before, idle) = (database_cpu(self), web.look().cpu);
        let done = load::run(world.address, requests, self.options.callers, 200, false)?;
        let cpu = web.look().cpu - idle;
        let webhooks = Took { done, cpu, database_cpu: database_cpu(self).saturating_sub(before) };
        web.stop()?;
        let delivered = world.database.count("select count(*) from message where status = 'delivered'")?;
        if delivered != count as u64 {
            bail!("{delivered} of {count} messages are delivered after their reports");
        }
        self.judge("webhooks", &world)?;
        tell(&format!(
            "ours: enqueue {:.0}/s, dispatch {:.0}/s ({:.0} µs CPU and {:.1} waits of a thread per message, provider done after \
             {:.2} s), webhooks {:.0}/s",
            enqueue.done.per_second(),
            dispatch.per_second(),
            dispatch.cpu_micros(),
            dispatch.waits(),
            dispatch.provider_took.as_secs_f64(),
            webhooks.done.per_second()
        ));
        Ok(Turn { enqueue, dispatch, webhooks })
    }

    /// The same of the peers.
    fn theirs(&mut self) -> Result<Turn<Sent>> {
        let count = self.options.peer_messages;
        self.peers.reset()?;
        let (mut node, address) = self.peers.serve()?;
        let (before, idle) = (self.peers.database_cpu(), node.look().cpu);
        let done = load::run(address, Peers::enqueues(address, count), self.options.callers, 202, false)?;
        let enqueue =
            Took { done, cpu: node.look().cpu - idle, database_cpu: self.peers.database_cpu().saturating_sub(before) };
        node.stop()?;

        let folder = Folder::new(&std::env::temp_dir(), "peer")?;
        self.sink.reset(folder.0.join("journal"), Duration::ZERO, true)?;
        let dispatch = self.peers.dispatch(&self.sink, count, 64, LIMIT)?;

        let (mut node, address) = self.peers.serve()?;
        let request = |sent: &Accepted| {
            let id = sent.status_callback.rsplit('=').next().unwrap_or_default();
            let status_callback = format!("http://{address}/status?message={id}");
            report::delivered(address, &Accepted { status_callback, ..sent.clone() })
        };
        let requests: Vec<_> = self.sink.kept().iter().map(request).collect();
        let (before, idle) = (self.peers.database_cpu(), node.look().cpu);
        let done = load::run(address, requests, self.options.callers, 200, false)?;
        let webhooks =
            Took { done, cpu: node.look().cpu - idle, database_cpu: self.peers.database_cpu().saturating_sub(before) };
        node.stop()?;
        tell(&format!(
            "peer: enqueue {:.0}/s, dispatch {:.0}/s, webhooks {:.0}/s",
            enqueue.done.per_second(),
            dispatch.per_second(),
            webhooks.done.per_second()
        ));
        Ok(Turn { enqueue, dispatch, webhooks })
    }

    fn took(&mut self, what: &str, ours: &[&Took], theirs: &[&Took]) {
        let words = |turns: &[&Took]| {
            format!(
                "{:.0}/s, p50 {:.1} / p99 {:.1} ms, {:.0} µs CPU",
                of(turns, |turn| turn.done.per_second()),
                of(turns, |turn| turn.done.percentile(50)),
                of(turns, |turn| turn.done.percentile(99)),
                of(turns, |turn| turn.micros())
            )
        };
        let ratio = of(ours, |turn| turn.done.per_second()) / of(theirs, |turn| turn.done.per_second());
        self.row(what, words(ours), words(theirs), Some(ratio));
    }

    pub fn compare(&mut self, name: &str, postgres: Option<&str>) -> Result<()> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.options.rounds {
            ours.push(self.ours(postgres)?);
            theirs.push(self.theirs()?);
            theirs.push(self.theirs()?);
            ours.push(self.ours(postgres)?);
        }
        let words =
            |rate: f64, micros: String, resident: f64| format!("{rate:.0}/s, {micros} µs CPU, {resident:.0} MB");
        let (our_rate, their_rate) =
            (of(&ours, |turn| turn.dispatch.per_second()), of(&theirs, |turn| turn.dispatch.per_second()));
        let callers = self.options.callers;
        self.row(
            &format!("{name}: dispatch, 0 ms"),
            words(
                our_rate,
                format!("{:.0}", of(&ours, |turn| turn.dispatch.cpu_micros())),
                of(&ours, |turn| megabytes(turn.dispatch.cost.resident_kb)),
            ),
            words(
                their_rate,
                format!(
                    "{:.0} + {:.0} (Node + database)",
                    of(&theirs, |turn| turn.dispatch.micros(turn.dispatch.node_cpu)),
                    of(&theirs, |turn| turn.dispatch.micros(turn.dispatch.database_cpu))
                ),
                of(&theirs, |turn| megabytes(turn.dispatch.resident_kb)),
            ),
            Some(our_rate / their_rate),
        );
        let (a, b): (Vec<_>, Vec<_>) =
            (ours.iter().map(|turn| &turn.enqueue).collect(), theirs.iter().map(|turn| &turn.enqueue).collect());
        self.took(&format!("{name}: enqueue, {callers} callers"), &a, &b);
        let (a, b): (Vec<_>, Vec<_>) =
            (ours.iter().map(|turn| &turn.webhooks).collect(), theirs.iter().map(|turn| &turn.webhooks).collect());
        self.took(&format!("{name}: webhooks, {callers} callers"), &a, &b);
        Ok(())
    }
}
