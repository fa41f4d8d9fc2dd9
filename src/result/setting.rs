//! A setting and the origin of its value.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the value of a setting came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The default.
    Default,
    /// An option on the command line, or a field of the web page.
    Option,
    /// An environment variable.
    Environment,
    /// A file.
    File,
}

/// A setting and where its value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Setting_{T}")]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// A setting of `value` that came from `origin`.
    pub const fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// A setting with its default value.
    pub const fn default(value: T) -> Self {
        Self::new(value, Origin::Default)
    }

    /// The value of an option on the command line if it is given, else `default`.
    pub fn option_or(given: Option<T>, default: T) -> Self {
        given.map_or_else(|| Self::default(default), |value| Self::new(value, Origin::Option))
    }
}
