//! Density and mobility factor of a phase over pressure, by cubic Hermite interpolation.

use super::FluidError;

/// Density and density over viscosity, with their pressure derivatives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PhasePoint {
    /// kg/m³.
    pub density: f64,
    /// kg/(m³·bar).
    pub density_p: f64,
    /// Density over viscosity, kg/(m³·cP).
    pub fluidity: f64,
    /// Its pressure derivative, kg/(m³·cP·bar).
    pub fluidity_p: f64,
}

impl PhasePoint {
    /// Viscosity in cP.
    #[must_use]
    pub fn viscosity(&self) -> f64 {
        self.density / self.fluidity
    }
}

/// Uniform table of a phase: continuous with its derivative; straight outside its range.
#[derive(Debug, Clone)]
pub struct PressureTable {
    low: f64,
    high: f64,
    inverse_step: f64,
    /// For each interval the cubic of density and of density/viscosity in the local coordinate.
    cubics: Vec<[[f64; 4]; 2]>,
}

impl PressureTable {
    /// Tabulates `f`, which gives density (kg/m³) and viscosity (cP), each with its derivative with
    /// pressure, on `intervals` equal intervals of `low` to `high` bar.
    ///
    /// # Errors
    /// The first error of `f`.
    pub fn new(
        low: f64,
        high: f64,
        intervals: usize,
        mut f: impl FnMut(f64) -> Result<[(f64, f64); 2], FluidError>,
    ) -> Result<Self, FluidError> {
        let h = (high - low) / intervals as f64;
        let mut node = |j: usize| -> Result<[(f64, f64); 2], FluidError> {
            let [(rho, rho_p), (mu, mu_p)] = f(low + h * j as f64)?;
            Ok([(rho, rho_p * h), (rho / mu, (rho_p - rho * mu_p / mu) / mu * h)])
        };
        let mut left = node(0)?;
        let mut cubics = Vec::with_capacity(intervals);
        for j in 0..intervals {
            let right = node(j + 1)?;
            let mut entry = [[0.0; 4]; 2];
            for (cubic, (&(y0, d0), &(y1, d1))) in entry.iter_mut().zip(left.iter().zip(&right)) {
                *cubic = [y0, d0, 3.0 * (y1 - y0) - 2.0 * d0 - d1, 2.0 * (y0 - y1) + d0 + d1];
            }
            cubics.push(entry);
            left = right;
        }
        Ok(Self { low, high, inverse_step: 1.0 / h, cubics })
    }

    /// The range of pressures tabulated, bar.
    #[must_use]
    pub fn range(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// The phase at `pressure` (bar); outside the table the end tangent is followed.
    #[inline]
    #[must_use]
    pub fn evaluate(&self, pressure: f64) -> PhasePoint {
        let inside = pressure.clamp(self.low, self.high);
        let x = (inside - self.low) * self.inverse_step;
        // Not negative and finite; a NaN pressure becomes interval 0 and stays NaN in the result.
        let j = (x as usize).min(self.cubics.len() - 1);
        let u = x - j as f64;
        let [a, b] = &self.cubics[j];
        let value = |c: &[f64; 4]| c[0] + u * (c[1] + u * (c[2] + u * c[3]));
        let slope = |c: &[f64; 4]| (c[1] + u * (2.0 * c[2] + 3.0 * u * c[3])) * self.inverse_step;
        let (density_p, fluidity_p) = (slope(a), slope(b));
        let beyond = pressure - inside;
        PhasePoint {
            density: value(a) + density_p * beyond,
            density_p,
            fluidity: value(b) + fluidity_p * beyond,
            fluidity_p,
        }
    }
}
