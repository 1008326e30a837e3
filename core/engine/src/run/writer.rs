//! The one writer of a run: a thread that takes what has ended and commits all that waits as one group.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc as blocking;
use std::thread::JoinHandle;

use flow_plugin::Digest;
use flow_store::{Batch, Claim, Content, LogRecord, NewComputation, NewNode, RunEnd, Stamp, Store};
use tokio::sync::mpsc;

use crate::graph::NodeId;

/// What the dispatcher asks the writer for.
enum Request {
    /// Record nodes that have ended.
    Ended(Vec<Ended>),
    /// Claim keys; those to be computed again also if they have been computed.
    Claim(Vec<(NodeId, Digest, bool)>),
    /// Record what lies at a published path.
    Published(PathBuf, Digest, Stamp),
    /// Record a message about a node that has been recorded, or was asked to be.
    Note(NodeId, LogRecord),
    /// Record the end of the run.
    Finish(RunEnd),
}

/// A node that has ended.
pub(super) struct Ended {
    pub(super) id: NodeId,
    pub(super) node: NewNode,
    pub(super) computation: Option<NewComputation>,
    /// Where its outputs were written, by port.
    pub(super) scratch: Vec<(String, PathBuf)>,
    /// Its checkpoints: removed, or kept as the final state under this path.
    pub(super) checkpoints: Option<(PathBuf, Option<PathBuf>)>,
}

/// What the writer answers.
pub(super) enum Written {
    /// These nodes are in the store.
    Committed(Vec<NodeId>),
    /// What became of these claims.
    Claimed(Vec<(NodeId, Claim)>),
    /// The store cannot be written: nothing more will be.
    Failed,
}

/// The dispatcher's side of the writer.
pub(super) struct Writer {
    requests: Option<blocking::Sender<Request>>,
    thread: Option<JoinHandle<Result<(), flow_store::Error>>>,
}

impl Writer {
    /// Starts the writer for a run that the store knows.
    pub(super) fn start(
        store: Store,
        run: String,
    ) -> std::io::Result<(Self, mpsc::UnboundedReceiver<Written>)> {
        let (requests, queue) = blocking::channel();
        let (answers, receiver) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new().name("writer".into()).spawn(move || {
            serve(store, &run, &queue, &answers).inspect_err(|_| {
                let _ = answers.send(Written::Failed);
            })
        })?;
        Ok((Self { requests: Some(requests), thread: Some(thread) }, receiver))
    }

    fn send(&self, request: Request) {
        // A writer that has gone has sent `Failed` before.
        if let Some(requests) = &self.requests {
            let _ = requests.send(request);
        }
    }

    pub(super) fn ended(&self, ended: Vec<Ended>) {
        self.send(Request::Ended(ended));
    }

    pub(super) fn claim(&self, keys: Vec<(NodeId, Digest, bool)>) {
        self.send(Request::Claim(keys));
    }

    pub(super) fn published(&self, path: PathBuf, digest: Digest, stamp: Stamp) {
        self.send(Request::Published(path, digest, stamp));
    }

    pub(super) fn note(&self, id: NodeId, log: LogRecord) {
        self.send(Request::Note(id, log));
    }

    /// Records the end of the run, and waits until everything is written.
    pub(super) fn finish(&mut self, end: RunEnd) -> Result<(), flow_store::Error> {
        self.send(Request::Finish(end));
        self.end()
    }

    /// Waits for the writer to end, and gives what it failed with.
    pub(super) fn end(&mut self) -> Result<(), flow_store::Error> {
        self.requests = None;
        // A panic in the writer has shown itself on standard error.
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or(Ok(()))
    }
}

/// So many nodes fill a transaction: larger ones take memory and save nothing.
pub(super) const FULL: usize = 1024;

fn serve(
    mut store: Store,
    run: &str,
    queue: &blocking::Receiver<Request>,
    answers: &mpsc::UnboundedSender<Written>,
) -> Result<(), flow_store::Error> {
    let mut finished = None;
    while let Ok(first) = queue.recv() {
        // All that has arrived in the meantime goes into one transaction: the slower commits are, the larger
        // the groups.
        let (mut batch, mut ids, mut claims, mut tidy) =
            (Batch::default(), Vec::new(), Vec::new(), Vec::new());
        let (mut published, mut notes) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                Request::Ended(all) => {
                    for ended in all {
                        ids.push(ended.id);
                        let small = small(&ended.computation);
                        batch.push(ended.node, ended.computation);
                        tidy.push((ended.scratch, small, ended.checkpoints));
                    }
                }
                Request::Claim(keys) => claims.extend(keys),
                Request::Published(path, digest, stamp) => published.push((path, digest, stamp)),
                Request::Note(id, log) => notes.push((id.0, log)),
                Request::Finish(end) => finished = Some(end),
            }
            next = if batch.len() < FULL { queue.try_recv().ok() } else { None };
        }
        if !batch.is_empty() {
            store.commit(run, &batch)?;
        }
        for (path, digest, stamp) in published {
            store.record_published(&path, &digest, &stamp)?;
        }
        if !notes.is_empty() {
            store.add_logs(run, &notes)?;
        }
        for (scratch, small, checkpoints) in tidy {
            for (port, path) in scratch {
                match small.iter().find(|(known, _)| *known == port) {
                    // A copy that could not be moved is written when it is needed.
                    Some((_, digest)) => drop(store.unpack_from(digest, &path)),
                    None => discard(&path),
                }
            }
            if let Some((folder, keep)) = checkpoints {
                clear_checkpoints(&folder, keep.as_deref());
            }
        }
        if !ids.is_empty() {
            let _ = answers.send(Written::Committed(ids));
        }
        if !claims.is_empty() {
            let keys: Vec<_> = claims.iter().map(|(_, key, again)| (*key, *again)).collect();
            let claimed = store.claim(run, &keys)?;
            let nodes = claims.into_iter().map(|(node, _, _)| node);
            let _ = answers.send(Written::Claimed(nodes.zip(claimed).collect()));
        }
    }
    if let Some(end) = finished {
        store.release_claims(run)?;
        store.finish_run(run, &end)?;
        store.clear_run(run)?;
    }
    Ok(())
}

/// The outputs that are kept in the index.
fn small(computation: &Option<NewComputation>) -> Vec<(String, Digest)> {
    let outputs = computation.iter().flat_map(|computation| &computation.outputs);
    let small = outputs.filter(|(_, artifact)| matches!(artifact.content, Content::Inline(_)));
    small.map(|(port, artifact)| (port.clone(), artifact.digest)).collect()
}

/// Removes what nobody needs, if it is there. What cannot be removed now goes with the run's scratch folder.
pub(super) fn discard(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        let _ = fs::remove_dir_all(path);
    }
}

/// Removes the checkpoints of a computation that is done, or keeps them as its final state. Should that fail,
/// they are in nobody's way.
fn clear_checkpoints(folder: &Path, keep: Option<&Path>) {
    match keep {
        Some(keep) => {
            let _ = fs::remove_dir_all(keep);
            let parent = keep.parent().unwrap_or(keep);
            let _ = fs::create_dir_all(parent).and_then(|()| fs::rename(folder, keep));
        }
        None => drop(fs::remove_dir_all(folder)),
    }
}
