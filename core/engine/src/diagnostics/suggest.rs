//! "Did you mean".

/// The candidate that a misspelt word most likely stands for, if any is near enough.
#[must_use]
pub fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let folded = fold(word);
    let limit = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let target = fold(candidate);
            let distance = distance(&folded, &target, limit);
            // `sample` for `samples_per_well`, `solution` for `solutions`: a beginning is a good hint too.
            let prefix = folded.len() >= 3 && (target.starts_with(&folded) || folded.starts_with(&target));
            match distance {
                Some(distance) => Some((distance, candidate)),
                None if prefix && target.len() >= 3 => Some((limit + 1, candidate)),
                None => None,
            }
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A sentence that suggests the nearest candidate, or lists them all where there are few.
pub(crate) fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
    what: &str,
) -> Option<String> {
    const FEW: usize = 12;
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match closest(word, candidates.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if candidates.is_empty() => None,
        None if candidates.len() <= FEW => Some(format!("{what}: {}", list(&candidates))),
        None => Some(format!("{what}: {}, …", list(&candidates[..FEW]))),
    }
}

/// Names in backquotes, separated by commas.
pub(crate) fn list<S: AsRef<str>>(names: &[S]) -> String {
    names.iter().map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(", ")
}

fn fold(word: &str) -> Vec<char> {
    word.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Optimal string alignment distance (insertions, deletions, substitutions and swaps of neighbours), if it is
/// at most `limit`.
fn distance(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substituted = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substituted.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|distance| *distance <= limit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let names = ["epochs", "batch_size", "learning_rate"];
        assert_eq!(closest("epoch", names), Some("epochs"));
        assert_eq!(closest("eopchs", names), Some("epochs"));
        assert_eq!(closest("batchSize", names), Some("batch_size"));
        assert_eq!(closest("learning", names), Some("learning_rate"));
        assert_eq!(closest("lr", names), None);
        assert_eq!(closest("colour", names), None);
    }

    #[test]
    fn a_swap_of_neighbours_is_one_mistake() {
        let chars = |s: &str| s.chars().collect::<Vec<_>>();
        assert_eq!(distance(&chars("ab"), &chars("ba"), 3), Some(1));
        assert_eq!(distance(&chars("kitten"), &chars("sitting"), 3), Some(3));
        assert_eq!(distance(&chars("kitten"), &chars("sitting"), 2), None);
    }
}
