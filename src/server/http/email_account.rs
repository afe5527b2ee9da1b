//! E-mail accounts: what only they have. The rest is in [`super::account`].

use super::{
    account::{Kind, find, read_patch, shown},
    input::Input,
    params::Id,
};
use crate::{
    domain::{
        account::Account,
        channel::Channel,
        email_account::{EmailForm, SECRETS},
        id::AccountId,
        mailbox::ImapForm,
        secret::Secret,
    },
    server::{
        Who,
        error::Error,
        usecase::{account, email_account},
    },
};
use axum::{Json, http::StatusCode};
use serde_json::{Value, json};

/// E-mail.
pub struct Mailbox;

impl Kind for Mailbox {
    const LIMIT: &'static str = "daily_send_limit";

    fn has(channel: Channel) -> bool {
        channel == Channel::Email
    }

    fn own(account: &Account) -> Value {
        let smtp = account.smtp.as_ref();
        let imap = smtp.and_then(|smtp| smtp.imap.as_ref());
        json!({
            "email_address": account.address,
            "smtp_host": smtp.map(|smtp| &smtp.host),
            "smtp_port": smtp.map(|smtp| smtp.port),
            "smtp_security": smtp.map(|smtp| smtp.security),
            "smtp_username": smtp.map(|smtp| &smtp.username),
            "smtp_auth": smtp.map(|smtp| smtp.auth),
            "reply_to": smtp.and_then(|smtp| smtp.reply_to.as_ref()),
            "dkim_domain": smtp.and_then(|smtp| smtp.dkim.as_ref()).map(|dkim| &dkim.domain),
            "dkim_selector": smtp.and_then(|smtp| smtp.dkim.as_ref()).map(|dkim| &dkim.selector),
            "imap_host": imap.map(|imap| &imap.host),
            "imap_port": imap.map(|imap| imap.port),
            "imap_security": imap.map(|imap| imap.security),
            "imap_username": imap.map(|imap| imap.username.as_ref().or(smtp.map(|smtp| &smtp.username))),
            "imap_error": account.mailbox_error,
            "emails_sent_today": account.sent_today,
        })
    }
}

/// The fields of the mailbox that is read; any of them says that it is to be.
fn mailbox(input: &mut Input) -> ImapForm {
    let host = input.text("imap_host");
    let port = input.number("imap_port");
    let security = input.text("imap_security");
    let username = input.text("imap_username");
    let is_wanted = [&host, &port, &security, &username].iter().any(|text| !text.trim().is_empty());
    ImapForm { is_wanted, host, port, security, username }
}

/// The fields of the server and its secrets.
fn server(input: &mut Input) -> EmailForm {
    EmailForm {
        smtp_host: input.text("smtp_host"),
        smtp_port: input.number("smtp_port"),
        smtp_security: input.text("smtp_security"),
        smtp_username: input.text("smtp_username"),
        smtp_auth: input.text("smtp_auth"),
        reply_to: input.text("reply_to"),
        dkim_domain: input.text("dkim_domain"),
        dkim_selector: input.text("dkim_selector"),
        imap: mailbox(input),
        credentials: SECRETS.iter().map(|name| ((*name).to_owned(), Secret::new(input.text(name)))).collect(),
        ..EmailForm::default()
    }
}

pub async fn connect(who: Who, mut input: Input) -> Result<(StatusCode, Json<Value>), Error> {
    let form = EmailForm {
        provider: input.text("provider"),
        email_address: input.text("email_address"),
        display_name: input.text("display_name"),
        daily_send_limit: input.number("daily_send_limit"),
        ..server(&mut input)
    };
    input.check()?;
    let account = email_account::connect(&who, form).await?;
    Ok((StatusCode::CREATED, Json(shown::<Mailbox>(&account))))
}

/// What is stored, for the fields that a request leaves out.
fn stored(account: &Account) -> EmailForm {
    let Some(smtp) = &account.smtp else { return EmailForm::default() };
    let (domain, selector) =
        smtp.dkim.as_ref().map(|dkim| (dkim.domain.clone(), dkim.selector.clone())).unwrap_or_default();
    EmailForm {
        reply_to: smtp.reply_to.as_ref().map_or_else(String::new, |email| email.as_str().to_owned()),
        dkim_domain: domain,
        dkim_selector: selector,
        imap: ImapForm::of(smtp.imap.as_ref()),
        ..EmailForm::default()
    }
}

/// What can be changed of any account, where answers go, the signature (`dkim_domain: null` ends it) and the mailbox that
/// is read (`imap_host: null` has it read no more).
pub async fn update(who: Who, Id(id): Id<AccountId>, mut input: Input) -> Result<Json<Value>, Error> {
    const IMAP: [&str; 5] = ["imap_host", "imap_port", "imap_security", "imap_username", "imap_password"];
    const SENDER: [&str; 4] = ["reply_to", "dkim_domain", "dkim_selector", "dkim_private_key"];
    let found = find::<Mailbox>(&who, &id).await?;
    let names_mailbox = IMAP.iter().any(|name| input.has(name));
    let is_named = names_mailbox || SENDER.iter().any(|name| input.has(name));
    let mut form = stored(&found);
    if names_mailbox {
        // Of the same host everything else stays as it is; port and security follow each other.
        let is_same_host = !input.has("imap_host");
        let is_same_door = is_same_host && !input.has("imap_port") && !input.has("imap_security");
        let is_same_user = is_same_host && !input.has("imap_username");
        let before = std::mem::replace(&mut form.imap, mailbox(&mut input));
        if is_same_host {
            form.imap.host = before.host;
        }
        if is_same_door {
            (form.imap.port, form.imap.security) = (before.port, before.security);
        }
        if is_same_user {
            form.imap.username = before.username;
        }
    }
    if input.has("dkim_domain") {
        form.dkim_domain = input.text("dkim_domain");
        if form.dkim_domain.trim().is_empty() {
            form.dkim_selector.clear();
        }
    }
    for (name, field) in [("dkim_selector", &mut form.dkim_selector), ("reply_to", &mut form.reply_to)] {
        if input.has(name) {
            *field = input.text(name);
        }
    }
    let secrets = ["dkim_private_key", "imap_password"];
    form.credentials = secrets.map(|name| (name.to_owned(), Secret::new(input.text(name)))).into_iter().collect();
    form.imap.is_wanted |= form.has("imap_password");
    let patch = read_patch::<Mailbox>(&who, &found, &mut input);
    input.check()?;
    if is_named {
        // First: a mailbox is tested, and a failed test changes nothing.
        email_account::change(&who, &found.id, form).await?;
    }
    Ok(Json(shown::<Mailbox>(&account::update(&who, &found.id, patch).await?)))
}

pub async fn replace_credentials(who: Who, Id(id): Id<AccountId>, mut input: Input) -> Result<Json<Value>, Error> {
    let found = find::<Mailbox>(&who, &id).await?;
    let form = server(&mut input);
    input.refuse_others();
    input.check()?;
    Ok(Json(shown::<Mailbox>(&email_account::replace_credentials(&who, &found.id, form).await?)))
}
