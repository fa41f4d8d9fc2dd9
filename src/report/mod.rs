//! temporary
use crate::result::RunResult;
/// x
pub fn text(result: &RunResult) -> String {
    format!("{:#?}", result.summary)
}
