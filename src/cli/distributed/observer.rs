//! What a rank observes: rank 0 shows progress and writes the result, and all of them stop when another one fails. What
//! it measures of its machine: only what is its own.

use crate::bench::probe::Probe;
use crate::bench::{Observer, Progress, Snapshot};
use crate::cli::interrupt;
use crate::cli::progress::TerminalObserver;
use crate::distributed::World;
use crate::error::Result;
use crate::result::{Load, Measured, RunResult};

/// Observes the run of a rank.
pub struct RankObserver<'a> {
    /// Of rank 0.
    pub shown: Option<TerminalObserver>,
    /// The ranks.
    pub world: &'a World,
}

impl Observer for RankObserver<'_> {
    fn phase(&mut self, name: &str) {
        if let Some(shown) = &mut self.shown {
            shown.phase(name);
        }
    }

    fn progress(&mut self, progress: &Progress) {
        if let Some(shown) = &mut self.shown {
            shown.progress(progress);
        }
    }

    fn wait(&mut self, seconds: f64) {
        // The others wait for rank 0 in the next training.
        if let Some(shown) = &mut self.shown {
            shown.wait(seconds);
        }
    }

    fn snapshot(&mut self, _snapshot: &Snapshot<'_>) {}

    fn stop_requested(&self) -> bool {
        interrupt::requested() || self.world.failure().is_some()
    }

    fn checkpoint(&mut self, result: &RunResult) -> Result<()> {
        self.shown.as_mut().map_or(Ok(()), |shown| shown.checkpoint(result))
    }
}

/// Measures what a rank uses of its machine, of which others may be too.
pub struct RankProbe<'a> {
    /// Measures what this process uses.
    pub own: &'a dyn Probe,
    /// Number of ranks.
    pub ranks: usize,
    /// Ranks on this host.
    pub on_host: usize,
}

impl Probe for RankProbe<'_> {
    fn begin(&self) -> Measured<f64> {
        self.own.begin()
    }

    fn resume(&self) {
        self.own.resume();
    }

    fn pause(&self) {
        self.own.pause();
    }

    fn end(&self) -> Measured<Load> {
        self.own.end().map(|mut load| {
            if self.on_host > 1 {
                load.other_cpus = Measured::missing("other ranks computed on the same host");
            }
            if self.ranks > 1 {
                load.energy = Measured::missing("the sensors of several ranks are not added up");
            }
            load
        })
    }
}
