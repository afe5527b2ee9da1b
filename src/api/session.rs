//! Signing in and out, and the signed-in browsers.

#![allow(clippy::unused_async, reason = "a server function is async for the browser, whatever it does here")]

use super::{codec::Json, error::ApiError};
use crate::domain::{id::SessionId, secret::Entered, session::Session, user::Me};
use leptos::prelude::*;

/// Who asks; `None` when nobody is signed in.
#[server(name = LoadMe, output = Json)]
pub async fn me() -> Result<Option<Me>, ApiError> {
    Ok(crate::server::visitor().await?.map(|person| person.me))
}

/// True while there is no user, so that the visitor becomes the owner.
#[server(output = Json)]
pub async fn first_run() -> Result<bool, ApiError> {
    Ok(crate::server::usecase::session::first_run(&crate::server::app()?).await?)
}

/// Makes a user with an organization, fills it with demo data if asked, and signs in.
#[server(output = Json)]
pub async fn sign_up(
    #[server(default)] email: String,
    #[server(default)] password: Entered,
    #[server(default)] organization: String,
    #[server(default)] demo: bool,
) -> Result<(), ApiError> {
    crate::server::http::page::sign_up(&email, password, &organization, demo)
        .await
        .map_err(|e| ApiError::from(e).keeping([("email", &email), ("organization", &organization)]))
}

/// Signs in and goes on to `next`, a path of ours.
#[server(output = Json)]
pub async fn sign_in(
    #[server(default)] email: String,
    #[server(default)] password: Entered,
    #[server(default)] next: String,
) -> Result<(), ApiError> {
    crate::server::http::page::sign_in(&email, password, &next)
        .await
        .map_err(|e| ApiError::from(e).keeping([("email", &email)]))
}

/// Ends this browser's session.
#[server(output = Json)]
pub async fn sign_out() -> Result<(), ApiError> {
    Ok(crate::server::http::page::sign_out().await?)
}

/// The visitor's signed-in browsers.
#[server(output = Json)]
pub async fn list_sessions() -> Result<Vec<Session>, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::session::list(&who).await?)
}

/// Signs another browser out.
#[server(output = Json)]
pub async fn revoke_session(id: SessionId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::session::revoke(&who, &id).await?)
}

/// Keeps `light`, `dark` or `system` in a cookie.
#[server(output = Json)]
pub async fn set_theme(theme: String) -> Result<(), ApiError> {
    Ok(crate::server::http::page::set_theme(&theme)?)
}
