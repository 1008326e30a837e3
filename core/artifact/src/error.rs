//! What can be wrong with an artifact.

use std::io;
use std::path::{Path, PathBuf};

/// An artifact that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried: `read`, `write`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// What lies at the path is not what it should be.
    #[error("`{}` {problem}", path.display())]
    Invalid {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it, as the end of a sentence.
        problem: String,
    },
    /// A dataset has no such variable.
    #[error("the dataset `{}` has no variable `{name}`; it has {}", path.display(), list(known))]
    NoVariable {
        /// The dataset.
        path: PathBuf,
        /// The variable asked for.
        name: String,
        /// The variables there are.
        known: Vec<String>,
    },
    /// A variable was read or written with another element type than it has.
    #[error("variable `{name}` has elements of type {actual}, not {asked}")]
    ElementType {
        /// The variable.
        name: String,
        /// Its element type.
        actual: &'static str,
        /// The type asked for.
        asked: &'static str,
    },
    /// A caller asked for something that cannot be.
    #[error("{0}")]
    Request(String),
}

/// The result of reading or writing an artifact.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Wraps a file system error: `.map_err(Error::io("read", path))`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn invalid(path: &Path, problem: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), problem: problem.into() }
    }

    pub(crate) fn request(message: impl Into<String>) -> Self {
        Self::Request(message.into())
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}
