//! A layered layout (Sugiyama, Tagawa and Toda, 1981): every box in a layer after all that lead to it, long
//! arrows through bends in the layers between, the order within layers chosen by the barycentre heuristic.

/// What takes a place in a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// A box.
    Box(usize),
    /// Where an arrow passes.
    Bend(usize),
}

/// Layers from left to right, each from top to bottom.
pub(super) type Layers = Vec<Vec<Slot>>;

/// How often the order within layers is improved; more changes nothing that one sees.
const SWEEPS: usize = 8;

/// Places boxes. `arrows` lead from earlier boxes to later ones and form no cycle.
pub(super) fn layers(count: usize, arrows: &[(usize, usize)]) -> Layers {
    let depth = depths(count, arrows);
    let mut layers: Layers = vec![Vec::new(); depth.iter().max().map_or(0, |deepest| deepest + 1)];
    for (number, layer) in depth.iter().enumerate() {
        layers[*layer].push(Slot::Box(number));
    }
    // Every piece of an arrow between neighbouring layers.
    let mut pieces: Vec<(Slot, Slot)> = Vec::new();
    for (number, &(from, to)) in arrows.iter().enumerate() {
        let mut last = Slot::Box(from);
        for layer in &mut layers[depth[from] + 1..depth[to]] {
            layer.push(Slot::Bend(number));
            pieces.push((last, Slot::Bend(number)));
            last = Slot::Bend(number);
        }
        pieces.push((last, Slot::Box(to)));
    }
    for sweep in 0..SWEEPS {
        if sweep % 2 == 0 {
            for layer in 1..layers.len() {
                let (before, rest) = layers.split_at_mut(layer);
                order(&mut rest[0], &before[layer - 1], |slot| {
                    pieces.iter().filter(move |(_, to)| *to == slot).map(|(from, _)| *from)
                });
            }
        } else {
            for layer in (1..layers.len()).rev() {
                let (before, rest) = layers.split_at_mut(layer);
                order(&mut before[layer - 1], &rest[0], |slot| {
                    pieces.iter().filter(move |(from, _)| *from == slot).map(|(_, to)| *to)
                });
            }
        }
    }
    layers
}

/// The length of the longest way to each box.
fn depths(count: usize, arrows: &[(usize, usize)]) -> Vec<usize> {
    let mut depth = vec![0; count];
    // At most `count` rounds: a way visits no box twice.
    for _ in 0..count {
        let mut changed = false;
        for &(from, to) in arrows {
            if depth[to] < depth[from] + 1 {
                depth[to] = depth[from] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    depth
}

/// Sorts a layer by the mean place of each slot's neighbours in the layer beside it; slots without neighbours
/// keep their place.
fn order<I: Iterator<Item = Slot>>(layer: &mut Vec<Slot>, beside: &[Slot], neighbours: impl Fn(Slot) -> I) {
    let mut placed: Vec<(f64, Slot)> = layer
        .iter()
        .enumerate()
        .map(|(place, &slot)| {
            let places: Vec<usize> = neighbours(slot)
                .filter_map(|neighbour| beside.iter().position(|other| *other == neighbour))
                .collect();
            let scale = beside.len().max(1) as f64 / layer.len().max(1) as f64;
            let centre = match places.len() {
                0 => (place as f64 + 0.5) * scale,
                n => places.iter().map(|&place| place as f64 + 0.5).sum::<f64>() / n as f64,
            };
            (centre, slot)
        })
        .collect();
    placed.sort_by(|a, b| a.0.total_cmp(&b.0));
    *layer = placed.into_iter().map(|(_, slot)| slot).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_come_after_all_that_lead_to_them_and_long_arrows_bend() {
        let layers = layers(4, &[(0, 1), (1, 2), (0, 2), (0, 3)]);
        let sizes: Vec<usize> = layers.iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 3, 1]);
        assert_eq!(layers[2], [Slot::Box(2)]);
        assert!(layers[1].contains(&Slot::Bend(2)));
    }

    #[test]
    fn parallel_chains_do_not_cross() {
        // Written so that the second layer starts in the wrong order.
        let layers = layers(4, &[(0, 3), (1, 2)]);
        assert_eq!(layers, [vec![Slot::Box(0), Slot::Box(1)], vec![Slot::Box(3), Slot::Box(2)]]);
    }
}
