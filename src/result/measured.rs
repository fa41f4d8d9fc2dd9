//! A value, or the reason why there is none.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value that was measured, or the reason why it is missing; in JSON the value itself or `{"missing": "reason"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a value of the right type or {\"missing\": \"reason\"}")]
#[schemars(rename = "Measured_{T}")]
pub enum Measured<T> {
    /// No value.
    Missing {
        /// The reason, for people.
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

    /// The value of `option`; missing for `reason` if it is `None`.
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

    /// The reason, if there is no value.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Measured::Value(_) => None,
            Measured::Missing { reason } => Some(reason),
        }
    }

    /// Applies `convert` to the value; a missing value stays missing for the same reason.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Measured<U> {
        match self {
            Measured::Value(value) => Measured::Value(convert(value)),
            Measured::Missing { reason } => Measured::Missing { reason },
        }
    }

    /// The figure that `get` finds in the value; a missing value makes it missing for the same reason.
    pub fn and_then<U>(&self, get: impl FnOnce(&T) -> Measured<U>) -> Measured<U> {
        match self {
            Measured::Value(value) => get(value),
            Measured::Missing { reason } => Measured::missing(reason.clone()),
        }
    }
}

impl From<f64> for Measured<f64> {
    /// A number that is not finite is missing.
    fn from(value: f64) -> Self {
        if value.is_finite() { Measured::Value(value) } else { Measured::missing(super::json::NOT_FINITE) }
    }
}

impl From<f32> for Measured<f64> {
    /// A number that is not finite is missing.
    fn from(value: f32) -> Self {
        f64::from(value).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{StepCheck, json};

    #[test]
    fn a_missing_value_is_an_object_with_its_reason() {
        let json = serde_json::to_string(&Measured::<f64>::missing("no timestamps")).unwrap();
        assert_eq!(json, r#"{"missing":"no timestamps"}"#);
        assert_eq!(serde_json::from_str::<Measured<f64>>(&json).unwrap(), Measured::missing("no timestamps"));
        assert_eq!(serde_json::from_str::<Measured<f64>>("1.5").unwrap(), Measured::Value(1.5));
        let error = serde_json::from_str::<Measured<f64>>("null").unwrap_err().to_string();
        assert!(error.contains("missing"), "{error}");
    }

    #[test]
    fn numbers_that_are_not_finite_are_missing() {
        assert_eq!(Measured::from(f64::NAN).value(), None);
        assert_eq!(Measured::from(f32::INFINITY).value(), None);
        let step = StepCheck { step: 0, gpu_loss: Measured::Value(f64::NAN), reference_loss: Measured::Value(2.3) };
        let json = json::to_string(&step).unwrap();
        assert!(!json.contains("null"), "{json}");
        let read: StepCheck = serde_json::from_str(&json).unwrap();
        assert_eq!(read.gpu_loss, Measured::missing("not a finite number"));
        assert_eq!(read.reference_loss, step.reference_loss);
    }
}
