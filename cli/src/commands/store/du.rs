//! `flow store du`.

use std::io::{self, Write};
use std::process::ExitCode;

use flow_engine::human::{bytes, duration};
use flow_store::{Part, Sizes, Store};
use serde_json::{Value, json};

use super::KeepArgs;
use crate::commands::plan::json as json_line;
use crate::commands::request::StoreArgs;
use crate::commands::run::Format;
use crate::commands::{Failure, reference};
use crate::render::text::{self, BOLD, DIM, RESET, clean};

/// Arguments of `flow store du`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow store du                    what takes space, by stage
  flow store du --keep 1           what the latest runs do not need
  flow store du --format json      one JSON object, for programs")]
pub(crate) struct Args {
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let store = reference::open(&args.store)?;
    let sizes = store.sizes(&args.keep.keep()).map_err(Failure::store)?;
    let mut out = anstream::stdout().lock();
    // A closed pipe is not an error.
    let _ = match args.format {
        Format::Json => json_line(&mut out, &as_json(&store, &sizes)),
        Format::Human => human(&mut out, &store, &sizes),
    };
    Ok(ExitCode::SUCCESS)
}

fn human(out: &mut impl Write, store: &Store, sizes: &Sizes) -> io::Result<()> {
    writeln!(out, "{BOLD}{}{RESET}  {}", bytes(sizes.total()), store.root().display())?;
    let part = |out: &mut dyn Write, bytes_of: u64, what: &str| match bytes_of {
        0 => Ok(()),
        n => writeln!(out, "  {:>7}  {what}", bytes(n)),
    };
    part(out, sizes.objects.bytes, &format!("{} as files", text::count(sizes.objects.count, "result")))?;
    let small = text::count(sizes.small.count, "small result");
    part(out, sizes.index, &format!("index: records, and {small} of {}", bytes(sizes.small.bytes)))?;
    part(out, sizes.unpacked, "copies of small results, for programs that need a path")?;
    part(out, sizes.states, "final states that longer computations go on from")?;
    part(out, sizes.checkpoints, "checkpoints of unfinished computations")?;
    part(out, sizes.scratch, "what running or killed nodes have written")?;
    part(out, sizes.reports, "reports of runs")?;
    part(out, sizes.strays.bytes, "objects without a record, left by a crash")?;
    if !sizes.stages.is_empty() {
        writeln!(out, "\nby stage, with the time it took to compute")?;
    }
    for stage in &sizes.stages {
        let (count, took) = (text::count(stage.artifacts.count, "result"), duration(stage.seconds));
        let name = format!("{} {}", clean(&stage.workflow), clean(&stage.stage));
        writeln!(out, "  {:>7}  {name}  {DIM}{count}, {took}{RESET}", bytes(stage.artifacts.bytes))?;
    }
    if sizes.unreached > 0 {
        writeln!(out, "\n{} can go: no kept run leads there (`flow store gc`)", bytes(sizes.unreached))?;
    }
    Ok(())
}

fn as_json(store: &Store, sizes: &Sizes) -> Value {
    let part = |part: &Part| json!({ "count": part.count, "bytes": part.bytes });
    let stages = sizes.stages.iter().map(|stage| {
        json!({
            "workflow": stage.workflow,
            "stage": stage.stage,
            "results": stage.artifacts.count,
            "bytes": stage.artifacts.bytes,
            "wall_s": stage.seconds,
        })
    });
    json!({
        "store": store.root().to_string_lossy(),
        "bytes": sizes.total(),
        "objects": part(&sizes.objects),
        "small": part(&sizes.small),
        "index": sizes.index,
        "unpacked": sizes.unpacked,
        "states": sizes.states,
        "checkpoints": sizes.checkpoints,
        "scratch": sizes.scratch,
        "reports": sizes.reports,
        "without_record": part(&sizes.strays),
        "unreached": sizes.unreached,
        "stages": stages.collect::<Vec<_>>(),
    })
}
