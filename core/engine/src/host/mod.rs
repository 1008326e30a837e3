//! Plugins outside this program: Python files, and executables that speak the worker protocol.
//!
//! What a plugin offers is asked once and remembered ([`described`]) for as long as none of its files changes: a
//! workflow whose plugins are as they were starts no interpreter to be loaded. A plugin whose operations have
//! something to say about parameters is asked again where that is not known from before ([`remote`]).

mod ask;
mod conformance;
mod described;
mod install;
mod python;
mod remote;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flow_plugin::protocol::PluginInfo;
use flow_plugin::{Digest, Plugin};

pub(crate) use ask::not_a_message;
pub(crate) use conformance::try_out;
pub use conformance::{Finding, Judgement};
pub(crate) use install::Tell;

use crate::exec::{self, environment};
use crate::run::{Announced, Program};

/// What the packages of an environment are called among the code of an operation.
pub(crate) const ENVIRONMENT: &str = "environment";

/// A plugin as a workflow names it.
pub(crate) struct Wanted<'a> {
    /// What it is called there.
    pub(crate) name: &'a str,
    pub(crate) at: Where,
    /// Where relative paths start from, and its workers run.
    pub(crate) folder: &'a Path,
    /// How long it may take to start.
    pub(crate) patience: Duration,
    /// The folder of the store: what is known of plugins is kept there.
    pub(crate) store: &'a Path,
}

impl Wanted<'_> {
    /// Where what is known of plugins is kept.
    fn kept(&self) -> PathBuf {
        self.store.join("plugins")
    }
}

/// Where the code of a plugin is.
pub(crate) enum Where {
    /// A file, a folder or an installed module, and the environment it runs in: its folder, or the file that
    /// describes it.
    Python { target: String, environment: Option<String> },
    /// An executable and its arguments.
    Command(Vec<String>),
}

/// A plugin that can be used.
pub(crate) struct Hosted {
    pub(crate) plugin: Plugin,
    pub(crate) program: Arc<Program>,
}

/// Why a plugin cannot be used.
#[derive(Debug, Default)]
pub(crate) struct Problem {
    pub(crate) message: String,
    /// The place in the plugin's code.
    pub(crate) place: Option<(PathBuf, usize)>,
    /// What the plugin says itself: a traceback, its standard error.
    pub(crate) notes: Vec<String>,
    pub(crate) help: Option<String>,
}

impl Problem {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// Finds out what a plugin offers, and how its workers are started. Where its environment has to be made first, `tell`
/// is told how that comes along.
pub(crate) fn find(wanted: &Wanted<'_>, tell: Tell) -> Result<Hosted, Problem> {
    let kept = wanted.kept();
    let (mut program, files, environment) = program(wanted, tell)?;
    let declared = Digest::of(format!("{} {program:?}", env!("CARGO_PKG_VERSION")).as_bytes());
    let path = kept.join(format!("{}-{}.json", wanted.name, declared.short()));
    let (mut info, first) = match described::recall(&path) {
        Some((info, first)) => {
            check(wanted.name, &info)?;
            (info, first)
        }
        None => {
            let started = ask::Conversation::start(&program, wanted);
            let (_, info) = started.map_err(|problem| python::help(problem, wanted))?;
            check(wanted.name, &info)?;
            let first = described::remember(&path, &info, &files);
            (info, first)
        }
    };
    let executable = first.filter(|_| matches!(wanted.at, Where::Command(_)));
    program.announced = Some(Announced::new(&info, path));
    program.patience = Some(wanted.patience);
    if let Some(environment) = environment {
        // Of Python itself the minor version counts, and the plugin has told it.
        let mut packages = serde_json::to_value(&environment).unwrap_or_default()["packages"].take();
        if let Some(packages) = packages.as_object_mut() {
            // The package that runs is the engine's own.
            packages.shift_remove(python::NAME);
        }
        for spec in &mut info.operations {
            spec.code.insert(ENVIRONMENT.to_owned(), crate::key::canonical(&packages));
        }
    }
    // The executable is recorded, and in no key.
    let version = match executable {
        Some(digest) => format!("{}+{}", info.version, digest.short()),
        None => info.version.clone(),
    };
    let asking = remote::Asking::new(program.clone(), wanted, (&info, executable), kept.join("checks"));
    let mut plugin = Plugin::new(wanted.name, &version, &info.summary);
    for spec in info.operations {
        plugin = plugin.with_dyn(Arc::new(remote::Remote::new(spec, &asking)));
    }
    Ok(Hosted { plugin, program: Arc::new(program) })
}

/// Why a plugin cannot be used where no program may be started: what is wrong with what is written, or just that.
pub(crate) fn left_alone(wanted: &Wanted<'_>) -> Problem {
    let unstarted = || Problem::new("it is a program, and programs are not started here");
    if let Where::Python { environment: Some(environment), .. } = &wanted.at
        && wanted.folder.join(environment).is_file()
    {
        // Programs would make its environment.
        return unstarted();
    }
    program(wanted, |_| ()).err().unwrap_or_else(unstarted)
}

type Found = (Program, Vec<PathBuf>, Option<environment::Environment>);

/// The program that serves a plugin, which is not started. Its environment may have to be made.
fn program(wanted: &Wanted<'_>, tell: Tell) -> Result<Found, Problem> {
    match &wanted.at {
        Where::Python { target, environment } => {
            python::program(wanted, target, environment.as_deref(), &wanted.kept(), tell)
        }
        Where::Command(words) => command(wanted, words),
    }
}

/// The program that a command names, and the files that its words name: the executable first.
fn command(wanted: &Wanted<'_>, words: &[String]) -> Result<Found, Problem> {
    let Some((name, arguments)) = words.split_first() else {
        return Err(Problem::new("the command is empty").help("write `command: [./my-plugin]`"));
    };
    let path = exec::find_program(OsStr::new(name), wanted.folder, None);
    let Some(path) = path.and_then(|path| std::path::absolute(path).ok()) else {
        let help = match name.contains('/') {
            true => format!("it is looked for in {}", wanted.folder.display()),
            false => "is it installed, and in one of the folders of PATH? A file beside the workflow is \
                      written `./NAME`"
                .to_owned(),
        };
        return Err(Problem::new(format!("there is no program `{name}`")).help(help));
    };
    let mut files = vec![path.clone()];
    files.extend(arguments.iter().map(|word| wanted.folder.join(word)).filter(|path| path.is_file()));
    let program = Program {
        path,
        args: arguments.to_vec(),
        folder: Some(wanted.folder.to_owned()),
        ..Program::default()
    };
    Ok((program, files, None))
}

/// Whether what a plugin says of itself can be.
fn check(name: &str, info: &PluginInfo) -> Result<(), Problem> {
    let wrong = |message: String| Err(Problem::new(message));
    if info.name != name {
        return wrong(format!("it calls itself `{}`", info.name)).map_err(|problem: Problem| {
            problem.help(format!("call it `{}` here, or `{name}` there", info.name))
        });
    }
    if info.operations.is_empty() {
        return wrong("it offers no operations".to_owned());
    }
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    for spec in &info.operations {
        let verb = spec.name.strip_prefix(name).and_then(|rest| rest.strip_prefix('/'));
        if !verb.is_some_and(is_name) {
            return wrong(format!(
                "it offers an operation `{}`, which is not named `{name}/VERB`",
                spec.name
            ));
        }
        if spec.outputs.is_empty() {
            return wrong(format!("its operation `{}` has no outputs", spec.name));
        }
        if !matches!(spec.params, serde_json::Value::Object(_) | serde_json::Value::Null) {
            return wrong(format!("the parameters of `{}` are not described by a JSON Schema", spec.name));
        }
        for (what, ports) in [("input", &spec.inputs), ("output", &spec.outputs)] {
            for (at, port) in ports.iter().enumerate() {
                if !is_name(&port.name) {
                    return wrong(format!(
                        "its operation `{}` has an {what} `{}`; names are letters, digits, `_` and `-`",
                        spec.name, port.name
                    ));
                }
                if ports[..at].iter().any(|other| other.name == port.name) {
                    return wrong(format!("its operation `{}` has two {what}s `{}`", spec.name, port.name));
                }
            }
        }
    }
    Ok(())
}
