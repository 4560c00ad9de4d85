//! The inside of a sandbox as a program of its own, for the tests of this crate; in the portal it is `portico sandbox`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tools::sandbox::enter()
}
