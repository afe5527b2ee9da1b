//! What users do, in their verbs. The only place where the database and the providers meet, besides the worker.
//!
//! Every function that acts for somebody takes a [`super::Who`] or [`super::Person`]: a request that is not signed in
//! cannot call it.

pub mod account;
pub mod api_key;
pub mod campaign;
pub mod change;
pub mod consent;
pub mod dashboard;
pub mod decision;
pub mod demo;
pub mod doctor;
pub mod email_account;
pub mod enrollment;
pub mod import;
pub mod installation;
pub mod keys;
pub mod lead;
pub mod mailbox;
pub mod message;
pub mod platform;
mod recipient;
pub mod rehearsal;
pub mod report;
pub mod rules;
pub mod segment;
pub mod selection;
pub mod sequence;
pub mod session;
pub mod snippet;
pub mod suppression;
pub mod template;
pub mod unsubscribe;
mod waiting;
pub mod webhook;
