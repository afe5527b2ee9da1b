//! The list of addresses that nothing may be sent to.

use super::input::Input;
use crate::{
    domain::{
        consent::Suppression,
        field_error::FieldErrors,
        id::SuppressionId,
        page::{Limit, Page},
    },
    server::{
        Who,
        error::Error,
        usecase::suppression::{self, Of, SuppressForm},
    },
};
use axum::{
    Json,
    extract::{Path, Query},
    http::StatusCode,
};
use serde_json::{Value, json};
use std::collections::HashMap;

pub async fn list(who: Who, Query(params): Query<HashMap<String, String>>) -> Result<Json<Page<Suppression>>, Error> {
    let param = |name: &str| params.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let mut errors = FieldErrors::default();
    let cursor = param("cursor").and_then(|text| {
        errors.check("cursor", text.parse::<SuppressionId>().map_err(|_| "is no cursor of this list"))
    });
    let limit = param("limit").and_then(|text| errors.check("limit", Limit::parse(text))).unwrap_or_default();
    if !errors.is_empty() {
        return Err(errors.into());
    }
    let of = match (param("address"), param("lead_id")) {
        (Some(address), _) => Of::Address(address.to_owned()),
        (None, Some(lead)) => Of::Lead(lead.parse().map_err(|_| Error::missing("Lead not found"))?),
        (None, None) => Of::All,
    };
    Ok(Json(suppression::list(&who, &of, cursor.as_ref(), limit).await?))
}

pub async fn create(who: Who, mut input: Input) -> Result<(StatusCode, Json<Suppression>), Error> {
    let form =
        SuppressForm { channel: input.text("channel"), address: input.text("address"), reason: input.text("reason") };
    input.refuse_others();
    input.check()?;
    Ok((StatusCode::CREATED, Json(suppression::create(&who, &form).await?)))
}

pub async fn delete(who: Who, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    let id = id.parse().map_err(|_| Error::not_found())?;
    suppression::delete(&who, &id).await?;
    Ok(Json(json!({ "success": true })))
}
