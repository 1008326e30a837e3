//! Running a workflow.
//!
//! The dispatcher owns the state that people see: which node waits, runs, has ended, and why. The executor
//! owns the units of work: worker processes and the conversations with them. The writer owns the store's
//! index. They are joined by messages only.
//!
//! ```text
//!            tasks, stop                     ended nodes, claims
//! executor ◀───────────── dispatcher ─────────────────────▶ writer (a thread)
//!          ─────────────▶            ◀─────────────────────
//!            reports         │ events   committed, claimed
//!                            ▼
//!                      the caller's sink
//! ```

mod accept;
mod again;
pub(crate) mod cgroup;
mod declared;
mod dispatcher;
mod ending;
mod executor;
mod failing;
mod grow;
mod machine;
mod node;
mod order;
pub(crate) mod publish;
mod share;
mod slots;
mod start;
mod timers;
mod trial;
mod verify;
mod worker;
mod writer;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use flow_plugin::Digest;
use flow_plugin::protocol::PluginInfo;
use flow_store::{RunStart, RunStatus, Store};

pub(crate) use grow::Grown;
pub use machine::cores;
pub use trial::{Tried, try_operations};
pub use verify::{Sample, Verdict, Verification, Verified, VerifyOptions, verify};

use crate::catalog::Catalog;
use crate::event::{Event, Summary};
use crate::graph::{Graph, NodeId, Reuse};
use crate::plan::{self, Frozen, History, Resolver};
use crate::report;

/// A program that serves operations over the worker protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it runs; where the engine does without it.
    pub folder: Option<PathBuf>,
    /// Environment variables that it gets beside the engine's own.
    pub env: Vec<(String, String)>,
    /// How long it may take to greet; any time without it.
    pub patience: Option<Duration>,
    /// What it has announced before the run.
    pub announced: Option<Announced>,
}

/// What a plugin has announced: its workers must be of the same code.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Announced {
    operations: Digest,
    /// Where it is remembered.
    described: PathBuf,
}

impl Program {
    /// The command that starts it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        command
    }
}

impl Announced {
    pub(crate) fn new(info: &PluginInfo, described: PathBuf) -> Self {
        Self { operations: operations(info), described }
    }

    /// Whether a worker announces the same. If not, the plugin is to be asked anew the next time.
    fn is_still_so(&self, plugins: &[PluginInfo]) -> bool {
        let same = plugins.iter().any(|info| operations(info) == self.operations);
        if !same {
            // Where it cannot be removed, it cannot be used either.
            let _ = std::fs::remove_file(&self.described);
        }
        same
    }
}

fn operations(info: &PluginInfo) -> Digest {
    Digest::of(&serde_json::to_vec(&info.operations).unwrap_or_default())
}

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many cores the run may use.
    pub cores: usize,
    /// What serves the operations.
    pub worker: Program,
    /// The command as the user gave it, for the record.
    pub command: String,
    /// After a node has failed nothing more is started.
    pub fail_fast: bool,
    /// Publish also over files that flow did not put there.
    pub overwrite: bool,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The run's name.
    pub run: String,
    /// Its counts, times and status.
    pub summary: Summary,
}

/// A run that could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started: an input cannot be read, or the store fails.
    #[error(transparent)]
    Plan(#[from] plan::Error),
    /// Outputs would be published where they must not: one line each.
    #[error("{}", .0.join("\n"))]
    Publish(Vec<String>),
    /// The store failed while it ran.
    #[error("the run was given up: {0}")]
    Store(flow_store::Error),
    /// The system failed.
    #[error("the run was given up: {0}")]
    System(#[from] std::io::Error),
}

/// Runs a workflow: computes what is not in the store, and tells `sink` what happens.
///
/// # Errors
/// When the run cannot be started or carried through. A node that fails is no error here: the outcome says so.
pub fn run(
    graph: &Graph,
    catalog: &Catalog,
    store: Store,
    options: &Options,
    sink: &mut dyn FnMut(&Event),
) -> Result<Outcome, Error> {
    run_growing(graph, &Grown::default(), catalog, store, options, sink)
}

/// The same, for whoever wants to see the graph grow meanwhile.
pub(crate) fn run_growing(
    graph: &Graph,
    grown: &Grown,
    catalog: &Catalog,
    store: Store,
    options: &Options,
    sink: &mut dyn FnMut(&Event),
) -> Result<Outcome, Error> {
    if graph.nodes.iter().any(|node| node.reuse == Reuse::Needed) {
        // Says what is left out of the run and would have to be computed.
        plan::plan(graph, catalog, &store)?;
    }
    let mut resolver = Resolver::new(graph, catalog);
    resolver.check_externals(&store, &graph.nodes)?;
    let frozen = plan::frozen(graph, &store)?;
    publish::check(graph, 0, &store, options.overwrite)?;
    let mut summary = Summary::given_up(graph.nodes.len());
    let run = carry_out((graph, grown), catalog, (store, resolver, frozen), options, sink, &mut summary);
    // Whoever follows the events is told the end in any case.
    sink(&Event::RunFinished(summary.clone()));
    run.map(|run| Outcome { run, summary })
}

/// Gives the run's name. What the run came to is put into `summary`, also when it had to be given up.
fn carry_out<'a>(
    (graph, grown): (&'a Graph, &'a Grown),
    catalog: &'a Catalog,
    (mut store, resolver, frozen): (Store, Resolver<'a>, BTreeMap<NodeId, Frozen>),
    options: &Options,
    sink: &mut dyn FnMut(&Event),
    summary: &mut Summary,
) -> Result<String, Error> {
    let started = flow_store::now();
    let history = History::new(&store, &graph.name).map_err(plan::Error::Store)?;

    let (run, lock) = machine::name_and_lock(&store, "", started).map_err(plan::Error::Store)?;
    store.clear_dead_runs().map_err(plan::Error::Store)?;
    let start = RunStart {
        id: run.clone(),
        workflow: graph.name.clone(),
        file: graph.file.to_string_lossy().into_owned(),
        source: graph.source.clone(),
        params: graph.params.clone(),
        command: options.command.clone(),
        machine: machine::this(options.cores),
        engine: env!("CARGO_PKG_VERSION").to_owned(),
        started,
    };
    store.start_run(&start).map_err(plan::Error::Store)?;
    sink(&Event::RunStarted {
        run: run.clone(),
        workflow: graph.name.clone(),
        nodes: graph.nodes.len(),
        cores: options.cores,
    });
    if let Some(kind) = store.network() {
        let message = format!("the store is on a network file system ({kind}): runs use it one at a time");
        sink(&Event::Warning { message });
    }

    let reader = Store::open(store.root()).map_err(plan::Error::Store)?;
    let parts = dispatcher::Parts {
        graph,
        grown,
        catalog,
        store: &reader,
        resolver,
        history,
        frozen,
        run: &run,
        options,
        sink,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(dispatcher::dispatch(parts, store, started, summary))?;
    drop(runtime);
    drop(lock);
    report(grown.latest().unwrap_or(graph), &reader, &run, sink);
    Ok(run)
}

/// Writes the run's report. The results are in the store whatever becomes of it, so a failure is a warning.
fn report(graph: &Graph, store: &Store, run: &str, sink: &mut dyn FnMut(&Event)) {
    let path = store.run_folder(run).join("report.html");
    // Thousands of small questions about one state of the index.
    let written = store
        .snapshot()
        .and_then(|_snapshot| report::gather(store, run, graph, path))
        .map_err(|error| error.to_string())
        .and_then(|input| report::write(&input).map_err(|error| error.to_string()));
    sink(&match written {
        Ok(path) => Event::ReportWritten { path: path.to_string_lossy().into_owned() },
        Err(error) => Event::Warning { message: format!("the report could not be written: {error}") },
    });
}

impl Outcome {
    /// Whether every node succeeded.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.summary.status == RunStatus::Succeeded
    }
}
