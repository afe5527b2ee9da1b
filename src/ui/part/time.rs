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
