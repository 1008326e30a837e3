//! The operations on burn's CPU backend.

use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::TensorData;

use super::{BlockPlan, OperatorAdjoints, OperatorOps, PointwisePlan};
use crate::kernels::block::{self, BlockGradients, BlockWeights};
use crate::kernels::pointwise::{self, HeadGradients, HeadWeights};
use crate::kernels::{give_buffer, take_buffer};
use crate::loss::LossPlan;

/// The tensor's numbers in order.
fn values(tensor: &FlexTensor) -> std::borrow::Cow<'_, [f32]> {
    match tensor.as_slice::<f32>() {
        Some(values) => values.into(),
        None => tensor.to_contiguous().storage::<f32>().to_vec().into(),
    }
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn shape<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    let shape = tensor.layout().shape();
    std::array::from_fn(|i| shape[i])
}

/// Keeps the tensor's memory for later operations, if nobody else has it.
fn recycle(tensor: FlexTensor) {
    if tensor.is_unique()
        && let Ok(buffer) = tensor.into_data().try_into_vec::<f32>()
    {
        give_buffer(buffer);
    }
}

/// A buffer for a gradient of the shape of `tensor`.
fn like(tensor: &FlexTensor) -> Vec<f32> {
    take_buffer(tensor.layout().num_elements())
}

impl OperatorOps for Flex {
    fn operator_lift(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, plan: PointwisePlan) -> FlexTensor {
        let [samples, ..] = shape::<4>(&x);
        let [_, channels] = shape::<2>(&weight);
        let mut y = take_buffer(samples * plan.window.padded() * channels);
        pointwise::lift(plan.isa, plan.window, &values(&x), &values(&weight), &values(&bias), &mut y);
        let [rows, columns] = plan.window.grid;
        tensor(y, [samples, rows, columns, channels])
    }

    fn operator_block(
        x: FlexTensor,
        spectral: FlexTensor,
        linear: FlexTensor,
        bias: FlexTensor,
        plan: BlockPlan,
    ) -> FlexTensor {
        let transform = &*plan.transform;
        let dims = shape::<4>(&x);
        let mut y = like(&x);
        let mut spectrum = take_buffer(dims[0] * transform.spectrum());
        let weights =
            BlockWeights { spectral: &values(&spectral), linear: &values(&linear), bias: &values(&bias) };
        block::forward(transform, weights, &values(&x), plan.gelu, &mut y, &mut spectrum, None);
        give_buffer(spectrum);
        recycle(x);
        tensor(y, dims)
    }

    fn operator_head(
        x: FlexTensor,
        first: FlexTensor,
        first_bias: FlexTensor,
        second: FlexTensor,
        second_bias: FlexTensor,
        plan: PointwisePlan,
    ) -> FlexTensor {
        let [samples, ..] = shape::<4>(&x);
        let [out] = shape::<1>(&second_bias);
        let mut y = take_buffer(samples * plan.window.cells() * out);
        let weights = HeadWeights {
            first: &values(&first),
            first_bias: &values(&first_bias),
            second: &values(&second),
            second_bias: &values(&second_bias),
        };
        let mask = plan.mask.as_deref().map(Vec::as_slice);
        pointwise::head(plan.isa, plan.window, weights, &values(&x), mask, &mut y);
        recycle(x);
        let [rows, columns] = plan.window.size;
        tensor(y, [samples, rows, columns, out])
    }

    fn operator_relative_l2(prediction: FlexTensor, target: FlexTensor, plan: Arc<LossPlan>) -> FlexTensor {
        let loss = plan.evaluate(&values(&prediction), &values(&target), None);
        tensor(vec![loss], [1])
    }
}

impl OperatorAdjoints for Flex {
    fn lift_adjoint(
        x: FlexTensor,
        weight: FlexTensor,
        dy: FlexTensor,
        plan: PointwisePlan,
    ) -> [FlexTensor; 2] {
        let [channels, out] = shape::<2>(&weight);
        let (mut dweight, mut dbias) = (like(&weight), take_buffer(out));
        let (isa, window) = (plan.isa, plan.window);
        pointwise::lift_backward(isa, window, &values(&x), &values(&dy), &mut dweight, &mut dbias);
        recycle(dy);
        recycle(x);
        [tensor(dweight, [channels, out]), tensor(dbias, [out])]
    }

    fn block_saving(
        x: &FlexTensor,
        spectral: &FlexTensor,
        linear: &FlexTensor,
        bias: FlexTensor,
        plan: &BlockPlan,
    ) -> [FlexTensor; 3] {
        let transform = &*plan.transform;
        let dims = shape::<4>(x);
        let mut y = like(x);
        let mut spectrum = take_buffer(dims[0] * transform.spectrum());
        let mut derivative = if plan.gelu { like(x) } else { Vec::new() };
        let weights =
            BlockWeights { spectral: &values(spectral), linear: &values(linear), bias: &values(&bias) };
        let saved = plan.gelu.then_some(derivative.as_mut_slice());
        block::forward(transform, weights, &values(x), plan.gelu, &mut y, &mut spectrum, saved);
        let (spectra, slopes) = (spectrum.len(), derivative.len());
        [tensor(y, dims), tensor(spectrum, [spectra]), tensor(derivative, [slopes])]
    }

    fn block_adjoint(
        [x, spectrum, derivative, spectral, linear]: [FlexTensor; 5],
        dy: FlexTensor,
        plan: BlockPlan,
    ) -> [FlexTensor; 4] {
        let [channels, _] = shape::<2>(&linear);
        let mut dx = like(&x);
        let (mut dspectral, mut dlinear) = (like(&spectral), like(&linear));
        let mut dbias = take_buffer(channels);
        let weights = BlockWeights { spectral: &values(&spectral), linear: &values(&linear), bias: &[] };
        let slopes = values(&derivative);
        block::backward(
            &plan.transform,
            weights,
            &values(&x),
            &values(&spectrum),
            plan.gelu.then_some(&*slopes),
            &values(&dy),
            &mut dx,
            BlockGradients { spectral: &mut dspectral, linear: &mut dlinear, bias: &mut dbias },
        );
        drop(slopes);
        let gradients = [
            tensor(dx, shape::<4>(&x)),
            tensor(dspectral, shape::<5>(&spectral)),
            tensor(dlinear, shape::<2>(&linear)),
            tensor(dbias, [channels]),
        ];
        for used in [dy, x, spectrum, derivative] {
            recycle(used);
        }
        gradients
    }

    fn head_adjoint(
        [x, first, first_bias, second, second_bias]: [FlexTensor; 5],
        dy: FlexTensor,
        plan: PointwisePlan,
    ) -> [FlexTensor; 5] {
        let mut dx = like(&x);
        let mut d = [like(&first), like(&first_bias), like(&second), like(&second_bias)];
        let [dfirst, dfirst_bias, dsecond, dsecond_bias] = &mut d;
        let weights = HeadWeights {
            first: &values(&first),
            first_bias: &values(&first_bias),
            second: &values(&second),
            second_bias: &values(&second_bias),
        };
        let gradients = HeadGradients {
            first: dfirst,
            first_bias: dfirst_bias,
            second: dsecond,
            second_bias: dsecond_bias,
        };
        let (isa, window) = (plan.isa, plan.window);
        pointwise::head_backward(isa, window, weights, &values(&x), &values(&dy), &mut dx, gradients);
        let dims = shape::<4>(&x);
        recycle(dy);
        recycle(x);
        let [dfirst, dfirst_bias, dsecond, dsecond_bias] = d;
        [
            tensor(dx, dims),
            tensor(dfirst, shape::<2>(&first)),
            tensor(dfirst_bias, shape::<1>(&first_bias)),
            tensor(dsecond, shape::<2>(&second)),
            tensor(dsecond_bias, shape::<1>(&second_bias)),
        ]
    }

    fn relative_l2_saving(prediction: FlexTensor, target: FlexTensor, plan: &LossPlan) -> [FlexTensor; 2] {
        let mut gradient = like(&prediction);
        let loss = plan.evaluate(&values(&prediction), &values(&target), Some(&mut gradient));
        let dims = shape::<4>(&prediction);
        recycle(prediction);
        recycle(target);
        [tensor(vec![loss], [1]), tensor(gradient, dims)]
    }

    fn scale_gradient(mut gradient: FlexTensor, dy: FlexTensor) -> FlexTensor {
        let factor = values(&dy).first().copied().unwrap_or(1.0);
        // The gradient of a loss with respect to itself.
        if factor != 1.0 {
            for value in gradient.storage_mut::<f32>() {
                *value *= factor;
            }
        }
        gradient
    }
}
