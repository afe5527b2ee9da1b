//! Segments.

use super::{codec::Json, error::ApiError};
use crate::domain::{
    audience::{Choices, Segment},
    id::SegmentId,
};
use leptos::prelude::*;
use std::collections::BTreeMap;

/// The segments, in the order of their names.
#[server(output = Json)]
pub async fn list_segments() -> Result<Vec<Segment>, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::segment::all(&who).await?)
}

/// What the form for segments needs: for the one of the `id`, or a new one where that is empty.
#[server(output = Json)]
pub async fn load_segment_choices(#[server(default)] id: String) -> Result<Choices, ApiError> {
    let who = crate::server::request().await?;
    let id = match id.as_str() {
        "" => None,
        id => Some(id.parse().map_err(|_| crate::server::error::Error::not_found())?),
    };
    Ok(crate::server::usecase::segment::choices(&who, id.as_ref()).await?)
}

/// Stores a new segment, or what the one of the `id` is now; afterwards the visitor sees whom it means. `fields`, `ops` and
/// `values` hold a condition for each place from 0; one without a field is none.
#[server(output = Json)]
pub async fn save_segment(
    #[server(default)] id: String,
    #[server(default)] name: String,
    #[server(default)] q: String,
    #[server(default)] tag: String,
    #[server(default)] fields: BTreeMap<String, String>,
    #[server(default)] ops: BTreeMap<String, String>,
    #[server(default)] values: BTreeMap<String, String>,
) -> Result<Segment, ApiError> {
    let who = crate::server::request().await?;
    let chosen = fields.iter().filter(|(_, field)| !field.is_empty()).map(|(at, field)| {
        let op = ops.get(at).and_then(|op| crate::domain::audience::Op::from_name(op));
        let op = op.unwrap_or(crate::domain::audience::Op::Is);
        let value = values.get(at).cloned().unwrap_or_default();
        crate::domain::audience::Condition { field: field.clone(), op, value }
    });
    let audience = crate::domain::audience::Audience {
        q: q.clone(),
        tag: tag.clone(),
        segment: String::new(),
        conditions: chosen.collect(),
    };
    let saved = match id.as_str() {
        "" => crate::server::usecase::segment::create(&who, &name, audience).await,
        id => {
            let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
            crate::server::usecase::segment::update(&who, &id, Some(&name), Some(audience)).await
        }
    };
    let saved = saved.map_err(|error| {
        let mut error = ApiError::from(error).keeping([("name", &name), ("q", &q), ("tag", &tag)]);
        for (list, typed) in [("fields", fields), ("ops", ops), ("values", values)] {
            error.typed.extend(typed.into_iter().map(|(at, typed)| (format!("{list}[{at}]"), typed)));
        }
        error
    })?;
    leptos_axum::redirect(&format!("/leads?segment={}", saved.id));
    Ok(saved)
}

/// Forgets a segment; afterwards the visitor sees all leads.
#[server(output = Json)]
pub async fn delete_segment(id: SegmentId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    crate::server::usecase::segment::delete(&who, &id).await?;
    leptos_axum::redirect("/leads");
    Ok(())
}
