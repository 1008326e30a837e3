//! `flow log`.

use std::io::{self, Write};
use std::process::ExitCode;

use flow_store::{LogRecord, NodeRecord};

use super::reference;
use super::request::StoreArgs;
use super::{Failure, Format};
use crate::render::text::{BOLD, RESET, YELLOW, clean};

/// Arguments of `flow log`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow log ccs train                    what the nodes of a stage wrote, in the latest run
  flow log 'train[seed=1]'              one node, where the store has runs of one workflow only
  flow log 20261121-101500-7f3a train   in a certain run

The log of a node that was cached is that of the run which computed it.")]
pub(crate) struct Args {
    /// A workflow or a run (may be left out where there is one workflow only), and a stage or node
    #[arg(value_name = "[WORKFLOW] NODE", num_args = 1..=2, required = true)]
    what: Vec<String>,
    #[command(flatten)]
    store: StoreArgs,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let store = reference::open(&args.store)?;
    let (run, nodes) = reference::latest_nodes(&store, &args.what)?;
    let mut out = anstream::stdout().lock();
    for node in &nodes {
        let logs = store.logs(&run.start.id, &node.name).map_err(Failure::store)?;
        let written = match args.format {
            Format::Json => logs.iter().try_for_each(|log| {
                let line = serde_json::json!({
                    "node": node.name, "at": log.at, "level": log.level, "message": log.message,
                });
                writeln!(out, "{line}")
            }),
            Format::Human => human(&mut out, node, &logs, nodes.len() > 1),
        };
        // A closed pipe (`flow log … | head`) is not an error.
        if written.is_err() {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn human(out: &mut impl Write, node: &NodeRecord, logs: &[LogRecord], several: bool) -> io::Result<()> {
    if several {
        writeln!(out, "{BOLD}{}{RESET}", clean(&node.name))?;
    }
    for log in logs {
        let mark = if log.level == "warning" { format!("{YELLOW}warning{RESET} ") } else { String::new() };
        writeln!(out, "{mark}{}", clean(&log.message))?;
    }
    if let Some(error) = &node.error {
        writeln!(out, "{BOLD}failed{RESET} {}", clean(error))?;
    }
    Ok(())
}
