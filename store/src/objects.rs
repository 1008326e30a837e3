//! Placing files and folders under their digests, and finding them again.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use flow_artifact::Digest;
use flow_artifact::digest::FileHash;

use crate::disk::Disk;
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
pub(crate) fn place(disk: &dyn Disk, root: &Path, placements: &[Placement<'_>]) -> Result<()> {
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
                disk.sync_file(&file).map_err(io)?;
            }
        }
        if !many && placement.from.is_dir() {
            sync_folders(disk, placement.from)?;
        }
    }
    let sync_all = || disk.sync_all(root).map_err(|source| Error::io("cannot sync", root, source));
    if many {
        sync_all()?;
    }
    let mut changed = vec![objects.clone()];
    if !objects.is_dir() {
        changed.push(root.to_owned());
    }
    for placement in placements {
        let to = path(root, &placement.digest);
        let folder = to.parent().unwrap_or(&objects);
        let io = |source| Error::io("cannot store", &to, source);
        fs::create_dir_all(folder).map_err(io)?;
        remove(&to)?;
        disk.rename(placement.from, &to).map_err(io)?;
        if !changed.iter().any(|known| known == folder) {
            changed.push(folder.to_owned());
        }
    }
    if many { sync_all() } else { changed.iter().try_for_each(|folder| sync_folder(disk, folder)) }
}

fn sync_folder(disk: &dyn Disk, folder: &Path) -> Result<()> {
    disk.sync_folder(folder).map_err(|source| Error::io("cannot sync", folder, source))
}

fn sync_folders(disk: &dyn Disk, folder: &Path) -> Result<()> {
    let io = |source| Error::io("cannot read", folder, source);
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entry.file_type().map_err(io)?.is_dir() {
            sync_folders(disk, &entry.path())?;
        }
    }
    sync_folder(disk, folder)
}

/// The digest that the name of an object stands for: of its two-digit folder, and in there.
pub(crate) fn digest_of(shard: &str, name: &str) -> Option<Digest> {
    format!("{shard}{name}").parse().ok()
}

/// Takes objects away: they are moved aside at once, and removed later, which may take its time.
pub(crate) fn move_aside(root: &Path, path: &Path, trash: &Path) -> Result<()> {
    let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('/', "-");
    let io = |source| Error::io("cannot remove", path, source);
    fs::create_dir_all(trash).map_err(io)?;
    match fs::rename(path, trash.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io(error)),
        _ => Ok(()),
    }
}

/// The bytes in all files below a path; 0 where there is none.
pub(crate) fn bytes_below(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            entries.map(|entry| bytes_below(&entry.path())).sum()
        }
        Ok(found) => found.len(),
        Err(_) => 0,
    }
}

/// The number of files below a path.
fn files_below(path: &Path) -> usize {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            entries.map(|entry| files_below(&entry.path())).sum()
        }
        Ok(_) => 1,
        Err(_) => 0,
    }
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

/// What is wrong with an object, judged by all its bytes: the state, and which file.
pub(crate) fn verify(object: &Path, files: &[Recorded]) -> Result<(), (&'static str, String)> {
    let name =
        |entry: &FileHash| if entry.path.is_empty() { String::new() } else { format!("{}: ", entry.path) };
    for Recorded { entry, .. } in files {
        let file = if entry.path.is_empty() { object.to_owned() } else { object.join(&entry.path) };
        let Ok(metadata) = fs::metadata(&file) else {
            let whole = if entry.path.is_empty() || !object.exists() { "missing" } else { "damaged" };
            return Err((whole, format!("{}is not there", name(entry))));
        };
        if metadata.len() != entry.size {
            let (is, was) = (metadata.len(), entry.size);
            return Err(("damaged", format!("{}has {is} bytes, and had {was}", name(entry))));
        }
        match hash(&file) {
            Ok(hash) if hash == entry.hash => {}
            Ok(_) => return Err(("damaged", format!("{}has other bytes than were stored", name(entry)))),
            Err(error) => return Err(("damaged", format!("{}cannot be read: {error}", name(entry)))),
        }
    }
    let found = files_below(object);
    if found > files.len() {
        return Err(("damaged", format!("has {found} files, and had {}", files.len())));
    }
    Ok(())
}
