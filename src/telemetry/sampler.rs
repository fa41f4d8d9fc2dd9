//! The thread that reads a device's sensor while a training runs.

use super::accumulator::Accumulator;
use super::energy::{self, Idle};
use super::host::thread_cpu_s;
use super::sensor::{Reading, Sensor};
use crate::result::{Energy, GpuLoad, Measured, Sampling};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// Readings in a second at most.
const MOST_PER_S: f64 = 10.0;
/// Why there is no idle power.
const NO_POWER: &str = "no sensor tells power or energy";

/// Reads a sensor at the borders of a training's clock, and in between on a thread of its own.
pub(super) struct Sampler {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Measured<f64>>>,
    /// The reasons of a sensor that tells nothing.
    silent: Option<Reading>,
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
    /// A thread that panicked leaves figures that are whole: each reading is added at once.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Takes readings while the clock runs, until the training has ended; returns the CPU seconds that this took.
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

/// What a training's readings say.
pub(super) struct Sampled {
    /// Of the device.
    pub(super) gpu: GpuLoad,
    /// Of its energy.
    pub(super) energy: Measured<Energy>,
    /// Of the readings themselves.
    pub(super) sampling: Measured<Sampling>,
}

impl Sampler {
    /// Reads `sensor`, once now to find out whether it tells anything.
    pub(super) fn new(mut sensor: Box<dyn Sensor>) -> Self {
        let silent = Some(sensor.read()).filter(|reading| !reading.tells_anything());
        let state = State { sensor, accumulator: Accumulator::default(), running: false, ended: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        Self { shared, thread: None, silent, idle: None }
    }

    /// A training is about to start; before the first one the power without work is measured, which takes the seconds returned.
    pub(super) fn begin(&mut self) -> Measured<f64> {
        let mut state = self.shared.lock();
        (state.accumulator, state.running, state.ended) = (Accumulator::default(), false, false);
        if let Some(reading) = &self.silent {
            state.accumulator.add(reading);
            return Measured::missing(NO_POWER);
        }
        let idle_s = match self.idle {
            Some(_) => Measured::missing("measured before the first training"),
            None if energy::measurable(&state.sensor.read()) => {
                self.idle = Some(energy::idle(&mut *state.sensor, energy::IDLE_S));
                Measured::Value(energy::IDLE_S)
            }
            None => Measured::missing(NO_POWER),
        };
        drop(state);
        let shared = self.shared.clone();
        self.thread = Some(std::thread::spawn(move || shared.sample()));
        idle_s
    }

    /// The training's clock is about to run.
    pub(super) fn resume(&self) {
        if self.silent.is_none() {
            let mut state = self.shared.lock();
            let reading = state.sensor.read();
            state.accumulator.start(&reading);
            state.running = true;
            self.shared.changed.notify_all();
        }
    }

    /// The training's clock stands still.
    pub(super) fn pause(&self) {
        if self.silent.is_none() {
            let mut state = self.shared.lock();
            if state.running {
                state.running = false;
                let reading = state.sensor.read();
                state.accumulator.stop(&reading);
            }
        }
    }

    /// The training has ended, after `window_s` seconds of its clock.
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
        match (self.thread.take(), &self.silent) {
            (Some(thread), _) => {
                thread.join().unwrap_or_else(|_| Measured::missing("the thread of the readings panicked"))
            }
            (None, Some(_)) => Measured::missing("no sensor tells anything, so that none is read"),
            (None, None) => Measured::missing("no training was begun"),
        }
    }
}

impl Drop for Sampler {
    /// A run that broke off leaves no thread behind.
    fn drop(&mut self) {
        let _ = self.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::sensor::Absent;

    /// A device that counts how often it was asked, and whose power is that count.
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
            Reading { busy_pct: f64::from(self.0).into(), ..Reading::missing("not told") }
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
    fn a_second_training_begins_anew() {
        let mut sampler = Sampler::new(Box::new(Counting(0)));
        for _ in 0..2 {
            sampler.begin();
            sampler.resume();
            let sampled = sampler.end(0.01);
            assert_eq!(sampled.sampling.value().map(|sampling| sampling.readings), Some(1), "the one at the end");
        }
    }

    #[test]
    fn where_nobody_tells_there_is_no_thread_but_a_reason() {
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
