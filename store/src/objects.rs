//! Placing files and folders under their digests, and finding them again.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use flow_artifact::Digest;
use flow_artifact::digest::FileHash;

use crate::{Error, Result};

/// From this many files on, one sync of the whole file system is cheaper than one each.
const SYNC_ALL_FROM: usize = 16;

/// The path of an object.
pub(crate) fn path(root: &Path, digest: &Digest) -> PathBuf {
    sharded(&root.join("objects"), digest)
}

/// The path of the copy of a small artifact.
pub(crate) fn unpacked(root: &Path, digest: &Digest) -> PathBuf {
    root.join("unpacked").join(digest.to_string())
}

fn sharded(folder: &Path, digest: &Digest) -> PathBuf {
    let name = digest.to_string();
    folder.join(&name[..2]).join(&name[2..])
}

/// One file or folder to move into place.
pub(crate) struct Placement<'a> {
    pub(crate) digest: Digest,
    pub(crate) from: &'a Path,
    pub(crate) files: &'a [FileHash],
}

impl Placement<'_> {
    fn file(&self, entry: &FileHash) -> PathBuf {
        if entry.path.is_empty() { self.from.to_owned() } else { self.from.join(&entry.path) }
    }
}

/// Moves objects into place: all files are made read only and synced, then each object is renamed, then the
/// folders that now name them are synced. What was under the name before is replaced.
pub(crate) fn place(root: &Path, placements: &[Placement<'_>]) -> Result<()> {
    if placements.is_empty() {
        return Ok(());
    }
    let objects = root.join("objects");
    let many = placements.iter().map(|p| p.files.len()).sum::<usize>() >= SYNC_ALL_FROM;
    for placement in placements {
        for entry in placement.files {
            let file = placement.file(entry);
            let io = |source| Error::io("cannot store", &file, source);
            fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).map_err(io)?;
            if !many {
                File::open(&file).and_then(|file| file.sync_all()).map_err(io)?;
            }
        }
        if !many && placement.from.is_dir() {
            sync_folders(placement.from)?;
        }
    }
    if many {
        sync_all(root)?;
    }
    let mut changed = vec![objects.clone()];
    for placement in placements {
        let to = path(root, &placement.digest);
        let folder = to.parent().unwrap_or(&objects);
        let io = |source| Error::io("cannot store", &to, source);
        fs::create_dir_all(folder).map_err(io)?;
        remove(&to)?;
        fs::rename(placement.from, &to).map_err(io)?;
        if !changed.iter().any(|known| known == folder) {
            changed.push(folder.to_owned());
        }
    }
    if many { sync_all(root) } else { changed.iter().try_for_each(|folder| sync_folder(folder)) }
}

fn sync_folder(folder: &Path) -> Result<()> {
    let io = |source| Error::io("cannot sync", folder, source);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)
}

fn sync_folders(folder: &Path) -> Result<()> {
    let io = |source| Error::io("cannot read", folder, source);
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entry.file_type().map_err(io)?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(folder)
}

#[cfg(target_os = "linux")]
fn sync_all(root: &Path) -> Result<()> {
    let io = |source| Error::io("cannot sync", root, source);
    let folder = File::open(root).map_err(io)?;
    nix::unistd::syncfs(folder).map_err(|errno| io(errno.into()))
}

#[cfg(not(target_os = "linux"))]
fn sync_all(_: &Path) -> Result<()> {
    nix::unistd::sync();
    Ok(())
}

/// Removes a file or a folder, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("cannot remove", path, error)),
        _ => Ok(()),
    }
}

/// When a file was last changed, in nanoseconds since 1970.
pub(crate) fn modified(metadata: &fs::Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// The hash of a file's bytes.
pub(crate) fn hash(file: &Path) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_mmap(file)?;
    Ok(hasher.finalize().into())
}

/// A recorded file of an object: what it was, and when it was placed.
pub(crate) struct Recorded {
    pub(crate) entry: FileHash,
    pub(crate) modified: i64,
}

/// Whether an object is still what was placed: sizes and times are compared, and bytes where times differ.
pub(crate) fn intact(object: &Path, files: &[Recorded]) -> Result<(), &'static str> {
    for Recorded { entry, modified: placed } in files {
        let file = if entry.path.is_empty() { object.to_owned() } else { object.join(&entry.path) };
        let Ok(metadata) = fs::metadata(&file) else { return Err("missing") };
        let same = metadata.len() == entry.size
            && (modified(&metadata) == *placed || hash(&file).is_ok_and(|hash| hash == entry.hash));
        if !same {
            return Err("damaged");
        }
    }
    Ok(())
}
