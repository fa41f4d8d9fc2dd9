//! The dispatches of the dense layers and of the loss.

use super::builder::*;
use crate::kernels::plan::{Amount, Dispatch, Grid, inputs};
use crate::kernels::table::*;
use crate::model::{CLASSES, Layer, Operation};

impl Builder<'_> {
    pub(super) fn dense_constants(&self, layer: &Layer) -> Vec<(&'static str, f64)> {
        vec![
            workgroup(),
            ("IN", layer.input.elements() as f64),
            ("OUT", layer.output.elements() as f64),
            ("WEIGHT", self.offset(layer, "weight")),
        ]
    }

    pub(super) fn dense_forward(&self, layer: &Layer, relu: bool, input: &str) -> Dispatch {
        let tiles = layer.output.elements().div_ceil(DENSE_FORWARD.tile_size("UNITS") as usize);
        let own = [("BIAS", self.offset(layer, "bias")), ("RELU", f64::from(u8::from(relu)))];
        Dispatch {
            kernel: &DENSE_FORWARD,
            layer: layer.name,
            constants: [&self.dense_constants(layer)[..], &own].concat(),
            buffers: names([input, inputs::PARAMETERS, &output_of(layer)]),
            grid: Grid::Invocations(Amount::per_chunk(tiles as u64, DENSE_FORWARD.tile_size("IMAGES"))),
            flop: flop(layer),
            bytes: bytes(layer.input.elements() + layer.output.elements(), self.layer_parameters(layer)),
        }
    }

    pub(super) fn dense_backward(&self, layer: &Layer, input: &str, before: Option<&Layer>) -> Vec<Dispatch> {
        let (features, units) = (layer.input.elements(), layer.output.elements());
        let tiles = units.div_ceil(DENSE_BACKWARD_WEIGHT.tile_size("UNITS") as usize)
            * (features / DENSE_BACKWARD_WEIGHT.tile_size("FEATURES") as usize);
        let mut dispatches = vec![
            Dispatch {
                kernel: &DENSE_BACKWARD_WEIGHT,
                layer: layer.name,
                constants: self.dense_constants(layer),
                buffers: names([input, &gradient_of(layer), inputs::GRADIENTS]),
                grid: Grid::Invocations(Amount::fixed(tiles as u64)),
                flop: flop(layer),
                bytes: bytes(features + units, features * units),
            },
            Dispatch {
                kernel: &DENSE_BACKWARD_BIAS,
                layer: layer.name,
                constants: vec![workgroup(), ("OUT", units as f64), ("BIAS", self.offset(layer, "bias"))],
                buffers: names([&gradient_of(layer), inputs::GRADIENTS]),
                grid: Grid::Invocations(Amount::fixed(units as u64)),
                flop: Amount::per_image(units as u64),
                bytes: bytes(units, units),
            },
        ];
        dispatches.extend(before.map(|to| self.dense_backward_input(layer, input, to)));
        dispatches
    }

    pub(super) fn dense_backward_input(&self, layer: &Layer, input: &str, to: &Layer) -> Dispatch {
        let (features, units) = (layer.input.elements(), layer.output.elements());
        let tiles = features / DENSE_BACKWARD_INPUT.tile_size("FEATURES") as usize;
        let relu_before = matches!(to.operation, Operation::Dense { relu: true });
        Dispatch {
            kernel: &DENSE_BACKWARD_INPUT,
            layer: layer.name,
            constants: [&self.dense_constants(layer)[..], &[("RELU_BEFORE", f64::from(u8::from(relu_before)))]]
                .concat(),
            buffers: names([&gradient_of(layer), inputs::PARAMETERS, input, &gradient_of(to)]),
            grid: Grid::Invocations(Amount::per_chunk(tiles as u64, DENSE_BACKWARD_INPUT.tile_size("IMAGES"))),
            flop: flop(layer),
            bytes: bytes((1 + usize::from(relu_before)) * features + units, features * units),
        }
    }

    pub(super) fn loss_forward(&self, layer: &Layer, input: &str, metrics: &str) -> Vec<Dispatch> {
        vec![
            Dispatch {
                kernel: &SOFTMAX_CROSS_ENTROPY_FORWARD,
                layer: layer.name,
                constants: vec![workgroup(), ("CLASSES", CLASSES as f64)],
                buffers: names([input, BATCH_LABELS, LOSS, CORRECT]),
                grid: Grid::Invocations(Amount::per_image(1)),
                flop: Amount::per_image(4 * CLASSES as u64 + 2),
                bytes: bytes(CLASSES + 3, 0),
            },
            Dispatch {
                kernel: &METRICS_REDUCE,
                layer: layer.name,
                constants: vec![workgroup()],
                buffers: names([LOSS, CORRECT, metrics]),
                grid: Grid::Workgroups(Amount::fixed(1), Amount::fixed(1)),
                flop: Amount::per_image(2),
                bytes: bytes(2, 2),
            },
        ]
    }

    pub(super) fn loss_backward(&self, layer: &Layer, input: &str, to: &Layer) -> Dispatch {
        Dispatch {
            kernel: &SOFTMAX_CROSS_ENTROPY_BACKWARD,
            layer: layer.name,
            constants: vec![workgroup(), ("CLASSES", CLASSES as f64)],
            buffers: names([input, BATCH_LABELS, &gradient_of(to)]),
            grid: Grid::Invocations(Amount::per_image(1)),
            flop: Amount::per_image(7 * CLASSES as u64 - 1),
            bytes: bytes(2 * CLASSES + 1, 0),
        }
    }
}
