//! Several variants of a workflow as one graph, so that they run side by side under one pool of cores.
//!
//! Nodes that are the same in two variants, inputs and all, become one: what no setting reaches is there once.
//! Names tell the others apart by one more axis. Coordinates of what is collected stay as they are, so that keys
//! are those of a plain run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use petgraph::graph::DiGraph;
use serde_json::Value;

use crate::graph::{Edge, Graph, Node, NodeId, Stage};
use crate::{key, plan};

/// The axis that tells the nodes of different trials apart.
const AXIS: &str = "trial";

/// One graph for several trials.
pub(super) struct United {
    pub(super) graph: Graph,
    /// For each trial the nodes that its own came to, by their own numbers.
    pub(super) nodes: Vec<Vec<NodeId>>,
}

/// A node, and the numbers of all that it stands for.
struct Merged {
    node: Node,
    /// The first trial that has it.
    first: usize,
    /// How many have it.
    trials: usize,
    needs: BTreeSet<usize>,
}

/// Puts the graphs of some trials together; `numbers` are those that the trials are called by. None if there is
/// no graph.
pub(super) fn unite(graphs: Vec<Graph>, numbers: &[usize]) -> Option<United> {
    let mut merged: Vec<Merged> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    let mut places: Vec<Vec<usize>> = Vec::with_capacity(graphs.len());
    for (graph, number) in graphs.iter().zip(numbers) {
        let mut place = vec![0; graph.nodes.len()];
        for id in plan::order(graph) {
            let mut node = graph.node(id).clone();
            // Results of a search are looked at, not put where those of a run belong.
            node.publish.clear();
            for source in node.inputs.iter_mut().flat_map(|(_, sources)| sources) {
                source.from.renumber(|node| NodeId(place[node.0]));
            }
            let needs: BTreeSet<usize> = graph
                .dag
                .edges_directed(id.into(), petgraph::Direction::Incoming)
                .filter(|edge| *edge.weight() == Edge::Order)
                .map(|edge| place[petgraph::visit::EdgeRef::source(&edge).index()])
                .collect();
            // All that a run looks at, in words.
            let identity = format!(
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
                    (
                        &node.inputs,
                        &node.outputs,
                        node.resources,
                        node.retry,
                        node.timeout,
                        node.reuse,
                        &needs
                    ),
                )
            );
            let at = *index.entry(identity).or_insert_with(|| {
                merged.push(Merged { node, first: *number, trials: 0, needs });
                merged.len() - 1
            });
            merged[at].trials += 1;
            place[id.0] = at;
        }
        places.push(place);
    }
    let mut all = graphs.into_iter();
    let frame = all.next()?;
    let mut stages = frame.stages.clone();
    for graph in all {
        // A stage can be switched off in one trial and on in another.
        stages.extend(
            graph.stages.into_iter().filter(|stage| !frame.stages.iter().any(|s| s.name == stage.name)),
        );
    }
    stages.dedup_by(|a, b| a.name == b.name);
    Some(assemble(frame, stages, merged, &places))
}

/// The graph of merged nodes, stage by stage.
fn assemble(frame: Graph, stages: Vec<Stage>, merged: Vec<Merged>, places: &[Vec<usize>]) -> United {
    let stage_of: BTreeMap<&str, usize> =
        stages.iter().enumerate().map(|(at, stage)| (stage.name.as_str(), at)).collect();
    let mut order: Vec<usize> = (0..merged.len()).collect();
    order.sort_by_key(|at| (stage_of.get(merged[*at].node.stage.as_str()), *at));
    let mut numbers = vec![NodeId(0); merged.len()];
    for (new, old) in order.iter().enumerate() {
        numbers[*old] = NodeId(new);
    }
    // A workflow may have an axis of that name itself.
    let taken = |axis: &str| merged.iter().any(|merged| merged.node.coordinates.contains_key(axis));
    let mut axis = AXIS.to_owned();
    while taken(&axis) {
        axis.push('_');
    }
    let counts: Vec<usize> = stages
        .iter()
        .map(|stage| merged.iter().filter(|merged| merged.node.stage == stage.name).count())
        .collect();
    let mut merged: Vec<Option<Merged>> = merged.into_iter().map(Some).collect();
    let mut nodes = Vec::with_capacity(merged.len());
    let mut needs = Vec::with_capacity(merged.len());
    for old in order {
        // Each number is there once.
        let Some(Merged { mut node, first, trials, needs: earlier }) = merged[old].take() else { continue };
        if trials < places.len() {
            let value = Value::from(first);
            node.name = match node.name.strip_suffix(']') {
                Some(inner) => format!("{inner},{axis}={first}]"),
                None => format!("{}[{axis}={first}]", node.name),
            };
            Arc::make_mut(&mut node.coordinates).insert(axis.clone(), value);
        }
        for source in node.inputs.iter_mut().flat_map(|(_, sources)| sources) {
            source.from.renumber(|node| numbers[node.0]);
        }
        nodes.push(Arc::new(node));
        needs.push(earlier);
    }
    let mut dag = DiGraph::with_capacity(nodes.len(), nodes.len());
    for number in 0..nodes.len() {
        dag.add_node(NodeId(number));
    }
    for (number, (node, needs)) in nodes.iter().zip(needs).enumerate() {
        for (input, sources) in &node.inputs {
            for source in sources {
                if let Some((node, port)) = source.from.output() {
                    let edge = Edge::Data { output: port.to_owned(), input: input.clone() };
                    dag.add_edge(node.into(), NodeId(number).into(), edge);
                }
            }
        }
        for earlier in needs {
            dag.add_edge(numbers[earlier].into(), NodeId(number).into(), Edge::Order);
        }
    }
    let mut start = 0;
    let stages = stages
        .into_iter()
        .zip(counts)
        .map(|(stage, count)| {
            start += count;
            Stage { nodes: (start - count..start).collect(), off: Vec::new(), ..stage }
        })
        .collect();
    let nodes_of = places.iter().map(|place| place.iter().map(|at| numbers[*at]).collect()).collect();
    United { graph: Graph { stages, nodes, dag, ..frame }, nodes: nodes_of }
}
