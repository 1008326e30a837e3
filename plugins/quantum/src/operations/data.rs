//! What the operations hand to each other.

use std::path::Path;

use flow_plugin::artifact::{Dataset, DatasetWriter, Variable};
use flow_plugin::{Context, Error, Kind, Port, Result};

use crate::cut::Assignment;
use crate::graph::{Format, Graph, read};

/// The port of a graph.
pub(super) fn graph_port(name: &str) -> Port {
    Port::new(name, Kind::File, "The graph: `n m`, then `i j w` for each edge, vertices from 1.")
        .of_type("quantum/graph@1")
}

/// The graph connected to the input `graph`.
pub(super) fn graph(context: &Context) -> Result<Graph> {
    let path = &context.input("graph")?.path;
    read(path, Format::Gset)
        .map_err(|error| Error::bad_input(format!("the graph in `{}`: {error}", path.display())))
}

/// The port of assignments.
pub(super) fn assignments_port(name: &str, doc: &str) -> Port {
    Port::new(name, Kind::Dataset, doc)
        .of_type("quantum/assignments@1")
        .variable("side", "i32", ["sample", "vertex"], "1")
        .variable("cut", "f64", ["sample"], "1")
}

/// Writes assignments.
pub(super) fn write_assignments(path: &Path, found: &[Assignment]) -> Result<()> {
    let vertices = found.first().map_or(0, |one| one.signs().len());
    let sides: Vec<i32> = found.iter().flat_map(|one| one.signs().iter().map(|&s| i32::from(s))).collect();
    let cuts: Vec<f64> = found.iter().map(Assignment::cut).collect();
    let mut writer = DatasetWriter::create(path)?;
    let shape = [found.len(), vertices];
    let side = Variable::new::<i32>("side", &["sample", "vertex"], &shape, "1", "side of the cut, 1 or -1");
    writer.write(&side, &sides)?;
    writer
        .write(&Variable::new::<f64>("cut", &["sample"], &[found.len()], "1", "weight of the cut"), &cuts)?;
    writer.finish()?;
    Ok(())
}

/// Reads assignments; their cuts are counted anew.
pub(super) fn read_assignments(path: &Path, graph: &Graph) -> Result<Vec<Assignment>> {
    let dataset = Dataset::open(path)?;
    let sides = dataset.read::<i32>("side")?;
    let vertices = graph.vertices();
    if dataset.dim("vertex") != Some(vertices) || sides.iter().any(|s| s.abs() != 1) {
        let path = path.display();
        return Err(Error::bad_input(format!(
            "`{path}` does not hold a side for each of the {vertices} vertices"
        ))
        .hint("assignments and graph must belong together"));
    }
    let one = |row: &[i32]| Assignment::new(graph, row.iter().map(|&s| if s < 0 { -1 } else { 1 }).collect());
    Ok(sides.chunks_exact(vertices).map(one).collect())
}

/// The largest cut.
pub(super) fn best(found: &[Assignment]) -> Option<&Assignment> {
    found.iter().max_by(|a, b| a.cut().total_cmp(&b.cut()))
}

/// The mean cut.
pub(super) fn mean(cuts: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = cuts.len().max(1) as f64;
    cuts.sum::<f64>() / count
}
