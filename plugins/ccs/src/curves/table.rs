//! Piecewise cubic (or linear) curves on increasing saturations.

/// A table or a model that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("saturation functions: {0}")]
pub struct CurveError(pub String);

/// Relative permeabilities and capillary pressure (bar) with their saturation derivatives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SaturationPoint {
    /// Gas relative permeability.
    pub krg: f64,
    /// Its derivative.
    pub krg_s: f64,
    /// Water relative permeability.
    pub krw: f64,
    /// Its derivative.
    pub krw_s: f64,
    /// Capillary pressure, bar.
    pub pc: f64,
    /// Its derivative.
    pub pc_s: f64,
}

/// Curves over gas saturation; constant beyond the first and the last row.
#[derive(Debug, Clone)]
pub struct CurveTable {
    nodes: Vec<f64>,
    /// Per interval: cubic of k_rg, k_rw and Pc in the distance from its left node.
    cubics: Vec<[[f64; 4]; 3]>,
    /// First interval that reaches into each of the equal buckets of the saturation range.
    buckets: Vec<u32>,
    inverse_bucket: f64,
    end: SaturationPoint,
}

impl CurveTable {
    /// Rows `[S_g, k_rg, k_rw, Pc in bar]` joined by straight lines.
    ///
    /// # Errors
    /// See [`CurveTable::monotone`].
    pub fn linear(rows: &[[f64; 4]]) -> Result<Self, CurveError> {
        Self::build(rows, |rows, column| {
            let slope = |w: &[[f64; 4]]| (w[1][column] - w[0][column]) / (w[1][0] - w[0][0]);
            rows.windows(2).map(|w| (slope(w), slope(w))).collect()
        })
    }

    /// The same rows joined by monotone cubics (F. Fritsch and R. Carlson, SIAM J. Numer. Anal. 17,
    /// 238 (1980), with the harmonic mean of Fritsch and Butland).
    ///
    /// # Errors
    /// Fewer than two rows, saturations that do not increase within [0, 1], relative permeabilities
    /// outside [0, 1] or of the wrong trend, a capillary pressure that falls with gas saturation.
    pub fn monotone(rows: &[[f64; 4]]) -> Result<Self, CurveError> {
        Self::build(rows, |rows, column| {
            let secants: Vec<f64> =
                rows.windows(2).map(|w| (w[1][column] - w[0][column]) / (w[1][0] - w[0][0])).collect();
            let steps: Vec<f64> = rows.windows(2).map(|w| w[1][0] - w[0][0]).collect();
            let last = secants.len();
            let slopes: Vec<f64> = (0..=last)
                .map(|j| {
                    if j == 0 || j == last {
                        return secants[if j == 0 { 0 } else { last - 1 }];
                    }
                    let (a, b) = (secants[j - 1], secants[j]);
                    if a * b <= 0.0 {
                        return 0.0;
                    }
                    let (wa, wb) = (2.0 * steps[j] + steps[j - 1], steps[j] + 2.0 * steps[j - 1]);
                    (wa + wb) / (wa / a + wb / b)
                })
                .collect();
            slopes.windows(2).map(|w| (w[0], w[1])).collect()
        })
    }

    fn build(
        rows: &[[f64; 4]],
        slopes: impl Fn(&[[f64; 4]], usize) -> Vec<(f64, f64)>,
    ) -> Result<Self, CurveError> {
        check(rows)?;
        let mut cubics = vec![[[0.0; 4]; 3]; rows.len() - 1];
        for column in 1..4 {
            for ((cubic, (d0, d1)), w) in cubics.iter_mut().zip(slopes(rows, column)).zip(rows.windows(2)) {
                let (h, y0, y1) = (w[1][0] - w[0][0], w[0][column], w[1][column]);
                let secant = (y1 - y0) / h;
                cubic[column - 1] =
                    [y0, d0, (3.0 * secant - 2.0 * d0 - d1) / h, (d0 + d1 - 2.0 * secant) / (h * h)];
            }
        }
        let nodes: Vec<f64> = rows.iter().map(|r| r[0]).collect();
        let (first, last) = (nodes[0], nodes[nodes.len() - 1]);
        let count = 2 * cubics.len();
        let width = (last - first) / count as f64;
        let mut buckets = Vec::with_capacity(count);
        let mut interval = 0;
        for b in 0..count {
            let left = first + width * b as f64;
            while interval + 1 < cubics.len() && nodes[interval + 1] <= left {
                interval += 1;
            }
            buckets.push(interval as u32);
        }
        let [_, krg, krw, pc] = rows[rows.len() - 1];
        Ok(Self {
            nodes,
            cubics,
            buckets,
            inverse_bucket: 1.0 / width,
            end: SaturationPoint { krg, krg_s: 0.0, krw, krw_s: 0.0, pc, pc_s: 0.0 },
        })
    }

    /// Largest gas saturation of the table.
    #[must_use]
    pub fn max_saturation(&self) -> f64 {
        self.nodes[self.nodes.len() - 1]
    }

    /// The curves at gas saturation `sg`.
    #[inline]
    #[must_use]
    pub fn evaluate(&self, sg: f64) -> SaturationPoint {
        let first = self.nodes[0];
        if sg >= self.max_saturation() {
            return self.end;
        }
        let x = (sg - first).max(0.0);
        let mut j = self.buckets[((x * self.inverse_bucket) as usize).min(self.buckets.len() - 1)] as usize;
        while j + 1 < self.cubics.len() && sg >= self.nodes[j + 1] {
            j += 1;
        }
        let u = (sg - self.nodes[j]).max(0.0);
        let [g, w, c] = &self.cubics[j];
        let value = |c: &[f64; 4]| c[0] + u * (c[1] + u * (c[2] + u * c[3]));
        let slope = |c: &[f64; 4]| c[1] + u * (2.0 * c[2] + 3.0 * u * c[3]);
        SaturationPoint {
            krg: value(g),
            krg_s: slope(g),
            krw: value(w),
            krw_s: slope(w),
            pc: value(c),
            pc_s: slope(c),
        }
    }
}

fn check(rows: &[[f64; 4]]) -> Result<(), CurveError> {
    let fail = |what: String| Err(CurveError(what));
    if rows.len() < 2 {
        return fail("a table needs at least two rows".into());
    }
    for (n, row) in rows.iter().enumerate() {
        let [sg, krg, krw, pc] = *row;
        if !(row.iter().all(|v| v.is_finite())
            && (0.0..=1.0).contains(&sg)
            && (0.0..=1.0).contains(&krg)
            && (0.0..=1.0).contains(&krw)
            && pc >= 0.0)
        {
            return fail(format!("row {n} ({sg}, {krg}, {krw}, {pc}) has a value outside its range"));
        }
        if let Some(before) = n.checked_sub(1).map(|m| rows[m]) {
            if sg <= before[0] {
                return fail(format!("gas saturation does not increase at row {n}"));
            }
            if krg < before[1] || krw > before[2] || pc < before[3] {
                return fail(format!(
                    "row {n}: k_rg and Pc must not fall and k_rw not rise with gas saturation"
                ));
            }
        }
    }
    Ok(())
}
