//! The store from outside: what is committed can be read again, what is damaged is noticed, and two users at
//! once share.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use flow_artifact::digest::FileHash;
use flow_artifact::{Digest, Kind};
use flow_store::{
    Batch, Claim, Content, Error, INLINE_LIMIT, InputRecord, Keep, LogRecord, Machine, NewArtifact,
    NewComputation, NewNode, NodeState, Policy, Recipe, RunEnd, RunStart, RunStatus, Stamp, Store, Usage,
};
use proptest::prelude::*;
use serde_json::{Map, json};

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join(".flow")).unwrap();
    (folder, store)
}

fn start(id: &str) -> RunStart {
    RunStart {
        id: id.into(),
        workflow: "w".into(),
        file: "w.yaml".into(),
        source: "flow: 1\n".into(),
        params: Map::from_iter([("n".to_owned(), json!(3))]),
        command: "run w.yaml".into(),
        machine: Machine { host: "h".into(), cpu: "c".into(), cores: 2 },
        engine: "0.1.0".into(),
        started: 10.0,
    }
}

fn node(position: usize, key: Option<Digest>, state: NodeState) -> NewNode {
    NewNode {
        position,
        name: format!("n{position}"),
        stage: "n".into(),
        recipe: Recipe {
            digest: Digest::of(format!("recipe {position}").as_bytes()),
            operation: "demo/text".into(),
            version: 1,
            params: json!({ "text": position }).to_string(),
            seed: u64::MAX,
        },
        key,
        state,
        cached: false,
        reason: "never computed".into(),
        error: None,
        attempts: 1,
        started: 11.0,
        finished: 12.0,
        usage: Usage { cpu_s: 0.5, wall_s: 1.0, peak_rss: 1 << 20 },
        series: vec![("loss".into(), 1, 0.5), ("loss".into(), 2, f64::NAN)],
        logs: vec![LogRecord { at: 11.5, level: "warning".into(), message: "hello".into() }],
    }
}

fn computation(key: Digest, outputs: Vec<(String, NewArtifact)>) -> NewComputation {
    let inputs =
        vec![InputRecord { port: "x".into(), index: 0, digest: Digest::of(b"in"), from: "a.x".into() }];
    let cost = Usage { cpu_s: 0.5, wall_s: 1.0, peak_rss: 1 << 20 };
    NewComputation { key, family: None, cost, plugin: "demo 0.1.0".into(), inputs, outputs }
}

/// An artifact of these bytes, as a worker would have left it in scratch.
fn artifact(store: &Store, bytes: &[u8]) -> NewArtifact {
    let digest = Digest::of(bytes);
    let content = if (bytes.len() as u64) < INLINE_LIMIT {
        Content::Inline(bytes.to_vec())
    } else {
        let path = store.root().join("scratch").join(digest.short());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let file = FileHash { path: String::new(), size: bytes.len() as u64, hash: digest };
        Content::Object { path, files: vec![file] }
    };
    NewArtifact { digest, kind: Kind::File, bytes: bytes.len() as u64, content }
}

fn commit(store: &mut Store, run: &str, position: usize, bytes: &[u8]) -> (Digest, Digest) {
    let key = Digest::of(format!("key {position}").as_bytes());
    let output = artifact(store, bytes);
    let digest = output.digest;
    let mut batch = Batch::default();
    let computation = computation(key, vec![("out".into(), output)]);
    batch.push(node(position, Some(key), NodeState::Succeeded), Some(computation));
    store.commit(run, &batch).unwrap();
    (key, digest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Sizes on both sides of the limit for keeping artifacts in the index.
    #[test]
    fn what_is_committed_can_be_read_again(sizes in prop::collection::vec(0usize..40_000, 1..6)) {
        let (folder, mut store) = store();
        store.start_run(&start("r")).unwrap();
        let contents: Vec<Vec<u8>> =
            sizes.iter().enumerate().map(|(i, n)| (0..*n).map(|j| (i + j) as u8).collect()).collect();
        for (i, bytes) in contents.iter().enumerate() {
            commit(&mut store, "r", i, bytes);
        }
        let store = Store::open(&folder.path().join(".flow")).unwrap();
        for (i, bytes) in contents.iter().enumerate() {
            let hit = store.lookup(&Digest::of(format!("key {i}").as_bytes())).unwrap().unwrap();
            prop_assert_eq!(hit.outputs.len(), 1);
            prop_assert_eq!(hit.outputs[0].bytes, bytes.len() as u64);
            let path = store.artifact_path(&hit.outputs[0].digest).unwrap();
            prop_assert_eq!(&fs::read(path).unwrap(), bytes);
        }
    }
}

#[test]
fn a_damaged_object_is_noticed_and_replaced() {
    let (_folder, mut store) = store();
    store.start_run(&start("r")).unwrap();
    let bytes = vec![7; 20_000];
    let (_, digest) = commit(&mut store, "r", 0, &bytes);
    let path = store.artifact_path(&digest).unwrap();
    assert!(fs::metadata(&path).unwrap().permissions().readonly());

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&path, vec![8; 20_000]).unwrap();
    let damaged = store.artifact_path(&digest).unwrap_err();
    assert!(matches!(damaged, Error::Unavailable { state: "damaged", .. }), "{damaged}");

    commit(&mut store, "r", 0, &bytes);
    assert_eq!(fs::read(store.artifact_path(&digest).unwrap()).unwrap(), bytes);

    fs::remove_file(&path).unwrap();
    let missing = store.artifact_path(&digest).unwrap_err();
    assert!(matches!(missing, Error::Unavailable { state: "missing", .. }), "{missing}");
}

#[test]
fn a_touched_object_is_still_good() {
    let (_folder, mut store) = store();
    store.start_run(&start("r")).unwrap();
    let (_, digest) = commit(&mut store, "r", 0, &vec![7; 20_000]);
    let path = store.artifact_path(&digest).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&path, vec![7; 20_000]).unwrap();
    assert_eq!(store.artifact_path(&digest).unwrap(), path);
}

#[test]
fn a_damaged_copy_of_a_small_artifact_is_written_anew() {
    let (_folder, mut store) = store();
    store.start_run(&start("r")).unwrap();
    let (_, digest) = commit(&mut store, "r", 0, b"small");
    let path = store.artifact_path(&digest).unwrap();
    fs::write(&path, b"other").unwrap();
    assert_eq!(fs::read(store.artifact_path(&digest).unwrap()).unwrap(), b"small");
}

#[test]
fn a_folder_is_one_object() {
    let (_folder, mut store) = store();
    store.start_run(&start("r")).unwrap();
    let path = store.root().join("scratch/data");
    fs::create_dir_all(path.join("x")).unwrap();
    let mut files = Vec::new();
    for name in ["a", "x/b"] {
        fs::write(path.join(name), name).unwrap();
        files.push(FileHash {
            path: name.into(),
            size: name.len() as u64,
            hash: Digest::of(name.as_bytes()),
        });
    }
    let digest = Digest::of(b"data");
    let content = Content::Object { path, files };
    let output = NewArtifact { digest, kind: Kind::Folder, bytes: 4, content };
    let key = Digest::of(b"key");
    let mut batch = Batch::default();
    batch
        .push(node(0, Some(key), NodeState::Succeeded), Some(computation(key, vec![("out".into(), output)])));
    store.commit("r", &batch).unwrap();
    let object = store.artifact_path(&digest).unwrap();
    assert_eq!(fs::read_to_string(object.join("x/b")).unwrap(), "x/b");
    fs::remove_file(object.join("x/b")).unwrap();
    assert!(store.artifact_path(&digest).is_err());
}

#[test]
fn an_object_that_no_row_names_does_no_harm() {
    // A crash after the object was placed and before the transaction.
    let (_folder, mut store) = store();
    store.start_run(&start("r")).unwrap();
    let bytes = vec![3; 30_000];
    let digest = Digest::of(&bytes).to_string();
    let object = store.root().join("objects").join(&digest[..2]).join(&digest[2..]);
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    fs::write(&object, b"torn").unwrap();
    let (_, digest) = commit(&mut store, "r", 0, &bytes);
    assert_eq!(fs::read(store.artifact_path(&digest).unwrap()).unwrap(), bytes);
}

#[test]
fn records_come_back_as_they_went_in() {
    let (_folder, mut store) = store();
    let lock = store.lock_run("r1").unwrap().unwrap();
    store.start_run(&start("r1")).unwrap();
    let (key, digest) = commit(&mut store, "r1", 0, b"x");
    let mut failed = Batch::default();
    failed.push(NewNode { error: Some("why".into()), ..node(1, None, NodeState::Failed) }, None);
    store.commit("r1", &failed).unwrap();
    assert_eq!(store.run("r1").unwrap().unwrap().status, RunStatus::Running);

    let nodes = store.nodes("r1").unwrap();
    assert_eq!((nodes[0].key, nodes[0].seed, nodes[0].version), (Some(key), u64::MAX, 1));
    assert_eq!(nodes[0].params, json!({ "text": 0 }));
    assert_eq!(nodes[0].outputs[0].digest, digest);
    assert_eq!(nodes[0].inputs[0].from, "a.x");
    assert_eq!(nodes[1].error.as_deref(), Some("why"));
    assert_eq!(store.nodes_at("r1", &[1]).unwrap(), nodes[1..]);
    assert_eq!(store.nodes_at("r1", &[0, 1, 7]).unwrap(), nodes);
    let outlines = store.node_outlines("r1").unwrap();
    for (outline, node) in outlines.iter().zip(&nodes) {
        let size = node.outputs.iter().map(|output| output.bytes).sum();
        assert_eq!((&outline.name, outline.state, outline.bytes), (&node.name, node.state, size));
        assert_eq!(
            (outline.usage.wall_s, outline.cost, &outline.error),
            (node.wall_s, node.cost, &node.error)
        );
    }
    assert_eq!(outlines.len(), 2);
    let series = store.series("r1", "n0").unwrap();
    assert_eq!(series[0].1[0], (1, 0.5));
    assert!(series[0].1[1].1.is_nan());
    assert_eq!(store.logs("r1", "n0").unwrap()[0].message, "hello");
    let producer = store.producer(&digest).unwrap().unwrap();
    assert_eq!((producer.run.as_str(), producer.node.as_str(), producer.port.as_str()), ("r1", "n0", "out"));
    assert_eq!(store.artifacts_like(&digest.short()).unwrap(), [digest]);

    // A second run finds the result: its node has the series of the run that computed it.
    store.start_run(&start("r2")).unwrap();
    let mut cached = Batch::default();
    let record =
        NewNode { cached: true, series: vec![], logs: vec![], ..node(0, Some(key), NodeState::Succeeded) };
    cached.push(record, None);
    store.commit("r2", &cached).unwrap();
    assert_eq!(store.series("r2", "n0").unwrap()[0].1.len(), 2);
    let all = store.all_series("r2").unwrap();
    assert_eq!((all.len(), all["n0"][0].0.as_str(), all["n0"][0].1.len()), (1, series[0].0.as_str(), 2));
    assert_eq!(store.all_warnings("r2").unwrap()["n0"], ["hello"]);
    let end = RunEnd {
        status: RunStatus::Succeeded,
        finished: 20.0,
        executed: 0,
        cached: 1,
        failed: 0,
        skipped: 0,
    };
    store.finish_run("r2", &end).unwrap();
    assert_eq!(store.latest_run("w").unwrap().unwrap().start, start("r2"));
    assert_eq!(store.latest_run("other").unwrap(), None);

    drop(lock);
    assert_eq!(store.run("r1").unwrap().unwrap().status, RunStatus::Died);
}

#[test]
fn the_longest_shorter_computation_is_found() {
    let (_folder, mut store) = store();
    store.start_run(&start("r")).unwrap();
    let family = Digest::of(b"family");
    for (i, extent) in [10, 20, 40].into_iter().enumerate() {
        let key = Digest::of(&[i as u8]);
        let computation = NewComputation {
            family: Some((family, extent)),
            cost: Usage { wall_s: extent as f64, ..Usage::default() },
            ..computation(key, vec![])
        };
        let mut batch = Batch::default();
        batch.push(node(i, Some(key), NodeState::Succeeded), Some(computation));
        store.commit("r", &batch).unwrap();
    }
    assert_eq!(store.shorter(&family, 30).unwrap(), None, "no state was kept");
    for extent in [10, 20, 40] {
        fs::create_dir_all(store.state(&family, extent)).unwrap();
    }
    let found = store.shorter(&family, 30).unwrap().unwrap();
    assert_eq!((found.extent, found.state.clone()), (20, store.state(&family, 20)));
    assert_eq!(found.cost.wall_s, 20.0, "what it cost in all, not what the node took in that run");
    fs::remove_dir_all(found.state).unwrap();
    assert_eq!(store.shorter(&family, 30).unwrap().unwrap().extent, 10, "the next one, if one is gone");
    assert_eq!(store.shorter(&family, 10).unwrap(), None);
}

#[test]
fn a_name_is_one_runs() {
    let (folder, mut store) = store();
    let other = Store::open(&folder.path().join(".flow")).unwrap();
    let lock = store.lock_run("one").unwrap();
    assert!(lock.is_some());
    assert!(other.lock_run("one").unwrap().is_none(), "the run goes on");
    store.start_run(&start("one")).unwrap();
    drop(lock);
    store.clear_dead_runs().unwrap();
    assert!(other.lock_run("one").unwrap().is_none(), "the run has ended");
}

#[test]
fn a_claim_lasts_while_its_run_lives() {
    let (folder, mut store) = store();
    let mut other = Store::open(&folder.path().join(".flow")).unwrap();
    let key = Digest::of(b"key");
    let lock = store.lock_run("one").unwrap().unwrap();
    let _other_lock = other.lock_run("two").unwrap().unwrap();
    assert_eq!(store.claim("one", &[(key, false)]).unwrap(), [Claim::Ours]);
    assert_eq!(store.claim("one", &[(key, false)]).unwrap(), [Claim::Ours]);
    assert_eq!(other.claim("two", &[(key, false)]).unwrap(), [Claim::Theirs("one".into())]);
    drop(lock);
    assert_eq!(other.claim("two", &[(key, false)]).unwrap(), [Claim::Ours]);

    other.start_run(&start("two")).unwrap();
    let mut batch = Batch::default();
    batch.push(node(0, Some(key), NodeState::Succeeded), Some(computation(key, vec![])));
    other.commit("two", &batch).unwrap();
    assert_eq!(store.claim("three", &[(key, false)]).unwrap(), [Claim::Done]);
    assert_eq!(store.claim("three", &[(key, true)]).unwrap(), [Claim::Ours]);
}

#[test]
fn what_dead_runs_left_is_cleared() {
    let (_folder, mut store) = store();
    let key = Digest::of(b"key");
    let dead = store.lock_run("dead").unwrap().unwrap();
    let _alive = store.lock_run("alive").unwrap().unwrap();
    for run in ["dead", "alive"] {
        fs::create_dir_all(store.scratch(run)).unwrap();
    }
    store.claim("dead", &[(key, false)]).unwrap();
    drop(dead);
    store.clear_dead_runs().unwrap();
    assert!(!store.scratch("dead").exists() && store.scratch("alive").exists());
    assert!(store.is_alive("alive") && !store.is_alive("dead"));
    assert_eq!(store.claim("alive", &[(key, false)]).unwrap(), [Claim::Ours]);
}

#[test]
fn no_run_is_taken_for_dead_while_it_takes_its_lock() {
    let (folder, store) = store();
    let mut other = Store::open(&folder.path().join(".flow")).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                other.clear_dead_runs().unwrap();
            }
        });
        let locks: Vec<_> =
            (0..2000).map(|n| store.lock_run(&format!("run-{n}")).unwrap().unwrap()).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!((0..locks.len()).all(|n| store.is_alive(&format!("run-{n}"))));
    });
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let (folder, store) = store();
    let root = folder.path().join(".flow");
    drop(store);
    let db = rusqlite::Connection::open(root.join("index.sqlite")).unwrap();
    db.pragma_update(None, "user_version", flow_store::FORMAT + 1).unwrap();
    drop(db);
    let before = fs::read(root.join("index.sqlite")).unwrap();
    let error = Store::open(&root).err().unwrap();
    assert!(matches!(error, Error::Newer { .. }), "{error}");
    assert_eq!(fs::read(root.join("index.sqlite")).unwrap(), before);
}

#[test]
fn a_published_path_is_remembered_with_how_it_looked() {
    let (folder, mut store) = store();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let stamp = Stamp::of(&file).unwrap();
    assert_eq!(store.published(&file, &stamp).unwrap(), None);
    store.record_published(&file, &Digest::of(b"x"), &stamp).unwrap();
    let published = store.published(&file, &stamp).unwrap().unwrap();
    // It was written only just now: its stat does not yet tell whether it changes.
    assert_eq!((published.digest, published.untouched), (Digest::of(b"x"), false));
}

#[test]
fn two_first_users_at_once_both_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join(".flow");
    let opens: Vec<_> = (0..4)
        .map(|_| {
            let root = root.clone();
            std::thread::spawn(move || Store::open(&root).map(drop))
        })
        .collect();
    for open in opens {
        open.join().unwrap().unwrap();
    }
}

fn set_modified(path: &Path, seconds_ago: u64) {
    let time = std::time::SystemTime::now() - std::time::Duration::from_secs(seconds_ago);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_file_that_changed_just_now_is_not_remembered() {
    let (folder, store) = store();
    let path = folder.path().join("input.csv");
    fs::write(&path, "1").unwrap();
    // Even with an old modification time, the change time is new, and that cannot be set.
    set_modified(&path, 3600);
    let stamp = Stamp::of(&path).unwrap();
    store.remember(&path, Kind::File, &stamp, &Digest::of(b"1"), 1).unwrap();
    assert_eq!(store.remembered(&path, Kind::File, &stamp).unwrap(), None);
}

#[test]
fn any_change_in_a_folder_changes_its_stamp() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("x")).unwrap();
    fs::write(folder.path().join("x/a"), "1").unwrap();
    let first = Stamp::of(folder.path()).unwrap();
    assert!(first.same_stat(&Stamp::of(folder.path()).unwrap()));
    fs::write(folder.path().join("x/a"), "22").unwrap();
    let second = Stamp::of(folder.path()).unwrap();
    assert!(!first.same_stat(&second));
    fs::rename(folder.path().join("x/a"), folder.path().join("x/b")).unwrap();
    assert!(!second.same_stat(&Stamp::of(folder.path()).unwrap()));
}

#[test]
fn clearing_waits_for_who_keeps_and_takes_what_is_left_over() {
    let (folder, mut store) = store();
    store.start_run(&start("r")).unwrap();
    let (key, digest) = commit(&mut store, "r", 0, &[7; 20_000]);
    let (open, claimed) = (Digest::of(b"open"), Digest::of(b"claimed"));
    let _lock = store.lock_run("live").unwrap().unwrap();
    store.claim("live", &[(claimed, false)]).unwrap();
    for key in [&key, &open, &claimed] {
        fs::create_dir_all(store.checkpoints(key)).unwrap();
        fs::write(store.checkpoints(key).join("1"), "state").unwrap();
    }
    let state = store.state(&Digest::of(b"family"), 10);
    fs::create_dir_all(&state).unwrap();
    fs::write(state.join("state"), "state").unwrap();

    let policy = Policy { keep: Keep { runs: 0, age_s: None }, size: None };
    let kept = store.keep().unwrap();
    let root = folder.path().join(".flow");
    let clearing = std::thread::spawn(move || Store::open(&root).unwrap().clear(&policy).unwrap());
    std::thread::sleep(std::time::Duration::from_millis(150));
    assert!(!clearing.is_finished() && store.artifact_path(&digest).is_ok());
    drop(kept);
    let cleared = clearing.join().unwrap();

    assert_eq!((cleared.runs, cleared.items.len(), cleared.left), (0, 3, 0), "{cleared:?}");
    assert!(store.artifact_path(&digest).is_err() && !state.exists());
    assert!(!store.checkpoints(&key).exists(), "of what is computed");
    assert!(store.checkpoints(&open).exists() && store.checkpoints(&claimed).exists());
    assert!(store.lookup(&key).unwrap().is_some(), "what it was made of stays known");
    // Computed again, it is there again.
    commit(&mut store, "r", 0, &[7; 20_000]);
    assert_eq!(fs::read(store.artifact_path(&digest).unwrap()).unwrap(), [7; 20_000]);
}
