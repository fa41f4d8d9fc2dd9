//! The description of the machine and the program in results.

use super::usage::{Processes, reported};
use crate::bench::describe_tool;
use crate::result::{Adapter, Cpu, Environment, Measured};
use std::path::Path;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The environment of a run on `adapter`: everything that does not change during a run.
pub fn environment(adapter: Adapter) -> Environment {
    let kinds =
        RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()).with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(kinds);
    let cores = |cores: usize| cores as u32;
    Environment {
        adapter,
        os: reported(System::long_os_version()),
        cpu: Cpu {
            name: processor(),
            physical_cores: reported(System::physical_core_count()).map(cores),
            logical_cores: counted(reported(system.as_ref().map(|system| cores(system.cpus().len())))),
            memory_bytes: counted(reported(system.as_ref().map(System::total_memory))),
        },
        tool: describe_tool(),
    }
}

/// A count of what every machine has: 0 stands for one that could not be read, as where `/proc` is hidden.
fn counted<T: PartialEq + Default + Copy>(count: Measured<T>) -> Measured<T> {
    count.and_then(|&count| {
        let read = (count != T::default()).then_some(count);
        Measured::or_missing(read, "the operating system does not report it")
    })
}

/// Number of the machine's logical cores, whether this process may use them all or not.
pub fn logical_cores() -> Option<usize> {
    let system = System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()));
    let cores = reported(system.as_ref().map(|system| system.cpus().len()));
    counted(cores).value().copied()
}

/// The name of the processor.
pub fn processor() -> Measured<String> {
    let system = System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()));
    let name = reported(system.as_ref().map(|system| system.cpus().first().map(|cpu| cpu.brand().trim().to_owned())));
    name.and_then(|name| Measured::or_missing(name.clone().filter(|name| !name.is_empty()), "the CPU has no name"))
}

/// The peak resident memory of this process so far, in bytes.
pub fn peak_host_memory_bytes() -> Measured<u64> {
    Processes::This.peak_host_memory_bytes(Path::new("/proc"))
}
