//! Clearing away what no kept run leads to.
//!
//! Rows that name an artifact go first, in one transaction; then its object is moved aside, and removed when
//! everybody else may go on. A crash in between leaves objects that no row names, which the next clearing
//! takes. What computations were made of stays recorded: a result that was cleared away is computed again
//! when something needs it.
//!
//! Runs go on meanwhile. A run that is going on is a kept run, and it records which results it uses before it
//! starts a node that reads them. Nobody commits while objects go: see [`Store::keep`].

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flow_artifact::Digest;
use rusqlite::{Connection, TransactionBehavior};

use crate::reach::{self, Reached};
use crate::rows::{Blob, unsigned};
use crate::{Keep, Result, Store, objects};

/// Checkpoints of a computation that was never finished are kept so long after they were last written.
const CHECKPOINTS_LAST: Duration = Duration::from_secs(30 * 86_400);

/// The least time a computation counts as having taken: below it, size decides.
const SHORTEST: f64 = 0.01;

/// What to clear away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// The runs that are kept.
    pub keep: Keep,
    /// Clear no more than is needed to get below so many bytes of results.
    pub size: Option<u64>,
}

/// What was cleared away, or would be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cleared {
    /// How many runs are kept.
    pub runs: usize,
    /// What goes, in the order in which it does: most bytes per second of computing first.
    pub items: Vec<Item>,
    /// Objects that no record names, and their bytes: what a crash left.
    pub strays: (usize, u64),
    /// Bytes of results that stay.
    pub left: u64,
}

/// One thing to clear away.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it is.
    pub what: What,
    /// Its size.
    pub bytes: u64,
    /// Wall seconds that computing it took.
    pub seconds: f64,
    /// The node that made it, where that is known.
    pub node: Option<String>,
}

/// A kind of thing to clear away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A result.
    Artifact(Digest),
    /// The final state of a computation that a longer one could go on from.
    State(PathBuf),
    /// Checkpoints of a computation that has been finished since, or was given up.
    Checkpoints(PathBuf),
}

impl Item {
    fn density(&self) -> f64 {
        self.bytes as f64 / self.seconds.max(SHORTEST)
    }
}

impl Cleared {
    /// Bytes that go.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.items.iter().map(|item| item.bytes).sum::<u64>() + self.strays.1
    }
}

impl Store {
    /// What [`Store::clear`] would do.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn would_clear(&self, policy: &Policy) -> Result<Cleared> {
        let transaction = self.db.unchecked_transaction()?;
        let (cleared, _) = choose(&transaction, &self.root, policy)?;
        Ok(cleared)
    }

    /// Clears away what no kept run leads to. Safe while runs go on.
    ///
    /// # Errors
    /// When the index cannot be written, or something cannot be removed. On a network file system, when a run uses
    /// the store.
    pub fn clear(&mut self, policy: &Policy) -> Result<Cleared> {
        let _only = self.only_one("clearing away")?;
        self.clear_dead_runs()?;
        let trash = self.root.join("trash");
        let own = trash.join(std::process::id().to_string());
        let lock = self.clearing()?;
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (cleared, strays) = choose(&transaction, &self.root, policy)?;
        let mut paths = strays;
        for item in &cleared.items {
            match &item.what {
                What::Artifact(digest) => {
                    forget(&transaction, digest)?;
                    paths.push(objects::path(&self.root, digest));
                    paths.push(objects::unpacked(&self.root, digest));
                }
                What::State(path) | What::Checkpoints(path) => paths.push(path.clone()),
            }
        }
        transaction.commit()?;
        for path in paths {
            objects::move_aside(&self.root, &path, &own)?;
        }
        drop(lock);
        objects::remove(&trash)?;
        Ok(cleared)
    }
}

/// Removes the rows that say that the store holds an artifact.
pub(crate) fn forget(db: &Connection, digest: &Digest) -> Result<()> {
    db.prepare_cached("DELETE FROM files WHERE artifact IN (SELECT id FROM artifacts WHERE digest = ?)")?
        .execute([digest.as_bytes()])?;
    db.prepare_cached("DELETE FROM artifacts WHERE digest = ?")?.execute([digest.as_bytes()])?;
    Ok(())
}

/// What goes, and where the objects lie that no row names.
fn choose(db: &Connection, root: &Path, policy: &Policy) -> Result<(Cleared, Vec<PathBuf>)> {
    let reached = reach::reached(db, root, &policy.keep)?;
    let (mut total, mut items) = artifacts(db, &reached)?;
    for item in states(db, root, &reached)?.into_iter().chain(checkpoints(db, root, &reached)?) {
        total += item.bytes;
        items.push(item);
    }
    items.sort_by(|a, b| b.density().total_cmp(&a.density()));
    if let Some(size) = policy.size {
        let mut left = total;
        let needed = items.iter().take_while(|item| {
            let over = left > size;
            left = left.saturating_sub(item.bytes);
            over
        });
        let needed = needed.count();
        items.truncate(needed);
    }
    let strays = strays(db, root)?;
    let stray_bytes = strays.iter().map(|path| objects::bytes_below(path)).sum();
    let left = total.saturating_sub(items.iter().map(|item| item.bytes).sum());
    Ok((Cleared { runs: reached.runs, items, strays: (strays.len(), stray_bytes), left }, strays))
}

/// The bytes of all artifacts, and those that no kept run leads to.
fn artifacts(db: &Connection, reached: &Reached) -> Result<(u64, Vec<Item>)> {
    // Where several computations gave it, the shortest would be the one to do again.
    let mut query = db.prepare_cached(
        "SELECT a.digest, a.bytes, MIN(c.wall_s), n.name FROM artifacts a
         LEFT JOIN outputs o ON o.digest = a.digest LEFT JOIN computations c ON c.id = o.computation
         LEFT JOIN nodes n ON n.run = c.run AND n.position = c.position GROUP BY a.id",
    )?;
    let rows = query.query_map([], |row| {
        let seconds = row.get::<_, Option<f64>>(2)?.unwrap_or(0.0);
        Ok((row.get::<_, Blob>(0)?.0, unsigned(row, 1)?, seconds, row.get(3)?))
    })?;
    let (mut total, mut items) = (0, Vec::new());
    for row in rows {
        let (digest, bytes, seconds, node) = row?;
        total += bytes;
        if !reached.artifacts.contains(&digest) {
            items.push(Item { what: What::Artifact(digest), bytes, seconds, node });
        }
    }
    Ok((total, items))
}

fn states(db: &Connection, root: &Path, reached: &Reached) -> Result<Vec<Item>> {
    let mut query = db.prepare_cached("SELECT wall_s FROM computations WHERE family = ? AND extent = ?")?;
    let mut items = Vec::new();
    for (family, folder) in entries(&root.join("states")) {
        let Ok(family) = family.parse::<Digest>() else { continue };
        if reached.families.contains(&family) {
            continue;
        }
        for (extent, path) in entries(&folder) {
            let mut rows =
                query.query(rusqlite::params![family.as_bytes(), extent.parse::<i64>().unwrap_or(-1)])?;
            let seconds = rows.next()?.map_or(Ok(0.0), |row| row.get(0))?;
            items.push(Item {
                bytes: objects::bytes_below(&path),
                what: What::State(path),
                seconds,
                node: None,
            });
        }
    }
    Ok(items)
}

/// Checkpoints that nobody will go on from: of computations that are done, and old ones.
fn checkpoints(db: &Connection, root: &Path, reached: &Reached) -> Result<Vec<Item>> {
    let mut computed = db.prepare_cached("SELECT 1 FROM computations WHERE key = ?")?;
    let mut claimed = db.prepare_cached("SELECT 1 FROM claims WHERE key = ?")?;
    let mut items = Vec::new();
    for (key, path) in entries(&root.join("checkpoints")) {
        let Ok(key) = key.parse::<Digest>() else { continue };
        let written =
            fs::metadata(&path).and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        let old = written.elapsed().is_ok_and(|age| age > CHECKPOINTS_LAST);
        let done = computed.exists([key.as_bytes()])?;
        if !claimed.exists([key.as_bytes()])? && (done || (old && !reached.keys.contains(&key))) {
            let bytes = objects::bytes_below(&path);
            items.push(Item { what: What::Checkpoints(path), bytes, seconds: 0.0, node: None });
        }
    }
    Ok(items)
}

/// Objects, and copies of small artifacts, that no row names.
pub(crate) fn strays(db: &Connection, root: &Path) -> Result<Vec<PathBuf>> {
    let mut query = db.prepare_cached("SELECT digest, content IS NOT NULL FROM artifacts")?;
    let rows = query.query_map([], |row| Ok((row.get::<_, Blob>(0)?.0, row.get(1)?)))?;
    let known: HashMap<Digest, bool> = rows.collect::<Result<_, _>>()?;
    let mut strays = Vec::new();
    for (shard, folder) in entries(&root.join("objects")) {
        for (name, path) in entries(&folder) {
            if objects::digest_of(&shard, &name).is_none_or(|digest| known.get(&digest) != Some(&false)) {
                strays.push(path);
            }
        }
    }
    for (name, path) in entries(&root.join("unpacked")) {
        // Others are temporary names of copies that are being written.
        if name.parse().is_ok_and(|digest: Digest| known.get(&digest) != Some(&true)) {
            strays.push(path);
        }
    }
    Ok(strays)
}

/// Names and paths of what is in a folder; nothing where there is none.
pub(crate) fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().to_str()?.to_owned(), entry.path()))).collect()
}
