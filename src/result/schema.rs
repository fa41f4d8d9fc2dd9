//! The JSON Schema of results, made from their types.

use super::run_result::RunResult;
use crate::error::{Error, Result};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

/// What a result file holds besides the result.
#[derive(JsonSchema)]
#[schemars(title = "gpubench.result")]
#[expect(dead_code, reason = "only its schema is made")]
struct ResultFile {
    /// The result.
    #[serde(flatten)]
    result: RunResult,
    /// `sha256:` and the SHA-256, in hexadecimal, of the document without this field and without the white space
    /// between its tokens; absent in files of older versions.
    #[serde(default)]
    #[schemars(regex(pattern = "^sha256:[0-9a-f]{64}$"))]
    digest: String,
}

/// The JSON Schema (draft 2020-12) of a result file, indented, ending in a line break.
///
/// # Errors
/// [`Error::Output`] if it cannot be written as JSON.
pub fn result_schema() -> Result<String> {
    let schema: Schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<ResultFile>();
    let text = serde_json::to_string_pretty(&schema)
        .map_err(|error| Error::Output(format!("the schema cannot be written as JSON: {error}")))?;
    Ok(text + "\n")
}
