//! Results in links: what of a result travels in the address of a page, and the QR code of an address.

use crate::error::{Error, Result};
use crate::result::{Check, Measured, Repeat, RunResult, Sample};
use qrcode::{Color, EcLevel, QrCode};
use serde::Serialize;
use serde_json::Value;

/// What a result that was opened from a link says.
const FROM_A_LINK: &str =
    "opened from a link, which holds no samples, limits, features or rows of the check, and figures to five digits";
/// What a result says that was opened from a QR code.
const FROM_A_CODE: &str = "opened from a QR code, which holds the figures of the training to five digits, without \
    samples, loss curve, profile, peaks, tuning, rows of the check, and reasons for what is missing";
/// Modules of a side of the largest QR code that a phone reads from a screen: version 35.
const LARGEST_CODE: usize = 157;
/// The reason for everything that a QR code has no room for.
const NO_ROOM: &str = "not in the QR code";

/// The document for a link: without samples, which are most of it.
///
/// # Errors
/// [`Error::Output`] if it cannot be written, which no result made by this program causes.
pub fn linked(result: &RunResult) -> Result<String> {
    let mut result = result.clone();
    result.repeats.iter_mut().for_each(join_samples);
    if let Measured::Value(profile) = &mut result.profile {
        profile.kernels.iter_mut().for_each(|kernel| kernel.samples_ns.clear());
    }
    if let Measured::Value(peaks) = &mut result.peaks {
        peaks.figures.iter_mut().for_each(|figure| figure.samples.clear());
    }
    if let Measured::Value(Check { kernels, steps, .. }) = &mut result.check {
        kernels.clear();
        steps.clear();
    }
    result.environment.adapter.limits.clear();
    result.environment.adapter.features.clear();
    if !result.warnings.iter().any(|warning| warning == FROM_A_LINK || warning == FROM_A_CODE) {
        result.warnings.push(FROM_A_LINK.to_owned());
    }
    let mut document = document(&result)?;
    round(&mut document);
    Ok(document.to_string())
}

/// The document for a QR code: the figures of the training alone.
///
/// # Errors
/// As [`linked`].
pub fn scanned(result: &RunResult) -> Result<String> {
    let mut result = result.clone();
    result.repeats.iter_mut().for_each(join_samples);
    for repeat in &mut result.repeats {
        repeat.parameters_sha256 = Measured::missing(NO_ROOM);
        repeat.load = Measured::missing(NO_ROOM);
        repeat.epochs.iter_mut().for_each(|epoch| epoch.loss_curve.clear());
    }
    result.tuning = Measured::missing(NO_ROOM);
    result.profile = Measured::missing(NO_ROOM);
    result.peaks = Measured::missing(NO_ROOM);
    result.account = Measured::missing(NO_ROOM);
    result.plan.kernels.clear();
    if let Measured::Value(Check { kernels, steps, .. }) = &mut result.check {
        kernels.clear();
        steps.clear();
    }
    result.environment.adapter.limits.clear();
    result.environment.adapter.features.clear();
    result.warnings = vec![FROM_A_CODE.to_owned()];
    let mut document = document(&result)?;
    round(&mut document);
    shorten_reasons(&mut document);
    Ok(document.to_string())
}

fn document(result: &RunResult) -> Result<Value> {
    serde_json::from_str(&result.to_json()?)
        .map_err(|error| Error::Output(format!("the result cannot be put into a link: {error}")))
}

/// Replaces the samples of each epoch by one for all its steps.
fn join_samples(repeat: &mut Repeat) {
    let mut joined: Vec<Sample> = Vec::new();
    for sample in &repeat.samples {
        match joined.last_mut().filter(|last| last.epoch == sample.epoch) {
            Some(last) => {
                last.steps += sample.steps;
                last.duration_s += sample.duration_s;
            }
            None => joined.push(*sample),
        }
    }
    repeat.samples = joined;
}

/// Rounds all numbers with a fraction to five digits.
fn round(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(round),
        Value::Object(entries) => entries.values_mut().for_each(round),
        Value::Number(number) if number.is_f64() => {
            let rounded = number.as_f64().and_then(|number| format!("{number:.4e}").parse::<f64>().ok());
            *value = rounded.map_or(Value::Null, Value::from);
        }
        _ => {}
    }
}

/// Gives everything that is missing the same short reason.
fn shorten_reasons(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(shorten_reasons),
        Value::Object(entries) => match entries.get_mut("missing") {
            Some(reason @ Value::String(_)) => *reason = NO_ROOM.into(),
            _ => entries.values_mut().for_each(shorten_reasons),
        },
        _ => {}
    }
}

/// A QR code.
#[derive(Serialize)]
struct Code {
    /// Modules of a side.
    width: usize,
    /// Its modules, row by row: 1 for a dark one, else 0.
    modules: String,
}

/// The QR code of `text` as JSON, for a page to draw.
///
/// # Errors
/// [`Error::Usage`] if it is too long for a code that a phone reads from a screen.
pub fn code(text: &str) -> Result<String> {
    let too_long = |why: &dyn std::fmt::Display| Error::Usage(format!("this link has no QR code: {why}"));
    let code = QrCode::with_error_correction_level(text, EcLevel::L).map_err(|error| too_long(&error))?;
    if code.width() > LARGEST_CODE {
        return Err(too_long(&"it is too long for one that a phone reads"));
    }
    let modules = code.to_colors().into_iter().map(|color| if color == Color::Dark { '1' } else { '0' }).collect();
    serde_json::to_string(&Code { width: code.width(), modules })
        .map_err(|error| Error::Output(format!("the QR code cannot be written: {error}")))
}
