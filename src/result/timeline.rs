//! The timeline of a run on the host and on the device, for traces. It is not part of a result file.

/// Events of a run on one clock.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// The events in any order; events of one track may nest, but do not overlap otherwise.
    pub events: Vec<Event>,
    /// Uncertainty of device events relative to host events, in nanoseconds; 0 without device events.
    pub alignment_ns: f64,
}

/// The track of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Track {
    /// The host in the timed training.
    TimedHost,
    /// The host in the profiled steps.
    ProfiledHost,
    /// The device in the profiled steps.
    ProfiledDevice,
}

/// An interval on a track.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its track.
    pub track: Track,
    /// Its name: "encode", "submit", a kernel's label, ...
    pub name: String,
    /// Nanoseconds since the beginning of the run.
    pub begin_ns: f64,
    /// Duration in nanoseconds.
    pub duration_ns: f64,
    /// Its training step, if any.
    pub step: Option<u32>,
    /// Index of the row within the track: dispatches that overlap are in different rows.
    pub sub_track: u32,
}
