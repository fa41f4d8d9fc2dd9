//! The host's cores as a training target, checked, trained and described as an adapter is.

use super::{Cores, Level, check, engine};
use crate::bench::training_target::{LastTraining, OpenedTarget, TrainingEngine, TrainingTarget};
use crate::bench::{Job, Observer, ProfileOptions};
use crate::check::Report;
use crate::error::{Error, Result};
use crate::result::{Adapter, AdapterKind, Measured, RunResult, Timeline, TimestampGrade};
use crate::trainer::TrainingConfig;
use std::collections::BTreeMap;
use web_time::Instant;

/// The name of the target where an adapter is named, of its backend, and of its plan.
pub const NAME: &str = "cpu";

/// The cores of the host, to train on.
#[derive(Debug)]
pub struct CpuTarget {
    /// Name of the processor.
    pub name: String,
    /// Threads to start.
    pub threads: usize,
    /// Cores that the operating system lets this program use.
    pub cores: usize,
}

/// The threads, started.
#[derive(Debug)]
pub struct OpenedCpu<'a> {
    target: &'a CpuTarget,
    cores: Cores,
    config: TrainingConfig,
}

impl CpuTarget {
    /// `threads` threads on this machine, whose processor is called `name`; without a number as many as there are cores.
    ///
    /// # Errors
    /// [`Error::Usage`] for no threads at all.
    pub fn new(name: String, threads: Option<usize>) -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if threads == Some(0) {
            let advice = format!("choose --threads 1 or more; without it all {cores} cores are used");
            return Err(Error::Usage(format!("0 threads train nothing: {advice}")));
        }
        Ok(Self { name, threads: threads.unwrap_or(cores), cores })
    }

    /// What to say of more threads than cores, if there are more.
    pub fn remark(&self) -> Option<String> {
        (self.threads > self.cores).then(|| {
            format!("{} threads share {} cores: more threads than cores are no faster", self.threads, self.cores)
        })
    }

    /// One line: what a run begins with.
    pub fn line(&self) -> String {
        let threads = if self.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", self.threads) };
        format!("{} ({NAME}, {threads}, {})", self.name, Level::detect().name())
    }

    /// The target as results describe an adapter.
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
        let cores = Cores::start(self.threads, Level::detect())?;
        result.phases.device_s = start.elapsed().as_secs_f64().into();
        result.phases.compile_s = Measured::missing("the kernels are part of the program");
        result.plan.tuning.insert("threads".to_owned(), self.threads.to_string());
        result.plan.tuning.insert("simd".to_owned(), cores.level().name().to_owned());
        result.warnings.extend(self.remark());
        Ok(OpenedCpu { target: self, cores, config: config.clone() })
    }
}

impl OpenedTarget for OpenedCpu<'_> {
    async fn check(&self) -> Result<Report> {
        check::check(&self.cores, &self.config, &self.target.name)
    }

    fn engine(&self) -> impl TrainingEngine {
        engine::CpuEngine::new(&self.cores, &self.config)
    }

    async fn profile(
        &self,
        _job: &Job<'_>,
        _options: ProfileOptions,
        _last: LastTraining<'_>,
        result: &mut RunResult,
        _observer: &mut dyn Observer,
    ) -> Result<Timeline> {
        let reason = "the CPU target is timed as a whole, not by kernel";
        result.profile = Measured::missing(reason);
        result.account = Measured::missing(reason);
        Ok(Timeline { events: Vec::new(), alignment_ns: 0.0 })
    }
}

/// What to say where a profile of the target is asked for.
pub const NOT_PROFILED: &str =
    "the CPU target is timed as a whole, not by kernel: leave the profile out, or choose an adapter with --adapter";
