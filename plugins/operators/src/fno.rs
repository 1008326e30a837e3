//! The Fourier neural operator on two-dimensional grids (Li et al. 2021).

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernels::{Isa, SpectralPlan, Window};
use crate::ops::{BlockPlan, PointwisePlan, fourier_block, head, lift};
use crate::{Error, Result};

/// A Fourier neural operator. Names follow the neuraloperator library.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FnoConfig {
    /// Fourier modes kept along the rows and the columns, both signs counted: 24 keeps the
    /// frequencies -12 to 11 of the rows and 0 to 12 of the columns.
    #[schemars(length(min = 2, max = 2))]
    pub n_modes: Vec<usize>,
    /// Channels between the lift and the head.
    #[schemars(range(min = 1, max = 1024))]
    pub hidden_channels: usize,
    /// Fourier blocks; all but the last are followed by a GELU.
    #[schemars(range(min = 1, max = 64))]
    pub n_layers: usize,
    /// Hidden values of the head, as a multiple of `hidden_channels`.
    #[schemars(range(min = 1, max = 64))]
    pub projection_channel_ratio: usize,
    /// Zero padding along rows and columns, as a fraction of the grid (rounded to cells), so that
    /// fields that are not periodic do not wrap around.
    #[schemars(length(min = 2, max = 2))]
    pub domain_padding: Vec<f64>,
    /// Whether the padding lies behind the field or on both sides of it.
    pub domain_padding_mode: PaddingMode,
    /// Coordinates appended to the input channels.
    pub positional_embedding: PositionalEmbedding,
}

impl Default for FnoConfig {
    fn default() -> Self {
        Self {
            n_modes: vec![24, 22],
            hidden_channels: 32,
            n_layers: 4,
            projection_channel_ratio: 4,
            domain_padding: vec![0.25, 0.125],
            domain_padding_mode: PaddingMode::OneSided,
            positional_embedding: PositionalEmbedding::Grid,
        }
    }
}

/// Where padding goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaddingMode {
    /// Behind the field.
    #[default]
    OneSided,
    /// Half on each side.
    Symmetric,
}

/// What is appended to the input channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PositionalEmbedding {
    /// Two channels that grow from 0 to 1 along the rows and the columns.
    #[default]
    Grid,
    /// Nothing.
    None,
}

impl FnoConfig {
    /// Channels that the network reads for data of `channels` channels.
    #[must_use]
    pub fn input_channels(&self, channels: usize) -> usize {
        channels
            + match self.positional_embedding {
                PositionalEmbedding::Grid => 2,
                PositionalEmbedding::None => 0,
            }
    }

    /// The padded grid around a field of `size` cells.
    ///
    /// # Errors
    /// When a fraction is negative, not a number, or more than 4.
    pub fn window(&self, size: [usize; 2]) -> Result<Window> {
        let [rows, columns] = self.domain_padding[..] else {
            return Err(Error::config("`domain_padding` takes two fractions"));
        };
        let mut grid = size;
        let mut origin = [0, 0];
        for (axis, fraction) in [rows, columns].into_iter().enumerate() {
            if !(0.0..=4.0).contains(&fraction) {
                return Err(Error::config("`domain_padding` lies between 0 and 4"));
            }
            let cells = (fraction * size[axis] as f64).round() as usize;
            match self.domain_padding_mode {
                PaddingMode::OneSided => grid[axis] += cells,
                PaddingMode::Symmetric => {
                    grid[axis] += 2 * cells;
                    origin[axis] = cells;
                }
            }
        }
        Ok(Window { grid, origin, size })
    }

    /// Whether a network of this configuration exists for fields of `size` cells.
    ///
    /// # Errors
    /// With what is wrong and what is possible.
    pub fn check(&self, size: [usize; 2]) -> Result<()> {
        self.transform(Isa::Portable, size).map(drop)
    }

    fn transform(&self, isa: Isa, size: [usize; 2]) -> Result<SpectralPlan> {
        let [rows, columns] = self.n_modes[..] else {
            return Err(Error::config("`n_modes` takes two numbers"));
        };
        if self.hidden_channels == 0 || self.n_layers == 0 || self.projection_channel_ratio == 0 {
            return Err(Error::config(
                "`hidden_channels`, `n_layers` and `projection_channel_ratio` are at least 1",
            ));
        }
        let grid = self.window(size)?.grid;
        SpectralPlan::new(isa, grid, self.hidden_channels, [rows, columns]).ok_or_else(|| {
            Error::config(format!(
                "`n_modes` [{rows}, {columns}] does not fit the padded grid of {} x {} cells: at \
                 least 1, at most [{}, {}]",
                grid[0],
                grid[1],
                grid[0],
                grid[1] + 1 - grid[1] % 2,
            ))
        })
    }
}

/// The lift: a linear map of each cell's channels.
#[derive(Module, Debug)]
pub struct Lifting {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

/// One Fourier block.
#[derive(Module, Debug)]
pub struct FourierBlock {
    spectral: Param<Tensor<5>>,
    linear: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

/// The head: two linear maps of each cell's channels with a GELU between.
#[derive(Module, Debug)]
pub struct Projection {
    first: Param<Tensor<2>>,
    first_bias: Param<Tensor<1>>,
    second: Param<Tensor<2>>,
    second_bias: Param<Tensor<1>>,
}

/// What the operations need to know about a network's grid.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    transform: Arc<SpectralPlan>,
    window: Window,
}

/// A two-dimensional Fourier neural operator: lift, blocks, head.
#[derive(Module, Debug)]
pub struct Fno {
    lifting: Lifting,
    blocks: Vec<FourierBlock>,
    projection: Projection,
    #[module(skip)]
    plan: Arc<Plan>,
}

impl Fno {
    /// A network with random weights for fields of `size` cells, `channels` input channels
    /// (coordinates included) and `outputs` output channels.
    ///
    /// Linear maps start uniform in ±1/√(inputs), spectral weights uniform in [0, 1/channels²)
    /// in both parts, as in the original scripts.
    ///
    /// # Errors
    /// When the configuration does not fit the grid.
    pub fn new(
        config: &FnoConfig,
        size: [usize; 2],
        channels: usize,
        outputs: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let isa = Isa::detect();
        let transform = config.transform(isa, size)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let width = config.hidden_channels;
        let hidden = width * config.projection_channel_ratio;
        let linear = |rng: &mut ChaCha8Rng, inputs: usize, outputs: usize| {
            let bound = 1.0 / (inputs as f32).sqrt();
            let mut draw =
                |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-bound..bound)).collect() };
            let weight = draw(inputs * outputs);
            (parameter(weight, [inputs, outputs], device), parameter(draw(outputs), [outputs], device))
        };
        let (weight, bias) = linear(&mut rng, channels, width);
        let lifting = Lifting { weight, bias };
        let shape = [transform.row_modes, transform.column_modes, 2, width, width];
        let blocks = (0..config.n_layers)
            .map(|_| {
                let scale = 1.0 / (width * width) as f32;
                let spectral =
                    (0..shape.iter().product::<usize>()).map(|_| rng.random_range(0.0..scale)).collect();
                let (linear, bias) = linear(&mut rng, width, width);
                FourierBlock { spectral: parameter(spectral, shape, device), linear, bias }
            })
            .collect();
        let (first, first_bias) = linear(&mut rng, width, hidden);
        let (second, second_bias) = linear(&mut rng, hidden, outputs);
        Ok(Self {
            lifting,
            blocks,
            projection: Projection { first, first_bias, second, second_bias },
            plan: Arc::new(Plan { transform: Arc::new(transform), window: config.window(size)? }),
        })
    }

    /// `[sample, row, column, output]` from `[sample, row, column, input]`.
    ///
    /// The result is not defined where `mask` (`[sample, row, column]`) is zero.
    #[must_use]
    pub fn forward(&self, x: Tensor<4>, mask: Option<Arc<Vec<u8>>>) -> Tensor<4> {
        let plan = &self.plan;
        let pointwise = PointwisePlan { isa: plan.transform.isa, window: plan.window, mask };
        let mut x = lift(x, self.lifting.weight.val(), self.lifting.bias.val(), pointwise.clone());
        for (i, block) in self.blocks.iter().enumerate() {
            let plan = BlockPlan { transform: plan.transform.clone(), gelu: i + 1 < self.blocks.len() };
            x = fourier_block(x, block.spectral.val(), block.linear.val(), block.bias.val(), plan);
        }
        let p = &self.projection;
        head(x, [p.first.val(), p.second.val()], [p.first_bias.val(), p.second_bias.val()], pointwise)
    }
}

fn parameter<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}
