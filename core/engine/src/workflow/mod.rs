//! From a workflow file to a checked [`Graph`].
//!
//! The file is parsed into a tree that remembers where everything is written ([`yaml`], [`tree`]); files that
//! it includes become part of that tree ([`include`]), and so do the stages of loops ([`repeat`]); profiles and settings change it ([`settings`]); it is
//! read into stages ([`file`]); parameters are computed ([`params`]); stages are linked and ordered ([`link`]);
//! each is expanded over its axes ([`axes`]; [`sources`] for files and rows, [`entries`] for outputs), less what a condition switches off
//! ([`condition`]), into nodes whose parameters and ports are checked ([`nodes`], [`validate`], [`ports`]). Every step goes on after
//! a problem as far as it sensibly can, so that all problems are reported together.

mod axes;
mod condition;
mod entries;
mod exclude;
mod expand;
mod external;
mod facts;
mod file;
mod glob;
mod globs;
mod include;
mod limits;
mod link;
mod locate;
mod nodes;
mod params;
mod plugins;
mod ports;
mod programs;
mod publish;
mod references;
mod repeat;
mod rows;
pub(crate) mod schema;
pub mod schema_file;

mod settings;
mod sources;
mod tree;
mod validate;
mod yaml;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::diagnostics::{Diagnostic, Diagnostics, Span};
use crate::graph::{Graph, MadeOf};
use crate::select::Selection;

use file::{File, Word};
use nodes::Place;
use params::Params;

pub(crate) use expand::ITERATION;
pub use facts::{Fact, Facts, FolderEntry};
pub use locate::{NotFound, locate, root_of};

/// What the user asks for beside the file.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The profile to merge before anything else.
    pub profile: Option<String>,
    /// Settings, each `NAME[.sub]=V` or `STAGE.with.X=V`.
    pub set: Vec<String>,
    /// The folder that paths in settings start from, and that messages show paths relative to.
    pub current_dir: PathBuf,
    /// How many cores the run may use: what `resources.cpus` is in expressions where the file says `all`.
    pub cores: usize,
    /// The folder of the store; `.flow` in the workflow's root folder without it.
    pub store: Option<PathBuf>,
    /// Is told what goes on where reading takes long: an environment is being made.
    pub tell: Option<fn(&str)>,
}

/// Reads a workflow file, expands it and checks everything that can be known before a run. The workflow's own
/// plugins are added to the catalogue.
///
/// # Errors
/// Every problem found.
pub fn load(file: &Path, options: &Options, catalog: &mut Catalog) -> Result<Graph, Diagnostics> {
    let (mut written, mut problems) = read(file, options)?;
    plugins::add(&written.file.plugins, &written.place, options, catalog, &mut problems);
    written.texts = problems.texts();
    match Arc::new(written).expand(catalog, &Facts::default(), &mut problems) {
        Some(graph) if problems.is_empty() => Ok(graph),
        _ => Err(problems),
    }
}

/// Adds the plugins of a workflow to the catalogue, without asking what it does with them.
///
/// # Errors
/// Every problem found in what the file says at its top, or with the plugins.
pub fn plugins(file: &Path, options: &Options, catalog: &mut Catalog) -> Result<(), Diagnostics> {
    let (written, mut problems) = read(file, options)?;
    plugins::add(&written.file.plugins, &written.place, options, catalog, &mut problems);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// Reads a workflow file, with problems that leave something of it to be judged.
fn read(file: &Path, options: &Options) -> Result<(Written, Diagnostics), Diagnostics> {
    let shown = file.strip_prefix(&options.current_dir).unwrap_or(file).display().to_string();
    let text = std::fs::read(file).map_err(|error| {
        let help = (error.kind() == std::io::ErrorKind::NotFound)
            .then(|| "name an existing file; `flow run` alone looks for one".to_owned());
        Diagnostics::single(
            Diagnostic::nowhere(format!("the workflow `{shown}` cannot be read: {}", reason(&error)))
                .maybe_help(help),
        )
    })?;
    let text = String::from_utf8(text).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        Diagnostics::single(
            Diagnostic::nowhere(format!("the workflow `{shown}` is not UTF-8 text (line {line})"))
                .help("save the file as UTF-8"),
        )
    })?;
    let mut problems = Diagnostics::default();
    let source = problems.add_source(shown, text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned());
    match Written::read(file, source, options, &mut problems) {
        Some(written) => Ok((written, problems)),
        None => Err(problems),
    }
}

/// How a matrix value reads in a node's name, or as JSON where it has no short form.
pub(crate) fn label(value: &serde_json::Value) -> String {
    axes::label(value).unwrap_or_else(|| value.to_string())
}

/// A workflow as it is written, before expansion: the file, what it includes, and what was set from outside. It is
/// expanded anew whenever more is known, whatever becomes of the file meanwhile.
pub(crate) struct Written {
    path: PathBuf,
    source: u32,
    file: File,
    params: Params,
    place: Place,
    /// The texts that messages point into, without any messages.
    texts: Diagnostics,
}

impl Written {
    fn read(path: &Path, source: u32, options: &Options, problems: &mut Diagnostics) -> Option<Self> {
        let mut tree = yaml::read(source, 0, problems)?;
        let absolute = options.current_dir.join(path);
        repeat::flatten(&mut tree, problems);
        let included = include::flatten(&mut tree, &absolute, &options.current_dir, problems)?;
        let profile = options.profile.as_ref().map(|profile| {
            let option = "--profile ";
            let source = problems.add_source("command line".into(), format!("{option}{profile}"));
            let span = Span::new(source, option.len(), option.len() + profile.len());
            Word { text: profile.clone(), span }
        });
        settings::profile(&mut tree, profile.as_ref(), problems);
        for setting in &options.set {
            settings::set(&mut tree, setting, problems);
        }
        let file = file::read(&tree, problems)?;
        let mut params = params::evaluate(&file.params, problems);
        params.whole &= file.params_known;
        let folder = path.parent().unwrap_or(Path::new(""));
        let place = Place {
            folder: options.current_dir.join(folder),
            included,
            current: options.current_dir.clone(),
            root: root_of(&absolute),
            cores: options.cores.max(1),
        };
        Some(Self { path: absolute, source, file, params, place, texts: Diagnostics::default() })
    }

    /// The graph, as far as it is known.
    fn expand(
        self: &Arc<Self>,
        catalog: &Catalog,
        facts: &Facts,
        problems: &mut Diagnostics,
    ) -> Option<Graph> {
        let Self { path, source, file, params, place, texts: _ } = &**self;
        let linked = link::link(file, catalog, problems);
        let built = nodes::build(file, &linked, params, place, (catalog, facts), problems);
        publish::check(&built, place, problems);
        let report = file.report.iter().filter(|output| link::check_output(output, &linked, problems));
        let report = report.map(|output| (output.stage.text.clone(), output.port.text.clone())).collect();
        let stem = || path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = file.name.as_ref().map(|name| name.text.clone()).or_else(stem);
        if !problems.is_empty() {
            return None;
        }
        Some(Graph {
            name: name.unwrap_or_else(|| "workflow".to_owned()),
            description: file.description.clone(),
            file: path.clone(),
            source: problems.text(*source).to_owned(),
            root: place.root.clone(),
            params: params.values.clone(),
            stages: built.stages,
            nodes: built.nodes,
            dag: built.dag,
            report,
            questions: built.questions,
            stand_ins: built.stand_ins,
            selection: Selection::default(),
            made_of: MadeOf::File(self.clone()),
        })
    }

    /// The graph anew, now that more is known.
    ///
    /// # Errors
    /// What is wrong with it, which could not be known before.
    pub(crate) fn again(self: &Arc<Self>, catalog: &Catalog, facts: &Facts) -> Result<Graph, Diagnostics> {
        let mut problems = self.texts.clone();
        self.expand(catalog, facts, &mut problems).ok_or(problems)
    }
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Written").field("path", &self.path).finish_non_exhaustive()
    }
}

/// An error of the operating system in words, without its number.
fn reason(error: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}
