//! `gpubench peaks`: the measured peaks of an adapter, and their cache.

use super::cache::{self, CacheEntry};
use super::flags::AdapterArgs;
use super::pipeline_cache::PipelineCacheArgs;
use super::progress::Ticker;
use super::{interrupt, panics, system, terminal};
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
    /// Explain each figure
    #[arg(long, conflicts_with = "json")]
    pub explain: bool,
    /// The pipeline cache.
    #[command(flatten)]
    pub pipelines: PipelineCacheArgs,
}

impl CacheEntry for Peaks {
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

    fn into_cached(self) -> Self {
        Peaks { cached: true, ..self }
    }
}

/// Measures the peaks of one adapter, caches and shows them.
///
/// # Errors
/// [`crate::Error::Adapter`] if there is no such adapter, or the error that ended the measurement.
pub fn peaks(args: &PeaksArgs) -> Result<()> {
    let adapters = args.adapter.find("peaks")?;
    let adapter = args.adapter.choose(&adapters)?;
    let _pipeline_cache = args.pipelines.guard(&adapters, adapter);
    let peaks = measured(&adapters, adapter)?;
    cache::write_or_warn(&peaks, cache::folder::<Peaks>().as_deref());
    if args.json {
        return terminal::output(&peaks.to_json()?);
    }
    let text = report::peaks_text(&peaks, args.explain, terminal::width());
    terminal::reports([text].into_iter())
}

/// The peaks of `adapter` from the cache if they are valid for this adapter, driver and program, else measured and
/// cached.
///
/// Reports on stderr why the cache was not used or could not be written.
///
/// # Errors
/// The error that ended the measurement.
pub fn cached_or_measured(adapters: &Adapters, adapter: &AdapterInfo) -> Result<Peaks> {
    cached_in_or_measured(cache::folder::<Peaks>().as_deref(), adapters, adapter)
}

/// The peaks of `adapter` in the cache, if they are valid for this adapter, driver and program.
pub fn cached(adapter: &AdapterInfo) -> Option<Peaks> {
    cache::read_or_warn(cache::folder::<Peaks>().as_deref(), &crate::peaks::subject(adapter))
}

/// The peaks for a profile: as [`cached_or_measured`], or always measured if `fresh`.
///
/// # Errors
/// As [`cached_or_measured`].
pub fn for_profile(adapters: &Adapters, adapter: &AdapterInfo, fresh: bool) -> Result<Peaks> {
    if !fresh {
        return cached_or_measured(adapters, adapter);
    }
    let peaks = measured(adapters, adapter)?;
    cache::write_or_warn(&peaks, cache::folder::<Peaks>().as_deref());
    Ok(peaks)
}

/// As [`cached_or_measured`], with the given cache folder, or without a cache.
///
/// # Errors
/// As [`cached_or_measured`].
pub fn cached_in_or_measured(folder: Option<&Path>, adapters: &Adapters, adapter: &AdapterInfo) -> Result<Peaks> {
    if let Some(peaks) = cache::read_or_warn(folder, &crate::peaks::subject(adapter)) {
        return Ok(peaks);
    }
    let peaks = measured(adapters, adapter)?;
    cache::write_or_warn(&peaks, folder);
    Ok(peaks)
}

/// Measures the peaks, with progress on stderr.
fn measured(adapters: &Adapters, adapter: &AdapterInfo) -> Result<Peaks> {
    let bar = ProgressBar::new_spinner();
    bar.set_style(
        ProgressStyle::with_template("{spinner} peaks: {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    if bar.is_hidden() {
        terminal::message("measuring peaks");
    }
    let mut progress = |what: &str| {
        bar.set_message(what.to_owned());
        if interrupt::requested() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let _ticker = Ticker::start(&bar, "peaks");
    let outcome = panics::block_on(crate::peaks::measure(adapters, adapter, &mut progress));
    bar.finish_and_clear();
    let mut peaks = outcome?;
    peaks.measured_utc = system::utc_now().to_string();
    Ok(peaks)
}
