//! Scores of every predictor for every test case.

use flow_plugin::{Context, Error, Result};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

use super::inputs::{Encoded, Inputs, Target};
use crate::data::Sample;
use crate::evaluate::{
    Nearest, PressureScore, SaturationScore, clip, features, pressure_demand, score_pressure,
    score_saturation,
};

/// Scores of one test case: for each field, of each seed, then of the mean over the seeds, of the training mean and of
/// the nearest training case.
pub(super) struct CaseScores {
    pub(super) id: i64,
    pub(super) sample: Sample,
    pub(super) saturation: Vec<SaturationScore>,
    pub(super) pressure: Vec<PressureScore>,
}

/// Predictors that are compared beside the seeds, in the order of the scores.
pub(super) const OTHERS: [&str; 3] = ["ensemble mean", "training mean", "nearest training case"];

/// The predictors that need no training.
pub(super) struct Trivial {
    mean: [Vec<f32>; 2],
    nearest: Nearest,
}

impl Trivial {
    pub(super) fn new(inputs: &Inputs) -> Result<Self> {
        let coordinates = inputs.reservoirs.coordinates();
        let cells = coordinates.cells();
        let values = cells * coordinates.time.len();
        let (mut sums, mut counts) = ([vec![0.0f64; values], vec![0.0f64; values]], vec![0.0f64; cells]);
        let mut cases = Vec::with_capacity(inputs.training.len());
        for Encoded { id, .. } in &inputs.training {
            let at = inputs.solution(*id)?;
            let active = inputs.solutions.active(at)?;
            counts.iter_mut().zip(&active).for_each(|(n, a)| *n += f64::from(*a));
            for (sum, field) in
                sums.iter_mut().zip([inputs.solutions.saturation(at)?, inputs.solutions.buildup(at)?])
            {
                sum.iter_mut().zip(field).for_each(|(s, v)| *s += f64::from(v));
            }
            cases.push(features(coordinates, &inputs.reservoirs.sample(inputs.reservoir(*id)?)?));
        }
        let mean = sums.map(|sum| {
            let mean = sum.iter().enumerate().map(|(at, s)| s / counts[at % cells].max(1.0));
            mean.map(|v| v as f32).collect()
        });
        Ok(Self { mean, nearest: Nearest::new(cases) })
    }
}

/// Predictions of one field for one case, in physical units: every seed's.
pub(super) fn predicted(inputs: &Inputs, case: &Encoded, target: Target, swi: f64) -> Result<Vec<Vec<f32>>> {
    let predictions = inputs.predictions.iter().filter(|p| p.target == target);
    predictions
        .map(|prediction| {
            let mut field = prediction.of(case.id)?;
            match target {
                Target::Saturation => clip(&mut field, swi),
                Target::Pressure => field.iter_mut().for_each(|p| *p *= case.scale),
            }
            Ok(field)
        })
        .collect()
}

/// The mean of fields.
pub(super) fn ensemble(fields: &[Vec<f32>]) -> Option<Vec<f32>> {
    let mut mean = fields.first()?.clone();
    for field in &fields[1..] {
        mean.iter_mut().zip(field).for_each(|(m, v)| *m += v);
    }
    let n = fields.len() as f32;
    mean.iter_mut().for_each(|m| *m /= n);
    Some(mean)
}

/// Scores all test cases.
pub(super) fn score(inputs: &Inputs, context: &Context) -> Result<Vec<CaseScores>> {
    let trivial = Trivial::new(inputs)?;
    let (done, total) = (AtomicU64::new(0), inputs.test.len() as u64);
    let score = |case: &Encoded| {
        context.check_cancelled()?;
        let scores = score_case(inputs, &trivial, case)?;
        context.progress(done.fetch_add(1, Ordering::Relaxed) + 1, total, "cases", "");
        Ok(scores)
    };
    inputs.test.par_iter().map(score).collect()
}

fn score_case(inputs: &Inputs, trivial: &Trivial, case: &Encoded) -> Result<CaseScores> {
    let coordinates = inputs.reservoirs.coordinates();
    let sample = inputs.reservoirs.sample(inputs.reservoir(case.id)?)?;
    let at = inputs.solution(case.id)?;
    let neighbour = trivial.nearest.find(&features(coordinates, &sample));
    // There is at least one training case.
    let near = neighbour.map(|n| inputs.training[n].id).ok_or_else(|| Error::failed("no training case"))?;
    let near_at = inputs.solution(near)?;

    let truth = inputs.solutions.saturation(at)?;
    let mut fields = predicted(inputs, case, Target::Saturation, sample.scalars.swi)?;
    let seeds = fields.len();
    fields.extend(ensemble(&fields));
    if seeds > 0 {
        fields.extend([trivial.mean[0].clone(), inputs.solutions.saturation(near_at)?]);
    }
    let shape = |field: &Vec<f32>| {
        let known = field.len() == truth.len();
        let message = format!("a prediction for sample {} has another shape than the solution", case.id);
        known.then_some(()).ok_or_else(|| Error::bad_input(message))
    };
    fields.iter().try_for_each(shape)?;
    let saturation = fields
        .iter()
        .map(|f| score_saturation(coordinates, &sample.active, &sample.porosity, &truth, f))
        .collect();

    let truth = inputs.solutions.buildup(at)?;
    let mut fields = predicted(inputs, case, Target::Pressure, sample.scalars.swi)?;
    let seeds = fields.len();
    fields.extend(ensemble(&fields));
    if seeds > 0 {
        let other = inputs.reservoirs.sample(inputs.reservoir(near)?)?;
        let factor = (pressure_demand(coordinates, &sample) / pressure_demand(coordinates, &other)) as f32;
        let rescaled = inputs.solutions.buildup(near_at)?.into_iter().map(|dp| dp * factor).collect();
        fields.extend([trivial.mean[1].clone(), rescaled]);
    }
    fields.iter().try_for_each(shape)?;
    let pressure = fields.iter().map(|f| score_pressure(&sample.active, &truth, f)).collect();
    Ok(CaseScores { id: case.id, sample, saturation, pressure })
}
