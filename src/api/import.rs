//! Imports of leads.

use super::{codec::Json, error::ApiError};
use crate::domain::{
    id::ImportId,
    import::{Import, Review},
    page::Page,
};
use leptos::prelude::*;
use std::collections::BTreeMap;

/// One page of imports, newest first.
#[server(output = Json)]
pub async fn list_imports(cursor: Option<String>) -> Result<Page<Import>, ApiError> {
    let who = crate::server::request().await?;
    // A cursor that cannot be is that of the first page.
    let cursor = cursor.and_then(|cursor| cursor.parse().ok());
    let limit = crate::domain::page::Limit::default();
    Ok(crate::server::usecase::import::list(&who, cursor.as_ref(), limit).await?)
}

/// An import with what its pages show; an id that cannot be does not exist.
#[server(output = Json)]
pub async fn load_import(id: String) -> Result<Review, ApiError> {
    let who = crate::server::request().await?;
    let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
    Ok(crate::server::usecase::import::review(&who, &id).await?)
}

/// Says what the columns mean: `columns` has a field for each by its place from 0. Afterwards the visitor chooses options; or
/// sees the columns again when their names are no names any more.
#[server(output = Json)]
pub async fn map_import(
    id: ImportId,
    #[server(default)] header: String,
    #[server(default)] columns: BTreeMap<String, String>,
) -> Result<Import, ApiError> {
    let who = crate::server::request().await?;
    let has_header = header == "yes";
    let mapped = async {
        let mut errors = crate::domain::field_error::FieldErrors::default();
        let mut mapping = Vec::new();
        let width = columns.keys().filter_map(|at| at.parse::<usize>().ok()).max().map_or(0, |last| last + 1);
        for at in 0..width.min(crate::domain::import::COLUMNS_MAX) {
            let text = columns.get(&at.to_string()).map_or("", String::as_str);
            let field = errors.check("mapping", crate::domain::import::column::Field::parse(text));
            mapping.push(field.unwrap_or(crate::domain::import::column::Field::Ignore));
        }
        if !errors.is_empty() {
            return Err(crate::server::error::Error::from(errors));
        }
        crate::server::usecase::import::set_columns(&who, &id, has_header, mapping).await
    };
    let before = crate::server::usecase::import::load(&who, &id).await?.has_header;
    let import = mapped.await.map_err(|error| {
        let mut error = ApiError::from(error);
        error.typed.extend(columns.into_iter().map(|(at, field)| (format!("columns[{at}]"), field)));
        error
    })?;
    let step = if before == has_header { "options" } else { "columns" };
    leptos_axum::redirect(&format!("/leads/import/{id}?step={step}"));
    Ok(import)
}

/// Says how rows are read, and has them counted; afterwards the visitor sees what would become of them.
#[server(output = Json)]
pub async fn check_import(
    id: ImportId,
    #[server(default)] on_duplicate: String,
    #[server(default)] default_country: String,
    #[server(default)] tags: String,
    #[server(default)] consent_source: String,
) -> Result<Import, ApiError> {
    let who = crate::server::request().await?;
    let begun = async {
        let options = crate::server::usecase::import::options(&on_duplicate, &default_country, &tags, &consent_source)?;
        crate::server::usecase::import::set_options(&who, &id, options).await?;
        crate::server::usecase::import::start(&who, &id, true).await
    };
    let import = begun.await.map_err(|error| {
        ApiError::from(error).keeping([
            ("on_duplicate", &on_duplicate),
            ("default_country", &default_country),
            ("tags", &tags),
            ("consent_source", &consent_source),
        ])
    })?;
    leptos_axum::redirect(&format!("/leads/import/{id}?step=check"));
    Ok(import)
}

/// Imports; afterwards the visitor sees how far it is.
#[server(output = Json)]
pub async fn start_import(id: ImportId) -> Result<Import, ApiError> {
    let who = crate::server::request().await?;
    let import = crate::server::usecase::import::start(&who, &id, false).await?;
    leptos_axum::redirect(&format!("/leads/import/{id}?step=result"));
    Ok(import)
}

/// Ends an import; what was imported stays.
#[server(output = Json)]
pub async fn cancel_import(id: ImportId) -> Result<Import, ApiError> {
    let who = crate::server::request().await?;
    let import = crate::server::usecase::import::cancel(&who, &id).await?;
    leptos_axum::redirect(&format!("/leads/import/{id}?step=result"));
    Ok(import)
}
