#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::hadamard::Sine;
use super::*;
use crate::graph::{Format, Graph, parse, read};
use crate::matrix::{Spectrum, Symmetric};
use crate::random::Random;
use crate::simulator::Real;
use crate::simulator::brick::Simulator;

fn data(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data/gset")).join(name)
}

/// A ring of nine vertices with chords and real weights: four qubits, seven padded amplitudes.
fn small() -> Graph {
    let mut random = Random::new(5, 5);
    let mut text = String::from("9 15\n");
    for i in 0..9 {
        text += &format!("{} {} {}\n", i + 1, (i + 1) % 9 + 1, random.normal());
    }
    for i in 0..6 {
        text += &format!("{} {} {}\n", i + 1, i + 4, random.normal());
    }
    parse(&text, Format::Gset).unwrap()
}

fn published() -> Settings {
    Settings {
        circuit: true,
        layers: 240,
        objective: Objective::Linear,
        constraints: Constraints::Authors { coefficient: 100.0, regulariser: 1.2 },
        alpha: Some(0.01),
        gradient: Gradient::Adjoint,
        epochs: 50,
        rate: 0.01,
        decay: false,
        amsgrad: true,
        plateau: None,
    }
}

fn tuning_free() -> Settings {
    Settings {
        layers: 6,
        objective: Objective::HadamardExact,
        constraints: Constraints::Collision { start: 0.05, end: 0.5 },
        alpha: None,
        epochs: 12,
        rate: 0.02,
        decay: true,
        amsgrad: false,
        ..published()
    }
}

/// The published library, run with the published settings from given angles on G11, prints these losses and cuts.
/// It works in single precision and prints nine digits: 1e-5 leaves room for both.
#[test]
fn golden_trajectory() {
    let graph = read(&data("G11.gz"), Format::Auto).unwrap();
    let mut text = String::new();
    let packed = std::fs::read(data("G11_start_angles.gz")).unwrap();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
    let angles: Vec<f64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    let settings = published();
    let problem = Problem { graph: &graph, settings: &settings };
    let check = |outcome: Outcome| {
        for (epoch, loss, cut) in
            [(0, -0.007_158_447, -4.0), (11, -0.029_113_384, 396.0), (50, -0.032_921_143, 502.0)]
        {
            let found = outcome.epochs[epoch];
            assert!((found.value.loss - loss).abs() < 1e-5, "epoch {epoch}: {found:?}");
            assert_eq!(found.cut, cut, "epoch {epoch}");
        }
    };
    check(problem.solve_from::<f32>(angles.clone(), 1).unwrap());
    check(problem.solve_from::<f64>(angles, 1).unwrap());
}

/// The sine of a matrix by its series and by its eigenvectors, from short to long arguments.
#[test]
fn sine_of_a_matrix() {
    let graph = small();
    for alpha in [1e-3, 0.2, 2.0, 20.0] {
        let bound = Symmetric::<f64>::of(&graph).row_bound();
        let mut sine = Sine::new(Symmetric::<f64>::of(&graph), alpha, bound, 1e-15);
        let ancilla = ancilla::Ancilla::new(&graph, 4, alpha).unwrap();
        let mut random = Random::new(1, 1);
        let psi: Vec<f64> = (0..16).map(|_| random.normal()).collect();
        let (mut y, mut cotangent) = (vec![0.0; 16], vec![0.0; 16]);
        sine.apply(&psi, &mut y);
        ancilla.expectation(&psi, &mut cotangent);
        for (y, c) in y.iter().zip(&cotangent) {
            assert!((2.0 * y - c).abs() < 1e-12, "{alpha}: {} {c}", 2.0 * y);
        }
    }
}

/// Any loss and objective: the adjoint gradient is that of moved angles, and of differences of the loss.
#[test]
fn gradients_agree() {
    let graph = small();
    let authors = Constraints::Authors { coefficient: 100.0, regulariser: 1.2 };
    let collision = Constraints::Collision { start: 0.05, end: 0.5 };
    for constraints in [authors, collision] {
        for objective in [Objective::Linear, Objective::HadamardExact, Objective::HadamardCircuit] {
            let settings = Settings { objective, constraints, ..tuning_free() };
            let problem = Problem { graph: &graph, settings: &settings };
            let gradients = |gradient| {
                let settings = Settings { epochs: 1, rate: 1.0, gradient, ..settings.clone() };
                gradient_of::<f64>(&Problem { graph: &graph, settings: &settings })
            };
            let adjoint = gradients(Gradient::Adjoint);
            let moved = gradients(Gradient::ParameterShift);
            let narrow = gradient_of::<f32>(&problem);
            let mut angles = problem.start(3);
            let mut loss = Loss::<f64>::new(&graph, 4, objective, constraints, None).unwrap();
            let mut simulator = Simulator::<f64>::new(problem.ansatz(), 1);
            let mut unused = vec![0.0; 16];
            for at in 0..angles.len() {
                let mut loss_at = |by: f64| {
                    angles[at] += by;
                    let value = loss.evaluate(simulator.state(&angles), 0.0, &mut unused).loss;
                    angles[at] -= by;
                    value
                };
                // Differences over 2e-4 are wrong by 1e-8 of the third derivative, and by roundings of 1e-12.
                let differences = (loss_at(1e-4) - loss_at(-1e-4)) / 2e-4;
                assert!(
                    (adjoint[at] - moved[at]).abs() < 1e-10,
                    "{objective:?} {}: {}",
                    adjoint[at],
                    moved[at]
                );
                assert!(
                    (adjoint[at] - differences).abs() < 1e-6,
                    "{objective:?} {}: {differences}",
                    adjoint[at]
                );
                assert!(
                    (adjoint[at] - narrow[at]).abs() < 1e-5,
                    "{objective:?} {}: {}",
                    adjoint[at],
                    narrow[at]
                );
            }
        }
    }
}

fn gradient_of<T: Real>(problem: &Problem<'_>) -> Vec<f64> {
    let mut start = problem.start(3);
    let settings = problem.settings;
    let mut loss =
        Loss::<T>::new(problem.graph, 4, settings.objective, settings.constraints, settings.alpha).unwrap();
    let mut model = model::Model::<T>::new(problem.ansatz(), true, 1);
    let mut gradient = vec![0.0; start.len()];
    if settings.gradient == Gradient::ParameterShift {
        solver::shift(&mut model, &mut loss, &mut start, 0.0, &mut gradient);
    } else {
        let mut cotangent = vec![T::default(); 16];
        loss.evaluate(model.state(&start), 0.0, &mut cotangent);
        model.gradient(&cotangent, &mut gradient);
    }
    gradient
}

/// The ancilla's circuit measures Im⟨ψ|exp(iαW)|ψ⟩, to rounding.
#[test]
fn the_circuit_measures_the_objective() {
    let graph = small();
    let collision = Constraints::Collision { start: 0.05, end: 0.5 };
    let mut random = Random::new(8, 1);
    let mut psi: Vec<f64> = (0..256).map(|_| random.normal()).collect();
    crate::matrix::normalise(&mut psi);
    for alpha in [0.01, 0.3, 3.0] {
        let value = |objective| {
            let mut loss = Loss::<f64>::new(&graph, 8, objective, collision, Some(alpha)).unwrap();
            loss.evaluate(&psi, 0.5, &mut vec![0.0; 256]).objective
        };
        let (circuit, exact) = (value(Objective::HadamardCircuit), value(Objective::HadamardExact));
        assert!((circuit - exact).abs() < 1e-10, "{circuit} {exact}");
        // The linear form is what is left for small α: the next term is that of third order.
        let third = (alpha * Spectrum::of(&graph).norm()).powi(3) / 6.0;
        assert!((value(Objective::Linear) - exact).abs() <= third + 1e-15);
    }
    let error = Loss::<f64>::new(&graph, 9, Objective::HadamardCircuit, collision, None).err().unwrap();
    assert!(error.contains("up to 8 qubits"), "{error}");
}

/// The transform against its definition.
#[test]
fn walsh_transform_is_that_of_strings() {
    let mut random = Random::new(2, 1);
    let p: Vec<f64> = (0..32).map(|_| random.uniform()).collect();
    let mut strings = p.clone();
    walsh::transform(&mut strings);
    for (c, z) in strings.iter().enumerate() {
        let sign = |i: usize| if (i & c).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
        let wanted: f64 = p.iter().enumerate().map(|(i, p)| sign(i) * p).sum();
        assert!((z - wanted).abs() < 1e-13);
    }
}

/// The collision constraint is the sum of the squares of all strings' errors.
#[test]
fn the_collision_constraint_is_that_of_all_strings() {
    let graph = small();
    let collision = Constraints::Collision { start: 1.0, end: 1.0 };
    let mut loss = Loss::<f64>::new(&graph, 4, Objective::Linear, collision, Some(0.1)).unwrap();
    let mut random = Random::new(8, 1);
    let mut psi: Vec<f64> = (0..16).map(|_| random.normal()).collect();
    crate::matrix::normalise(&mut psi);
    let value = loss.evaluate(&psi, 0.0, &mut [0.0; 16]);
    let mut off: Vec<f64> =
        psi.iter().enumerate().map(|(i, a)| a * a - if i < 9 { 1.0 / 9.0 } else { 0.0 }).collect();
    walsh::transform(&mut off);
    let wanted = 0.1 * -Spectrum::of(&graph).low * off.iter().map(|z| z * z).sum::<f64>();
    assert!((value.penalty - wanted).abs() < 1e-12, "{} {wanted}", value.penalty);
}

/// A run broken off and taken up again is the same run, and so is one with other threads.
#[test]
fn checkpoints_change_nothing() {
    let graph = small();
    for gradient in [Gradient::Adjoint, Gradient::Spsa] {
        let settings = Settings { gradient, amsgrad: true, ..tuning_free() };
        let problem = Problem { graph: &graph, settings: &settings };
        let mut saved = Vec::new();
        let whole = problem
            .solve::<f64>(7, 1, None, &mut |_, epoch, save| {
                if epoch == 5 {
                    saved = save();
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        let resumed =
            problem.solve::<f64>(7, 2, Some(&saved), &mut |_, _, _| ControlFlow::Continue(())).unwrap();
        assert_eq!(whole, resumed);
        assert_eq!(whole.epochs.len(), 13);
        let broken = problem.solve::<f64>(7, 1, Some(&saved[8..]), &mut |_, _, _| ControlFlow::Break(()));
        assert_eq!(broken.unwrap_err(), SolveError::Checkpoint);
        let stopped = problem.solve::<f64>(7, 1, None, &mut |_, _, _| ControlFlow::Break(()));
        assert_eq!(stopped.unwrap_err(), SolveError::Stopped);
    }
}

#[test]
fn a_plateau_ends_a_run() {
    let graph = small();
    let settings = Settings { epochs: 4000, plateau: Some((20, 1e-4)), ..tuning_free() };
    let outcome = Problem { graph: &graph, settings: &settings }.solve_from::<f64>(vec![0.3; 24], 1).unwrap();
    assert!(outcome.early && outcome.epochs.len() < 4000, "{}", outcome.epochs.len());
}

#[test]
fn sizes_of_circuits() {
    let empty = |n: usize| parse(&format!("{n} 0\n"), Format::Gset).unwrap();
    assert_eq!(Problem::qubits(&empty(1)), 1);
    assert_eq!(Problem::qubits(&empty(800)), 10);
    assert_eq!(Problem::qubits(&empty(1024)), 10);
    assert_eq!(Problem::qubits(&empty(20_000)), 15);
    assert_eq!(Problem::layers(&empty(800), 1.1), 240);
    assert_eq!(Problem::layers(&empty(20_000), 1.1), 2402);
}

/// Without a circuit the same loss is minimised by the amplitudes themselves.
#[test]
fn amplitudes_alone() {
    let graph = small();
    let settings = Settings { circuit: false, epochs: 200, ..tuning_free() };
    let problem = Problem { graph: &graph, settings: &settings };
    let outcome = problem.solve::<f64>(1, 1, None, &mut |_, _, _| ControlFlow::Continue(())).unwrap();
    let (first, last) = (outcome.epochs[0], outcome.epochs[200]);
    assert!(last.value.loss < first.value.loss && last.value.padding < 0.01, "{last:?}");
    // Nine vertices: the largest cut of all is found by looking.
    let side = |mask: usize, i: usize| if (mask >> i) & 1 == 1 { -1 } else { 1 };
    let cut = |mask| graph.cut(&(0..9).map(|i| side(mask, i)).collect::<Vec<_>>());
    let largest = (0..256).map(cut).fold(0.0, f64::max);
    assert!(last.cut > 0.9 * largest, "{} {largest}", last.cut);
}
