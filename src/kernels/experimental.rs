//! Kernels that no plan has, since no adapter that this program was tried on runs them: they are compiled and counted.

use super::kernel::{Access, Binding, Kernel, wgsl};
use super::table::STEP;

macro_rules! experimental {
    ($identifier:ident = $name:literal, constants [$($constant:ident),*], tile [$($tile:ident = $size:literal),*]) => {
        #[doc = concat!("`shaders/experimental/", $name, ".wgsl`, documented in its header.")]
        pub static $identifier: Kernel = Kernel {
            name: $name,
            source: wgsl!("experimental/", $name),
            shared: &[STEP],
            bindings: &[
                Binding { name: "x", access: Access::Read },
                Binding { name: "parameters", access: Access::Read },
                Binding { name: "y", access: Access::Write },
                Binding { name: "step", access: Access::Step },
            ],
            constants: &["WORKGROUP", $(stringify!($constant)),*],
            tile: &[$((stringify!($tile), $size)),*],
        };
    };
}

experimental!(DENSE_FORWARD_MATRICES = "dense_forward_matrices",
    constants [IN, OUT, WEIGHT, BIAS, RELU], tile [TILE = 16]);
experimental!(CONV_FORWARD_MATRICES = "conv_forward_matrices",
    constants [IN_CHANNELS, IN_HEIGHT, IN_WIDTH, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH, WEIGHT, BIAS],
    tile [TILE = 16, KERNEL = 3, SUBGROUP = 32]);

/// All of them.
pub static EXPERIMENTAL_KERNELS: [&Kernel; 2] = [&DENSE_FORWARD_MATRICES, &CONV_FORWARD_MATRICES];
