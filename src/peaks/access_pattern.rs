//! The order in which storage kernels access a working set.

/// vec4s that an invocation accesses per loop iteration; a test compares it with the kernels' tables.
pub const UNROLL: u32 = 4;
/// Invocations on a GPU: enough to hide the memory latency of a large one, and few enough that on a small one the
/// concurrent invocations still access more than fits in a cache.
const INVOCATIONS: u32 = 1 << 17;
/// The most loop iterations of an invocation in one dispatch: Mesa's llvmpipe silently ends all loops of a shader after
/// 65,535 iterations in total.
pub const MOST_LOOPS: u32 = 1 << 15;
/// Invocations of a workgroup on a GPU.
const WORKGROUP: u32 = 256;
/// Invocations that a software adapter computes at once, as SIMD lanes.
const LANES: u32 = 8;
/// Stride of an invocation if all invocations together cover the set at once; it divides no set, so that no two
/// iterations access the same vec4s.
const SKEW: u32 = 1280;

/// The first vec4 of each invocation, and the strides from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessPattern {
    /// vec4s of the working set, a power of two.
    pub count: u32,
    /// Invocations in a workgroup.
    pub workgroup: u32,
    /// Workgroups.
    pub groups: u32,
    /// Distance between the first vec4s of two workgroups.
    pub group_step: u32,
    /// Distance between two accesses of an invocation.
    pub loop_step: u32,
    /// Loop iterations of one unit of work, which accesses each vec4 of the set equally often.
    pub unit_loops: u32,
}

impl AccessPattern {
    /// The pattern for `count` vec4s on a GPU: neighbouring invocations access neighbouring vec4s, and all invocations
    /// stride over the set together.
    pub fn strided(count: u32) -> Self {
        let invocations = if count < 2 * UNROLL * INVOCATIONS { count.max(INVOCATIONS) } else { INVOCATIONS };
        let loop_step = if invocations < count { invocations } else { SKEW };
        let unit_loops = (count / (UNROLL * invocations)).max(1);
        let groups = invocations / WORKGROUP;
        Self { count, workgroup: WORKGROUP, groups, group_step: WORKGROUP, loop_step, unit_loops }
    }

    /// The pattern for `count` vec4s on a software adapter of `cores` cores: each core accesses its own part in
    /// sequence, as processors prefetch sequential accesses only. A stride of 256 bytes is ten times slower there.
    pub fn sequential(count: u32, cores: u32) -> Self {
        // A quarter of the possible iterations for one sweep, so that units of work stay small.
        let fewest = count / (UNROLL * LANES * MOST_LOOPS / 4);
        let groups = cores.next_power_of_two().max(fewest).min(count / (UNROLL * LANES)).max(1);
        Self {
            count,
            workgroup: LANES,
            groups,
            group_step: count / groups,
            loop_step: LANES,
            unit_loops: (count / (UNROLL * groups * LANES)).max(1),
        }
    }

    /// Invocations of a dispatch.
    pub fn invocations(&self) -> u32 {
        self.workgroup * self.groups
    }

    /// Bytes that one unit of work accesses.
    pub fn unit_bytes(&self) -> u64 {
        u64::from(self.unit_loops) * u64::from(UNROLL) * u64::from(self.invocations()) * 16
    }

    /// Sweeps over the working set in `units` units of work.
    pub fn sweeps(&self, units: u32) -> u64 {
        u64::from(units) * self.unit_bytes() / 16 / u64::from(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accesses(pattern: AccessPattern, units: u32) -> Vec<u32> {
        let mut accesses = vec![0; pattern.count as usize];
        for group in 0..pattern.groups {
            for local in 0..pattern.workgroup {
                for step in 0..UNROLL * pattern.unit_loops * units {
                    let at = group * pattern.group_step + local + step * pattern.loop_step;
                    accesses[(at & (pattern.count - 1)) as usize] += 1;
                }
            }
        }
        accesses
    }

    #[test]
    fn every_vec4_is_accessed_equally_often() {
        for shift in [6, 12, 14, 17, 18, 19, 20, 21] {
            let count = 1 << shift;
            let patterns = [
                AccessPattern::strided(count),
                AccessPattern::sequential(count, 2),
                AccessPattern::sequential(count, 6),
            ];
            for (pattern, units) in patterns.into_iter().flat_map(|pattern| [(pattern, 1), (pattern, 3)]) {
                let accesses = accesses(pattern, units);
                let each = pattern.sweeps(units);
                assert!(accesses.iter().all(|&times| u64::from(times) == each), "{pattern:?}");
                assert!(each > 0);
            }
        }
    }

    #[test]
    fn one_sweep_takes_few_iterations() {
        for shift in [14, 18, 21, 24, 26] {
            for pattern in [
                AccessPattern::strided(1 << shift),
                AccessPattern::sequential(1 << shift, 1),
                AccessPattern::sequential(1 << shift, 64),
            ] {
                assert!(pattern.unit_loops <= MOST_LOOPS / 4, "{pattern:?}");
            }
        }
    }

    #[test]
    fn no_invocation_reads_the_same_in_every_iteration() {
        for shift in [14, 17, 18, 19, 20, 21, 24] {
            let count = 1u32 << shift;
            for pattern in [AccessPattern::strided(count), AccessPattern::sequential(count, 2)] {
                assert_ne!(UNROLL * pattern.loop_step % count, 0, "{pattern:?}");
            }
        }
    }
}
