//! `flow export`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flow_artifact::export::write_zip;
use flow_engine::human::bytes;
use flow_engine::ro_crate::{self, Options};

use super::Failure;
use super::reference::{self, Target};
use super::request::StoreArgs;
use crate::render::text;

/// Arguments of `flow export`.
#[derive(clap::Args)]
#[command(override_usage = "flow export [OPTIONS] [WORKFLOW|RUN] <TO>")]
#[command(after_help = "\
Examples:
  flow export ccs ccs-crate            the latest run of a workflow, as a folder
  flow export ccs ccs-crate.zip        the same, as one file
  flow export 20261121-194105-3f2a run.zip --all
  flow export ccs c.zip --license https://spdx.org/licenses/CC-BY-4.0 \\
      --author 'Ada Lovelace' --orcid https://orcid.org/0000-0002-1825-0097

The crate holds the workflow file, the results that no other node reads, the files that were read and have
not changed since, and ro-crate-metadata.json: parameters, nodes, when each was computed, from what, by which
operation. It follows the Provenance Run Crate profile 0.5 (https://w3id.org/ro/wfrun/provenance/0.5).")]
pub(crate) struct Args {
    /// The workflow or run (may be left out where there are runs of one workflow only), and where to put it: a
    /// new folder, or a file that ends in .zip
    #[arg(value_name = "[WORKFLOW|RUN] TO", num_args = 0..=2)]
    what: Vec<String>,
    /// Put every result in, not only those that no other node reads
    #[arg(long)]
    all: bool,
    /// Who ran it
    #[arg(long, value_name = "NAME", env = "FLOW_AUTHOR")]
    author: Option<String>,
    /// Their ORCID, as an address: https://orcid.org/…
    #[arg(long, value_name = "URL", env = "FLOW_ORCID", value_parser = orcid)]
    orcid: Option<String>,
    /// The license of what is in the crate, as an address or in words
    #[arg(long, value_name = "LICENSE")]
    license: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

fn orcid(text: &str) -> Result<String, String> {
    match text.strip_prefix("https://orcid.org/") {
        Some(number) if number.len() == 19 => Ok(text.to_owned()),
        _ => Err("expected an address such as https://orcid.org/0000-0002-1825-0097".to_owned()),
    }
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let Some((to, words)) = args.what.split_last() else {
        return Err(
            Failure::request("expected where to put it").hint("for example `flow export ccs ccs-crate.zip`")
        );
    };
    let store = reference::open(&args.store)?;
    let run = match words {
        [] => reference::only_run(&store)?.ok_or_else(|| {
            Failure::request("the store has runs of several workflows")
                .hint(format_args!("name one: `flow export WORKFLOW {to}`; `flow runs` lists them"))
        })?,
        words => match reference::find(&store, words)? {
            Target::Run(run) => run,
            _ => {
                return Err(Failure::request(format_args!(
                    "`{}` is not a workflow or a run",
                    words.join(" ")
                ))
                .hint("one output is copied by `flow get`"));
            }
        },
    };
    let to = PathBuf::from(to);
    if to.exists() {
        return Err(Failure::request(format_args!("{} exists already", to.display()))
            .hint("move it away, or write to another place"));
    }
    let options = Options {
        author: args.author.clone(),
        orcid: args.orcid.clone(),
        license: args.license.clone(),
        all: args.all,
    };
    // Under another name until it is whole.
    let unfinished = beside(&to);
    remove(&unfinished)?;
    let written = ro_crate::write(&store, &run, &unfinished, &options).map_err(|error| match error {
        ro_crate::Error::Store(error) => Failure::store(error),
        other => Failure::request(other),
    });
    let placed = written.and_then(|written| {
        if to.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")) {
            let archive = unfinished.with_extension("zip.unfinished");
            write_zip(&unfinished, &archive).map_err(Failure::request)?;
            fs::rename(&archive, &to).map_err(Failure::system)?;
        } else {
            fs::rename(&unfinished, &to).map_err(Failure::system)?;
        }
        Ok(written)
    });
    remove(&unfinished)?;
    let written = placed?;
    anstream::eprintln!(
        "{}: run {}, {} ({}); {} more described only",
        to.display(),
        run.start.id,
        text::count(written.files, "file"),
        bytes(written.bytes),
        written.described,
    );
    Ok(ExitCode::SUCCESS)
}

fn beside(to: &Path) -> PathBuf {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    to.with_file_name(format!(".{name}.unfinished"))
}

fn remove(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::system(error)),
        _ => Ok(()),
    }
}
