//! Axes have round ticks, pictures show the right cells, and equal data give equal bytes.

#![allow(clippy::unwrap_used)]

use crate::axis::{Axis, scientific};
use crate::scene::{Image, Scene, Shape};
use crate::*;

fn labels(scale: Scale, low: f64, high: f64, count: usize) -> Vec<String> {
    let ticks = Axis::covering(scale, [low, high].into_iter()).ticks(count);
    ticks.into_iter().map(|tick| tick.label).filter(|label| !label.is_empty()).collect()
}

#[test]
fn ticks_are_round_numbers() {
    assert_eq!(labels(Scale::Linear, 0.0, 1.0, 5), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    assert_eq!(labels(Scale::Linear, -12.0, 31.0, 5), ["−10", "0", "10", "20", "30"]);
    assert_eq!(labels(Scale::Linear, 1.0e7, 1.2e7, 2), ["10⁷", "1.1×10⁷", "1.2×10⁷"]);
    assert_eq!(labels(Scale::Log, 1e-4, 1.0, 6), ["10⁻⁴", "0.001", "0.01", "0.1", "1"]);
    assert_eq!(labels(Scale::Log, 0.3, 4.0, 6), ["0.5", "1", "2"]);
}

#[test]
fn numbers_are_written_for_people() {
    let cases = [(0.0, "0"), (12.0, "12"), (-0.05, "−0.05"), (1234.5, "1234"), (6.0e4, "60000")];
    let powers = [(1e5, "10⁵"), (-2.5e-7, "−2.5×10⁻⁷"), (9.9999e6, "10⁷")];
    for (value, text) in cases.into_iter().chain(powers) {
        assert_eq!(scientific(value), text);
    }
}

#[test]
fn positions_and_values_are_inverse() {
    for (scale, low, high) in [(Scale::Linear, -3.0, 8.0), (Scale::Log, 1e-3, 1e4)] {
        let axis = Axis::covering(scale, [low, high].into_iter());
        for position in [0.0, 0.3, 1.0] {
            // Two roundings of logarithm and power.
            assert!((axis.position(axis.value(position)) - position).abs() < 1e-13);
        }
    }
}

#[test]
fn axes_of_nothing_or_of_one_number_are_usable() {
    for scale in [Scale::Linear, Scale::Log] {
        for values in [&[][..], &[0.0], &[5.0], &[f64::NAN], &[-1.0], &[f64::INFINITY, 1.0]] {
            let axis = Axis::covering(scale, values.iter().copied());
            assert!(axis.low < axis.high, "{scale:?} {values:?} {axis:?}");
            assert!(axis.ticks(5).len() < 40);
        }
    }
    let figure = LineChart::new("").series(Series::new("", [])).render();
    assert!(figure.svg.ends_with("</svg>\n"));
}

/// What diverges or vanishes: all the decades that numbers have, and ratios beyond the largest of them.
#[test]
fn axes_over_all_numbers_have_few_ticks() {
    for (low, high) in
        [(1e-300, 1e300), (5e-324, f64::MAX), (f64::MAX, f64::MAX), (f64::MIN_POSITIVE, f64::MIN_POSITIVE)]
    {
        let axis = Axis::covering(Scale::Log, [low, high].into_iter()).with_room(0.05);
        assert!(axis.low > 0.0 && axis.low < axis.high && axis.high.is_finite(), "{axis:?}");
        let ticks = axis.ticks(5);
        assert!(
            ticks.len() < 1000 && ticks.iter().filter(|tick| !tick.label.is_empty()).count() < 12,
            "{axis:?}"
        );
        for position in [0.0, 0.5, 1.0] {
            assert!((axis.position(axis.value(position)) - position).abs() < 1e-9, "{axis:?}");
        }
    }
    let wild = [(0.0, 1e-310), (1.0, 1e-200), (2.0, 1e250), (3.0, f64::INFINITY)];
    let chart = LineChart::new("").y_axis("", Scale::Log).series(Series::new("", wild)).render();
    assert!(!chart.svg.contains("NaN") && !chart.svg.contains("inf"));
}

fn images(scene: &[Shape]) -> Vec<Image> {
    scene
        .iter()
        .filter_map(|s| if let Shape::Image(_, image) = s { Some(image.clone()) } else { None })
        .collect()
}

#[test]
fn cells_appear_where_their_edges_are() {
    // Two columns, the right one three times as wide; two rows; one masked cell.
    let maps = FieldMaps::new("", [0.0, 1.0, 4.0], [0.0, 1.0, 2.0])
        .mask([false, false, true, false])
        .panel_size(40.0, 20.0)
        .panel(Panel::new("", [0.0, 10.0, 20.0, 5.0]));
    let up = Figure::from(scene_of(&maps));
    assert_eq!(up, maps.render());
    let image = &images(&scene_of(&maps).shapes)[0];
    assert_eq!((image.width, image.height), (80, 40));
    let pixel = |image: &Image, x: usize, y: usize| image.pixels[y * image.width + x];
    // Row 0 is below; the range is that of the cells that are not masked, 0 to 10.
    assert_eq!([(5, 35), (19, 35), (21, 35), (79, 35)].map(|(x, y)| pixel(image, x, y)), [0, 0, 254, 254]);
    assert_eq!([(5, 5), (30, 5)].map(|(x, y)| pixel(image, x, y)), [255, 127]);
    let down = maps.clone().downwards();
    let image = &images(&scene_of(&down).shapes)[0];
    assert_eq!([(5, 5), (21, 5), (5, 35)].map(|(x, y)| pixel(image, x, y)), [0, 254, 255]);
    let log = FieldMaps::new("", [1.0, 10.0, 1000.0], [0.0, 1.0])
        .x_axis("r", Scale::Log)
        .panel_size(30.0, 10.0)
        .panel(Panel::new("", [0.0, 1.0]));
    let image = &images(&scene_of(&log).shapes)[0];
    assert_eq!([19, 21].map(|x| pixel(image, x, 3)), [0, 254]);
}

fn scene_of(maps: &FieldMaps) -> Scene {
    maps.scene()
}

#[test]
fn signed_differences_have_zero_in_the_middle() {
    let maps = FieldMaps::new("", [0.0, 1.0, 2.0], [0.0, 1.0])
        .panel(Panel::new("", [0.0, 4.0]).colors(ColorMap::Diverging));
    let image = &images(&maps.scene().shapes)[0];
    assert_eq!(image.palette[usize::from(image.pixels[0])], ColorMap::Diverging.at(0.5));
}

#[test]
fn texts_cannot_break_out_of_the_document() {
    let chart = LineChart::new("</title><script>alert(1)</script>\u{1b}[31m").x_axis("\"&'", Scale::Linear);
    let svg = chart.svg();
    assert!(!svg.contains("<script") && !svg.contains('\u{1b}'));
    assert!(svg.contains("&quot;&amp;&#39;"));
}

#[test]
fn the_png_shows_the_line() {
    let chart = LineChart::new("t").series(Series::new("a", [(0.0, 0.0), (1.0, 1.0)])).size(200.0, 150.0);
    let figure = chart.render();
    assert_eq!(figure, chart.render());
    let decoder = png::Decoder::new(std::io::Cursor::new(&figure.png));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    assert_eq!((reader.info().width, reader.info().height), (400, 300));
    let [r, g, b] = Color::series(0).rgb();
    assert!(pixels.chunks_exact(3).filter(|p| **p == [r, g, b]).count() > 100);
    // Dark pixels of the title's letter.
    assert!(pixels.chunks_exact(3).any(|p| p == Color::Ink.rgb()));
}

#[test]
fn long_curves_keep_their_extremes() {
    let points = (0..100_000).map(|n| (f64::from(n), if n == 54_321 { 9.0 } else { f64::from(n % 7) / 7.0 }));
    let svg = LineChart::new("").series(Series::new("", points)).svg();
    assert!(svg.len() < 100_000, "{}", svg.len());
    let full = LineChart::new("").series(Series::new("", [(0.0, 0.0), (0.5, 9.0), (1.0, 0.0)])).svg();
    let top = |svg: &str| {
        let line = svg.lines().rfind(|l| l.starts_with("<polyline")).unwrap().to_owned();
        let points = line.split('"').nth(1).unwrap().to_owned();
        points
            .split(' ')
            .map(|p| p.split(',').nth(1).unwrap().parse::<f64>().unwrap())
            .fold(f64::MAX, f64::min)
    };
    assert!((top(&svg) - top(&full)).abs() < 0.02);
}

#[test]
fn base64_is_standard() {
    for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}
