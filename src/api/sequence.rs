//! Sequences, and the runs of leads through them.

use super::{codec::Json, error::ApiError};
use crate::domain::{
    id::{EnrollmentId, LeadId, SequenceId},
    page::Page,
    sequence::{Choices, Enrolled, Enrollment, LeadRuns, Report, Sequence},
};
use leptos::prelude::*;
use std::collections::BTreeMap;

/// One page of sequences, newest first.
#[server(output = Json)]
pub async fn list_sequences(cursor: Option<String>) -> Result<Page<Sequence>, ApiError> {
    let who = crate::server::request().await?;
    // A cursor that cannot be is that of the first page.
    let cursor = cursor.and_then(|cursor| cursor.parse().ok());
    let limit = crate::domain::page::Limit::default();
    Ok(crate::server::usecase::sequence::list(&who, cursor.as_ref(), limit).await?)
}

/// A sequence with what came of its steps; an id that cannot be does not exist.
#[server(output = Json)]
pub async fn load_report(id: String) -> Result<Report, ApiError> {
    let who = crate::server::request().await?;
    let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
    Ok(crate::server::usecase::sequence::report(&who, &id).await?)
}

/// A sequence and what it can be made of; no id: a new one.
#[server(output = Json)]
pub async fn load_editor(#[server(default)] id: String) -> Result<(Option<Sequence>, Choices), ApiError> {
    let who = crate::server::request().await?;
    let sequence = match id.as_str() {
        "" => None,
        id => {
            let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
            Some(crate::server::usecase::sequence::load(&who, &id).await?)
        }
    };
    Ok((sequence, crate::server::usecase::sequence::choices(&who).await?))
}

/// Stores a new sequence, or what the one of the `id` does now; afterwards the visitor is on its page. The fields are those of
/// a draft: of `days` and `accounts` the names matter and not the values.
#[server(output = Json)]
pub async fn save_sequence(
    #[server(default)] id: String,
    #[server(default)] name: String,
    #[server(default)] steps: BTreeMap<String, BTreeMap<String, String>>,
    #[server(default)] rule: BTreeMap<String, String>,
    #[server(default)] days: BTreeMap<String, String>,
    #[server(default)] accounts: BTreeMap<String, String>,
) -> Result<Sequence, ApiError> {
    let who = crate::server::request().await?;
    let mut typed = crate::domain::sequence::draft::Fields::from([("name".to_owned(), name)]);
    for (group, fields) in [("rule", rule), ("days", days), ("accounts", accounts)] {
        typed.extend(fields.into_iter().map(|(field, text)| (format!("{group}[{field}]"), text)));
    }
    for (at, step) in steps {
        typed.extend(step.into_iter().map(|(field, text)| (format!("steps[{at}][{field}]"), text)));
    }
    let form = crate::domain::sequence::draft::Draft::read(&typed).form();
    let saved = async {
        match id.as_str() {
            "" => crate::server::usecase::sequence::create(&who, form).await,
            id => {
                let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
                crate::server::usecase::sequence::update(&who, &id, |_| form).await
            }
        }
    };
    let saved = saved.await.map_err(|error| {
        let mut error = ApiError::from(error);
        error.typed = typed.into_iter().collect();
        error
    })?;
    leptos_axum::redirect(&format!("/sequences/{}", saved.id));
    Ok(saved)
}

/// Switches a sequence on (`yes`), or holds it.
#[server(output = Json)]
pub async fn switch_sequence(id: SequenceId, #[server(default)] active: String) -> Result<Sequence, ApiError> {
    let who = crate::server::request().await?;
    Ok(match active.as_str() {
        "yes" => crate::server::usecase::sequence::activate(&who, &id).await?,
        _ => crate::server::usecase::sequence::pause(&who, &id).await?,
    })
}

/// Forgets a sequence; afterwards the visitor is on the list.
#[server(output = Json)]
pub async fn delete_sequence(id: SequenceId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    crate::server::usecase::sequence::delete(&who, &id).await?;
    leptos_axum::redirect("/sequences");
    Ok(())
}

/// One page of the runs of a sequence, newest first.
#[server(output = Json)]
pub async fn list_runs(
    id: String,
    status: Option<String>,
    cursor: Option<String>,
) -> Result<Page<Enrollment>, ApiError> {
    let who = crate::server::request().await?;
    let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
    let status = status.as_deref().and_then(crate::domain::sequence::EnrollmentStatus::from_name);
    let cursor = cursor.and_then(|cursor| cursor.parse().ok());
    let limit = crate::domain::page::Limit::default();
    Ok(crate::server::usecase::enrollment::list(&who, &id, status, cursor.as_ref(), limit).await?)
}

/// Enrolls the leads of a tag, those that a search finds, or (`all`) everybody. Afterwards the visitor is on the page of the
/// sequence, which says what became of it.
#[server(output = Json)]
pub async fn enroll_leads(
    id: SequenceId,
    #[server(default)] tag: String,
    #[server(default)] q: String,
    #[server(default)] all: String,
) -> Result<Enrolled, ApiError> {
    let who = crate::server::request().await?;
    let enrolled = async {
        let wanted = crate::server::usecase::enrollment::Wanted::chosen(&tag, &q, all == "yes")?;
        crate::server::usecase::enrollment::enroll(&who, &id, &wanted).await
    };
    let enrolled: Result<Enrolled, crate::server::error::Error> = enrolled.await;
    let enrolled =
        enrolled.map_err(|error| ApiError::from(error).keeping([("tag", &*tag), ("q", &*q), ("all", &*all)]))?;
    let reasons = enrolled.reasons().into_iter().map(|(reason, count)| format!("&{reason}={count}"));
    leptos_axum::redirect(&format!("/sequences/{id}?enrolled={}{}", enrolled.enrolled, reasons.collect::<String>()));
    Ok(enrolled)
}

/// Enrolls one lead, or says why not.
#[server(output = Json)]
pub async fn enroll_lead(id: LeadId, #[server(default)] sequence: String) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    let sequence = sequence.parse().map_err(|_| {
        let errors = crate::domain::field_error::FieldErrors::one("sequence", "is required");
        crate::server::error::Error::from(errors)
    })?;
    let wanted = crate::server::usecase::enrollment::Wanted::Leads(vec![id.to_string()]);
    let enrolled = crate::server::usecase::enrollment::enroll(&who, &sequence, &wanted).await?;
    let why = enrolled.skipped.first().map(|skipped| match skipped.reason.as_str() {
        "already_active" => "This lead is in the sequence already",
        "opted_out" => "This lead asked not to be contacted",
        "no_contact" => "There is no address of this lead that the sequence could write to",
        "no_time" => "The sequence has no time at which anything could be sent",
        _ => "This lead is not there any more",
    });
    match why {
        Some(why) => Err(crate::server::error::Error::conflict("not_enrolled", why).into()),
        None => Ok(()),
    }
}

/// Ends a run.
#[server(output = Json)]
pub async fn stop_run(id: EnrollmentId) -> Result<(), ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::enrollment::stop(&who, &id).await?)
}

/// The runs of a lead, and the sequences that it could be enrolled in.
#[server(output = Json)]
pub async fn runs_of_lead(id: String) -> Result<LeadRuns, ApiError> {
    let who = crate::server::request().await?;
    let id = id.parse().map_err(|_| crate::server::error::Error::not_found())?;
    let runs = crate::server::usecase::enrollment::list_of_lead(&who, &id).await?;
    Ok(LeadRuns { runs, sequences: crate::server::usecase::sequence::names(&who).await? })
}
