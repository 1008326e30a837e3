//! What the values of a variable are like.

use super::{DType, Dataset, Element};
use crate::Result;

/// Summary of a variable's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// The smallest finite value; NaN when there is none.
    pub min: f64,
    /// The mean of the finite values; NaN when there is none.
    pub mean: f64,
    /// The standard deviation of the finite values; NaN when there is none.
    pub std: f64,
    /// The largest finite value; NaN when there is none.
    pub max: f64,
    /// How many values are NaN or infinite.
    pub non_finite: usize,
}

impl Dataset {
    /// Summarises a variable, a chunk of rows at a time, whatever its size.
    ///
    /// # Errors
    /// When there is no such variable or a file cannot be read.
    pub fn statistics(&self, name: &str) -> Result<Statistics> {
        match self.variable(name)?.dtype {
            DType::U8 => self.summarise::<u8>(name),
            DType::I32 => self.summarise::<i32>(name),
            DType::I64 => self.summarise::<i64>(name),
            DType::F32 => self.summarise::<f32>(name),
            DType::F64 => self.summarise::<f64>(name),
        }
    }

    fn summarise<T: Element>(&self, name: &str) -> Result<Statistics> {
        /// Rows are read in pieces of about so many values.
        const PIECE: usize = 1 << 20;
        let variable = self.variable(name)?;
        let (rows, step) = (variable.rows(), (PIECE / variable.row_len().max(1)).max(1));
        let (mut min, mut max, mut non_finite) = (f64::INFINITY, f64::NEG_INFINITY, 0);
        // Welford's update, a piece at a time (Chan, Golub & LeVeque 1983): stable for a large mean.
        let (mut count, mut mean, mut squares) = (0.0_f64, 0.0_f64, 0.0_f64);
        for start in (0..rows).step_by(step) {
            let values = self.read_rows::<T>(name, start..(start + step).min(rows))?;
            let (mut n, mut sum) = (0.0_f64, 0.0_f64);
            for value in values.iter().map(|v| v.as_f64()) {
                if value.is_finite() {
                    n += 1.0;
                    sum += value;
                    min = min.min(value);
                    max = max.max(value);
                } else {
                    non_finite += 1;
                }
            }
            if n == 0.0 {
                continue;
            }
            let piece_mean = sum / n;
            let finite = values.iter().map(|v| v.as_f64()).filter(|v| v.is_finite());
            let piece_squares: f64 = finite.map(|v| (v - piece_mean) * (v - piece_mean)).sum();
            let delta = piece_mean - mean;
            let total = count + n;
            mean += delta * n / total;
            squares += piece_squares + delta * delta * count * n / total;
            count = total;
        }
        if count == 0.0 {
            let nan = f64::NAN;
            return Ok(Statistics { min: nan, mean: nan, std: nan, max: nan, non_finite });
        }
        Ok(Statistics { min, mean, std: (squares / count).sqrt(), max, non_finite })
    }
}
