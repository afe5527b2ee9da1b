//! Changes to many leads.

use super::{input::Input, segment::audience};
use crate::{
    domain::{
        change::{Change, Deed},
        field_error::FieldErrors,
        id::ChangeId,
        page::{Limit, Page},
    },
    server::{Who, error::Error, usecase::change},
};
use axum::{
    Json,
    extract::{Path, Query},
    http::StatusCode,
};
use std::collections::HashMap;

fn parse_id(id: &str) -> Result<ChangeId, Error> {
    id.parse().map_err(|_| Error::not_found())
}

/// Whom it means must be said: `{}` is everybody.
pub async fn create(who: Who, mut input: Input) -> Result<(StatusCode, Json<Change>), Error> {
    let [action, tag, sequence] = ["action", "tag", "sequence_id"].map(|name| input.text(name));
    let is_said = input.has("audience");
    let audience = audience(&mut input, "audience");
    if !is_said {
        input.errors.add("audience", "is required; {} means all leads");
    }
    input.refuse_others();
    let faults = std::mem::take(&mut input.errors);
    let rest = if faults.is_empty() { Ok(()) } else { Err(faults) };
    let (deed, ()) = FieldErrors::both(Deed::parse(&action, &tag, &sequence), rest)?;
    Ok((StatusCode::ACCEPTED, Json(change::create(&who, deed, audience.unwrap_or_default()).await?)))
}

pub async fn list(who: Who, Query(params): Query<HashMap<String, String>>) -> Result<Json<Page<Change>>, Error> {
    let param = |name: &str| params.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let mut errors = FieldErrors::default();
    let cursor = param("cursor")
        .and_then(|text| errors.check("cursor", text.parse::<ChangeId>().map_err(|_| "is no cursor of this list")));
    let limit = param("limit").and_then(|text| errors.check("limit", Limit::parse(text))).unwrap_or_default();
    if !errors.is_empty() {
        return Err(errors.into());
    }
    Ok(Json(change::list(&who, cursor.as_ref(), limit).await?))
}

pub async fn load(who: Who, Path(id): Path<String>) -> Result<Json<Change>, Error> {
    Ok(Json(change::load(&who, &parse_id(&id)?).await?))
}

pub async fn cancel(who: Who, Path(id): Path<String>) -> Result<Json<Change>, Error> {
    Ok(Json(change::cancel(&who, &parse_id(&id)?).await?))
}
