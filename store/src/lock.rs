//! The lock that a run holds while it lives. The system frees it however the process ends.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::{Error, Result, Store, objects};

/// How long to wait for those who keep objects from being cleared away.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often to try meanwhile.
const INTERVAL: Duration = Duration::from_millis(20);

/// The extension of a run's file until it is locked.
const LOCKING: &str = "locking";

/// Held from the start of a run to its end.
pub struct RunLock {
    _lock: Flock<File>,
    _only: Option<OnlyOne>,
}

/// On a network file system: held by the one who uses the store.
pub(crate) struct OnlyOne {
    _lock: Flock<File>,
}

/// While this is held, nothing is cleared away.
pub struct Kept {
    _lock: Flock<File>,
}

fn folder(root: &Path) -> PathBuf {
    root.join("runs")
}

fn path(root: &Path, run: &str) -> PathBuf {
    folder(root).join(format!("{run}.lock"))
}

/// Whether the run's process lives.
pub(crate) fn is_held(root: &Path, run: &str) -> bool {
    held(&path(root, run))
}

fn held(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK)))
}

impl Store {
    /// Takes the lock of a new run; `None` where the name is taken, by a run that goes on or by one that has ended.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn lock_run(&self, run: &str) -> Result<Option<RunLock>> {
        if self.run(run)?.is_some() {
            return Ok(None);
        }
        let only = self.only_one(&format!("run {run}"))?;
        let (folder, path) = (folder(&self.root), path(&self.root, run));
        fs::create_dir_all(&folder).map_err(|source| Error::io("cannot create", &folder, source))?;
        // Locked first and named then: who sees a run's file without its lock takes the run for dead.
        let unnamed = folder.join(format!("{run}.{LOCKING}"));
        let lock = loop {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&unnamed);
            let file = file.map_err(|source| Error::io("cannot create", &unnamed, source))?;
            let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => lock,
                // Another run takes this name now.
                Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
                Err((_, errno)) => return Err(Error::io("cannot lock", &unnamed, errno.into())),
            };
            let named = match fs::hard_link(&unnamed, &path) {
                // Some network file systems have no links; there is no other run there that could have the name.
                Err(_) if only.is_some() => fs::rename(&unnamed, &path),
                named => named,
            };
            match named {
                Ok(()) => break lock,
                // Someone has cleared it away, before it was locked.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    objects::remove(&unnamed)?;
                    return Ok(None);
                }
                Err(source) => return Err(Error::io("cannot create", &path, source)),
            }
        };
        objects::remove(&unnamed)?;
        Ok(Some(RunLock { _lock: lock, _only: only }))
    }

    /// On a network file system, keeps everybody else from changing the store; refuses where somebody does.
    pub(crate) fn only_one(&self, who: &str) -> Result<Option<OnlyOne>> {
        let Some(kind) = self.network else { return Ok(None) };
        let path = self.root.join("coordinator.lock");
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let file = file.map_err(|source| Error::io("cannot write", &path, source))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => {
                // Only for the message that others get.
                let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
                let _ = lock
                    .set_len(0)
                    .and_then(|()| (&*lock).write_all(format!("{who} on {}", host.trim()).as_bytes()));
                Ok(Some(OnlyOne { _lock: lock }))
            }
            Err((_, Errno::EWOULDBLOCK)) => {
                let owner = fs::read_to_string(&path).ok().filter(|owner| !owner.is_empty());
                Err(Error::Taken { kind, owner })
            }
            Err((_, errno)) => Err(Error::io("cannot lock", &path, errno.into())),
        }
    }

    /// Keeps everything where it is, for as long as what this gives is held.
    ///
    /// # Errors
    /// When the file cannot be locked.
    pub fn keep(&self) -> Result<Kept> {
        let (path, file) = self.clearing_lock()?;
        let lock = Flock::lock(file, FlockArg::LockShared)
            .map_err(|(_, errno)| Error::io("cannot lock", &path, errno.into()))?;
        Ok(Kept { _lock: lock })
    }

    /// Waits until nobody keeps anything, and then keeps everybody from beginning to.
    pub(crate) fn clearing(&self) -> Result<Kept> {
        let (path, mut file) = self.clearing_lock()?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => return Ok(Kept { _lock: lock }),
                Err((_, Errno::EWOULDBLOCK)) if Instant::now() > deadline => return Err(Error::Busy),
                Err((file, Errno::EWOULDBLOCK | Errno::EINTR)) => file,
                Err((_, errno)) => return Err(Error::io("cannot lock", &path, errno.into())),
            };
            std::thread::sleep(INTERVAL);
        }
    }

    fn clearing_lock(&self) -> Result<(PathBuf, File)> {
        let path = self.root.join("clearing.lock");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| Error::io("cannot write", &path, source))?;
        Ok((path, file))
    }

    /// Whether the run's process lives.
    #[must_use]
    pub fn is_alive(&self, run: &str) -> bool {
        is_held(&self.root, run)
    }

    /// Removes what dead runs left: their scratch folders, lock files and claims.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn clear_dead_runs(&mut self) -> Result<()> {
        for run in names(&folder(&self.root), Some("lock"))? {
            if !is_held(&self.root, &run) {
                objects::remove(&self.scratch(&run))?;
                self.release_claims(&run)?;
                objects::remove(&path(&self.root, &run))?;
            }
        }
        for run in names(&folder(&self.root), Some(LOCKING))? {
            let path = folder(&self.root).join(format!("{run}.{LOCKING}"));
            if !held(&path) {
                objects::remove(&path)?;
            }
        }
        Ok(())
    }

    /// Removes the scratch folder and the lock file of a run that ends in good order. The lock itself goes
    /// with the value that holds it.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn clear_run(&self, run: &str) -> Result<()> {
        objects::remove(&self.scratch(run))?;
        objects::remove(&path(&self.root, run))
    }
}

/// The names in a folder, without this extension, of entries that have it.
fn names(folder: &Path, extension: Option<&str>) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("cannot read", folder, error)),
    };
    let named = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().and_then(|e| e.to_str()) == extension);
    Ok(named.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect())
}
