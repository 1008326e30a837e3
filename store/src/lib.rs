//! The store: a folder that holds every result and what is known about it.
//!
//! ```text
//! .flow/
//!   index.sqlite         facts: artifacts, computations, runs, nodes, series, logs, claims
//!   objects/ab/cdef…     artifacts, one file or one folder each, named by content digest, read only
//!   unpacked/abcdef…     copies of small artifacts, which live in the index, for programs that need a path
//!   scratch/RUN/N-PORT   where running nodes write: node number N of the graph, and the output
//!   checkpoints/KEY/     what an unfinished computation goes on from
//!   states/FAMILY/N/     final states that a longer computation goes on from
//!   runs/RUN.lock        held while the run lives
//!   runs/RUN/            the run's report
//!   coordinator.lock     on a network file system: held by the one run, or by who clears away
//!   clearing.lock        held by who clears away what no kept run leads to
//!   trash/               what has been cleared away and is being removed
//! ```
//!
//! The store knows artifacts and computations; it does not know workflows. Invariants:
//!
//! - A row never names an object that is not wholly on disk: objects are synced and renamed into place before
//!   the transaction that names them.
//! - Only coordinators write here, each through one connection; workers see paths only.
//! - What lies in `objects` is never changed, only added, and removed as a whole.

mod check;
mod claims;
mod clear;
mod commit;
mod disk;
mod error;
mod external;
mod lock;
mod network;
mod nodes;
mod objects;
#[cfg(test)]
mod power_loss;
mod reach;
mod read;
mod record;
mod rows;
mod schema;
mod sizes;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flow_artifact::Digest;
use rusqlite::Connection;

use crate::disk::{Disk, System};

pub use check::{Checked, Damaged, Repair};
pub use claims::Claim;
pub use clear::{Cleared, Item, Policy, What};
pub use commit::{Batch, INLINE_LIMIT};
pub use error::{Error, Result};
pub use external::{Published, Stamp};
pub use lock::{Kept, RunLock};
pub use reach::Keep;
pub use record::{
    Computation, Content, Hit, InputRecord, LogRecord, Machine, NewArtifact, NewComputation, NewNode,
    NodeKey, NodeOutline, NodeRecord, NodeState, OutputRecord, Producer, Recipe, RunEnd, RunRecord, RunStart,
    RunStatus, Series, Shorter, Usage,
};
pub use schema::FORMAT;
pub use sizes::{Part, Sizes, StageSize};

/// An open store.
pub struct Store {
    root: PathBuf,
    db: Connection,
    /// The kind of network file system that it lies on.
    network: Option<&'static str>,
    disk: Box<dyn Disk>,
}

impl Store {
    /// Opens the store in this folder (usually `.flow`), and creates it where there is none.
    ///
    /// # Errors
    /// When the folder cannot be written, or a newer version of the program has written it.
    pub fn open(root: &Path) -> Result<Self> {
        let io = |source| Error::io("cannot create the store folder", root, source);
        fs::create_dir_all(root).map_err(io)?;
        let root = root.canonicalize().map_err(io)?;
        let network = network::kind(&root);
        let db = schema::open(&root, network.is_some())?;
        Ok(Self { root, db, network, disk: Box::new(System) })
    }

    /// Opens the store in this folder if there is one.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_existing(root: &Path) -> Result<Option<Self>> {
        if schema::index(root).exists() { Self::open(root).map(Some) } else { Ok(None) }
    }

    /// The store's folder, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The kind of network file system that the store lies on, if it does: runs go one at a time there.
    #[must_use]
    pub fn network(&self) -> Option<&'static str> {
        self.network
    }

    /// The folder in which the nodes of a run write.
    #[must_use]
    pub fn scratch(&self, run: &str) -> PathBuf {
        self.root.join("scratch").join(run)
    }

    /// Where an unfinished computation keeps its checkpoints.
    #[must_use]
    pub fn checkpoints(&self, key: &Digest) -> PathBuf {
        self.root.join("checkpoints").join(key.to_string())
    }

    /// Where the final state of an extendable computation is kept.
    #[must_use]
    pub fn state(&self, family: &Digest, extent: i64) -> PathBuf {
        self.root.join("states").join(family.to_string()).join(extent.to_string())
    }

    /// The folder of a run, for its report.
    #[must_use]
    pub fn run_folder(&self, run: &str) -> PathBuf {
        self.root.join("runs").join(run)
    }
}

/// Seconds since 1970, as times are recorded.
#[must_use]
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}
