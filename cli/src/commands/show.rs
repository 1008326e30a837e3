//! `flow show`.

use std::io::{self, Write};
use std::process::ExitCode;

use flow_artifact::Digest;
use flow_engine::human;
use flow_store::{NodeRecord, NodeState, OutputRecord, Producer, RunRecord, Store};
use serde_json::{Value, json};

use super::Failure;
use super::plan::json as json_line;
use super::reference::{self, Target};
use super::request::StoreArgs;
use super::run::Format;
use crate::render::artifact;
use crate::render::text::{self, BOLD, DIM, RED, RESET, clean};

/// Arguments of `flow show`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow show ccs                        the latest succeeded run of a workflow: its nodes and outputs
  flow show ccs train                  a stage or node: parameters, inputs, outputs, series, time
  flow show ccs 'train[seed=1].model'  an output: what it is, its statistics, where it came from
  flow show 20261121-101500-7f3a       a run, by its name (`flow runs` lists them)
  flow show 9f86d081884c               an artifact, by the first digits of its digest

The workflow may be left out where the store has runs of one only.")]
pub(crate) struct Args {
    /// A workflow, a run or an artifact; and a node or an output of it
    #[arg(value_name = "WHAT", num_args = 1..=2, required = true)]
    what: Vec<String>,
    #[command(flatten)]
    store: StoreArgs,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let store = reference::open(&args.store)?;
    let target = reference::find(&store, &args.what)?;
    let mut out = anstream::stdout().lock();
    let shown = match args.format {
        Format::Json => json_line(&mut out, &as_json(&store, &target)?),
        Format::Human => match &target {
            Target::Run(run) => show_run(&mut out, &store, run)?,
            Target::Nodes(run, nodes) => {
                nodes.iter().try_for_each(|node| show_node(&mut out, &store, run, node, nodes.len() > 1))
            }
            Target::Outputs(_, outputs) => outputs.iter().try_for_each(|(node, output)| {
                let title = format!("{}.{}", node.name, output.port);
                let producer = producer(&store, node, output);
                show_artifact(&mut out, &store, &title, &output.digest, producer)
            }),
            Target::Artifact(digest) => {
                let producer = store.producer(digest).ok().flatten();
                show_artifact(&mut out, &store, &digest.short(), digest, producer)
            }
        },
    };
    // A closed pipe is not an error.
    let _ = shown;
    Ok(ExitCode::SUCCESS)
}

fn show_run(out: &mut impl Write, store: &Store, run: &RunRecord) -> Result<io::Result<()>, Failure> {
    let nodes = store.nodes(&run.start.id).map_err(Failure::store)?;
    Ok(write_run(out, store, run, &nodes))
}

fn write_run(out: &mut impl Write, store: &Store, run: &RunRecord, nodes: &[NodeRecord]) -> io::Result<()> {
    let start = &run.start;
    writeln!(out, "{BOLD}{}{RESET}, run {}: {}", clean(&start.workflow), start.id, run.status)?;
    let mut counts = format!("{} executed, {} cached", run.executed, run.cached);
    for (n, word) in [(run.failed, "failed"), (run.skipped, "skipped")] {
        if n > 0 {
            counts.push_str(&format!(", {n} {word}"));
        }
    }
    let took =
        run.finished.map_or_else(String::new, |end| format!(" in {}", human::duration(end - start.started)));
    writeln!(out, "  nodes    {counts}{took}")?;
    if !start.params.is_empty() {
        writeln!(out, "  params   {}", artifact::pairs(&Value::Object(start.params.clone())))?;
    }
    writeln!(out, "  machine  {}, {}", clean(&start.machine.cpu), text::count(start.machine.cores, "core"))?;
    writeln!(out, "  command  flow {}", clean(&start.command))?;
    let report = store.run_folder(&start.id).join("report.html");
    if report.is_file() {
        writeln!(out, "  report   {}", report.display())?;
    }
    writeln!(out)?;
    let width = nodes.iter().map(|node| node.name.chars().count()).max().unwrap_or(0).min(40);
    for node in nodes {
        let state = if node.cached { "cached" } else { node.state.name() };
        let style = if node.state == NodeState::Failed { RED } else { DIM };
        let outputs: Vec<String> = node
            .outputs
            .iter()
            .map(|o| format!("{} ({} {})", clean(&o.port), o.kind, human::bytes(o.bytes)))
            .collect();
        let name = clean(&node.name);
        writeln!(out, "  {name:width$}  {style}{state:<9}{style:#}  {}", outputs.join(", "))?;
    }
    Ok(())
}

fn show_node(
    out: &mut impl Write,
    store: &Store,
    run: &RunRecord,
    node: &NodeRecord,
    short: bool,
) -> io::Result<()> {
    let state = if node.cached { "cached" } else { node.state.name() };
    writeln!(out, "{BOLD}{}{RESET}: {state} in run {}", clean(&node.name), run.start.id)?;
    writeln!(out, "  operation  {} version {}", clean(&node.operation), node.version)?;
    writeln!(out, "  why        {}", clean(&node.reason))?;
    if let Some(error) = &node.error {
        writeln!(out, "  error      {RED}{}{RESET}", clean(error))?;
    }
    if let Some(cost) = &node.cost {
        writeln!(
            out,
            "  cost       {} wall, {} CPU, {} memory",
            human::duration(cost.wall_s),
            human::duration(cost.cpu_s),
            human::bytes(cost.peak_rss)
        )?;
    }
    if !short {
        writeln!(out, "  seed       {}", node.seed)?;
        artifact::tree(out, "  params     ", &node.params)?;
    }
    for input in &node.inputs {
        let (port, from) = (clean(&input.port), clean(&input.from));
        writeln!(out, "  input      {port} ← {from}  {DIM}{}{RESET}", input.digest.short())?;
    }
    for output in &node.outputs {
        let (port, size) = (clean(&output.port), human::bytes(output.bytes));
        writeln!(out, "  output     {port}: {}, {size}  {DIM}{}{RESET}", output.kind, output.digest.short())?;
    }
    let series = store.series(&run.start.id, &node.name).unwrap_or_default();
    for (name, points) in &series {
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            let (from, to) = (artifact::number(first.1), artifact::number(last.1));
            writeln!(out, "  series     {}: {from} → {to} over {} points", clean(name), points.len())?;
        }
    }
    if let Some(key) = &node.key {
        writeln!(out, "  key        {DIM}{key}{RESET}")?;
    }
    Ok(())
}

/// What made an output of this node, which another one may have made before from something else.
fn producer(store: &Store, node: &NodeRecord, output: &OutputRecord) -> Option<Producer> {
    let own = node.key.and_then(|key| store.producer_for(&key, &output.port).ok().flatten());
    own.or_else(|| store.producer(&output.digest).ok().flatten())
}

fn show_artifact(
    out: &mut impl Write,
    store: &Store,
    title: &str,
    digest: &Digest,
    producer: Option<Producer>,
) -> io::Result<()> {
    let kind = producer.as_ref().map(|producer| producer.kind);
    writeln!(
        out,
        "{BOLD}{}{RESET}: {}",
        clean(title),
        kind.map_or_else(|| "artifact".to_owned(), |kind| kind.to_string())
    )?;
    writeln!(out, "  digest     {digest}")?;
    match store.artifact_path(digest) {
        Ok(path) => {
            writeln!(out, "  path       {}", path.display())?;
            if let Some(kind) = kind
                && let Err(error) = artifact::describe(out, kind, &path)?
            {
                writeln!(out, "  {RED}{}{RESET}", clean(&error.to_string()))?;
            }
        }
        Err(error) => writeln!(out, "  {RED}{}{RESET}", clean(&error.to_string()))?,
    }
    let Some(producer) = producer else {
        return Ok(());
    };
    writeln!(
        out,
        "  made by    {}.{} in run {}",
        clean(&producer.node),
        clean(&producer.port),
        producer.run
    )?;
    if let Ok(Some(computation)) = store.computation(&producer.key) {
        let recipe = &computation.recipe;
        writeln!(
            out,
            "  operation  {} version {}, seed {}",
            clean(&recipe.operation),
            recipe.version,
            recipe.seed
        )?;
        artifact::tree(out, "  params     ", &recipe.params())?;
        for input in &computation.inputs {
            let (port, from) = (clean(&input.port), clean(&input.from));
            writeln!(out, "  input      {port} ← {from}  {DIM}{}{RESET}", input.digest.short())?;
        }
    }
    writeln!(out, "  key        {DIM}{}{RESET}", producer.key)
}

fn as_json(store: &Store, target: &Target) -> Result<Value, Failure> {
    Ok(match target {
        Target::Run(run) => {
            let nodes = store.nodes(&run.start.id).map_err(Failure::store)?;
            let mut value = run_json(run);
            value["nodes"] = nodes.iter().map(node_json).collect();
            value
        }
        Target::Nodes(run, nodes) => {
            json!({ "run": run_json(run), "nodes": nodes.iter().map(node_json).collect::<Vec<_>>() })
        }
        Target::Outputs(run, outputs) => {
            let outputs = outputs.iter().map(|(node, output)| {
                artifact_json(store, &node.name, &output.digest, producer(store, node, output))
            });
            json!({ "run": run_json(run), "outputs": outputs.collect::<Result<Vec<_>, _>>()? })
        }
        Target::Artifact(digest) => {
            let producer = store.producer(digest).map_err(Failure::store)?;
            artifact_json(store, "", digest, producer)?
        }
    })
}

fn run_json(run: &RunRecord) -> Value {
    json!({
        "run": run.start.id,
        "workflow": run.start.workflow,
        "status": run.status,
        "started": run.start.started,
        "finished": run.finished,
        "params": run.start.params,
        "command": run.start.command,
    })
}

fn node_json(node: &NodeRecord) -> Value {
    let inputs = node.inputs.iter().map(|i| json!({ "port": i.port, "from": i.from, "digest": i.digest }));
    let outputs = node
        .outputs
        .iter()
        .map(|o| json!({ "port": o.port, "kind": o.kind, "digest": o.digest, "bytes": o.bytes }));
    json!({
        "node": node.name,
        "stage": node.stage,
        "operation": node.operation,
        "version": node.version,
        "params": node.params,
        "seed": node.seed,
        "key": node.key,
        "state": node.state,
        "cached": node.cached,
        "reason": node.reason,
        "error": node.error,
        "wall_s": node.wall_s,
        "cpu_s": node.cpu_s,
        "inputs": inputs.collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
    })
}

fn artifact_json(
    store: &Store,
    node: &str,
    digest: &Digest,
    producer: Option<Producer>,
) -> Result<Value, Failure> {
    let path = store.artifact_path(digest).map_err(Failure::store)?;
    let mut value = json!({ "digest": digest, "path": path.to_string_lossy() });
    if !node.is_empty() {
        value["node"] = node.into();
    }
    if let Some(producer) = producer {
        value["kind"] = json!(producer.kind);
        value["content"] = artifact::as_json(producer.kind, &path).map_err(Failure::request)?;
        value["producer"] =
            json!({ "run": producer.run, "node": producer.node, "port": producer.port, "key": producer.key });
    }
    Ok(value)
}
