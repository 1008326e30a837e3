//! Adam, with or without AMSGrad (Kingma and Ba 2015; Reddi et al. 2018).

/// The state of the optimiser.
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    beta2: f64,
    amsgrad: bool,
    steps: i32,
    mean: Vec<f64>,
    square: Vec<f64>,
    largest: Vec<f64>,
}

const BETA1: f64 = 0.9;
const EPSILON: f64 = 1e-8;

impl Adam {
    /// The state before the first step; `beta2` is what is left of the mean squares after a step.
    #[must_use]
    pub fn new(length: usize, beta2: f64, amsgrad: bool) -> Self {
        let largest = vec![0.0; if amsgrad { length } else { 0 }];
        Self { beta2, amsgrad, steps: 0, mean: vec![0.0; length], square: vec![0.0; length], largest }
    }

    /// One step down the gradient.
    pub fn step(&mut self, rate: f64, gradient: &[f64], x: &mut [f64]) {
        self.steps += 1;
        let first = 1.0 - BETA1.powi(self.steps);
        let second = (1.0 - self.beta2.powi(self.steps)).sqrt();
        let rate = rate / first;
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for (at, ((mean, square), (x, &g))) in moments.zip(x.iter_mut().zip(gradient)).enumerate() {
            *mean = BETA1 * *mean + (1.0 - BETA1) * g;
            *square = self.beta2 * *square + (1.0 - self.beta2) * g * g;
            let mut size = *square;
            if self.amsgrad {
                self.largest[at] = self.largest[at].max(size);
                size = self.largest[at];
            }
            *x -= rate * *mean / (size.sqrt() / second + EPSILON);
        }
    }

    /// Its numbers, for a checkpoint.
    #[must_use]
    pub fn numbers(&self) -> Vec<f64> {
        let mut all = vec![f64::from(self.steps)];
        all.extend(self.mean.iter().chain(&self.square).chain(&self.largest));
        all
    }

    /// Takes over numbers from a checkpoint; `None` if they are not as many as they were.
    #[must_use]
    pub fn restored(mut self, numbers: &[f64]) -> Option<Self> {
        let (&steps, rest) = numbers.split_first()?;
        self.steps = steps as i32;
        let n = self.mean.len();
        if rest.len() != 2 * n + self.largest.len() {
            return None;
        }
        self.mean.copy_from_slice(&rest[..n]);
        self.square.copy_from_slice(&rest[n..2 * n]);
        self.largest.copy_from_slice(&rest[2 * n..]);
        Some(self)
    }
}
