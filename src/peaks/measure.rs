//! The measurement of an adapter's peaks.

use super::fixture::Fixture;
use super::measurement::Clock;
use super::session::{Progress, Session};
use crate::error::Result;
use crate::gpu::{AdapterInfo, Adapters, Gpu};
use crate::kernels::Kernel;
use crate::kernels::peaks::{EMPTY, peak_shader_hash};
use crate::result::{Peaks, Subject};
use web_time::Instant;

/// Nanoseconds that a measurement should last: long compared with a launch, short compared with a watchdog's timeout.
const TARGET_NS: f64 = 5e6;
/// The same on a software adapter, whose processor has other work to do.
const SOFTWARE_TARGET_NS: f64 = 1e7;
/// The largest working set in bytes.
const LARGEST_BYTES: u64 = super::session::WORKING_SETS_BYTES[super::session::WORKING_SETS_BYTES.len() - 1];

/// The subject of peaks of `adapter` that this program measures.
pub fn subject(adapter: &AdapterInfo) -> Subject {
    Subject {
        adapter: adapter.name.clone(),
        pci_bus_id: adapter.pci_bus_id.clone(),
        backend: adapter.backend.clone(),
        driver: format!("{} {}", adapter.driver, adapter.driver_info).trim().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        shader_hash: peak_shader_hash(),
    }
}

/// Measures the peaks of `adapter` on a device of its own; the caller fills in the date.
///
/// A figure whose kernel fails its verification is missing with the reason.
///
/// # Errors
/// [`crate::Error::Interrupted`] if `progress` breaks, [`crate::Error::Adapter`] if the adapter cannot be opened, or
/// the device's error.
pub async fn measure(adapters: &Adapters, adapter: &AdapterInfo, progress: Progress<'_>) -> Result<Peaks> {
    measure_until(adapters, adapter, None, progress).await
}

/// As [`measure`]; figures that are not begun before `deadline` are missing with the reason.
///
/// # Errors
/// As [`measure`].
pub async fn measure_until(
    adapters: &Adapters,
    adapter: &AdapterInfo,
    deadline: Option<Instant>,
    progress: Progress<'_>,
) -> Result<Peaks> {
    let start = Instant::now();
    let gpu = Gpu::open_for_peaks(adapters, adapter, LARGEST_BYTES).await?;
    let allowed = gpu.limits()["maxStorageBufferBindingSize"].min(LARGEST_BYTES);
    let fixture = Fixture::new(&gpu, 1 << allowed.ilog2()).await?;
    let target_ns = if adapter.software { SOFTWARE_TARGET_NS } else { TARGET_NS };
    let host = Clock { target_ns, step_ns: host_step_ns() };
    let (device, clock) = if fixture.meter.has_timestamps() {
        let step_ns = device_step_ns(&fixture).await?;
        (Clock { step_ns, ..host }, "device figures by the device's timestamps, the others by the host's clock")
    } else {
        (host, "all figures by the host's clock, submission and waiting included, as the device takes no timestamps")
    };
    let figures = Session::new(&fixture, [host, device], deadline, progress).run().await?;
    Ok(Peaks {
        subject: subject(adapter),
        measured_utc: String::new(),
        cached: false,
        clock: clock.to_owned(),
        duration_s: start.elapsed().as_secs_f64(),
        figures,
    })
}

/// Verifies on a device of `adapter` that `kernel`, a row of [`crate::kernels::peaks::PEAK_KERNELS`] or a variant with
/// the name of one, does the work it is timed for.
///
/// # Errors
/// [`crate::Error::Check`] if it does not, [`crate::Error::Adapter`] if it does not compile, or the device's error.
pub async fn check(adapters: &Adapters, adapter: &AdapterInfo, kernel: &'static Kernel) -> Result<()> {
    let gpu = Gpu::open_for_peaks(adapters, adapter, 0).await?;
    Fixture::new(&gpu, 1 << 20).await?.verify(kernel).await
}

/// The resolution of the host's clock, in nanoseconds.
fn host_step_ns() -> f64 {
    let start = Instant::now();
    let readings: Vec<f64> = (0..1000).map(|_| start.elapsed().as_secs_f64() * 1e9).collect();
    smallest_step(readings)
}

/// The resolution of the device's clock, in nanoseconds.
async fn device_step_ns(fixture: &Fixture<'_>) -> Result<f64> {
    let empty = fixture.empty(&EMPTY, false).await?;
    let mut readings = Vec::new();
    for _ in 0..20 {
        let span = fixture.time(empty.repeated(1)).await?.device;
        readings.extend(span.into_iter().flat_map(|span| [span.begin_ns, span.end_ns]));
    }
    Ok(smallest_step(readings))
}

/// The smallest difference between readings that differ; 1 if none do, which the calibration of lengths then detects.
fn smallest_step(mut readings: Vec<f64>) -> f64 {
    readings.sort_by(f64::total_cmp);
    let steps = readings.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 0.0);
    steps.min_by(f64::total_cmp).unwrap_or(1.0)
}
