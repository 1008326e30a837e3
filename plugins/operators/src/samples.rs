//! Training data in the layout the kernels read.

use crate::fno::PositionalEmbedding;
use crate::kernels::{Isa, take_buffer, transpose};
use crate::{Error, Result};

/// Pairs of input and target fields on one grid, channels last.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Rows and columns of a field.
    pub size: [usize; 2],
    /// Channels of `x`, coordinates included.
    pub channels: usize,
    /// Channels of `y`.
    pub outputs: usize,
    /// `[sample, row, column, channel]`.
    pub x: Vec<f32>,
    /// `[sample, row, column, output]`; empty without targets.
    pub y: Vec<f32>,
    /// `[sample, row, column]`: 1 where a cell counts.
    pub mask: Vec<u8>,
    /// Samples to train on.
    pub training: Vec<usize>,
    /// Samples that decide when to stop.
    pub validation: Vec<usize>,
    /// Coordinates of the columns, along which the loss takes derivatives.
    pub columns: Vec<f64>,
}

impl Samples {
    /// Cells of a field.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// Whether the arrays fit together.
    ///
    /// # Errors
    /// With what does not.
    pub fn check(&self) -> Result<()> {
        let cells = self.cells();
        let samples = self.mask.len().checked_div(cells).unwrap_or(0);
        if cells == 0 || self.channels == 0 || self.outputs == 0 {
            return Err(Error::data("the samples have no cells or no channels"));
        }
        if self.x.len() != samples * cells * self.channels
            || self.y.len() != samples * cells * self.outputs
            || self.mask.len() != samples * cells
        {
            return Err(Error::data("input, target and mask disagree in size"));
        }
        if self.columns.len() != self.size[1]
            || self.columns.windows(2).any(|x| x[1].partial_cmp(&x[0]) != Some(std::cmp::Ordering::Greater))
        {
            return Err(Error::data("the coordinates of the columns do not increase"));
        }
        if self.training.is_empty() {
            return Err(Error::data("there is no training sample"));
        }
        let all = self.training.iter().chain(&self.validation);
        if all.clone().any(|&sample| sample >= samples) {
            return Err(Error::data("there are fewer samples than the split says"));
        }
        for &sample in all {
            let x = &self.x[sample * cells * self.channels..(sample + 1) * cells * self.channels];
            let y = &self.y[sample * cells * self.outputs..(sample + 1) * cells * self.outputs];
            if x.iter().chain(y).any(|v| !v.is_finite()) {
                return Err(Error::data(format!(
                    "sample number {sample} has values that are not finite; fill cells that do not count \
                     with zero"
                )));
            }
        }
        Ok(())
    }

    /// The inputs of some samples, one after another.
    pub(crate) fn inputs(&self, samples: &[usize]) -> Vec<f32> {
        gather(&self.x, self.cells() * self.channels, samples)
    }

    /// The targets of some samples.
    pub(crate) fn targets(&self, samples: &[usize]) -> Vec<f32> {
        gather(&self.y, self.cells() * self.outputs, samples)
    }

    /// The masks of some samples.
    pub(crate) fn masks(&self, samples: &[usize]) -> Vec<u8> {
        let cells = self.cells();
        samples.iter().flat_map(|s| &self.mask[s * cells..(s + 1) * cells]).copied().collect()
    }
}

fn gather(values: &[f32], length: usize, samples: &[usize]) -> Vec<f32> {
    let mut out = take_buffer(samples.len() * length);
    for (out, sample) in out.chunks_exact_mut(length).zip(samples) {
        out.copy_from_slice(&values[sample * length..(sample + 1) * length]);
    }
    out
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
