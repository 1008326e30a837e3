//! Environments that are made from a file: requirements, or a project with its lock file.
//!
//! Each is made once, in the store, under a name that stands for what it is made from: the file, those that it
//! includes, the local packages that it names, and the Python. One that could not be finished has no mark, and is made
//! anew.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use flow_plugin::Digest;

use super::Problem;
use crate::exec;
use crate::human::duration;

/// What an environment has in it when it is whole.
const MARK: &str = "made-by-flow";

/// The names of files that describe a project.
const LOCK: &str = "uv.lock";
const PROJECT: &str = "pyproject.toml";

/// How many of the installer's last lines a failure shows.
const SHOWN: usize = 30;

/// An environment that is there.
pub(super) struct Made {
    pub(super) folder: PathBuf,
    /// The local packages in it, which have no version to go by: what they consist of.
    pub(super) local: BTreeMap<String, Digest>,
}

/// Says what goes on.
pub(crate) type Tell = fn(&str);

/// The environment that a file describes, made now if it is not there. `written` is what the workflow calls the file.
pub(super) fn environment(file: &Path, written: &str, kept: &Path, tell: Tell) -> Result<Made, Problem> {
    let unreadable = |error: std::io::Error| Problem::new(format!("`{written}` cannot be used: {error}"));
    let python = exec::find_program(OsStr::new("python3"), Path::new("/"), None);
    let uv = exec::find_program(OsStr::new("uv"), Path::new("/"), None);
    let python = python
        .ok_or_else(|| Problem::new("there is no program `python3`").help("install Python 3.9 or newer"))?;
    let mut parts = Parts::default();
    parts.add(file).map_err(|problem| Problem::new(format!("`{written}` {problem}")))?;
    let interpreter = python.canonicalize().map_err(unreadable)?;
    let version = version(&interpreter).map_err(unreadable)?;
    let name = Digest::of(format!("{version}\n{:?}\n{:?}", parts.files, parts.local).as_bytes());
    let environments = std::path::absolute(kept.join("environments")).map_err(unreadable)?;
    let folder = environments.join(name.short());
    let made = Made { folder: folder.clone(), local: parts.local };
    let mark = folder.join(MARK);
    if mark.is_file() {
        return Ok(made);
    }
    fs::create_dir_all(&environments).map_err(unreadable)?;
    let lock = File::create(folder.with_extension("lock")).map_err(unreadable)?;
    if lock.try_lock().is_err() {
        tell(&format!("waiting for another run, which makes the environment of {written}"));
        lock.lock().map_err(unreadable)?;
    }
    if mark.is_file() {
        return Ok(made);
    }
    tell(&format!("making the environment of {written}, once"));
    let start = Instant::now();
    // What an interrupted attempt has left.
    remove(&folder).map_err(unreadable)?;
    let installed = install(file, &folder, &python, uv.as_deref(), tell)
        .and_then(|()| fs::write(&mark, "").map_err(|error| Problem::new(error.to_string())));
    if let Err(problem) = installed {
        // What cannot be removed has no mark.
        let _ = remove(&folder);
        let message = format!("the environment of `{written}` cannot be made: {}", problem.message);
        return Err(Problem { message, ..problem });
    }
    tell(&format!("the environment of {written} is ready after {}", duration(start.elapsed().as_secs_f64())));
    Ok(made)
}

/// What stands for the Python that there is now. A script, such as those that choose between several, is asked.
fn version(interpreter: &Path) -> std::io::Result<String> {
    let mut start = [0; 2];
    let read = std::io::Read::read(&mut File::open(interpreter)?, &mut start)?;
    if start[..read] == *b"#!" {
        let said = Command::new(interpreter).arg("--version").output()?;
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    let found = fs::metadata(interpreter)?;
    Ok(format!("{} {} {}", interpreter.display(), found.len(), found.mtime()))
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn install(file: &Path, folder: &Path, python: &Path, uv: Option<&Path>, tell: Tell) -> Result<(), Problem> {
    // Paths in requirements start from here.
    let project = file.parent().unwrap_or(Path::new("/"));
    let is_project = is(file, LOCK) || is(file, PROJECT);
    let start = |program: &Path, arguments: &[&OsStr]| {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(project);
        command
    };
    let word = OsStr::new;
    if is_project && project.join(LOCK).is_file() {
        let Some(uv) = uv else {
            return Err(Problem::new("it has a lock file of `uv`, and there is no program `uv`")
                .help("install it: https://docs.astral.sh/uv, or `pip install uv`"));
        };
        let mut command = start(uv, &["sync", "--frozen", "--no-dev"].map(word));
        command.env("UV_PROJECT_ENVIRONMENT", folder);
        return follow(command, "uv sync", tell);
    }
    let what: [&OsStr; 2] =
        if is_project { [word("--editable"), project.as_os_str()] } else { [word("-r"), file.as_os_str()] };
    let inside = folder.join("bin/python");
    if let Some(uv) = uv {
        let make = [word("venv"), word("--python"), python.as_os_str(), folder.as_os_str()];
        follow(start(uv, &make), "uv venv", tell)?;
        let [one, other] = what;
        let install = [word("pip"), word("install"), word("--python"), inside.as_os_str(), one, other];
        return follow(start(uv, &install), "uv pip install", tell);
    }
    let make = [word("-m"), word("venv"), folder.as_os_str()];
    follow(start(python, &make), "python3 -m venv", tell)?;
    let options = ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off"];
    let mut command = start(&inside, &options.map(word));
    command.args(what);
    follow(command, "pip install", tell)
}

/// Runs a program, passes on what it says of its progress, and tells its last lines where it fails.
fn follow(mut command: Command, name: &str, tell: Tell) -> Result<(), Problem> {
    let failed = |error: std::io::Error| Problem::new(format!("`{name}` cannot be run: {error}"));
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    command.stdin(std::process::Stdio::null());
    command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let mut child = command.spawn().map_err(failed)?;
    // Its ends of the pipe are the only ones: when it has ended, so has what can be read.
    drop(command);
    let mut last = VecDeque::new();
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line.map_err(failed)?).trim_end().to_owned();
        if line.is_empty() {
            continue;
        }
        // Details; what is there already; and what is for people who work in the environment.
        let spared = [" ", "\t", "Requirement already satisfied", "Activate with"];
        if !spared.iter().any(|start| line.starts_with(start)) {
            tell(&line);
        }
        if last.len() == SHOWN {
            last.pop_front();
        }
        last.push_back(line);
    }
    let status = child.wait().map_err(failed)?;
    if status.success() {
        return Ok(());
    }
    let problem = Problem::new(format!("`{name}` failed ({status})"));
    Err(Problem { notes: last.into(), ..problem })
}

fn is(file: &Path, name: &str) -> bool {
    file.file_name().is_some_and(|found| found == name)
}

/// What an environment is made from.
#[derive(Default)]
struct Parts {
    files: BTreeMap<PathBuf, Digest>,
    /// Local packages, as they are written.
    local: BTreeMap<String, Digest>,
}

impl Parts {
    /// Adds a file and what it names. An error is the end of a sentence.
    fn add(&mut self, file: &Path) -> Result<(), String> {
        let text = fs::read(file).map_err(|error| format!("names {}: {error}", file.display()))?;
        if self.files.insert(file.to_owned(), Digest::of(&text)).is_some() {
            return Ok(());
        }
        let folder = file.parent().unwrap_or(Path::new("/"));
        if is(file, LOCK) || is(file, PROJECT) {
            for beside in [PROJECT, LOCK, ".python-version"].map(|name| folder.join(name)) {
                if let Ok(text) = fs::read(&beside) {
                    self.files.insert(beside, Digest::of(&text));
                }
            }
            return Ok(());
        }
        for line in String::from_utf8_lossy(&text).lines() {
            match requirement(line) {
                Some(Named::File(name)) => self.add(&folder.join(name))?,
                Some(Named::Maybe(name)) => {
                    let path = folder.join(name);
                    if path.exists() {
                        let digest = content(&path).map_err(|error| format!("names `{name}`: {error}"))?;
                        self.local.insert(name.to_owned(), digest);
                    }
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// What a line of requirements names.
#[derive(Debug, PartialEq)]
enum Named<'a> {
    /// Another file of requirements or constraints.
    File(&'a str),
    /// What is a local package if there is such a file or folder.
    Maybe(&'a str),
}

fn requirement(line: &str) -> Option<Named<'_>> {
    let line = line.split(" #").next().unwrap_or("").trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let argument = |long: &str, short: &str| {
        let rest = line.strip_prefix(long).or_else(|| line.strip_prefix(short))?;
        Some(rest.trim_start_matches([' ', '=']).trim())
    };
    if let Some(file) = argument("--requirement", "-r").or_else(|| argument("--constraint", "-c")) {
        return Some(Named::File(file));
    }
    let package = match argument("--editable", "-e") {
        Some(package) => package,
        None if line.starts_with('-') => return None,
        None => line,
    };
    // `NAME @ URL`, `PATH[extra]`, `PATH ; condition`.
    let package = package.split_once(" @ ").map_or(package, |(_, url)| url.trim());
    let package = package.split([';', '[']).next().unwrap_or("").trim();
    let package = package.strip_prefix("file://").unwrap_or(package);
    (package.contains('/') || package.starts_with('.') || package.ends_with(".whl"))
        .then_some(Named::Maybe(package))
}

/// What a package consists of, less what building it leaves behind.
fn content(path: &Path) -> std::io::Result<Digest> {
    if path.is_file() {
        return Ok(Digest::of(&fs::read(path)?));
    }
    let mut found: BTreeMap<PathBuf, Digest> = BTreeMap::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (name, at) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
            let made = name.starts_with('.') || name.ends_with(".egg-info");
            if made || ["__pycache__", "build", "dist"].contains(&name.as_str()) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(at);
            } else if kind.is_file() {
                let digest = Digest::of(&fs::read(&at)?);
                found.insert(at.strip_prefix(path).unwrap_or(&at).to_owned(), digest);
            }
        }
    }
    Ok(Digest::of(format!("{found:?}").as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_requirements_name() {
        for (line, found) in [
            ("numpy>=2  # fast", None),
            ("", None),
            ("--no-index", None),
            ("-r more.txt", Some(Named::File("more.txt"))),
            ("--constraint=c.txt", Some(Named::File("c.txt"))),
            ("./pkg", Some(Named::Maybe("./pkg"))),
            ("-e ../tool[fast]", Some(Named::Maybe("../tool"))),
            ("tool @ file:///home/a/tool ; python_version > '3.9'", Some(Named::Maybe("/home/a/tool"))),
            ("tool-1.0-py3-none-any.whl", Some(Named::Maybe("tool-1.0-py3-none-any.whl"))),
        ] {
            assert_eq!(requirement(line), found, "{line}");
        }
    }

    #[test]
    fn what_an_environment_is_made_from_counts_and_what_building_leaves_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let of = || {
            let mut parts = Parts::default();
            parts.add(&folder.path().join("requirements.txt")).unwrap();
            (format!("{:?}", parts.files), parts.local)
        };
        put("requirements.txt", "-r more.txt\n./pkg\n");
        put("more.txt", "-r requirements.txt\nnumpy\n");
        put("pkg/tool.py", "X = 1\n");
        let first = of();
        put("pkg/build/lib/tool.py", "X = 1\n");
        put("pkg/tool.egg-info/PKG-INFO", "");
        assert_eq!(of(), first);
        put("pkg/tool.py", "X = 2\n");
        assert_ne!(of().1, first.1);
        put("more.txt", "numpy>=2\n");
        assert_ne!(of().0, first.0);
    }
}
