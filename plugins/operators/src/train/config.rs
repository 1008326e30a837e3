//! What a training run is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fno::FnoConfig;
use crate::{Error, Result};

/// What is trained, on what, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Variable of the data that the network reads, (sample, channel, row, column).
    pub input: String,
    /// Variable that it learns to give, (sample, channel, row, column); the channels may be times.
    pub target: String,
    /// Variable that is 1 in cells that count and 0 elsewhere, (sample, row, column); `null` for all.
    pub mask: Option<String>,
    /// The network.
    pub model: FnoConfig,
    /// Passes over the training samples.
    #[schemars(range(min = 1, max = 100_000))]
    pub epochs: usize,
    /// Samples in a step.
    #[schemars(range(min = 1, max = 65_536))]
    pub batch_size: usize,
    /// Learning rate of Adam after the warm-up.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub learning_rate: f64,
    /// Epochs over which the learning rate rises linearly from zero.
    #[schemars(range(min = 0.0))]
    pub warmup: f64,
    /// How the learning rate goes on after the warm-up.
    pub schedule: Schedule,
    /// Decoupled weight decay: each step takes `learning rate × weight_decay` of the weights away.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub weight_decay: f64,
    /// Decay of the running average of the weights, which validation and the final model use; 0 for none.
    /// A useful value is 1 - 10 / (steps of the whole training) or so.
    #[schemars(range(min = 0.0, max = 0.9999999))]
    pub ema_decay: f64,
    /// Weight in the loss of the relative L2 error of the derivative along the columns.
    #[schemars(range(min = 0.0))]
    pub derivative_weight: f64,
    /// Least value that the target can have, such as 0 for a saturation. Where the target has it, a network that gives
    /// less makes no error; what it gives is raised to it. `null` for targets without such a value.
    pub lower_bound: Option<f64>,
    /// Stop when the validation error has not improved for so many epochs; 0 never stops early.
    pub patience: usize,
    /// Keep the weights of the epoch with the least validation error; otherwise those of the last epoch.
    pub keep_best: bool,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            input: "x".to_owned(),
            target: "y".to_owned(),
            mask: Some("mask".to_owned()),
            model: FnoConfig::default(),
            epochs: 48,
            batch_size: 4,
            learning_rate: 2e-3,
            warmup: 2.0,
            schedule: Schedule::Cosine,
            weight_decay: 1e-4,
            ema_decay: 0.0,
            derivative_weight: 0.5,
            lower_bound: None,
            patience: 0,
            keep_best: true,
        }
    }
}

/// How the learning rate goes on after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Falls to zero at the last step along half a cosine. A training of more epochs starts afresh.
    #[default]
    Cosine,
    /// Stays. A training of more epochs goes on from one of fewer.
    Constant,
}

impl TrainConfig {
    /// # Errors
    /// When a value is out of its range.
    pub fn check(&self) -> Result<()> {
        let positive = |x: f64| x.is_finite() && x >= 0.0;
        if self.epochs == 0 || self.batch_size == 0 {
            return Err(Error::config("`epochs` and `batch_size` are at least 1"));
        }
        for (name, value) in [
            ("learning_rate", self.learning_rate),
            ("warmup", self.warmup),
            ("weight_decay", self.weight_decay),
            ("derivative_weight", self.derivative_weight),
        ] {
            if !positive(value) {
                return Err(Error::config(format!("`{name}` is a number of at least 0")));
            }
        }
        if self.lower_bound.is_some_and(|bound| !bound.is_finite()) {
            return Err(Error::config("`lower_bound` is a number or null"));
        }
        if !(0.0..1.0).contains(&self.ema_decay) {
            return Err(Error::config("`ema_decay` lies between 0 and 1, 1 excluded"));
        }
        Ok(())
    }

    /// Whether the learning rate of a step does not depend on how many epochs there are: then a longer training
    /// begins as a shorter one does.
    #[must_use]
    pub fn rate_is_open(&self) -> bool {
        match self.schedule {
            Schedule::Constant => true,
            Schedule::Cosine => false,
        }
    }

    /// Learning rate of step `step` (from 0) with `steps` steps an epoch.
    #[must_use]
    pub fn rate(&self, step: u64, steps: u64) -> f64 {
        let warmup = self.warmup * steps as f64;
        let done = step as f64 + 1.0;
        if done < warmup {
            return self.learning_rate * done / warmup;
        }
        match self.schedule {
            Schedule::Constant => self.learning_rate,
            Schedule::Cosine => {
                let left = (self.epochs as f64 * steps as f64 - warmup).max(1.0);
                let turn = ((step as f64 - warmup) / left).clamp(0.0, 1.0);
                self.learning_rate * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * turn))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_linearly_and_falls_along_a_cosine() {
        let config = TrainConfig { epochs: 10, warmup: 2.0, learning_rate: 1.0, ..TrainConfig::default() };
        assert_eq!(config.rate(0, 5), 0.1);
        assert_eq!(config.rate(4, 5), 0.5);
        assert!((config.rate(9, 5) - 1.0).abs() < 0.01);
        assert!((config.rate(30, 5) - 0.5).abs() < 1e-12);
        assert!(config.rate(49, 5) < 2e-3);
        let constant = TrainConfig { schedule: Schedule::Constant, ..config };
        assert_eq!(constant.rate(49, 5), 1.0);
    }
}
