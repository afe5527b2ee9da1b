//! E-mail accounts: what only they have. The rest is in [`super::account`].

use super::{
    account::{Kind, find, shown},
    input::Input,
};
use crate::{
    domain::{
        account::Account,
        channel::Channel,
        email_account::{EmailForm, SECRETS},
        secret::Secret,
    },
    server::{Who, error::Error, usecase::email_account},
};
use axum::{Json, extract::Path, http::StatusCode};
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
            "emails_sent_today": account.sent_today,
        })
    }
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

pub async fn replace_credentials(who: Who, Path(id): Path<String>, mut input: Input) -> Result<Json<Value>, Error> {
    let found = find::<Mailbox>(&who, &id).await?;
    let form = server(&mut input);
    input.refuse_others();
    input.check()?;
    Ok(Json(shown::<Mailbox>(&email_account::replace_credentials(&who, &found.id, form).await?)))
}
