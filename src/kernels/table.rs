//! The kernel table: one row for each WGSL file of the training, with its pass, tolerance and reference function.

use super::expected::{Expected, KernelInputs};
use super::kernel::{Access, Binding, Kernel, texts_hash, wgsl};

pub(super) const STEP: &str = wgsl!("shared/step");
const THREEFRY: &str = wgsl!("shared/threefry");
const DROPOUT: &str = wgsl!("shared/dropout");
const IMAGE: &str = wgsl!("shared/image");
const RELU_MAX_POOL: &str = wgsl!("shared/relu_max_pool");
const DOT4: &str = wgsl!("shared/dot4");
const PLANE_SIZES: &str = wgsl!("shared/plane_sizes");
const FEATURES_FORWARD_BUFFERS: &str = wgsl!("shared/features_forward_buffers");
const FEATURES_BACKWARD_BUFFERS: &str = wgsl!("shared/features_backward_buffers");
const FEATURES_FORWARD_LAYERS: &str = wgsl!("shared/features_forward_layers");
const CONV2_FORWARD: &str = wgsl!("shared/conv2_forward");
const FEATURES_BACKWARD_LAYERS: &str = wgsl!("shared/features_backward_layers");
const IMAGE_CLASSIFIER: &str = wgsl!("shared/image_classifier");
const ROWS: &str = wgsl!("shared/rows");
const CLASSIFIER: &str = wgsl!("shared/classifier");
const CLASSIFIER_LAYERS: &str = wgsl!("shared/classifier_layers");
const CONV2_GRADIENTS: &str = wgsl!("shared/conv2_gradients");
const DENSE_IMAGES: &str = wgsl!("shared/dense_images");
const DENSE_UPDATE: &str = wgsl!("shared/dense_update");
const UPDATE_LAYERS: &str = wgsl!("shared/update_layers");

macro_rules! kernel {
    (
        $identifier:ident = $name:literal ($($binding:ident: $access:ident),*),
        shared [$($shared:ident),*],
        constants [$($constant:ident),*],
        tile [$($tile:ident = $size:literal),*]
    ) => {
        #[doc = concat!("`shaders/", $name, ".wgsl`, documented in its header.")]
        pub static $identifier: Kernel = Kernel {
            name: $name,
            source: wgsl!($name),
            shared: &[STEP, $($shared),*],
            bindings: &[
                $(Binding { name: stringify!($binding), access: Access::$access },)*
                Binding { name: "step", access: Access::Step },
            ],
            constants: &["WORKGROUP", $(stringify!($constant)),*],
            tile: &[$((stringify!($tile), $size)),*],
        };
    };
}

/// A row that differs from that of `$base` in the text of its file alone: the shared texts hold what both have in
/// common.
macro_rules! variant {
    ($identifier:ident = $name:literal of $base:ident) => {
        #[doc = concat!("`shaders/", $name, ".wgsl`, whose header says how it differs from the kernel that it is a variant of.")]
        pub static $identifier: Kernel = Kernel {
            name: $name,
            source: wgsl!($name),
            shared: $base.shared,
            bindings: $base.bindings,
            constants: $base.constants,
            tile: $base.tile,
        };
    };
}

kernel!(BATCH_GATHER = "batch_gather" (images: Read, labels: Read, order: Read, x: Write, targets: Write),
    shared [], constants [PIXELS], tile []);
kernel!(CONV_FORWARD = "conv_forward" (x: Read, parameters: Read, y: Write),
    shared [],
    constants [IN_CHANNELS, IN_HEIGHT, IN_WIDTH, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH, KERNEL, WEIGHT, BIAS],
    tile [COLUMNS = 5, CHANNELS = 4]);
kernel!(CONV_BACKWARD_INPUT = "conv_backward_input" (dy: Read, parameters: Read, dx: Write),
    shared [],
    constants [IN_CHANNELS, IN_HEIGHT, IN_WIDTH, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH, KERNEL, WEIGHT],
    tile [COLUMNS = 4, CHANNELS = 4]);
kernel!(CONV_BACKWARD_WEIGHT = "conv_backward_weight" (x: Read, dy: Read, partial: Write),
    shared [],
    constants [IN_CHANNELS, IN_HEIGHT, IN_WIDTH, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH, KERNEL, CHUNK],
    tile [CHANNELS = 4, TAPS = 4]);
kernel!(CONV_BACKWARD_WEIGHT_REDUCE = "conv_backward_weight_reduce" (partial: Read, gradients: Write),
    shared [], constants [ELEMENTS, WEIGHT, CHUNK], tile []);
kernel!(CONV_BACKWARD_BIAS = "conv_backward_bias" (dy: Read, gradients: Write),
    shared [], constants [OUT_CHANNELS, POSITIONS, BIAS], tile []);
kernel!(MAX_POOL_FORWARD = "max_pool_forward" (x: Read, y: Write, argmax: Write),
    shared [], constants [CHANNELS, IN_HEIGHT, IN_WIDTH, OUT_HEIGHT, OUT_WIDTH, WINDOW], tile []);
kernel!(MAX_POOL_BACKWARD = "max_pool_backward" (dy: Read, argmax: Read, y: Read, dx: Write),
    shared [], constants [CHANNELS, IN_HEIGHT, IN_WIDTH, OUT_HEIGHT, OUT_WIDTH, WINDOW], tile []);
kernel!(DROPOUT_FORWARD = "dropout_forward" (x: Read, y: Write),
    shared [DROPOUT, THREEFRY], constants [ELEMENTS, KEY_LOW, KEY_HIGH, THRESHOLD, SCALE], tile []);
kernel!(DROPOUT_BACKWARD = "dropout_backward" (dy: Read, dx: Write),
    shared [DROPOUT, THREEFRY], constants [ELEMENTS, KEY_LOW, KEY_HIGH, THRESHOLD, SCALE], tile []);
kernel!(DENSE_FORWARD = "dense_forward" (x: Read, parameters: Read, y: Write),
    shared [], constants [IN, OUT, WEIGHT, BIAS, RELU], tile [IMAGES = 4, UNITS = 4]);
kernel!(DENSE_BACKWARD_INPUT = "dense_backward_input" (dy: Read, parameters: Read, x: Read, dx: Write),
    shared [], constants [IN, OUT, WEIGHT, RELU_BEFORE], tile [IMAGES = 4, FEATURES = 4]);
kernel!(DENSE_BACKWARD_WEIGHT = "dense_backward_weight" (x: Read, dy: Read, gradients: Write),
    shared [], constants [IN, OUT, WEIGHT], tile [UNITS = 4, FEATURES = 4]);
kernel!(DENSE_BACKWARD_BIAS = "dense_backward_bias" (dy: Read, gradients: Write),
    shared [], constants [OUT, BIAS], tile []);
kernel!(SOFTMAX_CROSS_ENTROPY_FORWARD = "softmax_cross_entropy_forward"
    (z: Read, targets: Read, loss: Write, correct: Write),
    shared [], constants [CLASSES], tile []);
kernel!(SOFTMAX_CROSS_ENTROPY_BACKWARD = "softmax_cross_entropy_backward" (z: Read, targets: Read, dz: Write),
    shared [], constants [CLASSES], tile []);
kernel!(METRICS_REDUCE = "metrics_reduce" (loss: Read, correct: Read, metrics: Write),
    shared [], constants [], tile []);
kernel!(SGD_UPDATE = "sgd_update" (gradients: Read, velocities: Write, parameters: Write),
    shared [], constants [ELEMENTS, MOMENTUM], tile []);
kernel!(FEATURES_FORWARD = "features_forward"
    (images: Read, labels: Read, order: Read, parameters: Read, pool1: Write, argmax: Write, features: Write,
        targets: Write),
    shared [PLANE_SIZES, FEATURES_FORWARD_BUFFERS, FEATURES_FORWARD_LAYERS, CONV2_FORWARD, IMAGE, DOT4, RELU_MAX_POOL,
        DROPOUT, THREEFRY],
    constants [CHANNELS1, CHANNELS2, CONV1_WEIGHT, CONV1_BIAS, CONV2_WEIGHT, CONV2_BIAS,
        KEY_LOW, KEY_HIGH, THRESHOLD, SCALE],
    tile [SIDE = 28, KERNEL1 = 4, POOL1 = 12, KERNEL2 = 3, POOL2 = 5, BLOCK1 = 3, BLOCKS1 = 4, BLOCK2 = 5, BLOCKS2 = 2,
        STAGED = 16, PARTS = 4, ROUNDS2 = 2]);
variant!(FEATURES_FORWARD_F16 = "features_forward_f16" of FEATURES_FORWARD);
kernel!(FEATURES_FORWARD_F16_ARITHMETIC = "features_forward_f16_arithmetic"
    (images: Read, labels: Read, order: Read, parameters: Read, pool1: Write, argmax: Write, features: Write,
        targets: Write),
    shared [PLANE_SIZES, FEATURES_FORWARD_BUFFERS, FEATURES_FORWARD_LAYERS, IMAGE, RELU_MAX_POOL, DROPOUT, THREEFRY],
    constants [CHANNELS1, CHANNELS2, CONV1_WEIGHT, CONV1_BIAS, CONV2_WEIGHT, CONV2_BIAS,
        KEY_LOW, KEY_HIGH, THRESHOLD, SCALE],
    tile [SIDE = 28, KERNEL1 = 4, POOL1 = 12, KERNEL2 = 3, POOL2 = 5, BLOCK1 = 3, BLOCKS1 = 4, BLOCK2 = 5, BLOCKS2 = 2,
        STAGED = 16, PARTS = 4, ROUNDS2 = 4]);
kernel!(FEATURES_FORWARD_LANES = "features_forward_lanes"
    (images: Read, labels: Read, order: Read, convolutions: Uniform, pool1: Write, argmax: Write, features: Write,
        targets: Write),
    shared [ROWS, RELU_MAX_POOL, DROPOUT, THREEFRY],
    constants [CHANNELS1, CHANNELS2, CONV1_WEIGHT, CONV1_BIAS, CONV2_WEIGHT, CONV2_BIAS,
        KEY_LOW, KEY_HIGH, THRESHOLD, SCALE],
    tile [SIDE = 28, KERNEL1 = 4, POOL1 = 12, KERNEL2 = 3, POOL2 = 5, CONVOLUTIONS = 1292, CARRIED = 2]);
kernel!(CLASSIFIER_FORWARD_BACKWARD = "classifier_forward_backward"
    (features: Read, targets: Read, parameters: Read, hidden: Write, deltas: Write, dfeatures: Write, outcome: Write),
    shared [CLASSIFIER, CLASSIFIER_LAYERS, DOT4],
    constants [FEATURES, UNITS1, UNITS2, CLASSES, FC1_WEIGHT, FC1_BIAS, FC2_WEIGHT, FC2_BIAS, FC3_WEIGHT, FC3_BIAS,
        SCALE, IMAGES],
    tile [PARTS = 8, AHEAD = 2, INPUTS2 = 4, UNITS2_4 = 2, ROWS = 16]);
variant!(CLASSIFIER_FORWARD_BACKWARD_SUBGROUPS = "classifier_forward_backward_subgroups" of CLASSIFIER_FORWARD_BACKWARD);
kernel!(CLASSIFIER_FORWARD_BACKWARD_LANES = "classifier_forward_backward_lanes"
    (features: Read, targets: Read, parameters: Read, hidden: Write, deltas: Write, dfeatures: Write, outcome: Write),
    shared [DENSE_IMAGES],
    constants [FEATURES, UNITS1, UNITS2, CLASSES, FC1_WEIGHT, FC1_BIAS, FC2_WEIGHT, FC2_BIAS, FC3_WEIGHT, FC3_BIAS,
        SCALE],
    tile [IMAGES = 8, CARRIED = 4, CARRIED2 = 2]);
kernel!(FEATURES_BACKWARD = "features_backward"
    (images: Read, order: Read, parameters: Read, pool1: Read, argmax: Read, dfeatures: Read, partial: Write),
    shared [PLANE_SIZES, FEATURES_BACKWARD_BUFFERS, FEATURES_BACKWARD_LAYERS, CONV2_GRADIENTS],
    constants [CHANNELS1, CHANNELS2, CONV2_WEIGHT, PARTIAL],
    tile [SIDE = 28, KERNEL1 = 4, POOL1 = 12, KERNEL2 = 3, POOL2 = 5, GROUP = 8, QUARTERS = 4, HALF = 8]);
variant!(FEATURES_BACKWARD_F16 = "features_backward_f16" of FEATURES_BACKWARD);
kernel!(FEATURES_BACKWARD_LANES = "features_backward_lanes"
    (images: Read, order: Read, convolutions: Uniform, pool1: Read, argmax: Read, dfeatures: Read, partial: Write),
    shared [ROWS],
    constants [CHANNELS1, CHANNELS2, CONV2_WEIGHT, PARTIAL],
    tile [SIDE = 28, KERNEL1 = 4, POOL1 = 12, KERNEL2 = 3, POOL2 = 5, CONVOLUTIONS = 1292]);
kernel!(IMAGE_FORWARD_BACKWARD = "image_forward_backward"
    (images: Read, labels: Read, order: Read, parameters: Read, state: Write, activations: Write, deltas: Write,
        partial: Write),
    shared [PLANE_SIZES, FEATURES_FORWARD_LAYERS, CONV2_FORWARD, IMAGE_CLASSIFIER, FEATURES_BACKWARD_LAYERS,
        CONV2_GRADIENTS, IMAGE, DOT4, RELU_MAX_POOL, DROPOUT, THREEFRY],
    constants [CHANNELS1, CHANNELS2, CONV1_WEIGHT, CONV1_BIAS, CONV2_WEIGHT, CONV2_BIAS, KEY_LOW, KEY_HIGH, THRESHOLD,
        SCALE, FEATURES, UNITS1, UNITS2, CLASSES, FC1_WEIGHT, FC1_BIAS, FC2_WEIGHT, FC2_BIAS, FC3_WEIGHT, FC3_BIAS,
        PARTIAL],
    tile [SIDE = 28, KERNEL1 = 4, POOL1 = 12, KERNEL2 = 3, POOL2 = 5, BLOCK1 = 3, BLOCKS1 = 4, BLOCK2 = 5, BLOCKS2 = 2,
        STAGED = 16, PARTS = 4, ROUNDS2 = 2, SHARES = 8, TOGETHER = 4, COLUMNS = 16, SHARE2 = 4,
        UNITS_OF_SHARE = 8, SUMS = 1024, APART = 129, GROUP = 8, QUARTERS = 4, HALF = 8]);
kernel!(GRADIENT_UPDATE = "gradient_update"
    (features: Read, hidden: Read, deltas: Read, outcome: Read, partial: Read, metrics: Write, velocities: Write,
        parameters: Write),
    shared [UPDATE_LAYERS, DENSE_UPDATE],
    constants [FEATURES, UNITS1, UNITS2, CLASSES, FC1_WEIGHT, FC1_BIAS, FC2_WEIGHT, FC2_BIAS, FC3_WEIGHT, FC3_BIAS,
        CONV1, CONV2, MOMENTUM, INPUTS],
    tile [PARTS = 8, AHEAD = 8, VECTORS = 16, RUNNING = 4]);
kernel!(GRADIENT_UPDATE_IMAGE = "gradient_update_image"
    (activations: Read, deltas: Read, partial: Read, metrics: Write, velocities: Write, parameters: Write),
    shared [UPDATE_LAYERS, DENSE_UPDATE],
    constants [FEATURES, UNITS1, UNITS2, CLASSES, FC1_WEIGHT, FC1_BIAS, FC2_WEIGHT, FC2_BIAS, FC3_WEIGHT, FC3_BIAS,
        CONV1, CONV2, MOMENTUM, INPUTS],
    tile [PARTS = 8, AHEAD = 8, VECTORS = 16, RUNNING = 4]);
kernel!(GRADIENT_UPDATE_LANES = "gradient_update_lanes"
    (features: Read, hidden: Read, deltas: Read, outcome: Read, partial: Read, metrics: Write, velocities: Write,
        parameters: Write),
    shared [DENSE_UPDATE],
    constants [FEATURES, UNITS1, UNITS2, CLASSES, FC1_WEIGHT, FC1_BIAS, FC2_WEIGHT, FC2_BIAS, FC3_WEIGHT, FC3_BIAS,
        CONV1, CONV2, MOMENTUM],
    tile [UNIT_VECS = 4, INPUT_VECS = 2]);

/// The pass of a training step that a kernel belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// From pixels to losses.
    Forward,
    /// Forward and backward in one kernel.
    ForwardBackward,
    /// From losses to gradients.
    Backward,
    /// From gradients to parameters.
    Update,
}

/// The accepted difference between 32-bit arithmetic and the reference: |gpu - reference| <= `absolute` + `relative`
/// |reference|.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Name of the kernel, or of another compared quantity.
    pub name: &'static str,
    /// Absolute part.
    pub absolute: f64,
    /// Relative part.
    pub relative: f64,
}

/// A kernel of the training with its pass, tolerance and reference function.
#[derive(Debug)]
pub struct TrainingKernel {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// The pass that it belongs to.
    pub pass: Pass,
    /// Accepted difference from the reference.
    pub tolerance: Tolerance,
    /// Computes the expected buffer contents after a dispatch.
    pub reference: fn(&KernelInputs<'_>) -> Vec<Expected>,
}

macro_rules! training_kernels {
    ($($kernel:ident: $pass:ident, ($absolute:literal, $relative:literal), $reference:ident;)*) => {
        /// All kernels of the training, in the order of a step.
        ///
        /// Copies, masks and integers are exact. Sums of n products allow for rounding that grows with n; gradients are
        /// small numbers, so that their absolute part is smaller than that of activations.
        pub static TRAINING_KERNELS: &[TrainingKernel] = &[$(TrainingKernel {
            kernel: &$kernel,
            pass: Pass::$pass,
            tolerance: Tolerance { name: $kernel.name, absolute: $absolute, relative: $relative },
            reference: |inputs| inputs.$reference(),
        }),*];

        /// The kernels of [`TRAINING_KERNELS`] by themselves.
        pub static KERNELS: &[&Kernel] = &[$(&$kernel),*];
    };
}

training_kernels! {
    BATCH_GATHER: Forward, (0.0, 2e-7), batch_gather;
    CONV_FORWARD: Forward, (3e-6, 2e-6), conv_forward;
    MAX_POOL_FORWARD: Forward, (0.0, 0.0), max_pool_forward;
    DROPOUT_FORWARD: Forward, (0.0, 2e-7), dropout_forward;
    DENSE_FORWARD: Forward, (3e-6, 2e-6), dense_forward;
    SOFTMAX_CROSS_ENTROPY_FORWARD: Forward, (2e-6, 1e-5), softmax_cross_entropy_forward;
    METRICS_REDUCE: Forward, (1e-6, 2e-6), metrics_reduce;
    SOFTMAX_CROSS_ENTROPY_BACKWARD: Backward, (2e-7, 1e-5), softmax_cross_entropy_backward;
    DENSE_BACKWARD_INPUT: Backward, (2e-7, 2e-6), dense_backward_input;
    DENSE_BACKWARD_WEIGHT: Backward, (2e-7, 2e-6), dense_backward_weight;
    DENSE_BACKWARD_BIAS: Backward, (2e-7, 2e-6), dense_backward_bias;
    DROPOUT_BACKWARD: Backward, (0.0, 2e-7), dropout_backward;
    MAX_POOL_BACKWARD: Backward, (0.0, 0.0), max_pool_backward;
    CONV_BACKWARD_INPUT: Backward, (2e-7, 2e-6), conv_backward_input;
    CONV_BACKWARD_WEIGHT: Backward, (1e-6, 2e-6), conv_backward_weight;
    CONV_BACKWARD_WEIGHT_REDUCE: Backward, (1e-7, 1e-6), conv_backward_weight_reduce;
    CONV_BACKWARD_BIAS: Backward, (1e-6, 2e-6), conv_backward_bias;
    SGD_UPDATE: Update, (1e-8, 5e-7), sgd_update;
    FEATURES_FORWARD: Forward, (6e-6, 4e-6), features_forward;
    FEATURES_FORWARD_F16: Forward, (6e-6, 4e-6), features_forward;
    FEATURES_FORWARD_F16_ARITHMETIC: Forward, (6e-6, 4e-6), features_forward_f16_arithmetic;
    FEATURES_FORWARD_LANES: Forward, (6e-6, 4e-6), features_forward;
    CLASSIFIER_FORWARD_BACKWARD: ForwardBackward, (6e-6, 1e-5), classifier_forward_backward;
    CLASSIFIER_FORWARD_BACKWARD_SUBGROUPS: ForwardBackward, (6e-6, 1e-5), classifier_forward_backward;
    CLASSIFIER_FORWARD_BACKWARD_LANES: ForwardBackward, (6e-6, 1e-5), classifier_forward_backward;
    FEATURES_BACKWARD: Backward, (1e-6, 4e-6), features_backward;
    FEATURES_BACKWARD_F16: Backward, (1e-6, 4e-6), features_backward;
    FEATURES_BACKWARD_LANES: Backward, (1e-6, 4e-6), features_backward;
    IMAGE_FORWARD_BACKWARD: ForwardBackward, (6e-6, 1e-5), image_forward_backward;
    GRADIENT_UPDATE: Update, (1e-6, 2e-6), gradient_update;
    GRADIENT_UPDATE_IMAGE: Update, (1e-6, 2e-6), gradient_update;
    GRADIENT_UPDATE_LANES: Update, (1e-6, 2e-6), gradient_update;
}

/// The row of the training kernel called `name`.
pub fn training_kernel(name: &str) -> Option<&'static TrainingKernel> {
    TRAINING_KERNELS.iter().find(|row| row.kernel.name == name)
}

/// SHA-256, in hexadecimal, of all WGSL texts in the order of the table, without their comments; identifies the shaders
/// of a result.
pub fn shader_hash() -> String {
    texts_hash(KERNELS)
}
