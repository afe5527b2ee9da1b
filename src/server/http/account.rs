//! Messaging accounts.

use super::{input::Input, pace};
use crate::{
    domain::{
        account::{Account, AccountPatch, ConnectForm, DailyLimit, NotADailyLimit, TestOutcome},
        channel::{Channel, Provider},
        id::AccountId,
        secret::Secret,
    },
    server::{Who, error::Error, usecase::account},
};
use axum::{Json, extract::Path, http::StatusCode};
use serde_json::{Value, json};

/// The shape of the contract.
fn shown(account: &Account) -> Value {
    json!({
        "id": account.id,
        "provider": account.provider,
        "channel": account.channel,
        "phone_number": account.address,
        "display_name": account.display_name,
        "daily_limit": account.daily_limit,
        "messages_sent_today": account.sent_today,
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

fn parse_id(id: &str) -> Result<AccountId, Error> {
    id.parse().map_err(|_| Error::not_found())
}

/// The account of the path, which must be one for messaging.
async fn find(who: &Who, id: &str) -> Result<Account, Error> {
    let found = account::load(who, &parse_id(id)?).await?;
    if Channel::MESSAGING.contains(&found.channel) { Ok(found) } else { Err(Error::not_found()) }
}

pub async fn list(who: Who) -> Result<Json<Vec<Value>>, Error> {
    let accounts = account::list(&who).await?;
    Ok(Json(accounts.iter().filter(|a| Channel::MESSAGING.contains(&a.channel)).map(shown).collect()))
}

/// The provider's own fields.
fn credentials(input: &mut Input, provider: Option<Provider>) -> Vec<(String, Secret)> {
    let fields = provider.map_or(&[][..], Provider::fields);
    fields.iter().map(|field| (field.name.to_owned(), Secret::new(input.text(field.name)))).collect()
}

pub async fn connect(who: Who, mut input: Input) -> Result<(StatusCode, Json<Value>), Error> {
    let mut form = ConnectForm {
        provider: input.text("provider"),
        channel: input.text("channel"),
        phone_number: input.text("phone_number"),
        display_name: input.text("display_name"),
        daily_limit: input.number("daily_limit"),
        force: input.flag("force").unwrap_or(false),
        ..ConnectForm::default()
    };
    form.credentials = credentials(&mut input, form.provider());
    input.check()?;
    let account = account::connect(&who, form).await?;
    Ok((StatusCode::CREATED, Json(shown(&account))))
}

pub async fn load(who: Who, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    Ok(Json(shown(&find(&who, &id).await?)))
}

pub async fn update(who: Who, Path(id): Path<String>, mut input: Input) -> Result<Json<Value>, Error> {
    let found = find(&who, &id).await?;
    let display_name = input.has("display_name").then(|| input.text("display_name"));
    let daily_limit = input.has("daily_limit").then(|| input.number("daily_limit"));
    let is_active = input.flag("is_active");
    let (used_elsewhere_today, pace) = pace::read(&mut input, &found.pace, who.app.clock.now());
    input.refuse_others();
    let daily_limit = daily_limit.and_then(|text| {
        let limit = text.parse::<i64>().map_err(|_| NotADailyLimit).and_then(DailyLimit::new);
        if input.errors.of("daily_limit").is_some() { None } else { input.errors.check("daily_limit", limit) }
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
    let entered = credentials(&mut input, Some(found.provider));
    input.refuse_others();
    input.check()?;
    Ok(Json(shown(&account::replace_credentials(&who, &found.id, entered).await?)))
}
