//! What a file or folder is: its content digest, and the hash of each of its files.

use std::fs;
use std::io;
use std::path::Path;

use flow_plugin::{Digest, Kind};
use flow_store::FileEntry;

/// The content digest of an artifact, and what it consists of.
pub(crate) struct Identity {
    pub(crate) digest: Digest,
    pub(crate) files: Vec<FileEntry>,
    pub(crate) bytes: u64,
}

/// Reads an artifact of this kind and computes its digest.
pub(crate) fn of(kind: Kind, path: &Path) -> io::Result<Identity> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() != kind.is_folder() {
        let (wanted, found) = if kind.is_folder() { ("folder", "file") } else { ("file", "folder") };
        return Err(io::Error::other(format!("a {kind} is a {wanted}, and this is a {found}")));
    }
    let mut files = Vec::new();
    visit(path, String::new(), &mut files)?;
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    let digest = match files.as_slice() {
        [file] if file.path.is_empty() => file.hash,
        _ => {
            let mut hasher = blake3::Hasher::new();
            for file in &files {
                hasher.update(&(file.path.len() as u64).to_le_bytes()).update(file.path.as_bytes());
                hasher.update(file.hash.as_bytes());
            }
            hasher.finalize().into()
        }
    };
    let bytes = files.iter().map(|file| file.size).sum();
    Ok(Identity { digest, files, bytes })
}

fn visit(path: &Path, name: String, files: &mut Vec<FileEntry>) -> io::Result<()> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let child = entry.file_name().to_string_lossy().into_owned();
            let child = if name.is_empty() { child } else { format!("{name}/{child}") };
            visit(&entry.path(), child, files)?;
        }
    } else {
        let mut hasher = blake3::Hasher::new();
        hasher.update_mmap(path)?;
        files.push(FileEntry { path: name, size: metadata.len(), hash: hasher.finalize().into() });
    }
    Ok(())
}
