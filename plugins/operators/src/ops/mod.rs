//! The kernels as differentiable operations of burn.
//!
//! Three operations make a network: [`lift`], [`fourier_block`] and [`head`]; a fourth,
//! [`relative_l2`], is the loss and its gradient in one pass. Each keeps from its forward pass
//! exactly what its adjoint needs, and gives its buffers back for the next step.

mod autodiff;
mod flex;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

use crate::kernels::{Isa, SpectralPlan, Window};
use crate::loss::LossPlan;

/// What a pointwise operation needs to know beside its tensors.
#[derive(Clone, Debug)]
pub struct PointwisePlan {
    /// Instruction set.
    pub isa: Isa,
    /// Where the field lies in the padded grid.
    pub window: Window,
    /// Cells that matter, `[sample, row, column]`, 1 or 0; the head skips the rest.
    pub mask: Option<Arc<Vec<u8>>>,
}

/// What a Fourier block needs to know beside its tensors.
#[derive(Clone, Debug)]
pub struct BlockPlan {
    /// The transform.
    pub transform: Arc<SpectralPlan>,
    /// Whether a GELU follows.
    pub gelu: bool,
}

/// The operations, for every backend that has them.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait OperatorOps: Backend {
    fn operator_lift(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        plan: PointwisePlan,
    ) -> FloatTensor<Self>;

    fn operator_block(
        x: FloatTensor<Self>,
        spectral: FloatTensor<Self>,
        linear: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        plan: BlockPlan,
    ) -> FloatTensor<Self>;

    fn operator_head(
        x: FloatTensor<Self>,
        first: FloatTensor<Self>,
        first_bias: FloatTensor<Self>,
        second: FloatTensor<Self>,
        second_bias: FloatTensor<Self>,
        plan: PointwisePlan,
    ) -> FloatTensor<Self>;

    fn operator_relative_l2(
        prediction: FloatTensor<Self>,
        target: FloatTensor<Self>,
        plan: Arc<LossPlan>,
    ) -> FloatTensor<Self>;
}

/// What the adjoints are made of; implemented by backends without differentiation.
pub(crate) trait OperatorAdjoints: OperatorOps {
    /// Gradients of weight and bias.
    fn lift_adjoint(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        plan: PointwisePlan,
    ) -> [FloatTensor<Self>; 2];

    /// The block's value, the spectrum of `x`, and the activation's derivative (empty without one).
    fn block_saving(
        x: &FloatTensor<Self>,
        spectral: &FloatTensor<Self>,
        linear: &FloatTensor<Self>,
        bias: FloatTensor<Self>,
        plan: &BlockPlan,
    ) -> [FloatTensor<Self>; 3];

    /// Gradients of `x`, spectral weight, linear weight and bias.
    fn block_adjoint(
        saved: [FloatTensor<Self>; 5],
        dy: FloatTensor<Self>,
        plan: BlockPlan,
    ) -> [FloatTensor<Self>; 4];

    /// Gradients of `x` and of the four parameters.
    fn head_adjoint(
        saved: [FloatTensor<Self>; 5],
        dy: FloatTensor<Self>,
        plan: PointwisePlan,
    ) -> [FloatTensor<Self>; 5];

    /// The loss and its gradient.
    fn relative_l2_saving(
        prediction: FloatTensor<Self>,
        target: FloatTensor<Self>,
        plan: &LossPlan,
    ) -> [FloatTensor<Self>; 2];

    /// `gradient` times the single number in `dy`.
    fn scale_gradient(gradient: FloatTensor<Self>, dy: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// `y = x W + b` on the field, zero in the padding around it.
///
/// `x` `[sample, row, column, in]` is taken as constant; `weight` `[in, out]`, `bias` `[out]`.
#[must_use]
pub fn lift(x: Tensor<4>, weight: Tensor<2>, bias: Tensor<1>, plan: PointwisePlan) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as OperatorOps>::operator_lift(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        plan,
    ))
}

/// `y = act(F⁻¹ R F x + x W + b)`, F the discrete Fourier transform over rows and columns.
///
/// `x` `[sample, row, column, channel]`, `spectral` `[row mode, column mode, (re, im), in, out]`
/// with row modes from the lowest frequency up, `linear` `[in, out]`, `bias` `[out]`.
#[must_use]
pub fn fourier_block(
    x: Tensor<4>,
    spectral: Tensor<5>,
    linear: Tensor<2>,
    bias: Tensor<1>,
    plan: BlockPlan,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as OperatorOps>::operator_block(
        x.into_dispatch(),
        spectral.into_dispatch(),
        linear.into_dispatch(),
        bias.into_dispatch(),
        plan,
    ))
}

/// `y = GELU(x W1 + b1) W2 + b2` on the field inside the padded grid of `x`.
#[must_use]
pub fn head(
    x: Tensor<4>,
    [first, second]: [Tensor<2>; 2],
    [first_bias, second_bias]: [Tensor<1>; 2],
    plan: PointwisePlan,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as OperatorOps>::operator_head(
        x.into_dispatch(),
        first.into_dispatch(),
        first_bias.into_dispatch(),
        second.into_dispatch(),
        second_bias.into_dispatch(),
        plan,
    ))
}

/// The training loss of a batch, as a tensor of one number; see [`LossPlan`].
///
/// `target` is taken as constant.
#[must_use]
pub fn relative_l2(prediction: Tensor<4>, target: Tensor<4>, plan: Arc<LossPlan>) -> Tensor<1> {
    Tensor::from_dispatch(<Dispatch as OperatorOps>::operator_relative_l2(
        prediction.into_dispatch(),
        target.into_dispatch(),
        plan,
    ))
}
