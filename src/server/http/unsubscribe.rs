//! The door for whoever leaves. Nobody signs in here: the link proves enough.

use crate::server::{App, error::Error, usecase::unsubscribe};
use axum::{
    extract::{Path, RawForm, State},
    response::{IntoResponse, Redirect, Response},
};

/// RFC 8058: a mail program posts `List-Unsubscribe=One-Click`, without cookies, and is not redirected. The form of our own
/// page says so itself and is shown the page again.
pub async fn leave(
    State(app): State<App>,
    Path(token): Path<String>,
    RawForm(form): RawForm,
) -> Result<Response, Error> {
    unsubscribe::leave(&app, &token).await?;
    let is_page = form_urlencoded::parse(&form).any(|(name, _)| name == "page");
    Ok(if is_page {
        Redirect::to(&format!("/u/{token}")).into_response()
    } else {
        "You are unsubscribed.\n".into_response()
    })
}
