//! `gpubench tune`: the fastest plan on an adapter, found once and kept.

use super::cache::{self, Kept};
use super::flags::AdapterArgs;
use super::pipeline_cache::PipelineCacheArgs;
use super::{progress, terminal};
use crate::bench::{self, Observer, Progress};
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters};
use crate::model::{DROPOUT_RATE, Model, Training};
use crate::report;
use crate::result::{RunResult, Subject, Tuning};
use crate::trainer::TrainingConfig;
use clap::{Args, value_parser};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::atomic::Ordering;

/// Options of `gpubench tune`.
#[derive(Debug, Clone, Args)]
pub struct TuneArgs {
    /// Which adapter.
    #[command(flatten)]
    pub adapter: AdapterArgs,
    /// Images in a step
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=60_000), default_value_t = Training::STANDARD.batch)]
    pub batch: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Keeping of compiled pipelines.
    #[command(flatten)]
    pub pipelines: PipelineCacheArgs,
}

impl Kept for Tuning {
    const FOLDER: &'static str = "tuning";

    fn subject(&self) -> &Subject {
        &self.subject
    }

    fn from_json(text: &str) -> Result<Self> {
        Tuning::from_json(text)
    }

    fn to_json(&self) -> Result<String> {
        Tuning::to_json(self)
    }

    fn marked(self) -> Self {
        Tuning { cached: true, ..self }
    }
}

/// Times every plan on one adapter, keeps the outcome for other runs and shows it.
///
/// # Errors
/// [`Error::Adapter`] if there is no such adapter, or whatever ended the search.
pub fn tune(args: &TuneArgs) -> Result<()> {
    let adapters = args.adapter.find("tune")?;
    let adapter = args.adapter.choose(&adapters)?;
    let _kept = args.pipelines.guard(&adapters, adapter);
    let tuning = measured(&adapters, adapter, args.batch)?;
    cache::keep_or_note(&tuning, cache::folder::<Tuning>().as_deref());
    terminal::data(&if args.json { tuning.to_json()? } else { report::tuning_text(&tuning, terminal::width()) })
}

/// The search for batches of `batch` images: that of the cache if it belongs to this adapter, driver, program and batch, else made
/// now and kept.
///
/// # Errors
/// Whatever ended the search.
pub fn cached_or_measured(adapters: &Adapters, adapter: &AdapterInfo, batch: u32) -> Result<Tuning> {
    let folder = cache::folder::<Tuning>();
    let kept: Option<Tuning> = cache::read_or_note(folder.as_deref(), &bench::tuning_subject(adapter));
    if let Some(tuning) = kept.filter(|tuning| tuning.batch == batch) {
        return Ok(tuning);
    }
    let tuning = measured(adapters, adapter, batch)?;
    cache::keep_or_note(&tuning, folder.as_deref());
    Ok(tuning)
}

/// Searches, with the progress on stderr.
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
        terminal::talk("tuning: looking for the fastest plan, once for this adapter (--no-tune leaves it out)");
    }
    let mut observer = TuneObserver { bar };
    let outcome = pollster::block_on(bench::tune(adapters, adapter, &config, &mut observer));
    observer.bar.finish_and_clear();
    let tuning = Tuning { measured_utc: jiff::Timestamp::now().to_string(), ..outcome? };
    match tuning.best() {
        Some(_) => Ok(tuning),
        None => {
            let reason = tuning.candidates.first().and_then(|candidate| candidate.step_s.reason());
            Err(Error::Check(format!("no plan runs on {}: {}", adapter.name, reason.unwrap_or("there is none"))))
        }
    }
}

/// Shows what is at hand.
struct TuneObserver {
    bar: ProgressBar,
}

impl Observer for TuneObserver {
    fn phase(&mut self, name: &str) {
        self.bar.set_message(name.to_owned());
        self.bar.tick();
    }

    fn progress(&mut self, _progress: &Progress) {}

    fn stop_requested(&self) -> bool {
        progress::stop_flag().load(Ordering::Relaxed)
    }

    fn checkpoint(&mut self, _result: &RunResult) -> Result<()> {
        Ok(())
    }
}
