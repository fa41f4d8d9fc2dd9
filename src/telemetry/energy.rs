//! The energy of a training, in total and beyond the idle power.

use super::accumulator::Accumulator;
use super::sensor::Sensor;
use crate::result::{Energy, Measured};
use std::time::{Duration, Instant};

/// Seconds of the measurement of the idle power.
pub(super) const IDLE_S: f64 = 1.5;
/// Readings in this time.
const IDLE_READINGS: u32 = 15;

/// The idle power, and how it was measured.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Idle {
    power_w: f64,
    method: &'static str,
}

/// Measures the idle power of a device for `seconds`: by its energy counter if it has one, else as the mean of
/// readings.
pub(super) fn idle(sensor: &mut dyn Sensor, seconds: f64) -> Measured<Idle> {
    let pause = Duration::from_secs_f64(seconds / f64::from(IDLE_READINGS));
    let begun = Instant::now();
    let first = sensor.read();
    let mut accumulator = Accumulator::default();
    accumulator.start(&first);
    for _ in 1..IDLE_READINGS {
        std::thread::sleep(pause);
        accumulator.add(&sensor.read());
    }
    std::thread::sleep(pause);
    accumulator.stop(&sensor.read());
    of_readings(&accumulator, begun.elapsed().as_secs_f64())
}

fn of_readings(accumulator: &Accumulator, seconds: f64) -> Measured<Idle> {
    match accumulator.energy_j() {
        Measured::Value(joules) => Measured::Value(Idle { power_w: joules / seconds, method: "the counter" }),
        Measured::Missing { .. } => {
            accumulator.mean_w().map(|power_w| Idle { power_w, method: "the mean of readings of power" })
        }
    }
}

/// The energy of a training of `window_s` seconds whose readings are `accumulator`.
pub(super) fn energy(
    accumulator: &Accumulator,
    subject: &str,
    window_s: f64,
    idle: &Measured<Idle>,
) -> Measured<Energy> {
    let (total_j, method) = match (accumulator.energy_j(), accumulator.mean_w()) {
        (Measured::Value(joules), _) => (joules, "growth of the energy counter over the training's clock".to_owned()),
        (_, Measured::Value(watts)) => {
            let method = format!("mean of {} readings of power times the training's clock", accumulator.readings);
            (watts * window_s, method)
        }
        // Both reasons are given, or one if they are equal.
        (Measured::Missing { reason }, Measured::Missing { reason: other }) => {
            return Measured::missing(if reason == other { reason } else { format!("{reason}; {other}") });
        }
    };
    let method = match idle.value() {
        Some(idle) => format!(
            "{method}; idle power by {} over {IDLE_S} s before the first training, the device opened and without work",
            idle.method
        ),
        None => method,
    };
    let idle_w = idle.clone().map(|idle| idle.power_w);
    let not_counted = || Measured::missing("the training's images were not counted");
    Measured::Value(Energy {
        of: subject.to_owned(),
        method,
        total_j,
        net_j: idle_w.clone().map(|idle_w| total_j - idle_w * window_s),
        idle_w,
        net_j_per_epoch: not_counted(),
        net_j_per_1000_images: not_counted(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::sensor::Reading;

    /// A board that reports a power of `idle_w`; its energy counter, if it has one, counts twice as much.
    struct Board {
        begun: Instant,
        idle_w: f64,
        counts: bool,
    }

    impl Sensor for Board {
        fn source(&self) -> Measured<String> {
            Measured::Value("made up".into())
        }

        fn subject(&self) -> &'static str {
            "an imaginary board"
        }

        fn read(&mut self) -> Reading {
            let energy_j = match self.counts {
                true => (2.0 * self.idle_w * self.begun.elapsed().as_secs_f64()).into(),
                false => Measured::missing("no counter"),
            };
            Reading { power_w: self.idle_w.into(), energy_j, ..Reading::missing("not reported") }
        }
    }

    fn accumulator(power_w: Measured<f64>, energy: Measured<(f64, f64)>) -> Accumulator {
        let reading = |energy_j| Reading { power_w: power_w.clone(), energy_j, ..Reading::missing("not reported") };
        let mut accumulator = Accumulator::default();
        accumulator.start(&reading(energy.clone().map(|(begin, _)| begin)));
        accumulator.stop(&reading(energy.map(|(_, end)| end)));
        accumulator
    }

    #[test]
    fn the_idle_power_comes_from_the_counter_where_there_is_one() {
        let mut board = Board { begun: Instant::now(), idle_w: 40.0, counts: false };
        let by_power = idle(&mut board, 0.03);
        assert_eq!(by_power.value().map(|idle| idle.power_w), Some(40.0));
        board.counts = true;
        let by_counter = idle(&mut board, 0.03).value().unwrap().power_w;
        // The counter is read after the clock; on a busy machine the delay is long.
        assert!((60.0..=100.0).contains(&by_counter), "{by_counter}");
    }

    #[test]
    fn energy_is_the_counters_growth_less_the_idle_power() {
        let idle = Measured::Value(Idle { power_w: 50.0, method: "the counter" });
        let counted = energy(&accumulator(999.0.into(), Measured::Value((1000.0, 3000.0))), "a board", 10.0, &idle);
        let counted = counted.value().unwrap();
        assert_eq!((counted.total_j, counted.net_j.clone()), (2000.0, Measured::Value(1500.0)));
        assert!(counted.method.contains("counter") && counted.method.contains("idle power"), "{}", counted.method);
    }

    #[test]
    fn without_a_counter_it_is_power_times_time_and_without_either_it_is_missing() {
        let none = Measured::missing("no counter");
        let unknown = Measured::missing("not measured");
        let by_power = energy(&accumulator(200.0.into(), none.clone()), "a board", 10.0, &unknown);
        let by_power = by_power.value().unwrap();
        assert_eq!((by_power.total_j, by_power.net_j.clone()), (2000.0, Measured::missing("not measured")));
        assert!(by_power.method.contains("readings of power") && !by_power.method.contains("idle"));
        let nothing = energy(&accumulator(Measured::missing("no sensor"), none), "a board", 10.0, &unknown);
        assert_eq!(nothing.reason(), Some("no counter; no sensor"));
    }
}
