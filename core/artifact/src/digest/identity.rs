//! The content digest of an artifact, and the hashes of its files.
//!
//! Files are read, not mapped into memory: an external input may be cut short by its owner while it is being
//! hashed, which must be an error and not the end of the process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use blake3::Hasher;
use rayon::prelude::*;

use super::Digest;
use crate::dataset::Dataset;
use crate::{Error, Kind, Result, figure, json, metrics, model, table};

/// What an artifact is, by content and by files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The content digest: equal content gives an equal digest, however it is laid out in files.
    pub digest: Digest,
    /// The files, sorted by path: their bytes, for integrity.
    pub files: Vec<FileHash>,
    /// Bytes in all files.
    pub bytes: u64,
}

/// The bytes of one file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHash {
    /// The path within the artifact, with `/` between folders; empty when the artifact is one file.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Their BLAKE3 hash.
    pub hash: Digest,
}

/// Identifies what lies at a path, and checks that it really is of this kind.
///
/// | kind | what the digest covers |
/// | --- | --- |
/// | file | the bytes: it is their plain BLAKE3 hash |
/// | folder | relative paths and bytes |
/// | dataset | attributes, and for each variable name, element type, dimensions, shape, units and values; neither chunks nor `long_name` |
/// | model | for each tensor name, element type, shape and values; the configuration as a JSON value |
/// | metrics | the JSON value: neither the order of members nor white space |
/// | table | the bytes of the Parquet file |
/// | figure | names and bytes |
///
/// Digests of different kinds never coincide.
///
/// # Errors
/// When something cannot be read, or is not of this kind.
pub fn of(kind: Kind, path: &Path) -> Result<Identity> {
    match kind {
        Kind::File => file(path),
        Kind::Table => table::check(path).and_then(|()| tagged(path, "flow table 1", None)),
        Kind::Metrics => {
            let value = metrics::read_metrics(path)?;
            tagged(path, "flow metrics 1", Some(json::canonical(value.into())))
        }
        Kind::Folder => folder(path, FOLDER),
        Kind::Figure => figure::Figures::open(path).and_then(|_| folder(path, "flow figure 1")),
        Kind::Model => of_model(path),
        Kind::Dataset => of_dataset(path),
    }
}

/// The digest of an entry of a folder, from the folder's files: what [`of`] gives for the entry's path. `None` where
/// that takes more than bytes; inside, `None` if there is no such entry of this kind.
#[must_use]
#[allow(clippy::option_option, reason = "not to be told, and not there, are two answers")]
pub fn entry(kind: Kind, files: &[FileHash], name: &str) -> Option<Option<Digest>> {
    match kind {
        Kind::File => Some(files.iter().find(|file| file.path == name).map(|file| file.hash)),
        Kind::Folder => {
            let mut hasher = Hasher::new_derive_key(FOLDER);
            let mut found = false;
            for file in files {
                let below = file.path.strip_prefix(name).and_then(|rest| rest.strip_prefix('/'));
                if let Some(below) = below {
                    found = true;
                    text(&mut hasher, below);
                    hasher.update(file.hash.as_bytes());
                }
            }
            Some(found.then(|| hasher.finalize().into()))
        }
        _ => None,
    }
}

/// What the digests of folders begin with.
const FOLDER: &str = "flow folder 1";

fn file(path: &Path) -> Result<Identity> {
    if path.is_dir() {
        return Err(Error::invalid(path, "is a folder, not a file"));
    }
    let mut hasher = Hasher::new();
    let bytes = hash_file(path, &mut [&mut hasher])?;
    let digest = hasher.finalize().into();
    Ok(Identity { digest, files: vec![FileHash { path: String::new(), size: bytes, hash: digest }], bytes })
}

/// A single file of some other kind than `file`: by its canonical content or, without one, by its bytes.
fn tagged(path: &Path, tag: &str, canonical: Option<String>) -> Result<Identity> {
    let mut identity = file(path)?;
    let mut hasher = Hasher::new_derive_key(tag);
    match canonical {
        Some(text) => hasher.update(text.as_bytes()),
        None => hasher.update(identity.digest.as_bytes()),
    };
    identity.digest = hasher.finalize().into();
    Ok(identity)
}

fn folder(path: &Path, tag: &str) -> Result<Identity> {
    let files = hash_all(path)?;
    let mut hasher = Hasher::new_derive_key(tag);
    for FileHash { path, hash, .. } in &files {
        text(&mut hasher, path);
        hasher.update(hash.as_bytes());
    }
    Ok(identity(&hasher, files))
}

fn of_model(path: &Path) -> Result<Identity> {
    let (weights, config) = model::read_files(path)?;
    let mut hasher = Hasher::new_derive_key("flow model 1");
    text(&mut hasher, &json::canonical(config));
    for (name, view) in model::parse(path, &weights)? {
        text(&mut hasher, &name);
        text(&mut hasher, &view.dtype().to_string());
        lengths(&mut hasher, view.shape());
        hasher.update_rayon(view.data());
    }
    Ok(identity(&hasher, hash_all(path)?))
}

fn of_dataset(path: &Path) -> Result<Identity> {
    let dataset = Dataset::open(path)?;
    let mut hasher = Hasher::new_derive_key("flow dataset 1");
    if !dataset.attributes().is_empty() {
        // Operations may read attributes, so results may depend on them.
        text(&mut hasher, &json::canonical(dataset.attributes().clone().into()));
    }
    let mut chunks = BTreeMap::new();
    for (at, variable) in dataset.variables().iter().enumerate() {
        text(&mut hasher, &variable.name);
        text(&mut hasher, variable.dtype.name());
        lengths(&mut hasher, &variable.shape);
        variable.dims.iter().for_each(|dim| text(&mut hasher, dim));
        text(&mut hasher, &variable.units);
        for (chunk, values) in dataset.chunks(at) {
            let hash = hash_chunk(&chunk, values as u64, dataset.chunk_bytes(at) as u64, &mut hasher)?;
            chunks.insert(chunk, hash);
        }
    }
    let files = list(path)?
        .into_iter()
        .map(|name| match chunks.remove(&path.join(&name)) {
            Some((size, hash)) => Ok(FileHash { path: name, size, hash }),
            None => hash_one(path, name),
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(identity(&hasher, files))
}

/// Feeds the values of a chunk into `content` and hashes the file beside, reading it once.
fn hash_chunk(path: &Path, values: u64, size: u64, content: &mut Hasher) -> Result<(u64, Digest)> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let actual = file.metadata().map_err(Error::io("read", path))?.len();
    if actual != size {
        return Err(Error::invalid(path, format!("has {actual} bytes instead of {size}")));
    }
    let mut whole = Hasher::new();
    feed(&mut file, values, &mut [content, &mut whole]).map_err(Error::io("read", path))?;
    feed(&mut file, size - values, &mut [&mut whole]).map_err(Error::io("read", path))?;
    Ok((size, whole.finalize().into()))
}

fn identity(hasher: &Hasher, files: Vec<FileHash>) -> Identity {
    let bytes = files.iter().map(|file| file.size).sum();
    Identity { digest: hasher.finalize().into(), files, bytes }
}

fn hash_all(folder: &Path) -> Result<Vec<FileHash>> {
    list(folder)?.into_iter().map(|name| hash_one(folder, name)).collect()
}

fn hash_one(folder: &Path, name: String) -> Result<FileHash> {
    let mut hasher = Hasher::new();
    let size = hash_file(&folder.join(&name), &mut [&mut hasher])?;
    Ok(FileHash { path: name, size, hash: hasher.finalize().into() })
}

fn hash_file(path: &Path, hashers: &mut [&mut Hasher]) -> Result<u64> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    feed(&mut file, size, hashers).map_err(Error::io("read", path))?;
    Ok(size)
}

/// Feeds the next `bytes` bytes of a file into every hasher.
fn feed(file: &mut File, mut bytes: u64, hashers: &mut [&mut Hasher]) -> std::io::Result<()> {
    /// Large enough for all cores to take part, small enough to stay in the cache.
    const BLOCK: usize = 2 << 20;
    /// Below this, handing work to other threads costs more than it saves.
    const PARALLEL: usize = 256 << 10;
    let length = |left: &mut u64| {
        let now = usize::try_from(*left).unwrap_or(BLOCK).min(BLOCK);
        *left -= now as u64;
        now
    };
    let now = length(&mut bytes);
    let mut block = vec![0; now];
    file.read_exact(&mut block)?;
    if now < PARALLEL {
        for hasher in hashers.iter_mut() {
            hasher.update(&block);
        }
        return Ok(());
    }
    // While a block is hashed, the next one is read.
    let mut next = vec![0; bytes.min(BLOCK as u64) as usize];
    while !block.is_empty() {
        next.resize(length(&mut bytes), 0);
        let hash = |hasher: &mut &mut Hasher| {
            hasher.update_rayon(&block);
        };
        let (read, ()) = rayon::join(|| file.read_exact(&mut next), || hashers.par_iter_mut().for_each(hash));
        read?;
        std::mem::swap(&mut block, &mut next);
    }
    Ok(())
}

/// A text with its length in front, so that no two sequences of texts look alike.
fn text(hasher: &mut Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

fn lengths(hasher: &mut Hasher, shape: &[usize]) {
    hasher.update(&(shape.len() as u64).to_le_bytes());
    for &n in shape {
        hasher.update(&(n as u64).to_le_bytes());
    }
}

/// The files below a folder, as relative paths with `/`, sorted.
pub(crate) fn list(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((path, prefix)) = folders.pop() {
        for entry in fs::read_dir(&path).map_err(Error::io("read", &path))? {
            let entry = entry.map_err(Error::io("read", &path))?;
            let path = entry.path();
            let name = entry.file_name().into_string().map_err(|_| not_text(&path))?;
            let kind = entry.file_type().map_err(Error::io("read", &path))?;
            if kind.is_dir() {
                folders.push((path, format!("{prefix}{name}/")));
            } else if kind.is_file() {
                files.push(format!("{prefix}{name}"));
            } else {
                let problem = "is neither a file nor a folder; an artifact cannot hold links or devices";
                return Err(Error::invalid(&path, problem));
            }
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn not_text(path: &Path) -> Error {
    Error::invalid(path, "has a name that is not valid UTF-8")
}
