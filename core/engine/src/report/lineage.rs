//! The graph of stages, drawn in layers from left to right.

use std::fmt::Write;

use super::html::{escape, seconds};
use super::{ReportInput, State};

const BOX: (f64, f64) = (176.0, 72.0);
const GAP: (f64, f64) = (64.0, 22.0);
const MARGIN: f64 = 6.0;

/// What stands at a place of a layer: a stage, or a bend of an edge that passes the layer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Item {
    Stage(usize),
    Bend(usize),
}

/// The graph as an inline SVG.
pub(super) fn svg(input: &ReportInput) -> String {
    let layers = arrange(input.stages.len(), &input.edges);
    let place = |item: Item| {
        layers.iter().enumerate().find_map(|(x, layer)| layer.iter().position(|&i| i == item).map(|y| (x, y)))
    };
    let tallest = layers.iter().map(Vec::len).max().unwrap_or(1) as f64;
    let height = tallest * (BOX.1 + GAP.1) - GAP.1;
    let center = |(x, y): (usize, usize)| {
        let layer = layers[x].len() as f64 * (BOX.1 + GAP.1) - GAP.1;
        let top = (height - layer) / 2.0 + y as f64 * (BOX.1 + GAP.1);
        (MARGIN + x as f64 * (BOX.0 + GAP.0), MARGIN + top + BOX.1 / 2.0)
    };
    let (w, h) = (layers.len() as f64 * (BOX.0 + GAP.0) - GAP.0 + 2.0 * MARGIN, height + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg class=\"graph\" viewBox=\"0 0 {w:.0} {h:.0}\" width=\"{w:.0}\" height=\"{h:.0}\" role=\"img\" \
         aria-label=\"Graph of stages\">"
    );
    // Writing to a string cannot fail, here and below.
    for (number, &(from, to)) in input.edges.iter().enumerate().filter(|(_, (from, to))| from != to) {
        let (Some(start), Some(end)) = (place(Item::Stage(from)), place(Item::Stage(to))) else { continue };
        let mut at = center(start);
        at.0 += BOX.0;
        let mut path = format!("M{:.0} {:.0}", at.0, at.1);
        for layer in &layers[start.0 + 1..end.0] {
            let bend = layer.iter().position(|&item| item == Item::Bend(number));
            let Some(place) = bend.and_then(|_| place(Item::Bend(number)).filter(|p| layers[p.0] == *layer))
            else {
                continue;
            };
            curve(&mut path, &mut at, center(place));
            let _ = write!(path, " h{:.0}", BOX.0);
            at.0 += BOX.0;
        }
        curve(&mut path, &mut at, center(end));
        let _ = write!(svg, "<path class=\"edge\" d=\"{path}\"/>");
    }
    for (stage, info) in input.stages.iter().enumerate() {
        let Some(found) = place(Item::Stage(stage)) else { continue };
        let (x, y) = center(found);
        write_stage(&mut svg, input, stage, &info.name, &info.operation, (x, y - BOX.1 / 2.0));
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
                seconds(wall)
            } else {
                nodes[0].state.name().to_owned()
            }
        }
        n if wall >= 0.001 => format!("{n} nodes · {}", seconds(wall)),
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
        BOX.0,
        BOX.1,
        escape(&short(name, 22)),
        escape(&short(operation, 26)),
        escape(&short(&note, 26)),
    );
    // A bar that shows how many of the nodes ended how.
    let (mut x, length) = (12.0, BOX.0 - 24.0);
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

fn curve(path: &mut String, at: &mut (f64, f64), to: (f64, f64)) {
    let middle = (at.0 + to.0) / 2.0;
    let _ = write!(path, " C{middle:.0} {:.0} {middle:.0} {:.0} {:.0} {:.0}", at.1, to.1, to.0, to.1);
    *at = to;
}

pub(super) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

/// The layers of the drawing (Sugiyama, Tagawa and Toda 1981): each stage one layer after its latest
/// predecessor, edges bent in the layers they pass, and layers ordered by the mean place of neighbours.
fn arrange(stages: usize, edges: &[(usize, usize)]) -> Vec<Vec<Item>> {
    let mut layer = vec![0_usize; stages];
    // Longest paths; as many rounds as there are stages are enough, since there is no cycle.
    for _ in 0..stages {
        let mut moved = false;
        for &(from, to) in edges.iter().filter(|(from, to)| from != to) {
            if layer[to] <= layer[from] {
                layer[to] = layer[from] + 1;
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    let count = layer.iter().max().map_or(0, |&last| last + 1);
    let mut layers: Vec<Vec<Item>> = vec![Vec::new(); count];
    for (stage, &at) in layer.iter().enumerate() {
        layers[at].push(Item::Stage(stage));
    }
    // Neighbours in adjacent layers: pairs of items.
    let mut links: Vec<(Item, Item)> = Vec::new();
    for (number, &(from, to)) in edges.iter().enumerate().filter(|(_, (from, to))| from != to) {
        let mut last = Item::Stage(from);
        for passed in &mut layers[layer[from] + 1..layer[to]] {
            passed.push(Item::Bend(number));
            links.push((last, Item::Bend(number)));
            last = Item::Bend(number);
        }
        links.push((last, Item::Stage(to)));
    }
    for sweep in 0..4 {
        let forwards = sweep % 2 == 0;
        let order: Vec<usize> =
            if forwards { (1..count).collect() } else { (0..count.saturating_sub(1)).rev().collect() };
        for at in order {
            let beside = layers[if forwards { at - 1 } else { at + 1 }].clone();
            let mean = |item: Item, own: f64| {
                let places: Vec<f64> = links
                    .iter()
                    .filter_map(|&(a, b)| {
                        let (near, far) = if forwards { (b, a) } else { (a, b) };
                        (near == item).then(|| beside.iter().position(|&i| i == far)).flatten()
                    })
                    .map(|place| (place as f64 + 0.5) / beside.len() as f64)
                    .collect();
                // Without neighbours it stays where it is.
                if places.is_empty() { own } else { places.iter().sum::<f64>() / places.len() as f64 }
            };
            let size = layers[at].len() as f64;
            let mut keyed: Vec<(f64, Item)> = layers[at]
                .iter()
                .enumerate()
                .map(|(own, &item)| (mean(item, (own as f64 + 0.5) / size), item))
                .collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            layers[at] = keyed.into_iter().map(|(_, item)| item).collect();
        }
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_stand_after_what_they_need_and_long_edges_bend() {
        let layers = arrange(4, &[(0, 1), (1, 2), (0, 2), (3, 2)]);
        assert_eq!(layers.len(), 3);
        assert!(layers[0].contains(&Item::Stage(0)) && layers[0].contains(&Item::Stage(3)));
        assert!(layers[1].contains(&Item::Stage(1)) && layers[1].contains(&Item::Bend(2)));
        assert!(layers[1].contains(&Item::Bend(3)));
        assert_eq!(layers[2], [Item::Stage(2)]);
    }
}
