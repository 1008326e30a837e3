//! A graph as a picture.

use std::fmt::Write;

use flow_figure::escape;

use super::View;
use super::layout::{Sizes, draw};
use crate::human::shorten;

const SIZES: Sizes = Sizes { item: (190.0, 52.0), gap: (60.0, 20.0), margin: 12.0 };
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
    let drawing = draw(view.boxes.len(), &pairs, &SIZES);
    let (width, height) = drawing.size;
    // Writing to a string cannot fail, here and below.
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\"><title>{}</title><style>{STYLE}</style><defs><marker id=\"a\" \
         viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path \
         d=\"M0 0.5L7 4L0 7.5z\" fill=\"#7d92a6\"/></marker></defs>\n",
        escape(&view.name)
    );
    for (&(from, to), path) in pairs.iter().zip(&drawing.paths) {
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
    let (w, h) = SIZES.item;
    for (item, &(x, y)) in view.boxes.iter().zip(&drawing.boxes) {
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
            escape(&shorten(&super::title(item), FITS)),
            escape(&shorten(&item.operation, FITS)),
            tx = x + 12.0,
            ty = y + 22.0,
            oy = y + 40.0,
        );
    }
    out.push_str("</svg>\n");
    out
}
