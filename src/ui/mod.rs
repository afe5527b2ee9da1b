//! What is seen. Calls `api`, shows `domain`; knows neither the database nor a provider.
//!
//! [`app`] is the shell with all routes; a page is one file in [`page`]; what pages share is in [`part`].

pub mod app;
pub mod page;
pub mod part;
