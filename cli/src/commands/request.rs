//! What commands about a workflow have in common: which workflow, with which settings, and which store.

use std::path::PathBuf;

use flow_engine::catalog::Catalog;
use flow_engine::graph::Graph;
use flow_engine::run::Program;
use flow_engine::select::Selection;
use flow_engine::workflow;
use flow_store::Store;

use super::Failure;
use crate::render::text::{DIM, RESET, clean};

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

/// A workflow, with its settings and its store: what most commands are about.
#[derive(clap::Args, Clone)]
pub(crate) struct WorkflowArgs {
    /// The workflow: a file, or the name of one in workflows/
    #[arg(value_name = "WORKFLOW")]
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

impl WorkflowArgs {
    /// The file that is meant, and what is asked for beside it.
    pub(crate) fn options(&self) -> Result<(PathBuf, workflow::Options), Failure> {
        options(self.file.as_ref(), &self.settings, &self.store)
    }

    /// Reads and checks it.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        load(self.file.as_ref(), &self.settings, &self.store)
    }

    /// The same, less what is not asked for.
    pub(crate) fn load_selected(&self, select: &SelectArgs) -> Result<Loaded, Failure> {
        let loaded = self.load()?;
        let graph = loaded.graph.select(&select.selection()).map_err(Failure::unselectable)?;
        Ok(Loaded { graph, ..loaded })
    }
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

fn options(
    file: Option<&PathBuf>,
    settings: &Settings,
    store: &StoreArgs,
) -> Result<(PathBuf, workflow::Options), Failure> {
    let file = workflow::locate(file.map(PathBuf::as_path)).map_err(Failure::not_found)?;
    let current_dir = current_dir()?;
    let options = workflow::Options {
        profile: settings.profile.clone(),
        set: settings.set.clone(),
        current_dir,
        cores: settings.cores.unwrap_or_else(flow_engine::run::cores),
        // Workers of plugins run in folders of their own.
        store: store.store.as_ref().map(std::path::absolute).transpose().map_err(Failure::system)?,
        tell: Some(tell),
    };
    Ok((file, options))
}

/// Reads and checks a workflow.
pub(crate) fn load(
    file: Option<&PathBuf>,
    settings: &Settings,
    store: &StoreArgs,
) -> Result<Loaded, Failure> {
    let (file, options) = options(file, settings, store)?;
    let mut catalog = Catalog::new(crate::plugins::builtin());
    let graph = workflow::load(&file, &options, &mut catalog).map_err(Failure::workflow)?;
    let store = options.store.clone().unwrap_or_else(|| graph.root.join(".flow"));
    Ok(Loaded { graph, catalog, store, cores: options.cores })
}

/// The built-in plugins, and those that a workflow names. What else may be wrong with the workflow does not matter.
pub(crate) fn catalog(workflow: Option<&PathBuf>) -> Result<Catalog, Failure> {
    let mut catalog = Catalog::new(crate::plugins::builtin());
    if let Some(file) = workflow {
        let file = workflow::locate(Some(file)).map_err(Failure::not_found)?;
        let options = workflow::Options {
            current_dir: current_dir()?,
            tell: Some(tell),
            ..workflow::Options::default()
        };
        workflow::plugins(&file, &options, &mut catalog).map_err(Failure::workflow)?;
    }
    Ok(catalog)
}

/// Says what goes on before anything is printed: results go to standard output, this does not.
fn tell(text: &str) {
    anstream::eprintln!("{DIM}{}{RESET}", clean(text));
}

fn current_dir() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|error| Failure::request(format_args!("cannot find the current folder: {error}")))
}

/// The program that serves the built-in operations: this one.
pub(crate) fn worker() -> Result<Program, Failure> {
    let path = std::env::current_exe().map_err(Failure::system)?;
    Ok(Program { path, args: vec!["worker".into()], ..Program::default() })
}

const CHOOSING: &str = "Choosing what runs (each may be given again)";

/// What of a workflow a run is about.
#[derive(clap::Args, Clone)]
pub(crate) struct SelectArgs {
    /// Run these stages or nodes and all that they need, and leave out the rest
    #[arg(long, value_name = "STAGE", help_heading = CHOOSING, conflicts_with = "only")]
    until: Vec<String>,
    /// Run these stages or nodes alone: what they need must be in the store
    #[arg(long, value_name = "STAGE", help_heading = CHOOSING)]
    only: Vec<String>,
    /// Compute these stages or nodes even if their results are in the store
    #[arg(long, value_name = "STAGE", help_heading = CHOOSING)]
    force: Vec<String>,
    /// Use the last results of these stages or nodes, whatever has changed
    #[arg(long, value_name = "STAGE", help_heading = CHOOSING)]
    frozen: Vec<String>,
}

impl SelectArgs {
    fn selection(&self) -> Selection {
        let Self { until, only, force, frozen } = self.clone();
        Selection { until, only, force, frozen }
    }
}

/// Opens a store, and creates it where there is none.
pub(crate) fn open(folder: &std::path::Path) -> Result<Store, Failure> {
    Store::open(folder).map_err(Failure::store)
}
