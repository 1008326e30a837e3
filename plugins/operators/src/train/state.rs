//! The state of a training run as bytes: safetensors, every number exact.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::Epoch;
use crate::optim::Moments;
use crate::weights::{Array, Weights};
use crate::{Error, Result};

/// What a run carries from step to step beside weights and moments.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    /// Sum of the losses of the epoch under way, over samples.
    pub(super) loss: f64,
    /// Finished epochs.
    pub(super) history: Vec<Epoch>,
    /// The epoch with the least validation error; 0 for none yet.
    pub(super) best_epoch: usize,
    /// Its error.
    pub(super) best_error: f64,
    /// Its weights, if they are kept.
    pub(super) best: Weights,
}

/// Integers of the state. Floating-point numbers are tensors, since text might round them.
#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    steps: u64,
    best_epoch: usize,
}

const VERSION: u32 = 1;

impl State {
    /// The state with the weights, the optimizer's steps and moments.
    pub(super) fn write(
        &self,
        weights: &Weights,
        steps: u64,
        moments: &BTreeMap<String, Moments>,
    ) -> Result<Vec<u8>> {
        let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        let mut arrays = |prefix: &str, arrays: &Weights| {
            for (path, array) in arrays {
                let bytes = array.values.iter().flat_map(|v| v.to_le_bytes()).collect();
                tensors.push((format!("{prefix}:{path}"), Dtype::F32, array.shape.clone(), bytes));
            }
        };
        arrays("weight", weights);
        arrays("best", &self.best);
        for (path, m) in moments {
            for (prefix, values) in [("first", &m.first), ("second", &m.second), ("average", &m.average)] {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                tensors.push((format!("{prefix}:{path}"), Dtype::F32, vec![values.len()], bytes));
            }
        }
        let numbers = |values: Vec<f64>| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
        let history = self
            .history
            .iter()
            .flat_map(|e| [e.training_loss, e.validation_error, e.validation_derivative_error]);
        let shape = vec![self.history.len(), 3];
        tensors.push(("history".to_owned(), Dtype::F64, shape, numbers(history.collect())));
        let running = numbers(vec![self.loss, self.best_error]);
        tensors.push(("running".to_owned(), Dtype::F64, vec![2], running));

        let header = Header { version: VERSION, steps, best_epoch: self.best_epoch };
        let header = serde_json::to_string(&header).map_err(|error| Error::data(error.to_string()))?;
        let views = tensors
            .iter()
            .map(|(name, dtype, shape, bytes)| {
                TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name, view))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Error::data(error.to_string()))?;
        let metadata = HashMap::from([("state".to_owned(), header)]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| Error::data(error.to_string()))
    }

    /// State, weights, steps and moments of bytes that [`State::write`] made.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, Weights, u64, BTreeMap<String, Moments>)> {
        let damaged = |reason: String| Error::data(format!("the checkpoint is damaged: {reason}"));
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(e.to_string()))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| damaged(e.to_string()))?;
        let header = metadata.metadata().as_ref().and_then(|m| m.get("state"));
        let header = header.ok_or_else(|| damaged("it has no header".to_owned()))?;
        let header: Header = serde_json::from_str(header).map_err(|e| damaged(e.to_string()))?;
        if header.version != VERSION {
            return Err(Error::data(format!(
                "the checkpoint has format {}, this program reads {VERSION}",
                header.version
            )));
        }
        let mut state = Self { best_epoch: header.best_epoch, ..Self::default() };
        let mut weights = Weights::new();
        let mut moments: BTreeMap<String, Moments> = BTreeMap::new();
        for (name, view) in tensors.tensors() {
            let numbers = || -> Vec<f64> {
                let eight = |b: &[u8]| b.try_into().map_or(f64::NAN, f64::from_le_bytes);
                view.data().chunks_exact(8).map(eight).collect()
            };
            let values = || -> Vec<f32> {
                let four = |b: &[u8]| b.try_into().map_or(f32::NAN, f32::from_le_bytes);
                view.data().chunks_exact(4).map(four).collect()
            };
            let array = || Array { shape: view.shape().to_vec(), values: values() };
            match name.split_once(':') {
                Some(("weight", path)) => {
                    weights.insert(path.to_owned(), array());
                }
                Some(("best", path)) => {
                    state.best.insert(path.to_owned(), array());
                }
                Some((kind, path)) => {
                    let m = moments.entry(path.to_owned()).or_default();
                    match kind {
                        "first" => m.first = values(),
                        "second" => m.second = values(),
                        _ => m.average = values(),
                    }
                }
                None if name == "history" => {
                    state.history = numbers()
                        .chunks_exact(3)
                        .enumerate()
                        .map(|(i, e)| Epoch {
                            epoch: i + 1,
                            training_loss: e[0],
                            validation_error: e[1],
                            validation_derivative_error: e[2],
                        })
                        .collect();
                }
                None => {
                    let [loss, best_error] = numbers()[..] else {
                        return Err(damaged(format!("unexpected `{name}`")));
                    };
                    (state.loss, state.best_error) = (loss, best_error);
                }
            }
        }
        Ok((state, weights, header.steps, moments))
    }
}
