//! Who asks: by cookie or by key.

use super::HttpState;
use crate::server::{App, Person, Who, error::Error, usecase};
use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use leptos::prelude::use_context;
use std::{convert::Infallible, net::SocketAddr, sync::Arc};
use tokio::sync::OnceCell;

/// The session's cookie.
pub const COOKIE: &str = "tern_session";

/// Who asks, found once per request: a page asks several times.
#[derive(Clone, Default)]
pub struct Visit(Arc<OnceCell<Option<Person>>>);

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(n, _)| *n == name)
        .map(|(_, value)| value)
}

/// Who the headers speak for.
pub async fn authenticate(app: &App, headers: &HeaderMap) -> Result<Option<Person>, Error> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let key = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
        return match key {
            Some(key) => usecase::api_key::authenticate(app, key.trim()).await,
            None => Ok(None),
        };
    }
    match cookie(headers, COOKIE) {
        Some(token) => usecase::session::authenticate(app, token).await,
        None => Ok(None),
    }
}

/// Who asks, inside a server function.
pub async fn visitor(app: &App) -> Result<Option<Person>, Error> {
    let (Some(visit), Some(parts)) = (use_context::<Visit>(), use_context::<Parts>()) else { return Ok(None) };
    visit.0.get_or_try_init(|| authenticate(app, &parts.headers)).await.cloned()
}

/// The address of whoever connected; empty when the connection has none, as in a test.
pub struct Peer(pub String);

impl Peer {
    /// From the connection's extension.
    pub fn of(parts: &Parts) -> Self {
        let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Self(info.map_or_else(String::new, |info| info.0.ip().to_string()))
    }
}

impl FromRequestParts<HttpState> for Peer {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &HttpState) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

impl FromRequestParts<HttpState> for Person {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Error> {
        authenticate(&state.app, &parts.headers).await?.ok_or_else(Error::signed_out)
    }
}

impl FromRequestParts<HttpState> for Who {
    type Rejection = Error;
    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Error> {
        Person::from_request_parts(parts, state).await?.who()
    }
}
