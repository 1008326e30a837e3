//! Scenes as PNG.

use tiny_skia::{
    FillRule, FilterQuality, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, PixmapPaint, Stroke,
    StrokeDash, Transform,
};

use crate::scene::{Anchor, Image, Rect, Scene, Shape};
use crate::{Color, font};

/// Pixels per point: figures stay sharp on screens with a high density.
pub(crate) const SCALE: f64 = 2.0;

/// A scene as a PNG file.
pub(crate) fn png(scene: &Scene) -> Vec<u8> {
    let pixels = |length: f64| ((length * SCALE).ceil() as u32).clamp(1, 16_384);
    let (width, height) = (pixels(scene.width), pixels(scene.height));
    // Cannot fail: both lengths are between 1 and 16,384.
    let Some(mut canvas) = Pixmap::new(width, height) else { return Vec::new() };
    canvas.fill(tiny_skia::Color::WHITE);
    draw(&mut canvas, &scene.shapes, None);
    // The canvas is opaque, so its premultiplied colours are plain ones.
    let rgb: Vec<u8> = canvas.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    encode(width, height, &rgb, None)
}

/// A picture with a palette as a PNG file.
pub(crate) fn indexed_png(image: &Image) -> Vec<u8> {
    encode(image.width as u32, image.height as u32, &image.pixels, Some(image.palette.concat()))
}

fn encode(width: u32, height: u32, data: &[u8], palette: Option<Vec<u8>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_depth(png::BitDepth::Eight);
    match palette {
        Some(palette) => {
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_palette(palette);
            // Neighbours of equal colour are the rule: filters only hide them from the compressor.
            encoder.set_filter(png::Filter::NoFilter);
        }
        None => encoder.set_color(png::ColorType::Rgb),
    }
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(data));
    // Fails only where the picture has another size than it says: the drawing code's mistake.
    debug_assert!(written.is_ok(), "{written:?}");
    bytes
}

fn draw(canvas: &mut Pixmap, shapes: &[Shape], mask: Option<&Mask>) {
    let scale = SCALE as f32;
    let plain = Transform::from_scale(scale, scale);
    let fill = |canvas: &mut Pixmap, path: Option<Path>, color, opacity, transform| {
        if let Some(path) = path {
            canvas.fill_path(&path, &paint(color, opacity), FillRule::Winding, transform, mask);
        }
    };
    for shape in shapes {
        match shape {
            Shape::Fill(rect, color) => {
                fill(canvas, rectangle(rect).map(PathBuilder::from_rect), *color, 1.0, plain);
            }
            Shape::Outline(rect, color, width) => {
                if let Some(path) = rectangle(rect).map(PathBuilder::from_rect) {
                    let stroke = Stroke { width: *width as f32, ..Stroke::default() };
                    canvas.stroke_path(&path, &paint(*color, 1.0), &stroke, plain, mask);
                }
            }
            Shape::Line { points, color, width, dash } => {
                if let Some(path) = polyline(points, false) {
                    let dash = (*dash > 0.0).then(|| StrokeDash::new(vec![*dash as f32; 2], 0.0)).flatten();
                    let stroke = Stroke {
                        width: *width as f32,
                        line_cap: LineCap::Butt,
                        line_join: LineJoin::Round,
                        dash,
                        ..Stroke::default()
                    };
                    canvas.stroke_path(&path, &paint(*color, 1.0), &stroke, plain, mask);
                }
            }
            Shape::Area { points, color, opacity } => {
                fill(canvas, polyline(points, true), *color, *opacity, plain);
            }
            Shape::Dot { at, radius, color, opacity } => {
                let circle = PathBuilder::from_circle(at.0 as f32, at.1 as f32, *radius as f32);
                fill(canvas, circle, *color, *opacity, plain);
            }
            Shape::Text { at, text, size, color, anchor, upwards } => {
                let mut outline = PathBuilder::new();
                font::outline(text, *size, &mut outline);
                let shift = match anchor {
                    Anchor::Start => 0.0,
                    Anchor::Middle => 0.5,
                    Anchor::End => 1.0,
                } * font::width(text, *size);
                // Quarter turns are written out: a rotation by an angle would not be exact.
                let turn = if *upwards {
                    Transform::from_row(0.0, -1.0, 1.0, 0.0, at.0 as f32, at.1 as f32)
                } else {
                    Transform::from_translate(at.0 as f32, at.1 as f32)
                };
                let transform = turn.pre_translate(-shift as f32, 0.0).post_concat(plain);
                fill(canvas, outline.finish(), *color, 1.0, transform);
            }
            Shape::Image(rect, image) => draw_image(canvas, rect, image, mask),
            Shape::Clipped(rect, shapes) => {
                let mut inner = Mask::new(canvas.width(), canvas.height());
                if let (Some(inner), Some(area)) = (&mut inner, rectangle(rect)) {
                    inner.fill_path(&PathBuilder::from_rect(area), FillRule::Winding, true, plain);
                }
                draw(canvas, shapes, inner.as_ref());
            }
        }
    }
}

fn draw_image(canvas: &mut Pixmap, rect: &Rect, image: &Image, mask: Option<&Mask>) {
    let Some(mut pixmap) = Pixmap::new(image.width as u32, image.height as u32) else { return };
    for (target, &index) in pixmap.data_mut().chunks_exact_mut(4).zip(&image.pixels) {
        let [r, g, b] = image.palette.get(usize::from(index)).copied().unwrap_or_default();
        target.copy_from_slice(&[r, g, b, 255]);
    }
    let paint = PixmapPaint { quality: FilterQuality::Nearest, ..PixmapPaint::default() };
    let transform = Transform::from_row(
        (rect.width * SCALE / image.width as f64) as f32,
        0.0,
        0.0,
        (rect.height * SCALE / image.height as f64) as f32,
        (rect.x * SCALE) as f32,
        (rect.y * SCALE) as f32,
    );
    canvas.draw_pixmap(0, 0, pixmap.as_ref(), &paint, transform, mask);
}

fn paint(color: Color, opacity: f64) -> Paint<'static> {
    let [r, g, b] = color.rgb();
    let mut paint = Paint::default();
    paint.set_color_rgba8(r, g, b, (opacity.clamp(0.0, 1.0) * 255.0).round() as u8);
    paint
}

fn rectangle(rect: &Rect) -> Option<tiny_skia::Rect> {
    tiny_skia::Rect::from_xywh(rect.x as f32, rect.y as f32, rect.width as f32, rect.height as f32)
}

fn polyline(points: &[(f64, f64)], closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for (at, &(x, y)) in points.iter().enumerate() {
        if at == 0 {
            builder.move_to(x as f32, y as f32);
        } else {
            builder.line_to(x as f32, y as f32);
        }
    }
    if closed {
        builder.close();
    }
    builder.finish()
}
