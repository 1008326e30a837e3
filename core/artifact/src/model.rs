//! Models: a folder of named tensors (`model.safetensors`) and a readable configuration (`config.json`).

use std::fs;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;

use crate::json::sorted;
use crate::{DType, Element, Error, Result};

/// The file of tensors.
pub(crate) const WEIGHTS: &str = "model.safetensors";
/// The file of everything that is needed to use them.
pub(crate) const CONFIG: &str = "config.json";

/// A named array of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its name, such as `blocks.0.weight`.
    pub name: String,
    /// The type of its elements.
    pub dtype: DType,
    /// Its length along each dimension.
    pub shape: Vec<usize>,
    /// Its values, in C order, little-endian.
    data: Vec<u8>,
}

impl Tensor {
    /// A tensor with these values, in C order: the last dimension varies fastest.
    ///
    /// # Errors
    /// When the shape asks for another number of values.
    pub fn new<T: Element>(name: impl Into<String>, shape: &[usize], values: &[T]) -> Result<Self> {
        let name = name.into();
        if shape.iter().try_fold(1_usize, |all, &n| all.checked_mul(n)) != Some(values.len()) {
            let count = values.len();
            return Err(Error::request(format!("tensor `{name}` has shape {shape:?} but {count} values")));
        }
        let mut data = bytemuck::cast_slice::<T, u8>(values).to_vec();
        little_endian(&mut data, T::DTYPE);
        Ok(Self { name, dtype: T::DTYPE, shape: shape.to_vec(), data })
    }

    /// Its values, in C order.
    ///
    /// # Errors
    /// When its elements are not of type `T`.
    pub fn values<T: Element>(&self) -> Result<Vec<T>> {
        if T::DTYPE != self.dtype {
            let (actual, asked) = (self.dtype.name(), T::DTYPE.name());
            return Err(Error::ElementType { name: self.name.clone(), actual, asked });
        }
        let mut values = vec![T::zeroed(); self.data.len() / T::DTYPE.size()];
        let bytes = bytemuck::cast_slice_mut::<T, u8>(&mut values);
        bytes.copy_from_slice(&self.data);
        little_endian(bytes, T::DTYPE);
        Ok(values)
    }
}

/// A model in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Its tensors, sorted by name.
    pub tensors: Vec<Tensor>,
    /// Everything that is needed to use them, such as the architecture and the normalisation of its data.
    pub config: Value,
}

impl Model {
    /// The tensor of this name.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

/// Writes a model into a new folder. The bytes do not depend on the order of tensors or members.
///
/// # Errors
/// When two tensors have one name, or a file cannot be written.
pub fn write_model(path: impl AsRef<Path>, tensors: &[Tensor], config: &Value) -> Result<()> {
    let path = path.as_ref();
    let mut sorted_tensors: Vec<&Tensor> = tensors.iter().collect();
    sorted_tensors.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = sorted_tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(Error::request(format!("two tensors are called `{}`", pair[0].name)));
    }
    let views = sorted_tensors
        .into_iter()
        .map(|tensor| {
            let view = TensorView::new(safe_dtype(tensor.dtype), tensor.shape.clone(), &tensor.data);
            view.map(|view| (&tensor.name, view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Error::invalid(path, format!("cannot be written: {error}")))?;
    let bytes = safetensors::serialize(views, None)
        .map_err(|error| Error::invalid(path, format!("cannot be written: {error}")))?;
    fs::create_dir(path).map_err(Error::io("create", path))?;
    let weights = path.join(WEIGHTS);
    fs::write(&weights, bytes).map_err(Error::io("write", &weights))?;
    let file = path.join(CONFIG);
    fs::write(&file, format!("{:#}\n", sorted(config.clone()))).map_err(Error::io("write", &file))
}

/// Reads a model.
///
/// # Errors
/// When a file cannot be read, is damaged, or holds elements that [`DType`] does not know.
pub fn read_model(path: impl AsRef<Path>) -> Result<Model> {
    let path = path.as_ref();
    let (bytes, config) = read_files(path)?;
    let mut tensors = Vec::new();
    for (name, view) in parse(path, &bytes)? {
        let dtype = DType::ALL
            .into_iter()
            .find(|&d| safe_dtype(d) == view.dtype())
            .ok_or_else(|| Error::invalid(path, format!("has a tensor `{name}` of type {}", view.dtype())))?;
        tensors.push(Tensor { name, dtype, shape: view.shape().to_vec(), data: view.data().to_vec() });
    }
    Ok(Model { tensors, config })
}

/// The files of a model: the bytes of its weights, and its configuration.
pub(crate) fn read_files(path: &Path) -> Result<(Vec<u8>, Value)> {
    let file = path.join(CONFIG);
    let text = fs::read(&file).map_err(Error::io("read", &file))?;
    let config = serde_json::from_slice(&text)
        .map_err(|error| Error::invalid(&file, format!("is not JSON: {error}")))?;
    let file = path.join(WEIGHTS);
    Ok((fs::read(&file).map_err(Error::io("read", &file))?, config))
}

/// The tensors in the bytes of a weights file, sorted by name.
pub(crate) fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<Vec<(String, TensorView<'a>)>> {
    let tensors = SafeTensors::deserialize(bytes)
        .map_err(|error| Error::invalid(&path.join(WEIGHTS), format!("is damaged: {error}")))?;
    let mut tensors = tensors.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(tensors)
}

fn safe_dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::U8 => Dtype::U8,
        DType::I32 => Dtype::I32,
        DType::I64 => Dtype::I64,
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
    }
}

/// Turns elements in this machine's byte order into little-endian ones, or back.
fn little_endian(bytes: &mut [u8], dtype: DType) {
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
    }
}
