//! The probe of timed trainings on this machine.

use super::host::HostWindow;
use super::sampler::{Sampled, Sampler};
use super::sensor::{Absent, Sensor};
use super::usage::Processes;
use super::{nvml, powercap, sysfs};
use crate::bench::probe::Probe;
use crate::gpu::AdapterInfo;
use crate::result::{Load, Measured};
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// The environment variable with the path of Linux's sysfs if it is not `/sys`, for example in a container.
pub const SYSFS_VARIABLE: &str = "GPUBENCH_SYSFS";
/// PCI vendor id of NVIDIA.
const NVIDIA: u32 = 0x10de;

/// Measures the load of timed trainings: the processor's by the kernel's counters, the device's by its sensor.
pub struct MachineProbe {
    proc: PathBuf,
    processes: Processes,
    state: RefCell<State>,
}

struct State {
    host: HostWindow,
    sampler: Sampler,
}

impl MachineProbe {
    /// A probe for trainings on `adapters`; without adapters, on the CPU.
    pub fn new(adapters: &[&AdapterInfo]) -> Self {
        Self::of(adapters, Processes::This)
    }

    /// A probe for trainings on `adapters` by `processes`.
    pub fn of(adapters: &[&AdapterInfo], processes: Processes) -> Self {
        let sysfs = std::env::var_os(SYSFS_VARIABLE).filter(|path| !path.is_empty());
        let sysfs = sysfs.map_or_else(|| PathBuf::from("/sys"), PathBuf::from);
        Self { processes, ..Self::with(sensor_of(adapters, &sysfs), Path::new("/proc")) }
    }

    /// A probe with `sensor` and the kernel's counters in `proc`.
    pub fn with(sensor: Box<dyn Sensor>, proc: &Path) -> Self {
        let state = State { host: HostWindow::new(proc, Processes::This), sampler: Sampler::new(sensor) };
        Self { proc: proc.to_owned(), processes: Processes::This, state: RefCell::new(state) }
    }
}

/// The sensor of `adapters`; of the processor's packages if all of them compute on the CPU.
fn sensor_of(adapters: &[&AdapterInfo], sysfs: &Path) -> Box<dyn Sensor> {
    let any_gpu = adapters.iter().any(|adapter| !adapter.software);
    let Some((first, others)) = adapters.split_first().filter(|_| any_gpu) else {
        return powercap::open(sysfs);
    };
    if others.iter().any(|other| other.index != first.index) {
        Box::new(Absent("the sensors of several devices are not added up".to_owned()))
    } else if first.vendor_id == NVIDIA {
        nvml::open(nvml::load, &first.pci_bus_id)
    } else {
        sysfs::open(sysfs, &first.pci_bus_id)
    }
}

impl Probe for MachineProbe {
    fn begin(&self) -> Measured<f64> {
        let mut state = self.state.borrow_mut();
        state.host = HostWindow::new(&self.proc, self.processes);
        state.sampler.begin()
    }

    // The sensor is read outside of the host's window, so that reading it does not count as load of the training.
    fn resume(&self) {
        let mut state = self.state.borrow_mut();
        state.sampler.resume();
        state.host.start();
    }

    fn pause(&self) {
        let mut state = self.state.borrow_mut();
        state.host.stop();
        state.sampler.pause();
    }

    fn end(&self) -> Measured<Load> {
        let mut state = self.state.borrow_mut();
        state.host.stop();
        let window_s = state.host.window_s;
        let Sampled { gpu, energy, sampling } = state.sampler.end(window_s);
        let [voluntary_switches, involuntary_switches] = state.host.switches();
        Measured::Value(Load {
            window_s,
            cpus_used: state.host.cpus_used(),
            other_cpus: state.host.other_cpus(),
            busiest_cpu_pct: state.host.busiest_cpu_pct(),
            voluntary_switches,
            involuntary_switches,
            peak_host_memory_bytes: self.processes.peak_host_memory_bytes(&self.proc),
            gpu,
            energy,
            sampling,
        })
    }
}
