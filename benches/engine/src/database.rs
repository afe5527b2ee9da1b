//! The database of a run, through the clients that come with it. SQLite is only written while no server has it open.

use crate::process::output;
use anyhow::{Context, Result, bail};
use std::{path::PathBuf, process::Command};

#[derive(Clone)]
pub enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Database {
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// Runs statements that change something.
    pub fn write(&self, sql: &str) -> Result<String> {
        match self {
            Self::Sqlite(path) => output(Command::new("sqlite3").args(["-bail", "-noheader"]).arg(path).arg(sql)),
            Self::Postgres(url) => output(psql(url).args(["-c", sql])),
        }
    }

    pub fn read(&self, sql: &str) -> Result<String> {
        match self {
            Self::Sqlite(path) => output(Command::new("sqlite3").args(["-readonly", "-noheader"]).arg(path).arg(sql)),
            Self::Postgres(url) => output(psql(url).args(["-c", sql])),
        }
    }

    pub fn count(&self, sql: &str) -> Result<u64> {
        self.read(sql)?.parse().with_context(|| format!("no number: {sql}"))
    }

    fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Names and columns of the tables that belong to messages: whatever has a `message_id`.
    fn tables(&self) -> Result<Vec<(String, Vec<String>)>> {
        let sql = if self.is_sqlite() {
            "select m.name || ' ' || group_concat(c.name, ' ') from sqlite_schema m, pragma_table_info(m.name) c \
             where m.type = 'table' group by m.name"
        } else {
            "select table_name || ' ' || string_agg(column_name, ' ') from information_schema.columns \
             where table_schema = 'public' group by table_name"
        };
        let text = self.read(sql)?;
        let table = |line: &str| {
            let mut words = line.split(' ').map(str::to_owned);
            (words.next().unwrap_or_default(), words.collect::<Vec<_>>())
        };
        Ok(text.lines().map(table).collect())
    }

    /// Copies message `id` with everything that belongs to it `count` times, under new ids. The schema is asked which
    /// tables and columns there are, so that it may change without this. `mark` keeps several copies apart.
    pub fn copy(&self, id: &str, mark: char, count: u64) -> Result<()> {
        if id.len() != 26 {
            bail!("{id} is no ULID");
        }
        // The time of the original keeps the copies in their place of history; two characters tell a message's rows apart.
        let time = &id[..10];
        let (series, digits) = if self.is_sqlite() {
            let numbers = "with recursive n(n) as (select 1 union all select n + 1 from n where n <";
            (format!("({numbers} {count}) select n from n) n"), "printf('%013d', n.n)")
        } else {
            (format!("generate_series(1, {count}) n(n)"), "lpad(n.n::text, 13, '0')")
        };
        let new_id = format!("'{time}{mark}00' || {digits}");
        let mut tables = self.tables()?;
        tables.retain(|(table, columns)| table == "message" || columns.iter().any(|column| column == "message_id"));
        tables.sort_by_key(|(table, _)| table != "message");
        if tables.first().is_none_or(|(table, _)| table != "message") {
            bail!("there is no table of messages");
        }
        let mut inserts = String::new();
        for ((table, columns), letter) in tables.iter().zip("0ABCDEFGHJKMNPQRSTVWXYZ".chars()) {
            let key = if table == "message" { "id" } else { "message_id" };
            let value = |column: &String| match column.as_str() {
                "id" if table == "message" => new_id.clone(),
                "message_id" => new_id.clone(),
                "id" => format!("'{time}{mark}{letter}' || s.sibling || {digits}"),
                "provider_message_id" => {
                    // In no order, as a provider's are; the digits of the copy, turned around, do for that.
                    let turned = if self.is_sqlite() { turned(digits) } else { format!("reverse({digits})") };
                    format!(
                        "case when s.provider_message_id is null then null else 'SM' || {turned} || '000{mark}' || substr({new_id}, 12) end"
                    )
                }
                "dedupe_key" => format!("s.dedupe_key || {new_id}"),
                column => format!("s.{column}"),
            };
            let sibling = format!("substr('0123456789', cast(row_number() over (order by {}) as int), 1)", columns[0]);
            inserts += &format!(
                "insert into {table} ({}) select {} from (select t.*, {sibling} as sibling from {table} t \
                 where t.{key} = '{id}') s cross join {series};\n",
                columns.join(", "),
                columns.iter().map(value).collect::<Vec<_>>().join(", "),
            );
        }
        // A fill, not a measurement: it is made durable once, at its end.
        let sql = if self.is_sqlite() {
            format!(
                "pragma synchronous = off; pragma cache_size = -200000; begin; {inserts} commit; \
                 pragma synchronous = full; pragma wal_checkpoint(truncate);"
            )
        } else {
            format!("begin; set local synchronous_commit = off; {inserts} commit;")
        };
        self.write(&sql)?;
        // Or the system would write it down while others are measured.
        output(&mut Command::new("sync")).map(drop)
    }

    /// What the engine would do by itself after a while.
    pub fn tidy(&self) -> Result<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(_) => self.write("vacuum analyze").map(drop),
        }
    }
}

/// SQLite cannot turn a text around; its last six digits matter.
fn turned(digits: &str) -> String {
    let digit = |at: u8| format!("substr({digits}, {at}, 1)");
    (0..13).map(|at| digit(13 - at)).collect::<Vec<_>>().join(" || ")
}

pub fn psql(url: &str) -> Command {
    let mut psql = Command::new("psql");
    psql.args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", url]);
    psql
}
