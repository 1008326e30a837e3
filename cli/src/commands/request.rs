//! What commands about a workflow have in common: which workflow, with which settings, and which store.

use std::path::PathBuf;

use flow_engine::catalog::Catalog;
use flow_engine::diagnostics::closest;
use flow_engine::graph::{Graph, Stage};
use flow_engine::run::Program;
use flow_engine::workflow;
use flow_store::Store;

use super::Failure;

/// Which store.
#[derive(clap::Args, Clone)]
pub(crate) struct StoreArgs {
    /// The store's folder [default: .flow in the workflow's root folder]
    #[arg(long, value_name = "DIR", env = "FLOW_STORE", global = true)]
    pub(crate) store: Option<PathBuf>,
}

/// Which settings of a workflow.
#[derive(clap::Args, Clone)]
pub(crate) struct Settings {
    /// Set a parameter (epochs=60) or a stage's parameter (train.with.epochs=60); may be given again
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Use a profile of the workflow
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// How many cores to use [default: all]
    #[arg(long, visible_alias = "jobs", short = 'j', value_name = "N", value_parser = positive)]
    pub(crate) cores: Option<usize>,
}

/// A number of things of which there is at least one.
pub(crate) fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number from 1 on".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// A checked workflow, and where its results are kept.
pub(crate) struct Loaded {
    pub(crate) graph: Graph,
    pub(crate) catalog: Catalog,
    pub(crate) store: PathBuf,
    pub(crate) cores: usize,
}

/// Reads and checks a workflow.
pub(crate) fn load(
    file: Option<&PathBuf>,
    settings: &Settings,
    store: &StoreArgs,
) -> Result<Loaded, Failure> {
    let file = workflow::locate(file.map(PathBuf::as_path)).map_err(Failure::not_found)?;
    let catalog = Catalog::new(crate::plugins::builtin());
    let cores = settings.cores.unwrap_or_else(flow_engine::run::cores);
    let current_dir = std::env::current_dir()
        .map_err(|error| Failure::request(format_args!("cannot find the current folder: {error}")))?;
    let options = workflow::Options {
        profile: settings.profile.clone(),
        set: settings.set.clone(),
        current_dir,
        cores,
    };
    let graph = workflow::load(&file, &options, &catalog).map_err(Failure::workflow)?;
    let store = store.store.clone().unwrap_or_else(|| graph.root.join(".flow"));
    Ok(Loaded { graph, catalog, store, cores })
}

/// The program that serves the built-in operations: this one.
pub(crate) fn worker() -> Result<Program, Failure> {
    Ok(Program { path: std::env::current_exe().map_err(Failure::system)?, args: vec!["worker".into()] })
}

/// Refuses names that are neither stages nor nodes of a workflow.
pub(crate) fn check_names(graph: &Graph, names: &[String], purpose: &str) -> Result<(), Failure> {
    let known = |name: &&String| {
        // A node that is not known yet may come to be.
        let of = |stage: &Stage| !stage.unknown.is_empty() && name.starts_with(&format!("{}[", stage.name));
        graph.stages.iter().any(|stage| stage.name == **name || of(stage)) || graph.find(name).is_some()
    };
    let Some(unknown) = names.iter().find(|name| !known(name)) else { return Ok(()) };
    let failure = Failure::request(format_args!("there is no stage or node `{unknown}` to {purpose}"));
    let stages: Vec<&str> = graph.stages.iter().map(|stage| stage.name.as_str()).collect();
    Err(match closest(unknown, stages.iter().copied()) {
        Some(near) => failure.hint(format_args!("did you mean `{near}`?")),
        None => failure.hint(format_args!("the stages are {}", stages.join(", "))),
    })
}

/// Opens a store, and creates it where there is none.
pub(crate) fn open(folder: &std::path::Path) -> Result<Store, Failure> {
    Store::open(folder).map_err(Failure::store)
}
