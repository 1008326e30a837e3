//! Which of the nodes that could run goes first.

use std::cmp::Reverse;

use super::dispatcher::Dispatcher;
use crate::graph::{Graph, NodeId};

/// A place in the queue. Nodes that measure come last, since nothing goes beside them. Then what the most work
/// waits for comes first, in steps of the graph: what the steps will take is not known, and counted alike. Then
/// the order of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    measures: bool,
    steps: Reverse<u32>,
    pub(super) id: NodeId,
}

impl Dispatcher<'_> {
    /// The node's place in the queue.
    pub(super) fn turn(&mut self, id: NodeId) -> Turn {
        let graph = self.parts.graph;
        if self.steps.len() < graph.nodes.len() {
            self.steps = steps(graph);
        }
        Turn { measures: graph.node(id).measures, steps: Reverse(self.steps[id.0]), id }
    }
}

/// For each node, how many nodes the longest path below it has.
fn steps(graph: &Graph) -> Vec<u32> {
    let mut steps = vec![0; graph.nodes.len()];
    // Without cycles, as graphs are, there is an order.
    let order = petgraph::algo::toposort(&graph.dag, None).unwrap_or_default();
    for index in order.into_iter().rev() {
        let below = graph.dag.neighbors(index).map(|next| steps[NodeId::from(next).0] + 1);
        steps[NodeId::from(index).0] = below.max().unwrap_or(0);
    }
    steps
}
