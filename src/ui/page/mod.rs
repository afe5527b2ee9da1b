//! One file per page.

pub mod account;
pub mod campaign;
pub mod dashboard;
pub mod import;
pub mod lead;
pub mod message;
pub mod not_found;
pub mod outreach;
mod rules;
pub mod sequence;
pub mod settings;
pub mod sign_in;
pub mod suppression;
pub mod template;
pub mod unsubscribe;
pub mod welcome;
