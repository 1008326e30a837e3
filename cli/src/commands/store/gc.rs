//! `flow store gc`.

use std::io::{self, Write};
use std::process::ExitCode;

use flow_engine::human::{self, duration, parse_bytes};
use flow_store::{Cleared, Item, Policy, What};
use serde_json::{Value, json};

use super::KeepArgs;
use crate::commands::plan::json as json_line;
use crate::commands::request::StoreArgs;
use crate::commands::run::Format;
use crate::commands::{Failure, reference};
use crate::render::text::{self, BOLD, DIM, GREEN, RESET, YELLOW, clean};

/// Arguments of `flow store gc`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow store gc --dry-run              what would go
  flow store gc                        keep what the latest 10 runs of each workflow read and made
  flow store gc --keep 1 --age '30 d'  keep the latest run of each, and all of the last 30 days
  flow store gc --size '20 GB'         remove no more than is needed to get below 20 GB

What kept runs lead to never goes. With --size, what takes the most space for the least computing
goes first. Records of runs stay: a result that was removed is computed again when something needs
it. Runs may go on meanwhile.")]
pub(crate) struct Args {
    #[command(flatten)]
    keep: KeepArgs,
    /// Remove no more than is needed to get below this size, such as '20 GB'
    #[arg(long, value_name = "SIZE", value_parser = size)]
    size: Option<u64>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    store: StoreArgs,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

fn size(text: &str) -> Result<u64, String> {
    parse_bytes(text).ok_or_else(|| "expected a size with a unit, such as '20 GB' or '500 MiB'".to_owned())
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut store = reference::open(&args.store)?;
    let policy = Policy { keep: args.keep.keep(), size: args.size };
    let cleared = if args.dry_run { store.would_clear(&policy) } else { store.clear(&policy) };
    let cleared = cleared.map_err(Failure::store)?;
    let mut out = anstream::stdout().lock();
    // A closed pipe is not an error.
    let _ = match args.format {
        Format::Json => json_line(&mut out, &as_json(&cleared, args)),
        Format::Human => human(&mut out, &cleared, args),
    };
    Ok(ExitCode::SUCCESS)
}

fn what(item: &Item) -> (&'static str, String) {
    match &item.what {
        What::Artifact(digest) => ("result", digest.short()),
        What::State(_) => ("final state", String::new()),
        What::Checkpoints(_) => ("checkpoints", String::new()),
    }
}

fn human(out: &mut impl Write, cleared: &Cleared, args: &Args) -> io::Result<()> {
    /// More are only counted.
    const SHOWN: usize = 20;
    for item in cleared.items.iter().take(SHOWN) {
        let (kind, digest) = what(item);
        let node = item.node.as_deref().map(clean).unwrap_or_default();
        let took = duration(item.seconds);
        let size = human::bytes(item.bytes);
        writeln!(out, "{size:>7}  {kind} {node}  {DIM}{digest} computed in {took}{RESET}")?;
    }
    if cleared.items.len() > SHOWN {
        writeln!(out, "         and {} more", cleared.items.len() - SHOWN)?;
    }
    if cleared.strays.0 > 0 {
        let strays = text::count(cleared.strays.0, "object");
        writeln!(out, "{:>7}  {strays} without a record, left by a crash", human::bytes(cleared.strays.1))?;
    }
    let word = if args.dry_run { "would free" } else { "freed" };
    let (bytes, left) = (human::bytes(cleared.bytes()), human::bytes(cleared.left));
    let runs = text::count(cleared.runs, "run");
    writeln!(out, "{GREEN}{word}{RESET} {BOLD}{bytes}{RESET}; {left} of results stay ({runs} kept)")?;
    if let Some(size) = args.size.filter(|size| cleared.left > *size) {
        let size = human::bytes(size);
        writeln!(
            out,
            "{YELLOW}above {size}{RESET}: what stays is what kept runs lead to; a smaller --keep keeps fewer"
        )?;
    }
    Ok(())
}

fn as_json(cleared: &Cleared, args: &Args) -> Value {
    let items = cleared.items.iter().map(|item| {
        let mut value = json!({ "what": what(item).0, "bytes": item.bytes, "wall_s": item.seconds });
        match &item.what {
            What::Artifact(digest) => value["digest"] = json!(digest),
            What::State(path) | What::Checkpoints(path) => value["path"] = json!(path.to_string_lossy()),
        }
        if let Some(node) = &item.node {
            value["node"] = json!(node);
        }
        value
    });
    json!({
        "dry_run": args.dry_run,
        "freed": cleared.bytes(),
        "left": cleared.left,
        "runs_kept": cleared.runs,
        "removed": items.collect::<Vec<_>>(),
        "without_record": cleared.strays.0,
    })
}
