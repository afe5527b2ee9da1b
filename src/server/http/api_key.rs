//! Keys for programs.

use super::input::Input;
use crate::{
    domain::api_key::{ApiKey, NewApiKey},
    server::{Who, error::Error, usecase::api_key},
};
use axum::{Json, extract::Path, http::StatusCode};
use serde_json::{Value, json};

pub async fn create(who: Who, mut input: Input) -> Result<(StatusCode, Json<NewApiKey>), Error> {
    let name = input.text("name");
    input.check()?;
    Ok((StatusCode::CREATED, Json(api_key::create(&who, &name).await?)))
}

pub async fn list(who: Who) -> Result<Json<Vec<ApiKey>>, Error> {
    Ok(Json(api_key::list(&who).await?))
}

pub async fn delete(who: Who, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    api_key::delete(&who, &id.parse().map_err(|_| Error::not_found())?).await?;
    Ok(Json(json!({ "success": true })))
}
