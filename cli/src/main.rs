//! `flow`, with the built-in plugins and no others.

use std::process::ExitCode;

fn main() -> ExitCode {
    flow_cli::main(Vec::new())
}
