//! The subject of a run: a training target, and its description before it is opened.

use super::flags::AUTO;
use super::pipeline_cache::PipelineCacheGuard;
use super::run_args::RunArgs;
use super::{panics, peaks, terminal, tune};
use crate::bench::{self, AdapterTarget, DataParallelTarget, Device, Finished, Job, Observer, ProfileOptions};
use crate::cpu::CpuTarget;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters};
use crate::kernels::{layered, plan_named};
use crate::result::{Adapter, Measured, Peaks, RunResult, Settings, Tuning, no_peaks, no_tuning};
use crate::telemetry::MachineProbe;
use web_time::Instant;

/// The largest batch for which the fastest plan is searched.
const LARGEST_TUNED_BATCH: u32 = 4096;

/// A training target of any kind.
pub enum Trainable<'a> {
    /// One adapter.
    Adapter(AdapterTarget<'a>),
    /// The host's cores.
    Cpu(CpuTarget),
    /// Several devices in parallel.
    DataParallel(DataParallelTarget<'a>),
}

impl Trainable<'_> {
    /// Runs the protocol on the target, and records in `result` how it ended.
    ///
    /// # Errors
    /// As [`bench::run`], and where the graphics library panics.
    pub fn run(&self, job: &Job<'_>, result: &mut RunResult, observer: &mut dyn Observer) -> Result<Finished> {
        let outcome = match self {
            Self::Adapter(target) => panics::block_on(bench::run(target, job, result, observer)),
            Self::Cpu(target) => panics::block_on(bench::run(target, job, result, observer)),
            Self::DataParallel(target) => panics::block_on(bench::run(target, job, result, observer)),
        };
        if let Err(error) = &outcome {
            bench::record_failure(error, result);
        }
        outcome
    }
}

/// The subject of a run.
pub struct Subject<'a> {
    /// The training target.
    pub trainable: Trainable<'a>,
    /// Name in messages and in the result's file name.
    pub name: String,
    /// Description for results.
    pub adapter: Adapter,
    /// The settings of the run.
    pub settings: Settings,
    /// Seconds that finding it took.
    pub adapter_s: f64,
    /// The tuning that chose the plan.
    pub tuning: Measured<Tuning>,
    /// Seconds that choosing the plan took.
    pub tune_s: Measured<f64>,
    /// Measured peaks.
    pub peaks: Measured<Peaks>,
    /// Seconds that measuring the peaks took.
    pub peaks_s: Measured<f64>,
    /// Measures the resources that trainings use.
    pub probe: MachineProbe,
}

impl<'a> Subject<'a> {
    /// One adapter, without tuning and peaks.
    pub fn on_adapter(adapters: &'a Adapters, adapter: &'a AdapterInfo, args: &RunArgs, settings: Settings) -> Self {
        Self {
            trainable: Trainable::Adapter(AdapterTarget { adapters, adapter, checked: args.checked }),
            name: adapter.name.clone(),
            adapter: bench::describe_adapter(adapter),
            settings,
            adapter_s: 0.0,
            tuning: no_tuning(),
            tune_s: no_tuning(),
            peaks: no_peaks(),
            peaks_s: no_peaks(),
            probe: MachineProbe::new(&[adapter]),
        }
    }

    /// Enables the pipeline cache of each adapter, as [`PipelineCacheArgs::guard`] does.
    ///
    /// [`PipelineCacheArgs::guard`]: super::pipeline_cache::PipelineCacheArgs::guard
    pub fn pipeline_cache_guards(&self, args: &RunArgs) -> Vec<PipelineCacheGuard<'a>> {
        match &self.trainable {
            Trainable::Adapter(target) => vec![args.pipelines.guard(target.adapters, target.adapter)],
            Trainable::Cpu(_) => Vec::new(),
            Trainable::DataParallel(target) => {
                let mut adapters: Vec<&AdapterInfo> = target.devices.iter().filter_map(Device::adapter).collect();
                adapters.sort_by_key(|adapter| adapter.index);
                adapters.dedup_by_key(|adapter| adapter.index);
                adapters.into_iter().map(|adapter| args.pipelines.guard(target.adapters, adapter)).collect()
            }
        }
    }

    /// Replaces the plan "auto" of a single adapter by the fastest plan by measurement, or by the default for this kind
    /// of adapter.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if there is no such plan, or the error that ended the search.
    pub fn choose_plan(&mut self, no_tune: bool) -> Result<()> {
        let Trainable::Adapter(AdapterTarget { adapters, adapter, .. }) = self.trainable else { return Ok(()) };
        let start = Instant::now();
        let plan = &mut self.settings.plan.value;
        if plan != AUTO {
            return plan_named(plan).map(|_| ());
        }
        let batch = self.settings.batch.value;
        if self.settings.quick.value {
            self.choose_quick_plan(adapter);
            return Ok(());
        }
        // For larger batches the search takes longer than it saves.
        if no_tune || batch > LARGEST_TUNED_BATCH {
            bench::shipped_plan(adapter).clone_into(plan);
            return Ok(());
        }
        let tuning = tune::cached_or_measured(adapters, adapter, batch)?;
        tuning.best().unwrap_or(bench::shipped_plan(adapter)).clone_into(plan);
        let source = if tuning.cached { "the fastest, from the cache" } else { "the fastest" };
        terminal::message(&format!("plan: {plan} ({source})"));
        self.tuning = Measured::Value(tuning);
        self.tune_s = start.elapsed().as_secs_f64().into();
        Ok(())
    }

    /// The plan of a quick run, for which searching takes too long: the fastest if it is known, else the default. On a
    /// software adapter it is the one that compiles fastest, as the others take minutes there where nothing is cached.
    fn choose_quick_plan(&mut self, adapter: &AdapterInfo) {
        let cached = tune::cached(adapter, self.settings.batch.value).filter(|_| !adapter.software);
        let (plan, reason) = match cached.as_ref().and_then(Tuning::best) {
            _ if adapter.software => (layered::NAME, "the first to be compiled"),
            Some(plan) => (plan, "the fastest, from the cache"),
            None => (bench::shipped_plan(adapter), "not tuned"),
        };
        plan.clone_into(&mut self.settings.plan.value);
        terminal::message(&format!("plan: {plan} (a quick run: {reason})"));
        self.tuning = cached.map_or_else(no_tuning, Measured::Value);
    }

    /// How to profile after the training; several devices cannot be profiled together.
    pub fn profile_options(&self, args: &RunArgs) -> Option<ProfileOptions> {
        args.profile_options().filter(|_| !matches!(self.trainable, Trainable::DataParallel(_)))
    }

    /// Whether the plan was searched for in this run on an adapter with a processor of its own: its peaks, which take
    /// less time than the search and are cached like it, are measured once too, so that the short profile has them.
    pub fn is_gpu_tuned_in_this_run(&self) -> bool {
        let Trainable::Adapter(AdapterTarget { adapter, .. }) = self.trainable else { return false };
        !adapter.software && self.tuning.value().is_some_and(|tuning| !tuning.cached)
    }

    /// Takes the peaks of a single adapter from the cache, if it has them.
    pub fn cached_peaks(&mut self) {
        let Trainable::Adapter(AdapterTarget { adapter, .. }) = self.trainable else { return };
        if let Some(peaks) = peaks::cached(adapter) {
            self.peaks = Measured::Value(peaks);
        }
    }

    /// Measures the peaks of a single adapter, or reads them from the cache unless `fresh`. A failure is reported on
    /// stderr only, since a profile works without peaks.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if a signal stopped it.
    pub fn measure_peaks(&mut self, fresh: bool) -> Result<()> {
        let Trainable::Adapter(AdapterTarget { adapters, adapter, .. }) = self.trainable else { return Ok(()) };
        let start = Instant::now();
        self.peaks = match peaks::for_profile(adapters, adapter, fresh) {
            Ok(peaks) => Measured::Value(peaks),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => {
                terminal::message(&format!("note: the peaks could not be measured: {error}"));
                Measured::missing(error.to_string())
            }
        };
        self.peaks_s = self.peaks.clone().map(|_| start.elapsed().as_secs_f64());
        Ok(())
    }
}
