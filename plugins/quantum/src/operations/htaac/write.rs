//! What `quantum/htaac` leaves behind.

use flow_plugin::artifact::metrics::write_metrics;
use flow_plugin::artifact::{DatasetWriter, Variable};
use flow_plugin::serde_json::json;
use flow_plugin::{Context, Result};

use crate::graph::Graph;
use crate::htaac::{Constraints, Epoch, Gradient, Outcome, Problem, Shots};
use crate::matrix::Spectrum;
use crate::operations::data::mean;
use crate::resources::{Measured, Resources};

pub(super) fn write_states(context: &Context, outcomes: &[Outcome], epochs: usize) -> Result<()> {
    let mut writer = DatasetWriter::create(context.output("states")?)?;
    let runs = outcomes.len();
    let mut write = |name: &str, dim: &str, long: &str, row: &dyn Fn(&Outcome) -> Vec<f64>| -> Result<()> {
        let values: Vec<f64> = outcomes.iter().flat_map(row).collect();
        let shape = [runs, values.len() / runs];
        Ok(writer.write(&Variable::new::<f64>(name, &["run", dim], &shape, "1", long), &values)?)
    };
    write("amplitude", "state", "amplitude", &|o| o.amplitudes.clone())?;
    write("angle", "angle", "trained number", &|o| o.angles.clone())?;
    // Epochs after an early end are missing.
    let series = |o: &Outcome, of: fn(&Epoch) -> f64| -> Vec<f64> {
        (0..epochs).map(|at| o.epochs.get(at).map_or(f64::NAN, of)).collect()
    };
    write("cut", "epoch", "cut of the amplitudes' signs", &|o| series(o, |e| e.cut))?;
    write("loss", "epoch", "loss", &|o| series(o, |e| e.value.loss))?;
    write("objective", "epoch", "part of the Hadamard test", &|o| series(o, |e| e.value.objective))?;
    write("penalty", "epoch", "part of the constraints", &|o| series(o, |e| e.value.penalty))?;
    write("padding", "epoch", "probability without vertex", &|o| series(o, |e| e.value.padding))?;
    write("spread", "epoch", "relative spread of probabilities", &|o| series(o, |e| e.value.spread))?;
    writer.finish()?;
    Ok(())
}

pub(super) fn write_summary(
    context: &Context,
    graph: &Graph,
    problem: &Problem<'_>,
    outcomes: &[Outcome],
) -> Result<()> {
    let last = |o: &Outcome| o.epochs[o.epochs.len() - 1];
    let cuts: Vec<f64> = outcomes.iter().map(|o| last(o).cut).collect();
    let best = |o: &Outcome| o.epochs.iter().map(|e| e.cut).fold(f64::NEG_INFINITY, f64::max);
    let max = cuts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    context.note(match cuts[..] {
        [cut] => format!("one run: cut {cut}"),
        _ => format!("{} runs: cut {:.1} on average, {max} at most", cuts.len(), mean(cuts.iter().copied())),
    });
    let settings = problem.settings;
    let spectrum = Spectrum::of(graph);
    let alpha = settings.alpha.unwrap_or(spectrum.alpha());
    let measured = match settings.constraints {
        Constraints::Authors { .. } => Measured::Strings,
        Constraints::Collision { .. } => Measured::Collisions,
    };
    let resources = Resources::of(graph, problem.ansatz(), measured, alpha, spectrum.norm());
    let of = |f: fn(&Epoch) -> f64| mean(outcomes.iter().map(|o| f(&last(o))));
    let epochs = mean(outcomes.iter().map(|o| (o.epochs.len() - 1) as f64));
    let metrics = json!({
        "shots_spent": settings.shots.map(|shots| spent(shots, problem, epochs)),
        "seeds": outcomes.len(),
        "cut_last_mean": mean(cuts.iter().copied()),
        "cut_last_max": max,
        "cut_best_epoch_mean": mean(outcomes.iter().map(best)),
        "epochs": epochs,
        "loss": of(|e| e.value.loss),
        "objective": of(|e| e.value.objective),
        "penalty": of(|e| e.value.penalty),
        "padding": of(|e| e.value.padding),
        "spread": of(|e| e.value.spread),
        "alpha": alpha,
        "circuit": settings.circuit,
        "resources": resources,
    });
    Ok(write_metrics(context.output("metrics")?, &metrics)?)
}

/// How many shots a run of so many epochs took.
fn spent(shots: Shots, problem: &Problem<'_>, epochs: f64) -> f64 {
    let settings = problem.settings;
    let second = matches!(settings.constraints, Constraints::Authors { .. });
    let value = shots.objective + shots.constraints + if second { shots.population } else { 0 };
    let gradient = match settings.gradient {
        Gradient::Adjoint => 0,
        Gradient::ParameterShift => 1 + 2 * problem.parameters(),
        Gradient::Spsa => 2,
    };
    value as f64 * (epochs * (1 + gradient) as f64 + 1.0)
}
