//! The ledger: from what was measured to what it means.

use flow_plugin::artifact::figure::FigureWriter;
use flow_plugin::artifact::metrics::{number, read_metrics, write_metrics};
use flow_plugin::artifact::table::Table;
use flow_plugin::figure::{LineChart, Scale, Series};
use flow_plugin::serde_json::{Map, Value, json};
use flow_plugin::{Context, Error, Input, Result};

use super::measure::Measurements;
use crate::ledger::{Point, break_even, cost_at_error};

/// The surrogate's errors, means over seeds.
struct Errors {
    plume_mpe: f64,
    pressure_mre: f64,
}

/// A line of the ledger: what, how much, in which unit, and what to know about it.
type Line = (&'static str, f64, &'static str, String);

pub(super) fn write(measured: &Measurements, context: &Context) -> Result<()> {
    let errors = errors(context)?;
    let (inference, fields) = inference(context)?;
    let surrogate = inference + measured.encode;
    let saturation: Vec<Point> = measured.levels.iter().map(super::measure::Measured::saturation).collect();
    let pressure: Vec<Point> = measured.levels.iter().map(super::measure::Measured::pressure).collect();
    let at_saturation = cost_at_error(&saturation, errors.plume_mpe).unwrap_or(f64::NAN);
    let at_pressure = cost_at_error(&pressure, errors.pressure_mre).unwrap_or(f64::NAN);
    // The dearer of the two: both fields are wanted. NaN if either is out of reach.
    let equal = if at_saturation.is_nan() { f64::NAN } else { at_saturation.max(at_pressure) };
    let generation = context.input("solutions")?.cost.map_or(f64::NAN, |usage| usage.cpu_s);
    let training = training(context);
    let invested = generation + training;
    let pays = |simulator: f64| break_even(invested, simulator, surrogate).unwrap_or(f64::INFINITY);
    let [full, median, slowest] = measured.full;
    let cases = measured.cases;
    let lines: Vec<Line> = vec![
        (
            "simulator, full accuracy",
            full,
            "CPU s a case",
            format!(
                "mean of {cases} test cases; median {median:.3}, slowest {slowest:.3}; the settings that made the data"
            ),
        ),
        (
            "simulator, surrogate's saturation error",
            at_saturation,
            "CPU s a case",
            format!("plume MPE {:.4} against full accuracy, by coarser grid and steps", errors.plume_mpe),
        ),
        (
            "simulator, surrogate's pressure error",
            at_pressure,
            "CPU s a case",
            format!("MRE {:.4} against full accuracy, by coarser grid and steps", errors.pressure_mre),
        ),
        ("simulator, both errors", equal, "CPU s a case", "the dearer of the two".into()),
        (
            "surrogate",
            surrogate,
            "CPU s a case",
            format!(
                "{fields} fields: encoding {:.2} ms, inference {:.2} ms",
                1e3 * measured.encode,
                1e3 * inference
            ),
        ),
        (
            "speed-up at equal error",
            equal / surrogate,
            "",
            "simulator at both errors / surrogate, same core".into(),
        ),
        (
            "speed-up against full accuracy",
            full / surrogate,
            "",
            "not at equal error: the surrogate is less accurate".into(),
        ),
        (
            "making the data",
            generation,
            "CPU s",
            "all samples, as simulated in the run that made them".into(),
        ),
        ("training", training, "CPU s", "one network for each field (mean over seeds)".into()),
        (
            "break-even at equal error",
            pays(equal),
            "cases",
            "(data + training) / (simulator - surrogate)".into(),
        ),
        (
            "break-even against full accuracy",
            pays(full),
            "cases",
            "(data + training) / (simulator - surrogate)".into(),
        ),
        (
            "published: U-FNO",
            6e4,
            "",
            "Wen et al. 2022, theirs: inference on a GPU against about 10 minutes of ECLIPSE on a CPU".into(),
        ),
        (
            "published: nested FNO",
            7e5,
            "",
            "Wen et al. 2023, theirs: inference on a GPU against hours of 3-D basin simulation on CPUs"
                .into(),
        ),
    ];
    for (what, value, unit, remark) in &lines {
        context.note(format!("{what:<42}{value:>12.4} {unit:<13} {remark}"));
    }
    let accounts = Table::new()
        .with("account", lines.iter().map(|l| l.0).collect::<Vec<&str>>())
        .with("value", lines.iter().map(|l| l.1).collect::<Vec<f64>>())
        .with("unit", lines.iter().map(|l| l.2).collect::<Vec<&str>>())
        .with("remark", lines.iter().map(|l| l.3.clone()).collect::<Vec<String>>());
    accounts.write(context.output("accounts")?)?;
    levels(measured).write(context.output("levels")?)?;
    let metrics: Map<String, Value> = [
        ("simulator_full_s", full),
        ("simulator_full_median_s", median),
        ("simulator_full_slowest_s", slowest),
        ("simulator_at_saturation_error_s", at_saturation),
        ("simulator_at_pressure_error_s", at_pressure),
        ("simulator_equal_error_s", equal),
        ("surrogate_s", surrogate),
        ("surrogate_encode_s", measured.encode),
        ("surrogate_inference_s", inference),
        ("speedup_equal_error", equal / surrogate),
        ("speedup_full_accuracy", full / surrogate),
        ("generation_s", generation),
        ("training_s", training),
        ("break_even_equal_error", pays(equal)),
        ("break_even_full_accuracy", pays(full)),
        ("surrogate_plume_mpe", errors.plume_mpe),
        ("surrogate_pressure_mre", errors.pressure_mre),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), finite(value)))
    .collect();
    write_metrics(context.output("metrics")?, &metrics)?;
    figure(&saturation, &pressure, &errors, surrogate, context)
}

/// A number for metrics, in which those that are not finite are words.
fn finite(value: f64) -> Value {
    if value.is_nan() {
        json!("NaN")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        json!(value)
    }
}

fn errors(context: &Context) -> Result<Errors> {
    let metrics = read_metrics(&context.input("scores")?.path)?;
    let value = |name: &str| {
        let value = metrics.get("surrogate").and_then(|group| group.get(name)).and_then(number);
        value.ok_or_else(|| Error::bad_input(format!("the scores lack `surrogate.{name}`")))
    };
    Ok(Errors { plume_mpe: value("saturation_plume_mpe")?, pressure_mre: value("pressure_mre")? })
}

/// The matrix coordinate `target` of an artifact: which field its network is for.
fn target(input: &Input) -> String {
    input
        .coordinates
        .get("target")
        .map_or(String::new(), |target| target.as_str().unwrap_or_default().to_owned())
}

/// The sum over fields of the mean over seeds, and the number of fields.
fn over_fields(inputs: &[Input], value: &dyn Fn(&Input) -> Result<f64>) -> Result<(f64, usize)> {
    let mut fields: Vec<String> = inputs.iter().map(target).collect();
    fields.sort();
    fields.dedup();
    let mut sum = 0.0;
    for field in &fields {
        let values: Vec<f64> =
            inputs.iter().filter(|input| target(input) == *field).map(value).collect::<Result<_>>()?;
        sum += values.iter().sum::<f64>() / values.len() as f64;
    }
    Ok((sum, fields.len()))
}

/// CPU seconds of inference for one case, all fields together, and the number of fields.
fn inference(context: &Context) -> Result<(f64, usize)> {
    over_fields(context.inputs("inference"), &|input| {
        let metrics = read_metrics(&input.path)?;
        let seconds = metrics.get("seconds_per_sample").and_then(number);
        seconds.ok_or_else(|| Error::bad_input("the inference metrics lack `seconds_per_sample`"))
    })
}

/// CPU seconds of training one network for each field; NaN where the engine does not say.
fn training(context: &Context) -> f64 {
    let cost = |input: &Input| Ok(input.cost.map_or(f64::NAN, |usage| usage.cpu_s));
    over_fields(context.inputs("models"), &cost)
        .map_or(f64::NAN, |(sum, fields)| if fields > 0 { sum } else { f64::NAN })
}

fn levels(measured: &Measurements) -> Table {
    let all = &measured.levels;
    Table::new()
        .with("rings_merged", all.iter().map(|m| m.level.rings as i64).collect::<Vec<i64>>())
        .with("rows_merged", all.iter().map(|m| m.level.rows as i64).collect::<Vec<i64>>())
        .with("step_factor", all.iter().map(|m| m.level.steps).collect::<Vec<f64>>())
        .with("cpu_s", all.iter().map(|m| m.cost).collect::<Vec<f64>>())
        .with("plume_mpe", all.iter().map(|m| m.plume_mpe).collect::<Vec<f64>>())
        .with("pressure_mre", all.iter().map(|m| m.pressure_mre).collect::<Vec<f64>>())
        .with("failed", all.iter().map(|m| m.failed as i64).collect::<Vec<i64>>())
}

fn figure(
    saturation: &[Point],
    pressure: &[Point],
    errors: &Errors,
    surrogate: f64,
    context: &Context,
) -> Result<()> {
    let points = |points: &[Point]| {
        // Full accuracy differs from itself by the rounding of single precision.
        const ROUNDING: f64 = 1e-6;
        let mut points: Vec<(f64, f64)> = points
            .iter()
            .filter(|p| p.error > ROUNDING && p.error.is_finite())
            .map(|p| (p.cost, p.error))
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        points
    };
    let chart = LineChart::new("Error against cost")
        .x_axis("CPU seconds a case", Scale::Log)
        .y_axis("error against full accuracy", Scale::Log)
        .series(Series::new("simulator, plume MPE", points(saturation)).dots().color(0))
        .series(Series::new("simulator, pressure MRE", points(pressure)).dots().color(1))
        .series(Series::new("surrogate, plume MPE", [(surrogate, errors.plume_mpe)]).dots().color(2))
        .series(Series::new("surrogate, pressure MRE", [(surrogate, errors.pressure_mre)]).dots().color(3))
        .render();
    let mut writer = FigureWriter::create(context.output("figures")?)?;
    let caption = "What the simulator's error costs on coarser grids and with longer steps, and where the surrogate \
                   stands. One core.";
    writer.add("cost", caption, &chart.svg, &chart.png)?;
    Ok(writer.finish()?)
}
