//! The binary: everything is in the library.

/// A page and a message are thousands of small allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tern::server::command::main()
}
