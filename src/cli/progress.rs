//! Shows the progress of a run on stderr and writes its result to disk.

use super::output::ResultFile;
use super::{interrupt, terminal};
use crate::bench::{self, Observer, Progress};
use crate::data::Identity;
use crate::error::Result;
use crate::result::{Epoch, Measured, Repeat, RunResult};
use crate::{escape, report};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Interval at which a pause checks for a requested stop.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How often a spinner moves.
const TICK_INTERVAL: Duration = Duration::from_millis(120);
/// How often progress is told where there is no terminal to show it on.
const TOLD_INTERVAL: Duration = Duration::from_secs(10);

/// Moves the spinner of `bar` on a terminal; elsewhere tells its state every 10 s. Ends when dropped.
pub struct Ticker(Option<(Sender<()>, JoinHandle<()>)>);

impl Ticker {
    /// Shows `bar`, whose messages are on `what`.
    pub fn start(bar: &ProgressBar, what: &'static str) -> Self {
        let (end, ended) = channel();
        let (bar, hidden, start) = (bar.clone(), bar.is_hidden(), Instant::now());
        let interval = if hidden { TOLD_INTERVAL } else { TICK_INTERVAL };
        let tick = move || {
            while ended.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                match bar.length() {
                    steps if hidden => {
                        let line = told(what, &bar.message(), steps.map(|steps| (bar.position(), steps)));
                        terminal::message(&format!("{line}, {:.0} s", start.elapsed().as_secs_f64()));
                    }
                    None => bar.tick(),
                    // Bars of steps move with the steps: no other thread draws while they are timed.
                    Some(_) => {}
                }
            }
        };
        // Where no thread can be started, there is less to see.
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(tick);
        Self(thread.ok().map(|thread| (end, thread)))
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        if let Some((end, thread)) = self.0.take() {
            drop(end);
            let _ = thread.join();
        }
    }
}

/// The state of a progress bar as words.
fn told(what: &str, message: &str, step: Option<(u64, u64)>) -> String {
    let step = step.map_or(String::new(), |(step, steps)| format!(", step {step} of {steps}"));
    format!("progress: {what}: {message}{step}")
}

/// Observes a run for the terminal.
pub struct TerminalObserver {
    bar: ProgressBar,
    _ticker: Ticker,
    file: ResultFile,
    previous: Option<RunResult>,
    /// The training and the epoch that were shown last.
    shown: (u32, u32),
    images_per_s: f64,
}

impl TerminalObserver {
    /// Observes a run whose result is written to `file`; signals stop it as [`interrupt`] describes.
    pub fn new(file: ResultFile) -> Self {
        Self::continuing(file, None)
    }

    /// As [`TerminalObserver::new`], for a run whose trainings are added to those of `previous`.
    pub fn continuing(file: ResultFile, previous: Option<RunResult>) -> Self {
        let bar = ProgressBar::no_length();
        let ticker = Ticker::start(&bar, "run");
        Self { bar, _ticker: ticker, file, previous, shown: (0, 0), images_per_s: 0.0 }
    }

    /// `result` combined with the previous trainings.
    pub fn with_previous(&self, result: &RunResult) -> RunResult {
        let mut combined = self.previous.clone().unwrap_or_else(|| result.clone());
        if self.previous.is_some() {
            bench::add_round(&mut combined, result);
        }
        combined
    }

    /// Removes the progress bar and returns the result file.
    pub fn finish(self) -> ResultFile {
        self.bar.finish_and_clear();
        self.file
    }

    /// Prints a line on stderr, above the progress bar if it is visible.
    pub(super) fn print_line(&self, line: &str) {
        let line = &escape::line(line);
        if self.bar.is_hidden() {
            terminal::message(line);
        } else {
            self.bar.println(line);
        }
    }
}

impl Observer for TerminalObserver {
    fn phase(&mut self, name: &str) {
        if name == "evaluate" {
            self.bar.set_message("evaluating");
            return;
        }
        self.bar.set_style(spinner());
        let message = match name {
            "device" => "opening the device",
            "compile" => "compiling shaders",
            "check" => "checking every kernel against the reference",
            "profile" => "profiling",
            "train" => "uploading the data",
            "cool down" => "pausing between trainings",
            other => other,
        };
        self.bar.unset_length();
        self.bar.set_message(message.to_owned());
    }

    fn progress(&mut self, progress: &Progress) {
        let (step, steps) = progress.step;
        if self.bar.length() != Some(u64::from(steps)) || u64::from(step) < self.bar.position() {
            self.bar.set_style(bar());
            self.bar.reset();
            self.bar.set_length(u64::from(steps));
        }
        // An exponential moving average, so that the figure is readable.
        let weight = if self.images_per_s == 0.0 { 1.0 } else { 0.2 };
        self.images_per_s += weight * (progress.images_per_s - self.images_per_s);
        let repeat = match progress.repeat {
            (_, 1) => String::new(),
            (repeat, repeats) => format!("training {repeat}/{repeats}, "),
        };
        let loss = progress.last_epoch.map_or(String::new(), |(loss, _)| format!(", loss {loss:.4}"));
        let (epoch, epochs) = progress.epoch;
        self.bar.set_message(format!("{repeat}epoch {epoch}/{epochs}{loss}, {:.0} images/s", self.images_per_s));
        self.bar.set_position(u64::from(step));
    }

    fn wait(&mut self, seconds: f64) {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while !self.stop_requested() && Instant::now() < end {
            std::thread::sleep(STOP_POLL_INTERVAL.min(end.saturating_duration_since(Instant::now())));
        }
    }

    fn stop_requested(&self) -> bool {
        interrupt::requested()
    }

    fn checkpoint(&mut self, result: &RunResult) -> Result<()> {
        let numbered = (1..).zip(&result.repeats);
        let epochs: Vec<(u32, &Repeat, &Epoch)> = numbered
            .flat_map(|(number, repeat)| repeat.epochs.iter().map(move |epoch| (number, repeat, epoch)))
            .collect();
        // A soak does not keep every epoch, so that their number tells nothing.
        for (number, repeat, epoch) in epochs {
            if (number, epoch.epoch) > self.shown {
                self.print_line(&(training(number, result) + &epoch_line(epoch, repeat, result)));
                self.shown = (number, epoch.epoch);
            }
        }
        self.file.write(&self.with_previous(result))
    }
}

/// The number of a training, if there are several.
fn training(number: u32, result: &RunResult) -> String {
    match (result.settings.repeat.value, &result.settings.stopping.target_ci_pct.value) {
        (1, Measured::Missing { .. }) => String::new(),
        (count, Measured::Missing { .. }) => format!("training {number}/{count}, "),
        _ => format!("training {number}, "),
    }
}

/// The figures of an epoch, or of a part of one; error rates on other data than MNIST are marked.
fn epoch_line(epoch: &Epoch, repeat: &Repeat, result: &RunResult) -> String {
    let number = report::epoch_words(epoch.epoch, repeat, result.steps_per_epoch());
    let of = match result.settings.stopping.soak_min.value {
        Measured::Missing { .. } if number.parse::<u32>().is_ok() => format!("/{}", result.settings.epochs.value),
        _ => String::new(),
    };
    let on = match result.data.identity {
        Identity::Mnist => "",
        Identity::Synthetic => " (synthetic)",
        Identity::Other => " (not MNIST)",
    };
    let figure = |value: &Measured<f64>, digits: usize| match value.value() {
        Some(value) => format!("{value:.digits$}"),
        None => "n/a".to_owned(),
    };
    format!(
        "epoch {number:>2}{of}: {:8.3} s, loss {}, training error {} %, test error {} %{on}",
        epoch.train_s,
        figure(&epoch.train_loss, 4),
        figure(&epoch.train_error_pct, 2),
        figure(&epoch.test_error_pct, 2),
    )
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn bar() -> ProgressStyle {
    ProgressStyle::with_template("{bar:30} {pos}/{len} steps, {eta} left, {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_in_words_names_phase_and_step() {
        assert_eq!(told("run", "checking", None), "progress: run: checking");
        assert_eq!(told("run", "epoch 1/10", Some((3, 4690))), "progress: run: epoch 1/10, step 3 of 4690");
    }
}
