//! `flow runs`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flow_engine::human::duration;
use flow_engine::workflow;
use flow_store::{RunRecord, RunStatus, Store};
use serde_json::json;

use super::Failure;
use super::plan::json;
use super::request::{StoreArgs, positive};
use super::run::Format;
use crate::render::text;

/// Arguments of `flow runs`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow runs                    the last runs, the latest first
  flow runs ccs --limit 100    more, of one workflow
  flow runs --format json      for programs")]
pub(crate) struct Args {
    /// Only runs of the workflow of this name
    workflow: Option<String>,
    /// How many to list
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = positive)]
    limit: usize,
    #[command(flatten)]
    store: StoreArgs,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut out = anstream::stdout().lock();
    let folder = folder(&args.store)?;
    let Some(store) = Store::open_existing(&folder).map_err(Failure::store)? else {
        return Err(Failure::request(format_args!("there is no store in {}", folder.display()))
            .hint("`flow run WORKFLOW` makes one; --store DIR names another"));
    };
    let runs = store.runs().map_err(Failure::store)?;
    let wanted = |run: &&RunRecord| args.workflow.as_ref().is_none_or(|name| run.start.workflow == *name);
    let runs: Vec<_> = runs.iter().filter(wanted).take(args.limit).collect();
    if runs.is_empty() && args.format == Format::Human {
        match &args.workflow {
            Some(name) => anstream::eprintln!("no runs of a workflow `{}`", text::clean(name)),
            None => anstream::eprintln!("no runs"),
        }
    }
    let written = match args.format {
        Format::Json => runs.iter().try_for_each(|run| json(&mut out, &as_json(run))),
        Format::Human => runs.iter().try_for_each(|run| line(&mut out, run)),
    };
    // A closed pipe is not an error.
    let _ = written;
    Ok(ExitCode::SUCCESS)
}

/// The store that is meant where no workflow is named: that of the folder we are in.
pub(crate) fn folder(args: &StoreArgs) -> Result<PathBuf, Failure> {
    match &args.store {
        Some(folder) => Ok(folder.clone()),
        None => {
            let here = std::env::current_dir().map_err(Failure::system)?;
            Ok(workflow::root_of(&here.join(Path::new("workflow.yaml"))).join(".flow"))
        }
    }
}

fn as_json(run: &RunRecord) -> serde_json::Value {
    json!({
        "run": run.start.id,
        "workflow": run.start.workflow,
        "status": run.status,
        "started": run.start.started,
        "finished": run.finished,
        "executed": run.executed,
        "cached": run.cached,
        "failed": run.failed,
        "skipped": run.skipped,
        "command": run.start.command,
    })
}

fn line(out: &mut impl Write, run: &RunRecord) -> std::io::Result<()> {
    let style = match run.status {
        RunStatus::Succeeded => text::GREEN,
        RunStatus::Running => text::YELLOW,
        _ => text::RED,
    };
    let took = run.finished.map(|finished| duration(finished - run.start.started)).unwrap_or_default();
    let mut counts = vec![format!("{} executed", run.executed), format!("{} cached", run.cached)];
    if run.failed > 0 {
        counts.push(format!("{} failed", run.failed));
    }
    if run.skipped > 0 {
        counts.push(format!("{} skipped", run.skipped));
    }
    writeln!(
        out,
        "{}  {style}{:<11}{style:#}  {:>8}  {}  {}",
        run.start.id,
        run.status,
        took,
        text::clean(&run.start.workflow),
        counts.join(", "),
    )
}
