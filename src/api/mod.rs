//! The seam between page and server: server functions, each in three steps (who asks, call, convert), and the one
//! error that crosses. No rule and no SQL here.

pub mod error;
