//! Sends the events of a run to a page, and receives its stop requests.

use super::classify::{Gallery, Guesses};
use crate::bench::{Observer, Progress, Snapshot};
use crate::error::Result;
use crate::result::{Epoch, RunResult};
use crate::trainer::Metrics;
use serde::Serialize;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use wasm_bindgen::JsValue;
use web_time::Instant;

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

/// Seconds between two snapshots within an epoch. Each drains the device's queue once: so seldom that the training is
/// no slower, and often enough to watch.
const SNAPSHOT_S: f64 = 2.0;
/// Seconds between two snapshots at the ends of epochs, where the clock stands still anyway.
const SNAPSHOT_AT_END_S: f64 = 0.1;
/// Points of the loss curve of an epoch.
const CURVE_POINTS: usize = 64;

/// Observes a run for a page.
pub struct PageObserver {
    on_event: js_sys::Function,
    epochs_sent: usize,
    gallery: Option<Gallery>,
    last_snapshot: Instant,
}

/// The JSON events except results.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum PageEvent<'a> {
    Phase(&'a str),
    Progress { repeat: (u32, u32), epoch: (u32, u32), step: (u32, u32), images_per_s: f64 },
    Epoch(&'a Epoch),
    Figure { done: usize, of: usize, name: &'a str },
    Digits(&'a Gallery),
    Guesses { step: Option<u32>, digits: Guesses },
    Losses { first_step: u32, steps: usize, losses: Vec<f64> },
}

impl PageObserver {
    /// Observes a run whose events are passed to `on_event`.
    pub fn new(on_event: js_sys::Function) -> Self {
        Self { on_event, epochs_sent: 0, gallery: None, last_snapshot: Instant::now() }
    }

    /// Shows some digits of the test set, and what a network with `parameters` takes them for; from now on the observer
    /// wants snapshots.
    pub fn show_digits(&mut self, gallery: Gallery, parameters: &[f32]) {
        self.send(&PageEvent::Digits(&gallery));
        self.gallery = Some(gallery);
        self.send_guesses(Some(0), parameters);
    }

    /// Sends what a network with `parameters`, after `step` steps or at its end, takes the digits for.
    pub fn send_guesses(&mut self, step: Option<u32>, parameters: &[f32]) {
        if let Some(gallery) = &self.gallery {
            self.send(&PageEvent::Guesses { step, digits: gallery.guesses(parameters) });
        }
        self.last_snapshot = Instant::now();
    }

    /// Sends the page the name of the figure that is measured next, the `done`-th of `of`.
    pub fn send_figure(&self, done: usize, of: usize, name: &str) {
        self.send(&PageEvent::Figure { done, of, name });
    }

    /// Sends the page a result as [`shown`](super::shown::shown) makes it, under `name`.
    pub fn send_shown(&self, name: &str, shown: &str) {
        self.send_text(&format!("{{\"{name}\": {shown}}}"));
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
        self.send(&PageEvent::Phase(name));
        self.last_snapshot = Instant::now();
    }

    fn progress(&mut self, progress: &Progress) {
        let Progress { repeat, epoch, step, images_per_s, .. } = *progress;
        if images_per_s.is_finite() {
            self.send(&PageEvent::Progress { repeat, epoch, step, images_per_s });
        }
    }

    fn wants_snapshot(&self, at_end_of_epoch: bool) -> bool {
        let wait_s = if at_end_of_epoch { SNAPSHOT_AT_END_S } else { SNAPSHOT_S };
        self.gallery.is_some() && self.last_snapshot.elapsed().as_secs_f64() >= wait_s
    }

    fn snapshot(&mut self, snapshot: &Snapshot<'_>) {
        let steps = snapshot.metrics.len();
        self.send(&PageEvent::Losses { first_step: snapshot.first_step, steps, losses: losses(snapshot.metrics) });
        self.send_guesses(Some(snapshot.first_step + steps as u32), snapshot.parameters);
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
        self.send_shown("partial", &document);
        Ok(())
    }
}

/// The mean losses of [`CURVE_POINTS`] equal parts of the steps, or of each step if there are fewer.
fn losses(steps: &[Metrics]) -> Vec<f64> {
    let parts = steps.len().min(CURVE_POINTS);
    let part = |part: usize| &steps[part * steps.len() / parts..(part + 1) * steps.len() / parts];
    (0..parts).map(|index| part(index).iter().copied().sum::<Metrics>().loss()).collect()
}
