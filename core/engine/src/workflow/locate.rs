//! Finding the workflow file, and the root folder it belongs to.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::diagnostics::{closest, list};

/// No workflow file could be found, or it is not clear which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    /// What was looked for.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for NotFound {}

/// Finds the workflow file that is meant: the file itself, `NAME.yaml` for `NAME`, or the one with `name: NAME` in it,
/// either here or under `workflows/` here or in the root folder; without a request, the only workflow that there is.
///
/// # Errors
/// When there is none, or more than one.
pub fn locate(request: Option<&Path>) -> Result<PathBuf, NotFound> {
    let here = Path::new("");
    let root = root_of(&std::env::current_dir().unwrap_or_default().join("."));
    let mut folders = vec![here.to_owned(), here.join("workflows")];
    let above = root.join("workflows");
    if std::env::current_dir().is_ok_and(|current| current != root) && above.is_dir() {
        folders.push(above);
    }
    let Some(request) = request else { return only(&folders) };
    if request.is_file() {
        return Ok(request.to_owned());
    }
    for folder in &folders {
        for ending in ["", ".yaml", ".yml"] {
            let mut name = folder.join(request).into_os_string();
            name.push(ending);
            let path = PathBuf::from(name);
            if path.is_file() {
                return Ok(path);
            }
        }
    }
    let found = workflows(&folders);
    if let Some(named) =
        found.iter().find(|path| name_in(path).is_some_and(|name| request == Path::new(&name)))
    {
        return Ok(named.clone());
    }
    let known: Vec<String> = found.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let stem = |path: &str| Path::new(path).file_stem().map(|s| s.to_string_lossy().into_owned());
    let stems: Vec<String> = known.iter().filter_map(|path| stem(path)).collect();
    let wanted = stem(&request.to_string_lossy()).unwrap_or_default();
    let near = closest(&wanted, stems.iter().map(String::as_str))
        .and_then(|near| known.iter().find(|path| stem(path).as_deref() == Some(near)));
    let hint = match near {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None => Some(format!("the workflows here are {}", list(&known))),
    };
    let message = if request.is_dir() {
        format!("`{}` is a folder, not a workflow file", request.display())
    } else {
        format!("there is no workflow `{}`", request.display())
    };
    Err(NotFound { message, hint })
}

/// The root folder of a workflow file: its nearest ancestor that holds `flow.toml`, `.flow` or `.git`; else
/// the file's own folder.
#[must_use]
pub fn root_of(file: &Path) -> PathBuf {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().unwrap_or(&file);
    let marked = folder
        .ancestors()
        .find(|folder| ["flow.toml", ".flow", ".git"].iter().any(|mark| folder.join(mark).exists()));
    marked.unwrap_or(folder).to_owned()
}

fn only(folders: &[PathBuf]) -> Result<PathBuf, NotFound> {
    let found = workflows(folders);
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(NotFound {
            message: "there is no workflow here".into(),
            hint: Some("name one, or write `workflows/NAME.yaml`".into()),
        }),
        several => {
            let names: Vec<String> = several.iter().map(|path| path.to_string_lossy().into_owned()).collect();
            Err(NotFound {
                message: "there are several workflows here".into(),
                hint: Some(format!("name one of {}", list(&names))),
            })
        }
    }
}

/// The workflow files in some folders: YAML files with the key `flow` at the start of a line.
fn workflows(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for folder in folders {
        let shown = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let Ok(entries) = std::fs::read_dir(shown) else { continue };
        let mut here: Vec<PathBuf> = entries
            .filter_map(Result::ok)
            .map(|entry| folder.join(entry.file_name()))
            .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml") && is_workflow(path))
            .collect();
        here.sort();
        found.extend(here);
    }
    found
}

/// What a workflow file calls itself. The file may be wrong in many ways; that is for the loader to say.
fn name_in(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let name = text.lines().find_map(|line| line.strip_prefix("name:"))?;
    let name = name.split(" #").next().unwrap_or(name);
    Some(name.trim().trim_matches(['"', '\'']).to_owned())
}

fn is_workflow(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.lines().any(|line| line.starts_with("flow:")))
}
