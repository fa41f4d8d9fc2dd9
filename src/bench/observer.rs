//! How a run is watched: its progress, its result so far, and a stop from outside.

use crate::error::Result;
use crate::result::RunResult;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// The timed training at hand, from 1, and how many there are.
    pub repeat: (u32, u32),
    /// The epoch at hand, from 1, and how many there are.
    pub epoch: (u32, u32),
    /// Finished steps of all epochs of this training, and how many there are.
    pub step: (u32, u32),
    /// Training images per second since the last report.
    pub images_per_s: f64,
    /// Mean loss and test error in per cent of the last finished epoch.
    pub last_epoch: Option<(f64, f64)>,
}

/// Whoever watches a run: shows its progress, keeps its result, may stop it.
pub trait Observer {
    /// A part of the run begins: "compile", "check", ...
    fn phase(&mut self, name: &str);
    /// Some steps are done.
    fn progress(&mut self, progress: &Progress);
    /// Waits `seconds`, or until the run should end. Where nobody can wait, nothing happens.
    fn wait(&mut self, _seconds: f64) {}
    /// Whether the run should end at the next step.
    fn stop_requested(&self) -> bool;
    /// The result has grown and should be kept.
    ///
    /// # Errors
    /// [`Error::Output`] if it cannot be kept, which ends the run.
    fn checkpoint(&mut self, result: &RunResult) -> Result<()>;
}
