//! The measured peaks of an adapter, as part of a result.

use super::measured::Measured;
use super::peak_kind::{PeakFacts, PeakKind};
use super::subject::Subject;
use crate::error::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The value of `schema` in a document of peaks.
pub const PEAKS_SCHEMA: &str = "gpubench.peaks";
/// The version of that schema.
pub const PEAKS_SCHEMA_VERSION: u32 = 1;

/// A document that contains peaks only.
#[derive(Serialize, Deserialize)]
struct Document<S, P> {
    schema: S,
    schema_version: u32,
    peaks: P,
}

/// Measured peaks of one adapter under one driver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Peaks {
    /// What was measured, and by which program: figures of other subjects are not comparable.
    pub subject: Subject,
    /// When, RFC 3339 in UTC.
    pub measured_utc: String,
    /// Whether the figures were read from the cache instead of being measured in this run.
    pub cached: bool,
    /// The clocks that were used, in words: the device's timestamps or the host's clock.
    pub clock: String,
    /// Seconds that measuring took.
    pub duration_s: f64,
    /// One row for each kind and working set.
    pub figures: Vec<Peak>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Peak {
    /// What it measures.
    pub kind: PeakKind,
    /// Size of the working set in bytes; missing for figures without one.
    pub bytes: Measured<u64>,
    /// Median, in the unit of its kind; missing if it could not be measured or was not plausible.
    pub median: Measured<f64>,
    /// Median absolute deviation, in the same unit.
    pub deviation: Measured<f64>,
    /// Every sample, in the same unit.
    pub samples: Vec<f64>,
}

impl Peak {
    /// Why this figure is not plausible, if so: it is not finite, or outside its kind's range. A missing figure is
    /// plausible.
    pub fn implausible(&self) -> Option<String> {
        let PeakFacts { name, unit, plausible: [lowest, highest], .. } = self.kind.facts();
        let values = self.median.value().into_iter().chain(self.deviation.value());
        if values.chain(&self.samples).any(|value| !value.is_finite()) {
            return Some(format!("{name} is not a finite number"));
        }
        let median = *self.median.value()?;
        let outside = median < *lowest || median > *highest;
        outside.then(|| format!("{name} of {median:e} {} is not plausible", unit.symbol()))
    }
}

impl Peaks {
    /// Why these peaks are not plausible, if so: nothing was measured, or a figure is not plausible.
    pub fn implausible(&self) -> Option<String> {
        if self.figures.iter().all(|figure| figure.median.value().is_none()) {
            return Some("there is no figure".to_owned());
        }
        self.figures.iter().find_map(Peak::implausible)
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

    /// Reads the output of [`Peaks::to_json`].
    ///
    /// # Errors
    /// [`Error::Data`] if the text is not JSON, not peaks, of another version of the schema, or not plausible.
    pub fn from_json(text: &str) -> Result<Self> {
        let damaged = |words: String| Error::Data(format!("{words}; measure again with `gpubench peaks`"));
        let document: Document<String, Self> =
            serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
        if document.schema != PEAKS_SCHEMA || document.schema_version != PEAKS_SCHEMA_VERSION {
            let (name, version) = (document.schema, document.schema_version);
            return Err(damaged(format!("it holds {name:?} of version {version}")));
        }
        document.peaks.implausible().map_or(Ok(document.peaks), |words| Err(damaged(words)))
    }

    /// The highest median of `kind`, in its unit.
    pub fn highest(&self, kind: PeakKind) -> Option<f64> {
        self.of(kind).map(|(_, median)| median).max_by(f64::total_cmp)
    }

    /// The highest bandwidth of reading, writing or copying working sets of `bytes` or more, in 10^9 bytes per second:
    /// the upper bound for a kernel with a working set of this size. Above all measured sizes, that of the largest.
    pub fn bandwidth(&self, bytes: u64) -> Option<f64> {
        let kinds = [PeakKind::StorageRead, PeakKind::StorageWrite, PeakKind::StorageCopy];
        let all: Vec<(u64, f64)> = kinds.into_iter().flat_map(|kind| self.of(kind)).collect();
        let largest = all.iter().map(|(size, _)| *size).max()?;
        let enough = all.iter().filter(|(size, _)| *size >= bytes.min(largest));
        enough.map(|(_, median)| *median).max_by(f64::total_cmp)
    }

    /// Nanoseconds of an empty dispatch that depends on the one before: the lower bound for each kernel of a chain.
    pub fn launch_ns(&self) -> Option<f64> {
        self.highest(PeakKind::DependentDispatch)
    }

    /// Working set in bytes (0 without one) and median of each measured figure of `kind`.
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
    fn figures_that_no_device_reaches_are_not_plausible() {
        let implausible = |median| figure(PeakKind::StorageRead, 1, median).implausible();
        assert_eq!(implausible(500.0), None);
        for median in [0.0, -3.0, 1e9] {
            assert!(implausible(median).is_some_and(|words| words.contains("not plausible")), "{median}");
        }
        // A median that is not finite becomes missing, which is plausible; its sample is not.
        assert!(implausible(f64::INFINITY).is_some_and(|words| words.contains("not a finite")));
    }
}
