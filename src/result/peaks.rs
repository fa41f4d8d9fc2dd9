//! What an adapter reaches through the portable API, as results tell it.

use super::Measured;
use serde::{Deserialize, Serialize};

/// Measured peaks of one adapter under one driver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peaks {
    /// What was measured, and by which program: figures of another one are not comparable.
    pub subject: Subject,
    /// When, RFC 3339 in UTC.
    pub measured_utc: String,
    /// Whether the figures were read from the cache instead of being measured in this run.
    pub cached: bool,
    /// Whether device figures were taken by the device's own timestamps or by the host's clock, in words.
    pub clock: String,
    /// Seconds that measuring took.
    pub duration_s: f64,
    /// One row for each figure and amount of memory.
    pub figures: Vec<Peak>,
}

/// What peaks belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Name of the adapter.
    pub adapter: String,
    /// PCI bus id, empty where it is not told.
    pub pci_bus_id: String,
    /// Backend.
    pub backend: String,
    /// Name and version of the driver.
    pub driver: String,
    /// Version of this program.
    pub version: String,
    /// SHA-256 of the shaders that measured.
    pub shader_hash: String,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    /// What it is.
    pub kind: PeakKind,
    /// Bytes of memory it went over; missing where memory plays no part.
    pub bytes: Measured<u64>,
    /// Median, in the unit of its kind; missing with the reason where it could not be measured or was not plausible.
    pub median: Measured<f64>,
    /// Median absolute deviation, in the same unit.
    pub deviation: Measured<f64>,
    /// Every sample, in the same unit.
    pub samples: Vec<f64>,
}

/// What a figure tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PeakKind {
    /// Multiply-adds of 32-bit numbers in registers.
    Fp32MultiplyAdd,
    /// Multiply-adds of 16-bit numbers in registers.
    Fp16MultiplyAdd,
    /// Reading storage buffers.
    StorageRead,
    /// Writing storage buffers.
    StorageWrite,
    /// Copying from one storage buffer to another by a shader, read and written bytes both counted.
    StorageCopy,
    /// Reading workgroup memory.
    WorkgroupRead,
    /// An empty dispatch that need not wait for the one before.
    IndependentDispatch,
    /// An empty dispatch that has to wait for the one before.
    DependentDispatch,
    /// A pass with one empty dispatch, beyond that dispatch.
    Pass,
    /// Encoding a dispatch on the host.
    EncodeDispatch,
    /// Handing an almost empty list of commands to the device, on the host.
    Submit,
    /// From handing such a list over to the word that it is done.
    RoundTrip,
    /// Copying from host memory to the device.
    HostToDevice,
    /// Copying from the device to host memory.
    DeviceToHost,
    /// Reading back 4 bytes.
    ReadbackLatency,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 10^9 floating-point operations per second.
    GflopPerS,
    /// 10^9 bytes per second.
    GbytePerS,
    /// Nanoseconds.
    Ns,
}

impl PeakKind {
    /// The unit of its figures.
    pub const fn unit(self) -> Unit {
        match self {
            PeakKind::Fp32MultiplyAdd | PeakKind::Fp16MultiplyAdd => Unit::GflopPerS,
            PeakKind::StorageRead
            | PeakKind::StorageWrite
            | PeakKind::StorageCopy
            | PeakKind::WorkgroupRead
            | PeakKind::HostToDevice
            | PeakKind::DeviceToHost => Unit::GbytePerS,
            PeakKind::IndependentDispatch
            | PeakKind::DependentDispatch
            | PeakKind::Pass
            | PeakKind::EncodeDispatch
            | PeakKind::Submit
            | PeakKind::RoundTrip
            | PeakKind::ReadbackLatency => Unit::Ns,
        }
    }
}

impl Peaks {
    /// The highest median of `kind`, in its unit.
    pub fn highest(&self, kind: PeakKind) -> Option<f64> {
        self.of(kind).map(|(_, median)| median).max_by(f64::total_cmp)
    }

    /// The highest bandwidth that was measured on as many bytes as `bytes` or more, reading, writing or copying, in 10^9 bytes
    /// per second: what memory can give a kernel whose working set is of this size. Above all measured sizes, that of the
    /// largest.
    pub fn bandwidth(&self, bytes: u64) -> Option<f64> {
        let kinds = [PeakKind::StorageRead, PeakKind::StorageWrite, PeakKind::StorageCopy];
        let all: Vec<(u64, f64)> = kinds.into_iter().flat_map(|kind| self.of(kind)).collect();
        let largest = all.iter().map(|(size, _)| *size).max()?;
        let enough = all.iter().filter(|(size, _)| *size >= bytes.min(largest));
        enough.map(|(_, median)| *median).max_by(f64::total_cmp)
    }

    /// Nanoseconds of an empty dispatch that depends on the one before: what every kernel of a chain costs at least.
    pub fn launch_ns(&self) -> Option<f64> {
        self.highest(PeakKind::DependentDispatch)
    }

    /// Bytes (0 where memory plays no part) and median of each figure of `kind` that was measured.
    fn of(&self, kind: PeakKind) -> impl Iterator<Item = (u64, f64)> {
        let figures = self.figures.iter().filter(move |figure| figure.kind == kind);
        figures.filter_map(|figure| Some((figure.bytes.value().copied().unwrap_or(0), *figure.median.value()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(kind: PeakKind, bytes: u64, median: f64) -> Peak {
        Peak {
            kind,
            bytes: Measured::Value(bytes),
            median: median.into(),
            deviation: 0.0.into(),
            samples: vec![median],
        }
    }

    #[test]
    fn bandwidth_is_that_of_working_sets_at_least_as_large() {
        let peaks = Peaks {
            subject: Subject {
                adapter: String::new(),
                pci_bus_id: String::new(),
                backend: String::new(),
                driver: String::new(),
                version: String::new(),
                shader_hash: String::new(),
            },
            measured_utc: String::new(),
            cached: false,
            clock: String::new(),
            duration_s: 1.0,
            figures: vec![
                figure(PeakKind::StorageRead, 1 << 20, 100.0),
                figure(PeakKind::StorageRead, 1 << 26, 20.0),
                figure(PeakKind::StorageCopy, 1 << 26, 30.0),
                figure(PeakKind::StorageWrite, 1 << 28, f64::NAN),
            ],
        };
        assert_eq!(peaks.bandwidth(10), Some(100.0));
        assert_eq!(peaks.bandwidth(2 << 20), Some(30.0));
        assert_eq!(peaks.bandwidth(1 << 40), Some(30.0));
        assert_eq!(peaks.launch_ns(), None);
    }
}
