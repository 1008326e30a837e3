//! The number that a search is after: `STAGE.OUTPUT.NAME`.

use std::collections::{BTreeMap, BTreeSet};

use flow_artifact::Kind;
use flow_artifact::metrics::read_metrics;
use flow_plugin::Digest;
use flow_store::Store;
use serde_json::Value;

use crate::diagnostics::{closest, list};
use crate::graph::{Graph, NodeId, Stage};
use crate::select::Unselectable;
use crate::variants;
use crate::workflow::ITERATION;

/// A number in the metrics of a stage or node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    /// The stage or node.
    pub(super) of: String,
    pub(super) port: String,
    /// The number's name, groups with points; none where there is only one.
    name: Option<String>,
}

impl Target {
    /// Reads `evaluate.scores.test.rmse` for a workflow: a stage or node, an output, a name.
    ///
    /// # Errors
    /// When there is no such stage or output, or the output has no numbers.
    pub(super) fn parse(text: &str, graph: &Graph) -> Result<Self, Unselectable> {
        let error = |message: String, hint: String| Err(Unselectable { message, hint: Some(hint) });
        let nodes = graph.nodes.iter().map(|node| node.name.as_str());
        let stages = graph.stages.iter().map(|stage| stage.name.as_str());
        // The longest name that it begins with: names may have points themselves.
        let of = nodes
            .chain(stages.clone())
            .filter(|name| {
                text.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
            .max_by_key(|name| name.len())
            .or_else(|| unknown_node(text, graph));
        let Some(of) = of else {
            let first = text.split(['.', '[']).next().unwrap_or_default();
            let hint = match closest(first, stages.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the stages are {}", list(&stages.collect::<Vec<_>>())),
            };
            return error(format!("`{text}` does not begin with a stage or node"), hint);
        };
        let ids = graph.named(&[of.to_owned()], "measure")?;
        // Of a stage whose nodes are not known yet there is one that stands for them.
        let stand_in = || graph.stand_ins.iter().find(|node| is_of(of, &node.stage));
        let node = ids.first().map(|id| &graph.nodes[id.0]).or_else(stand_in);
        let outputs: Vec<(&str, Kind)> = node
            .iter()
            .flat_map(|node| node.outputs.iter().map(|port| (port.name.as_str(), port.kind)))
            .collect();
        let metrics: Vec<&str> =
            outputs.iter().filter(|(_, kind)| *kind == Kind::Metrics).map(|(name, _)| *name).collect();
        let rest = text[of.len()..].strip_prefix('.').unwrap_or_default();
        let (port, name) =
            rest.split_once('.').map_or((rest, None), |(port, name)| (port, Some(name.to_owned())));
        match outputs.iter().find(|(name, _)| *name == port) {
            Some((_, Kind::Metrics)) => Ok(Self { of: of.to_owned(), port: port.to_owned(), name }),
            Some((_, kind)) => error(
                format!("{of}.{port} is a {kind}, and has no numbers"),
                match metrics.as_slice() {
                    [] => "name an output of kind metrics".to_owned(),
                    metrics => format!("its metrics are {}", list(metrics)),
                },
            ),
            None => error(
                match port {
                    "" => format!("`{text}` does not say which output of `{of}`"),
                    port => format!("`{of}` has no output `{port}`"),
                },
                match (closest(port, metrics.iter().copied()), metrics.as_slice()) {
                    (Some(near), _) => format!("did you mean `{of}.{near}`?"),
                    (None, []) => "it has no metrics".to_owned(),
                    (None, metrics) => format!("its metrics are {}", list(metrics)),
                },
            ),
        }
    }

    /// Whether its nodes are of this stage.
    pub(super) fn is_of(&self, stage: &Stage) -> bool {
        is_of(&self.of, &stage.name)
    }

    /// The nodes that have it. Of a stage that is repeated, as everywhere outside its loop, the last iterations.
    pub(super) fn nodes(&self, graph: &Graph) -> Result<BTreeSet<NodeId>, Unselectable> {
        let nodes = graph.named(std::slice::from_ref(&self.of), "measure")?;
        if !graph.stages.iter().any(|stage| stage.looped && stage.name == self.of) {
            return Ok(nodes);
        }
        let mut last: BTreeMap<String, (Option<u64>, NodeId)> = BTreeMap::new();
        for id in nodes {
            let mut others = (*graph.node(id).coordinates).clone();
            let iteration = others.shift_remove(ITERATION).and_then(|value| value.as_u64());
            let place = last.entry(Value::Object(others).to_string()).or_insert((iteration, id));
            *place = (*place).max((iteration, id));
        }
        Ok(last.into_values().map(|(_, id)| id).collect())
    }

    /// Reads it from the result of a node.
    pub(super) fn value(&self, store: &Store, key: &Digest) -> Result<f64, String> {
        let hit = store.lookup(key).map_err(|error| error.to_string())?;
        let outputs = hit.map(|hit| hit.outputs).unwrap_or_default();
        let Some(output) = outputs.iter().find(|output| output.port == self.port) else {
            return Err(format!("its output `{}` is not in the store", self.port));
        };
        let path = store.artifact_path(&output.digest).map_err(|error| error.to_string())?;
        let numbers = variants::numbers(&read_metrics(path).map_err(|error| error.to_string())?);
        let names: Vec<&str> = numbers.iter().map(|(name, _)| name.as_str()).collect();
        let of = format!("{}.{}", self.of, self.port);
        let found = match &self.name {
            Some(wanted) => numbers.iter().find(|(name, _)| name == wanted).ok_or_else(|| {
                let hint = match closest(wanted, names.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}", list(&names)),
                };
                format!("there is no number `{wanted}` in {of}; {hint}")
            }),
            None => match numbers.as_slice() {
                [only] => Ok(only),
                [] => Err(format!("there is no number in {of}")),
                _ => Err(format!("{of} has several numbers; say which: {}", list(&names))),
            },
        };
        match found? {
            (name, value) if !value.is_finite() => Err(format!("{name} is {value}")),
            (_, value) => Ok(*value),
        }
    }
}

/// Whether a name is that of a stage, or may be that of a node of it.
fn is_of(name: &str, stage: &str) -> bool {
    name.strip_prefix(stage).is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
}

/// The name of a node that a text begins with, of a stage whose nodes are not all known.
fn unknown_node<'t>(text: &'t str, graph: &Graph) -> Option<&'t str> {
    let mut open = graph.stages.iter().filter(|stage| !stage.unknown.is_empty());
    let name = &text[..text.rfind(']')? + 1];
    open.any(|stage| name != stage.name && is_of(name, &stage.name)).then_some(name)
}
