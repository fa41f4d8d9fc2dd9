//! What an adapter reaches through the portable API, as results tell it.

use super::Measured;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The value of `schema` in a document of peaks.
pub const PEAKS_SCHEMA: &str = "gpubench.peaks";
/// The version of that schema.
pub const PEAKS_SCHEMA_VERSION: u32 = 1;

/// Peaks in a file of their own.
#[derive(Serialize, Deserialize)]
struct Document<S, P> {
    schema: S,
    schema_version: u32,
    peaks: P,
}

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

/// What a reader should know of a kind of figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// The kind.
    pub kind: PeakKind,
    /// Its name in tables.
    pub name: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// The lowest and the highest figure that is believed, in its unit: beyond what any device does, so that only a broken
    /// clock or work that was not done falls outside.
    pub believed: [f64; 2],
    /// What it means, one plain sentence.
    pub sentence: &'static str,
}

const fn facts(kind: PeakKind, name: &'static str, unit: Unit, highest: f64, sentence: &'static str) -> Facts {
    let lowest = match unit {
        Unit::GflopPerS | Unit::GbytePerS => 1e-4,
        Unit::Ns => 0.1,
    };
    Facts { kind, name, unit, believed: [lowest, highest], sentence }
}

/// One row for each kind, in the order of reports.
pub static PEAK_FACTS: [Facts; 15] = [
    facts(
        PeakKind::Fp32MultiplyAdd,
        "FP32 multiply-add",
        Unit::GflopPerS,
        1e6,
        "The most 32-bit arithmetic the device does with everything in registers: no kernel can compute faster.",
    ),
    facts(
        PeakKind::Fp16MultiplyAdd,
        "FP16 multiply-add",
        Unit::GflopPerS,
        1e7,
        "The same with 16-bit numbers: what a variant in half precision could gain at most; matrix units are not used.",
    ),
    facts(
        PeakKind::StorageRead,
        "storage read",
        Unit::GbytePerS,
        1e6,
        "How fast kernels read buffers: small ones stay in the caches, the largest comes from memory.",
    ),
    facts(
        PeakKind::StorageWrite,
        "storage write",
        Unit::GbytePerS,
        1e6,
        "How fast kernels write buffers, in the caches and to memory.",
    ),
    facts(
        PeakKind::StorageCopy,
        "storage copy",
        Unit::GbytePerS,
        1e6,
        "How fast kernels read one buffer and write another, both directions counted: the usual case in training.",
    ),
    facts(
        PeakKind::WorkgroupRead,
        "workgroup read",
        Unit::GbytePerS,
        1e6,
        "How fast the invocations of a workgroup read the memory they share: what tiling buys over reading storage again.",
    ),
    facts(
        PeakKind::IndependentDispatch,
        "dispatch, independent",
        Unit::Ns,
        1e9,
        "What starting a kernel costs where it need not wait for the one before.",
    ),
    facts(
        PeakKind::DependentDispatch,
        "dispatch, dependent",
        Unit::Ns,
        1e9,
        "What starting a kernel costs where it needs the results of the one before, as in training: no kernel of a chain takes less.",
    ),
    facts(
        PeakKind::Pass,
        "pass",
        Unit::Ns,
        1e9,
        "What beginning and ending a compute pass adds to the dispatch in it.",
    ),
    facts(
        PeakKind::EncodeDispatch,
        "encode a dispatch",
        Unit::Ns,
        1e9,
        "What the processor spends on writing down one dispatch: times dispatches per step, the host's share of a step.",
    ),
    facts(
        PeakKind::Submit,
        "submit",
        Unit::Ns,
        1e9,
        "What the processor spends on handing a list of commands to the driver.",
    ),
    facts(
        PeakKind::RoundTrip,
        "round trip",
        Unit::Ns,
        1e9,
        "From handing over a list with one empty dispatch to knowing that it is done: what waiting for the device costs each time.",
    ),
    facts(
        PeakKind::HostToDevice,
        "host to device",
        Unit::GbytePerS,
        1e4,
        "How fast data in host memory reach a buffer of the device, by way of the API's own staging memory.",
    ),
    facts(
        PeakKind::DeviceToHost,
        "device to host",
        Unit::GbytePerS,
        1e4,
        "How fast a buffer of the device reaches host memory: copied to a mapped buffer and out of it.",
    ),
    facts(
        PeakKind::ReadbackLatency,
        "readback of 4 bytes",
        Unit::Ns,
        1e9,
        "How long the host waits for a single number from the device: what looking at the loss in every step would cost.",
    ),
];

impl PeakKind {
    /// What a reader should know of it.
    pub fn facts(self) -> &'static Facts {
        // The table is in the order of the kinds, which a test holds.
        &PEAK_FACTS[self as usize]
    }

    /// The unit of its figures.
    pub fn unit(self) -> Unit {
        self.facts().unit
    }
}

impl Subject {
    /// What differs from `other`, in words for people: "driver X, now Y"; `None` if both are the same.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let pairs = [
            ("adapter", &self.adapter, &other.adapter),
            ("device at", &self.pci_bus_id, &other.pci_bus_id),
            ("backend", &self.backend, &other.backend),
            ("driver", &self.driver, &other.driver),
            ("version", &self.version, &other.version),
            ("set of shaders", &self.shader_hash, &other.shader_hash),
        ];
        let (name, then, now) = pairs.into_iter().find(|(_, then, now)| then != now)?;
        let short = |text: &str| text.chars().take(60).collect::<String>();
        Some(format!("{name} ({}, now {})", short(then), short(now)))
    }
}

impl Peak {
    /// Why this figure cannot be believed, if so: not finite or beyond its kind's bounds. A missing figure can.
    pub fn disbelief(&self) -> Option<String> {
        let Facts { name, unit, believed: [lowest, highest], .. } = self.kind.facts();
        let values = self.median.value().into_iter().chain(self.deviation.value());
        if values.chain(&self.samples).any(|value| !value.is_finite()) {
            return Some(format!("{name} is not a finite number"));
        }
        let median = *self.median.value()?;
        let outside = median < *lowest || median > *highest;
        outside.then(|| format!("{name} of {median:e} {} is beyond belief", unit.symbol()))
    }
}

impl Unit {
    /// As written behind numbers.
    pub const fn symbol(self) -> &'static str {
        match self {
            Unit::GflopPerS => "GFLOP/s",
            Unit::GbytePerS => "GB/s",
            Unit::Ns => "ns",
        }
    }
}

impl Peaks {
    /// Why these peaks cannot be believed, if so: nothing was measured, or a figure is absurd.
    pub fn disbelief(&self) -> Option<String> {
        if self.figures.iter().all(|figure| figure.median.value().is_none()) {
            return Some("there is no figure".to_owned());
        }
        self.figures.iter().find_map(Peak::disbelief)
    }

    /// The JSON document, indented, ending in a line break. A number that is not finite is written as missing.
    ///
    /// # Errors
    /// [`Error::Output`] if a value cannot be written as JSON, which no peaks made by this program contain.
    pub fn to_json(&self) -> Result<String> {
        let document = Document { schema: PEAKS_SCHEMA, schema_version: PEAKS_SCHEMA_VERSION, peaks: self };
        super::json::to_string(&document)
            .map_err(|error| Error::Output(format!("the peaks cannot be written as JSON: {error}")))
    }

    /// Reads what [`Peaks::to_json`] wrote.
    ///
    /// # Errors
    /// [`Error::Data`] if the text is not JSON, not peaks, of another version of the schema, or not to be believed.
    pub fn from_json(text: &str) -> Result<Self> {
        let damaged = |words: String| Error::Data(format!("{words}; measure again with `gpubench peaks`"));
        let document: Document<String, Self> =
            serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
        if document.schema != PEAKS_SCHEMA || document.schema_version != PEAKS_SCHEMA_VERSION {
            let (name, version) = (document.schema, document.schema_version);
            return Err(damaged(format!("it holds {name:?} of version {version}")));
        }
        document.peaks.disbelief().map_or(Ok(document.peaks), |words| Err(damaged(words)))
    }

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
                Peak { median: Measured::missing("not plausible"), ..figure(PeakKind::StorageWrite, 1 << 28, 40.0) },
            ],
        };
        assert_eq!(peaks.bandwidth(10), Some(100.0));
        assert_eq!(peaks.bandwidth(2 << 20), Some(30.0));
        assert_eq!(peaks.bandwidth(1 << 40), Some(30.0));
        assert_eq!(peaks.launch_ns(), None);
        assert_eq!(Peaks::from_json(&peaks.to_json().unwrap()).unwrap().figures.len(), 4);
    }

    #[test]
    fn facts_stand_in_the_order_of_the_kinds() {
        for (place, facts) in PEAK_FACTS.iter().enumerate() {
            assert_eq!(facts.kind as usize, place, "{}", facts.name);
            assert!(facts.sentence.ends_with('.') && facts.believed[0] < facts.believed[1], "{}", facts.name);
        }
    }

    #[test]
    fn figures_that_no_device_reaches_are_not_believed() {
        let disbelief = |median| figure(PeakKind::StorageRead, 1, median).disbelief();
        assert_eq!(disbelief(500.0), None);
        for median in [0.0, -3.0, 1e9] {
            assert!(disbelief(median).is_some_and(|words| words.contains("beyond belief")), "{median}");
        }
        // A median that is not finite is missing, and missing is no lie; its sample gives it away.
        assert!(disbelief(f64::INFINITY).is_some_and(|words| words.contains("not a finite")));
    }
}
