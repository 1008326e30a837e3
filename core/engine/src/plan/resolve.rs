//! From a node's connections to its key.

use std::cell::OnceCell;
use std::path::PathBuf;

use flow_plugin::{Digest, Kind, Multiplicity};
use flow_store::{InputRecord, OutputRecord, Recipe, Store};
use serde_json::{Map, Value};

use super::Error;
use crate::catalog::Catalog;
use crate::external::Externals;
use crate::graph::{Graph, NodeId, Origin, Reuse};
use crate::key::{self, Item};

/// One input of a node, now that its content is known.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) digest: Digest,
    pub(crate) kind: Kind,
    /// The node and port that made it, or else
    pub(crate) output: Option<(NodeId, String)>,
    /// the file it is.
    pub(crate) path: Option<PathBuf>,
    /// The coordinates of an item of a collection.
    pub(crate) coordinates: Option<Map<String, Value>>,
}

/// The inputs of a node, by port in order.
pub(crate) type Ports = Vec<(String, Vec<Input>)>;

/// Finds keys, looking at external files once each.
pub(crate) struct Resolver<'a> {
    graph: &'a Graph,
    catalog: &'a Catalog,
    externals: Externals,
    recipes: Vec<OnceCell<Recipe>>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(graph: &'a Graph, catalog: &'a Catalog) -> Self {
        let recipes = graph.nodes.iter().map(|_| OnceCell::new()).collect();
        Self { graph, catalog, externals: Externals::default(), recipes }
    }

    /// Reads every external input, and reports all that cannot be read together.
    pub(crate) fn check_externals(&mut self, store: &Store) -> Result<(), Error> {
        let mut problems = Vec::new();
        // A frozen node reads nothing.
        for node in self.graph.nodes.iter().filter(|node| node.reuse != Reuse::Last) {
            for source in node.inputs.iter().flat_map(|(_, sources)| sources) {
                if let Origin::External { path, kind } = &source.from
                    && let Err(problem) = self.externals.digest(store, path, *kind)
                {
                    let problem = format!("{}: {problem}", node.name);
                    if !problems.contains(&problem) {
                        problems.push(problem);
                    }
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Inputs(problems)) }
    }

    /// The node's inputs, or none if one of them is an output that is not known (yet).
    pub(crate) fn inputs<'o>(
        &mut self,
        store: &Store,
        id: NodeId,
        outputs: impl Fn(NodeId) -> Option<&'o [OutputRecord]>,
    ) -> Result<Option<Ports>, Error> {
        let node = self.graph.node(id);
        let spec = self.catalog.get(&node.operation);
        let mut ports = Vec::with_capacity(node.inputs.len());
        for (name, sources) in &node.inputs {
            let declared = spec.and_then(|spec| spec.inputs.iter().find(|port| port.name == *name));
            let many = declared.is_some_and(|port| port.multiplicity == Multiplicity::Many);
            let mut inputs = Vec::with_capacity(sources.len());
            for source in sources {
                let coordinates = many.then(|| source.coordinates.clone()).filter(|map| !map.is_empty());
                let (digest, kind, output, path) = match &source.from {
                    Origin::Output { node, port } => {
                        let found = outputs(*node)
                            .and_then(|outputs| outputs.iter().find(|output| output.port == *port));
                        let Some(found) = found else { return Ok(None) };
                        (found.digest, found.kind, Some((*node, port.clone())), None)
                    }
                    Origin::External { path, kind } => {
                        let digest = self.externals.digest(store, path, *kind);
                        let digest = digest.map_err(|problem| Error::Inputs(vec![problem]))?;
                        (digest, *kind, None, Some(path.clone()))
                    }
                };
                inputs.push(Input { digest, kind, output, path, coordinates });
            }
            ports.push((name.clone(), inputs));
        }
        Ok(Some(ports))
    }

    pub(crate) fn recipe(&self, id: NodeId) -> &Recipe {
        self.recipes[id.0].get_or_init(|| key::recipe(self.graph.node(id)))
    }

    pub(crate) fn key(&self, id: NodeId, ports: &Ports) -> Digest {
        key::key(&self.recipe(id).digest, &items(ports))
    }

    /// For extendable operations: the key without the extendable parameter, and that parameter.
    pub(crate) fn family(&self, id: NodeId, ports: &Ports) -> Option<(Digest, i64)> {
        let node = self.graph.node(id);
        let parameter = self.catalog.get(&node.operation)?.extendable.as_ref()?;
        let (recipe, extent) = key::family(node, parameter)?;
        Some((key::key(&recipe, &items(ports)), extent))
    }

    /// Whether the external inputs among these still are what they were.
    pub(crate) fn changed_external(&self, ports: &Ports) -> Option<PathBuf> {
        ports.iter().flat_map(|(_, inputs)| inputs).find_map(|input| {
            let path = input.path.as_ref()?;
            (!self.externals.is_unchanged(path, input.kind)).then(|| path.clone())
        })
    }

    /// The inputs as they are recorded.
    pub(crate) fn records(&self, ports: &Ports) -> Vec<InputRecord> {
        records(self.graph, ports)
    }
}

pub(crate) fn records(graph: &Graph, ports: &Ports) -> Vec<InputRecord> {
    let inputs = ports.iter().flat_map(|(port, inputs)| inputs.iter().enumerate().map(move |i| (port, i)));
    inputs
        .map(|(port, (index, input))| InputRecord {
            port: port.clone(),
            index,
            digest: input.digest,
            from: match (&input.output, &input.path) {
                (Some((node, port)), _) => format!("{}.{port}", graph.node(*node).name),
                (None, Some(path)) => path.to_string_lossy().into_owned(),
                (None, None) => String::new(),
            },
        })
        .collect()
}

fn items(ports: &Ports) -> Vec<(&str, Vec<Item<'_>>)> {
    let item = |input: &'_ Input| -> Digest { input.digest };
    ports
        .iter()
        .map(|(port, inputs)| {
            let items = inputs
                .iter()
                .map(|input| Item { digest: item(input), coordinates: input.coordinates.as_ref() })
                .collect();
            (port.as_str(), items)
        })
        .collect()
}
