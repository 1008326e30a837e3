//! `flow graph`.

use std::borrow::Cow;
use std::io::Write;
use std::process::ExitCode;

use clap::ValueEnum;
use flow_engine::graph_view::{self, View};
use flow_engine::growth;

use super::Failure;
use super::request::{self, WorkflowArgs};

/// Arguments of `flow graph`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow graph workflows/ccs.yaml                      the stages, and what is connected to what
  flow graph ccs --nodes                             every node of every matrix
  flow graph ccs --format svg > ccs.svg              a picture
  flow graph ccs --format mermaid                    a chart to paste into Markdown
  flow graph ccs --format dot | dot -Tpdf -o ccs.pdf")]
pub(crate) struct Args {
    #[command(flatten)]
    workflow: WorkflowArgs,
    /// How to show the graph
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show stages: a matrix is one box (the default)
    #[arg(long, conflicts_with = "nodes")]
    stages: bool,
    /// Show nodes: every combination of a matrix is a box
    #[arg(long)]
    nodes: bool,
}

/// A way to show a graph.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// A list for the terminal
    Text,
    /// A Mermaid flow chart
    Mermaid,
    /// Graphviz
    Dot,
    /// A picture
    Svg,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let loaded = args.workflow.load()?;
    // What the store knows of outputs that decide about nodes. Drawing makes no store.
    let store = loaded.store.is_dir().then(|| request::open(&loaded.store)).transpose()?;
    let graph = match &store {
        Some(store) => growth::known(&loaded.graph, &loaded.catalog, store).map_err(Failure::plan)?,
        None => Cow::Borrowed(&loaded.graph),
    };
    let view = if args.nodes { View::nodes(&graph) } else { View::stages(&graph) };
    let drawn = match args.format {
        Format::Text => graph_view::text(&view),
        Format::Mermaid => graph_view::mermaid(&view),
        Format::Dot => graph_view::dot(&view),
        Format::Svg => graph_view::svg(&view),
    };
    // A closed pipe (`flow graph | head`) is not an error.
    let _ = anstream::stdout().lock().write_all(drawn.as_bytes());
    Ok(ExitCode::SUCCESS)
}
