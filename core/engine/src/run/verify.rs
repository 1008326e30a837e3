//! Computing results again, to see whether the same comes out. Nothing is recorded.

use std::collections::BTreeMap;
use std::path::PathBuf;

use flow_artifact::compare::{Difference, compare};
use flow_plugin::protocol::Job;
use flow_store::Store;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::again::{self, Candidate, candidates};
use super::executor::{End, Executor, Report, Stop};
use super::slots::{Held, Slots};
use super::{Error, Program, machine};
use crate::catalog::Catalog;
use crate::graph::{Graph, NodeId};
use crate::growth;
use crate::plan::Resolver;

/// What to verify, and how.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// How many cores may be used.
    pub cores: usize,
    /// What serves the operations.
    pub worker: Program,
    /// Stages and nodes by name; none for a sample of all.
    pub nodes: Vec<String>,
    /// How much of what is computed, where no nodes are named.
    pub sample: Sample,
    /// Which sample.
    pub seed: u64,
}

/// The size of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// This part of the nodes, and at least one.
    Fraction(f64),
    /// So many nodes.
    Count(usize),
}

/// What came of computing a node again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The same, bit for bit.
    Same,
    /// Not the same, but within the tolerance that the operation declares.
    Within,
    /// Something else.
    Different,
    /// It failed.
    Failed,
    /// It was not computed again.
    LeftOut,
}

/// A node that was verified, or was to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verified {
    /// Its name.
    pub node: String,
    /// What came of it.
    pub verdict: Verdict,
    /// Wall seconds, now.
    pub wall_s: f64,
    /// The relative tolerance that the operation declares.
    pub tolerance: f64,
    /// What is different, by output.
    pub differences: Vec<String>,
    /// Why it failed, or was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What a verification came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verification {
    /// Every node that was to be verified, in the order in which they ended.
    pub nodes: Vec<Verified>,
    /// Nodes that could have been verified.
    pub computed: usize,
    /// It was interrupted.
    pub interrupted: bool,
}

/// Computes nodes again whose results are in the store, and compares. `sink` is told of each as it ends.
///
/// # Errors
/// When an external input cannot be read, or the store or the system fails.
pub fn verify(
    graph: &Graph,
    catalog: &Catalog,
    store: &Store,
    options: &VerifyOptions,
    sink: &mut dyn FnMut(&Verified),
) -> Result<Verification, Error> {
    let graph = &*growth::known(graph, catalog, store)?;
    let mut resolver = Resolver::new(graph, catalog);
    resolver.check_externals(store, &graph.nodes)?;
    let candidates = candidates(graph, store, &mut resolver)?;
    // As a run: what it writes is cleared when it has ended, however it ends; and what it reads stays.
    let (name, _lock) = machine::name_and_lock(store, "verify-", flow_store::now()).map_err(Error::Store)?;
    let kept = store.keep().map_err(Error::Store)?;
    let scratch = store.scratch(&name);
    std::fs::create_dir_all(&scratch)?;
    let computed = candidates.len();
    let mut verifier = Verifier {
        graph,
        catalog,
        store,
        scratch,
        sink,
        found: Verification { computed, ..Verification::default() },
    };
    let chosen = verifier.choose(candidates, options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(verifier.carry_through(chosen, options));
    drop(kept);
    let found = verifier.found;
    store.clear_run(&name).map_err(Error::Store)?;
    done.map(|()| found)
}

struct Verifier<'a> {
    graph: &'a Graph,
    catalog: &'a Catalog,
    store: &'a Store,
    scratch: PathBuf,
    sink: &'a mut dyn FnMut(&Verified),
    found: Verification,
}

impl Verifier<'_> {
    fn choose(&mut self, candidates: Vec<Candidate>, options: &VerifyOptions) -> Vec<Candidate> {
        let graph = self.graph;
        if !options.nodes.is_empty() {
            let named = |id: &NodeId| {
                let node = graph.node(*id);
                options.nodes.iter().any(|name| *name == node.name || *name == node.stage)
            };
            let (mut chosen, mut measures) = (Vec::new(), Vec::new());
            for candidate in candidates.into_iter().filter(|candidate| named(&candidate.id)) {
                let list = if graph.node(candidate.id).measures { &mut measures } else { &mut chosen };
                list.push(candidate);
            }
            for id in (0..graph.nodes.len()).map(NodeId).filter(named) {
                if measures.iter().any(|candidate: &Candidate| candidate.id == id) {
                    self.left_out(id, "it measures time: nobody expects the same twice".to_owned());
                } else if !chosen.iter().any(|candidate: &Candidate| candidate.id == id) {
                    self.left_out(id, "it has not been computed yet".to_owned());
                }
            }
            return chosen;
        }
        let mut chosen: Vec<_> = candidates.into_iter().filter(|c| !graph.node(c.id).measures).collect();
        self.found.computed = chosen.len();
        let count = match options.sample {
            Sample::Count(count) => count,
            Sample::Fraction(part) => ((part * chosen.len() as f64).ceil() as usize).max(1),
        };
        // The same seed gives the same sample, whatever else has been added to the workflow.
        chosen.sort_by_key(|candidate| {
            let node = graph.node(candidate.id);
            *blake3::hash(format!("{} {}", options.seed, node.name).as_bytes()).as_bytes()
        });
        chosen.truncate(count);
        chosen
    }

    async fn carry_through(
        &mut self,
        mut todo: Vec<Candidate>,
        options: &VerifyOptions,
    ) -> Result<(), Error> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (executor, mut reports) = Executor::new(options.worker.clone(), self.graph.limits_memory());
        let mut slots = Slots::new(options.cores, machine::memory());
        let mut running: BTreeMap<NodeId, (Candidate, Held, Job)> = BTreeMap::new();
        todo.reverse();
        loop {
            while let Some(candidate) = todo.pop() {
                let node = self.graph.node(candidate.id);
                let Some(held) = slots.take(&node.resources, false) else {
                    todo.push(candidate);
                    break;
                };
                match again::job(self.graph, self.store, &self.scratch, &candidate, held.threads)? {
                    Ok(job) => {
                        executor.start(again::task(self.graph, self.catalog, &candidate, job.clone()));
                        running.insert(candidate.id, (candidate, held, job));
                    }
                    Err(problem) => {
                        slots.give_back(held);
                        self.left_out(candidate.id, problem);
                    }
                }
            }
            if running.is_empty() {
                break;
            }
            tokio::select! {
                Some(report) = reports.recv() => if let Report::Ended { node, end } = report
                    && let Some((candidate, held, job)) = running.remove(&node)
                {
                    slots.give_back(held);
                    self.ended(&candidate, &job, end)?;
                },
                _ = interrupt.recv() => self.found.interrupted = true,
                _ = terminate.recv() => self.found.interrupted = true,
            }
            if self.found.interrupted {
                todo.clear();
                executor.stop(Stop::Kill);
            }
        }
        executor.end().await;
        Ok(())
    }

    fn ended(&mut self, candidate: &Candidate, job: &Job, end: End) -> Result<(), Error> {
        let node = self.graph.node(candidate.id);
        let tolerance = self.catalog.get(&node.operation).map_or(0.0, |spec| spec.tolerance);
        let verified = |verdict, wall_s, differences, problem| Verified {
            node: node.name.clone(),
            verdict,
            wall_s,
            tolerance,
            differences,
            problem,
        };
        let verified = match end {
            End::Done { outputs, usage } => {
                let (mut verdict, mut shown) = (Verdict::Same, Vec::new());
                for (port, artifact) in outputs {
                    let stored = candidate.hit.outputs.iter().find(|stored| stored.port == port);
                    let Some(stored) = stored.filter(|stored| stored.digest != artifact.digest) else {
                        continue;
                    };
                    let found = self.differences(stored, job.outputs.get(&port))?;
                    let within = !found.is_empty() && found.iter().all(|d| d.is_ok_and_within(tolerance));
                    if !within {
                        verdict = Verdict::Different;
                    } else if verdict == Verdict::Same {
                        verdict = Verdict::Within;
                    }
                    shown.extend(found.iter().map(|found| format!("{port}: {}", found.text())));
                    if found.is_empty() {
                        shown.push(format!("{port}: other content"));
                    }
                }
                verified(verdict, usage.wall_s, shown, None)
            }
            End::Failed { failure, usage, .. } => {
                verified(Verdict::Failed, usage.wall_s, Vec::new(), Some(failure.message))
            }
            End::Cancelled => verified(Verdict::LeftOut, 0.0, Vec::new(), Some("interrupted".to_owned())),
        };
        again::discard(job);
        self.tell(verified);
        Ok(())
    }

    fn differences(
        &self,
        stored: &flow_store::OutputRecord,
        new: Option<&PathBuf>,
    ) -> Result<Vec<Found>, Error> {
        let Some(new) = new else { return Ok(Vec::new()) };
        let old = match self.store.artifact_path(&stored.digest) {
            Ok(old) => old,
            Err(error @ flow_store::Error::Unavailable { .. }) => {
                return Ok(vec![Found::Unknown(error.to_string())]);
            }
            Err(error) => return Err(Error::Store(error)),
        };
        Ok(match compare(stored.kind, &old, new) {
            Ok(differences) => differences.into_iter().map(Found::Difference).collect(),
            Err(error) => vec![Found::Unknown(error.to_string())],
        })
    }

    fn left_out(&mut self, id: NodeId, problem: String) {
        let node = self.graph.node(id);
        self.tell(Verified {
            node: node.name.clone(),
            verdict: Verdict::LeftOut,
            wall_s: 0.0,
            tolerance: 0.0,
            differences: Vec::new(),
            problem: Some(problem),
        });
    }

    fn tell(&mut self, verified: Verified) {
        (self.sink)(&verified);
        self.found.nodes.push(verified);
    }
}

/// What is known of a difference.
enum Found {
    Difference(Difference),
    /// There is one; why it cannot be looked at.
    Unknown(String),
}

impl Found {
    fn is_ok_and_within(&self, tolerance: f64) -> bool {
        matches!(self, Self::Difference(difference) if difference.is_within(tolerance))
    }

    fn text(&self) -> String {
        match self {
            Self::Difference(difference) => difference.to_string(),
            Self::Unknown(why) => why.clone(),
        }
    }
}
