//! What a run measures: something to train on, and what is known of it before it is opened.

use super::flags::AUTO;
use super::pipeline_cache::PipelineCacheGuard;
use super::run_args::RunArgs;
use super::{peaks, terminal, tune};
use crate::bench::{self, AdapterTarget, DataParallelTarget};
use crate::cpu::CpuTarget;
use crate::error::Result;
use crate::gpu::{AdapterInfo, Adapters};
use crate::kernels::plan_named;
use crate::result::{Adapter, Measured, Peaks, Settings, Tuning, no_peaks, no_tuning};
use crate::telemetry::MachineProbe;
use web_time::Instant;

/// Larger batches are not worth a search for the fastest plan.
const LARGEST_TUNED_BATCH: u32 = 4096;

/// Something to train on.
pub enum Trainable<'a> {
    /// One adapter.
    Adapter(AdapterTarget<'a>),
    /// The host's cores.
    Cpu(CpuTarget),
    /// Several devices together.
    DataParallel(DataParallelTarget<'a>),
}

/// Evaluates `$body` with the target inside a [`Trainable`] as `$target`: targets differ in type.
macro_rules! with_target {
    ($trainable:expr, |$target:ident| $body:expr) => {
        match $trainable {
            $crate::cli::subject::Trainable::Adapter($target) => $body,
            $crate::cli::subject::Trainable::Cpu($target) => $body,
            $crate::cli::subject::Trainable::DataParallel($target) => $body,
        }
    };
}
pub(super) use with_target;

/// What a run measures, and what is known of it before it is opened.
pub struct Subject<'a> {
    /// What to train on.
    pub trainable: Trainable<'a>,
    /// Its name in messages and in the result's file name.
    pub name: String,
    /// It as results describe it.
    pub adapter: Adapter,
    /// What was asked for.
    pub settings: Settings,
    /// Seconds that finding it took.
    pub adapter_s: f64,
    /// How its plan was found.
    pub tuning: Measured<Tuning>,
    /// Seconds that finding the plan took.
    pub tune_s: Measured<f64>,
    /// Its measured ceilings.
    pub peaks: Measured<Peaks>,
    /// Seconds that measuring the peaks took.
    pub peaks_s: Measured<f64>,
    /// Measures what its trainings use.
    pub probe: MachineProbe,
}

impl<'a> Subject<'a> {
    /// One adapter, not tuned and without peaks.
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

    /// A guard for each adapter that keeps what is compiled on it, as [`PipelineCacheArgs::guard`] makes it.
    ///
    /// [`PipelineCacheArgs::guard`]: super::pipeline_cache::PipelineCacheArgs::guard
    pub fn pipeline_cache_guards(&self, args: &RunArgs) -> Vec<PipelineCacheGuard<'a>> {
        match &self.trainable {
            Trainable::Adapter(target) => vec![args.pipelines.guard(target.adapters, target.adapter)],
            Trainable::Cpu(_) => Vec::new(),
            Trainable::DataParallel(target) => {
                let mut adapters: Vec<&AdapterInfo> = target.devices.iter().map(|device| device.adapter).collect();
                adapters.sort_by_key(|adapter| adapter.index);
                adapters.dedup_by_key(|adapter| adapter.index);
                adapters.into_iter().map(|adapter| args.pipelines.guard(target.adapters, adapter)).collect()
            }
        }
    }

    /// Puts a plan's name in the place of "auto" where one adapter trains: the fastest by measurement, or the one shipped for this
    /// kind of adapter.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no such plan, or whatever ended the search.
    pub fn choose_plan(&mut self, no_tune: bool) -> Result<()> {
        let Trainable::Adapter(AdapterTarget { adapters, adapter, .. }) = self.trainable else { return Ok(()) };
        let start = Instant::now();
        let plan = &mut self.settings.plan.value;
        if plan != AUTO {
            return plan_named(plan).map(|_| ());
        }
        // Batches so large take longer to try than they save; a batch that cannot be is refused by the run itself.
        if no_tune || self.settings.batch.value > LARGEST_TUNED_BATCH {
            bench::shipped_plan(adapter).clone_into(plan);
            return Ok(());
        }
        let tuning = tune::cached_or_measured(adapters, adapter, self.settings.batch.value)?;
        tuning.best().unwrap_or(bench::shipped_plan(adapter)).clone_into(plan);
        let source = if tuning.cached { "the fastest, from the cache" } else { "the fastest" };
        terminal::talk(&format!("plan: {plan} ({source})"));
        self.tuning = Measured::Value(tuning);
        self.tune_s = start.elapsed().as_secs_f64().into();
        Ok(())
    }

    /// Measures the peaks of one adapter, or takes them from the cache unless `fresh`. A profile can do without, so that a failure
    /// is told and no more.
    pub fn measure_peaks(&mut self, fresh: bool) {
        let Trainable::Adapter(AdapterTarget { adapters, adapter, .. }) = self.trainable else { return };
        let start = Instant::now();
        self.peaks = match peaks::for_profile(adapters, adapter, fresh) {
            Ok(peaks) => Measured::Value(peaks),
            Err(error) => {
                terminal::talk(&format!("note: the peaks could not be measured: {error}"));
                Measured::missing(error.to_string())
            }
        };
        self.peaks_s = self.peaks.clone().map(|_| start.elapsed().as_secs_f64());
    }
}
