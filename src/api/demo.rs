//! Demo data: accounts and messages to look around in.

use super::{codec::Json, error::ApiError};
use leptos::prelude::*;

/// Fills the organization with demo data.
#[server(output = Json)]
pub async fn load_demo() -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::demo::load(&who).await?)
}

/// Removes the demo data and nothing else.
#[server(output = Json)]
pub async fn remove_demo() -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::demo::remove(&who).await?)
}
