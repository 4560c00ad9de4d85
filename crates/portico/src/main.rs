//! The door to the binary, and nothing else: everything is in the library, where tests reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    portico::cli::main()
}
