//! Templates and snippets.

use super::{
    input::Input,
    params::{Id, Params},
};
use crate::{
    domain::{
        channel::Channel,
        id::{LeadId, SnippetId, TemplateId},
        page::Page,
        template::{Preview, Snippet, Template, TemplateFilter, TemplateForm, Version},
    },
    server::{
        Who,
        error::Error,
        usecase::{snippet, template},
    },
};
use axum::{Json, http::StatusCode};
use serde_json::{Value, json};

/// What a body says of a template.
struct Said(Vec<(&'static str, String)>);

impl Said {
    fn read(input: &mut Input) -> Self {
        let names = ["name", "channel", "subject", "body"];
        let given: Vec<_> = names.into_iter().filter(|name| input.has(name)).collect();
        Self(given.into_iter().map(|name| (name, input.text(name))).collect())
    }

    fn alone(mut input: Input) -> Result<Self, Error> {
        let said = Self::read(&mut input);
        input.refuse_others();
        input.check()?;
        Ok(said)
    }

    /// Where it is silent, `form` stands.
    fn over(self, mut form: TemplateForm) -> TemplateForm {
        for (name, text) in self.0 {
            let field = match name {
                "name" => &mut form.name,
                "channel" => &mut form.channel,
                "subject" => &mut form.subject,
                _ => &mut form.body,
            };
            *field = text;
        }
        form
    }
}

pub async fn create(who: Who, input: Input) -> Result<(StatusCode, Json<Template>), Error> {
    let form = Said::alone(input)?.over(TemplateForm::default());
    Ok((StatusCode::CREATED, Json(template::create(&who, &form).await?)))
}

pub async fn list(who: Who, mut params: Params) -> Result<Json<Page<Template>>, Error> {
    let (cursor, limit) = params.page();
    let known = |name: &str| Channel::from_name(name).ok_or("must be email, sms or whatsapp");
    let channel = params.read("channel", known);
    params.check()?;
    let q = params.text("q").unwrap_or_default().chars().take(200).collect();
    let filter = TemplateFilter { channel, q, cursor };
    Ok(Json(template::list(&who, &filter, limit).await?))
}

pub async fn load(who: Who, Id(id): Id<TemplateId>) -> Result<Json<Template>, Error> {
    Ok(Json(template::load(&who, &id).await?))
}

pub async fn update(who: Who, Id(id): Id<TemplateId>, input: Input) -> Result<Json<Template>, Error> {
    let said = Said::alone(input)?;
    Ok(Json(template::update(&who, &id, |before| said.over(before)).await?))
}

pub async fn delete(who: Who, Id(id): Id<TemplateId>) -> Result<Json<Value>, Error> {
    template::delete(&who, &id).await?;
    Ok(Json(json!({ "success": true })))
}

pub async fn versions(who: Who, Id(id): Id<TemplateId>, mut params: Params) -> Result<Json<Page<Version>>, Error> {
    let (before, limit) = params.page();
    params.check()?;
    Ok(Json(template::versions(&who, &id, before, limit).await?))
}

pub async fn restore(who: Who, Id(id): Id<TemplateId>, mut input: Input) -> Result<Json<Template>, Error> {
    let number = input.number("version");
    let version = input.errors.check("version", number.parse().map_err(|_| "must be the number of a version"));
    input.refuse_others();
    input.check()?;
    Ok(Json(template::restore(&who, &id, version.unwrap_or_default()).await?))
}

/// The lead that a body names, if it names one.
fn lead_of(input: &mut Input) -> Result<Option<LeadId>, Error> {
    match input.text("lead_id").trim() {
        "" => Ok(None),
        id => id.parse().map(Some).map_err(|_| Error::missing("Lead not found")),
    }
}

pub async fn preview(who: Who, Id(id): Id<TemplateId>, mut input: Input) -> Result<Json<Preview>, Error> {
    let lead = lead_of(&mut input);
    input.refuse_others();
    input.check()?;
    Ok(Json(template::preview(&who, &id, lead?.as_ref()).await?))
}

/// Of a text that is not stored; `template_id` names the template that it is to be in, whose variants it then has.
pub async fn preview_draft(who: Who, mut input: Input) -> Result<Json<Preview>, Error> {
    let (lead, id) = (lead_of(&mut input), input.text("template_id"));
    let form = Said::alone(input)?.over(TemplateForm::default());
    let id: Option<TemplateId> = if id.is_empty() { None } else { Some(id.parse().map_err(|_| Error::not_found())?) };
    Ok(Json(template::preview_draft(&who, id.as_ref(), &form, lead?.as_ref(), "").await?))
}

/// What a body says of a snippet: its name and its text.
fn snippet_of(mut input: Input) -> Result<[Option<String>; 2], Error> {
    let said = ["name", "body"].map(|name| input.has(name).then(|| input.text(name)));
    input.refuse_others();
    input.check()?;
    Ok(said)
}

pub async fn create_snippet(who: Who, input: Input) -> Result<(StatusCode, Json<Snippet>), Error> {
    let [name, body] = snippet_of(input)?.map(Option::unwrap_or_default);
    Ok((StatusCode::CREATED, Json(snippet::create(&who, &name, &body).await?)))
}

pub async fn list_snippets(who: Who, mut params: Params) -> Result<Json<Page<Snippet>>, Error> {
    let (cursor, limit) = params.page();
    params.check()?;
    Ok(Json(snippet::list(&who, cursor.as_ref(), limit).await?))
}

pub async fn load_snippet(who: Who, Id(id): Id<SnippetId>) -> Result<Json<Snippet>, Error> {
    Ok(Json(snippet::load(&who, &id).await?))
}

pub async fn update_snippet(who: Who, Id(id): Id<SnippetId>, input: Input) -> Result<Json<Snippet>, Error> {
    let [name, body] = snippet_of(input)?;
    let change = |old_name, old_body| (name.unwrap_or(old_name), body.unwrap_or(old_body));
    Ok(Json(snippet::update(&who, &id, change).await?))
}

pub async fn delete_snippet(who: Who, Id(id): Id<SnippetId>) -> Result<Json<Value>, Error> {
    snippet::delete(&who, &id).await?;
    Ok(Json(json!({ "success": true })))
}
