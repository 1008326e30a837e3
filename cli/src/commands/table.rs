//! `flow table`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use flow_artifact::Kind;
use flow_artifact::metrics::read_metrics;
use flow_artifact::table::Table as Columns;
use flow_engine::diagnostics::closest;
use flow_engine::variants::{self, Entry, Spread, Table};
use flow_store::{NodeRecord, OutputRecord, Store};
use serde_json::{Map, Value, json};

use super::Failure;
use super::plan::json as json_line;
use super::reference::{self, Target};
use super::request::StoreArgs;
use super::run::Format;
use crate::render::artifact::number;
use crate::render::columns;
use crate::render::text::{self, DIM, RESET, clean};

/// Arguments of `flow table`.
#[derive(clap::Args)]
#[command(override_usage = "flow table [OPTIONS] [WORKFLOW] <STAGE.OUTPUT>")]
#[command(after_help = "\
Examples:
  flow table ccs evaluate.scores                         every number, with mean and spread over seeds
  flow table ccs evaluate.scores --metric test.rmse      one of them
  flow table ccs evaluate.scores --over seed --over fold
  flow table ccs evaluate.scores --each                  every node by itself
  flow table ccs evaluate.scores --csv scores.csv        for other programs; `-` is standard output

The spread is the sample standard deviation. Nodes without a result count as missing, and n says how many
values a mean is of.")]
pub(crate) struct Args {
    /// A workflow or a run (may be left out where the store has runs of one workflow only), and an output of
    /// kind metrics
    #[arg(value_name = "[WORKFLOW] STAGE.OUTPUT", num_args = 1..=2, required = true)]
    what: Vec<String>,
    /// Show this number, or all of a group; may be given again [default: all]
    #[arg(long, value_name = "NAME")]
    metric: Vec<String>,
    /// Take mean and spread over this axis; may be given again [default: seed]
    #[arg(long, value_name = "AXIS", conflicts_with = "each")]
    over: Vec<String>,
    /// Show every node by itself
    #[arg(long)]
    each: bool,
    /// Write the table to a file as CSV (`-`: print it)
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    csv: Option<PathBuf>,
    #[command(flatten)]
    store: StoreArgs,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let store = reference::open(&args.store)?;
    let entries = entries(&store, &args.what)?;
    let over = over(&entries, args)?;
    let metrics = metrics(&entries, &args.metric, &args.what)?;
    let table = variants::tabulate(&entries, &over, &metrics);
    let mut out = anstream::stdout().lock();
    // A closed pipe is not an error, except where a file is written.
    match (&args.csv, args.format) {
        (Some(path), _) if path.as_os_str() == "-" => drop(out.write_all(csv(&table, &over).as_bytes())),
        (Some(path), _) => {
            std::fs::write(path, csv(&table, &over)).map_err(|error| {
                Failure::request(format_args!("cannot write {}: {error}", path.display()))
            })?;
            let rows = text::count(table.rows.len(), "row");
            drop(writeln!(out, "{}: {rows}", path.display()));
        }
        (None, Format::Json) => {
            drop(table.rows.iter().try_for_each(|row| json_line(&mut out, &as_json(&table, row))))
        }
        (None, Format::Human) => drop(human(&mut out, &table, &over)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The numbers of every node that is meant, and the nodes of the stage that have none.
fn entries(store: &Store, what: &[String]) -> Result<Vec<Entry>, Failure> {
    let named = what.join(" ");
    let (run, outputs) = match reference::find(store, what)? {
        Target::Outputs(run, outputs) => (run, outputs),
        Target::Nodes(run, nodes) => {
            let outputs = only_metrics(nodes, &named)?;
            (run, outputs)
        }
        Target::Run(_) | Target::Artifact(_) => {
            return Err(Failure::request(format_args!("`{named}` is not an output of a stage"))
                .hint("name the workflow and an output: `flow table WORKFLOW STAGE.OUTPUT`"));
        }
    };
    if let Some((node, output)) = outputs.iter().find(|(_, output)| output.kind != Kind::Metrics) {
        return Err(Failure::request(format_args!("{}.{} is a {}", node.stage, output.port, output.kind))
            .hint("a table is made of metrics; `flow show` and `flow get` show other kinds"));
    }
    let whole = outputs.iter().all(|(node, _)| what.last().is_some_and(|word| !word.starts_with(&node.name)))
        || outputs.len() > 1;
    let stage = outputs.first().map(|(node, _)| node.stage.clone()).unwrap_or_default();
    let mut found: Vec<(NodeRecord, Option<OutputRecord>)> =
        outputs.into_iter().map(|(node, output)| (node, Some(output))).collect();
    if whole {
        let nodes = store.nodes(&run.start.id).map_err(Failure::store)?;
        let others: Vec<NodeRecord> = nodes
            .into_iter()
            .filter(|node| node.stage == stage && !found.iter().any(|(known, _)| known.name == node.name))
            .collect();
        found.extend(others.into_iter().map(|node| (node, None)));
    }
    found.sort_by_key(|(node, _)| node.position);
    found
        .into_iter()
        .map(|(node, output)| {
            let (_, coordinates) = variants::parse_name(&node.name);
            let numbers = match output {
                Some(output) => {
                    let path = store.artifact_path(&output.digest).map_err(Failure::store)?;
                    variants::numbers(&read_metrics(path).map_err(Failure::request)?)
                }
                None => Vec::new(),
            };
            Ok(Entry { coordinates, numbers })
        })
        .collect()
}

/// A stage alone means its metrics, if it has one output of that kind.
fn only_metrics(nodes: Vec<NodeRecord>, named: &str) -> Result<Vec<(NodeRecord, OutputRecord)>, Failure> {
    let mut ports: Vec<String> = Vec::new();
    for output in nodes.iter().flat_map(|node| &node.outputs).filter(|output| output.kind == Kind::Metrics) {
        if !ports.contains(&output.port) {
            ports.push(output.port.clone());
        }
    }
    let [port] = ports.as_slice() else {
        let failure = Failure::request(format_args!("`{named}` is a stage, not an output"));
        return Err(match ports.as_slice() {
            [] => failure.hint("it has no metrics to show"),
            _ => failure.hint(format_args!("its metrics are {}", ports.join(", "))),
        });
    };
    let output = |node: &NodeRecord| node.outputs.iter().find(|output| output.port == *port).cloned();
    Ok(nodes.into_iter().filter_map(|node| output(&node).map(|output| (node, output))).collect())
}

/// The axes to take the mean over.
fn over(entries: &[Entry], args: &Args) -> Result<Vec<String>, Failure> {
    const SEED: &str = "seed";
    let axes = variants::axes(entries);
    if args.over.is_empty() {
        return Ok(axes.into_iter().filter(|axis| axis == SEED && !args.each).collect());
    }
    match args.over.iter().find(|axis| !axes.contains(axis)) {
        None => Ok(args.over.clone()),
        Some(unknown) => {
            let failure = Failure::request(format_args!("there is no axis `{unknown}`"));
            Err(match (closest(unknown, axes.iter().map(String::as_str)), axes.as_slice()) {
                (Some(near), _) => failure.hint(format_args!("did you mean `{near}`?")),
                (None, []) => failure.hint("it is one node: it has no axes"),
                (None, axes) => failure.hint(format_args!("the axes are {}", axes.join(", "))),
            })
        }
    }
}

/// The numbers to show: those asked for, by name or by group.
fn metrics(entries: &[Entry], wanted: &[String], what: &[String]) -> Result<Vec<String>, Failure> {
    let known = variants::metrics(entries);
    if known.is_empty() {
        return Err(Failure::request(format_args!("`{}` has no numbers", what.join(" "))));
    }
    if wanted.is_empty() {
        return Ok(known);
    }
    let mut chosen = Vec::new();
    for name in wanted {
        let group = format!("{name}.");
        let found: Vec<&String> =
            known.iter().filter(|known| *known == name || known.starts_with(&group)).collect();
        if found.is_empty() {
            let failure = Failure::request(format_args!("there is no metric `{name}`"));
            return Err(match closest(name, known.iter().map(String::as_str)) {
                Some(near) => failure.hint(format_args!("did you mean `{near}`?")),
                None => failure.hint(format_args!("there are {}", reference::some(&known))),
            });
        }
        chosen.extend(found.into_iter().filter(|name| !chosen.contains(*name)).cloned().collect::<Vec<_>>());
    }
    Ok(chosen)
}

fn human(out: &mut impl Write, table: &Table, over: &[String]) -> io::Result<()> {
    let counts: Vec<usize> =
        table.rows.iter().flat_map(|row| row.cells.iter().map(|cell| cell.count)).collect();
    let equal = counts.windows(2).all(|pair| pair[0] == pair[1]);
    let mut columns: Vec<Vec<String>> = table.axes.iter().map(|axis| vec![clean(axis)]).collect();
    columns.extend(table.metrics.iter().map(|metric| vec![clean(metric)]));
    for row in &table.rows {
        for (column, label) in columns.iter_mut().zip(&row.coordinates) {
            column.push(clean(label));
        }
        for (column, cell) in columns[table.axes.len()..].iter_mut().zip(&row.cells) {
            column.push(shown(cell, !over.is_empty() && !equal));
        }
    }
    columns::write(out, &columns)?;
    if !over.is_empty() {
        let of = if equal { format!(", n = {}", counts.first().unwrap_or(&0)) } else { String::new() };
        let axes = clean(&over.join(", "));
        writeln!(out, "{DIM}mean ± standard deviation over {axes}{of}{RESET}")?;
    }
    Ok(())
}

/// `0.52 ± 0.01`, and of how many where that differs.
fn shown(cell: &Spread, count: bool) -> String {
    let value = match cell.count {
        0 => "–".to_owned(),
        1 => number(cell.mean),
        _ => format!("{} ± {}", number(cell.mean), number(cell.deviation)),
    };
    if count { format!("{value} (n = {})", cell.count) } else { value }
}

/// As CSV, numbers with all their digits. A missing number is empty.
fn csv(table: &Table, over: &[String]) -> String {
    let mut columns = Columns::new();
    for (at, axis) in table.axes.iter().enumerate() {
        let labels: Vec<String> = table.rows.iter().map(|row| row.coordinates[at].clone()).collect();
        columns = columns.with(axis, labels);
    }
    let text = |value: f64, count: usize, least: usize| match count {
        count if count < least => String::new(),
        _ => value.to_string(),
    };
    for (at, metric) in table.metrics.iter().enumerate() {
        let cells: Vec<Spread> = table.rows.iter().map(|row| row.cells[at]).collect();
        let column = |value: &dyn Fn(&Spread) -> String| cells.iter().map(value).collect::<Vec<String>>();
        columns = columns.with(metric, column(&|cell| text(cell.mean, cell.count, 1)));
        if !over.is_empty() {
            let deviations = column(&|cell| text(cell.deviation, cell.count, 2));
            let counts = column(&|cell| cell.count.to_string());
            columns = columns.with(&format!("{metric} std"), deviations).with(&format!("{metric} n"), counts);
        }
    }
    columns.to_csv()
}

fn as_json(table: &Table, row: &variants::Row) -> Value {
    // Numbers that are not finite are texts, as in metrics.
    let value = |number: f64| match serde_json::Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None if number.is_nan() => "NaN".into(),
        None if number > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    };
    let cell = |cell: &Spread| {
        let mean = if cell.count > 0 { value(cell.mean) } else { Value::Null };
        let std = if cell.count > 1 { value(cell.deviation) } else { Value::Null };
        json!({ "n": cell.count, "mean": mean, "std": std })
    };
    let coordinates: Map<String, Value> =
        table.axes.iter().cloned().zip(row.coordinates.iter().map(|label| label.as_str().into())).collect();
    let metrics: Map<String, Value> = table.metrics.iter().cloned().zip(row.cells.iter().map(cell)).collect();
    json!({ "coordinates": coordinates, "metrics": metrics })
}
