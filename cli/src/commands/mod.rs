//! One module a command.

mod completions;
mod diff;
mod export;
mod get;
mod graph;
mod log;
mod plan;
mod plugin;
mod plugins;
mod reference;
mod request;
mod run;
mod runs;
mod schema;
mod show;
mod store;
mod sweep;
mod table;
mod verify;
mod why;
mod worker;

use std::fmt;
use std::process::ExitCode;

use clap::Subcommand;

pub(crate) use run::Format;

/// What `flow` can do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a workflow: compute what is not in the store
    Run(run::Args),
    /// Search for the settings that make a metric best: grid, random, Latin hypercube, TPE
    Sweep(sweep::Args),
    /// Show what a run would do, and why, without doing it
    Plan(plan::Args),
    /// Say why a stage or node would run, or where its cached result came from
    Why(why::Args),
    /// Compare two runs: parameters, keys, metrics, timings
    Diff(diff::Args),
    /// Compute results again and compare: is the same code still giving the same numbers?
    Verify(verify::Args),
    /// List runs
    Runs(runs::Args),
    /// Show a run, a node or an artifact: what it is, its statistics, where it came from
    Show(show::Args),
    /// Show what a node wrote: its log
    Log(log::Args),
    /// Copy an artifact out of the store, also in other forms (NetCDF, npz, CSV)
    Get(get::Args),
    /// Write a run as an RO-Crate: workflow, results and provenance
    Export(export::Args),
    /// Show metrics of all variants of a stage as a table, or write it as CSV
    Table(table::Args),
    /// Look after the store: check it, see what takes space, clear away what is not needed
    Store(store::Args),
    /// Draw the graph of a workflow
    Graph(graph::Args),
    /// List plugins and their operations, or document one operation
    Plugins(plugins::Args),
    /// Make a plugin of your own, and try it
    Plugin(plugin::Args),
    /// Print the JSON Schema of workflow files, for editors
    Schema(schema::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Serve the built-in plugins over standard input and output. The engine starts this itself.
    #[command(hide = true)]
    Worker,
}

impl Command {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Run(args) => run::run(&args),
            Self::Sweep(args) => sweep::run(&args),
            Self::Plan(args) => plan::run(&args),
            Self::Why(args) => why::run(&args),
            Self::Diff(args) => diff::run(&args),
            Self::Verify(args) => verify::run(&args),
            Self::Runs(args) => runs::run(&args),
            Self::Show(args) => show::run(&args),
            Self::Log(args) => log::run(&args),
            Self::Get(args) => get::run(&args),
            Self::Export(args) => export::run(&args),
            Self::Table(args) => table::run(&args),
            Self::Store(args) => store::run(&args),
            Self::Graph(args) => graph::run(&args),
            Self::Plugins(args) => plugins::run(&args),
            Self::Plugin(args) => plugin::run(&args),
            Self::Schema(args) => schema::run(&args),
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
    /// The message is a text of its own, not a sentence to put behind `error:`.
    rendered: bool,
}

impl Failure {
    /// The request was wrong: exit status 2.
    pub(crate) fn request(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), hint: None, status: 2, rendered: false }
    }

    /// No workflow is meant by the request: exit status 2.
    pub(crate) fn not_found(error: flow_engine::workflow::NotFound) -> Self {
        let hint = error.hint.clone();
        Self { hint, ..Self::request(error.message) }
    }

    /// Stages or nodes are named that there are not, or that cannot be chosen together: exit status 2.
    pub(crate) fn unselectable(error: flow_engine::select::Unselectable) -> Self {
        let hint = error.hint.clone();
        Self { hint, ..Self::request(error.message) }
    }

    /// The workflow is wrong: exit status 2. Everything that is wrong with it is shown.
    pub(crate) fn workflow(diagnostics: flow_engine::diagnostics::Diagnostics) -> Self {
        Self { message: diagnostics.to_string(), hint: None, status: 2, rendered: true }
    }

    /// The system failed: exit status 1.
    pub(crate) fn system(error: std::io::Error) -> Self {
        Self { status: 1, ..Self::request(error) }
    }

    /// The store cannot be opened or read: exit status 2.
    pub(crate) fn store(error: flow_store::Error) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self { hint, ..Self::request(error) }
    }

    /// The workflow cannot be planned: exit status 2.
    pub(crate) fn plan(error: flow_engine::plan::Error) -> Self {
        match error {
            flow_engine::plan::Error::Store(error) => Self::store(error),
            left_out @ flow_engine::plan::Error::LeftOut(_) => {
                Self::request(left_out).hint("`--until` in place of `--only` computes what is needed too")
            }
            frozen @ flow_engine::plan::Error::Frozen(_) => {
                Self::request(frozen).hint("compute it once without `frozen`")
            }
            flow_engine::plan::Error::Growth(problems) => Self::workflow(problems),
            other => Self::request(other),
        }
    }

    /// The run could not be carried through: exit status 1.
    pub(crate) fn run(error: flow_engine::run::Error) -> Self {
        let hint = match &error {
            flow_engine::run::Error::Store(error) => error.hint().map(str::to_owned),
            _ => None,
        };
        Self { message: error.to_string(), hint, status: 1, rendered: false }
    }

    /// Adds what the user can do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Prints the message and gives the exit status.
    pub(crate) fn report(&self) -> ExitCode {
        if self.rendered {
            anstream::eprintln!("{}", self.message.trim_end());
        } else {
            anstream::eprintln!("{}error:{} {}", BOLD_RED, anstyle::Reset, self.message);
        }
        if let Some(hint) = &self.hint {
            anstream::eprintln!("{}help:{} {hint}", BOLD, anstyle::Reset);
        }
        ExitCode::from(self.status)
    }
}

const BOLD: anstyle::Style = anstyle::Style::new().bold();
const BOLD_RED: anstyle::Style = BOLD.fg_color(Some(anstyle::Color::Ansi(anstyle::AnsiColor::Red)));
