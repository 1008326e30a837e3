//! A layered layout (Sugiyama, Tagawa and Toda, 1981): every box in a layer after all that lead to it, long
//! arrows through bends in the layers between, the order within layers chosen by the barycentre heuristic. Arrows
//! from one box share their bends.

use std::collections::BTreeSet;
use std::fmt::Write;

/// How large things are drawn: widths and heights.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Of a box.
    pub(crate) item: (f64, f64),
    /// Of the room between layers, and between the boxes of a layer.
    pub(crate) gap: (f64, f64),
    /// Of the room around everything.
    pub(crate) margin: f64,
}

/// Where everything is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drawing {
    /// Width and height of all of it.
    pub(crate) size: (f64, f64),
    /// The upper left corner of each box.
    pub(crate) boxes: Vec<(f64, f64)>,
    /// The way of each arrow, as the data of an SVG path.
    pub(crate) paths: Vec<String>,
}

/// The boxes, each after those that lead to it; the order given where that leaves a choice. The stages of a loop lead
/// to each other in a circle: the first of them comes first.
pub(crate) fn sequence(count: usize, arrows: &[(usize, usize)]) -> Vec<usize> {
    let mut waiting = vec![0usize; count];
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); count];
    for &(from, to) in arrows.iter().filter(|(from, to)| from != to) {
        waiting[to] += 1;
        behind[from].push(to);
    }
    let mut left: BTreeSet<usize> = (0..count).collect();
    let mut ready: BTreeSet<usize> = (0..count).filter(|item| waiting[*item] == 0).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(item) = ready.pop_first().or_else(|| {
        // Those that wait only for each other: the first that something has led to, if there is one.
        let entered = |item: &&usize| {
            behind.iter().enumerate().any(|(from, to)| !left.contains(&from) && to.contains(item))
        };
        left.iter().find(entered).or_else(|| left.first()).copied()
    }) {
        left.remove(&item);
        order.push(item);
        for &later in behind[item].iter().filter(|later| left.contains(later)) {
            waiting[later] = waiting[later].saturating_sub(1);
            if waiting[later] == 0 {
                ready.insert(later);
            }
        }
    }
    order
}

/// Draws boxes in layers from left to right. `arrows` lead from earlier boxes to later ones; those that lead back are
/// drawn below.
pub(crate) fn draw(count: usize, arrows: &[(usize, usize)], sizes: &Sizes) -> Drawing {
    let Sizes { item, gap, margin } = *sizes;
    let step_x = item.0 + gap.0;
    let mut place = vec![0; count];
    sequence(count, arrows).into_iter().enumerate().for_each(|(at, number)| place[number] = at);
    let leads_on = |arrow: &(usize, usize)| place[arrow.0] < place[arrow.1];
    let onward: Vec<(usize, usize)> = arrows.iter().copied().filter(leads_on).collect();
    let layers = layers(count, &onward);
    // A bend is a line: it takes no room but the gap beside it.
    let tall = |slot: &Slot| if matches!(slot, Slot::Box(_)) { item.1 } else { 0.0 };
    let heights = layers.iter().map(|layer| layer.iter().map(|slot| tall(slot) + gap.1).sum::<f64>() - gap.1);
    let heights: Vec<f64> = heights.collect();
    let height = heights.iter().copied().fold(item.1, f64::max) + 2.0 * margin;
    let width = (layers.len().max(1) as f64) * step_x - gap.0 + 2.0 * margin;
    let mut boxes = vec![(0.0, 0.0); count];
    // Where the arrows from a box pass, layer by layer.
    let mut bends: Vec<Vec<(f64, f64)>> = vec![Vec::new(); count];
    for (number, layer) in layers.iter().enumerate() {
        let x = margin + number as f64 * step_x;
        let mut y = (height - heights[number]) / 2.0;
        for slot in layer {
            match *slot {
                Slot::Box(number) => boxes[number] = (x, y),
                Slot::Bend(from) => bends[from].push((x, y)),
            }
            y += tall(slot) + gap.1;
        }
    }
    let paths = arrows.iter().map(|&(from, to)| {
        let (start, end) = (boxes[from], boxes[to]);
        if !leads_on(&(from, to)) {
            let below = |at: (f64, f64)| (at.0 + item.0 / 2.0, at.1 + item.1);
            let ((x, y), (to_x, to_y)) = (below(start), below(end));
            let low = y.max(to_y) + gap.1 + margin;
            return format!("M{x:.1} {y:.1}C{x:.1} {low:.1} {to_x:.1} {low:.1} {to_x:.1} {to_y:.1}");
        }
        let mut at = (start.0 + item.0, start.1 + item.1 / 2.0);
        let mut path = format!("M{:.1} {:.1}", at.0, at.1);
        for &next in bends[from].iter().take_while(|bend| bend.0 < end.0) {
            curve(&mut path, at, next);
            // Straight through the layer, between its boxes.
            at = (next.0 + item.0, next.1);
            // Writing to a string cannot fail.
            let _ = write!(path, "H{:.1}", at.0);
        }
        curve(&mut path, at, (end.0, end.1 + item.1 / 2.0));
        path
    });
    let paths = paths.collect();
    Drawing { size: (width, height), boxes, paths }
}

fn curve(path: &mut String, from: (f64, f64), to: (f64, f64)) {
    let middle = (from.0 + to.0) / 2.0;
    let _ = write!(path, "C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}", from.1, to.1, to.0, to.1);
}

/// What takes a place in a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// A box.
    Box(usize),
    /// Where arrows from a box pass.
    Bend(usize),
}

/// Layers from left to right, each from top to bottom.
type Layers = Vec<Vec<Slot>>;

/// How often the order within layers is improved; more changes nothing that one sees.
const SWEEPS: usize = 8;

/// Gives every box a layer and a place in it.
fn layers(count: usize, arrows: &[(usize, usize)]) -> Layers {
    let depth = depths(count, arrows);
    let mut layers: Layers = vec![Vec::new(); depth.iter().max().map_or(0, |deepest| deepest + 1)];
    for (number, layer) in depth.iter().enumerate() {
        layers[*layer].push(Slot::Box(number));
    }
    // Every piece of an arrow between neighbouring layers.
    let mut pieces: Vec<(Slot, Slot)> = Vec::new();
    for &(from, to) in arrows {
        let bend = Slot::Bend(from);
        for (number, layer) in layers.iter_mut().enumerate().take(depth[to]).skip(depth[from] + 1) {
            if !layer.contains(&bend) {
                layer.push(bend);
                pieces.push((if number == depth[from] + 1 { Slot::Box(from) } else { bend }, bend));
            }
        }
        pieces.push((if depth[to] > depth[from] + 1 { bend } else { Slot::Box(from) }, Slot::Box(to)));
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
        assert!(layers[1].contains(&Slot::Bend(0)));
    }

    #[test]
    fn arrows_end_at_their_boxes_and_pass_between_others() {
        let sizes = Sizes { item: (100.0, 40.0), gap: (60.0, 20.0), margin: 10.0 };
        let drawing = draw(3, &[(0, 1), (1, 2), (0, 2)], &sizes);
        assert_eq!(drawing.size, (440.0, 80.0));
        assert_eq!(drawing.boxes[0], (10.0, 20.0));
        assert_eq!((drawing.boxes[1].0, drawing.boxes[2]), (170.0, (330.0, 20.0)));
        // The second layer has the box and the bend, one above the other.
        let (of_box, of_bend) = if drawing.boxes[1].1 == 10.0 { (30.0, 70.0) } else { (50.0, 10.0) };
        assert_eq!(drawing.paths[0], format!("M110.0 40.0C140.0 40.0 140.0 {of_box:.1} 170.0 {of_box:.1}"));
        assert_eq!(
            drawing.paths[2],
            format!(
                "M110.0 40.0C140.0 40.0 140.0 {of_bend:.1} 170.0 {of_bend:.1}H270.0C300.0 {of_bend:.1} 300.0 40.0 \
                 330.0 40.0"
            )
        );
    }

    #[test]
    fn arrows_from_one_box_share_their_bends() {
        let layers = layers(5, &[(0, 1), (1, 2), (2, 3), (3, 4), (0, 2), (0, 3), (0, 4)]);
        assert_eq!(layers.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 2, 2, 1]);
    }

    #[test]
    fn parallel_chains_do_not_cross() {
        // Written so that the second layer starts in the wrong order.
        let layers = layers(4, &[(0, 3), (1, 2)]);
        assert_eq!(layers, [vec![Slot::Box(0), Slot::Box(1)], vec![Slot::Box(3), Slot::Box(2)]]);
    }
}
