//! Sign-up, sign-in, sign-out; sessions.

use super::{
    auth::{COOKIE, Peer},
    input::Input,
    params::Id,
};
use crate::{
    domain::{id::SessionId, secret::Secret, session::Session, user::Me},
    server::{
        App, Person, Who,
        error::Error,
        usecase::session::{self, SignUpForm, SignedIn},
    },
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// The cookie that starts or ends a session.
pub fn set_cookie(app: &App, token: &str, max_age_secs: i64) -> HeaderValue {
    let secure = if app.settings.public_url().starts_with("https:") { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_secs}{secure}");
    HeaderValue::from_str(&cookie).expect("a token is visible ASCII")
}

/// What a browser calls itself.
pub fn user_agent(headers: &HeaderMap) -> &str {
    headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn shown(me: &Me) -> Value {
    json!({ "user": me.user, "organization": me.organization })
}

fn started(app: &App, status: StatusCode, signed_in: &SignedIn) -> Response {
    let cookie = set_cookie(app, signed_in.token.expose(), signed_in.max_age_secs);
    (status, [(header::SET_COOKIE, cookie)], Json(shown(&signed_in.me))).into_response()
}

pub async fn sign_up(State(app): State<App>, headers: HeaderMap, mut input: Input) -> Result<Response, Error> {
    let (email, password) = (input.text("email"), Secret::new(input.text("password")));
    let organization = input.has("organization").then(|| input.text("organization"));
    input.check()?;
    let form = SignUpForm { email: &email, password, organization: organization.as_deref() };
    let signed_in = session::sign_up(&app, form, user_agent(&headers)).await?;
    Ok(started(&app, StatusCode::CREATED, &signed_in))
}

pub async fn sign_in(
    State(app): State<App>,
    Peer(peer): Peer,
    headers: HeaderMap,
    mut input: Input,
) -> Result<Response, Error> {
    let (email, password) = (input.text("email"), Secret::new(input.text("password")));
    input.check()?;
    let signed_in = session::sign_in(&app, &email, password, &peer, user_agent(&headers)).await?;
    Ok(started(&app, StatusCode::OK, &signed_in))
}

pub async fn sign_out(person: Person) -> Result<Response, Error> {
    session::sign_out(&person).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, set_cookie(&person.app, "", 0))]).into_response())
}

pub async fn me(person: Person) -> Json<Value> {
    Json(shown(&person.me))
}

pub async fn list(who: Who) -> Result<Json<Vec<Session>>, Error> {
    Ok(Json(session::list(&who).await?))
}

pub async fn revoke(who: Who, Id(id): Id<SessionId>) -> Result<Json<Value>, Error> {
    session::revoke(&who, &id).await?;
    Ok(Json(json!({ "success": true })))
}
