//! The event loop of the thread that the module runs on.

use std::cell::RefCell;
use std::pin::Pin;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

thread_local! {
    static TURN: RefCell<Option<js_sys::Function>> = const { RefCell::new(None) };
}

/// Stores the function that [`turn`] calls: it returns a promise that is resolved by a later task of the event loop.
pub fn set_turn(turn: js_sys::Function) {
    TURN.set(Some(turn));
}

/// Lets the event loop run its waiting tasks, such as a request to stop. Computing on the CPU never waits for a device,
/// so without it they would wait for the end.
pub fn turn() -> Pin<Box<dyn Future<Output = ()>>> {
    let turn = TURN.with_borrow(Clone::clone);
    Box::pin(async move {
        if let Some(promise) = turn.and_then(|turn| turn.call0(&JsValue::NULL).ok()) {
            // It is never rejected.
            let _ = JsFuture::from(js_sys::Promise::resolve(&promise)).await;
        }
    })
}
