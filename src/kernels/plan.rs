//! Plans: dispatches of kernels in order, with their constants, buffers, grids and costs.

use super::kernel::Kernel;
use crate::error::{Error, Result};

/// A count that depends on the batch size N: `fixed` + `per_image` N + `per_chunk` ceil(N / `chunk`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// Independent of the batch size.
    pub fixed: u64,
    /// Per image.
    pub per_image: u64,
    /// Per group of `chunk` images, the last of which may be smaller.
    pub per_chunk: u64,
    /// Images in a group; at least 1.
    pub chunk: u32,
}

impl Amount {
    /// `count`, independent of the batch size.
    pub const fn fixed(count: u64) -> Self {
        Self { fixed: count, per_image: 0, per_chunk: 0, chunk: 1 }
    }

    /// `count` per image.
    pub const fn per_image(count: u64) -> Self {
        Self { fixed: 0, per_image: count, per_chunk: 0, chunk: 1 }
    }

    /// `count` per started group of `chunk` images.
    pub const fn per_chunk(count: u64, chunk: u32) -> Self {
        Self { fixed: 0, per_image: 0, per_chunk: count, chunk }
    }

    /// Adds `count`, independent of the batch size.
    pub const fn plus(mut self, count: u64) -> Self {
        self.fixed += count;
        self
    }

    /// The count for a batch of `batch` images.
    pub const fn at(&self, batch: u32) -> u64 {
        self.fixed + self.per_image * batch as u64 + self.per_chunk * batch.div_ceil(self.chunk) as u64
    }
}

/// Element type of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// 32-bit floating-point numbers.
    F32,
    /// 32-bit unsigned integers.
    U32,
    /// 16-bit floating-point numbers, two to a word.
    F16Pair,
}

/// A buffer of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufferSpec {
    /// Name, such as `conv1.output`.
    pub name: String,
    /// Element type.
    pub element: Element,
    /// Number of 32-bit words.
    pub length: Amount,
}

/// The number of workgroups of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    /// Enough workgroups for this many invocations: in x, and beyond the limit of one dimension in y too, so that the
    /// last row may have more workgroups than needed.
    Invocations(Amount),
    /// This many workgroups in x and y.
    Workgroups(Amount, Amount),
}

/// One dispatch of a kernel in a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispatch {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// Layer of the model, or the group of layers (`features`, `classifier`, `batch`, `all`) that it computes.
    pub layer: &'static str,
    /// Override constants by name, each of the kernel's exactly once.
    pub constants: Vec<(&'static str, f64)>,
    /// Names of the buffers for the kernel's bindings, in order.
    pub buffers: Vec<String>,
    /// Number of workgroups.
    pub grid: Grid,
    /// Floating-point operations, counted from the kernel's formula as `shaders/README.md` describes.
    pub flop: Amount,
    /// Bytes of the values that the formula reads or writes, each counted once.
    pub bytes: Amount,
}

impl Dispatch {
    /// `kernel/layer`, the label in the GPU API and in profiles.
    pub fn label(&self) -> String {
        format!("{}/{}", self.kernel.name, self.layer)
    }

    /// The value of the override constant called `name`.
    ///
    /// # Panics
    /// If the dispatch has no such constant.
    pub fn constant(&self, name: &str) -> f64 {
        self.constants.iter().find(|(constant, _)| *constant == name).expect("the dispatch has this constant").1
    }

    /// Workgroups in x, y and z for a batch of `batch` images, against a limit of `limit` in each dimension.
    ///
    /// # Errors
    /// [`Error::Usage`] if the limit is exceeded.
    pub fn workgroups(&self, batch: u32, limit: u32) -> Result<[u32; 3]> {
        let counts = match self.grid {
            Grid::Invocations(amount) => {
                let groups = amount.at(batch).div_ceil(self.constant("WORKGROUP") as u64);
                let rows = groups.div_ceil(u64::from(limit)).max(1);
                [groups.div_ceil(rows), rows, 1]
            }
            Grid::Workgroups(x, y) => [x.at(batch), y.at(batch), 1],
        };
        match counts.map(|count| u32::try_from(count).ok().filter(|&count| count <= limit)) {
            [Some(x), Some(y), Some(z)] => Ok([x, y, z]),
            _ => Err(Error::Usage(format!(
                "a batch of {batch} needs {counts:?} workgroups for {}, more than the {limit} this adapter allows: choose a smaller --batch or a narrower network",
                self.label()
            ))),
        }
    }
}

/// The dispatches of one training step, and those that evaluate a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Name, as in results.
    pub name: &'static str,
    /// Values of its parameters by name.
    pub parameters: Vec<(&'static str, u32)>,
    /// One training step.
    pub training: Vec<Dispatch>,
    /// The forward pass without dropout and its metrics, for one batch.
    pub evaluation: Vec<Dispatch>,
    /// Buffers of the dispatches beyond those in [`inputs`].
    pub buffers: Vec<BufferSpec>,
}

impl Plan {
    /// Whether any of its kernels needs subgroups.
    pub fn needs_subgroups(&self) -> bool {
        self.training.iter().chain(&self.evaluation).any(|dispatch| dispatch.kernel.needs_subgroups())
    }

    /// Whether any of its kernels computes with 16-bit numbers.
    pub fn needs_f16(&self) -> bool {
        self.training.iter().chain(&self.evaluation).any(|dispatch| dispatch.kernel.needs_f16())
    }
}

/// Names of the buffers that the trainer provides to every plan.
pub mod inputs {
    /// Training images, four u8 to a word.
    pub const TRAIN_IMAGES: &str = "train.images";
    /// Training labels.
    pub const TRAIN_LABELS: &str = "train.labels";
    /// The epoch's order of the training images.
    pub const TRAIN_ORDER: &str = "train.order";
    /// Step records of an epoch.
    pub const TRAIN_STEPS: &str = "train.steps";
    /// Sums of loss and correct predictions for each step of an epoch.
    pub const TRAIN_METRICS: &str = "train.metrics";
    /// Test images, four u8 to a word.
    pub const TEST_IMAGES: &str = "test.images";
    /// Test labels.
    pub const TEST_LABELS: &str = "test.labels";
    /// The test images in their own order.
    pub const TEST_ORDER: &str = "test.order";
    /// Step records of an evaluation.
    pub const TEST_STEPS: &str = "test.steps";
    /// Sums of loss and correct predictions for each batch of an evaluation.
    pub const TEST_METRICS: &str = "test.metrics";
    /// All parameters in one vector.
    pub const PARAMETERS: &str = "parameters";
    /// Momentum, laid out as the parameters.
    pub const VELOCITIES: &str = "velocities";
    /// Gradients, laid out as the parameters.
    pub const GRADIENTS: &str = "gradients";
}

/// A tuning parameter: it changes how a plan divides its work, never what it computes.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name, as in `--plan fused:images=2`.
    pub name: &'static str,
    /// Allowed values.
    pub values: &'static [u32],
    /// Default value, used without tuning.
    pub shipped: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::layered::layered;
    use crate::model::{DROPOUT_RATE, Model, Training};

    #[test]
    fn amounts_count_started_chunks() {
        let amount = Amount { fixed: 3, per_image: 2, per_chunk: 10, chunk: 4 };
        assert_eq!([0, 1, 4, 5].map(|batch| amount.at(batch)), [3, 15, 21, 33]);
    }

    #[test]
    fn a_grid_beyond_the_limit_of_a_dimension_extends_into_the_next() {
        let plan = layered(&Model::new(DROPOUT_RATE), &Training::STANDARD, 1);
        let dispatch = plan.training.iter().find(|dispatch| dispatch.label() == "max_pool_forward/pool1").unwrap();
        assert_eq!(dispatch.workgroups(128, 65_535), Ok([9_216, 1, 1]));
        assert_eq!(dispatch.workgroups(1000, 65_535), Ok([36_000, 2, 1]));
        let small = dispatch.workgroups(128, 1_000).unwrap();
        assert!(small[0] <= 1_000 && small[0] * small[1] >= 9_216, "{small:?}");
        let error = dispatch.workgroups(128, 10).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
