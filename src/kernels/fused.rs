//! The plans `fused`, `fused_subgroups` and `fused_lanes`: four kernels a step, from pixels to updated parameters,
//! within WebGPU's default limits.
//!
//! One workgroup carries one image through both convolutions ([`FEATURES_FORWARD`]), a group of images through the
//! dense layers, the loss and back ([`CLASSIFIER_FORWARD_BACKWARD`]), one image back through the convolutions
//! ([`FEATURES_BACKWARD`]); then every parameter's gradient over the batch is made and used at once
//! ([`GRADIENT_UPDATE`]).

use super::layered;
use super::plan::{Amount, BufferSpec, Dispatch, Element, Grid, Parameter, Plan, inputs};
use super::table::*;
use crate::model::{CLASSES, DROPOUT_RATE, IMAGE_PIXELS, Model, Operation, Training};
use crate::rng;

/// Name of the plan.
pub const NAME: &str = "fused";
/// Name of the plan that exchanges values between invocations without memory.
pub const SUBGROUPS: &str = "fused_subgroups";
/// Name of the plan whose lanes carry whole planes.
pub const LANES: &str = "fused_lanes";

/// What may be chosen of `fused`: images of a workgroup of `classifier_forward_backward`, and vec4s of inputs of one of
/// `gradient_update`.
pub const PARAMETERS: [Parameter; 2] = [
    Parameter { name: "images", values: &[1, 2, 3, 4], shipped: 4 },
    Parameter { name: "inputs", values: &[8, 16, 32], shipped: 8 },
];

/// Lanes of a workgroup in `fused_lanes`; lanes hold channels, so they divide those of both convolutions.
const LANES_OF_IMAGE: u32 = 8;
/// Invocations of a workgroup on a GPU, where its kernel is not made for others.
const WORKGROUP: u32 = 256;
/// Bytes of one value.
const VALUE: usize = 4;

pub(super) const POOL1: &str = "pool1.output";
pub(super) const ARGMAX: &str = "argmax";
pub(super) const FEATURES: &str = "features.output";
pub(super) const DFEATURES: &str = "features.gradient";
const TARGETS: &str = "batch.labels";
pub(super) const HIDDEN: &str = "hidden.output";
pub(super) const DELTAS: &str = "dense.gradient";
const OUTCOME: &str = "loss.outcome";
pub(super) const PARTIAL: &str = "conv.partial";
const LOSS: &str = "loss.loss";
const CORRECT: &str = "loss.correct";

/// Makes the plan for `model`, with dropout masks drawn under `seed`, for a GPU: many invocations share an image.
///
/// # Panics
/// If there is no value for each of [`PARAMETERS`].
pub fn fused(model: &Model, training: &Training, seed: u64, values: &[u32]) -> Plan {
    let &[images, inputs] = values else { panic!("a value for each parameter") };
    make(NAME, Shape::Gpu { images, inputs }, model, training, seed)
}

/// As [`fused()`], for adapters with subgroups: sums of two and four invocations need no barrier.
///
/// # Panics
/// As [`fused()`].
pub fn fused_subgroups(model: &Model, training: &Training, seed: u64, values: &[u32]) -> Plan {
    let mut plan = Plan { name: SUBGROUPS, ..fused(model, training, seed, values) };
    for dispatch in plan.training.iter_mut().filter(|dispatch| dispatch.kernel == &CLASSIFIER_FORWARD_BACKWARD) {
        dispatch.kernel = &CLASSIFIER_FORWARD_BACKWARD_SUBGROUPS;
    }
    plan
}

/// As [`fused()`], for a software adapter to which loads are expensive and registers cheap: each lane carries whole
/// planes of an image, and the convolutions' parameters come from a uniform.
pub fn fused_lanes(model: &Model, training: &Training, seed: u64, _values: &[u32]) -> Plan {
    make(LANES, Shape::Lanes, model, training, seed)
}

/// How the work is divided.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// With these values of [`PARAMETERS`].
    Gpu { images: u32, inputs: u32 },
    /// By vectors of lanes.
    Lanes,
}

fn make(name: &'static str, shape: Shape, model: &Model, training: &Training, seed: u64) -> Plan {
    let builder = Builder { model, shape, key: rng::stream_key(seed, rng::Stream::Dropout) };
    let training = vec![
        builder.features_forward([inputs::TRAIN_IMAGES, inputs::TRAIN_LABELS, inputs::TRAIN_ORDER], builder.rate()),
        builder.classifier(),
        builder.features_backward(),
        builder.update(training),
    ];
    let mut evaluation =
        vec![builder.features_forward([inputs::TEST_IMAGES, inputs::TEST_LABELS, inputs::TEST_ORDER], 0.0)];
    evaluation.extend(layered::classifier(model, FEATURES.to_owned(), inputs::TEST_METRICS));
    Plan { name, parameters: Vec::new(), training, evaluation, buffers: builder.buffers() }
}

/// The sizes that the kernels share.
struct Builder<'a> {
    model: &'a Model,
    shape: Shape,
    key: [u32; 2],
}

impl Builder<'_> {
    fn rate(&self) -> f32 {
        let rate = |operation| if let Operation::Dropout { rate } = operation { Some(rate) } else { None };
        self.model.layers.iter().find_map(|layer| rate(layer.operation)).unwrap_or(DROPOUT_RATE)
    }

    fn output(&self, layer: &str) -> usize {
        self.model.layer(layer).output.elements()
    }

    fn channels(&self, layer: &str) -> usize {
        self.model.layer(layer).output.channels
    }

    /// Where `parameter` starts in the parameter vector.
    fn offset(&self, parameter: &str) -> f64 {
        self.model.parameter(parameter).offset as f64
    }

    /// Weight and bias of `layer`.
    fn parameters(&self, layer: &str) -> usize {
        self.model.parameters.iter().filter(|parameter| parameter.layer == layer).map(|own| own.elements()).sum()
    }

    fn dense_parameters(&self) -> usize {
        ["fc1", "fc2", "fc3"].map(|layer| self.parameters(layer)).iter().sum()
    }

    fn dense_macs(&self) -> u64 {
        ["fc1", "fc2", "fc3"].map(|layer| self.model.layer(layer).forward_macs()).iter().sum()
    }

    /// Words of an image that say where the maxima stood: one for each row of windows.
    fn argmax(&self) -> usize {
        let rows = |layer| self.channels(layer) * self.model.layer(layer).output.height;
        rows("pool1") + rows("pool2")
    }

    fn hidden(&self) -> usize {
        self.output("fc1") + self.output("fc2")
    }

    /// The gradients of the dense layers' outputs, in whole vec4s.
    fn deltas(&self) -> usize {
        self.hidden() + CLASSES.next_multiple_of(4)
    }

    /// An image's gradients of the convolutions' parameters.
    fn partial(&self) -> usize {
        self.parameters("conv1") + self.parameters("conv2")
    }

    fn image_constants(&self, workgroup: u32) -> Vec<(&'static str, f64)> {
        vec![
            ("WORKGROUP", f64::from(workgroup)),
            ("CHANNELS1", self.channels("conv1") as f64),
            ("CHANNELS2", self.channels("conv2") as f64),
            ("CONV2_WEIGHT", self.offset("conv2.weight")),
        ]
    }

    fn dense_constants(&self, workgroup: u32) -> Vec<(&'static str, f64)> {
        vec![
            ("WORKGROUP", f64::from(workgroup)),
            ("FEATURES", self.output("pool2") as f64),
            ("UNITS1", self.output("fc1") as f64),
            ("UNITS2", self.output("fc2") as f64),
            ("CLASSES", CLASSES as f64),
            ("FC1_WEIGHT", self.offset("fc1.weight")),
            ("FC1_BIAS", self.offset("fc1.bias")),
            ("FC2_WEIGHT", self.offset("fc2.weight")),
            ("FC2_BIAS", self.offset("fc2.bias")),
            ("FC3_WEIGHT", self.offset("fc3.weight")),
            ("FC3_BIAS", self.offset("fc3.bias")),
        ]
    }

    fn features_forward(&self, [images, labels, order]: [&str; 3], rate: f32) -> Dispatch {
        let own = [
            ("CONV1_WEIGHT", self.offset("conv1.weight")),
            ("CONV1_BIAS", self.offset("conv1.bias")),
            ("CONV2_BIAS", self.offset("conv2.bias")),
            ("KEY_LOW", f64::from(self.key[0])),
            ("KEY_HIGH", f64::from(self.key[1])),
            ("THRESHOLD", f64::from(rng::dropout_threshold(rate))),
            ("SCALE", f64::from(1.0 / (1.0 - rate))),
        ];
        let values = self.output("pool1") + self.output("pool2") + self.argmax() + 3;
        let (kernel, workgroup) = match self.shape {
            Shape::Gpu { .. } => (&FEATURES_FORWARD, WORKGROUP),
            Shape::Lanes => (&FEATURES_FORWARD_LANES, LANES_OF_IMAGE),
        };
        Dispatch {
            kernel,
            layer: "features",
            constants: [self.image_constants(workgroup), own.to_vec()].concat(),
            buffers: names([images, labels, order, inputs::PARAMETERS, POOL1, ARGMAX, FEATURES, TARGETS]),
            grid: one_for_each_image(),
            flop: Amount::per_image(2 * 4 * (self.pool1_macs() + self.pool2_macs())),
            bytes: bytes(IMAGE_PIXELS + VALUE * values, self.parameters("conv1") + self.parameters("conv2")),
        }
    }

    /// Multiply-adds of conv1 for one position of each window of pool1.
    fn pool1_macs(&self) -> u64 {
        (self.output("pool1") * self.parameters("conv1") / self.channels("conv1") - self.output("pool1")) as u64
    }

    /// Multiply-adds of conv2 for one position of each window of pool2.
    fn pool2_macs(&self) -> u64 {
        (self.output("pool2") * self.parameters("conv2") / self.channels("conv2") - self.output("pool2")) as u64
    }

    fn classifier(&self) -> Dispatch {
        let values = 2 * self.output("pool2") + self.hidden() + self.deltas() + 3;
        let mut own = vec![("SCALE", f64::from(1.0 / (1.0 - self.rate())))];
        let (kernel, workgroup, images) = match self.shape {
            Shape::Gpu { images, .. } => {
                own.push(("IMAGES", f64::from(images)));
                (&CLASSIFIER_FORWARD_BACKWARD, WORKGROUP, images)
            }
            Shape::Lanes => {
                let kernel = &CLASSIFIER_FORWARD_BACKWARD_LANES;
                (kernel, LANES_OF_IMAGE, kernel.tile_size("IMAGES"))
            }
        };
        Dispatch {
            kernel,
            layer: "classifier",
            constants: [self.dense_constants(workgroup), own].concat(),
            buffers: names([FEATURES, TARGETS, inputs::PARAMETERS, HIDDEN, DELTAS, DFEATURES, OUTCOME]),
            grid: Grid::Workgroups(Amount::per_chunk(1, images), Amount::fixed(1)),
            flop: Amount::per_image(2 * 2 * self.dense_macs()),
            bytes: bytes(VALUE * values, self.dense_parameters()),
        }
    }

    fn features_backward(&self) -> Dispatch {
        let conv2 = self.model.parameter("conv2.weight").elements();
        let values = self.argmax() + self.output("pool2") + self.output("pool1") + self.partial() + 1;
        // The gradient of pool1 is made from all positions of conv2, the others from one position in four.
        let positions = self.model.layer("pool1").output.positions() as u64;
        let channels = self.channels("conv1") as u32;
        // On a GPU one workgroup makes the gradients of conv1, another those of conv2.
        let (kernel, workgroup, groups) = match self.shape {
            Shape::Gpu { .. } => (&FEATURES_BACKWARD, FEATURES_BACKWARD.tile_size("GROUP") * channels, 2),
            Shape::Lanes => (&FEATURES_BACKWARD_LANES, LANES_OF_IMAGE, channels / LANES_OF_IMAGE),
        };
        Dispatch {
            kernel,
            layer: "features",
            constants: [self.image_constants(workgroup), vec![("PARTIAL", self.partial() as f64)]].concat(),
            buffers: names([
                inputs::TRAIN_IMAGES,
                inputs::TRAIN_ORDER,
                inputs::PARAMETERS,
                POOL1,
                ARGMAX,
                DFEATURES,
                PARTIAL,
            ]),
            grid: Grid::Workgroups(Amount::per_image(1), Amount::fixed(u64::from(groups))),
            flop: Amount::per_image(2 * (self.pool1_macs() + self.pool2_macs() + conv2 as u64 * positions)),
            bytes: bytes(IMAGE_PIXELS + VALUE * values, conv2),
        }
    }

    fn update(&self, training: &Training) -> Dispatch {
        let mut own = vec![
            ("CONV1", self.parameters("conv1") as f64),
            ("CONV2", self.parameters("conv2") as f64),
            ("MOMENTUM", f64::from(training.momentum)),
        ];
        // Units and vec4s of inputs of a workgroup, and its vec4s of what is summed as it is. The biases are among
        // those or, for lanes, the weights of one more input.
        let conv = self.parameters("conv1") + self.parameters("conv2");
        let (kernel, workgroup, [units, across, vec4s], [bias_inputs, sums]) = match self.shape {
            Shape::Gpu { inputs, .. } => {
                own.push(("INPUTS", f64::from(inputs)));
                let kernel = &GRADIENT_UPDATE;
                let units = 4 * WORKGROUP / (kernel.tile_size("PARTS") * inputs);
                let sizes = [units, inputs, kernel.tile_size("VECTORS")].map(|size| size as usize);
                (kernel, WORKGROUP, sizes, [0, conv + self.deltas()])
            }
            Shape::Lanes => {
                let kernel = &GRADIENT_UPDATE_LANES;
                let [units, inputs] = ["UNIT_VECS", "INPUT_VECS"].map(|name| kernel.tile_size(name));
                let sizes = [4 * units, inputs * LANES_OF_IMAGE, LANES_OF_IMAGE].map(|size| size as usize);
                (kernel, LANES_OF_IMAGE, sizes, [1, conv])
            }
        };
        let tiles = |layer| {
            let width = self.model.layer(layer).input.elements() / 4 + bias_inputs;
            self.output(layer).div_ceil(units) * width.div_ceil(across)
        };
        let tiles: usize = ["fc1", "fc2", "fc3"].map(tiles).iter().sum();
        let sums = (sums / 4).div_ceil(vec4s);
        let all = self.model.parameter_count();
        let values = self.output("pool2") + self.hidden() + self.deltas() + self.partial() + 2;
        Dispatch {
            kernel,
            layer: "all",
            constants: [self.dense_constants(workgroup), own].concat(),
            buffers: names([
                FEATURES,
                HIDDEN,
                DELTAS,
                OUTCOME,
                PARTIAL,
                inputs::TRAIN_METRICS,
                inputs::VELOCITIES,
                inputs::PARAMETERS,
            ]),
            grid: Grid::Workgroups(Amount::fixed((tiles + sums + 1) as u64), Amount::fixed(1)),
            flop: Amount::per_image(self.dense_macs() + (self.dense_parameters() + self.partial()) as u64)
                .plus(4 * all as u64),
            bytes: bytes(VALUE * values, 4 * all + 2),
        }
    }

    fn buffers(&self) -> Vec<BufferSpec> {
        let per_image = |name: &str, element, count: usize| BufferSpec {
            name: name.to_owned(),
            element,
            length: Amount::per_image(count as u64),
        };
        let mut buffers = vec![
            per_image(POOL1, Element::F32, self.output("pool1")),
            per_image(ARGMAX, Element::U32, self.argmax()),
            per_image(FEATURES, Element::F32, self.output("pool2")),
            per_image(DFEATURES, Element::F32, self.output("pool2")),
            per_image(TARGETS, Element::U32, 1),
            per_image(HIDDEN, Element::F32, self.hidden()),
            per_image(DELTAS, Element::F32, self.deltas()),
            per_image(OUTCOME, Element::F32, 2),
            per_image(PARTIAL, Element::F32, self.partial()),
            per_image(LOSS, Element::F32, 1),
            per_image(CORRECT, Element::F32, 1),
        ];
        for layer in ["fc1", "fc2", "fc3"] {
            buffers.push(per_image(&layered::output_of(self.model.layer(layer)), Element::F32, self.output(layer)));
        }
        buffers
    }
}

fn names<const N: usize>(buffers: [&str; N]) -> Vec<String> {
    buffers.map(str::to_owned).to_vec()
}

fn one_for_each_image() -> Grid {
    Grid::Workgroups(Amount::per_image(1), Amount::fixed(1))
}

/// `per_image` bytes for each image and `parameters` values for all.
fn bytes(per_image: usize, parameters: usize) -> Amount {
    Amount::per_image(per_image as u64).plus((VALUE * parameters) as u64)
}
