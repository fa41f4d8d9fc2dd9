//! Layers, their shapes and their arithmetic.

/// Images are 28 pixels high and wide, in one channel.
pub const IMAGE_SIDE: usize = 28;
/// Pixels, and bytes, of one image.
pub const IMAGE_PIXELS: usize = IMAGE_SIDE * IMAGE_SIDE;
/// Number of classes (digits).
pub const CLASSES: usize = 10;

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
    /// Maximum over square windows without overlap; a remainder at the border is ignored (floor).
    MaxPool {
        /// Side of the window, and the stride.
        window: usize,
    },
    /// Inverted dropout: while training a value is dropped with probability `rate`, kept ones are divided by 1 -
    /// `rate`.
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
    /// Multiply-adds of one image's forward pass, counting every product of a weight and a value once; 0 for layers
    /// without weights.
    pub const fn forward_macs(&self) -> u64 {
        (match self.operation {
            Operation::Convolution { kernel } => self.output.elements() * self.input.channels * kernel * kernel,
            Operation::Dense { .. } => self.output.elements() * self.input.elements(),
            _ => 0,
        }) as u64
    }
}
