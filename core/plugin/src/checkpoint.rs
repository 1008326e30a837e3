//! Checkpoints: what long work leaves behind so that it can go on.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::protocol::Spent;
use crate::{Digest, Result};

/// A state that work can go on from.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// How far the work had come.
    pub step: u64,
    /// What the operation saved.
    pub bytes: Vec<u8>,
    /// What reaching it had cost.
    pub spent: Spent,
}

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

    /// Saves the state reached at `step`, and what it has cost.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, step: u64, spent: Spent, state: &[u8]) -> Result<()> {
        self.write(step, spent, state, KEPT)
    }

    /// Saves the final state, which alone is kept.
    pub(crate) fn keep(&self, step: u64, spent: Spent, state: &[u8]) -> Result<()> {
        self.write(step, spent, state, 1)
    }

    /// A file is the hash of what follows, the cost (two doubles), the state.
    fn write(&self, step: u64, spent: Spent, state: &[u8], kept: usize) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        let temporary = self.folder.join(".writing");
        let mut file = File::create(&temporary)?;
        let cost = [spent.cpu_s.to_le_bytes(), spent.wall_s.to_le_bytes()].concat();
        file.write_all(Digest::of_pieces(&[&cost, state]).as_bytes())?;
        file.write_all(&cost)?;
        file.write_all(state)?;
        file.sync_all()?;
        fs::rename(&temporary, self.path(step))?;
        File::open(&self.folder)?.sync_all()?;
        for (_, old) in self.list()?.into_iter().filter(|(old, _)| *old != step).rev().skip(kept - 1) {
            fs::remove_file(old)?;
        }
        Ok(())
    }

    /// The last whole checkpoint.
    ///
    /// # Errors
    /// When the folder cannot be read. A damaged checkpoint is not an error: the one before it is used.
    pub fn last(&self) -> Result<Option<State>> {
        for (step, path) in self.list()?.into_iter().rev() {
            if let Some((spent, bytes)) = read(&fs::read(path)?) {
                return Ok(Some(State { step, bytes, spent }));
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

/// Cost and state, if the file is whole.
fn read(bytes: &[u8]) -> Option<(Spent, Vec<u8>)> {
    let (hash, rest) = bytes.split_at_checked(32)?;
    let (cost, state) = rest.split_at_checked(16)?;
    let number = |at: usize| Some(f64::from_le_bytes(cost.get(at..at + 8)?.try_into().ok()?));
    let spent = Spent { cpu_s: number(0)?, wall_s: number(8)? };
    (Digest::of(rest).as_bytes() == hash).then(|| (spent, state.to_vec()))
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
        let spent = |step: u64| Spent { cpu_s: step as f64, wall_s: 2.0 * step as f64 };
        let state =
            |step: u64| State { step, bytes: format!("state {step}").into_bytes(), spent: spent(step) };
        for step in 1..=3 {
            checkpoints.save(step, spent(step), &state(step).bytes).unwrap();
        }
        assert_eq!(checkpoints.list().unwrap().len(), 2);
        assert_eq!(checkpoints.last().unwrap(), Some(state(3)));
        fs::write(checkpoints.path(3), b"garbage").unwrap();
        assert_eq!(checkpoints.last().unwrap(), Some(state(2)));
        checkpoints.keep(4, spent(4), &state(4).bytes).unwrap();
        assert_eq!(checkpoints.list().unwrap().len(), 1, "the final state alone");
        assert_eq!(checkpoints.last().unwrap(), Some(state(4)));
    }
}
