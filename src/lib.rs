//! Tern reaches people by e-mail, SMS and WhatsApp from accounts they own.
//!
//! The map: four modules, one gate.
//! - [`domain`]: what is true (types, parsing, rules; runs everywhere)
//! - [`ui`]: what is seen; calls [`api`], shows [`domain`]
//! - [`api`]: the seam; server functions: who asks, one use case, where to go then
//! - `server`: what happens; not there in the browser
#![recursion_limit = "256"] // the view types of a page nest deeply

pub mod api;
pub mod domain;
#[cfg(feature = "ssr")]
pub mod server;
pub mod ui;

/// The browser's entry: takes over the page that the server drew.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    use leptos::{mount::hydrate_from_async, prelude::*, view};
    use ui::{app::App, part::hydrated::Hydrated};
    console_error_panic_hook::set_once();
    // Leptos' own `hydrate_lazy` does not tell when it is done.
    wasm_bindgen_futures::spawn_local(async {
        let hydrated = Hydrated::default();
        let known = hydrated.clone();
        let app = move || {
            provide_context(known);
            view! { <App /> }
        };
        if let Some(body) = document().body() {
            hydrate_from_async(body, app).await.forget();
            hydrated.set();
        }
    });
}
