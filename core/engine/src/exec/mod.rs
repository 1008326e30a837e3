//! `exec/run`: any program as a stage.
//!
//! A workflow gives a shell line or a list of arguments with references to inputs, outputs and values
//! ([`With`]). When the workflow is loaded, each reference is found and its place checked ([`shell`]), and the
//! command is turned into pieces ([`Command`]) in which inputs, outputs and resources are symbols and all else
//! is a value: that is what enters the key, and what the worker is told. The worker ([`operation`]) puts in the
//! paths, starts the program and waits for it.

pub(crate) mod environment;
mod forms;
mod operation;
pub(crate) mod shell;
mod simple;

pub(crate) use forms::Form;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use environment::Environment;
use flow_plugin::schemars::{JsonSchema, Schema, SchemaGenerator};
use flow_plugin::{Kind, Plugin, Spec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The operation's full name.
pub(crate) const RUN: &str = "exec/run";

/// The kinds that an output of a program may have.
pub(crate) const OUTPUT_KINDS: [Kind; 5] =
    [Kind::File, Kind::Folder, Kind::Dataset, Kind::Metrics, Kind::Table];

/// Environment variables that every program sees although no key has them: where programs and the user's files
/// are found.
pub const PASSED: [&str; 5] = ["PATH", "HOME", "USER", "LOGNAME", "TMPDIR"];

/// The plugin with `exec/run`.
#[must_use]
pub fn plugin() -> Plugin {
    Plugin::new("exec", env!("CARGO_PKG_VERSION"), "Runs any program as a stage.").with(operation::Run)
}

/// The operation's declaration as far as stages have it in common: each adds its inputs and outputs.
pub(crate) fn spec() -> Spec {
    Spec::new(RUN, operation::VERSION, operation::SUMMARY)
}

/// What stands under `with:`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(crate = "flow_plugin::schemars")]
pub(crate) struct With {
    /// A line for the shell (`bash -euo pipefail`), or a list: a program and its arguments.
    ///
    /// `${{ inputs.NAME }}` and `${{ outputs.NAME }}` are paths. A list is run without a shell.
    run: Line,
    /// Environment variables that the program sees. Their values count as parameters.
    #[serde(default)]
    #[schemars(extend("x-help" = "`env` lists environment variables; for a virtual environment write `environment: .venv`"))]
    env: Vec<String>,
    /// Programs that count by the content of their executables, found like commands.
    #[serde(default)]
    programs: Vec<String>,
    /// A virtual environment of Python (or one of conda) to run in, such as `.venv`.
    ///
    /// It counts by the version of Python and the names and versions of the packages in it; its programs are
    /// found first.
    #[serde(default)]
    environment: Option<String>,
    /// Words of the command that name files and are no inputs all the same.
    #[serde(default)]
    untracked: Vec<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(crate = "flow_plugin::schemars")]
enum Line {
    Shell(String),
    Arguments(Vec<Argument>),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(crate = "flow_plugin::schemars")]
enum Argument {
    Text(String),
    Number(f64),
}

/// What the worker is told. All but the last three fields are the parameters in the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Command {
    pub(crate) run: Run,
    /// The listed variables; `None` where one is not set.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, Option<String>>,
    /// By input: the form in which the program gets it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) forms: BTreeMap<String, Form>,
    /// By output: its kind, unless it is a file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) kinds: BTreeMap<String, Kind>,
    /// What the environment consists of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) environment: Option<Environment>,
    /// Where that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) environment_folder: Option<PathBuf>,
    /// Where the command runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) folder: Option<PathBuf>,
    /// By expression: what `resources` are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) resources: BTreeMap<String, Value>,
}

/// What a command consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Run {
    /// A line for the shell.
    Shell(Vec<Piece>),
    /// A program and its arguments, each in pieces.
    Arguments(Vec<Vec<Piece>>),
}

/// A piece of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Piece {
    Text(String),
    /// In double quotes.
    Quoted {
        quoted: Symbol,
    },
    Plain(Symbol),
}

/// What stands for a value in a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Symbol {
    /// The path of an input, or the paths of a collection.
    Input(String),
    /// The path of a file with the paths of a collection, one a line.
    List(String),
    /// The path of an output.
    Output(String),
    /// A value, or several.
    Value(Value),
    /// An expression over `resources`, which are in no key.
    Resources(String),
}

impl JsonSchema for Command {
    fn schema_name() -> Cow<'static, str> {
        With::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        With::json_schema(generator)
    }
}

/// The executable that a command names: a path from the folder, or a name on the search path, with `first` in front.
pub(crate) fn find_program(
    name: &std::ffi::OsStr,
    folder: &std::path::Path,
    first: Option<&std::path::Path>,
) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    if name.as_bytes().contains(&b'/') {
        let path = folder.join(name);
        return path.is_file().then_some(path);
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    let places = first.map(std::path::Path::to_owned).into_iter().chain(std::env::split_paths(&search));
    places.map(|place| folder.join(place).join(name)).find(|path| {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}
