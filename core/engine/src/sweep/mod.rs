//! Searching for the best settings of a workflow.
//!
//! A trial is the workflow with some settings, as `--set` makes it. Its nodes have the keys of an ordinary run, so
//! a trial that was computed before, by a search or by hand, is there already; an interrupted search goes on; and
//! the best trial is an ordinary run away. Only what the number needs is computed.
//!
//! Trials that do not depend on each other's results are put together into one graph (`unite`) and run under one
//! pool of cores. [`search`] says which come next.

mod search;
mod space;
mod stream;
mod target;
mod tpe;
mod trials;

use std::path::PathBuf;

use flow_store::{RunStatus, Store};

pub use search::{Method, Search};
pub use space::{Dimension, Unreadable};

use crate::catalog::Catalog;
use crate::diagnostics::Diagnostics;
use crate::event;
use crate::graph::Graph;
use crate::run::{self, Grown};
use crate::select::{Selection, Unselectable};
use crate::variants::Spread;
use crate::workflow;

use search::Point;
use target::Target;
use trials::Batch;

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
    let base = needed(base, &target)?;
    let reader = Store::open(&root)?;
    let search = &options.search;
    sink(Event::Started { workflow: &base.name, search });
    let mut told: Vec<(Point, Option<f64>)> = Vec::new();
    let mut trials: Vec<Trial> = Vec::new();
    let mut interrupted = false;
    while told.len() < search.trials() && !interrupted {
        let points = search.next(&told);
        let mut batch = Batch::load(options, &target, catalog, &points, told.len() + 1)?;
        let mut tell = |trial: &Trial| sink(Event::Ended(trial));
        batch.announce(&target, &reader, &mut tell);
        if let Some(graph) = batch.graph.take() {
            let (store, grown) = (Store::open(&root)?, Grown::default());
            let run = &options.run;
            let outcome = run::run_growing(&graph, &grown, &*catalog, store, run, &mut |event| {
                sink(Event::Run(event));
                batch.look_at(grown.latest(), &target);
                batch.note(event);
                batch.announce(&target, &reader, &mut |trial| sink(Event::Ended(trial)));
            })?;
            interrupted = outcome.summary.status == RunStatus::Interrupted;
            if !interrupted {
                batch.end(&target, &reader, &mut |trial| sink(Event::Ended(trial)));
            }
        }
        let sign = if options.maximize { -1.0 } else { 1.0 };
        for (point, (ended, is_over)) in points.into_iter().zip(batch.results(&target, &reader)) {
            told.push((point, ended.value().map(|value| sign * value)));
            if !interrupted || is_over {
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

/// The workflow with the settings of a trial, less what the number does not need.
fn load(
    options: &Options,
    target: &Target,
    catalog: &mut Catalog,
    settings: &[String],
) -> Result<Graph, Error> {
    let mut with = options.workflow.clone();
    let names = options.search.space().iter().map(|dimension| &dimension.name);
    with.set.extend(names.zip(settings).map(|(name, value)| format!("{name}={value}")));
    needed(workflow::load(&options.file, &with, catalog)?, target)
}

/// What the number needs.
fn needed(graph: Graph, target: &Target) -> Result<Graph, Error> {
    let until = vec![target.of.clone()];
    Ok(graph.select(&Selection { until, ..Selection::default() })?)
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
