//! A device with the buffers and kernels of the peak measurements.

use super::access_pattern::{AccessPattern, MOST_LOOPS, UNROLL};
use super::measurement;
use crate::error::Result;
use crate::gpu::{BoundDispatch, Buffers, Gpu, Meter, Pipelines, RepeatedDispatch, Timing};
use crate::kernels::{Amount, Dispatch, Grid, Kernel, Plan};

/// Loop iterations of the multiply-add kernels: the number of steps that f16 can count.
pub const LOOPS: u32 = 256;
/// a, b and the first start of the multiply-adds: x counts from -1024 up to about 1100, which is exact in f16.
pub const COEFFICIENTS: [f32; 3] = [1.0, 1.0, -1024.0];
/// Invocations of a workgroup of multiply-adds.
const ARITHMETIC_WORKGROUP: u32 = 128;
/// The most workgroups of multiply-adds in one dispatch.
const ARITHMETIC_GROUPS: u32 = 32_768;
/// Workgroups of `workgroup_read` on a GPU.
const SHARED_GROUPS: u32 = 1024;
/// Loop iterations of a unit of `workgroup_read`, which reads every value of the tile equally often.
pub const SHARED_LOOPS: u32 = 32;
/// Distinguishes the four components of a vec4: 2^32 divided by the golden ratio.
pub const MIX: u32 = 0x9e37_79b9;

/// Names of the buffers.
pub mod buffer {
    /// Loop iterations, salt and [`super::MIX`].
    pub const LENGTH: &str = "peaks.length";
    /// a, b, start.
    pub const COEFFICIENTS: &str = "peaks.coefficients";
    /// One number for each invocation.
    pub const OUTPUT: &str = "peaks.output";
    /// The larger working set.
    pub const SOURCE: &str = "peaks.source";
    /// The smaller working set, half as large.
    pub const TARGET: &str = "peaks.target";
}

/// A device with everything that the peak measurements need.
pub struct Fixture<'a> {
    /// The device.
    pub gpu: &'a Gpu,
    /// Times dispatches on it.
    pub meter: Meter,
    /// The buffers of [`buffer`].
    pub buffers: Buffers,
    largest_bytes: u64,
    cores: u32,
}

/// A compiled kernel with its buffers and grid.
pub struct PreparedKernel {
    bound: BoundDispatch,
    /// The kernel.
    pub kernel: &'static Kernel,
    /// Invocations of a workgroup.
    pub workgroup: u32,
    /// Workgroups.
    pub groups: u32,
}

impl PreparedKernel {
    /// One pass of `dispatches`.
    pub fn repeated(&self, dispatches: u32) -> RepeatedDispatch<'_> {
        RepeatedDispatch { bound: &self.bound, workgroups: self.groups, dispatches, passes: 1 }
    }
}

impl<'a> Fixture<'a> {
    /// Creates the buffers; the working sets have `largest_bytes`, or less if there is not enough memory.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if there is not even memory for small ones.
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

    /// Size of the larger working set in bytes.
    pub fn largest_bytes(&self) -> u64 {
        self.largest_bytes
    }

    /// The access pattern of storage kernels over `count` vec4s on this device.
    pub fn access_pattern(&self, count: u32) -> AccessPattern {
        if self.gpu.adapter.software {
            AccessPattern::sequential(count, self.cores)
        } else {
            AccessPattern::strided(count)
        }
    }

    /// Compiles `kernel` and binds `buffers`.
    async fn prepare(
        &self,
        kernel: &'static Kernel,
        [workgroup, groups]: [u32; 2],
        constants: &[(&'static str, u32)],
        buffers: &[&str],
    ) -> Result<PreparedKernel> {
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
        Ok(PreparedKernel { bound, kernel, workgroup, groups })
    }

    /// Prepares a multiply-add kernel.
    ///
    /// # Errors
    /// [`crate::Error::Adapter`] if it does not compile.
    pub async fn arithmetic(&self, kernel: &'static Kernel) -> Result<PreparedKernel> {
        let buffers = [buffer::COEFFICIENTS, buffer::OUTPUT];
        self.prepare(kernel, [ARITHMETIC_WORKGROUP, 1], &[("LOOPS", LOOPS)], &buffers).await
    }

    /// Floating-point operations of one workgroup of a multiply-add kernel.
    pub fn flop_per_group(kernel: &Kernel) -> f64 {
        let steps = f64::from(kernel.tile_size("UNROLL") * LOOPS);
        2.0 * 4.0 * f64::from(kernel.tile_size("CHAINS")) * steps * f64::from(ARITHMETIC_WORKGROUP)
    }

    /// Workgroups per dispatch, and dispatches, of at least `groups` workgroups of multiply-adds in total.
    pub fn arithmetic_grid(groups: u64) -> (u32, u32) {
        let most = u64::from(ARITHMETIC_GROUPS);
        let (each, dispatches) = if groups <= most { (groups, 1) } else { (most, groups.div_ceil(most)) };
        (each as u32, u32::try_from(dispatches).unwrap_or(u32::MAX))
    }

    /// Prepares a storage kernel that accesses `buffers` in the order of `pattern`.
    ///
    /// # Errors
    /// [`crate::Error::Adapter`] if it does not compile.
    pub async fn storage(
        &self,
        kernel: &'static Kernel,
        pattern: AccessPattern,
        buffers: &[&str],
    ) -> Result<PreparedKernel> {
        let AccessPattern { count, workgroup, groups, group_step, loop_step, .. } = pattern;
        let constants = [("COUNT", count), ("GROUP_STEP", group_step), ("LOOP_STEP", loop_step)];
        self.prepare(kernel, [workgroup, groups], &constants, &[&[buffer::LENGTH], buffers].concat()).await
    }

    /// Prepares the kernel that reads workgroup memory; also returns the bytes that one unit of its work reads.
    ///
    /// # Errors
    /// [`crate::Error::Adapter`] if it does not compile.
    pub async fn shared(&self, kernel: &'static Kernel) -> Result<(PreparedKernel, f64)> {
        let [workgroup, groups] =
            if self.gpu.adapter.software { [8, self.cores.next_power_of_two()] } else { [256, SHARED_GROUPS] };
        let bytes = 16.0 * f64::from(UNROLL * SHARED_LOOPS) * f64::from(workgroup * groups);
        Ok((self.prepare(kernel, [workgroup, groups], &[], &[buffer::LENGTH, buffer::OUTPUT]).await?, bytes))
    }

    /// Prepares a kernel without work; with `counted` the dependent one counts its dispatches.
    ///
    /// # Errors
    /// [`crate::Error::Adapter`] if it does not compile.
    pub async fn empty(&self, kernel: &'static Kernel, counted: bool) -> Result<PreparedKernel> {
        let constants = [("COUNTED", u32::from(counted))];
        self.prepare(kernel, [1, 1], &constants[..kernel.constants.len() - 1], &[buffer::OUTPUT]).await
    }

    /// Runs and times `work`.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub async fn time(&self, work: RepeatedDispatch<'_>) -> Result<Timing> {
        self.meter.time(self.gpu, &work).await
    }

    /// Runs and times one dispatch of `loops` loop iterations.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub async fn run_loops(&self, prepared: &PreparedKernel, loops: u32, salt: u32) -> Result<Timing> {
        self.buffers.write(self.gpu, buffer::LENGTH, &[loops, salt, MIX, 0]);
        self.time(prepared.repeated(1)).await
    }

    /// The number of units of work, of `unit_loops` iterations each, that make a dispatch last `enough_ns`, or the most
    /// that a dispatch can do.
    ///
    /// # Errors
    /// As [`Fixture::run_loops`].
    pub async fn units_per_dispatch(
        &self,
        prepared: &PreparedKernel,
        unit_loops: u32,
        salt: u32,
        enough_ns: f64,
    ) -> Result<u32> {
        let longest = u64::from(MOST_LOOPS / unit_loops).max(1);
        let mut units = 1;
        loop {
            let elapsed_ns = self.run_loops(prepared, units as u32 * unit_loops, salt).await?.duration_ns();
            match measurement::next_length(units, elapsed_ns, enough_ns, longest) {
                Some(more) => units = more,
                None => return Ok(units as u32),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_arithmetic_takes_several_dispatches() {
        assert_eq!(Fixture::arithmetic_grid(7), (7, 1));
        assert_eq!(Fixture::arithmetic_grid(32_768), (32_768, 1));
        assert_eq!(Fixture::arithmetic_grid(65_536), (32_768, 2));
    }
}
