//! One binary for all tests that need the server: one link instead of twenty.

mod architecture;
mod crash;
mod guard;
mod secret;
mod store;
mod story;
mod support;
