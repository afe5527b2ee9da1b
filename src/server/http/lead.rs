//! Leads.

use super::{
    input::Input,
    params::{Id, Params},
};
use crate::{
    domain::{
        audience::{Audience, Order},
        id::LeadId,
        lead::{Lead, LeadForm},
        page::Page,
    },
    server::{Who, error::Error, usecase::lead},
};
use axum::{Json, http::StatusCode};
use serde_json::{Value, json};

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

/// Whom the parameters of a list mean: `audience` as JSON, and what stands beside it. An error when anything of them was wrong.
pub fn audience(params: &mut Params) -> Result<Audience, Error> {
    let no_audience = |_| "must be {q, tag, segment, conditions} as JSON";
    let whole = params.read("audience", |text| serde_json::from_str::<Audience>(text).map_err(no_audience));
    let no_conditions = |_| "must be a list of {field, op, value} as JSON";
    let conditions = params.read("conditions", |text| serde_json::from_str(text).map_err(no_conditions));
    let text = |name: &str| params.text(name).unwrap_or_default().to_owned();
    let mut asked = Audience {
        q: text("q"),
        tag: text("tag"),
        segment: text("segment"),
        conditions: conditions.unwrap_or_default(),
    };
    let whole = whole.unwrap_or_default();
    if asked.segment.is_empty() {
        asked.segment.clone_from(&whole.segment);
    } else if !whole.segment.is_empty() && whole.segment != asked.segment {
        params.errors.add("segment", "is not the one of the audience");
    }
    let audience = params.errors.join(asked.and(whole).parse());
    params.check()?;
    Ok(audience.unwrap_or_default())
}

pub async fn list(who: Who, mut params: Params) -> Result<Json<Page<Lead>>, Error> {
    let (cursor, limit) = params.page();
    let order = params.read("sort", |name| Order::from_name(name).ok_or("must be newest, name or company"));
    let audience = audience(&mut params)?;
    Ok(Json(lead::list(&who, &audience, order.unwrap_or_default(), cursor.as_ref(), limit).await?))
}

pub async fn load(who: Who, Id(id): Id<LeadId>) -> Result<Json<Lead>, Error> {
    Ok(Json(lead::load(&who, &id).await?))
}

pub async fn update(who: Who, Id(id): Id<LeadId>, input: Input) -> Result<Json<Lead>, Error> {
    let said = Said::read(input)?;
    Ok(Json(lead::update(&who, &id, |before| said.over(before)).await?))
}

pub async fn merge(who: Who, Id(id): Id<LeadId>, mut input: Input) -> Result<Json<Lead>, Error> {
    let other = input.text("lead_id");
    input.refuse_others();
    input.check()?;
    let other = other.parse().map_err(|_| Error::missing("Lead not found"))?;
    Ok(Json(lead::merge(&who, &id, &other).await?))
}

/// Answers with the lead that is there again.
pub async fn unmerge(who: Who, Id(id): Id<LeadId>) -> Result<Json<Lead>, Error> {
    Ok(Json(lead::unmerge(&who, &id).await?))
}

pub async fn delete(who: Who, Id(id): Id<LeadId>) -> Result<Json<Value>, Error> {
    lead::delete(&who, &id).await?;
    Ok(Json(json!({ "success": true })))
}
