//! Campaigns.

use super::{
    input::Input,
    params::{Id, Params},
    sequence::{Hours, window},
};
use crate::{
    domain::{
        audience::Audience,
        campaign::{Campaign, CampaignForm, CampaignStory},
        id::CampaignId,
        page::Page,
        rehearsal::{LISTED, LISTED_MAX, Rehearsal},
    },
    server::{
        Who,
        error::Error,
        usecase::{
            campaign,
            rehearsal::{self, PATIENCE},
        },
    },
};
use axum::{Json, http::StatusCode};
use serde_json::{Value, json};

/// What a body says of a campaign; where it is silent, what was there stands.
struct Said {
    name: Option<String>,
    channel: Option<String>,
    template_id: Option<String>,
    audience: Option<Audience>,
    account_ids: Option<Vec<String>>,
    send_at: Option<String>,
    window: Option<Hours>,
    skip_holidays: Option<bool>,
}

impl Said {
    fn read(mut input: Input) -> Result<Self, Error> {
        let mut text = |name: &str| input.has(name).then(|| input.text(name));
        let (name, channel, template_id, send_at) =
            (text("name"), text("channel"), text("template_id"), text("send_at"));
        let audience =
            input.has("audience").then(|| serde_json::from_value::<Option<Audience>>(input.value("audience")));
        let audience = audience.and_then(|audience| {
            let read = audience.map_err(|_| "must be {q, tag, conditions}");
            input.errors.check("audience", read).map(Option::unwrap_or_default)
        });
        let said = Self {
            name,
            channel,
            template_id,
            audience,
            account_ids: input.texts("account_ids"),
            send_at,
            window: input.has("window").then(|| window(&mut input)).flatten(),
            skip_holidays: input.flag("skip_holidays"),
        };
        input.refuse_others();
        input.check()?;
        Ok(said)
    }

    fn over(self, form: CampaignForm) -> CampaignForm {
        CampaignForm {
            name: self.name.unwrap_or(form.name),
            channel: self.channel.unwrap_or(form.channel),
            template_id: self.template_id.unwrap_or(form.template_id),
            audience: self.audience.unwrap_or(form.audience),
            account_ids: self.account_ids.unwrap_or(form.account_ids),
            send_at: self.send_at.unwrap_or(form.send_at),
            window: self.window.map_or(form.window, |hours| hours.0),
            skip_holidays: self.skip_holidays.unwrap_or(form.skip_holidays),
        }
    }
}

pub async fn create(who: Who, input: Input) -> Result<(StatusCode, Json<CampaignStory>), Error> {
    let created = campaign::create(&who, Said::read(input)?.over(CampaignForm::default())).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

pub async fn list(who: Who, mut params: Params) -> Result<Json<Page<Campaign>>, Error> {
    let (cursor, limit) = params.page();
    params.check()?;
    Ok(Json(campaign::list(&who, cursor.as_ref(), limit).await?))
}

pub async fn load(who: Who, Id(id): Id<CampaignId>) -> Result<Json<CampaignStory>, Error> {
    Ok(Json(campaign::load(&who, &id).await?))
}

pub async fn update(who: Who, Id(id): Id<CampaignId>, input: Input) -> Result<Json<CampaignStory>, Error> {
    let said = Said::read(input)?;
    Ok(Json(campaign::update(&who, &id, |before| said.over(before)).await?))
}

pub async fn delete(who: Who, Id(id): Id<CampaignId>) -> Result<Json<Value>, Error> {
    campaign::delete(&who, &id).await?;
    Ok(Json(json!({ "success": true })))
}

pub async fn start(who: Who, Id(id): Id<CampaignId>) -> Result<Json<CampaignStory>, Error> {
    Ok(Json(campaign::start(&who, &id).await?))
}

pub async fn pause(who: Who, Id(id): Id<CampaignId>) -> Result<Json<CampaignStory>, Error> {
    Ok(Json(campaign::pause(&who, &id).await?))
}

pub async fn resume(who: Who, Id(id): Id<CampaignId>) -> Result<Json<CampaignStory>, Error> {
    Ok(Json(campaign::resume(&who, &id).await?))
}

pub async fn cancel(who: Who, Id(id): Id<CampaignId>) -> Result<Json<CampaignStory>, Error> {
    Ok(Json(campaign::cancel(&who, &id).await?))
}

/// What it will send; `?limit=` messages are listed.
pub async fn forecast(who: Who, Id(id): Id<CampaignId>, mut params: Params) -> Result<Json<Rehearsal>, Error> {
    let limit = listed(&mut params)?;
    Ok(Json(rehearsal::campaign(&who, &id, PATIENCE).await?.listing(limit)))
}

/// How many messages of a forecast are listed.
pub(super) fn listed(params: &mut Params) -> Result<usize, Error> {
    let limit = |text: &str| text.parse().ok().filter(|limit| (1..=LISTED_MAX).contains(limit));
    let limit = params.read("limit", |text| limit(text).ok_or(format!("must be a number from 1 to {LISTED_MAX}")));
    params.check()?;
    Ok(limit.unwrap_or(LISTED))
}

/// `{retried}`: how many messages were queued again.
pub async fn retry(who: Who, Id(id): Id<CampaignId>) -> Result<Json<Value>, Error> {
    Ok(Json(json!({ "retried": campaign::retry(&who, &id).await? })))
}
