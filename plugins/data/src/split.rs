//! Dividing samples into training, validation and test data.

use std::ops::Range;

use flow_plugin::artifact::Dataset;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::cut::length;
use crate::pieces::along;
use crate::{Error, Result};

/// What decides which sample comes into which part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum By<'a> {
    /// Chance, from a seed.
    Chance(u64),
    /// Chance, from a seed, and samples with equal values of a variable together.
    Group(&'a str, u64),
    /// The order of the values of a variable: the smallest come into the first part. Equal ones stay together.
    Order(&'a str),
}

/// Places along `dim` for each part, in rising order. Every place is in exactly one part; the parts have about the
/// given shares of all.
///
/// # Errors
/// When the dataset has no such dimension or variable, or a part with a share would be empty.
pub fn split(data: &Dataset, dim: &str, shares: &[f64], by: By<'_>) -> Result<Vec<Vec<usize>>> {
    let samples = length(data, dim)?;
    let random = ChaCha8Rng::seed_from_u64;
    // Samples may be many more than fit into memory with all that they consist of: a place is all that is held of each.
    let (groups, parts) = match by {
        By::Chance(seed) => {
            let mut places: Vec<usize> = (0..samples).collect();
            places.shuffle(&mut random(seed));
            (samples, share_out(samples, places.chunks(1), shares))
        }
        By::Group(variable, _) | By::Order(variable) => {
            let (places, mut groups) = equal(along(data, variable, dim)?);
            if let By::Group(_, seed) = by {
                groups.shuffle(&mut random(seed));
            }
            let groups_of_places = groups.iter().map(|group| &places[group.clone()]);
            (groups.len(), share_out(samples, groups_of_places, shares))
        }
    };
    for (part, share) in parts.iter().zip(shares) {
        if part.is_empty() && *share > 0.0 {
            let of = match by {
                By::Chance(_) => format!("{samples} places along `{dim}`"),
                By::Group(name, _) | By::Order(name) => {
                    format!("{groups} different values of `{name}`")
                }
            };
            return Err(Error::data(format!("a share of {share} of {of} is nothing at all")));
        }
    }
    Ok(parts)
}

/// Places by rising value, and which of these have equal values. Those that are not finite are at the end.
fn equal(mut values: Vec<f64>) -> (Vec<usize>, Vec<Range<usize>>) {
    // Adding zero makes the two zeros one.
    values.iter_mut().for_each(|value| *value += 0.0);
    let mut places: Vec<usize> = (0..values.len()).collect();
    places.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut groups = Vec::new();
    for group in places.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        let start = groups.last().map_or(0, |before: &Range<usize>| before.end);
        groups.push(start..start + group.len());
    }
    (places, groups)
}

/// Gives groups to parts one after the other: to the next part when the first ones have their shares. A group that
/// lies across a boundary goes to the side on which more of it is.
fn share_out<'a>(
    samples: usize,
    groups: impl Iterator<Item = &'a [usize]>,
    shares: &[f64],
) -> Vec<Vec<usize>> {
    let all: f64 = shares.iter().sum();
    let mut ends: Vec<f64> = Vec::with_capacity(shares.len());
    for share in shares {
        ends.push(ends.last().copied().unwrap_or(0.0) + share / all * samples as f64);
    }
    let mut parts = vec![Vec::new(); shares.len()];
    let mut given = 0;
    for group in groups {
        let middle = given as f64 + group.len() as f64 / 2.0;
        given += group.len();
        // Rounding may leave the last end a little below the number of samples.
        let last = shares.iter().rposition(|share| *share > 0.0).unwrap_or(0);
        let part = ends.iter().position(|end| middle <= end.round()).unwrap_or(last).min(last);
        parts[part].extend(group);
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_those_asked_for_and_groups_stay_whole() {
        let places: Vec<usize> = (0..12).collect();
        let parts = share_out(10, places[..10].chunks(1), &[0.8, 0.1, 0.1]);
        assert_eq!(parts, [(0..8).collect(), vec![8], vec![9]]);
        let parts = share_out(10, places[..10].chunks(1), &[0.75, 0.0, 0.25]);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [8, 0, 2]);
        // Of three groups of four the middle one lies more in the first half or exactly on the boundary.
        let parts = share_out(12, places.chunks(4), &[0.5, 0.5]);
        assert_eq!(parts, [(0..8).collect::<Vec<_>>(), (8..12).collect()]);
    }

    #[test]
    fn equal_values_are_a_group() {
        let (places, groups) = equal(vec![2.0, 0.0, f64::NAN, -1.0, -0.0, 2.0]);
        assert_eq!(places, [3, 1, 4, 0, 5, 2]);
        assert_eq!(groups, [0..1, 1..3, 3..5, 5..6]);
    }
}
