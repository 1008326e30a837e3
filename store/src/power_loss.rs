//! A disk that keeps only what it was told to keep, and loses power at any step.

#![allow(clippy::unwrap_used)]

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use flow_artifact::digest::FileHash;
use flow_artifact::{Digest, Kind};

use crate::disk::{Disk, System};
use crate::{
    Batch, Content, INLINE_LIMIT, NewArtifact, NewComputation, NewNode, NodeState, Recipe, RunStart, Store,
    Usage, objects,
};

/// What is on the platter, as far as syncs guarantee it. Files and folders are known by their inodes, so that
/// they may be moved.
#[derive(Default)]
struct Platter {
    contents: HashSet<u64>,
    /// What a name in a folder stands for.
    names: HashMap<(u64, OsString), u64>,
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).unwrap().ino()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

impl Platter {
    fn keep_names(&mut self, folder: &Path) {
        let id = inode(folder);
        self.names.retain(|(within, _), _| *within != id);
        for path in entries(folder) {
            self.names.insert((id, path.file_name().unwrap().to_owned()), inode(&path));
        }
    }

    fn keep_all(&mut self, folder: &Path) {
        self.keep_names(folder);
        for path in entries(folder) {
            if path.is_dir() {
                self.keep_all(&path);
            } else {
                self.contents.insert(inode(&path));
            }
        }
    }

    /// Whether after a loss of power this file or folder would be there under its name, with all its bytes.
    fn has(&self, root: &Path, path: &Path) -> bool {
        let named = path.exists()
            && path.ancestors().take_while(|path| *path != root).all(|path| {
                let name = (inode(path.parent().unwrap()), path.file_name().unwrap().to_owned());
                self.names.get(&name) == Some(&inode(path))
            });
        named
            && if path.is_dir() {
                entries(path).iter().all(|entry| self.has(root, entry))
            } else {
                self.contents.contains(&inode(path))
            }
    }
}

/// How a disk may cheat.
#[derive(Clone, Copy, PartialEq)]
enum Cheat {
    No,
    Contents,
    Names,
    All,
}

struct Fragile {
    platter: Arc<Mutex<Platter>>,
    /// Steps until the power goes.
    left: Arc<Mutex<usize>>,
    cheat: Cheat,
}

impl Fragile {
    fn step(&self) -> io::Result<()> {
        let mut left = self.left.lock().unwrap();
        if *left == 0 {
            return Err(io::Error::other("the power is gone"));
        }
        *left -= 1;
        Ok(())
    }
}

impl Disk for Fragile {
    fn sync_file(&self, file: &Path) -> io::Result<()> {
        self.step()?;
        if self.cheat != Cheat::Contents {
            self.platter.lock().unwrap().contents.insert(inode(file));
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step()?;
        if self.cheat != Cheat::Names {
            self.platter.lock().unwrap().keep_names(folder);
        }
        Ok(())
    }

    fn sync_all(&self, folder: &Path) -> io::Result<()> {
        self.step()?;
        if self.cheat != Cheat::All {
            self.platter.lock().unwrap().keep_all(folder);
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        System.rename(from, to)
    }
}

/// Commits one node that puts out a large file and a folder of so many files, to a disk whose power goes after
/// so many steps. Gives whether the key is named, whether all it names would survive, and the steps taken.
fn commit(files: usize, steps: usize, cheat: Cheat) -> (bool, bool, usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join(".flow")).unwrap();
    let platter = Arc::new(Mutex::new(Platter::default()));
    let left = Arc::new(Mutex::new(steps));
    store.disk = Box::new(Fragile { platter: platter.clone(), left: left.clone(), cheat });
    // The store's folder and the index are SQLite's to keep.
    store.start_run(&run()).unwrap();

    let scratch = store.scratch("r");
    fs::create_dir_all(scratch.join("many/deep")).unwrap();
    let write = |path: &str, bytes: &[u8], within: &str| {
        fs::write(scratch.join(path), bytes).unwrap();
        FileHash { path: within.into(), size: bytes.len() as u64, hash: Digest::of(bytes) }
    };
    let big = vec![1; INLINE_LIMIT as usize + 1];
    let one = write("one", &big, "");
    let many =
        (0..files).map(|i| write(&format!("many/deep/{i}"), &[i as u8], &format!("deep/{i}"))).collect();
    let artifact = |digest: Digest, kind, path: &str, files: Vec<FileHash>| NewArtifact {
        digest,
        kind,
        bytes: files.iter().map(|file| file.size).sum(),
        content: Content::Object { path: scratch.join(path), files },
    };
    let (first, second) = (one.hash, Digest::of(b"folder"));
    let outputs = vec![
        ("one".into(), artifact(first, Kind::File, "one", vec![one])),
        ("many".into(), artifact(second, Kind::Folder, "many", many)),
    ];
    let key = Digest::of(b"key");
    let mut batch = Batch::default();
    let computation = NewComputation {
        key,
        family: None,
        cost: Usage::default(),
        plugin: "p 1".into(),
        inputs: vec![],
        outputs,
    };
    batch.push(node(key), Some(computation));
    let committed = store.commit("r", &batch);

    let named = store.lookup(&key).unwrap().is_some();
    assert_eq!(named, committed.is_ok());
    let platter = platter.lock().unwrap();
    let root = store.root();
    let survives = [first, second].iter().all(|digest| platter.has(root, &objects::path(root, digest)));
    let taken = steps - *left.lock().unwrap();
    (named, survives, taken)
}

#[test]
fn an_object_is_durable_before_a_key_names_it() {
    // Few files are synced one by one, many by one sync of the file system.
    for files in [2, 40] {
        let (named, survives, steps) = commit(files, usize::MAX, Cheat::No);
        assert!(named && survives && steps > 3, "{files} files in {steps} steps");
        // The power goes before any of the steps: then the key is not named, whatever lies on the disk.
        for last in 0..steps {
            let (named, ..) = commit(files, last, Cheat::No);
            assert!(!named, "{files} files: named after {last} of {steps} steps");
        }
        assert!(commit(files, steps, Cheat::No).0, "the key is named after the last step");
    }
}

#[test]
fn a_sync_left_out_would_be_noticed() {
    for (files, cheat) in [(2, Cheat::Contents), (2, Cheat::Names), (40, Cheat::All)] {
        let (named, survives, _) = commit(files, usize::MAX, cheat);
        assert!(named && !survives);
    }
}

fn run() -> RunStart {
    RunStart {
        id: "r".into(),
        workflow: "w".into(),
        file: "w.yaml".into(),
        source: String::new(),
        params: serde_json::Map::new(),
        command: "run".into(),
        machine: crate::Machine::default(),
        engine: "0".into(),
        started: 1.0,
    }
}

fn node(key: Digest) -> NewNode {
    let recipe = Recipe {
        digest: Digest::of(b"recipe"),
        operation: "demo/text".into(),
        version: 1,
        params: "{}".into(),
        seed: 0,
    };
    NewNode {
        position: 0,
        name: "n".into(),
        stage: "n".into(),
        recipe,
        key: Some(key),
        state: NodeState::Succeeded,
        cached: false,
        reason: String::new(),
        error: None,
        attempts: 1,
        started: 1.0,
        finished: 2.0,
        usage: Usage::default(),
        series: vec![],
        logs: vec![],
    }
}
