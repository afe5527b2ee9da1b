//! The daily limit in a form, with the words that let it go above a thousand.

use crate::{
    domain::limit::DailyLimit,
    ui::part::{field::Field, form::Faults},
};
use leptos::prelude::*;

/// A number, and beneath it the confirmation, which is needed only above what is usual.
#[component]
pub fn LimitFields(
    /// What stands in it at first.
    value: String,
    /// The confirmation that was typed before.
    confirmation: String,
    faults: Faults,
) -> impl IntoView {
    let is_asked = !confirmation.is_empty();
    view! {
        <Field
            name="daily_limit"
            label="Daily message limit"
            kind="number"
            min="1"
            value
            required=false
            hint=format!("1 to {}; what is over it waits for the next day.", DailyLimit::UNCONFIRMED_MAX)
            faults
        />
        <details open=is_asked>
            <summary>{format!("More than {}", DailyLimit::UNCONFIRMED_MAX)}</summary>
            <Field
                name="confirmation"
                label=format!("Type “{}”", DailyLimit::RAISE)
                hint="Providers and carriers block numbers that suddenly send much more than before."
                value=confirmation
                required=false
                faults
            />
        </details>
    }
}
