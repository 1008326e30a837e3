//! What people and programs see of a run: each renderer turns the one stream of events into text.

pub(crate) mod artifact;
mod json;
pub(crate) mod operation;
mod pace;
mod plain;
mod summary;
mod terminal;
pub(crate) mod text;

use std::io::IsTerminal;

use flow_engine::event::Event;

use crate::commands::Format;

/// Shows events.
pub(crate) trait Renderer {
    /// Shows one event.
    fn event(&mut self, event: &Event);
}

/// The renderer for this format and this terminal.
pub(crate) fn renderer(format: Format) -> Box<dyn Renderer> {
    match format {
        Format::Json => Box::new(json::Json::new()),
        Format::Human if std::io::stdout().is_terminal() && std::io::stderr().is_terminal() => {
            Box::new(terminal::Terminal::new())
        }
        Format::Human => Box::new(plain::Plain::new()),
    }
}
