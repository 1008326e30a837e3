//! Files and folders outside the store that nodes read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use flow_plugin::artifact::digest;
use flow_plugin::{Digest, Kind};
use flow_store::{Stamp, Store};

/// Digests of external inputs: each is looked at once, and hashed only if its stat has changed since the
/// store last saw it.
#[derive(Default)]
pub(crate) struct Externals {
    seen: HashMap<(PathBuf, Kind), Seen>,
}

struct Seen {
    digest: Digest,
    stamp: Stamp,
}

impl Externals {
    /// The digest of an external input.
    pub(crate) fn digest(&mut self, store: &Store, path: &Path, kind: Kind) -> Result<Digest, String> {
        let id = (path.to_owned(), kind);
        if let Some(seen) = self.seen.get(&id) {
            return Ok(seen.digest);
        }
        // The stamp is taken before reading: a change in between is then noticed the next time.
        let stamp = Stamp::of(path).map_err(|error| error.to_string())?;
        let remembered = store.remembered(path, kind, &stamp).map_err(|error| error.to_string())?;
        let digest = match remembered {
            Some((digest, _)) => digest,
            None => {
                let found =
                    digest::of(kind, path).map_err(|error| format!("not a readable {kind}: {error}"))?;
                let remember = store.remember(path, kind, &stamp, &found.digest, found.bytes);
                remember.map_err(|error| error.to_string())?;
                found.digest
            }
        };
        self.seen.insert(id, Seen { digest, stamp });
        Ok(digest)
    }

    /// Whether an external input still has the content it had when it was first looked at.
    pub(crate) fn is_unchanged(&self, path: &Path, kind: Kind) -> bool {
        let Some(seen) = self.seen.get(&(path.to_owned(), kind)) else { return true };
        Stamp::of(path).is_ok_and(|stamp| stamp.same_stat(&seen.stamp))
            || digest::of(kind, path).is_ok_and(|found| found.digest == seen.digest)
    }
}
