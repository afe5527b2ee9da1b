//! Keys for programs.

use super::{HttpState, input::Input, params::Id};
use crate::{
    domain::{
        api_key::{ApiKey, NewApiKey},
        field_error::FieldErrors,
        id::ApiKeyId,
    },
    server::{Who, error::Error, usecase::api_key},
};
use axum::{
    Json,
    body::{Body, to_bytes},
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use serde_json::{Value, json};

pub async fn create(who: Who, mut input: Input) -> Result<(StatusCode, Json<NewApiKey>), Error> {
    let name = input.text("name");
    input.check()?;
    Ok((StatusCode::CREATED, Json(api_key::create(&who, &name).await?)))
}

/// The most that the form may carry.
const FORM_MAX: usize = 4 * 1024;

/// The same by a form that a browser posts itself.
pub async fn create_by_form(state: &HttpState, parts: &mut Parts, body: Body) -> Result<NewApiKey, Error> {
    let who = Who::from_request_parts(parts, state).await?;
    let form = to_bytes(body, FORM_MAX).await.map_err(|_| FieldErrors::one("name", "is too long"))?;
    let name = form_urlencoded::parse(&form).find(|(name, _)| name == "name").map(|(_, value)| value.into_owned());
    api_key::create(&who, &name.unwrap_or_default()).await
}

pub async fn list(who: Who) -> Result<Json<Vec<ApiKey>>, Error> {
    Ok(Json(api_key::list(&who).await?))
}

pub async fn delete(who: Who, Id(id): Id<ApiKeyId>) -> Result<Json<Value>, Error> {
    api_key::delete(&who, &id).await?;
    Ok(Json(json!({ "success": true })))
}
