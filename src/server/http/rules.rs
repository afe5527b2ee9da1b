//! What an organization asks of all that it sends by plan.

use super::input::Input;
use crate::{
    domain::rules::Rules,
    server::{Who, error::Error, usecase::rules},
};
use axum::Json;
use serde_json::{Map, Value};

pub async fn load(who: Who) -> Result<Json<Rules>, Error> {
    Ok(Json(rules::load(&who).await?))
}

pub async fn update(who: Who, mut input: Input) -> Result<Json<Rules>, Error> {
    let names = ["time_zone", "holidays", "quiet_hours", "cap_per_day", "cap_per_week"];
    let given: Vec<&str> = names.into_iter().filter(|name| input.has(name)).collect();
    let given: Map<String, Value> = given.into_iter().map(|name| (name.to_owned(), input.value(name))).collect();
    input.refuse_others();
    input.check()?;
    let changed = rules::update(&who, |before| {
        let mut all = serde_json::to_value(&before).map_err(|error| Error::Internal(error.to_string()))?;
        for (name, value) in given {
            // Each for itself, so that a wrong type names its field.
            let mut one = all.clone();
            one[&name] = value;
            if serde_json::from_value::<Rules>(one.clone()).is_err() {
                return Err(crate::domain::field_error::FieldErrors::one(&name, "has the wrong type").into());
            }
            all = one;
        }
        serde_json::from_value(all).map_err(|error| Error::Internal(error.to_string()))
    });
    Ok(Json(changed.await?))
}
