//! From expanded stages to nodes: parameters computed and checked, inputs connected, outputs resolved.

mod carry;
mod connect;
mod dag;
mod parameters;
mod program;
mod scope;
mod surroundings;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use flow_plugin::{Checked, Port, Spec};
use petgraph::graph::DiGraph;
use serde_json::{Map, Value};

use scope::{later, scope, uses};

use super::axes::{coordinates, node_name, values};
use super::condition;
use super::expand::{Expanded, Expansion, Looped, Outlook, expand};
use super::external;
use super::facts::Facts;
use super::file::{AxisBlock, File, StageDecl};
use super::limits;
use super::link::Linked;
use super::params::Params;
use super::schema::Schema;
use super::tree::{Data, Tree};
use super::validate::PathParam;
use crate::catalog::Catalog;
use crate::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::exec;
use crate::expr::Scope;
use crate::graph::{Attempt, Edge, Node, NodeId, Origin, Resources, Reuse, Source, Stage};

/// Where relative paths start from, and what the machine has.
pub(super) struct Place {
    /// The folder of the workflow file.
    pub(super) folder: PathBuf,
    /// By number of the source: the folders of included files.
    pub(super) included: HashMap<u32, PathBuf>,
    /// The folder that the command was given in.
    pub(super) current: PathBuf,
    pub(super) root: PathBuf,
    pub(super) cores: usize,
}

impl Place {
    /// The folder that paths written at a place start from: that of the file. What was typed on the command
    /// line starts from the current folder.
    pub(super) fn base(&self, span: Span) -> &Path {
        if span.source == 0 { &self.folder } else { self.included.get(&span.source).unwrap_or(&self.current) }
    }

    /// Makes a path absolute.
    pub(super) fn resolve(&self, path: &str, span: Span) -> PathBuf {
        let joined = self.base(span).join(path);
        std::path::absolute(&joined).unwrap_or(joined)
    }
}

/// What all stages come to.
#[derive(Default)]
pub(super) struct Built {
    pub(super) stages: Vec<Stage>,
    pub(super) nodes: Vec<Arc<Node>>,
    pub(super) stand_ins: Vec<Arc<Node>>,
    pub(super) questions: Vec<(NodeId, String)>,
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
    (catalog, facts): (&Catalog, &Facts),
    problems: &mut Diagnostics,
) -> Built {
    let Expansion { stages: expanded, loops } = expand(file, linked, params, place, facts, problems);
    // What stands for nodes that are not known comes behind those that are.
    let mut starts = vec![0; expanded.len()];
    let (mut end, mut known) = (0, 0);
    for standing_in in [false, true] {
        for (number, stage) in expanded.iter().enumerate() {
            if stage.is_standing_in() == standing_in {
                starts[number] = end;
                end += stage.cells.len();
            }
        }
        if !standing_in {
            known = end;
        }
    }
    let mut slots: Vec<Option<Node>> = Vec::new();
    slots.resize_with(end, || None);
    let externals = expanded.iter().flat_map(|stage| stage.reads.iter().cloned()).collect();
    let mut built = Built { externals, ..Built::default() };
    let mut schemas = HashMap::new();
    let mut looked_at = external::Known::default();
    let ordered: HashSet<usize> = linked.order.iter().copied().collect();
    let rest = (0..file.stages.len()).filter(|stage| !ordered.contains(stage));
    for number in linked.order.iter().copied().chain(rest) {
        let stage = &file.stages[number];
        let mut builder = Builder {
            file,
            linked,
            params,
            place,
            catalog,
            expanded: &expanded,
            loops: &loops,
            starts: &starts,
            slots: &slots,
            problems: &mut *problems,
            published: &mut built.published,
            externals: &mut built.externals,
            schemas: &mut schemas,
            known: &mut looked_at,
            outlook: expanded[number].outlook.as_ref().filter(|_| expanded[number].is_standing_in()),
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
            looped: stage.body_of.is_some(),
            nodes: match expanded[number].is_standing_in() {
                true => Vec::new(),
                false => (starts[number]..starts[number] + expanded[number].cells.len()).collect(),
            },
            unknown: expanded[number].unknown.names(),
            needs: stage
                .needs
                .iter()
                .filter_map(|word| Some(file.stages[linked.stage(&word.text)?].name.text.clone()))
                .collect(),
            off: expanded[number]
                .off
                .iter()
                .map(|(cell, why)| (node_name(&stage.name.text, cell), why.clone()))
                .collect(),
        })
        .collect();
    if problems.is_empty() {
        // Without problems every stage was built, so every slot is filled.
        built.nodes = Vec::with_capacity(slots.len());
        built.nodes.extend(slots.into_iter().flatten().map(Arc::new));
        built.stand_ins = built.nodes.split_off(known);
        built.dag = dag::dag(file, linked, &expanded, &starts, &built.nodes);
        let open = expanded.iter().flat_map(|stage| &stage.open);
        let open = open.map(|(stage, row, port)| (*stage, *row, port));
        let ends = loops
            .iter()
            .flat_map(|looped| &looped.open)
            .filter_map(|(stage, turn, port)| Some((*stage, expanded[*stage].row_in(*turn)?, port)));
        let questions: BTreeSet<_> =
            open.chain(ends).map(|(stage, row, port)| (NodeId(starts[stage] + row), port.clone())).collect();
        built.questions = questions.into_iter().collect();
    }
    built
}

struct Builder<'a> {
    file: &'a File,
    linked: &'a Linked<'a>,
    params: &'a Params,
    place: &'a Place,
    catalog: &'a Catalog,
    expanded: &'a [Expanded],
    loops: &'a [Rc<Looped>],
    starts: &'a [usize],
    /// Nodes of earlier stages.
    slots: &'a [Option<Node>],
    problems: &'a mut Diagnostics,
    published: &'a mut Vec<(PathBuf, Span)>,
    externals: &'a mut Vec<(PathBuf, Span)>,
    /// By operation: compiled once, however many stages use it.
    schemas: &'a mut HashMap<String, Rc<Schema>>,
    known: &'a mut external::Known,
    /// The axes of the stage, while their values are not known.
    outlook: Option<&'a Outlook>,
}

/// What a node takes, how often it is tried, and what attempts after the first take where that differs.
#[derive(Clone)]
struct Limits {
    resources: Resources,
    retry: u32,
    timeout: Option<Duration>,
    later: Vec<(Resources, Option<Duration>)>,
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
    limits: Option<Limits>,
    outputs: Option<Arc<[Port]>>,
    code: Option<Arc<BTreeMap<String, String>>>,
    /// For programs: the parameters without the command.
    with: Option<Tree>,
}

/// Parameters after evaluation and the check against the schema.
#[derive(Clone)]
struct Given {
    value: Value,
    paths: Rc<Vec<PathParam>>,
    with: Rc<Tree>,
    /// Names of parameters that are wrong, missing or not known.
    doubtful: Rc<Vec<String>>,
    /// Everything could be computed and fits the schema.
    sound: bool,
}

impl Builder<'_> {
    fn stage(&mut self, number: usize, stage: &StageDecl) -> Vec<Node> {
        let expanded = &self.expanded[number];
        let Some(spec) = self.linked.spec(number) else { return Vec::new() };
        let schema = match self.schemas.get(&spec.name) {
            Some(known) => known.clone(),
            None => {
                // What a stage declares itself leaves the parameters to the catalogue.
                let declared = self.catalog.get(&spec.name).unwrap_or(spec);
                let compiled = Rc::new(Schema::compile(&declared.params));
                self.schemas.insert(spec.name.clone(), compiled.clone());
                compiled
            }
        };
        self.unconnected(number, stage, spec);
        self.multiplicities(stage, spec);
        let seeds = stage.axes.iter().find_map(|block| match block {
            AxisBlock::Seeds { span, .. } => Some(*span),
            _ => None,
        });
        if let Some(when) = stage.when.as_ref().filter(|_| self.outlook.is_some()) {
            self.check_names(when, &condition::scope(self.params, &Value::Null, None, true));
        }
        let mut last = Last { fitting: vec![None; spec.inputs.len()], ..Last::default() };
        if spec.name == exec::RUN {
            last.with = Some(program::outline(&stage.with));
        }
        (0..expanded.cells.len())
            .map(|row| self.node(number, stage, spec, &schema, seeds, row, &mut last))
            .collect()
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
        let matrix = Value::Object(values(cell));
        let seed = coordinates.get("seed").cloned();
        let Limits { resources, retry, timeout, later } =
            self.limits(stage, &matrix, seed.as_ref(), expanded.tainted, last);
        let resources_value = limits::resources_value(&resources, self.place.cores);
        let scope = scope(self.params, &matrix, seed.as_ref(), &resources_value);
        let given = self.given(stage, spec, schema, seeds, &scope, &seed, expanded.tainted, last);
        let (mut inputs, connected) = self.inputs(number, stage, spec, &scope, row, last);
        let mut unkeyed = Map::new();
        let mut checked = if spec.name == exec::RUN {
            let program = self.program(stage, spec, &given, &scope, expanded.tainted, &mut inputs);
            unkeyed = program.unkeyed;
            Checked { params: program.params, outputs: spec.outputs.clone(), continues: false }
        } else {
            self.checked(stage, spec, &given, connected, last)
        };
        let own_seed = match (seeds, &seed) {
            (Some(_), Some(seed)) => seed.as_u64(),
            _ => checked.params.get("seed").and_then(Value::as_u64),
        };
        for param in given.paths.iter() {
            external::forget(&mut checked.params, &param.at);
            let kind = self.known.kind(&param.path);
            let source = Source {
                from: Origin::External { path: param.path.clone(), kind },
                coordinates: Arc::default(),
            };
            inputs.push((format!("params.{}", param.at), vec![source]));
        }
        let publish = self.publish(stage, &scope, expanded.tainted);
        let frozen = self.frozen(stage, &scope, expanded.tainted);
        let outputs = match &last.outputs {
            Some(same) if **same == *checked.outputs => same.clone(),
            _ => last.outputs.insert(checked.outputs.into()).clone(),
        };
        let params = self.params;
        let told = |attempt: &Resources| {
            let value = limits::resources_value(attempt, self.place.cores);
            program::told(&unkeyed, &scope::scope(params, &matrix, seed.as_ref(), &value))
        };
        let later = later.into_iter().map(|(resources, timeout)| {
            let told = told(&resources);
            Attempt { resources, timeout, told }
        });
        let later = later.collect();
        Node {
            name: node_name(&stage.name.text, cell),
            stage: stage.name.text.clone(),
            coordinates: coordinates.into(),
            operation: spec.name.clone(),
            version: spec.version,
            code: last.code.get_or_insert_with(|| Arc::new(spec.code.clone())).clone(),
            params: checked.params,
            unkeyed,
            seed: own_seed.unwrap_or(0),
            inputs,
            outputs,
            resources,
            retry,
            timeout,
            later,
            publish,
            measures: spec.measures,
            checkpoints: spec.checkpoints,
            extendable: spec.extendable.clone().filter(|_| checked.continues),
            reuse: if frozen { Reuse::Last } else { Reuse::SameKey },
        }
    }

    fn frozen(&mut self, stage: &StageDecl, scope: &Scope<'_>, tainted: bool) -> bool {
        let Some(tree) = stage.frozen.as_ref().and_then(|tree| self.eval(tree, scope, tainted)) else {
            return false;
        };
        match tree.data {
            Data::Bool(frozen) => frozen,
            _ => {
                self.problems.push(
                    Diagnostic::at(tree.span, "`frozen` must be `true` or `false`")
                        .label(format!("this is {}", tree.describe()))
                        .topic("frozen"),
                );
                false
            }
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
            self.check_names(tree, scope);
            return None;
        }
        let params = self.params;
        tree.eval(scope, &|root, name| params.origin(root, name), self.problems)
    }

    /// Of expressions whose values come later the names are checked now, against the axes that the stage will have.
    fn check_names(&mut self, tree: &Tree, scope: &Scope<'_>) {
        let (outlook, params) = (self.outlook, self.params);
        tree.check(&|expr| later(expr, scope, outlook, params), self.problems);
    }

    fn limits(
        &mut self,
        stage: &StageDecl,
        matrix: &Value,
        seed: Option<&Value>,
        tainted: bool,
        last: &mut Last,
    ) -> Limits {
        if let Some(limits) = &last.limits {
            return limits.clone();
        }
        let trees = [&stage.resources, &stage.retry, &stage.timeout];
        let fixed = trees.iter().all(|tree| tree.as_ref().is_none_or(Tree::is_constant));
        let params = self.params;
        let mut scope = Scope::new().with("params", &params.value).with("matrix", matrix);
        if let Some(seed) = seed {
            scope = scope.with("seed", seed);
        }
        let retry = stage.retry.as_ref().and_then(|tree| {
            let scope = scope.clone().without("attempt", "how many there are does not depend on which it is");
            self.eval(tree, &scope, tainted)
        });
        let retry = retry.map(|tree| limits::retry(&tree, self.problems)).unwrap_or(0);
        let mut of = |attempt: u32| {
            let attempt = Value::from(attempt);
            let scope = scope.clone().with("attempt", &attempt);
            let [resources, timeout] = [&stage.resources, &stage.timeout]
                .map(|tree| tree.as_ref().and_then(|tree| self.eval(tree, &scope, tainted)));
            (
                resources.map(|tree| limits::resources(&tree, self.problems)).unwrap_or_default(),
                timeout.and_then(|tree| limits::timeout(&tree, self.problems)),
            )
        };
        let (resources, timeout) = of(1);
        let varies = [&stage.resources, &stage.timeout].into_iter().flatten();
        let later = match varies.into_iter().any(|tree| uses(tree, |root| root == "attempt")) {
            true => (2..=retry + 1).map(of).collect(),
            false => Vec::new(),
        };
        let limits = Limits { resources, retry, timeout, later };
        if fixed {
            last.limits = Some(limits.clone());
        }
        limits
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
