//! Tells a page how its run goes, and hears when it should stop.

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

/// Asks the run at hand to stop.
pub fn request_stop() {
    STOP.store(true, Ordering::Relaxed);
}

/// Adds a warning to the run at hand, once.
pub fn add_warning(text: &str) {
    WARNINGS.with_borrow_mut(|warnings| {
        if !warnings.iter().any(|warning| warning == text) {
            warnings.push(text.to_owned());
        }
    });
}

/// The warnings of the run at hand.
pub fn warnings() -> Vec<String> {
    WARNINGS.take()
}

/// Forgets stops and warnings of runs before.
pub fn clear() {
    STOP.store(false, Ordering::Relaxed);
    WARNINGS.take();
}

/// Watches a run for a page.
pub struct PageObserver {
    on_event: js_sys::Function,
    epochs_told: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Told<'a> {
    Phase(&'a str),
    Progress { repeat: (u32, u32), epoch: (u32, u32), step: (u32, u32), images_per_s: f64 },
    Epoch(&'a crate::result::Epoch),
}

impl PageObserver {
    /// Watches a run whose events go to `on_event`.
    pub fn new(on_event: js_sys::Function) -> Self {
        Self { on_event, epochs_told: 0 }
    }

    /// Tells the page that a part of the run begins.
    pub fn send_phase(&self, name: &str) {
        self.send(&Told::Phase(name));
    }

    fn send(&self, told: &Told<'_>) {
        if let Ok(text) = serde_json::to_string(told) {
            self.send_text(&text);
        }
    }

    fn send_text(&self, text: &str) {
        // A page that fails to show an event loses that event alone.
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
            self.send(&Told::Progress { repeat, epoch, step, images_per_s });
        }
    }

    fn stop_requested(&self) -> bool {
        STOP.load(Ordering::Relaxed)
    }

    fn checkpoint(&mut self, result: &RunResult) -> Result<()> {
        let epochs: Vec<_> = result.repeats.iter().flat_map(|repeat| &repeat.epochs).collect();
        for epoch in &epochs[self.epochs_told.min(epochs.len())..] {
            self.send(&Told::Epoch(epoch));
        }
        self.epochs_told = epochs.len();
        let document = result.to_json()?;
        let value: serde_json::Value = serde_json::from_str(&document)
            .map_err(|error| Error::Output(format!("the partial result cannot be handed to the page: {error}")))?;
        self.send_text(&serde_json::json!({ "partial": value }).to_string());
        Ok(())
    }
}
