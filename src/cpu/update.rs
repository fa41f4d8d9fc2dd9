//! The parameter update: gradients are summed over the chunks in order, then velocities and parameters are updated.

use super::chunk::Chunk;
use super::layout::{
    CHUNK_IMAGES, Conv2Block, ConvParameters, ForwardWeights, Parameters, Sizes, TAPS1, copy_convolutions,
    transpose_rows,
};
use super::simd::{Block, Kernel, LANES, SimdBlock, SimdLevel, blocks};
use pulp::Simd;
use rayon::prelude::*;

/// v <- `momentum` v - `rate` g; w <- w + v.
#[derive(Debug, Clone, Copy)]
pub struct SgdStep {
    /// The learning rate of the step.
    pub rate: f32,
    /// The momentum.
    pub momentum: f32,
}

impl SgdStep {
    #[inline(always)]
    fn apply<S: Simd, const V: usize>(
        self,
        simd: S,
        gradient: SimdBlock<S, V>,
        velocity: &mut Block,
        parameter: &mut Block,
    ) {
        let decayed = SimdBlock::splat(simd, 0.0).plus_scaled(simd, self.momentum, SimdBlock::load(simd, velocity));
        let next = decayed.plus_scaled(simd, -self.rate, gradient);
        next.store(velocity);
        SimdBlock::load(simd, parameter).plus(simd, next).store(parameter);
    }
}

/// Updates every parameter from the gradients in `chunks`.
pub fn update(
    level: SimdLevel,
    sizes: &Sizes,
    chunks: &[Chunk],
    sgd: SgdStep,
    (parameters, velocities, forward): (&mut Parameters, &mut Parameters, &mut ForwardWeights),
) {
    let ForwardWeights { conv1, conv2, dense: copies } = forward;
    let mut tasks = vec![Task::Convolutions {
        parameters: &mut parameters.conv,
        velocities: &mut velocities.conv,
        copies: (conv1, conv2),
    }];
    let layers = parameters.dense.iter_mut().zip(&mut velocities.dense).zip(copies);
    for (layer, ((parameters, velocities), copy)) in layers.enumerate() {
        let row = blocks(parameters.inputs);
        let weights = parameters.weight.chunks_mut(LANES * row).zip(&mut parameters.bias);
        let velocities = velocities.weight.chunks_mut(LANES * row).zip(&mut velocities.bias);
        let copies = copy.chunks_mut(LANES * row);
        for (block, ((parameters, velocities), copy)) in weights.zip(velocities).zip(copies).enumerate() {
            tasks.push(Task::Units { layer, block, parameters, velocities, copy });
        }
    }
    tasks.into_par_iter().with_max_len(1).for_each(|task| match task {
        Task::Convolutions { parameters, velocities, copies: (conv1, conv2) } => {
            level.run(ConvolutionUpdate { chunks, sgd, parameters: &mut *parameters, velocities });
            copy_convolutions(conv1, conv2, sizes, parameters);
        }
        Task::Units { layer, block, parameters, velocities, copy } => {
            level.run(UnitsUpdate {
                chunks,
                sgd,
                layer,
                block,
                parameters: (&mut *parameters.0, parameters.1),
                velocities,
            });
            transpose_rows(parameters.0, copy);
        }
    });
}

/// A task of one thread.
enum Task<'a> {
    /// The convolutions.
    Convolutions {
        parameters: &'a mut ConvParameters,
        velocities: &'a mut ConvParameters,
        copies: (&'a mut [[Block; TAPS1]], &'a mut [Conv2Block]),
    },
    /// Sixteen units of a dense layer: weight and bias.
    Units {
        layer: usize,
        block: usize,
        parameters: (&'a mut [Block], &'a mut Block),
        velocities: (&'a mut [Block], &'a mut Block),
        copy: &'a mut [Block],
    },
}

/// The update of the convolutions.
struct ConvolutionUpdate<'a> {
    chunks: &'a [Chunk],
    sgd: SgdStep,
    parameters: &'a mut ConvParameters,
    velocities: &'a mut ConvParameters,
}

impl Kernel for ConvolutionUpdate<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(self, simd: S) {
        let tensors = self.parameters.slices_mut().into_iter().zip(self.velocities.slices_mut());
        for (tensor, (parameters, velocities)) in tensors.enumerate() {
            for (index, (parameter, velocity)) in parameters.iter_mut().zip(velocities).enumerate() {
                let mut sum = SimdBlock::<S, V>::splat(simd, 0.0);
                for chunk in self.chunks {
                    sum = sum.plus(simd, SimdBlock::load(simd, &chunk.conv.slices()[tensor][index]));
                }
                self.sgd.apply(simd, sum, velocity, parameter);
            }
        }
    }
}

/// The update of sixteen units of a dense layer.
struct UnitsUpdate<'a> {
    chunks: &'a [Chunk],
    sgd: SgdStep,
    layer: usize,
    block: usize,
    parameters: (&'a mut [Block], &'a mut Block),
    velocities: (&'a mut [Block], &'a mut Block),
}

impl Kernel for UnitsUpdate<'_> {
    #[inline(always)]
    fn run<S: Simd, const V: usize>(mut self, simd: S) {
        let row = self.parameters.0.len() / LANES;
        for column in 0..row {
            if V == 1 {
                self.units::<S, V, 8, 0>(simd, row, column);
                self.units::<S, V, 8, 8>(simd, row, column);
            } else {
                self.units::<S, V, 4, 0>(simd, row, column);
                self.units::<S, V, 4, 4>(simd, row, column);
                self.units::<S, V, 4, 8>(simd, row, column);
                self.units::<S, V, 4, 12>(simd, row, column);
            }
        }
        let mut sum = SimdBlock::<S, V>::splat(simd, 0.0);
        for chunk in self.chunks {
            let outputs = chunk.gradients[self.layer + 1].len() / CHUNK_IMAGES;
            for dy in chunk.gradients[self.layer + 1].chunks(outputs).take(chunk.images) {
                sum = sum.plus(simd, SimdBlock::load(simd, &dy[self.block]));
            }
        }
        self.sgd.apply(simd, sum, self.velocities.1, self.parameters.1);
    }
}

impl UnitsUpdate<'_> {
    /// Updates the weights of `R` units from `FIRST` on for input block `column`.
    #[inline(always)]
    fn units<S: Simd, const V: usize, const R: usize, const FIRST: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
    ) {
        let mut sums = [SimdBlock::<S, V>::splat(simd, 0.0); R];
        for chunk in self.chunks {
            let (x, dy) = (&chunk.rows[self.layer], &chunk.gradients[self.layer + 1]);
            let outputs = dy.len() / CHUNK_IMAGES;
            for (x, dy) in x.chunks_exact(row).zip(dy.chunks_exact(outputs)).take(chunk.images) {
                let (x, dy) = (SimdBlock::load(simd, &x[column]), &dy[self.block]);
                for unit in 0..R {
                    sums[unit] = sums[unit].plus_scaled(simd, dy[FIRST + unit], x);
                }
            }
        }
        for (unit, sum) in sums.into_iter().enumerate() {
            let index = (FIRST + unit) * row + column;
            self.sgd.apply(simd, sum, &mut self.velocities.0[index], &mut self.parameters.0[index]);
        }
    }
}
