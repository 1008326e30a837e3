//! `flow schema`.

use std::io::Write;
use std::process::ExitCode;

use flow_engine::catalog::Catalog;
use flow_engine::workflow::schema_file::json_schema;

use super::Failure;

/// Arguments of `flow schema`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow schema > flow.schema.json

With this as the first line of a workflow, an editor completes and checks it as you type:
  # yaml-language-server: $schema=../flow.schema.json")]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> Result<ExitCode, Failure> {
    let schema = json_schema(&Catalog::new(crate::plugins::builtin()));
    // A closed pipe is not an error.
    let _ = writeln!(std::io::stdout().lock(), "{schema:#}");
    Ok(ExitCode::SUCCESS)
}
