//! The dispatches of one layer: convolutions, pooling, dropout, and the buffers between them.

use crate::kernels::kernel::Kernel;
use crate::kernels::plan::{Amount, BufferSpec, Dispatch, Element, Grid, inputs};
use crate::kernels::table::*;
use crate::model::{IMAGE_PIXELS, Layer, Model, Operation, Shape, Training};
use crate::rng;

/// Invocations in a workgroup: two warps on NVIDIA, one wavefront on AMD's older GPUs, 8 vectors on a software adapter.
pub(super) const WORKGROUP: u32 = 64;
pub(super) const VALUE: u64 = 4; // bytes
/// A workgroup sums a convolution's weight gradient over a chunk of images: about this many rows of the output.
pub(super) const ROWS_PER_CHUNK: usize = 320;

pub(super) const BATCH_IMAGES: &str = "batch.images";
pub(super) const BATCH_LABELS: &str = "batch.labels";
pub(super) const LOSS: &str = "loss.loss";
pub(super) const CORRECT: &str = "loss.correct";

pub(in crate::kernels) fn output_of(layer: &Layer) -> String {
    format!("{}.output", layer.name)
}

/// The gradient of the loss with respect to the output of `layer`, before its ReLU if it has one.
pub(super) fn gradient_of(layer: &Layer) -> String {
    format!("{}.gradient", layer.name)
}

pub(super) fn argmax_of(layer: &Layer) -> String {
    format!("{}.argmax", layer.name)
}

pub(super) fn partial_of(layer: &Layer) -> String {
    format!("{}.weight_partial", layer.name)
}

/// Images in a chunk of a convolution's weight gradient.
pub(super) fn chunk_of(layer: &Layer) -> u32 {
    (ROWS_PER_CHUNK / layer.output.height).max(1) as u32
}

/// The bytes of `per_image` values for each image and `fixed` for all.
pub(super) fn bytes(per_image: usize, fixed: usize) -> Amount {
    Amount::per_image(VALUE * per_image as u64).plus(VALUE * fixed as u64)
}

/// The arithmetic of one pass over the multiply-adds of `layer`.
pub(super) fn flop(layer: &Layer) -> Amount {
    Amount::per_image(2 * layer.forward_macs())
}

pub(super) fn names<const N: usize>(buffers: [&str; N]) -> Vec<String> {
    buffers.map(str::to_owned).to_vec()
}

pub(super) struct Builder<'a> {
    pub(super) model: &'a Model,
    pub(super) key: [u32; 2],
}

impl Builder<'_> {
    pub(super) fn elements(&self, name: &str) -> usize {
        self.model.parameter(name).elements()
    }

    /// Offset of `<layer>.<kind>` in the parameter vector.
    pub(super) fn offset(&self, layer: &Layer, kind: &str) -> f64 {
        self.model.parameter(&format!("{}.{kind}", layer.name)).offset as f64
    }

    /// The constants that describe a convolution or a pooling layer.
    pub(super) fn spatial_constants(layer: &Layer) -> [(&'static str, f64); 4] {
        let Shape { height, width, .. } = layer.input;
        [
            ("IN_HEIGHT", height as f64),
            ("IN_WIDTH", width as f64),
            ("OUT_HEIGHT", layer.output.height as f64),
            ("OUT_WIDTH", layer.output.width as f64),
        ]
    }

    pub(super) fn conv_constants(
        layer: &Layer,
        kernel: usize,
        more: &[(&'static str, f64)],
    ) -> Vec<(&'static str, f64)> {
        let channels = [
            ("IN_CHANNELS", layer.input.channels as f64),
            ("OUT_CHANNELS", layer.output.channels as f64),
            ("KERNEL", kernel as f64),
        ];
        [&Self::spatial_constants(layer)[..], &channels, more].concat()
    }

    pub(super) fn gather(&self, [images, labels, order]: [&str; 3]) -> Dispatch {
        Dispatch {
            kernel: &BATCH_GATHER,
            layer: "batch",
            constants: vec![workgroup(), ("PIXELS", IMAGE_PIXELS as f64)],
            buffers: names([images, labels, order, BATCH_IMAGES, BATCH_LABELS]),
            grid: Grid::Invocations(Amount::per_image(IMAGE_PIXELS as u64 / 4)),
            flop: Amount::per_image(IMAGE_PIXELS as u64),
            bytes: Amount::per_image((1 + VALUE) * IMAGE_PIXELS as u64 + 3 * VALUE),
        }
    }

    /// The forward pass of `layer` over the buffer `input`; the sums of the loss layer go to `metrics`.
    pub(super) fn forward(&self, layer: &Layer, input: &str, metrics: &str) -> Vec<Dispatch> {
        match layer.operation {
            Operation::Convolution { kernel } => vec![self.conv_forward(layer, kernel, input)],
            Operation::MaxPool { window } => vec![self.max_pool_forward(layer, window, input)],
            Operation::Dropout { rate } => vec![self.dropout(&DROPOUT_FORWARD, layer, rate, input, &output_of(layer))],
            Operation::Dense { relu } => vec![self.dense_forward(layer, relu, input)],
            Operation::SoftmaxCrossEntropy => self.loss_forward(layer, input, metrics),
        }
    }

    /// The backward pass of `layer`, whose input is the buffer `input`, the output of the layer `before`.
    pub(super) fn backward(&self, layer: &Layer, input: &str, before: Option<&Layer>) -> Vec<Dispatch> {
        match layer.operation {
            Operation::Convolution { kernel } => self.conv_backward(layer, kernel, input, before),
            Operation::MaxPool { window } => {
                before.map(|to| self.max_pool_backward(layer, window, to)).into_iter().collect()
            }
            Operation::Dropout { rate } => before
                .map(|to| self.dropout(&DROPOUT_BACKWARD, layer, rate, &gradient_of(layer), &gradient_of(to)))
                .into_iter()
                .collect(),
            Operation::Dense { .. } => self.dense_backward(layer, input, before),
            Operation::SoftmaxCrossEntropy => {
                before.map(|to| self.loss_backward(layer, input, to)).into_iter().collect()
            }
        }
    }

    pub(super) fn conv_forward(&self, layer: &Layer, kernel: usize, input: &str) -> Dispatch {
        let own = [workgroup(), ("WEIGHT", self.offset(layer, "weight")), ("BIAS", self.offset(layer, "bias"))];
        let blocks = layer.output.width.div_ceil(CONV_FORWARD.tile_size("COLUMNS") as usize);
        let groups = layer.output.channels / CONV_FORWARD.tile_size("CHANNELS") as usize;
        Dispatch {
            kernel: &CONV_FORWARD,
            layer: layer.name,
            constants: Self::conv_constants(layer, kernel, &own),
            buffers: names([input, inputs::PARAMETERS, &output_of(layer)]),
            grid: Grid::Invocations(Amount::per_image((groups * layer.output.height * blocks) as u64)),
            flop: flop(layer),
            bytes: bytes(layer.input.elements() + layer.output.elements(), self.layer_parameters(layer)),
        }
    }

    pub(super) fn conv_backward(
        &self,
        layer: &Layer,
        kernel: usize,
        input: &str,
        before: Option<&Layer>,
    ) -> Vec<Dispatch> {
        let weights = self.elements(&format!("{}.weight", layer.name));
        let (chunk, both) = (chunk_of(layer), layer.input.elements() + layer.output.elements());
        let groups = layer.output.channels / CONV_BACKWARD_WEIGHT.tile_size("CHANNELS") as usize;
        let mut dispatches = vec![
            Dispatch {
                kernel: &CONV_BACKWARD_WEIGHT,
                layer: layer.name,
                constants: Self::conv_constants(layer, kernel, &[workgroup(), ("CHUNK", f64::from(chunk))]),
                buffers: names([input, &gradient_of(layer), &partial_of(layer)]),
                grid: Grid::Workgroups(
                    Amount::fixed((groups * layer.input.channels * kernel) as u64),
                    Amount::per_chunk(1, chunk),
                ),
                flop: flop(layer),
                bytes: Amount { per_chunk: VALUE * weights as u64, chunk, ..bytes(both, 0) },
            },
            Dispatch {
                kernel: &CONV_BACKWARD_BIAS,
                layer: layer.name,
                constants: vec![
                    workgroup(),
                    ("OUT_CHANNELS", layer.output.channels as f64),
                    ("POSITIONS", layer.output.positions() as f64),
                    ("BIAS", self.offset(layer, "bias")),
                ],
                buffers: names([&gradient_of(layer), inputs::GRADIENTS]),
                grid: Grid::Workgroups(Amount::fixed(layer.output.channels as u64), Amount::fixed(1)),
                flop: Amount::per_image(layer.output.elements() as u64),
                bytes: bytes(layer.output.elements(), layer.output.channels),
            },
            Dispatch {
                kernel: &CONV_BACKWARD_WEIGHT_REDUCE,
                layer: layer.name,
                constants: vec![
                    workgroup(),
                    ("ELEMENTS", weights as f64),
                    ("WEIGHT", self.offset(layer, "weight")),
                    ("CHUNK", f64::from(chunk)),
                ],
                buffers: names([&partial_of(layer), inputs::GRADIENTS]),
                grid: Grid::Invocations(Amount::fixed(weights as u64)),
                flop: Amount::per_chunk(weights as u64, chunk),
                bytes: Amount::per_chunk(VALUE * weights as u64, chunk).plus(VALUE * weights as u64),
            },
        ];
        dispatches.extend(before.map(|to| self.conv_backward_input(layer, kernel, to)));
        dispatches
    }

    pub(super) fn conv_backward_input(&self, layer: &Layer, kernel: usize, to: &Layer) -> Dispatch {
        let blocks = layer.input.width.div_ceil(CONV_BACKWARD_INPUT.tile_size("COLUMNS") as usize);
        let groups = layer.input.channels / CONV_BACKWARD_INPUT.tile_size("CHANNELS") as usize;
        let weights = self.elements(&format!("{}.weight", layer.name));
        Dispatch {
            kernel: &CONV_BACKWARD_INPUT,
            layer: layer.name,
            constants: Self::conv_constants(layer, kernel, &[workgroup(), ("WEIGHT", self.offset(layer, "weight"))]),
            buffers: names([&gradient_of(layer), inputs::PARAMETERS, &gradient_of(to)]),
            grid: Grid::Invocations(Amount::per_image((groups * layer.input.height * blocks) as u64)),
            flop: flop(layer),
            bytes: bytes(layer.input.elements() + layer.output.elements(), weights),
        }
    }

    pub(super) fn max_pool_constants(layer: &Layer, window: usize) -> Vec<(&'static str, f64)> {
        let own = [workgroup(), ("CHANNELS", layer.input.channels as f64), ("WINDOW", window as f64)];
        [&Self::spatial_constants(layer)[..], &own].concat()
    }

    pub(super) fn max_pool_forward(&self, layer: &Layer, window: usize, input: &str) -> Dispatch {
        let outputs = layer.output.elements();
        Dispatch {
            kernel: &MAX_POOL_FORWARD,
            layer: layer.name,
            constants: Self::max_pool_constants(layer, window),
            buffers: names([input, &output_of(layer), &argmax_of(layer)]),
            grid: Grid::Invocations(Amount::per_image(outputs as u64)),
            flop: Amount::per_image((outputs * (window * window - 1)) as u64),
            bytes: bytes(outputs * (window * window + 2), 0),
        }
    }

    pub(super) fn max_pool_backward(&self, layer: &Layer, window: usize, to: &Layer) -> Dispatch {
        let windows = layer.input.channels * layer.input.height.div_ceil(window) * layer.input.width.div_ceil(window);
        Dispatch {
            kernel: &MAX_POOL_BACKWARD,
            layer: layer.name,
            constants: Self::max_pool_constants(layer, window),
            buffers: names([&gradient_of(layer), &argmax_of(layer), &output_of(layer), &gradient_of(to)]),
            grid: Grid::Invocations(Amount::per_image(windows as u64)),
            flop: Amount::fixed(0),
            bytes: bytes(3 * layer.output.elements() + layer.input.elements(), 0),
        }
    }

    pub(super) fn dropout(&self, kernel: &'static Kernel, layer: &Layer, rate: f32, from: &str, to: &str) -> Dispatch {
        let elements = layer.input.elements();
        Dispatch {
            kernel,
            layer: layer.name,
            constants: vec![
                workgroup(),
                ("ELEMENTS", elements as f64),
                ("KEY_LOW", f64::from(self.key[0])),
                ("KEY_HIGH", f64::from(self.key[1])),
                ("THRESHOLD", f64::from(rng::dropout_threshold(rate))),
                ("SCALE", f64::from(1.0 / (1.0 - rate))),
            ],
            buffers: names([from, to]),
            grid: Grid::Invocations(Amount::per_image(elements as u64)),
            flop: Amount::per_image(elements as u64),
            bytes: bytes(2 * elements, 0),
        }
    }

    pub(super) fn update(&self, training: &Training) -> Dispatch {
        let elements = self.model.parameter_count();
        Dispatch {
            kernel: &SGD_UPDATE,
            layer: "all",
            constants: vec![workgroup(), ("ELEMENTS", elements as f64), ("MOMENTUM", f64::from(training.momentum))],
            buffers: names([inputs::GRADIENTS, inputs::VELOCITIES, inputs::PARAMETERS]),
            grid: Grid::Invocations(Amount::fixed(elements as u64)),
            flop: Amount::fixed(4 * elements as u64),
            bytes: bytes(0, 5 * elements),
        }
    }

    /// Number of parameters of `layer`, weight and bias.
    pub(super) fn layer_parameters(&self, layer: &Layer) -> usize {
        self.model.parameters.iter().filter(|parameter| parameter.layer == layer.name).map(|own| own.elements()).sum()
    }

    /// The buffers between the dispatches.
    pub(super) fn buffers(&self) -> Vec<BufferSpec> {
        let per_image =
            |name: String, element, count: usize| BufferSpec { name, element, length: Amount::per_image(count as u64) };
        let mut buffers = vec![
            per_image(BATCH_IMAGES.into(), Element::F32, IMAGE_PIXELS),
            per_image(BATCH_LABELS.into(), Element::U32, 1),
            per_image(LOSS.into(), Element::F32, 1),
            per_image(CORRECT.into(), Element::F32, 1),
        ];
        for layer in &self.model.layers {
            if layer.operation == Operation::SoftmaxCrossEntropy {
                continue;
            }
            buffers.push(per_image(output_of(layer), Element::F32, layer.output.elements()));
            buffers.push(per_image(gradient_of(layer), Element::F32, layer.output.elements()));
            match layer.operation {
                Operation::MaxPool { .. } => {
                    buffers.push(per_image(argmax_of(layer), Element::U32, layer.output.elements()));
                }
                Operation::Convolution { .. } => buffers.push(BufferSpec {
                    name: partial_of(layer),
                    element: Element::F32,
                    length: Amount::per_chunk(self.elements(&format!("{}.weight", layer.name)) as u64, chunk_of(layer)),
                }),
                _ => {}
            }
        }
        buffers
    }
}

pub(super) fn workgroup() -> (&'static str, f64) {
    ("WORKGROUP", f64::from(WORKGROUP))
}
