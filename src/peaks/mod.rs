//! What an adapter reaches at best through this API: arithmetic, memory, launches, transfers.

mod rig;
mod sample;
mod walk;

use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, Gpu, RepeatedDispatch, Transfer};
use crate::kernels::Kernel;
use crate::kernels::peaks::{
    EMPTY, EMPTY_DEPENDENT, FP16_MULTIPLY_ADD, FP32_MULTIPLY_ADD, STORAGE_COPY, STORAGE_READ, STORAGE_WRITE,
    WORKGROUP_READ, peak_shader_hash,
};
use crate::result::{Measured, Peak, PeakKind, Peaks, Subject};
use rig::{Ready, Rig, SHARED_LOOPS, buffer};
use sample::{Clock, Method, Quantity};
use std::ops::ControlFlow;
use web_time::Instant;

/// Bytes of the working sets: from well inside the caches to well outside, where an adapter allows it.
const WORKING_SETS_BYTES: [u64; 4] = [256 << 10, 4 << 20, 32 << 20, 256 << 20];
/// Bytes of a transfer between host and device.
const TRANSFER_BYTES: u64 = 64 << 20;
/// Nanoseconds that a measurement should last: long beside a launch, short beside the patience of a watchdog.
const TARGET_NS: f64 = 5e6;
/// The same on a software adapter, whose processor does other things as well.
const SOFTWARE_TARGET_NS: f64 = 1e7;

/// What is told before each figure; breaking ends the measurement.
pub type Progress<'a> = &'a mut dyn FnMut(&str) -> ControlFlow<()>;

/// What peaks of `adapter`, measured by this program, belong to.
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

/// Measures the peaks of `adapter` on a device of its own; the time of the measurement is left to the caller to fill in.
///
/// A kernel that computes wrongly gives no figure but the reason.
///
/// # Errors
/// [`Error::Interrupted`] if `progress` broke off, [`Error::Adapter`] if the adapter cannot be opened, or the device's error.
pub async fn measure(adapters: &Adapters, adapter: &AdapterInfo, progress: Progress<'_>) -> Result<Peaks> {
    let start = Instant::now();
    let largest_bytes = WORKING_SETS_BYTES[WORKING_SETS_BYTES.len() - 1];
    let gpu = Gpu::open_for_peaks(adapters, adapter, largest_bytes).await?;
    let allowed = gpu.limits()["maxStorageBufferBindingSize"].min(largest_bytes);
    let allowed = 1 << allowed.ilog2();
    let rig = Rig::new(&gpu, allowed).await?;
    let target_ns = if adapter.software { SOFTWARE_TARGET_NS } else { TARGET_NS };
    let host = Clock { target_ns, step_ns: host_step_ns() };
    let device = if rig.meter.has_timestamps() { Clock { step_ns: device_step_ns(&rig).await?, ..host } } else { host };
    let mut session = Session { rig: &rig, host, device, figures: Vec::new(), progress };
    session.arithmetic().await?;
    session.storage().await?;
    session.shared().await?;
    session.launches().await?;
    session.host_work().await?;
    session.transfers().await?;
    let clock = if rig.meter.has_timestamps() {
        "device figures by the device's timestamps, the others by the host's clock"
    } else {
        "all figures by the host's clock, submission and waiting included, as the device takes no timestamps"
    };
    Ok(Peaks {
        subject: subject(adapter),
        measured_utc: String::new(),
        cached: false,
        clock: clock.to_owned(),
        duration_s: start.elapsed().as_secs_f64(),
        figures: session.figures,
    })
}

/// Proves on a device of `adapter` that `kernel`, a row of [`crate::kernels::peaks::PEAK_KERNELS`] or a variant that bears the
/// name of one, does the work it is timed for.
///
/// # Errors
/// [`Error::Check`] if it does not, [`Error::Adapter`] if it does not compile, or the device's error.
pub async fn check(adapters: &Adapters, adapter: &AdapterInfo, kernel: &'static Kernel) -> Result<()> {
    let gpu = Gpu::open_for_peaks(adapters, adapter, 0).await?;
    Rig::new(&gpu, 1 << 20).await?.prove(kernel).await
}

/// The smallest difference between two readings of the host's clock, in nanoseconds.
fn host_step_ns() -> f64 {
    let start = Instant::now();
    let readings: Vec<f64> = (0..1000).map(|_| start.elapsed().as_secs_f64() * 1e9).collect();
    smallest_step(readings)
}

/// The smallest difference between two readings of the device's clock, in nanoseconds.
async fn device_step_ns(rig: &Rig<'_>) -> Result<f64> {
    let ready = rig.idle(&EMPTY, false).await?;
    let mut readings = Vec::new();
    for _ in 0..20 {
        readings.extend(
            rig.meter
                .time(rig.gpu, &ready.work(1))
                .await?
                .device
                .into_iter()
                .flat_map(|span| [span.begin_ns, span.end_ns]),
        );
    }
    Ok(smallest_step(readings))
}

/// The smallest difference between readings that differ; 1 where none do, which calibration then finds out.
fn smallest_step(mut readings: Vec<f64>) -> f64 {
    readings.sort_by(f64::total_cmp);
    let steps = readings.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 0.0);
    steps.min_by(f64::total_cmp).unwrap_or(1.0)
}

/// Figures of one device, one group of kinds after the other.
struct Session<'a, 'p> {
    rig: &'a Rig<'a>,
    host: Clock,
    device: Clock,
    figures: Vec<Peak>,
    progress: Progress<'p>,
}

impl Session<'_, '_> {
    /// Says what comes next.
    fn announce(&mut self, kind: PeakKind, bytes: Option<u64>) -> Result<()> {
        let over = bytes.map_or(String::new(), |bytes| format!(" over {} KiB", bytes >> 10));
        match (self.progress)(&format!("{}{over}", kind.facts().name)) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Interrupted),
        }
    }

    /// Keeps a figure; a kernel that is wrong or does not compile leaves its reason in the figure's place.
    fn keep(&mut self, kind: PeakKind, bytes: &Measured<u64>, outcome: Result<Peak>) -> Result<()> {
        let peak = match outcome {
            Ok(peak) => peak,
            Err(Error::Check(words) | Error::Adapter(words)) => missing(kind, bytes.clone(), &words),
            Err(error) => return Err(error),
        };
        self.figures.push(peak);
        Ok(())
    }

    async fn arithmetic(&mut self) -> Result<()> {
        let rows: [(PeakKind, &'static Kernel); 2] =
            [(PeakKind::Fp32MultiplyAdd, &FP32_MULTIPLY_ADD), (PeakKind::Fp16MultiplyAdd, &FP16_MULTIPLY_ADD)];
        for (kind, kernel) in rows {
            self.announce(kind, None)?;
            if kind == PeakKind::Fp16MultiplyAdd && !self.rig.gpu.has_f16() {
                self.figures.push(missing(kind, no_memory(), "the adapter offers no 16-bit numbers in shaders"));
                continue;
            }
            let outcome = self.multiply_adds(kind, kernel).await;
            self.keep(kind, &no_memory(), outcome)?;
        }
        Ok(())
    }

    async fn multiply_adds(&self, kind: PeakKind, kernel: &'static Kernel) -> Result<Peak> {
        let rig = self.rig;
        let ready = rig.arithmetic(kernel).await?;
        rig.prove_arithmetic(&ready).await?;
        let quantity = Quantity {
            kind,
            bytes: no_memory(),
            per_unit: Rig::flop_per_group(kernel),
            method: Method::Whole,
            longest: 1 << 24,
        };
        sample::measure(&quantity, self.device, async |groups| {
            let (workgroups, dispatches) = Rig::arithmetic_grid(groups);
            let work = RepeatedDispatch { workgroups, ..ready.work(dispatches) };
            Ok(rig.meter.time(rig.gpu, &work).await?.duration_ns())
        })
        .await
    }

    async fn storage(&mut self) -> Result<()> {
        let rows: [(PeakKind, &'static Kernel); 3] = [
            // Writing comes first: reading and copying meet what it wrote.
            (PeakKind::StorageWrite, &STORAGE_WRITE),
            (PeakKind::StorageRead, &STORAGE_READ),
            (PeakKind::StorageCopy, &STORAGE_COPY),
        ];
        for wanted in WORKING_SETS_BYTES {
            // The largest is as large as may be.
            let bytes = wanted.min(self.rig.largest_bytes());
            if self.figures.iter().any(|figure| figure.bytes == Measured::Value(bytes)) {
                continue;
            }
            for (kind, kernel) in rows {
                self.announce(kind, Some(bytes))?;
                let outcome = self.bandwidth(kind, kernel, bytes).await;
                self.keep(kind, &Measured::Value(bytes), outcome)?;
            }
        }
        self.figures.sort_by_key(|figure| figure.kind as usize);
        Ok(())
    }

    /// Bandwidth over `bytes` in all: a copy has one half read and the other written.
    async fn bandwidth(&self, kind: PeakKind, kernel: &'static Kernel, bytes: u64) -> Result<Peak> {
        let rig = self.rig;
        let copies = kind == PeakKind::StorageCopy;
        let set_bytes = if copies { bytes / 2 } else { bytes };
        let count = (set_bytes / 16) as u32;
        let walk = rig.walk(count);
        let salt = bytes.ilog2() + 100 * kind as u32;
        let ready = match kind {
            PeakKind::StorageRead => {
                let write = rig.storage(&STORAGE_WRITE, walk, count, &[buffer::SOURCE]).await?;
                rig.prove_writing(&write, walk, count, buffer::SOURCE, salt, &STORAGE_READ).await?;
                rig.storage(kernel, walk, count, &[buffer::SOURCE, buffer::OUTPUT]).await?
            }
            PeakKind::StorageCopy => {
                let write = rig.storage(&STORAGE_WRITE, walk, count, &[buffer::SOURCE]).await?;
                rig.turns(&write, walk.unit_loops, salt).await?;
                let copy = rig.storage(kernel, walk, count, &[buffer::SOURCE, buffer::TARGET]).await?;
                rig.prove_writing(&copy, walk, count, buffer::TARGET, salt, &STORAGE_READ).await?;
                copy
            }
            _ => {
                let write = rig.storage(kernel, walk, count, &[buffer::SOURCE]).await?;
                rig.prove_writing(&write, walk, count, buffer::SOURCE, salt, &STORAGE_READ).await?;
                write
            }
        };
        let unit_bytes = if copies { 2 * walk.unit_bytes() } else { walk.unit_bytes() };
        self.dispatches_of(&ready, kind, Measured::Value(bytes), walk.unit_loops, unit_bytes as f64, salt).await
    }

    /// The bandwidth of dispatches that each last a good part of a measurement, so that their launches do not matter.
    async fn dispatches_of(
        &self,
        ready: &Ready,
        kind: PeakKind,
        bytes: Measured<u64>,
        unit_turns: u32,
        unit_bytes: f64,
        salt: u32,
    ) -> Result<Peak> {
        let rig = self.rig;
        let units = rig.units_per_dispatch(ready, unit_turns, salt, self.device.target_ns / 4.0).await?;
        let per_unit = f64::from(units) * unit_bytes;
        let quantity = Quantity { kind, bytes, per_unit, method: Method::Whole, longest: 1 << 16 };
        sample::measure(&quantity, self.device, async |dispatches| {
            Ok(rig.meter.time(rig.gpu, &ready.work(dispatches as u32)).await?.duration_ns())
        })
        .await
    }

    async fn shared(&mut self) -> Result<()> {
        let kind = PeakKind::WorkgroupRead;
        let bytes = Measured::Value(16 * u64::from(WORKGROUP_READ.tile_size("VALUES")));
        self.announce(kind, None)?;
        let outcome = self.shared_bandwidth(bytes.clone()).await;
        self.keep(kind, &bytes, outcome)
    }

    async fn shared_bandwidth(&self, bytes: Measured<u64>) -> Result<Peak> {
        let rig = self.rig;
        let (ready, per_unit) = rig.shared(&WORKGROUP_READ).await?;
        rig.prove_shared(&ready).await?;
        self.dispatches_of(&ready, PeakKind::WorkgroupRead, bytes, SHARED_LOOPS, per_unit, 0).await
    }

    async fn launches(&mut self) -> Result<()> {
        let rig = self.rig;
        let clock = self.device;
        self.announce(PeakKind::IndependentDispatch, None)?;
        let empty = rig.idle(&EMPTY, false).await?;
        let in_one_pass = async |ready: &Ready, kind| {
            let time =
                async |dispatches| Ok(rig.meter.time(rig.gpu, &ready.work(dispatches as u32)).await?.duration_ns());
            sample::measure(&launches(kind), clock, time).await
        };
        let independent = in_one_pass(&empty, PeakKind::IndependentDispatch).await?;

        self.announce(PeakKind::DependentDispatch, None)?;
        let kind = PeakKind::DependentDispatch;
        let proof = rig.prove_dependent(&rig.idle(&EMPTY_DEPENDENT, true).await?).await;
        let dependent = match proof {
            Ok(()) => in_one_pass(&rig.idle(&EMPTY_DEPENDENT, false).await?, kind).await,
            Err(error) => Err(error),
        };

        self.announce(PeakKind::Pass, None)?;
        let time = async |passes| {
            let work = RepeatedDispatch { passes: passes as u32, ..empty.work(1) };
            Ok(rig.meter.time(rig.gpu, &work).await?.duration_ns())
        };
        let pass = sample::measure(&launches(PeakKind::Pass), clock, time).await?;
        let pass = beyond(pass, &independent);
        self.figures.push(independent);
        self.keep(kind, &no_memory(), dependent)?;
        self.figures.push(pass);
        Ok(())
    }

    async fn host_work(&mut self) -> Result<()> {
        let rig = self.rig;
        let empty = rig.idle(&EMPTY, false).await?;
        self.announce(PeakKind::EncodeDispatch, None)?;
        let quantity = launches(PeakKind::EncodeDispatch);
        let encode = sample::measure(&quantity, self.host, async |dispatches| {
            Ok(rig.meter.encode(rig.gpu, &empty.work(dispatches as u32)))
        });
        let encode = encode.await?;
        self.figures.push(encode);
        for kind in [PeakKind::Submit, PeakKind::RoundTrip] {
            self.announce(kind, None)?;
            let quantity = Quantity { method: Method::Whole, ..launches(kind) };
            // A round trip takes far longer than handing over, so that fewer of them are needed.
            let target_ns = if kind == PeakKind::Submit { self.host.target_ns / 20.0 } else { self.host.target_ns };
            let figure = sample::measure(&quantity, Clock { target_ns, ..self.host }, async |times| {
                let mut sum_ns = 0.0;
                for _ in 0..times {
                    let reading = rig.meter.time(rig.gpu, &empty.work(1)).await?;
                    sum_ns += if kind == PeakKind::Submit { reading.submit_ns } else { reading.done_ns };
                }
                Ok(sum_ns)
            });
            let figure = figure.await?;
            self.figures.push(figure);
        }
        Ok(())
    }

    async fn transfers(&mut self) -> Result<()> {
        let rig = self.rig;
        let transfer = Transfer::new(rig.gpu, TRANSFER_BYTES).await?;
        let data: Vec<u8> = (0..TRANSFER_BYTES).map(|place| ((place * 31) >> 5) as u8).collect();
        let mut back = vec![0; data.len()];
        transfer.upload(rig.gpu, &data).await?;
        transfer.download(rig.gpu, &mut back).await?;
        let bytes = Measured::Value(TRANSFER_BYTES);
        let arrived = back == data;
        for kind in [PeakKind::HostToDevice, PeakKind::DeviceToHost, PeakKind::ReadbackLatency] {
            self.announce(kind, None)?;
            let bytes = if kind == PeakKind::ReadbackLatency { Measured::Value(4) } else { bytes.clone() };
            if !arrived {
                self.figures.push(missing(kind, bytes, "data came back from the device otherwise than they were sent"));
                continue;
            }
            let (per_unit, method) = (TRANSFER_BYTES as f64, Method::Whole);
            let quantity = Quantity { kind, bytes, per_unit, method, longest: 1 << 20 };
            let figure = sample::measure(&quantity, self.host, async |times| {
                let mut sum_ns = 0.0;
                for _ in 0..times {
                    sum_ns += match kind {
                        PeakKind::HostToDevice => transfer.upload(rig.gpu, &data).await?,
                        PeakKind::DeviceToHost => transfer.download(rig.gpu, &mut back).await?,
                        _ => transfer.download(rig.gpu, &mut back[..4]).await?,
                    };
                }
                Ok(sum_ns)
            });
            let figure = figure.await?;
            self.figures.push(figure);
        }
        Ok(())
    }
}

/// A figure in nanoseconds a launch, from the difference of two lengths.
fn launches(kind: PeakKind) -> Quantity {
    Quantity { kind, bytes: no_memory(), per_unit: 1.0, method: Method::Difference, longest: 1 << 17 }
}

/// What passes of one dispatch cost beyond that dispatch.
fn beyond(mut pass: Peak, dispatch: &Peak) -> Peak {
    let Some(dispatch_ns) = dispatch.median.value() else {
        let why = "the cost of a dispatch, which would have to be taken off, is not known";
        return missing(pass.kind, pass.bytes, why);
    };
    pass.samples.iter_mut().for_each(|sample| *sample -= dispatch_ns);
    pass.median = match pass.median {
        Measured::Value(median) if median > *dispatch_ns => Measured::Value(median - dispatch_ns),
        Measured::Value(_) => Measured::missing("a pass costs no more than the dispatch in it, as far as can be told"),
        missing => missing,
    };
    if let Some(reason) = pass.median.reason() {
        pass.deviation = Measured::missing(reason);
    }
    pass
}

fn no_memory() -> Measured<u64> {
    Measured::missing("memory plays no part")
}

fn missing(kind: PeakKind, bytes: Measured<u64>, reason: &str) -> Peak {
    let (median, deviation) = (Measured::missing(reason), Measured::missing(reason));
    Peak { kind, bytes, median, deviation, samples: Vec::new() }
}
