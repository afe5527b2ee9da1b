//! What can be done with any account, whatever it sends through. Each kind has its own shape in the contract.

use super::{input::Input, pace, params::Id};
use crate::{
    domain::{
        account::{Account, AccountPatch, TestOutcome},
        channel::Channel,
        id::AccountId,
        limit::{DailyLimit, NotADailyLimit},
    },
    server::{Who, error::Error, usecase::account},
};
use axum::Json;
use serde_json::{Map, Value, json};

/// A kind of account of the contract: which ones it shows, and by what names.
pub trait Kind {
    /// The name of the daily limit.
    const LIMIT: &'static str;
    /// Whether accounts of the channel are of this kind.
    fn has(channel: Channel) -> bool;
    /// What only this kind shows.
    fn own(account: &Account) -> Value;
}

/// The shape of the contract.
pub fn shown<K: Kind>(account: &Account) -> Value {
    let all = json!({
        "id": account.id,
        "provider": account.provider,
        "display_name": account.display_name,
        K::LIMIT: account.daily_limit,
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
    });
    let fields = |value: Value| if let Value::Object(fields) = value { fields } else { Map::new() };
    fields(all).into_iter().chain(fields(K::own(account))).collect::<Map<_, _>>().into()
}

/// The account of the path, which must be of this kind.
pub async fn find<K: Kind>(who: &Who, id: &AccountId) -> Result<Account, Error> {
    let found = account::load(who, id).await?;
    if K::has(found.channel) { Ok(found) } else { Err(Error::not_found()) }
}

pub async fn list<K: Kind>(who: Who) -> Result<Json<Vec<Value>>, Error> {
    let accounts = account::list(&who).await?;
    Ok(Json(accounts.iter().filter(|account| K::has(account.channel)).map(shown::<K>).collect()))
}

pub async fn load<K: Kind>(who: Who, Id(id): Id<AccountId>) -> Result<Json<Value>, Error> {
    Ok(Json(shown::<K>(&find::<K>(&who, &id).await?)))
}

/// What can be changed of any account; what is left in the input is refused. What was wrong is noted in the input.
pub fn read_patch<K: Kind>(who: &Who, found: &Account, input: &mut Input) -> AccountPatch {
    let display_name = input.has("display_name").then(|| input.text("display_name"));
    let daily_limit = input.has(K::LIMIT).then(|| input.number(K::LIMIT));
    let is_active = input.flag("is_active");
    let (used_elsewhere_today, pace) = pace::read(input, &found.pace, who.app.clock.now());
    input.refuse_others();
    let daily_limit = daily_limit.and_then(|text| {
        let limit = text.parse::<i64>().map_err(|_| NotADailyLimit).and_then(DailyLimit::new);
        if input.errors.of(K::LIMIT).is_some() { None } else { input.errors.check(K::LIMIT, limit) }
    });
    let daily_limit = daily_limit.map(DailyLimit::get);
    AccountPatch { display_name, daily_limit, is_active, used_elsewhere_today, pace }
}

pub async fn update<K: Kind>(who: Who, Id(id): Id<AccountId>, mut input: Input) -> Result<Json<Value>, Error> {
    let found = find::<K>(&who, &id).await?;
    let patch = read_patch::<K>(&who, &found, &mut input);
    input.check()?;
    Ok(Json(shown::<K>(&account::update(&who, &found.id, patch).await?)))
}

pub async fn delete<K: Kind>(who: Who, Id(id): Id<AccountId>) -> Result<Json<Value>, Error> {
    let found = find::<K>(&who, &id).await?;
    account::delete(&who, &found.id).await?;
    Ok(Json(json!({ "success": true })))
}

pub async fn test<K: Kind>(who: Who, Id(id): Id<AccountId>) -> Result<Json<TestOutcome>, Error> {
    let found = find::<K>(&who, &id).await?;
    Ok(Json(account::test(&who, &found.id).await?))
}

/// Lets it go on at once, although it waits.
pub async fn try_now<K: Kind>(who: Who, Id(id): Id<AccountId>) -> Result<Json<Value>, Error> {
    let found = find::<K>(&who, &id).await?;
    Ok(Json(shown::<K>(&account::try_now(&who, &found.id).await?)))
}

/// Today and tomorrow of its queue.
pub async fn forecast<K: Kind>(who: Who, Id(id): Id<AccountId>) -> Result<Json<Value>, Error> {
    let found = find::<K>(&who, &id).await?;
    let forecast = account::forecast(&who, &found.id).await?;
    Ok(Json(json!({ "today": forecast.today, "tomorrow": forecast.tomorrow })))
}
