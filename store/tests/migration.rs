//! Stores that earlier versions left are read, and can be written.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use flow_artifact::digest::FileHash;
use flow_artifact::{Digest, Kind};
use flow_store::{
    Batch, Claim, Content, FORMAT, Keep, NewArtifact, NewComputation, NewNode, NodeState, Policy, Recipe,
    RunStatus, Stamp, Store, Usage,
};
use rusqlite::{Connection, params};

/// An index as the version of this format left it: one run of one node, with a small result and a large one.
fn old_store(root: &Path, format: i64) -> [Digest; 3] {
    fs::create_dir_all(root).unwrap();
    let db = Connection::open(root.join("index.sqlite")).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    for step in 1..=format {
        let file = format!("{}/src/schema/{step}.sql", env!("CARGO_MANIFEST_DIR"));
        db.execute_batch(&fs::read_to_string(file).unwrap()).unwrap();
    }
    db.pragma_update(None, "user_version", format).unwrap();

    let big = vec![5; 20_000];
    let (key, small, large) = (Digest::of(b"key"), Digest::of(b"small"), Digest::of(&big));
    let name = large.to_string();
    let object = root.join("objects").join(&name[..2]).join(&name[2..]);
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    fs::write(&object, &big).unwrap();
    // What format 1 knew of them. Later formats may add to it, and must not need it to be there.
    db.execute(
        "INSERT INTO runs (name, workflow, file, source, params, command, host, cpu, cores, engine, started, finished,
         status, executed) VALUES ('old', 'w', '/w.yaml', 'flow: 1', '{\"n\":1}', 'run w.yaml', 'h', 'c', 2, '0.0', 10.0,
         20.0, 'succeeded', 1)",
        [],
    )
    .unwrap();
    db.execute(
        "INSERT INTO recipes (digest, operation, version, params, seed) VALUES (?, 'demo/text', 1, '{\"x\":2}', -1)",
        [Digest::of(b"recipe").as_bytes()],
    )
    .unwrap();
    db.execute(
        "INSERT INTO computations (key, recipe, run, position, plugin, cpu_s, wall_s, peak_rss)
         VALUES (?, 1, 1, 0, 'demo 0.1', 0.5, 1.0, 4096)",
        [key.as_bytes()],
    )
    .unwrap();
    db.execute(
        "INSERT INTO nodes (run, position, name, stage, operation, recipe, key, state, cached, reason, attempts,
         started, finished, cpu_s, wall_s, peak_rss)
         VALUES (1, 0, 'n', 'n', 'demo/text', 1, ?, 'succeeded', 0, 'never computed', 1, 11.0, 12.0, 0.5, 1.0, 4096)",
        [key.as_bytes()],
    )
    .unwrap();
    db.execute(
        "INSERT INTO artifacts (digest, bytes, content) VALUES (?, 5, ?)",
        params![small.as_bytes(), b"small"],
    )
    .unwrap();
    db.execute("INSERT INTO artifacts (digest, bytes) VALUES (?, 20000)", [large.as_bytes()]).unwrap();
    db.execute(
        "INSERT INTO files (artifact, path, size, hash, modified) VALUES (2, '', 20000, ?, 0)",
        [large.as_bytes()],
    )
    .unwrap();
    for (port, digest, bytes) in [("a", small, 5), ("b", large, 20_000)] {
        db.execute(
            "INSERT INTO outputs (computation, port, kind, digest, bytes) VALUES (1, ?, 'file', ?, ?)",
            params![port, digest.as_bytes(), bytes],
        )
        .unwrap();
    }
    db.execute("INSERT INTO series (run, position, name, step, value) VALUES (1, 0, 'loss', 3, 0.25)", [])
        .unwrap();
    db.execute(
        "INSERT INTO logs (run, position, at, level, message) VALUES (1, 0, 11.5, 'warning', 'hello')",
        [],
    )
    .unwrap();
    [key, small, large]
}

#[test]
fn every_earlier_format_is_brought_up_to_date_with_all_that_it_holds() {
    for format in 1..FORMAT {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join(".flow");
        let [key, small, large] = old_store(&root, format);
        let mut store = Store::open(&root).unwrap();
        let db = Connection::open(root.join("index.sqlite")).unwrap();
        let now: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(now, FORMAT, "from format {format}");

        let run = store.latest_run("w").unwrap().unwrap();
        assert_eq!((run.start.id.as_str(), run.status, run.executed), ("old", RunStatus::Succeeded, 1));
        let node = store.nodes("old").unwrap().remove(0);
        assert_eq!((node.key, node.seed, node.params["x"].as_i64()), (Some(key), u64::MAX, Some(2)));
        assert_eq!(store.series("old", "n").unwrap()[0].1, [(3, 0.25)]);
        assert_eq!(store.logs("old", "n").unwrap()[0].message, "hello");
        let hit = store.lookup(&key).unwrap().unwrap();
        assert_eq!(hit.outputs.iter().map(|output| output.digest).collect::<Vec<_>>(), [small, large]);
        assert_eq!(fs::read(store.artifact_path(&small).unwrap()).unwrap(), b"small");
        assert_eq!(fs::read(store.artifact_path(&large).unwrap()).unwrap().len(), 20_000);
        let checked = store.check(&mut |_, _| ()).unwrap();
        assert!(checked.damaged.is_empty() && checked.index.is_empty(), "{checked:?}");

        // It can be written like a new one.
        let second = Digest::of(b"second");
        assert_eq!(store.claim("old", &[(second, false)]).unwrap(), [Claim::Ours]);
        write(&mut store, second);
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        let stamp = Stamp::of(&file).unwrap();
        store.record_published(&file, &small, &stamp).unwrap();
        assert_eq!(store.published(&file, &stamp).unwrap().unwrap().digest, small);
        let policy = Policy { keep: Keep { runs: 1, age_s: None }, size: None };
        assert_eq!(store.clear(&policy).unwrap().bytes(), 0);
        assert!(store.lookup(&second).unwrap().is_some());
    }
}

fn write(store: &mut Store, key: Digest) {
    let path = store.root().join("scratch/new");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let bytes = vec![6; 20_000];
    fs::write(&path, &bytes).unwrap();
    let digest = Digest::of(&bytes);
    let files = vec![FileHash { path: String::new(), size: 20_000, hash: digest }];
    let output =
        NewArtifact { digest, kind: Kind::File, bytes: 20_000, content: Content::Object { path, files } };
    let recipe = Recipe {
        digest: Digest::of(b"another recipe"),
        operation: "demo/text".into(),
        version: 2,
        params: "{}".into(),
        seed: 0,
    };
    let node = NewNode {
        position: 1,
        name: "new".into(),
        stage: "new".into(),
        recipe,
        key: Some(key),
        state: NodeState::Succeeded,
        cached: false,
        reason: String::new(),
        error: None,
        attempts: 1,
        started: 11.0,
        finished: 12.0,
        usage: Usage::default(),
        series: vec![],
        logs: vec![],
    };
    let computation = NewComputation {
        key,
        family: None,
        cost: Usage::default(),
        plugin: "demo 0.2".into(),
        inputs: vec![],
        outputs: vec![("out".into(), output)],
    };
    let mut batch = Batch::default();
    batch.push(node, Some(computation));
    store.commit("old", &batch).unwrap();
}
