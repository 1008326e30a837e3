//! The same reservoir on a coarser grid.

use crate::data::{Coordinates, Sample};

/// A reservoir with rings and rows merged, and how to get back to the fine grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Coarse {
    /// The coarse grid; it ends with the formation.
    pub coordinates: Coordinates,
    /// The reservoir on it.
    pub sample: Sample,
    /// Coarse cell of each fine cell, shape (z, r); `None` outside the formation.
    of: Vec<Option<usize>>,
}

/// Positions of fine faces that remain when groups of `factor` are merged, the last group being what is left.
fn kept(count: usize, factor: usize) -> Vec<usize> {
    let mut faces: Vec<usize> = (0..count).step_by(factor.max(1)).collect();
    faces.push(count);
    faces
}

impl Coarse {
    /// Merges groups of `rings` and of `rows` from the well outwards and the top down.
    ///
    /// Permeabilities are those of the group as a block: along the flow in series, across it side by side (radial flow
    /// through rings of `ln` thickness); porosity by volume. The formation is taken to fill its topmost rows.
    #[must_use]
    pub fn new(fine: &Coordinates, sample: &Sample, rings: usize, rows: usize) -> Self {
        let columns = fine.columns();
        let inside = (0..fine.rows()).filter(|k| sample.active[k * columns] != 0).count();
        let (faces_r, faces_z) = (kept(columns, rings), kept(inside, rows));
        let pick = |faces: &[usize], all: &[f64]| faces.iter().map(|f| all[*f]).collect::<Vec<f64>>();
        let coordinates =
            Coordinates::new(pick(&faces_r, &fine.r_face), pick(&faces_z, &fine.z_face), fine.time.clone());
        let (nr, nz) = (coordinates.columns(), coordinates.rows());
        let mut of = vec![None; fine.cells()];
        let (mut kr, mut kz, mut porosity) = (Vec::new(), Vec::new(), Vec::new());
        for (k, i) in (0..nz).flat_map(|k| (0..nr).map(move |i| (k, i))) {
            let (down, out) = (faces_z[k]..faces_z[k + 1], faces_r[i]..faces_r[i + 1]);
            let spread = |i: usize| libm::log(fine.r_face[i + 1] / fine.r_face[i]);
            let (height, breadth) = (coordinates.row_height(k), out.clone().map(spread).sum::<f64>());
            let area = coordinates.ring_area(i);
            let along: f64 = down
                .clone()
                .map(|row| {
                    let resistance: f64 = out.clone().map(|c| spread(c) / sample.kr[row * columns + c]).sum();
                    fine.row_height(row) * breadth / resistance
                })
                .sum();
            kr.push(along / height);
            let across: f64 = out
                .clone()
                .map(|c| {
                    let resistance: f64 =
                        down.clone().map(|row| fine.row_height(row) / sample.kz[row * columns + c]).sum();
                    fine.ring_area(c) * height / resistance
                })
                .sum();
            kz.push(across / area);
            let mut pores = 0.0;
            for (row, c) in down.flat_map(|row| out.clone().map(move |c| (row, c))) {
                of[row * columns + c] = Some(k * nr + i);
                pores += sample.porosity[row * columns + c] * fine.row_height(row) * fine.ring_area(c);
            }
            porosity.push(pores / (height * area));
        }
        let sample = Sample { kr, kz, porosity, active: vec![1; nr * nz], ..sample.clone() };
        Self { coordinates, sample, of }
    }

    /// A coarse field of shape (time, z, r) on the fine grid: each fine cell has its coarse cell's value, cells outside
    /// the formation 0.
    #[must_use]
    pub fn refine(&self, field: &[f32]) -> Vec<f32> {
        field
            .chunks(self.coordinates.cells())
            .flat_map(|time| self.of.iter().map(move |cell| cell.map_or(0.0, |cell| time[cell])))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Scalars;

    fn layered() -> (Coordinates, Sample) {
        let coordinates =
            Coordinates::new(vec![0.1, 1.0, 10.0, 100.0], (0..=4).map(f64::from).collect(), vec![1.0, 2.0]);
        let kr: Vec<f64> = [10.0, 20.0, 30.0, 0.0].iter().flat_map(|k| [*k; 3]).collect();
        let active: Vec<u8> = (0..12).map(|c| u8::from(c < 9)).collect();
        let scalars = Scalars { perforation_bottom: 3.0, ..Scalars::default() };
        let kz = kr.iter().map(|k| 0.5 * k).collect();
        let porosity = active.iter().map(|a| 0.2 * f64::from(*a)).collect();
        (coordinates, Sample { id: 1, scalars, curve: 1, field_kind: 2, kr, kz, porosity, active })
    }

    #[test]
    fn layers_merge_side_by_side_and_in_series() {
        let (fine, sample) = layered();
        let coarse = Coarse::new(&fine, &sample, 2, 2);
        assert_eq!(coarse.coordinates.r_face, [0.1, 10.0, 100.0]);
        assert_eq!(coarse.coordinates.z_face, [0.0, 2.0, 3.0]);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(coarse.sample.kr[0], 15.0) && close(coarse.sample.kr[2], 30.0));
        // Two rows of 5 and 10 mD one above the other: 2 / (1/5 + 1/10).
        assert!(close(coarse.sample.kz[0], 2.0 / 0.3) && close(coarse.sample.kz[3], 15.0));
        assert!(coarse.sample.porosity.iter().all(|p| close(*p, 0.2)));
    }

    #[test]
    fn a_coarse_field_comes_back_on_the_fine_grid() {
        let (fine, sample) = layered();
        let coarse = Coarse::new(&fine, &sample, 2, 2);
        let field = coarse.refine(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!(field[..12], [1.0, 1.0, 2.0, 1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 0.0, 0.0, 0.0]);
        assert_eq!(field[12], 5.0);
    }

    #[test]
    fn merging_nothing_changes_nothing() {
        let (fine, sample) = layered();
        let coarse = Coarse::new(&fine, &sample, 1, 1);
        assert!(coarse.sample.kr.iter().zip(&sample.kr).all(|(a, b)| (a - b).abs() < 1e-12));
        assert_eq!(coarse.coordinates.r_face, fine.r_face);
    }
}
