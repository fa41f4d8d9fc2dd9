//! Samples a device's sensor on a thread while a training runs.

use super::accumulator::Accumulator;
use super::energy::{self, Idle};
use super::host::thread_cpu_s;
use super::sensor::{Reading, Sensor};
use crate::result::{Energy, GpuLoad, Measured, Sampling};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// The highest number of readings per second.
const MOST_PER_S: f64 = 10.0;
/// The reason for a missing idle power.
const NO_POWER: &str = "no sensor reports power or energy";

/// Reads a sensor at the boundaries of a training's clock, and in between on a thread.
pub(super) struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Measured<f64>>>,
    /// The reading of a sensor without any figure, which has the reasons.
    unavailable: Option<Reading>,
    idle: Option<Measured<Idle>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    sensor: Box<dyn Sensor>,
    accumulator: Accumulator,
    running: bool,
    ended: bool,
}

impl Shared {
    /// A thread that panicked leaves consistent figures: each reading is added as a whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes readings while the clock runs, until the training ends; returns the CPU seconds of the thread.
    fn sample(&self) -> Measured<f64> {
        let mut state = self.lock();
        while !state.ended {
            let pause = Duration::from_secs_f64(1.0 / MOST_PER_S);
            let waited = self.changed.wait_timeout(state, pause).unwrap_or_else(std::sync::PoisonError::into_inner);
            state = waited.0;
            if waited.1.timed_out() && state.running && !state.ended {
                let reading = state.sensor.read();
                state.accumulator.add(&reading);
            }
        }
        thread_cpu_s()
    }
}

/// The figures of one training.
pub(super) struct Sampled {
    /// The statistics of the readings.
    pub(super) gpu: GpuLoad,
    /// The energy.
    pub(super) energy: Measured<Energy>,
    /// The cost of the readings.
    pub(super) sampling: Measured<Sampling>,
}

impl Sampler {
    /// A sampler of `sensor`, which is read once to find out whether it has any figure.
    pub(super) fn new(mut sensor: Box<dyn Sensor>) -> Self {
        let unavailable = Some(sensor.read()).filter(|reading| !reading.has_figures());
        let state = State { sensor, accumulator: Accumulator::default(), running: false, ended: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        Self { shared, thread: None, unavailable, idle: None }
    }

    /// Prepares for a training. Before the first one the idle power is measured, which takes the seconds that are
    /// returned.
    pub(super) fn begin(&mut self) -> Measured<f64> {
        let mut state = self.shared.lock();
        (state.accumulator, state.running, state.ended) = (Accumulator::default(), false, false);
        if let Some(reading) = &self.unavailable {
            state.accumulator.add(reading);
            return Measured::missing(NO_POWER);
        }
        let idle_s = match self.idle {
            Some(_) => Measured::missing("measured before the first training"),
            None if state.sensor.read().has_power() => {
                self.idle = Some(energy::idle(&mut *state.sensor, energy::IDLE_S));
                Measured::Value(energy::IDLE_S)
            }
            None => Measured::missing(NO_POWER),
        };
        drop(state);
        let shared = self.shared.clone();
        // Without a thread readings are taken at the ends of a training alone.
        self.thread = std::thread::Builder::new().spawn(move || shared.sample()).ok();
        idle_s
    }

    /// Called before the training's clock runs.
    pub(super) fn resume(&self) {
        if self.unavailable.is_none() {
            let mut state = self.shared.lock();
            let reading = state.sensor.read();
            state.accumulator.start(&reading);
            state.running = true;
            self.shared.changed.notify_all();
        }
    }

    /// Called after the training's clock stops.
    pub(super) fn pause(&self) {
        if self.unavailable.is_none() {
            let mut state = self.shared.lock();
            if state.running {
                state.running = false;
                let reading = state.sensor.read();
                state.accumulator.stop(&reading);
            }
        }
    }

    /// Ends a training of `window_s` seconds by its clock.
    pub(super) fn end(&mut self, window_s: f64) -> Sampled {
        self.pause();
        let cpu_s = self.join();
        let state = self.shared.lock();
        let idle = self.idle.clone().unwrap_or_else(|| Measured::missing(NO_POWER));
        let gpu = state.accumulator.gpu_load(state.sensor.source());
        let energy = energy::energy(&state.accumulator, state.sensor.subject(), window_s, &idle);
        let readings = state.accumulator.readings;
        let sampling = cpu_s.map(|cpu_s| Sampling {
            most_per_s: MOST_PER_S,
            readings,
            cpu_s,
            cpu_pct: if window_s > 0.0 { 100.0 * cpu_s / window_s } else { 0.0 },
        });
        Sampled { gpu, energy, sampling }
    }

    /// Ends the thread; returns its CPU seconds.
    fn join(&mut self) -> Measured<f64> {
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
        match (self.thread.take(), &self.unavailable) {
            (Some(thread), _) => thread.join().unwrap_or_else(|_| Measured::missing("the sampling thread panicked")),
            (None, Some(_)) => Measured::missing("no sensor reports anything, so that none is read"),
            (None, None) => Measured::missing("no training was begun, or the system refuses a thread for samples"),
        }
    }
}

impl Drop for Sampler {
    /// A run that is aborted leaves no thread behind.
    fn drop(&mut self) {
        let _ = self.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::sensor::Absent;

    /// A device that counts its readings, and reports the count as its load.
    struct Counting(u32);

    impl Sensor for Counting {
        fn source(&self) -> Measured<String> {
            Measured::Value("made up".into())
        }

        fn subject(&self) -> &'static str {
            "an imaginary board"
        }

        fn read(&mut self) -> Reading {
            self.0 += 1;
            Reading { busy_pct: f64::from(self.0).into(), ..Reading::missing("not reported") }
        }
    }

    #[test]
    fn readings_are_taken_while_the_clock_runs_at_most_ten_a_second() {
        let mut sampler = Sampler::new(Box::new(Counting(0)));
        assert!(sampler.begin().reason().is_some_and(|reason| reason.contains("power")));
        std::thread::sleep(Duration::from_millis(250));
        sampler.resume();
        let begun = std::time::Instant::now();
        std::thread::sleep(Duration::from_millis(450));
        sampler.pause();
        let running_s = begun.elapsed().as_secs_f64();
        std::thread::sleep(Duration::from_millis(250));
        let sampled = sampler.end(running_s);
        let sampling = sampled.sampling.value().copied().unwrap();
        let most = (MOST_PER_S * running_s).floor() as u32 + 1;
        assert!((2..=most).contains(&sampling.readings), "{sampling:?} of {most}");
        assert!(sampling.cpu_s >= 0.0 && sampling.cpu_s < running_s, "{sampling:?}");
        assert!(sampled.gpu.busy_pct.value().is_some() && sampled.energy.value().is_none());
    }

    #[test]
    fn a_second_training_starts_from_zero() {
        let mut sampler = Sampler::new(Box::new(Counting(0)));
        for _ in 0..2 {
            sampler.begin();
            sampler.resume();
            let sampled = sampler.end(0.01);
            assert_eq!(sampled.sampling.value().map(|sampling| sampling.readings), Some(1), "the one at the end");
        }
    }

    #[test]
    fn without_a_sensor_there_is_no_thread_but_a_reason() {
        let mut sampler = Sampler::new(Box::new(Absent("no such device".into())));
        assert_eq!(sampler.begin(), Measured::missing(NO_POWER));
        sampler.resume();
        sampler.pause();
        let sampled = sampler.end(1.0);
        assert!(sampler.thread.is_none());
        assert_eq!(sampled.gpu.busy_pct, Measured::missing("no such device"));
        assert_eq!(sampled.energy.reason(), Some("no such device"));
        assert!(sampled.sampling.value().is_none());
    }
}
