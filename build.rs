//! `sqlx::migrate!` does not notice a new file by itself.
#![allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]
fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
