//! Nodes of one plan that come to the same computation: one of them runs, and the others use its result.

use std::collections::HashMap;

use super::{Planner, State};
use crate::graph::{NodeId, Reuse};

impl Planner<'_> {
    /// Of nodes with one key the first runs, as the dispatcher has it. Where a key is not known yet it may turn out
    /// to be that of another node with the same recipe: then it is not certain that both run.
    pub(super) fn tell_twins(&mut self) {
        let mut first = HashMap::new();
        let mut alike: HashMap<_, Vec<NodeId>> = HashMap::new();
        for (id, known) in &mut self.known {
            // What is computed although its result is known is computed for itself.
            let forced = self.graph.node(*id).reuse == Reuse::Never && known.planned.computation.is_none();
            let own = forced || known.outputs.is_some();
            if known.planned.state != State::Run || own {
                continue;
            }
            let twin = known.planned.key.and_then(|key| {
                let first = *first.entry(key).or_insert(*id);
                (first != *id).then_some(first)
            });
            match twin {
                Some(twin) => {
                    known.planned.state = State::Cached;
                    known.planned.reason = format!("{} is the same, and runs", self.graph.node(twin).name);
                }
                None => alike.entry(self.resolver.recipe(*id).digest).or_default().push(*id),
            }
        }
        for (id, known) in &mut self.known {
            if known.planned.state != State::Run || known.planned.key.is_some() || !known.planned.certain {
                continue;
            }
            let others = alike.get(&self.resolver.recipe(*id).digest).into_iter().flatten();
            if let Some(other) = others.into_iter().find(|other| *other != id) {
                known.planned.certain = false;
                known.planned.reason =
                    format!("runs unless it comes to the same as {}", self.graph.node(*other).name);
            }
        }
    }
}
