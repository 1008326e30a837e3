//! `flow plugins`.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use flow_engine::catalog::Catalog;
use flow_engine::describe;
use flow_plugin::Spec;
use serde_json::{Value, json};

use super::{Failure, request};
use crate::render::operation;
use crate::render::text::{BOLD, DIM, RESET};

/// Arguments of `flow plugins`.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  flow plugins                       the plugins and their operations
  flow plugins demo                  the operations of one plugin
  flow plugins demo/join             inputs, outputs and parameters of one operation
  flow plugins demo/join --format json
  flow plugins --workflow ccs        with the plugins that a workflow names")]
pub(crate) struct Args {
    /// A plugin, or an operation (plugin/verb); `show` may stand before it
    #[arg(value_name = "NAME", num_args = 0..=2)]
    name: Vec<String>,
    /// Also the plugins of this workflow
    #[arg(long, value_name = "WORKFLOW")]
    workflow: Option<PathBuf>,
    /// For people, or for programs
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// For whom the output is.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    /// For people
    Human,
    /// One JSON document
    Json,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let catalog = request::catalog(args.workflow.as_ref())?;
    let name = match args.name.as_slice() {
        [] => None,
        [show] if show == "show" || show == "list" => None,
        [name] => Some(name),
        [show, name] if show == "show" => Some(name),
        [_, extra, ..] => return Err(Failure::request(format_args!("unexpected argument `{extra}`"))),
    };
    let shown = match name {
        None => list(&catalog, None, args.format),
        Some(name) => match catalog.get(name) {
            Some(spec) => one(&catalog, spec, args.format),
            None if catalog.plugins().iter().any(|plugin| plugin.name() == name) => {
                list(&catalog, Some(name), args.format)
            }
            None => return Err(unknown(&catalog, name)),
        },
    };
    // A closed pipe (`flow plugins | head`) is not an error.
    let _ = anstream::stdout().lock().write_all(shown.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn unknown(catalog: &Catalog, name: &str) -> Failure {
    let plugins = catalog.plugins().iter().map(flow_plugin::Plugin::name);
    let failure = Failure::request(format_args!("there is no plugin or operation `{name}`"));
    match flow_engine::diagnostics::closest(name, catalog.names().chain(plugins)) {
        Some(near) => failure.hint(format_args!("did you mean `{near}`?")),
        None => {
            failure.hint("`flow plugins` lists them all; `--workflow FILE` adds those that a workflow names")
        }
    }
}

fn list(catalog: &Catalog, only: Option<&str>, format: Format) -> String {
    let plugins = catalog.plugins().iter().filter(|plugin| only.is_none_or(|only| plugin.name() == only));
    let of = |plugin: &str| -> Vec<&Spec> {
        let prefix = format!("{plugin}/");
        catalog
            .names()
            .filter(|name| name.starts_with(&prefix))
            .filter_map(|name| catalog.get(name))
            .collect()
    };
    if format == Format::Json {
        let plugins: Vec<Value> = plugins
            .map(|plugin| {
                let operations: Vec<Value> =
                    of(plugin.name()).iter().map(|spec| document(catalog, spec)).collect();
                json!({
                    "name": plugin.name(),
                    "version": plugin.version(),
                    "summary": plugin.summary(),
                    "operations": operations
                })
            })
            .collect();
        return format!("{:#}\n", Value::Array(plugins));
    }
    let width = catalog.names().map(str::len).max().unwrap_or(0);
    let mut out = String::new();
    // Writing to a string cannot fail.
    for plugin in plugins {
        let (name, version, summary) = (plugin.name(), plugin.version(), plugin.summary());
        let _ = writeln!(out, "{BOLD}{name}{RESET} {DIM}{version}{RESET}  {summary}");
        for spec in of(plugin.name()) {
            let _ = writeln!(out, "  {:<width$}  {}", spec.name, spec.summary);
        }
        out.push('\n');
    }
    out.push_str("`flow plugins NAME` documents one of these operations.\n");
    out
}

fn one(catalog: &Catalog, spec: &Spec, format: Format) -> String {
    match format {
        Format::Json => format!("{:#}\n", document(catalog, spec)),
        Format::Human => operation::document(spec, catalog.plugin_of(&spec.name)),
    }
}

/// An operation for programs: its declaration, and its parameters as they are documented.
fn document(catalog: &Catalog, spec: &Spec) -> Value {
    let mut document = serde_json::to_value(spec).unwrap_or_default();
    if let Some(plugin) = catalog.plugin_of(&spec.name) {
        document["plugin"] = json!({ "name": plugin.name(), "version": plugin.version() });
    }
    document["parameters"] = serde_json::to_value(describe::parameters(spec)).unwrap_or_default();
    document
}
