//! The edges of the graph.

use std::collections::HashMap;
use std::sync::Arc;

use petgraph::graph::DiGraph;

use super::super::axes::{axes_of, key_on};
use super::super::expand::Expanded;
use super::super::file::File;
use super::super::link::Linked;
use crate::graph::{Edge, Node, NodeId};

/// The edges: one for every artifact that flows, and those that `needs` asks for.
pub(super) fn dag(
    file: &File,
    linked: &Linked<'_>,
    expanded: &[Expanded],
    starts: &[usize],
    nodes: &[Arc<Node>],
) -> DiGraph<NodeId, Edge> {
    let mut dag = DiGraph::with_capacity(nodes.len(), nodes.len());
    for number in 0..nodes.len() {
        dag.add_node(NodeId(number));
    }
    for (number, node) in nodes.iter().enumerate() {
        for (input, sources) in &node.inputs {
            for source in sources {
                if let Some((node, port)) = source.from.output() {
                    let edge = Edge::Data { output: port.to_owned(), input: input.clone() };
                    dag.add_edge(node.into(), NodeId(number).into(), edge);
                }
            }
        }
    }
    for (number, stage) in file.stages.iter().enumerate().filter(|(n, _)| !expanded[*n].is_standing_in()) {
        for needed in stage.needs.iter().filter_map(|word| linked.stage(&word.text)) {
            // A node waits for the nodes of that stage that agree with it on the axes that both have.
            let (own, other) = (&expanded[number].cells, &expanded[needed].cells);
            let axes = axes_of(own);
            let shared: Vec<_> = axes_of(other).into_iter().filter(|axis| axes.contains(axis)).collect();
            let mut index: HashMap<String, Vec<usize>> = HashMap::new();
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
