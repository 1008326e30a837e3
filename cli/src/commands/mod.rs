//! One module a command.

mod completions;
mod worker;

use std::fmt;
use std::process::ExitCode;

use clap::Subcommand;

/// What `flow` can do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print a completion script for a shell.
    Completions(completions::Args),
    /// Serve the built-in plugins over standard input and output. The engine starts this itself.
    #[command(hide = true)]
    Worker,
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Completions(args) => completions::run(&args),
            Self::Worker => worker::run(),
        }
    }
}

/// A command that did not do what was asked: a message for the user, and the exit status.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    hint: Option<String>,
    status: u8,
}

impl Failure {
    /// The request was wrong: exit status 2.
    pub(crate) fn request(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), hint: None, status: 2 }
    }

    /// Adds what the user can do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Prints the message and gives the exit status.
    pub(crate) fn report(&self) -> ExitCode {
        anstream::eprintln!("{}error:{} {}", BOLD_RED, anstyle::Reset, self.message);
        if let Some(hint) = &self.hint {
            anstream::eprintln!("{}help:{} {hint}", BOLD, anstyle::Reset);
        }
        ExitCode::from(self.status)
    }
}

const BOLD: anstyle::Style = anstyle::Style::new().bold();
const BOLD_RED: anstyle::Style = BOLD.fg_color(Some(anstyle::Color::Ansi(anstyle::AnsiColor::Red)));
