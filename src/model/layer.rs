//! Layers, shapes and trainable tensors as data.

use std::ops::Range;

/// The extent of one image's activations: `channels` x `height` x `width`, stored in that order (CHW).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Number of channels; for dense layers, of units.
    pub channels: usize,
    /// Rows; 1 for dense layers.
    pub height: usize,
    /// Columns; 1 for dense layers.
    pub width: usize,
}

impl Shape {
    /// A shape of `channels` x `height` x `width`.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Self { channels, height, width }
    }

    /// The number of values.
    pub const fn elements(self) -> usize {
        self.channels * self.height * self.width
    }

    /// The number of positions, `height` x `width`.
    pub const fn positions(self) -> usize {
        self.height * self.width
    }
}

/// What a layer computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Operation {
    /// Cross-correlation with square `kernel`, stride 1, no padding; bias; ReLU.
    Convolution {
        /// Side of the square kernel.
        kernel: usize,
    },
    /// Maximum over square windows that do not overlap; a remainder at the border is dropped (floor).
    MaxPool {
        /// Side of the window, and the stride.
        window: usize,
    },
    /// Inverted dropout: while training a value is dropped with probability `rate`, kept ones are divided by 1 - `rate`.
    Dropout {
        /// Probability of dropping a value, in [0, 1).
        rate: f32,
    },
    /// y = W x + b, with ReLU where `relu` is set.
    Dense {
        /// Whether a ReLU follows.
        relu: bool,
    },
    /// Softmax and cross-entropy, averaged over the batch.
    SoftmaxCrossEntropy,
}

/// One layer: its name, operation and the shapes of one image's input and output.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Name as used in labels, profiles and weight files.
    pub name: &'static str,
    /// What it computes.
    pub operation: Operation,
    /// Shape of one image's input.
    pub input: Shape,
    /// Shape of one image's output.
    pub output: Shape,
}

impl Layer {
    /// Multiply-adds of one image's forward pass, counting every product of a weight and a value once. 0 without weights.
    pub const fn forward_macs(&self) -> u64 {
        (match self.operation {
            Operation::Convolution { kernel } => self.output.elements() * self.input.channels * kernel * kernel,
            Operation::Dense { .. } => self.output.elements() * self.input.elements(),
            _ => 0,
        }) as u64
    }

    /// Whether the layer has a weight and a bias.
    pub const fn has_parameters(&self) -> bool {
        matches!(self.operation, Operation::Convolution { .. } | Operation::Dense { .. })
    }
}

/// One trainable tensor and its place in the flat parameter vector.
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
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.elements()
    }

    /// Whether this is a bias.
    pub fn is_bias(&self) -> bool {
        self.shape.len() == 1
    }
}
