//! A value, or the reason why there is none.

use serde::{Deserialize, Serialize};

/// A value that was measured, or the reason why it is missing; in JSON the value itself or `{"missing": "reason"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a value of the right type or {\"missing\": \"reason\"}")]
pub enum Measured<T> {
    /// There is no value.
    Missing {
        /// Why, in words a reader understands.
        #[serde(rename = "missing")]
        reason: String,
    },
    /// The value.
    Value(T),
}

impl<T> Measured<T> {
    /// No value, for `reason`.
    pub fn missing(reason: impl Into<String>) -> Self {
        Measured::Missing { reason: reason.into() }
    }

    /// The value of `option`, or missing for `reason`.
    pub fn or_missing(option: Option<T>, reason: &str) -> Self {
        option.map_or_else(|| Self::missing(reason), Measured::Value)
    }

    /// The value, if there is one.
    pub const fn value(&self) -> Option<&T> {
        match self {
            Measured::Value(value) => Some(value),
            Measured::Missing { .. } => None,
        }
    }

    /// Why there is no value, if there is none.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Measured::Value(_) => None,
            Measured::Missing { reason } => Some(reason),
        }
    }

    /// The value changed by `change`; what is missing stays missing for the same reason.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Measured<U> {
        match self {
            Measured::Value(value) => Measured::Value(change(value)),
            Measured::Missing { reason } => Measured::Missing { reason },
        }
    }
}

impl From<f64> for Measured<f64> {
    /// A finite number is a value, any other is missing.
    fn from(value: f64) -> Self {
        if value.is_finite() { Measured::Value(value) } else { Measured::missing(super::json::NOT_FINITE) }
    }
}

impl From<f32> for Measured<f64> {
    /// A finite number is a value, any other is missing.
    fn from(value: f32) -> Self {
        f64::from(value).into()
    }
}
