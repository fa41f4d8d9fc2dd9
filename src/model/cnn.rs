//! The pinned CNN, at any width.

use super::layer::{CLASSES, IMAGE_SIDE, Layer, Operation, Shape};
use super::parameter::{Parameter, layer_parameters};
use crate::error::{Error, Result};
use crate::rng::{Sequence, Stream};

/// Numbers of channels and hidden units are multiples of this: kernels compute this many neighbours at once and read
/// rows of a dense layer four values at a time.
pub const COUNT_MULTIPLE: usize = 4;
/// The maximum width: the check of wider networks against the reference would take minutes, and they would need more
/// workgroups than the default limits allow.
pub const WIDEST: f64 = 16.0;

/// The pinned dropout rate.
pub const DROPOUT_RATE: f32 = 0.2;

/// The network: its layers in order, and its parameters in one flat vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Layers from the image to the loss.
    pub layers: Vec<Layer>,
    /// Parameters in the order of the layers, weight before bias.
    pub parameters: Vec<Parameter>,
}

/// A layer without its shapes: name, operation, output channels or units (0 if the input determines them).
type Outline = (&'static str, Operation, usize);

/// The pinned CNN.
fn outline(dropout: f32) -> [Outline; 9] {
    use Operation::{Convolution, Dense, Dropout, MaxPool, SoftmaxCrossEntropy};
    [
        ("conv1", Convolution { kernel: 4 }, 32),
        ("pool1", MaxPool { window: 2 }, 0),
        ("conv2", Convolution { kernel: 3 }, 16),
        ("pool2", MaxPool { window: 2 }, 0),
        ("dropout", Dropout { rate: dropout }, 0),
        ("fc1", Dense { relu: true }, 128),
        ("fc2", Dense { relu: true }, 64),
        ("fc3", Dense { relu: false }, CLASSES),
        ("loss", SoftmaxCrossEntropy, 0),
    ]
}

impl Model {
    /// The pinned CNN, with a dropout rate of `dropout` in [0, 1) ([`DROPOUT_RATE`] in a standard run).
    pub fn new(dropout: f32) -> Self {
        Self::of(&outline(dropout))
    }

    /// The pinned CNN with `width` times as many channels in each convolution and units in each hidden dense layer.
    ///
    /// # Errors
    /// [`Error::Usage`] if `width` exceeds [`WIDEST`] or a count would be no positive multiple of [`COUNT_MULTIPLE`].
    pub fn scaled(dropout: f32, width: f64) -> Result<Self> {
        if width.is_nan() || width > WIDEST {
            return Err(Error::Usage(format!("a width of {width} is too much: choose at most {WIDEST}")));
        }
        let mut outline = outline(dropout);
        for (name, _, count) in outline.iter_mut().filter(|(_, _, count)| ![0, CLASSES].contains(count)) {
            let wanted = *count as f64 * width;
            if wanted <= 0.0 || wanted % COUNT_MULTIPLE as f64 != 0.0 {
                return Err(Error::Usage(format!(
                    "a width of {width} gives {name} {wanted} channels or units in place of {count}, where kernels need a positive multiple of {COUNT_MULTIPLE}: choose a multiple of {}",
                    narrowest()
                )));
            }
            *count = wanted as usize;
        }
        Ok(Self::of(&outline))
    }

    fn of(outline: &[Outline]) -> Self {
        use Operation::{Convolution, Dense, Dropout, MaxPool, SoftmaxCrossEntropy};
        let mut shape = Shape::new(1, IMAGE_SIDE, IMAGE_SIDE);
        let mut layers = Vec::new();
        let mut parameters = Vec::new();
        let mut offset = 0;
        for &(name, operation, out) in outline {
            let input = shape;
            shape = match operation {
                Convolution { kernel } => Shape::new(out, input.height + 1 - kernel, input.width + 1 - kernel),
                MaxPool { window } => Shape::new(input.channels, input.height / window, input.width / window),
                Dense { .. } => Shape::new(out, 1, 1),
                Dropout { .. } | SoftmaxCrossEntropy => input,
            };
            let layer = Layer { name, operation, input, output: shape };
            for parameter in layer_parameters(&layer, offset) {
                offset += parameter.elements();
                parameters.push(parameter);
            }
            layers.push(layer);
        }
        Self { layers, parameters }
    }

    /// The number of trainable values.
    pub fn parameter_count(&self) -> usize {
        self.parameters.iter().map(Parameter::elements).sum()
    }

    /// The layer called `name`.
    ///
    /// # Panics
    /// If there is none.
    pub fn layer(&self, name: &str) -> &Layer {
        self.layers.iter().find(|layer| layer.name == name).expect("the model has a layer of this name")
    }

    /// Inputs of dropout layers for each image.
    pub fn dropout_values(&self) -> u32 {
        let layers = self.layers.iter().filter(|layer| matches!(layer.operation, Operation::Dropout { .. }));
        layers.map(|layer| layer.output.elements() as u32).sum()
    }

    /// The parameter called `name`.
    ///
    /// # Panics
    /// If there is none.
    pub fn parameter(&self, name: &str) -> &Parameter {
        self.parameters.iter().find(|parameter| parameter.name == name).expect("the model has a parameter of this name")
    }

    /// Multiply-adds of one image's forward pass.
    pub fn forward_macs(&self) -> u64 {
        self.layers.iter().map(Layer::forward_macs).sum()
    }

    /// Multiply-adds of one image's forward and backward pass, counted densely: each layer with weights needs the same
    /// number for the gradient of its weights, and for that of its input, except for the first layer.
    pub fn training_macs(&self) -> u64 {
        3 * self.forward_macs() - self.layers.first().map_or(0, Layer::forward_macs)
    }

    /// Initial parameters: Glorot uniform weights, zero biases.
    ///
    /// Source: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010:
    /// uniform in +-sqrt(6 / (fan_in + fan_out)).
    pub fn initial_parameters(&self, seed: u64) -> Vec<f32> {
        let mut values = vec![0.0; self.parameter_count()];
        for (index, parameter) in self.parameters.iter().enumerate().filter(|(_, parameter)| !parameter.is_bias()) {
            let limit = (6.0 / (parameter.fan_in + parameter.fan_out) as f64).sqrt() as f32;
            let mut sequence = Sequence::new(seed, Stream::Init, index as u32);
            values[parameter.range()].fill_with(|| (2.0 * sequence.uniform() - 1.0) * limit);
        }
        values
    }
}

/// The smallest width with a network; all others are multiples of it.
fn narrowest() -> f64 {
    let counts =
        outline(DROPOUT_RATE).into_iter().map(|(_, _, count)| count).filter(|count| ![0, CLASSES].contains(count));
    COUNT_MULTIPLE as f64 / counts.min().unwrap_or(COUNT_MULTIPLE) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_has_the_pinned_shapes_and_size() {
        let model = Model::new(DROPOUT_RATE);
        assert_eq!(model.layer("conv1").output, Shape::new(32, 25, 25));
        assert_eq!(model.layer("pool1").output, Shape::new(32, 12, 12));
        assert_eq!(model.layer("conv2").output, Shape::new(16, 10, 10));
        assert_eq!(model.layer("pool2").output.elements(), 400);
        assert_eq!(model.layer("fc3").output.elements(), CLASSES);
        assert_eq!(model.parameter_count(), 65_402);
        assert_eq!(model.forward_macs(), 840_832);
        assert_eq!(model.training_macs(), 2_202_496);
        assert_eq!(model.parameter("fc1.weight").shape, [128, 400]);
        assert_eq!(model.parameter("conv1.weight").shape, [32, 1, 4, 4]);
    }

    #[test]
    fn a_width_of_one_is_the_pinned_model() {
        assert_eq!(Model::scaled(DROPOUT_RATE, 1.0), Ok(Model::new(DROPOUT_RATE)));
    }

    #[test]
    fn width_multiplies_channels_and_hidden_units_but_not_classes() {
        for (width, counts) in [(0.25, [8, 4, 32, 16]), (0.75, [24, 12, 96, 48]), (4.0, [128, 64, 512, 256])] {
            let model = Model::scaled(DROPOUT_RATE, width).unwrap();
            assert_eq!(["conv1", "conv2", "fc1", "fc2"].map(|name| model.layer(name).output.channels), counts);
            assert_eq!(model.layer("fc3").output.elements(), CLASSES);
            assert_eq!(model.layer("fc1").input.elements(), 25 * counts[1]);
            // Kernels read the weights of dense layers as vectors of four.
            for parameter in model.parameters.iter().filter(|parameter| !parameter.is_bias()) {
                assert_eq!(parameter.offset % COUNT_MULTIPLE, 0, "{} at width {width}", parameter.name);
            }
        }
    }

    #[test]
    fn widths_without_a_network_are_refused_with_advice() {
        for (width, advice) in [
            (0.3, "multiple of 0.25"),
            (0.125, "multiple of 0.25"),
            (0.0, "multiple of 0.25"),
            (-1.0, "multiple of 0.25"),
            (1e300, "at most 16"),
            (f64::INFINITY, "at most 16"),
            (f64::NAN, "at most 16"),
        ] {
            let error = Model::scaled(DROPOUT_RATE, width).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(advice), "{error}");
        }
    }

    #[test]
    fn parameters_lie_one_after_the_other() {
        let model = Model::new(DROPOUT_RATE);
        let mut next = 0;
        for parameter in &model.parameters {
            assert_eq!(parameter.offset, next, "{}", parameter.name);
            next += parameter.elements();
        }
        assert_eq!(next, model.parameter_count());
    }

    #[test]
    fn initial_parameters_fill_the_glorot_range_and_leave_biases_at_zero() {
        let model = Model::new(DROPOUT_RATE);
        let values = model.initial_parameters(1);
        for parameter in &model.parameters {
            let tensor = &values[parameter.range()];
            let largest = tensor.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
            if parameter.is_bias() {
                assert_eq!(largest, 0.0, "{}", parameter.name);
            } else {
                let limit = (6.0 / (parameter.fan_in + parameter.fan_out) as f64).sqrt() as f32;
                assert!(largest <= limit && largest > 0.97 * limit, "{}: {largest} of {limit}", parameter.name);
            }
        }
        assert_ne!(values, model.initial_parameters(2));
    }
}
