//! Events on a terminal: a line with a bar for each running node, and one for the run.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use flow_engine::event::Event;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::pace::Pace;
use super::{Renderer, plain, summary, text};

pub(super) struct Terminal {
    bars: MultiProgress,
    all: ProgressBar,
    running: HashMap<String, Running>,
    cached: usize,
    ended: usize,
    report: Option<String>,
}

struct Running {
    bar: ProgressBar,
    /// The last value of each series, to show beside a bar that has no message of its own.
    metrics: Vec<(String, f64)>,
    total: u64,
    pace: Option<Pace>,
}

/// How often lines are redrawn without news.
const TICK: Duration = Duration::from_millis(250);

/// A redraw every this many nodes is enough while cached ones rush by.
const CACHED_STEP: usize = 64;

impl Terminal {
    pub(super) fn new() -> Self {
        let bars = MultiProgress::new();
        let all = bars.add(ProgressBar::new(0));
        all.set_style(style("{elapsed_precise} {bar:24} {pos}/{len} nodes {wide_msg}"));
        Self { bars, all, running: HashMap::new(), cached: 0, ended: 0, report: None }
    }

    fn say(&self, line: &str) {
        // Colour is for those who want it; `NO_COLOR` and the like are asked as for every other output.
        let wanted = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        let line = if wanted { line.to_owned() } else { anstream::adapter::strip_str(line).to_string() };
        let _ = self.bars.println(line);
    }

    fn start(&mut self, node: &str) {
        let bar = self.bars.insert_before(&self.all, ProgressBar::new_spinner());
        bar.set_style(style("{spinner} {prefix} {elapsed} {wide_msg}"));
        bar.set_prefix(text::clean(node));
        bar.enable_steady_tick(TICK);
        self.running.insert(node.to_owned(), Running { bar, metrics: Vec::new(), total: 0, pace: None });
    }

    fn count(&mut self) {
        let cached = if self.cached > 0 { format!("({} cached)", self.cached) } else { String::new() };
        self.all.set_message(cached);
        self.all.set_position(self.ended as u64);
    }
}

/// The templates are fixed and tested; were one wrong, the default style would show.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

impl Running {
    fn progress(&mut self, done: u64, total: u64, unit: &str, message: &str) {
        if self.total != total {
            self.total = total;
            self.bar.set_style(style("{spinner} {prefix} {bar:24} {pos}/{len} {wide_msg}"));
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
        let now = Instant::now();
        let pace = *self.pace.get_or_insert_with(|| Pace::start(now, done));
        let left = pace.left(now, done, total).map(|left| text::duration(left.as_secs_f64()));
        let note = if message.is_empty() { self.metrics() } else { text::clean(message) };
        let parts = [text::clean(unit), left.map(|left| format!("{left} left")).unwrap_or_default(), note];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        self.bar.set_message(parts.join(", "));
    }

    fn metric(&mut self, name: &str, value: f64) {
        match self.metrics.iter_mut().find(|(known, _)| known == name) {
            Some((_, last)) => *last = value,
            None => self.metrics.push((name.to_owned(), value)),
        }
    }

    fn metrics(&self) -> String {
        const SHOWN: usize = 3;
        let shown = self.metrics.iter().take(SHOWN);
        shown.map(|(name, value)| format!("{} {value:.4}", text::clean(name))).collect::<Vec<_>>().join(", ")
    }
}

impl Renderer for Terminal {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { run, workflow, nodes, .. } => {
                self.all.set_length(*nodes as u64);
                self.say(&format!("{}: {}, run {run}", text::clean(workflow), text::count(*nodes, "node")));
            }
            Event::NodeStarted { node, .. } => {
                if let Some(line) = plain::line(event) {
                    self.say(&line);
                }
                self.start(node);
            }
            Event::Progress { node, done, total, unit, message } => {
                if let Some(running) = self.running.get_mut(node) {
                    running.progress(*done, *total, unit, message);
                }
            }
            Event::Metric { node, name, value, .. } => {
                if let Some(running) = self.running.get_mut(node) {
                    running.metric(name, value.0);
                }
            }
            Event::NodeWaits { .. } | Event::Log { .. } | Event::Warning { .. } => {
                if let Some(line) = plain::line(event) {
                    self.say(&line);
                }
            }
            Event::NodeRetries { node, .. } => {
                if let Some(running) = self.running.remove(node) {
                    running.bar.finish_and_clear();
                }
                if let Some(line) = plain::line(event) {
                    self.say(&line);
                }
            }
            Event::NodeFinished { node, cached, .. } => {
                if let Some(running) = self.running.remove(node) {
                    running.bar.finish_and_clear();
                }
                self.ended += 1;
                self.cached += usize::from(*cached);
                summary::node(event).iter().for_each(|line| self.say(line));
                if !cached || self.cached.is_multiple_of(CACHED_STEP) {
                    self.count();
                }
            }
            Event::ReportWritten { path } => self.report = Some(path.clone()),
            Event::RunFinished(end) => {
                self.all.finish_and_clear();
                let _ = self.bars.clear();
                summary::run(end, self.report.as_deref()).iter().for_each(|line| self.say(line));
            }
        }
    }
}
