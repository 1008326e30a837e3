//! One reservoir, drawn.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::normal::deviate;
use super::permeability::{Places, Texture, map};
use super::sobol::{Sobol, mix};
use super::{Curve, FieldKind, Layout, Ranges};

/// A reservoir and how it is used. Fields have shape (rows, columns), row-major, and are zero in rows below the
/// formation.
#[derive(Debug, Clone, PartialEq)]
pub struct Reservoir {
    /// Kind of permeability field.
    pub field: FieldKind,
    /// Family of saturation functions.
    pub curve: Curve,
    /// Injection rate, Mt/yr.
    pub rate: f64,
    /// Brine pressure at the top before injection, bar.
    pub pressure_top: f64,
    /// Temperature, °C.
    pub temperature: f64,
    /// Rows that belong to the formation, from the top.
    pub active_rows: usize,
    /// First perforated row, and the number of them.
    pub perforation: (usize, usize),
    /// Irreducible water saturation.
    pub swi: f64,
    /// Exponent of the capillary-pressure curve.
    pub lambda: f64,
    /// Capillary pressure scale at 100 mD and porosity 0.2, bar.
    pub entry_pressure: f64,
    /// Radial permeability, mD.
    pub kr: Vec<f64>,
    /// Vertical permeability, mD.
    pub kz: Vec<f64>,
    /// Porosity.
    pub porosity: Vec<f64>,
}

/// Draws reservoirs.
#[derive(Debug, Clone)]
pub struct Generator {
    ranges: Ranges,
    layout: Layout,
    sequence: Sobol,
    seed: u64,
    radii: Vec<f64>,
}

/// Permeabilities that can occur, mD.
const PERMEABILITY: (f64, f64) = (1e-3, 1e4);

/// Porosities that can occur.
const POROSITY: (f64, f64) = (0.03, 0.4);

/// Coordinates of the Sobol sequence. Only ever append: a reordering changes every data set.
#[derive(Clone, Copy)]
enum Axis {
    MeanLogK,
    SdLogK,
    Thickness,
    Rate,
    PerforationLength,
    PerforationPosition,
    Anisotropy,
    Field,
    CorrelationZ,
    CorrelationR,
    Pressure,
    Temperature,
    Swi,
    Lambda,
    EntryPressure,
    Curve,
    Hurst,
}

impl Generator {
    /// A generator for a seed, ranges and a grid.
    #[must_use]
    pub fn new(seed: u64, ranges: Ranges, layout: Layout) -> Self {
        // Log-mean nodes, where a two-point scheme has its pressures.
        let radii = layout.r_faces().windows(2).map(|f| (f[1] - f[0]) / libm::log(f[1] / f[0])).collect();
        Self { ranges, layout, sequence: Sobol::new(seed), seed, radii }
    }

    /// Log-mean nodes of the rings, m.
    #[must_use]
    pub fn radii(&self) -> &[f64] {
        &self.radii
    }

    /// Reservoir number `sample`.
    #[must_use]
    pub fn reservoir(&self, sample: u32) -> Reservoir {
        let r = &self.ranges;
        let u = |axis: Axis| self.sequence.coordinate(sample, axis as usize);
        // An index below `n`, uniform; `u` is below 1.
        let pick = |axis: Axis, n: usize| ((u(axis) * n as f64) as usize).min(n - 1);
        let dz = self.layout.row_height();
        let rows_of = |length: f64| ((length / dz).round() as usize).clamp(1, self.layout.rows);
        let (thinnest, thickest) = (rows_of(r.thickness.low), rows_of(r.thickness.high));
        let active_rows = thinnest + pick(Axis::Thickness, thickest - thinnest + 1);
        let shortest = rows_of(r.min_perforation).min(active_rows);
        let length = shortest + pick(Axis::PerforationLength, active_rows - shortest + 1);
        let first = pick(Axis::PerforationPosition, active_rows - length + 1);
        let mut reservoir = Reservoir {
            field: r.fields[pick(Axis::Field, r.fields.len())],
            curve: r.curves[pick(Axis::Curve, r.curves.len())],
            rate: r.rate.at(u(Axis::Rate)),
            pressure_top: r.pressure.at(u(Axis::Pressure)),
            temperature: r.temperature.at(u(Axis::Temperature)),
            active_rows,
            perforation: (first, length),
            swi: r.swi.at(u(Axis::Swi)),
            lambda: r.lambda.at(u(Axis::Lambda)),
            entry_pressure: r.entry_pressure.at(u(Axis::EntryPressure)),
            kr: Vec::new(),
            kz: Vec::new(),
            porosity: Vec::new(),
        };
        let texture = Texture {
            kind: reservoir.field,
            lengths: (
                r.correlation_z.at(u(Axis::CorrelationZ)),
                r.correlation_r.log_at(u(Axis::CorrelationR)),
            ),
            hurst: r.hurst.at(u(Axis::Hurst)),
        };
        let (mean, sd) = (r.mean_log_k.at(u(Axis::MeanLogK)), r.sd_log_k.at(u(Axis::SdLogK)));
        self.fill(&mut reservoir, sample, &texture, (mean, sd, r.anisotropy.log_at(u(Axis::Anisotropy))));
        reservoir
    }

    fn fill(&self, reservoir: &mut Reservoir, sample: u32, texture: &Texture, scale: (f64, f64, f64)) {
        let (mean, sd, anisotropy) = scale;
        let mut rng = self.stream(sample);
        let dz = self.layout.row_height();
        let depths: Vec<f64> = (0..reservoir.active_rows).map(|k| dz * (k as f64 + 0.5)).collect();
        let places = Places { radii: &self.radii, depths: &depths, row_height: dz };
        let cells = self.layout.rows * self.layout.columns;
        let log_k = map(texture, &places, &mut rng);
        let mut kr: Vec<f64> =
            log_k.iter().map(|g| libm::exp(mean + sd * g).clamp(PERMEABILITY.0, PERMEABILITY.1)).collect();
        // Porosity follows permeability, with scatter.
        let mut porosity: Vec<f64> = kr
            .iter()
            .map(|k| 0.2 + 0.03 * (libm::log10(*k) - 1.5) + 0.01 * deviate(&mut rng))
            .map(|phi| phi.clamp(POROSITY.0, POROSITY.1))
            .collect();
        let mut kz: Vec<f64> = kr.iter().map(|k| k / anisotropy).collect();
        for values in [&mut kr, &mut kz, &mut porosity] {
            values.resize(cells, 0.0);
        }
        (reservoir.kr, reservoir.kz, reservoir.porosity) = (kr, kz, porosity);
    }

    /// The random stream of a sample: ChaCha8 with the seed as its key and the sample as its stream number.
    fn stream(&self, sample: u32) -> ChaCha8Rng {
        let mut key = [0; 32];
        for (n, word) in key.chunks_exact_mut(8).enumerate() {
            word.copy_from_slice(&mix(self.seed ^ mix(n as u64)).to_le_bytes());
        }
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(u64::from(sample));
        rng
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn few_rings() -> Layout {
        Layout { columns: 12, rows: 16, ..Layout::default() }
    }

    #[test]
    fn a_reservoir_depends_on_seed_and_number_only() {
        let generator = Generator::new(7, Ranges::default(), few_rings());
        let tenth = generator.reservoir(10);
        for i in 0..5 {
            assert_ne!(generator.reservoir(i).kr, tenth.kr);
        }
        assert_eq!(Generator::new(7, Ranges::default(), few_rings()).reservoir(10), tenth);
        assert_ne!(Generator::new(8, Ranges::default(), few_rings()).reservoir(10), tenth);
    }

    #[test]
    fn draws_fill_their_ranges_evenly() {
        let ranges = Ranges { curves: vec![Curve::BrooksCorey, Curve::VanGenuchten], ..Ranges::default() };
        let layout = few_rings();
        let generator = Generator::new(1, ranges.clone(), layout.clone());
        let all: Vec<Reservoir> = (0..256).map(|i| generator.reservoir(i)).collect();
        // A uniform variable of 256 stratified points: its mean is within half a stratum of the middle.
        for (range, value) in [
            (ranges.rate, (|r: &Reservoir| r.rate) as fn(&Reservoir) -> f64),
            (ranges.pressure, |r| r.pressure_top),
            (ranges.temperature, |r| r.temperature),
            (ranges.swi, |r| r.swi),
            (ranges.lambda, |r| r.lambda),
        ] {
            let width = range.high - range.low;
            let mean = all.iter().map(value).sum::<f64>() / 256.0;
            assert!((mean - range.at(0.5)).abs() < width / 256.0);
            assert!(all.iter().map(value).all(|v| range.low <= v && v <= range.high));
            assert!(all.iter().map(value).fold(f64::NEG_INFINITY, f64::max) > range.high - width / 128.0);
        }
        for kind in &ranges.fields {
            assert_eq!(all.iter().filter(|r| r.field == *kind).count(), 64);
        }
        assert_eq!(all.iter().filter(|r| r.curve == Curve::BrooksCorey).count(), 128);
        for r in &all {
            let (first, length) = r.perforation;
            assert!((1..=16).contains(&r.active_rows) && length >= 1 && first + length <= r.active_rows);
            let active = r.active_rows * layout.columns;
            assert!(r.kr[..active].iter().all(|k| (PERMEABILITY.0..=PERMEABILITY.1).contains(k)));
            assert!(r.porosity[..active].iter().all(|p| (POROSITY.0..=POROSITY.1).contains(p)));
            assert!(r.kr[active..].iter().chain(&r.porosity[active..]).all(|v| *v == 0.0));
            let ratio = r.kr[0] / r.kz[0];
            assert!((0.999..150.2).contains(&ratio), "{ratio}");
        }
    }

    #[test]
    fn porosity_follows_permeability() {
        let generator = Generator::new(3, Ranges::default(), Layout::default());
        let (mut n, mut sums) = (0.0, [0.0; 3]);
        for i in 0..16 {
            let r = generator.reservoir(i);
            for (k, phi) in r.kr.iter().zip(&r.porosity).filter(|(k, _)| (1.0..1e3).contains(*k)) {
                let noise = phi - (0.2 + 0.03 * (libm::log10(*k) - 1.5));
                (n, sums) = (n + 1.0, [sums[0] + noise, sums[1] + noise * noise, 0.0]);
            }
        }
        // Some 1e4 cells: the noise has zero mean and a standard deviation of 0.01.
        let sd = (sums[1] / n).sqrt();
        assert!(n > 5000.0 && (sums[0] / n).abs() < 5e-4 && (sd - 0.01).abs() < 3e-4, "{n} {sums:?}");
    }

    #[test]
    fn log_permeability_has_the_mean_and_spread_asked_for() {
        let fixed = |v: f64| super::super::Range { low: v, high: v };
        let ranges = Ranges { mean_log_k: fixed(4.0), sd_log_k: fixed(1.0), ..Ranges::default() };
        let layout = Layout { outer_radius: 8000.0, ..Layout::default() };
        let generator = Generator::new(3, ranges, layout);
        let logs: Vec<f64> =
            (0..128).flat_map(|i| generator.reservoir(i).kr).filter(|k| *k > 0.0).map(libm::log).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let variance = logs.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / logs.len() as f64;
        // 128 maps, most of the rings near the axis: about 15 independent values down times 3 across in each, in
        // all 5000, fewer for layers; standard errors of 0.03 at most. Four of them.
        assert!((mean - 4.0).abs() < 0.12 && (variance - 1.0).abs() < 0.16, "{mean} {variance}");
    }
}
