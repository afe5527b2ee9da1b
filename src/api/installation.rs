//! The installation as a whole.

use super::error::ApiError;
use crate::domain::installation::Installation;
use leptos::prelude::*;

/// What the shell shows above every page.
#[server(name = LoadInstallation)]
pub async fn installation() -> Result<Installation, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::installation::load(&who).await?)
}
