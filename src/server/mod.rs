//! What happens: use cases, storage, providers, worker, HTTP. Not there in the browser.

pub mod command;
