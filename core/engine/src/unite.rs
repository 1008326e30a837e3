//! Several variants of a workflow as one graph, so that they run side by side under one pool of cores.
//!
//! Nodes that are the same in two variants, inputs and all, become one: what no setting reaches is there once.
//! Names tell the others apart by one more axis. Coordinates of what is collected stay as they are, so that keys
//! are those of a plain run.
//!
//! Where outputs decide which nodes there are, each variant grows by itself, and what is new in it is appended:
//! numbers and names of nodes never change.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use flow_plugin::Digest;
use petgraph::Direction;
use petgraph::graph::DiGraph;
use petgraph::visit::EdgeRef;
use serde_json::Value;

use crate::catalog::Catalog;
use crate::graph::{Edge, Graph, MadeOf, Node, NodeId, Stage};
use crate::workflow::{Fact, Facts};
use crate::{key, plan};

/// The axis that tells the nodes of different variants apart.
const AXIS: &str = "trial";

/// The variants that make up a graph.
#[derive(Clone, Debug)]
pub(crate) struct United {
    /// Shared with the smaller graphs in which they were the same.
    variants: Vec<Arc<Variant>>,
    /// By node of the united graph: all that a run looks at, which is the same for no two of them.
    identities: Vec<Digest>,
    /// The axis that tells them apart.
    axis: String,
}

/// One variant.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    /// The number that it is called by.
    number: usize,
    /// Its own graph, as far as that is known.
    pub(crate) graph: Graph,
    /// By node of its own graph: that of the united one.
    pub(crate) nodes: Vec<NodeId>,
    /// What is known of its outputs, by its own names.
    facts: Facts,
    /// What is wrong with nodes of it that were to become known.
    pub(crate) problem: Option<String>,
}

/// A node that is new, and what it stands for.
struct New {
    node: Node,
    /// The first variant that has it.
    first: usize,
    /// How many have it.
    variants: usize,
    /// What comes before it without data.
    needs: BTreeSet<NodeId>,
}

/// One graph for the graphs of some variants; `numbers` are those that they are called by. None if there is no graph.
pub(crate) fn unite(graphs: Vec<Graph>, numbers: &[usize]) -> Option<Graph> {
    let first = graphs.first()?;
    let frame = Graph {
        stages: Vec::new(),
        nodes: Vec::new(),
        dag: DiGraph::new(),
        questions: Vec::new(),
        stand_ins: Vec::new(),
        ..first.clone()
    };
    // A workflow may have an axis of that name itself.
    let all = graphs.iter().flat_map(|graph| graph.nodes.iter().chain(&graph.stand_ins));
    let taken: BTreeSet<&String> = all.flat_map(|node| node.coordinates.keys()).collect();
    let axis = free(AXIS, |axis| taken.contains(&axis.to_owned()));
    let variants = graphs.into_iter().zip(numbers).map(|(graph, number)| {
        let (nodes, facts, problem) = (Vec::new(), Facts::default(), None);
        Arc::new(Variant { number: *number, graph, nodes, facts, problem })
    });
    let united = United { variants: variants.collect(), identities: Vec::new(), axis };
    Some(united.extend(frame))
}

fn free(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut name = name.to_owned();
    while taken(&name) {
        name.push('_');
    }
    name
}

impl United {
    /// The variants, in order.
    pub(crate) fn variants(&self) -> &[Arc<Variant>] {
        &self.variants
    }

    /// The graph with what is known now. What is wrong with the new nodes of a variant is left with that one: the
    /// others go on.
    pub(crate) fn grow(&self, graph: &Graph, catalog: &Catalog, facts: &Facts) -> Graph {
        let mut larger = self.clone();
        for variant in &mut larger.variants {
            if variant.news(graph, facts).next().is_some() {
                Arc::make_mut(variant).learn(graph, catalog, facts);
            }
        }
        larger.extend(graph.clone())
    }

    /// Adds the nodes that are new in the variants to the graph, stage by stage.
    fn extend(mut self, mut graph: Graph) -> Graph {
        let known = graph.nodes.len();
        let mut new: Vec<New> = Vec::new();
        let mut index: HashMap<Digest, NodeId> =
            self.identities.iter().enumerate().map(|(number, same)| (*same, NodeId(number))).collect();
        let grown: Vec<usize> =
            (0..self.variants.len()).filter(|at| self.variants[*at].has_grown()).collect();
        for at in &grown {
            let variant = Arc::make_mut(&mut self.variants[*at]);
            variant.place(&mut self.identities, &mut index, &mut new, known);
        }
        graph.stages = stages(&self.variants);
        let position: HashMap<String, usize> =
            graph.stages.iter().enumerate().map(|(at, stage)| (stage.name.clone(), at)).collect();
        let mut order: Vec<usize> = (0..new.len()).collect();
        order.sort_by_key(|at| (position.get(&new[*at].node.stage), *at));
        let mut numbers: Vec<NodeId> = (0..known + new.len()).map(NodeId).collect();
        for (at, old) in order.iter().enumerate() {
            numbers[known + old] = NodeId(known + at);
        }
        for at in grown {
            let places = &mut Arc::make_mut(&mut self.variants[at]).nodes;
            places.iter_mut().for_each(|place| *place = numbers[place.0]);
        }
        let identities = self.identities.split_off(known);
        self.identities.extend(order.iter().map(|old| identities[*old]));

        let mut needs = vec![BTreeSet::new(); new.len()];
        let mut new: Vec<Option<New>> = new.into_iter().map(Some).collect();
        // Each number is there once.
        for (at, found) in order.into_iter().filter_map(|old| new[old].take()).enumerate() {
            let mut node = found.node;
            if found.variants < self.variants.len() {
                self.tell_apart(&mut node, found.first);
            }
            for source in node.inputs.iter_mut().flat_map(|(_, sources)| sources) {
                source.from.renumber(|node| numbers[node.0]);
            }
            needs[at] = found.needs.into_iter().map(|node| numbers[node.0]).collect();
            graph.dag.add_node(NodeId(graph.nodes.len()));
            graph.nodes.push(Arc::new(node));
        }
        for (number, needs) in (known..).zip(needs) {
            connect(&mut graph.dag, number, &graph.nodes[number], needs);
        }
        for (number, node) in graph.nodes.iter().enumerate() {
            if let Some(stage) = position.get(&node.stage) {
                graph.stages[*stage].nodes.push(number);
            }
        }
        graph.questions = self.questions();
        graph.stand_ins = self.stand_ins(&graph.stages, graph.nodes.len());
        graph.made_of = MadeOf::Variants(Arc::new(self));
        graph
    }

    /// Gives a node that not all variants have a name of its own.
    fn tell_apart(&self, node: &mut Node, first: usize) {
        let axis = free(&self.axis, |axis| node.coordinates.contains_key(axis));
        node.name = match node.name.strip_suffix(']') {
            Some(inner) => format!("{inner},{axis}={first}]"),
            None => format!("{}[{axis}={first}]", node.name),
        };
        Arc::make_mut(&mut node.coordinates).insert(axis, Value::from(first));
    }

    fn questions(&self) -> Vec<(NodeId, String)> {
        let open = self.variants.iter().filter(|variant| variant.problem.is_none());
        let questions: BTreeSet<(NodeId, String)> = open
            .flat_map(|variant| {
                variant.graph.questions.iter().map(|(id, port)| (variant.nodes[id.0], port.clone()))
            })
            .collect();
        questions.into_iter().collect()
    }

    /// For each stage of which no variant knows a node yet: one that stands for them.
    fn stand_ins(&self, stages: &[Stage], known: usize) -> Vec<Arc<Node>> {
        let open = stages.iter().filter(|stage| stage.nodes.is_empty() && !stage.unknown.is_empty());
        let found: Vec<(&Arc<Variant>, &Node)> = open
            .filter_map(|stage| {
                self.variants.iter().find_map(|variant| {
                    let node = variant.graph.stand_ins.iter().find(|node| node.stage == stage.name)?;
                    Some((variant, &**node))
                })
            })
            .collect();
        let behind = |stage: &str| found.iter().position(|(_, node)| node.stage == stage);
        let stand_in = |(variant, node): &(&Arc<Variant>, &Node)| {
            let number = |id: NodeId| match variant.nodes.get(id.0) {
                Some(place) => Some(*place),
                None => {
                    let own = variant.graph.stand_ins.get(id.0 - variant.nodes.len())?;
                    behind(&own.stage).map(|at| NodeId(known + at))
                }
            };
            let mut node = (*node).clone();
            node.publish.clear();
            for (_, sources) in &mut node.inputs {
                // Another variant may know the nodes that this one has a stand-in for: it is not connected to them.
                sources.retain(|source| source.from.output().is_none_or(|(id, _)| number(id).is_some()));
                for source in sources {
                    source.from.renumber(|id| number(id).unwrap_or(id));
                }
            }
            Arc::new(node)
        };
        found.iter().map(stand_in).collect()
    }
}

impl Variant {
    /// What it asks and is known of the united graph by now: its own name of the node, the port, and the answer.
    fn news<'f>(
        &'f self,
        united: &'f Graph,
        facts: &'f Facts,
    ) -> impl Iterator<Item = (&'f str, &'f str, &'f Fact)> {
        let questions = self.graph.questions.iter().filter(|_| self.problem.is_none());
        questions.filter_map(|(id, port)| {
            // What has become known just now has no place yet.
            let place = self.nodes.get(id.0)?;
            let own = &self.graph.node(*id).name;
            let fact = facts.get(&united.node(*place).name, port)?;
            (!self.facts.has(own, port)).then_some((own.as_str(), port.as_str(), fact))
        })
    }

    /// Grows by what is known of its outputs in the united graph.
    fn learn(&mut self, united: &Graph, catalog: &Catalog, facts: &Facts) {
        loop {
            let mut learnt = self.facts.clone();
            let mut more = false;
            for (node, port, fact) in self.news(united, facts) {
                learnt.insert(node, port, fact.clone());
                more = true;
            }
            if !more {
                return;
            }
            self.facts = learnt;
            match self.graph.grow(catalog, &self.facts) {
                // What else it asks may be known already, since another variant has asked.
                Ok(larger) => self.graph = larger,
                Err(problems) => self.problem = problems.lines().into_iter().next(),
            }
        }
    }

    /// Whether there are nodes in it that have no place in the united graph.
    fn has_grown(&self) -> bool {
        self.nodes.len() < self.graph.nodes.len()
    }

    /// Finds the places of the nodes that are new in it: those that are the same in a variant before share theirs.
    fn place(
        &mut self,
        identities: &mut Vec<Digest>,
        index: &mut HashMap<Digest, NodeId>,
        new: &mut Vec<New>,
        known: usize,
    ) {
        let from = self.nodes.len();
        self.nodes.resize(self.graph.nodes.len(), NodeId(0));
        for id in plan::order(&self.graph).into_iter().filter(|id| id.0 >= from) {
            let mut node = self.graph.node(id).clone();
            // Results of a search are looked at, not put where those of a run belong.
            node.publish.clear();
            for source in node.inputs.iter_mut().flat_map(|(_, sources)| sources) {
                source.from.renumber(|node| self.nodes[node.0]);
            }
            let needs: BTreeSet<NodeId> = self
                .graph
                .dag
                .edges_directed(id.into(), Direction::Incoming)
                .filter(|edge| *edge.weight() == Edge::Order)
                .map(|edge| self.nodes[edge.source().index()])
                .collect();
            let identity = identity(&node, &needs, identities);
            let place = *index.entry(identity).or_insert_with(|| {
                identities.push(identity);
                new.push(New { node, first: self.number, variants: 0, needs });
                NodeId(identities.len() - 1)
            });
            if let Some(at) = place.0.checked_sub(known) {
                new[at].variants += 1;
            }
            self.nodes[id.0] = place;
        }
    }
}

/// Names all that a run looks at in a node: what it is, and what comes before it.
fn identity(node: &Node, needs: &BTreeSet<NodeId>, identities: &[Digest]) -> Digest {
    let mut text = format!(
        "{:?}",
        (
            (
                &node.name,
                &node.operation,
                node.version,
                key::canonical(&node.params),
                &node.unkeyed,
                node.seed
            ),
            (&node.outputs, node.resources, node.retry, node.timeout, &node.later, node.reuse),
        )
    );
    // Numbers change; what lies behind them does not.
    let same = |node: NodeId| identities[node.0];
    for (port, sources) in &node.inputs {
        for source in sources {
            let mut from = source.from.clone();
            from.renumber(|_| NodeId(0));
            let of = source.from.output().map(|(node, _)| same(node));
            text += &format!("\n{:?}", (port, &source.coordinates, from, of));
        }
    }
    let needs: BTreeSet<Digest> = needs.iter().map(|node| same(*node)).collect();
    text += &format!("\n{needs:?}");
    Digest::of(text.as_bytes())
}

/// The edges that lead to a node.
fn connect(dag: &mut DiGraph<NodeId, Edge>, number: usize, node: &Node, needs: BTreeSet<NodeId>) {
    let to = NodeId(number);
    for (input, sources) in &node.inputs {
        for (from, port) in sources.iter().filter_map(|source| source.from.output()) {
            let edge = Edge::Data { output: port.to_owned(), input: input.clone() };
            dag.add_edge(from.into(), to.into(), edge);
        }
    }
    for earlier in needs {
        dag.add_edge(earlier.into(), to.into(), Edge::Order);
    }
}

/// The stages of all variants, without their nodes: one may be switched off in one and on in another.
fn stages(variants: &[Arc<Variant>]) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    for stage in variants.iter().flat_map(|variant| &variant.graph.stages) {
        match stages.iter_mut().find(|known| known.name == stage.name) {
            Some(known) => {
                known.unknown.extend(stage.unknown.iter().cloned());
                known.unknown.sort_unstable();
                known.unknown.dedup();
            }
            None => stages.push(Stage { nodes: Vec::new(), off: Vec::new(), ..stage.clone() }),
        }
    }
    stages
}
