//! Events on a terminal: a line with a bar for each running node, and one for the run.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use flow_engine::event::Event;
use flow_engine::human::{bytes, duration, short_name};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::growth::Growth;
use super::pace::Pace;
use super::{Detail, Renderer, plain, summary, text};

pub(super) struct Terminal {
    detail: Detail,
    bars: MultiProgress,
    all: ProgressBar,
    running: HashMap<String, Running>,
    cached: usize,
    ended: usize,
    failures: summary::Failures,
    report: Option<String>,
    growth: Growth,
}

struct Running {
    bar: ProgressBar,
    /// The last value of each series, to show beside a bar that has no message of its own.
    metrics: Vec<(String, f64)>,
    total: u64,
    pace: Option<Pace>,
    /// The rest of the line: unit, time left, message or metrics.
    note: Vec<String>,
    /// Resident memory, in bytes.
    memory: Option<u64>,
}

/// How often lines are redrawn without news.
const TICK: Duration = Duration::from_millis(250);

/// Longer names are shortened beside a bar, so that progress stays on the line; in full they have been said above.
const NAME: usize = 28;

/// A redraw every this many nodes is enough while cached ones rush by.
const CACHED_STEP: usize = 64;

impl Terminal {
    pub(super) fn new(detail: Detail) -> Self {
        Self::on(ProgressDrawTarget::stderr(), detail)
    }

    fn on(target: ProgressDrawTarget, detail: Detail) -> Self {
        let bars = MultiProgress::with_draw_target(target);
        let all = bars.add(ProgressBar::new(0));
        all.set_style(style("{elapsed_precise} {bar:24} {pos}/{len} nodes {wide_msg}"));
        let (failures, growth) = (summary::Failures::default(), Growth::default());
        let running = HashMap::new();
        Self { detail, bars, all, running, cached: 0, ended: 0, failures, report: None, growth }
    }

    /// A line about an event, where it is wanted.
    fn tell(&self, event: &Event, line: &str) {
        if self.detail == Detail::All || super::is_problem(event) {
            self.say(line);
        }
    }

    fn start(&mut self, node: &str) {
        let bar = self.bars.insert_before(&self.all, ProgressBar::new_spinner());
        bar.set_style(style("{spinner} {prefix} {elapsed} {wide_msg}"));
        bar.set_prefix(short_name(&text::clean(node), NAME));
        bar.enable_steady_tick(TICK);
        let running =
            Running { bar, metrics: Vec::new(), total: 0, pace: None, note: Vec::new(), memory: None };
        self.running.insert(node.to_owned(), running);
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
            self.bar.set_style(style("{spinner} {prefix} {bar:16} {pos}/{len} {wide_msg}"));
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
        let now = Instant::now();
        let pace = *self.pace.get_or_insert_with(|| Pace::start(now, done));
        let left = pace.left(now, done, total).map(|left| duration(left.as_secs_f64()));
        let note = if message.is_empty() { self.metrics() } else { text::clean(message) };
        let parts = [text::clean(unit), left.map(|left| format!("{left} left")).unwrap_or_default(), note];
        self.note = parts.into_iter().filter(|part| !part.is_empty()).collect();
        self.show();
    }

    fn show(&self) {
        let memory = self.memory.map(bytes);
        let parts: Vec<&str> = self.note.iter().map(String::as_str).chain(memory.as_deref()).collect();
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
    fn say(&self, line: &str) {
        // Colour is for those who want it; `NO_COLOR` and the like are asked as for every other output.
        let wanted = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        let line = if wanted { line.to_owned() } else { anstream::adapter::strip_str(line).to_string() };
        let _ = self.bars.println(line);
    }

    fn event(&mut self, event: &Event) {
        self.failures.see(event);
        if let Some(line) = self.growth.before(event) {
            self.tell(event, &line);
        }
        match event {
            Event::RunStarted { run, workflow, nodes, .. } => {
                self.all.set_length(*nodes as u64);
                // The time goes on while no node ends.
                self.all.enable_steady_tick(TICK);
                let nodes = text::count(*nodes, "node");
                self.tell(event, &format!("{}: {nodes}, run {run}", text::clean(workflow)));
            }
            Event::NodeStarted { node, .. } => {
                if let Some(line) = plain::line(event) {
                    self.tell(event, &line);
                }
                self.start(node);
                self.count();
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
            Event::Memory { node, bytes } => {
                if let Some(running) = self.running.get_mut(node) {
                    running.memory = Some(*bytes);
                    running.show();
                }
            }
            Event::GraphGrown { nodes, .. } => {
                self.all.set_length(*nodes as u64);
            }
            Event::NodeWaits { .. }
            | Event::NodeResumed { .. }
            | Event::Log { .. }
            | Event::Warning { .. } => {
                if let Some(line) = plain::line(event) {
                    self.tell(event, &line);
                }
            }
            Event::NodeRetries { node, .. } => {
                if let Some(running) = self.running.remove(node) {
                    running.bar.finish_and_clear();
                }
                if let Some(line) = plain::line(event) {
                    self.tell(event, &line);
                }
            }
            Event::NodeFinished { node, cached, .. } => {
                let running = self.running.remove(node);
                if let Some(running) = &running {
                    running.bar.finish_and_clear();
                }
                self.ended += 1;
                self.cached += usize::from(*cached);
                summary::node(event, running.is_some()).iter().for_each(|line| self.tell(event, line));
                if !cached || self.cached.is_multiple_of(CACHED_STEP) {
                    self.count();
                }
            }
            Event::ReportWritten { path } => self.report = Some(path.clone()),
            Event::RunFinished(end) => {
                self.all.finish_and_clear();
                let _ = self.bars.clear();
                let lines = summary::run(end, &self.failures, self.report.as_deref());
                lines.iter().for_each(|line| self.tell(event, line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use flow_engine::event::{Failure, Summary};
    use flow_plugin::protocol::Number;
    use flow_store::{NodeState, RunStatus};
    use indicatif::InMemoryTerm;
    use insta::assert_snapshot;

    use super::*;

    /// What stands on a terminal after some events, without what depends on the clock.
    fn screen(events: &[Event]) -> String {
        let terminal = InMemoryTerm::new(24, 100);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        let mut renderer = Terminal::on(target, Detail::All);
        for event in events {
            renderer.event(event);
        }
        renderer.running.values().for_each(|running| running.bar.force_draw());
        renderer.all.force_draw();
        let spinners = '\u{2800}'..='\u{28ff}';
        let shown = terminal.contents();
        shown.chars().map(|c| if spinners.contains(&c) { '~' } else { c }).collect()
    }

    fn started(node: &str) -> Event {
        Event::NodeStarted { node: node.into(), reason: "never computed before".into(), attempt: 1 }
    }

    fn finished(node: &str, status: NodeState, cached: bool, error: Option<Failure>) -> Event {
        let (node, reason) = (node.into(), "make did not succeed".into());
        Event::NodeFinished { node, status, cached, key: None, reason, wall_s: 4.2, cpu_s: 8.0, error }
    }

    fn half() -> Vec<Event> {
        let metric = |name: &str, value| Event::Metric {
            node: "train[seed=1]".into(),
            name: name.into(),
            step: 12,
            value: Number(value),
        };
        vec![
            Event::RunStarted { run: "20261121-1".into(), workflow: "ccs".into(), nodes: 4, cores: 2 },
            finished("geology", NodeState::Succeeded, true, None),
            started("train[seed=1]"),
            started("simulate"),
            metric("loss", 0.123_456),
            metric("validation_loss", 0.25),
            Event::Progress {
                node: "train[seed=1]".into(),
                done: 12,
                total: 40,
                unit: "epochs".into(),
                message: String::new(),
            },
            Event::Memory { node: "train[seed=1]".into(), bytes: 1 << 30 },
            Event::Log {
                node: "simulate".into(),
                level: "warning".into(),
                message: "1 sample left out".into(),
            },
            Event::Log { node: "simulate".into(), level: "info".into(), message: "not shown".into() },
        ]
    }

    #[test]
    fn running_nodes_have_a_line_each_below_what_has_been_said() {
        assert_snapshot!(screen(&half()));
    }

    #[test]
    fn long_names_leave_room_for_progress() {
        let nodes = ["fno", "ufno"]
            .map(|model| format!("train[model={model},learning_rate=0.00012,hidden_channels=64,seed=1]"));
        let mut events =
            vec![Event::RunStarted { run: "1".into(), workflow: "ccs".into(), nodes: 9, cores: 2 }];
        events.extend(nodes.iter().map(|node| started(node)));
        events.extend(nodes.iter().map(|node| Event::Progress {
            node: node.clone(),
            done: 12,
            total: 40,
            unit: "epochs".into(),
            message: String::new(),
        }));
        assert_snapshot!(screen(&events));
    }

    #[test]
    fn in_the_end_only_what_was_said_stays() {
        let mut events = half();
        let error = Failure {
            message: "no convergence".into(),
            hint: Some("use smaller steps".into()),
            stderr: vec!["step 12".into()],
        };
        let (status, wall_s, saved_s) = (RunStatus::Failed, 185.0, 7800.0);
        events.extend([
            finished("train[seed=1]", NodeState::Succeeded, false, None),
            finished("simulate", NodeState::Failed, false, Some(error)),
            finished("evaluate", NodeState::Skipped, false, None),
            Event::ReportWritten { path: "/p/.flow/runs/20261121-1/report.html".into() },
            Event::RunFinished(Summary {
                status,
                executed: 1,
                cached: 1,
                failed: 1,
                skipped: 1,
                wall_s,
                saved_s,
            }),
        ]);
        assert_snapshot!(screen(&events));
    }
}
