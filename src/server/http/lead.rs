//! Leads.

use super::input::Input;
use crate::{
    domain::{
        audience::Audience,
        field_error::FieldErrors,
        id::LeadId,
        lead::{Lead, LeadForm},
        page::{Limit, Page},
    },
    server::{Who, error::Error, usecase::lead},
};
use axum::{
    Json,
    extract::{Path, Query},
    http::StatusCode,
};
use serde_json::{Value, json};
use std::collections::HashMap;

fn parse_id(id: &str) -> Result<LeadId, Error> {
    id.parse().map_err(|_| Error::not_found())
}

/// What a body says of a lead; where it is silent, `before` stands. A custom field that is null goes.
fn read_form(input: &mut Input, before: LeadForm) -> LeadForm {
    let mut text = |name: &str, before: String| if input.has(name) { input.text(name) } else { before };
    let mut form = LeadForm {
        name: text("name", before.name),
        company: text("company", before.company),
        email: text("email", before.email),
        phone: text("phone", before.phone),
        whatsapp: text("whatsapp", before.whatsapp),
        time_zone: text("time_zone", before.time_zone),
        notes: text("notes", before.notes),
        custom: before.custom,
        tags: before.tags,
    };
    for (name, value) in input.record("custom") {
        form.custom.retain(|(known, _)| *known != name);
        form.custom.extend(value.map(|value| (name, value)));
    }
    form.tags = input.texts("tags").unwrap_or(form.tags);
    input.refuse_others();
    form
}

pub async fn create(who: Who, mut input: Input) -> Result<(StatusCode, Json<Lead>), Error> {
    let form = read_form(&mut input, LeadForm::default());
    input.check()?;
    Ok((StatusCode::CREATED, Json(lead::create(&who, &form).await?)))
}

pub async fn list(who: Who, Query(params): Query<HashMap<String, String>>) -> Result<Json<Page<Lead>>, Error> {
    let param = |name: &str| params.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let mut errors = FieldErrors::default();
    let conditions = param("conditions").map_or(Ok(Vec::new()), serde_json::from_str);
    let conditions = errors.check("conditions", conditions.map_err(|_| "must be a list of {field, op, value} as JSON"));
    let asked = Audience {
        q: param("q").unwrap_or_default().to_owned(),
        tag: param("tag").unwrap_or_default().to_owned(),
        conditions: conditions.unwrap_or_default(),
    };
    let cursor = param("cursor")
        .and_then(|text| errors.check("cursor", text.parse::<LeadId>().map_err(|_| "is no cursor of this list")));
    let limit = param("limit").and_then(|text| errors.check("limit", Limit::parse(text))).unwrap_or_default();
    let (audience, ()) = FieldErrors::both(asked.parse(), if errors.is_empty() { Ok(()) } else { Err(errors) })?;
    Ok(Json(lead::list(&who, &audience, cursor.as_ref(), limit).await?))
}

pub async fn load(who: Who, Path(id): Path<String>) -> Result<Json<Lead>, Error> {
    Ok(Json(lead::load(&who, &parse_id(&id)?).await?))
}

pub async fn update(who: Who, Path(id): Path<String>, mut input: Input) -> Result<Json<Lead>, Error> {
    let id = parse_id(&id)?;
    // Once to find what is wrong with it, whatever was known before.
    let mut faults = Input::of(serde_json::from_str(&input.raw).unwrap_or_default())?;
    read_form(&mut faults, LeadForm::default());
    faults.check()?;
    Ok(Json(lead::update(&who, &id, |before| read_form(&mut input, before)).await?))
}

pub async fn merge(who: Who, Path(id): Path<String>, mut input: Input) -> Result<Json<Lead>, Error> {
    let other = input.text("lead_id");
    input.refuse_others();
    input.check()?;
    let other = other.parse().map_err(|_| Error::missing("Lead not found"))?;
    Ok(Json(lead::merge(&who, &parse_id(&id)?, &other).await?))
}

/// Answers with the lead that is there again.
pub async fn unmerge(who: Who, Path(id): Path<String>) -> Result<Json<Lead>, Error> {
    Ok(Json(lead::unmerge(&who, &parse_id(&id)?).await?))
}

pub async fn delete(who: Who, Path(id): Path<String>) -> Result<Json<Value>, Error> {
    lead::delete(&who, &parse_id(&id)?).await?;
    Ok(Json(json!({ "success": true })))
}
