//! What people and programs do with Tern, over its HTTP API.

mod account;
mod api_key;
mod keys;
mod message;
mod session;
mod webhook;
