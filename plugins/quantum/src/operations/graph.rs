//! `quantum/graph`: reads or draws a graph.

use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Error, Kind, Operation, ParamProblem, Port, Result, Spec};

use super::data::graph_port;
use crate::graph::{Family, Format, Statistics, best_known, read, write};

/// Reads or draws a graph.
pub(crate) struct GraphOperation;

/// Parameters of `quantum/graph`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(crate) struct GraphParams {
    /// A file, or what to draw: `{ family: torus_pm1, rows: 8, cols: 100, seed: 1 }`.
    graph: Source,
    /// The form of the file.
    #[serde(default)]
    format: Format,
}

/// Where the graph comes from.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", untagged)]
enum Source {
    /// A file.
    File(#[schemars(with = "String", extend("format" = "path"))] String),
    /// A random graph.
    Drawn(Family),
}

const DOC: &str = "\
Reads a graph, or draws one of the families of the Gset collection. Read are the form of that collection (`n m`, then \
`i j w` for each edge), edge lists, and symmetric sparse matrices in Matrix Market form; any of them may be compressed \
by gzip. Weights may be any finite numbers. A vertex joined to itself and an edge that is there twice are errors.

`graph` is the same graph in the form of the Gset collection, edges in order: equal graphs are equal files, so the same \
graph from another file causes nothing to be computed again.";

impl Operation for GraphOperation {
    type Params = GraphParams;

    fn spec(&self) -> Spec {
        Spec::new("graph", 1, "Reads, checks or draws a graph.")
            .doc(DOC)
            .output(graph_port("graph"))
            .output(Port::new("statistics", Kind::Metrics, "Facts about the graph."))
    }

    fn check(&self, params: &GraphParams) -> Vec<ParamProblem> {
        let Source::Drawn(family) = &params.graph else { return Vec::new() };
        let problem = |error: crate::graph::GenerateError| ParamProblem {
            at: "graph".into(),
            message: error.to_string(),
            hint: None,
        };
        family.check().map_err(problem).err().into_iter().collect()
    }

    fn run(&self, params: GraphParams, context: &Context) -> Result<()> {
        let graph = match &params.graph {
            Source::File(path) => read(path.as_ref(), params.format)
                .map_err(|error| Error::bad_input(format!("`{path}` is not a graph: {error}")))?,
            Source::Drawn(family) => family.generate()?,
        };
        let facts = Statistics::of(&graph);
        let name = best_known(&graph).map(|(name, _)| format!(", {name} of the Gset collection"));
        context.note(format!("{} vertices, {} edges{}", facts.n, facts.m, name.unwrap_or_default()));
        std::fs::write(context.output("graph")?, write(&graph))?;
        write_metrics(context.output("statistics")?, &facts)?;
        Ok(())
    }
}
