//! Relative permeability and capillary pressure as functions of the gas saturation.
//!
//! A [`Model`] is the formula of the literature; the simulator works on a [`CurveTable`], either
//! the model at many saturations joined by monotone cubics, or a user's own rows joined by
//! straight lines (as reservoir simulators do with SGWFN tables).

mod table;

pub use table::{CurveError, CurveTable, SaturationPoint};

/// Smallest effective water saturation at which capillary pressure still follows its formula.
const CAPILLARY_END: f64 = 0.02;

/// Formulas for relative permeability and capillary pressure; `swi` is the irreducible water
/// saturation, `Se = (S_w - swi)/(1 - swi)` the effective one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Model {
    /// Brooks and Corey (1964) with Burdine's relative permeabilities: `Pc = entry Se^(-1/lambda)`,
    /// `k_rw = Se^((2+3 lambda)/lambda)`, `k_rg = (1-Se)² (1 - Se^((2+lambda)/lambda))`.
    BrooksCorey {
        /// Irreducible water saturation.
        swi: f64,
        /// Pore-size index.
        lambda: f64,
        /// Entry pressure in bar.
        entry: f64,
    },
    /// van Genuchten (1980) and Mualem for water, Corey for gas (the TOUGH2 form):
    /// `Pc = scale (Se^(-1/lambda) - 1)^(1-lambda)`, `k_rw = √Se (1 - (1 - Se^(1/lambda))^lambda)²`,
    /// `k_rg = (1-Sh)² (1-Sh²)`, `Sh = (S_w - swi)/(1 - swi - sgr)`.
    VanGenuchten {
        /// Irreducible water saturation.
        swi: f64,
        /// Residual gas saturation.
        sgr: f64,
        /// The exponent, often called m.
        lambda: f64,
        /// Pressure scale P0 in bar.
        scale: f64,
    },
    /// Powers of the effective saturations, without capillary pressure.
    Corey {
        /// Irreducible water saturation.
        swi: f64,
        /// Exponent of the gas.
        gas: f64,
        /// Exponent of the water.
        water: f64,
    },
}

impl Model {
    /// Gas and water relative permeability and capillary pressure (bar) at gas saturation `sg`.
    ///
    /// Capillary pressure is held below an effective water saturation of 0.02.
    #[must_use]
    pub fn evaluate(&self, sg: f64) -> [f64; 3] {
        match *self {
            Self::BrooksCorey { swi, lambda, entry } => {
                let se = effective(sg, swi);
                let krg = (1.0 - se) * (1.0 - se) * (1.0 - libm::pow(se, (2.0 + lambda) / lambda));
                let krw = libm::pow(se, (2.0 + 3.0 * lambda) / lambda);
                [krg, krw, entry * libm::pow(se.max(CAPILLARY_END), -1.0 / lambda)]
            }
            Self::VanGenuchten { swi, sgr, lambda, scale } => {
                let se = effective(sg, swi);
                let sh = ((1.0 - sg - swi) / (1.0 - swi - sgr)).clamp(0.0, 1.0);
                let krg = (1.0 - sh) * (1.0 - sh) * (1.0 - sh * sh);
                let inner = 1.0 - libm::pow(1.0 - libm::pow(se, 1.0 / lambda), lambda);
                let held = se.max(CAPILLARY_END);
                let pc = scale * libm::pow((libm::pow(held, -1.0 / lambda) - 1.0).max(0.0), 1.0 - lambda);
                [krg, se.sqrt() * inner * inner, pc]
            }
            Self::Corey { swi, gas, water } => {
                let se = effective(sg, swi);
                [libm::pow(1.0 - se, gas), libm::pow(se, water), 0.0]
            }
        }
    }

    /// Irreducible water saturation.
    #[must_use]
    pub fn swi(&self) -> f64 {
        match *self {
            Self::BrooksCorey { swi, .. } | Self::VanGenuchten { swi, .. } | Self::Corey { swi, .. } => swi,
        }
    }

    /// The model at `intervals + 1` equidistant gas saturations of 0 to `1 - swi`, joined by
    /// monotone cubics.
    ///
    /// # Errors
    /// Parameters outside their meaning (saturations not in [0, 1), exponents or scales not
    /// positive).
    pub fn tabulate(&self, intervals: usize) -> Result<CurveTable, CurveError> {
        let fail = |what: &str| Err(CurveError(what.to_owned()));
        if !(0.0..1.0).contains(&self.swi()) {
            return fail("irreducible water saturation must lie in [0, 1)");
        }
        match *self {
            Self::BrooksCorey { lambda, entry, .. } => {
                if !(lambda > 0.0 && entry >= 0.0) {
                    return fail("Brooks-Corey needs lambda > 0 and an entry pressure of 0 or more");
                }
            }
            Self::VanGenuchten { swi, sgr, lambda, scale } => {
                if !(lambda > 0.0 && lambda < 1.0 && scale >= 0.0 && sgr >= 0.0 && sgr < 1.0 - swi) {
                    return fail(
                        "van Genuchten needs 0 < lambda < 1, a scale of 0 or more and 0 <= sgr < 1 - swi",
                    );
                }
            }
            Self::Corey { gas, water, .. } => {
                if !(gas > 0.0 && water > 0.0) {
                    return fail("Corey exponents must be positive");
                }
            }
        }
        let end = 1.0 - self.swi();
        let n = intervals.max(1);
        let rows: Vec<[f64; 4]> = (0..=n)
            .map(|j| {
                let sg = end * j as f64 / n as f64;
                let [krg, krw, pc] = self.evaluate(sg);
                [sg, krg, krw, pc]
            })
            .collect();
        CurveTable::monotone(&rows)
    }
}

/// Effective water saturation in [0, 1].
fn effective(sg: f64, swi: f64) -> f64 {
    ((1.0 - sg - swi) / (1.0 - swi)).clamp(0.0, 1.0)
}

/// Leverett scaling of capillary pressure: `√((k_ref/k) (φ/φ_ref))`, permeabilities in one unit.
#[must_use]
pub fn leverett(
    permeability: f64,
    porosity: f64,
    reference_permeability: f64,
    reference_porosity: f64,
) -> f64 {
    (reference_permeability / permeability * (porosity / reference_porosity)).sqrt()
}
