//! What `tern doctor` says of the accounts: the dashboard in lines, for the operator, who acts for nobody and so sees all
//! organizations. Its words are those of the pages.

use super::dashboard;
use crate::{
    domain::{
        dashboard::{Dashboard, Need, Outlook},
        message::Waiting,
    },
    server::{App, error::Error, store},
};

/// Every account of the installation, and what needs a person; a line each, the parts of an account indented.
pub async fn examine(app: &App) -> Result<Vec<String>, Error> {
    let organizations = store::user::list_organizations(&mut *app.db.read().await?).await?;
    let mut lines = Vec::new();
    for organization in organizations {
        lines.push(organization.name.clone());
        lines.extend(told(&dashboard::of(app, &organization.id).await?).into_iter().map(|line| format!("  {line}")));
    }
    Ok(lines)
}

fn told(all: &Dashboard) -> Vec<String> {
    let mut lines: Vec<String> = all.outlooks.iter().flat_map(account).collect();
    if all.outlooks.is_empty() {
        lines.push("There is no account yet, so nothing can be sent.".to_owned());
    }
    lines.extend(all.unknown.words().map(|words| format!("{words} and nobody can say.")));
    let needy = all.outlooks.iter().filter(|outlook| Need::of(&outlook.account).is_some()).count();
    lines.push(match needs(all.unknown.count, needy) {
        parts if parts.is_empty() => "Nothing needs anybody. Everything goes on by itself.".to_owned(),
        parts => format!("Needs a person: {}.", parts.join(", ")),
    });
    lines
}

fn needs(unknown: u32, accounts: usize) -> Vec<String> {
    let counted = |count: String, one: &str| format!("{count} {one}{}", if count == "1" { "" } else { "s" });
    let messages = (unknown > 0).then(|| counted(crate::domain::forecast::count(unknown), "message"));
    let accounts = (accounts > 0).then(|| counted(accounts.to_string(), "account"));
    messages.into_iter().chain(accounts).collect()
}

/// Why and how long.
fn wait(block: &Waiting) -> String {
    let until = block.until.map_or_else(|| "somebody changes that".to_owned(), |until| until.to_string());
    format!("Waits ({}) since {} until {until}: {}", block.reason.as_str(), block.since, block.detail)
}

fn account(outlook: &Outlook) -> Vec<String> {
    let (account, forecast) = (&outlook.account, &outlook.forecast);
    let (health, fault) = account.health();
    let mut lines = vec![format!(
        "{} ({}, {}): {}",
        account.display_name,
        account.channel.label(),
        account.address,
        health.label()
    )];
    let mut say = |line: String| lines.push(format!("  {line}"));
    let is_block = account.block.as_ref().is_some_and(|block| Some(block.detail.as_str()) == fault);
    if let (Some(fault), false) = (fault, is_block) {
        say(fault.to_owned());
    }
    if let Some(trouble) = account.mailbox_trouble() {
        say(trouble);
    }
    let (today, tomorrow) = (forecast.today, forecast.tomorrow);
    say(format!("Sent today {} of {}. {}.", today.used, today.limit, forecast.words()));
    say(format!("Tomorrow {} of {}.", tomorrow.will_send, tomorrow.limit));
    if let Some(at) = forecast.runs_out_at {
        say(format!("Limit reached {at}"));
    }
    if !account.pace.is_free() && today.queued > 0 {
        say(format!("Its pace: one message every {} ms.", account.pace.interval(1, 0)));
    }
    if let Some(block) = &account.block {
        say(wait(block));
    }
    lines
}
