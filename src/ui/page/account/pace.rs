//! How fast an account sends and what its limit counts, in the edit dialog. Most people never need it: it is folded away.

use crate::{
    domain::{account::Account, channel::Channel, limit::LimitWindow},
    ui::part::{
        field::{Field, FieldFrame},
        form::Faults,
        hydrated::Hydrated,
        select::entries,
    },
};
use js_sys::{Array, Function, Object, Reflect};
use leptos::prelude::*;
use wasm_bindgen::{JsCast, JsValue};

/// Names of the fields, as in the API.
const FIELDS: [&str; 8] = [
    "rate_per_second",
    "min_gap_seconds",
    "limit_window",
    "time_zone",
    "warmup_start",
    "warmup_step",
    "on_unknown",
    "used_elsewhere_today",
];

/// All of it, open when something in it is wrong.
#[component]
pub fn PaceFields(account: Account, faults: Faults) -> impl IntoView {
    let is_wrong = Memo::new(move |_| FIELDS.iter().any(|field| faults.of(field).is_some()));
    let pace = account.pace;
    let typed = move |name: &str, stored: String| faults.typed(&format!("pace[{name}]")).unwrap_or(stored);
    let number = |stored: Option<u32>| stored.map(|number| number.to_string()).unwrap_or_default();
    let field =
        move |name: &'static str, label: &'static str, min: &'static str, stored: String, hint: &'static str| {
            view! {
                <Field
                    name=format!("pace[{name}]")
                    fault=name
                    label
                    kind="number"
                    min
                    value=typed(name, stored)
                    required=false
                    hint
                    faults
                />
            }
        };
    let warmup = pace.warmup;
    let windows = [(LimitWindow::Day.as_str(), "A calendar day"), (LimitWindow::Rolling.as_str(), "The last 24 hours")];
    let window = typed("limit_window", pace.limit_window.as_str().to_owned());
    view! {
        <details open=move || is_wrong.get()>
            <summary>"Pace and limits"</summary>
            <div class="pairs">
                {field("rate_per_second", "Most a second", "1", number(pace.rate_per_second), "In segments. Empty: as fast as the provider takes them.")}
                {field("min_gap_seconds", "Seconds between two", "1", number(pace.min_gap_seconds), "Up to half of it is added at random. Empty: none.")}
                <div class="field">
                    <label for="f-pace-limit_window-">"The limit counts"</label>
                    <select id="f-pace-limit_window-" name="pace[limit_window]">
                        {entries(windows, &window)}
                    </select>
                    <span class="hint">"With the last 24 hours there is no rush at midnight."</span>
                </div>
                <Zone value=typed("time_zone", pace.time_zone.clone()) faults />
                {field("warmup_start", "Warm-up: first day", "1", number(warmup.map(|warmup| warmup.start)), "Messages on the first day. Empty: no warm-up.")}
                {field("warmup_step", "Warm-up: more each day", "0", number(warmup.map(|warmup| warmup.step)), "Until the daily limit is reached.")}
                {field("used_elsewhere_today", "Sent elsewhere today", "0", String::new(), "Past Tern, by other programs; it counts against today's limit. Empty: as it is.")}
                {(account.channel == Channel::Email)
                    .then(|| {
                        let stored = if pace.resends_unknown { "resend" } else { "hold" };
                        let chosen = typed("on_unknown", stored.to_owned());
                        view! {
                            <div class="field">
                                <label for="f-pace-on_unknown-">"If nobody knows whether it went out"</label>
                                <select id="f-pace-on_unknown-" name="pace[on_unknown]">
                                    {entries([("hold", "Hold it for a person"), ("resend", "Send it once more")], &chosen)}
                                </select>
                                <span class="hint">"Sent once more, it has the same Message-ID; most mailboxes show it once."</span>
                            </div>
                        }
                    })}
            </div>
        </details>
    }
}

/// The zone of the account's day, with the names that the browser knows.
#[component]
fn Zone(value: String, faults: Faults) -> impl IntoView {
    let hydrated = Hydrated::get();
    let message = Memo::new(move |_| faults.of("time_zone"));
    view! {
        <FieldFrame id="f-pace-time_zone-" label="Time zone of its day" message hint="A name like Europe/Berlin.">
            <input
                id="f-pace-time_zone-"
                name="pace[time_zone]"
                list="zones"
                autocomplete="off"
                value=value
                aria-invalid=move || message.get().map(|_| "true")
                aria-describedby="f-pace-time_zone-fault f-pace-time_zone-hint"
            />
            <datalist id="zones">
                {move || {
                    hydrated
                        .get()
                        .then(|| zones().into_iter().map(|zone| view! { <option value=zone></option> }).collect_view())
                }}
            </datalist>
        </FieldFrame>
    }
}

/// `Intl.supportedValuesOf("timeZone")`; nothing where the browser has no such list.
fn zones() -> Vec<String> {
    let get = |object: &JsValue, name: &str| Reflect::get(object, &JsValue::from_str(name)).ok();
    let list = get(&js_sys::global(), "Intl").and_then(|intl| {
        let list: Function = get(&intl, "supportedValuesOf")?.dyn_into().ok()?;
        list.call1(&Object::from(intl), &JsValue::from_str("timeZone")).ok()
    });
    let list = list.map(|list| Array::from(&list)).unwrap_or_default();
    list.iter().filter_map(|zone| zone.as_string()).collect()
}
