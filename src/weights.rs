//! Weight files: safetensors with PyTorch's names and layouts.
//!
//! Tensors are called `conv1.weight` [32, 1, 4, 4], `conv1.bias` `[32]`, `fc1.weight` [128, 400] and so on, f32,
//! row-major. The 400 inputs of `fc1` are the 16 x 5 x 5 values of `pool2` flattened channel by channel, row by row
//! (CHW), which is what `torch.flatten` does. So the file loads into the same network written in PyTorch without any
//! rearranging.
//!
//! Files of others are read with F16, BF16 and F64 too, and with the prefixes that wrappers of PyTorch put before
//! names.

use crate::data::format::Format;
use crate::error::{Error, Result};
use crate::escape;
use crate::model::Model;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What comes before the names of tensors where a network was saved inside a wrapper: `DataParallel` and
/// `DistributedDataParallel`, a module of its own, `torch.compile`.
const PREFIXES: [&str; 3] = ["module.", "model.", "_orig_mod."];

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

/// The parameters in a file's bytes, laid out as `model` says; numbers of 16 and 64 bits are converted to 32.
///
/// # Errors
/// [`Error::Data`] if the bytes are no safetensors file, or a tensor is missing, unknown, there twice, of another shape
/// or type, or holds a value that is not finite.
pub fn from_safetensors(model: &Model, bytes: &[u8]) -> Result<Vec<f32>> {
    let file = opened(bytes)?;
    let mut tensors: BTreeMap<&str, (&str, TensorView<'_>)> = BTreeMap::new();
    // The file's own order is that of a hash map, and the first fault is what is told.
    let in_order: BTreeMap<&str, TensorView<'_>> = file.iter().collect();
    for (full_name, tensor) in in_order {
        let name = without_prefixes(full_name);
        if !model.parameters.iter().any(|own| own.name == name) {
            let known: Vec<&str> = model.parameters.iter().map(|parameter| parameter.name.as_str()).collect();
            return Err(Error::Data(format!(
                "the tensor {} is not one of this network's: {}",
                escape::line(full_name),
                known.join(", ")
            )));
        }
        if let Some((other, _)) = tensors.insert(name, (full_name, tensor)) {
            return Err(Error::Data(format!(
                "the tensors {other} and {full_name} are both {name}: save the weights of one network"
            )));
        }
    }
    let mut values = Vec::with_capacity(model.parameter_count());
    for parameter in &model.parameters {
        let name = &parameter.name;
        let (full_name, tensor) = tensors
            .get(name.as_str())
            .ok_or_else(|| Error::Data(format!("the tensor {name} is missing: save all of the network's weights")))?;
        if tensor.shape() != parameter.shape {
            let (found, expected) = (tensor.shape(), &parameter.shape);
            return Err(Error::Data(format!(
                "the tensor {full_name} has shape {found:?}, expected {expected:?}: save weights of this network"
            )));
        }
        values.extend(converted(full_name, tensor)?);
    }
    Ok(values)
}

/// What a reader of [`from_safetensors`]'s result should know, one phrase each: conversions, prefixes left out.
///
/// # Errors
/// [`Error::Data`] if the bytes are no safetensors file.
pub fn notes(bytes: &[u8]) -> Result<Vec<String>> {
    let file = opened(bytes)?;
    let mut others: BTreeMap<String, usize> = BTreeMap::new();
    let mut prefixes = BTreeSet::new();
    for (name, tensor) in file.iter() {
        if tensor.dtype() != Dtype::F32 {
            *others.entry(format!("{:?}", tensor.dtype())).or_default() += 1;
        }
        prefixes.extend(name.strip_suffix(without_prefixes(name)).filter(|prefix| !prefix.is_empty()));
    }
    let converted = others.iter().map(|(dtype, count)| match count {
        1 => format!("1 tensor of {dtype} converted to F32"),
        _ => format!("{count} tensors of {dtype} converted to F32"),
    });
    let prefixes = prefixes.iter().map(|prefix| format!("the prefix {prefix} of tensor names is left out"));
    Ok(converted.chain(prefixes).collect())
}

fn opened(bytes: &[u8]) -> Result<SafeTensors<'_>> {
    SafeTensors::deserialize(bytes).map_err(|error| {
        let what = match Format::of(bytes) {
            Some(format @ (Format::Zip | Format::Pickle)) => {
                format!("{}, as torch.save writes it, and no safetensors file", format.name())
            }
            // A safetensors file begins with a length, which may look like the beginning of anything.
            Some(format @ (Format::Html | Format::Xml | Format::LfsPointer)) => {
                let (name, advice) = (format.name(), format.advice());
                return Error::Data(format!(
                    "this is {name} and no safetensors file: {advice}, or save the weights again"
                ));
            }
            _ => format!("not a whole safetensors file ({})", escape::line(&error.to_string())),
        };
        Error::Data(format!("this is {what}; save the weights again with safetensors.torch.save_file"))
    })
}

/// The name of a tensor inside all wrappers.
fn without_prefixes(name: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).map_or(name, without_prefixes)
}

/// The values of a tensor in 32 bits.
fn converted(name: &str, tensor: &TensorView<'_>) -> Result<Vec<f32>> {
    let data = tensor.data();
    // Every type is exact in 64 bits.
    let values: Vec<f64> = match tensor.dtype() {
        Dtype::F32 => data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes).into()).collect(),
        Dtype::F64 => data.as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect(),
        Dtype::F16 => data.as_chunks::<2>().0.iter().map(|bytes| f16::from_le_bytes(*bytes).to_f64()).collect(),
        Dtype::BF16 => data.as_chunks::<2>().0.iter().map(|bytes| bf16::from_le_bytes(*bytes).to_f64()).collect(),
        other => {
            return Err(Error::Data(format!(
                "the tensor {name} holds {other:?}, expected F32 (F16, BF16 and F64 are converted): convert it"
            )));
        }
    };
    let narrowed = |(index, value): (usize, f64)| {
        let narrow = value as f32;
        if narrow.is_finite() {
            return Ok(narrow);
        }
        let why = if value.is_finite() { ", too large for 32 bits" } else { "" };
        Err(Error::Data(format!("the tensor {name} holds {value}{why} at index {index}: save finite weights")))
    };
    values.into_iter().enumerate().map(narrowed).collect()
}
