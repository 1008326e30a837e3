//! The number that a search is after: `STAGE.OUTPUT.NAME`.

use std::collections::BTreeSet;

use flow_artifact::Kind;
use flow_artifact::metrics::read_metrics;
use flow_plugin::Digest;
use flow_store::Store;

use crate::diagnostics::{closest, list};
use crate::graph::{Graph, NodeId};
use crate::select::Unselectable;
use crate::variants;

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
            .max_by_key(|name| name.len());
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
        let stand_in = || graph.stand_ins.iter().find(|node| node.stage == of);
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

    /// The nodes that have it.
    pub(super) fn nodes(&self, graph: &Graph) -> Result<BTreeSet<NodeId>, Unselectable> {
        graph.named(std::slice::from_ref(&self.of), "measure")
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
