//! Unsubscribing: for whoever has the link, signed in or not.

use super::{codec::Json, error::ApiError};
use crate::domain::unsubscribe::Leaving;
use leptos::prelude::*;

/// Who is about to leave whom; changes nothing.
#[server(output = Json)]
pub async fn load_leaving(token: String) -> Result<Leaving, ApiError> {
    let app = crate::server::app()?;
    Ok(crate::server::usecase::unsubscribe::look(&app, &token).await?)
}
