//! Trials that run side by side: which nodes are theirs, and what has become of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use flow_plugin::Digest;
use flow_store::{NodeState, Store};

use super::search::Point;
use super::target::Target;
use super::{Error, Options, Trial, load};
use crate::catalog::Catalog;
use crate::event::Event;
use crate::graph::{Graph, MadeOf};
use crate::select::Unselectable;
use crate::unite::{United, Variant, unite};
use crate::variants::Spread;

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
    /// The names of its nodes, as far as they are known.
    nodes: Vec<String>,
    /// The names of those that have the number; none while they are not all known.
    measured: Option<Vec<String>>,
    /// Why it cannot have a number.
    problem: Option<String>,
    announced: bool,
}

/// Trials that run side by side.
pub(super) struct Batch {
    /// The nodes of all that can be made; none if there are none.
    pub(super) graph: Option<Graph>,
    trials: Vec<Running>,
    /// Of those that can be made: which they are.
    sound: Vec<usize>,
    /// By name, how the nodes ended.
    seen: BTreeMap<String, Seen>,
    /// By name of a node that has the number: the trials.
    measured: HashMap<String, Vec<usize>>,
    /// Trials that may have ended and are to be looked at.
    doubtful: Vec<usize>,
    /// What has been looked at last.
    latest: Option<Arc<United>>,
}

impl Batch {
    pub(super) fn load(
        options: &Options,
        target: &Target,
        catalog: &mut Catalog,
        points: &[Point],
        first: usize,
    ) -> Result<Self, Error> {
        let (mut graphs, mut numbers, mut sound) = (Vec::new(), Vec::new(), Vec::new());
        let (mut trials, mut failed) = (Vec::new(), None);
        for (at, point) in points.iter().enumerate() {
            let (number, settings) = (first + at, options.search.settings(point));
            let problem = match load(options, target, catalog, &settings) {
                Ok(graph) => {
                    graphs.push(graph);
                    numbers.push(number);
                    sound.push(at);
                    None
                }
                Err(Error::Workflow(problems)) => {
                    let first = problems.sorted().first().map(|problem| problem.message.clone());
                    failed.get_or_insert(problems);
                    Some(first.unwrap_or_default())
                }
                Err(Error::Metric(error)) => Some(in_a_line(error)),
                Err(other) => return Err(other),
            };
            let (nodes, measured, announced) = (Vec::new(), None, false);
            trials.push(Running { number, settings, nodes, measured, problem, announced });
        }
        if let (true, Some(problems)) = (graphs.is_empty() && first == 1, failed) {
            // What is wrong with all of them is a mistake of whoever asked.
            return Err(problems.into());
        }
        let graph = unite(graphs, &numbers);
        let graph = graph.map(|graph| Graph { name: format!("{}-sweep", graph.name), ..graph });
        let mut batch = Self {
            graph: None,
            doubtful: (0..trials.len()).collect(),
            trials,
            sound,
            seen: BTreeMap::new(),
            measured: HashMap::new(),
            latest: None,
        };
        batch.look_at(graph.as_ref(), target);
        batch.graph = graph;
        Ok(batch)
    }

    /// Finds the nodes of the trials in a graph, if that has not been done.
    pub(super) fn look_at(&mut self, graph: Option<&Graph>, target: &Target) {
        let Some((graph, MadeOf::Variants(united))) = graph.map(|graph| (graph, &graph.made_of)) else {
            return;
        };
        if self.latest.as_ref().is_some_and(|latest| Arc::ptr_eq(latest, united)) {
            return;
        }
        self.latest = Some(united.clone());
        self.measured.clear();
        for (at, variant) in self.sound.iter().zip(united.variants()) {
            let trial = &mut self.trials[*at];
            trial.look_at(variant, graph, target);
            for node in trial.measured.iter().flatten() {
                self.measured.entry(node.clone()).or_default().push(*at);
            }
        }
        self.doubtful = (0..self.trials.len()).collect();
    }

    /// Takes down how a node ended.
    pub(super) fn note(&mut self, event: &Event) {
        let Event::NodeFinished { node, status, cached, key, wall_s, error, .. } = event else { return };
        let error = error.as_ref().map(|error| error.message.clone());
        let seen = Seen { state: *status, cached: *cached, key: *key, wall_s: *wall_s, error };
        self.seen.insert(node.clone(), seen);
        self.doubtful.extend(self.measured.get(node).into_iter().flatten());
    }

    /// Tells of the trials that have ended since the last time.
    pub(super) fn announce(&mut self, target: &Target, store: &Store, tell: &mut dyn FnMut(&Trial)) {
        for at in std::mem::take(&mut self.doubtful) {
            let trial = &mut self.trials[at];
            if !trial.announced && trial.is_over(&self.seen) {
                trial.announced = true;
                tell(&trial.result(target, store, &self.seen));
            }
        }
    }

    /// The run has ended by itself: tells of the trials of which not all became known.
    pub(super) fn end(&mut self, target: &Target, store: &Store, tell: &mut dyn FnMut(&Trial)) {
        for trial in self.trials.iter().filter(|trial| !trial.announced) {
            tell(&trial.result(target, store, &self.seen));
        }
    }

    /// What the trials have come to, and whether they are over.
    pub(super) fn results(&self, target: &Target, store: &Store) -> Vec<(Trial, bool)> {
        let result = |trial: &Running| (trial.result(target, store, &self.seen), trial.is_over(&self.seen));
        self.trials.iter().map(result).collect()
    }
}

fn in_a_line(Unselectable { message, hint }: Unselectable) -> String {
    hint.into_iter().fold(message, |message, hint| format!("{message}; {hint}"))
}

impl Running {
    fn look_at(&mut self, variant: &Variant, united: &Graph, target: &Target) {
        let name = |own: usize| united.node(variant.nodes[own]).name.clone();
        self.nodes = (0..variant.nodes.len()).map(name).collect();
        self.problem.clone_from(&variant.problem);
        let stage = variant.graph.stages.iter().find(|stage| target.is_of(stage));
        if self.problem.is_some() || stage.is_some_and(|stage| !stage.unknown.is_empty()) {
            return;
        }
        match target.nodes(&variant.graph) {
            Ok(ids) => self.measured = Some(ids.into_iter().map(|id| name(id.0)).collect()),
            Err(error) => self.problem = Some(in_a_line(error)),
        }
    }

    fn is_over(&self, seen: &BTreeMap<String, Seen>) -> bool {
        let ended = |name: &String| seen.get(name).is_some_and(|seen| seen.state != NodeState::Cancelled);
        let measured = || self.measured.as_ref().is_some_and(|measured| measured.iter().all(ended));
        self.problem.is_some() || measured()
    }

    /// What it came to, as far as is known.
    fn result(&self, target: &Target, store: &Store, seen: &BTreeMap<String, Seen>) -> Trial {
        let all: Vec<(&String, &Seen)> =
            self.nodes.iter().filter_map(|name| Some((name, seen.get(name)?))).collect();
        let now: Vec<&Seen> = all
            .iter()
            .map(|(_, seen)| *seen)
            .filter(|s| s.state == NodeState::Succeeded && !s.cached)
            .collect();
        Trial {
            number: self.number,
            settings: self.settings.clone(),
            result: self.value(target, store, seen, &all),
            nodes: self.nodes.len(),
            computed: now.len(),
            wall_s: now.iter().map(|seen| seen.wall_s).sum(),
        }
    }

    fn value(
        &self,
        target: &Target,
        store: &Store,
        seen: &BTreeMap<String, Seen>,
        all: &[(&String, &Seen)],
    ) -> Result<Spread, String> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        // The node at whose fault it is says more than those that were skipped for it.
        let failed = || {
            let failed = all.iter().find(|(_, seen)| seen.state == NodeState::Failed);
            failed.map(|(name, seen)| format!("{name}: {}", seen.error.as_deref().unwrap_or("failed")))
        };
        let Some(measured) = &self.measured else {
            return Err(failed().unwrap_or_else(|| format!("the nodes of {} are not known", target.of)));
        };
        let mut values = Vec::with_capacity(measured.len());
        for name in measured {
            match seen.get(name) {
                Some(Seen { state: NodeState::Succeeded, key: Some(key), .. }) => {
                    values.push(target.value(store, key).map_err(|problem| format!("{name}: {problem}"))?);
                }
                _ => return Err(failed().unwrap_or_else(|| format!("{name} did not run"))),
            }
        }
        Ok(Spread::of(&values))
    }
}
