//! Taking over what a node leaves behind: it is looked at before it is read, and identified.
//!
//! What a plugin outside this program leaves is not taken on trust: an output may hold no links and no devices,
//! nobody may still be writing to it, and a dataset must be what the operation declares.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use flow_plugin::artifact::digest;
use flow_plugin::{Kind, Port};
use flow_store::{Content, INLINE_LIMIT, NewArtifact};

use super::declared::{self, Side};
use super::executor::Task;
use super::worker::Worker;

/// Identifies every declared output of a node that is done.
pub(super) async fn take_over(task: &Task, worker: &Worker) -> Result<Vec<(String, NewArtifact)>, String> {
    let foreign = task.program.is_some();
    let mut outputs = Vec::with_capacity(task.outputs.len());
    for port in task.outputs.iter() {
        let Some(path) = task.job.outputs.get(&port.name) else { continue };
        if foreign && worker.writes_to(path) {
            let name = &port.name;
            return Err(format!(
                "it still has its output `{name}` open for writing, or mapped into memory, after it said that it is done"
            ));
        }
        let artifact = identify(port, path, foreign)
            .await
            .map_err(|message| format!("its output `{}` {message}", port.name))?;
        outputs.push((port.name.clone(), artifact));
    }
    Ok(outputs)
}

async fn identify(port: &Port, path: &Path, foreign: bool) -> Result<NewArtifact, String> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Err("was not written although the operation reported success".to_owned());
    };
    let kind = port.kind;
    let small = metadata.is_file() && metadata.len() < INLINE_LIMIT;
    if small && !foreign {
        return new_artifact(kind, path.to_owned(), true).map_err(|error| not_good(kind, &error));
    }
    let (port, path) = (port.clone(), path.to_owned());
    // Hashing gigabytes must not hold up the conversation with other workers.
    let looked_at = tokio::task::spawn_blocking(move || {
        if foreign {
            look(&path, &metadata)?;
            if kind == Kind::Dataset && !port.variables.is_empty() {
                declared::check(&path, &port, Side::Output)?;
            }
        }
        new_artifact(kind, path, small).map_err(|error| not_good(kind, &error))
    });
    looked_at.await.unwrap_or_else(|panic| Err(panic.to_string()))
}

fn not_good(kind: Kind, error: &str) -> String {
    format!("is not a good {kind}: {error}")
}

fn new_artifact(kind: Kind, path: PathBuf, small: bool) -> Result<NewArtifact, String> {
    let found = digest::of(kind, &path).map_err(|error| error.to_string())?;
    let content = if small {
        Content::Inline(fs::read(&path).map_err(|error| error.to_string())?)
    } else {
        Content::Object { path, files: found.files }
    };
    Ok(NewArtifact { digest: found.digest, kind, bytes: found.bytes, content })
}

/// Whether there are files and folders only. Looked at before anything is opened: opening a pipe may last for ever.
fn look(path: &Path, metadata: &Metadata) -> Result<(), String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if metadata.is_dir() {
        let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            look(&entry.path(), &entry.metadata().map_err(unreadable)?)?;
        }
        return Ok(());
    }
    if metadata.is_symlink() {
        return Err(format!("has a symbolic link in it, `{name}`: leave a copy of what it points to"));
    }
    if !metadata.is_file() {
        return Err(format!("has something in it that is neither a file nor a folder: `{name}`"));
    }
    if metadata.nlink() > 1 {
        return Err(format!(
            "has a file in it that lies elsewhere too, `{name}`: leave a copy, not a hard link"
        ));
    }
    Ok(())
}
