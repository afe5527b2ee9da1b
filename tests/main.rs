//! All stories in one binary: one link instead of twenty.

mod story;
mod support;
