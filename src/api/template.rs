//! Templates.

use super::{codec::Json, error::ApiError};
use crate::domain::{
    id::TemplateId,
    page::Page,
    template::{Preview, Template, Version},
};
use leptos::prelude::*;

/// One page of templates, newest first; empty parameters do not matter.
#[server(output = Json)]
pub async fn list_templates(
    q: Option<String>,
    channel: Option<String>,
    cursor: Option<String>,
) -> Result<Page<Template>, ApiError> {
    let who = crate::server::request().await?;
    let filter = crate::domain::template::TemplateFilter {
        channel: channel.as_deref().and_then(crate::domain::channel::Channel::from_name),
        q: q.unwrap_or_default(),
        // A cursor that cannot be is that of the first page.
        cursor: cursor.and_then(|cursor| cursor.parse().ok()),
    };
    Ok(crate::server::usecase::template::list(&who, &filter, crate::domain::page::Limit::default()).await?)
}

/// One template; an id that cannot be does not exist.
#[server(output = Json)]
pub async fn load_template(id: String) -> Result<Template, ApiError> {
    let who = crate::server::request().await?;
    let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
    Ok(crate::server::usecase::template::load(&who, &id).await?)
}

/// The names of custom fields that leads have, and those of snippets.
#[server(output = Json)]
pub async fn template_words() -> Result<(Vec<String>, Vec<String>), ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::template::words(&who).await?)
}

/// One page of what a template said, newest first, before the version `cursor`.
#[server(output = Json)]
pub async fn list_versions(id: String, cursor: Option<String>) -> Result<Page<Version>, ApiError> {
    let who = crate::server::request().await?;
    let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
    let before = cursor.and_then(|cursor| cursor.parse().ok());
    let limit = crate::domain::page::Limit::default();
    Ok(crate::server::usecase::template::versions(&who, &id, before, limit).await?)
}

/// What a lead would get of a text that is being written; no lead: the newest that `q` finds, or an example.
#[server(output = Json)]
pub async fn preview_template(
    #[server(default)] id: String,
    #[server(default)] channel: String,
    #[server(default)] subject: String,
    #[server(default)] body: String,
    #[server(default)] lead: String,
    #[server(default)] q: String,
) -> Result<Preview, ApiError> {
    let who = crate::server::request().await?;
    let form = crate::domain::template::TemplateForm { name: String::new(), channel, subject, body };
    let (id, lead) = (id.parse().ok(), lead.parse().ok());
    Ok(crate::server::usecase::template::preview_draft(&who, id.as_ref(), &form, lead.as_ref(), &q).await?)
}

/// Stores a new template, or what the one of the `id` says now; afterwards the visitor is on its page.
#[server(output = Json)]
pub async fn save_template(
    #[server(default)] id: String,
    #[server(default)] name: String,
    #[server(default)] channel: String,
    #[server(default)] subject: String,
    #[server(default)] body: String,
) -> Result<Template, ApiError> {
    let who = crate::server::request().await?;
    let form = crate::domain::template::TemplateForm {
        name: name.clone(),
        channel: channel.clone(),
        subject: subject.clone(),
        body: body.clone(),
    };
    let saved = async {
        match id.as_str() {
            "" => crate::server::usecase::template::create(&who, &form).await,
            id => {
                let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
                crate::server::usecase::template::update(&who, &id, |_| form).await
            }
        }
    };
    let saved = saved.await.map_err(|error| {
        let typed = [("name", &*name), ("channel", &*channel), ("subject", &*subject), ("body", &*body)];
        ApiError::from(error).keeping(typed)
    })?;
    leptos_axum::redirect(&format!("/templates/{}", saved.id));
    Ok(saved)
}

/// Says again what a version said.
#[server(output = Json)]
pub async fn restore_template(id: TemplateId, #[server(default)] version: u32) -> Result<Template, ApiError> {
    let who = crate::server::request().await?;
    let template = crate::server::usecase::template::restore(&who, &id, version).await?;
    leptos_axum::redirect(&format!("/templates/{id}"));
    Ok(template)
}

/// Forgets a template; afterwards the visitor is on the list.
#[server(output = Json)]
pub async fn delete_template(id: TemplateId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    crate::server::usecase::template::delete(&who, &id).await?;
    leptos_axum::redirect("/templates");
    Ok(())
}
