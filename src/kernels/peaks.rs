//! The kernels that measure an adapter's peaks; they are not part of a training, hence not in
//! [`super::TRAINING_KERNELS`].

use super::kernel::{Access, Binding, Kernel, texts_hash, wgsl};

macro_rules! peak {
    (
        $identifier:ident = $name:literal ($($binding:ident: $access:ident),*),
        constants [$($constant:ident),*],
        tile [$($tile:ident = $size:literal),*]
    ) => {
        #[doc = concat!("`shaders/peaks/", $name, ".wgsl`, documented in its header.")]
        pub static $identifier: Kernel = Kernel {
            name: $name,
            source: wgsl!("peaks/", $name),
            shared: &[],
            bindings: &[$(Binding { name: stringify!($binding), access: Access::$access }),*],
            constants: &["WORKGROUP", $(stringify!($constant)),*],
            tile: &[$((stringify!($tile), $size)),*],
        };
    };
}

peak!(FP32_MULTIPLY_ADD = "fp32_multiply_add" (coefficients: Read, y: Write),
    constants [LOOPS], tile [CHAINS = 3, UNROLL = 8]);
peak!(FP16_MULTIPLY_ADD = "fp16_multiply_add" (coefficients: Read, y: Write),
    constants [LOOPS], tile [CHAINS = 3, UNROLL = 8]);
peak!(STORAGE_READ = "storage_read" (length: Read, x: Read, y: Write),
    constants [COUNT, GROUP_STEP, LOOP_STEP], tile [UNROLL = 4]);
peak!(STORAGE_WRITE = "storage_write" (length: Read, y: Write),
    constants [COUNT, GROUP_STEP, LOOP_STEP], tile [UNROLL = 4]);
peak!(STORAGE_COPY = "storage_copy" (length: Read, x: Read, y: Write),
    constants [COUNT, GROUP_STEP, LOOP_STEP], tile [UNROLL = 4]);
peak!(WORKGROUP_READ = "workgroup_read" (length: Read, y: Write),
    constants [], tile [UNROLL = 4, VALUES = 1024, STRIDE = 264]);
peak!(EMPTY = "empty" (x: Read), constants [], tile []);
peak!(EMPTY_DEPENDENT = "empty_dependent" (y: Write), constants [COUNTED], tile []);

/// All kernels that measure peaks.
pub static PEAK_KERNELS: [&Kernel; 8] = [
    &FP32_MULTIPLY_ADD,
    &FP16_MULTIPLY_ADD,
    &STORAGE_READ,
    &STORAGE_WRITE,
    &STORAGE_COPY,
    &WORKGROUP_READ,
    &EMPTY,
    &EMPTY_DEPENDENT,
];

/// SHA-256, in hexadecimal, of all their WGSL texts in order, without their comments; identifies the shaders that peaks
/// were measured with.
pub fn peak_shader_hash() -> String {
    texts_hash(&PEAK_KERNELS)
}
