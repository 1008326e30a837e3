//! Questions to the index.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flow_artifact::digest::FileHash;
use flow_artifact::{Digest, Kind};
use rusqlite::{OptionalExtension, params};

use crate::objects::{self, Recorded};
use crate::rows::{Blob, RUN_COLUMNS, Word, input_record, producer, recipe, run_record, unsigned};
use crate::{
    Computation, Error, Hit, InputRecord, LogRecord, OutputRecord, Producer, Result, RunRecord, RunStatus,
    Series, Shorter, Store, Usage,
};

/// Outputs with the node that made each.
const PRODUCER: &str = "SELECT r.name, n.name, o.port, o.kind, c.key, n.reason
    FROM outputs o JOIN computations c ON c.id = o.computation
    JOIN runs r ON r.id = c.run JOIN nodes n ON n.run = c.run AND n.position = c.position";

impl Store {
    /// Asks many questions of one state of the index, which is cheaper: the state at the first question, until
    /// what this gives is dropped.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn snapshot(&self) -> Result<impl Drop + '_> {
        Ok(self.db.unchecked_transaction()?)
    }

    /// What a key leads to, if it has been computed.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn lookup(&self, key: &Digest) -> Result<Option<Hit>> {
        let mut query = self.db.prepare_cached(
            "SELECT c.cpu_s, c.wall_s, c.peak_rss, o.port, o.kind, o.digest, o.bytes
             FROM computations c LEFT JOIN outputs o ON o.computation = c.id WHERE c.key = ?",
        )?;
        let mut rows = query.query([key.as_bytes()])?;
        let mut hit = None;
        while let Some(row) = rows.next()? {
            let usage = Usage { cpu_s: row.get(0)?, wall_s: row.get(1)?, peak_rss: unsigned(row, 2)? };
            let hit = hit.get_or_insert(Hit { outputs: Vec::new(), usage });
            if let Some(port) = row.get(3)? {
                let (kind, digest) = (row.get::<_, Word<Kind>>(4)?.0, row.get::<_, Blob>(5)?.0);
                hit.outputs.push(OutputRecord { port, kind, digest, bytes: unsigned(row, 6)? });
            }
        }
        Ok(hit)
    }

    /// Whether anything has been computed with this operation, version, parameters and seed.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn knows_recipe(&self, recipe: &Digest) -> Result<bool> {
        let mut query = self.db.prepare_cached(
            "SELECT 1 FROM recipes r JOIN computations c ON c.recipe = r.id WHERE r.digest = ? LIMIT 1",
        )?;
        Ok(query.exists([recipe.as_bytes()])?)
    }

    /// What a computation was made of.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn computation(&self, key: &Digest) -> Result<Option<Computation>> {
        let mut query = self.db.prepare_cached(
            "SELECT c.id, r.digest, r.operation, r.version, r.params, r.seed
             FROM computations c JOIN recipes r ON r.id = c.recipe WHERE c.key = ?",
        )?;
        let found = query.query_row([key.as_bytes()], |row| Ok((row.get(0)?, recipe(row, 1)?))).optional()?;
        let Some((id, recipe)) = found else { return Ok(None) };
        Ok(Some(Computation { recipe, inputs: self.inputs(id)? }))
    }

    /// The longest computation of this family that is shorter than `extent` and whose final state is kept.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn shorter(&self, family: &Digest, extent: i64) -> Result<Option<Shorter>> {
        let mut query = self.db.prepare_cached(
            "SELECT extent, cpu_s, wall_s, peak_rss FROM computations WHERE family = ? AND extent < ?
             ORDER BY extent DESC",
        )?;
        let mut rows = query.query(params![family.as_bytes(), extent])?;
        while let Some(row) = rows.next()? {
            let extent = row.get(0)?;
            let state = self.state(family, extent);
            if state.is_dir() {
                let cost = Usage { cpu_s: row.get(1)?, wall_s: row.get(2)?, peak_rss: unsigned(row, 3)? };
                return Ok(Some(Shorter { extent, state, cost }));
            }
        }
        Ok(None)
    }

    fn inputs(&self, computation: i64) -> Result<Vec<InputRecord>> {
        let mut query = self.db.prepare_cached(
            "SELECT name, item, digest, origin FROM inputs WHERE computation = ? ORDER BY port, item",
        )?;
        Ok(query.query_map([computation], input_record)?.collect::<Result<_, _>>()?)
    }

    /// Every run, the latest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn runs(&self) -> Result<Vec<RunRecord>> {
        self.query_runs("ORDER BY id DESC", [])
    }

    /// The run of this name.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn run(&self, id: &str) -> Result<Option<RunRecord>> {
        Ok(self.query_runs("WHERE name = ?", [id])?.pop())
    }

    /// The latest run of a workflow in which every node succeeded: what a reference such as
    /// `ccs train.model` means.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn latest_run(&self, workflow: &str) -> Result<Option<RunRecord>> {
        let tail = "WHERE workflow = ? AND status = 'succeeded' ORDER BY id DESC LIMIT 1";
        Ok(self.query_runs(tail, [workflow])?.pop())
    }

    /// The last runs of a workflow however they ended, the latest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn recent_runs(&self, workflow: &str, limit: usize) -> Result<Vec<String>> {
        let mut query =
            self.db.prepare_cached("SELECT name FROM runs WHERE workflow = ? ORDER BY id DESC LIMIT ?")?;
        Ok(query.query_map(params![workflow, limit], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// The latest run of a workflow that has a result of a node, or of a node of a stage; with `tried` also one in
    /// which it did not come to a result.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn latest_run_with(&self, workflow: &str, node: &str, tried: bool) -> Result<Option<String>> {
        let mut query = self.db.prepare_cached(
            "SELECT r.name FROM runs r WHERE r.workflow = ?1 AND EXISTS (
                 SELECT 1 FROM nodes n WHERE n.run = r.id AND (n.name = ?2 OR n.stage = ?2)
                 AND (n.state = 'succeeded' OR ?3 AND n.state <> 'skipped')
             ) ORDER BY r.id DESC LIMIT 1",
        )?;
        Ok(query.query_row(params![workflow, node, tried], |row| row.get(0)).optional()?)
    }

    fn query_runs(&self, tail: &str, params: impl rusqlite::Params) -> Result<Vec<RunRecord>> {
        let mut query = self.db.prepare(&format!("SELECT {RUN_COLUMNS} FROM runs {tail}"))?;
        let rows = query.query_map(params, run_record)?;
        let mut runs = rows.collect::<Result<Vec<_>, _>>()?;
        for run in &mut runs {
            if run.status == RunStatus::Running && !self.is_alive(&run.start.id) {
                run.status = RunStatus::Died;
            }
        }
        Ok(runs)
    }

    /// The series of a node: by name, steps and values. Those of a cached node are from the run that
    /// computed it.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn series(&self, run: &str, node: &str) -> Result<Vec<Series>> {
        let mut query = self.db.prepare_cached(
            "SELECT s.name, s.step, s.value FROM nodes n JOIN runs r ON r.id = n.run
             LEFT JOIN computations c ON n.cached AND c.key = n.key
             JOIN series s ON s.run = COALESCE(c.run, n.run) AND s.position = COALESCE(c.position, n.position)
             WHERE r.name = ? AND n.name = ? ORDER BY s.name, s.step",
        )?;
        let mut rows = query.query([run, node])?;
        let mut series: Vec<Series> = Vec::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let point = (unsigned(row, 1)?, row.get::<_, Option<f64>>(2)?.unwrap_or(f64::NAN));
            match series.last_mut() {
                Some((last, points)) if *last == name => points.push(point),
                _ => series.push((name, vec![point])),
            }
        }
        Ok(series)
    }

    /// The log of a node, of the run that computed it; and what was said of it in this run, if that is another.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn logs(&self, run: &str, node: &str) -> Result<Vec<LogRecord>> {
        let mut query = self.db.prepare_cached(
            "SELECT l.rowid, l.at, l.level, l.message FROM nodes n JOIN runs r ON r.id = n.run
             LEFT JOIN computations c ON n.cached AND c.key = n.key
             JOIN logs l ON l.run = COALESCE(c.run, n.run) AND l.position = COALESCE(c.position, n.position)
             WHERE r.name = ?1 AND n.name = ?2
             UNION
             SELECT l.rowid, l.at, l.level, l.message FROM runs r JOIN logs l ON l.run = r.id
             JOIN nodes n ON n.run = l.run AND n.position = l.position
             WHERE r.name = ?1 AND n.name = ?2 ORDER BY 1",
        )?;
        let rows = query.query_map([run, node], |row| {
            Ok(LogRecord { at: row.get(1)?, level: row.get(2)?, message: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The series of all nodes of a run that have any, by the nodes' names: as [`Store::series`], in one
    /// question.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn all_series(&self, run: &str) -> Result<BTreeMap<String, Vec<Series>>> {
        let mut query = self.db.prepare_cached(
            "SELECT n.name, s.name, s.step, s.value FROM nodes n JOIN runs r ON r.id = n.run
             LEFT JOIN computations c ON n.cached AND c.key = n.key
             JOIN series s ON s.run = COALESCE(c.run, n.run) AND s.position = COALESCE(c.position, n.position)
             WHERE r.name = ? ORDER BY n.position, s.name, s.step",
        )?;
        let mut rows = query.query([run])?;
        let mut all: BTreeMap<String, Vec<Series>> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let series = all.entry(row.get(0)?).or_default();
            let name: String = row.get(1)?;
            let point = (unsigned(row, 2)?, row.get::<_, Option<f64>>(3)?.unwrap_or(f64::NAN));
            match series.last_mut() {
                Some((last, points)) if *last == name => points.push(point),
                _ => series.push((name, vec![point])),
            }
        }
        Ok(all)
    }

    /// The warnings in the logs of all nodes of a run, by the nodes' names: as [`Store::logs`].
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn all_warnings(&self, run: &str) -> Result<BTreeMap<String, Vec<String>>> {
        let mut query = self.db.prepare_cached(
            "SELECT l.rowid, n.name, l.message FROM nodes n JOIN runs r ON r.id = n.run
             LEFT JOIN computations c ON n.cached AND c.key = n.key
             JOIN logs l ON l.run = COALESCE(c.run, n.run) AND l.position = COALESCE(c.position, n.position)
             WHERE r.name = ?1 AND l.level = 'warning'
             UNION
             SELECT l.rowid, n.name, l.message FROM runs r JOIN logs l ON l.run = r.id
             JOIN nodes n ON n.run = l.run AND n.position = l.position
             WHERE r.name = ?1 AND l.level = 'warning' ORDER BY 1",
        )?;
        let mut rows = query.query([run])?;
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            all.entry(row.get(1)?).or_default().push(row.get(2)?);
        }
        Ok(all)
    }

    /// The run and the node that computed a key; its port and kind are those of its first output.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn computed_by(&self, key: &Digest) -> Result<Option<Producer>> {
        let mut query = self.db.prepare_cached(
            "SELECT r.name, n.name, o.port, o.kind, c.key, n.reason FROM computations c
             JOIN outputs o ON o.computation = c.id JOIN runs r ON r.id = c.run
             JOIN nodes n ON n.run = c.run AND n.position = c.position WHERE c.key = ? ORDER BY o.port LIMIT 1",
        )?;
        Ok(query.query_row([key.as_bytes()], producer).optional()?)
    }

    /// The computation that an artifact came from: the first one, where several gave the same content.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn producer(&self, digest: &Digest) -> Result<Option<Producer>> {
        let mut query =
            self.db.prepare_cached(&format!("{PRODUCER} WHERE o.digest = ? ORDER BY c.id LIMIT 1"))?;
        Ok(query.query_row([digest.as_bytes()], producer).optional()?)
    }

    /// What made an output of a computation. Other computations may have made the same artifact.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn producer_for(&self, key: &Digest, port: &str) -> Result<Option<Producer>> {
        let mut query = self.db.prepare_cached(&format!("{PRODUCER} WHERE c.key = ? AND o.port = ?"))?;
        Ok(query.query_row(params![key.as_bytes(), port], producer).optional()?)
    }

    /// The digests of all artifacts whose hexadecimal form begins so; how people name artifacts.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn artifacts_like(&self, prefix: &str) -> Result<Vec<Digest>> {
        if !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Vec::new());
        }
        let mut query = self
            .db
            .prepare_cached("SELECT digest FROM artifacts WHERE lower(hex(digest)) LIKE lower(?) || '%'")?;
        let rows = query.query_map([prefix], |row| Ok(row.get::<_, Blob>(0)?.0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Where an artifact can be read: a file or a folder, read only. A small artifact, which lives in the
    /// index, is written out first.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is no such artifact, or its object is gone or no longer what was
    /// stored.
    pub fn artifact_path(&self, digest: &Digest) -> Result<PathBuf> {
        match self.find_artifact(digest)? {
            (_, Some(content)) => unpack(&objects::unpacked(&self.root, digest), &content),
            (id, None) => self.intact_object(digest, id),
        }
    }

    /// Checks that an artifact can be read, without writing out small ones.
    ///
    /// # Errors
    /// As [`Store::artifact_path`].
    pub fn check_artifact(&self, digest: &Digest) -> Result<()> {
        match self.find_artifact(digest)? {
            (_, Some(_)) => Ok(()),
            (id, None) => self.intact_object(digest, id).map(drop),
        }
    }

    /// The files of an artifact, sorted by path. They are known also where its object is gone; of a small artifact,
    /// which lives in the index, there are none.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when there is no such artifact.
    pub fn artifact_files(&self, digest: &Digest) -> Result<Vec<FileHash>> {
        let mut query = self.db.prepare_cached("SELECT id FROM artifacts WHERE digest = ?")?;
        let id = query.query_row([digest.as_bytes()], |row| row.get(0)).optional()?;
        let id = id.ok_or(Error::Unavailable { digest: *digest, state: "missing" })?;
        let mut files: Vec<_> = self.files(id)?.into_iter().map(|file| file.entry).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Lets a file become the copy of a small artifact that [`Store::artifact_path`] would otherwise write out.
    /// Moving is cheaper than removing now and writing later; the content is compared whenever it is asked for.
    ///
    /// # Errors
    /// When the file cannot be moved.
    pub fn unpack_from(&self, digest: &Digest, file: &Path) -> Result<()> {
        let to = objects::unpacked(&self.root, digest);
        match fs::rename(file, &to) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let folder = to.parent().unwrap_or(&self.root);
                fs::create_dir_all(folder)
                    .and_then(|()| fs::rename(file, &to))
                    .map_err(|source| Error::io("cannot write", &to, source))
            }
            moved => moved.map_err(|source| Error::io("cannot write", &to, source)),
        }
    }

    fn find_artifact(&self, digest: &Digest) -> Result<(i64, Option<Vec<u8>>)> {
        let mut query = self.db.prepare_cached("SELECT id, content FROM artifacts WHERE digest = ?")?;
        let found = query.query_row([digest.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        found.ok_or(Error::Unavailable { digest: *digest, state: "missing" })
    }

    fn intact_object(&self, digest: &Digest, artifact: i64) -> Result<PathBuf> {
        let object = objects::path(&self.root, digest);
        let unavailable = |state| Error::Unavailable { digest: *digest, state };
        objects::intact(&object, &self.files(artifact)?).map_err(unavailable)?;
        Ok(object)
    }

    pub(crate) fn files(&self, artifact: i64) -> Result<Vec<Recorded>> {
        let mut query =
            self.db.prepare_cached("SELECT path, size, hash, modified FROM files WHERE artifact = ?")?;
        let rows = query.query_map([artifact], |row| {
            let (path, size, hash) = (row.get(0)?, unsigned(row, 1)?, row.get::<_, Blob>(2)?.0);
            Ok(Recorded { entry: FileHash { path, size, hash }, modified: row.get(3)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Writes the copy of a small artifact, unless it is there with the right content.
fn unpack(path: &Path, content: &[u8]) -> Result<PathBuf> {
    if holds(path, content) {
        return Ok(path.to_owned());
    }
    let folder = path.parent().unwrap_or(path);
    let io = |source| Error::io("cannot write", path, source);
    fs::create_dir_all(folder).map_err(io)?;
    // Renamed into place, since another run may be reading or writing the same.
    let temporary = path.with_extension(std::process::id().to_string());
    fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, path)).map_err(io)?;
    Ok(path.to_owned())
}

/// Whether a file has this content and no more, in one read: a node may have thousands of small inputs.
fn holds(path: &Path, content: &[u8]) -> bool {
    let mut present = vec![0; content.len() + 1];
    let read = fs::File::open(path).and_then(|mut file| file.read(&mut present));
    read.is_ok_and(|length| present[..length] == *content)
}
