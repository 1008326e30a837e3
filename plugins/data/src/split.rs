//! Dividing samples into training, validation and test data.

use std::collections::BTreeMap;

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
    // Samples that stay together, in the order in which the parts take them.
    let groups: Vec<Vec<usize>> = match by {
        By::Chance(seed) => {
            let mut groups: Vec<Vec<usize>> = (0..samples).map(|place| vec![place]).collect();
            groups.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            groups
        }
        By::Group(variable, seed) => {
            let mut groups = equal(data, variable, dim)?;
            groups.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            groups
        }
        By::Order(variable) => equal(data, variable, dim)?,
    };
    let parts = share_out(samples, &groups, shares);
    for (part, share) in parts.iter().zip(shares) {
        if part.is_empty() && *share > 0.0 {
            let of = match by {
                By::Chance(_) => format!("{samples} places along `{dim}`"),
                By::Group(name, _) | By::Order(name) => {
                    format!("{} different values of `{name}`", groups.len())
                }
            };
            return Err(Error::data(format!("a share of {share} of {of} is nothing at all")));
        }
    }
    Ok(parts)
}

/// Places with equal values of a variable, by rising value. Values that are not finite are a group of their own at the
/// end.
fn equal(data: &Dataset, variable: &str, dim: &str) -> Result<Vec<Vec<usize>>> {
    let mut groups: BTreeMap<Sorted, Vec<usize>> = BTreeMap::new();
    for (place, value) in along(data, variable, dim)?.into_iter().enumerate() {
        groups.entry(Sorted(value + 0.0)).or_default().push(place);
    }
    Ok(groups.into_values().collect())
}

/// A number in the order of all of them. Adding zero makes the two zeros one.
#[derive(PartialEq)]
struct Sorted(f64);

impl Eq for Sorted {}

impl PartialOrd for Sorted {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sorted {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Gives groups to parts one after the other: to the next part when the first ones have their shares. A group that
/// lies across a boundary goes to the side on which more of it is.
fn share_out(samples: usize, groups: &[Vec<usize>], shares: &[f64]) -> Vec<Vec<usize>> {
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
        let single: Vec<Vec<usize>> = (0..10).map(|n| vec![n]).collect();
        let parts = share_out(10, &single, &[0.8, 0.1, 0.1]);
        assert_eq!(parts, [(0..8).collect(), vec![8], vec![9]]);
        let parts = share_out(10, &single, &[0.75, 0.0, 0.25]);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [8, 0, 2]);
        // Of three groups of four the middle one lies more in the first half or exactly on the boundary.
        let groups: Vec<Vec<usize>> = (0..3).map(|n| (n * 4..n * 4 + 4).collect()).collect();
        let parts = share_out(12, &groups, &[0.5, 0.5]);
        assert_eq!(parts, [(0..8).collect::<Vec<_>>(), (8..12).collect()]);
    }
}
