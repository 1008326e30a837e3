//! What is evaluated: the solutions, the predictions and which samples are for what.

use flow_plugin::artifact::Dataset;
use flow_plugin::{Context, Error, Input, Result};

use crate::data::{Reservoirs, Solutions};

/// The field that a prediction is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Saturation,
    Pressure,
}

/// One prediction of one field for many samples.
pub(super) struct Prediction {
    pub(super) target: Target,
    /// The seed of its training, as people see it.
    pub(super) seed: String,
    dataset: Dataset,
    ids: Vec<i64>,
}

impl Prediction {
    fn open(input: &Input, number: usize) -> Result<Self> {
        let dataset = Dataset::open(&input.path)?;
        let named = input.coordinates.get("target").or_else(|| dataset.attributes().get("target"));
        let target = match named.and_then(|value| value.as_str()) {
            Some("saturation") => Target::Saturation,
            Some("pressure") => Target::Pressure,
            other => {
                let said = other.map_or("does not say".to_owned(), |name| format!("says `{name}`"));
                return Err(Error::bad_input(format!("prediction {number} {said}: saturation or pressure?"))
                    .hint("give the training stage a matrix axis `target: [saturation, pressure]`"));
            }
        };
        let seed = input.coordinates.get("seed").map_or(number.to_string(), |seed| match seed.as_str() {
            Some(text) => text.to_owned(),
            None => seed.to_string(),
        });
        Ok(Self { target, seed, ids: dataset.read("sample")?, dataset })
    }

    /// The predicted field of a sample, shape (time, z, r).
    pub(super) fn of(&self, id: i64) -> Result<Vec<f32>> {
        let at = self.ids.iter().position(|other| *other == id);
        let at = at.ok_or_else(|| Error::bad_input(format!("a prediction lacks test sample {id}")))?;
        Ok(self.dataset.read_rows("prediction", at..at + 1)?)
    }
}

/// A sample of the encoded data set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoded {
    pub(super) id: i64,
    /// bar by which its pressure was divided.
    pub(super) scale: f32,
}

/// All inputs, opened.
pub(super) struct Inputs {
    pub(super) reservoirs: Reservoirs,
    pub(super) solutions: Solutions,
    pub(super) predictions: Vec<Prediction>,
    pub(super) training: Vec<Encoded>,
    pub(super) test: Vec<Encoded>,
}

impl Inputs {
    pub(super) fn open(context: &Context) -> Result<Self> {
        let predictions = context.inputs("predictions").iter().enumerate();
        let predictions =
            predictions.map(|(at, input)| Prediction::open(input, at + 1)).collect::<Result<Vec<_>>>()?;
        let encoded = Dataset::open(&context.input("encoded")?.path)?;
        let ids: Vec<i64> = encoded.read("sample")?;
        let split: Vec<u8> = encoded.read("split")?;
        let scales: Vec<f32> = encoded.read("pressure_scale")?;
        let part = |wanted: u8| -> Vec<Encoded> {
            let all = ids.iter().zip(&scales).zip(&split).filter(|(_, split)| **split == wanted);
            all.map(|((id, scale), _)| Encoded { id: *id, scale: *scale }).collect()
        };
        let (training, test) = (part(0), part(2));
        if training.is_empty() || test.is_empty() {
            return Err(Error::bad_input(format!(
                "{} training and {} test samples: at least one of each is needed",
                training.len(),
                test.len()
            ))
            .hint("set `test` of ccs/encode"));
        }
        Ok(Self {
            reservoirs: Reservoirs::open(&context.input("reservoirs")?.path)?,
            solutions: Solutions::open(&context.input("solutions")?.path)?,
            predictions,
            training,
            test,
        })
    }

    /// Position of a sample among the solutions.
    pub(super) fn solution(&self, id: i64) -> Result<usize> {
        let at = self.solutions.ids().iter().position(|other| *other == id);
        at.ok_or_else(|| Error::bad_input(format!("the solutions lack sample {id}")))
    }

    /// Position of a sample among the reservoirs.
    pub(super) fn reservoir(&self, id: i64) -> Result<usize> {
        let at = self.reservoirs.position(id);
        at.ok_or_else(|| Error::bad_input(format!("the reservoirs lack sample {id}")))
    }

    /// Seeds for which a field was predicted, in the order given.
    pub(super) fn seeds(&self, target: Target) -> Vec<String> {
        self.predictions.iter().filter(|p| p.target == target).map(|p| p.seed.clone()).collect()
    }
}
