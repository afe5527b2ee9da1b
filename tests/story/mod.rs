//! What people and programs do with Tern, over its HTTP API.

mod session;
