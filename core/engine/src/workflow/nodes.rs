//! From expanded stages to nodes: parameters computed and checked, inputs connected, outputs resolved.

use std::cell::Cell as Flag;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flow_plugin::{Checked, Multiplicity, Port, Spec};
use petgraph::graph::DiGraph;
use serde_json::{Map, Value};

use super::axes::{coordinates, key_on, node_name};
use super::expand::{Expanded, Link, expand};
use super::external;
use super::file::{AxisBlock, Connection, File, Item, StageDecl};
use super::limits;
use super::link::{Linked, candidates, is_resolved};
use super::params::Params;
use super::ports;
use super::schema::Schema;
use super::tree::{Data, Entry, Tree};
use super::validate::{PathParam, Validator};
use crate::catalog::Catalog;
use crate::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::expr::{Piece, Scope};
use crate::graph::{Edge, Node, NodeId, Origin, Resources, Source, Stage};

/// Where relative paths start from, and what the machine has.
pub(super) struct Place {
    /// The folder of the workflow file.
    pub(super) folder: PathBuf,
    /// The folder that the command was given in.
    pub(super) current: PathBuf,
    pub(super) root: PathBuf,
    pub(super) cores: usize,
}

impl Place {
    /// Makes a path absolute. What was typed on the command line starts from the current folder.
    pub(super) fn resolve(&self, path: &str, span: Span) -> PathBuf {
        let base = if span.source == 0 { &self.folder } else { &self.current };
        let joined = base.join(path);
        std::path::absolute(&joined).unwrap_or(joined)
    }
}

/// What all stages come to.
#[derive(Default)]
pub(super) struct Built {
    pub(super) stages: Vec<Stage>,
    pub(super) nodes: Vec<Node>,
    pub(super) dag: DiGraph<NodeId, Edge>,
    /// By published path: the text that asks for it.
    pub(super) published: Vec<(PathBuf, Span)>,
    /// External inputs and the text that names them.
    pub(super) externals: Vec<(PathBuf, Span)>,
}

/// Builds the nodes of all stages.
pub(super) fn build(
    file: &File,
    linked: &Linked<'_>,
    params: &Params,
    place: &Place,
    catalog: &Catalog,
    problems: &mut Diagnostics,
) -> Built {
    let expanded = expand(file, linked, params, problems);
    let mut start = 0;
    let starts: Vec<usize> = expanded
        .iter()
        .map(|stage| {
            let own = start;
            start += stage.cells.len();
            own
        })
        .collect();
    let mut slots: Vec<Option<Node>> = Vec::new();
    slots.resize_with(start, || None);
    let mut built = Built::default();
    let rest = (0..file.stages.len()).filter(|stage| !linked.order.contains(stage));
    for number in linked.order.iter().copied().chain(rest) {
        let stage = &file.stages[number];
        let mut builder = Builder {
            file,
            linked,
            params,
            place,
            catalog,
            expanded: &expanded,
            starts: &starts,
            slots: &slots,
            problems: &mut *problems,
            published: &mut built.published,
            externals: &mut built.externals,
            known: external::Known::default(),
        };
        let nodes = builder.stage(number, stage);
        for (row, node) in nodes.into_iter().enumerate() {
            slots[starts[number] + row] = Some(node);
        }
    }
    built.stages = file
        .stages
        .iter()
        .enumerate()
        .map(|(number, stage)| Stage {
            name: stage.name.text.clone(),
            operation: stage.uses.as_ref().map(|uses| uses.text.clone()).unwrap_or_default(),
            nodes: starts[number]..starts[number] + expanded[number].cells.len(),
        })
        .collect();
    if problems.is_empty() {
        // Without problems every stage was built, so every slot is filled.
        built.nodes = slots.into_iter().flatten().collect();
        built.dag = dag(file, linked, &expanded, &starts, &built.nodes);
    }
    built
}

/// The edges: one for every artifact that flows, and those that `needs` asks for.
fn dag(
    file: &File,
    linked: &Linked<'_>,
    expanded: &[Expanded],
    starts: &[usize],
    nodes: &[Node],
) -> DiGraph<NodeId, Edge> {
    let mut dag = DiGraph::with_capacity(nodes.len(), nodes.len());
    for number in 0..nodes.len() {
        dag.add_node(NodeId(number));
    }
    for (number, node) in nodes.iter().enumerate() {
        for (input, sources) in &node.inputs {
            for source in sources {
                if let Origin::Output { node, port } = &source.from {
                    let edge = Edge::Data { output: port.clone(), input: input.clone() };
                    dag.add_edge((*node).into(), NodeId(number).into(), edge);
                }
            }
        }
    }
    for (number, stage) in file.stages.iter().enumerate() {
        for needed in stage.needs.iter().filter_map(|word| linked.stage(&word.text)) {
            // A node waits for the nodes of that stage that agree with it on the axes that both have.
            let (own, other) = (&expanded[number].cells, &expanded[needed].cells);
            let axes = super::axes::axes_of(own);
            let shared: Vec<_> =
                super::axes::axes_of(other).into_iter().filter(|axis| axes.contains(axis)).collect();
            let mut index: std::collections::HashMap<String, Vec<usize>> = std::collections::HashMap::new();
            for (row, cell) in other.iter().enumerate() {
                index.entry(key_on(cell, &shared)).or_default().push(row);
            }
            for (row, cell) in own.iter().enumerate() {
                for earlier in index.get(&key_on(cell, &shared)).into_iter().flatten() {
                    let (from, to) = (NodeId(starts[needed] + earlier), NodeId(starts[number] + row));
                    dag.add_edge(from.into(), to.into(), Edge::Order);
                }
            }
        }
    }
    dag
}

struct Builder<'a> {
    file: &'a File,
    linked: &'a Linked<'a>,
    params: &'a Params,
    place: &'a Place,
    catalog: &'a Catalog,
    expanded: &'a [Expanded],
    starts: &'a [usize],
    /// Nodes of earlier stages.
    slots: &'a [Option<Node>],
    problems: &'a mut Diagnostics,
    published: &'a mut Vec<(PathBuf, Span)>,
    externals: &'a mut Vec<(PathBuf, Span)>,
    known: external::Known,
}

/// What the nodes of a stage often have in common; kept from one to the next.
#[derive(Default)]
struct Last {
    /// The checked parameters, when they are the same for all nodes.
    fixed: Option<Given>,
    /// The answer of the operation's own code, and the question.
    checked: Option<(Value, Vec<Port>, Checked)>,
    /// By input: an output that is known to fit.
    fitting: Vec<Option<Port>>,
    limits: Option<(Resources, u32, Option<Duration>)>,
}

/// Parameters after evaluation and the check against the schema.
#[derive(Clone)]
struct Given {
    value: Value,
    paths: std::rc::Rc<Vec<PathParam>>,
    with: std::rc::Rc<Tree>,
    /// Everything could be computed and fits the schema.
    sound: bool,
}

impl Builder<'_> {
    fn stage(&mut self, number: usize, stage: &StageDecl) -> Vec<Node> {
        let expanded = &self.expanded[number];
        let Some(spec) = self.linked.specs[number] else { return Vec::new() };
        let schema = Schema::compile(&spec.params);
        self.unconnected(number, stage, spec);
        self.multiplicities(stage, spec);
        let seeds = stage.axes.iter().find_map(|block| match block {
            AxisBlock::Seeds { span, .. } => Some(*span),
            _ => None,
        });
        let mut last = Last { fitting: vec![None; spec.inputs.len()], ..Last::default() };
        (0..expanded.cells.len())
            .map(|row| self.node(number, stage, spec, &schema, seeds, row, &mut last))
            .collect()
    }

    /// Inputs that are needed and not connected.
    fn unconnected(&mut self, number: usize, stage: &StageDecl, spec: &Spec) {
        for port in spec.inputs.iter().filter(|_| !stage.meant.contains(&"inputs")) {
            if port.optional || stage.inputs.iter().any(|(name, _)| name.text == port.name) {
                continue;
            }
            let misspelt = stage.inputs.iter().any(|(name, _)| {
                !spec.inputs.iter().any(|port| port.name == name.text)
                    && crate::diagnostics::closest(&name.text, [port.name.as_str()]).is_some()
            });
            if misspelt {
                continue;
            }
            let span = stage.inputs_span.unwrap_or(stage.name.span);
            let found = candidates(self.file, self.linked, number, port);
            let (open, close) = match port.multiplicity {
                Multiplicity::One => ("", ""),
                Multiplicity::Many => ("[", "]"),
            };
            let help = match found.as_slice() {
                [] => format!("`{}` is a {}: {}", port.name, port.kind, port.doc),
                [one] => format!("write `inputs: {{ {}: {open}{one}{close} }}`", port.name),
                several => format!(
                    "`{}` is a {}; connect one of {}",
                    port.name,
                    port.kind,
                    crate::diagnostics::list(&several[..several.len().min(8)])
                ),
            };
            self.problems.push(
                Diagnostic::at(span, format!("`{}` needs the input `{}`", spec.name, port.name)).help(help),
            );
        }
    }

    /// One artifact where a collection is wanted, or the other way round.
    fn multiplicities(&mut self, stage: &StageDecl, spec: &Spec) {
        for (name, connection) in &stage.inputs {
            let Some(port) = spec.inputs.iter().find(|port| port.name == name.text) else { continue };
            let takes = format!("the input `{}` of `{}`", port.name, spec.name);
            match (port.multiplicity, connection) {
                (Multiplicity::Many, Connection::Map(reference)) => {
                    let written = format!("{}.{}", reference.stage.text, reference.port.text);
                    self.problems.push(
                        Diagnostic::at(reference.span, format!("{takes} takes a collection"))
                            .label("this is one artifact")
                            .help(format!("collect it: `{}: [{written}]`", port.name)),
                    );
                }
                (Multiplicity::Many, Connection::External(_, span)) => self.problems.push(
                    Diagnostic::at(*span, format!("{takes} takes a collection"))
                        .label("this is one artifact")
                        .help(format!("collect it: `{}: [{{ path: … }}]`", port.name)),
                ),
                (Multiplicity::One, Connection::Collect(items, span)) => {
                    let help = match items.as_slice() {
                        [Item::Output(one)] => {
                            format!("map it: `{}: {}.{}`", port.name, one.stage.text, one.port.text)
                        }
                        _ => "connect one output, without the brackets".to_owned(),
                    };
                    self.problems.push(
                        Diagnostic::at(*span, format!("{takes} takes one artifact"))
                            .label("this is a collection")
                            .help(help),
                    );
                }
                (Multiplicity::One, Connection::Partial { span, from, .. }) => self.problems.push(
                    Diagnostic::at(*span, format!("{takes} takes one artifact"))
                        .label("this is a collection")
                        .help(format!("map it: `{}: {}.{}`", port.name, from.stage.text, from.port.text)),
                ),
                _ => {}
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the stage's facts, computed once, and the row")]
    fn node(
        &mut self,
        number: usize,
        stage: &StageDecl,
        spec: &Spec,
        schema: &Schema,
        seeds: Option<Span>,
        row: usize,
        last: &mut Last,
    ) -> Node {
        let expanded = &self.expanded[number];
        let cell = &expanded.cells[row];
        let coordinates = coordinates(cell);
        let matrix = Value::Object(coordinates.clone());
        let seed = coordinates.get("seed").cloned();
        let (resources, retry, timeout) = self.limits(stage, &matrix, seed.as_ref(), expanded.tainted, last);
        let resources_value = limits::resources_value(&resources, self.place.cores);
        let scope = scope(self.params, &matrix, seed.as_ref(), &resources_value);
        let given = self.given(stage, spec, schema, seeds, &scope, &seed, expanded.tainted, last);
        let (mut inputs, connected) = self.inputs(number, stage, spec, &scope, row, last);
        let mut checked = self.checked(stage, spec, &given, connected, last);
        let own_seed = match (seeds, &seed) {
            (Some(_), Some(seed)) => seed.as_u64(),
            _ => checked.params.get("seed").and_then(Value::as_u64),
        };
        for param in given.paths.iter() {
            external::forget(&mut checked.params, &param.at);
            let kind = external::kind_of(&param.path);
            let source =
                Source { from: Origin::External { path: param.path.clone(), kind }, coordinates: Map::new() };
            inputs.push((format!("params.{}", param.at), vec![source]));
        }
        let publish = self.publish(stage, &scope, expanded.tainted);
        Node {
            name: node_name(&stage.name.text, cell),
            stage: stage.name.text.clone(),
            coordinates,
            operation: spec.name.clone(),
            version: spec.version,
            params: checked.params,
            seed: own_seed.unwrap_or(0),
            inputs,
            outputs: checked.outputs,
            resources,
            retry,
            timeout,
            publish,
            measures: spec.measures,
            checkpoints: spec.checkpoints,
        }
    }

    /// Evaluates a tree if all that it uses is known; what cannot be evaluated stays as it is.
    fn eval(&mut self, tree: &Tree, scope: &Scope<'_>, tainted: bool) -> Option<Tree> {
        if tree.is_constant() {
            return Some(tree.clone());
        }
        let unknown = uses(tree, |root| match root {
            "params" => !self.params.whole,
            "matrix" | "seed" => tainted,
            _ => false,
        });
        if unknown {
            return None;
        }
        let params = self.params;
        tree.eval(scope, &|root, name| params.origin(root, name), self.problems)
    }

    fn limits(
        &mut self,
        stage: &StageDecl,
        matrix: &Value,
        seed: Option<&Value>,
        tainted: bool,
        last: &mut Last,
    ) -> (Resources, u32, Option<Duration>) {
        if let Some(limits) = &last.limits {
            return *limits;
        }
        let trees = [&stage.resources, &stage.retry, &stage.timeout];
        let fixed = trees.iter().all(|tree| tree.as_ref().is_none_or(Tree::is_constant));
        let params = self.params;
        let mut scope = Scope::new().with("params", &params.value).with("matrix", matrix);
        if let Some(seed) = seed {
            scope = scope.with("seed", seed);
        }
        let [resources, retry, timeout] =
            trees.map(|tree| tree.as_ref().and_then(|tree| self.eval(tree, &scope, tainted)));
        let limits = (
            resources.map(|tree| limits::resources(&tree, self.problems)).unwrap_or_default(),
            retry.map(|tree| limits::retry(&tree, self.problems)).unwrap_or(0),
            timeout.and_then(|tree| limits::timeout(&tree, self.problems)),
        );
        if fixed {
            last.limits = Some(limits);
        }
        limits
    }

    #[allow(clippy::too_many_arguments, reason = "the stage's facts, computed once, and the row's scope")]
    fn given(
        &mut self,
        stage: &StageDecl,
        spec: &Spec,
        schema: &Schema,
        seeds: Option<Span>,
        scope: &Scope<'_>,
        seed: &Option<Value>,
        tainted: bool,
        last: &mut Last,
    ) -> Given {
        if let Some(fixed) = &last.fixed {
            return fixed.clone();
        }
        if stage.meant.contains(&"with") {
            let with = Tree::new(stage.with.span, Data::Map(Vec::new()));
            let given =
                Given { value: Value::Null, paths: Vec::new().into(), with: with.into(), sound: false };
            last.fixed = Some(given.clone());
            return given;
        }
        let before = self.problems.len();
        let mut complete = true;
        let mut entries = Vec::with_capacity(stage.with.entries().len() + 1);
        for entry in stage.with.entries() {
            let value = self.eval(&entry.value, scope, tainted).unwrap_or_else(|| {
                complete = false;
                entry.value.clone()
            });
            entries.push(Entry { key: entry.key.clone(), key_span: entry.key_span, value });
        }
        let takes_seed = seeds.is_some() && schema.property("seed").is_some();
        if let (Some(span), true) = (seeds, takes_seed) {
            match entries.iter().find(|entry| entry.key == "seed") {
                Some(entry) => {
                    self.problems.push(
                        Diagnostic::at(entry.key_span, "the seed is given twice")
                            .also(span, "each of these is the parameter `seed` of one node")
                            .help("remove one of the two"),
                    );
                    complete = false;
                }
                None => {
                    let value = Tree::from_value(seed.clone().unwrap_or(Value::from(0)), span, None);
                    entries.push(Entry { key: "seed".to_owned(), key_span: span, value });
                }
            }
        }
        let with = Tree::new(stage.with.span, Data::Map(entries));
        let place = self.place;
        let resolve = |path: &str, span: Span| place.resolve(path, span);
        let mut validator = Validator {
            operation: &spec.name,
            problems: &mut *self.problems,
            resolve: &resolve,
            paths: Vec::new(),
            found: 0,
        };
        let missing = if stage.with.entries().is_empty() {
            stage.uses.as_ref().map_or(stage.name.span, |uses| uses.span)
        } else {
            stage.with.span
        };
        let value = validator.params(schema, &with, missing);
        let (found, paths) = (validator.found, validator.paths);
        for param in &paths {
            self.known.check(&param.path, param.span, &place.current, self.problems);
            self.externals.push((param.path.clone(), param.span));
        }
        let sound = complete && found == 0 && self.problems.len() == before;
        let given = Given { value, paths: paths.into(), with: with.into(), sound };
        let varies = takes_seed || uses(&stage.with, |root| matches!(root, "matrix" | "seed" | "resources"));
        if !varies {
            last.fixed = Some(given.clone());
        }
        given
    }

    /// The sources of every input, in the order of the operation's ports, and the types of what is connected.
    fn inputs(
        &mut self,
        number: usize,
        stage: &StageDecl,
        spec: &Spec,
        scope: &Scope<'_>,
        row: usize,
        last: &mut Last,
    ) -> (Vec<(String, Vec<Source>)>, Vec<Port>) {
        let mut inputs = Vec::with_capacity(spec.inputs.len());
        let mut connected = Vec::with_capacity(spec.inputs.len());
        for (index, port) in spec.inputs.iter().enumerate() {
            let Some(at) = stage.inputs.iter().position(|(name, _)| name.text == port.name) else { continue };
            let connection = &stage.inputs[at].1;
            if !is_resolved(connection, self.linked) {
                continue;
            }
            let expanded = &self.expanded[number];
            let tainted = expanded.tainted;
            let mut sources = Vec::new();
            let mut kind_of_input: Option<Port> = None;
            match (connection, expanded.links.get(at)) {
                (Connection::Map(reference), Some(Link::One { stage, rows })) => {
                    self.output(*stage, rows[row], reference, &mut sources);
                }
                (Connection::Partial { from, .. }, Some(Link::Group { stage, groups, rows })) => {
                    for upstream in groups[rows[row]].iter() {
                        self.output(*stage, *upstream, from, &mut sources);
                    }
                }
                (Connection::Collect(items, _), Some(Link::All)) => {
                    for item in items {
                        match item {
                            Item::Output(reference) => {
                                if let Some(stage) = self.linked.stage(&reference.stage.text) {
                                    for upstream in 0..self.expanded[stage].cells.len() {
                                        self.output(stage, upstream, reference, &mut sources);
                                    }
                                }
                            }
                            Item::External(path) => {
                                sources.extend(self.external(path, port, scope, tainted));
                            }
                        }
                    }
                }
                (Connection::External(path, _), _) => {
                    sources.extend(self.external(path, port, scope, tainted));
                    kind_of_input = Some(port.clone());
                }
                _ => {}
            }
            let spans: Vec<(String, Span)> = connection
                .references()
                .iter()
                .map(|r| (format!("{}.{}", r.stage.text, r.port.text), r.span))
                .collect();
            if let Some(found) = self.types(&sources, port, &spec.name, &spans, &mut last.fitting[index]) {
                kind_of_input = Some(found);
            }
            if let Some(mut found) = kind_of_input {
                found.name.clone_from(&port.name);
                found.multiplicity = port.multiplicity;
                connected.push(found);
            }
            inputs.push((port.name.clone(), sources));
        }
        (inputs, connected)
    }

    fn output(&self, stage: usize, row: usize, reference: &super::file::Reference, into: &mut Vec<Source>) {
        let node = NodeId(self.starts[stage] + row);
        let coordinates = match self.slots.get(node.0) {
            Some(Some(found)) => found.coordinates.clone(),
            _ => Map::new(),
        };
        let from = Origin::Output { node, port: reference.port.text.clone() };
        into.push(Source { from, coordinates });
    }

    fn external(&mut self, path: &Tree, port: &Port, scope: &Scope<'_>, tainted: bool) -> Option<Source> {
        let tree = self.eval(path, scope, tainted)?;
        let Data::Text(text) = &tree.data else {
            self.problems.push(
                Diagnostic::at(tree.span, "`path` is the path of a file or folder")
                    .label(format!("this is {}", tree.describe())),
            );
            return None;
        };
        let absolute = self.place.resolve(text, tree.origin.unwrap_or(tree.span));
        self.known.check(&absolute, tree.span, &self.place.current, self.problems);
        self.externals.push((absolute.clone(), tree.span));
        let from = Origin::External { path: absolute, kind: port.kind };
        Some(Source { from, coordinates: Map::new() })
    }

    /// Checks the types of all sources of one input; gives the type of the first.
    fn types(
        &mut self,
        sources: &[Source],
        port: &Port,
        operation: &str,
        names: &[(String, Span)],
        fitting: &mut Option<Port>,
    ) -> Option<Port> {
        let mut first = None;
        for source in sources {
            let Origin::Output { node, port: output } = &source.from else { continue };
            let Some(Some(upstream)) = self.slots.get(node.0) else { continue };
            let Some(found) = upstream.outputs.iter().find(|port| port.name == *output) else { continue };
            if first.is_none() {
                first = Some(found.clone());
            }
            if fitting.as_ref() == Some(found) {
                continue;
            }
            let wanted = format!("{}.{output}", upstream.stage);
            let Some((from, span)) = names.iter().find(|(name, _)| *name == wanted) else { continue };
            match ports::check(from, found, operation, port, *span) {
                Ok(()) => *fitting = Some(found.clone()),
                Err(problem) => self.problems.push(problem),
            }
        }
        first
    }

    /// Asks the operation's own code for defaults, checks and output types.
    fn checked(
        &mut self,
        stage: &StageDecl,
        spec: &Spec,
        given: &Given,
        connected: Vec<Port>,
        last: &mut Last,
    ) -> Checked {
        let declared = || Checked { params: given.value.clone(), outputs: spec.outputs.clone() };
        if !given.sound {
            return declared();
        }
        if let Some((value, ports, checked)) = &last.checked
            && *value == given.value
            && *ports == connected
        {
            return checked.clone();
        }
        match self.catalog.check(&spec.name, &given.value, &connected) {
            Ok(checked) => {
                last.checked = Some((given.value.clone(), connected, checked.clone()));
                checked
            }
            Err(found) => {
                for problem in found {
                    let span = place_of(&given.with, &problem.at).unwrap_or_else(|| {
                        if given.with.entries().is_empty() {
                            stage.uses.as_ref().map_or(stage.name.span, |uses| uses.span)
                        } else {
                            given.with.span
                        }
                    });
                    let message = match problem.at.as_str() {
                        "" => format!("`{}`: {}", spec.name, problem.message),
                        at => format!("`{at}`: {}", problem.message),
                    };
                    let diagnostic = Diagnostic::at(span, message).topic(format!("check {}", problem.at));
                    self.problems.push(diagnostic.maybe_help(problem.hint));
                }
                declared()
            }
        }
    }

    fn publish(&mut self, stage: &StageDecl, scope: &Scope<'_>, tainted: bool) -> BTreeMap<String, PathBuf> {
        let mut publish = BTreeMap::new();
        for entry in &stage.publish {
            let Some(tree) = self.eval(&entry.value, scope, tainted) else { continue };
            let Data::Text(path) = &tree.data else {
                self.problems.push(
                    Diagnostic::at(tree.span, "a published path is a text")
                        .label(format!("this is {}", tree.describe())),
                );
                continue;
            };
            self.published.push((PathBuf::from(path), tree.span));
            publish.insert(entry.key.clone(), Path::new(path).to_owned());
        }
        publish
    }
}

/// What names mean in the expressions of one node.
fn scope<'s>(
    params: &'s Params,
    matrix: &'s Value,
    seed: Option<&'s Value>,
    resources: &'s Value,
) -> Scope<'s> {
    let mut scope = Scope::new().with("params", &params.value);
    scope = match matrix.as_object().is_some_and(Map::is_empty) {
        true => scope.without("matrix", "this stage has no matrix, and inherits none"),
        false => scope.with("matrix", matrix),
    };
    scope = match seed {
        Some(seed) => scope.with("seed", seed),
        None => scope.without("seed", "this stage has no `seeds`"),
    };
    scope.with("resources", resources)
}

/// Whether any expression of a tree uses a root for which the test holds.
fn uses(tree: &Tree, test: impl Fn(&str) -> bool) -> bool {
    let found = Flag::new(false);
    tree.templates(&mut |template, _| {
        for piece in &template.pieces {
            if let Piece::Expression { expr, .. } = piece {
                expr.references(&mut |root, _, _| found.set(found.get() || test(root)));
            }
        }
    });
    found.get()
}

/// The place of a dotted path below a tree: its nearest part that is written.
fn place_of(tree: &Tree, at: &str) -> Option<Span> {
    let mut place = tree;
    let mut span = None;
    for part in at.split('.').filter(|part| !part.is_empty()) {
        let next = match &place.data {
            Data::Map(_) => place.get(part).map(|entry| &entry.value),
            Data::List(items) => part.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        };
        match next {
            Some(next) => {
                place = next;
                span = Some(next.span);
            }
            None => break,
        }
    }
    span
}
