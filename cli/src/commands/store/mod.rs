//! `flow store`: looking after the store.

mod check;
mod du;
mod gc;

use std::process::ExitCode;

use clap::Subcommand;
use flow_artifact::units;
use flow_store::Keep;

use super::Failure;

/// Arguments of `flow store`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow store du                        what takes space
  flow store check                     compare every byte with what was stored
  flow store check --repair            and repair what is damaged
  flow store gc --dry-run              what clearing away would remove
  flow store gc --size '20 GB'         remove no more than is needed to get below 20 GB")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compare every result with what was stored, and say which nodes made what is damaged
    Check(check::Args),
    /// Show what takes space
    Du(du::Args),
    /// Clear away results that no kept run leads to
    Gc(gc::Args),
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    match &args.command {
        Command::Check(args) => check::run(args),
        Command::Du(args) => du::run(args),
        Command::Gc(args) => gc::run(args),
    }
}

/// Which runs are kept.
#[derive(clap::Args)]
struct KeepArgs {
    /// Keep what the latest N runs of each workflow read and made, and the latest that succeeded
    #[arg(long, value_name = "N", default_value_t = 10)]
    keep: usize,
    /// Keep also what runs as young as this read and made, such as '30 d' or '12 h'
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    age: Option<f64>,
}

impl KeepArgs {
    fn keep(&self) -> Keep {
        Keep { runs: self.keep, age_s: self.age }
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    match units::convert(text, "s") {
        Ok(seconds) if seconds >= 0.0 => Ok(seconds),
        _ => Err("expected a time with a unit, such as '30 d', '12 h' or '10 min'".to_owned()),
    }
}
