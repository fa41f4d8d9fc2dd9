//! Sends the events of a run to a page, and receives its stop requests.

use crate::bench::{Observer, Progress};
use crate::error::{Error, Result};
use crate::result::RunResult;
use serde::Serialize;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use wasm_bindgen::JsValue;

static STOP: AtomicBool = AtomicBool::new(false);

thread_local! {
    static WARNINGS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Requests a stop of the current run.
pub fn request_stop() {
    STOP.store(true, Ordering::Relaxed);
}

/// Adds a warning to the current run, once.
pub fn add_warning(text: &str) {
    WARNINGS.with_borrow_mut(|warnings| {
        if !warnings.iter().any(|warning| warning == text) {
            warnings.push(text.to_owned());
        }
    });
}

/// Takes the warnings of the current run.
pub fn warnings() -> Vec<String> {
    WARNINGS.take()
}

/// Clears stop requests and warnings of earlier runs.
pub fn clear() {
    STOP.store(false, Ordering::Relaxed);
    WARNINGS.take();
}

/// Observes a run for a page.
pub struct PageObserver {
    on_event: js_sys::Function,
    epochs_sent: usize,
}

/// The JSON events except the partial result.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum PageEvent<'a> {
    Phase(&'a str),
    Progress { repeat: (u32, u32), epoch: (u32, u32), step: (u32, u32), images_per_s: f64 },
    Epoch(&'a crate::result::Epoch),
}

impl PageObserver {
    /// Observes a run whose events are passed to `on_event`.
    pub fn new(on_event: js_sys::Function) -> Self {
        Self { on_event, epochs_sent: 0 }
    }

    /// Sends the page the name of a phase that begins.
    pub fn send_phase(&self, name: &str) {
        self.send(&PageEvent::Phase(name));
    }

    fn send(&self, event: &PageEvent<'_>) {
        if let Ok(text) = serde_json::to_string(event) {
            self.send_text(&text);
        }
    }

    fn send_text(&self, text: &str) {
        // An exception in the page's callback does not end the run.
        let _ = self.on_event.call1(&JsValue::NULL, &JsValue::from_str(text));
    }
}

impl Observer for PageObserver {
    fn phase(&mut self, name: &str) {
        self.send_phase(name);
    }

    fn progress(&mut self, progress: &Progress) {
        let Progress { repeat, epoch, step, images_per_s, .. } = *progress;
        if images_per_s.is_finite() {
            self.send(&PageEvent::Progress { repeat, epoch, step, images_per_s });
        }
    }

    fn stop_requested(&self) -> bool {
        STOP.load(Ordering::Relaxed)
    }

    fn checkpoint(&mut self, result: &RunResult) -> Result<()> {
        let epochs: Vec<_> = result.repeats.iter().flat_map(|repeat| &repeat.epochs).collect();
        for epoch in &epochs[self.epochs_sent.min(epochs.len())..] {
            self.send(&PageEvent::Epoch(epoch));
        }
        self.epochs_sent = epochs.len();
        let document = result.to_json()?;
        let value: serde_json::Value = serde_json::from_str(&document)
            .map_err(|error| Error::Output(format!("the partial result cannot be handed to the page: {error}")))?;
        self.send_text(&serde_json::json!({ "partial": value }).to_string());
        Ok(())
    }
}
