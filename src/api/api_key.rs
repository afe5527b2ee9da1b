//! Keys for programs.

use super::{codec::Json, error::ApiError};
use crate::domain::{
    api_key::{ApiKey, NewApiKey},
    id::ApiKeyId,
};
use leptos::prelude::*;

/// All keys of the organization.
#[server(output = Json)]
pub async fn list_api_keys() -> Result<Vec<ApiKey>, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::api_key::list(&who).await?)
}

/// Makes a key: the only answer that holds it.
#[server(output = Json)]
pub async fn create_api_key(name: String) -> Result<NewApiKey, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::api_key::create(&who, &name).await?)
}

/// Ends a key at once.
#[server(output = Json)]
pub async fn delete_api_key(id: ApiKeyId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::api_key::delete(&who, &id).await?)
}
