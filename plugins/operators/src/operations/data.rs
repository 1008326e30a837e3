//! Data sets as samples.

use flow_plugin::artifact::{DType, Dataset, Variable};
use flow_plugin::{Error, Result};

use crate::fno::PositionalEmbedding;
use crate::samples::{Pool, Sample, Samples, Source, channels_last};

/// A variable of the form (sample, channel, row, column).
pub(super) fn fields<'a>(dataset: &'a Dataset, name: &str) -> Result<&'a Variable> {
    let variable = dataset.variable(name)?;
    if variable.dims.len() != 4 || variable.is_empty() {
        return Err(Error::bad_input(format!(
            "variable `{name}` has dimensions ({}); (sample, channel, row, column) are expected, none of \
             them empty",
            variable.dims.join(", ")
        )));
    }
    Ok(variable)
}

/// The input of some rows (samples), channels last.
pub(super) fn inputs(
    dataset: &Dataset,
    name: &str,
    rows: std::ops::Range<usize>,
    embedding: PositionalEmbedding,
) -> Result<Vec<f32>> {
    let shape = &fields(dataset, name)?.shape;
    let values = dataset.read_rows::<f32>(name, rows)?;
    Ok(channels_last(&values, shape[1], [shape[2], shape[3]], embedding))
}

/// The mask of some rows; ones where the data has none.
pub(super) fn mask(
    dataset: &Dataset,
    name: Option<&str>,
    rows: std::ops::Range<usize>,
    size: [usize; 2],
) -> Result<Vec<u8>> {
    let cells = size[0] * size[1];
    let Some(name) = name else { return Ok(vec![1; rows.len() * cells]) };
    let variable = dataset.variable(name)?;
    if variable.shape.get(1..) != Some(&size[..]) {
        return Err(Error::bad_input(format!(
            "mask `{name}` has shape {:?}; (sample, {}, {}) is expected",
            variable.shape, size[0], size[1]
        )));
    }
    Ok(dataset.read_rows::<u8>(name, rows)?.into_iter().map(|m| u8::from(m != 0)).collect())
}

/// Which sample is for what: 0 training, 1 validation, 2 test. All for training where the data has no
/// variable `split`.
pub(super) fn split(dataset: &Dataset, samples: usize) -> Result<Vec<u8>> {
    if dataset.variables().iter().any(|v| v.name == "split") {
        return Ok(dataset.read::<u8>("split")?);
    }
    Ok(vec![0; samples])
}

/// The coordinates along a dimension; 0, 1, 2, … where the data has none.
fn coordinates(dataset: &Dataset, dim: &str, length: usize) -> Result<Vec<f64>> {
    let Some(variable) = dataset.variables().iter().find(|v| v.name == dim && v.dims == [dim]) else {
        return Ok((0..length).map(|i| i as f64).collect());
    };
    match variable.dtype {
        DType::F64 => Ok(dataset.read::<f64>(dim)?),
        _ => Ok(dataset.read::<f32>(dim)?.into_iter().map(f64::from).collect()),
    }
}

/// The training and validation samples of a data set; those for testing are not read.
pub(super) fn samples(
    dataset: Dataset,
    [input, target]: [&str; 2],
    mask: Option<&str>,
    embedding: PositionalEmbedding,
) -> Result<Samples> {
    let (x, y) = (fields(&dataset, input)?, fields(&dataset, target)?);
    if x.shape[0] != y.shape[0] || x.shape[2..] != y.shape[2..] {
        return Err(Error::bad_input(format!(
            "input `{input}` has shape {:?} and target `{target}` {:?}: samples, rows and columns must agree",
            x.shape, y.shape
        )));
    }
    let (count, outputs) = (x.shape[0], y.shape[1]);
    let size = [x.shape[2], x.shape[3]];
    let channels = x.shape[1] + if embedding == PositionalEmbedding::Grid { 2 } else { 0 };
    let columns = coordinates(&dataset, &x.dims[3], size[1])?;
    let split = split(&dataset, count)?;
    let part = |wanted: u8| (0..count).filter(|row| split.get(*row) == Some(&wanted)).collect();
    let (input, target, mask) = (input.to_owned(), target.to_owned(), mask.map(str::to_owned));
    let rows = Rows { dataset, input, target, mask, embedding, size, outputs };
    Ok(Samples {
        size,
        channels,
        outputs,
        training: part(0),
        validation: part(1),
        columns,
        pool: Pool::new(rows, Pool::ROOM),
    })
}

/// Samples that are rows of a data set.
struct Rows {
    dataset: Dataset,
    input: String,
    target: String,
    mask: Option<String>,
    embedding: PositionalEmbedding,
    size: [usize; 2],
    outputs: usize,
}

impl Source for Rows {
    fn read(&self, row: usize) -> crate::Result<Sample> {
        self.sample(row).map_err(|error| crate::Error::Read(error.to_string()))
    }
}

impl Rows {
    fn sample(&self, row: usize) -> Result<Sample> {
        let rows = row..row + 1;
        let x = inputs(&self.dataset, &self.input, rows.clone(), self.embedding)?;
        let target = self.dataset.read_rows::<f32>(&self.target, rows.clone())?;
        let mut y = channels_last(&target, self.outputs, self.size, PositionalEmbedding::None);
        let mask = mask(&self.dataset, self.mask.as_deref(), rows, self.size)?;
        // What lies in cells that do not count is nobody's business, not even if it is no number.
        for (values, _) in y.chunks_exact_mut(self.outputs).zip(&mask).filter(|(_, active)| **active == 0) {
            values.fill(0.0);
        }
        Ok(Sample { x, y, mask })
    }
}
