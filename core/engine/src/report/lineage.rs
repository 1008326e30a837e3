//! The graph of stages, drawn in layers from left to right.

use std::fmt::Write;

use flow_figure::escape;

use super::{ReportInput, State};
use crate::graph_view::layout::{Sizes, draw};
use crate::human::{duration, shorten};

const SIZES: Sizes = Sizes { item: (152.0, 72.0), gap: (44.0, 18.0), margin: 6.0 };

/// Drawings up to this wide, in pixels, can be read when they are shrunk to the page.
const READABLE: f64 = 1600.0;

/// The graph as an inline SVG.
pub(super) fn svg(input: &ReportInput) -> String {
    let drawing = draw(input.stages.len(), &input.edges, &SIZES);
    let (w, h) = drawing.size;
    // Shrunk to the page as long as it can be read; what is wider scrolls.
    let size = if w <= READABLE {
        format!("style=\"width:100%;height:auto;max-width:{w:.0}px\"")
    } else {
        format!("width=\"{w:.0}\" height=\"{h:.0}\"")
    };
    let mut svg = format!(
        "<svg class=\"graph\" viewBox=\"0 0 {w:.0} {h:.0}\" {size} role=\"img\" aria-label=\"Graph of stages\">"
    );
    // Writing to a string cannot fail, here and below.
    for path in &drawing.paths {
        let _ = write!(svg, "<path class=\"edge\" d=\"{path}\"/>");
    }
    for (stage, (info, at)) in input.stages.iter().zip(&drawing.boxes).enumerate() {
        write_stage(&mut svg, input, stage, &info.name, &info.operation, *at);
    }
    svg + "</svg>"
}

fn write_stage(
    svg: &mut String,
    input: &ReportInput,
    stage: usize,
    name: &str,
    operation: &str,
    at: (f64, f64),
) {
    let nodes: Vec<_> = input.nodes.iter().filter(|node| node.stage == stage).collect();
    let wall: f64 = nodes.iter().map(|node| node.wall_s).sum();
    let note = match nodes.len() {
        0 => "not expanded".to_owned(),
        1 => {
            if wall >= 0.001 {
                duration(wall)
            } else {
                nodes[0].state.name().to_owned()
            }
        }
        n if wall >= 0.001 => format!("{n} nodes · {}", duration(wall)),
        n => format!("{n} nodes"),
    };
    let _ = write!(
        svg,
        "<a href=\"#stage-{stage}\"><g transform=\"translate({:.0} {:.0})\"><title>{}: {}</title>\
         <rect class=\"box\" width=\"{}\" height=\"{}\" rx=\"7\"/><text class=\"name\" x=\"12\" y=\"21\">{}</text>\
         <text class=\"sub\" x=\"12\" y=\"38\">{}</text>\
         <text class=\"sub\" x=\"12\" y=\"54\">{}</text>",
        at.0,
        at.1,
        escape(name),
        escape(operation),
        SIZES.item.0,
        SIZES.item.1,
        escape(&shorten(name, 19)),
        escape(&shorten(operation, 23)),
        escape(&shorten(&note, 23)),
    );
    // A bar that shows how many of the nodes ended how.
    let (mut x, length) = (12.0, SIZES.item.0 - 24.0);
    for state in [State::Executed, State::Cached, State::Skipped, State::Cancelled, State::Failed] {
        let share =
            nodes.iter().filter(|node| node.state == state).count() as f64 / nodes.len().max(1) as f64;
        if share > 0.0 {
            let width = length * share;
            let _ = write!(
                svg,
                "<rect class=\"{}\" x=\"{x:.1}\" y=\"61\" width=\"{width:.1}\" height=\"4\"/>",
                state.name()
            );
            x += width;
        }
    }
    svg.push_str("</g></a>");
}
