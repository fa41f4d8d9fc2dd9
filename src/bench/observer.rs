//! Observers of a run: they receive its progress and its result so far, and can stop it.

use crate::error::Result;
use crate::result::RunResult;
use crate::trainer::Metrics;

/// The progress of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The current timed training, from 1, and the number of trainings.
    pub repeat: (u32, u32),
    /// The current epoch, from 1, and the number of epochs.
    pub epoch: (u32, u32),
    /// Finished steps over all epochs of this training, and the number of steps.
    pub step: (u32, u32),
    /// Training images per second since the last report.
    pub images_per_s: f64,
    /// Mean loss and test error in per cent of the last finished epoch.
    pub last_epoch: Option<(f64, f64)>,
}

/// The state of a training between two steps.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// Steps of this training that were done before the current epoch.
    pub first_step: u32,
    /// Loss and correct predictions of each step of the current epoch so far.
    pub metrics: &'a [Metrics],
    /// The parameters, in the model's layout.
    pub parameters: &'a [f32],
}

/// Observes a run: shows its progress, stores its result, may stop it.
pub trait Observer {
    /// A phase of the run begins: "compile", "check", ...
    fn phase(&mut self, name: &str);
    /// Some steps have finished.
    fn progress(&mut self, progress: &Progress);
    /// Blocks for `seconds`, or until a stop is requested. Does nothing by default, as where blocking is impossible.
    fn wait(&mut self, _seconds: f64) {}
    /// Whether the observer wants a [`Snapshot`] now, within an epoch or at its end; never by default. Within an epoch
    /// the submitted steps are finished first, and the training's clock stands still until the observer has taken it.
    fn wants_snapshot(&self, _at_end_of_epoch: bool) -> bool {
        false
    }
    /// The snapshot that the observer wanted.
    fn snapshot(&mut self, _snapshot: &Snapshot<'_>) {}
    /// Blocks until the next training may begin; gives whether one shall. By default it shall, at once.
    fn next_training(&mut self) -> bool {
        true
    }
    /// Whether the run should stop after the current steps.
    fn stop_requested(&self) -> bool;
    /// Stores the result so far.
    ///
    /// # Errors
    /// [`crate::Error::Output`] if it cannot be stored, which ends the run.
    fn checkpoint(&mut self, result: &RunResult) -> Result<()>;
}
