//! Writing results: many at a time, objects first, then one transaction.

use std::fs;
use std::path::Path;

use flow_artifact::Digest;
use flow_artifact::digest::FileHash;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::claims;
use crate::objects::{self, Placement};
use crate::{
    Content, Error, LogRecord, NewArtifact, NewComputation, NewNode, Recipe, Result, RunEnd, RunStart,
    RunStatus, Store,
};

/// Artifacts that are one file smaller than this are kept in the index, not as files of their own.
pub const INLINE_LIMIT: u64 = 16 << 10;

/// Ended nodes of one run, to be written together; those that computed something bring it along.
#[derive(Debug, Default)]
pub struct Batch {
    nodes: Vec<(NewNode, Option<NewComputation>)>,
}

impl Batch {
    /// Adds a node, and what it computed, if it did.
    pub fn push(&mut self, node: NewNode, computation: Option<NewComputation>) {
        self.nodes.push((node, computation));
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// How many nodes there are to write.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    fn artifacts(&self) -> impl Iterator<Item = &NewArtifact> {
        let computations = self.nodes.iter().filter_map(|(_, computation)| computation.as_ref());
        computations.flat_map(|computation| computation.outputs.iter().map(|(_, artifact)| artifact))
    }
}

impl Store {
    /// Records that a run has started.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn start_run(&mut self, run: &RunStart) -> Result<()> {
        let params = serde_json::Value::Object(run.params.clone()).to_string();
        self.db.prepare_cached(
            "INSERT INTO runs (name, workflow, file, source, params, command, host, cpu, cores, engine, started,
             status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            run.id, run.workflow, run.file, run.source, params, run.command, run.machine.host, run.machine.cpu,
            run.machine.cores, run.engine, run.started, RunStatus::Running.name(),
        ])?;
        Ok(())
    }

    /// Records that a run has ended.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn finish_run(&mut self, run: &str, end: &RunEnd) -> Result<()> {
        self.db
            .prepare_cached(
                "UPDATE runs SET status = ?, finished = ?, executed = ?, cached = ?, failed = ?, skipped = ?
             WHERE name = ?",
            )?
            .execute(params![
                end.status.name(),
                end.finished,
                end.executed,
                end.cached,
                end.failed,
                end.skipped,
                run,
            ])?;
        Ok(())
    }

    /// Records messages about nodes of a run that have been written before: each with the node's position.
    ///
    /// # Errors
    /// When the index cannot be written.
    pub fn add_logs(&mut self, run: &str, logs: &[(usize, LogRecord)]) -> Result<()> {
        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let run = run_id(&transaction, run)?;
        for (position, log) in logs {
            insert_log(&transaction, run, *position, log)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Writes what has ended: places all objects, syncs them, and then names everything in one transaction,
    /// which also gives up the claims on the keys.
    ///
    /// # Errors
    /// When something cannot be written. Then nothing of the batch is recorded.
    pub fn commit(&mut self, name: &str, batch: &Batch) -> Result<()> {
        let mut placements = Vec::new();
        // What is found to be there must not be cleared away before it is named.
        let objects = batch.artifacts().any(|artifact| matches!(artifact.content, Content::Object { .. }));
        let _kept = if objects { Some(self.keep()?) } else { None };
        for artifact in batch.artifacts() {
            if let Content::Object { path, files } = &artifact.content
                && !placements.iter().any(|p: &Placement<'_>| p.digest == artifact.digest)
                && self.check_artifact(&artifact.digest).is_err()
            {
                placements.push(Placement { digest: artifact.digest, from: path, files });
            }
        }
        objects::place(self.disk.as_ref(), &self.root, &placements)?;
        let placed = |digest: &Digest| placements.iter().any(|p| p.digest == *digest);

        let transaction = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let run = run_id(&transaction, name)?;
        for (node, computation) in &batch.nodes {
            let recipe = insert_recipe(&transaction, &node.recipe)?;
            if let Some(computation) = computation {
                for (_, artifact) in &computation.outputs {
                    insert_artifact(&transaction, &self.root, artifact, placed(&artifact.digest))?;
                }
                insert_computation(&transaction, run, node, recipe, computation)?;
            }
            insert_node(&transaction, run, recipe, node)?;
            if let Some(key) = node.key.filter(|_| !node.cached) {
                claims::release(&transaction, &key, name)?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

fn run_id(db: &Connection, name: &str) -> Result<i64> {
    let mut query = db.prepare_cached("SELECT id FROM runs WHERE name = ?")?;
    Ok(query.query_row([name], |row| row.get(0))?)
}

fn insert_log(db: &Connection, run: i64, position: usize, log: &LogRecord) -> Result<()> {
    db.prepare_cached("INSERT INTO logs (run, position, at, level, message) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![run, position, log.at, log.level, log.message])?;
    Ok(())
}

fn insert_recipe(db: &Connection, recipe: &Recipe) -> Result<i64> {
    let found = db
        .prepare_cached("SELECT id FROM recipes WHERE digest = ?")?
        .query_row([recipe.digest.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    // SQLite's integers are signed; the seed's bits survive the round trip.
    let seed = recipe.seed.cast_signed();
    let mut insert = db.prepare_cached(
        "INSERT INTO recipes (digest, operation, version, params, seed) VALUES (?, ?, ?, ?, ?)",
    )?;
    Ok(insert.insert(params![
        recipe.digest.as_bytes(),
        recipe.operation,
        recipe.version,
        recipe.params,
        seed
    ])?)
}

fn insert_artifact(db: &Transaction<'_>, root: &Path, artifact: &NewArtifact, placed: bool) -> Result<()> {
    let digest = artifact.digest.as_bytes();
    match &artifact.content {
        Content::Inline(bytes) => {
            db.prepare_cached("INSERT OR IGNORE INTO artifacts (digest, bytes, content) VALUES (?, ?, ?)")?
                .execute(params![digest, artifact.bytes.cast_signed(), bytes])?;
        }
        Content::Object { files, .. } if placed => {
            // An artifact that was known but whose object had to be placed anew gets a new list of files.
            db.prepare_cached(
                "INSERT INTO artifacts (digest, bytes) VALUES (?, ?)
                 ON CONFLICT (digest) DO UPDATE SET bytes = excluded.bytes, content = NULL",
            )?
            .execute(params![digest, artifact.bytes.cast_signed()])?;
            let id: i64 = db
                .prepare_cached("SELECT id FROM artifacts WHERE digest = ?")?
                .query_row([digest], |row| row.get(0))?;
            db.prepare_cached("DELETE FROM files WHERE artifact = ?")?.execute([id])?;
            let object = objects::path(root, &artifact.digest);
            for file in files {
                insert_file(db, id, &object, file)?;
            }
        }
        Content::Object { .. } => {}
    }
    Ok(())
}

pub(crate) fn insert_file(db: &Connection, artifact: i64, object: &Path, file: &FileHash) -> Result<()> {
    let path = if file.path.is_empty() { object.to_owned() } else { object.join(&file.path) };
    let metadata = fs::metadata(&path).map_err(|source| Error::io("cannot read", &path, source))?;
    db.prepare_cached("INSERT INTO files (artifact, path, size, hash, modified) VALUES (?, ?, ?, ?, ?)")?
        .execute(params![
            artifact,
            file.path,
            file.size.cast_signed(),
            file.hash.as_bytes(),
            objects::modified(&metadata),
        ])?;
    Ok(())
}

fn insert_computation(
    db: &Connection,
    run: i64,
    node: &NewNode,
    recipe: i64,
    computation: &NewComputation,
) -> Result<()> {
    let key = computation.key.as_bytes();
    // Computed anew, because an output was missing: the new outputs count.
    let old: Option<i64> = db
        .prepare_cached("SELECT id FROM computations WHERE key = ?")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    if let Some(old) = old {
        for table in ["inputs", "outputs"] {
            db.prepare_cached(&format!("DELETE FROM {table} WHERE computation = ?"))?.execute([old])?;
        }
        db.prepare_cached("DELETE FROM computations WHERE id = ?")?.execute([old])?;
    }
    let (family, extent) =
        computation.family.map_or((None, None), |(family, extent)| (Some(*family.as_bytes()), Some(extent)));
    let id = db
        .prepare_cached(
            "INSERT INTO computations (key, recipe, family, extent, run, position, plugin, cpu_s, wall_s, peak_rss)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .insert(params![
            key, recipe, family, extent, run, node.position, computation.plugin, computation.cost.cpu_s,
            computation.cost.wall_s, computation.cost.peak_rss.cast_signed(),
        ])?;
    let mut insert = db.prepare_cached(
        "INSERT INTO inputs (computation, port, item, name, digest, origin) VALUES (?, ?, ?, ?, ?, ?)",
    )?;
    let mut port = 0;
    for (i, input) in computation.inputs.iter().enumerate() {
        if i > 0 && input.port != computation.inputs[i - 1].port {
            port += 1;
        }
        insert.execute(params![id, port, input.index, input.port, input.digest.as_bytes(), input.from])?;
    }
    let mut insert = db.prepare_cached(
        "INSERT INTO outputs (computation, port, kind, digest, bytes) VALUES (?, ?, ?, ?, ?)",
    )?;
    for (port, artifact) in &computation.outputs {
        let bytes = artifact.bytes.cast_signed();
        insert.execute(params![id, port, artifact.kind.name(), artifact.digest.as_bytes(), bytes])?;
    }
    Ok(())
}

fn insert_node(db: &Connection, run: i64, recipe: i64, node: &NewNode) -> Result<()> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO nodes (run, position, name, stage, operation, recipe, key, state, cached, reason,
         error, attempts, started, finished, cpu_s, wall_s, peak_rss)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        run, node.position, node.name, node.stage, node.recipe.operation, recipe,
        node.key.as_ref().map(Digest::as_bytes), node.state.name(), node.cached, node.reason, node.error,
        node.attempts, node.started, node.finished, node.usage.cpu_s, node.usage.wall_s,
        node.usage.peak_rss.cast_signed(),
    ])?;
    for (name, step, value) in &node.series {
        db.prepare_cached(
            "INSERT OR REPLACE INTO series (run, position, name, step, value) VALUES (?, ?, ?, ?, ?)",
        )?
        .execute(params![run, node.position, name, step.cast_signed(), value])?;
    }
    for log in &node.logs {
        insert_log(db, run, node.position, log)?;
    }
    Ok(())
}
