//! When nodes ran: a bar for each, or, where there are many, how many of each stage ran at once.

use std::fmt::Write;

use flow_figure::escape;

use super::{NodeInput, ReportInput};
use crate::human::{duration, short_name, shorten};

/// Up to so many nodes have a line of their own.
const LINES: usize = 48;
const LEFT: f64 = 240.0;
const WIDTH: f64 = 1000.0;
const LINE: f64 = 20.0;

/// The chart as an inline SVG; nothing where no node ran.
pub(super) fn svg(input: &ReportInput) -> Option<String> {
    let ran: Vec<&NodeInput> = input.nodes.iter().filter(|node| node.wall_s > 0.0).collect();
    if ran.is_empty() {
        return None;
    }
    let end = ran.iter().map(|node| node.started_s + node.wall_s).fold(input.wall_s, f64::max).max(1e-3);
    let x = |second: f64| LEFT + second / end * (WIDTH - LEFT - 60.0);
    let mut body = String::new();
    let lines = if ran.len() <= LINES {
        node_lines(&mut body, &ran, x)
    } else {
        stage_lines(&mut body, input, &ran, end, x)
    };
    let height = lines as f64 * LINE + 26.0;
    let mut svg = format!(
        "<svg class=\"timeline\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"When nodes ran\">"
    );
    let step = round_step(end / 6.0);
    for n in 0..=(end / step) as u32 {
        let second = f64::from(n) * step;
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"0\" y2=\"{1:.0}\"/>\
             <text class=\"sub\" x=\"{0:.1}\" y=\"{2:.0}\" text-anchor=\"middle\">{3}</text>",
            x(second),
            height - 22.0,
            height - 6.0,
            duration(second)
        );
    }
    Some(svg + &body + "</svg>")
}

fn node_lines(body: &mut String, ran: &[&NodeInput], x: impl Fn(f64) -> f64) -> usize {
    for (line, node) in ran.iter().enumerate() {
        let y = line as f64 * LINE;
        let (left, right) = (x(node.started_s), x(node.started_s + node.wall_s));
        let cores = node.cpu_s / node.wall_s;
        let _ = write!(
            body,
            "<g><title>{}: {} wall, {} CPU ({cores:.1} cores)</title>\
             <text class=\"label\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"12\" rx=\"2\"/>\
             <text class=\"sub\" x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
            escape(&node.name),
            duration(node.wall_s),
            duration(node.cpu_s),
            LEFT - 10.0,
            y + 14.0,
            escape(&short_name(&node.name, 34)),
            node.state.name(),
            y + 4.0,
            (right - left).max(1.5),
            right.max(left + 1.5) + 5.0,
            y + 14.0,
            duration(node.wall_s),
        );
    }
    ran.len()
}

/// One line a stage: the height of the area is how many of its nodes ran at that time.
fn stage_lines(
    body: &mut String,
    input: &ReportInput,
    ran: &[&NodeInput],
    end: f64,
    x: impl Fn(f64) -> f64,
) -> usize {
    const COLUMNS: usize = 400;
    let mut line = 0;
    for (stage, info) in input.stages.iter().enumerate() {
        let mut busy = vec![0.0_f64; COLUMNS];
        let mut count = 0;
        for node in ran.iter().filter(|node| node.stage == stage) {
            count += 1;
            let column = |second: f64| ((second / end * COLUMNS as f64) as usize).min(COLUMNS - 1);
            let (first, last) = (column(node.started_s), column(node.started_s + node.wall_s));
            busy[first..=last].iter_mut().for_each(|n| *n += 1.0);
        }
        let most = busy.iter().copied().fold(0.0, f64::max);
        if count == 0 {
            continue;
        }
        let floor = line as f64 * LINE + 17.0;
        let mut path = format!("M{:.1} {floor:.1}", x(0.0));
        let mut last = 0.0;
        for (column, &n) in busy.iter().enumerate() {
            if n != last {
                let at = x(column as f64 / COLUMNS as f64 * end);
                let _ = write!(path, "H{at:.1}V{:.1}", floor - 15.0 * n / most);
                last = n;
            }
        }
        let _ = write!(
            body,
            "<g><title>{0}: {count} nodes</title>\
             <text class=\"label\" x=\"{1:.0}\" y=\"{2:.1}\" text-anchor=\"end\">{3} ({count})</text>\
             <path class=\"executed\" d=\"{path}H{4:.1}V{floor:.1}Z\"/></g>",
            escape(&info.name),
            LEFT - 10.0,
            floor - 3.0,
            escape(&shorten(&info.name, 20)),
            x(end),
        );
        line += 1;
    }
    line
}

/// The next larger of the steps that people count time in.
fn round_step(raw: f64) -> f64 {
    const STEPS: [f64; 14] =
        [0.001, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0];
    STEPS.into_iter().find(|step| *step >= raw).unwrap_or_else(|| 86_400.0 * (raw / 86_400.0).ceil())
}
