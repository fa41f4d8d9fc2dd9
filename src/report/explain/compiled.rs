//! The figures of kernels before they run: what plans count, and what drivers' compilers say.

use super::entry::{Figure, figures};

/// Columns of the list of kernels.
pub(super) const COMPILED: &[Figure] = figures! {
    "registers" ["regs", "VGPRs", "compiled", "compiler"],
        "Registers that each invocation of the kernel holds its values in.",
        "By the driver's compiler, through VK_KHR_pipeline_executable_properties: a static figure. AMD's count is that of \
         vector registers.",
        "Few enough for several subgroups a SIMD: up to 128 on an AMD GPU with 64 lanes, up to 168 on an NVIDIA GPU.";
    "scalar registers" ["scalar_registers", "SGPRs"],
        "Registers of a value that all invocations of a subgroup share.",
        "By the driver's compiler, a static figure. AMD's GPUs have them.",
        "They seldom limit a kernel.";
    "spills" [],
        "Registers that did not fit: their values go to memory and back.",
        "By the driver's compiler, a static figure.",
        "0. A spill in an inner loop costs more than most of what can be gained elsewhere.";
    "scratch" ["scratch_bytes"],
        "Bytes of memory for values that are not in registers: spills, and arrays with computed indices.",
        "By the driver's compiler, of a subgroup or an invocation, as it counts: a static figure.",
        "0. Unroll loops over arrays, so that each index is a constant.";
    "occupancy" ["waves/SIMD"],
        "Subgroups (waves, warps) that a SIMD unit holds at a time, to work on one while another waits.",
        "By the driver's compiler, from registers and workgroup memory: a static figure.",
        "2 or more; kernels that wait for memory want more, those that only compute do with few.";
    "code size" ["code", "code_bytes"],
        "Bytes of the kernel's machine code.",
        "By the driver's compiler, a static figure.",
        "Below the instruction cache, about 32 KiB: loops beyond it wait for instructions.";
    "instructions" ["instr."],
        "Instructions of the kernel's machine code; those in a loop count once.",
        "By the driver's compiler, a static figure.",
        "Fewer, between versions of one kernel.";
    "time of compiling" ["built in"],
        "Time that the driver takes to compile the kernel, with nothing kept from before.",
        "By the host's clock around the creation of its pipeline, in a process of its own.",
        "Below 1 s. It is a part of the first run alone where the driver keeps what it compiled.";
    "subgroup" ["subgroup_size"],
        "Invocations that execute an instruction together.",
        "By the driver, for this kernel.",
        "A divisor of the workgroup's size.";
    "grid" ["workgroups"],
        "Workgroups of a dispatch in x, y and z.",
        "From the plan, for a batch.",
        "Several for each compute unit of the GPU, or parts of it stay idle.";
    "group size" ["workgroup"],
        "Invocations of a workgroup, which share memory and barriers.",
        "From the plan.",
        "A multiple of the subgroup; at most 256 by WebGPU's default limits.";
    "MFLOP" ["flop", "flop_per_step"],
        "10^6 floating-point operations of a dispatch.",
        "By the formula of the kernel, two for a multiply-add.",
        "Set by the task: it says which kernels can take long.";
    "MB" ["bytes_per_step"],
        "10^6 bytes that a dispatch has to move.",
        "By the formula of the kernel: each value that it needs read once, each that it sets written once.",
        "Set by the task: it says which kernels wait for memory.";
    "workgroup memory" ["shared", "workgroup_bytes", "LDS"],
        "Bytes of memory that the invocations of a workgroup share.",
        "From the kernel's text.",
        "Up to 16 KiB by WebGPU's default limits; more workgroups fit on a compute unit with less.";
};
