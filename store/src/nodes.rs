//! The nodes of a run.

use rusqlite::params;

use crate::rows::{Blob, input_record, node_outline, node_record, output_record};
use crate::{NodeKey, NodeOutline, NodeRecord, Result, Store};

impl Store {
    /// The nodes of a run, in the order of the graph, with what they read and what came out.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn nodes(&self, run: &str) -> Result<Vec<NodeRecord>> {
        self.nodes_between(run, [0, i64::MAX])
    }

    /// The nodes of a run at these places of the graph, which rise; as [`Store::nodes`].
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn nodes_at(&self, run: &str, positions: &[usize]) -> Result<Vec<NodeRecord>> {
        let mut nodes = Vec::with_capacity(positions.len());
        for span in spans(positions.iter().map(|at| i64::try_from(*at).unwrap_or(i64::MAX))) {
            nodes.extend(self.nodes_between(run, span)?);
        }
        nodes.retain(|node| positions.binary_search(&node.position).is_ok());
        Ok(nodes)
    }

    fn nodes_between(&self, run: &str, [first, last]: [i64; 2]) -> Result<Vec<NodeRecord>> {
        let mut query = self.db.prepare_cached(
            "SELECT n.position, n.name, n.stage, n.operation, r.version, r.params, r.seed, n.key, n.state, n.cached,
             n.reason, n.error, n.attempts, n.started, n.finished, n.cpu_s, n.wall_s, n.peak_rss,
             c.cpu_s, c.wall_s, c.peak_rss, c.id
             FROM nodes n JOIN runs ON runs.id = n.run LEFT JOIN recipes r ON r.id = n.recipe
             LEFT JOIN computations c ON c.key = n.key
             WHERE runs.name = ? AND n.position BETWEEN ? AND ? ORDER BY n.position",
        )?;
        let (mut nodes, mut of): (Vec<NodeRecord>, Vec<(i64, usize)>) = (Vec::new(), Vec::new());
        for row in query.query_map(params![run, first, last], |row| {
            Ok((node_record(row)?, row.get::<_, Option<i64>>(21)?))
        })? {
            let (node, computation) = row?;
            of.extend(computation.map(|id| (id, nodes.len())));
            nodes.push(node);
        }
        of.sort_unstable();
        // Several nodes may share a computation.
        let places = |computation: i64| {
            let first = of.partition_point(|(id, _)| *id < computation);
            of[first..].iter().take_while(move |(id, _)| *id == computation).map(|(_, place)| *place)
        };
        let mut inputs = self.db.prepare_cached(
            "SELECT name, item, digest, origin, computation FROM inputs
             WHERE computation BETWEEN ? AND ? ORDER BY computation, port, item",
        )?;
        let mut outputs = self.db.prepare_cached(
            "SELECT port, kind, digest, bytes, computation FROM outputs
             WHERE computation BETWEEN ? AND ? ORDER BY computation, port",
        )?;
        for span in spans(of.iter().map(|(id, _)| *id)) {
            for row in inputs.query_map(span, |row| Ok((row.get(4)?, input_record(row)?)))? {
                let (computation, input): (i64, _) = row?;
                for place in places(computation) {
                    nodes[place].inputs.push(input.clone());
                }
            }
            for row in outputs.query_map(span, |row| Ok((row.get(4)?, output_record(row)?)))? {
                let (computation, output): (i64, _) = row?;
                for place in places(computation) {
                    nodes[place].outputs.push(output.clone());
                }
            }
        }
        Ok(nodes)
    }

    /// The nodes of a run, in the order of the graph, as far as they take little memory: how each ended, when, and
    /// what it cost.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn node_outlines(&self, run: &str) -> Result<Vec<NodeOutline>> {
        let mut query = self.db.prepare_cached(
            "SELECT n.position, n.name, n.stage, n.state, n.cached, n.error, n.started, n.cpu_s, n.wall_s, n.peak_rss,
             c.cpu_s, c.wall_s, c.peak_rss, (SELECT SUM(bytes) FROM outputs WHERE computation = c.id)
             FROM nodes n JOIN runs ON runs.id = n.run LEFT JOIN computations c ON c.key = n.key
             WHERE runs.name = ? ORDER BY n.position",
        )?;
        Ok(query.query_map([run], node_outline)?.collect::<Result<_, _>>()?)
    }

    /// The names of a run's computations, node by node: all that is needed to compare with.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn node_keys(&self, run: &str) -> Result<Vec<NodeKey>> {
        let mut query = self.db.prepare_cached(
            "SELECT n.name, n.stage, n.key, n.state = 'failed', c.id IS NOT NULL FROM nodes n
             JOIN runs r ON r.id = n.run LEFT JOIN computations c ON c.key = n.key
             WHERE r.name = ? ORDER BY n.position",
        )?;
        let rows = query.query_map([run], |row| {
            let key = row.get::<_, Option<Blob>>(2)?.map(|blob| blob.0);
            Ok(NodeKey {
                name: row.get(0)?,
                stage: row.get(1)?,
                key,
                failed: row.get(3)?,
                computed: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Spans that hold these rising numbers and few others: what one run has computed has numbers side by side, and a
/// question for a span costs less than one for each.
fn spans(numbers: impl Iterator<Item = i64>) -> Vec<[i64; 2]> {
    const GAP: i64 = 8;
    let mut spans: Vec<[i64; 2]> = Vec::new();
    for number in numbers {
        match spans.last_mut() {
            Some([_, last]) if number - *last <= GAP => *last = number,
            _ => spans.push([number, number]),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::spans;

    #[test]
    fn numbers_close_to_each_other_are_asked_for_together() {
        assert_eq!(spans([1, 2, 2, 3, 12, 30].into_iter()), [[1, 3], [12, 12], [30, 30]]);
        assert_eq!(spans([1, 9, 18].into_iter()), [[1, 9], [18, 18]]);
        assert_eq!(spans(std::iter::empty()), Vec::<[i64; 2]>::new());
    }
}
