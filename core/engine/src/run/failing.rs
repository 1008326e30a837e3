//! What does not run, and why: frozen nodes, and what comes after the first failure where one is enough.

use flow_store::NodeState;

use super::dispatcher::Dispatcher;
use super::executor::Stop;
use crate::event::Failure;
use crate::graph::NodeId;

impl Dispatcher<'_> {
    /// Uses the last result of a frozen node.
    pub(super) fn use_last(&mut self, id: NodeId) {
        let Some(frozen) = self.parts.frozen.get(&id) else { return };
        let (key, hit) = (frozen.key, frozen.hit.clone());
        // It waits for nothing: what it would read is compared as far as it is there.
        let nodes = &self.nodes;
        let outputs = |from: NodeId| nodes[from.0].outputs.as_deref();
        let ports = self.parts.resolver.known_inputs(self.parts.store, id, outputs);
        let recipe = self.parts.resolver.recipe(id);
        let (reason, changes) = (frozen.reason(recipe, &ports), frozen.changes(recipe, &ports));
        let progress = &mut self.nodes[id.0];
        progress.key = Some(key);
        if progress.again {
            // Its output has gone from the store since the run began.
            let mut failure = Failure::new(progress.reason.clone());
            failure.hint = Some("it is frozen, and so it is not computed again".to_owned());
            self.fail(id, failure);
            return;
        }
        if !changes.is_empty() {
            self.log(id, "warning", reason.clone());
        }
        self.cached(id, hit, &reason);
    }

    /// Whether anything more is to be started.
    pub(super) fn goes_on(&self) -> bool {
        self.stop == Stop::No && self.gave_up.is_none()
    }

    /// Where one failure is enough, nothing more is started after it.
    pub(super) fn give_up_after(&mut self, id: NodeId) {
        if self.parts.options.fail_fast {
            self.gave_up.get_or_insert(id);
        }
    }

    /// What is said of a node that was not tried at the end of the run.
    pub(super) fn not_tried(&self) -> (NodeState, String) {
        match (self.stop, self.gave_up) {
            (Stop::No, Some(failed)) => {
                let failed = &self.parts.graph.node(failed).name;
                (NodeState::Skipped, format!("not started, since {failed} failed (--fail-fast)"))
            }
            _ => (NodeState::Cancelled, "the run was interrupted".to_owned()),
        }
    }
}
