//! `flow`: the command line. Thin: each command turns arguments into calls of the engine and prints what
//! comes back.

mod commands;
mod plugins;
mod render;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Command;

/// A scientific workflow engine: it works out what must be computed, and computes only that.
#[derive(Parser)]
#[command(name = "flow", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
