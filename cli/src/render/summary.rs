//! What is said of a node that has ended, and of a run at its end.

use flow_engine::event::{Event, Failure, Summary};
use flow_engine::human::duration;
use flow_store::{NodeState, RunStatus};

use super::text::{self, BOLD, DIM, GREEN, RED, RESET, YELLOW};

/// The lines for a finished node; none for one that was cached, or that the end of the run kept from being started.
pub(super) fn node(event: &Event, ran: bool) -> Vec<String> {
    let Event::NodeFinished { node, status, cached, reason, wall_s, error, .. } = event else {
        return Vec::new();
    };
    let node = text::clean(node);
    match status {
        NodeState::Succeeded if *cached => Vec::new(),
        NodeState::Succeeded => {
            vec![format!("{GREEN}   done{RESET}  {node}  {DIM}{}{RESET}", duration(*wall_s))]
        }
        NodeState::Failed => {
            let mut lines = vec![format!("{RED} failed{RESET}  {node}")];
            lines.extend(error.iter().flat_map(failure));
            lines
        }
        NodeState::Skipped => {
            vec![format!("{YELLOW}skipped{RESET}  {node}  {DIM}{}{RESET}", text::clean(reason))]
        }
        NodeState::Cancelled if !ran => Vec::new(),
        NodeState::Cancelled => vec![format!("{YELLOW}stopped{RESET}  {node}")],
    }
}

fn failure(failure: &Failure) -> Vec<String> {
    let mut lines: Vec<_> =
        failure.message.lines().map(|line| format!("         {}", text::clean(line))).collect();
    if let Some(hint) = &failure.hint {
        lines.push(format!("         {BOLD}help:{RESET} {}", text::clean(hint)));
    }
    for line in &failure.stderr {
        lines.push(format!("         {DIM}| {}{RESET}", text::clean(line)));
    }
    lines
}

/// What went wrong so far, to be said again at the end: in a long run it has scrolled away.
#[derive(Default)]
pub(super) struct Failures {
    lines: Vec<String>,
    /// Whether something else has been said since.
    below: bool,
}

/// So many are named again at the end of a run.
const NAMED: usize = 20;

impl Failures {
    pub(super) fn see(&mut self, event: &Event) {
        match event {
            Event::NodeFinished { node, status: NodeState::Failed, error, .. } => {
                self.below = !self.lines.is_empty();
                let message =
                    error.as_ref().and_then(|error| error.message.lines().next()).unwrap_or_default();
                let (node, message) = (text::clean(node), text::clean(message));
                self.lines.push(format!("{RED} failed{RESET}  {node}  {DIM}{message}{RESET}"));
            }
            Event::NodeFinished { cached: false, .. } | Event::NodeStarted { .. } => self.below = true,
            _ => {}
        }
    }

    fn again(&self) -> Vec<String> {
        if !self.below || self.lines.is_empty() {
            return Vec::new();
        }
        let mut lines = vec![String::new()];
        lines.extend(self.lines.iter().take(NAMED).cloned());
        if self.lines.len() > NAMED {
            lines.push(format!("         and {} more", self.lines.len() - NAMED));
        }
        lines
    }
}

/// The lines at the end of a run.
pub(super) fn run(summary: &Summary, failures: &Failures, report: Option<&str>) -> Vec<String> {
    let (word, style) = match summary.status {
        RunStatus::Succeeded => ("done", GREEN),
        RunStatus::Interrupted => ("interrupted", YELLOW),
        _ => ("failed", RED),
    };
    let mut parts = Vec::new();
    if summary.executed == 0 && summary.failed == 0 && summary.skipped == 0 {
        parts.push(format!("everything was cached ({})", text::count(summary.cached, "node")));
    } else {
        parts.push(format!("{} executed", summary.executed));
        parts.push(format!("{} cached", summary.cached));
    }
    if summary.failed > 0 {
        parts.push(format!("{} failed", summary.failed));
    }
    if summary.skipped > 0 {
        parts.push(format!("{} skipped", summary.skipped));
    }
    let mut times = duration(summary.wall_s);
    if summary.saved_s >= 0.1 {
        times = format!("{times}, {} saved", duration(summary.saved_s));
    }
    let mut lines = failures.again();
    lines.push(format!("{style}{word}{RESET}: {} in {times}", parts.join(", ")));
    lines.extend(report.map(|path| format!("report: {BOLD}{}{RESET}", text::clean(path))));
    lines
}
