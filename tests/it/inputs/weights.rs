//! Weights as others save them: in other precisions, and with the prefixes that wrappers put before names.

use crate::common::process::{gpubench, outcome_of};
use gpubench::model::{DROPOUT_RATE, Model};
use gpubench::weights::{from_safetensors, notes, to_safetensors};
use half::{bf16, f16};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::fs;
use tempfile::TempDir;

fn model() -> Model {
    Model::new(DROPOUT_RATE)
}

/// The bytes of one value in another type.
type Encode = fn(f32) -> Vec<u8>;

/// Types that are converted.
const TYPES: [(Dtype, Encode); 3] = [
    (Dtype::F16, |value| f16::from_f32(value).to_le_bytes().to_vec()),
    (Dtype::BF16, |value| bf16::from_f32(value).to_le_bytes().to_vec()),
    (Dtype::F64, |value| f64::from(value).to_le_bytes().to_vec()),
];

/// A file of `parameters` whose tensors have the type and name that `written` gives for their place and name.
fn file(parameters: &[f32], written: impl Fn(usize, &str) -> (Dtype, Encode, String)) -> Vec<u8> {
    let model = model();
    let tensors: BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> = model
        .parameters
        .iter()
        .enumerate()
        .map(|(index, parameter)| {
            let (dtype, encode, name) = written(index, &parameter.name);
            let bytes = parameters[parameter.range()].iter().flat_map(|value| encode(*value)).collect();
            (name, (dtype, parameter.shape.clone(), bytes))
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name.clone(), TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

/// Values that every type holds exactly.
fn exact() -> Vec<f32> {
    (0..model().parameter_count()).map(|index| (index % 255) as f32 / 128.0 - 1.0).collect()
}

#[test]
fn numbers_of_16_and_64_bits_are_converted_and_the_note_says_so() {
    for (dtype, encode) in TYPES {
        let bytes = file(&exact(), |_, name| (dtype, encode, name.to_owned()));
        assert_eq!(from_safetensors(&model(), &bytes).unwrap(), exact(), "{dtype:?}");
        assert_eq!(notes(&bytes).unwrap(), [format!("10 tensors of {dtype:?} converted to F32")]);
    }
    let one: Encode = |value| value.to_le_bytes().to_vec();
    let mixed = file(&exact(), |index, name| match index {
        0 => (Dtype::F16, TYPES[0].1, name.to_owned()),
        _ => (Dtype::F32, one, name.to_owned()),
    });
    assert_eq!(from_safetensors(&model(), &mixed).unwrap(), exact());
    assert_eq!(notes(&mixed).unwrap(), ["1 tensor of F16 converted to F32"]);
    assert!(notes(&to_safetensors(&model(), &exact()).unwrap()).unwrap().is_empty());
}

#[test]
fn prefixes_of_wrappers_are_left_out_alone_and_together() {
    let one: Encode = |value| value.to_le_bytes().to_vec();
    for prefix in ["module.", "model.", "module.model.", "model.module.", "_orig_mod."] {
        let bytes = file(&exact(), |_, name| (Dtype::F32, one, format!("{prefix}{name}")));
        assert_eq!(from_safetensors(&model(), &bytes).unwrap(), exact(), "{prefix}");
        assert_eq!(notes(&bytes).unwrap(), [format!("the prefix {prefix} of tensor names is left out")]);
    }
}

#[test]
fn errors_name_the_tensor_as_the_file_does() {
    let one: Encode = |value| value.to_le_bytes().to_vec();
    let refused = |bytes: &[u8]| from_safetensors(&model(), bytes).unwrap_err().to_string();
    let huge: Encode = |_| 1e300f64.to_le_bytes().to_vec();
    let bytes = file(&exact(), |index, name| {
        if index == 3 {
            (Dtype::F64, huge, format!("module.{name}"))
        } else {
            (Dtype::F32, one, format!("module.{name}"))
        }
    });
    let name = &model().parameters[3].name;
    let text = refused(&bytes);
    assert!(
        text.contains(&format!("the tensor module.{name} holds 1"))
            && text.contains("too large for 32 bits at index 0")
    );
    let nan: Encode = |_| f16::NAN.to_le_bytes().to_vec();
    let text = refused(&file(&exact(), |_, name| (Dtype::F16, nan, name.to_owned())));
    assert!(text.contains("holds NaN at index 0: save finite weights"), "{text}");
    let text = refused(&file(&exact(), |_, name| (Dtype::I32, one, name.to_owned())));
    assert!(text.contains("holds I32, expected F32 (F16, BF16 and F64 are converted)"), "{text}");
    let text = refused(&file(&exact(), |_, name| (Dtype::F32, one, format!("net.{name}"))));
    assert!(text.contains("the tensor net.") && text.contains("is not one of this network's"), "{text}");

    let view = |bytes: &'static [u8]| TensorView::new(Dtype::F32, vec![10], bytes).unwrap();
    let twice =
        safetensors::serialize([("fc3.bias", view(&[0; 40])), ("model.fc3.bias", view(&[0; 40]))], None).unwrap();
    let text = refused(&twice);
    assert!(text.contains("fc3.bias and model.fc3.bias are both fc3.bias"), "{text}");
}

#[test]
fn what_is_no_safetensors_file_is_named() {
    for (bytes, says) in [
        (&b"PK\x03\x04\0\0\x08\x08"[..], "this is a ZIP archive, as torch.save writes it, and no safetensors file"),
        (b"\x80\x02\x8a\nl\xfc", "this is a Python pickle, as torch.save writes it"),
        (b"<html>not here</html>", "this is an HTML page and no safetensors file"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "this is a Git LFS pointer and no safetensors file"),
        (b"anything", "this is not a whole safetensors file"),
    ] {
        let text = from_safetensors(&model(), bytes).unwrap_err().to_string();
        assert!(text.contains(says) && text.contains("save the weights again"), "{text}");
    }
}

#[test]
fn a_run_tells_what_it_converted_and_refuses_what_never_ends() {
    let folder = TempDir::new().unwrap();
    let weights = folder.path().join("half.safetensors");
    fs::write(&weights, file(&exact(), |_, name| (Dtype::F16, TYPES[0].1, format!("module.{name}")))).unwrap();
    let run = ["--adapter", "cpu", "--data", "synthetic", "--steps", "1", "--init"];
    let (_, stderr) = outcome_of(gpubench(folder.path()).args(run).arg(&weights), 0);
    assert!(stderr.contains("half.safetensors: 10 tensors of F16 converted to F32\n"), "{stderr}");
    assert!(stderr.contains("half.safetensors: the prefix module. of tensor names is left out\n"), "{stderr}");
    let huge = folder.path().join("huge.safetensors");
    fs::File::create(&huge).unwrap().set_len(1 << 40).unwrap();
    let (_, stderr) = outcome_of(gpubench(folder.path()).args(run).arg(&huge), 3);
    assert!(stderr.contains("it has more than 16 MiB"), "{stderr}");
    if cfg!(unix) {
        let (_, stderr) = outcome_of(gpubench(folder.path()).args(run).arg("/dev/zero"), 3);
        assert!(stderr.contains("/dev/zero cannot be read (it is no regular file"), "{stderr}");
    }
}
