//! Instants: UTC from the server, the viewer's zone once the browser has taken over.

use super::hydrated::Hydrated;
use crate::domain::time::Timestamp;
use leptos::prelude::*;
use wasm_bindgen::JsValue;

/// `<time>` with the instant for programs and people.
#[component]
pub fn Time(
    at: Timestamp,
    /// To the second.
    #[prop(optional)]
    precise: bool,
) -> impl IntoView {
    let hydrated = Hydrated::get();
    let text = move || if hydrated.get() { local(at, precise) } else { at.for_people() };
    view! { <time datetime=at.to_string()>{text}</time> }
}

/// In the zone and the language of the browser.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit into a double")]
fn local(at: Timestamp, precise: bool) -> String {
    let options = js_sys::Object::new();
    for (name, value) in [("dateStyle", "medium"), ("timeStyle", if precise { "medium" } else { "short" })] {
        let _ = js_sys::Reflect::set(&options, &JsValue::from_str(name), &JsValue::from_str(value));
    }
    let locale = window().navigator().language().unwrap_or_else(|| "en".to_owned());
    js_sys::Date::new(&JsValue::from_f64(at.0 as f64)).to_locale_string(&locale, &options).into()
}

/// How far east of UTC the viewer's zone is then: half of the year it may be another hour.
#[expect(clippy::cast_possible_truncation, reason = "a day has 1440 minutes")]
pub fn minutes_east(local: &str) -> String {
    let west = js_sys::Date::new(&JsValue::from_str(local)).get_timezone_offset();
    if west.is_nan() { String::new() } else { (-west as i64).to_string() }
}
