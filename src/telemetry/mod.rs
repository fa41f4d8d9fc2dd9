//! What a timed training uses of the machine, measured beside it: the kernel's counters at the borders of its clock, and the
//! device's sensors there and on a thread of its own.

mod accumulator;
mod energy;
pub mod environment;
mod host;
pub mod nvml;
mod powercap;
mod sampler;
pub mod sensor;
mod sysfs;

use crate::bench::probe::Probe;
use crate::gpu::AdapterInfo;
use crate::result::{Load, Measured};
use environment::peak_host_memory_bytes;
use host::HostWindow;
use sampler::{Sampled, Sampler};
use sensor::{Absent, Sensor};
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// The environment variable that names the place of Linux's sysfs where that is not `/sys`: in a container, say.
pub const SYSFS_VARIABLE: &str = "GPUBENCH_SYSFS";
/// PCI vendor id of NVIDIA.
const NVIDIA: u32 = 0x10de;

/// Measures what timed trainings use: the processor's part from the kernel, the device's from its sensor.
pub struct MachineProbe {
    proc: PathBuf,
    state: RefCell<State>,
}

struct State {
    host: HostWindow,
    sampler: Sampler,
}

impl MachineProbe {
    /// Measures on this machine while `adapters` train; the host's cores do where there are none.
    pub fn new(adapters: &[&AdapterInfo]) -> Self {
        let sysfs = std::env::var_os(SYSFS_VARIABLE).filter(|place| !place.is_empty());
        let sysfs = sysfs.map_or_else(|| PathBuf::from("/sys"), PathBuf::from);
        Self::with(sensor_of(adapters, &sysfs), Path::new("/proc"))
    }

    /// Measures with `sensor` and the kernel's counters below `proc`.
    pub fn with(sensor: Box<dyn Sensor>, proc: &Path) -> Self {
        let state = State { host: HostWindow::new(proc), sampler: Sampler::new(sensor) };
        Self { proc: proc.to_owned(), state: RefCell::new(state) }
    }
}

/// Whoever tells about `adapters`: the processor's packages where all of them compute there.
fn sensor_of(adapters: &[&AdapterInfo], sysfs: &Path) -> Box<dyn Sensor> {
    let computes_elsewhere = adapters.iter().any(|adapter| !adapter.software);
    let Some((first, others)) = adapters.split_first().filter(|_| computes_elsewhere) else {
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
        state.host = HostWindow::new(&self.proc);
        state.sampler.begin()
    }

    // The sensor is read outside the stretch of the host's counters, so that reading it there costs the training nothing.
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
            busiest_cpu_pct: state.host.busiest_cpu_pct(),
            voluntary_switches,
            involuntary_switches,
            peak_host_memory_bytes: peak_host_memory_bytes(),
            gpu,
            energy,
            sampling,
        })
    }
}
