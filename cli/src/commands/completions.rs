//! `flow completions`.

use std::io;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::Failure;
use crate::Cli;

/// Arguments of `flow completions`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow completions bash > ~/.local/share/bash-completion/completions/flow
  flow completions zsh  > ~/.zfunc/_flow
  flow completions fish > ~/.config/fish/completions/flow.fish")]
pub(crate) struct Args {
    /// The shell to complete in.
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    clap_complete::generate(args.shell, &mut Cli::command(), "flow", &mut io::stdout());
    Ok(ExitCode::SUCCESS)
}
