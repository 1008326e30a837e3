//! Checkpoints: what long work leaves behind so that it can go on.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{Digest, Result};

/// A folder of numbered checkpoints, of which the last two are kept.
///
/// Each is written to a temporary name, synced and renamed, with its hash in front, so a checkpoint that can
/// be loaded is a whole one; a damaged one falls back to the one before.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
}

const KEPT: usize = 2;

impl Checkpoints {
    /// The checkpoints in `folder`, which is created with the first one.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder, for operations that keep finished parts as files of their own. It stays until the node has
    /// succeeded; such files should be whole under their final names, and not end in `.checkpoint`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Saves the state reached at `step`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, step: u64, state: &[u8]) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        let temporary = self.folder.join(".writing");
        let mut file = File::create(&temporary)?;
        file.write_all(Digest::of(state).as_bytes())?;
        file.write_all(state)?;
        file.sync_all()?;
        fs::rename(&temporary, self.path(step))?;
        File::open(&self.folder)?.sync_all()?;
        for (_, old) in self.list()?.into_iter().rev().skip(KEPT) {
            fs::remove_file(old)?;
        }
        Ok(())
    }

    /// The last whole checkpoint: its step and state.
    ///
    /// # Errors
    /// When the folder cannot be read. A damaged checkpoint is not an error: the one before it is used.
    pub fn last(&self) -> Result<Option<(u64, Vec<u8>)>> {
        for (step, path) in self.list()?.into_iter().rev() {
            let bytes = fs::read(path)?;
            if let Some((hash, state)) = bytes.split_at_checked(32)
                && Digest::of(state).as_bytes() == hash
            {
                return Ok(Some((step, state.to_vec())));
            }
        }
        Ok(None)
    }

    fn path(&self, step: u64) -> PathBuf {
        self.folder.join(format!("{step:020}.checkpoint"))
    }

    /// Steps and files, oldest first.
    fn list(&self) -> Result<Vec<(u64, PathBuf)>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if let Some(step) = step_of(&path) {
                found.push((step, path));
            }
        }
        found.sort();
        Ok(found)
    }
}

fn step_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_suffix(".checkpoint")?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_last_two_are_kept_and_a_damaged_one_falls_back() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::new(folder.path().join("c"));
        assert!(checkpoints.last().unwrap().is_none());
        for step in 1..=3 {
            checkpoints.save(step, format!("state {step}").as_bytes()).unwrap();
        }
        assert_eq!(checkpoints.list().unwrap().len(), 2);
        assert_eq!(checkpoints.last().unwrap(), Some((3, b"state 3".to_vec())));
        fs::write(checkpoints.path(3), b"garbage").unwrap();
        assert_eq!(checkpoints.last().unwrap(), Some((2, b"state 2".to_vec())));
    }
}
