//! Calls of providers. A bad signature and an unknown account get the same answer.

use super::HttpState;
use crate::{
    api::error::{ApiError, Kind},
    server::{
        App,
        channel::Incoming,
        error::Error,
        usecase::webhook::{self, Refused},
    },
};
use axum::{
    body::{Bytes, to_bytes},
    extract::{Path, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};

/// The most a provider's call may carry.
const MAX: usize = 256 * 1024;
/// "Nothing to say": what Twilio wants in answer to a message.
const EMPTY_TWIML: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response></Response>"#;

/// Reports about messages of ours.
pub fn twilio_status() -> MethodRouter<HttpState> {
    get(status).post(status)
}

/// Messages to us.
pub fn twilio_inbound() -> MethodRouter<HttpState> {
    get(inbound).post(inbound)
}

async fn status(State(app): State<App>, Path(account): Path<String>, request: Request) -> Result<Response, Error> {
    receive(&app, &account, request).await?;
    Ok(StatusCode::OK.into_response())
}

async fn inbound(State(app): State<App>, Path(account): Path<String>, request: Request) -> Result<Response, Error> {
    receive(&app, &account, request).await?;
    Ok(([(header::CONTENT_TYPE, "text/xml")], EMPTY_TWIML).into_response())
}

async fn receive(app: &App, account: &str, request: Request) -> Result<(), Error> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let body: Bytes = to_bytes(body, MAX)
        .await
        .map_err(|_| ApiError::new(Kind::TooLarge, "too_large", "The request is too large"))?;
    // As the provider knows it: the configured URL, whatever a proxy made of Host and scheme.
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{path}", app.settings.public_url());
    let content_type =
        header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim().to_lowercase();
    let call = Incoming {
        method: parts.method.as_str(),
        url: &url,
        signature: header("x-twilio-signature"),
        content_type: &content_type,
        body: &body,
    };
    let query = parts.uri.query().unwrap_or_default();
    let attempt = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "attempt")
        .map(|(_, value)| value.into_owned());
    match webhook::receive(app, account, attempt.as_deref(), &call).await? {
        Ok(()) => Ok(()),
        Err(Refused) => Err(ApiError::new(Kind::Forbidden, "forbidden", "Forbidden").into()),
    }
}
