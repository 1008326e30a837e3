//! Environments of Python: what is in them, as far as it counts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use flow_plugin::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an environment consists of: a part of the key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Environment {
    /// The version of Python, where the environment says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    python: Option<String>,
    /// By distribution: its version, and for one that comes from no index where it comes from.
    packages: BTreeMap<String, String>,
}

impl Environment {
    /// Adds packages that are no distributions of an index, and have no version to go by: what they consist of.
    pub(crate) fn add_local(&mut self, packages: &BTreeMap<String, Digest>) {
        self.packages
            .extend(packages.iter().map(|(name, digest)| (format!("local {name}"), digest.to_string())));
    }
}

/// The file that marks a virtual environment.
const VENV: &str = "pyvenv.cfg";

/// The folder that marks an environment of conda, with a file for each package.
const CONDA: &str = "conda-meta";

/// The environment variables that make an environment the active one: its programs come first on PATH.
pub(crate) fn active(folder: &Path) -> [(&'static str, OsString); 2] {
    let others = std::env::var_os("PATH").unwrap_or_default();
    let search = std::iter::once(folder.join("bin")).chain(std::env::split_paths(&others));
    // What is on PATH already can be joined again, and the environment's folder was checked.
    let search = std::env::join_paths(search).unwrap_or(others);
    let variable = if folder.join(VENV).is_file() { "VIRTUAL_ENV" } else { "CONDA_PREFIX" };
    [("PATH", search), (variable, folder.into())]
}

/// Looks at an environment: some small files and the names of folders, whatever its size.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub(crate) fn read(folder: &Path) -> Result<Environment, String> {
    let unreadable = |path: &Path, error| format!("cannot be read: {}: {error}", path.display());
    let mut found = Environment::default();
    let config = folder.join(VENV);
    let conda = folder.join(CONDA);
    if config.is_file() {
        let text = fs::read_to_string(&config).map_err(|error| unreadable(&config, error))?;
        // `version` by venv, `version_info` by virtualenv and uv.
        found.python = ["version", "version_info"].iter().find_map(|key| setting(&text, key));
    } else if conda.is_dir() {
        for name in names(&conda).map_err(|error| unreadable(&conda, error))? {
            // NAME-VERSION-BUILD.json
            let Some((rest, build)) = name.strip_suffix(".json").and_then(|name| name.rsplit_once('-'))
            else {
                continue;
            };
            let Some((name, version)) = rest.rsplit_once('-') else { continue };
            if name == "python" {
                found.python = Some(version.to_owned());
            }
            found.packages.insert(format!("conda:{name}"), format!("{version} {build}"));
        }
    } else {
        return Err(format!("is no environment of Python: it has neither {VENV} nor {CONDA}"));
    }
    for packages in site_packages(folder) {
        for name in names(&packages).map_err(|error| unreadable(&packages, error))? {
            let info = packages.join(&name);
            if let Some((name, version)) = distribution(&name, &info) {
                found.packages.insert(name, version);
            }
        }
    }
    Ok(found)
}

fn setting(text: &str, key: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    })
}

/// `lib/python3.11/site-packages`, and the same below `lib64` where that is another folder.
fn site_packages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for lib in ["lib", "lib64"].map(|name| folder.join(name)) {
        if fs::symlink_metadata(&lib).is_ok_and(|found| found.is_symlink()) {
            continue;
        }
        let names = names(&lib).unwrap_or_default();
        let pythons = names.iter().filter(|name| name.starts_with("python"));
        found.extend(pythons.map(|name| lib.join(name).join("site-packages")).filter(|path| path.is_dir()));
    }
    found
}

/// What is in a folder, sorted.
fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}

/// Name and version of a distribution, from the folder with what is known of it: wheels and installers name it
/// `NAME-VERSION.dist-info`.
fn distribution(name: &str, info: &Path) -> Option<(String, String)> {
    let (name, version) = name.strip_suffix(".dist-info")?.split_once('-')?;
    // Names that differ in these only are one, by the rules of package indexes.
    let name = name.to_lowercase().replace(['_', '.'], "-");
    let origin = fs::read(info.join("direct_url.json")).ok();
    let origin = origin.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
    let version = match origin {
        Some(origin) => format!("{version} from {}", crate::key::canonical(&origin)),
        None => version.to_owned(),
    };
    Some((name, version))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn put(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn what_is_installed_counts_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let site = "lib/python3.11/site-packages";
        put(folder.path(), "pyvenv.cfg", "home = /usr/bin\nversion = 3.11.7\n");
        put(folder.path(), &format!("{site}/numpy-2.1.0.dist-info/METADATA"), "");
        put(folder.path(), &format!("{site}/Ruamel_yaml-0.18.dist-info/METADATA"), "");
        let url = "{\"url\": \"file:///home/a/tool\", \"dir_info\": {\"editable\": true}}";
        put(folder.path(), &format!("{site}/tool-0.1.dist-info/direct_url.json"), url);
        let found = read(folder.path()).unwrap();
        assert_eq!(found.python.as_deref(), Some("3.11.7"));
        let packages: Vec<(&str, &str)> =
            found.packages.iter().map(|(name, version)| (name.as_str(), version.as_str())).collect();
        let editable = "0.1 from {\"dir_info\":{\"editable\":true},\"url\":\"file:///home/a/tool\"}";
        assert_eq!(packages, [("numpy", "2.1.0"), ("ruamel-yaml", "0.18"), ("tool", editable)]);
        assert_eq!(active(folder.path())[1].0, "VIRTUAL_ENV");
        // Compiled files come and go.
        put(folder.path(), &format!("{site}/numpy/__pycache__/a.pyc"), "x");
        std::os::unix::fs::symlink("lib", folder.path().join("lib64")).unwrap();
        assert_eq!(read(folder.path()).unwrap(), found);
    }

    #[test]
    fn environments_of_conda_and_what_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let message = read(folder.path()).unwrap_err();
        assert!(message.contains("neither pyvenv.cfg nor conda-meta"), "{message}");
        put(folder.path(), "conda-meta/python-3.12.1-h99_1.json", "");
        put(folder.path(), "conda-meta/ca-certificates-2024.2.2-h0.json", "");
        put(folder.path(), "conda-meta/history", "");
        let found = read(folder.path()).unwrap();
        assert_eq!(found.python.as_deref(), Some("3.12.1"));
        assert_eq!(found.packages["conda:ca-certificates"], "2024.2.2 h0");
        assert_eq!(active(folder.path())[1].0, "CONDA_PREFIX");
    }
}
