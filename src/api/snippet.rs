//! Snippets.

use super::{codec::Json, error::ApiError};
use crate::domain::{id::SnippetId, page::Page, template::Snippet};
use leptos::prelude::*;

/// One page of snippets, newest first.
#[server(output = Json)]
pub async fn list_snippets(cursor: Option<String>) -> Result<Page<Snippet>, ApiError> {
    let who = crate::server::request().await?;
    let cursor = cursor.and_then(|cursor| cursor.parse().ok());
    Ok(crate::server::usecase::snippet::list(&who, cursor.as_ref(), crate::domain::page::Limit::default()).await?)
}

/// Stores a new snippet, or what the one of the `id` says now; afterwards the visitor is on the list.
#[server(output = Json)]
pub async fn save_snippet(
    #[server(default)] id: String,
    #[server(default)] name: String,
    #[server(default)] body: String,
) -> Result<Snippet, ApiError> {
    let who = crate::server::request().await?;
    let saved = async {
        match id.as_str() {
            "" => crate::server::usecase::snippet::create(&who, &name, &body).await,
            id => {
                let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
                crate::server::usecase::snippet::update(&who, &id, |_, _| (name.clone(), body.clone())).await
            }
        }
    };
    let saved = saved
        .await
        .map_err(|error| ApiError::from(error).keeping([("id", &*id), ("name", &*name), ("body", &*body)]))?;
    leptos_axum::redirect("/templates/snippets");
    Ok(saved)
}

/// Forgets a snippet that no template uses.
#[server(output = Json)]
pub async fn delete_snippet(id: SnippetId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    crate::server::usecase::snippet::delete(&who, &id).await?;
    leptos_axum::redirect("/templates/snippets");
    Ok(())
}
