#![allow(clippy::unwrap_used)]

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::*;
use crate::fno::{FnoConfig, PositionalEmbedding};
use crate::samples::{Pool, Sample, channels_last};

/// Smooth random fields and a nonlinear, non-local function of them, on a grid with a dead row.
fn samples(count: usize) -> Samples {
    with_room(Pool::ROOM, pairs(count))
}

fn with_room(room: usize, pairs: Vec<Sample>) -> Samples {
    let count = pairs.len();
    Samples {
        size: [8, 12],
        channels: 3,
        outputs: 2,
        training: (0..count - 4).collect(),
        validation: (count - 4..count).collect(),
        columns: (0..12).map(|c| 1.2f64.powi(c)).collect(),
        pool: Pool::new(pairs, room),
    }
}

fn pairs(count: usize) -> Vec<Sample> {
    let (rows, columns) = (8, 12);
    let mut rng = StdRng::seed_from_u64(3);
    let mut pair = || {
        let waves: Vec<[f64; 4]> =
            (0..3).map(|_| std::array::from_fn(|_| rng.random_range(-1.0..1.0))).collect();
        let field = |shift: f64| -> Vec<f64> {
            (0..rows * columns)
                .map(|cell| {
                    let (r, c) = ((cell / columns) as f64, (cell % columns) as f64 + shift);
                    waves.iter().map(|w| w[0] * (w[1] * r + w[2] * c + 3.0 * w[3]).sin()).sum()
                })
                .collect()
        };
        let x: Vec<f32> = field(0.0).iter().map(|v| *v as f32).collect();
        let moved = field(1.0);
        let y: Vec<f32> =
            moved.iter().map(|v| v * v).chain(moved.iter().map(|v| 1.0 + v)).map(|v| v as f32).collect();
        Sample {
            x: channels_last(&x, 1, [rows, columns], PositionalEmbedding::Grid),
            y: channels_last(&y, 2, [rows, columns], PositionalEmbedding::None),
            mask: (0..rows * columns).map(|cell| u8::from(cell / columns < 7)).collect(),
        }
    };
    (0..count).map(|_| pair()).collect()
}

fn small() -> FnoConfig {
    FnoConfig {
        n_modes: vec![6, 6],
        hidden_channels: 8,
        n_layers: 2,
        projection_channel_ratio: 2,
        domain_padding: vec![0.25, 0.25],
        ..FnoConfig::default()
    }
}

fn config(epochs: usize) -> TrainConfig {
    TrainConfig {
        model: small(),
        epochs,
        batch_size: 4,
        learning_rate: 1e-2,
        ema_decay: 0.9,
        ..TrainConfig::default()
    }
}

/// Cancels after some steps and keeps what was saved.
struct Interrupt(u64, Option<Vec<u8>>);

impl Monitor for Interrupt {
    fn step(&mut self, done: u64, _: u64) {
        self.0 = self.0.saturating_sub(u64::from(done > 0));
    }
    fn cancelled(&mut self) -> bool {
        self.0 == 0
    }
    fn save(&mut self, _: u64, state: &[u8]) -> Result<()> {
        self.1 = Some(state.to_vec());
        Ok(())
    }
}

#[test]
fn training_learns_what_it_has_not_seen() {
    let samples = samples(36);
    let trained = train(&config(60), &samples, 1, None, &mut ()).unwrap();
    let first = trained.history[0].validation_error;
    let best = trained.history[trained.epoch - 1].validation_error;
    // Measured 1.02 after the first epoch and 0.104 in the best.
    assert!(first > 0.3 && best < 0.15, "{first} {best}");
    let unseen = samples.batch(&[33]).unwrap();
    let prediction = predict(&trained.model, unseen.x, &unseen.mask, samples.size, None).unwrap();
    assert!(prediction[7 * 12 * 2..].iter().all(|v| *v == 0.0));
}

#[test]
fn going_on_from_a_checkpoint_gives_the_bits_of_an_uninterrupted_run() {
    let samples = samples(20);
    let whole = train(&config(4), &samples, 5, None, &mut ()).unwrap();
    // In the middle of the second epoch, then at the end of the third.
    let mut state = None;
    for steps in [6, 6] {
        let mut monitor = Interrupt(steps, None);
        let resume: Option<Vec<u8>> = state.take();
        let stopped = train(&config(4), &samples, 5, resume.as_deref(), &mut monitor);
        assert!(matches!(stopped, Err(Error::Cancelled)));
        state = monitor.1;
    }
    let resumed = train(&config(4), &samples, 5, state.as_deref(), &mut ()).unwrap();
    assert_eq!(resumed.history, whole.history);
    assert_eq!(weights(&resumed.model), weights(&whole.model));
}

/// Keeps the last state.
#[derive(Default)]
struct Last(Option<Vec<u8>>);

impl Monitor for Last {
    fn wants_last(&mut self) -> bool {
        true
    }
    fn last(&mut self, _: u64, state: &[u8]) -> Result<()> {
        self.0 = Some(state.to_vec());
        Ok(())
    }
}

#[test]
fn a_longer_training_from_a_shorter_one_gives_the_bits_of_one_from_scratch() {
    let samples = samples(20);
    let open = |epochs| TrainConfig { schedule: Schedule::Constant, ..config(epochs) };
    assert!(open(4).rate_is_open() && !config(4).rate_is_open());
    let whole = train(&open(8), &samples, 5, None, &mut ()).unwrap();
    let mut last = Last::default();
    let short = train(&open(4), &samples, 5, None, &mut last).unwrap();
    assert_eq!(short.history, whole.history[..4]);
    let long = train(&open(8), &samples, 5, last.0.as_deref(), &mut ()).unwrap();
    assert_eq!(long.history, whole.history);
    assert_eq!((long.epoch, weights(&long.model)), (whole.epoch, weights(&whole.model)));
    // And with the rate falling to zero it would not: that is why the operation says no.
    let mut last = Last::default();
    train(&config(4), &samples, 5, None, &mut last).unwrap();
    let long = train(&config(8), &samples, 5, last.0.as_deref(), &mut ()).unwrap();
    assert_ne!(long.history, train(&config(8), &samples, 5, None, &mut ()).unwrap().history);
}

#[test]
fn seeds_differ_and_equal_seeds_agree_whatever_the_threads() {
    let samples = samples(12);
    let run = |seed: u64, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let trained = train(&config(2), &samples, seed, None, &mut ()).unwrap();
            weights(&trained.model)
        })
    };
    let one = run(1, 1);
    assert_eq!(one, run(1, 2));
    assert_ne!(one, run(2, 1));
}

#[test]
fn samples_that_memory_cannot_hold_are_read_again_and_nothing_else_changes() {
    // Room for three of twelve: 8 x 12 cells of 3 + 2 numbers and a mark.
    let few = with_room(3 * 96 * 21, pairs(12));
    let trained = |samples: &Samples| weights(&train(&config(2), samples, 1, None, &mut ()).unwrap().model);
    assert_eq!(trained(&few), trained(&samples(12)));
    assert_eq!(few.pool.kept(), 3);
}

#[test]
fn patience_stops_early_and_the_best_weights_are_kept() {
    let samples = samples(12);
    let config = TrainConfig { learning_rate: 0.0, ema_decay: 0.0, patience: 2, epochs: 20, ..config(20) };
    let trained = train(&config, &samples, 1, None, &mut ()).unwrap();
    assert_eq!(trained.history.len(), 3);
    assert_eq!(trained.epoch, 1);
}

#[test]
fn data_that_does_not_fit_is_refused() {
    let mut bad = pairs(12);
    bad[3].x[5] = f32::NAN;
    let error = train(&config(1), &with_room(0, bad), 1, None, &mut ()).unwrap_err();
    assert!(error.to_string().contains("not finite"), "{error}");
    let big = FnoConfig { n_modes: vec![40, 40], ..small() };
    let config = TrainConfig { model: big, ..config(1) };
    let error = train(&config, &samples(12), 1, None, &mut ()).unwrap_err();
    assert!(error.to_string().contains("at most [10, 15]"), "{error}");
}

#[test]
fn parameters_have_readable_names() {
    let model = Fno::new(&small(), [8, 12], 3, 2, 0, &Device::flex()).unwrap();
    let names: Vec<String> = parameters(&model).into_keys().collect();
    assert_eq!(names[..4], ["blocks.0.bias", "blocks.0.linear", "blocks.0.spectral", "blocks.1.bias"]);
    assert_eq!(names[6..8], ["lifting.bias", "lifting.weight"]);
    assert_eq!(names.len(), 12);
}
