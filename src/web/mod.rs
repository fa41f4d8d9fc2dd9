//! What a web page, or rather its worker, can call. Everything goes in and out as JSON text or plain arrays.
//!
//! A run belongs in a dedicated worker: it computes on the host too (digits, reference, shuffling), and its page must not freeze.

mod classify;
mod host;
mod observer;
mod request;

use crate::bench::{self, AdapterTarget, Job, Observer, ProfileOptions, Setup};
use crate::data::{Dataset, Identity, idx, synthetic};
use crate::error::{Error, Result};
use crate::gpu::{AdapterInfo, Adapters, adapter};
use crate::model::Model;
use crate::result::{Measured, Peaks, RunResult, Status, no_peaks};
use host::Host;
use observer::PageObserver;
use request::Request;
use std::cell::RefCell;
use std::ops::ControlFlow;
use wasm_bindgen::prelude::*;
use web_time::Instant;

thread_local! {
    /// What was measured for the first profile, kept for those after it: an adapter's peaks do not change while a page is open.
    static PEAKS: RefCell<Option<(AdapterInfo, Peaks)>> = const { RefCell::new(None) };
    /// The four IDX files the page was given, in the order of [`idx::FILES`].
    static FILES: RefCell<[Vec<u8>; 4]> = const { RefCell::new([Vec::new(), Vec::new(), Vec::new(), Vec::new()]) };
}

/// Sends panics to the browser's console; called once when the module is loaded.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

/// The version of this program.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// What the browser tells of its adapters, as the JSON that `gpubench list --json` prints; `host` as for [`run`].
///
/// # Errors
/// A sentence if the browser cannot be asked.
#[wasm_bindgen]
pub async fn adapters(host: &str) -> std::result::Result<String, JsError> {
    let host = Host::parse(host)?;
    let adapters = Adapters::find(Some("webgpu")).await?;
    let infos: Vec<AdapterInfo> = adapters.infos().iter().map(|info| host.name_adapter(info)).collect();
    Ok(serde_json::to_string(&infos)?)
}

/// Takes one of the four IDX files, plain or gzip: `index` 0 to 3 for training images, training labels, test images, test labels.
///
/// # Errors
/// A sentence that says what is wrong with the file.
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
/// None that can happen.
#[wasm_bindgen]
pub fn file_names() -> std::result::Result<String, JsError> {
    Ok(serde_json::to_string(&idx::FILES.map(|file| file.usual_names()))?)
}

/// Asks the run at hand to stop; it ends with its partial result.
#[wasm_bindgen]
pub fn stop() {
    observer::request_stop();
}

/// Adds a warning to the result of the run at hand: the tab was hidden, say.
#[wasm_bindgen]
pub fn warn(text: &str) {
    observer::add_warning(text);
}

/// Runs the benchmark and returns its result as JSON, whatever became of it; `on_event` is called with JSON texts on the way.
///
/// `request` is a [`Request`], `host` a [`Host`] as JSON. Events are `{"phase": name}`, `{"progress": {...}}`, `{"epoch": {...}}` and
/// `{"partial": result}`. Afterwards [`classify`] uses the trained network.
///
/// # Errors
/// A sentence if the request is none, the data are wrong, or there is no adapter: nothing was measured then.
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
    let peaks = peaks(&request, &adapters, chosen, &host, &observer).await;
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
    result.warnings.extend(host.warnings());
    let target = AdapterTarget { adapters: &adapters, adapter: chosen, checked: true };
    let job = Job {
        dataset: &dataset,
        init: None,
        profile: request.profile_steps.map(ProfileOptions::new),
        peaks,
        probe: &bench::probe::NoProbe("a browser does not tell"),
        started,
    };
    let outcome = bench::run(&target, &job, &mut result, &mut observer).await;
    result.warnings.extend(observer::warnings());
    if let Ok(finished) = outcome {
        classify::remember(&result, finished.parameters);
    }
    Ok(result.to_json()?)
}

/// The adapter's peaks, where a profile was asked for that they belong to.
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
    let kept = PEAKS.with_borrow(|kept| kept.clone());
    if let Some((_, peaks)) = kept.filter(|(measured, _)| measured == adapter) {
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

/// The files of the page, if it gave all four and they were asked for, else synthetic digits.
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

/// What makes a run with these settings another task than the pinned one: a list of phrases, as JSON. Whether files that were given
/// are MNIST only the run finds out.
///
/// # Errors
/// A sentence if the settings cannot be.
#[wasm_bindgen]
pub fn differences(request: &str) -> std::result::Result<String, JsError> {
    let request = Request::parse(request)?;
    let identity = if request.data == "files" { Identity::Mnist } else { Identity::Synthetic };
    let mut differences = bench::differences_from_standard(&request.settings(), identity);
    let (train, test) = request.images();
    differences.extend(bench::difference_in_images(train, test));
    Ok(serde_json::to_string(&differences)?)
}

/// Two results side by side, as the terminal program shows them.
///
/// # Errors
/// A sentence if one of them is no result.
#[wasm_bindgen]
pub fn compare(first: &str, second: &str) -> std::result::Result<String, JsError> {
    let (first, second) = (RunResult::from_json(first)?, RunResult::from_json(second)?);
    Ok(crate::report::compare_text(&first, &second, crate::report::DEFAULT_WIDTH))
}

/// What the network of the last finished run makes of an image of 28 x 28 grey values: the ten probabilities, then the 32 x 25 x 25
/// outputs of conv1.
///
/// # Errors
/// A sentence if there is no network yet or the image has another size.
#[wasm_bindgen]
pub fn classify(pixels: &[u8]) -> std::result::Result<Vec<f32>, JsError> {
    Ok(classify::classify(pixels)?)
}

/// Whether a result may be believed: its stamp (`INVALID`, `PARTIAL`, `FAILED`), empty for a complete one.
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

/// The report as a piece of a page: tables and drawings, to be styled by [`report_style`].
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

/// Trainable values of the pinned network, to tell a visitor what will happen.
#[wasm_bindgen]
pub fn parameter_count() -> usize {
    Model::new(crate::model::DROPOUT_RATE).parameter_count()
}
