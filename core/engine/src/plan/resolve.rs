//! From a node's connections to its key.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use flow_plugin::artifact::digest::{self, FileHash};
use flow_plugin::protocol::{InputArtifact, Usage};
use flow_plugin::{Digest, Kind, Multiplicity};
use flow_store::{InputRecord, OutputRecord, Recipe, Shorter, Store};
use serde_json::{Map, Value};

use super::Error;
use crate::catalog::Catalog;
use crate::external::Externals;
use crate::graph::{Graph, Node, NodeId, Origin, Reuse, Source};
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
    pub(crate) coordinates: Option<Arc<Map<String, Value>>>,
    /// For an entry of a folder that is in the store: that folder, and the entry's name.
    pub(crate) within: Option<(Digest, String)>,
}

impl Input {
    /// Where it lies: outside, or in the store.
    ///
    /// # Errors
    /// When it is gone from the store.
    pub(crate) fn locate(&self, store: &Store) -> Result<PathBuf, flow_store::Error> {
        match (&self.path, &self.within) {
            (Some(path), _) => Ok(path.clone()),
            (None, Some((folder, name))) => Ok(store.artifact_path(folder)?.join(name)),
            (None, None) => store.artifact_path(&self.digest),
        }
    }

    /// What the worker is told of it: where it lies, and for operations that measure what it cost.
    pub(crate) fn told(&self, path: PathBuf, cost: Option<Usage>) -> InputArtifact {
        let coordinates = self.coordinates.clone().unwrap_or_default();
        InputArtifact { path, kind: self.kind, digest: self.digest, coordinates, cost }
    }

    /// The artifact in the store that it is, or is in.
    pub(crate) fn artifact(&self) -> Digest {
        self.within.as_ref().map_or(self.digest, |(folder, _)| *folder)
    }
}

/// The inputs of a node, by port in order.
pub(crate) type Ports = Vec<(String, Vec<Input>)>;

/// Finds keys, looking at external files once each.
pub(crate) struct Resolver<'a> {
    graph: &'a Graph,
    catalog: &'a Catalog,
    externals: Externals,
    recipes: Vec<OnceCell<Recipe>>,
    /// By folder in the store: its files.
    folders: HashMap<Digest, Vec<FileHash>>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(graph: &'a Graph, catalog: &'a Catalog) -> Self {
        let recipes = graph.nodes.iter().map(|_| OnceCell::new()).collect();
        Self { graph, catalog, externals: Externals::default(), recipes, folders: HashMap::new() }
    }

    /// Goes on with a graph that has grown.
    pub(crate) fn grow(&mut self, graph: &'a Graph) {
        self.graph = graph;
        self.recipes.resize_with(graph.nodes.len(), OnceCell::new);
    }

    /// Reads every external input of some nodes, and reports all that cannot be read together.
    pub(crate) fn check_externals(&mut self, store: &Store, nodes: &[Arc<Node>]) -> Result<(), Error> {
        let mut problems = Vec::new();
        // A frozen node reads nothing.
        for node in nodes.iter().filter(|node| node.reuse != Reuse::Last) {
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
        let mut ports = Vec::with_capacity(node.inputs.len());
        for (name, sources) in &node.inputs {
            let Some(inputs) = self.port(store, node, (name, sources), &outputs)? else { return Ok(None) };
            ports.push((name.clone(), inputs));
        }
        Ok(Some(ports))
    }

    /// Those of the node's inputs that can be told now: what is not known (yet) is left out, and so is what cannot be
    /// read.
    pub(crate) fn known_inputs<'o>(
        &mut self,
        store: &Store,
        id: NodeId,
        outputs: impl Fn(NodeId) -> Option<&'o [OutputRecord]>,
    ) -> Ports {
        let node = self.graph.node(id);
        let mut ports = Vec::with_capacity(node.inputs.len());
        for (name, sources) in &node.inputs {
            if let Ok(Some(inputs)) = self.port(store, node, (name, sources), &outputs) {
                ports.push((name.clone(), inputs));
            }
        }
        ports
    }

    /// What is connected to one input, or none if it is an output that is not known (yet).
    fn port<'o>(
        &mut self,
        store: &Store,
        node: &Node,
        (name, sources): (&str, &[Source]),
        outputs: &impl Fn(NodeId) -> Option<&'o [OutputRecord]>,
    ) -> Result<Option<Vec<Input>>, Error> {
        let spec = self.catalog.get(&node.operation);
        let declared = spec.and_then(|spec| spec.inputs.iter().find(|port| port.name == name));
        let many = declared.is_some_and(|port| port.multiplicity == Multiplicity::Many);
        let mut inputs = Vec::with_capacity(sources.len());
        for source in sources {
            // Those of files that match a pattern are their names, which also programs see.
            let seen = many || matches!(source.from, Origin::External { .. });
            let coordinates = seen.then(|| source.coordinates.clone()).filter(|map| !map.is_empty());
            let made = |node: &NodeId, port: &String| {
                outputs(*node).and_then(|outputs| outputs.iter().find(|output| output.port == *port))
            };
            let input = match &source.from {
                Origin::Output { node, port } => {
                    let Some(found) = made(node, port) else { return Ok(None) };
                    let output = Some((*node, port.clone()));
                    let (digest, kind) = (found.digest, found.kind);
                    Input { digest, kind, output, path: None, coordinates, within: None }
                }
                Origin::Entry { node, port, name, kind } => {
                    let Some(folder) = made(node, port).map(|found| found.digest) else {
                        return Ok(None);
                    };
                    let Some(digest) = self.entry(store, folder, name, *kind)? else { return Ok(None) };
                    let output = Some((*node, port.clone()));
                    let within = Some((folder, name.clone()));
                    Input { digest, kind: *kind, output, path: None, coordinates, within }
                }
                Origin::External { path, kind } => {
                    let digest = self.externals.digest(store, path, *kind);
                    let digest = digest.map_err(|problem| Error::Inputs(vec![problem]))?;
                    let path = Some(path.clone());
                    Input { digest, kind: *kind, output: None, path, coordinates, within: None }
                }
            };
            inputs.push(input);
        }
        Ok(Some(inputs))
    }

    /// The digest of an entry of a folder in the store, if it can be told.
    fn entry(
        &mut self,
        store: &Store,
        folder: Digest,
        name: &str,
        kind: Kind,
    ) -> Result<Option<Digest>, Error> {
        let files = match self.folders.entry(folder) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => match store.artifact_files(&folder) {
                Ok(files) => place.insert(files),
                Err(flow_store::Error::Unavailable { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            },
        };
        if let Some(digest) = digest::entry(kind, files, name) {
            return Ok(digest);
        }
        // Kinds whose digest is over what they mean, not over their bytes: it has to be read.
        match store.artifact_path(&folder) {
            Ok(path) => {
                let digest = self.externals.digest(store, &path.join(name), kind);
                digest.map(Some).map_err(|problem| Error::Inputs(vec![problem]))
            }
            Err(flow_store::Error::Unavailable { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn recipe(&self, id: NodeId) -> &Recipe {
        self.recipes[id.0].get_or_init(|| key::recipe(self.graph.node(id)))
    }

    pub(crate) fn key(&self, id: NodeId, ports: &Ports) -> Digest {
        key::key(&self.recipe(id).digest, &items(ports))
    }

    /// For a node that can be extended: the key without the extendable parameter, and that parameter.
    pub(crate) fn family(&self, id: NodeId, ports: &Ports) -> Option<(Digest, i64)> {
        let (recipe, extent) = key::family(self.graph.node(id))?;
        Some((key::key(&recipe, &items(ports)), extent))
    }

    /// The longest kept computation that this node can go on from, if there is one.
    pub(crate) fn shorter(
        &self,
        store: &Store,
        id: NodeId,
        ports: &Ports,
    ) -> Result<Option<Shorter>, flow_store::Error> {
        match self.family(id, ports) {
            Some((family, extent)) => store.shorter(&family, extent),
            None => Ok(None),
        }
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
                (Some((node, port)), _) => {
                    let entry = input.within.as_ref().map(|(_, name)| format!("/{name}"));
                    format!("{}.{port}{}", graph.node(*node).name, entry.unwrap_or_default())
                }
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
                .map(|input| Item { digest: item(input), coordinates: input.coordinates.as_deref() })
                .collect();
            (port.as_str(), items)
        })
        .collect()
}
