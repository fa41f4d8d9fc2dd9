//! The machine and the program, as results describe them.

use crate::kernels;
use crate::result::{Adapter, Cpu, Environment, Measured, Tool};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// Everything about the machine that does not change during a run.
pub fn environment(adapter: Adapter) -> Environment {
    let kinds = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kinds);
    let name = system.cpus().first().map(|cpu| cpu.brand().trim().to_owned()).filter(|name| !name.is_empty());
    let unknown = "the operating system does not tell";
    Environment {
        adapter,
        os: Measured::or_missing(System::long_os_version(), unknown),
        cpu: Cpu {
            name: Measured::or_missing(name, unknown),
            physical_cores: Measured::or_missing(System::physical_core_count().map(|cores| cores as u32), unknown),
            logical_cores: Measured::or_missing(Some(system.cpus().len() as u32).filter(|&cores| cores > 0), unknown),
            memory_bytes: Measured::or_missing(Some(system.total_memory()).filter(|&bytes| bytes > 0), unknown),
        },
        tool: tool(),
    }
}

fn tool() -> Tool {
    let told = |text: Option<&str>, reason: &str| Measured::or_missing(text.map(str::to_owned), reason);
    Tool {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        git: told(option_env!("GPUBENCH_GIT"), "not built from a git repository"),
        shader_hash: kernels::shader_hash(),
        rustc: told(option_env!("GPUBENCH_RUSTC"), "the compiler did not tell its version"),
        profile: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
    }
}

/// The largest resident memory of this process so far, in bytes.
pub fn peak_host_memory_bytes() -> Measured<u64> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Measured::or_missing(kibibytes.map(|kibibytes| 1024 * kibibytes), "read on Linux only")
}
