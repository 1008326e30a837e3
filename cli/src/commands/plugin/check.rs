//! `flow plugin check`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use flow_artifact::Digest;
use flow_engine::catalog::{Catalog, Finding, Judgement};
use flow_engine::graph::Graph;
use flow_engine::run::{self, Options, Tried};
use flow_store::{RunStatus, Store};

use super::super::Failure;
use super::super::request::{self, Loaded, WorkflowArgs};
use crate::render::text::{GREEN, RED, RESET, YELLOW, clean};

/// Arguments of `flow plugin check`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow plugin check workflow.yaml

The workflow is the example that the plugins are tried with. It is run three times in stores of its own, which are
removed again, and publishes nothing. Then each operation of the plugins is computed again on the node that took longest:
with 1 and with 3 threads, asked to stop in the middle, killed in the middle, and killed after its first checkpoint. Each
time it must give the same bytes in the end. Keep the workflow small, but let its operations work for some tenths of a
second, or they are done before anything can be done to them.

Exit status: 0 all is well, 1 something is not, 2 the request or the workflow was wrong, 130 interrupted.")]
pub(crate) struct Args {
    #[command(flatten)]
    workflow: WorkflowArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut loaded = args.workflow.load()?;
    for node in &mut loaded.graph.nodes {
        Arc::make_mut(node).publish.clear();
    }
    let mut sound = true;
    let mut plugins = 0;
    for (name, findings) in loaded.catalog.try_out() {
        plugins += 1;
        anstream::println!("plugin {name}");
        for finding in &findings {
            sound &= show(finding);
        }
    }
    if plugins == 0 {
        return Err(Failure::request("the workflow names no plugins")
            .hint("a workflow names its own under `plugins:`; see `flow plugin new --help`"));
    }
    let folder = std::env::temp_dir().join(format!("flow-check-{}", std::process::id()));
    let tried = runs(&loaded, &folder, &mut sound);
    // What is left of it is in a folder for such things.
    let _ = std::fs::remove_dir_all(&folder);
    Ok(match tried? {
        false => ExitCode::from(130),
        true if sound => ExitCode::SUCCESS,
        true => ExitCode::from(1),
    })
}

/// Says how a trial came out, and gives whether it did not come out badly.
fn show(finding: &Finding) -> bool {
    let tried = &finding.tried;
    match &finding.judgement {
        Judgement::Passed => anstream::println!("  {GREEN}ok{RESET}       {tried}"),
        Judgement::Skipped(why) => anstream::println!("  {YELLOW}skipped{RESET}  {tried}: {why}"),
        Judgement::Failed(problem) => {
            anstream::println!("  {RED}FAILED{RESET}   {tried}");
            problem.lines().for_each(|line| anstream::println!("           {}", clean(line)));
        }
    }
    !matches!(finding.judgement, Judgement::Failed(_))
}

/// By node and port: what came out.
type Outputs = BTreeMap<String, Digest>;

/// Runs the workflow again and again, and compares; then tries its operations. Gives whether that was carried through.
fn runs(loaded: &Loaded, folder: &Path, sound: &mut bool) -> Result<bool, Failure> {
    let Loaded { graph, catalog, cores, .. } = loaded;
    let first_store = folder.join("first");
    anstream::println!("workflow {}", graph.name);
    let mut told = |tried: &str, problem: Option<String>| {
        *sound &= show(&Finding::new(tried, problem.map_or(Ok(()), Err)));
    };
    let first = match once(graph, catalog, &first_store, *cores)? {
        Once::Succeeded(outputs) => outputs,
        Once::Failed(problem) => {
            told("the workflow runs", Some(problem));
            return Ok(true);
        }
        Once::Interrupted => return Ok(false),
    };
    told("the workflow runs", None);
    let store = request::open(&first_store)?;
    let again = run::run(graph, catalog, store, &options(*cores)?, &mut |_| ()).map_err(Failure::run)?;
    let executed = again.summary.executed;
    told("nothing runs the second time", (executed > 0).then(|| format!("{executed} nodes ran")));
    let problem = match once(graph, catalog, &folder.join("second"), 1)? {
        Once::Succeeded(afresh) => other_bytes(&first, &afresh),
        Once::Failed(problem) => Some(problem),
        Once::Interrupted => return Ok(false),
    };
    told("it gives the same bytes again, on one core", problem);
    let store = request::open(&first_store)?;
    run::try_operations(graph, catalog, &store, &mut |tried| match tried {
        Tried::Operation { name, node: Some(node) } => {
            anstream::println!("operation {name}, as in `{}`", clean(node))
        }
        Tried::Operation { name, node: None } => {
            anstream::println!("operation {name}");
            show(&Finding::skipped("all trials", "no node of the workflow uses it"));
        }
        Tried::Finding(finding) => *sound &= show(finding),
    })
    .map_err(Failure::run)
}

/// Which outputs are not the same the second time.
fn other_bytes(first: &Outputs, afresh: &Outputs) -> Option<String> {
    let other = first.iter().filter(|(name, digest)| afresh.get(*name) != Some(digest));
    let other: Vec<&str> = other.map(|(name, _)| name.as_str()).collect();
    (!other.is_empty()).then(|| {
        format!(
            "other bytes on one core, of {}\ndoes it draw random numbers without a seed?",
            other.join(", ")
        )
    })
}

fn options(cores: usize) -> Result<Options, Failure> {
    let command = "plugin check".to_owned();
    Ok(Options { cores, worker: request::worker()?, command, fail_fast: false, overwrite: false })
}

/// What came of a run in an empty store.
enum Once {
    Succeeded(Outputs),
    /// What is wrong.
    Failed(String),
    Interrupted,
}

fn once(graph: &Graph, catalog: &Catalog, folder: &Path, cores: usize) -> Result<Once, Failure> {
    std::fs::create_dir_all(folder).map_err(Failure::system)?;
    let store = request::open(folder)?;
    let mut problems = Vec::new();
    let outcome = run::run(graph, catalog, store, &options(cores)?, &mut |event| {
        if let flow_engine::event::Event::NodeFinished { node, error: Some(error), .. } = event {
            let lines =
                std::iter::once(format!("{node}: {}", error.message)).chain(error.stderr.iter().cloned());
            problems.extend(lines);
        }
    });
    let outcome = outcome.map_err(Failure::run)?;
    match outcome.summary.status {
        RunStatus::Succeeded => {}
        RunStatus::Interrupted => return Ok(Once::Interrupted),
        _ => return Ok(Once::Failed(problems.join("\n"))),
    }
    let store: Store = request::open(folder)?;
    let nodes = store.nodes(&outcome.run).map_err(Failure::store)?;
    // What measures time gives other numbers each time.
    let measures = |name: &str| graph.nodes.iter().any(|node| node.name == name && node.measures);
    let outputs = nodes
        .iter()
        .filter(|node| !measures(&node.name))
        .flat_map(|node| node.outputs.iter().map(|o| (format!("{}.{}", node.name, o.port), o.digest)));
    Ok(Once::Succeeded(outputs.collect()))
}
