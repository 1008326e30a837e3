//! What changed in a node since it was last computed with something else, down to the values in its inputs.

use flow_artifact::compare::{Difference, compare};
use flow_plugin::Digest;
use flow_store::{Computation, InputRecord, Store};

use super::reason;

/// How many runs are looked through for an earlier computation.
const RUNS: usize = 50;

/// What is different from the computation before.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    /// The latest run with the computation before.
    pub run: String,
    /// The parts of the key that are different, with old and new values.
    pub parts: Vec<String>,
    /// What is different in the data that it reads.
    pub contents: Vec<Content>,
}

/// What is different in one input.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// The port.
    pub port: String,
    /// Where it comes from: `node.output`, or the path of a file outside the store.
    pub from: String,
    /// Every difference.
    pub differences: Vec<Difference>,
    /// Why there is none to see.
    pub unknown: Option<String>,
}

/// Compares a computation of a node with the one before. For a computation that is in the store, that is the
/// one before the run that computed it. None if there was none.
///
/// # Errors
/// When the index cannot be read.
pub fn changes(
    store: &Store,
    workflow: &str,
    node: &str,
    now: &Computation,
    key: Option<&Digest>,
    computed_in: Option<&str>,
) -> Result<Option<Changes>, flow_store::Error> {
    let mut runs = store.recent_runs(workflow, RUNS)?;
    if let Some(run) = computed_in {
        match runs.iter().position(|name| name == run) {
            Some(at) => drop(runs.drain(..=at)),
            None => return Ok(None),
        }
    }
    for run in runs {
        let nodes = store.node_keys(&run)?;
        let Some(found) = nodes.into_iter().find(|found| found.name == node && found.computed) else {
            continue;
        };
        let Some(before) = found.key.filter(|before| Some(before) != key) else { continue };
        let Some(before) = store.computation(&before)? else { continue };
        let parts = reason::between(&before, now);
        return Ok(Some(Changes { run, parts, contents: contents(store, &before, now)? }));
    }
    Ok(None)
}

fn contents(
    store: &Store,
    before: &Computation,
    now: &Computation,
) -> Result<Vec<Content>, flow_store::Error> {
    let mut contents = Vec::new();
    for new in &now.inputs {
        let old = before.inputs.iter().find(|old| (&old.port, old.index) == (&new.port, new.index));
        let Some(old) = old.filter(|old| old.digest != new.digest) else { continue };
        let (differences, unknown) = match differences(store, old, new)? {
            Ok(differences) => (differences, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        contents.push(Content { port: new.port.clone(), from: new.from.clone(), differences, unknown });
    }
    Ok(contents)
}

fn differences(
    store: &Store,
    old: &InputRecord,
    new: &InputRecord,
) -> Result<Result<Vec<Difference>, String>, flow_store::Error> {
    let (Some(was), Some(is)) = (store.producer(&old.digest)?, store.producer(&new.digest)?) else {
        return Ok(Err("the store keeps no copy of files from outside".to_owned()));
    };
    if was.kind != is.kind {
        return Ok(Err(format!("it was a {}, and is a {}", was.kind, is.kind)));
    }
    let paths = store.artifact_path(&old.digest).and_then(|old| Ok((old, store.artifact_path(&new.digest)?)));
    Ok(match paths {
        Ok((old, new)) => compare(is.kind, &old, &new).map_err(|error| error.to_string()),
        Err(error @ flow_store::Error::Unavailable { .. }) => Err(error.to_string()),
        Err(error) => return Err(error),
    })
}
