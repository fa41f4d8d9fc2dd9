//! `gpubench peaks`: what the adapter reaches at best, and the cache of it.

use super::args::{ADAPTER_VARIABLE, BACKEND_VARIABLE, PeaksArgs, option_or_variable};
use super::{dataset, output, run, terminal};
use crate::bench;
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
use crate::report;
use crate::result::{Peaks, Subject};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Measures the peaks of one adapter, keeps them for other runs and shows them.
///
/// # Errors
/// [`Error::Adapter`] if there is no such adapter, or whatever ended the measurement.
pub fn peaks(args: &PeaksArgs) -> Result<()> {
    let backend = option_or_variable(args.backend.as_ref(), BACKEND_VARIABLE).value;
    let request = option_or_variable(args.adapter.as_ref(), ADAPTER_VARIABLE).value;
    let adapters = pollster::block_on(Adapters::find(backend.value().map(String::as_str)))?;
    let adapter = adapter::choose(adapters.infos(), request.value().map(String::as_str))?;
    run::announce(adapter);
    let peaks = measured(&adapters, adapter)?;
    keep_or_note(&peaks, cache_folder().as_deref());
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
    cached_in_or_measured(cache_folder().as_deref(), adapters, adapter)
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
    keep_or_note(&peaks, cache_folder().as_deref());
    Ok(peaks)
}

/// [`cached_or_measured`] with a given folder for the cache, or none.
///
/// # Errors
/// As [`cached_or_measured`].
pub fn cached_in_or_measured(folder: Option<&Path>, adapters: &Adapters, adapter: &AdapterInfo) -> Result<Peaks> {
    let wanted = bench::peaks::subject(adapter);
    match folder.map_or(Cached::Nothing, |folder| read(folder, &wanted)) {
        Cached::Peaks(peaks) => return Ok(*peaks),
        Cached::Nothing => {}
        Cached::Ignored(why) => terminal::talk(&format!("note: {why}")),
    }
    let peaks = measured(adapters, adapter)?;
    keep_or_note(&peaks, folder);
    Ok(peaks)
}

/// What the cache holds for a subject.
#[derive(Debug, Clone, PartialEq)]
pub enum Cached {
    /// Peaks of exactly this subject, marked as cached.
    Peaks(Box<Peaks>),
    /// Nothing.
    Nothing,
    /// Something that must not be used; why, in a sentence.
    Ignored(String),
}

/// Where peaks are kept, if the user has a place for such things.
fn cache_folder() -> Option<PathBuf> {
    dataset::cache_folder_of("peaks").ok()
}

/// The file in `folder` for one adapter and backend.
pub fn file(folder: &Path, subject: &Subject) -> PathBuf {
    // Two equal adapters of one machine differ in their bus id alone.
    let name = [output::slug(&subject.adapter), output::slug(&subject.pci_bus_id), output::slug(&subject.backend)];
    let name: Vec<&str> = name.iter().map(String::as_str).filter(|part| *part != "adapter").collect();
    folder.join(format!("{}.json", if name.is_empty() { "adapter".to_owned() } else { name.join("-") }))
}

/// Looks in `folder` for peaks of `wanted`.
pub fn read(folder: &Path, wanted: &Subject) -> Cached {
    let path = file(folder, wanted);
    let again = "measured again";
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Cached::Nothing,
        Err(error) => return Cached::Ignored(format!("{} cannot be read ({error}): {again}", path.display())),
    };
    match Peaks::from_json(&text) {
        Ok(peaks) => match peaks.subject.difference(wanted) {
            None => Cached::Peaks(Box::new(Peaks { cached: true, ..peaks })),
            Some(difference) => Cached::Ignored(format!("the kept peaks are of another {difference}: {again}")),
        },
        Err(error) => Cached::Ignored(format!("the cache {} is damaged: {error}: {again}", path.display())),
    }
}

/// Keeps `peaks` in `folder` in place of what it held for their adapter.
///
/// # Errors
/// [`Error::Output`] if the folder cannot be written; it then holds what it held before.
pub fn keep(folder: &Path, peaks: &Peaks) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::Output(format!("{} ({error})", folder.display())))?;
    output::replace(&file(folder, &peaks.subject), peaks.to_json()?.as_bytes())
}

/// As [`keep`]; that nothing could be kept is worth a note, but no reason to end.
fn keep_or_note(peaks: &Peaks, folder: Option<&Path>) {
    let outcome = match folder {
        Some(folder) => keep(folder, peaks),
        None => Err(Error::Output("there is no cache folder; set HOME".to_owned())),
    };
    if let Err(error) = outcome {
        terminal::talk(&format!("note: the peaks cannot be kept for other runs: {error}"));
    }
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
    let outcome = pollster::block_on(bench::peaks::measure(adapters, adapter, &mut progress));
    bar.finish_and_clear();
    let mut peaks = outcome?;
    peaks.measured_utc = jiff::Timestamp::now().to_string();
    Ok(peaks)
}
