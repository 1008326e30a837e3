//! `flow why`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use flow_engine::graph::Graph;
use flow_engine::human::duration;
use flow_engine::plan::{self, Planned, State};
use flow_store::{Computation, Producer, Store};

use super::Failure;
use super::request::{self, Settings, StoreArgs};
use crate::render::text;

/// Arguments of `flow why`.
#[derive(clap::Args)]
#[command(override_usage = "flow why [OPTIONS] [WORKFLOW] <NODE>")]
#[command(after_help = "\
Examples:
  flow why ccs train                               why the stage `train` would run
  flow why 'train[model=fno]'                      one node, of the only workflow here
  flow why ccs train --set train.with.epochs=60    with another parameter")]
pub(crate) struct Args {
    /// The workflow (may be left out where there is only one), and the stage or node
    #[arg(value_name = "[WORKFLOW] NODE", num_args = 1..=2, required = true)]
    what: Vec<String>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    store: StoreArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (file, name) = match args.what.as_slice() {
        [file, name] => (Some(PathBuf::from(file)), name),
        [name] => (None, name),
        _ => return Err(Failure::request("expected a workflow and a node")),
    };
    let loaded = request::load(file.as_ref(), &args.settings, &args.store)?;
    let store = request::open(&loaded.store)?;
    let plan = plan::plan(&loaded.graph, &loaded.catalog, &store).map_err(Failure::plan)?;
    let wanted: Vec<_> = plan.nodes.iter().filter(|node| node.node == *name || node.stage == *name).collect();
    if wanted.is_empty() {
        return Err(unknown(&loaded.graph, name));
    }
    let mut out = anstream::stdout().lock();
    for node in wanted {
        let facts = facts(&store, node).map_err(Failure::store)?;
        // A closed pipe is not an error.
        let _ = describe(&mut out, node, facts.as_ref());
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(graph: &Graph, name: &str) -> Failure {
    let failure =
        Failure::request(format_args!("`{name}` is not a stage or node of workflow `{}`", graph.name));
    let stages: Vec<_> = graph.stages.iter().map(|stage| stage.name.as_str()).collect();
    failure.hint(format_args!("its stages are {}", stages.join(", ")))
}

/// What the store knows of a node that is cached.
struct Facts {
    computation: Computation,
    producer: Option<Producer>,
}

fn facts(store: &Store, node: &Planned) -> Result<Option<Facts>, flow_store::Error> {
    let Some(key) = node.key.filter(|_| node.state == State::Cached) else { return Ok(None) };
    let Some(computation) = store.computation(&key)? else { return Ok(None) };
    let output = store.lookup(&key)?.and_then(|hit| hit.outputs.into_iter().next());
    let producer = match output {
        Some(output) => store.producer(&output.digest)?,
        None => None,
    };
    Ok(Some(Facts { computation, producer }))
}

fn describe(out: &mut impl Write, node: &Planned, facts: Option<&Facts>) -> std::io::Result<()> {
    let (mark, style) = super::plan::mark(node);
    writeln!(out, "{}  {style}{mark}{style:#}: {}", text::clean(&node.node), text::clean(&node.reason))?;
    if let Some(key) = &node.key {
        writeln!(out, "  key       {key}")?;
    }
    let Some(Facts { computation, producer }) = facts else { return Ok(()) };
    let recipe = &computation.recipe;
    if let Some(producer) = producer {
        writeln!(out, "  computed  by {} in run {}", text::clean(&producer.node), producer.run)?;
    }
    if let Some(seconds) = node.wall_s {
        writeln!(out, "  took      {}", duration(seconds))?;
    }
    writeln!(out, "  operation {} (version {})", recipe.operation, recipe.version)?;
    writeln!(out, "  params    {}", text::clean(&recipe.params))?;
    writeln!(out, "  seed      {}", recipe.seed)?;
    for input in &computation.inputs {
        writeln!(
            out,
            "  input     {} = {} from {}",
            input.port,
            input.digest.short(),
            text::clean(&input.from)
        )?;
    }
    Ok(())
}
