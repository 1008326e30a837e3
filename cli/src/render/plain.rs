//! Events as lines of text, where there is no terminal to draw on.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::time::{Duration, Instant};

use flow_engine::event::Event;
use flow_engine::human::duration;

use super::growth::Growth;
use super::pace::Pace;
use super::{Detail, Renderer, summary, text};

pub(super) struct Plain {
    detail: Detail,
    report: Option<String>,
    failures: summary::Failures,
    /// Nodes that have been started and not ended.
    running: HashSet<String>,
    paces: HashMap<String, Pace>,
    growth: Growth,
}

/// Time between two lines about the progress of a node: a log should tell that work goes on, not scroll by.
const INTERVAL: Duration = Duration::from_secs(60);

impl Plain {
    pub(super) fn new(detail: Detail) -> Self {
        Self {
            detail,
            report: None,
            failures: summary::Failures::default(),
            running: HashSet::new(),
            paces: HashMap::new(),
            growth: Growth::default(),
        }
    }

    fn progress(&mut self, node: &str, (done, total): (u64, u64), unit: &str, message: &str) {
        let now = Instant::now();
        let pace = self.paces.entry(node.to_owned()).or_insert_with(|| Pace::start(now, done));
        if done == total || !pace.due(now, INTERVAL) {
            return;
        }
        let mut line = format!("         {}  {done} of {total} {}", text::clean(node), text::clean(unit));
        if !message.is_empty() {
            line += &format!(", {}", text::clean(message));
        }
        if let Some(left) = pace.left(now, done, total) {
            line += &format!(", about {} left", duration(left.as_secs_f64()));
        }
        say(&line);
    }
}

/// Prints a line, without colour where that is not wanted. Whoever reads may have gone; the run goes on.
fn say(line: &str) {
    let _ = writeln!(anstream::stdout().lock(), "{line}");
}

impl Renderer for Plain {
    fn say(&self, line: &str) {
        say(line);
    }

    fn event(&mut self, event: &Event) {
        if self.detail == Detail::Problems && !super::is_problem(event) {
            return;
        }
        self.failures.see(event);
        self.growth.before(event).iter().for_each(|line| say(line));
        match event {
            Event::RunStarted { run, workflow, nodes, .. } => {
                say(&format!("{}: {}, run {run}", text::clean(workflow), text::count(*nodes, "node")));
            }
            Event::NodeStarted { node, .. } => {
                self.running.insert(node.clone());
                line(event).iter().for_each(|line| say(line));
            }
            Event::NodeWaits { .. }
            | Event::NodeResumed { .. }
            | Event::NodeRetries { .. }
            | Event::Warning { .. }
            | Event::Log { .. } => {
                if let Some(line) = line(event) {
                    say(&line);
                }
            }
            Event::NodeFinished { node, .. } => {
                self.paces.remove(node);
                let ran = self.running.remove(node);
                summary::node(event, ran).iter().for_each(|line| say(line));
            }
            Event::ReportWritten { path } => self.report = Some(path.clone()),
            Event::RunFinished(end) => {
                let lines = summary::run(end, &self.failures, self.report.as_deref());
                lines.iter().for_each(|line| say(line));
            }
            Event::Progress { node, done, total, unit, message } => {
                self.progress(node, (*done, *total), unit, message);
            }
            Event::GraphGrown { .. } | Event::Metric { .. } | Event::Memory { .. } => {}
        }
    }
}

/// The line for an event in the middle of a node's life, if it is worth one.
pub(super) fn line(event: &Event) -> Option<String> {
    use text::{DIM, RESET, YELLOW, clean};
    match event {
        Event::NodeStarted { node, reason, attempt } => {
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            Some(format!("    run  {}{again}  {DIM}{}{RESET}", clean(node), clean(reason)))
        }
        Event::NodeWaits { node, run } => {
            Some(format!("  waits  {}  {DIM}run {run} is computing it{RESET}", clean(node)))
        }
        Event::NodeResumed { node, from, saved_s } => Some(format!(
            "         {}  goes on from {}  {DIM}which saves {}{RESET}",
            clean(node),
            clean(from),
            duration(*saved_s)
        )),
        Event::NodeRetries { node, error, wait_s, .. } => Some(format!(
            "{YELLOW}  retry{RESET}  {}  {DIM}in {}:{RESET} {}",
            clean(node),
            duration(*wait_s),
            clean(error)
        )),
        Event::Log { node, level, message } if level == "warning" => {
            Some(format!("{YELLOW}warning{RESET}  {}: {}", clean(node), clean(message)))
        }
        Event::Log { node, level, message } if level == "note" => {
            Some(format!("         {}  {}", clean(node), clean(message)))
        }
        Event::Warning { message } => Some(format!("{YELLOW}warning{RESET}  {}", clean(message))),
        _ => None,
    }
}
