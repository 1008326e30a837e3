//! `flow run`.

use std::process::ExitCode;

use clap::ValueEnum;
use flow_engine::run::{self, Options};
use flow_store::RunStatus;

use super::Failure;
use super::request::{self, SelectArgs, WorkflowArgs};
use crate::render;

/// Arguments of `flow run`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow run workflows/ccs.yaml                            compute what is not in the store
  flow run ccs                                           the same, by name
  flow run ccs --set train.with.epochs=60                with another parameter of a stage
  flow run ccs --set reservoirs=500 --profile paper      with another parameter, on top of a profile
  flow run ccs --until train                             no further than a stage
  flow run ccs --only 'train[model=fno]'                 one node, from what is in the store
  flow run ccs --force evaluate                          compute a stage again
  flow run ccs --frozen simulate                         use its last result, whatever has changed
  flow run ccs --format json                             one JSON object a line, for programs

Only what is not in the store runs. When a node fails, what does not depend on it goes on, unless
--fail-fast is given. `flow plan` takes the same options, and shows what they come to.
Ctrl-C stops: running nodes have ten seconds to save a checkpoint. A second Ctrl-C stops at once.

Exit status: 0 done, 1 a node failed, 2 the request or the workflow was wrong, 130 interrupted.")]
pub(crate) struct Args {
    #[command(flatten)]
    workflow: WorkflowArgs,
    #[command(flatten)]
    select: SelectArgs,
    /// Start nothing more after a node has failed; those that run are finished
    #[arg(long)]
    fail_fast: bool,
    /// When a node fails, go on with what does not depend on it: this is what happens anyway
    #[arg(long, conflicts_with = "fail_fast")]
    keep_going: bool,
    /// Publish also over files that flow did not put there
    #[arg(long)]
    overwrite: bool,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// Who the output is for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for people.
    Human,
    /// One JSON object a line.
    Json,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let loaded = args.workflow.load_selected(&args.select)?;
    let store = request::open(&loaded.store)?;
    let worker = request::worker()?;
    let command = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    let options = Options {
        cores: loaded.cores,
        worker,
        command,
        fail_fast: args.fail_fast,
        overwrite: args.overwrite,
    };
    let mut renderer = render::renderer(args.format, render::Detail::All);
    let outcome =
        run::run(&loaded.graph, &loaded.catalog, store, &options, &mut |event| renderer.event(event));
    drop(renderer);
    let outcome = outcome.map_err(|error| match error {
        run::Error::Plan(error) => Failure::plan(error),
        run::Error::Publish(_) => Failure::request(&error)
            .hint("move it away, publish to another path, or replace it with --overwrite"),
        other => Failure::run(other),
    })?;
    Ok(match outcome.summary.status {
        RunStatus::Succeeded => ExitCode::SUCCESS,
        RunStatus::Interrupted => ExitCode::from(130),
        _ => ExitCode::from(1),
    })
}
