//! Panics: those of the graphics library are failures of the device, all others are defects of this program.

use super::{interrupt, terminal};
use crate::error::{Error, Result};
use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind, set_hook, take_hook};

thread_local! {
    /// What the graphics library said at its last panic on this thread.
    static DEVICE_FAILURE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes a panic say that it is a defect of the program, where the results so far lie, and how to report it; one of
/// the graphics library is kept for [`caught`]. The default message with a backtrace follows if `RUST_BACKTRACE` asks
/// for one.
pub fn explain() {
    let default = take_hook();
    set_hook(Box::new(move |panic| {
        let words = panic.payload_as_str().unwrap_or("no reason was given");
        if is_of_graphics_library(panic) {
            // The last line is the cause of those before it.
            let cause = words.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or(words);
            DEVICE_FAILURE.set(Some(cause.to_owned()));
        } else {
            let place = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
            terminal::error(&format!("this is a defect of gpubench{place}: {words}"));
            interrupt::kept().iter().for_each(|path| terminal::message(&format!("result: {}", path.display())));
            terminal::message(concat!(
                "report it with the command and these lines at ",
                env!("CARGO_PKG_REPOSITORY"),
                "/issues; RUST_BACKTRACE=1 tells more"
            ));
        }
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
            default(panic);
        }
    }));
}

/// Whether a panic comes from wgpu, which panics where a driver gives an answer that it has no error for.
fn is_of_graphics_library(panic: &PanicHookInfo<'_>) -> bool {
    panic
        .location()
        .is_some_and(|place| place.file().split(['/', '\\']).any(|folder| folder.strip_prefix("wgpu-").is_some()))
}

/// Does `work`; a panic of the graphics library in it is an error.
///
/// # Errors
/// Those of `work`; [`Error::Device`] for such a panic.
pub fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(device_failure(panic)))
}

/// Runs a future to its end; a panic of the graphics library in it is an error.
///
/// # Errors
/// Those of `future`; [`Error::Device`] for such a panic.
pub fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    caught(|| pollster::block_on(future))
}

/// The error of a panic of the graphics library; another goes on.
fn device_failure(panic: Box<dyn Any + Send>) -> Error {
    match DEVICE_FAILURE.take() {
        Some(words) => Error::Device(format!("the driver failed ({words}): restart, and look at the driver's log")),
        None => resume_unwind(panic),
    }
}
