//! Leads.

use super::input::Input;
use crate::{
    domain::{
        audience::{Audience, Order, Place},
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

/// What a body says of a lead.
struct Said {
    texts: Vec<(&'static str, String)>,
    custom: Vec<(String, Option<String>)>,
    tags: Option<Vec<String>>,
}

impl Said {
    fn read(mut input: Input) -> Result<Self, Error> {
        let names = ["name", "company", "email", "phone", "whatsapp", "time_zone", "notes"];
        let given: Vec<_> = names.into_iter().filter(|name| input.has(name)).collect();
        let said = Self {
            texts: given.into_iter().map(|name| (name, input.text(name))).collect(),
            custom: input.record("custom"),
            tags: input.texts("tags"),
        };
        input.refuse_others();
        input.check()?;
        Ok(said)
    }

    /// Where it is silent, `form` stands. A custom field that is null goes.
    fn over(self, mut form: LeadForm) -> LeadForm {
        for (name, text) in self.texts {
            let field = match name {
                "name" => &mut form.name,
                "company" => &mut form.company,
                "email" => &mut form.email,
                "phone" => &mut form.phone,
                "whatsapp" => &mut form.whatsapp,
                "time_zone" => &mut form.time_zone,
                _ => &mut form.notes,
            };
            *field = text;
        }
        for (name, value) in self.custom {
            form.custom.retain(|(known, _)| *known != name);
            form.custom.extend(value.map(|value| (name, value)));
        }
        form.tags = self.tags.unwrap_or(form.tags);
        form
    }
}

pub async fn create(who: Who, input: Input) -> Result<(StatusCode, Json<Lead>), Error> {
    let form = Said::read(input)?.over(LeadForm::default());
    Ok((StatusCode::CREATED, Json(lead::create(&who, &form).await?)))
}

/// Whom the parameters of a list mean: `audience` as JSON, and what stands beside it.
pub fn audience(params: &HashMap<String, String>) -> Result<Audience, FieldErrors> {
    let param = |name: &str| params.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let mut errors = FieldErrors::default();
    let whole = param("audience").map_or(Ok(Audience::default()), serde_json::from_str);
    let whole = errors.check("audience", whole.map_err(|_| "must be {q, tag, segment, conditions} as JSON"));
    let conditions = param("conditions").map_or(Ok(Vec::new()), serde_json::from_str);
    let conditions = errors.check("conditions", conditions.map_err(|_| "must be a list of {field, op, value} as JSON"));
    let mut asked = Audience {
        q: param("q").unwrap_or_default().to_owned(),
        tag: param("tag").unwrap_or_default().to_owned(),
        segment: param("segment").unwrap_or_default().to_owned(),
        conditions: conditions.unwrap_or_default(),
    };
    let whole = whole.unwrap_or_default();
    if asked.segment.is_empty() {
        asked.segment.clone_from(&whole.segment);
    } else if !whole.segment.is_empty() && whole.segment != asked.segment {
        errors.add("segment", "is not the one of the audience");
    }
    let (audience, ()) =
        FieldErrors::both(asked.and(whole).parse(), if errors.is_empty() { Ok(()) } else { Err(errors) })?;
    Ok(audience)
}

const NO_ORDER: &str = "must be newest, name or company";

pub async fn list(who: Who, Query(params): Query<HashMap<String, String>>) -> Result<Json<Page<Lead>>, Error> {
    let param = |name: &str| params.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let mut errors = FieldErrors::default();
    let cursor =
        param("cursor").and_then(|text| errors.check("cursor", Place::parse(text).ok_or("is no cursor of this list")));
    let order = param("sort").map_or(Ok(Order::Newest), |name| Order::from_name(name).ok_or(NO_ORDER));
    let order = errors.check("sort", order).unwrap_or_default();
    let limit = param("limit").and_then(|text| errors.check("limit", Limit::parse(text))).unwrap_or_default();
    let rest = if errors.is_empty() { Ok(()) } else { Err(errors) };
    let (audience, ()) = FieldErrors::both(audience(&params), rest)?;
    Ok(Json(lead::list(&who, &audience, order, cursor.as_ref(), limit).await?))
}

pub async fn load(who: Who, Path(id): Path<String>) -> Result<Json<Lead>, Error> {
    Ok(Json(lead::load(&who, &parse_id(&id)?).await?))
}

pub async fn update(who: Who, Path(id): Path<String>, input: Input) -> Result<Json<Lead>, Error> {
    let (id, said) = (parse_id(&id)?, Said::read(input)?);
    Ok(Json(lead::update(&who, &id, |before| said.over(before)).await?))
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
