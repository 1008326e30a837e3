//! `flow verify`.

use std::io::{self, Write};
use std::process::ExitCode;

use flow_engine::human::duration;
use flow_engine::run::{self, Sample, Verdict, Verification, Verified, VerifyOptions};
use flow_store::Store;
use serde_json::json;

use super::Failure;
use super::plan::json as json_line;
use super::request::{self, WorkflowArgs};
use super::run::Format;
use crate::render::text::{self, DIM, GREEN, RED, RESET, YELLOW, clean};

/// Arguments of `flow verify`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow verify ccs                         compute a tenth of the nodes again, and compare
  flow verify ccs --sample 100%           all of them
  flow verify ccs --sample 3 --seed 7     three, and others than with another seed
  flow verify ccs --node train --node 'evaluate[seed=1]'
  flow verify ccs --format json           one JSON object a node, for programs

Nothing is recorded, and nothing in the store changes. What comes out otherwise is compared within
the tolerance that the operation declares. Operations that measure time are left out; checkpoints
are not used.

Exit status: 0 all came out the same or within tolerance, 1 something did not, 2 the request was
wrong, 130 interrupted")]
pub(crate) struct Args {
    /// Compute this stage or node again; may be given again
    #[arg(long, value_name = "STAGE", conflicts_with = "sample")]
    node: Vec<String>,
    /// How many of the nodes to compute again: a part, such as 5%, or a number
    #[arg(long, value_name = "PART", default_value = "10%", value_parser = sample)]
    sample: Sample,
    /// Which sample: the same seed gives the same
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    workflow: WorkflowArgs,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

fn sample(text: &str) -> Result<Sample, String> {
    let wrong = || "expected a part such as 5%, or a number of nodes from 1 on".to_owned();
    match text.strip_suffix('%') {
        Some(percent) => match percent.trim().parse::<f64>() {
            Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Sample::Fraction(percent / 100.0)),
            _ => Err(wrong()),
        },
        None => text.parse().ok().filter(|count| *count > 0).map(Sample::Count).ok_or_else(wrong),
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let loaded = args.workflow.load()?;
    loaded.graph.named(&args.node, "verify").map_err(Failure::unselectable)?;
    let name = &loaded.graph.name;
    let Some(store) = Store::open_existing(&loaded.store).map_err(Failure::store)? else {
        return Err(Failure::request(format_args!("nothing of `{name}` has been computed yet"))
            .hint("`flow run` computes it first"));
    };
    let options = VerifyOptions {
        cores: loaded.cores,
        worker: request::worker()?,
        nodes: args.node.clone(),
        sample: args.sample,
        seed: args.seed,
    };
    let mut out = anstream::stdout();
    let mut show = |verified: &Verified| {
        // A closed pipe is not an error.
        let _ = match args.format {
            Format::Json => json_line(&mut out, verified),
            Format::Human => line(&mut out, verified),
        };
    };
    let found = run::verify(&loaded.graph, &loaded.catalog, &store, &options, &mut show);
    let found = found.map_err(|error| match error {
        run::Error::Plan(error) => Failure::plan(error),
        other => Failure::run(other),
    })?;
    if found.nodes.is_empty() && !found.interrupted {
        return Err(Failure::request(format_args!(
            "nothing of `{name}` has been computed that could be verified"
        ))
        .hint("`flow run` computes it first; operations that measure time are left out"));
    }
    let _ = match args.format {
        Format::Json => json_line(&mut out, &counts(&found)),
        Format::Human => summary(&mut out, &found),
    };
    let wrong = |verified: &Verified| matches!(verified.verdict, Verdict::Different | Verdict::Failed);
    Ok(match found.nodes.iter().any(wrong) {
        true => ExitCode::from(1),
        false if found.interrupted => ExitCode::from(130),
        false => ExitCode::SUCCESS,
    })
}

fn line(out: &mut impl Write, verified: &Verified) -> io::Result<()> {
    let (word, style) = match verified.verdict {
        Verdict::Same => ("same", GREEN),
        Verdict::Within => ("within", GREEN),
        Verdict::Different => ("different", RED),
        Verdict::Failed => ("failed", RED),
        Verdict::LeftOut => ("left out", YELLOW),
    };
    let detail = match (&verified.problem, verified.verdict) {
        (Some(problem), _) => clean(problem),
        (None, Verdict::Within) => {
            format!("tolerance {}, {}", verified.tolerance, duration(verified.wall_s))
        }
        (None, _) => duration(verified.wall_s),
    };
    writeln!(out, "{style}{word:>9}{RESET}  {}  {DIM}{detail}{RESET}", clean(&verified.node))?;
    /// More are only counted.
    const SHOWN: usize = 8;
    for difference in verified.differences.iter().take(SHOWN) {
        writeln!(out, "           {}", clean(difference))?;
    }
    if verified.differences.len() > SHOWN {
        writeln!(out, "           and {} more differences", verified.differences.len() - SHOWN)?;
    }
    Ok(())
}

fn count(found: &Verification, verdict: Verdict) -> usize {
    found.nodes.iter().filter(|node| node.verdict == verdict).count()
}

fn summary(out: &mut impl Write, found: &Verification) -> io::Result<()> {
    let words = [
        (Verdict::Same, "the same"),
        (Verdict::Within, "within tolerance"),
        (Verdict::Different, "different"),
        (Verdict::Failed, "failed"),
        (Verdict::LeftOut, "left out"),
    ];
    let parts: Vec<_> = words
        .into_iter()
        .map(|(verdict, word)| (count(found, verdict), word))
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}"))
        .collect();
    let wrong = count(found, Verdict::Different) + count(found, Verdict::Failed);
    let (word, style) = match (wrong, found.interrupted) {
        (0, false) => ("verified", GREEN),
        (0, true) => ("interrupted", YELLOW),
        _ => ("not verified", RED),
    };
    let of = text::count(found.computed, "computed node");
    writeln!(out, "{style}{word}{RESET}: {} (of {of})", parts.join(", "))
}

fn counts(found: &Verification) -> serde_json::Value {
    json!({
        "same": count(found, Verdict::Same),
        "within": count(found, Verdict::Within),
        "different": count(found, Verdict::Different),
        "failed": count(found, Verdict::Failed),
        "left_out": count(found, Verdict::LeftOut),
        "computed": found.computed,
        "interrupted": found.interrupted,
    })
}
