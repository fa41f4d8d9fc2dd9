//! Weight files: safetensors with PyTorch's names and layouts.
//!
//! Tensors are called `conv1.weight` [32, 1, 4, 4], `conv1.bias` `[32]`, `fc1.weight` [128, 400] and so on, f32, row-major. The
//! 400 inputs of `fc1` are the 16 x 5 x 5 values of `pool2` flattened channel by channel, row by row (CHW), which is what
//! `torch.flatten` does. So the file loads into the same network written in PyTorch without any rearranging.

use crate::error::{Error, Result};
use crate::model::Model;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};

/// The file's bytes for `parameters`, laid out as `model` says.
///
/// # Errors
/// [`Error::Output`] if they cannot be written as safetensors.
///
/// # Panics
/// If there are not as many parameters as the model has.
pub fn to_safetensors(model: &Model, parameters: &[f32]) -> Result<Vec<u8>> {
    assert_eq!(parameters.len(), model.parameter_count(), "the model has this many parameters");
    let bytes: Vec<u8> = parameters.iter().flat_map(|value| value.to_le_bytes()).collect();
    let failed = |error: safetensors::SafeTensorError| {
        Error::Output(format!("the weights cannot be written as safetensors: {error}"))
    };
    let mut tensors = BTreeMap::new();
    for parameter in &model.parameters {
        let range = parameter.range();
        let view = TensorView::new(Dtype::F32, parameter.shape.clone(), &bytes[4 * range.start..4 * range.end]);
        tensors.insert(parameter.name.clone(), view.map_err(failed)?);
    }
    let metadata = HashMap::from([
        ("format".to_owned(), "pt".to_owned()),
        ("tool".to_owned(), format!("gpubench {}", env!("CARGO_PKG_VERSION"))),
        ("flattening".to_owned(), "CHW: channel, row, column".to_owned()),
    ]);
    safetensors::serialize(tensors, Some(metadata)).map_err(failed)
}

/// The parameters in a file's bytes, laid out as `model` says.
///
/// # Errors
/// [`Error::Data`] if the bytes are no safetensors file, or a tensor is missing, unknown, of another shape or type, or holds a
/// value that is not finite.
pub fn from_safetensors(model: &Model, bytes: &[u8]) -> Result<Vec<f32>> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| {
        Error::Data(format!("this is not a whole safetensors file ({error}); save the weights again"))
    })?;
    if let Some(unknown) = file.names().into_iter().find(|name| !model.parameters.iter().any(|own| own.name == **name))
    {
        let known: Vec<&str> = model.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        return Err(Error::Data(format!("the tensor {unknown} is not one of this network's: {}", known.join(", "))));
    }
    let mut values = Vec::with_capacity(model.parameter_count());
    for parameter in &model.parameters {
        let name = &parameter.name;
        let tensor = file
            .tensor(name)
            .map_err(|_| Error::Data(format!("the tensor {name} is missing: save all of the network's weights")))?;
        if tensor.shape() != parameter.shape {
            let (found, expected) = (tensor.shape(), &parameter.shape);
            return Err(Error::Data(format!(
                "the tensor {name} has shape {found:?}, expected {expected:?}: save weights of this network"
            )));
        }
        if tensor.dtype() != Dtype::F32 {
            return Err(Error::Data(format!("the tensor {name} holds {:?}, expected F32: convert it", tensor.dtype())));
        }
        for (index, bytes) in tensor.data().as_chunks::<4>().0.iter().enumerate() {
            let value = f32::from_le_bytes(*bytes);
            if !value.is_finite() {
                return Err(Error::Data(format!(
                    "the tensor {name} holds {value} at index {index}: save finite weights"
                )));
            }
            values.push(value);
        }
    }
    Ok(values)
}
