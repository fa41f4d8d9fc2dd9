//! Shows the progress of a run on stderr, writes its result to disk, and handles Ctrl-C.

use super::output::ResultFile;
use super::terminal;
use crate::bench::{self, Observer, Progress};
use crate::data::Identity;
use crate::error::Result;
use crate::result::{Epoch, Measured, Repeat, RunResult};
use crate::{escape, report};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Interval at which a pause checks for a requested stop.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Observes a run for the terminal.
pub struct TerminalObserver {
    bar: ProgressBar,
    file: ResultFile,
    previous: Option<RunResult>,
    stop: Arc<AtomicBool>,
    epochs_shown: usize,
    images_per_s: f64,
}

/// Whether Ctrl-C was pressed: the first one requests a stop, the second exits the program.
///
/// The first call installs the handler; before it Ctrl-C exits the program at once.
pub fn stop_flag() -> Arc<AtomicBool> {
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let listen = || {
        let stop = Arc::new(AtomicBool::new(false));
        let of_handler = stop.clone();
        let installed = ctrlc::set_handler(move || {
            if of_handler.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        });
        if let Err(error) = installed {
            terminal::message(&format!("Ctrl-C will end the program at once and lose the partial result: {error}"));
        }
        stop
    };
    STOP.get_or_init(listen).clone()
}

impl TerminalObserver {
    /// Observes a run whose result is written to `file`; Ctrl-C stops it as [`stop_flag`] describes.
    pub fn new(file: ResultFile) -> Self {
        Self::continuing(file, None)
    }

    /// As [`TerminalObserver::new`], for a run whose trainings are added to those of `previous`.
    pub fn continuing(file: ResultFile, previous: Option<RunResult>) -> Self {
        let bar = ProgressBar::no_length();
        Self { bar, file, previous, stop: stop_flag(), epochs_shown: 0, images_per_s: 0.0 }
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
        self.bar.set_message(message.to_owned());
        self.bar.enable_steady_tick(Duration::from_millis(120));
    }

    fn progress(&mut self, progress: &Progress) {
        let (step, steps) = progress.step;
        if self.bar.length() != Some(u64::from(steps)) || u64::from(step) < self.bar.position() {
            self.bar.disable_steady_tick();
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
        self.stop.load(Ordering::Relaxed)
    }

    fn checkpoint(&mut self, result: &RunResult) -> Result<()> {
        let epochs: Vec<(&Repeat, &Epoch)> =
            result.repeats.iter().flat_map(|repeat| repeat.epochs.iter().map(move |epoch| (repeat, epoch))).collect();
        for (repeat, epoch) in &epochs[self.epochs_shown.min(epochs.len())..] {
            self.print_line(&epoch_line(epoch, repeat, result));
        }
        self.epochs_shown = epochs.len();
        self.file.write(&self.with_previous(result))
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
