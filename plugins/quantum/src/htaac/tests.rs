#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::device::Device;
use super::hadamard::Sine;
use super::mixed::Mixed;
use super::*;
use crate::circuit::{Circuit, DensityMatrix, Noise};
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

fn tuning_free() -> Settings {
    Settings {
        layers: 6,
        objective: Objective::HadamardExact,
        constraints: Settings::default().constraints,
        alpha: None,
        epochs: 12,
        rate: 0.02,
        decay: true,
        amsgrad: false,
        ..Settings::published()
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
    let settings = Settings { epochs: 50, ..Settings::published() };
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
                let settings = Settings { gradient, ..settings.clone() };
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

fn device<T: Real>(problem: &Problem<'_>) -> Device<T> {
    let Settings { objective, constraints, alpha, gradient, .. } = *problem.settings;
    let ansatz = problem.ansatz();
    let loss = Loss::<T>::new(problem.graph, ansatz.qubits, objective, constraints, alpha).unwrap();
    Device::new(problem.settings, ansatz, loss, 1, gradient == Gradient::Adjoint).unwrap()
}

fn gradient_of<T: Real>(problem: &Problem<'_>) -> Vec<f64> {
    let mut start = problem.start(3);
    let mut gradient = vec![0.0; start.len()];
    let (mut device, mut random) = (device::<T>(problem), Random::new(0, 0));
    if problem.settings.gradient == Gradient::ParameterShift {
        device.shift(&mut start, 0.0, &mut random, &mut gradient);
    } else {
        device.value(&start, 0.0, &mut random);
        device.adjoint(&start, &mut gradient);
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
    let value = loss.evaluate(&psi, 1.0, &mut [0.0; 16]);
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
    let shots = Some(Shots { objective: 100, population: 1, constraints: 200 });
    let noise = Noise { depolarizing: 0.01, damping: 0.0, readout: 0.02 };
    for (gradient, shots, noise) in [
        (Gradient::Adjoint, None, Noise::default()),
        (Gradient::Spsa, None, Noise::default()),
        (Gradient::Spsa, shots, noise),
        (Gradient::ParameterShift, shots, Noise::default()),
    ] {
        let settings = Settings { gradient, shots, noise, amsgrad: true, ..tuning_free() };
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
    let layers = [(800, 1.0), (2000, 1.0), (20_000, 1.0), (2000, 1.41), (20_000, 1.41), (40_000, 1.0)];
    let layers = layers.map(|(vertices, factor)| Problem::layers(&empty(vertices), factor));
    assert_eq!(layers, [240, 436, 2402, 614, 3388, 4506]);
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

const NOISY: Noise = Noise { depolarizing: 0.01, damping: 0.02, readout: 0.03 };

/// The real density matrix against the one that the simulator of general circuits gives.
#[test]
fn noise_is_that_of_general_circuits() {
    for qubits in [2, 3, 4] {
        let ansatz = crate::simulator::brick::Ansatz { qubits, layers: 5 };
        let mut random = Random::new(4, 1);
        let angles: Vec<f64> = (0..ansatz.angles()).map(|_| random.normal()).collect();
        let wanted = DensityMatrix::of(&Circuit::of_ansatz(ansatz).bound(&angles), &NOISY).unwrap();
        let mut mixed = Mixed::new(ansatz, &NOISY);
        for (found, wanted) in mixed.state(&angles, false).iter().zip(&wanted.entries) {
            assert!((found - wanted.re).abs() < 1e-13 && wanted.im.abs() < 1e-13, "{found} {wanted:?}");
        }
    }
}

/// With noise of the circuit, of the readings, and of both, the adjoint gradient is that of moved angles.
#[test]
fn gradients_agree_with_noise() {
    let graph = small();
    let authors = Constraints::Authors { coefficient: 100.0, regulariser: 1.2 };
    let collision = Constraints::Collision { start: 0.05, end: 0.5 };
    let reading = Noise { readout: 0.1, ..Noise::default() };
    for constraints in [authors, collision] {
        for noise in [reading, NOISY, Noise { readout: 0.0, ..NOISY }] {
            let gradient = |gradient| {
                let settings = Settings { constraints, noise, gradient, ..tuning_free() };
                gradient_of::<f64>(&Problem { graph: &graph, settings: &settings })
            };
            let (adjoint, moved) = (gradient(Gradient::Adjoint), gradient(Gradient::ParameterShift));
            let size = adjoint.iter().map(|g| g.abs()).fold(0.0, f64::max);
            assert!(size > 1e-3, "{size}");
            for (a, m) in adjoint.iter().zip(&moved) {
                assert!((a - m).abs() < 1e-12, "{noise:?} {a} {m}");
            }
        }
    }
}

/// Mean and variance of a list.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0))
}

/// Loss and gradient from shots have the exact ones as their means: 4000 estimates are within four standard deviations
/// of their mean. That holds for the squares in both losses only because no shot is counted with itself.
#[test]
fn estimates_from_shots_are_unbiased() {
    const DRAWS: usize = 4000;
    let graph = small();
    let authors = Constraints::Authors { coefficient: 100.0, regulariser: 1.2 };
    let collision = Constraints::Collision { start: 0.5, end: 0.5 };
    for constraints in [authors, collision] {
        let shots = Some(Shots { objective: 20, population: 10, constraints: 15 });
        let exact = Settings { constraints, layers: 2, gradient: Gradient::ParameterShift, ..tuning_free() };
        let measured = Settings { shots, ..exact.clone() };
        let exact = Problem { graph: &graph, settings: &exact };
        let problem = Problem { graph: &graph, settings: &measured };
        let (mut start, mut random) = (problem.start(3), Random::new(9, 9));
        let wanted_loss = device::<f64>(&exact).value(&start, 0.0, &mut random).loss;
        let wanted = gradient_of::<f64>(&exact);
        let mut device = device::<f64>(&problem);
        let mut gradient = vec![0.0; start.len()];
        let (mut losses, mut gradients) = (Vec::new(), vec![Vec::new(); start.len()]);
        for _ in 0..DRAWS {
            losses.push(device.value(&start, 0.0, &mut random).loss);
            device.shift(&mut start, 0.0, &mut random, &mut gradient);
            gradients.iter_mut().zip(&gradient).for_each(|(list, g)| list.push(*g));
        }
        for (list, wanted) in gradients.iter().zip(&wanted).chain([(&losses, &wanted_loss)]) {
            let (mean, variance) = moments(list);
            assert!(
                (mean - wanted).abs() < 4.0 * (variance / DRAWS as f64).sqrt(),
                "{mean} {wanted} {variance}"
            );
        }
    }
}

/// The variance of a gradient by moved angles, where the constraints weigh nothing, is that of two ancillas:
/// `¼ (2 - m₊² - m₋²) / shots`, within 5 % (the standard deviation of 10⁴ estimates' variance is 1.4 %).
#[test]
fn the_variance_from_shots_is_that_of_theory() {
    let (graph, shots) = (small(), 30);
    let constraints = Constraints::Collision { start: 1e-12, end: 1e-12 };
    let settings = Settings { constraints, layers: 2, alpha: Some(0.4), ..tuning_free() };
    let counted = Some(Shots { objective: shots, population: 1, constraints: 2 });
    let counted = Settings { shots: counted, gradient: Gradient::ParameterShift, ..settings.clone() };
    let (exact, counted) =
        (Problem { graph: &graph, settings: &settings }, Problem { graph: &graph, settings: &counted });
    let (mut angles, mut random) = (exact.start(3), Random::new(10, 9));
    let (mut known, mut device) = (device::<f64>(&exact), device::<f64>(&counted));
    let mut gradient = vec![0.0; angles.len()];
    let mut gradients = vec![Vec::new(); angles.len()];
    for _ in 0..10_000 {
        device.shift(&mut angles, 0.0, &mut random, &mut gradient);
        gradients.iter_mut().zip(&gradient).for_each(|(list, g)| list.push(*g));
    }
    for (at, list) in gradients.iter().enumerate() {
        let mut mean = |by: f64| {
            let mut moved = angles.clone();
            moved[at] += by;
            known.value(&moved, 0.0, &mut random).objective
        };
        let quarter = std::f64::consts::FRAC_PI_2;
        let (plus, minus) = (mean(quarter), mean(-quarter));
        let theory = 0.25 * (2.0 - plus * plus - minus * minus) / shots as f64;
        let (_, variance) = moments(list);
        assert!((variance / theory - 1.0).abs() < 0.05, "{at}: {variance} {theory}");
    }
}

/// A circuit is trained from shots, with noise, by both gradients that hardware has: the exact loss falls.
#[test]
fn training_from_shots_with_noise() {
    let graph = small();
    for gradient in [Gradient::ParameterShift, Gradient::Spsa] {
        let shots = Some(Shots { objective: 2000, population: 1, constraints: 2000 });
        let noise = Noise { depolarizing: 0.001, damping: 0.001, readout: 0.01 };
        let collision = Constraints::Collision { start: 0.2, end: 0.2 };
        let settings = Settings {
            gradient,
            shots,
            noise,
            epochs: 60,
            rate: 0.1,
            constraints: collision,
            ..tuning_free()
        };
        let outcome = Problem { graph: &graph, settings: &settings }
            .solve::<f64>(1, 1, None, &mut |_, _, _| ControlFlow::Continue(()))
            .unwrap();
        let exact = Settings { constraints: collision, ..tuning_free() };
        let exact = Problem { graph: &graph, settings: &exact };
        let loss = |angles: &[f64]| device::<f64>(&exact).value(angles, 0.0, &mut Random::new(0, 0)).loss;
        let (before, after) = (loss(&exact.start(1)), loss(&outcome.angles));
        assert!(after < before - 0.05, "{gradient:?}: {before} {after}");
    }
}

#[test]
fn what_no_device_does() {
    let graph = small();
    let refused = |settings: Settings, graph: &Graph| {
        let problem = Problem { graph, settings: &settings };
        problem.solve_from::<f64>(problem.start(0), 1).unwrap_err().to_string()
    };
    let shots = Some(Shots { objective: 10, population: 10, constraints: 10 });
    let message = refused(Settings { shots, ..tuning_free() }, &graph);
    assert!(message.contains("undoes the circuit, which shots cannot"), "{message}");
    let message = refused(Settings { noise: NOISY, circuit: false, ..tuning_free() }, &graph);
    assert!(message.contains("nothing to measure"), "{message}");
    let wide = parse("257 0\n", Format::Gset).unwrap();
    let message = refused(Settings { noise: NOISY, ..tuning_free() }, &wide);
    assert!(message.contains("up to 8 qubits, and this graph takes 9"), "{message}");
    let eight = parse("256 0\n", Format::Gset).unwrap();
    let message = refused(Settings { noise: NOISY, layers: 10_000, ..tuning_free() }, &eight);
    assert!(message.contains("keeps a density matrix for each of 10000 layers"), "{message}");
    // Wrong readings alone need no density matrix.
    let reading = Settings { noise: Noise { readout: 0.1, ..Noise::default() }, epochs: 0, ..tuning_free() };
    let problem = Problem { graph: &wide, settings: &reading };
    assert!(problem.solve_from::<f64>(problem.start(0), 1).is_ok());
}
