//! Parameters and their layout in the flat parameter vector.

use super::layer::{Layer, Operation};

/// One trainable tensor and its position in the flat parameter vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// `<layer>.weight` or `<layer>.bias`, the name in weight files.
    pub name: String,
    /// Name of the layer.
    pub layer: &'static str,
    /// Convolution: `[out, in, height, width]`; dense: `[out, in]`; bias: `[out]`. Row-major, as in PyTorch.
    pub shape: Vec<usize>,
    /// Index of the first value in the flat parameter vector.
    pub offset: usize,
    /// Inputs that reach one output, for the initial range; 0 for a bias.
    pub fan_in: usize,
    /// Outputs that one input reaches, for the initial range; 0 for a bias.
    pub fan_out: usize,
}

impl Parameter {
    /// The number of values.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The range of this tensor in the flat parameter vector.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + self.elements()
    }

    /// Whether this is a bias.
    pub fn is_bias(&self) -> bool {
        self.shape.len() == 1
    }
}

/// The weight and the bias of `layer`, the first starting at `offset`; none for a layer without parameters.
pub(super) fn layer_parameters(layer: &Layer, offset: usize) -> Vec<Parameter> {
    let (shape, fan_in, fan_out) = match layer.operation {
        Operation::Convolution { kernel } => (
            vec![layer.output.channels, layer.input.channels, kernel, kernel],
            layer.input.channels * kernel * kernel,
            layer.output.channels * kernel * kernel,
        ),
        Operation::Dense { .. } => {
            let (units, inputs) = (layer.output.elements(), layer.input.elements());
            (vec![units, inputs], inputs, units)
        }
        _ => return Vec::new(),
    };
    let weight =
        Parameter { name: format!("{}.weight", layer.name), layer: layer.name, shape, offset, fan_in, fan_out };
    let bias = Parameter {
        name: format!("{}.bias", layer.name),
        layer: layer.name,
        shape: vec![layer.output.channels],
        offset: offset + weight.elements(),
        fan_in: 0,
        fan_out: 0,
    };
    vec![weight, bias]
}
