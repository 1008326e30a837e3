//! `flow schema`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use flow_engine::workflow::schema_file::json_schema;

use super::{Failure, request};

/// Arguments of `flow schema`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow schema > flow.schema.json
  flow schema ccs > flow.schema.json    with the plugins that a workflow names

With this as the first line of a workflow, an editor completes and checks it as you type:
  # yaml-language-server: $schema=../flow.schema.json")]
pub(crate) struct Args {
    /// Also the plugins of this workflow
    #[arg(value_name = "WORKFLOW")]
    workflow: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let schema = json_schema(&request::catalog(args.workflow.as_ref())?);
    // A closed pipe is not an error.
    let _ = writeln!(std::io::stdout().lock(), "{schema:#}");
    Ok(ExitCode::SUCCESS)
}
