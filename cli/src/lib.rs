//! `flow`: the command line. Thin: each command turns arguments into calls of the engine and prints what
//! comes back.
//!
//! A program of one's own with other operations compiled in is this, and a list of plugins:
//!
//! ```no_run
//! use flow_plugin::Plugin;
//!
//! fn main() -> std::process::ExitCode {
//!     flow_cli::main(vec![Plugin::new("waves", env!("CARGO_PKG_VERSION"), "Work on waves.")])
//! }
//! ```

mod commands;
mod plugins;
mod render;

use std::process::ExitCode;

use clap::Parser;
use flow_plugin::Plugin;

use crate::commands::Command;

/// A scientific workflow engine: it works out what must be computed, and computes only that.
#[derive(Parser)]
#[command(name = "flow", version, max_term_width = 100)]
#[command(after_help = "\
Examples:
  flow run workflows/ccs.yaml           run a workflow; the second time, only what has changed
  flow run ccs --set train.with.epochs=60
  flow plan ccs                         what a run would do, and why
  flow sweep ccs --vary train.with.lr=1e-4..1e-2:log --metric evaluate.scores.rmse --trials 20
  flow show ccs evaluate.scores         a result: its content, and where it came from
  flow get ccs evaluate.cases cases.csv
  flow diff ccs                         what is different between the last two runs
  flow store gc --dry-run               what could be cleared away
  flow plugins                          the operations that workflows are made of

Each command has examples of its own: flow COMMAND --help")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The whole program, with these plugins beside the built-in ones; of two with one name these count.
///
/// It serves their operations too: workers are processes of the same executable.
#[must_use]
pub fn main(own: Vec<Plugin>) -> ExitCode {
    plugins::add(own);
    match Cli::parse().command.run() {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
