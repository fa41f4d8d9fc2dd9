//! How a training took turns with that of another result.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The turns of one of two results that `gpubench ab` made: training n of one belongs to training n of the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Turns {
    /// The same in both results, and in no other.
    pub pair: String,
    /// Which side this is: 1 or 2.
    pub side: u32,
    /// The option in which the sides differ: `--plan`.
    pub option: String,
    /// Its value on this side; for `--env` without a variable "none".
    pub value: String,
    /// Which side trained in each turn, drawn by lot for each round: `1221`. Empty until the run has ended.
    pub order: String,
    /// Why there was no further round. Of a run that is under way, that it is not at its end.
    pub ended: TurnsEnd,
}

/// Why there was no further round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TurnsEnd {
    /// A look came to a verdict.
    Verdict,
    /// The time was up.
    MaxTime,
    /// No more rounds are ever made.
    MostRounds,
    /// The run was stopped, or is still going on.
    Unfinished,
}
