//! The kernel table: one row for each WGSL file. Plans ([`plan`]) are lists of its rows.

mod choice;
pub mod fused;
pub mod layered;
pub mod peaks;
pub mod plan;
mod unroll;

use crate::hash::sha256_hex;
pub use choice::{Choice, MakePlan, Parameter, PlanRow, all_choices, plan_named};
pub use plan::{Amount, BufferSpec, Dispatch, Element, Grid, Plan};
pub use unroll::unroll;

/// How a kernel uses what is bound in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is written, and perhaps read.
    Write,
    /// The beginning of a buffer that is only read, as a uniform: so many vec4s as the tile of the same name in capitals says.
    Uniform,
    /// The step record, a uniform at a dynamic offset.
    Step,
}

/// One binding of a kernel, in group 0 at the place of its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Name of the variable in the WGSL file.
    pub name: &'static str,
    /// How it is used.
    pub access: Access,
}

impl Binding {
    /// Name of the constant that says how many vec4s of a uniform the kernel sees.
    pub fn length_name(&self) -> String {
        self.name.to_uppercase()
    }
}

/// One kernel: a WGSL file whose stem is its name and its entry point.
#[derive(Debug, PartialEq, Eq)]
pub struct Kernel {
    /// File stem, entry point, reference function, label and key of the profile.
    pub name: &'static str,
    /// Text of the WGSL file.
    pub source: &'static str,
    /// Texts appended to it, from `shaders/shared`.
    pub shared: &'static [&'static str],
    /// Bindings 0, 1, 2, ... of group 0.
    pub bindings: &'static [Binding],
    /// Names of the override constants; none has a default.
    pub constants: &'static [&'static str],
    /// Tile sizes that are written into the WGSL file as constants, by name; the grid follows from them.
    pub tile: &'static [(&'static str, u32)],
}

impl Kernel {
    /// The WGSL text as the files hold it: the kernel's own first, so that line numbers in messages are its own.
    pub fn text(&self) -> String {
        std::iter::once(self.source).chain(self.shared.iter().copied()).collect::<Vec<_>>().join("\n")
    }

    /// The WGSL text that is compiled: [`Kernel::text`] with its marked loops unrolled.
    ///
    /// # Panics
    /// If a loop is marked that cannot be unrolled, see [`unroll()`].
    pub fn wgsl(&self) -> String {
        unroll(&self.text()).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    /// Whether invocations exchange values without memory, which an adapter need not offer. WGSL's directive for it is unknown to
    /// wgpu, so that only the text tells.
    pub fn needs_subgroups(&self) -> bool {
        std::iter::once(self.source).chain(self.shared.iter().copied()).any(|text| text.contains("subgroupShuffle"))
    }

    /// The size of the tile called `name`.
    ///
    /// # Panics
    /// If there is none.
    pub fn tile_size(&self, name: &str) -> u32 {
        self.tile.iter().find(|(tile, _)| *tile == name).expect("the kernel has a tile of this name").1
    }
}

const STEP: &str = include_str!("../../shaders/shared/step.wgsl");
const THREEFRY: &str = include_str!("../../shaders/shared/threefry.wgsl");
const DROPOUT: &str = include_str!("../../shaders/shared/dropout.wgsl");
const IMAGE: &str = include_str!("../../shaders/shared/image.wgsl");
const RELU_MAX_POOL: &str = include_str!("../../shaders/shared/relu_max_pool.wgsl");
const DOT4: &str = include_str!("../../shaders/shared/dot4.wgsl");
const ROWS: &str = include_str!("../../shaders/shared/rows.wgsl");
const CLASSIFIER: &str = include_str!("../../shaders/shared/classifier.wgsl");
const DENSE_IMAGES: &str = include_str!("../../shaders/shared/dense_images.wgsl");
const DENSE_UPDATE: &str = include_str!("../../shaders/shared/dense_update.wgsl");

macro_rules! kernel {
    (
        $identifier:ident = $name:literal ($($binding:ident: $access:ident),*),
        shared [$($shared:ident),*],
        constants [$($constant:ident),*],
        tile [$($tile:ident = $size:literal),*]
    ) => {
        #[doc = concat!("`shaders/", $name, ".wgsl`, whose header says what it computes.")]
        pub static $identifier: Kernel = Kernel {
            name: $name,
            source: include_str!(concat!("../../shaders/", $name, ".wgsl")),
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

/// A row that differs from that of `$base` in the text of its file alone; the shared texts hold what both have in
/// common.
macro_rules! variant {
    ($identifier:ident = $name:literal of $base:ident) => {
        #[doc = concat!("`shaders/", $name, ".wgsl`, whose header says what it is a variant of.")]
        pub static $identifier: Kernel = Kernel {
            name: $name,
            source: include_str!(concat!("../../shaders/", $name, ".wgsl")),
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
    (images: Read, labels: Read, order: Read, parameters: Read, pool1: Write, places: Write, features: Write, targets: Write),
    shared [IMAGE, DOT4, RELU_MAX_POOL, DROPOUT, THREEFRY],
    constants [CHANNELS1, CHANNELS2, CONV1_WEIGHT, CONV1_BIAS, CONV2_WEIGHT, CONV2_BIAS,
        KEY_LOW, KEY_HIGH, THRESHOLD, SCALE],
    tile [SIDE = 28, KERNEL1 = 4, POOL1 = 12, KERNEL2 = 3, POOL2 = 5, BLOCK1 = 3, BLOCKS1 = 4, BLOCK2 = 5, BLOCKS2 = 2,
        STAGED = 16, PARTS = 4]);
kernel!(FEATURES_FORWARD_LANES = "features_forward_lanes"
    (images: Read, labels: Read, order: Read, convolutions: Uniform, pool1: Write, places: Write, features: Write, targets: Write),
    shared [ROWS, RELU_MAX_POOL, DROPOUT, THREEFRY],
    constants [CHANNELS1, CHANNELS2, CONV1_WEIGHT, CONV1_BIAS, CONV2_WEIGHT, CONV2_BIAS,
        KEY_LOW, KEY_HIGH, THRESHOLD, SCALE],
    tile [SIDE = 28, KERNEL1 = 4, POOL1 = 12, KERNEL2 = 3, POOL2 = 5, CONVOLUTIONS = 1292, CARRIED = 2]);
kernel!(CLASSIFIER_FORWARD_BACKWARD = "classifier_forward_backward"
    (features: Read, targets: Read, parameters: Read, hidden: Write, deltas: Write, dfeatures: Write, outcome: Write),
    shared [CLASSIFIER, DOT4],
    constants [FEATURES, UNITS1, UNITS2, CLASSES, FC1_WEIGHT, FC1_BIAS, FC2_WEIGHT, FC2_BIAS, FC3_WEIGHT, FC3_BIAS, SCALE,
        IMAGES],
    tile []);
variant!(CLASSIFIER_FORWARD_BACKWARD_SUBGROUPS = "classifier_forward_backward_subgroups" of CLASSIFIER_FORWARD_BACKWARD);
kernel!(CLASSIFIER_FORWARD_BACKWARD_LANES = "classifier_forward_backward_lanes"
    (features: Read, targets: Read, parameters: Read, hidden: Write, deltas: Write, dfeatures: Write, outcome: Write),
    shared [DENSE_IMAGES],
    constants [FEATURES, UNITS1, UNITS2, CLASSES, FC1_WEIGHT, FC1_BIAS, FC2_WEIGHT, FC2_BIAS, FC3_WEIGHT, FC3_BIAS, SCALE],
    tile [IMAGES = 8, CARRIED = 4, CARRIED2 = 2]);
kernel!(FEATURES_BACKWARD = "features_backward"
    (images: Read, order: Read, parameters: Read, pool1: Read, places: Read, dfeatures: Read, partial: Write),
    shared [IMAGE, DOT4],
    constants [CHANNELS1, CHANNELS2, CONV2_WEIGHT, PARTIAL],
    tile [SIDE = 28, KERNEL1 = 4, POOL1 = 12, KERNEL2 = 3, POOL2 = 5, GROUP = 16, BLOCK = 3, BLOCKS = 4]);
kernel!(FEATURES_BACKWARD_LANES = "features_backward_lanes"
    (images: Read, order: Read, convolutions: Uniform, pool1: Read, places: Read, dfeatures: Read, partial: Write),
    shared [ROWS],
    constants [CHANNELS1, CHANNELS2, CONV2_WEIGHT, PARTIAL],
    tile [SIDE = 28, KERNEL1 = 4, POOL1 = 12, KERNEL2 = 3, POOL2 = 5, CONVOLUTIONS = 1292]);
kernel!(GRADIENT_UPDATE = "gradient_update"
    (features: Read, hidden: Read, deltas: Read, outcome: Read, partial: Read, metrics: Write, velocities: Write, parameters: Write),
    shared [DENSE_UPDATE],
    constants [FEATURES, UNITS1, UNITS2, CLASSES, FC1_WEIGHT, FC1_BIAS, FC2_WEIGHT, FC2_BIAS, FC3_WEIGHT, FC3_BIAS,
        CONV1, CONV2, MOMENTUM, INPUTS],
    tile [RUNNING = 4]);
kernel!(GRADIENT_UPDATE_LANES = "gradient_update_lanes"
    (features: Read, hidden: Read, deltas: Read, outcome: Read, partial: Read, metrics: Write, velocities: Write, parameters: Write),
    shared [DENSE_UPDATE],
    constants [FEATURES, UNITS1, UNITS2, CLASSES, FC1_WEIGHT, FC1_BIAS, FC2_WEIGHT, FC2_BIAS, FC3_WEIGHT, FC3_BIAS,
        CONV1, CONV2, MOMENTUM],
    tile [UNIT_VECS = 4, INPUT_VECS = 2]);

/// Every plan.
pub static PLANS: [PlanRow; 4] = [
    PlanRow {
        name: layered::NAME,
        make: |model, training, seed, _| layered::layered(model, training, seed),
        parameters: &[],
        base: None,
    },
    PlanRow { name: fused::NAME, make: fused::fused, parameters: &fused::PARAMETERS, base: None },
    PlanRow {
        name: fused::SUBGROUPS,
        make: fused::fused_subgroups,
        parameters: &fused::PARAMETERS,
        base: Some(fused::NAME),
    },
    PlanRow { name: fused::LANES, make: fused::fused_lanes, parameters: &[], base: None },
];

/// Every kernel, in the order of a training step.
pub static KERNELS: [&Kernel; 27] = [
    &BATCH_GATHER,
    &CONV_FORWARD,
    &MAX_POOL_FORWARD,
    &DROPOUT_FORWARD,
    &DENSE_FORWARD,
    &SOFTMAX_CROSS_ENTROPY_FORWARD,
    &METRICS_REDUCE,
    &SOFTMAX_CROSS_ENTROPY_BACKWARD,
    &DENSE_BACKWARD_INPUT,
    &DENSE_BACKWARD_WEIGHT,
    &DENSE_BACKWARD_BIAS,
    &DROPOUT_BACKWARD,
    &MAX_POOL_BACKWARD,
    &CONV_BACKWARD_INPUT,
    &CONV_BACKWARD_WEIGHT,
    &CONV_BACKWARD_WEIGHT_REDUCE,
    &CONV_BACKWARD_BIAS,
    &SGD_UPDATE,
    &FEATURES_FORWARD,
    &FEATURES_FORWARD_LANES,
    &CLASSIFIER_FORWARD_BACKWARD,
    &CLASSIFIER_FORWARD_BACKWARD_SUBGROUPS,
    &CLASSIFIER_FORWARD_BACKWARD_LANES,
    &FEATURES_BACKWARD,
    &FEATURES_BACKWARD_LANES,
    &GRADIENT_UPDATE,
    &GRADIENT_UPDATE_LANES,
];

/// SHA-256, in hexadecimal, of all WGSL texts in the order of the table: which shaders a result was made with.
pub fn shader_hash() -> String {
    let texts: String = KERNELS.iter().map(|kernel| kernel.wgsl()).collect();
    sha256_hex(texts.as_bytes())
}

/// What the host writes for each step; the twin of `Step` in `shaders/shared/step.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Step {
    /// Images in this batch.
    pub batch: u32,
    /// Place of the batch's first image in the epoch's order.
    pub first: u32,
    /// Training steps before this one, over all epochs.
    pub index: u32,
    /// Where `metrics_reduce` leaves this step's sums.
    pub slot: u32,
    /// Learning rate of this step.
    pub learning_rate: f32,
    /// Values of the dropout layer in the images of the batch that other devices train before this one's.
    pub first_value: u32,
}
