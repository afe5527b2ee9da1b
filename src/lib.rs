//! Tern reaches people by e-mail, SMS and WhatsApp from accounts they own.
//!
//! The map: four modules, one gate.
//! - [`domain`]: what is true (types, parsing, rules; runs everywhere)
//! - [`ui`]: what is seen; calls [`api`], shows [`domain`]
//! - [`api`]: the seam; server functions, three lines each
//! - `server`: what happens; not there in the browser

pub mod domain;
