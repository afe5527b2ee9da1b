//! The dashboard.

use super::{codec::Json, error::ApiError};
use crate::domain::dashboard::Dashboard;
use leptos::prelude::*;

/// Everything that the dashboard shows.
#[server(output = Json)]
pub async fn load_dashboard() -> Result<Dashboard, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::dashboard::load(&who).await?)
}
