//! The steady flow of one incompressible phase from the well to the outer radius: one linear solve that knows
//! where the formation takes the fluid, and what pressure that needs.

use super::banded::Banded;
use crate::data::{Coordinates, Sample, perforated_rows};
use crate::grid::{Grid, GridError};
use crate::units::DARCY;

/// Steady single-phase flow at unit rate (1 m³/day) and unit viscosity (1 cP), zero pressure at the outer radius.
/// Fields have shape (z, r), row-major, and are zero in inactive cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Steady {
    /// Pressure, bar.
    pub potential: Vec<f64>,
    /// Flow through the outer face of each cell, m³/day (a share of the rate).
    pub radial: Vec<f64>,
    /// Flow through the lower face of each cell, downwards, m³/day (a share of the rate).
    pub vertical: Vec<f64>,
    /// Pore volume that the fluid filling each cell has passed through, divided by its flow (1 m³/day): the time
    /// of flight in days of a particle from the well, at its exit from the cell.
    pub time_of_flight: Vec<f64>,
}

/// A reservoir without a steady flow.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SteadyError {
    /// The grid or the rock.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// Cells that nothing connects with the outer radius.
    #[error("no steady flow: part of the formation is cut off from the outer radius")]
    CutOff,
    /// No perforated cell.
    #[error("no steady flow: no perforated row lies in the formation")]
    NoWell,
}

/// Solves for the steady flow of a reservoir.
///
/// # Errors
/// Rock arrays that cannot be, or a formation without a flow from the well to the outer radius.
pub fn steady(coordinates: &Coordinates, sample: &Sample) -> Result<Steady, SteadyError> {
    let grid = Grid::radial(coordinates.r_face.clone(), coordinates.z_face.clone())?;
    let (rows, columns) = (grid.rows(), grid.columns());
    let active = |c: usize| sample.active[c] != 0;
    let masked = |field: &[f64]| -> Vec<f64> {
        field.iter().enumerate().map(|(c, v)| if active(c) { *v } else { 0.0 }).collect()
    };
    let (kr, kz) = (masked(&sample.kr), masked(&sample.kz));
    let t = grid.transmissibility(&kr, &kz)?;
    let well: Vec<(usize, f64)> = perforated_rows(coordinates, sample)
        .into_iter()
        .filter_map(|k| grid.connection_factor(k, kr[k * columns]).map(|factor| (k, factor)))
        .filter(|(_, factor)| *factor > 0.0)
        .collect();
    let injectivity: f64 = well.iter().map(|(_, factor)| factor).sum();
    if injectivity <= 0.0 {
        return Err(SteadyError::NoWell);
    }
    let outer = outer_transmissibility(coordinates, &kr);

    // Columns one after the other; only rows down to the last active one.
    let height = (0..rows).rev().find(|k| (0..columns).any(|i| active(k * columns + i))).map_or(0, |k| k + 1);
    let unknown = |k: usize, i: usize| i * height + k;
    let mut matrix = Banded::zeros(columns * height, height);
    let mut rate = vec![0.0; columns * height];
    for (k, outflow) in outer.iter().enumerate().take(height) {
        for i in 0..columns {
            let (c, u) = (k * columns + i, unknown(k, i));
            if !active(c) {
                matrix.add(u, u, 1.0);
                continue;
            }
            let right = (i + 1 < columns).then(|| (unknown(k, i + 1), t.horizontal[c]));
            let below = (k + 1 < height).then(|| (unknown(k + 1, i), t.vertical[c]));
            for (v, value) in right.into_iter().chain(below).filter(|(_, value)| *value > 0.0) {
                matrix.add(u, u, value);
                matrix.add(v, v, value);
                matrix.add(u, v, -value);
            }
        }
        let last = unknown(k, columns - 1);
        matrix.add(last, last, *outflow);
    }
    // The well's pressure is the same at all perforations; eliminated, it couples them.
    for &(k, factor) in &well {
        rate[unknown(k, 0)] = factor / injectivity;
        matrix.add(unknown(k, 0), unknown(k, 0), factor);
        for &(other, f) in well.iter().filter(|(other, _)| *other >= k) {
            matrix.add(unknown(k, 0), unknown(other, 0), -factor * f / injectivity);
        }
    }
    let solved = matrix.solve(rate).ok_or(SteadyError::CutOff)?;
    let cells = rows * columns;
    let mut flow = Steady {
        potential: vec![0.0; cells],
        radial: vec![0.0; cells],
        vertical: vec![0.0; cells],
        time_of_flight: vec![0.0; cells],
    };
    for c in (0..height * columns).filter(|c| active(*c)) {
        flow.potential[c] = solved[unknown(c / columns, c % columns)];
    }
    for c in (0..height * columns).filter(|c| active(*c)) {
        let (k, i) = (c / columns, c % columns);
        flow.radial[c] = if i + 1 < columns {
            t.horizontal[c] * (flow.potential[c] - flow.potential[c + 1])
        } else {
            outer[k] * flow.potential[c]
        };
        if k + 1 < rows {
            flow.vertical[c] = t.vertical[c] * (flow.potential[c] - flow.potential[c + columns]);
        }
    }
    let volume = grid.pore_volume(&masked(&sample.porosity))?;
    trace(&mut flow, &volume, columns, &active);
    Ok(flow)
}

/// From the node of each row's outermost cell to the outer radius, cP·m³/(day·bar).
fn outer_transmissibility(coordinates: &Coordinates, kr: &[f64]) -> Vec<f64> {
    let last = coordinates.columns() - 1;
    let distance = libm::log(coordinates.r_face[last + 1] / coordinates.r[last]);
    let ring = 2.0 * std::f64::consts::PI / distance;
    (0..coordinates.rows())
        .map(|k| DARCY * ring * coordinates.row_height(k) * kr[k * coordinates.columns() + last])
        .collect()
}

/// Times of flight, from cell to cell down the potential: what enters a cell mixes in it.
fn trace(flow: &mut Steady, volume: &[f64], columns: usize, active: &dyn Fn(usize) -> bool) {
    let rows = volume.len() / columns;
    let mut order: Vec<usize> = (0..volume.len()).filter(|c| active(*c)).collect();
    order.sort_by(|a, b| flow.potential[*b].total_cmp(&flow.potential[*a]).then(a.cmp(b)));
    for c in order {
        let (k, i) = (c / columns, c % columns);
        let mut leaving = flow.radial[c].max(0.0) + flow.vertical[c].max(0.0);
        let mut carried = 0.0;
        let mut enter = |from: usize, rate: f64| carried += rate * flow.time_of_flight[from];
        if i > 0 {
            enter(c - 1, flow.radial[c - 1].max(0.0));
            leaving += (-flow.radial[c - 1]).max(0.0);
        }
        if k > 0 {
            enter(c - columns, flow.vertical[c - columns].max(0.0));
            leaving += (-flow.vertical[c - columns]).max(0.0);
        }
        if i + 1 < columns {
            enter(c + 1, (-flow.radial[c]).max(0.0));
        }
        if k + 1 < rows {
            enter(c + columns, (-flow.vertical[c]).max(0.0));
        }
        flow.time_of_flight[c] = (volume[c] + carried) / leaving.max(f64::MIN_POSITIVE);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::data::Scalars;

    fn reservoir(rows: usize, columns: usize, kr: impl Fn(usize, usize) -> f64) -> (Coordinates, Sample) {
        let mut faces = vec![0.1];
        for i in 0..columns {
            faces.push(faces[i] + 5.0 * libm::pow(1.3, i as f64));
        }
        let coordinates = Coordinates::new(faces, (0..=rows).map(|k| 4.0 * k as f64).collect(), vec![1.0]);
        let cells = rows * columns;
        let kr: Vec<f64> = (0..cells).map(|c| kr(c / columns, c % columns)).collect();
        let bottom = 4.0 * rows as f64;
        let scalars = Scalars { perforation_bottom: bottom, thickness: bottom, ..Scalars::default() };
        let sample = Sample {
            id: 0,
            scalars,
            curve: 1,
            field_kind: 0,
            kz: kr.iter().map(|k| 0.1 * k).collect(),
            porosity: vec![0.2; cells],
            active: vec![1; cells],
            kr,
        };
        (coordinates, sample)
    }

    #[test]
    fn homogeneous_flow_is_thiems_solution() {
        let (coordinates, sample) = reservoir(3, 20, |_, _| 50.0);
        let flow = steady(&coordinates, &sample).unwrap();
        let outer = coordinates.r_face[20];
        for (i, r) in coordinates.r.iter().enumerate() {
            // p = ln(R/r) / (2 pi k h); log-mean nodes make a two-point scheme nearly exact on such rings.
            let theory = libm::log(outer / r) / (2.0 * std::f64::consts::PI * DARCY * 50.0 * 12.0);
            for k in 0..3 {
                assert!((flow.potential[k * 20 + i] / theory - 1.0).abs() < 1e-10, "{i}");
                assert!((flow.radial[k * 20 + i] - 1.0 / 3.0).abs() < 1e-12);
                assert!(flow.vertical[k * 20 + i].abs() < 1e-12);
                // A piston: the pore volume inside the ring's outer face, over the rate.
                let face = coordinates.r_face[i + 1];
                let piston = 0.2 * 12.0 * std::f64::consts::PI * (face * face - 0.01);
                assert!((flow.time_of_flight[k * 20 + i] / piston - 1.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn what_enters_a_cell_leaves_it() {
        let vary = |k: usize, i: usize| libm::exp(3.0 + ((k * 37 + i * 17) % 11) as f64 * 0.3);
        let (coordinates, mut sample) = reservoir(6, 12, vary);
        sample.scalars.perforation_top = 8.0;
        sample.scalars.perforation_bottom = 16.0;
        for cell in &mut sample.active[5 * 12..] {
            *cell = 0;
        }
        let flow = steady(&coordinates, &sample).unwrap();
        let crossing = |i: usize| (0..6).map(|k| flow.radial[k * 12 + i]).sum::<f64>();
        for i in 0..12 {
            assert!((crossing(i) - 1.0).abs() < 1e-10, "ring {i} passes {}", crossing(i));
        }
        for (k, i) in (0..5).flat_map(|k| (1..12).map(move |i| (k, i))) {
            let c = k * 12 + i;
            let above = if k > 0 { flow.vertical[c - 12] } else { 0.0 };
            assert!((flow.radial[c - 1] + above - flow.radial[c] - flow.vertical[c]).abs() < 1e-11);
        }
        assert!(flow.potential[5 * 12..].iter().chain(&flow.time_of_flight[5 * 12..]).all(|v| *v == 0.0));
        // Mixing conserves pore volume: all that flows out took the whole volume over the rate.
        let out: f64 = (0..5).map(|k| flow.radial[k * 12 + 11] * flow.time_of_flight[k * 12 + 11]).sum();
        let pores: f64 = (0..60).map(|c| 0.2 * coordinates.ring_area(c % 12) * 4.0).sum();
        assert!((out / pores - 1.0).abs() < 1e-9, "{out} {pores}");
    }

    #[test]
    fn a_well_outside_the_formation_is_an_error() {
        let (coordinates, mut sample) = reservoir(3, 8, |_, _| 50.0);
        sample.active.fill(0);
        assert_eq!(steady(&coordinates, &sample), Err(SteadyError::NoWell));
    }
}
