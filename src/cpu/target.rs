//! The host's CPU as a training target, checked, trained and described as an adapter is.

use super::check;
use super::engine::{CpuEngine, Pause};
use super::simd::SimdLevel;
use super::trainer::{CpuThreads, MOST_THREADS};
use crate::bench::training_target::{LastTraining, OpenedTarget, TrainingEngine, TrainingTarget};
use crate::bench::{Job, Observer, OpenedHostMember as _, ProfileOptions};
use crate::check::Report;
use crate::error::{Error, Result};
use crate::result::{Adapter, AdapterKind, Measured, RunResult, Timeline, TimestampGrade};
use crate::trainer::TrainingConfig;
use std::collections::BTreeMap;
use web_time::Instant;

/// The name of the target in place of an adapter's name, of its backend and of its plan.
pub const NAME: &str = "cpu";

/// The host's CPU as a training target.
#[derive(Debug)]
pub struct CpuTarget {
    /// Name of the processor.
    pub name: String,
    /// Number of threads to start.
    pub threads: usize,
    /// Cores that the operating system lets this process use.
    pub cores: usize,
    /// Lets other tasks of the current thread run; nothing by default.
    pub pause: Pause,
    /// Share of the time of steps that is waited after them, in percent: a known slowdown for experiments.
    pub slowdown_pct: f64,
}

/// The target with its threads started.
#[derive(Debug)]
pub struct OpenedCpu<'a> {
    target: &'a CpuTarget,
    threads: CpuThreads,
    config: TrainingConfig,
}

impl CpuTarget {
    /// A target of `threads` threads, by default as many as there are cores; `name` is the name of the processor.
    ///
    /// # Errors
    /// [`Error::Usage`] as [`CpuThreads::expect`].
    pub fn new(name: String, threads: Option<usize>) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_THREADS);
        threads.map_or(Ok(()), CpuThreads::expect)?;
        let pause: Pause = || Box::pin(std::future::ready(()));
        Ok(Self { name, threads: threads.unwrap_or(cores), cores, pause, slowdown_pct: 0.0 })
    }

    /// The warning for more threads than cores.
    pub fn oversubscription_warning(&self) -> Option<String> {
        (self.threads > self.cores).then(|| {
            format!("{} threads share {} cores: more threads than cores are no faster", self.threads, self.cores)
        })
    }

    /// One line for people, which a run prints first.
    pub fn line(&self) -> String {
        let threads = if self.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", self.threads) };
        format!("{} ({NAME}, {threads}, {})", self.name, SimdLevel::detect().name())
    }

    /// The target in the form in which results describe an adapter.
    pub fn describe(&self) -> Adapter {
        let none = "the program computes by itself, without a driver";
        Adapter {
            name: self.name.clone(),
            kind: AdapterKind::Cpu,
            software: false,
            backend: NAME.to_owned(),
            driver: Measured::missing(none),
            driver_info: Measured::missing(none),
            vendor_id: Measured::missing(none),
            device_id: Measured::missing(none),
            pci_bus_id: Measured::missing(none),
            timestamps: TimestampGrade::None,
            limits: BTreeMap::new(),
            features: Vec::new(),
        }
    }
}

impl TrainingTarget for CpuTarget {
    type Opened<'a> = OpenedCpu<'a>;

    async fn open(
        &self,
        _job: &Job<'_>,
        config: &TrainingConfig,
        result: &mut RunResult,
        observer: &mut dyn Observer,
    ) -> Result<OpenedCpu<'_>> {
        observer.phase("device");
        let start = Instant::now();
        let threads = CpuThreads::start(self.threads, SimdLevel::detect())?;
        result.phases.device_s = start.elapsed().as_secs_f64().into();
        result.phases.compile_s = Measured::missing("the kernels are part of the program");
        result.plan.tuning.extend(threads.tuning().into_iter().map(|(name, value)| (name.to_owned(), value)));
        result.warnings.extend(self.oversubscription_warning());
        if self.slowdown_pct > 0.0 {
            result.standard = false;
            result.non_standard.push(format!("slowed down by {} % for an experiment", self.slowdown_pct));
        }
        Ok(OpenedCpu { target: self, threads, config: config.clone() })
    }
}

impl OpenedTarget for OpenedCpu<'_> {
    async fn check(&self) -> Result<Report> {
        check::check(&self.threads, &self.config, &self.target.name)
    }

    fn engine(&self) -> impl TrainingEngine {
        CpuEngine::new(&self.threads, &self.config, self.target.pause, self.target.slowdown_pct)
    }

    fn reason_not_to_profile(&self) -> Option<&'static str> {
        Some("the CPU target is timed as a whole, not by kernel")
    }

    async fn profile(
        &self,
        _job: &Job<'_>,
        _options: ProfileOptions,
        _last: LastTraining<'_>,
        _result: &mut RunResult,
        _observer: &mut dyn Observer,
    ) -> Result<Timeline> {
        Err(Error::Usage(NOT_PROFILED.to_owned()))
    }
}

/// The message for a profile of the CPU target, which is not supported.
pub const NOT_PROFILED: &str =
    "the CPU target is timed as a whole, not by kernel: leave the profile out, or choose an adapter with --adapter";
