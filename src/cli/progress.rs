//! Shows how a run goes on stderr, keeps its result on disk, and hears Ctrl-C.

use super::output::ResultFile;
use super::terminal;
use crate::bench::{self, Observer, Progress};
use crate::data::Identity;
use crate::error::Result;
use crate::result::{Epoch, Measured, RunResult};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// How long a pause may go on after somebody asked for its end.
const WAIT_STEP: Duration = Duration::from_millis(50);

/// Watches a run from a terminal.
pub struct TerminalObserver {
    bar: ProgressBar,
    file: ResultFile,
    before: Option<RunResult>,
    stop: Arc<AtomicBool>,
    epochs_told: usize,
    images_per_s: f64,
}

/// Whether somebody pressed Ctrl-C: the first one asks for a stop, the second ends the program.
///
/// The first call makes the program listen; before it Ctrl-C ends the program at once.
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
            terminal::talk(&format!("Ctrl-C will end the program at once and lose the partial result: {error}"));
        }
        stop
    };
    STOP.get_or_init(listen).clone()
}

impl TerminalObserver {
    /// Watches a run whose result belongs in `file`; Ctrl-C stops it as [`stop_flag`] says.
    pub fn new(file: ResultFile) -> Self {
        Self::adding_to(file, None)
    }

    /// As [`TerminalObserver::new`], for a run whose trainings are to be added to those of `before`.
    pub fn adding_to(file: ResultFile, before: Option<RunResult>) -> Self {
        let bar = ProgressBar::no_length();
        Self { bar, file, before, stop: stop_flag(), epochs_told: 0, images_per_s: 0.0 }
    }

    /// `result` with the trainings before it.
    pub fn whole(&self, result: &RunResult) -> RunResult {
        let mut whole = self.before.clone().unwrap_or_else(|| result.clone());
        if self.before.is_some() {
            bench::add_round(&mut whole, result);
        }
        whole
    }

    /// Takes the progress bar away and gives the result file back.
    pub fn finish(self) -> ResultFile {
        self.bar.finish_and_clear();
        self.file
    }

    /// A line on stderr, above the bar where there is one.
    pub(super) fn say(&self, line: &str) {
        if self.bar.is_hidden() {
            terminal::talk(line);
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
        // A mean that forgets, so that the figure can be read.
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
            std::thread::sleep(WAIT_STEP.min(end.saturating_duration_since(Instant::now())));
        }
    }

    fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn checkpoint(&mut self, result: &RunResult) -> Result<()> {
        let epochs: Vec<&Epoch> = result.repeats.iter().flat_map(|repeat| &repeat.epochs).collect();
        for epoch in &epochs[self.epochs_told.min(epochs.len())..] {
            self.say(&epoch_line(epoch, result));
        }
        self.epochs_told = epochs.len();
        self.file.write(&self.whole(result))
    }
}

/// What an epoch brought; an error rate on anything but MNIST says so.
fn epoch_line(epoch: &Epoch, result: &RunResult) -> String {
    let of = match result.settings.stopping.soak_min.value {
        Measured::Value(_) => String::new(),
        Measured::Missing { .. } => format!("/{}", result.settings.epochs.value),
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
        "epoch {:>2}{of}: {:8.3} s, loss {}, training error {} %, test error {} %{on}",
        epoch.epoch,
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
