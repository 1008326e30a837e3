//! Searching for the best settings of a workflow.
//!
//! A trial is the workflow with some settings, as `--set` makes it. Its nodes have the keys of an ordinary run, so
//! a trial that was computed before, by a search or by hand, is there already; an interrupted search goes on; and
//! the best trial is an ordinary run away. Only what the number needs is computed.
//!
//! Trials that do not depend on each other's results are put together into one graph ([`unite`]) and run under one
//! pool of cores. [`search`] says which come next.

mod search;
mod space;
mod stream;
mod target;
mod tpe;
mod unite;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use flow_plugin::Digest;
use flow_store::{NodeState, RunStatus, Store};

pub use search::{Method, Search};
pub use space::{Dimension, Unreadable};

use crate::catalog::Catalog;
use crate::diagnostics::Diagnostics;
use crate::event;
use crate::graph::{Graph, NodeId};
use crate::run;
use crate::select::{Selection, Unselectable};
use crate::variants::Spread;
use crate::workflow;

use search::Point;
use target::Target;

/// What is to be searched for, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The workflow file.
    pub file: PathBuf,
    /// Settings that all trials have.
    pub workflow: workflow::Options,
    /// The settings to try.
    pub search: Search,
    /// The number to look at: `STAGE.OUTPUT.NAME`.
    pub metric: String,
    /// Whether large numbers are good.
    pub maximize: bool,
    /// Where results are kept, if not in `.flow` of the workflow's root folder.
    pub store: Option<PathBuf>,
    /// How to run.
    pub run: run::Options,
}

/// One trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Its number, from 1 on.
    pub number: usize,
    /// The value of every dimension, as it is set.
    pub settings: Vec<String>,
    /// The number, over the nodes of the stage; or why there is none.
    pub result: Result<Spread, String>,
    /// How many nodes it has.
    pub nodes: usize,
    /// How many of them were computed now. One that several trials share counts in each.
    pub computed: usize,
    /// Wall seconds of those.
    pub wall_s: f64,
}

impl Trial {
    /// The number, if there is one.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.result.as_ref().ok().map(|spread| spread.mean)
    }
}

/// Something that happened in a search.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// It has begun.
    Started {
        /// The workflow's name.
        workflow: &'a str,
        /// What is searched.
        search: &'a Search,
    },
    /// Something happened in the run of some trials.
    Run(&'a event::Event),
    /// A trial has ended.
    Ended(&'a Trial),
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The trials that have ended, in their order.
    pub trials: Vec<Trial>,
    /// The best of them by number, best first; then those that failed.
    pub ranking: Vec<usize>,
    /// It was interrupted.
    pub interrupted: bool,
}

impl Found {
    /// The best trial.
    #[must_use]
    pub fn best(&self) -> Option<&Trial> {
        self.ranking.first().map(|at| &self.trials[*at]).filter(|trial| trial.value().is_some())
    }
}

/// A search that could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The workflow is wrong, or no trial of the first ones can be made from it.
    #[error(transparent)]
    Workflow(#[from] Diagnostics),
    /// The number that is wanted is not there.
    #[error(transparent)]
    Metric(#[from] Unselectable),
    /// The store fails.
    #[error(transparent)]
    Store(#[from] flow_store::Error),
    /// A run could not be carried through.
    #[error(transparent)]
    Run(#[from] run::Error),
}

/// Searches.
///
/// # Errors
/// When the workflow is wrong, the number is not there, or a run cannot be carried through. Trials that fail are
/// no errors.
pub fn sweep(
    options: &Options,
    catalog: &mut Catalog,
    sink: &mut dyn FnMut(Event<'_>),
) -> Result<Found, Error> {
    let base = workflow::load(&options.file, &options.workflow, catalog)?;
    let target = Target::parse(&options.metric, &base)?;
    let root = options.store.clone().unwrap_or_else(|| base.root.join(".flow"));
    let (base, _) = needed(base, &target)?;
    let reader = Store::open(&root)?;
    let search = &options.search;
    sink(Event::Started { workflow: &base.name, search });
    let mut told: Vec<(Point, Option<f64>)> = Vec::new();
    let mut trials: Vec<Trial> = Vec::new();
    let mut interrupted = false;
    while told.len() < search.trials() && !interrupted {
        let points = search.next(&told);
        let mut batch = Batch::load(options, &target, catalog, &points, told.len() + 1)?;
        for trial in batch.trials.iter().filter(|trial| trial.nodes.is_none()) {
            sink(Event::Ended(&trial.ended(&target, &reader, &batch.seen)));
        }
        if let Some(graph) = batch.graph.take() {
            let store = Store::open(&root)?;
            let outcome = run::run(&graph, &*catalog, store, &options.run, &mut |event| {
                sink(Event::Run(event));
                batch.note(event, &target, &reader, sink);
            })?;
            interrupted = outcome.summary.status == RunStatus::Interrupted;
        }
        let sign = if options.maximize { -1.0 } else { 1.0 };
        for (trial, point) in batch.trials.iter().zip(points) {
            let ended = trial.ended(&target, &reader, &batch.seen);
            told.push((point, ended.value().map(|value| sign * value)));
            if !interrupted || trial.has_ended(&batch.seen) {
                trials.push(ended);
            }
        }
    }
    let ranking = ranking(&trials, options.maximize);
    Ok(Found { trials, ranking, interrupted })
}

/// Best first, of equal ones the earlier; then those that failed.
fn ranking(trials: &[Trial], maximize: bool) -> Vec<usize> {
    let mut ranking: Vec<usize> = (0..trials.len()).collect();
    ranking.sort_by(|a, b| match (trials[*a].value(), trials[*b].value()) {
        (Some(a), Some(b)) if maximize => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    });
    ranking
}

/// What became of a node.
struct Seen {
    state: NodeState,
    cached: bool,
    key: Option<Digest>,
    wall_s: f64,
    error: Option<String>,
}

/// A trial that is to be run, or cannot be.
struct Running {
    number: usize,
    settings: Vec<String>,
    /// The names of its nodes, and of those that have the number; none if it cannot be made.
    nodes: Option<(Vec<String>, Vec<String>)>,
    problem: String,
    announced: bool,
}

/// Trials that run side by side.
struct Batch {
    graph: Option<Graph>,
    trials: Vec<Running>,
    /// By name, how the nodes ended.
    seen: BTreeMap<String, Seen>,
    /// By name of a node that has the number: the trials.
    measured: HashMap<String, Vec<usize>>,
}

impl Batch {
    fn load(
        options: &Options,
        target: &Target,
        catalog: &mut Catalog,
        points: &[Point],
        first: usize,
    ) -> Result<Self, Error> {
        let (mut graphs, mut trials, mut failed) = (Vec::new(), Vec::new(), None);
        let mut measured: Vec<BTreeSet<NodeId>> = Vec::new();
        for (number, point) in (first..).zip(points) {
            let settings = options.search.settings(point);
            let mut running =
                Running { number, settings, nodes: None, problem: String::new(), announced: false };
            match load(options, target, catalog, &running.settings) {
                Ok((graph, ids)) => {
                    running.nodes = Some(Default::default());
                    measured.push(ids);
                    graphs.push(graph);
                }
                Err(Error::Workflow(problems)) => {
                    let first = problems.sorted().first().map(|problem| problem.message.clone());
                    running.problem = first.unwrap_or_default();
                    failed.get_or_insert(problems);
                }
                Err(Error::Metric(error)) => running.problem = error.message,
                Err(other) => return Err(other),
            }
            trials.push(running);
        }
        if let (true, Some(problems)) = (graphs.is_empty() && first == 1, failed) {
            // What is wrong with all of them is a mistake of whoever asked.
            return Err(problems.into());
        }
        let numbers: Vec<usize> = trials.iter().filter(|t| t.nodes.is_some()).map(|t| t.number).collect();
        let united = unite::unite(graphs, &numbers);
        if let Some(united) = &united {
            let name = |id: &NodeId| united.graph.node(*id).name.clone();
            let sound = trials.iter_mut().filter(|trial| trial.nodes.is_some());
            for ((trial, nodes), measured) in sound.zip(&united.nodes).zip(measured) {
                let of_metric = measured.iter().map(|id| name(&nodes[id.0])).collect();
                trial.nodes = Some((nodes.iter().map(name).collect(), of_metric));
            }
        }
        let graph =
            united.map(|united| Graph { name: format!("{}-sweep", united.graph.name), ..united.graph });
        let mut by_node: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, trial) in trials.iter().enumerate() {
            for node in trial.nodes.iter().flat_map(|(_, measured)| measured) {
                by_node.entry(node.clone()).or_default().push(at);
            }
        }
        Ok(Self { graph, trials, seen: BTreeMap::new(), measured: by_node })
    }

    /// Takes down how a node ended, and tells of the trials that have ended with it.
    fn note(
        &mut self,
        event: &event::Event,
        target: &Target,
        store: &Store,
        sink: &mut dyn FnMut(Event<'_>),
    ) {
        let event::Event::NodeFinished { node, status, cached, key, wall_s, error, .. } = event else {
            return;
        };
        let error = error.as_ref().map(|error| error.message.clone());
        let seen = Seen { state: *status, cached: *cached, key: *key, wall_s: *wall_s, error };
        self.seen.insert(node.clone(), seen);
        for at in self.measured.get(node).into_iter().flatten() {
            let trial = &mut self.trials[*at];
            if !trial.announced && trial.has_ended(&self.seen) {
                trial.announced = true;
                sink(Event::Ended(&trial.ended(target, store, &self.seen)));
            }
        }
    }
}

/// The workflow with the settings of a trial, less what the number does not need; and the nodes that have it.
fn load(
    options: &Options,
    target: &Target,
    catalog: &mut Catalog,
    settings: &[String],
) -> Result<(Graph, BTreeSet<NodeId>), Error> {
    let mut with = options.workflow.clone();
    let names = options.search.space().iter().map(|dimension| &dimension.name);
    with.set.extend(names.zip(settings).map(|(name, value)| format!("{name}={value}")));
    let graph = workflow::load(&options.file, &with, catalog)?;
    needed(graph, target)
}

/// What the number needs, and the nodes that have it.
fn needed(graph: Graph, target: &Target) -> Result<(Graph, BTreeSet<NodeId>), Error> {
    let until = vec![target.of.clone()];
    let graph = graph.select(&Selection { until, ..Selection::default() })?;
    if let Some(stage) = graph.stages.iter().find(|stage| !stage.unknown.is_empty()) {
        let message = format!("the nodes of `{}` are not known before it runs", stage.name);
        let hint = "trials of such a workflow cannot be put together: run them one by one";
        return Err(Unselectable { message, hint: Some(hint.to_owned()) }.into());
    }
    let measured = target.nodes(&graph)?;
    Ok((graph, measured))
}

impl Running {
    fn has_ended(&self, seen: &BTreeMap<String, Seen>) -> bool {
        let ended = |name: &String| seen.get(name).is_some_and(|seen| seen.state != NodeState::Cancelled);
        self.nodes.as_ref().is_none_or(|(_, measured)| measured.iter().all(ended))
    }

    /// What it came to, as far as is known.
    fn ended(&self, target: &Target, store: &Store, seen: &BTreeMap<String, Seen>) -> Trial {
        let all = self.nodes.iter().flat_map(|(all, _)| all);
        let all: Vec<(&String, &Seen)> = all.filter_map(|name| Some((name, seen.get(name)?))).collect();
        let now: Vec<&Seen> = all
            .iter()
            .map(|(_, seen)| *seen)
            .filter(|s| s.state == NodeState::Succeeded && !s.cached)
            .collect();
        Trial {
            number: self.number,
            settings: self.settings.clone(),
            result: self.result(target, store, seen, &all),
            nodes: self.nodes.as_ref().map_or(0, |(all, _)| all.len()),
            computed: now.len(),
            wall_s: now.iter().map(|seen| seen.wall_s).sum(),
        }
    }

    fn result(
        &self,
        target: &Target,
        store: &Store,
        seen: &BTreeMap<String, Seen>,
        all: &[(&String, &Seen)],
    ) -> Result<Spread, String> {
        let Some((_, measured)) = &self.nodes else { return Err(self.problem.clone()) };
        let mut values = Vec::with_capacity(measured.len());
        for name in measured {
            match seen.get(name) {
                Some(Seen { state: NodeState::Succeeded, key: Some(key), .. }) => {
                    values.push(target.value(store, key).map_err(|problem| format!("{name}: {problem}"))?);
                }
                _ => {
                    // The node at whose fault it is says more than those that were skipped for it.
                    let failed = all.iter().find(|(_, seen)| seen.state == NodeState::Failed);
                    let why = failed
                        .map(|(name, seen)| format!("{name}: {}", seen.error.as_deref().unwrap_or("failed")));
                    return Err(why.unwrap_or_else(|| format!("{name} did not run")));
                }
            }
        }
        Ok(Spread::of(&values))
    }
}

/// The settings of a trial as the arguments of a run: `--set NAME=VALUE`.
#[must_use]
pub fn arguments(search: &Search, trial: &Trial) -> Vec<String> {
    let names = search.space().iter().map(|dimension| &dimension.name);
    names
        .zip(&trial.settings)
        .flat_map(|(name, value)| ["--set".to_owned(), format!("{name}={value}")])
        .collect()
}
