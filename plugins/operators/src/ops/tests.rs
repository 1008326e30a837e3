#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::relative_l2;
use crate::fno::{Fno, FnoConfig};
use crate::kernels::Isa;
use crate::loss::{LossPlan, inverse_spacing};
use crate::optim::{Adam, AdamConfig};

fn field(rng: &mut StdRng, shape: [usize; 4], device: &Device) -> Tensor<4> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn small() -> FnoConfig {
    FnoConfig {
        n_modes: vec![4, 4],
        hidden_channels: 6,
        n_layers: 3,
        projection_channel_ratio: 2,
        domain_padding: vec![0.25, 0.5],
        ..FnoConfig::default()
    }
}

fn loss_plan(samples: usize, size: [usize; 2]) -> Arc<LossPlan> {
    let coordinates: Vec<f64> = (0..size[1]).map(|j| 1.1f64.powi(j as i32)).collect();
    Arc::new(LossPlan {
        isa: Isa::detect(),
        mask: Arc::new(vec![1; samples * size[0] * size[1]]),
        size,
        inverse_spacing: Arc::new(inverse_spacing(&coordinates)),
        derivative_weight: 0.5,
        lower_bound: None,
    })
}

/// The parameter counts of the original FNO-2D (modes 12 x 12, width 32).
#[test]
fn the_classic_network_has_the_published_number_of_parameters() {
    let config = FnoConfig { domain_padding: vec![0.0, 0.0], ..FnoConfig::default() };
    let device = Device::flex();
    let model = Fno::new(&config, [64, 64], 3, 1, 0, &device).unwrap();
    assert_eq!(model.num_params(), 2_368_001);
    // Complex weights counted once.
    assert_eq!(model.num_params() - 4 * 12 * 24 * 32 * 32, 1_188_353);
}

/// Gradients through the whole network against central differences of the loss.
#[test]
fn the_gradient_of_the_network_matches_central_differences() {
    let device = Device::flex().autodiff();
    let mut rng = StdRng::seed_from_u64(4);
    let (samples, size) = (2, [6, 8]);
    let model = Fno::new(&small(), size, 3, 2, 1, &device).unwrap();
    let x = field(&mut rng, [samples, 6, 8, 3], &device);
    let y = field(&mut rng, [samples, 6, 8, 2], &device);
    let plan = loss_plan(samples, size);
    let loss = |model: &Fno| relative_l2(model.forward(x.clone(), None), y.clone(), plan.clone());
    let value = |model: &Fno| f64::from(loss(model).into_scalar::<f32>());
    let step = 1e-2;
    let moved = |step: f64| {
        let gradients = GradientsParams::from_grads(loss(&model).backward(), &model);
        let mut along = Along { gradients, step, norms: 0.0 };
        let value = value(&model.clone().map(&mut along));
        (value, along.norms)
    };
    let ((above, expected), (below, _)) = (moved(step), moved(-step));
    let found = (above - below) / (2.0 * step);
    // The second-order term of central differences is below a per mille here.
    assert!((found / expected - 1.0).abs() < 2e-3, "{found} {expected}");
}

/// Moves each parameter by `step` along its own gradient, normalised: to first order the loss
/// grows by `step` times the sum of the gradients' norms.
struct Along {
    gradients: GradientsParams,
    step: f64,
    norms: f64,
}

impl ModuleMapper for Along {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let gradient = self.gradients.remove::<D>(param.id).unwrap();
        let norm = f64::from(gradient.clone().powf_scalar(2.0).sum().into_scalar::<f32>()).sqrt();
        self.norms += norm;
        let (id, tensor, mapper) = param.consume();
        let value = Tensor::from_inner(tensor.inner() + gradient * (self.step / norm) as f32);
        Param::from_mapped_value(id, value.require_grad(), mapper)
    }
}

fn train(threads: usize, steps: usize) -> (Vec<f64>, Vec<f32>) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let device = Device::flex().autodiff();
        let mut rng = StdRng::seed_from_u64(9);
        let mut model = Fno::new(&small(), [6, 8], 3, 2, 1, &device).unwrap();
        let config =
            AdamConfig { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8, weight_decay: 1e-4, average: 0.9 };
        let mut adam = Adam::new(config, Isa::detect());
        let x = field(&mut rng, [4, 6, 8, 3], &device);
        let y = x.clone().narrow(3, 0, 2) * 2.0;
        let plan = loss_plan(4, [6, 8]);
        let mut losses = Vec::new();
        for _ in 0..steps {
            let loss = relative_l2(model.forward(x.clone(), None), y.clone(), plan.clone());
            losses.push(f64::from(loss.clone().into_scalar::<f32>()));
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = adam.step(5e-3, model, gradients);
        }
        let last = model.forward(x, None).into_data().try_into_vec::<f32>().unwrap();
        (losses, last)
    })
}

#[test]
fn training_lowers_the_loss_and_has_the_same_bits_at_any_number_of_threads() {
    let (losses, one) = train(1, 60);
    assert!(losses[59] < 0.2 * losses[0], "{losses:?}");
    for threads in [2, 3] {
        let (other_losses, other) = train(threads, 60);
        assert_eq!(losses, other_losses);
        assert_eq!(one, other);
    }
}
