//! `tern send`: one message, or the rows of a CSV file, by the API of a running server. Every request has idempotency
//! keys, so that it may be made again after any failure and nothing doubles.

mod server;
pub mod sheet;

use crate::domain::secret::Entered;
use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use server::Server;
use sheet::Row;
use std::{fmt, fs, io::IsTerminal, path::Path};

/// Rows in one request.
const BATCH: usize = 200;
/// Bytes of texts in one request; the server takes twice as many.
const BATCH_BYTES: usize = 128 * 1024;
/// Seconds that `--wait` waits.
const WAIT: u32 = 30;
/// Tries of a row that the server could not take for a reason of its own.
const TRIES: u32 = 5;
/// What a row is refused with that will pass.
const PASSING: [&str; 4] = ["database_busy", "disk_full", "idempotency_key_in_use", "internal"];

/// What to send, and by which server.
#[derive(Debug, Clone, Args)]
pub struct SendArgs {
    /// email, sms or whatsapp; for rows of a file that name none
    #[arg(long, required_unless_present = "csv")]
    pub channel: Option<String>,
    /// The recipient
    #[arg(long, required_unless_present = "csv", conflicts_with = "csv")]
    pub to: Option<String>,
    /// The subject of an e-mail; for rows of a file that have none
    #[arg(long)]
    pub subject: Option<String>,
    /// The text; for rows of a file that have none
    #[arg(long, required_unless_present = "csv")]
    pub body: Option<String>,
    /// Id of the account to send from; the default of the channel when not given
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// A file with the columns channel, to, subject, body and account, named in its first line
    #[arg(long, value_name = "FILE")]
    pub csv: Option<std::path::PathBuf>,
    /// The same rows go out once for each name; the name of the file when not given
    #[arg(long, value_name = "NAME", requires = "csv")]
    pub run: Option<String>,
    /// Wait up to 30 seconds for what the provider says
    #[arg(long, conflicts_with = "csv")]
    pub wait: bool,
    /// The server
    #[arg(long, env = "TERN_URL", default_value = "http://127.0.0.1:3000")]
    pub url: String,
    /// A key of the settings page; better in the environment, where other users cannot see it
    #[arg(long, env = "TERN_API_KEY", hide_env_values = true)]
    pub api_key: Entered,
}

/// A message as the server has it.
#[derive(Debug)]
pub struct Sent {
    /// Its id.
    pub id: String,
    /// Its status.
    pub status: String,
    /// Why it will not go out.
    pub failure: Option<String>,
}

/// What became of a file's rows.
#[derive(Debug, Default)]
pub struct Report {
    /// Stored now.
    pub queued: usize,
    /// Stored before: by an earlier run, or by a try whose answer was lost.
    pub earlier: usize,
    /// Line and reason, in the file's order.
    pub failed: Vec<(u64, String)>,
    /// Rows that the server has not answered.
    pub unsent: usize,
    /// Why there are such.
    pub stopped_by: Option<anyhow::Error>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} queued, {} failed", self.queued, self.failed.len())?;
        if self.earlier > 0 {
            write!(f, ", {} queued before (--run NAME sends them once more)", self.earlier)?;
        }
        if self.unsent > 0 {
            write!(f, ", {} not sent", self.unsent)?;
        }
        Ok(())
    }
}

/// Sends one message.
pub async fn one(args: &SendArgs) -> anyhow::Result<Sent> {
    let server = Server::new(&args.url, &args.api_key)?;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let row = Row {
        line: 0,
        channel: text(&args.channel),
        to: text(&args.to),
        subject: text(&args.subject),
        body: text(&args.body),
        account: text(&args.account),
    };
    let key = hex::encode(super::clock::random_bytes::<16>());
    let path = if args.wait { format!("/api/messages?wait={WAIT}") } else { "/api/messages".to_owned() };
    let message = server.post(&path, Some(&key), &fields(&row)).await?;
    let field = |name: &str| message[name].as_str().map(str::to_owned);
    let (Some(id), Some(status)) = (field("id"), field("status")) else { bail!("{} is no Tern", args.url) };
    let is_over = matches!(status.as_str(), "failed" | "undelivered" | "suppressed");
    let failure = is_over.then(|| message["error"]["message"].as_str().unwrap_or(&status).to_owned());
    Ok(Sent { id, status, failure })
}

/// Sends the rows of a file. What is wrong with one does not hold up the others.
pub async fn sheet(args: &SendArgs, path: &Path) -> anyhow::Result<Report> {
    let server = Server::new(&args.url, &args.api_key)?;
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let sheet = sheet::read(&bytes, args).with_context(|| format!("cannot use {}", path.display()))?;
    if !sheet.ignored.is_empty() {
        tracing::warn!("columns that mean nothing here: {}", sheet.ignored.join(", "));
    }
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let keys = sheet::keys(args.run.as_deref().unwrap_or(&file), &sheet.rows);
    let bar = bar(sheet.rows.len());
    let mut report = Report { failed: sheet.failed, ..Report::default() };
    let mut open: Vec<(Row, String)> = sheet.rows.into_iter().zip(keys).collect();
    while !open.is_empty() {
        let rest = open.split_off(batch_len(&open));
        if let Err(error) = send_batch(&server, &mut open, &mut report, &bar).await {
            report.unsent = open.len() + rest.len();
            report.stopped_by = Some(error);
            break;
        }
        open = rest;
    }
    bar.finish_and_clear();
    report.failed.sort_by_key(|(line, _)| *line);
    Ok(report)
}

/// Progress for a person; a log gets the report alone.
fn bar(rows: usize) -> ProgressBar {
    let is_watched = std::io::stderr().is_terminal();
    let target = if is_watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(Some(rows as u64), target);
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len}, {eta} left");
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}

/// How many of the rows fit into one request.
fn batch_len(rows: &[(Row, String)]) -> usize {
    let mut bytes = 0;
    let fitting = rows.iter().take(BATCH).take_while(|(row, _)| {
        bytes += row.bytes();
        bytes <= BATCH_BYTES
    });
    fitting.count().max(1)
}

/// What the API calls a row.
fn fields(row: &Row) -> Value {
    let account = if row.channel == "email" { "email_account_id" } else { "messaging_account_id" };
    let named = [("channel", &row.channel), ("to", &row.to), ("subject", &row.subject), ("body", &row.body)];
    let named = named.into_iter().chain([(account, &row.account)]);
    named.filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name.to_owned(), json!(text))).collect()
}

/// Sends these rows, some of them again when the server could not take them. Those that are answered are taken out.
async fn send_batch(
    server: &Server,
    open: &mut Vec<(Row, String)>,
    report: &mut Report,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    for attempt in 1..=TRIES {
        let messages: Vec<Value> = open
            .iter()
            .map(|(row, key)| {
                let mut message = fields(row);
                message["idempotency_key"] = json!(key);
                message
            })
            .collect();
        let answer = match server.post("/api/messages/batch", None, &json!({ "messages": messages })).await {
            Ok(answer) => answer,
            // One row alone that is too large is that row's fault.
            Err(error) if open.len() == 1 && error.is::<server::TooLarge>() => {
                json!({ "data": [{ "error": { "error": error.to_string() } }] })
            }
            Err(error) => return Err(error),
        };
        let answers = answer["data"].as_array().filter(|answers| answers.len() == open.len());
        let answers = answers.with_context(|| format!("{} answers something else than Tern", server.url()))?;
        let mut again = Vec::new();
        for ((row, key), answer) in std::mem::take(open).into_iter().zip(answers) {
            let error = &answer["error"];
            let will_pass = error["code"].as_str().is_some_and(|code| PASSING.contains(&code));
            if will_pass && attempt < TRIES {
                again.push((row, key));
                continue;
            }
            bar.inc(1);
            if error.is_null() {
                *(if answer["replayed"] == true { &mut report.earlier } else { &mut report.queued }) += 1;
            } else {
                report.failed.push((row.line, server::reason(error)));
            }
        }
        *open = again;
        if open.is_empty() {
            break;
        }
        server::rest(attempt, None).await;
    }
    Ok(())
}
