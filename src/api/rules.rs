//! What an organization asks of all that it sends by plan.

use super::{codec::Json, error::ApiError};
use crate::domain::rules::Rules;
use leptos::prelude::*;

/// The rules of the organization.
#[server(output = Json)]
pub async fn load_rules() -> Result<Rules, ApiError> {
    let who = crate::server::request().await?;
    Ok(crate::server::usecase::rules::load(&who).await?)
}

/// Stores other rules: of `holidays` each line is a day, `quiet_hours` is on when it is `yes`, an empty cap is none.
#[server(output = Json)]
pub async fn save_rules(
    #[server(default)] time_zone: String,
    #[server(default)] holidays: String,
    #[server(default)] quiet_hours: String,
    #[server(default)] cap_per_day: String,
    #[server(default)] cap_per_week: String,
) -> Result<Rules, ApiError> {
    let who = crate::server::request().await?;
    // What is no number is refused as one that is none of those that may be.
    let cap = |text: &str| Some(text.trim()).filter(|text| !text.is_empty()).map(|text| text.parse().unwrap_or(0));
    let rules = Rules {
        time_zone: time_zone.clone(),
        holidays: holidays.lines().map(str::to_owned).collect(),
        quiet_hours: quiet_hours == "yes",
        cap_per_day: cap(&cap_per_day),
        cap_per_week: cap(&cap_per_week),
    };
    crate::server::usecase::rules::update(&who, |_| Ok(rules)).await.map_err(|error| {
        ApiError::from(error).keeping([
            ("time_zone", &*time_zone),
            ("holidays", &*holidays),
            ("quiet_hours", if quiet_hours == "yes" { "yes" } else { "no" }),
            ("cap_per_day", &*cap_per_day),
            ("cap_per_week", &*cap_per_week),
        ])
    })
}
