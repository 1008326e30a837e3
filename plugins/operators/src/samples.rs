//! Training data in the layout the kernels read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::fno::PositionalEmbedding;
use crate::kernels::{Isa, take_buffer, transpose};
use crate::{Error, Result};

/// A pair of input and target fields, channels last.
#[derive(Clone, Debug)]
pub struct Sample {
    /// `[row, column, channel]`, coordinates included.
    pub x: Vec<f32>,
    /// `[row, column, output]`.
    pub y: Vec<f32>,
    /// `[row, column]`: 1 where a cell counts.
    pub mask: Vec<u8>,
}

impl Sample {
    fn bytes(&self) -> usize {
        4 * (self.x.len() + self.y.len()) + self.mask.len()
    }
}

/// Where samples come from. Training reads a sample whenever a batch needs it and memory could not hold it.
pub trait Source: Send + Sync {
    /// The sample with a number.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    fn read(&self, sample: usize) -> Result<Sample>;
}

impl Source for Vec<Sample> {
    fn read(&self, sample: usize) -> Result<Sample> {
        self.get(sample).cloned().ok_or_else(|| Error::data("there are fewer samples than the split says"))
    }
}

/// Samples on one grid.
pub struct Samples {
    /// Rows and columns of a field.
    pub size: [usize; 2],
    /// Channels of the input, coordinates included.
    pub channels: usize,
    /// Channels of the target.
    pub outputs: usize,
    /// Samples to train on.
    pub training: Vec<usize>,
    /// Samples that decide when to stop.
    pub validation: Vec<usize>,
    /// Coordinates of the columns, along which the loss takes derivatives.
    pub columns: Vec<f64>,
    /// The samples themselves.
    pub pool: Pool,
}

/// Samples, of which as many are kept in memory as there is room for.
pub struct Pool {
    source: Box<dyn Source>,
    /// Bytes that the kept samples may have.
    room: usize,
    /// The kept samples, and their bytes.
    kept: Mutex<(HashMap<usize, Arc<Sample>>, usize)>,
}

impl Pool {
    /// Room in bytes that lets two trainings run side by side in 8 GiB of memory.
    pub const ROOM: usize = 2 << 30;

    /// Reads from `source`, and keeps up to `room` bytes.
    pub fn new(source: impl Source + 'static, room: usize) -> Self {
        Self { source: Box::new(source), room, kept: Mutex::default() }
    }

    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).0.len()
    }
}

/// Samples one after another.
#[derive(Debug)]
pub(crate) struct Batch {
    /// `[sample, row, column, channel]`.
    pub(crate) x: Vec<f32>,
    /// `[sample, row, column, output]`.
    pub(crate) y: Vec<f32>,
    /// `[sample, row, column]`.
    pub(crate) mask: Vec<u8>,
}

impl Samples {
    /// Cells of a field.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Whether there is something to train on, and the coordinates can be.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn check(&self) -> Result<()> {
        if self.cells() == 0 || self.channels == 0 || self.outputs == 0 {
            return Err(Error::data("the samples have no cells or no channels"));
        }
        if self.columns.len() != self.size[1]
            || self.columns.windows(2).any(|x| x[1].partial_cmp(&x[0]) != Some(std::cmp::Ordering::Greater))
        {
            return Err(Error::data("the coordinates of the columns do not increase"));
        }
        if self.training.is_empty() {
            return Err(Error::data("there is no training sample"));
        }
        Ok(())
    }

    /// Some samples, read or from memory.
    ///
    /// # Errors
    /// When one cannot be read, does not fit the others, or has values that are not finite.
    pub(crate) fn batch(&self, samples: &[usize]) -> Result<Batch> {
        let (inputs, targets) = (self.cells() * self.channels, self.cells() * self.outputs);
        let mut batch = Batch {
            x: take_buffer(samples.len() * inputs),
            y: take_buffer(samples.len() * targets),
            mask: Vec::with_capacity(samples.len() * self.cells()),
        };
        let places = batch.x.chunks_exact_mut(inputs).zip(batch.y.chunks_exact_mut(targets));
        for ((x, y), &number) in places.zip(samples) {
            let sample = self.sample(number)?;
            x.copy_from_slice(&sample.x);
            y.copy_from_slice(&sample.y);
            batch.mask.extend_from_slice(&sample.mask);
        }
        Ok(batch)
    }

    fn sample(&self, number: usize) -> Result<Arc<Sample>> {
        let (kept, bytes) = &mut *self.pool.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sample) = kept.get(&number) {
            return Ok(sample.clone());
        }
        let sample = Arc::new(self.pool.source.read(number)?);
        let cells = self.cells();
        if sample.x.len() != cells * self.channels
            || sample.y.len() != cells * self.outputs
            || sample.mask.len() != cells
        {
            return Err(Error::data("input, target and mask disagree in size"));
        }
        if sample.x.iter().chain(&sample.y).any(|v| !v.is_finite()) {
            return Err(Error::data(format!(
                "sample number {number} has values that are not finite; fill cells that do not count with zero"
            )));
        }
        if *bytes + sample.bytes() <= self.pool.room {
            *bytes += sample.bytes();
            kept.insert(number, sample.clone());
        }
        Ok(sample)
    }
}

/// Turns `[channel, cell]` fields into `[cell, channel]` ones with the coordinates appended.
///
/// # Panics
/// When `fields` is not a whole number of fields.
#[must_use]
pub fn channels_last(
    fields: &[f32],
    channels: usize,
    [rows, columns]: [usize; 2],
    embedding: PositionalEmbedding,
) -> Vec<f32> {
    let cells = rows * columns;
    assert_eq!(fields.len() % (channels * cells).max(1), 0, "not a whole number of fields");
    let mut turned = vec![0.0; channels * cells];
    let width = match embedding {
        PositionalEmbedding::Grid => channels + 2,
        PositionalEmbedding::None => channels,
    };
    // Both ends of the axis, 0 and 1, are on the grid.
    let coordinate = |i: usize, n: usize| if n > 1 { i as f32 / (n - 1) as f32 } else { 0.0 };
    let mut out = Vec::with_capacity(fields.len() / channels.max(1) * width);
    for field in fields.chunks_exact(channels * cells) {
        transpose(Isa::detect(), field, channels, cells, &mut turned);
        for (cell, values) in turned.chunks_exact(channels).enumerate() {
            out.extend_from_slice(values);
            if embedding == PositionalEmbedding::Grid {
                out.push(coordinate(cell / columns, rows));
                out.push(coordinate(cell % columns, columns));
            }
        }
    }
    out
}

/// Turns `[cell, channel]` fields into `[channel, cell]` ones.
#[must_use]
pub fn channels_first(fields: &[f32], channels: usize, cells: usize) -> Vec<f32> {
    let mut out = vec![0.0; fields.len()];
    for (field, out) in fields.chunks_exact(channels * cells).zip(out.chunks_exact_mut(channels * cells)) {
        transpose(Isa::detect(), field, cells, channels, out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_go_last_with_coordinates_and_come_back() {
        // Two samples of two channels on 2 x 3 cells.
        let fields: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let last = channels_last(&fields, 2, [2, 3], PositionalEmbedding::Grid);
        assert_eq!(last.len(), 2 * 6 * 4);
        assert_eq!(last[..8], [0.0, 6.0, 0.0, 0.0, 1.0, 7.0, 0.0, 0.5]);
        assert_eq!(last[20..24], [5.0, 11.0, 1.0, 1.0]);
        assert_eq!(last[24..28], [12.0, 18.0, 0.0, 0.0]);
        let bare = channels_last(&fields, 2, [2, 3], PositionalEmbedding::None);
        assert_eq!(channels_first(&bare, 2, 6), fields);
    }
}
