//! Events as JSON, one object a line.

use std::io::{BufWriter, Stdout, Write};

use flow_engine::event::Event;

use super::Renderer;

pub(super) struct Json {
    out: BufWriter<Stdout>,
}

impl Json {
    pub(super) fn new() -> Self {
        Self { out: BufWriter::with_capacity(64 << 10, std::io::stdout()) }
    }
}

impl Renderer for Json {
    fn event(&mut self, event: &Event) {
        // Whoever reads may have gone; the run goes on, its record is in the store.
        let _ = serde_json::to_writer(&mut self.out, event);
        let _ = self.out.write_all(b"\n");
        // A cached result is no news: those come in thousands, and are shown with the next event.
        if !matches!(event, Event::NodeFinished { cached: true, .. }) {
            let _ = self.out.flush();
        }
    }

    fn say(&self, _: &str) {}
}
