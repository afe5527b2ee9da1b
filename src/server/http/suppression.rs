//! The list of addresses that nothing may be sent to.

use super::{
    input::Input,
    params::{Id, Params},
};
use crate::{
    domain::{consent::Suppression, id::SuppressionId, page::Page},
    server::{
        Who,
        error::Error,
        usecase::suppression::{self, Of, SuppressForm},
    },
};
use axum::{Json, http::StatusCode};
use serde_json::{Value, json};

pub async fn list(who: Who, mut params: Params) -> Result<Json<Page<Suppression>>, Error> {
    let (cursor, limit) = params.page();
    params.check()?;
    let of = match (params.text("address"), params.text("lead_id")) {
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

pub async fn delete(who: Who, Id(id): Id<SuppressionId>) -> Result<Json<Value>, Error> {
    suppression::delete(&who, &id).await?;
    Ok(Json(json!({ "success": true })))
}
