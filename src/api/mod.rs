//! The seam between page and server: server functions, each in three steps (who asks, call, convert), and the one
//! error that crosses. No rule and no SQL here.

pub mod account;
pub mod api_key;
pub mod campaign;
pub mod change;
pub mod codec;
pub mod dashboard;
pub mod demo;
pub mod error;
pub mod import;
pub mod installation;
pub mod lead;
pub mod message;
pub mod rules;
pub mod segment;
pub mod selection;
pub mod sequence;
pub mod session;
pub mod snippet;
pub mod suppression;
pub mod template;
pub mod unsubscribe;
