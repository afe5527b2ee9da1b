//! What the editors of sequences and campaigns have in common: when messages may leave, and who sends them.

use crate::{
    domain::{
        sequence::Choice,
        window::{DAYS, Window},
    },
    ui::part::{field::Field, form::Faults},
};
use leptos::prelude::*;

/// Days and hours, and holidays.
#[component]
pub fn Hours(
    has_window: bool,
    /// Also while there is none.
    window: Window,
    skip_holidays: bool,
    faults: Faults,
) -> impl IntoView {
    let (from, to) = (window.from.clone(), window.to.clone());
    let day = move |(at, day): (usize, &'static str)| {
        view! {
            <label class="check">
                <input type="checkbox" name=format!("days[{day}]") checked=window.has_day(at) />
                {format!("{}{}", day[..1].to_uppercase(), &day[1..])}
            </label>
        }
    };
    view! {
        <fieldset class="stack">
            <legend class="unseen">"When messages may leave"</legend>
            <label class="check">
                <input type="radio" name="rule[hours]" value="any" checked=!has_window />
                "At any time"
            </label>
            <label class="check">
                <input type="radio" name="rule[hours]" value="window" checked=has_window />
                "On some days and hours, by each lead's clock"
            </label>
            <div class="window stack">
                <div class="row" role="group" aria-label="Days">
                    {DAYS.into_iter().enumerate().map(day).collect_view()}
                </div>
                <Fault of="window.days" faults />
                <div class="pairs">
                    <Field name="rule[from]" fault="window.from" label="From" value=from required=false faults />
                    <Field
                        name="rule[to]"
                        fault="window.to"
                        label="Until"
                        value=to
                        required=false
                        hint="24:00 is the end of the day."
                        faults
                    />
                </div>
            </div>
            <Fault of="window" faults />
        </fieldset>
        <label class="check">
            <input type="checkbox" name="rule[skip_holidays]" value="yes" checked=skip_holidays />
            <span>"Not on holidays (" <a href="/settings">"settings"</a> ")"</span>
        </label>
    }
}

/// A fault of what is no single field.
#[component]
pub fn Fault(of: &'static str, faults: Faults) -> impl IntoView {
    move || faults.of(of).map(|text| view! { <p class="field"><span class="fault">{text}</span></p> })
}

/// Who shares the work.
#[component]
pub fn Accounts(
    all: Vec<Choice>,
    /// Their ids.
    chosen: Vec<String>,
    /// What needs one.
    then: &'static str,
) -> impl IntoView {
    if all.is_empty() {
        return view! {
            <p class="soft">
                "There is no account yet. " <a href="/accounts?add=1">"Connect one"</a> {format!(" before you {then}.")}
            </p>
        }
        .into_any();
    }
    let account = move |account: Choice| {
        let is_chosen = chosen.contains(&account.id);
        view! {
            <label class="check">
                <input type="checkbox" name=format!("accounts[{}]", account.id) checked=is_chosen />
                <span>{account.label} " " <span class=format!("badge {}", account.channel.as_str())>{account.channel.label()}</span></span>
            </label>
        }
    };
    view! {
        <p class="soft">"These accounts share the work. Without a tick all active ones do."</p>
        <div class="stack" role="group" aria-label="Accounts">{all.into_iter().map(account).collect_view()}</div>
    }
    .into_any()
}
