//! Statistics of the readings of one training.

use super::sensor::Reading;
use crate::result::{GpuLoad, Measured, Spread, Throttling};
use std::collections::BTreeSet;

/// The reason for figures of a training without a reading.
const NEVER_READ: &str = "the training ended before anything was read";

/// The accumulated readings of one training.
#[derive(Debug, Default)]
pub(super) struct Accumulator {
    /// Number of readings.
    pub(super) readings: u32,
    busy_pct: Series,
    memory_bytes: Series,
    core_clock_mhz: Series,
    memory_clock_mhz: Series,
    temperature_c: Series,
    power_w: Series,
    throttled: Series,
    reasons: BTreeSet<String>,
    /// The energy counter at the beginning of the current interval.
    interval_start: Option<Measured<f64>>,
    energy: Option<Measured<f64>>,
    /// The reason of the first reading without an energy counter.
    counter_reason: Option<String>,
}

impl Accumulator {
    /// Begins an interval of the training's clock; only the energy counter of `reading` is used, as its other figures
    /// describe the time before.
    pub(super) fn start(&mut self, reading: &Reading) {
        self.interval_start = Some(reading.energy_j.clone());
    }

    /// Adds a reading within an interval, or at its end.
    pub(super) fn add(&mut self, reading: &Reading) {
        self.readings += 1;
        if let (None, Some(reason)) = (&self.counter_reason, reading.energy_j.reason()) {
            self.counter_reason = Some(reason.to_owned());
        }
        self.busy_pct.add(&reading.busy_pct);
        self.memory_bytes.add(&reading.memory_bytes.clone().map(|bytes| bytes as f64));
        self.core_clock_mhz.add(&reading.core_clock_mhz);
        self.memory_clock_mhz.add(&reading.memory_clock_mhz);
        self.temperature_c.add(&reading.temperature_c);
        self.power_w.add(&reading.power_w);
        self.throttled.add(&reading.throttling.clone().map(|reasons| if reasons.is_empty() { 0.0 } else { 100.0 }));
        self.reasons.extend(reading.throttling.value().into_iter().flatten().cloned());
    }

    /// Adds the reading at the end of the interval, and the energy of the interval.
    pub(super) fn stop(&mut self, reading: &Reading) {
        self.add(reading);
        let Some(begin) = self.interval_start.take() else { return };
        let before = self.energy.take().unwrap_or(Measured::Value(0.0));
        let grown = |before: &f64| begin.and_then(|begin| reading.energy_j.clone().map(|end| before + end - begin));
        self.energy = Some(before.and_then(grown));
    }

    /// Growth of the energy counter over all intervals, J.
    pub(super) fn energy_j(&self) -> Measured<f64> {
        let none = || Measured::missing(self.counter_reason.as_deref().unwrap_or(NEVER_READ));
        self.energy.clone().unwrap_or_else(none)
    }

    /// The mean power, W.
    pub(super) fn mean_w(&self) -> Measured<f64> {
        self.power_w.spread().map(|spread| spread.mean)
    }

    /// The statistics of all readings.
    pub(super) fn gpu_load(&self, source: Measured<String>) -> GpuLoad {
        GpuLoad {
            source,
            busy_pct: self.busy_pct.spread(),
            memory_bytes: self.memory_bytes.spread().map(|spread| spread.highest as u64),
            core_clock_mhz: self.core_clock_mhz.spread(),
            memory_clock_mhz: self.memory_clock_mhz.spread(),
            temperature_c: self.temperature_c.spread(),
            power_w: self.power_w.spread(),
            throttling: self
                .throttled
                .spread()
                .map(|spread| Throttling { share_pct: spread.mean, reasons: self.reasons.iter().cloned().collect() }),
        }
    }
}

/// The statistics of one figure.
#[derive(Debug, Default)]
struct Series {
    count: u32,
    lowest: f64,
    sum: f64,
    highest: f64,
    reason: Option<String>,
}

impl Series {
    fn add(&mut self, figure: &Measured<f64>) {
        match figure {
            Measured::Value(value) => {
                self.lowest = if self.count == 0 { *value } else { self.lowest.min(*value) };
                self.highest = if self.count == 0 { *value } else { self.highest.max(*value) };
                self.sum += value;
                self.count += 1;
            }
            Measured::Missing { reason } => {
                self.reason.get_or_insert_with(|| reason.clone());
            }
        }
    }

    /// The statistics of the readings with the figure; missing for the first reason if there is none.
    fn spread(&self) -> Measured<Spread> {
        let mean = self.sum / f64::from(self.count);
        let spread = (self.count > 0).then_some(Spread { lowest: self.lowest, mean, highest: self.highest });
        Measured::or_missing(spread, self.reason.as_deref().unwrap_or(NEVER_READ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(power_w: f64, energy_j: Measured<f64>, throttling: &[&str]) -> Reading {
        Reading {
            power_w: power_w.into(),
            energy_j,
            throttling: Measured::Value(throttling.iter().map(|&word| word.to_owned()).collect()),
            ..Reading::missing("not reported")
        }
    }

    #[test]
    fn energy_is_counted_within_intervals_only() {
        let mut accumulator = Accumulator::default();
        for (begin, end) in [(100.0, 130.0), (500.0, 512.0)] {
            accumulator.start(&reading(900.0, begin.into(), &[]));
            accumulator.add(&reading(50.0, (begin + 1.0).into(), &["power limit"]));
            accumulator.stop(&reading(70.0, end.into(), &[]));
        }
        assert_eq!(accumulator.energy_j(), Measured::Value(42.0));
        assert_eq!(accumulator.mean_w(), Measured::Value(60.0), "readings before an interval do not count");
        let load = accumulator.gpu_load(Measured::Value("made up".into()));
        assert_eq!(load.power_w, Measured::Value(Spread { lowest: 50.0, mean: 60.0, highest: 70.0 }));
        let throttling = Throttling { share_pct: 50.0, reasons: vec!["power limit".into()] };
        assert_eq!(load.throttling, Measured::Value(throttling));
        assert_eq!((accumulator.readings, load.busy_pct), (4, Measured::missing("not reported")));
    }

    #[test]
    fn a_counter_that_fails_once_gives_no_sum_and_no_reading_has_a_reason() {
        let mut accumulator = Accumulator::default();
        accumulator.start(&reading(1.0, 1.0.into(), &[]));
        accumulator.stop(&reading(1.0, Measured::missing("it broke"), &[]));
        accumulator.start(&reading(1.0, 1.0.into(), &[]));
        accumulator.stop(&reading(1.0, 9.0.into(), &[]));
        assert_eq!(accumulator.energy_j(), Measured::missing("it broke"));
        assert_eq!(Accumulator::default().energy_j(), Measured::missing(NEVER_READ));
        assert_eq!(Accumulator::default().mean_w(), Measured::missing(NEVER_READ));
    }
}
