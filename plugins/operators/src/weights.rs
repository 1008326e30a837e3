//! A module's parameters as named arrays, and back.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};

use crate::{Error, Result};

/// Shape and values of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Length along each dimension.
    pub shape: Vec<usize>,
    /// Values in C order.
    pub values: Vec<f32>,
}

/// Parameters by their path in the module, such as `blocks.0.spectral`.
pub type Weights = BTreeMap<String, Array>;

/// The parameters of a module.
pub fn weights(module: &impl Module) -> Weights {
    let mut reader = Reader { path: Vec::new(), weights: Weights::new() };
    module.visit(&mut reader);
    reader.weights
}

struct Reader {
    path: Vec<String>,
    weights: Weights,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let shape = tensor.dims().to_vec();
        let values = tensor.into_data().iter::<f32>().collect();
        self.weights.insert(self.path.join("."), Array { shape, values });
    }
}

/// The module with the parameters of `weights`.
///
/// # Errors
/// When a parameter is missing or has another shape.
pub fn with_weights<M: Module>(module: M, weights: &Weights) -> Result<M> {
    let mut writer = Writer { path: Vec::new(), weights, problem: None };
    let module = module.map(&mut writer);
    match writer.problem {
        None => Ok(module),
        Some(problem) => Err(Error::data(problem)),
    }
}

struct Writer<'a> {
    path: Vec<String>,
    weights: &'a Weights,
    problem: Option<String>,
}

impl ModuleMapper for Writer<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let (id, tensor, mapper) = param.consume();
        let (dims, device, tracked) = (tensor.dims(), tensor.device(), tensor.is_require_grad());
        let value = match self.weights.get(&path) {
            Some(array) if array.shape == dims => {
                let value = Tensor::from_data(TensorData::new(array.values.clone(), dims), &device);
                if tracked { value.require_grad() } else { value }
            }
            Some(array) => {
                self.problem =
                    Some(format!("parameter `{path}` has shape {:?}, expected {dims:?}", array.shape));
                tensor
            }
            None => {
                self.problem = Some(format!("there is no parameter `{path}`"));
                tensor
            }
        };
        Param::from_mapped_value(id, value, mapper)
    }
}
