//! The WebAssembly API of the browser version. Arguments and results are JSON texts or plain arrays.
//!
//! Call [`run`] in a dedicated worker: it also computes on the host (digits, reference, shuffling), which would block
//! the page.

mod classify;
mod host;
mod observer;
mod request;

use crate::bench::{self, AdapterTarget, Job, Observer, ProfileOptions, Setup};
use crate::data::{Dataset, Identity, idx, synthetic};
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
use crate::model::Model;
use crate::peaks;
use crate::result::{Measured, Peaks, RunResult, Status, no_peaks};
use host::Host;
use observer::PageObserver;
use request::Request;
use std::cell::RefCell;
use std::ops::ControlFlow;
use wasm_bindgen::prelude::*;
use web_time::{Duration, Instant};

thread_local! {
    /// The peaks measured for the first profile, reused by later ones: they do not change while a page is open.
    static PEAKS: RefCell<Option<(AdapterInfo, Peaks)>> = const { RefCell::new(None) };
    /// The four IDX files given to the page, in the order of [`idx::FILES`].
    static FILES: RefCell<[Vec<u8>; 4]> = const { RefCell::new([Vec::new(), Vec::new(), Vec::new(), Vec::new()]) };
}

/// Logs panics to the browser's console; called once when the module is loaded.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

/// The version of this program.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The browser's adapters, as the JSON that `gpubench list --json` prints; `host` as for [`run`].
///
/// # Errors
/// A message if the browser has no WebGPU.
#[wasm_bindgen]
pub async fn adapters(host: &str) -> std::result::Result<String, JsError> {
    let host = Host::parse(host)?;
    let adapters = Adapters::find(Some("webgpu")).await?;
    let infos: Vec<AdapterInfo> = adapters.infos().iter().map(|info| host.name_adapter(info)).collect();
    Ok(serde_json::to_string(&infos)?)
}

/// Stores one of the four IDX files, plain or gzip: `index` 0 to 3 for training images, training labels, test images,
/// test labels.
///
/// # Errors
/// A message that says what is wrong with the file.
#[wasm_bindgen]
pub fn set_file(index: usize, name: &str, bytes: Vec<u8>) -> std::result::Result<(), JsError> {
    let file = idx::FILES.get(index).ok_or_else(|| Error::Data(format!("there is no file number {index}: 0 to 3")))?;
    let (bytes, _) = idx::check(file, name, bytes)?;
    FILES.with_borrow_mut(|files| files[index] = bytes);
    Ok(())
}

/// The usual names of the four files, in the order of [`set_file`]'s `index`: a list of lists, as JSON.
///
/// # Errors
/// None in practice.
#[wasm_bindgen]
pub fn file_names() -> std::result::Result<String, JsError> {
    Ok(serde_json::to_string(&idx::FILES.map(|file| file.usual_names()))?)
}

/// Requests a stop of the current run, which ends with its partial result.
#[wasm_bindgen]
pub fn stop() {
    observer::request_stop();
}

/// Adds a warning to the result of the current run, for example that the tab was hidden.
#[wasm_bindgen]
pub fn warn(text: &str) {
    observer::add_warning(text);
}

/// Runs the benchmark and returns its result as JSON, even if the run failed; calls `on_event` with JSON texts during
/// the run.
///
/// `request` is a [`Request`], `host` a [`Host`] as JSON. Events are `{"phase": name}`, `{"progress": {...}}`,
/// `{"epoch": {...}}` and `{"partial": result}`. Afterwards [`classify`] uses the trained network.
///
/// # Errors
/// A message if the request is invalid, the data are damaged, or there is no adapter; nothing was measured then.
#[wasm_bindgen]
pub async fn run(request: &str, host: &str, on_event: js_sys::Function) -> std::result::Result<String, JsError> {
    let started = Instant::now();
    observer::clear();
    let request = Request::parse(request)?;
    let host = Host::parse(host)?;
    let mut settings = request.settings();
    let adapters = Adapters::find(Some("webgpu")).await?;
    let chosen = adapter::choose(adapters.infos(), None)?;
    let adapter_s = started.elapsed().as_secs_f64();
    let mut observer = PageObserver::new(on_event);
    let peaks_start = Instant::now();
    let peaks = peaks(&request, &adapters, chosen, &host, &observer).await;
    let peaks_s = peaks.clone().map(|_| peaks_start.elapsed().as_secs_f64());
    observer.send_phase("data");
    let data_start = Instant::now();
    let dataset = dataset(&request)?;
    let data_s = data_start.elapsed().as_secs_f64();

    let named = host.name_adapter(chosen);
    if settings.plan.value == request::SHIPPED {
        settings.plan.value = bench::shipped_plan(&named).to_owned();
    }
    let mut result = bench::initial_result(Setup {
        settings,
        environment: host.environment(bench::describe_adapter(&named)),
        dataset: &dataset,
        started_utc: host.now_utc.clone(),
        adapter_s,
        data_s,
    });
    result.phases.peaks_s = peaks_s;
    result.phases.tune_s = Measured::missing("a page takes the plan shipped for its kind of adapter");
    result.warnings.extend(host.warnings());
    let target = AdapterTarget { adapters: &adapters, adapter: chosen, checked: true };
    let job = Job {
        dataset: &dataset,
        init: None,
        profile: request.profile_steps.map(ProfileOptions::new),
        peaks,
        probe: &bench::probe::NoProbe("browsers do not expose it"),
        started,
        deadline: Some(started + Duration::from_secs_f64(bench::QUICK_RUN_S)),
    };
    let outcome = bench::run(&target, &job, &mut result, &mut observer).await;
    result.warnings.extend(observer::warnings());
    if let Ok(finished) = outcome {
        classify::store_network(&result, finished.parameters);
    }
    Ok(result.to_json()?)
}

/// The adapter's peaks if the request has a profile.
async fn peaks(
    request: &Request,
    adapters: &Adapters,
    adapter: &AdapterInfo,
    host: &Host,
    observer: &PageObserver,
) -> Measured<Peaks> {
    if request.profile_steps.is_none() {
        return no_peaks();
    }
    let cached = PEAKS.with_borrow(|cached| cached.clone());
    if let Some((_, peaks)) = cached.filter(|(measured, _)| measured == adapter) {
        return Measured::Value(peaks);
    }
    observer.send_phase("peaks");
    let mut progress = |_: &str| match observer.stop_requested() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    match peaks::measure(adapters, adapter, &mut progress).await {
        Ok(peaks) => {
            let mut peaks = Peaks { measured_utc: host.now_utc.clone(), ..peaks };
            peaks.subject.adapter = host.name_adapter(adapter).name;
            peaks.subject.driver = "driver unknown".to_owned();
            PEAKS.set(Some((adapter.clone(), peaks.clone())));
            Measured::Value(peaks)
        }
        Err(error) => Measured::missing(error.to_string()),
    }
}

/// The files given to the page if the request asks for them, else synthetic digits.
fn dataset(request: &Request) -> Result<Dataset> {
    if request.data != "files" {
        let (train, test) = request.images();
        return Ok(synthetic::digits(synthetic::SEED, train, test));
    }
    let files = FILES.with_borrow(|files| files.clone());
    if files.iter().any(Vec::is_empty) {
        return Err(Error::Data("not all four files of MNIST were given: drop them onto the page together".into()));
    }
    idx::parse(files, "files given to the page")
}

/// Differences of these settings from the standard task: a list of phrases, as JSON. Files count as MNIST; only the run
/// verifies them.
///
/// # Errors
/// A message if the settings are invalid.
#[wasm_bindgen]
pub fn differences(request: &str) -> std::result::Result<String, JsError> {
    let request = Request::parse(request)?;
    let identity = if request.data == "files" { Identity::Mnist } else { Identity::Synthetic };
    let mut differences = bench::differences_from_standard(&request.settings(), identity);
    let (train, test) = request.images();
    differences.extend(bench::difference_in_images(train, test));
    Ok(serde_json::to_string(&differences)?)
}

/// Two results side by side, as `gpubench compare` shows them.
///
/// # Errors
/// A message if one of them is not a result.
#[wasm_bindgen]
pub fn compare(first: &str, second: &str) -> std::result::Result<String, JsError> {
    let (first, second) = (RunResult::from_json(first)?, RunResult::from_json(second)?);
    Ok(crate::report::compare_text(&first, &second, crate::report::DEFAULT_WIDTH))
}

/// Classifies an image [28, 28] of grey values with the network of the last finished run: the ten probabilities, then
/// the outputs of conv1 [32, 25, 25].
///
/// # Errors
/// A message if there is no network yet or the image has another size.
#[wasm_bindgen]
pub fn classify(pixels: &[u8]) -> std::result::Result<Vec<f32>, JsError> {
    Ok(classify::classify(pixels)?)
}

/// The stamp of a result (`INVALID`, `PARTIAL`, `FAILED`), empty for a complete one.
///
/// # Errors
/// A sentence if `result` is no result.
#[wasm_bindgen]
pub fn stamp(result: &str) -> std::result::Result<String, JsError> {
    let status: Status = RunResult::from_json(result)?.status;
    Ok(status.stamp().unwrap_or_default().to_owned())
}

/// The table in the published frame, this run first, as Markdown.
///
/// # Errors
/// A sentence if `result` is no result.
#[wasm_bindgen]
pub fn markdown(result: &str) -> std::result::Result<String, JsError> {
    let result = RunResult::from_json(result)?;
    Ok(crate::report::markdown(&result))
}

/// The report as an HTML fragment with tables and plots, to be styled by [`report_style`].
///
/// # Errors
/// A sentence if `result` is no result.
#[wasm_bindgen]
pub fn report(result: &str) -> std::result::Result<String, JsError> {
    Ok(crate::report::html_fragment(&RunResult::from_json(result)?))
}

/// The style sheet of [`report`].
#[wasm_bindgen]
pub fn report_style() -> String {
    crate::report::HTML_STYLE.to_owned()
}

/// Number of parameters of the standard network.
#[wasm_bindgen]
pub fn parameter_count() -> usize {
    Model::new(crate::model::DROPOUT_RATE).parameter_count()
}
