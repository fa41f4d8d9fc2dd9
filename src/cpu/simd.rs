//! Blocks of sixteen values, in as many registers as the instruction set needs.

use pulp::{Arch, Scalar, Simd, WithSimd};

/// Values of a block: a register of AVX-512, two of AVX2, four of NEON.
pub const LANES: usize = 16;

/// Whether kernels are compiled for scalar arithmetic. WebAssembly selects its instructions when it is compiled, so that
/// they would only lengthen a module with SIMD.
const SCALAR: bool = !cfg!(target_feature = "simd128");

/// Sixteen values in memory.
pub type Block = [f32; LANES];

/// A block of zeros.
pub const ZERO: Block = [0.0; LANES];

/// The number of blocks that hold `count` values.
pub const fn blocks(count: usize) -> usize {
    count.div_ceil(LANES)
}

/// A computation that is compiled for each instruction set.
pub trait Kernel {
    /// Runs with the instructions of `simd`; `V` registers hold a block.
    fn run<S: Simd, const V: usize>(self, simd: S);
}

/// The instruction set that kernels run with.
#[derive(Debug, Clone, Copy)]
pub enum SimdLevel {
    /// The widest one that the processor supports.
    Native(Arch),
    /// Scalar arithmetic, which every processor supports.
    Portable,
}

impl SimdLevel {
    /// The widest instruction set of this processor.
    pub fn detect() -> Self {
        match Arch::new() {
            Arch::Scalar => Self::Portable,
            arch => Self::Native(arch),
        }
    }

    /// Runs `kernel` with this instruction set.
    pub fn run(self, kernel: impl Kernel) {
        match self {
            Self::Native(arch) => arch.dispatch(Operation(kernel)),
            Self::Portable => Scalar.vectorize(Operation(kernel)),
        }
    }

    /// The name of the instruction set, as in results: "avx512", "avx2", "neon", "simd128", "portable".
    pub fn name(self) -> &'static str {
        struct Lanes;
        impl WithSimd for Lanes {
            type Output = usize;

            fn with_simd<S: Simd>(self, _: S) -> usize {
                S::F32_LANES
            }
        }
        match self {
            Self::Portable => "portable",
            Self::Native(arch) => match arch.dispatch(Lanes) {
                16 => "avx512",
                8 => "avx2",
                _ if !SCALAR => "simd128",
                _ => "neon",
            },
        }
    }
}

struct Operation<K>(K);

impl<K: Kernel> WithSimd for Operation<K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::F32_LANES == 16 {
            self.0.run::<S, 1>(simd);
        } else if S::F32_LANES == 8 {
            self.0.run::<S, 2>(simd);
        } else if S::F32_LANES == 4 {
            self.0.run::<S, 4>(simd);
        } else {
            assert!(S::F32_LANES == 1 && SCALAR, "registers hold 1, 4, 8 or 16 values");
            self.0.run::<S, LANES>(simd);
        }
    }
}

/// A block in registers.
#[derive(Debug, Clone, Copy)]
pub struct SimdBlock<S: Simd, const V: usize>([S::f32s; V]);

impl<S: Simd, const V: usize> SimdBlock<S, V> {
    /// `value` in every lane.
    #[inline(always)]
    pub fn splat(simd: S, value: f32) -> Self {
        Self([simd.splat_f32s(value); V])
    }

    /// The values of `block`.
    #[inline(always)]
    pub fn load(simd: S, block: &Block) -> Self {
        let mut wide = Self::splat(simd, 0.0);
        wide.0.copy_from_slice(S::as_simd_f32s(block).0);
        wide
    }

    /// Writes the values to `block`.
    #[inline(always)]
    pub fn store(self, block: &mut Block) {
        S::as_mut_simd_f32s(block).0.copy_from_slice(&self.0);
    }

    /// `self` + `a` `b`, fused where the processor supports it.
    #[inline(always)]
    pub fn plus_product(self, simd: S, a: Self, b: Self) -> Self {
        let mut sum = self;
        for v in 0..V {
            sum.0[v] = simd.mul_add_e_f32s(a.0[v], b.0[v], self.0[v]);
        }
        sum
    }

    /// `self` + `a` `b`, where `a` is the same in all lanes.
    #[inline(always)]
    pub fn plus_scaled(self, simd: S, a: f32, b: Self) -> Self {
        self.plus_product(simd, Self::splat(simd, a), b)
    }

    /// `self` + `other`.
    #[inline(always)]
    pub fn plus(self, simd: S, other: Self) -> Self {
        let mut sum = self;
        for v in 0..V {
            sum.0[v] = simd.add_f32s(self.0[v], other.0[v]);
        }
        sum
    }

    /// The ReLU, where NaN stays NaN.
    #[inline(always)]
    pub fn relu(self, simd: S) -> Self {
        let zero = simd.splat_f32s(0.0);
        let mut value = self;
        for v in 0..V {
            let below = simd.less_than_f32s(self.0[v], zero);
            value.0[v] = simd.select_f32s(below, zero, self.0[v]);
        }
        value
    }

    /// `self` where `gate` is above 0, else 0.
    #[inline(always)]
    pub fn where_positive(self, simd: S, gate: Self) -> Self {
        let zero = simd.splat_f32s(0.0);
        let mut value = self;
        for v in 0..V {
            let positive = simd.greater_than_f32s(gate.0[v], zero);
            value.0[v] = simd.select_f32s(positive, self.0[v], zero);
        }
        value
    }
}

/// The largest of four blocks, lane by lane; `argmax` receives the index of each, the first of equals.
#[inline(always)]
pub fn largest<S: Simd, const V: usize>(
    simd: S,
    of: [SimdBlock<S, V>; 4],
    argmax: &mut [u8; LANES],
) -> SimdBlock<S, V> {
    let mut best = of[0];
    let mut index = [0u32; LANES];
    let indices = S::as_mut_simd_u32s(&mut index).0;
    for (v, index) in indices.iter_mut().enumerate() {
        let mut best_index = simd.splat_u32s(0);
        for (number, candidate) in of.iter().enumerate().skip(1) {
            let above = simd.greater_than_f32s(candidate.0[v], best.0[v]);
            best.0[v] = simd.select_f32s(above, candidate.0[v], best.0[v]);
            best_index = simd.select_u32s(above, simd.splat_u32s(number as u32), best_index);
        }
        *index = best_index;
    }
    for lane in 0..LANES {
        argmax[lane] = index[lane] as u8;
    }
    best
}
