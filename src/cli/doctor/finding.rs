//! What the doctor found, and what to type about it.

use serde::Serialize;

/// How good a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// Worth knowing; not a fault.
    Note,
    /// Keeps a GPU from being used, or may.
    Problem,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How good it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it: a command to type where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    /// Something as it should be.
    pub fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, state: State::Ok, found: found.into(), fix: None }
    }

    /// Something worth knowing.
    pub fn note(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, state: State::Note, found: found.into(), fix: None }
    }

    /// A fault, with what to do about it.
    pub fn problem(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, state: State::Problem, found: found.into(), fix: Some(fix.into()) }
    }

    /// Whether it is a fault.
    pub fn is_problem(&self) -> bool {
        self.state == State::Problem
    }

    /// The same with advice.
    pub fn with_fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}
