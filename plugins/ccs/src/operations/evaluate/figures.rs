//! Pictures: maps of typical and bad cases, and how errors are distributed.

use flow_plugin::artifact::figure::FigureWriter;
use flow_plugin::figure::{Boxes, ColorMap, FieldMaps, Panel, Scale};
use flow_plugin::{Context, Result};

use super::inputs::{Encoded, Inputs, Target};
use super::report::case_error;
use super::score::{CaseScores, OTHERS, predicted};
use crate::evaluate::PLUME;

/// Draws all figures.
pub(super) fn write(inputs: &Inputs, cases: &[CaseScores], context: &Context) -> Result<()> {
    let counts = (inputs.seeds(Target::Saturation).len(), inputs.seeds(Target::Pressure).len());
    let mut writer = FigureWriter::create(context.output("figures")?)?;
    let mut order: Vec<usize> = (0..cases.len()).collect();
    let errors: Vec<f64> = cases.iter().map(|case| case_error(case, counts.0, counts.1)).collect();
    order.sort_by(|a, b| errors[*a].total_cmp(&errors[*b]));
    let at = |share: f64| order[((order.len() - 1) as f64 * share).round() as usize];
    let mut shown = vec![("typical", at(0.5)), ("worst", at(1.0)), ("bad", at(0.9))];
    let mut seen = Vec::new();
    shown.retain(|(_, case)| {
        let new = !seen.contains(case);
        seen.push(*case);
        new
    });
    for (name, case) in shown {
        let sample = inputs.test[case];
        for (target, field, count) in
            [(Target::Saturation, "saturation", counts.0), (Target::Pressure, "pressure", counts.1)]
        {
            if count > 0 {
                let figure = maps(inputs, &sample, &cases[case], target, name)?.render();
                let caption = format!(
                    "True, predicted (first seed) and the error of {field} in the {name} test case (reservoir {}), by \
                     the order of plume error.",
                    sample.id
                );
                writer.add(&format!("{field}_{name}"), &caption, &figure.svg, &figure.png)?;
            }
        }
    }
    let figure = distribution(cases, counts).render();
    let caption =
        "Errors of test cases: box from quartile to quartile, whiskers from the 5 % to the 95 % quantile.";
    writer.add("errors", caption, &figure.svg, &figure.png)?;
    let figure = by_field(cases, counts).render();
    let caption = "Errors of test cases (mean over seeds) by the kind of permeability field.";
    writer.add("errors_by_field", caption, &figure.svg, &figure.png)?;
    Ok(writer.finish()?)
}

/// Rows of maps at three times: true, predicted, error.
fn maps(
    inputs: &Inputs,
    case: &Encoded,
    scores: &CaseScores,
    target: Target,
    name: &str,
) -> Result<FieldMaps> {
    let coordinates = inputs.reservoirs.coordinates();
    let (cells, columns) = (coordinates.cells(), coordinates.columns());
    let at = inputs.solution(case.id)?;
    let sample = &scores.sample;
    let fields = predicted(inputs, case, target, sample.scalars.swi)?;
    // The caller has checked that there is a prediction of this field.
    let prediction = fields.into_iter().next().unwrap_or_default();
    let (truth, saturation) = match target {
        Target::Saturation => (inputs.solutions.saturation(at)?, None),
        Target::Pressure => (inputs.solutions.buildup(at)?, Some(inputs.solutions.saturation(at)?)),
    };
    let last = coordinates.time.len() - 1;
    // As far out as the plume goes at the end, and a bit.
    let plume = saturation.as_deref().unwrap_or(&truth);
    let reach = (0..cells)
        .filter(|c| plume[last * cells + c] > PLUME)
        .map(|c| c % columns)
        .max()
        .unwrap_or(columns / 2);
    let (first, beyond) = match target {
        Target::Saturation => (0, (reach + 1 + reach / 8).clamp(2, columns)),
        Target::Pressure => (1.min(columns - 1), columns),
    };
    let rows = (0..coordinates.rows()).filter(|k| sample.active[k * columns] != 0).count();
    let cut = |field: &[f32], time: usize| -> Vec<f64> {
        let inside = (0..rows).flat_map(|k| (first..beyond).map(move |i| k * columns + i));
        inside.map(|c| f64::from(field[time * cells + c])).collect()
    };
    let (label, title, scale) = match target {
        Target::Saturation => ("gas saturation", "Gas saturation", Scale::Linear),
        Target::Pressure => ("bar", "Pressure build-up", Scale::Log),
    };
    let edges = &coordinates.r_face[first..=beyond];
    let mut figure = FieldMaps::new(
        &format!("{title}, {name} test case (reservoir {})", case.id),
        edges.to_vec(),
        coordinates.z_face[..=rows].to_vec(),
    )
    .x_axis("radius (m)", scale)
    .y_axis("depth below top (m)", Scale::Linear)
    .downwards();
    for time in [last / 4, last * 2 / 3, last] {
        let (there, predicted) = (cut(&truth, time), cut(&prediction, time));
        let error: Vec<f64> = predicted.iter().zip(&there).map(|(p, t)| p - t).collect();
        let top = there.iter().chain(&predicted).copied().fold(0.0, f64::max).max(1e-6);
        let most = error.iter().fold(1e-6f64, |m, e| m.max(e.abs()));
        let shared = |title: &str, values: Vec<f64>| Panel::new(title, values).range(0.0, top).label(label);
        figure = figure
            .row(&date(coordinates.time[time]))
            .panel(shared("simulated", there))
            .panel(shared("predicted", predicted))
            .panel(
                Panel::new("predicted − simulated", error)
                    .colors(ColorMap::Diverging)
                    .range(-most, most)
                    .label(label),
            );
    }
    Ok(figure)
}

/// A time in days as people say it.
fn date(days: f64) -> String {
    if days < 365.0 { format!("{days:.0} days") } else { format!("{:.1} years", days / 365.25) }
}

/// Errors of the surrogate beside those of the trivial predictors.
fn distribution(cases: &[CaseScores], (saturation, pressure): (usize, usize)) -> Boxes {
    let mut boxes =
        Boxes::new("Error of test cases").y_axis("plume error (S), mean error / max (dP)", Scale::Log);
    let names = std::iter::once("one seed").chain(OTHERS);
    for (at, name) in names.enumerate() {
        let short = name.trim_end_matches(" case");
        // The first seed, then what stands behind all seeds.
        let place = |seeds: usize| if at == 0 { 0 } else { seeds + at - 1 };
        if saturation > 0 {
            let values = cases.iter().map(|case| case.saturation[place(saturation)].plume_mpe);
            boxes = boxes.sample(&format!("S, {short}"), values);
        }
        if pressure > 0 {
            boxes = boxes
                .sample(&format!("dP, {short}"), cases.iter().map(|case| case.pressure[place(pressure)].mre));
        }
    }
    boxes.size(980.0, 420.0)
}

fn by_field(cases: &[CaseScores], (saturation, pressure): (usize, usize)) -> Boxes {
    let mut boxes = Boxes::new("Error of test cases by kind of field")
        .y_axis(if saturation > 0 { "plume error (S)" } else { "mean error / max (dP)" }, Scale::Log);
    for (code, name) in ["log-Gaussian", "von Kármán", "layered", "discontinuous"].iter().enumerate() {
        let of_kind = cases.iter().filter(|case| usize::from(case.sample.field_kind) == code);
        let errors: Vec<f64> = of_kind.map(|case| case_error(case, saturation, pressure)).collect();
        if !errors.is_empty() {
            boxes = boxes.sample(name, errors);
        }
    }
    boxes
}
