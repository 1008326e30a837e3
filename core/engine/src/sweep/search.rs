//! Which settings to try: grid, random, Latin hypercube, TPE. What is suggested depends on the seed, and for TPE
//! on what came out of earlier trials, but never on the machine or on which trial ended first.

use super::space::{Dimension, Unreadable};
use super::stream::Stream;
use super::tpe::{self, Axis};

/// How settings are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Every combination.
    Grid,
    /// Independent of each other.
    Random,
    /// Spread evenly along every dimension.
    Lhs,
    /// Near what was good so far: a tree-structured Parzen estimator.
    Tpe,
}

/// A place between 0 and 1 for every dimension.
pub(super) type Point = Vec<f64>;

/// TPE learns from this many trials before it guides any: a Latin hypercube.
const START: usize = 10;

/// More trials than this are refused.
const MOST: usize = 100_000;

/// What is to be tried.
#[derive(Clone, Debug)]
pub struct Search {
    space: Vec<Dimension>,
    method: Method,
    seed: u64,
    /// How many trials, added up; each part is a Latin hypercube of its own.
    parts: Vec<usize>,
    /// How many trials TPE suggests at a time.
    batch: usize,
}

impl Search {
    /// A search of so many trials: a sum, whose parts count only where each is a Latin hypercube. A grid takes
    /// none.
    ///
    /// # Errors
    /// When the dimensions do not make up a space, or the number of trials does not fit the method.
    pub fn new(
        space: Vec<Dimension>,
        method: Method,
        trials: &[usize],
        seed: u64,
        batch: usize,
    ) -> Result<Self, Unreadable> {
        let problem = |message: String, hint: &str| Err(Unreadable { message, hint: hint.to_owned() });
        if let Some((_, twice)) =
            space.iter().enumerate().find(|(at, d)| space[..*at].iter().any(|other| other.name == d.name))
        {
            return problem(format!("`{}` is varied twice", twice.name), "give all its values at once");
        }
        let parts = match (method, trials) {
            (Method::Grid, []) => {
                let counts = space.iter().map(Dimension::grid).collect::<Result<Vec<_>, _>>()?;
                vec![counts.iter().fold(1, |all: usize, count| all.saturating_mul(*count))]
            }
            (Method::Grid, _) => {
                return problem(
                    "a grid tries every combination".to_owned(),
                    "leave the number of trials out",
                );
            }
            (_, []) => return problem("how many trials?".to_owned(), "say so with `--trials`"),
            (_, parts) => parts.to_vec(),
        };
        let total = parts.iter().fold(0, |all: usize, part| all.saturating_add(*part));
        if total > MOST {
            return problem(format!("these are {total} trials"), "no more than 100000 can be tried at once");
        }
        Ok(Self { space, method, seed, parts, batch: batch.max(1) })
    }

    /// What is varied.
    #[must_use]
    pub fn space(&self) -> &[Dimension] {
        &self.space
    }

    /// How many trials there are.
    #[must_use]
    pub fn trials(&self) -> usize {
        self.parts.iter().sum()
    }

    /// The points to try next, given those that have been tried and what came out; smaller is better.
    pub(super) fn next(&self, told: &[(Point, Option<f64>)]) -> Vec<Point> {
        let (from, total) = (told.len(), self.trials());
        match self.method {
            Method::Grid => (from..total).map(|trial| self.grid(trial)).collect(),
            Method::Random => (from..total).map(|trial| self.random(trial)).collect(),
            Method::Lhs => {
                let parts = self.parts.iter().enumerate();
                parts.flat_map(|(part, count)| self.hypercube(*count, part)).skip(from).collect()
            }
            Method::Tpe if from < START => {
                self.hypercube(START, 0).into_iter().take(total).skip(from).collect()
            }
            Method::Tpe => self.guided(told, total),
        }
    }

    /// The setting of every dimension at a point.
    pub(super) fn settings(&self, point: &Point) -> Vec<String> {
        self.space.iter().zip(point).map(|(dimension, place)| dimension.value(*place)).collect()
    }

    fn snap(&self, point: &mut Point) {
        for (dimension, place) in self.space.iter().zip(point) {
            *place = dimension.snap(*place);
        }
    }

    /// The last dimension changes fastest, as in a matrix.
    fn grid(&self, trial: usize) -> Point {
        let mut rest = trial;
        let mut point: Point = self
            .space
            .iter()
            .rev()
            .map(|dimension| {
                let count = dimension.count().unwrap_or(1);
                let at = rest % count;
                rest /= count;
                (at as f64 + 0.5) / count as f64
            })
            .collect();
        point.reverse();
        point
    }

    fn random(&self, trial: usize) -> Point {
        let mut stream = Stream::new(self.seed, "random", trial);
        let mut point = self.space.iter().map(|_| stream.unit()).collect();
        self.snap(&mut point);
        point
    }

    /// Points of which one lies in each of `count` equal parts of every dimension (McKay, Beckman, Conover
    /// 1979).
    fn hypercube(&self, count: usize, part: usize) -> Vec<Point> {
        let mut stream = Stream::new(self.seed, &format!("hypercube of {count}"), part);
        let orders: Vec<Vec<usize>> = self.space.iter().map(|_| stream.order(count)).collect();
        let mut point = |trial: usize| {
            let mut point =
                orders.iter().map(|order| (order[trial] as f64 + stream.unit()) / count as f64).collect();
            self.snap(&mut point);
            point
        };
        (0..count).map(&mut point).collect()
    }

    /// A batch: those that are being tried count as bad meanwhile, which keeps the others away from them. Batches
    /// begin at fixed numbers, so that a longer search begins as a shorter one.
    fn guided(&self, told: &[(Point, Option<f64>)], total: usize) -> Vec<Point> {
        let axes: Vec<Axis> = self.space.iter().map(Dimension::axis).collect();
        let start = told.len() - (told.len() - START) % self.batch;
        let mut known: Vec<(Point, Option<f64>)> = told[..start].to_vec();
        let mut batch = Vec::new();
        for trial in start..(start + self.batch).min(total) {
            let mut stream = Stream::new(self.seed, "tpe", trial);
            let point = tpe::suggest(&axes, &known, |point| self.snap(point), &mut stream);
            known.push((point.clone(), None));
            batch.push(point);
        }
        batch.split_off((told.len() - start).min(batch.len()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn search(method: Method, trials: &[usize], batch: usize) -> Search {
        let space = ["x=0.0..1", "n=1..8", "k=a,b,c"].map(|text| Dimension::parse(text).unwrap());
        Search::new(space.to_vec(), method, trials, 7, batch).unwrap()
    }

    fn f(point: &Point) -> Option<f64> {
        // Some trials fail.
        (point[2] < 0.6 || point[0] > 0.5).then(|| (point[0] - 0.3).abs() + (point[1] - 0.6).abs())
    }

    /// All points of a search, and the sizes of its batches.
    fn points(search: &Search) -> (Vec<Point>, Vec<usize>) {
        let (mut told, mut sizes): (Vec<(Point, Option<f64>)>, Vec<usize>) = (Vec::new(), Vec::new());
        while told.len() < search.trials() {
            let batch = search.next(&told);
            sizes.push(batch.len());
            told.extend(batch.into_iter().map(|point| {
                let value = f(&point);
                (point, value)
            }));
        }
        (told.into_iter().map(|(point, _)| point).collect(), sizes)
    }

    #[test]
    fn a_longer_search_begins_as_a_shorter_one() {
        for method in [Method::Random, Method::Tpe] {
            // 16 ends in the middle of a batch.
            let (short, long) = (points(&search(method, &[16], 4)).0, points(&search(method, &[30], 4)).0);
            assert_eq!(short[..], long[..16], "{method:?}");
        }
        let (short, long) =
            (points(&search(Method::Lhs, &[16], 1)).0, points(&search(Method::Lhs, &[16, 14], 1)).0);
        assert_eq!(short[..], long[..16]);
    }

    #[test]
    fn batches_are_as_large_as_they_may_be() {
        assert_eq!(points(&search(Method::Random, &[30], 4)).1, [30]);
        assert_eq!(points(&search(Method::Lhs, &[8, 4], 4)).1, [12]);
        assert_eq!(points(&search(Method::Tpe, &[19], 4)).1, [10, 4, 4, 1]);
        assert_eq!(points(&search(Method::Tpe, &[4], 4)).1, [4]);
    }

    #[test]
    fn a_grid_is_every_combination_in_the_order_of_a_matrix() {
        let space = ["n=1..2", "k=a,b,c"].map(|text| Dimension::parse(text).unwrap());
        let search = Search::new(space.to_vec(), Method::Grid, &[], 0, 1).unwrap();
        let settings: Vec<String> =
            search.next(&[]).iter().map(|point| search.settings(point).concat()).collect();
        assert_eq!(settings, ["1a", "1b", "1c", "2a", "2b", "2c"]);
    }

    #[test]
    fn searches_that_make_no_sense_are_refused() {
        let dimension = |text: &str| Dimension::parse(text).unwrap();
        let new = |space: &[&str], method, trials: &[usize]| {
            let space = space.iter().map(|text| dimension(text)).collect();
            Search::new(space, method, trials, 0, 1)
                .map(|search| search.trials())
                .map_err(|error| error.message)
        };
        assert_eq!(new(&["a=1..3", "a=1,2"], Method::Random, &[3]).unwrap_err(), "`a` is varied twice");
        assert_eq!(new(&["a=1..3"], Method::Grid, &[3]).unwrap_err(), "a grid tries every combination");
        assert_eq!(new(&["a=1..3"], Method::Tpe, &[]).unwrap_err(), "how many trials?");
        assert_eq!(new(&["a=1..999", "b=1..999"], Method::Grid, &[]).unwrap_err(), "these are 998001 trials");
        assert_eq!(new(&["a=1..3"], Method::Lhs, &[3, 2]), Ok(5));
    }

    proptest! {
        #[test]
        fn a_latin_hypercube_hits_every_stratum_once(count in 1usize..60, dimensions in 1usize..5, seed in any::<u64>()) {
            let space: Vec<Dimension> =
                (0..dimensions).map(|d| Dimension::parse(&format!("x{d}=0.0..1")).unwrap()).collect();
            let search = Search::new(space, Method::Lhs, &[count], seed, 1).unwrap();
            let points = search.next(&[]);
            for dimension in 0..dimensions {
                let mut strata: Vec<usize> =
                    points.iter().map(|point| (point[dimension] * count as f64) as usize).collect();
                strata.sort_unstable();
                prop_assert_eq!(strata, (0..count).collect::<Vec<_>>());
            }
        }

        #[test]
        fn a_latin_hypercube_takes_every_choice_as_often(rounds in 1usize..6, seed in any::<u64>()) {
            let space = vec![Dimension::parse("k=a,b,c").unwrap()];
            let search = Search::new(space, Method::Lhs, &[3 * rounds], seed, 1).unwrap();
            for choice in ["a", "b", "c"] {
                let times = search.next(&[]).iter().filter(|point| search.settings(point) == [choice]).count();
                prop_assert_eq!(times, rounds);
            }
        }
    }
}
