//! `flow store check`.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use flow_engine::human::bytes;
use flow_store::{Checked, Damaged, Repair};
use serde_json::{Value, json};

use crate::commands::plan::json as json_line;
use crate::commands::request::StoreArgs;
use crate::commands::run::Format;
use crate::commands::{Failure, reference};
use crate::render::text::{self, BOLD, DIM, GREEN, RED, RESET, YELLOW, clean};

/// Arguments of `flow store check`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow store check                 read every result and compare it with what was stored
  flow store check --repair        and repair what is damaged
  flow store check --format json   one JSON object, for programs

Repairing takes the result over from where it was published, if that copy is whole; otherwise it
removes the result, and it is computed again when something needs it.

Exit status: 0 all is whole or has been repaired, 1 something is damaged, 2 the request was wrong")]
pub(crate) struct Args {
    /// Repair what is damaged: from a published copy, or by removing it, so that it is computed again
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    store: StoreArgs,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let mut store = reference::open(&args.store)?;
    let mut shown = 0;
    let terminal = args.format == Format::Human && io::stderr().is_terminal();
    let checked = store.check(&mut |done, total| {
        let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
        if terminal && percent > shown {
            shown = percent;
            anstream::eprint!("\rchecking: {percent} % of {}", bytes(total));
        }
    });
    if shown > 0 {
        anstream::eprint!("\r\x1b[K");
    }
    let checked = checked.map_err(Failure::store)?;
    let mut repairs = Vec::new();
    if args.repair {
        for damaged in &checked.damaged {
            repairs.push(store.repair(&damaged.digest).map_err(Failure::store)?);
        }
    }
    let mut out = anstream::stdout().lock();
    // A closed pipe is not an error.
    let _ = match args.format {
        Format::Json => json_line(&mut out, &as_json(&checked, &repairs)),
        Format::Human => human(&mut out, &checked, &repairs),
    };
    let whole = checked.index.is_empty() && checked.damaged.len() == repairs.len();
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn human(out: &mut impl Write, checked: &Checked, repairs: &[Repair]) -> io::Result<()> {
    for line in &checked.index {
        writeln!(out, "{RED}index{RESET}    {}", clean(line))?;
    }
    if !checked.index.is_empty() {
        writeln!(
            out,
            "         {BOLD}help:{RESET} move the store away and run again, or bring back a backup of it"
        )?;
    }
    for (at, damaged) in checked.damaged.iter().enumerate() {
        writeln!(out, "{RED}{:<8}{RESET} {}", damaged.state, title(damaged))?;
        writeln!(
            out,
            "         {}{DIM}, {}, {}{RESET}",
            clean(&damaged.detail),
            bytes(damaged.bytes),
            damaged.digest.short()
        )?;
        match repairs.get(at) {
            Some(Repair::Restored(path)) => {
                writeln!(out, "         {GREEN}restored{RESET} from {}", clean(&path.to_string_lossy()))?;
            }
            Some(Repair::Removed) => {
                writeln!(
                    out,
                    "         {YELLOW}removed{RESET}: it is computed again when something needs it"
                )?;
            }
            Some(Repair::Whole) => writeln!(out, "         {GREEN}repaired{RESET} meanwhile by a run")?,
            None => {}
        }
    }
    let (count, size) = (text::count(checked.artifacts, "result"), bytes(checked.bytes));
    if checked.strays > 0 {
        let strays = text::count(checked.strays, "object");
        writeln!(out, "{strays} without a record, left by a crash: `flow store gc` removes them")?;
    }
    match checked.damaged.len() {
        0 if checked.index.is_empty() => writeln!(out, "{GREEN}whole{RESET}: {count}, {size}"),
        0 => writeln!(out, "{RED}damaged{RESET}: the index; {count}, {size} are whole"),
        n if repairs.is_empty() => {
            writeln!(out, "{RED}damaged{RESET}: {n} of {count}; `flow store check --repair` repairs them")
        }
        n => writeln!(out, "{GREEN}repaired{RESET}: {n} of {count}"),
    }
}

fn title(damaged: &Damaged) -> String {
    match damaged.makers.as_slice() {
        [] => damaged.digest.short(),
        [(run, node, port), more @ ..] => {
            let also = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
            format!("{BOLD}{}.{}{RESET} of run {run}{also}", clean(node), clean(port))
        }
    }
}

fn as_json(checked: &Checked, repairs: &[Repair]) -> Value {
    let damaged = checked.damaged.iter().enumerate().map(|(at, damaged)| {
        let makers = damaged.makers.iter();
        let makers: Vec<_> =
            makers.map(|(run, node, port)| json!({ "run": run, "node": node, "output": port })).collect();
        let mut value = json!({
            "digest": damaged.digest,
            "state": damaged.state,
            "detail": damaged.detail,
            "bytes": damaged.bytes,
            "made_by": makers,
        });
        match repairs.get(at) {
            Some(Repair::Restored(path)) => {
                value["repair"] = json!("restored");
                value["from"] = json!(path.to_string_lossy());
            }
            Some(Repair::Removed) => value["repair"] = json!("removed"),
            Some(Repair::Whole) => value["repair"] = json!("whole"),
            None => {}
        }
        value
    });
    json!({
        "results": checked.artifacts,
        "bytes": checked.bytes,
        "index": checked.index,
        "damaged": damaged.collect::<Vec<_>>(),
        "without_record": checked.strays,
    })
}
