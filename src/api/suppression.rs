//! The list of addresses that nothing may be sent to.

use super::{codec::Json, error::ApiError};
use crate::domain::{
    consent::Suppression,
    id::{LeadId, SuppressionId},
    page::Page,
};
use leptos::prelude::*;

/// One page of the list, newest first, or all entries of the `address`.
#[server(output = Json)]
pub async fn list_suppressions(address: Option<String>, cursor: Option<String>) -> Result<Page<Suppression>, ApiError> {
    let who = crate::server::request().await?;
    let of = address.map_or_else(Default::default, crate::server::usecase::suppression::Of::Address);
    // A cursor that cannot be is that of the first page.
    let cursor = cursor.and_then(|cursor| cursor.parse().ok());
    let limit = crate::domain::page::Limit::default();
    Ok(crate::server::usecase::suppression::list(&who, &of, cursor.as_ref(), limit).await?)
}

/// Puts an address on the list; afterwards the visitor is on the list.
#[server(output = Json)]
pub async fn create_suppression(
    #[server(default)] channel: String,
    #[server(default)] address: String,
    #[server(default)] reason: String,
) -> Result<Suppression, ApiError> {
    let who = crate::server::request().await?;
    let typed = [("channel", channel.clone()), ("address", address.clone()), ("reason", reason.clone())];
    let form = crate::server::usecase::suppression::SuppressForm { channel, address, reason };
    let created = crate::server::usecase::suppression::create(&who, &form).await.map_err(|error| {
        let mut error = ApiError::from(error);
        error.typed.extend(typed.map(|(name, typed)| (name.to_owned(), typed)));
        error
    })?;
    leptos_axum::redirect("/suppressions");
    Ok(created)
}

/// Takes an entry off the list.
#[server(output = Json)]
pub async fn delete_suppression(id: SuppressionId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    crate::server::usecase::suppression::delete(&who, &id).await?;
    leptos_axum::redirect("/suppressions");
    Ok(())
}

/// Puts all addresses of a lead on the list, on every channel.
#[server(output = Json)]
pub async fn suppress_lead(id: LeadId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    crate::server::usecase::suppression::suppress_lead(&who, &id).await?;
    leptos_axum::redirect(&format!("/leads/{id}"));
    Ok(())
}

/// Takes all addresses of a lead off the list.
#[server(output = Json)]
pub async fn allow_lead(id: LeadId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    crate::server::usecase::suppression::allow_lead(&who, &id).await?;
    leptos_axum::redirect(&format!("/leads/{id}"));
    Ok(())
}
