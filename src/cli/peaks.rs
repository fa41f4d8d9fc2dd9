//! `gpubench peaks`: what the adapter reaches at best, and the cache of it.

use super::cache::{self, Kept};
use super::flags::AdapterArgs;
use super::pipeline_cache::PipelineCacheArgs;
use super::terminal;
use crate::error::Result;
use crate::gpu::{AdapterInfo, Adapters};
use crate::report;
use crate::result::{Peaks, Subject};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::ops::ControlFlow;
use std::path::Path;

/// Options of `gpubench peaks`.
#[derive(Debug, Clone, Args)]
pub struct PeaksArgs {
    /// Which adapter.
    #[command(flatten)]
    pub adapter: AdapterArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Say of each figure what it means
    #[arg(long, conflicts_with = "json")]
    pub explain: bool,
    /// Keeping of compiled pipelines.
    #[command(flatten)]
    pub pipelines: PipelineCacheArgs,
}

impl Kept for Peaks {
    const FOLDER: &'static str = "peaks";

    fn subject(&self) -> &Subject {
        &self.subject
    }

    fn from_json(text: &str) -> Result<Self> {
        Peaks::from_json(text)
    }

    fn to_json(&self) -> Result<String> {
        Peaks::to_json(self)
    }

    fn marked(self) -> Self {
        Peaks { cached: true, ..self }
    }
}

/// Measures the peaks of one adapter, keeps them for other runs and shows them.
///
/// # Errors
/// [`crate::Error::Adapter`] if there is no such adapter, or whatever ended the measurement.
pub fn peaks(args: &PeaksArgs) -> Result<()> {
    let adapters = args.adapter.find("peaks")?;
    let adapter = args.adapter.choose(&adapters)?;
    let _kept = args.pipelines.guard(&adapters, adapter);
    let peaks = measured(&adapters, adapter)?;
    cache::keep_or_note(&peaks, cache::folder::<Peaks>().as_deref());
    if args.json {
        return terminal::data(&peaks.to_json()?);
    }
    let text = report::peaks_text(&peaks, args.explain, terminal::width());
    terminal::data(&terminal::paint(&text))
}

/// The peaks of `adapter`: those of the cache if they belong to this adapter, driver and program, else measured now and kept.
///
/// Why a cache was not used, or could not be written, is said on stderr.
///
/// # Errors
/// Whatever ended the measurement.
pub fn cached_or_measured(adapters: &Adapters, adapter: &AdapterInfo) -> Result<Peaks> {
    cached_in_or_measured(cache::folder::<Peaks>().as_deref(), adapters, adapter)
}

/// The peaks to compare a profile with: as [`cached_or_measured`], or measured anew and kept where `fresh` ones are asked for.
///
/// # Errors
/// Whatever ended the measurement.
pub fn for_profile(adapters: &Adapters, adapter: &AdapterInfo, fresh: bool) -> Result<Peaks> {
    if !fresh {
        return cached_or_measured(adapters, adapter);
    }
    let peaks = measured(adapters, adapter)?;
    cache::keep_or_note(&peaks, cache::folder::<Peaks>().as_deref());
    Ok(peaks)
}

/// [`cached_or_measured`] with a given folder for the cache, or none.
///
/// # Errors
/// As [`cached_or_measured`].
pub fn cached_in_or_measured(folder: Option<&Path>, adapters: &Adapters, adapter: &AdapterInfo) -> Result<Peaks> {
    let wanted = crate::peaks::subject(adapter);
    if let Some(peaks) = cache::read_or_note(folder, &wanted) {
        return Ok(peaks);
    }
    let peaks = measured(adapters, adapter)?;
    cache::keep_or_note(&peaks, folder);
    Ok(peaks)
}

/// Measures, with the progress on stderr.
fn measured(adapters: &Adapters, adapter: &AdapterInfo) -> Result<Peaks> {
    let bar = ProgressBar::new_spinner();
    bar.set_style(
        ProgressStyle::with_template("{spinner} peaks: {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    if bar.is_hidden() {
        terminal::talk("measuring peaks");
    }
    let mut progress = |what: &str| {
        bar.set_message(what.to_owned());
        bar.tick();
        ControlFlow::Continue(())
    };
    let outcome = pollster::block_on(crate::peaks::measure(adapters, adapter, &mut progress));
    bar.finish_and_clear();
    let mut peaks = outcome?;
    peaks.measured_utc = jiff::Timestamp::now().to_string();
    Ok(peaks)
}
