//! Segments.

use super::{
    input::Input,
    params::{Id, Params},
};
use crate::{
    domain::{
        audience::{Audience, Segment},
        field_error::FieldErrors,
        id::SegmentId,
        page::Page,
    },
    server::{Who, error::Error, usecase::segment},
};
use axum::{Json, http::StatusCode};
use serde_json::{Value, json};

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

pub async fn list(who: Who, mut params: Params) -> Result<Json<Page<Segment>>, Error> {
    let (cursor, limit) = params.page();
    params.check()?;
    Ok(Json(segment::list(&who, cursor.as_ref(), limit).await?))
}

pub async fn load(who: Who, Id(id): Id<SegmentId>) -> Result<Json<Segment>, Error> {
    Ok(Json(segment::load(&who, &id).await?))
}

pub async fn update(who: Who, Id(id): Id<SegmentId>, input: Input) -> Result<Json<Segment>, Error> {
    let (name, audience) = read(input)?;
    Ok(Json(segment::update(&who, &id, name.as_deref(), audience).await?))
}

pub async fn delete(who: Who, Id(id): Id<SegmentId>) -> Result<Json<Value>, Error> {
    segment::delete(&who, &id).await?;
    Ok(Json(json!({ "success": true })))
}
