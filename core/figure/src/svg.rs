//! Scenes as SVG.

use std::fmt::Write;

use crate::base64;
use crate::scene::{Anchor, Image, Rect, Scene, Shape};
use crate::{Color, raster};

/// Verdana and DejaVu Sans have the same proportions, so texts have the lengths that were laid out.
const FONTS: &str = "DejaVu Sans, Verdana, sans-serif";

/// A whole SVG document.
pub(crate) fn document(scene: &Scene) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
         role=\"img\" font-family=\"{FONTS}\">\n<title>{}</title>\n<rect width=\"{w}\" height=\"{h}\" fill=\"#fff\"/>\n",
        escape(&scene.title),
        w = number(scene.width),
        h = number(scene.height),
    );
    scene.shapes.iter().for_each(|shape| write_shape(&mut svg, shape));
    svg.push_str("</svg>\n");
    svg
}

/// Text with everything that means something in XML and HTML written as entities. Control characters, and those
/// that turn the direction of text around, could mislead a reader and become spaces; line ends and tabs stay.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escaped.push(' '),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

fn write_shape(svg: &mut String, shape: &Shape) {
    // Writing to a string cannot fail.
    let _ = match shape {
        Shape::Fill(rect, color) => writeln!(svg, "<rect {} fill=\"{}\"/>", area(rect), hex(*color)),
        Shape::Outline(rect, color, width) => writeln!(
            svg,
            "<rect {} fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"/>",
            area(rect),
            hex(*color),
            number(*width)
        ),
        Shape::Line { points, color, width, dash } => {
            let dashes = match dash {
                0.0 => String::new(),
                dash => format!(" stroke-dasharray=\"{0} {0}\"", number(*dash)),
            };
            writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{dashes}/>",
                coordinates(points),
                hex(*color),
                number(*width)
            )
        }
        Shape::Area { points, color, opacity } => writeln!(
            svg,
            "<polygon points=\"{}\" fill=\"{}\" fill-opacity=\"{}\"/>",
            coordinates(points),
            hex(*color),
            number(*opacity)
        ),
        Shape::Dot { at, radius, color, opacity } => writeln!(
            svg,
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\" fill-opacity=\"{}\"/>",
            number(at.0),
            number(at.1),
            number(*radius),
            hex(*color),
            number(*opacity)
        ),
        Shape::Text { at, text, size, color, anchor, upwards } => {
            let (x, y) = (number(at.0), number(at.1));
            let anchor = match anchor {
                Anchor::Start => "",
                Anchor::Middle => " text-anchor=\"middle\"",
                Anchor::End => " text-anchor=\"end\"",
            };
            let turn = if *upwards { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
            writeln!(
                svg,
                "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\" fill=\"{}\"{anchor}{turn}>{}</text>",
                number(*size),
                hex(*color),
                escape(text)
            )
        }
        Shape::Image(rect, image) => writeln!(
            svg,
            "<image {} preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" href=\"{}\"/>",
            area(rect),
            data_uri(image)
        ),
        Shape::Clipped(rect, shapes) => {
            // An inner `svg` element shows only what lies within it, and needs no identifier.
            let _ = writeln!(
                svg,
                "<svg {} viewBox=\"{} {} {} {}\">",
                area(rect),
                number(rect.x),
                number(rect.y),
                number(rect.width),
                number(rect.height)
            );
            shapes.iter().for_each(|shape| write_shape(svg, shape));
            writeln!(svg, "</svg>")
        }
    };
}

fn data_uri(image: &Image) -> String {
    format!("data:image/png;base64,{}", base64(&raster::indexed_png(image)))
}

fn area(rect: &Rect) -> String {
    let Rect { x, y, width, height } = *rect;
    format!(
        "x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
        number(x),
        number(y),
        number(width.max(0.0)),
        number(height.max(0.0))
    )
}

fn coordinates(points: &[(f64, f64)]) -> String {
    let points: Vec<String> = points.iter().map(|p| format!("{},{}", number(p.0), number(p.1))).collect();
    points.join(" ")
}

fn hex(color: Color) -> String {
    let [r, g, b] = color.rgb();
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A number with at most two decimals.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}
