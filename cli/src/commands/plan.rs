//! `flow plan`.

use std::io::Write;
use std::process::ExitCode;

use flow_engine::human::duration;
use flow_engine::plan::{self, Planned, State};
use serde::Serialize;

use super::Failure;
use super::request::{self, SelectArgs, WorkflowArgs};
use super::run::Format;
use crate::render::text;

/// Arguments of `flow plan`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow plan workflows/ccs.yaml                  what a run would do, and why
  flow plan ccs --set train.with.epochs=60      what it would do with another parameter
  flow plan ccs --until train --force simulate  with the options of `flow run` that choose what runs
  flow plan ccs --format json                   one JSON object a line, for programs

A node marked `?` is uncertain: it runs only if what it reads comes out different, or if a node
that does needs a result of it which is gone from the store. One marked
`frozen` is never computed: its last result is used. One marked `off` is switched off by a
condition (`when`), or has nothing in it. One marked `later` is a stage of which further nodes
become known when others have ended.")]
pub(crate) struct Args {
    #[command(flatten)]
    workflow: WorkflowArgs,
    #[command(flatten)]
    select: SelectArgs,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let loaded = args.workflow.load_selected(&args.select)?;
    let store = request::open(&loaded.store)?;
    let plan = plan::plan(&loaded.graph, &loaded.catalog, &store).map_err(Failure::plan)?;
    let mut out = anstream::stdout().lock();
    let written = match args.format {
        Format::Json => plan.nodes.iter().try_for_each(|node| json(&mut out, node)),
        Format::Human => human(&mut out, &loaded.graph.name, &plan),
    };
    // A closed pipe (`flow plan | head`) is not an error.
    let _ = written;
    Ok(ExitCode::SUCCESS)
}

/// One object on a line of its own.
pub(crate) fn json(out: &mut impl Write, value: &impl Serialize) -> std::io::Result<()> {
    let line = serde_json::to_string(value).map_err(std::io::Error::other)?;
    writeln!(out, "{line}")
}

fn human(out: &mut impl Write, workflow: &str, plan: &plan::Plan) -> std::io::Result<()> {
    let width = plan.nodes.iter().map(|node| node.node.chars().count()).max().unwrap_or(0);
    for node in &plan.nodes {
        let (mark, style) = mark(node);
        let took = node.wall_s.map(|s| format!("  ({})", duration(s))).unwrap_or_default();
        let files = match node.files.as_slice() {
            [] => String::new(),
            files => format!("  [reads {}]", text::clean(&files.join(", "))),
        };
        let (name, reason) = (text::clean(&node.node), text::clean(&node.reason));
        writeln!(
            out,
            "{style}{mark:<6}{style:#}  {name:<width$}  {reason}{}{took}{files}{}",
            text::DIM,
            text::RESET
        )?;
    }
    let count = |state| plan.nodes.iter().filter(|node| node.state == state).count();
    let (cached, run, perhaps) = plan.counts();
    let certain: f64 = seconds(plan, true);
    write!(out, "{workflow}: {run} to run")?;
    if certain > 0.0 {
        let about = if certain < 0.001 { "" } else { "about " };
        write!(out, " ({about}{} of computing)", duration(certain))?;
    }
    if perhaps > 0 {
        write!(out, ", {perhaps} perhaps")?;
    }
    write!(out, ", {cached} cached")?;
    for (count, what) in
        [(count(State::Frozen), "frozen"), (count(State::Off), "off"), (count(State::Unknown), "unknown")]
    {
        if count > 0 {
            write!(out, ", {count} {what}")?;
        }
    }
    writeln!(out)
}

fn seconds(plan: &plan::Plan, certain: bool) -> f64 {
    let wanted = plan.nodes.iter().filter(|node| node.state == State::Run && node.certain == certain);
    wanted.filter_map(|node| node.wall_s).sum()
}

pub(super) fn mark(node: &Planned) -> (&'static str, anstyle::Style) {
    match (node.state, node.certain) {
        (State::Cached, true) => ("cached", text::GREEN),
        (State::Frozen, _) => ("frozen", text::CYAN),
        (State::Off, _) => ("off", text::DIM),
        (State::Unknown, _) => ("later", text::YELLOW),
        (State::Run, true) => ("run", text::YELLOW),
        (State::Run | State::Cached, false) => ("run ?", text::YELLOW),
    }
}
