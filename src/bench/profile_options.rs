//! Options of a profile.

use crate::gpu::Timestamps;

/// Default number of profiled steps.
pub const PROFILED_STEPS: u32 = 50;

/// Options of a profile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProfileOptions {
    /// Steps to profile, at least 1.
    pub steps: u32,
    /// The grade of timestamps to use; the finest if `None`.
    pub grade: Option<Timestamps>,
    /// Quantises timestamps to this many nanoseconds, as browsers do.
    pub clock_step_ns: Option<f64>,
}

impl ProfileOptions {
    /// Profiles `steps` steps with the finest timestamps.
    pub fn new(steps: u32) -> Self {
        Self { steps, grade: None, clock_step_ns: None }
    }
}
