//! Pictures of a graph: as text, Mermaid, DOT and SVG.

pub(crate) mod layout;
mod svg;
mod text;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

use crate::graph::Graph;

pub use svg::svg;
pub use text::text;

/// What is drawn: boxes and arrows. Stages, unless nodes are asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The workflow's name.
    pub name: String,
    /// The boxes, in the order of the file.
    pub boxes: Vec<Item>,
    /// The arrows.
    pub arrows: Vec<Arrow>,
    /// How many nodes there are in all.
    pub nodes: usize,
}

/// A box.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The stage's or the node's name.
    pub name: String,
    /// The operation.
    pub operation: String,
    /// How many nodes it stands for.
    pub nodes: usize,
    /// Its axes and their values, as text.
    pub axes: Vec<(String, Vec<String>)>,
    /// Further nodes may become known.
    pub more: bool,
}

/// An arrow: data that flows, or an order that `needs` asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    /// The earlier box: an index.
    pub from: usize,
    /// The later box.
    pub to: usize,
    /// The input and output that it connects, and whether a collection is taken; nothing for a mere order.
    pub data: Option<(String, String, bool)>,
}

impl View {
    /// The stages of a graph.
    #[must_use]
    pub fn stages(graph: &Graph) -> Self {
        let boxes = graph.stages.iter().map(|stage| Item {
            name: stage.name.clone(),
            operation: stage.operation.clone(),
            nodes: stage.nodes.len(),
            axes: axes(graph, &stage.nodes),
            more: !stage.unknown.is_empty(),
        });
        let stages: HashMap<&str, usize> =
            graph.stages.iter().enumerate().map(|(number, stage)| (stage.name.as_str(), number)).collect();
        let all = graph.nodes.iter().chain(&graph.stand_ins);
        let of: Vec<usize> =
            all.map(|node| stages.get(node.stage.as_str()).copied().unwrap_or_default()).collect();
        let (boxes, arrows) = (boxes.collect(), arrows(graph, &of));
        Self { name: graph.name.clone(), boxes, arrows, nodes: graph.nodes.len() }
    }

    /// The nodes of a graph.
    #[must_use]
    pub fn nodes(graph: &Graph) -> Self {
        let boxes = graph.nodes.iter().map(|node| Item {
            name: node.name.clone(),
            operation: node.operation.clone(),
            nodes: 1,
            axes: Vec::new(),
            more: false,
        });
        let of: Vec<usize> = (0..graph.nodes.len()).collect();
        let (boxes, arrows) = (boxes.collect(), arrows(graph, &of));
        Self { name: graph.name.clone(), boxes, arrows, nodes: graph.nodes.len() }
    }

    /// The arrows without those that only repeat another's direction.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let mut pairs: Vec<(usize, usize)> = self.arrows.iter().map(|arrow| (arrow.from, arrow.to)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }
}

/// The later box of an arrow, the place of its input among the inputs, the earlier box, and the input and output
/// that it connects.
type Key = (usize, usize, usize, Option<(String, String)>);

/// The arrows between boxes, given the box of every node. Each once, in the order of the boxes they lead to and
/// of the inputs there; mere orders last.
fn arrows(graph: &Graph, of: &[usize]) -> Vec<Arrow> {
    let mut found: BTreeMap<Key, bool> = BTreeMap::new();
    let mut joined: HashSet<(usize, usize)> = HashSet::new();
    for (number, node) in graph.nodes.iter().chain(&graph.stand_ins).enumerate().take(of.len()) {
        for (place, (input, sources)) in node.inputs.iter().enumerate() {
            let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
            for source in sources {
                if let Some((node, port)) = source.from.output() {
                    *counts.entry((of[node.0], port)).or_default() += 1;
                }
            }
            for ((from, port), count) in counts {
                joined.insert((from, of[number]));
                let key = (of[number], place, from, Some((input.clone(), port.to_owned())));
                *found.entry(key).or_default() |= count > 1;
            }
        }
    }
    for edge in graph.dag.edge_indices() {
        let Some((from, to)) = graph.dag.edge_endpoints(edge) else { continue };
        let (from, to) = (of[from.index()], of[to.index()]);
        if !joined.contains(&(from, to)) {
            found.insert((to, usize::MAX, from, None), false);
        }
    }
    found
        .into_iter()
        .map(|((to, _, from, data), many)| Arrow {
            from,
            to,
            data: data.map(|(input, output)| (input, output, many)),
        })
        .collect()
}

/// The values of each axis that occurs in some nodes, in order of appearance.
fn axes(graph: &Graph, nodes: &[usize]) -> Vec<(String, Vec<String>)> {
    let mut axes: Vec<(String, Vec<String>)> = Vec::new();
    let mut seen = HashSet::new();
    for node in nodes.iter().map(|number| &graph.nodes[*number]) {
        for (axis, value) in node.coordinates.iter() {
            let value = crate::workflow::label(value);
            if !seen.insert((axis.clone(), value.clone())) {
                continue;
            }
            match axes.iter_mut().find(|(known, _)| known == axis) {
                Some((_, values)) => values.push(value),
                None => axes.push((axis.clone(), vec![value])),
            }
        }
    }
    axes
}

/// `train ×4`; `cell ×?` where that is not known yet.
fn title(item: &Item) -> String {
    match item.nodes {
        0 if item.more => format!("{} ×?", item.name),
        nodes if item.more => format!("{} ×{nodes} or more", item.name),
        0 => format!("{} (off)", item.name),
        1 => item.name.clone(),
        nodes => format!("{} ×{nodes}", item.name),
    }
}

/// A Mermaid flow chart, which GitHub and many editors draw inside Markdown.
#[must_use]
pub fn mermaid(view: &View) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    // Writing to a string cannot fail, here and below.
    let mut out = String::from("flowchart LR\n");
    for (number, item) in view.boxes.iter().enumerate() {
        let (title, operation) = (escape(&title(item)), escape(&item.operation));
        let _ = writeln!(out, "  n{number}[\"<b>{title}</b><br/>{operation}\"]");
    }
    for arrow in &view.arrows {
        let _ = match &arrow.data {
            Some((_, output, _)) => {
                writeln!(out, "  n{} -->|\"{}\"| n{}", arrow.from, escape(output), arrow.to)
            }
            None => writeln!(out, "  n{} -.-> n{}", arrow.from, arrow.to),
        };
    }
    out
}

/// A graph in Graphviz's language.
#[must_use]
pub fn dot(view: &View) -> String {
    let escape = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut out = format!(
        "digraph \"{}\" {{\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n  edge \
         [fontname=\"sans-serif\", fontsize=10];\n",
        escape(&view.name)
    );
    for (number, item) in view.boxes.iter().enumerate() {
        let _ =
            writeln!(out, "  n{number} [label=\"{}\\n{}\"];", escape(&title(item)), escape(&item.operation));
    }
    for arrow in &view.arrows {
        let _ = match &arrow.data {
            Some((_, output, _)) => {
                writeln!(out, "  n{} -> n{} [label=\"{}\"];", arrow.from, arrow.to, escape(output))
            }
            None => writeln!(out, "  n{} -> n{} [style=dashed];", arrow.from, arrow.to),
        };
    }
    out.push_str("}\n");
    out
}
