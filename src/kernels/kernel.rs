//! A kernel as data: its WGSL text, its bindings and constants, and the record of the step it works on.

use super::comments::without_comments;
use super::unroll::unroll;
use crate::hash::sha256_hex;

/// The text of `shaders/NAME.wgsl` as the build script leaves it: whole, but for wasm32 without its comments.
macro_rules! wgsl {
    ($($name:expr),+) => {
        include_str!(concat!(env!("OUT_DIR"), "/shaders/", $($name,)+ ".wgsl"))
    };
}
pub(super) use wgsl;

/// How a kernel uses what is bound in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is written, and perhaps read.
    Write,
    /// The beginning of a buffer that is only read, as a uniform: so many vec4s as the tile of the same name in
    /// capitals says.
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
        self.name.to_ascii_uppercase()
    }
}

/// One kernel: a WGSL file whose stem is its name and its entry point.
#[derive(Debug, PartialEq, Eq)]
pub struct Kernel {
    /// File stem, entry point, reference function, label and key of the profile.
    pub name: &'static str,
    /// Text of the WGSL file; in a page without its comments.
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

    /// Whether invocations exchange values without memory, which an adapter need not offer. WGSL's directive for it is
    /// unknown to wgpu, so that only the text tells.
    pub fn needs_subgroups(&self) -> bool {
        std::iter::once(self.source).chain(self.shared.iter().copied()).any(|text| text.contains("subgroupShuffle"))
    }

    /// Whether it computes with 16-bit numbers: WebGPU's optional feature `shader-f16`.
    pub fn needs_f16(&self) -> bool {
        self.source.lines().any(|line| line == "enable f16;")
    }

    /// Whether it multiplies matrices that a subgroup holds together: an experimental feature of wgpu.
    pub fn needs_cooperative_matrices(&self) -> bool {
        self.source.lines().any(|line| line == "enable wgpu_cooperative_matrix;")
    }

    /// Whether what is bound to `binding` holds two 16-bit numbers to a word.
    pub fn stores_16_bits(&self, binding: &str) -> bool {
        let packs = ["pack2x16float", "unpack2x16float"].iter().any(|function| self.source.contains(function));
        packs && self.source.lines().any(|line| line.contains("@binding") && line.contains(&format!(" {binding}:")))
    }

    /// The size of the tile called `name`.
    ///
    /// # Panics
    /// If there is none.
    pub fn tile_size(&self, name: &str) -> u32 {
        self.tile.iter().find(|(tile, _)| *tile == name).expect("the kernel has a tile of this name").1
    }
}

/// SHA-256, in hexadecimal, of the WGSL texts of `kernels` in order, without their comments: a page, whose module has
/// none, gives the same.
pub(super) fn texts_hash(kernels: &[&Kernel]) -> String {
    let texts: String = kernels.iter().map(|kernel| without_comments(&kernel.wgsl())).collect();
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
