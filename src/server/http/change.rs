//! Changes to many leads.

use super::{
    input::Input,
    params::{Id, Params},
    segment::audience,
};
use crate::{
    domain::{
        change::{Change, Deed},
        id::ChangeId,
        page::Page,
    },
    server::{Who, error::Error, usecase::change},
};
use axum::{Json, http::StatusCode};

/// Whom it means must be said: `{}` is everybody.
pub async fn create(who: Who, mut input: Input) -> Result<(StatusCode, Json<Change>), Error> {
    let [action, tag, sequence] = ["action", "tag", "sequence_id"].map(|name| input.text(name));
    let is_said = input.has("audience");
    let audience = audience(&mut input, "audience");
    if !is_said {
        input.errors.add("audience", "is required; {} means all leads");
    }
    input.refuse_others();
    let deed = input.errors.join(Deed::parse(&action, &tag, &sequence));
    let Some(deed) = deed.filter(|_| input.errors.is_empty()) else { return Err(input.errors.into()) };
    Ok((StatusCode::ACCEPTED, Json(change::create(&who, deed, audience.unwrap_or_default()).await?)))
}

pub async fn list(who: Who, mut params: Params) -> Result<Json<Page<Change>>, Error> {
    let (cursor, limit) = params.page();
    params.check()?;
    Ok(Json(change::list(&who, cursor.as_ref(), limit).await?))
}

pub async fn load(who: Who, Id(id): Id<ChangeId>) -> Result<Json<Change>, Error> {
    Ok(Json(change::load(&who, &id).await?))
}

pub async fn cancel(who: Who, Id(id): Id<ChangeId>) -> Result<Json<Change>, Error> {
    Ok(Json(change::cancel(&who, &id).await?))
}
