//! A graph as a picture.

use std::fmt::Write;

use super::View;
use super::layout::{Slot, layers};

const BOX: (f64, f64) = (190.0, 52.0);
const GAP: (f64, f64) = (60.0, 20.0);
const MARGIN: f64 = 12.0;
/// What fits into a box, in characters.
const FITS: usize = 24;

/// Colours that suit light and dark surroundings alike.
const STYLE: &str = "text{font-family:system-ui,sans-serif;fill:#1c2733}.t{font-size:13px;font-weight:600}\
.o{font-size:11px;fill:#5a6b7b}.b{fill:#f4f7fa;stroke:#7d92a6}.m{fill:#e4ebf2;stroke:#b4c2cf}\
.e{fill:none;stroke:#7d92a6;stroke-width:1.5}.d{stroke-dasharray:4 3}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.o{fill:#9fb0c0}.b{fill:#1f2a35;stroke:#6c8093}\
.m{fill:#17202a;stroke:#4a5b6b}}";

/// The graph as a complete SVG file, in layers from left to right. Boxes of several nodes look like a stack.
#[must_use]
pub fn svg(view: &View) -> String {
    let pairs = view.pairs();
    let layers = layers(view.boxes.len(), &pairs);
    let tallest = layers.iter().map(Vec::len).max().unwrap_or(0).max(1) as f64;
    let (step_x, step_y) = (BOX.0 + GAP.0, BOX.1 + GAP.1);
    let height = tallest * step_y - GAP.1 + 2.0 * MARGIN;
    let width = (layers.len().max(1) as f64) * step_x - GAP.0 + 2.0 * MARGIN;
    // The middle of the left side of what stands at a place.
    let place = |layer: usize, slot: Slot| {
        let row = layers[layer].iter().position(|other| *other == slot)?;
        let top = (height - (layers[layer].len() as f64 * step_y - GAP.1)) / 2.0;
        Some((MARGIN + layer as f64 * step_x, top + row as f64 * step_y + BOX.1 / 2.0))
    };
    let layer_of = |slot: Slot| layers.iter().position(|layer| layer.contains(&slot));
    // Writing to a string cannot fail, here and below.
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\"><title>{}</title><style>{STYLE}</style><defs><marker id=\"a\" \
         viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path \
         d=\"M0 0.5L7 4L0 7.5z\" fill=\"#7d92a6\"/></marker></defs>\n",
        escape(&view.name)
    );
    for (number, &(from, to)) in pairs.iter().enumerate() {
        let (Some(first), Some(last)) = (layer_of(Slot::Box(from)), layer_of(Slot::Box(to))) else {
            continue;
        };
        let Some(start) = place(first, Slot::Box(from)) else { continue };
        let mut at = (start.0 + BOX.0, start.1);
        let mut path = format!("M{:.1} {:.1}", at.0, at.1);
        for layer in first + 1..=last {
            let slot = if layer == last { Slot::Box(to) } else { Slot::Bend(number) };
            let Some(next) = place(layer, slot) else { continue };
            let middle = (at.0 + next.0) / 2.0;
            let _ = write!(
                path,
                "C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}",
                at.1, next.1, next.0, next.1
            );
            at = next;
            if layer < last {
                at.0 += BOX.0;
                let _ = write!(path, "H{:.1}", at.0);
            }
        }
        let data =
            view.arrows.iter().any(|arrow| (arrow.from, arrow.to) == (from, to) && arrow.data.is_some());
        let class = if data { "e" } else { "e d" };
        let labels: Vec<String> = view
            .arrows
            .iter()
            .filter(|arrow| (arrow.from, arrow.to) == (from, to))
            .filter_map(|arrow| arrow.data.as_ref())
            .map(|(input, output, _)| format!("{output} → {input}"))
            .collect();
        let title = escape(&labels.join(", "));
        let _ = writeln!(
            out,
            "<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#a)\"><title>{title}</title></path>"
        );
    }
    for (number, item) in view.boxes.iter().enumerate() {
        let Some((x, middle)) = layer_of(Slot::Box(number)).and_then(|layer| place(layer, Slot::Box(number)))
        else {
            continue;
        };
        let y = middle - BOX.1 / 2.0;
        let (w, h) = BOX;
        if item.nodes > 1 {
            let (x, y) = (x + 5.0, y + 5.0);
            let _ = write!(
                out,
                "<rect class=\"m\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w}\" height=\"{h}\" rx=\"7\"/>"
            );
        }
        let axes: Vec<String> =
            item.axes.iter().map(|(axis, values)| format!("{axis}: {}", values.join(", "))).collect();
        let _ = writeln!(
            out,
            "<g><title>{}</title><rect class=\"b\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w}\" height=\"{h}\" \
             rx=\"7\"/><text class=\"t\" x=\"{tx:.1}\" y=\"{ty:.1}\">{}</text><text class=\"o\" x=\"{tx:.1}\" \
             y=\"{oy:.1}\">{}</text></g>",
            escape(&[vec![format!("{} ({})", item.name, item.operation)], axes].concat().join("; ")),
            escape(&shorten(&super::title(item))),
            escape(&shorten(&item.operation)),
            tx = x + 12.0,
            ty = y + 22.0,
            oy = y + 40.0,
        );
    }
    out.push_str("</svg>\n");
    out
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= FITS {
        return text.to_owned();
    }
    let head: String = text.chars().take(FITS - 1).collect();
    format!("{head}…")
}

fn escape(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).fold(String::new(), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
        out
    })
}
