//! What takes space.

use std::fs;

use crate::rows::unsigned;
use crate::{Keep, Policy, Result, Store, clear, objects, schema};

/// What takes space in the store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sizes {
    /// Artifacts that are files or folders of their own.
    pub objects: Part,
    /// Artifacts that live in the index.
    pub small: Part,
    /// Bytes of the index, small artifacts included.
    pub index: u64,
    /// Copies of small artifacts.
    pub unpacked: u64,
    /// Final states that longer computations go on from.
    pub states: u64,
    /// What unfinished computations go on from.
    pub checkpoints: u64,
    /// Where running nodes write.
    pub scratch: u64,
    /// Reports of runs.
    pub reports: u64,
    /// Objects that no record names.
    pub strays: Part,
    /// What clearing away would free.
    pub unreached: u64,
    /// What came of which stage, the largest first.
    pub stages: Vec<StageSize>,
}

/// Some artifacts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// How many.
    pub count: usize,
    /// Their size.
    pub bytes: u64,
}

/// The artifacts of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct StageSize {
    /// The workflow that computed them first.
    pub workflow: String,
    /// The stage.
    pub stage: String,
    /// Artifacts that the store holds.
    pub artifacts: Part,
    /// Wall seconds that computing them took.
    pub seconds: f64,
}

impl Sizes {
    /// Bytes of the whole store.
    #[must_use]
    pub fn total(&self) -> u64 {
        let parts = [self.index, self.unpacked, self.states, self.checkpoints, self.scratch, self.reports];
        self.objects.bytes + self.strays.bytes + parts.iter().sum::<u64>()
    }
}

impl Store {
    /// Measures what takes space.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn sizes(&self, keep: &Keep) -> Result<Sizes> {
        let part = |sql: &str| -> Result<Part> {
            Ok(self.db.query_row(sql, [], |row| Ok(Part { count: row.get(0)?, bytes: unsigned(row, 1)? }))?)
        };
        let below = |name: &str| objects::bytes_below(&self.root.join(name));
        let index = schema::index(&self.root);
        let beside = |suffix: &str| {
            let mut path = index.clone().into_os_string();
            path.push(suffix);
            fs::metadata(path).map_or(0, |found| found.len())
        };
        let policy = Policy { keep: *keep, size: None };
        let cleared = self.would_clear(&policy)?;
        let strays = clear::strays(&self.db, &self.root)?;
        // Copies of small artifacts are counted with those.
        let objects = self.root.join("objects");
        let stray_objects: Vec<_> = strays.iter().filter(|path| path.starts_with(&objects)).collect();
        Ok(Sizes {
            objects: part("SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM artifacts WHERE content IS NULL")?,
            small: part("SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM artifacts WHERE content IS NOT NULL")?,
            index: ["", "-wal", "-shm"].into_iter().map(beside).sum(),
            unpacked: below("unpacked"),
            states: below("states"),
            checkpoints: below("checkpoints"),
            scratch: below("scratch") + below("trash"),
            reports: below("runs"),
            strays: Part {
                count: stray_objects.len(),
                bytes: stray_objects.iter().map(|path| objects::bytes_below(path)).sum(),
            },
            unreached: cleared.bytes(),
            stages: self.stage_sizes()?,
        })
    }

    fn stage_sizes(&self) -> Result<Vec<StageSize>> {
        // Each artifact counts for the computation that gave it first.
        let mut query = self.db.prepare_cached(
            "SELECT r.workflow, n.stage, SUM(k.count), SUM(k.bytes), SUM(k.wall_s) FROM (
                 SELECT c.run, c.position, c.wall_s, COUNT(*) AS count, SUM(a.bytes) AS bytes FROM artifacts a
                 JOIN (SELECT digest, MIN(computation) AS computation FROM outputs GROUP BY digest) o
                 ON o.digest = a.digest JOIN computations c ON c.id = o.computation GROUP BY c.id) k
             JOIN nodes n ON n.run = k.run AND n.position = k.position JOIN runs r ON r.id = k.run
             GROUP BY r.workflow, n.stage ORDER BY SUM(k.bytes) DESC, r.workflow, n.stage",
        )?;
        let rows = query.query_map([], |row| {
            let artifacts = Part { count: row.get(2)?, bytes: unsigned(row, 3)? };
            Ok(StageSize { workflow: row.get(0)?, stage: row.get(1)?, artifacts, seconds: row.get(4)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
