//! Checking that the store holds what it says, bit for bit, and repairing what it does not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use flow_artifact::{Digest, Kind, digest};
use rusqlite::{OptionalExtension, TransactionBehavior, params};

use crate::objects::{self, Placement};
use crate::rows::{Blob, Word, unsigned};
use crate::{Error, Result, Store, clear, commit};

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    /// How many artifacts were looked at.
    pub artifacts: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong with the index itself, as it says.
    pub index: Vec<String>,
    /// Artifacts that are not what was stored.
    pub damaged: Vec<Damaged>,
    /// Objects that no record names: what a crash left. They are in nobody's way.
    pub strays: usize,
}

/// An artifact that is not what was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Damaged {
    /// The artifact.
    pub digest: Digest,
    /// `missing`, or `damaged`.
    pub state: &'static str,
    /// What was seen.
    pub detail: String,
    /// Its size, as recorded.
    pub bytes: u64,
    /// The nodes that made it: run, node, output.
    pub makers: Vec<(String, String, String)>,
}

/// What was done about a damaged artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// A copy that had been published is whole: the artifact is there again.
    Restored(PathBuf),
    /// It is gone, and will be computed again when something needs it.
    Removed,
    /// Someone else has repaired it meanwhile.
    Whole,
}

impl Store {
    /// Reads every artifact and compares it with what was stored. `progress` is told the bytes done and in
    /// all.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn check(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<Checked> {
        let mut checked = Checked { index: self.check_index()?, ..Checked::default() };
        let mut query = self.db.prepare("SELECT digest, bytes FROM artifacts ORDER BY id")?;
        let rows = query.query_map([], |row| Ok((row.get::<_, Blob>(0)?.0, unsigned(row, 1)?)))?;
        let artifacts = rows.collect::<Result<Vec<(Digest, u64)>, _>>()?;
        let total = artifacts.iter().map(|(_, bytes)| bytes).sum();
        for (digest, bytes) in artifacts {
            if let Some((state, detail)) = self.examine(&digest)? {
                let makers = self.makers(&digest)?;
                checked.damaged.push(Damaged { digest, state, detail, bytes, makers });
            }
            checked.artifacts += 1;
            checked.bytes += bytes;
            progress(checked.bytes, total);
        }
        checked.strays = clear::strays(&self.db, &self.root)?.len();
        Ok(checked)
    }

    fn check_index(&self) -> Result<Vec<String>> {
        let mut query = self.db.prepare("PRAGMA integrity_check")?;
        let mut lines = query.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        lines.retain(|line| line != "ok");
        Ok(lines)
    }

    /// What is wrong with an artifact; nothing if the store does not (or no longer) say that it holds it.
    fn examine(&self, digest: &Digest) -> Result<Option<(&'static str, String)>> {
        let mut query = self.db.prepare_cached("SELECT id, content FROM artifacts WHERE digest = ?")?;
        let found: Option<(i64, Option<Vec<u8>>)> =
            query.query_row([digest.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(match found {
            None => None,
            Some((_, Some(content))) => self.examine_small(digest, &content)?,
            Some((id, None)) => objects::verify(&objects::path(&self.root, digest), &self.files(id)?).err(),
        })
    }

    /// A small artifact lives in the index: its digest is over its content, which depends on its kind.
    fn examine_small(&self, digest: &Digest, content: &[u8]) -> Result<Option<(&'static str, String)>> {
        let other = || Some(("damaged", "its record has other bytes than were stored".to_owned()));
        Ok(match self.kind(digest)? {
            Some(Kind::File) => {
                if Digest::of(content) == *digest {
                    None
                } else {
                    other()
                }
            }
            None => None,
            Some(kind) => match digest::of(kind, &self.artifact_path(digest)?) {
                Ok(found) if found.digest == *digest => None,
                Ok(_) => other(),
                Err(error) => Some(("damaged", error.to_string())),
            },
        })
    }

    fn kind(&self, digest: &Digest) -> Result<Option<Kind>> {
        let mut query = self.db.prepare_cached("SELECT kind FROM outputs WHERE digest = ? LIMIT 1")?;
        Ok(query.query_row([digest.as_bytes()], |row| Ok(row.get::<_, Word<Kind>>(0)?.0)).optional()?)
    }

    /// The nodes whose computations gave this artifact: run, node, output.
    fn makers(&self, digest: &Digest) -> Result<Vec<(String, String, String)>> {
        let mut query = self.db.prepare_cached(
            "SELECT r.name, n.name, o.port FROM outputs o JOIN computations c ON c.id = o.computation
             JOIN runs r ON r.id = c.run JOIN nodes n ON n.run = c.run AND n.position = c.position
             WHERE o.digest = ? ORDER BY c.id",
        )?;
        let rows = query.query_map([digest.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Repairs a damaged artifact: from a published copy that is whole, or else by removing it, so that it is
    /// computed again when something needs it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn repair(&mut self, digest: &Digest) -> Result<Repair> {
        let _lock = self.clearing()?;
        if self.examine(digest)?.is_none() {
            return Ok(Repair::Whole);
        }
        if let Some(kind) = self.kind(digest)? {
            for copy in self.copies(digest)? {
                if self.restore(digest, kind, &copy)? {
                    return Ok(Repair::Restored(copy));
                }
            }
        }
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        clear::forget(&transaction, digest)?;
        transaction.commit()?;
        objects::remove(&objects::path(&self.root, digest))?;
        objects::remove(&objects::unpacked(&self.root, digest))?;
        Ok(Repair::Removed)
    }

    /// Where this artifact has been published.
    fn copies(&self, digest: &Digest) -> Result<Vec<PathBuf>> {
        let mut query =
            self.db.prepare_cached("SELECT path FROM published WHERE digest = ? ORDER BY path")?;
        let rows = query.query_map([digest.as_bytes()], |row| row.get::<_, String>(0))?;
        Ok(rows.map(|path| path.map(PathBuf::from)).collect::<Result<_, _>>()?)
    }

    /// Takes an artifact over from a published copy, if that is whole.
    fn restore(&mut self, digest: &Digest, kind: Kind, copy: &Path) -> Result<bool> {
        let scratch = self.root.join("scratch").join(format!("restore-{}", std::process::id()));
        objects::remove(&scratch)?;
        let io = |source| Error::io("cannot write", &scratch, source);
        fs::create_dir_all(scratch.parent().unwrap_or(&self.root)).map_err(io)?;
        let found = match copy_all(copy, &scratch) {
            // What is copied counts, not what it was copied from: that may change at any time.
            Ok(()) => digest::of(kind, &scratch).ok().filter(|found| found.digest == *digest),
            Err(_) => None,
        };
        let Some(found) = found else {
            objects::remove(&scratch)?;
            return Ok(false);
        };
        let small: bool = self
            .db
            .prepare_cached("SELECT content IS NOT NULL FROM artifacts WHERE digest = ?")?
            .query_row([digest.as_bytes()], |row| row.get(0))?;
        if small {
            let content = fs::read(&scratch).map_err(io)?;
            self.db
                .prepare_cached("UPDATE artifacts SET content = ? WHERE digest = ?")?
                .execute(params![content, digest.as_bytes()])?;
            objects::remove(&scratch)?;
            return Ok(true);
        }
        let placement = Placement { digest: *digest, from: &scratch, files: &found.files };
        objects::place(self.disk.as_ref(), &self.root, &[placement])?;
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let id: i64 = transaction
            .prepare_cached("SELECT id FROM artifacts WHERE digest = ?")?
            .query_row([digest.as_bytes()], |row| row.get(0))?;
        transaction.prepare_cached("DELETE FROM files WHERE artifact = ?")?.execute([id])?;
        let object = objects::path(&self.root, digest);
        for file in &found.files {
            commit::insert_file(&transaction, id, &object, file)?;
        }
        transaction.commit()?;
        Ok(true)
    }
}

fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return io::copy(&mut fs::File::open(from)?, &mut fs::File::create(to)?).map(drop);
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy_all(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
