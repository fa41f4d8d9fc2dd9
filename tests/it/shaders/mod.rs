//! Every WGSL file is valid, says what it does, and agrees with its row of the kernel table. Needs no GPU.

mod matrices;
mod texts;
mod tiles;

use crate::common::ROOT;
use gpubench::kernels::experimental::EXPERIMENTAL_KERNELS;
use gpubench::kernels::layered::layered;
use gpubench::kernels::peaks::PEAK_KERNELS;
use gpubench::kernels::plan::inputs;
use gpubench::kernels::{Access, Dispatch, KERNELS, Kernel, PLANS, Plan, Step, all_choices};
use gpubench::model::{DROPOUT_RATE, IMAGE_SIDE, Model, Operation, Training};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// WebGPU's default limits that a baseline kernel must respect.
const STORAGE_BUFFERS: usize = 8;
const WORKGROUP_BYTES: u32 = 16_384;
const UNIFORM_BYTES: u32 = 65_536;
const INVOCATIONS: u32 = 256;

/// The rows of all tables: those that train, those that measure peaks, and those that no adapter here runs.
fn all() -> impl Iterator<Item = &'static Kernel> {
    KERNELS.iter().copied().chain(PEAK_KERNELS).chain(EXPERIMENTAL_KERNELS)
}

fn validator(kernel: &Kernel) -> Validator {
    // naga's name for packing 16-bit numbers, which WebGPU has without a feature.
    let mut capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    capabilities.set(Capabilities::SHADER_FLOAT16, kernel.needs_f16());
    capabilities.set(Capabilities::COOPERATIVE_MATRIX, kernel.needs_cooperative_matrices());
    capabilities.set(Capabilities::SUBGROUP, kernel.needs_subgroups());
    Validator::new(ValidationFlags::all(), capabilities)
}

fn parse(kernel: &Kernel) -> naga::Module {
    parse_text(kernel, &kernel.wgsl())
}

fn parse_text(kernel: &Kernel, text: &str) -> naga::Module {
    naga::front::wgsl::parse_str(text)
        .unwrap_or_else(|error| panic!("{}:\n{}", kernel.name, error.emit_to_string(text)))
}

/// Every WGSL file with its text.
fn files() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let folders = ["", "shared", "peaks", "experimental"].map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let paths = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "wgsl"));
    files.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn plan() -> Plan {
    layered(&Model::new(DROPOUT_RATE), &Training::STANDARD, 1)
}

fn plans() -> Vec<Plan> {
    all_choices().iter().map(|choice| choice.make(&Model::new(DROPOUT_RATE), &Training::STANDARD, 1)).collect()
}

/// The dispatches of all plans, each with its module after the override constants were put in.
fn resolved() -> Vec<(Dispatch, naga::Module)> {
    let resolve = |dispatch: &Dispatch| {
        let module = parse(dispatch.kernel);
        let info = validator(dispatch.kernel).validate(&module).expect("valid");
        let constants = dispatch.constants.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let (module, _) = naga::back::pipeline_constants::process_overrides(&module, &info, None, &constants)
            .unwrap_or_else(|error| panic!("{}: {error}", dispatch.label()));
        (dispatch.clone(), module.into_owned())
    };
    plans().iter().flat_map(|plan| plan.training.iter().chain(&plan.evaluation).map(resolve)).collect()
}

#[test]
fn every_kernel_is_valid_without_optional_capabilities() {
    for kernel in all() {
        let outcome = validator(kernel).validate(&parse(kernel));
        assert!(outcome.is_ok(), "{}: {:?}", kernel.name, outcome.err());
    }
}

#[test]
fn only_the_kernels_of_16_bit_numbers_need_a_capability() {
    let needing: Vec<&str> = all().filter(|kernel| kernel.needs_f16()).map(|kernel| kernel.name).collect();
    let matrices = EXPERIMENTAL_KERNELS.map(|kernel| kernel.name);
    assert_eq!(needing, [&["features_forward_f16_arithmetic", "fp16_multiply_add"][..], &matrices].concat());
    for kernel in all().filter(|kernel| kernel.needs_f16()) {
        let without = Validator::new(ValidationFlags::all(), Capabilities::SHADER_FLOAT16_IN_FLOAT32);
        assert!({ without }.validate(&parse(kernel)).is_err(), "{} is valid without the capability", kernel.name);
    }
}

#[test]
fn only_plans_beside_a_baseline_need_features() {
    for plan in plans() {
        let row = PLANS.iter().find(|row| row.name == plan.name).unwrap();
        assert!(!(plan.needs_subgroups() || plan.needs_f16()) || row.base.is_some(), "{}", plan.name);
        assert!(!plan.needs_f16() || row.non_standard.is_some(), "{}", plan.name);
    }
    for kernel in all().filter(|kernel| kernel.needs_subgroups()) {
        let without = Validator::new(ValidationFlags::all(), Capabilities::empty()).validate(&parse(kernel));
        assert!(without.is_err(), "{} is valid without the capability", kernel.name);
    }
}

#[test]
fn every_file_has_a_row_and_every_row_its_file() {
    let root = Path::new(ROOT);
    for (folder, table) in [
        ("shaders", KERNELS),
        ("shaders/peaks", &PEAK_KERNELS[..]),
        ("shaders/experimental", &EXPERIMENTAL_KERNELS[..]),
    ] {
        let stems: BTreeSet<String> = std::fs::read_dir(root.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "wgsl"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        let rows: BTreeSet<String> = table.iter().map(|kernel| kernel.name.to_owned()).collect();
        assert_eq!(stems, rows, "{folder}");
        assert_eq!(rows.len(), table.len(), "{folder}");
    }
}

#[test]
fn the_entry_point_bears_the_name_of_the_file() {
    for kernel in all() {
        let names: Vec<String> = parse(kernel).entry_points.iter().map(|entry| entry.name.clone()).collect();
        assert_eq!(names, [kernel.name]);
    }
}

#[test]
fn bindings_agree_with_the_table() {
    for kernel in all() {
        let module = parse(kernel);
        let mut bound: Vec<(u32, String, Access)> = Vec::new();
        for (_, variable) in module.global_variables.iter() {
            let Some(binding) = &variable.binding else { continue };
            assert_eq!(binding.group, 0, "{}", kernel.name);
            let access = match variable.space {
                naga::AddressSpace::Uniform if variable.name.as_deref() == Some("step") => Access::Step,
                naga::AddressSpace::Uniform => Access::Uniform,
                naga::AddressSpace::Storage { access } if access.contains(naga::StorageAccess::STORE) => Access::Write,
                naga::AddressSpace::Storage { .. } => Access::Read,
                other => panic!("{}: {other:?} is bound", kernel.name),
            };
            bound.push((binding.binding, variable.name.clone().unwrap(), access));
        }
        bound.sort_by_key(|(place, _, _)| *place);
        let rows: Vec<(u32, String, Access)> = (0..)
            .zip(kernel.bindings)
            .map(|(place, binding)| (place, binding.name.to_owned(), binding.access))
            .collect();
        assert_eq!(bound, rows, "{}", kernel.name);
        let storage = rows.iter().filter(|(_, _, access)| [Access::Read, Access::Write].contains(access)).count();
        assert!(storage <= STORAGE_BUFFERS, "{}: {storage} storage buffers", kernel.name);
    }
}

/// A uniform must be as long as its row says, within the default limit, and hold what the plans put there.
#[test]
fn uniforms_hold_the_parameters_of_the_convolutions() {
    let model = Model::new(DROPOUT_RATE);
    let convolutions = model.parameters.iter().filter(|parameter| parameter.layer.starts_with("conv"));
    let end = convolutions.map(|parameter| parameter.range().end).max().unwrap();
    let mut seen = 0;
    for kernel in KERNELS {
        for binding in kernel.bindings.iter().filter(|binding| binding.access == Access::Uniform) {
            let length = kernel.tile_size(&binding.length_name());
            let declared = format!("var<uniform> {}: array<vec4<f32>, {}>;", binding.name, binding.length_name());
            assert!(kernel.source.contains(&declared), "{}: {declared}", kernel.name);
            assert!(length * 16 <= UNIFORM_BYTES, "{}: {length} vec4s", kernel.name);
            assert_eq!(4 * length as usize, end, "{}: {}", kernel.name, binding.name);
            seen += 1;
        }
    }
    assert!(seen > 0, "no kernel has a uniform");
}

#[test]
fn override_constants_agree_with_the_table_and_have_no_default() {
    for kernel in all() {
        let module = parse(kernel);
        let mut names = BTreeSet::new();
        // Sizes of workgroup arrays that are computed from overrides are overrides without a name.
        for (_, constant) in module.overrides.iter().filter(|(_, constant)| constant.name.is_some()) {
            assert!(constant.init.is_none(), "{}: {:?} has a default", kernel.name, constant.name);
            names.insert(constant.name.clone().unwrap());
        }
        let rows: BTreeSet<String> = kernel.constants.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(names, rows, "{}", kernel.name);
    }
}

/// Constants that follow from others need no place in the row.
#[test]
fn tile_sizes_agree_with_the_table() {
    for kernel in all() {
        let module = parse(kernel);
        let text = kernel.text();
        let mut found = Vec::new();
        for (_, constant) in module.constants.iter() {
            let Some(name) = &constant.name else { continue };
            match module.global_expressions[constant.init] {
                naga::Expression::Literal(naga::Literal::U32(value)) => {
                    if text.contains(&format!("const {name} = {value}u;")) {
                        found.push((name.clone(), value));
                    }
                }
                ref other => panic!("{}: {name} is {other:?}, not a number", kernel.name),
            }
        }
        let mut rows: Vec<(String, u32)> = kernel.tile.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect();
        // naga lists a constant after those that it is made of.
        found.sort_unstable();
        rows.sort_unstable();
        assert_eq!(found, rows, "{}", kernel.name);
    }
}

/// Arrays of a function need lengths that are known before the plan gives its constants: they are written into the
/// files.
#[test]
fn sizes_of_planes_and_kernels_in_the_table_are_those_of_the_model() {
    let model = Model::new(DROPOUT_RATE);
    let width = |layer: &str| model.layer(layer).output.width;
    let kernel_of = |layer: &str| match model.layer(layer).operation {
        Operation::Convolution { kernel } => kernel,
        other => panic!("{layer} is {other:?}"),
    };
    let sizes = [
        ("SIDE", IMAGE_SIDE),
        ("KERNEL1", kernel_of("conv1")),
        ("POOL1", width("pool1")),
        ("KERNEL2", kernel_of("conv2")),
        ("POOL2", width("pool2")),
    ];
    for kernel in
        KERNELS.iter().filter(|kernel| kernel.name.starts_with("features_") || kernel.name.starts_with("image_"))
    {
        for (name, size) in sizes {
            assert_eq!(kernel.tile_size(name) as usize, size, "{}: {name}", kernel.name);
        }
    }
}

#[test]
fn the_step_record_lies_in_memory_as_the_shaders_read_it() {
    let step = Step { batch: 1, first: 2, index: 3, slot: 4, learning_rate: 5.0, first_value: 6 };
    let words: &[u32] = bytemuck::cast_slice(bytemuck::bytes_of(&step));
    let named = [
        ("batch", words.iter().position(|&word| word == 1)),
        ("first", words.iter().position(|&word| word == 2)),
        ("index", words.iter().position(|&word| word == 3)),
        ("slot", words.iter().position(|&word| word == 4)),
        ("learning_rate", words.iter().position(|&word| word == 5.0f32.to_bits())),
        ("first_value", words.iter().position(|&word| word == 6)),
    ];
    for kernel in KERNELS {
        let module = parse(kernel);
        let (_, variable) =
            module.global_variables.iter().find(|(_, variable)| variable.name.as_deref() == Some("step")).unwrap();
        let naga::TypeInner::Struct { members, span } = &module.types[variable.ty].inner else {
            panic!("{}: step is no struct", kernel.name)
        };
        assert_eq!(*span as usize, size_of::<Step>(), "{}", kernel.name);
        let members: Vec<(&str, Option<usize>)> =
            members.iter().map(|member| (member.name.as_deref().unwrap(), Some(member.offset as usize / 4))).collect();
        assert_eq!(members, named, "{}", kernel.name);
    }
}

#[test]
fn workgroups_stay_within_the_default_limits() {
    for (dispatch, module) in resolved() {
        let size = module.entry_points[0].workgroup_size;
        assert_eq!(f64::from(size[0]), dispatch.constant("WORKGROUP"), "{}", dispatch.label());
        assert!(size.iter().product::<u32>() <= INVOCATIONS, "{}: {size:?}", dispatch.label());
        let layouter = module.to_ctx();
        let bytes: u32 = module
            .global_variables
            .iter()
            .filter(|(_, variable)| variable.space == naga::AddressSpace::WorkGroup)
            .map(|(_, variable)| module.types[variable.ty].inner.size(layouter))
            .sum();
        assert!(bytes <= WORKGROUP_BYTES, "{}: {bytes} bytes of workgroup memory", dispatch.label());
    }
}

#[test]
fn peak_kernels_stay_within_the_default_limits() {
    for kernel in PEAK_KERNELS {
        let module = parse(kernel);
        let info = validator(kernel).validate(&module).expect("valid");
        let value = |name: &str| if name == "WORKGROUP" { INVOCATIONS } else { 64 };
        let constants = kernel.constants.iter().map(|name| ((*name).to_owned(), f64::from(value(name)))).collect();
        let (module, _) = naga::back::pipeline_constants::process_overrides(&module, &info, None, &constants).unwrap();
        assert_eq!(module.entry_points[0].workgroup_size, [INVOCATIONS, 1, 1], "{}", kernel.name);
        let shared = module.global_variables.iter().filter(|(_, other)| other.space == naga::AddressSpace::WorkGroup);
        let bytes: u32 = shared.map(|(_, other)| module.types[other.ty].inner.size(module.to_ctx())).sum();
        assert!(bytes <= WORKGROUP_BYTES, "{}: {bytes} bytes of workgroup memory", kernel.name);
    }
}

#[test]
fn dispatches_give_each_constant_once_and_a_buffer_for_each_binding() {
    let of_the_trainer = [
        inputs::TRAIN_IMAGES,
        inputs::TRAIN_LABELS,
        inputs::TRAIN_ORDER,
        inputs::TRAIN_METRICS,
        inputs::TEST_IMAGES,
        inputs::TEST_LABELS,
        inputs::TEST_ORDER,
        inputs::TEST_METRICS,
        inputs::PARAMETERS,
        inputs::VELOCITIES,
        inputs::GRADIENTS,
    ];
    let plans = plans();
    let of = |plan| -> [(&Plan, &[Dispatch]); 2] {
        let plan: &Plan = plan;
        [(plan, &plan.training), (plan, &plan.evaluation)]
    };
    for (plan, dispatch) in plans.iter().flat_map(of).flat_map(|(plan, list)| list.iter().map(move |one| (plan, one))) {
        let mut given: Vec<&str> = dispatch.constants.iter().map(|(name, _)| *name).collect();
        let mut wanted = dispatch.kernel.constants.to_vec();
        given.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(given, wanted, "{}", dispatch.label());
        let storage = dispatch.kernel.bindings.iter().filter(|binding| binding.access != Access::Step).count();
        assert_eq!(dispatch.buffers.len(), storage, "{}", dispatch.label());
        for name in &dispatch.buffers {
            let known =
                plan.buffers.iter().any(|buffer| buffer.name == *name) || of_the_trainer.contains(&name.as_str());
            assert!(known, "{}: nobody makes {name}", dispatch.label());
        }
    }
}

#[test]
fn the_arithmetic_of_the_plan_is_that_of_the_model() {
    let model = Model::new(DROPOUT_RATE);
    let with_weights = |name: &str| name.starts_with("conv_") || name.starts_with("dense_");
    let sums = |name: &str| name.ends_with("_bias") || name.ends_with("_reduce");
    let flop: u64 = plan()
        .training
        .iter()
        .filter(|dispatch| with_weights(dispatch.kernel.name) && !sums(dispatch.kernel.name))
        .map(|dispatch| dispatch.flop.at(128))
        .sum();
    assert_eq!(flop, 2 * 128 * model.training_macs());
}

#[test]
fn every_parameter_gets_its_gradient_from_exactly_one_dispatch() {
    let model = Model::new(DROPOUT_RATE);
    let plan = plan();
    for parameter in &model.parameters {
        let kind = if parameter.is_bias() { "bias" } else { "weight" };
        let writes = |dispatch: &&Dispatch| {
            dispatch.layer == parameter.layer
                && dispatch.buffers.last().is_some_and(|buffer| buffer == inputs::GRADIENTS)
                && dispatch
                    .constants
                    .contains(&(if kind == "bias" { "BIAS" } else { "WEIGHT" }, parameter.offset as f64))
        };
        assert_eq!(plan.training.iter().filter(writes).count(), 1, "{}", parameter.name);
    }
}
