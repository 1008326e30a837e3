//! What is different between two runs.

use std::collections::BTreeMap;

use flow_artifact::Kind;
use flow_artifact::compare::compare;
use flow_plugin::Digest;
use flow_store::{Computation, NodeRecord, OutputRecord, Recipe, RunRecord, Store};
use serde::Serialize;
use serde_json::Value;

use crate::plan::reason;

/// What is different between two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunDiff {
    /// The first run.
    pub old: Side,
    /// The second run.
    pub new: Side,
    /// Parameters of the workflow that differ.
    pub params: Vec<Parameter>,
    /// Nodes, in the order of the second run and then of the first: all that are in one run only, have
    /// another key, or came out otherwise.
    pub nodes: Vec<NodeDiff>,
    /// How many nodes have the same key in both, and the same results.
    pub same: usize,
}

/// One of the two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Side {
    /// Its name.
    pub run: String,
    /// Its workflow.
    pub workflow: String,
    /// How it stands.
    pub status: String,
    /// Wall seconds from its start to its end.
    pub wall_s: Option<f64>,
    /// Nodes that ran.
    pub executed: usize,
    /// Nodes that did not have to.
    pub cached: usize,
}

/// A parameter that differs; absent where a run has none of that name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// In the first run.
    pub old: Option<Value>,
    /// In the second run.
    pub new: Option<Value>,
}

/// Which of the runs have a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// The first only.
    Gone,
    /// The second only.
    New,
    /// Both.
    Both,
}

/// A node that is not the same in both runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeDiff {
    /// Its name.
    pub node: String,
    /// Which of the runs have it.
    pub presence: Presence,
    /// The keys.
    pub keys: [Option<Digest>; 2],
    /// The parts of the key that are different, with old and new values.
    pub changes: Vec<String>,
    /// Outputs that came out otherwise.
    pub outputs: Vec<String>,
    /// Metrics that came out otherwise, with old and new values.
    pub metrics: Vec<String>,
    /// Wall seconds that computing it took, in the run or before it.
    pub wall_s: [Option<f64>; 2],
    /// CPU seconds that computing it took.
    pub cpu_s: [Option<f64>; 2],
}

/// Compares two runs.
///
/// # Errors
/// When the index cannot be read.
pub fn diff(store: &Store, old: &RunRecord, new: &RunRecord) -> Result<RunDiff, flow_store::Error> {
    let before = store.nodes(&old.start.id)?;
    let after = store.nodes(&new.start.id)?;
    let mut earlier: BTreeMap<&str, &NodeRecord> =
        before.iter().map(|node| (node.name.as_str(), node)).collect();
    let (mut nodes, mut same) = (Vec::new(), 0);
    for node in &after {
        let found = earlier.remove(node.name.as_str());
        match found {
            Some(found) if found.key == node.key && digests(found) == digests(node) && node.key.is_some() => {
                same += 1
            }
            _ => nodes.push(node_diff(store, found, Some(node))?),
        }
    }
    for node in before.iter().filter(|node| earlier.contains_key(node.name.as_str())) {
        nodes.push(node_diff(store, Some(node), None)?);
    }
    Ok(RunDiff { old: side(old), new: side(new), params: params(old, new), nodes, same })
}

fn side(run: &RunRecord) -> Side {
    Side {
        run: run.start.id.clone(),
        workflow: run.start.workflow.clone(),
        status: run.status.to_string(),
        wall_s: run.finished.map(|finished| finished - run.start.started),
        executed: run.executed,
        cached: run.cached,
    }
}

fn params(old: &RunRecord, new: &RunRecord) -> Vec<Parameter> {
    let (old, new) = (&old.start.params, &new.start.params);
    let names: BTreeMap<&String, ()> = old.keys().chain(new.keys()).map(|name| (name, ())).collect();
    let all = names.into_keys().map(|name| Parameter {
        name: name.clone(),
        old: old.get(name).cloned(),
        new: new.get(name).cloned(),
    });
    let text = |value: &Option<Value>| value.as_ref().map(crate::key::canonical);
    all.filter(|parameter| text(&parameter.old) != text(&parameter.new)).collect()
}

fn digests(node: &NodeRecord) -> Vec<Digest> {
    node.outputs.iter().map(|output| output.digest).collect()
}

fn node_diff(
    store: &Store,
    old: Option<&NodeRecord>,
    new: Option<&NodeRecord>,
) -> Result<NodeDiff, flow_store::Error> {
    let (mut changes, mut outputs, mut metrics) = (Vec::new(), Vec::new(), Vec::new());
    if let (Some(old), Some(new)) = (old, new) {
        if old.key != new.key {
            changes = reason::between(&computation(old), &computation(new));
        }
        if old.state != new.state {
            changes.push(format!("{} → {}", old.state, new.state));
        }
        for is in &new.outputs {
            let was = old.outputs.iter().find(|was| was.port == is.port);
            let Some(was) = was.filter(|was| was.digest != is.digest) else { continue };
            outputs.push(is.port.clone());
            if was.kind == Kind::Metrics && is.kind == Kind::Metrics {
                metrics.extend(metric_changes(store, was, is)?);
            }
        }
    }
    let presence = match (old, new) {
        (Some(_), Some(_)) => Presence::Both,
        (Some(_), None) => Presence::Gone,
        _ => Presence::New,
    };
    let cost = |of: &dyn Fn(&NodeRecord) -> Option<f64>| [old.and_then(of), new.and_then(of)];
    Ok(NodeDiff {
        node: new.or(old).map(|node| node.name.clone()).unwrap_or_default(),
        presence,
        keys: [old.and_then(|node| node.key), new.and_then(|node| node.key)],
        changes,
        outputs,
        metrics,
        wall_s: cost(&|node| node.cost.map(|cost| cost.wall_s)),
        cpu_s: cost(&|node| node.cost.map(|cost| cost.cpu_s)),
    })
}

fn computation(node: &NodeRecord) -> Computation {
    let recipe = Recipe {
        // Not compared: the fields are.
        digest: Digest::of(&[]),
        operation: node.operation.clone(),
        version: node.version,
        params: node.params.to_string(),
        seed: node.seed,
    };
    Computation { recipe, inputs: node.inputs.clone() }
}

fn metric_changes(
    store: &Store,
    was: &OutputRecord,
    is: &OutputRecord,
) -> Result<Vec<String>, flow_store::Error> {
    let paths = store.artifact_path(&was.digest).and_then(|was| Ok((was, store.artifact_path(&is.digest)?)));
    Ok(match paths {
        Ok((was, is)) => match compare(Kind::Metrics, &was, &is) {
            Ok(found) => found.iter().map(ToString::to_string).collect(),
            Err(error) => vec![error.to_string()],
        },
        // Cleared away: that it came out otherwise is known all the same.
        Err(flow_store::Error::Unavailable { .. }) => Vec::new(),
        Err(error) => return Err(error),
    })
}
