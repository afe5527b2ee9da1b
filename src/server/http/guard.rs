//! What every request passes: a request id, one line in the log, security headers, errors as JSON; and the refusal of
//! requests that another site made a browser send.

use super::HttpState;
use crate::{
    api::error::{ApiError, Kind},
    server::{App, clock::new_id, error::Error},
};
use axum::{
    Json,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// On every answer that does not set its own.
const HEADERS: [(&str, &str); 6] = [
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
];

impl IntoResponse for Error {
    /// The body is written by [`observe`], which knows the request's id.
    fn into_response(self) -> Response {
        let error = ApiError::from(self);
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(error);
        response
    }
}

/// Outermost of all: id, log line, headers, and the body of an error.
pub async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let start = app.clock.now();
    let id = new_id(start);
    let method = request.method().clone();
    // The pattern, never the path itself: a path may hold an id, a query an address.
    let route = request.extensions().get::<MatchedPath>().map_or("-", |path| path.as_str()).to_owned();
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        response = render(&error, response, &id);
    } else if is_api && is_bare_error(&response) {
        if response.status() == StatusCode::BAD_REQUEST {
            *response.status_mut() = StatusCode::NOT_FOUND; // a path that is no text: what it names cannot exist
        }
        let error = bare(response.status());
        response = render(&error, response, &id);
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        if !headers.contains_key(name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if app.settings.public_url().starts_with("https:") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert("x-request-id", value);
    }
    let duration_ms = app.clock.now().0 - start.0;
    tracing::debug!(request.id = %id, http.method = %method, http.route = %route, http.status = response.status().as_u16(), duration_ms, "request");
    response
}

/// An error as a JSON object.
pub fn error_body(error: &ApiError) -> Value {
    let mut body = json!({ "error": error.message, "code": error.code });
    if !error.fields.is_empty() {
        let fields = error.fields.0.iter().map(|e| (e.field.clone(), e.message.clone().into())).collect();
        body["fields"] = Value::Object(fields);
    }
    if let Some(other) = &error.other {
        body["id"] = other.clone().into();
    }
    if let Some(at) = error.at {
        (body["line"], body["column"]) = (at.line.into(), at.column.into());
    }
    if let Some(reference) = &error.reference {
        body["reference"] = reference.clone().into();
    }
    body
}

fn render(error: &ApiError, response: Response, id: &str) -> Response {
    let mut body = error_body(error);
    body["request_id"] = id.into();
    let status = response.status();
    let mut rendered = (status, Json(body)).into_response();
    if let Some(seconds) = error.retry_after {
        rendered.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(allow) = response.headers().get(header::ALLOW) {
        rendered.headers_mut().insert(header::ALLOW, allow.clone());
    }
    rendered
}

/// An error that a library answered, in plain text or with nothing.
fn is_bare_error(response: &Response) -> bool {
    let status = response.status();
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    // Server functions write their own errors.
    let is_ours =
        response.headers().contains_key("serverfnerror") || response.headers().contains_key("server-fn-error");
    matches!(status.as_u16(), 400 | 404 | 405 | 408 | 413 | 415) && !is_json && !is_ours
}

fn bare(status: StatusCode) -> ApiError {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(Kind::TooLarge, "too_large", "The request is too large"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ApiError::new(Kind::Invalid, "method_not_allowed", "This address does not take that method")
        }
        StatusCode::REQUEST_TIMEOUT => ApiError::new(Kind::Unavailable, "timeout", "The request took too long"),
        _ => ApiError::new(Kind::NotFound, "not_found", "Not found"),
    }
}

/// Refuses what another site made a browser send. Programs send neither header and pass on their own credentials;
/// providers are known by their signatures.
pub async fn same_origin(State(state): State<HttpState>, request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    // Whoever calls these has no session: a signature, or the link itself, proves enough.
    let is_webhook = ["/webhooks/", "/u/"].iter().any(|door| request.uri().path().starts_with(door));
    if is_safe || is_webhook || is_own(&state.app, request.headers()) {
        return next.run(request).await;
    }
    let message = "This request came from another site and was refused";
    Error::from(ApiError::new(Kind::Forbidden, "cross_site", message)).into_response()
}

fn is_own(app: &App, headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return matches!(site, "same-origin" | "none");
    }
    let Some(origin) = text(header::ORIGIN) else { return true };
    let host = text(header::HOST).unwrap_or_default();
    origin == app.settings.public_url() || origin.split_once("://").is_some_and(|(_, rest)| rest == host)
}
