//! The kernels of the peaks on one device, with their buffers, and the proof that each does its work.

use super::sample;
use super::walk::{MOST_TURNS, UNROLL, Walk};
use crate::error::{Error, Result};
use crate::gpu::{BoundDispatch, Buffers, Gpu, Meter, Pipelines, RepeatedDispatch, Timing};
use crate::kernels::peaks::{EMPTY_DEPENDENT, STORAGE_READ, WORKGROUP_READ};
use crate::kernels::{Amount, Dispatch, Grid, Kernel, Plan};

/// Turns of the loops of the multiply-add kernels: as many steps as 16-bit numbers can count.
const LOOPS: u32 = 256;
/// a, b and the first start of the multiply-adds: x counts from -1024 up to about 1100, which is exact in 16 bits.
const COEFFICIENTS: [f32; 3] = [1.0, 1.0, -1024.0];
/// Starts of the 12 chains beyond the common one, summed.
const STARTS: f32 = 66.0;
/// Invocations in a workgroup of multiply-adds.
const ARITHMETIC_WORKGROUP: u32 = 128;
/// The most workgroups of multiply-adds in one dispatch.
const ARITHMETIC_GROUPS: u32 = 32_768;
/// Workgroups of `workgroup_read` on a GPU.
const SHARED_GROUPS: u32 = 1024;
/// Turns of the loop in a unit of `workgroup_read`, after which every value of the tile was read equally often.
pub const SHARED_LOOPS: u32 = 32;
/// Tells the four numbers of a vec4 apart: 2^32 divided by the golden ratio.
const MIX: u32 = 0x9e37_79b9;
/// Bytes from the beginning of a buffer that are compared word by word; the rest by its sum.
const LOOKED_AT_BYTES: u64 = 1 << 16;

/// Names of the buffers.
pub mod buffer {
    /// Turns, salt and [`super::MIX`].
    pub const LENGTH: &str = "peaks.length";
    /// a, b, start.
    pub const COEFFICIENTS: &str = "peaks.coefficients";
    /// One number for each invocation.
    pub const OUTPUT: &str = "peaks.output";
    /// The larger of the working sets.
    pub const SOURCE: &str = "peaks.source";
    /// The smaller of the working sets, half as large.
    pub const TARGET: &str = "peaks.target";
}

/// A device with everything that peaks need.
pub struct Rig<'a> {
    /// The device.
    pub gpu: &'a Gpu,
    /// Times work on it.
    pub meter: Meter,
    buffers: Buffers,
    largest_bytes: u64,
    cores: u32,
}

/// A kernel that is ready to run.
pub struct Ready {
    bound: BoundDispatch,
    kernel: &'static Kernel,
    workgroup: u32,
    groups: u32,
}

impl Ready {
    /// One pass of `dispatches`.
    pub fn work(&self, dispatches: u32) -> RepeatedDispatch<'_> {
        RepeatedDispatch { bound: &self.bound, workgroups: self.groups, dispatches, passes: 1 }
    }
}

impl<'a> Rig<'a> {
    /// Makes the buffers, the working sets as large as `largest_bytes`, or as there is memory for.
    ///
    /// # Errors
    /// [`Error::Device`] if there is no memory even for small ones.
    pub async fn new(gpu: &'a Gpu, largest_bytes: u64) -> Result<Self> {
        let mut buffers = Buffers::default();
        buffers.add(gpu, buffer::LENGTH, 16, false).await?;
        buffers.add(gpu, buffer::COEFFICIENTS, 12, false).await?;
        let outputs = 4 * u64::from(ARITHMETIC_WORKGROUP) * u64::from(ARITHMETIC_GROUPS);
        buffers.add(gpu, buffer::OUTPUT, outputs, false).await?;
        buffers.write(gpu, buffer::COEFFICIENTS, &COEFFICIENTS);
        let mut bytes = largest_bytes;
        loop {
            let source = buffers.add(gpu, buffer::SOURCE, bytes, false).await;
            let both = match source {
                Ok(()) => buffers.add(gpu, buffer::TARGET, bytes / 2, false).await,
                error => error,
            };
            match both {
                Ok(()) => break,
                Err(_) if bytes > 1 << 20 => bytes /= 2,
                Err(error) => return Err(error),
            }
        }
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        Ok(Self { gpu, meter: Meter::new(gpu), buffers, largest_bytes: bytes, cores })
    }

    /// Bytes of the larger working set.
    pub fn largest_bytes(&self) -> u64 {
        self.largest_bytes
    }

    /// How storage kernels walk `count` vec4s here.
    pub fn walk(&self, count: u32) -> Walk {
        if self.gpu.adapter.software { Walk::sequential(count, self.cores) } else { Walk::strided(count) }
    }

    /// Compiles `kernel` and binds `buffers`.
    async fn ready(
        &self,
        kernel: &'static Kernel,
        workgroup: u32,
        groups: u32,
        constants: &[(&'static str, u32)],
        buffers: &[&str],
    ) -> Result<Ready> {
        let all = [&[("WORKGROUP", workgroup)], constants].concat();
        let dispatch = Dispatch {
            kernel,
            layer: "peaks",
            constants: all.into_iter().map(|(name, value)| (name, f64::from(value))).collect(),
            buffers: buffers.iter().map(|name| (*name).to_owned()).collect(),
            grid: Grid::Workgroups(Amount::fixed(u64::from(groups)), Amount::fixed(1)),
            flop: Amount::fixed(0),
            bytes: Amount::fixed(0),
        };
        let plan = Plan {
            name: "peaks",
            parameters: Vec::new(),
            training: vec![dispatch.clone()],
            evaluation: Vec::new(),
            buffers: Vec::new(),
        };
        let pipelines = Pipelines::compile(self.gpu, &plan).await?;
        let bound = pipelines.bind(self.gpu, &dispatch, &self.buffers, buffer::LENGTH);
        Ok(Ready { bound, kernel, workgroup, groups })
    }

    /// A multiply-add kernel.
    ///
    /// # Errors
    /// [`Error::Adapter`] if it does not compile.
    pub async fn arithmetic(&self, kernel: &'static Kernel) -> Result<Ready> {
        let buffers = [buffer::COEFFICIENTS, buffer::OUTPUT];
        self.ready(kernel, ARITHMETIC_WORKGROUP, 1, &[("LOOPS", LOOPS)], &buffers).await
    }

    /// Floating-point operations of one workgroup of a multiply-add kernel.
    pub fn flop_per_group(kernel: &Kernel) -> f64 {
        let steps = f64::from(kernel.tile_size("UNROLL") * LOOPS);
        2.0 * 4.0 * f64::from(kernel.tile_size("CHAINS")) * steps * f64::from(ARITHMETIC_WORKGROUP)
    }

    /// Workgroups and dispatches that make up at least `groups` workgroups of multiply-adds.
    pub fn arithmetic_grid(groups: u64) -> (u32, u32) {
        let most = u64::from(ARITHMETIC_GROUPS);
        let (each, dispatches) = if groups <= most { (groups, 1) } else { (most, groups.div_ceil(most)) };
        (each as u32, u32::try_from(dispatches).unwrap_or(u32::MAX))
    }

    /// A storage kernel that walks as `walk` says over `count` vec4s of `buffers`.
    ///
    /// # Errors
    /// [`Error::Adapter`] if it does not compile.
    pub async fn storage(&self, kernel: &'static Kernel, walk: Walk, count: u32, buffers: &[&str]) -> Result<Ready> {
        let constants = [("COUNT", count), ("GROUP_STEP", walk.group_step), ("LOOP_STEP", walk.loop_step)];
        let buffers = [&[buffer::LENGTH], buffers].concat();
        self.ready(kernel, walk.workgroup, walk.groups, &constants, &buffers).await
    }

    /// The kernel that reads workgroup memory, and the bytes that one unit of its work reads.
    ///
    /// # Errors
    /// [`Error::Adapter`] if it does not compile.
    pub async fn shared(&self, kernel: &'static Kernel) -> Result<(Ready, f64)> {
        let (workgroup, groups) =
            if self.gpu.adapter.software { (8, self.cores.next_power_of_two()) } else { (256, SHARED_GROUPS) };
        let bytes = 16.0 * f64::from(UNROLL * SHARED_LOOPS) * f64::from(workgroup * groups);
        Ok((self.ready(kernel, workgroup, groups, &[], &[buffer::LENGTH, buffer::OUTPUT]).await?, bytes))
    }

    /// A kernel without work; `counted` makes the dependent one count.
    ///
    /// # Errors
    /// [`Error::Adapter`] if it does not compile.
    pub async fn idle(&self, kernel: &'static Kernel, counted: bool) -> Result<Ready> {
        let constants = [("COUNTED", u32::from(counted))];
        self.ready(kernel, 1, 1, &constants[..kernel.constants.len() - 1], &[buffer::OUTPUT]).await
    }

    /// Runs one dispatch of a kernel for so many turns of its loop.
    ///
    /// # Errors
    /// [`Error::Device`] if the device failed.
    pub async fn turns(&self, ready: &Ready, turns: u32, salt: u32) -> Result<Timing> {
        self.buffers.write(self.gpu, buffer::LENGTH, &[turns, salt, MIX, 0]);
        self.meter.time(self.gpu, &ready.work(1)).await
    }

    /// As many units of work, of `unit_turns` turns each, as make a dispatch last `enough_ns`, or as it may have.
    ///
    /// # Errors
    /// As [`Rig::turns`].
    pub async fn units_per_dispatch(&self, ready: &Ready, unit_turns: u32, salt: u32, enough_ns: f64) -> Result<u32> {
        let longest = u64::from(MOST_TURNS / unit_turns).max(1);
        let mut units = 1;
        loop {
            let elapsed_ns = self.turns(ready, units as u32 * unit_turns, salt).await?.duration_ns();
            match sample::longer(units, elapsed_ns, enough_ns, longest) {
                Some(more) => units = more,
                None => return Ok(units as u32),
            }
        }
    }
}

/// What proves that a kernel did its work: what it left behind equals what the host computes.
impl Rig<'_> {
    /// Multiply-adds: every invocation counted every step of its chains.
    ///
    /// # Errors
    /// [`Error::Check`] if it did not.
    pub async fn prove_arithmetic(&self, ready: &Ready) -> Result<()> {
        const GROUPS: u32 = 5;
        let count = (GROUPS * ready.workgroup) as usize;
        self.buffers.write(self.gpu, buffer::OUTPUT, &vec![f32::NAN; count + 1]);
        self.meter.time(self.gpu, &RepeatedDispatch { workgroups: GROUPS, ..ready.work(1) }).await?;
        let y: Vec<f32> = self.buffers.read(self.gpu, buffer::OUTPUT, count + 1).await?;
        let chains = (4 * ready.kernel.tile_size("CHAINS")) as f32;
        let steps = (ready.kernel.tile_size("UNROLL") * LOOPS) as f32;
        let expected = |place: usize| chains * (COEFFICIENTS[2] + (place % 64) as f32 + steps) + STARTS;
        let wrong = y[..count].iter().enumerate().find(|(place, value)| **value != expected(*place));
        match wrong {
            Some((place, value)) => Err(disagrees(ready, place, value, expected(place))),
            None if !y[count].is_nan() => Err(disagrees(ready, count, y[count], "nothing")),
            None => Ok(()),
        }
    }

    /// Writing or copying: the working set `target` of `count` vec4s holds what was written to it or to the source of the copy.
    ///
    /// # Errors
    /// [`Error::Check`] if it does not.
    pub async fn prove_writing(
        &self,
        ready: &Ready,
        walk: Walk,
        count: u32,
        target: &str,
        salt: u32,
        reader: &'static Kernel,
    ) -> Result<()> {
        self.turns(ready, walk.unit_loops, salt).await?;
        let looked_at = LOOKED_AT_BYTES.min(16 * u64::from(count)) as usize / 4;
        let words: Vec<u32> = self.buffers.read(self.gpu, target, looked_at).await?;
        let wrong = words.iter().enumerate().find(|(place, word)| **word != content(*place as u32, salt));
        if let Some((place, word)) = wrong {
            return Err(disagrees(ready, place, word, content(place as u32, salt)));
        }
        let read = self.storage(reader, walk, count, &[target, buffer::OUTPUT]).await?;
        self.prove_reading(&read, walk, count, salt).await
    }

    /// Reading: the sums of all invocations add up to that of the working set, written with `salt`, times the sweeps over it.
    ///
    /// # Errors
    /// [`Error::Check`] if they do not.
    pub async fn prove_reading(&self, ready: &Ready, walk: Walk, count: u32, salt: u32) -> Result<()> {
        for units in [1, 3] {
            self.turns(ready, units * walk.unit_loops, 0).await?;
            let y: Vec<u32> = self.buffers.read(self.gpu, buffer::OUTPUT, walk.invocations() as usize).await?;
            let sweeps = u64::from(units) * walk.unit_bytes() / (16 * u64::from(count));
            let expected = sum(count, salt).wrapping_mul(sweeps as u32);
            let found = y.iter().fold(0, |sum: u32, value| sum.wrapping_add(*value));
            if found != expected {
                return Err(disagrees(ready, walk.invocations() as usize, found, expected));
            }
        }
        Ok(())
    }

    /// Workgroup memory: the sums of each workgroup add up to that of the tile, times the sweeps over it.
    ///
    /// # Errors
    /// [`Error::Check`] if they do not.
    pub async fn prove_shared(&self, ready: &Ready) -> Result<()> {
        let values = WORKGROUP_READ.tile_size("VALUES");
        let salt = 77;
        for units in [1, 3] {
            self.turns(ready, units * SHARED_LOOPS, salt).await?;
            let count = (ready.workgroup * ready.groups) as usize;
            let y: Vec<u32> = self.buffers.read(self.gpu, buffer::OUTPUT, count).await?;
            let expected = sum(values, salt).wrapping_mul(units * SHARED_LOOPS * UNROLL * ready.workgroup / values);
            for (group, sums) in y.chunks(ready.workgroup as usize).enumerate() {
                let found = sums.iter().fold(0, |sum: u32, value| sum.wrapping_add(*value));
                if found != expected {
                    return Err(disagrees(ready, group, found, expected));
                }
            }
        }
        Ok(())
    }

    /// Dependent dispatches: each counted on from where the one before had left off.
    ///
    /// # Errors
    /// [`Error::Check`] if one did not.
    pub async fn prove_dependent(&self, ready: &Ready) -> Result<()> {
        const DISPATCHES: u32 = 500;
        self.buffers.write(self.gpu, buffer::OUTPUT, &[0u32; 4]);
        self.meter.time(self.gpu, &RepeatedDispatch { passes: 2, ..ready.work(DISPATCHES) }).await?;
        let y: Vec<u32> = self.buffers.read(self.gpu, buffer::OUTPUT, 1).await?;
        if y == [2 * DISPATCHES] { Ok(()) } else { Err(disagrees(ready, 0, y[0], 2 * DISPATCHES)) }
    }

    /// Proves that `kernel`, a row of the table of peaks or a variant that bears the name of one, does its work on this device.
    ///
    /// # Errors
    /// [`Error::Check`] if it does not, [`Error::Adapter`] if it does not compile.
    pub async fn prove(&self, kernel: &'static Kernel) -> Result<()> {
        let count = 1 << 12;
        let walk = self.walk(count);
        let write = self.storage(&crate::kernels::peaks::STORAGE_WRITE, walk, count, &[buffer::SOURCE]).await?;
        match kernel.name {
            "fp32_multiply_add" | "fp16_multiply_add" => self.prove_arithmetic(&self.arithmetic(kernel).await?).await,
            "storage_read" => {
                self.prove_writing(&write, walk, count, buffer::SOURCE, 5, &STORAGE_READ).await?;
                let read = self.storage(kernel, walk, count, &[buffer::SOURCE, buffer::OUTPUT]).await?;
                self.prove_reading(&read, walk, count, 5).await
            }
            "storage_write" => {
                let write = self.storage(kernel, walk, count, &[buffer::SOURCE]).await?;
                self.prove_writing(&write, walk, count, buffer::SOURCE, 6, &STORAGE_READ).await
            }
            "storage_copy" => {
                self.prove_writing(&write, walk, count, buffer::SOURCE, 7, &STORAGE_READ).await?;
                let copy = self.storage(kernel, walk, count, &[buffer::SOURCE, buffer::TARGET]).await?;
                self.prove_writing(&copy, walk, count, buffer::TARGET, 7, &STORAGE_READ).await
            }
            "workgroup_read" => self.prove_shared(&self.shared(kernel).await?.0).await,
            name if name == EMPTY_DEPENDENT.name => self.prove_dependent(&self.idle(kernel, true).await?).await,
            // An empty kernel leaves nothing behind.
            _ => self.meter.time(self.gpu, &self.idle(kernel, false).await?.work(1)).await.map(|_| ()),
        }
    }
}

fn disagrees(ready: &Ready, place: usize, found: impl std::fmt::Display, expected: impl std::fmt::Display) -> Error {
    Error::Check(format!(
        "{} computes otherwise than it should at {place}: {found} in place of {expected}; update the driver",
        ready.kernel.name
    ))
}

/// The word at `place` of a working set that was written with `salt`.
fn content(place: u32, salt: u32) -> u32 {
    (place / 4).wrapping_add((place % 4).wrapping_mul(MIX)).wrapping_add(salt)
}

/// The sum, modulo 2^32, of the first `count` vec4s of a working set that was written with `salt`.
fn sum(count: u32, salt: u32) -> u32 {
    let indices = u64::from(count) * u64::from(count - 1) / 2;
    let of_indices = (indices as u32).wrapping_mul(4);
    let of_mix = MIX.wrapping_mul(6).wrapping_mul(count);
    of_indices.wrapping_add(of_mix).wrapping_add(salt.wrapping_mul(4).wrapping_mul(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::peaks::{FP16_MULTIPLY_ADD, FP32_MULTIPLY_ADD, STORAGE_COPY, STORAGE_WRITE};

    #[test]
    fn the_sum_of_a_working_set_is_that_of_its_words() {
        for (count, salt) in [(1, 0), (4, 9), (1000, u32::MAX), (1 << 14, 12_345)] {
            let words = (0..4 * count).fold(0u32, |sum, place| sum.wrapping_add(content(place, salt)));
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
            let mut touched = vec![0; values as usize];
            for (local, step) in (0..workgroup).flat_map(|local| (0..UNROLL * SHARED_LOOPS).map(move |k| (local, k))) {
                touched[((local + step * stride) % values) as usize] += 1;
            }
            assert!(touched.iter().all(|times| *times == touched[0]), "workgroups of {workgroup}");
        }
    }

    #[test]
    fn long_arithmetic_goes_on_in_further_dispatches() {
        assert_eq!(Rig::arithmetic_grid(7), (7, 1));
        assert_eq!(Rig::arithmetic_grid(32_768), (32_768, 1));
        assert_eq!(Rig::arithmetic_grid(65_536), (32_768, 2));
    }
}
