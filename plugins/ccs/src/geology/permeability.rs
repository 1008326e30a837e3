//! Maps of ln k with zero mean and unit variance, before they are scaled.

use rand_chacha::ChaCha8Rng;

use super::FieldKind;
use super::field::{Covariance, Lattice, pair};
use super::normal::{deviate, quantile, uniform};

/// Where a map is wanted: nodes of the rings (m) and depths of the active rows' centres (m).
pub(super) struct Places<'a> {
    pub(super) radii: &'a [f64],
    pub(super) depths: &'a [f64],
    pub(super) row_height: f64,
}

/// How it varies.
pub(super) struct Texture {
    pub(super) kind: FieldKind,
    /// Correlation lengths down and across, m.
    pub(super) lengths: (f64, f64),
    pub(super) hurst: f64,
}

/// Radius, in m, up to which fields vary. Rings beyond reuse the last column: they are so large that a value
/// at their node stands for nothing, and few plumes reach them.
const PATCH: f64 = 8192.0;

/// Radial spacing of the fine lattice, m.
const FINE_RADIAL: f64 = 16.0;

/// A map of shape (depths, radii), row-major.
pub(super) fn map(texture: &Texture, places: &Places<'_>, rng: &mut ChaCha8Rng) -> Vec<f64> {
    match texture.kind {
        FieldKind::LogGaussian => gaussian(Covariance::Gaussian, texture, places, rng),
        FieldKind::VonKarman => gaussian(Covariance::VonKarman { nu: texture.hurst }, texture, places, rng),
        FieldKind::Layered => layered(texture, places, rng),
        FieldKind::Discontinuous => discontinuous(texture, places, rng),
    }
}

/// A Gaussian random field on the fine lattice, taken at the places' nearest points.
fn gaussian(
    covariance: Covariance,
    texture: &Texture,
    places: &Places<'_>,
    rng: &mut ChaCha8Rng,
) -> Vec<f64> {
    // Two lattice rows to a grid row: centres fall on lattice points.
    let spacing = (0.5 * places.row_height, FINE_RADIAL);
    let height = places.row_height * places.depths.len() as f64;
    let lattice = Lattice::covering((height, PATCH), spacing);
    let (field, _) = pair(&lattice, covariance, texture.lengths, rng);
    let nearest = |x: f64, step: f64| (x / step).round() as usize;
    let last = nearest(PATCH, FINE_RADIAL);
    let columns: Vec<usize> = places.radii.iter().map(|r| nearest(*r, FINE_RADIAL).min(last)).collect();
    places
        .depths
        .iter()
        .map(|z| nearest(*z, spacing.0) * lattice.points.1)
        .flat_map(|row| columns.iter().map(move |column| row + column))
        .map(|point| field[point])
        .collect()
}

/// Layers as thick as the vertical correlation length, the first one cut at a random depth.
fn layered(texture: &Texture, places: &Places<'_>, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let offset = uniform(rng);
    let layer_of = |z: f64| (z / texture.lengths.0 + offset) as usize;
    let count = places.depths.iter().map(|z| layer_of(*z) + 1).max().unwrap_or(0);
    let layers: Vec<f64> = (0..count).map(|_| deviate(rng)).collect();
    places.depths.iter().flat_map(|z| std::iter::repeat_n(layers[layer_of(*z)], places.radii.len())).collect()
}

/// Facies: a smooth Gaussian random field cut at equally probable levels; their values are equally spaced with
/// zero mean and unit variance, in random order.
fn discontinuous(texture: &Texture, places: &Places<'_>, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let count = 2 + (4.0 * uniform(rng)) as usize;
    let mut values: Vec<f64> = (0..count).map(|j| j as f64 - 0.5 * (count as f64 - 1.0)).collect();
    let scale = ((count * count - 1) as f64 / 12.0).sqrt();
    for j in (1..count).rev() {
        values.swap(j, (uniform(rng) * (j + 1) as f64) as usize);
    }
    let cuts: Vec<f64> = (1..count).map(|j| quantile(j as f64 / count as f64)).collect();
    let field = gaussian(Covariance::Gaussian, texture, places, rng);
    field.into_iter().map(|x| values[cuts.iter().filter(|cut| x > **cut).count()] / scale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    /// Mean, variance and normalised covariance with the neighbour `lag` (rows, columns) away over many maps.
    fn statistics(kind: FieldKind, lag: (usize, usize), maps: usize) -> (f64, f64, f64) {
        let radii: Vec<f64> = (0..40).map(|i| 160.0 * f64::from(i) + 100.0).collect();
        let depths: Vec<f64> = (0..16).map(|k| 4.0 * f64::from(k) + 2.0).collect();
        let places = Places { radii: &radii, depths: &depths, row_height: 4.0 };
        let texture = Texture { kind, lengths: (8.0, 640.0), hurst: 0.5 };
        let (mut mean, mut square, mut product, mut n, mut pairs) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for seed in 0..maps {
            let mut rng = ChaCha8Rng::from_seed([seed as u8; 32]);
            let map = map(&texture, &places, &mut rng);
            assert_eq!(map.len(), radii.len() * depths.len());
            for (k, i) in (0..depths.len()).flat_map(|k| (0..radii.len()).map(move |i| (k, i))) {
                let value = map[k * radii.len() + i];
                (mean, square, n) = (mean + value, square + value * value, n + 1.0);
                if k + lag.0 < depths.len() && i + lag.1 < radii.len() {
                    product += value * map[(k + lag.0) * radii.len() + i + lag.1];
                    pairs += 1.0;
                }
            }
        }
        (mean / n, square / n, product / pairs)
    }

    #[test]
    fn maps_are_standardised_and_correlated_as_their_texture_says() {
        // 40 maps of about 8 x 10 correlation lengths (8 layers): some 3000 (320) independent values, so standard
        // errors of 0.018 (0.056) on the mean and 0.026 (0.08) on the variance; four of each are allowed.
        for kind in
            [FieldKind::LogGaussian, FieldKind::VonKarman, FieldKind::Layered, FieldKind::Discontinuous]
        {
            let (mean, variance, down) = statistics(kind, (2, 0), 40);
            let (.., across) = statistics(kind, (0, 4), 40);
            let slack = if kind == FieldKind::Layered { 3.0 } else { 1.0 };
            assert!(mean.abs() < 0.075 * slack, "{kind:?} mean {mean}");
            assert!((variance - 1.0).abs() < 0.11 * slack, "{kind:?} variance {variance}");
            // One correlation length away down, one across: exp(-1) for both covariances with a Gaussian or
            // exponential shape; layers of one correlation length forget all downwards, nothing across.
            match kind {
                FieldKind::LogGaussian | FieldKind::VonKarman => {
                    assert!((down - 0.368).abs() < 0.1, "{kind:?} down {down}");
                    assert!((across - 0.368).abs() < 0.1, "{kind:?} across {across}");
                }
                FieldKind::Layered => {
                    assert!(down.abs() < 0.3 && (across - variance).abs() < 1e-2, "{down} {across}");
                }
                FieldKind::Discontinuous => assert!((0.05..0.5).contains(&across), "{across}"),
            }
        }
    }

    #[test]
    fn facies_take_few_values() {
        let radii: Vec<f64> = (0..60).map(|i| 50.0 * f64::from(i)).collect();
        let depths: Vec<f64> = (0..32).map(|k| 2.0 * f64::from(k) + 1.0).collect();
        let places = Places { radii: &radii, depths: &depths, row_height: 2.0 };
        let texture = Texture { kind: FieldKind::Discontinuous, lengths: (4.0, 400.0), hurst: 0.5 };
        for seed in 0..8 {
            let mut values = map(&texture, &places, &mut ChaCha8Rng::from_seed([seed; 32]));
            values.sort_by(f64::total_cmp);
            values.dedup();
            assert!((2..=5).contains(&values.len()), "{values:?}");
        }
    }

    #[test]
    fn rings_beyond_the_patch_repeat_its_edge() {
        let places =
            Places { radii: &[100.0, 8192.0, 20_000.0, 90_000.0], depths: &[1.0, 3.0], row_height: 2.0 };
        let texture = Texture { kind: FieldKind::VonKarman, lengths: (4.0, 400.0), hurst: 0.3 };
        let map = map(&texture, &places, &mut ChaCha8Rng::from_seed([1; 32]));
        assert_eq!(map[1..4], [map[1]; 3]);
        assert_ne!(map[0], map[1]);
    }
}
