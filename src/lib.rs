//! Tern reaches people by e-mail, SMS and WhatsApp from accounts they own.
//!
//! The map: four modules, one gate.
//! - [`domain`]: what is true (types, parsing, rules; runs everywhere)
//! - [`ui`]: what is seen; calls [`api`], shows [`domain`]
//! - [`api`]: the seam; server functions, three lines each
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
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_lazy(ui::app::App);
}
