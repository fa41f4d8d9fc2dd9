//! What verifying finds, and the differences that it allows.

use crate::result::Measured;

/// Relative difference below which two figures are one: they are written exactly, and computed in 64 bits.
pub const SAME: f64 = 1e-9;
/// Relative difference up to which the parts of a time may exceed it: samples are rounded to the microsecond.
const PARTS: f64 = 1e-3;
/// Seconds that they may exceed it in addition.
const PARTS_S: f64 = 1e-3;

/// Something in a result that cannot be as it is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The field, as a path in the JSON document.
    pub place: String,
    /// What is wrong with it, in one phrase.
    pub words: String,
}

/// The findings so far.
#[derive(Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds a finding unless the expectation holds.
    pub fn expect(&mut self, holds: bool, place: impl Into<String>, words: impl FnOnce() -> String) {
        if !holds {
            self.0.push(Finding { place: place.into(), words: words() });
        }
    }

    /// Expects the figure that `from` gives.
    pub fn same(&mut self, place: impl Into<String>, found: f64, computed: f64, from: &str) {
        self.near(place, found, computed, 0.0, from);
    }

    /// Expects the figure that `from` gives, to `rounding`.
    pub fn near(&mut self, place: impl Into<String>, found: f64, computed: f64, rounding: f64, from: &str) {
        let near = (found - computed).abs() <= rounding + SAME * found.abs().max(computed.abs());
        self.expect(near, place, || format!("it is {found}, and {from} give {computed}"));
    }

    /// Expects that a figure, if it is there and can be computed, is the computed one.
    pub fn follows(&mut self, place: impl Into<String>, found: &Measured<f64>, computed: Option<f64>, from: &str) {
        if let (Some(&found), Some(computed)) = (found.value(), computed) {
            self.same(place, found, computed, from);
        }
    }

    /// Expects that a count, if it is there, is that of `from`.
    pub fn count(&mut self, place: impl Into<String>, found: u64, counted: u64, from: &str) {
        self.expect(found == counted, place, || format!("it is {found}, and {from} give {counted}"));
    }

    /// Expects that seconds are not longer than what they are a part of.
    pub fn part(&mut self, place: impl Into<String>, part_s: f64, whole_s: f64, whole: &str) {
        let fits = part_s <= whole_s * (1.0 + PARTS) + PARTS_S;
        self.expect(fits, place, || format!("{part_s:.6} s are more than the {whole_s:.6} s of {whole}"));
    }

    /// Expects a hash of SHA-256 in hexadecimal.
    pub fn hash(&mut self, place: impl Into<String>, text: &str) {
        let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.expect(is_hash, place, || "it is no SHA-256".to_owned());
    }

    /// Expects a share from 0 to 100 %, if there is one.
    pub fn share(&mut self, place: impl Into<String>, pct: &Measured<f64>) {
        let sensible = pct.value().is_none_or(|pct| (0.0..=100.0 + PARTS).contains(pct));
        self.expect(sensible, place, || "it is no share in percent".to_owned());
    }
}
