//! `operators/predict`.

use flow_plugin::artifact::{DType, Dataset, DatasetWriter, Variable};
use flow_plugin::schemars::{self, JsonSchema};
use flow_plugin::serde::{Deserialize, Serialize};
use flow_plugin::{Context, Error, Kind, Operation, Port, Result, Spec};

use super::model::{Config, load};
use super::{MODEL, SAMPLES, data, failed};
use crate::samples::channels_first;
use crate::train::predict;

/// Applies a network.
pub(crate) struct Predict;

/// Parameters of `operators/predict`.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", deny_unknown_fields, default)]
pub(crate) struct PredictParams {
    /// Which samples.
    split: Split,
    /// Samples computed at once.
    #[schemars(range(min = 1, max = 4096))]
    batch_size: usize,
}

impl Default for PredictParams {
    fn default() -> Self {
        Self { split: Split::default(), batch_size: 16 }
    }
}

/// Which samples of the data.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(crate = "flow_plugin::serde", rename_all = "lowercase")]
enum Split {
    /// All of them.
    #[default]
    All,
    /// Those that were trained on.
    Training,
    /// Those that decided which weights were kept.
    Validation,
    /// Those that training never saw.
    Test,
}

const DOC: &str = "\
Applies a network of `operators/train` to data of the same form. `prediction` has the dimensions and units of the \
network's target and is zero in cells that do not count; `sample` holds the numbers of the samples; the attribute \
`target` names what was predicted.";

impl Operation for Predict {
    type Params = PredictParams;

    fn spec(&self) -> Spec {
        Spec::new("predict", 1, "Applies a trained network.")
            .doc(DOC)
            .tolerance(1e-4)
            .input(Port::new("model", Kind::Model, "The network.").of_type(MODEL))
            .input(Port::new("data", Kind::Dataset, "What it reads.").of_type(SAMPLES))
            .output(Port::new("prediction", Kind::Dataset, "What it gives."))
    }

    fn run(&self, params: PredictParams, context: &Context) -> Result<()> {
        let (model, config) = load(&context.input("model")?.path)?;
        let dataset = Dataset::open(&context.input("data")?.path)?;
        check(&dataset, &config)?;
        let rows = rows(&dataset, &config, params.split)?;
        let mut writer = DatasetWriter::create(context.output("prediction")?)?;
        writer.attribute("target", config.target.clone());
        let dims: Vec<&str> = config.dims.iter().map(String::as_str).collect();
        for dim in &dims[1..] {
            copy_coordinate(&dataset, dim, &mut writer)?;
        }
        let ids = ids(&dataset, &rows)?;
        let samples = Variable::new::<i64>("sample", &["sample"], &[ids.len()], "1", "Number of the sample");
        writer.write(&samples, &ids)?;
        let [r, c] = config.size;
        let dims = ["sample", dims[1], dims[2], dims[3]];
        let long_name = format!("Prediction of {}", config.target);
        let variable =
            Variable::new::<f32>("prediction", &dims, &[0, config.outputs, r, c], &config.units, &long_name);
        let mut stream = writer.stream::<f32>(&variable)?;
        let mut done = 0;
        for batch in rows.chunks(params.batch_size.max(1)) {
            context.check_cancelled()?;
            let (x, mask) = read(&dataset, &config, batch)?;
            let prediction = predict(&model, x, &mask, config.size, config.lower_bound).map_err(failed)?;
            writer.append(&mut stream, &channels_first(&prediction, config.outputs, r * c))?;
            done += batch.len();
            context.progress(done as u64, rows.len() as u64, "samples", "");
        }
        crate::release_buffers();
        Ok(writer.finish()?)
    }
}

/// Input and mask of some samples.
pub(super) fn read(dataset: &Dataset, config: &Config, rows: &[usize]) -> Result<(Vec<f32>, Vec<u8>)> {
    let (mut x, mut mask) = (Vec::new(), Vec::new());
    for &row in rows {
        let embedding = config.model.positional_embedding;
        x.extend(data::inputs(dataset, &config.input, row..row + 1, embedding)?);
        mask.extend(data::mask(dataset, config.mask.as_deref(), row..row + 1, config.size)?);
    }
    Ok((x, mask))
}

/// Whether the network can read the data.
pub(super) fn check(dataset: &Dataset, config: &Config) -> Result<()> {
    let shape = &data::fields(dataset, &config.input)?.shape;
    if shape[1..] != [config.channels, config.size[0], config.size[1]] {
        return Err(Error::bad_input(format!(
            "the data's `{}` has {} channels on {} x {} cells; the network was trained on {} channels on {} x \
             {} cells",
            config.input, shape[1], shape[2], shape[3], config.channels, config.size[0], config.size[1]
        )));
    }
    if config.dims.len() != 4 {
        return Err(Error::bad_input("the model's target does not have four dimensions"));
    }
    Ok(())
}

/// The rows of the data that belong to a part.
fn rows(dataset: &Dataset, config: &Config, part: Split) -> Result<Vec<usize>> {
    let count = dataset.variable(&config.input)?.shape[0];
    let wanted = match part {
        Split::All => return Ok((0..count).collect()),
        Split::Training => 0,
        Split::Validation => 1,
        Split::Test => 2,
    };
    let split = data::split(dataset, count)?;
    let rows: Vec<usize> = (0..count).filter(|&row| split.get(row) == Some(&wanted)).collect();
    if rows.is_empty() {
        return Err(Error::bad_input("no sample of the data belongs to this part")
            .hint("set `split: all`, or give the data samples of this part"));
    }
    Ok(rows)
}

/// The numbers of some samples; their rows where the data does not number them.
fn ids(dataset: &Dataset, rows: &[usize]) -> Result<Vec<i64>> {
    if dataset.variables().iter().any(|v| v.name == "sample" && v.dtype == DType::I64) {
        let ids = dataset.read::<i64>("sample")?;
        return Ok(rows.iter().map(|&row| ids[row]).collect());
    }
    Ok(rows.iter().map(|&row| row as i64).collect())
}

fn copy_coordinate(dataset: &Dataset, dim: &str, writer: &mut DatasetWriter) -> Result<()> {
    let Some(variable) = dataset.variables().iter().find(|v| v.name == dim && v.dims == [dim]) else {
        return Ok(());
    };
    match variable.dtype {
        DType::F64 => writer.write(variable, &dataset.read::<f64>(dim)?)?,
        DType::F32 => writer.write(variable, &dataset.read::<f32>(dim)?)?,
        DType::I64 => writer.write(variable, &dataset.read::<i64>(dim)?)?,
        DType::I32 => writer.write(variable, &dataset.read::<i32>(dim)?)?,
        DType::U8 => writer.write(variable, &dataset.read::<u8>(dim)?)?,
    }
    Ok(())
}
