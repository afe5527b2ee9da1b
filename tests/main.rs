//! Every test of the server in one binary: one link instead of twenty.

mod architecture;
mod store;
