//! Graphs of the Gset collection with the best cuts that have been published for them.

use flow_plugin::Digest;

use super::{Graph, write};

/// `name,digest,cut`: the digest is that of the graph as [`write()`] gives it.
const TABLE: &str = include_str!("../../data/gset/best_known.csv");

/// The name of a graph of the Gset collection and the largest cut published for it.
#[must_use]
pub fn best_known(graph: &Graph) -> Option<(&'static str, f64)> {
    let digest = Digest::of(write(graph).as_bytes()).to_string();
    TABLE.lines().skip(1).find_map(|line| {
        let (name, rest) = line.split_once(',')?;
        let (known, cut) = rest.split_once(',')?;
        (digest == known).then_some(())?;
        Some((name, cut.parse().ok()?))
    })
}
