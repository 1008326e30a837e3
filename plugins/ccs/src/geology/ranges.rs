//! What is drawn for each reservoir, and from which ranges.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A closed interval, written `[low, high]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
#[schemars(with = "[f64; 2]")]
pub struct Range {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl From<[f64; 2]> for Range {
    fn from([low, high]: [f64; 2]) -> Self {
        Self { low, high }
    }
}

impl From<Range> for [f64; 2] {
    fn from(range: Range) -> Self {
        [range.low, range.high]
    }
}

impl Range {
    /// The value at the fraction `u` of the way from low to high.
    #[must_use]
    pub fn at(self, u: f64) -> f64 {
        self.low + (self.high - self.low) * u
    }

    /// The value at the fraction `u` of the way in the logarithm.
    #[must_use]
    pub fn log_at(self, u: f64) -> f64 {
        libm::exp(Self { low: libm::log(self.low), high: libm::log(self.high) }.at(u))
            .clamp(self.low, self.high)
    }
}

/// How permeability is distributed in space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// ln k is a Gaussian random field with Gaussian covariance: smooth bodies.
    LogGaussian,
    /// ln k is a Gaussian random field with von Kármán's covariance: rough at every scale.
    VonKarman,
    /// Homogeneous layers, each as thick as the vertical correlation length.
    Layered,
    /// Two to five facies of constant permeability with sharp boundaries: a Gaussian random field cut at levels
    /// that give each facies an equal share.
    Discontinuous,
}

impl FieldKind {
    /// The number that data sets use.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::LogGaussian => 0,
            Self::VonKarman => 1,
            Self::Layered => 2,
            Self::Discontinuous => 3,
        }
    }
}

/// Family of relative-permeability and capillary-pressure curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Curve {
    /// Brooks and Corey with Burdine's relative permeabilities.
    BrooksCorey,
    /// van Genuchten and Mualem with Corey's gas curve.
    VanGenuchten,
}

impl Curve {
    /// The number that data sets use.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::BrooksCorey => 0,
            Self::VanGenuchten => 1,
        }
    }

    /// The family with a number that data sets use.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::BrooksCorey, Self::VanGenuchten].into_iter().find(|curve| curve.code() == code)
    }
}

/// The ranges from which reservoirs are drawn, uniformly unless said otherwise.
///
/// The defaults are those of Wen et al. (Adv. Water Resour. 163, 104180, 2022), with temperatures up to 120 °C.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Ranges {
    /// Injection rate, in Mt of CO₂ a year.
    #[schemars(extend("x-unit" = "Mt/a"))]
    pub rate: Range,
    /// Brine pressure at the top of the formation before injection, in bar.
    #[schemars(extend("x-unit" = "bar"))]
    pub pressure: Range,
    /// Temperature, in °C.
    #[schemars(extend("x-unit" = "degC"))]
    pub temperature: Range,
    /// Thickness of the formation, in m; rounded to whole rows of the grid.
    #[schemars(extend("x-unit" = "m"))]
    pub thickness: Range,
    /// Shortest perforation, in m. Lengths are uniform from here to the thickness, at a random position.
    #[schemars(extend("x-unit" = "m"))]
    pub min_perforation: f64,
    /// Irreducible water saturation.
    pub swi: Range,
    /// Exponent of the capillary-pressure curve: van Genuchten's m or Brooks and Corey's pore-size index.
    pub lambda: Range,
    /// Capillary pressure scale (van Genuchten's P₀, Brooks and Corey's entry pressure) at 100 mD and a porosity of
    /// 0.2, in bar; elsewhere it is scaled after Leverett.
    #[schemars(extend("x-unit" = "bar"))]
    pub entry_pressure: Range,
    /// Mean of ln k, the permeability k in mD.
    pub mean_log_k: Range,
    /// Standard deviation of ln k.
    pub sd_log_k: Range,
    /// Radial correlation length, in m; uniform in its logarithm.
    #[schemars(extend("x-unit" = "m"))]
    pub correlation_r: Range,
    /// Vertical correlation length, in m.
    #[schemars(extend("x-unit" = "m"))]
    pub correlation_z: Range,
    /// Hurst exponent of von Kármán fields.
    pub hurst: Range,
    /// Radial over vertical permeability; uniform in its logarithm.
    pub anisotropy: Range,
    /// Kinds of permeability field, in equal shares.
    #[schemars(length(min = 1, max = 16))]
    pub fields: Vec<FieldKind>,
    /// Curve families, in equal shares.
    #[schemars(length(min = 1, max = 16))]
    pub curves: Vec<Curve>,
}

impl Default for Ranges {
    fn default() -> Self {
        let range = |low, high| Range { low, high };
        Self {
            rate: range(0.2, 2.0),
            pressure: range(100.0, 300.0),
            temperature: range(35.0, 120.0),
            thickness: range(12.5, 200.0),
            min_perforation: 12.5,
            swi: range(0.1, 0.3),
            lambda: range(0.3, 0.7),
            entry_pressure: range(0.1961, 0.1961),
            mean_log_k: range(2.3, 5.7),
            sd_log_k: range(0.3, 2.0),
            correlation_r: range(200.0, 4000.0),
            correlation_z: range(2.0, 12.5),
            hurst: range(0.1, 1.0),
            anisotropy: range(1.0, 150.0),
            fields: vec![
                FieldKind::LogGaussian,
                FieldKind::VonKarman,
                FieldKind::Layered,
                FieldKind::Discontinuous,
            ],
            curves: vec![Curve::VanGenuchten],
        }
    }
}

impl Ranges {
    /// Everything that is wrong with the ranges: the field's name and what was expected.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let checks: [(&str, Range, f64, f64, &str); 13] = [
            ("rate", self.rate, 1e-6, 100.0, "Mt/yr"),
            ("pressure", self.pressure, 1.0, 900.0, "bar"),
            // Below the critical temperature CO₂ has two phases, which the simulator does not distinguish.
            ("temperature", self.temperature, 31.5, 300.0, "°C"),
            ("thickness", self.thickness, 1e-3, 1e4, "m"),
            ("swi", self.swi, 0.0, 0.9, ""),
            ("lambda", self.lambda, 0.05, 0.95, ""),
            ("entry_pressure", self.entry_pressure, 0.0, 100.0, "bar"),
            ("mean_log_k", self.mean_log_k, -7.0, 9.3, ""),
            ("sd_log_k", self.sd_log_k, 0.0, 4.0, ""),
            ("correlation_r", self.correlation_r, 1.0, 1e6, "m"),
            ("correlation_z", self.correlation_z, 0.1, 1e4, "m"),
            ("hurst", self.hurst, 0.01, 5.0, ""),
            ("anisotropy", self.anisotropy, 1e-2, 1e4, ""),
        ];
        let mut problems: Vec<_> = checks
            .into_iter()
            .filter(|(_, r, min, max, _)| !(*min <= r.low && r.low <= r.high && r.high <= *max))
            .map(|(name, r, min, max, unit)| {
                let text = format!(
                    "[{}, {}] must be an increasing pair within {min} to {max} {unit}",
                    r.low, r.high
                );
                (name, text.trim_end().to_owned())
            })
            .collect();
        if !(self.min_perforation > 0.0 && self.min_perforation <= self.thickness.high) {
            problems.push(("min_perforation", "must be positive and at most the largest thickness".into()));
        }
        for (name, empty) in [("fields", self.fields.is_empty()), ("curves", self.curves.is_empty())] {
            if empty {
                problems.push((name, "needs at least one entry".into()));
            }
        }
        problems
    }
}
