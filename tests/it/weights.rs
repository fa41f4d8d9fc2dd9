//! Weight files: what is written is read back bit for bit, and every damage is refused by name.

use gpubench::Error;
use gpubench::model::{DROPOUT_RATE, Model};
use gpubench::weights::{from_safetensors, to_safetensors};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;

fn model() -> Model {
    Model::new(DROPOUT_RATE)
}

/// A tensor as it will stand in a file.
#[derive(Clone)]
struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// The tensors of a good file, to be damaged.
fn tensors() -> BTreeMap<String, Tensor> {
    let model = model();
    let values = model.initial_parameters(1);
    let tensor = |range: std::ops::Range<usize>| values[range].iter().flat_map(|value| value.to_le_bytes()).collect();
    let named = |parameter: &gpubench::model::Parameter| {
        let bytes = tensor(parameter.range());
        (parameter.name.clone(), Tensor { dtype: Dtype::F32, shape: parameter.shape.clone(), bytes })
    };
    model.parameters.iter().map(named).collect()
}

/// The file that holds `tensors`, written by the safetensors crate alone.
fn file(tensors: &BTreeMap<String, Tensor>) -> Vec<u8> {
    let views = tensors.iter().map(|(name, tensor)| {
        (
            name.clone(),
            TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes).expect("the bytes fill the shape"),
        )
    });
    safetensors::serialize(views, None).expect("the tensors have names of their own")
}

/// Asserts that `bytes` are refused as bad data, in one sentence that holds all of `words`.
fn assert_refused(bytes: &[u8], words: &[&str]) {
    let error = from_safetensors(&model(), bytes).expect_err("the file must be refused");
    assert!(matches!(error, Error::Data(_)), "{error:?}");
    assert_eq!(error.exit_code(), 3);
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in: {text}");
    }
}

/// Asserts that a good file is refused after `damage`.
fn assert_damage_refused(damage: impl FnOnce(&mut BTreeMap<String, Tensor>), words: &[&str]) {
    let mut tensors = tensors();
    damage(&mut tensors);
    assert_refused(&file(&tensors), words);
}

#[test]
fn weights_come_back_bit_for_bit() {
    let model = model();
    let mut parameters = model.initial_parameters(5);
    // Values that a detour through text or f64 arithmetic would spoil.
    parameters[..6].copy_from_slice(&[-0.0, f32::MIN_POSITIVE, f32::from_bits(1), f32::MAX, f32::MIN, 1.0 / 3.0]);
    let last = parameters.len() - 1;
    parameters[last] = -1.5;
    let read = from_safetensors(&model, &to_safetensors(&model, &parameters).unwrap()).unwrap();
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
    assert_eq!(bits(&read), bits(&parameters));
}

#[test]
fn a_file_of_another_writer_is_read() {
    let model = model();
    assert_eq!(from_safetensors(&model, &file(&tensors())).unwrap(), model.initial_parameters(1));
}

#[test]
fn the_same_weights_give_the_same_tensors() {
    let model = model();
    let bytes = to_safetensors(&model, &model.initial_parameters(1)).unwrap();
    let written = SafeTensors::deserialize(&bytes).unwrap();
    for (name, tensor) in tensors() {
        assert_eq!(written.tensor(&name).unwrap().data(), tensor.bytes, "{name}");
    }
}

#[test]
fn names_shapes_and_types_are_those_of_pytorch() {
    let model = model();
    let bytes = to_safetensors(&model, &model.initial_parameters(1)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let expected: [(&str, &[usize]); 10] = [
        ("conv1.bias", &[32]),
        ("conv1.weight", &[32, 1, 4, 4]),
        ("conv2.bias", &[16]),
        ("conv2.weight", &[16, 32, 3, 3]),
        ("fc1.bias", &[128]),
        ("fc1.weight", &[128, 400]),
        ("fc2.bias", &[64]),
        ("fc2.weight", &[64, 128]),
        ("fc3.bias", &[10]),
        ("fc3.weight", &[10, 64]),
    ];
    let mut names: Vec<&str> = file.names();
    names.sort_unstable();
    assert_eq!(names, expected.map(|(name, _)| name));
    for (name, shape) in expected {
        let tensor = file.tensor(name).unwrap();
        assert_eq!((tensor.shape(), tensor.dtype()), (shape, Dtype::F32), "{name}");
    }
}

#[test]
fn metadata_names_the_tool_and_the_order_of_flattening() {
    let model = model();
    let bytes = to_safetensors(&model, &model.initial_parameters(1)).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().as_ref().unwrap();
    assert_eq!(metadata["format"], "pt");
    assert_eq!(metadata["tool"], format!("gpubench {}", env!("CARGO_PKG_VERSION")));
    assert!(metadata["flattening"].starts_with("CHW"), "{}", metadata["flattening"]);
}

#[test]
#[should_panic(expected = "the model has this many parameters")]
fn too_few_parameters_are_a_defect_of_the_caller() {
    let _ = to_safetensors(&model(), &[0.0; 3]);
}

#[test]
fn each_missing_tensor_is_named() {
    for parameter in model().parameters {
        assert_damage_refused(
            |tensors| {
                tensors.remove(&parameter.name);
            },
            &[&parameter.name, "missing"],
        );
    }
}

#[test]
fn an_unknown_tensor_is_named_with_those_that_are_known() {
    let extra = |tensors: &mut BTreeMap<String, Tensor>| {
        let copy = tensors["fc3.bias"].clone();
        tensors.insert("fc4.bias".to_owned(), copy);
    };
    assert_damage_refused(extra, &["fc4.bias", "conv1.weight", "fc3.bias"]);
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both_shapes() {
    let transposed = |tensors: &mut BTreeMap<String, Tensor>| {
        tensors.get_mut("fc1.weight").unwrap().shape = vec![400, 128];
    };
    assert_damage_refused(transposed, &["fc1.weight", "[400, 128]", "[128, 400]"]);
    let shortened = |tensors: &mut BTreeMap<String, Tensor>| {
        let tensor = tensors.get_mut("conv2.bias").unwrap();
        tensor.shape = vec![15];
        tensor.bytes.truncate(4 * 15);
    };
    assert_damage_refused(shortened, &["conv2.bias", "[15]", "[16]"]);
}

#[test]
fn values_that_are_not_finite_are_named_with_their_place() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let spoiled = |tensors: &mut BTreeMap<String, Tensor>| {
            let bytes = &mut tensors.get_mut("fc2.bias").unwrap().bytes;
            bytes[4 * 63..].copy_from_slice(&value.to_le_bytes());
        };
        assert_damage_refused(spoiled, &["fc2.bias", "63", &value.to_string()]);
    }
}

#[test]
fn other_number_types_are_named() {
    for (dtype, bytes_per_value) in [(Dtype::I8, 1), (Dtype::U16, 2), (Dtype::I64, 8), (Dtype::I32, 4)] {
        let converted = |tensors: &mut BTreeMap<String, Tensor>| {
            let tensor = tensors.get_mut("conv1.weight").unwrap();
            tensor.dtype = dtype;
            tensor.bytes = vec![0; 32 * 16 * bytes_per_value];
        };
        assert_damage_refused(converted, &["conv1.weight", &format!("{dtype:?}"), "F32"]);
    }
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let bytes = file(&tensors());
    for length in [0, 1, 7, 8, 9, 100, bytes.len() / 2, bytes.len() - 4, bytes.len() - 1] {
        assert_refused(&bytes[..length], &["safetensors", "save the weights again"]);
    }
}

#[test]
fn bytes_that_are_no_weight_file_are_refused() {
    let mut longer = file(&tensors());
    longer.extend([0; 4]);
    for bytes in [&b"PK\x03\x04 not weights at all"[..], &[0xFF; 64], &[0; 64], &longer] {
        assert_refused(bytes, &["safetensors", "save the weights again"]);
    }
}
