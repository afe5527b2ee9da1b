//! Sender accounts.

use super::{codec::Json, error::ApiError};
use crate::domain::{
    account::{Account, TestOutcome},
    id::AccountId,
    secret::Entered,
};
use leptos::prelude::*;
use std::collections::BTreeMap;

/// All accounts, newest first.
#[server(output = Json)]
pub async fn list_accounts() -> Result<Vec<Account>, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::account::list(&who).await?)
}

/// One account.
#[server(output = Json)]
pub async fn load_account(id: AccountId) -> Result<Account, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::account::load(&who, &id).await?)
}

/// Tests the credentials and connects the account; afterwards the visitor is on the list.
#[server(output = Json)]
pub async fn connect_account(
    #[server(default)] provider: String,
    #[server(default)] channel: String,
    #[server(default)] phone_number: String,
    #[server(default)] display_name: String,
    #[server(default)] daily_limit: String,
    #[server(default)] confirmation: String,
    #[server(default)] credentials: BTreeMap<String, Entered>,
    #[server(default)] mailbox: BTreeMap<String, String>,
    #[server(default)] force: bool,
) -> Result<Account, ApiError> {
    let who = crate::server::request().await?;
    let credentials: Vec<_> = credentials.into_iter().map(|(name, entered)| (name, entered.into_secret())).collect();
    let mut errors = crate::domain::field_error::FieldErrors::default();
    crate::domain::limit::DailyLimit::check_confirmed(&daily_limit, &confirmation, 0, &mut errors);
    if channel == crate::domain::channel::Channel::Email.as_str() {
        let of = |name: &str| mailbox.get(name).cloned().unwrap_or_default();
        let form = crate::domain::email_account::EmailForm {
            display_name: display_name.clone(),
            daily_send_limit: daily_limit.clone(),
            ..crate::domain::email_account::EmailForm::of_dialog(of, credentials)
        };
        let connected = if errors.is_empty() {
            crate::server::usecase::email_account::connect(&who, form).await
        } else {
            Err(errors.into())
        };
        let account = connected.map_err(|error| {
            let shared = [("channel", &channel), ("display_name", &display_name), ("daily_limit", &daily_limit)];
            let mut error = ApiError::from(error).keeping(shared.map(|(name, typed)| (name, typed.as_str())));
            error.typed.push(("confirmation".to_owned(), confirmation.clone()));
            error.typed.extend(mailbox.iter().map(|(name, typed)| (format!("mailbox[{name}]"), typed.clone())));
            error.fields.rename("daily_send_limit", "daily_limit");
            error
        })?;
        leptos_axum::redirect("/accounts");
        return Ok(account);
    }
    let form = crate::domain::account::ConnectForm {
        provider: provider.clone(),
        channel: channel.clone(),
        phone_number: phone_number.clone(),
        display_name: display_name.clone(),
        daily_limit: daily_limit.clone(),
        credentials,
        force,
    };
    let keep = |error: crate::server::error::Error| {
        ApiError::from(error).keeping([
            ("provider", &provider),
            ("channel", &channel),
            ("phone_number", &phone_number),
            ("display_name", &display_name),
            ("daily_limit", &daily_limit),
            ("confirmation", &confirmation),
        ])
    };
    if !errors.is_empty() {
        return Err(keep(errors.into()));
    }
    let account = crate::server::usecase::account::connect(&who, form).await.map_err(keep)?;
    leptos_axum::redirect("/accounts");
    Ok(account)
}

/// Changes name, limit, pace and what is known of a mailbox; afterwards the visitor is on the list.
#[server(output = Json)]
pub async fn update_account(
    id: AccountId,
    #[server(default)] display_name: String,
    #[server(default)] daily_limit: String,
    #[server(default)] confirmation: String,
    #[server(default)] pace: BTreeMap<String, String>,
    #[server(default)] mailbox: BTreeMap<String, String>,
    #[server(default)] credentials: BTreeMap<String, Entered>,
) -> Result<Account, ApiError> {
    let who = crate::server::request().await?;
    let keep = |error: crate::server::error::Error| {
        let mut error = ApiError::from(error).keeping([
            ("display_name", &display_name),
            ("daily_limit", &daily_limit),
            ("confirmation", &confirmation),
        ]);
        error.typed.extend(pace.iter().map(|(name, typed)| (format!("pace[{name}]"), typed.clone())));
        error.typed.extend(mailbox.iter().map(|(name, typed)| (format!("mailbox[{name}]"), typed.clone())));
        error
    };
    let before = crate::server::usecase::account::load(&who, &id).await?;
    let read = crate::domain::account::AccountPatch::parse_typed;
    let patch = read(&display_name, &daily_limit, &confirmation, before.daily_limit);
    let settings = crate::server::usecase::account::read_pace(&who, &before, &pace);
    let (patch, settings) =
        crate::domain::field_error::FieldErrors::both(patch, settings).map_err(|fields| keep(fields.into()))?;
    let patch = patch.with_pace(settings);
    if !mailbox.is_empty() {
        let of = |name: &str| mailbox.get(name).cloned().unwrap_or_default();
        let secrets = credentials.into_iter().map(|(name, entered)| (name, entered.into_secret())).collect();
        let form = crate::domain::email_account::EmailForm::of_settings(of, secrets);
        crate::server::usecase::email_account::change(&who, &id, form).await.map_err(keep)?;
    }
    let account = crate::server::usecase::account::update(&who, &id, patch).await.map_err(keep)?;
    leptos_axum::redirect("/accounts");
    Ok(account)
}

/// Switches an account on or off.
#[server(output = Json)]
pub async fn set_account_active(id: AccountId, is_active: bool) -> Result<Account, ApiError> {
    let who = crate::server::request().await?;
    let patch = crate::domain::account::AccountPatch { is_active: Some(is_active), ..Default::default() };
    Ok(crate::server::usecase::account::update(&who, &id, patch).await?)
}

/// Asks the provider whether the credentials work.
#[server(output = Json)]
pub async fn test_account(id: AccountId) -> Result<TestOutcome, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::account::test(&who, &id).await?)
}

/// Lets an account go on that waits for its provider.
#[server(output = Json)]
pub async fn try_account(id: AccountId) -> Result<Account, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::account::try_now(&who, &id).await?)
}

/// Removes an account; its history stays. Afterwards the visitor is on the list.
#[server(output = Json)]
pub async fn delete_account(id: AccountId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    crate::server::usecase::account::delete(&who, &id).await?;
    leptos_axum::redirect("/accounts");
    Ok(())
}

/// Tests new credentials and keeps them; afterwards the visitor is on the list.
#[server(output = Json)]
pub async fn replace_credentials(
    id: AccountId,
    #[server(default)] credentials: BTreeMap<String, Entered>,
) -> Result<Account, ApiError> {
    let who = crate::server::request().await?;
    let entered = credentials.into_iter().map(|(name, entered)| (name, entered.into_secret())).collect();
    let account = crate::server::usecase::account::replace_credentials(&who, &id, entered).await?;
    leptos_axum::redirect("/accounts");
    Ok(account)
}
