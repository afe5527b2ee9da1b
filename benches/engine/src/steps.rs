//! Steps of sequences: a hundred thousand leads whose step is due in the same minute. How late each message leaves, and how many
//! statements a step takes, all of its sending included.

use crate::{
    ACCOUNTS, Bench, LIMIT, import, load,
    world::{Folder, Kind, World},
};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{fmt::Write as _, time::Duration};

/// Leads whose step is due.
const PEOPLE: u64 = 100_000;
/// In so many milliseconds.
const MINUTE: u64 = 60_000;
/// Statements of a batch of steps that claims have, too: begin and commit, accounts, lanes, usage, rules, suppressions, events.
const SHARED: u64 = 8;
/// The worker starts so many milliseconds before.
const AHEAD: u64 = 5_000;

fn made(world: &World, path: &str, form: &Value) -> Result<String> {
    let (status, _, answer) = load::call(world.address, path, &[("Authorization", world.key())], form)?;
    if !(200..300).contains(&status) {
        bail!("{path} answered {status}: {answer}");
    }
    Ok(answer["id"].as_str().unwrap_or_default().to_owned())
}

impl Bench {
    /// On either engine.
    pub fn steps(&mut self) -> Result<()> {
        let base = self.options.postgres.clone();
        self.steps_on("SQLite", None)?;
        self.steps_on("PostgreSQL", Some(&base))
    }

    #[expect(clippy::cast_precision_loss, reason = "told in three digits")]
    fn steps_on(&mut self, name: &str, postgres: Option<&str>) -> Result<()> {
        let world = World::new(&self.options.tern, &self.sink, postgres, ACCOUNTS, Kind::Sms)?;
        self.enroll(&world)?;
        let (now, series) = if postgres.is_none() {
            ("cast((julianday('now') - 2440587.5) * 86400000 as int)", "")
        } else {
            ("cast(extract(epoch from clock_timestamp()) * 1000 as bigint)", "vacuum analyze")
        };
        if !series.is_empty() {
            world.database.write(series)?;
        }
        world.database.write(&format!(
            "create table bench_due as select id, {now} + {AHEAD} + (row_number() over (order by id) - 1) * {MINUTE} / {PEOPLE} as due_at \
             from enrollment"
        ))?;
        world.database.write("create unique index bench_due_id on bench_due (id)")?;
        world
            .database
            .write("update enrollment set due_at = (select b.due_at from bench_due b where b.id = enrollment.id)")?;
        // Setting them took a while: the minute begins now.
        world.database.write(&format!(
            "update bench_due set due_at = due_at + {now} + {AHEAD} - (select min(due_at) from bench_due)"
        ))?;
        world
            .database
            .write("update enrollment set due_at = (select b.due_at from bench_due b where b.id = enrollment.id)")?;
        if postgres.is_some() {
            world.database.write("create extension if not exists pg_stat_statements")?;
            world.database.write("select pg_stat_statements_reset()")?;
        }
        self.sink.reset(world.journal(), Duration::ZERO, false)?;
        let sent = world.dispatch(PEOPLE, world.start("worker")?, LIMIT)?;
        let late = |permille: u64| {
            world.database.count(&format!(
                "select m.accepted_at - b.due_at from message m join bench_due b on b.id = m.enrollment_id \
                 order by m.accepted_at - b.due_at limit 1 offset {}",
                PEOPLE * permille / 1_000
            ))
        };
        let mut words = format!("p50 {} ms, p99 {} ms late, {:.0} µs CPU", late(500)?, late(990)?, sent.cpu_micros());
        if postgres.is_some() {
            let calls = |which: &str| {
                world.database.count(&format!(
                    "select coalesce(sum(calls), 0) from pg_stat_statements \
                     where dbid = (select oid from pg_database where datname = current_database()) and query ~ '{which}'"
                ))
            };
            // A batch of steps begins by taking its runs; of its statements some are also those of a claim.
            let (batches, all) = (calls("for update of e skip locked")?, calls("")?);
            let planning = calls("enrollment|sequence|campaign|template|from lead|insert into message")?;
            // A claim asks how the runs of its messages stand: that is sending.
            let planning = planning + batches * SHARED - calls("as standing from")?;
            let a_step = |calls: u64| calls as f64 / PEOPLE as f64;
            let (planned, all) = (a_step(planning), a_step(all));
            write!(words, ", {planned:.3} statements a step, {all:.3} with all that sending it takes")
                .context("a text")?;
        }
        self.judge(&format!("steps on {name}"), &world)?;
        self.row(&format!("{name}: 100 000 steps due in the same minute"), words, "–".to_owned(), None);
        Ok(())
    }

    /// Everybody is in a sequence, and nobody's step is due yet.
    fn enroll(&mut self, world: &World) -> Result<()> {
        let folder = Folder::new(&std::env::temp_dir(), "people")?;
        let path = folder.0.join("people.csv");
        let mut text = "Name,Phone\nNobody,none\n".to_owned();
        for n in 0..PEOPLE {
            writeln!(text, "Kim {n},+1415{:07}", 2_000_000 + n)?;
        }
        std::fs::write(&path, text)?;
        let mut server = world.start("all")?;
        let rows = usize::try_from(PEOPLE)? + 1;
        import::import(world, &mut server, &path, rows, || ())?;
        import::answer(world, "PATCH", "/api/rules", &json!({ "quiet_hours": false }))?;
        let text = json!({ "name": "Hi", "channel": "sms", "body": "Hi {{ first_name }}, are you in town on Friday?" });
        let text = made(world, "/api/templates", &text)?;
        let step = json!({ "channel": "sms", "delay_hours": 48, "template_id": text });
        let sequence =
            made(world, "/api/sequences", &json!({ "name": "Follow-up", "is_active": true, "steps": [step] }))?;
        made(world, &format!("/api/sequences/{sequence}/enroll"), &json!({ "filter": {} }))?;
        server.stop()?;
        let enrolled = world.database.count("select count(*) from enrollment where status = 'active'")?;
        if enrolled == PEOPLE { Ok(()) } else { bail!("{enrolled} of {PEOPLE} are enrolled") }
    }
}
