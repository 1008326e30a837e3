//! What people and programs see of a run: each renderer turns the one stream of events into text.

pub(crate) mod artifact;
pub(crate) mod columns;
mod growth;
mod json;
pub(crate) mod operation;
mod pace;
mod plain;
mod summary;
mod terminal;
pub(crate) mod text;

use std::io::IsTerminal;

use flow_engine::event::Event;
use flow_store::NodeState;

use crate::commands::Format;

/// Shows events.
pub(crate) trait Renderer {
    /// Shows one event.
    fn event(&mut self, event: &Event);

    /// Shows a line of text among the events. Programs are not told.
    fn say(&self, line: &str);
}

/// How much is said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Everything.
    All,
    /// What runs now, where that can be drawn, and what went wrong: somebody else says the rest.
    Problems,
}

/// The renderer for this format and this terminal.
pub(crate) fn renderer(format: Format, detail: Detail) -> Box<dyn Renderer> {
    match format {
        Format::Json => Box::new(json::Json::new()),
        Format::Human if std::io::stdout().is_terminal() && std::io::stderr().is_terminal() => {
            Box::new(terminal::Terminal::new(detail))
        }
        Format::Human => Box::new(plain::Plain::new(detail)),
    }
}

/// Whether an event is worth a line of its own where only problems are said.
fn is_problem(event: &Event) -> bool {
    match event {
        Event::Warning { .. } | Event::NodeRetries { .. } => true,
        Event::Log { level, .. } => level == "warning",
        Event::NodeFinished { status, .. } => *status == NodeState::Failed,
        _ => false,
    }
}
