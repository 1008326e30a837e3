//! Trained networks as artifacts: `model.safetensors` and `config.json`.

use std::path::Path;

use burn::tensor::Device;
use flow_plugin::artifact::model::{Tensor, read_model, write_model};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Error, Result, serde_json};

use super::failed;
use crate::fno::{Fno, FnoConfig};
use crate::weights::{Array, weights, with_weights};

/// What is needed to use a network: `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields)]
pub(super) struct Config {
    /// The kind of network: `fno`.
    pub(super) kind: String,
    /// Its architecture.
    pub(super) model: FnoConfig,
    /// Rows and columns of a field.
    pub(super) size: [usize; 2],
    /// Input channels of the data, coordinates not counted.
    pub(super) channels: usize,
    /// Output channels.
    pub(super) outputs: usize,
    /// Variable that the network reads.
    pub(super) input: String,
    /// Variable that says which cells count.
    pub(super) mask: Option<String>,
    /// Variable that it gives.
    pub(super) target: String,
    /// The target's dimensions.
    pub(super) dims: Vec<String>,
    /// The target's units.
    pub(super) units: String,
    /// The target's least value, to which predictions are raised.
    #[serde(default)]
    pub(super) lower_bound: Option<f64>,
    /// The epoch whose weights these are.
    pub(super) epoch: usize,
}

/// Writes a network into a new folder.
pub(super) fn save(path: &Path, model: &Fno, config: &Config) -> Result<()> {
    let tensors = weights(model)
        .into_iter()
        .map(|(name, array)| Tensor::new(name, &array.shape, &array.values))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(write_model(path, &tensors, &serde_json::to_value(config)?)?)
}

/// Reads a network.
pub(super) fn load(path: &Path) -> Result<(Fno, Config)> {
    let stored = read_model(path)?;
    let config: Config = serde_json::from_value(stored.config)
        .map_err(|error| Error::from(error).context("the model is not one of operators/train"))?;
    if config.kind != "fno" {
        return Err(Error::bad_input(format!("the model is of kind `{}`, not `fno`", config.kind)));
    }
    let channels = config.model.input_channels(config.channels);
    let model = Fno::new(&config.model, config.size, channels, config.outputs, 0, &Device::flex());
    let mut values = crate::weights::Weights::new();
    for tensor in stored.tensors {
        let array = Array { values: tensor.values::<f32>()?, shape: tensor.shape };
        values.insert(tensor.name, array);
    }
    Ok((model.and_then(|model| with_weights(model, &values)).map_err(failed)?, config))
}
