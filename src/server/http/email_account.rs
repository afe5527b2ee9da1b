//! E-mail accounts.

use super::{input::Input, pace};
use crate::{
    domain::{
        account::{Account, AccountPatch, DailyLimit, NotADailyLimit, TestOutcome},
        channel::Channel,
        email_account::{EmailForm, SECRETS},
        secret::Secret,
    },
    server::{
        Who,
        error::Error,
        usecase::{account, email_account},
    },
};
use axum::{Json, extract::Path, http::StatusCode};
use serde_json::{Value, json};

/// The shape of the contract.
fn shown(account: &Account) -> Value {
    let smtp = account.smtp.as_ref();
    json!({
        "id": account.id,
        "provider": account.provider,
        "email_address": account.address,
        "display_name": account.display_name,
        "smtp_host": smtp.map(|smtp| &smtp.host),
        "smtp_port": smtp.map(|smtp| smtp.port),
        "smtp_security": smtp.map(|smtp| smtp.security),
        "smtp_username": smtp.map(|smtp| &smtp.username),
        "smtp_auth": smtp.map(|smtp| smtp.auth),
        "reply_to": smtp.and_then(|smtp| smtp.reply_to.as_ref()),
        "dkim_domain": smtp.and_then(|smtp| smtp.dkim.as_ref()).map(|dkim| &dkim.domain),
        "dkim_selector": smtp.and_then(|smtp| smtp.dkim.as_ref()).map(|dkim| &dkim.selector),
        "daily_send_limit": account.daily_limit,
        "emails_sent_today": account.sent_today,
        "is_active": account.is_active,
        "connection_status": account.connection_status,
        "last_error": account.last_error,
        "created_at": account.created_at,
        "rate_per_second": account.pace.rate_per_second,
        "min_gap_seconds": account.pace.min_gap_seconds,
        "limit_window": account.pace.limit_window,
        "time_zone": account.pace.time_zone,
        "warmup": account.pace.warmup,
        "on_unknown": pace::on_unknown(&account.pace),
        "waiting": account.block,
    })
}

/// The account of the path, which must be one for e-mail.
async fn find(who: &Who, id: &str) -> Result<Account, Error> {
    let found = account::load(who, &id.parse().map_err(|_| Error::not_found())?).await?;
    if found.channel == Channel::Email { Ok(found) } else { Err(Error::not_found()) }
}

pub async fn list(who: Who) -> Result<Json<Vec<Value>>, Error> {
    let accounts = account::list(&who).await?;
    Ok(Json(accounts.iter().filter(|account| account.channel == Channel::Email).map(shown).collect()))
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
    Ok((StatusCode::CREATED, Json(shown(&account))))
}

pub async fn load(who: Who, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    Ok(Json(shown(&find(&who, &id).await?)))
}

pub async fn update(who: Who, Path(id): Path<String>, mut input: Input) -> Result<Json<Value>, Error> {
    let found = find(&who, &id).await?;
    let display_name = input.has("display_name").then(|| input.text("display_name"));
    let daily_limit = input.has("daily_send_limit").then(|| input.number("daily_send_limit"));
    let is_active = input.flag("is_active");
    let (used_elsewhere_today, pace) = pace::read(&mut input, &found.pace, who.app.clock.now());
    input.refuse_others();
    let daily_limit = daily_limit.and_then(|text| {
        let limit = text.parse::<i64>().map_err(|_| NotADailyLimit).and_then(DailyLimit::new);
        if input.errors.of("daily_send_limit").is_some() { None } else { input.errors.check("daily_send_limit", limit) }
    });
    input.check()?;
    let patch = AccountPatch {
        display_name,
        daily_limit: daily_limit.map(DailyLimit::get),
        is_active,
        used_elsewhere_today,
        pace,
    };
    Ok(Json(shown(&account::update(&who, &found.id, patch).await?)))
}

pub async fn delete(who: Who, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let found = find(&who, &id).await?;
    account::delete(&who, &found.id).await?;
    Ok(Json(json!({ "success": true })))
}

pub async fn test(who: Who, Path(id): Path<String>) -> Result<Json<TestOutcome>, Error> {
    let found = find(&who, &id).await?;
    Ok(Json(account::test(&who, &found.id).await?))
}

/// Lets it go on at once, although it waits.
pub async fn try_now(who: Who, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let found = find(&who, &id).await?;
    Ok(Json(shown(&account::try_now(&who, &found.id).await?)))
}

/// Today and tomorrow of its queue.
pub async fn forecast(who: Who, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let found = find(&who, &id).await?;
    let forecast = account::forecast(&who, &found.id).await?;
    Ok(Json(json!({ "today": forecast.today, "tomorrow": forecast.tomorrow })))
}

pub async fn replace_credentials(who: Who, Path(id): Path<String>, mut input: Input) -> Result<Json<Value>, Error> {
    let found = find(&who, &id).await?;
    let form = server(&mut input);
    input.refuse_others();
    input.check()?;
    Ok(Json(shown(&email_account::replace_credentials(&who, &found.id, form).await?)))
}
