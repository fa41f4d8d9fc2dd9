//! What a run trains on: options become a [`Target`] here, once, and a target becomes something to train on.

use super::args::{AUTO, RunArgs};
use super::{all, cpu, data_parallel, peaks, terminal, tune};
use crate::bench::{self, AdapterTarget, DataParallelTarget};
use crate::cpu::CpuTarget;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
use crate::kernels::plan_named;
use crate::result::{Adapter, Measured, Origin, Peaks, Settings, Tuning, no_peaks, no_tuning};
use crate::telemetry::MachineProbe;
use web_time::Instant;

/// Larger batches are not worth a search for the fastest plan.
const LARGEST_TUNED_BATCH: u32 = 4096;

/// What a run trains on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One adapter of the GPU API.
    Adapter,
    /// The host's cores.
    Cpu,
    /// Several devices that share each batch.
    DataParallel,
    /// Every adapter and the host's cores, in turn.
    All,
}

/// An option that some targets refuse, and what to do instead.
struct OptionRule {
    option: &'static str,
    given: fn(&RunArgs) -> bool,
    refused: &'static [(Target, &'static str)],
}

macro_rules! rules {
    ($($option:literal $given:expr => [$($target:ident: $advice:expr),*];)*) => {
        &[$(OptionRule { option: $option, given: $given, refused: &[$((Target::$target, $advice)),*] },)*]
    };
}

const SHARES: &str = "shares a training between adapters: name them with --adapters A,B";
const OF_CORES: &str = "is for the host's cores: add --adapter cpu";
const OF_ONE_DEVICE: &str = "is for one device: leave it out, or name one --adapter instead of all";
const NOT_PROFILED_TOGETHER: &str =
    "is for one device, and several are not profiled at once: leave --adapters out, and profile each with --adapter";
const NOT_PROFILED_ON_CPU: &str = "is for adapters; the CPU target is timed as a whole, not by kernel: leave it out, or choose an adapter with --adapter";

/// The options that not every target takes. What is not listed, every target takes.
const RULES: &[OptionRule] = rules! {
    "--split" |args| args.data_parallel.split.is_some() => [Adapter: SHARES, Cpu: SHARES, All: SHARES];
    "--sync" |args| args.data_parallel.sync.is_some() => [Adapter: SHARES, Cpu: SHARES, All: SHARES];
    "--logical-devices" |args| args.data_parallel.logical_devices.is_some()
        => [Adapter: SHARES, Cpu: SHARES, All: SHARES];
    "--threads" |args| args.cpu.threads.is_some() => [Adapter: OF_CORES, DataParallel: OF_CORES];
    "--profile" |args| args.profile
        => [Cpu: NOT_PROFILED_ON_CPU, DataParallel: NOT_PROFILED_TOGETHER, All: OF_ONE_DEVICE];
    "--trace" |args| args.trace.is_some()
        => [Cpu: NOT_PROFILED_ON_CPU, DataParallel: NOT_PROFILED_TOGETHER, All: OF_ONE_DEVICE];
    "--html" |args| args.html.is_some() => [DataParallel: NOT_PROFILED_TOGETHER, All: OF_ONE_DEVICE];
    "--save" |args| args.save.is_some() => [All: OF_ONE_DEVICE];
    "--target-ci" |args| args.stopping.target_ci.is_some() => [All: OF_ONE_DEVICE];
    "--max-time" |args| args.stopping.max_time.is_some() => [All: OF_ONE_DEVICE];
    "--cooldown" |args| args.stopping.cooldown.is_some() => [All: OF_ONE_DEVICE];
    "--soak" |args| args.stopping.soak.is_some() => [All: OF_ONE_DEVICE];
    "--backend" |args| args.backend.is_some()
        => [Cpu: "is for adapters; the CPU target has no backend: leave --backend out"];
    "--plan" |args| args.plan.is_some()
        => [Cpu: "is for adapters; the CPU target has one plan: leave --plan out"];
    "--checked" |args| args.checked
        => [Cpu: "is for adapters; the CPU target has no shaders: leave --checked out"];
    "--fresh-peaks" |args| args.fresh_peaks
        => [Cpu: "is for adapters; the CPU target has no peaks: leave --fresh-peaks out"];
};

impl Target {
    /// The target that `args` and the adapter request ask for.
    ///
    /// # Errors
    /// [`Error::Usage`] naming an option that the target does not take, and what to do instead.
    pub fn resolve(args: &RunArgs, request: &Measured<String>) -> Result<Self> {
        let target = match args.data_parallel.adapters {
            Some(_) => Target::DataParallel,
            None if names(request, cpu::NAME) => Target::Cpu,
            None if names(request, all::NAME) => Target::All,
            None => Target::Adapter,
        };
        target.expect_options(args)?;
        Ok(target)
    }

    /// Refuses the options that this target does not take.
    fn expect_options(self, args: &RunArgs) -> Result<()> {
        for rule in RULES.iter().filter(|rule| (rule.given)(args)) {
            if let Some((_, advice)) = rule.refused.iter().find(|(target, _)| *target == self) {
                return Err(Error::Usage(format!("{} {advice}", rule.option)));
            }
        }
        Ok(())
    }

    /// The machine's adapters where this target needs them; on a machine without any the CPU takes their place unless an adapter
    /// or backend was asked for.
    ///
    /// # Errors
    /// [`Error::Adapter`] if there is no adapter and the CPU may not take its place, [`Error::Usage`] as [`Target::resolve`].
    pub fn find(self, args: &RunArgs, settings: &Settings) -> Result<(Self, Option<Adapters>)> {
        if self == Target::Cpu {
            return Ok((self, None));
        }
        let adapters = find_adapters(&settings.backend.value)?;
        if self == Target::Adapter && adapters.infos().is_empty() {
            if settings.adapter.origin != Origin::Default || settings.backend.origin != Origin::Default {
                return Err(cpu::none_found());
            }
            Target::Cpu.expect_options(args)?;
            return Ok((Target::Cpu, None));
        }
        Ok((self, Some(adapters)))
    }

    /// Chooses the devices of this target and announces them on stderr.
    ///
    /// # Errors
    /// [`Error::Adapter`] or [`Error::Usage`] if `args` name no device of this machine.
    pub fn open<'a>(
        self,
        adapters: Option<&'a Adapters>,
        args: &RunArgs,
        settings: Settings,
        started: Instant,
    ) -> Result<Subject<'a>> {
        let mut subject = match adapters {
            None => cpu::subject(args, settings)?,
            Some(adapters) if self == Target::DataParallel => data_parallel::subject(args, adapters, settings)?,
            Some(adapters) => {
                let request = settings.adapter.value.value().cloned();
                let adapter = adapter::choose(adapters.infos(), request.as_deref())?;
                announce(adapter);
                if adapter.software {
                    terminal::talk("  (it measures the CPU through a detour: --adapter cpu measures it directly)");
                }
                Subject::on_adapter(adapters, adapter, args, settings)
            }
        };
        subject.adapter_s = started.elapsed().as_secs_f64();
        Ok(subject)
    }
}

/// Whether an adapter request is `word`.
pub fn names(request: &Measured<String>, word: &str) -> bool {
    request.value().is_some_and(|request| request.trim().eq_ignore_ascii_case(word))
}

/// The machine's adapters on `backend`, or on every backend where none is named.
///
/// # Errors
/// [`Error::Usage`] if there is no such backend.
pub fn find_adapters(backend: &Measured<String>) -> Result<Adapters> {
    pollster::block_on(Adapters::find(backend.value().map(String::as_str)))
}

/// Says on stderr what is measured.
pub fn announce(adapter: &AdapterInfo) {
    terminal::talk(&format!("adapter: {}", adapter.line()));
    if adapter.software {
        terminal::talk("  (its times say nothing about a GPU)");
    }
}

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
            $crate::cli::target::Trainable::Adapter($target) => $body,
            $crate::cli::target::Trainable::Cpu($target) => $body,
            $crate::cli::target::Trainable::DataParallel($target) => $body,
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

    /// The adapters whose compiled pipelines are worth keeping.
    pub fn adapters(&self) -> Vec<(&'a Adapters, &'a AdapterInfo)> {
        match &self.trainable {
            Trainable::Adapter(target) => vec![(target.adapters, target.adapter)],
            Trainable::Cpu(_) => Vec::new(),
            Trainable::DataParallel(target) => {
                let mut adapters: Vec<(&Adapters, &AdapterInfo)> = Vec::new();
                for device in &target.devices {
                    if adapters.iter().all(|(_, adapter)| adapter.index != device.adapter.index) {
                        adapters.push((target.adapters, device.adapter));
                    }
                }
                adapters
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
