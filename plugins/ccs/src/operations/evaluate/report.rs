//! Metrics and tables.

use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::artifact::table::Table;
use flow_plugin::serde_json::{Map, Value, json};
use flow_plugin::{Context, Result};

use super::inputs::{Inputs, Target};
use super::score::{CaseScores, OTHERS};
use crate::evaluate::{PRESSURE_MEASURES, PooledR2, SATURATION_MEASURES, mean, mean_and_spread};

/// A row of the table of scores: one value for each measure.
struct Row {
    name: String,
    values: Vec<f64>,
}

/// Names of the columns of the table of scores.
fn columns() -> Vec<String> {
    let saturation = SATURATION_MEASURES.iter().map(|(name, ..)| format!("saturation_{name}"));
    let pressure = PRESSURE_MEASURES.iter().map(|(name, ..)| format!("pressure_{name}"));
    std::iter::once("saturation_r2".to_owned()).chain(saturation).chain(pressure).collect()
}

/// The measures of the predictor at a position in each field's scores; NaN where a field has none there.
fn measures(cases: &[CaseScores], saturation: Option<usize>, pressure: Option<usize>) -> Vec<f64> {
    let mut values = Vec::new();
    match saturation {
        Some(at) => {
            let mut pooled = PooledR2::default();
            cases.iter().for_each(|case| pooled.add(&case.saturation[at]));
            values.push(pooled.value());
            for (_, measure, over_cases) in SATURATION_MEASURES {
                values.push(over_cases(
                    &cases.iter().map(|case| measure(&case.saturation[at])).collect::<Vec<_>>(),
                ));
            }
        }
        None => values.extend([f64::NAN; 1 + SATURATION_MEASURES.len()]),
    }
    match pressure {
        Some(at) => {
            for (_, measure, over_cases) in PRESSURE_MEASURES {
                values.push(over_cases(
                    &cases.iter().map(|case| measure(&case.pressure[at])).collect::<Vec<_>>(),
                ));
            }
        }
        None => values.extend([f64::NAN; PRESSURE_MEASURES.len()]),
    }
    values
}

/// Writes the metrics and both tables.
pub(super) fn write(inputs: &Inputs, cases: &[CaseScores], context: &Context) -> Result<()> {
    let (saturation, pressure) = (inputs.seeds(Target::Saturation), inputs.seeds(Target::Pressure));
    let mut seeds: Vec<String> = saturation.clone();
    seeds.extend(pressure.iter().filter(|seed| !saturation.contains(seed)).cloned());
    let place = |known: &[String], seed: &String| known.iter().position(|other| other == seed);
    let by_seed: Vec<Row> = seeds
        .iter()
        .map(|seed| Row {
            name: format!("seed {seed}"),
            values: measures(cases, place(&saturation, seed), place(&pressure, seed)),
        })
        .collect();
    let others = OTHERS.iter().enumerate().map(|(at, name)| {
        let position = |known: &[String]| (!known.is_empty()).then_some(known.len() + at);
        Row { name: (*name).to_owned(), values: measures(cases, position(&saturation), position(&pressure)) }
    });
    let over_seeds: Vec<(f64, f64)> = (0..columns().len())
        .map(|column| {
            let known = by_seed.iter().map(|row| row.values[column]).filter(|v| !v.is_nan());
            let known: Vec<f64> = known.collect();
            if known.is_empty() { (f64::NAN, f64::NAN) } else { mean_and_spread(&known) }
        })
        .collect();
    let mut rows = vec![
        Row { name: "surrogate, mean over seeds".into(), values: over_seeds.iter().map(|v| v.0).collect() },
        Row { name: "half range over seeds".into(), values: over_seeds.iter().map(|v| v.1).collect() },
    ];
    rows.extend(by_seed);
    rows.extend(others);

    log(&rows, context);
    write_metrics(context.output("metrics")?, &metrics(&rows, cases, seeds.len()))?;
    let mut table = Table::new().with("predictor", rows.iter().map(|r| r.name.clone()).collect::<Vec<_>>());
    for (at, name) in columns().iter().enumerate() {
        table = table.with(name, rows.iter().map(|row| row.values[at]).collect::<Vec<f64>>());
    }
    table.write(context.output("scores")?)?;
    by_case(cases, (saturation.len(), pressure.len())).write(context.output("cases")?)?;
    Ok(())
}

fn metrics(rows: &[Row], cases: &[CaseScores], seeds: usize) -> Value {
    let group = |row: &Row| -> Value {
        let known = columns().into_iter().zip(&row.values).filter(|(_, value)| !value.is_nan());
        known.map(|(name, value)| (name, json!(value))).collect::<Map<_, _>>().into()
    };
    let mut all = Map::new();
    all.insert("test_cases".into(), json!(cases.len()));
    all.insert("seeds".into(), json!(seeds));
    let names = ["surrogate", "half_range_over_seeds"];
    for (name, row) in names.iter().zip(rows) {
        all.insert((*name).into(), group(row));
    }
    for (name, row) in
        ["ensemble_mean", "training_mean", "nearest_case"].iter().zip(&rows[rows.len() - OTHERS.len()..])
    {
        all.insert((*name).into(), group(row));
    }
    all.into()
}

fn log(rows: &[Row], context: &Context) {
    let names = ["S R2", "MPE", "MPE>0", "S relL2", "radius", "mass", "stray", "dP MRE", "dP relL2", "peak"];
    context.note(format!("{:<28}{}", "", names.map(|name| format!("{name:>9}")).concat()));
    for row in rows {
        // Errors of networks that have learnt nothing may be large.
        let cell = |value: &f64| format!("{value:>9.*}", if value.abs() < 100.0 { 4 } else { 1 });
        let values: String = row.values.iter().map(cell).collect();
        context.note(format!("{:<28}{values}", row.name));
    }
}

/// One row a case, means over the seeds, the worst saturation first.
fn by_case(cases: &[CaseScores], (saturation, pressure): (usize, usize)) -> Table {
    let mut order: Vec<usize> = (0..cases.len()).collect();
    let errors: Vec<f64> = cases.iter().map(|case| case_error(case, saturation, pressure)).collect();
    order.sort_by(|a, b| errors[*b].total_cmp(&errors[*a]));
    let column =
        |value: &dyn Fn(&CaseScores) -> f64| order.iter().map(|at| value(&cases[*at])).collect::<Vec<f64>>();
    let kinds = ["log-Gaussian", "von Kármán", "layered", "discontinuous"];
    let kind = |case: &CaseScores| kinds.get(usize::from(case.sample.field_kind)).copied().unwrap_or("other");
    let mut table = Table::new()
        .with("sample", order.iter().map(|at| cases[*at].id).collect::<Vec<i64>>())
        .with("field", order.iter().map(|at| kind(&cases[*at])).collect::<Vec<&str>>())
        .with("rate_mt_per_year", column(&|c| c.sample.scalars.rate))
        .with("thickness_m", column(&|c| c.sample.scalars.thickness))
        .with("temperature_c", column(&|c| c.sample.scalars.temperature))
        .with("pressure_top_bar", column(&|c| c.sample.scalars.pressure_top));
    for (name, measure, _) in SATURATION_MEASURES {
        if saturation > 0 {
            let of =
                |c: &CaseScores| mean(&c.saturation[..saturation].iter().map(measure).collect::<Vec<_>>());
            table = table.with(&format!("saturation_{name}"), column(&of));
        }
    }
    for (name, measure, _) in PRESSURE_MEASURES {
        if pressure > 0 {
            let of = |c: &CaseScores| mean(&c.pressure[..pressure].iter().map(measure).collect::<Vec<_>>());
            table = table.with(&format!("pressure_{name}"), column(&of));
        }
    }
    table
}

/// By what cases are ordered: the plume error, or the pressure error where saturation was not predicted.
pub(super) fn case_error(case: &CaseScores, saturation: usize, pressure: usize) -> f64 {
    if saturation > 0 {
        mean(&case.saturation[..saturation].iter().map(|s| s.plume_mpe).collect::<Vec<_>>())
    } else {
        mean(&case.pressure[..pressure].iter().map(|s| s.mre).collect::<Vec<_>>())
    }
}
