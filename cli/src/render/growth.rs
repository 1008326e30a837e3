//! Nodes that have become known, until it is worth saying so.

use flow_engine::event::Event;

use super::text::clean;

/// By stage how many nodes have become known. It is said when something is computed next: where all that has become
/// known is cached, it is of no interest.
#[derive(Default)]
pub(super) struct Growth(Vec<(String, usize)>);

impl Growth {
    /// Takes note of what has become known; gives the line to say before an event.
    pub(super) fn before(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::GraphGrown { stages, .. } => {
                for (stage, nodes) in stages {
                    match self.0.iter_mut().find(|(known, _)| known == stage) {
                        Some((_, count)) => *count += nodes,
                        None => self.0.push((stage.clone(), *nodes)),
                    }
                }
                None
            }
            Event::NodeStarted { .. } if !self.0.is_empty() => {
                let stages = self.0.drain(..).map(|(stage, nodes)| format!("{} ×{nodes}", clean(&stage)));
                Some(format!("   more  {}", stages.collect::<Vec<_>>().join(", ")))
            }
            _ => None,
        }
    }
}
