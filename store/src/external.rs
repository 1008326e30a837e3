//! Digests of files and folders outside the store, remembered while their stat does not change.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flow_artifact::{Digest, Kind};
use rusqlite::{OptionalExtension, params};

use crate::rows::{Blob, Word};
use crate::{Error, Result, Store, objects};

/// A file changed as recently as this before it was looked at may change again without its time stamps
/// telling (some file systems count whole seconds, some two); its digest is not remembered.
const SETTLED: Duration = Duration::from_secs(3);

/// What `stat` says of a file, or of every file in a folder: it changes when any of them does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    stat: Digest,
    settled: bool,
}

impl Stamp {
    /// Looks at a file or folder.
    ///
    /// # Errors
    /// When it, or something in it, cannot be looked at.
    pub fn of(path: &Path) -> Result<Self> {
        let mut hasher = blake3::Hasher::new();
        let mut newest = i64::MIN;
        visit(path, "", &mut hasher, &mut newest)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let limit = i64::try_from(now.saturating_sub(SETTLED).as_nanos()).unwrap_or(i64::MAX);
        Ok(Self { stat: hasher.finalize().into(), settled: newest < limit })
    }

    /// Whether nothing that `stat` tells has changed.
    #[must_use]
    pub fn same_stat(&self, other: &Self) -> bool {
        self.stat == other.stat
    }
}

fn visit(path: &Path, name: &str, hasher: &mut blake3::Hasher, newest: &mut i64) -> Result<()> {
    let io = |source| Error::io("cannot read", path, source);
    let metadata = fs::metadata(path).map_err(io)?;
    let changed = metadata.ctime().saturating_mul(1_000_000_000).saturating_add(metadata.ctime_nsec());
    let modified = objects::modified(&metadata);
    *newest = (*newest).max(modified).max(changed);
    hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
    for value in [metadata.len(), metadata.dev(), metadata.ino()] {
        hasher.update(&value.to_le_bytes());
    }
    for time in [modified, changed] {
        hasher.update(&time.to_le_bytes());
    }
    if metadata.is_dir() {
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(io)? {
            names.push(entry.map_err(io)?.file_name());
        }
        names.sort_unstable();
        for name in names {
            visit(&path.join(&name), &name.to_string_lossy(), hasher, newest)?;
        }
    }
    Ok(())
}

/// What a run put at a path outside the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// What it put there.
    pub digest: Digest,
    /// Whether `stat` shows that nobody has touched it since.
    pub untouched: bool,
}

impl Store {
    /// The digest and size of a file or folder as remembered, if it has not changed since.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn remembered(&self, path: &Path, kind: Kind, stamp: &Stamp) -> Result<Option<(Digest, u64)>> {
        let mut query =
            self.db.prepare_cached("SELECT kind, stat, digest, bytes FROM external WHERE path = ?")?;
        let found = query.query_row([path.to_string_lossy()], |row| {
            let (known, stat) = (row.get::<_, Word<Kind>>(0)?.0, row.get::<_, Blob>(1)?.0);
            Ok((known == kind && stat == stamp.stat)
                .then_some((row.get::<_, Blob>(2)?.0, row.get::<_, i64>(3)?.cast_unsigned())))
        });
        Ok(found.optional()?.flatten())
    }

    /// Remembers the digest and size of a file or folder that looked so before it was hashed. One that
    /// changed only just now is not remembered.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn remember(
        &self,
        path: &Path,
        kind: Kind,
        stamp: &Stamp,
        digest: &Digest,
        bytes: u64,
    ) -> Result<()> {
        if !stamp.settled {
            return Ok(());
        }
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO external (path, kind, stat, digest, bytes) VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![
                path.to_string_lossy(),
                kind.name(),
                stamp.stat.as_bytes(),
                digest.as_bytes(),
                bytes.cast_signed(),
            ])?;
        Ok(())
    }

    /// What a run put at this path, which looks so now.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn published(&self, path: &Path, stamp: &Stamp) -> Result<Option<Published>> {
        let mut query = self.db.prepare_cached("SELECT digest, stat FROM published WHERE path = ?")?;
        let found = query.query_row([path.to_string_lossy()], |row| {
            let stat = row.get::<_, Option<Blob>>(1)?.map(|stat| stat.0);
            Ok(Published { digest: row.get::<_, Blob>(0)?.0, untouched: stat == Some(stamp.stat) })
        });
        Ok(found.optional()?)
    }

    /// Records that a run has put an artifact at this path, which looks so now.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn record_published(&mut self, path: &Path, digest: &Digest, stamp: &Stamp) -> Result<()> {
        let stat = stamp.settled.then(|| stamp.stat.as_bytes());
        self.db
            .prepare_cached("INSERT OR REPLACE INTO published (path, digest, stat) VALUES (?, ?, ?)")?
            .execute(params![path.to_string_lossy(), digest.as_bytes(), stat])?;
        Ok(())
    }
}
