//! Segments.

use super::input::Input;
use crate::{
    domain::{
        audience::{Audience, Segment},
        field_error::FieldErrors,
        id::SegmentId,
        page::{Limit, Page},
    },
    server::{Who, error::Error, usecase::segment},
};
use axum::{
    Json,
    extract::{Path, Query},
    http::StatusCode,
};
use serde_json::{Value, json};
use std::collections::HashMap;

fn parse_id(id: &str) -> Result<SegmentId, Error> {
    id.parse().map_err(|_| Error::not_found())
}

/// An audience in a body; `None` when it is not there.
pub fn audience(input: &mut Input, name: &str) -> Option<Audience> {
    let read = input.has(name).then(|| serde_json::from_value::<Audience>(input.value(name)))?;
    input.errors.check(name, read.map_err(|_| "must be {q, tag, segment, conditions}"))
}

/// What a body says of a segment.
fn read(mut input: Input) -> Result<(Option<String>, Option<Audience>), Error> {
    let name = input.has("name").then(|| input.text("name"));
    let audience = audience(&mut input, "audience");
    input.refuse_others();
    input.check()?;
    Ok((name, audience))
}

pub async fn create(who: Who, input: Input) -> Result<(StatusCode, Json<Segment>), Error> {
    let (name, audience) = read(input)?;
    let audience = audience.ok_or_else(|| Error::from(FieldErrors::one("audience", "is required")))?;
    Ok((StatusCode::CREATED, Json(segment::create(&who, &name.unwrap_or_default(), audience).await?)))
}

pub async fn list(who: Who, Query(params): Query<HashMap<String, String>>) -> Result<Json<Page<Segment>>, Error> {
    let param = |name: &str| params.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let mut errors = FieldErrors::default();
    let cursor = param("cursor")
        .and_then(|text| errors.check("cursor", text.parse::<SegmentId>().map_err(|_| "is no cursor of this list")));
    let limit = param("limit").and_then(|text| errors.check("limit", Limit::parse(text))).unwrap_or_default();
    if !errors.is_empty() {
        return Err(errors.into());
    }
    Ok(Json(segment::list(&who, cursor.as_ref(), limit).await?))
}

pub async fn load(who: Who, Path(id): Path<String>) -> Result<Json<Segment>, Error> {
    Ok(Json(segment::load(&who, &parse_id(&id)?).await?))
}

pub async fn update(who: Who, Path(id): Path<String>, input: Input) -> Result<Json<Segment>, Error> {
    let (id, (name, audience)) = (parse_id(&id)?, read(input)?);
    Ok(Json(segment::update(&who, &id, name.as_deref(), audience).await?))
}

pub async fn delete(who: Who, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    segment::delete(&who, &parse_id(&id)?).await?;
    Ok(Json(json!({ "success": true })))
}
