//! The input channels.

use super::fluids::Fluids;
use super::steady::{SteadyError, steady};
use crate::curves::leverett;
use crate::data::{Coordinates, Sample, perforated_rows};
use crate::fluid::FluidError;
use crate::units::{DARCY, GRAVITY};

/// A reservoir that cannot be encoded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EncodeError {
    /// Its steady flow.
    #[error(transparent)]
    Steady(#[from] SteadyError),
    /// Its fluids.
    #[error(transparent)]
    Fluid(#[from] FluidError),
}

/// A network's input for one reservoir.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// Shape (channel, z, r), row-major; zero in inactive cells.
    pub x: Vec<f32>,
    /// The pressure, in bar, by which pressure build-up is divided: what the steady solve needs at the well for the
    /// injected volume with the viscosity of brine.
    pub pressure_scale: f64,
}

/// Number of report times for which there is a front channel.
const FRONTS: usize = 4;

/// Names of the channels, in order.
pub const CHANNELS: [&str; 33 + FRONTS] = [
    "ln_kr",
    "ln_kz",
    "porosity",
    "mask",
    "perforated_row",
    "above_perforation_bottom",
    "below_perforation_top",
    "depth",
    "relative_depth",
    "ln_r",
    "ln_r_over_piston_radius",
    "rate",
    "ln_rate_per_perforated_length",
    "pressure",
    "temperature",
    "thickness",
    "swi",
    "lambda",
    "curve",
    "ln_entry_pressure",
    "ln_k_at_perforation",
    "ln_k_minus_column_mean",
    "ln_gravity_number",
    "ln_mobility_ratio",
    "gas_density",
    "ln_pressure_scale",
    "potential",
    "ln_potential",
    "radial_flux",
    "ln_radial_flux",
    "vertical_flux",
    "ln_time_of_flight",
    "ln_rise_time",
    "front_1",
    "front_2",
    "front_3",
    "front_4",
];

/// Encodes a reservoir with brine of a salinity (mass fraction).
///
/// # Errors
/// A reservoir without a steady flow, or fluids outside their equation of state.
pub fn encode(coordinates: &Coordinates, sample: &Sample, salinity: f64) -> Result<Encoded, EncodeError> {
    let fluids = Fluids::of(&sample.scalars, salinity)?;
    let flow = steady(coordinates, sample)?;
    let (cells, columns) = (coordinates.cells(), coordinates.columns());
    let view = View::new(coordinates, sample, &fluids);
    let s = &sample.scalars;
    let highest = flow.potential.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let pressure_scale = fluids.rate * fluids.brine_viscosity * highest;
    let rise = rise_times(coordinates, sample, &fluids);
    let column_mean = column_means(sample, columns);
    let end = coordinates.time.last().copied().unwrap_or(1.0);
    let times = coordinates.time.len();
    let fronts: Vec<f64> =
        (1..=FRONTS).filter_map(|j| coordinates.time.get((times * j / FRONTS).max(1) - 1)).copied().collect();

    let mut x = vec![0.0f32; CHANNELS.len() * cells];
    for c in (0..cells).filter(|c| sample.active[*c] != 0) {
        let (k, i) = (c / columns, c % columns);
        let (ln_kr, ln_kz) = (libm::log(sample.kr[c]), libm::log(sample.kz[c]));
        let z = coordinates.z[k];
        let arrival = flow.time_of_flight[c] * (1.0 - s.swi) / fluids.rate;
        let mut values = [0.0; CHANNELS.len()];
        values[..33].copy_from_slice(&[
            (ln_kr - 4.0) / 2.0,
            (ln_kz - 1.0) / 2.5,
            (sample.porosity[c] - 0.2) / 0.04,
            1.0,
            if view.perforated[k] { 1.0 } else { 0.0 },
            (s.perforation_bottom - z) / 100.0,
            (z - s.perforation_top) / 100.0,
            z / 100.0 - 1.0,
            2.0 * z / s.thickness - 1.0,
            libm::log(coordinates.r[i] / 300.0) / 3.0,
            libm::log(coordinates.r[i] / view.piston_radius) / 3.0,
            (s.rate - 1.1) / 0.5,
            libm::log(s.rate / (s.perforation_bottom - s.perforation_top) * 60.0),
            (s.pressure_top - 200.0) / 58.0,
            (s.temperature - 77.5) / 25.0,
            (s.thickness - 106.0) / 54.0,
            (s.swi - 0.2) / 0.058,
            (s.lambda - 0.5) / 0.115,
            f64::from(sample.curve) - 0.5,
            libm::log(s.entry_pressure * leverett(sample.kr[c], sample.porosity[c], 100.0, 0.2) + 1e-3) + 1.5,
            (view.ln_k_well - 4.0) / 1.5,
            (ln_kr - column_mean[i]) / 1.5,
            (view.ln_gravity - 1.0) / 2.0,
            libm::log(fluids.brine_viscosity / fluids.gas_viscosity) - 2.2,
            (fluids.gas_density - 550.0) / 150.0,
            (libm::log(pressure_scale) - 5.0) / 1.5,
            2.0 * flow.potential[c] / highest - 1.0,
            libm::log(flow.potential[c] / highest + 1e-3) / 2.0 + 1.0,
            (flow.radial[c] * view.active_rows - 1.0).clamp(-3.0, 6.0),
            libm::log(flow.radial[c].max(0.0) * view.active_rows + 1e-3) / 2.0,
            (flow.vertical[c] * 20.0).clamp(-4.0, 4.0),
            libm::log((arrival / end).clamp(1e-6, 1e4)) / 3.0,
            libm::log(rise[c] / end + 1e-3) / 3.0 + 1.0,
        ]);
        for (value, time) in values[33..].iter_mut().zip(&fronts) {
            // Behind the front 1, ahead of it 0, half way where the time of flight equals the report time.
            let late = (arrival / time).min(1e6);
            *value = 2.0 / (1.0 + late * late) - 1.0;
        }
        for (channel, value) in values.iter().enumerate() {
            x[channel * cells + c] = *value as f32;
        }
    }
    Ok(Encoded { x, pressure_scale })
}

/// Numbers and per-row facts that the channels share.
struct View {
    perforated: Vec<bool>,
    active_rows: f64,
    /// ln of the mean permeability (mD) of the perforated cells.
    ln_k_well: f64,
    /// ln of buoyant over viscous flow, `2 π Δρ g k b² / (q μ_w)` with the mean permeability k
    /// (Nordbotten and Celia, J. Fluid Mech. 561, 307 (2006)).
    ln_gravity: f64,
    /// Radius of a cylinder that holds the injected volume at the last time, m.
    piston_radius: f64,
}

impl View {
    fn new(coordinates: &Coordinates, sample: &Sample, fluids: &Fluids) -> Self {
        let (rows, columns, cells) = (coordinates.rows(), coordinates.columns(), coordinates.cells());
        let s = &sample.scalars;
        let mut perforated = vec![false; rows];
        let wells = perforated_rows(coordinates, sample);
        wells.iter().for_each(|k| perforated[*k] = true);
        let mean = |values: &mut dyn Iterator<Item = f64>| {
            let (sum, n) = values.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
            if n > 0.0 { sum / n } else { 1.0 }
        };
        let k_well = mean(&mut wells.iter().map(|k| sample.kr[k * columns]));
        let inside = |c: &usize| sample.active[*c] != 0;
        let k_mean = mean(&mut (0..cells).filter(inside).map(|c| sample.kr[c]));
        let phi = mean(&mut (0..cells).filter(inside).map(|c| sample.porosity[c]));
        let lift = (fluids.brine_density - fluids.gas_density) * GRAVITY;
        let pi = std::f64::consts::PI;
        let gravity = 2.0 * pi * lift * DARCY * k_mean * s.thickness * s.thickness
            / (fluids.rate * fluids.brine_viscosity);
        let end = coordinates.time.last().copied().unwrap_or(1.0);
        let area = fluids.rate * end / (phi * (1.0 - s.swi) * s.thickness);
        let active_rows = (0..rows).filter(|k| sample.active[k * columns] != 0).count();
        Self {
            perforated,
            active_rows: active_rows as f64,
            ln_k_well: libm::log(k_well),
            ln_gravity: libm::log(gravity.max(1e-6)),
            piston_radius: (area / pi).sqrt(),
        }
    }
}

/// Mean of ln k_r over the active cells of each column.
fn column_means(sample: &Sample, columns: usize) -> Vec<f64> {
    (0..columns)
        .map(|i| {
            let (mut sum, mut n) = (0.0, 0.0);
            for c in (i..sample.kr.len()).step_by(columns).filter(|c| sample.active[*c] != 0) {
                (sum, n) = (sum + libm::log(sample.kr[c]), n + 1.0);
            }
            if n > 0.0 { sum / n } else { 0.0 }
        })
        .collect()
}

/// Time (days) that CO₂ needs to rise from the top of the perforation to each cell by buoyancy alone, straight up
/// through its column; zero at that depth and below.
fn rise_times(coordinates: &Coordinates, sample: &Sample, fluids: &Fluids) -> Vec<f64> {
    let columns = coordinates.columns();
    let lift = (fluids.brine_density - fluids.gas_density).max(1.0) * GRAVITY;
    let mut times = vec![0.0; coordinates.cells()];
    for i in 0..columns {
        let mut time = 0.0;
        for k in (0..coordinates.rows()).rev() {
            let c = k * columns + i;
            if sample.active[c] == 0 || coordinates.z[k] > sample.scalars.perforation_top {
                continue;
            }
            let velocity = DARCY * sample.kz[c] * lift / fluids.gas_viscosity;
            let pores = sample.porosity[c] * (1.0 - sample.scalars.swi);
            time += pores * coordinates.row_height(k) / velocity;
            times[c] = time;
        }
    }
    times
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::Scalars;
    use crate::geology::{Generator, Layout, Ranges};

    fn drawn(number: u32, layout: &Layout) -> (Coordinates, Sample) {
        let coordinates = Coordinates::of(layout);
        let r = Generator::new(5, Ranges::default(), layout.clone()).reservoir(number);
        let (first, count) = r.perforation;
        let scalars = Scalars {
            rate: r.rate,
            pressure_top: r.pressure_top,
            temperature: r.temperature,
            thickness: coordinates.z_face[r.active_rows],
            perforation_top: coordinates.z_face[first],
            perforation_bottom: coordinates.z_face[first + count],
            swi: r.swi,
            lambda: r.lambda,
            entry_pressure: r.entry_pressure,
        };
        let inside = r.active_rows * layout.columns;
        let active = (0..coordinates.cells()).map(|c| u8::from(c < inside)).collect();
        let (kr, kz, porosity) = (r.kr, r.kz, r.porosity);
        (
            coordinates,
            Sample { id: 0, scalars, curve: 1, field_kind: r.field.code(), kr, kz, porosity, active },
        )
    }

    #[test]
    fn channels_are_of_order_one_and_vanish_outside_the_formation() {
        let layout = Layout::default();
        let cells = layout.rows * layout.columns;
        let (mut n, mut sums) = (0.0, vec![(0.0, 0.0); CHANNELS.len()]);
        for number in 0..64 {
            let (coordinates, sample) = drawn(number, &layout);
            let encoded = encode(&coordinates, &sample, 0.0).unwrap();
            assert!(encoded.pressure_scale > 0.0);
            for c in 0..cells {
                n += f64::from(sample.active[c]);
                for (channel, sum) in sums.iter_mut().enumerate() {
                    let value = f64::from(encoded.x[channel * cells + c]);
                    assert!(value.abs() < 12.0, "{} is {value}", CHANNELS[channel]);
                    assert!(sample.active[c] != 0 || value == 0.0);
                    *sum = (sum.0 + value, sum.1 + value * value);
                }
            }
        }
        for ((sum, square), name) in sums.iter().zip(CHANNELS) {
            assert!(
                (sum / n).abs() < 2.0 && (square / n).sqrt() < 2.5,
                "{name}: {} {}",
                sum / n,
                (square / n).sqrt()
            );
        }
    }

    #[test]
    fn a_formation_twice_as_permeable_needs_half_the_pressure() {
        let layout = Layout { columns: 24, rows: 16, ..Layout::default() };
        let (coordinates, mut sample) = drawn(3, &layout);
        let before = encode(&coordinates, &sample, 0.0).unwrap();
        sample.kr.iter_mut().chain(&mut sample.kz).for_each(|k| *k *= 2.0);
        let after = encode(&coordinates, &sample, 0.0).unwrap();
        assert!((before.pressure_scale / after.pressure_scale - 2.0).abs() < 1e-9);
        // The pattern of the flow is the same.
        let at = CHANNELS.iter().position(|name| *name == "ln_time_of_flight").unwrap() * coordinates.cells();
        assert!((0..coordinates.cells()).all(|c| (before.x[at + c] - after.x[at + c]).abs() < 1e-5));
    }
}
