//! The installation as a whole.

use super::{codec::Json, error::ApiError};
use crate::domain::installation::Installation;
use leptos::prelude::*;

/// What the shell shows above every page.
#[server(name = LoadInstallation, output = Json)]
pub async fn installation() -> Result<Installation, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::installation::load(&who).await?)
}
