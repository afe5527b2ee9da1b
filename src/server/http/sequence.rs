//! Sequences and the runs of leads through them.

use super::{
    campaign::listed,
    input::Input,
    params::{Id, Params},
};
use crate::{
    domain::{
        field_error::FieldErrors,
        id::{EnrollmentId, SequenceId},
        page::Page,
        rehearsal::Rehearsal,
        sequence::{Enrolled, Enrollment, EnrollmentStatus, Sequence, SequenceForm, StepCounts, StepForm},
        window::Window,
    },
    server::{
        Who,
        error::Error,
        usecase::{
            enrollment::{self, Wanted},
            rehearsal::{self, PATIENCE},
            sequence,
        },
    },
};
use axum::{Json, http::StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

/// A sequence with what came of each of its steps.
#[derive(Serialize)]
pub struct Told {
    #[serde(flatten)]
    sequence: Sequence,
    counts: Vec<StepCounts>,
}

/// A window, or that there is none.
pub(super) struct Hours(pub(super) Option<Window>);

/// What a body says of a sequence; where it is silent, what was there stands.
struct Said {
    name: Option<String>,
    stop_on_reply: Option<bool>,
    skip_holidays: Option<bool>,
    stop_tags: Option<Vec<String>>,
    account_ids: Option<Vec<String>>,
    steps: Option<Vec<StepForm>>,
    window: Option<Hours>,
    is_active: Option<bool>,
}

impl Said {
    fn read(mut input: Input) -> Result<Self, Error> {
        let name = input.has("name").then(|| input.text("name"));
        let steps = input.has("steps").then(|| {
            let list = input.list("steps");
            list.into_iter().enumerate().filter_map(|(at, value)| step(&mut input.errors, at, value)).collect()
        });
        let window = input.has("window").then(|| window(&mut input)).flatten();
        let said = Self {
            name,
            stop_on_reply: input.flag("stop_on_reply"),
            skip_holidays: input.flag("skip_holidays"),
            stop_tags: input.texts("stop_tags"),
            account_ids: input.texts("account_ids"),
            steps,
            window,
            is_active: input.flag("is_active"),
        };
        input.refuse_others();
        input.check()?;
        Ok(said)
    }

    fn over(self, mut form: SequenceForm) -> SequenceForm {
        form.name = self.name.unwrap_or(form.name);
        form.stop_on_reply = self.stop_on_reply.unwrap_or(form.stop_on_reply);
        form.skip_holidays = self.skip_holidays.unwrap_or(form.skip_holidays);
        form.stop_tags = self.stop_tags.unwrap_or(form.stop_tags);
        form.account_ids = self.account_ids.unwrap_or(form.account_ids);
        form.steps = self.steps.unwrap_or(form.steps);
        form.window = self.window.map_or(form.window, |hours| hours.0);
        form
    }

    fn is_silent(&self) -> bool {
        self.name.is_none()
            && self.stop_on_reply.is_none()
            && self.skip_holidays.is_none()
            && self.stop_tags.is_none()
            && self.account_ids.is_none()
            && self.steps.is_none()
            && self.window.is_none()
    }
}

/// One step; its faults carry its place.
fn step(errors: &mut FieldErrors, at: usize, value: Value) -> Option<StepForm> {
    let Ok(mut input) = Input::of(value) else {
        errors.add(&format!("steps.{at}"), "must be an object");
        return None;
    };
    // How a template is pinned is told, and not asked.
    input.forget("template_version");
    let form = StepForm {
        channel: input.text("channel"),
        delay_hours: input.number("delay_hours"),
        template_id: input.text("template_id"),
        on_missing: input.text("on_missing"),
    };
    input.refuse_others();
    for fault in input.errors.0 {
        errors.add(&format!("steps.{at}.{}", fault.field), fault.message);
    }
    Some(form)
}

/// `{days, from, to}`, or null for any time; nothing when it is no window.
pub(super) fn window(input: &mut Input) -> Option<Hours> {
    let read = serde_json::from_value::<Option<Window>>(input.value("window"));
    if read.is_err() {
        input.errors.add("window", "must be {days, from, to}, or null");
    }
    read.ok().map(Hours)
}

pub async fn create(who: Who, input: Input) -> Result<(StatusCode, Json<Sequence>), Error> {
    let said = Said::read(input)?;
    let is_active = said.is_active == Some(true);
    let created =
        sequence::create(&who, said.over(SequenceForm { stop_on_reply: true, ..SequenceForm::default() })).await?;
    let created = if is_active { sequence::activate(&who, &created.id).await? } else { created };
    Ok((StatusCode::CREATED, Json(created)))
}

pub async fn list(who: Who, mut params: Params) -> Result<Json<Page<Sequence>>, Error> {
    let (cursor, limit) = params.page();
    params.check()?;
    Ok(Json(sequence::list(&who, cursor.as_ref(), limit).await?))
}

pub async fn load(who: Who, Id(id): Id<SequenceId>) -> Result<Json<Told>, Error> {
    let (sequence, counts) = sequence::story(&who, &id).await?;
    Ok(Json(Told { sequence, counts }))
}

pub async fn update(who: Who, Id(id): Id<SequenceId>, input: Input) -> Result<Json<Sequence>, Error> {
    let said = Said::read(input)?;
    let is_active = said.is_active;
    if is_active == Some(false) {
        sequence::pause(&who, &id).await?;
    }
    if !said.is_silent() {
        sequence::update(&who, &id, |before| said.over(before)).await?;
    }
    if is_active == Some(true) {
        sequence::activate(&who, &id).await?;
    }
    Ok(Json(sequence::load(&who, &id).await?))
}

pub async fn delete(who: Who, Id(id): Id<SequenceId>) -> Result<Json<Value>, Error> {
    sequence::delete(&who, &id).await?;
    Ok(Json(json!({ "success": true })))
}

/// `{lead_ids}` or `{filter}`.
fn wanted(mut input: Input) -> Result<Wanted, Error> {
    let leads = input.texts("lead_ids");
    let filter = super::segment::audience(&mut input, "filter");
    if leads.is_some() == filter.is_some() && input.errors.is_empty() {
        input.errors.add("lead_ids", "or filter is required, one of them");
    }
    input.refuse_others();
    input.check()?;
    Ok(match (leads, filter) {
        (Some(leads), _) => Wanted::Leads(leads),
        (None, filter) => Wanted::Audience(filter.unwrap_or_default().parse()?),
    })
}

pub async fn enroll(who: Who, Id(id): Id<SequenceId>, input: Input) -> Result<Json<Enrolled>, Error> {
    Ok(Json(enrollment::enroll(&who, &id, &wanted(input)?).await?))
}

/// What it will send to those who would be enrolled; `?limit=` messages are listed.
pub async fn forecast(
    who: Who,
    Id(id): Id<SequenceId>,
    mut params: Params,
    input: Input,
) -> Result<Json<Rehearsal>, Error> {
    let (limit, wanted) = (listed(&mut params)?, wanted(input)?);
    Ok(Json(rehearsal::sequence(&who, &id, &wanted, PATIENCE).await?.listing(limit)))
}

pub async fn list_enrollments(
    who: Who,
    Id(id): Id<SequenceId>,
    mut params: Params,
) -> Result<Json<Page<Enrollment>>, Error> {
    let (cursor, limit) = params.page();
    let known = |name: &str| EnrollmentStatus::from_name(name).ok_or("must be active, finished or stopped");
    let status = params.read("status", known);
    params.check()?;
    Ok(Json(enrollment::list(&who, &id, status, cursor.as_ref(), limit).await?))
}

pub async fn stop_enrollment(who: Who, Id(id): Id<EnrollmentId>) -> Result<Json<Value>, Error> {
    enrollment::stop(&who, &id).await?;
    Ok(Json(json!({ "success": true })))
}
