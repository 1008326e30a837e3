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

fn main() -> ExitCode {
    match Cli::parse().command.run() {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
