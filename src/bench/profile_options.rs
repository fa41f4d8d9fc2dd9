//! How to profile.

use crate::gpu::Timestamps;

/// Steps profiled where nothing else is asked for.
pub const PROFILED_STEPS: u32 = 50;

/// How to profile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProfileOptions {
    /// Steps to profile, at least 1.
    pub steps: u32,
    /// The grade of timestamps to use, if it is not to be the finest.
    pub grade: Option<Timestamps>,
    /// Round timestamps to steps of so many nanoseconds, as browsers do.
    pub clock_step_ns: Option<f64>,
}

impl ProfileOptions {
    /// The finest way of profiling `steps` steps.
    pub fn new(steps: u32) -> Self {
        Self { steps, grade: None, clock_step_ns: None }
    }
}
