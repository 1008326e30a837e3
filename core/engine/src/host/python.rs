//! Plugins in Python: the interpreter, and the package that serves them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use flow_plugin::Digest;

use super::install::{self, Made, Tell};
use super::{Found, Problem, Wanted, Where};
use crate::exec::{self, environment};
use crate::run::Program;

/// The name of the package that serves plugins.
pub(super) const NAME: &str = "flowstages";

macro_rules! package {
    ($($name:literal),*) => {
        [$(($name, include_str!(concat!("../../../../plugins/python/src/flowstages/", $name)))),*]
    };
}

/// The package, which is part of this program: worker and engine are always of one version.
const PACKAGE: [(&str, &str); 10] = package!(
    "__init__.py",
    "_artifacts.py",
    "_code.py",
    "_context.py",
    "_dataset.py",
    "_hints.py",
    "_mapping.py",
    "_operation.py",
    "_results.py",
    "_worker.py"
);

/// What the interpreter executes. The package's folder takes the place of the current one among those that
/// modules are looked for in.
const START: &str = "import sys; sys.path[0] = sys.argv.pop(1); from flowstages._worker import main; main()";

pub(super) fn program(
    wanted: &Wanted<'_>,
    target: &str,
    environment: Option<&str>,
    kept: &Path,
    tell: Tell,
) -> Result<Found, Problem> {
    let is_file = target.ends_with(".py");
    let is_path = is_file || target.contains('/') || wanted.folder.join(target).is_dir();
    let path = wanted.folder.join(target);
    if is_path && !path.exists() {
        let help = format!("it is looked for in {}", wanted.folder.display());
        return Err(Problem::new(format!("there is no file or folder `{target}`")).help(help));
    }
    let target = if is_path { path.to_string_lossy().into_owned() } else { target.to_owned() };
    let mut env = vec![("PYTHONHASHSEED".to_owned(), "0".to_owned())];
    let (interpreter, found, marks) = match environment {
        None => (exec::find_program(OsStr::new("python3"), wanted.folder, None), None, None),
        Some(written) => {
            let Made { folder, local } = used(wanted, written, kept, tell)?;
            let mut found = environment::read(&folder).map_err(|problem| {
                Problem::new(format!("`{written}` {problem}")).help(how_to_make(written))
            })?;
            found.add_local(&local);
            for (name, value) in environment::active(&folder) {
                env.extend(value.into_string().ok().map(|value| (name.to_owned(), value)));
            }
            let interpreter = Some(folder.join("bin/python")).filter(|path| path.exists());
            (interpreter, Some(found), Some(folder.join("pyvenv.cfg")))
        }
    };
    let Some(interpreter) = interpreter else {
        let message = match environment {
            Some(written) => format!("the environment `{written}` has no `bin/python`"),
            None => "there is no program `python3`".to_owned(),
        };
        return Err(Problem::new(message).help("install Python 3.9 or newer"));
    };
    let package =
        unpack(kept).map_err(|error| Problem::new(format!("its package cannot be written: {error}")))?;
    let args = [
        "-c".to_owned(),
        START.to_owned(),
        package.to_string_lossy().into_owned(),
        wanted.name.to_owned(),
        target,
    ];
    let mut files = vec![interpreter.clone()];
    files.extend(marks.filter(|path| path.is_file()));
    let program = Program {
        path: interpreter,
        args: args.to_vec(),
        folder: Some(wanted.folder.to_owned()),
        env,
        ..Program::default()
    };
    Ok((program, files, found))
}

/// The environment that is written: a folder, or the one that a file describes.
fn used(wanted: &Wanted<'_>, written: &str, kept: &Path, tell: Tell) -> Result<Made, Problem> {
    let path = wanted.folder.join(written);
    if path.is_file() {
        return install::environment(&path, written, kept, tell);
    }
    if !path.exists() {
        let is_file = [".txt", ".toml", ".lock"].iter().any(|end| written.ends_with(end));
        let problem =
            Problem::new(format!("there is no {} `{written}`", if is_file { "file" } else { "environment" }));
        return Err(match is_file {
            true => problem.help(format!("it is looked for in {}", wanted.folder.display())),
            false => problem.help(how_to_make(written)),
        });
    }
    Ok(Made { folder: path, local: BTreeMap::new() })
}

fn how_to_make(written: &str) -> String {
    format!(
        "make one with `python3 -m venv {written} && {written}/bin/pip install numpy`, or write \
         `env: requirements.txt` and let flow make it"
    )
}

/// Puts the package where interpreters find it.
fn unpack(kept: &Path) -> std::io::Result<PathBuf> {
    let all: String = PACKAGE.iter().map(|(name, text)| format!("{name}\n{text}\n")).collect();
    let folder = std::path::absolute(kept.join(format!("python-{}", Digest::of(all.as_bytes()).short())))?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let temporary = folder.with_extension(std::process::id().to_string());
    let package = temporary.join(NAME);
    fs::create_dir_all(&package)?;
    for (name, text) in PACKAGE {
        fs::write(package.join(name), text)?;
    }
    match fs::rename(&temporary, &folder) {
        // Another run was first.
        Err(_) if folder.is_dir() => fs::remove_dir_all(&temporary)?,
        other => other?,
    }
    Ok(folder)
}

/// What to do about a package that is missing.
pub(super) fn help(problem: Problem, wanted: &Wanted<'_>) -> Problem {
    let Where::Python { environment, .. } = &wanted.at else { return problem };
    if !problem.message.starts_with("ModuleNotFoundError") {
        return problem;
    }
    problem.help(match environment {
        Some(written) if wanted.folder.join(written).is_file() => {
            format!("write the package into `{written}`; the environment is then made anew")
        }
        Some(written) => format!("packages are installed with `{written}/bin/pip install NAME`"),
        None => "write the packages that it needs into `requirements.txt`, and `env: requirements.txt` beside `python`"
            .to_owned(),
    })
}
