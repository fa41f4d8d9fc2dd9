//! The WebAssembly API of the browser version. Arguments and results are JSON texts or plain arrays.
//!
//! Call [`run`] in a dedicated worker: it also computes on the host (digits, reference, shuffling), which would block
//! the page.

mod classify;
mod compare;
mod events;
mod host;
mod link;
mod observer;
mod request;
mod run;
mod shown;

use crate::bench;
use crate::data::{Identity, idx};
use crate::gpu::{AdapterInfo, Adapters};
use crate::model::Model;
use crate::result::RunResult;
use host::Host;
use observer::PageObserver;
use request::Request;
use wasm_bindgen::prelude::*;

/// What an export returns: a message for the page if it fails.
type Answer<T> = Result<T, JsError>;

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
pub async fn adapters(host: &str) -> Answer<String> {
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
pub fn set_file(index: usize, name: &str, bytes: Vec<u8>) -> Answer<()> {
    Ok(run::set_file(index, name, bytes)?)
}

/// The usual names of the four files, in the order of [`set_file`]'s `index`: a list of lists, as JSON.
///
/// # Errors
/// None in practice.
#[wasm_bindgen]
pub fn file_names() -> Answer<String> {
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

/// Runs the benchmark and returns its result as [`show`] does, even if the run failed; calls `on_event` with JSON texts
/// during the run.
///
/// `request` is a [`Request`], `host` a [`Host`] as JSON; `turn` returns a promise that a later task of the event loop
/// resolves. Events are `{"phase": name}`, `{"progress": {...}}`, `{"epoch": {...}}`, `{"losses": {...}}`,
/// `{"digits": {...}}`, `{"guesses": {...}}`, `{"figure": {...}}`, `{"partial": result}`, and `{"trained": shown}` once
/// the training is done and only peaks and profile follow. Afterwards [`classify`] uses the trained network.
///
/// # Errors
/// A message if the request is invalid, the data are damaged, or there is no adapter; nothing was measured then.
#[wasm_bindgen]
pub async fn run(request: &str, host: &str, on_event: js_sys::Function, turn: js_sys::Function) -> Answer<String> {
    observer::clear();
    events::set_turn(turn);
    let (request, host) = (Request::parse(request)?, Host::parse(host)?);
    let result = run::run(&request, &host, PageObserver::new(on_event)).await?;
    Ok(shown::shown(&result)?)
}

/// Differences of these settings from the standard task: a list of phrases, as JSON. Files count as MNIST; only the run
/// verifies them.
///
/// # Errors
/// A message if the settings are invalid.
#[wasm_bindgen]
pub fn differences(request: &str) -> Answer<String> {
    let request = Request::parse(request)?;
    let identity = if request.data == "files" { Identity::Mnist } else { Identity::Synthetic };
    let mut differences = bench::differences_from_standard(&request.settings(), identity);
    let (train, test) = request.images();
    differences.extend(bench::difference_in_images(train, test));
    Ok(serde_json::to_string(&differences)?)
}

/// The comparison of two results as JSON: both sides, rows of figures, and all that differs besides.
///
/// # Errors
/// A message if one of them is not a result.
#[wasm_bindgen]
pub fn compare(first: &str, second: &str) -> Answer<String> {
    Ok(compare::comparison(&RunResult::from_json(first)?, &RunResult::from_json(second)?)?)
}

/// The QR code of `text` as JSON: `{"width": modules of a side, "modules": "0110..."}`.
///
/// # Errors
/// A message if the text is too long for one.
#[wasm_bindgen]
pub fn qr_code(text: &str) -> Answer<String> {
    Ok(link::code(text)?)
}

/// Classifies an image [28, 28] of grey values with the network of the last finished run: the ten probabilities, then
/// the outputs of conv1 [32, 25, 25].
///
/// # Errors
/// A message if there is no network yet or the image has another size.
#[wasm_bindgen]
pub fn classify(pixels: &[u8]) -> Answer<Vec<f32>> {
    Ok(classify::classify(pixels)?)
}

/// A result as JSON: the document, its stamp (`INVALID`, `PARTIAL`, `FAILED`; empty for a complete one), the report as
/// an HTML fragment to be styled by [`report_style`], the table in the published frame as Markdown and as CSV, and the
/// documents for a link and for a QR code.
///
/// # Errors
/// A sentence if `result` is no result.
#[wasm_bindgen]
pub fn show(result: &str) -> Answer<String> {
    Ok(shown::shown(&RunResult::from_json(result)?)?)
}

/// The style sheet of the report.
#[wasm_bindgen]
pub fn report_style() -> String {
    crate::report::HTML_STYLE.to_owned()
}

/// Number of parameters of the standard network.
#[wasm_bindgen]
pub fn parameter_count() -> usize {
    Model::new(crate::model::DROPOUT_RATE).parameter_count()
}
