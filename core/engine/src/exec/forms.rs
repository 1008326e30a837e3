//! Datasets in the form that a program reads, and from the form that it writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use flow_plugin::artifact::export::{write_netcdf, write_npz};
use flow_plugin::artifact::{Dataset, import};
use flow_plugin::protocol::InputArtifact;
use flow_plugin::{Context, Error, Kind, Result};
use serde::{Deserialize, Serialize};

use super::Command;

/// A form in which a program gets a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    Netcdf,
    Npz,
}

impl Form {
    pub(crate) const ALL: [Self; 2] = [Self::Netcdf, Self::Npz];

    /// The word after `as`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Netcdf => "netcdf",
            Self::Npz => "npz",
        }
    }

    fn ending(self) -> &'static str {
        match self {
            Self::Netcdf => "nc",
            Self::Npz => "npz",
        }
    }
}

/// A path beside the outputs, or where there are none in the folder for temporary files.
pub(super) fn beside(context: &Context, name: &str) -> PathBuf {
    let mut path = match context.outputs().values().next() {
        Some(output) => output.clone().into_os_string(),
        None => std::env::temp_dir().join(format!("flow-{}", std::process::id())).into_os_string(),
    };
    path.push(format!(".{name}"));
    PathBuf::from(path)
}

/// The inputs that the program gets in another form; they are removed when it has ended.
#[derive(Default)]
pub(super) struct Copies {
    paths: BTreeMap<String, Vec<PathBuf>>,
    /// Datasets that lie between: from a file of another program, to the form that is asked for.
    between: Vec<PathBuf>,
}

impl Copies {
    pub(super) fn make(command: &Command, context: &Context) -> Result<Self> {
        let mut copies = Self::default();
        for (name, form) in &command.forms {
            let inputs = context.inputs(name);
            for (number, input) in inputs.iter().enumerate() {
                context.check_cancelled()?;
                if inputs.len() > 1 {
                    let message = format!("writing `{name}` as {}", form.name());
                    context.progress(number as u64, inputs.len() as u64, "datasets", &message);
                }
                let path = beside(context, &format!("{name}-{number}.{}", form.ending()));
                // Noted first: what is half written is removed too.
                copies.paths.entry(name.clone()).or_default().push(path.clone());
                let dataset = copies.open(input, beside(context, &format!("{name}-{number}.zarr")))?;
                match form {
                    Form::Netcdf => write_netcdf(&dataset, &path)?,
                    Form::Npz => write_npz(&dataset, &path)?,
                }
            }
        }
        Ok(copies)
    }

    /// The copies of an input, if it has any.
    pub(super) fn of(&self, name: &str) -> Option<&[PathBuf]> {
        self.paths.get(name).map(Vec::as_slice)
    }

    /// An input as a dataset, by way of one at `between` where it is a file from outside.
    fn open(&mut self, input: &InputArtifact, between: PathBuf) -> Result<Dataset> {
        if input.kind == Kind::Dataset {
            return Ok(Dataset::open(&input.path)?);
        }
        self.between.push(between.clone());
        let made = import::dataset(&input.path, &between)?;
        Ok(Dataset::open(if made { &between } else { &input.path })?)
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        // What cannot be removed goes with the run's scratch folder.
        self.paths.values().flatten().chain(&self.between).for_each(|path| drop(remove(path)));
    }
}

/// The outputs that are datasets.
fn datasets<'a>(command: &'a Command, context: &'a Context) -> impl Iterator<Item = &'a Path> {
    let kinds = command.kinds.iter().filter(|(_, kind)| **kind == Kind::Dataset);
    kinds.filter_map(|(name, _)| context.output(name).ok())
}

/// Removes what an earlier attempt has left under a name with an ending.
pub(super) fn clear(command: &Command, context: &Context) -> Result<()> {
    for path in datasets(command, context).flat_map(import::candidates) {
        remove(&path)?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => Ok(fs::remove_dir_all(path)?),
        Ok(_) => Ok(fs::remove_file(path)?),
        Err(_) => Ok(()),
    }
}

/// Looks at what the program has left: every output must be there, and what is to be a dataset becomes one.
pub(super) fn take(command: &Command, context: &Context) -> Result<()> {
    for (name, path) in context.outputs() {
        let dataset = command.kinds.get(name) == Some(&Kind::Dataset);
        match import::written(path) {
            Some(found) if dataset => convert(name, &found, path)?,
            // A link is looked at when the output is taken over.
            _ if fs::symlink_metadata(path).is_ok() => {}
            other => {
                let message = format!("the command succeeded but did not write its output `{name}`");
                let other = other.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy());
                let hint = match other {
                    Some(other) => format!(
                        "it wrote `{other}` beside it: a library has added the ending; give it an open file, or \
                         rename it"
                    ),
                    None => format!("`${{{{ outputs.{name} }}}}` is the path to write to"),
                };
                return Err(Error::failed(message).hint(hint));
            }
        }
    }
    Ok(())
}

fn convert(name: &str, found: &Path, path: &Path) -> Result<()> {
    let mut converted = path.as_os_str().to_owned();
    converted.push(".converted");
    let converted = PathBuf::from(converted);
    remove(&converted)?;
    let made = import::dataset(found, &converted)
        .map_err(|error| Error::failed(format!("its output `{name}` is not a good dataset: {error}")))?;
    if made {
        remove(found)?;
        fs::rename(&converted, path)?;
    } else if found != path {
        fs::rename(found, path)?;
    }
    Ok(())
}
