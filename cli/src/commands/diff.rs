//! `flow diff`.

use std::io::{self, Write};
use std::process::ExitCode;

use flow_engine::diff::{self, NodeDiff, Presence, RunDiff, Side};
use flow_engine::human::duration;
use flow_store::{RunRecord, Store};
use serde_json::Value;

use super::Failure;
use super::plan::json as json_line;
use super::reference;
use super::request::StoreArgs;
use super::run::Format;
use crate::render::text::{self, BOLD, DIM, GREEN, RED, RESET, YELLOW, clean};

/// Arguments of `flow diff`.
#[derive(clap::Args)]
#[command(override_usage = "flow diff [OPTIONS] <RUN> <RUN>\n       flow diff [OPTIONS] <WORKFLOW>")]
#[command(after_help = "\
Examples:
  flow diff 20261121-101500-7f3a 20261121-114200-09bc   two runs (`flow runs` lists them)
  flow diff ccs                                         the last two runs of a workflow
  flow diff baseline ccs                                the latest runs of two workflows
  flow diff ccs --format json                           one JSON object, for programs")]
pub(crate) struct Args {
    /// Two runs, each by its name or by its workflow; or a workflow, for its last two runs
    #[arg(value_name = "RUN", num_args = 1..=2, required = true)]
    runs: Vec<String>,
    #[command(flatten)]
    store: StoreArgs,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let store = reference::open(&args.store)?;
    let (old, new) = match args.runs.as_slice() {
        [workflow] => last_two(&store, workflow)?,
        [old, new] => (named(&store, old)?, named(&store, new)?),
        _ => return Err(Failure::request("expected two runs, or a workflow")),
    };
    let found = diff::diff(&store, &old, &new).map_err(Failure::store)?;
    let mut out = anstream::stdout().lock();
    // A closed pipe is not an error.
    let _ = match args.format {
        Format::Json => json_line(&mut out, &found),
        Format::Human => human(&mut out, &found),
    };
    Ok(ExitCode::SUCCESS)
}

fn named(store: &Store, word: &str) -> Result<RunRecord, Failure> {
    match reference::run_named(store, word)? {
        Some(run) => Ok(run),
        None => Err(reference::unknown(store, word)?),
    }
}

fn last_two(store: &Store, word: &str) -> Result<(RunRecord, RunRecord), Failure> {
    if let Some(name) = reference::workflow_named(store, word)? {
        let recent = store.recent_runs(&name, 2).map_err(Failure::store)?;
        let [new, old] = recent.as_slice() else {
            return Err(Failure::request(format_args!("`{name}` has been run only once"))
                .hint("there is nothing to compare with; name two runs of other workflows"));
        };
        return Ok((named(store, old)?, named(store, new)?));
    }
    if store.run(word).map_err(Failure::store)?.is_some() {
        return Err(Failure::request(format_args!("run {word} is to be compared with another one"))
            .hint("name two runs; `flow runs` lists them"));
    }
    Err(reference::unknown(store, word)?)
}

fn human(out: &mut impl Write, found: &RunDiff) -> io::Result<()> {
    for (mark, side) in [("-", &found.old), ("+", &found.new)] {
        let Side { run, workflow, status, wall_s, executed, cached } = side;
        let took = wall_s.map(|s| format!(" in {}", duration(s))).unwrap_or_default();
        writeln!(
            out,
            "{BOLD}{mark} {run}{RESET}  {}: {status}{took}, {executed} executed, {cached} cached",
            clean(workflow)
        )?;
    }
    if !found.params.is_empty() {
        writeln!(out, "\nparameters")?;
    }
    for parameter in &found.params {
        let shown =
            |value: &Option<Value>| value.as_ref().map_or_else(|| "none".to_owned(), Value::to_string);
        let (old, new) = (shown(&parameter.old), shown(&parameter.new));
        writeln!(out, "  {} {} → {}", clean(&parameter.name), clean(&old), clean(&new))?;
    }
    if !found.nodes.is_empty() {
        writeln!(out, "\nnodes")?;
    }
    found.nodes.iter().try_for_each(|node| node_lines(out, node))?;
    if found.nodes.is_empty() && found.params.is_empty() {
        return writeln!(out, "\n{GREEN}the same{RESET}: {}", text::count(found.same, "node"));
    }
    writeln!(out, "\n{} the same in both", text::count(found.same, "node"))
}

fn node_lines(out: &mut impl Write, node: &NodeDiff) -> io::Result<()> {
    let (mark, style) = match node.presence {
        Presence::Gone => ("-", RED),
        Presence::New => ("+", GREEN),
        Presence::Both => ("~", YELLOW),
    };
    writeln!(out, "  {style}{mark} {}{RESET}  {DIM}{}{RESET}", clean(&node.node), times(node.wall_s))?;
    for change in &node.changes {
        writeln!(out, "      {}", clean(change))?;
    }
    for metric in &node.metrics {
        writeln!(out, "      {BOLD}{}{RESET}", clean(metric))?;
    }
    if node.presence == Presence::Both && node.keys[0] != node.keys[1] && node.outputs.is_empty() {
        writeln!(out, "      {DIM}its outputs are the same{RESET}")?;
    }
    Ok(())
}

fn times(wall_s: [Option<f64>; 2]) -> String {
    match wall_s {
        [Some(old), Some(new)] => format!("{} → {}", duration(old), duration(new)),
        [Some(one), None] | [None, Some(one)] => duration(one),
        [None, None] => String::new(),
    }
}
