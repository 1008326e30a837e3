//! `flow plugin`: making plugins and trying them.

mod check;
mod dev;
mod new;

use std::process::ExitCode;

use super::Failure;

/// Arguments of `flow plugin`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow plugin new waves                   a plugin in Python, with an example workflow
  flow plugin new waves --lang rust       the same in Rust
  flow plugin dev waves/workflow.yaml     run it again whenever something is saved
  flow plugin check waves/workflow.yaml   try the plugins of a workflow

`flow plugins --workflow FILE` lists what the plugins of a workflow offer.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Make a plugin that works, with an example workflow
    New(new::Args),
    /// Run a workflow again whenever its files or those of its plugins are saved
    Dev(dev::Args),
    /// Try the plugins of a workflow: the same bytes again, with other threads, stopped, killed, and resumed
    Check(check::Args),
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.command {
        Command::New(args) => new::run(args),
        Command::Dev(args) => dev::run(args),
        Command::Check(args) => check::run(args),
    }
}
