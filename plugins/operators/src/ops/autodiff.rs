//! The operations with gradients.

use std::sync::Arc;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend};

use super::{BlockPlan, OperatorAdjoints, OperatorOps, PointwisePlan};
use crate::loss::LossPlan;

#[derive(Debug)]
struct Lift;

impl<B: Backend + OperatorAdjoints> Backward<B, 2> for Lift {
    type State = (FloatTensor<B>, FloatTensor<B>, PointwisePlan);

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<B>(&ops.node);
        let (x, weight, plan) = ops.state;
        let values = B::lift_adjoint(x, weight, dy, plan);
        for (node, value) in ops.parents.into_iter().zip(values) {
            if let Some(node) = node {
                gradients.register::<B>(node.id, value);
            }
        }
    }
}

#[derive(Debug)]
struct Block;

impl<B: Backend + OperatorAdjoints> Backward<B, 4> for Block {
    type State = ([FloatTensor<B>; 5], BlockPlan);

    fn backward(self, ops: Ops<Self::State, 4>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<B>(&ops.node);
        let (saved, plan) = ops.state;
        let values = B::block_adjoint(saved, dy, plan);
        for (node, value) in ops.parents.into_iter().zip(values) {
            if let Some(node) = node {
                gradients.register::<B>(node.id, value);
            }
        }
    }
}

#[derive(Debug)]
struct Head;

impl<B: Backend + OperatorAdjoints> Backward<B, 5> for Head {
    type State = ([FloatTensor<B>; 5], PointwisePlan);

    fn backward(self, ops: Ops<Self::State, 5>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<B>(&ops.node);
        let (saved, plan) = ops.state;
        let values = B::head_adjoint(saved, dy, plan);
        for (node, value) in ops.parents.into_iter().zip(values) {
            if let Some(node) = node {
                gradients.register::<B>(node.id, value);
            }
        }
    }
}

#[derive(Debug)]
struct Loss;

impl<B: Backend + OperatorAdjoints> Backward<B, 1> for Loss {
    type State = FloatTensor<B>;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<B>(&ops.node);
        let value = B::scale_gradient(ops.state, dy);
        if let [Some(node)] = ops.parents {
            gradients.register::<B>(node.id, value);
        }
    }
}

impl<B: Backend + OperatorAdjoints, C: CheckpointStrategy> OperatorOps for Autodiff<B, C> {
    fn operator_lift(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        plan: PointwisePlan,
    ) -> FloatTensor<Self> {
        let nodes = [weight.node(), bias.node()];
        let (x, weight, bias) = (x.into_primitive(), weight.into_primitive(), bias.into_primitive());
        match Lift.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let y = B::operator_lift(x.clone(), weight.clone(), bias, plan.clone());
                prepared.finish((x, weight, plan), y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::operator_lift(x, weight, bias, plan)),
        }
    }

    fn operator_block(
        x: FloatTensor<Self>,
        spectral: FloatTensor<Self>,
        linear: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        plan: BlockPlan,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), spectral.node(), linear.node(), bias.node()];
        let (x, spectral) = (x.into_primitive(), spectral.into_primitive());
        let (linear, bias) = (linear.into_primitive(), bias.into_primitive());
        match Block.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let [y, spectrum, slopes] = B::block_saving(&x, &spectral, &linear, bias, &plan);
                prepared.finish(([x, spectrum, slopes, spectral, linear], plan), y)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(B::operator_block(x, spectral, linear, bias, plan))
            }
        }
    }

    fn operator_head(
        x: FloatTensor<Self>,
        first: FloatTensor<Self>,
        first_bias: FloatTensor<Self>,
        second: FloatTensor<Self>,
        second_bias: FloatTensor<Self>,
        plan: PointwisePlan,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), first.node(), first_bias.node(), second.node(), second_bias.node()];
        let tensors = [x, first, first_bias, second, second_bias].map(|t| t.into_primitive());
        match Head.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let [x, first, first_bias, second, second_bias] = tensors.clone();
                let y = B::operator_head(x, first, first_bias, second, second_bias, plan.clone());
                prepared.finish((tensors, plan), y)
            }
            OpsKind::UnTracked(prepared) => {
                let [x, first, first_bias, second, second_bias] = tensors;
                prepared.finish(B::operator_head(x, first, first_bias, second, second_bias, plan))
            }
        }
    }

    fn operator_relative_l2(
        prediction: FloatTensor<Self>,
        target: FloatTensor<Self>,
        plan: Arc<LossPlan>,
    ) -> FloatTensor<Self> {
        let nodes = [prediction.node()];
        let (prediction, target) = (prediction.into_primitive(), target.into_primitive());
        match Loss.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let [loss, gradient] = B::relative_l2_saving(prediction, target, &plan);
                prepared.finish(gradient, loss)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(B::operator_relative_l2(prediction, target, plan))
            }
        }
    }
}
