//! The figures of one device, one group of kinds after the other.

use super::fixture::{Fixture, PreparedKernel, SHARED_LOOPS};
use super::measurement::{self, Clock, Measurement, Method};
use crate::error::{Error, Result};
use crate::gpu::{RepeatedDispatch, Transfer};
use crate::kernels::Kernel;
use crate::kernels::peaks::{
    EMPTY, EMPTY_DEPENDENT, FP16_MULTIPLY_ADD, FP32_MULTIPLY_ADD, STORAGE_COPY, STORAGE_READ, STORAGE_WRITE,
    WORKGROUP_READ,
};
use crate::result::{Measured, PEAK_FACTS, Peak, PeakKind};
use std::ops::ControlFlow;
use web_time::Instant;

/// Sizes of the working sets in bytes: from well inside the caches to well outside, as far as an adapter allows.
pub const WORKING_SETS_BYTES: [u64; 4] = [256 << 10, 4 << 20, 32 << 20, 256 << 20];
/// Bytes of a transfer between host and device.
const TRANSFER_BYTES: u64 = 64 << 20;

/// Why a figure is missing that the deadline left no time for.
const OUT_OF_TIME: &str = "the time of a quick run was over";

/// Called with the name of each figure before it is measured; a break ends the measurement.
pub type Progress<'a> = &'a mut dyn FnMut(&str) -> ControlFlow<()>;

/// The measurement of all figures of one device.
pub struct Session<'a, 'p> {
    fixture: &'a Fixture<'a>,
    host: Clock,
    device: Clock,
    figures: Vec<Peak>,
    progress: Progress<'p>,
    deadline: Option<Instant>,
}

impl<'a, 'p> Session<'a, 'p> {
    /// A session on `fixture`, which measures with the clocks of `host` and `device`, until `deadline` if there is one.
    pub fn new(
        fixture: &'a Fixture<'a>,
        [host, device]: [Clock; 2],
        deadline: Option<Instant>,
        progress: Progress<'p>,
    ) -> Self {
        Self { fixture, host, device, figures: Vec::new(), progress, deadline }
    }

    /// Measures all figures; those that the deadline leaves no time for are missing.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if the progress function breaks, or the device's error.
    pub async fn run(mut self) -> Result<Vec<Peak>> {
        match self.groups().await {
            Err(Error::Interrupted) if self.time_is_up() => {
                for kind in PEAK_FACTS.iter().map(|facts| facts.kind) {
                    if !self.figures.iter().any(|figure| figure.kind == kind) {
                        self.figures.push(missing(kind, no_memory(), OUT_OF_TIME));
                    }
                }
                self.figures.sort_by_key(|figure| figure.kind as usize);
            }
            measured => measured?,
        }
        Ok(self.figures)
    }

    async fn groups(&mut self) -> Result<()> {
        self.arithmetic().await?;
        self.storage().await?;
        self.shared().await?;
        self.launches().await?;
        self.host_work().await?;
        self.transfers().await
    }

    fn time_is_up(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Reports the figure that is measured next.
    fn announce(&mut self, kind: PeakKind, bytes: Option<u64>) -> Result<()> {
        let over = bytes.map_or(String::new(), |bytes| format!(" over {} KiB", bytes >> 10));
        match (self.progress)(&format!("{}{over}", kind.facts().name)) {
            ControlFlow::Continue(()) if self.time_is_up() => Err(Error::Interrupted),
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Interrupted),
        }
    }

    /// Adds a figure, which is missing with the reason if its kernel fails its verification or does not compile.
    fn add(&mut self, kind: PeakKind, bytes: &Measured<u64>, outcome: Result<Peak>) -> Result<()> {
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
            if kind == PeakKind::Fp16MultiplyAdd && !self.fixture.gpu.has_f16() {
                self.figures.push(missing(kind, no_memory(), "the adapter offers no 16-bit numbers in shaders"));
                continue;
            }
            let outcome = self.multiply_adds(kind, kernel).await;
            self.add(kind, &no_memory(), outcome)?;
        }
        Ok(())
    }

    async fn multiply_adds(&self, kind: PeakKind, kernel: &'static Kernel) -> Result<Peak> {
        let fixture = self.fixture;
        let prepared = fixture.arithmetic(kernel).await?;
        fixture.verify_arithmetic(&prepared).await?;
        let measurement = Measurement {
            kind,
            bytes: no_memory(),
            per_unit: Fixture::flop_per_group(kernel),
            method: Method::Total,
            longest: 1 << 24,
        };
        measurement::measure(&measurement, self.device, async |groups| {
            let (workgroups, dispatches) = Fixture::arithmetic_grid(groups);
            let work = RepeatedDispatch { workgroups, ..prepared.repeated(dispatches) };
            Ok(fixture.time(work).await?.duration_ns())
        })
        .await
    }

    async fn storage(&mut self) -> Result<()> {
        let rows: [(PeakKind, &'static Kernel); 3] = [
            // Writing is first, so that the others use a working set in the same state.
            (PeakKind::StorageWrite, &STORAGE_WRITE),
            (PeakKind::StorageRead, &STORAGE_READ),
            (PeakKind::StorageCopy, &STORAGE_COPY),
        ];
        for wanted in WORKING_SETS_BYTES {
            // The largest working set is limited by the device.
            let bytes = wanted.min(self.fixture.largest_bytes());
            if self.figures.iter().any(|figure| figure.bytes == Measured::Value(bytes)) {
                continue;
            }
            for (kind, kernel) in rows {
                self.announce(kind, Some(bytes))?;
                let outcome = self.bandwidth(kind, kernel, bytes).await;
                self.add(kind, &Measured::Value(bytes), outcome)?;
            }
        }
        self.figures.sort_by_key(|figure| figure.kind as usize);
        Ok(())
    }

    /// Bandwidth of a working set of `bytes`; a copy reads one half and writes the other.
    async fn bandwidth(&self, kind: PeakKind, kernel: &'static Kernel, bytes: u64) -> Result<Peak> {
        let copies = kind == PeakKind::StorageCopy;
        let set_bytes = if copies { bytes / 2 } else { bytes };
        let pattern = self.fixture.access_pattern((set_bytes / 16) as u32);
        let salt = bytes.ilog2() + 100 * kind as u32;
        let prepared = self.fixture.verified_storage(kernel, pattern, salt).await?;
        let unit_bytes = if copies { 2 * pattern.unit_bytes() } else { pattern.unit_bytes() } as f64;
        let bytes = Measured::Value(bytes);
        self.long_dispatches(&prepared, kind, bytes, (pattern.unit_loops, unit_bytes), salt).await
    }

    /// The bandwidth of dispatches that each last a good part of a measurement, so that their launches are negligible.
    /// A unit of their work has `unit_loops` iterations and accesses `unit_bytes`.
    async fn long_dispatches(
        &self,
        prepared: &PreparedKernel,
        kind: PeakKind,
        bytes: Measured<u64>,
        (unit_loops, unit_bytes): (u32, f64),
        salt: u32,
    ) -> Result<Peak> {
        let units = self.fixture.units_per_dispatch(prepared, unit_loops, salt, self.device.target_ns / 4.0).await?;
        let per_unit = f64::from(units) * unit_bytes;
        let measurement = Measurement { kind, bytes, per_unit, method: Method::Total, longest: 1 << 16 };
        self.dispatches(&measurement, prepared).await
    }

    /// Measures a figure whose unit of work is a dispatch.
    async fn dispatches(&self, measurement: &Measurement, prepared: &PreparedKernel) -> Result<Peak> {
        measurement::measure(measurement, self.device, async |dispatches| {
            Ok(self.fixture.time(prepared.repeated(dispatches as u32)).await?.duration_ns())
        })
        .await
    }

    async fn shared(&mut self) -> Result<()> {
        let kind = PeakKind::WorkgroupRead;
        let bytes = Measured::Value(16 * u64::from(WORKGROUP_READ.tile_size("VALUES")));
        self.announce(kind, None)?;
        let outcome = self.shared_bandwidth(bytes.clone()).await;
        self.add(kind, &bytes, outcome)
    }

    async fn shared_bandwidth(&self, bytes: Measured<u64>) -> Result<Peak> {
        let (prepared, unit_bytes) = self.fixture.shared(&WORKGROUP_READ).await?;
        self.fixture.verify_shared(&prepared).await?;
        self.long_dispatches(&prepared, PeakKind::WorkgroupRead, bytes, (SHARED_LOOPS, unit_bytes), 0).await
    }

    async fn launches(&mut self) -> Result<()> {
        let fixture = self.fixture;
        self.announce(PeakKind::IndependentDispatch, None)?;
        let empty = fixture.empty(&EMPTY, false).await?;
        let independent = self.dispatches(&launches(PeakKind::IndependentDispatch), &empty).await?;

        self.announce(PeakKind::DependentDispatch, None)?;
        let verified = fixture.verify_dependent(&fixture.empty(&EMPTY_DEPENDENT, true).await?).await;
        let dependent = match verified {
            Ok(()) => {
                let prepared = fixture.empty(&EMPTY_DEPENDENT, false).await?;
                self.dispatches(&launches(PeakKind::DependentDispatch), &prepared).await
            }
            Err(error) => Err(error),
        };

        self.announce(PeakKind::Pass, None)?;
        let time = async |passes| {
            let work = RepeatedDispatch { passes: passes as u32, ..empty.repeated(1) };
            Ok(fixture.time(work).await?.duration_ns())
        };
        let pass = measurement::measure(&launches(PeakKind::Pass), self.device, time).await?;
        let pass = without_dispatch(pass, &independent);
        self.figures.push(independent);
        self.add(PeakKind::DependentDispatch, &no_memory(), dependent)?;
        self.figures.push(pass);
        Ok(())
    }

    async fn host_work(&mut self) -> Result<()> {
        let fixture = self.fixture;
        let empty = fixture.empty(&EMPTY, false).await?;
        self.announce(PeakKind::EncodeDispatch, None)?;
        let measurement = launches(PeakKind::EncodeDispatch);
        let encode = measurement::measure(&measurement, self.host, async |dispatches| {
            Ok(fixture.meter.encode(fixture.gpu, &empty.repeated(dispatches as u32)))
        });
        let encode = encode.await?;
        self.figures.push(encode);
        for kind in [PeakKind::Submit, PeakKind::RoundTrip] {
            self.announce(kind, None)?;
            let measurement = Measurement { method: Method::Total, ..launches(kind) };
            // A round trip takes far longer than a submission: fewer of them are enough.
            let target_ns = if kind == PeakKind::Submit { self.host.target_ns / 20.0 } else { self.host.target_ns };
            let figure = measurement::measure(&measurement, Clock { target_ns, ..self.host }, async |times| {
                let mut sum_ns = 0.0;
                for _ in 0..times {
                    let timing = fixture.time(empty.repeated(1)).await?;
                    sum_ns += if kind == PeakKind::Submit { timing.submit_ns } else { timing.done_ns };
                }
                Ok(sum_ns)
            });
            let figure = figure.await?;
            self.figures.push(figure);
        }
        Ok(())
    }

    async fn transfers(&mut self) -> Result<()> {
        let fixture = self.fixture;
        let transfer = Transfer::new(fixture.gpu, TRANSFER_BYTES).await?;
        let data: Vec<u8> = (0..TRANSFER_BYTES).map(|index| ((index * 31) >> 5) as u8).collect();
        let mut back = vec![0; data.len()];
        transfer.upload(fixture.gpu, &data).await?;
        transfer.download(fixture.gpu, &mut back).await?;
        let bytes = Measured::Value(TRANSFER_BYTES);
        let intact = back == data;
        for kind in [PeakKind::HostToDevice, PeakKind::DeviceToHost, PeakKind::ReadbackLatency] {
            self.announce(kind, None)?;
            let bytes = if kind == PeakKind::ReadbackLatency { Measured::Value(4) } else { bytes.clone() };
            if !intact {
                self.figures.push(missing(kind, bytes, "data came back from the device otherwise than they were sent"));
                continue;
            }
            let (per_unit, method) = (TRANSFER_BYTES as f64, Method::Total);
            let measurement = Measurement { kind, bytes, per_unit, method, longest: 1 << 20 };
            let figure = measurement::measure(&measurement, self.host, async |times| {
                let mut sum_ns = 0.0;
                for _ in 0..times {
                    sum_ns += match kind {
                        PeakKind::HostToDevice => transfer.upload(fixture.gpu, &data).await?,
                        PeakKind::DeviceToHost => transfer.download(fixture.gpu, &mut back).await?,
                        _ => transfer.download(fixture.gpu, &mut back[..4]).await?,
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

/// A figure in nanoseconds per launch, from the difference of two times.
fn launches(kind: PeakKind) -> Measurement {
    Measurement { kind, bytes: no_memory(), per_unit: 1.0, method: Method::Difference, longest: 1 << 17 }
}

/// The cost of passes with one dispatch minus the cost of that dispatch.
fn without_dispatch(mut pass: Peak, dispatch: &Peak) -> Peak {
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
