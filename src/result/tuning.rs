//! Which plan is the fastest on an adapter, as measured.

use super::json;
use super::measured::Measured;
use super::subject::Subject;
use crate::error::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The value of `schema` in a tuning document.
pub const TUNING_SCHEMA: &str = "gpubench.tuning";
/// The version of that schema.
pub const TUNING_SCHEMA_VERSION: u32 = 1;

/// The step times of all plans on one adapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tuning {
    /// What was measured, and by which program.
    pub subject: Subject,
    /// When, RFC 3339 in UTC.
    pub measured_utc: String,
    /// Images in a step.
    pub batch: u32,
    /// Whether it was read from the cache instead of being measured in this run.
    pub cached: bool,
    /// Seconds that measuring took.
    pub duration_s: f64,
    /// The plans in the order of the table of plans; then the fastest one with other values of its parameters.
    pub candidates: Vec<Candidate>,
}

/// A plan that was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// Name of the plan, and after a colon the parameter values that differ from the shipped ones, in the syntax of
    /// `--plan`.
    pub plan: String,
    /// Median time of a step, seconds; missing if the plan does not run here or failed its check.
    pub step_s: Measured<f64>,
    /// Median absolute deviation of that time, seconds.
    pub deviation_s: Measured<f64>,
}

#[derive(Serialize, Deserialize)]
struct Document<S, T> {
    schema: S,
    schema_version: u32,
    tuning: T,
}

impl Tuning {
    /// The fastest plan.
    pub fn best(&self) -> Option<&str> {
        let timed = self.candidates.iter().filter_map(|one| Some((one.plan.as_str(), *one.step_s.value()?)));
        timed.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(plan, _)| plan)
    }

    /// The JSON document, indented, ending in a line break.
    ///
    /// # Errors
    /// [`Error::Output`] if a value cannot be written as JSON, which no tuning made by this program contains.
    pub fn to_json(&self) -> Result<String> {
        let document = Document { schema: TUNING_SCHEMA, schema_version: TUNING_SCHEMA_VERSION, tuning: self };
        json::to_string(&document)
            .map_err(|error| Error::Output(format!("the tuning cannot be written as JSON: {error}")))
    }

    /// Reads the output of [`Tuning::to_json`].
    ///
    /// # Errors
    /// [`Error::Data`] if the text is not JSON, no tuning, of another version of the schema, or holds no plausible
    /// time.
    pub fn from_json(text: &str) -> Result<Self> {
        let damaged = |words: String| Error::Data(format!("{words}; measure again with `gpubench tune`"));
        let document: Document<String, Self> =
            serde_json::from_str(text).map_err(|error| damaged(error.to_string()))?;
        if document.schema != TUNING_SCHEMA || document.schema_version != TUNING_SCHEMA_VERSION {
            return Err(damaged(format!("it holds {:?} of version {}", document.schema, document.schema_version)));
        }
        let tuning = document.tuning;
        let times = || tuning.candidates.iter().filter_map(|candidate| candidate.step_s.value());
        if times().next().is_none() || times().any(|seconds| !seconds.is_finite() || *seconds <= 0.0) {
            return Err(damaged("it holds no time that can be believed".to_owned()));
        }
        Ok(tuning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuning(times: &[(&str, Measured<f64>)]) -> Tuning {
        let subject = Subject {
            adapter: "imaginary".into(),
            pci_bus_id: String::new(),
            backend: "vulkan".into(),
            driver: "1".into(),
            version: "0".into(),
            shader_hash: "ab".into(),
        };
        let candidate = |(plan, step_s): &(&str, Measured<f64>)| Candidate {
            plan: (*plan).to_owned(),
            step_s: step_s.clone(),
            deviation_s: Measured::missing("one sample"),
        };
        let candidates = times.iter().map(candidate).collect();
        Tuning { subject, measured_utc: String::new(), batch: 128, cached: false, duration_s: 1.0, candidates }
    }

    #[test]
    fn the_fastest_plan_that_ran_is_the_best() {
        let missing = Measured::missing("it failed its check");
        assert_eq!(tuning(&[("a", 2.0.into()), ("b", 1.0.into()), ("c", missing.clone())]).best(), Some("b"));
        assert_eq!(tuning(&[("c", missing)]).best(), None);
    }

    #[test]
    fn a_tuning_is_read_and_a_damaged_one_refused() {
        let written = tuning(&[("a", 2.0.into())]);
        let text = written.to_json().unwrap();
        assert_eq!(Tuning::from_json(&text), Ok(written));
        for damage in [
            text.replace("2.0", "0.0"),
            text.replace(TUNING_SCHEMA, "other"),
            text[..text.len() / 2].to_owned(),
            text.replace("\"schema_version\": 1", "\"schema_version\": 99"),
        ] {
            let error = Tuning::from_json(&damage).unwrap_err().to_string();
            assert!(error.contains("gpubench tune"), "{error}");
        }
    }
}
