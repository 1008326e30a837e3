//! How the store fails.

use std::io;
use std::path::{Path, PathBuf};

use flow_artifact::Digest;
use rusqlite::ErrorCode;

/// A store that cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A newer version of the program has written it.
    #[error(
        "the store {} was written by a newer version of flow (its format is {found}, this version reads up \
         to {known})", path.display()
    )]
    Newer {
        /// The store's folder.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// No space is left.
    #[error("the disk that holds the store is full")]
    Full,
    /// Another process kept the index locked.
    #[error("another process keeps the store locked")]
    Busy,
    /// Another run uses a store on which runs go one at a time.
    #[error("{} uses the store, and it is on a network file system ({kind}), where runs go one at a time", .owner.as_deref().unwrap_or("another run"))]
    Taken {
        /// The kind of file system.
        kind: &'static str,
        /// Who uses it: a run and its machine.
        owner: Option<String>,
    },
    /// The index cannot be written.
    #[error("the store cannot be written (it, or the folder it is in, is read only)")]
    ReadOnly,
    /// A file operation failed.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The index failed.
    #[error("the store's index failed: {0}")]
    Index(rusqlite::Error),
    /// No such artifact, or its object is gone or damaged.
    #[error("artifact {} is {state} in the store", digest.short())]
    Unavailable {
        /// The artifact.
        digest: Digest,
        /// `missing`, or `damaged`: its bytes are not those that were stored.
        state: &'static str,
    },
}

/// The result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full
            }
            _ => Self::Io { action, path: path.to_owned(), source },
        }
    }

    /// What the user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Newer { .. } => Some("update flow, or use another store with --store DIR"),
            Self::Full => Some("free some space and run again: everything that was finished is kept"),
            Self::Busy | Self::Taken { .. } => {
                Some("wait for the other run, or use another store with --store DIR")
            }
            Self::ReadOnly | Self::Io { .. } => Some("use another store with --store DIR"),
            Self::Unavailable { .. } => Some(
                "compute it again: `flow run WORKFLOW --force NODE`; `flow store check` examines the whole store",
            ),
            Self::Index(_) => Some("`flow store check` examines the store"),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::ReadOnly,
            _ => Self::Index(error),
        }
    }
}
