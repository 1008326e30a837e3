//! Results and inputs: what goes into the crate, and what is only described there.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use flow_plugin::artifact::{digest, export};
use flow_plugin::{Digest, Kind};
use flow_store::{RunRecord, Store};
use serde_json::{Value, json};

use super::actions::Executed;
use super::{Error, Written, io, plain};

/// The entities of results and inputs, by digest.
pub(super) struct Files<'a> {
    store: &'a Store,
    folder: &'a Path,
    ids: HashMap<Digest, String>,
    entities: Vec<Value>,
    taken: BTreeSet<String>,
    in_crate: Vec<String>,
    written: Written,
}

/// The name of the workflow file in the crate.
pub(super) fn workflow_name(run: &RunRecord) -> String {
    let name = Path::new(&run.start.file).file_name().map(|name| plain(&name.to_string_lossy()));
    // One that would be something else in the crate.
    name.filter(|name| name != super::METADATA && !name.starts_with('.'))
        .unwrap_or("workflow.yaml".to_owned())
}

impl<'a> Files<'a> {
    pub(super) fn new(store: &'a Store, folder: &'a Path) -> Self {
        let (ids, entities, taken, in_crate) = (HashMap::new(), Vec::new(), BTreeSet::new(), Vec::new());
        Self { store, folder, ids, entities, taken, in_crate, written: Written::default() }
    }

    /// Sees to all that the nodes have read and made.
    pub(super) fn place(&mut self, nodes: &[Executed], all: bool) -> Result<(), Error> {
        let read: BTreeSet<String> =
            nodes.iter().flat_map(Executed::reads).map(|input| input.digest.to_string()).collect();
        for node in nodes {
            for output in &node.record.outputs {
                let wanted = all || !read.contains(&output.digest.to_string());
                self.result(node, &output.port, output.kind, output.digest, output.bytes, wanted)?;
            }
        }
        let made: BTreeSet<String> = nodes.iter().flat_map(Executed::results).collect();
        for input in nodes.iter().flat_map(Executed::reads) {
            if !made.contains(&input.from) {
                self.external(Path::new(&input.from), input.digest)?;
            }
        }
        Ok(())
    }

    fn result(
        &mut self,
        node: &Executed,
        port: &str,
        kind: Kind,
        digest: Digest,
        bytes: u64,
        wanted: bool,
    ) -> Result<(), Error> {
        // The same bytes are one entity, and in the crate if one of those who made them is wanted there.
        if self.ids.get(&digest).is_some_and(|id| !wanted || self.in_crate.contains(id)) {
            return Ok(());
        }
        let name = format!("{}.{port}", node.record.name);
        let facts =
            json!({ "name": name, "description": format!("{kind} made by {}", node.record.operation) });
        if !wanted {
            self.described(digest, facts, bytes);
            return Ok(());
        }
        let from = self.store.artifact_path(&digest)?;
        let id = self.copy(&from, "results", &format!("{}{}", plain(&name), extension(kind)), digest)?;
        self.add(id, digest, facts, bytes, media(kind));
        Ok(())
    }

    /// A file or folder of the user's, if it is still what was read.
    fn external(&mut self, path: &Path, digest: Digest) -> Result<(), Error> {
        if self.ids.contains_key(&digest) {
            return Ok(());
        }
        let name = path
            .file_name()
            .map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy())
            .into_owned();
        let facts = json!({ "name": name, "description": format!("read from {}", path.display()) });
        let kind = if path.is_dir() { Kind::Folder } else { Kind::File };
        match digest::of(kind, path) {
            Ok(found) if found.digest == digest => {
                let id = self.copy(path, "inputs", &plain(&name), digest)?;
                self.add(id, digest, facts, found.bytes, None);
            }
            // Gone or changed, or of a kind whose digest is not that of its bytes.
            _ => self.described(digest, facts, 0),
        }
        Ok(())
    }

    /// Copies under a name that is free, and gives the identifier: the path, with `/` behind that of a folder.
    fn copy(&mut self, from: &Path, group: &str, name: &str, digest: Digest) -> Result<String, Error> {
        let mut path = format!("{group}/{name}");
        if !self.taken.insert(path.to_lowercase()) {
            path = format!("{group}/{}-{name}", digest.short());
            self.taken.insert(path.to_lowercase());
        }
        let target: PathBuf = self.folder.join(&path);
        fs::create_dir_all(self.folder.join(group)).map_err(io(&target))?;
        export::copy(from, &target)?;
        Ok(if target.is_dir() { path + "/" } else { path })
    }

    fn add(&mut self, id: String, digest: Digest, facts: Value, bytes: u64, media: Option<&str>) {
        let kind = if id.ends_with('/') { "Dataset" } else { "File" };
        let mut entity = json!({ "@id": id, "@type": kind });
        extend(&mut entity, facts);
        extend(&mut entity, json!({ "identifier": format!("blake3:{digest}") }));
        if kind == "File" {
            extend(&mut entity, json!({ "contentSize": bytes.to_string() }));
        }
        if let Some(media) = media {
            extend(&mut entity, json!({ "encodingFormat": media }));
        }
        self.written.files += 1;
        self.written.bytes += bytes;
        if let Some(described) = self.ids.insert(digest, id.clone()) {
            self.entities.retain(|entity| entity["@id"] != described.as_str());
            self.written.described -= 1;
        }
        self.in_crate.push(id);
        self.entities.push(entity);
    }

    /// Says what it is without having it.
    fn described(&mut self, digest: Digest, facts: Value, bytes: u64) {
        let id = format!("#artifact-{digest}");
        let mut entity =
            json!({ "@id": id, "@type": "CreativeWork", "identifier": format!("blake3:{digest}") });
        extend(&mut entity, facts);
        if bytes > 0 {
            extend(&mut entity, json!({ "size": bytes.to_string() }));
        }
        self.written.described += 1;
        self.ids.insert(digest, id);
        self.entities.push(entity);
    }

    /// The entity of a result or an input.
    pub(super) fn id(&self, digest: &Digest) -> Option<&String> {
        self.ids.get(digest)
    }

    /// What is in the crate itself.
    pub(super) fn in_crate(&self) -> &[String] {
        &self.in_crate
    }

    pub(super) fn written(&self) -> Written {
        self.written
    }

    pub(super) fn into_entities(self) -> Vec<Value> {
        self.entities
    }
}

/// Adds the members of one object to another.
pub(super) fn extend(entity: &mut Value, more: Value) {
    if let (Value::Object(entity), Value::Object(more)) = (entity, more) {
        entity.extend(more);
    }
}

fn extension(kind: Kind) -> &'static str {
    match kind {
        Kind::Dataset => ".zarr",
        Kind::Table => ".parquet",
        Kind::Metrics => ".json",
        _ => "",
    }
}

fn media(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Metrics => Some("application/json"),
        Kind::Table => Some("application/vnd.apache.parquet"),
        _ => None,
    }
}
