//! Verifies that each kernel does the work it is timed for: its output equals what the host computes.

use super::access_pattern::{AccessPattern, UNROLL};
use super::fixture::{COEFFICIENTS, Fixture, LOOPS, MIX, PreparedKernel, SHARED_LOOPS, buffer};
use crate::error::{Error, Result};
use crate::gpu::RepeatedDispatch;
use crate::kernels::Kernel;
use crate::kernels::peaks::{EMPTY_DEPENDENT, STORAGE_READ, STORAGE_WRITE, WORKGROUP_READ};
use std::fmt::Display;

/// The sum of the starts of the 12 chains, relative to the common start.
const STARTS: f32 = 66.0;
/// Bytes at the beginning of a buffer that are compared word by word; the rest is compared by its sum.
const COMPARED_BYTES: u64 = 1 << 16;

impl Fixture<'_> {
    /// Verifies that every invocation of a multiply-add kernel computes every step of its chains.
    ///
    /// # Errors
    /// [`Error::Check`] if one does not.
    pub async fn verify_arithmetic(&self, prepared: &PreparedKernel) -> Result<()> {
        const GROUPS: u32 = 5;
        let count = (GROUPS * prepared.workgroup) as usize;
        self.buffers.write(self.gpu, buffer::OUTPUT, &vec![f32::NAN; count + 1]);
        self.time(RepeatedDispatch { workgroups: GROUPS, ..prepared.repeated(1) }).await?;
        let y: Vec<f32> = self.buffers.read(self.gpu, buffer::OUTPUT, count + 1).await?;
        let chains = (4 * prepared.kernel.tile_size("CHAINS")) as f32;
        let steps = (prepared.kernel.tile_size("UNROLL") * LOOPS) as f32;
        let expected = |index: usize| chains * (COEFFICIENTS[2] + (index % 64) as f32 + steps) + STARTS;
        let wrong = y[..count].iter().enumerate().find(|(index, value)| **value != expected(*index));
        match wrong {
            Some((index, value)) => Err(disagrees(prepared, index, value, expected(index))),
            None if !y[count].is_nan() => Err(disagrees(prepared, count, y[count], "nothing")),
            None => Ok(()),
        }
    }

    /// Prepares and verifies a storage kernel on a working set that was written with `salt`.
    ///
    /// # Errors
    /// [`Error::Check`] if it does not do its work, [`Error::Adapter`] if it does not compile.
    pub async fn verified_storage(
        &self,
        kernel: &'static Kernel,
        pattern: AccessPattern,
        salt: u32,
    ) -> Result<PreparedKernel> {
        let writer = if kernel.name == STORAGE_WRITE.name { kernel } else { &STORAGE_WRITE };
        let write = self.storage(writer, pattern, &[buffer::SOURCE]).await?;
        self.verify_writing(&write, pattern, buffer::SOURCE, salt).await?;
        match kernel.name {
            "storage_read" => {
                let read = self.storage(kernel, pattern, &[buffer::SOURCE, buffer::OUTPUT]).await?;
                self.verify_reading(&read, pattern, salt).await?;
                Ok(read)
            }
            "storage_copy" => {
                let copy = self.storage(kernel, pattern, &[buffer::SOURCE, buffer::TARGET]).await?;
                self.verify_writing(&copy, pattern, buffer::TARGET, salt).await?;
                Ok(copy)
            }
            _ => Ok(write),
        }
    }

    /// Verifies that the working set `target` holds what was written to it, or to the source of a copy, with `salt`.
    async fn verify_writing(
        &self,
        prepared: &PreparedKernel,
        pattern: AccessPattern,
        target: &str,
        salt: u32,
    ) -> Result<()> {
        self.run_loops(prepared, pattern.unit_loops, salt).await?;
        let compared = COMPARED_BYTES.min(16 * u64::from(pattern.count)) as usize / 4;
        let words: Vec<u32> = self.buffers.read(self.gpu, target, compared).await?;
        let wrong = words.iter().enumerate().find(|(index, word)| **word != content(*index as u32, salt));
        if let Some((index, word)) = wrong {
            return Err(disagrees(prepared, index, word, content(index as u32, salt)));
        }
        let read = self.storage(&STORAGE_READ, pattern, &[target, buffer::OUTPUT]).await?;
        self.verify_reading(&read, pattern, salt).await
    }

    /// Verifies that the sums of all invocations add up to the sum of the working set, multiplied by the sweeps over
    /// it.
    async fn verify_reading(&self, prepared: &PreparedKernel, pattern: AccessPattern, salt: u32) -> Result<()> {
        for units in [1, 3] {
            self.run_loops(prepared, units * pattern.unit_loops, 0).await?;
            let invocations = pattern.invocations() as usize;
            let y: Vec<u32> = self.buffers.read(self.gpu, buffer::OUTPUT, invocations).await?;
            let (found, expected) =
                (wrapping_sum(&y), sum(pattern.count, salt).wrapping_mul(pattern.sweeps(units) as u32));
            if found != expected {
                return Err(disagrees(prepared, invocations, found, expected));
            }
        }
        Ok(())
    }

    /// Verifies that the sums of each workgroup add up to the sum of the tile in workgroup memory, multiplied by the
    /// sweeps over it.
    ///
    /// # Errors
    /// [`Error::Check`] if they do not.
    pub async fn verify_shared(&self, prepared: &PreparedKernel) -> Result<()> {
        let values = WORKGROUP_READ.tile_size("VALUES");
        let salt = 77;
        for units in [1, 3] {
            self.run_loops(prepared, units * SHARED_LOOPS, salt).await?;
            let count = (prepared.workgroup * prepared.groups) as usize;
            let y: Vec<u32> = self.buffers.read(self.gpu, buffer::OUTPUT, count).await?;
            let sweeps = units * SHARED_LOOPS * UNROLL * prepared.workgroup / values;
            let expected = sum(values, salt).wrapping_mul(sweeps);
            let found = y.chunks(prepared.workgroup as usize).map(wrapping_sum);
            if let Some((group, found)) = found.enumerate().find(|(_, found)| *found != expected) {
                return Err(disagrees(prepared, group, found, expected));
            }
        }
        Ok(())
    }

    /// Verifies that dependent dispatches each continue to count from the result of the one before.
    ///
    /// # Errors
    /// [`Error::Check`] if one does not.
    pub async fn verify_dependent(&self, prepared: &PreparedKernel) -> Result<()> {
        const DISPATCHES: u32 = 500;
        self.buffers.write(self.gpu, buffer::OUTPUT, &[0u32; 4]);
        self.time(RepeatedDispatch { passes: 2, ..prepared.repeated(DISPATCHES) }).await?;
        let y: Vec<u32> = self.buffers.read(self.gpu, buffer::OUTPUT, 1).await?;
        if y == [2 * DISPATCHES] { Ok(()) } else { Err(disagrees(prepared, 0, y[0], 2 * DISPATCHES)) }
    }

    /// Verifies `kernel`, a row of the table of peaks or a variant with the name of one.
    ///
    /// # Errors
    /// [`Error::Check`] if it does not do its work, [`Error::Adapter`] if it does not compile.
    pub async fn verify(&self, kernel: &'static Kernel) -> Result<()> {
        match kernel.name {
            "fp32_multiply_add" | "fp16_multiply_add" => self.verify_arithmetic(&self.arithmetic(kernel).await?).await,
            "storage_read" | "storage_write" | "storage_copy" => {
                self.verified_storage(kernel, self.access_pattern(1 << 12), 5).await.map(|_| ())
            }
            "workgroup_read" => self.verify_shared(&self.shared(kernel).await?.0).await,
            name if name == EMPTY_DEPENDENT.name => self.verify_dependent(&self.empty(kernel, true).await?).await,
            // An empty kernel has no output.
            _ => self.time(self.empty(kernel, false).await?.repeated(1)).await.map(|_| ()),
        }
    }
}

fn disagrees(prepared: &PreparedKernel, index: usize, found: impl Display, expected: impl Display) -> Error {
    Error::Check(format!(
        "{} computes otherwise than it should at {index}: {found} in place of {expected}; update the driver",
        prepared.kernel.name
    ))
}

/// The word at `index` of a working set that was written with `salt`.
fn content(index: u32, salt: u32) -> u32 {
    (index / 4).wrapping_add((index % 4).wrapping_mul(MIX)).wrapping_add(salt)
}

/// The sum, modulo 2^32, of the first `count` vec4s of a working set that was written with `salt`.
fn sum(count: u32, salt: u32) -> u32 {
    let indices = u64::from(count) * u64::from(count - 1) / 2;
    let of_indices = (indices as u32).wrapping_mul(4);
    let of_mix = MIX.wrapping_mul(6).wrapping_mul(count);
    of_indices.wrapping_add(of_mix).wrapping_add(salt.wrapping_mul(4).wrapping_mul(count))
}

/// The sum of `values` modulo 2^32.
fn wrapping_sum(values: &[u32]) -> u32 {
    values.iter().fold(0, |sum, value| sum.wrapping_add(*value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::peaks::{FP16_MULTIPLY_ADD, FP32_MULTIPLY_ADD, STORAGE_COPY};

    #[test]
    fn the_sum_of_a_working_set_is_that_of_its_words() {
        for (count, salt) in [(1, 0), (4, 9), (1000, u32::MAX), (1 << 14, 12_345)] {
            let words = (0..4 * count).fold(0u32, |sum, index| sum.wrapping_add(content(index, salt)));
            assert_eq!(sum(count, salt), words, "{count} {salt}");
        }
    }

    #[test]
    fn the_loops_of_the_kernels_are_as_the_host_counts_them() {
        for kernel in [&STORAGE_READ, &STORAGE_WRITE, &STORAGE_COPY, &WORKGROUP_READ] {
            assert_eq!(kernel.tile_size("UNROLL"), UNROLL, "{}", kernel.name);
        }
        // The highest count must be exact in 16 bits.
        for kernel in [&FP32_MULTIPLY_ADD, &FP16_MULTIPLY_ADD] {
            let last = COEFFICIENTS[2] + 63.0 + 11.0 + (kernel.tile_size("UNROLL") * LOOPS) as f32;
            assert!(last <= 2048.0 && COEFFICIENTS[2] >= -2048.0, "{last}");
        }
        let (values, stride) = (WORKGROUP_READ.tile_size("VALUES"), WORKGROUP_READ.tile_size("STRIDE"));
        for workgroup in [8, 256] {
            let mut accesses = vec![0; values as usize];
            for (local, step) in (0..workgroup).flat_map(|local| (0..UNROLL * SHARED_LOOPS).map(move |k| (local, k))) {
                accesses[((local + step * stride) % values) as usize] += 1;
            }
            assert!(accesses.iter().all(|times| *times == accesses[0]), "workgroups of {workgroup}");
        }
    }
}
