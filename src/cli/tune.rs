//! `gpubench tune`: finds the fastest plan on an adapter and caches it.

use super::cache::{self, CacheEntry};
use super::flags::AdapterArgs;
use super::pipeline_cache::PipelineCacheArgs;
use super::progress::Ticker;
use super::{interrupt, panics, system, terminal};
use crate::bench::{self, Observer, Progress};
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters};
use crate::kernels::plan_named;
use crate::model::{DROPOUT_RATE, Model, Training};
use crate::report;
use crate::result::{RunResult, Subject, Tuning};
use crate::trainer::TrainingConfig;
use clap::{Args, value_parser};
use indicatif::{ProgressBar, ProgressStyle};

/// Options of `gpubench tune`.
#[derive(Debug, Clone, Args)]
pub struct TuneArgs {
    /// Which adapter.
    #[command(flatten)]
    pub adapter: AdapterArgs,
    /// Batch size
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=60_000), default_value_t = Training::STANDARD.batch)]
    pub batch: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// The pipeline cache.
    #[command(flatten)]
    pub pipelines: PipelineCacheArgs,
}

impl CacheEntry for Tuning {
    const FOLDER: &'static str = "tuning";

    fn subject(&self) -> &Subject {
        &self.subject
    }

    fn from_json(text: &str) -> Result<Self> {
        let tuning = Tuning::from_json(text)?;
        // One that another version of the program had would end every run that chooses it.
        tuning.candidates.iter().try_for_each(|candidate| {
            let known = plan_named(&candidate.plan).map(drop);
            known.map_err(|_| Error::Data(format!("there is no plan {:?}", candidate.plan)))
        })?;
        Ok(tuning)
    }

    fn to_json(&self) -> Result<String> {
        Tuning::to_json(self)
    }

    fn into_cached(self) -> Self {
        Tuning { cached: true, ..self }
    }
}

/// Times every plan on one adapter, caches and shows the tuning.
///
/// # Errors
/// [`Error::Adapter`] if there is no such adapter, or the error that ended the search.
pub fn tune(args: &TuneArgs) -> Result<()> {
    let adapters = args.adapter.find("tune")?;
    let adapter = args.adapter.choose(&adapters)?;
    let _pipeline_cache = args.pipelines.guard(&adapters, adapter);
    let tuning = measured(&adapters, adapter, args.batch)?;
    cache::write_or_warn(&tuning, cache::folder::<Tuning>().as_deref());
    terminal::output(&if args.json { tuning.to_json()? } else { report::tuning_text(&tuning, terminal::width()) })
}

/// The tuning for batches of `batch` images, from the cache if it is valid for this adapter, driver, program and batch,
/// else measured and cached.
///
/// # Errors
/// The error that ended the search.
pub fn cached_or_measured(adapters: &Adapters, adapter: &AdapterInfo, batch: u32) -> Result<Tuning> {
    if let Some(tuning) = cached(adapter, batch) {
        return Ok(tuning);
    }
    let tuning = measured(adapters, adapter, batch)?;
    cache::write_or_warn(&tuning, cache::folder::<Tuning>().as_deref());
    Ok(tuning)
}

/// The tuning for batches of `batch` images in the cache, if it is valid for this adapter, driver and program.
pub fn cached(adapter: &AdapterInfo, batch: u32) -> Option<Tuning> {
    let cached: Option<Tuning> =
        cache::read_or_warn(cache::folder::<Tuning>().as_deref(), &bench::tuning_subject(adapter));
    cached.filter(|tuning| tuning.batch == batch)
}

/// Runs the search, with progress on stderr.
fn measured(adapters: &Adapters, adapter: &AdapterInfo, batch: u32) -> Result<Tuning> {
    let config = TrainingConfig {
        model: Model::new(DROPOUT_RATE),
        training: Training { batch, ..Training::STANDARD },
        seed: 1,
        shuffle: true,
    };
    let bar = ProgressBar::new_spinner();
    bar.set_style(
        ProgressStyle::with_template("{spinner} tuning: {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    if bar.is_hidden() {
        terminal::message("tuning: looking for the fastest plan, once for this adapter (--no-tune leaves it out)");
    }
    let _ticker = Ticker::start(&bar, "tuning");
    let mut observer = TuneObserver { bar };
    let outcome = panics::block_on(bench::tune(adapters, adapter, &config, &mut observer));
    observer.bar.finish_and_clear();
    let tuning = Tuning { measured_utc: system::utc_now().to_string(), ..outcome? };
    match tuning.best() {
        Some(_) => Ok(tuning),
        None => {
            let reason = tuning.candidates.first().and_then(|candidate| candidate.step_s.reason());
            Err(Error::Check(format!("no plan runs on {}: {}", adapter.name, reason.unwrap_or("there is none"))))
        }
    }
}

/// Shows the current phase.
struct TuneObserver {
    bar: ProgressBar,
}

impl Observer for TuneObserver {
    fn phase(&mut self, name: &str) {
        self.bar.set_message(name.to_owned());
    }

    fn progress(&mut self, _progress: &Progress) {}

    fn stop_requested(&self) -> bool {
        interrupt::requested()
    }

    fn checkpoint(&mut self, _result: &RunResult) -> Result<()> {
        Ok(())
    }
}
