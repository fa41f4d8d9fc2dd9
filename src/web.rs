//! What a web page can call.

use crate::gpu::Adapters;
use wasm_bindgen::prelude::*;

/// Sends panics to the browser's console; called once when the module is loaded.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

/// The version of this program.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// What the browser tells of its adapters, as the JSON that `gpubench list --json` prints.
///
/// # Errors
/// A sentence if the browser cannot be asked.
#[wasm_bindgen]
pub async fn adapters() -> Result<String, JsError> {
    let adapters = Adapters::find(Some("webgpu")).await?;
    Ok(serde_json::to_string(adapters.infos())?)
}
