//! Adam with decoupled weight decay, fused over all parameters of a module.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use crate::kernels::simd::{Kernel, Simd, dispatch};
use crate::kernels::{Isa, give_buffer};

/// Constants of the method (Kingma and Ba 2015; Loshchilov and Hutter 2019).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConfig {
    /// Decay of the first moment.
    pub beta_1: f32,
    /// Decay of the second moment.
    pub beta_2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decoupled: each step takes `learning rate × decay` of the weights away.
    pub weight_decay: f32,
    /// Decay of the running average of the weights; 0 for none.
    pub average: f32,
}

/// Moments of one parameter, and the running average of its values (empty without one).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    /// First moment of the gradient.
    pub first: Vec<f32>,
    /// Second moment.
    pub second: Vec<f32>,
    /// Running average of the parameter.
    pub average: Vec<f32>,
}

/// Adam over the parameters of one module, told apart by their path.
///
/// Burn's own optimizer makes some ten passes over memory a parameter and as many temporaries;
/// with two million spectral weights and small batches that costs more than the network. This one
/// makes one pass, in place.
#[derive(Clone, Debug)]
pub struct Adam {
    config: AdamConfig,
    isa: Isa,
    /// Steps taken.
    pub steps: u64,
    /// By the parameter's path in the module.
    pub moments: BTreeMap<String, Moments>,
}

impl Adam {
    /// An optimizer that has taken no step.
    #[must_use]
    pub fn new(config: AdamConfig, isa: Isa) -> Self {
        Self { config, isa, steps: 0, moments: BTreeMap::new() }
    }

    /// Moves every parameter of `module` that has a gradient.
    #[must_use]
    pub fn step<M: Module>(&mut self, rate: f64, module: M, gradients: GradientsParams) -> M {
        self.steps += 1;
        module.map(&mut Step { rate, adam: self, gradients, path: Vec::new() })
    }

    /// The running average of the weights: with bias corrected, so that it is one of the values
    /// seen so far. Without one, `None`.
    #[must_use]
    pub fn average(&self, path: &str) -> Option<Vec<f32>> {
        let average = &self.moments.get(path)?.average;
        if average.is_empty() {
            return None;
        }
        let steps = i32::try_from(self.steps).unwrap_or(i32::MAX);
        let known = 1.0 - libm::pow(f64::from(self.config.average), f64::from(steps));
        Some(average.iter().map(|x| (f64::from(*x) / known) as f32).collect())
    }
}

struct Step<'a> {
    rate: f64,
    adam: &'a mut Adam,
    gradients: GradientsParams,
    path: Vec<String>,
}

impl ModuleMapper for Step<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else {
            return param;
        };
        let path = self.path.join(".");
        let (id, tensor, mapper) = param.consume();
        let inner = tensor.inner();
        let (device, dims) = (inner.device(), inner.dims());
        // Both are `f32` and, with no other owner left, come without a copy.
        let (Ok(mut values), Ok(gradient)) =
            (inner.into_data().try_into_vec::<f32>(), gradient.into_data().try_into_vec::<f32>())
        else {
            unreachable!("parameters and gradients of the CPU backend are f32");
        };
        self.adam.update(&path, self.rate, &mut values, &gradient);
        give_buffer(gradient);
        let inner = Tensor::from_data(TensorData::new(values, dims), &device);
        Param::from_mapped_value(id, Tensor::from_inner(inner).require_grad(), mapper)
    }
}

/// Parameters updated by one task.
const PIECE: usize = 1 << 14;

impl Adam {
    fn update(&mut self, path: &str, rate: f64, values: &mut [f32], gradient: &[f32]) {
        let config = self.config;
        if !self.moments.contains_key(path) {
            let zeros = || vec![0.0; values.len()];
            let average = if config.average > 0.0 { zeros() } else { Vec::new() };
            let moments = Moments { first: zeros(), second: zeros(), average };
            self.moments.insert(path.to_owned(), moments);
        }
        let Some(moments) = self.moments.get_mut(path) else { return };
        let steps = self.steps as f64;
        let corrected = |beta: f32| 1.0 - libm::pow(f64::from(beta), steps);
        let root = corrected(config.beta_2).sqrt();
        let update = Update {
            config,
            // p -= rate m̂ / (√v̂ + ε), the bias corrections taken into the constants.
            rate: (rate * root / corrected(config.beta_1)) as f32,
            epsilon: (f64::from(config.epsilon) * root) as f32,
            keep: (1.0 - rate * f64::from(config.weight_decay)) as f32,
        };
        let isa = self.isa;
        let pieces = values
            .par_chunks_mut(PIECE)
            .zip(gradient.par_chunks(PIECE))
            .zip(moments.first.par_chunks_mut(PIECE))
            .zip(moments.second.par_chunks_mut(PIECE));
        if moments.average.is_empty() {
            pieces.for_each(|(((p, g), m), v)| {
                dispatch(isa, Piece { update, p, g, m, v, average: &mut [] });
            });
        } else {
            pieces.zip(moments.average.par_chunks_mut(PIECE)).for_each(|((((p, g), m), v), average)| {
                dispatch(isa, Piece { update, p, g, m, v, average });
            });
        }
    }
}

#[derive(Clone, Copy)]
struct Update {
    config: AdamConfig,
    rate: f32,
    epsilon: f32,
    keep: f32,
}

struct Piece<'a> {
    update: Update,
    p: &'a mut [f32],
    g: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    average: &'a mut [f32],
}

impl Kernel for Piece<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { update, p, g, m, v, average } = self;
        let Update { config, rate, epsilon, keep } = update;
        let (new_1, new_2) = (1.0 - config.beta_1, 1.0 - config.beta_2);
        let one = |p: &mut f32, g: f32, m: &mut f32, v: &mut f32| {
            *m = config.beta_1 * *m + new_1 * g;
            *v = config.beta_2 * *v + new_2 * g * g;
            *p = keep * *p - rate * *m / (v.sqrt() + epsilon);
        };
        if average.is_empty() {
            for (((p, g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
                one(p, *g, m, v);
            }
        } else {
            let new = 1.0 - config.average;
            for ((((p, g), m), v), a) in p.iter_mut().zip(g).zip(m).zip(v).zip(average) {
                one(p, *g, m, v);
                *a = config.average * *a + new * *p;
            }
        }
    }
}
