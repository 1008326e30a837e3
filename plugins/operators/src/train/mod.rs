//! Training: epochs of batches, validation, early stopping, checkpoints.

mod config;
mod state;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

pub use config::{Schedule, TrainConfig};
use state::State;

use crate::fno::Fno;
use crate::kernels::{Isa, give_buffer};
use crate::loss::{LossPlan, inverse_spacing};
use crate::ops::relative_l2;
use crate::optim::{Adam, AdamConfig};
use crate::samples::Samples;
use crate::weights::{Weights, weights, with_weights};
use crate::{Error, Result};

/// What an epoch came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: usize,
    /// Mean loss over the training samples, each taken when its batch came.
    pub training_loss: f64,
    /// Mean relative L2 error over the validation samples (NaN without any).
    pub validation_error: f64,
    /// Mean relative L2 error of the derivative along the columns (NaN without any).
    pub validation_derivative_error: f64,
}

/// Who watches a training run.
pub trait Monitor {
    /// `done` of `total` steps are taken.
    fn step(&mut self, _done: u64, _total: u64) {}
    /// An epoch ended.
    fn epoch(&mut self, _epoch: &Epoch) {}
    /// Whether the training should stop; it then saves its state and returns [`Error::Cancelled`].
    fn cancelled(&mut self) -> bool {
        false
    }
    /// Whether the state after `step` steps should be saved now.
    fn due(&mut self, _step: u64) -> bool {
        false
    }
    /// Saves the state after `step` steps.
    ///
    /// # Errors
    /// When it cannot be written; the training ends with that error.
    fn save(&mut self, _step: u64, _state: &[u8]) -> Result<()> {
        Ok(())
    }
    /// Whether the state after the last step is wanted, for a longer training to go on from.
    fn wants_last(&mut self) -> bool {
        false
    }
    /// Saves that state.
    ///
    /// # Errors
    /// When it cannot be written; the training ends with that error.
    fn last(&mut self, _step: u64, _state: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// Watches nothing.
impl Monitor for () {}

/// A trained network.
#[derive(Debug)]
pub struct Trained {
    /// The network.
    pub model: Fno,
    /// Every epoch.
    pub history: Vec<Epoch>,
    /// The epoch whose weights these are.
    pub epoch: usize,
}

/// Trains a network on `samples`; with `resume`, the state that [`Monitor::save`] was given, goes on
/// from there to the same bits as without interruption. It may also be what [`Monitor::last`] was given by a
/// training with fewer epochs, if [`TrainConfig::rate_is_open`].
///
/// # Errors
/// When configuration and samples do not fit, the loss stops being a number, or the monitor asked to stop.
pub fn train(
    config: &TrainConfig,
    samples: &Samples,
    seed: u64,
    resume: Option<&[u8]>,
    monitor: &mut dyn Monitor,
) -> Result<Trained> {
    config.check()?;
    samples.check()?;
    let device = Device::flex().autodiff();
    let network =
        Fno::new(&config.model, samples.size, samples.channels, samples.outputs, stream(seed, 0), &device)?;
    let adam = AdamConfig {
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
        weight_decay: config.weight_decay as f32,
        average: config.ema_decay as f32,
    };
    let mut run = Run {
        config,
        samples,
        seed,
        inverse_spacing: Arc::new(inverse_spacing(&samples.columns)),
        model: Some(network),
        adam: Adam::new(adam, Isa::detect()),
        state: State::default(),
    };
    if let Some(bytes) = resume {
        run.restore(bytes)?;
    }
    run.epochs(monitor)?;
    run.finish()
}

/// A random number stream of its own for each purpose.
fn stream(seed: u64, purpose: u64) -> u64 {
    // The finaliser of SplitMix64 (Steele et al. 2014): neighbouring seeds become unrelated.
    let mut z = seed.wrapping_add(purpose.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct Run<'a> {
    config: &'a TrainConfig,
    samples: &'a Samples,
    seed: u64,
    inverse_spacing: Arc<Vec<f32>>,
    /// Absent only while a step moves it.
    model: Option<Fno>,
    adam: Adam,
    state: State,
}

impl Run<'_> {
    fn model(&self) -> Result<&Fno> {
        self.model.as_ref().ok_or_else(|| Error::data("an earlier step failed"))
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let (state, weights, steps, moments) = State::read(bytes)?;
        let model = self.model.take().ok_or_else(|| Error::data("an earlier step failed"))?;
        self.model = Some(with_weights(model, &weights)?);
        self.adam.steps = steps;
        self.adam.moments = moments;
        self.state = state;
        Ok(())
    }

    fn bytes(&self) -> Result<Vec<u8>> {
        self.state.write(&weights(self.model()?), self.adam.steps, &self.adam.moments)
    }

    fn save(&self, monitor: &mut dyn Monitor) -> Result<()> {
        monitor.save(self.adam.steps, &self.bytes()?)
    }

    fn epochs(&mut self, monitor: &mut dyn Monitor) -> Result<()> {
        let batch = self.config.batch_size.min(self.samples.training.len());
        let steps = self.samples.training.len().div_ceil(batch) as u64;
        let total = steps * self.config.epochs as u64;
        while self.state.history.len() < self.config.epochs && !self.stopped() {
            let epoch = self.state.history.len() + 1;
            let mut order = self.samples.training.clone();
            order.shuffle(&mut ChaCha8Rng::seed_from_u64(stream(self.seed, epoch as u64)));
            // An interrupted epoch goes on where it was.
            let done = (self.adam.steps % steps) as usize;
            for batch in order.chunks(batch).skip(done) {
                if monitor.cancelled() {
                    self.save(monitor)?;
                    return Err(Error::Cancelled);
                }
                let rate = self.config.rate(self.adam.steps, steps);
                let loss = self.step(batch, rate)?;
                if !loss.is_finite() {
                    return Err(Error::Diverged { epoch, loss });
                }
                self.state.loss += loss * batch.len() as f64;
                monitor.step(self.adam.steps, total);
                // Not after the last step: what the epoch came to is not in the state yet.
                if monitor.due(self.adam.steps) && !self.adam.steps.is_multiple_of(steps) {
                    self.save(monitor)?;
                }
            }
            let record = self.validate(epoch)?;
            self.state.loss = 0.0;
            self.state.history.push(record);
            monitor.epoch(&record);
            if monitor.due(self.adam.steps) {
                self.save(monitor)?;
            }
        }
        if monitor.wants_last() { monitor.last(self.adam.steps, &self.bytes()?) } else { Ok(()) }
    }

    fn stopped(&self) -> bool {
        let (epochs, best) = (self.state.history.len(), self.state.best_epoch);
        let patience = self.config.patience;
        patience > 0 && best > 0 && epochs >= best + patience
    }

    fn loss_plan(&self, mask: Vec<u8>) -> LossPlan {
        LossPlan {
            isa: Isa::detect(),
            mask: Arc::new(mask),
            size: self.samples.size,
            inverse_spacing: self.inverse_spacing.clone(),
            derivative_weight: self.config.derivative_weight as f32,
            lower_bound: self.config.lower_bound.map(|bound| bound as f32),
        }
    }

    fn tensor(&self, values: Vec<f32>, channels: usize, device: &Device) -> Tensor<4> {
        let [rows, columns] = self.samples.size;
        let count = values.len() / (rows * columns * channels);
        Tensor::from_data(TensorData::new(values, [count, rows, columns, channels]), device)
    }

    /// One step; returns the loss before it.
    fn step(&mut self, batch: &[usize], rate: f64) -> Result<f64> {
        let device = Device::flex().autodiff();
        let batch = self.samples.batch(batch)?;
        let x = self.tensor(batch.x, self.samples.channels, &device);
        let y = self.tensor(batch.y, self.samples.outputs, &device);
        let plan = Arc::new(self.loss_plan(batch.mask));
        let model = self.model.take().ok_or_else(|| Error::data("an earlier step failed"))?;
        let prediction = model.forward(x, Some(plan.mask.clone()));
        let loss = relative_l2(prediction, y, plan);
        let value = f64::from(loss.clone().into_scalar::<f32>());
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        self.model = Some(self.adam.step(rate, model, gradients));
        Ok(value)
    }

    /// The network that validation and the final model use.
    fn evaluated(&self) -> Result<Fno> {
        let model = self.model()?.valid();
        if self.config.ema_decay == 0.0 {
            return Ok(model);
        }
        let mut averages = weights(&model);
        for (path, array) in &mut averages {
            if let Some(average) = self.adam.average(path) {
                array.values = average;
            }
        }
        with_weights(model, &averages)
    }

    fn validate(&mut self, epoch: usize) -> Result<Epoch> {
        let training_loss = self.state.loss / self.samples.training.len() as f64;
        let mut record =
            Epoch { epoch, training_loss, validation_error: f64::NAN, validation_derivative_error: f64::NAN };
        let validation = &self.samples.validation;
        if validation.is_empty() {
            self.state.best_epoch = epoch;
            return Ok(record);
        }
        let model = self.evaluated()?;
        let (mut error, mut slope) = (0.0, 0.0);
        for batch in validation.chunks(8) {
            let batch = self.samples.batch(batch)?;
            let plan = self.loss_plan(batch.mask);
            let x = self.tensor(batch.x, self.samples.channels, &Device::flex());
            let mut prediction = values(model.forward(x, Some(plan.mask.clone())))?;
            raise(&mut prediction, self.config.lower_bound);
            for squares in plan.squares(&prediction, &batch.y) {
                error += squares.value();
                slope += squares.slope();
            }
            give_buffer(prediction);
            give_buffer(batch.y);
        }
        record.validation_error = error / validation.len() as f64;
        record.validation_derivative_error = slope / validation.len() as f64;
        if self.state.best_epoch == 0 || record.validation_error < self.state.best_error {
            self.state.best_error = record.validation_error;
            self.state.best_epoch = epoch;
            if self.config.keep_best {
                self.state.best = weights(&model);
            }
        }
        Ok(record)
    }

    fn finish(mut self) -> Result<Trained> {
        let model = self.evaluated()?;
        let history = std::mem::take(&mut self.state.history);
        if self.config.keep_best && !self.state.best.is_empty() {
            let model = with_weights(model, &self.state.best)?;
            return Ok(Trained { model, history, epoch: self.state.best_epoch });
        }
        let epoch = history.len();
        Ok(Trained { model, history, epoch })
    }
}

/// Raises to the least value that there is, if there is one.
fn raise(values: &mut [f32], lower_bound: Option<f64>) {
    if let Some(bound) = lower_bound {
        values.iter_mut().for_each(|v| *v = v.max(bound as f32));
    }
}

/// A tensor's numbers.
fn values(tensor: Tensor<4>) -> Result<Vec<f32>> {
    tensor.into_data().try_into_vec::<f32>().map_err(|error| Error::data(error.to_string()))
}

/// Predictions `[sample, row, column, output]` for inputs `[sample, row, column, channel]` on the
/// grid of `mask` (`[sample, row, column]`), zero where it is zero, nowhere else less than `lower_bound`.
///
/// # Errors
/// When the arrays do not fit the network.
pub fn predict(
    model: &Fno,
    x: Vec<f32>,
    mask: &[u8],
    [rows, columns]: [usize; 2],
    lower_bound: Option<f64>,
) -> Result<Vec<f32>> {
    let cells = rows * columns;
    let samples = mask.len().checked_div(cells).unwrap_or(0);
    if samples == 0 || mask.len() != samples * cells || !x.len().is_multiple_of(mask.len()) {
        return Err(Error::data("input and mask disagree in size"));
    }
    let channels = x.len() / mask.len();
    let x = Tensor::from_data(TensorData::new(x, [samples, rows, columns, channels]), &Device::flex());
    let mut prediction = values(model.forward(x, Some(Arc::new(mask.to_vec()))))?;
    raise(&mut prediction, lower_bound);
    let outputs = prediction.len() / mask.len();
    for (values, _) in prediction.chunks_exact_mut(outputs).zip(mask).filter(|(_, m)| **m == 0) {
        values.fill(0.0);
    }
    Ok(prediction)
}

/// The parameters of a network, by path.
#[must_use]
pub fn parameters(model: &Fno) -> Weights {
    weights(model)
}
