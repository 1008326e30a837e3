//! `exec/run`: any program as a stage.
//!
//! A workflow gives a shell line or a list of arguments with references to inputs, outputs and values
//! ([`With`]). When the workflow is loaded, each reference is found and its place checked ([`shell`]), and the
//! command is turned into pieces ([`Command`]) in which inputs, outputs and resources are symbols and all else
//! is a value: that is what enters the key, and what the worker is told. The worker ([`operation`]) puts in the
//! paths, starts the program and waits for it.

mod operation;
pub(crate) mod shell;
mod simple;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

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
    env: Vec<String>,
    /// Programs that count by the content of their executables, found like commands.
    #[serde(default)]
    programs: Vec<String>,
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

/// What the worker is told. All but the last two fields are the parameters in the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Command {
    pub(crate) run: Run,
    /// The listed variables; `None` where one is not set.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, Option<String>>,
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

/// The executable that a command names: a path from the folder, or a name on the search path.
pub(crate) fn find_program(name: &std::ffi::OsStr, folder: &std::path::Path) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    if name.as_bytes().contains(&b'/') {
        let path = folder.join(name);
        return path.is_file().then_some(path);
    }
    let search = std::env::var_os("PATH")?;
    std::env::split_paths(&search).map(|place| folder.join(place).join(name)).find(|path| {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}
