//! What a plugin offers, as it was told the last time.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flow_plugin::Digest;
use flow_plugin::protocol::PluginInfo;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Described {
    files: Vec<Looked>,
    info: PluginInfo,
}

/// How a file looked when the plugin was asked.
#[derive(Serialize, Deserialize)]
struct Looked {
    path: PathBuf,
    stat: [i64; 6],
    /// It had been left alone long enough for its time stamps to tell any later change.
    settled: bool,
    content: Digest,
}

/// As for files outside the store: some file systems count whole seconds, some two.
const SETTLED: Duration = Duration::from_secs(3);

impl Looked {
    fn at(path: &Path) -> Option<Self> {
        let stat = stat(path)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let limit = i64::try_from(now.saturating_sub(SETTLED).as_secs()).unwrap_or(0);
        let content = Digest::of(&fs::read(path).ok()?);
        Some(Self { path: path.to_owned(), stat, settled: stat[2].max(stat[4]) < limit, content })
    }

    fn is_the_same(&self) -> bool {
        let same_stat = stat(&self.path).is_some_and(|stat| stat == self.stat);
        same_stat && self.settled
            || fs::read(&self.path).is_ok_and(|bytes| Digest::of(&bytes) == self.content)
    }
}

/// Length, inode, times of modification and of change.
fn stat(path: &Path) -> Option<[i64; 6]> {
    let found = fs::metadata(path).ok()?;
    let (length, inode) = (found.len().cast_signed(), found.ino().cast_signed());
    Some([length, inode, found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()])
}

/// What the plugin told, if none of its files has changed since, and the digest of the first of them.
pub(super) fn recall(path: &Path) -> Option<(PluginInfo, Option<Digest>)> {
    let described: Described = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    let first = described.files.first().map(|file| file.content);
    described.files.iter().all(Looked::is_the_same).then_some((described.info, first))
}

/// Keeps what the plugin told, beside its files and those of its own that it names; gives the digest of the first. A
/// store that cannot be written to costs a start of the plugin each time, and nothing else.
pub(super) fn remember(path: &Path, info: &PluginInfo, files: &[PathBuf]) -> Option<Digest> {
    let files: Vec<Looked> =
        files.iter().chain(&info.files).map(|file| Looked::at(file)).collect::<Option<_>>()?;
    let first = files.first().map(|file| file.content);
    let described = Described { files, info: info.clone() };
    if let Ok(text) = serde_json::to_vec_pretty(&described) {
        put(path, &text);
    }
    first
}

/// Writes a file whole or not at all.
pub(super) fn put(path: &Path, text: &[u8]) {
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&temporary, text))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What cannot be removed was not written either.
        let _ = fs::remove_file(&temporary);
    }
}
