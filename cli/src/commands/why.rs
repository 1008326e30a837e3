//! `flow why`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use flow_engine::graph::Graph;
use flow_engine::human::duration;
use flow_engine::plan::{self, Changes, Content, Planned, State};
use flow_store::{Computation, Producer, Store};
use serde_json::{Value, json};

use super::Failure;
use super::plan::json as json_line;
use super::request::{self, Settings, StoreArgs};
use super::run::Format;
use crate::render::text::{self, DIM, RESET};

/// Arguments of `flow why`.
#[derive(clap::Args)]
#[command(override_usage = "flow why [OPTIONS] [WORKFLOW] <NODE>")]
#[command(after_help = "\
Examples:
  flow why ccs train                               why the stage `train` would run
  flow why 'train[model=fno]'                      one node, of the only workflow here
  flow why ccs train --set train.with.epochs=60    with another parameter
  flow why ccs train --format json                 one JSON object a node, for programs

For a node whose result is there, what was different from the time before when it was computed.")]
pub(crate) struct Args {
    /// The workflow (may be left out where there is only one), and the stage or node
    #[arg(value_name = "[WORKFLOW] NODE", num_args = 1..=2, required = true)]
    what: Vec<String>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    store: StoreArgs,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
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
        let facts = facts(&store, &loaded.graph.name, node).map_err(Failure::store)?;
        // A closed pipe is not an error.
        let _ = match args.format {
            Format::Human => describe(&mut out, node, &facts),
            Format::Json => json_line(&mut out, &as_json(node, &facts)),
        };
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(graph: &Graph, name: &str) -> Failure {
    let failure =
        Failure::request(format_args!("`{name}` is not a stage or node of workflow `{}`", graph.name));
    let stages: Vec<_> = graph.stages.iter().map(|stage| stage.name.as_str()).collect();
    failure.hint(format_args!("its stages are {}", stages.join(", ")))
}

/// What the store knows of a node.
#[derive(Default)]
struct Facts {
    /// Of a node that is cached.
    computation: Option<Computation>,
    producer: Option<Producer>,
    changes: Option<Changes>,
}

fn facts(store: &Store, workflow: &str, node: &Planned) -> Result<Facts, flow_store::Error> {
    if node.state == State::Run {
        let Some(now) = &node.computation else { return Ok(Facts::default()) };
        let changes = plan::changes(store, workflow, &node.node, now, node.key.as_ref(), None)?;
        return Ok(Facts { changes, ..Facts::default() });
    }
    let Some(key) = node.key else { return Ok(Facts::default()) };
    let Some(computation) = store.computation(&key)? else { return Ok(Facts::default()) };
    let producer = store.computed_by(&key)?;
    let changes = match &producer {
        Some(producer) => {
            plan::changes(store, workflow, &node.node, &computation, Some(&key), Some(&producer.run))?
        }
        None => None,
    };
    Ok(Facts { computation: Some(computation), producer, changes })
}

/// Differences in one input that are shown; more are counted.
const SHOWN: usize = 8;

fn contents(out: &mut impl Write, contents: &[Content]) -> std::io::Result<()> {
    for content in contents {
        let (port, from) = (text::clean(&content.port), text::clean(&content.from));
        writeln!(out, "  data      {port} from {from}")?;
        for difference in content.differences.iter().take(SHOWN) {
            writeln!(out, "            {}", text::clean(&difference.to_string()))?;
        }
        if content.differences.len() > SHOWN {
            writeln!(out, "            and {} more differences", content.differences.len() - SHOWN)?;
        }
        if let Some(why) = &content.unknown {
            writeln!(out, "            {DIM}what is different cannot be told: {}{RESET}", text::clean(why))?;
        }
    }
    Ok(())
}

fn describe(out: &mut impl Write, node: &Planned, facts: &Facts) -> std::io::Result<()> {
    let (mark, style) = super::plan::mark(node);
    writeln!(out, "{}  {style}{mark}{style:#}: {}", text::clean(&node.node), text::clean(&node.reason))?;
    let cached = node.state == State::Cached;
    if let Some(Changes { run, parts, contents: data }) = &facts.changes {
        if cached && !parts.is_empty() {
            writeln!(out, "  changed   {} {DIM}(since run {run}){RESET}", text::clean(&parts.join("; ")))?;
        }
        contents(out, data)?;
    }
    if let Some(key) = &node.key {
        writeln!(out, "  key       {key}")?;
    }
    let Some(computation) = &facts.computation else { return Ok(()) };
    let recipe = &computation.recipe;
    if let Some(producer) = &facts.producer {
        let (by, why) = (text::clean(&producer.node), text::clean(&producer.reason));
        writeln!(out, "  computed  by {by} in run {}: {why}", producer.run)?;
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

fn as_json(node: &Planned, facts: &Facts) -> Value {
    let mut value = json!(node);
    if let Some(changes) = &facts.changes {
        let data = changes.contents.iter().map(|content| {
            let differences: Vec<_> = content.differences.iter().map(ToString::to_string).collect();
            json!({
                "input": content.port,
                "from": content.from,
                "differences": differences,
                "unknown": content.unknown,
            })
        });
        value["before"] = json!(changes.run);
        value["changes"] = json!(changes.parts);
        value["data"] = data.collect();
    }
    if let Some(producer) = &facts.producer {
        value["computed_by"] =
            json!({ "run": producer.run, "node": producer.node, "reason": producer.reason });
    }
    if let Some(computation) = &facts.computation {
        let recipe = &computation.recipe;
        let inputs = computation.inputs.iter();
        let inputs =
            inputs.map(|input| json!({ "port": input.port, "from": input.from, "digest": input.digest }));
        value["operation"] = json!(recipe.operation);
        value["version"] = json!(recipe.version);
        value["params"] = recipe.params();
        value["seed"] = json!(recipe.seed);
        value["inputs"] = inputs.collect();
    }
    value
}
