//! What happened when, on the host and on the device; the material of a trace. It is not part of a result file.

/// Events of a run on one clock.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// In no particular order; those of one track nest and do not overlap otherwise.
    pub events: Vec<Event>,
    /// Nanoseconds by which device events may be off against host events; 0 where there are none.
    pub alignment_ns: f64,
}

/// What an event belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// The host in the timed training.
    TimedHost,
    /// The host in the profiled steps.
    ProfiledHost,
    /// The device in the profiled steps.
    ProfiledDevice,
}

/// Something that took time.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Where.
    pub track: Track,
    /// What: "encode", "submit", a kernel's label, ...
    pub name: String,
    /// Nanoseconds since the beginning of the run.
    pub begin_ns: f64,
    /// Nanoseconds.
    pub duration_ns: f64,
    /// The training step it belongs to, if it belongs to one.
    pub step: Option<u32>,
    /// Number of the row within its track: dispatches that ran at the same time have rows of their own.
    pub sub_track: u32,
}
