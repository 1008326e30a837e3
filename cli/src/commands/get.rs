//! `flow get`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use flow_artifact::export::{self, write_netcdf, write_npy, write_npz};
use flow_artifact::table::Table;
use flow_artifact::{Dataset, Kind};

use super::Failure;
use super::reference;
use super::request::StoreArgs;

/// Arguments of `flow get`.
#[derive(clap::Args)]
#[command(override_usage = "flow get [OPTIONS] [WORKFLOW] <OUTPUT> <TO>")]
#[command(after_help = "\
Examples:
  flow get ccs simulate.solutions data.zarr             a dataset, as it is (Zarr)
  flow get ccs simulate.solutions data.nc --as netcdf   for any NetCDF program
  flow get ccs simulate.solutions data.npz --as npz     for numpy.load
  flow get ccs evaluate.cases cases.csv --as csv        a table as text
  flow get ccs 'train[seed=1].model' models/            into a folder that exists

Without --as, the form follows the extension of the file that is named.")]
pub(crate) struct Args {
    /// The workflow or run (may be left out where there are runs of one workflow only), the output, and where
    /// to put it; an output may also be named by its digest
    #[arg(value_name = "[WORKFLOW] OUTPUT TO", num_args = 0..=3)]
    what: Vec<String>,
    /// The form to write
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,
    /// Replace what is there
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// A form that an artifact can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A dataset as a Zarr folder: its own form
    Zarr,
    /// A dataset as one NetCDF file
    Netcdf,
    /// A dataset as one NumPy archive
    Npz,
    /// A dataset as a folder of NumPy arrays
    Npy,
    /// A table as comma-separated text
    Csv,
    /// A table as a Parquet file: its own form
    Parquet,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let (to, words) = match args.what.split_last() {
        Some((to, words)) if !words.is_empty() => (to, words),
        _ => {
            return Err(Failure::request("expected an output, and where to put it")
                .hint("for example `flow get ccs evaluate.cases cases.csv`"));
        }
    };
    let store = reference::open(&args.store)?;
    let (name, digest) = reference::output(&store, words)?;
    let from = store.artifact_path(&digest).map_err(Failure::store)?;
    let producer = store.producer(&digest).map_err(Failure::store)?;
    let kind =
        producer.map_or(if from.is_dir() { Kind::Folder } else { Kind::File }, |producer| producer.kind);
    let to = Path::new(to);
    let form = match args.form {
        Some(form) => Some(form),
        None => by_extension(kind, to),
    };
    if let Some(form) = form
        && form.kind() != kind
    {
        return Err(Failure::request(format_args!(
            "{name} is of kind {kind}: it cannot be written as {}",
            form.name()
        ))
        .hint(format_args!("{} is a form of a {}", form.name(), form.kind())));
    }
    let to = if to.is_dir() || to.as_os_str().to_string_lossy().ends_with('/') {
        fs::create_dir_all(to).map_err(Failure::system)?;
        to.join(format!("{}{}", name.replace('/', "_"), extension(kind, form)))
    } else {
        to.to_owned()
    };
    place(&from, kind, form, &to, args.overwrite)?;
    anstream::eprintln!("{}", to.display());
    Ok(ExitCode::SUCCESS)
}

/// Writes under a temporary name beside the target, so that the target is whole or not there.
fn place(from: &Path, kind: Kind, form: Option<Form>, to: &Path, overwrite: bool) -> Result<(), Failure> {
    if to.exists() && !overwrite {
        return Err(
            Failure::request(format_args!("{} exists already", to.display())).hint("--overwrite replaces it")
        );
    }
    let unfinished = unfinished(to);
    remove(&unfinished)?;
    let written = write(from, form, &unfinished).map_err(|error| {
        let failure = Failure::request(&error);
        match std::error::Error::source(&error) {
            Some(cause) => failure.hint(cause),
            None => failure,
        }
    });
    if let Err(failure) = written {
        remove(&unfinished)?;
        return Err(failure);
    }
    debug_assert!(form.is_none_or(|form| form.kind() == kind));
    if overwrite {
        remove(to)?;
    }
    fs::rename(&unfinished, to).map_err(Failure::system)
}

fn write(from: &Path, form: Option<Form>, to: &Path) -> flow_artifact::Result<()> {
    match form {
        None | Some(Form::Zarr | Form::Parquet) => export::copy(from, to),
        Some(Form::Netcdf) => write_netcdf(&Dataset::open(from)?, to),
        Some(Form::Npz) => write_npz(&Dataset::open(from)?, to),
        Some(Form::Npy) => write_npy(&Dataset::open(from)?, to),
        Some(Form::Csv) => export::write_csv(&Table::read(from)?, to),
    }
}

fn unfinished(to: &Path) -> PathBuf {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    to.with_file_name(format!(".{name}.unfinished"))
}

fn remove(path: &Path) -> Result<(), Failure> {
    let removed = match path.symlink_metadata() {
        Err(_) => return Ok(()),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(Failure::system)
}

fn by_extension(kind: Kind, to: &Path) -> Option<Form> {
    let extension = to.extension()?.to_str()?;
    let form = match extension {
        "nc" => Form::Netcdf,
        "npz" => Form::Npz,
        "csv" => Form::Csv,
        _ => return None,
    };
    (form.kind() == kind).then_some(form)
}

fn extension(kind: Kind, form: Option<Form>) -> &'static str {
    match (form, kind) {
        (Some(Form::Netcdf), _) => ".nc",
        (Some(Form::Npz), _) => ".npz",
        (Some(Form::Csv), _) => ".csv",
        (Some(Form::Npy), _) => "",
        (_, Kind::Dataset) => ".zarr",
        (_, Kind::Table) => ".parquet",
        (_, Kind::Metrics) => ".json",
        _ => "",
    }
}

impl Form {
    fn kind(self) -> Kind {
        match self {
            Self::Zarr | Self::Netcdf | Self::Npz | Self::Npy => Kind::Dataset,
            Self::Csv | Self::Parquet => Kind::Table,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Zarr => "Zarr",
            Self::Netcdf => "NetCDF",
            Self::Npz => "npz",
            Self::Npy => "npy",
            Self::Csv => "CSV",
            Self::Parquet => "Parquet",
        }
    }
}
