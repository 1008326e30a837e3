//! `flow plugin check`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use flow_artifact::Digest;
use flow_engine::catalog::{Catalog, Finding};
use flow_engine::graph::Graph;
use flow_engine::run::{self, Options};
use flow_store::Store;

use super::super::Failure;
use super::super::request::{self, Settings, StoreArgs};

/// Arguments of `flow plugin check`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow plugin check workflow.yaml

The workflow is the example that the plugins are tried with: it is run three times in stores of its own, which are
removed again, and publishes nothing. Keep it small.

Exit status: 0 all is well, 1 something is not, 2 the request or the workflow was wrong.")]
pub(crate) struct Args {
    /// The workflow: a file, or the name of one in workflows/
    #[arg(value_name = "WORKFLOW")]
    file: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    store: StoreArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut loaded = request::load(args.file.as_ref(), &args.settings, &args.store)?;
    for node in &mut loaded.graph.nodes {
        Arc::make_mut(node).publish.clear();
    }
    let mut sound = true;
    let mut plugins = 0;
    for (name, findings) in loaded.catalog.try_out() {
        plugins += 1;
        anstream::println!("{name}");
        for finding in &findings {
            sound &= show(finding);
        }
    }
    if plugins == 0 {
        return Err(Failure::request("the workflow names no plugins")
            .hint("a workflow names its own under `plugins:`; see `flow plugin new --help`"));
    }
    anstream::println!("{}", loaded.graph.name);
    let folder = std::env::temp_dir().join(format!("flow-check-{}", std::process::id()));
    let findings = runs(&loaded.graph, &loaded.catalog, &folder, loaded.cores);
    // What is left of it is in a folder for such things.
    let _ = std::fs::remove_dir_all(&folder);
    for finding in findings? {
        sound &= show(&finding);
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Says how a trial came out, and gives whether it came out well.
fn show(finding: &Finding) -> bool {
    match &finding.problem {
        None => anstream::println!("  ok      {}", finding.tried),
        Some(problem) => {
            anstream::println!("  FAILED  {}", finding.tried);
            problem.lines().for_each(|line| anstream::println!("          {line}"));
        }
    }
    finding.problem.is_none()
}

/// By node and port: what came out.
type Outputs = BTreeMap<String, Digest>;

/// Runs the workflow again and again, and compares.
fn runs(graph: &Graph, catalog: &Catalog, folder: &Path, cores: usize) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    let mut finding = |tried, problem: Option<String>| findings.push(Finding { tried, problem });
    let (first, problem) = once(graph, catalog, &folder.join("first"), cores)?;
    let ran = problem.is_none();
    finding("the workflow runs", problem);
    if !ran {
        return Ok(findings);
    }
    let store = request::open(&folder.join("first"))?;
    let options = options(cores)?;
    let again = run::run(graph, catalog, store, &options, &mut |_| ()).map_err(Failure::run)?;
    let executed = again.summary.executed;
    finding("nothing runs the second time", (executed > 0).then(|| format!("{executed} nodes ran")));
    let (afresh, problem) = once(graph, catalog, &folder.join("second"), 1)?;
    let other: Vec<&str> = first
        .iter()
        .filter(|(name, digest)| afresh.get(*name) != Some(digest))
        .map(|(name, _)| name.as_str())
        .collect();
    let other = (!other.is_empty()).then(|| {
        format!(
            "other bytes on one core, of {}\ndoes it draw random numbers without a seed?",
            other.join(", ")
        )
    });
    finding("it gives the same bytes again, on one core", problem.or(other));
    Ok(findings)
}

fn options(cores: usize) -> Result<Options, Failure> {
    let command = "plugin check".to_owned();
    Ok(Options { cores, worker: request::worker()?, command, fail_fast: false, overwrite: false })
}

/// What a run in an empty store gives, and what is wrong with it.
fn once(
    graph: &Graph,
    catalog: &Catalog,
    folder: &Path,
    cores: usize,
) -> Result<(Outputs, Option<String>), Failure> {
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
    if !outcome.succeeded() {
        return Ok((Outputs::new(), Some(problems.join("\n"))));
    }
    let store: Store = request::open(folder)?;
    let nodes = store.nodes(&outcome.run).map_err(Failure::store)?;
    // What measures time gives other numbers each time.
    let measures = |name: &str| graph.nodes.iter().any(|node| node.name == name && node.measures);
    let outputs = nodes
        .iter()
        .filter(|node| !measures(&node.name))
        .flat_map(|node| node.outputs.iter().map(|o| (format!("{}.{}", node.name, o.port), o.digest)));
    Ok((outputs.collect(), None))
}
