//! All stories in one binary: one link instead of twenty.

mod guard;
mod secret;
mod story;
mod support;
