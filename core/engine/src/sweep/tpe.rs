//! The tree-structured Parzen estimator (Bergstra, Bardenet, Bengio, Kégl 2011, "Algorithms for hyper-parameter
//! optimization"), in its multivariate form (Falkner, Klein, Hutter 2018, "BOHB"): two densities over the whole
//! space, `l` of the best trials so far and `g` of the others; of a few points drawn from `l` the one with the
//! largest `l / g` is suggested, which is the one with the largest expected improvement.
//!
//! Everything happens in the unit cube. A density is a mixture: uniform, and one product kernel for each trial,
//! all of one weight. Along a numeric axis the kernel is a normal distribution truncated to the cube; along a
//! categorical one it favours the trial's own choice.

use std::f64::consts::{PI, SQRT_2};

use super::stream::Stream;

/// What a coordinate of a point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    /// Near values are alike.
    Numeric,
    /// One of so many choices, each a cell of equal width.
    Choice(usize),
}

/// The best part of the trials that makes up `l`.
const BEST: f64 = 0.15;

/// How many points are drawn and compared.
const CANDIDATES: usize = 32;

/// The width of a kernel of one trial in one dimension; it shrinks with the number of trials by Scott's rule.
const WIDTH: f64 = 0.2;

/// The next point to try. `told` are points with what came out, where smaller is better; points that failed, or
/// are being tried, have no value and count as bad. `snap` moves a point to the nearest one that can be tried.
pub(super) fn suggest(
    axes: &[Axis],
    told: &[(Vec<f64>, Option<f64>)],
    snap: impl Fn(&mut Vec<f64>),
    stream: &mut Stream,
) -> Vec<f64> {
    let mut valued: Vec<(f64, usize)> =
        told.iter().enumerate().filter_map(|(at, (_, value))| Some(((*value)?, at))).collect();
    // Of equal ones the earlier.
    valued.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let best = (BEST * valued.len() as f64).ceil() as usize;
    let best: Vec<usize> = valued[..best].iter().map(|(_, at)| *at).collect();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (at, (point, _)) in told.iter().enumerate() {
        if best.contains(&at) { good.push(point.as_slice()) } else { bad.push(point.as_slice()) }
    }
    let (good, bad) = (Density::new(axes, good), Density::new(axes, bad));
    let mut found: Option<(bool, f64, Vec<f64>)> = None;
    for _ in 0..CANDIDATES {
        let mut point = good.draw(stream);
        snap(&mut point);
        let score = good.log(&point) - bad.log(&point);
        // What has been tried brings nothing new.
        let new = told.iter().all(|(known, _)| *known != point);
        if found.as_ref().is_none_or(|(was, best, _)| (new, score) > (*was, *best)) {
            found = Some((new, score, point));
        }
    }
    found.map(|(_, _, point)| point).unwrap_or_default()
}

/// A density over the unit cube.
struct Density<'a> {
    axes: &'a [Axis],
    points: Vec<&'a [f64]>,
    width: f64,
}

impl<'a> Density<'a> {
    fn new(axes: &'a [Axis], points: Vec<&'a [f64]>) -> Self {
        let count = points.len().max(1) as f64;
        let scott = WIDTH * libm::pow(count, -1.0 / (axes.len() as f64 + 4.0));
        // Few trials must not look like certainty.
        let width = scott.max(1.0 / (count + 1.0).min(100.0));
        Self { axes, points, width }
    }

    /// How much of a kernel on a choice goes to each choice beside its own one.
    fn spill(&self, choices: usize) -> (f64, f64) {
        let each = 1.0 / (self.points.len() as f64 + 1.0);
        let whole = 1.0 + each * choices as f64;
        ((1.0 + each) / whole, each / whole)
    }

    fn draw(&self, stream: &mut Stream) -> Vec<f64> {
        // The last of the components is the uniform one.
        let centre = self.points.get(stream.below(self.points.len() + 1));
        let draw = |(at, axis): (usize, &Axis)| match (axis, centre) {
            (_, None) => stream.unit(),
            (Axis::Numeric, Some(centre)) => loop {
                // Half of the kernel at least is inside.
                let value = centre[at] + self.width * stream.normal();
                if (0.0..1.0).contains(&value) {
                    break value;
                }
            },
            (Axis::Choice(count), Some(centre)) => {
                let (own, other) = self.spill(*count);
                if stream.unit() < own - other { centre[at] } else { stream.unit() }
            }
        };
        self.axes.iter().enumerate().map(draw).collect()
    }

    /// The logarithm of the density at a point.
    fn log(&self, point: &[f64]) -> f64 {
        let choices: f64 = self
            .axes
            .iter()
            .map(|axis| match axis {
                Axis::Numeric => 0.0,
                Axis::Choice(count) => -libm::log(*count as f64),
            })
            .sum();
        let logs: Vec<f64> =
            self.points.iter().map(|centre| self.kernel(centre, point)).chain([choices]).collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        largest + libm::log(logs.iter().map(|log| libm::exp(log - largest)).sum::<f64>() / logs.len() as f64)
    }

    fn kernel(&self, centre: &[f64], point: &[f64]) -> f64 {
        let along = |(at, axis): (usize, &Axis)| match axis {
            Axis::Numeric => {
                let z = (point[at] - centre[at]) / self.width;
                let inside =
                    cumulative((1.0 - centre[at]) / self.width) - cumulative(-centre[at] / self.width);
                -0.5 * z * z - libm::log(self.width * (2.0 * PI).sqrt() * inside)
            }
            Axis::Choice(count) => {
                let (own, other) = self.spill(*count);
                let cell = |value: f64| (value * *count as f64) as usize;
                libm::log(if cell(point[at]) == cell(centre[at]) { own } else { other })
            }
        };
        self.axes.iter().enumerate().map(along).sum()
    }
}

/// The cumulative standard normal distribution.
fn cumulative(z: f64) -> f64 {
    0.5 * (1.0 + libm::erf(z / SQRT_2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Branin's function of two variables, scaled to the unit square; its least value is 0.3979.
    fn branin(u: &[f64]) -> f64 {
        let (x, y) = (15.0 * u[0] - 5.0, 15.0 * u[1]);
        let bowl = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
        bowl * bowl + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * libm::cos(x) + 10.0
    }

    /// A choice of four, one of which is best, and two numbers of which one depends on the choice.
    fn mixed(u: &[f64]) -> f64 {
        let choice = (u[0] * 4.0) as usize;
        let best = 0.2 + 0.1 * choice as f64;
        [0.5, 0.0, 1.0, 0.3][choice] + 4.0 * (u[1] - 0.7) * (u[1] - 0.7) + 4.0 * (u[2] - best) * (u[2] - best)
    }

    /// The best value of so many trials, the first ten of which are random.
    fn search(axes: &[Axis], f: &dyn Fn(&[f64]) -> f64, trials: usize, seed: u64, guided: bool) -> f64 {
        let snap = |point: &mut Vec<f64>| {
            for (value, axis) in point.iter_mut().zip(axes) {
                if let Axis::Choice(count) = axis {
                    *value = ((*value * *count as f64).floor() + 0.5) / *count as f64;
                }
            }
        };
        let mut told: Vec<(Vec<f64>, Option<f64>)> = Vec::new();
        for trial in 0..trials {
            let mut stream = Stream::new(seed, if guided { "guided" } else { "random" }, trial);
            let point = if guided && trial >= 10 {
                suggest(axes, &told, snap, &mut stream)
            } else {
                axes.iter().map(|_| stream.unit()).collect()
            };
            let value = f(&point);
            told.push((point, Some(value)));
        }
        told.iter().filter_map(|(_, value)| *value).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn it_beats_random_search() {
        let numeric = [Axis::Numeric; 2];
        let one_choice = [Axis::Choice(4), Axis::Numeric, Axis::Numeric];
        type Function<'f> = &'f dyn Fn(&[f64]) -> f64;
        let cases: [(&[Axis], Function<'_>); 2] = [(&numeric, &branin), (&one_choice, &mixed)];
        const SEEDS: u64 = 31;
        for (axes, f) in cases {
            let mut best = [true, false]
                .map(|guided| (0..SEEDS).map(|seed| search(axes, f, 60, seed, guided)).collect::<Vec<f64>>());
            // A search that is no better than chance wins 23 of 31 pairs or more with probability 0.5 %.
            let wins = best[0].iter().zip(&best[1]).filter(|(guided, random)| guided < random).count();
            assert!(wins >= 23, "{wins} of {SEEDS}");
            let median = |values: &mut Vec<f64>| {
                values.sort_by(f64::total_cmp);
                values[values.len() / 2]
            };
            assert!(median(&mut best[0]) < median(&mut best[1]));
        }
    }

    #[test]
    fn a_density_integrates_to_one() {
        let axes = [Axis::Numeric, Axis::Choice(3)];
        let points = [[0.05, 0.5], [0.9, 0.2], [0.4, 0.5]];
        let density = Density::new(&axes, points.iter().map(<[f64; 2]>::as_slice).collect());
        const STEPS: usize = 2000;
        // The midpoint rule: its error is of second order, some 1e-6 here. A choice has the mass of its cell.
        let mass: f64 = (0..STEPS)
            .flat_map(|step| [1.0, 3.0, 5.0].map(|cell| [(step as f64 + 0.5) / STEPS as f64, cell / 6.0]))
            .map(|point| libm::exp(density.log(&point)) / STEPS as f64)
            .sum();
        assert!((mass - 1.0).abs() < 1e-5, "{mass}");
    }

    #[test]
    fn points_are_drawn_from_the_density() {
        let axes = [Axis::Numeric, Axis::Choice(3)];
        let points = [[0.05, 0.5], [0.4, 0.5]];
        let density = Density::new(&axes, points.iter().map(<[f64; 2]>::as_slice).collect());
        let mut stream = Stream::new(1, "draw", 0);
        const DRAWS: usize = 20_000;
        let draws: Vec<Vec<f64>> = (0..DRAWS).map(|_| density.draw(&mut stream)).collect();
        let share = |test: &dyn Fn(&Vec<f64>) -> bool| {
            draws.iter().filter(|draw| test(draw)).count() as f64 / DRAWS as f64
        };
        let mass = |test: &dyn Fn(&Vec<f64>) -> bool| {
            let grid = (0..1000)
                .flat_map(|step| [1.0, 3.0, 5.0].map(|cell| vec![(step as f64 + 0.5) / 1000.0, cell / 6.0]));
            grid.filter(|point| test(point)).map(|point| libm::exp(density.log(&point)) / 1000.0).sum::<f64>()
        };
        // Four standard deviations of a share of 20,000 draws are 0.014 at most.
        for test in [&|p: &Vec<f64>| p[0] < 0.3, &|p: &Vec<f64>| (p[1] * 3.0) as usize == 1]
            as [&dyn Fn(&Vec<f64>) -> bool; 2]
        {
            assert!((share(test) - mass(test)).abs() < 0.015, "{} {}", share(test), mass(test));
        }
    }

    #[test]
    fn failed_and_pending_trials_repel_and_tried_points_are_not_repeated() {
        let axes = [Axis::Choice(4)];
        let cell = |choice: usize| vec![(choice as f64 + 0.5) / 4.0];
        let snap = |point: &mut Vec<f64>| *point = cell((point[0] * 4.0) as usize);
        let told = [(cell(0), Some(1.0)), (cell(1), None), (cell(2), Some(2.0))];
        for seed in 0..20 {
            let mut stream = Stream::new(seed, "x", 0);
            assert_eq!(suggest(&axes, &told, snap, &mut stream), cell(3), "the only one that is left");
        }
    }
}
