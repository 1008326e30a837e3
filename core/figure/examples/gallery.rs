//! Draws one figure of each sort into a folder, to look at: `cargo run -p flow-figure --example gallery OUT`.

use std::path::PathBuf;
use std::{env, fs, io};

use flow_figure::{Bars, Boxes, ColorMap, FieldMaps, Figure, LineChart, Panel, Scale, Series};

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args().nth(1).unwrap_or_else(|| "gallery".into()));
    fs::create_dir_all(&folder)?;
    let figures = [
        ("lines", lines()),
        ("fields", fields()),
        ("scatter", scatter()),
        ("bars", bars()),
        ("boxes", boxes()),
    ];
    for (name, figure) in figures {
        fs::write(folder.join(format!("{name}.svg")), figure.svg)?;
        fs::write(folder.join(format!("{name}.png")), figure.png)?;
    }
    Ok(())
}

/// A repeatable stand-in for noise, in −0.5..0.5.
fn noise(n: u32) -> f64 {
    f64::from(n.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24) - 0.5
}

fn lines() -> Figure {
    let loss = |seed: u32, floor: f64| {
        (1..=40).map(move |n| {
            (f64::from(n), floor + 0.9 * (-f64::from(n) / 7.0).exp() * (1.0 + 0.1 * noise(n + seed)))
        })
    };
    LineChart::new("Relative L2 error of gas saturation")
        .x_axis("epoch", Scale::Linear)
        .y_axis("relative L2", Scale::Log)
        .series(Series::new("training, seed 1", loss(1, 0.02)).color(0))
        .series(Series::new("validation, seed 1", loss(2, 0.035)).color(0).dashed())
        .series(Series::new("training, seed 2", loss(3, 0.022)).color(1))
        .series(Series::new("validation, seed 2", loss(4, 0.037)).color(1).dashed())
        .level("steady state", 0.11)
        .render()
}

fn fields() -> Figure {
    let (columns, rows) = (48, 32);
    let edges: Vec<f64> = (0..=columns).map(|n| 0.1 * 10_f64.powf(f64::from(n) * 5.0 / 48.0)).collect();
    let depths: Vec<f64> = (0..=rows).map(|n| 1500.0 + f64::from(n) * 2.5).collect();
    let field = |spread: f64| {
        (0..rows * columns).map(move |at| {
            let (z, r) = (f64::from(at / columns) / 32.0, f64::from(at % columns) / 48.0);
            let front = 0.45 + 0.4 * (1.0 - z) * spread;
            0.8 / (1.0 + ((r - front) * 60.0).exp()) * (1.0 - 0.3 * z)
        })
    };
    let mut maps = FieldMaps::new("Gas saturation, case 17", edges, depths)
        .x_axis("distance from the well, m", Scale::Log)
        .y_axis("depth, m", Scale::Linear)
        .downwards();
    for (label, spread) in [("30 d", 0.6), ("10 a", 0.95)] {
        let error: Vec<f64> = field(spread).zip(field(spread + 0.02)).map(|(a, b)| b - a).collect();
        maps = maps
            .row(label)
            .panel(Panel::new("simulated", field(spread)).range(0.0, 0.8))
            .panel(Panel::new("predicted", field(spread + 0.02)).range(0.0, 0.8))
            .panel(Panel::new("difference", error).colors(ColorMap::Diverging));
    }
    maps.render()
}

fn scatter() -> Figure {
    let points =
        |seed: u32| (0..150).map(move |n| (noise(n) + 0.5, (noise(n) + 0.5) * (1.0 + 0.1 * noise(n + seed))));
    LineChart::new("Plume radius")
        .x_axis("simulated, km", Scale::Linear)
        .y_axis("predicted, km", Scale::Linear)
        .series(Series::new("FNO", points(900)).dots())
        .series(Series::new("U-FNO", points(700)).dots())
        .diagonal()
        .size(420.0, 400.0)
        .render()
}

fn bars() -> Figure {
    Bars::new(
        "Seconds per case, on one core",
        ["simulator, full accuracy", "simulator, equal error", "surrogate"],
    )
    .y_axis("CPU time, s", Scale::Log)
    .series("64 × 32", [0.21, 0.031, 0.0009])
    .series("200 × 96", [4.9, 0.8, 0.009])
    .render()
}

fn boxes() -> Figure {
    let sample = |seed: u32, scale: f64| (0..80).map(move |n| scale * (3.0 * noise(n * 7 + seed)).exp());
    Boxes::new("Error over test cases")
        .y_axis("relative L2", Scale::Log)
        .sample("saturation", sample(1, 0.05))
        .sample("pressure", sample(90, 0.02))
        .sample("radius", sample(17, 0.01))
        .render()
}
