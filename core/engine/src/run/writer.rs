//! The one writer of a run: a thread that takes what has ended and commits all that waits as one group.

use std::path::PathBuf;
use std::sync::mpsc as blocking;
use std::thread::JoinHandle;

use flow_plugin::Digest;
use flow_store::{Batch, Claim, NewComputation, NewNode, RunEnd, Store};
use tokio::sync::mpsc;

use crate::graph::NodeId;

/// What the dispatcher asks the writer for.
enum Request {
    /// Record nodes that have ended.
    Ended(Vec<Ended>),
    /// Claim keys; those to be computed again also if they have been computed.
    Claim(Vec<(NodeId, Digest, bool)>),
    /// Record the end of the run.
    Finish(RunEnd),
}

/// A node that has ended.
pub(super) struct Ended {
    pub(super) id: NodeId,
    pub(super) node: NewNode,
    pub(super) computation: Option<NewComputation>,
    /// Its scratch folder, which is removed.
    pub(super) scratch: Option<PathBuf>,
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
    Failed(flow_store::Error),
}

/// The dispatcher's side of the writer.
pub(super) struct Writer {
    requests: Option<blocking::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
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
            if let Err(error) = serve(store, &run, &queue, &answers) {
                let _ = answers.send(Written::Failed(error));
            }
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

    /// Records the end of the run, and waits until everything is written.
    pub(super) fn finish(mut self, end: RunEnd) {
        self.send(Request::Finish(end));
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the writer has shown itself on standard error.
            let _ = thread.join();
        }
    }
}

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
        for request in std::iter::once(first).chain(queue.try_iter()) {
            match request {
                Request::Ended(all) => {
                    for ended in all {
                        ids.push(ended.id);
                        batch.push(ended.node, ended.computation);
                        tidy.push((ended.scratch, ended.checkpoints));
                    }
                }
                Request::Claim(keys) => claims.extend(keys),
                Request::Finish(end) => finished = Some(end),
            }
        }
        if !batch.is_empty() {
            store.commit(run, &batch)?;
            let _ = answers.send(Written::Committed(ids));
        }
        if !claims.is_empty() {
            let keys: Vec<_> = claims.iter().map(|(_, key, again)| (*key, *again)).collect();
            let claimed = store.claim(run, &keys)?;
            let nodes = claims.into_iter().map(|(node, _, _)| node);
            let _ = answers.send(Written::Claimed(nodes.zip(claimed).collect()));
        }
        for (scratch, checkpoints) in tidy {
            clear(scratch, checkpoints);
        }
    }
    if let Some(end) = finished {
        store.release_claims(run)?;
        store.finish_run(run, &end)?;
        store.clear_run(run)?;
    }
    Ok(())
}

/// Removes what a committed node needs no more. What cannot be removed now is removed with the run's scratch
/// folder, or is in nobody's way.
fn clear(scratch: Option<PathBuf>, checkpoints: Option<(PathBuf, Option<PathBuf>)>) {
    if let Some(scratch) = scratch {
        let _ = std::fs::remove_dir_all(scratch);
    }
    if let Some((folder, keep)) = checkpoints {
        if let Some(keep) = keep
            && let Some(parent) = keep.parent()
            && std::fs::create_dir_all(parent).is_ok()
        {
            let _ = std::fs::remove_dir_all(&keep);
            let _ = std::fs::rename(&folder, keep);
        } else {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
