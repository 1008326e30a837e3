//! `operators/train`.

use std::time::{Duration, Instant};

use flow_plugin::artifact::{Dataset, metrics::write_metrics, table::Table};
use flow_plugin::serde_json::json;
use flow_plugin::{Context, Kind, Operation, ParamProblem, Port, Result, Spec};

use super::model::{Config, save};
use super::{MODEL, SAMPLES, data, failed};
use crate::train::{Epoch, Monitor, TrainConfig, train};

/// Trains a network.
pub(crate) struct Train;

const DOC: &str = "\
Trains a Fourier neural operator (Li et al. 2021) to give one variable of the data from another. Channels of the \
target may be times: the network then gives all of them at once.

The loss is the mean over samples of the relative L2 error plus `derivative_weight` times the relative L2 error of the \
derivative along the columns (central differences with the data's own coordinates), both on the cells that count. \
Where the target is at its `lower_bound`, a prediction below makes no error. Adam, learning rate with warm-up and cosine. Samples with `split` 0 are trained on, those with 1 decide which epoch's \
weights are kept; those with 2 are not read.

The same seed gives the same bits at any number of threads, also when training was interrupted and went on from a \
checkpoint.

With `schedule: constant` the learning rate does not depend on the number of epochs, so that a longer training goes on \
from a shorter one: the result is that of training from scratch, bit for bit. Along a cosine the rate has fallen to \
zero by the last epoch, wherever that is, and a longer training starts afresh. A running average of the weights \
(`ema_decay`) does for a constant rate some of what falling does.";

/// Time between checkpoints.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(30);

impl Operation for Train {
    type Params = TrainConfig;

    fn spec(&self) -> Spec {
        Spec::new("train", 1, "Trains a Fourier neural operator.")
            .doc(DOC)
            .checkpoints()
            .extendable("epochs")
            .tolerance(1e-2)
            .input(Port::new("data", Kind::Dataset, "Samples of input and target.").of_type(SAMPLES))
            .output(Port::new("model", Kind::Model, "The trained network.").of_type(MODEL))
            .output(Port::new("history", Kind::Table, "Loss and validation errors by epoch."))
            .output(Port::new("metrics", Kind::Metrics, "Errors of the network that is kept."))
    }

    fn check(&self, params: &TrainConfig) -> Vec<ParamProblem> {
        let problem =
            |error: crate::Error| ParamProblem { at: String::new(), message: error.to_string(), hint: None };
        // Whether the modes fit the grid is known when the data is.
        let plain = params.model.window([64, 64]).err();
        params.check().err().into_iter().chain(plain).map(problem).collect()
    }

    fn continues(&self, params: &TrainConfig) -> bool {
        params.rate_is_open()
    }

    fn run(&self, params: TrainConfig, context: &Context) -> Result<()> {
        let dataset = Dataset::open(&context.input("data")?.path)?;
        let embedding = params.model.positional_embedding;
        let target = dataset.variable(&params.target)?.clone();
        let channels = dataset.variable(&params.input)?.shape.get(1).copied().unwrap_or_default();
        let samples =
            data::samples(dataset, [&params.input, &params.target], params.mask.as_deref(), embedding)?;
        context.info(format!(
            "{} training and {} validation samples of {} x {} cells, {} input and {} output channels",
            samples.training.len(),
            samples.validation.len(),
            samples.size[0],
            samples.size[1],
            samples.channels,
            samples.outputs
        ));
        let state = context.resume()?;
        let state = state.as_ref().map(|state| state.bytes.as_slice());
        let mut watch =
            Watch { context, saved: Instant::now(), epochs: params.epochs, message: String::new() };
        let trained = train(&params, &samples, context.seed(), state, &mut watch).map_err(failed)?;
        crate::release_buffers();

        let config = Config {
            kind: "fno".to_owned(),
            size: samples.size,
            channels,
            outputs: samples.outputs,
            dims: target.dims.clone(),
            units: target.units.clone(),
            lower_bound: params.lower_bound,
            epoch: trained.epoch,
            model: params.model,
            input: params.input,
            mask: params.mask,
            target: params.target,
        };
        save(context.output("model")?, &trained.model, &config)?;
        let column = |of: fn(&Epoch) -> f64| trained.history.iter().map(of).collect::<Vec<f64>>();
        Table::new()
            .with("epoch", trained.history.iter().map(|e| e.epoch as i64).collect::<Vec<_>>())
            .with("training_loss", column(|e| e.training_loss))
            .with("validation_error", column(|e| e.validation_error))
            .with("validation_derivative_error", column(|e| e.validation_derivative_error))
            .write(context.output("history")?)?;
        let kept = &trained.history[trained.epoch - 1];
        let metrics = json!({
            "epoch": trained.epoch,
            "epochs": trained.history.len(),
            "training_loss": number(kept.training_loss),
            "validation_error": number(kept.validation_error),
            "validation_derivative_error": number(kept.validation_derivative_error),
        });
        Ok(write_metrics(context.output("metrics")?, &metrics)?)
    }
}

/// JSON has no word for a number that is none.
fn number(value: f64) -> flow_plugin::serde_json::Value {
    if value.is_finite() { value.into() } else { value.to_string().into() }
}

/// Passes what happens on to the engine.
struct Watch<'a> {
    context: &'a Context,
    saved: Instant,
    epochs: usize,
    message: String,
}

impl Monitor for Watch<'_> {
    fn step(&mut self, done: u64, total: u64) {
        self.context.progress(done, total, "steps", &self.message);
    }

    fn epoch(&mut self, epoch: &Epoch) {
        let step = epoch.epoch as u64;
        self.context.metric("training_loss", step, epoch.training_loss);
        self.context.metric("validation_error", step, epoch.validation_error);
        self.context.metric("validation_derivative_error", step, epoch.validation_derivative_error);
        self.message = format!(
            "epoch {} of {}, loss {:.4}, validation error {:.4}",
            epoch.epoch, self.epochs, epoch.training_loss, epoch.validation_error
        );
    }

    fn cancelled(&mut self) -> bool {
        self.context.is_cancelled()
    }

    fn due(&mut self, _: u64) -> bool {
        self.saved.elapsed() >= CHECKPOINT_INTERVAL
    }

    fn save(&mut self, step: u64, state: &[u8]) -> crate::Result<()> {
        self.saved = Instant::now();
        self.context.save(step, state).map_err(not_saved)
    }

    fn wants_last(&mut self) -> bool {
        self.context.keeps_state()
    }

    fn last(&mut self, step: u64, state: &[u8]) -> crate::Result<()> {
        self.context.keep(step, state).map_err(not_saved)
    }
}

fn not_saved(error: flow_plugin::Error) -> crate::Error {
    crate::Error::Checkpoint(error.to_string())
}
