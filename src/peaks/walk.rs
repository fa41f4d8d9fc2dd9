//! How the storage kernels walk a working set.

/// vec4s that an invocation touches in one turn of the kernels' loops; a test compares it with their tables.
pub const UNROLL: u32 = 4;
/// Invocations on a GPU: enough to hide the latency of memory on a large one, and few enough that on a small one those that
/// run at once still go over more than a cache holds.
const INVOCATIONS: u32 = 1 << 17;
/// The most turns of its loops that an invocation takes in one dispatch: Mesa's llvmpipe silently ends all loops of a shader
/// after 65,535 turns in all.
pub const MOST_TURNS: u32 = 1 << 15;
/// Invocations in a workgroup of a GPU.
const WORKGROUP: u32 = 256;
/// Invocations that a software adapter computes at once, as lanes of a vector.
const LANES: u32 = 8;
/// Distance of a step where all invocations together cover the set at once; no divisor of any set, so that no two turns of a
/// loop read the same.
const SKEW: u32 = 1280;

/// Where each invocation begins and how it goes on, in vec4s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// Invocations in a workgroup.
    pub workgroup: u32,
    /// Workgroups.
    pub groups: u32,
    /// Distance between the beginnings of two workgroups.
    pub group_step: u32,
    /// Distance between two steps of an invocation.
    pub loop_step: u32,
    /// Turns of the loop in one unit of work, which touches each vec4 of the set equally often.
    pub unit_loops: u32,
}

impl Walk {
    /// Over `count` vec4s, a power of two, on a GPU: neighbouring invocations touch neighbouring vec4s, and all together
    /// stride over the set.
    pub fn strided(count: u32) -> Self {
        let few = if count < 2 * UNROLL * INVOCATIONS { count.max(INVOCATIONS) } else { INVOCATIONS };
        let loop_step = if few < count { few } else { SKEW };
        let unit_loops = (count / (UNROLL * few)).max(1);
        Self { workgroup: WORKGROUP, groups: few / WORKGROUP, group_step: WORKGROUP, loop_step, unit_loops }
    }

    /// Over `count` vec4s on a software adapter of `cores` cores: each core walks a part of its own from one end to the other,
    /// as processors fetch ahead only what is read in sequence. A stride of 256 bytes is ten times slower there.
    pub fn sequential(count: u32, cores: u32) -> Self {
        // A quarter of the turns that are possible for one sweep, so that units of work stay small.
        let fewest = count / (UNROLL * LANES * MOST_TURNS / 4);
        let groups = cores.next_power_of_two().max(fewest).min(count / (UNROLL * LANES)).max(1);
        Self {
            workgroup: LANES,
            groups,
            group_step: count / groups,
            loop_step: LANES,
            unit_loops: (count / (UNROLL * groups * LANES)).max(1),
        }
    }

    /// Invocations.
    pub fn invocations(&self) -> u32 {
        self.workgroup * self.groups
    }

    /// Bytes that one unit of work touches.
    pub fn unit_bytes(&self) -> u64 {
        u64::from(self.unit_loops) * u64::from(UNROLL) * u64::from(self.invocations()) * 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(walk: Walk, count: u32, units: u32) -> Vec<u32> {
        let mut touched = vec![0; count as usize];
        for group in 0..walk.groups {
            for local in 0..walk.workgroup {
                for step in 0..UNROLL * walk.unit_loops * units {
                    let at = group * walk.group_step + local + step * walk.loop_step;
                    touched[(at & (count - 1)) as usize] += 1;
                }
            }
        }
        touched
    }

    #[test]
    fn every_vec4_is_touched_equally_often() {
        for shift in [6, 12, 14, 17, 18, 19, 20, 21] {
            let count = 1 << shift;
            let walks = [Walk::strided(count), Walk::sequential(count, 2), Walk::sequential(count, 6)];
            for (walk, units) in walks.into_iter().flat_map(|walk| [(walk, 1), (walk, 3)]) {
                let touched = touched(walk, count, units);
                let each = u64::from(units) * walk.unit_bytes() / 16 / u64::from(count);
                assert!(touched.iter().all(|&times| u64::from(times) == each), "{count} vec4s, {walk:?}");
                assert!(each > 0);
            }
        }
    }

    #[test]
    fn one_sweep_takes_few_turns() {
        for shift in [14, 18, 21, 24, 26] {
            for walk in [Walk::strided(1 << shift), Walk::sequential(1 << shift, 1), Walk::sequential(1 << shift, 64)] {
                assert!(walk.unit_loops <= MOST_TURNS / 4, "{walk:?}");
            }
        }
    }

    #[test]
    fn no_invocation_reads_the_same_in_every_turn_of_its_loop() {
        for shift in [14, 17, 18, 19, 20, 21, 24] {
            let count = 1u32 << shift;
            for walk in [Walk::strided(count), Walk::sequential(count, 2)] {
                assert_ne!(UNROLL * walk.loop_step % count, 0, "{count} vec4s, {walk:?}");
            }
        }
    }
}
