//! What the host did when: every interval of a timed training, by kind.

use crate::result::{Event, HostTimes, Track};
use web_time::Instant;

/// What the host can be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Making buffers and bindings.
    Prepare,
    /// Copying data to the device.
    Upload,
    /// Drawing the order of an epoch.
    Shuffle,
    /// Encoding commands.
    Encode,
    /// Handing commands over.
    Submit,
    /// Blocked until commands are done.
    Wait,
    /// Reading results back.
    Readback,
    /// Passing gradients or parameters between several devices, through the host.
    Exchange,
    /// Telling the observer.
    Report,
}

impl Activity {
    /// The name of its events in a trace.
    pub const fn name(self) -> &'static str {
        match self {
            Activity::Prepare => "prepare",
            Activity::Upload => "upload",
            Activity::Shuffle => "shuffle",
            Activity::Encode => "encode",
            Activity::Submit => "submit",
            Activity::Wait => "wait",
            Activity::Readback => "readback",
            Activity::Exchange => "exchange",
            Activity::Report => "report",
        }
    }
}

/// One interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// What was done.
    pub activity: Activity,
    /// Nanoseconds since the host_timeline's origin.
    pub begin_ns: f64,
    /// Nanoseconds.
    pub duration_ns: f64,
    /// Whether commands were with the device that had not been waited for: it may have been busy meanwhile.
    pub in_flight: bool,
    /// The first step of the commands at hand.
    pub step: Option<u32>,
}

/// The intervals of one training, in the order in which they ended.
#[derive(Debug, Clone)]
pub struct HostTimeline {
    origin: Instant,
    /// What is added to the steps that are entered: those of the epochs before.
    pub first_step: u32,
    /// All intervals.
    pub intervals: Vec<Interval>,
}

/// An interval that has begun.
#[derive(Debug, Clone, Copy)]
#[must_use = "an interval that is not ended is not in the account"]
pub struct Begun(Instant);

impl HostTimeline {
    /// An empty host_timeline whose times count from `origin`.
    pub fn new(origin: Instant) -> Self {
        Self { origin, first_step: 0, intervals: Vec::new() }
    }

    /// Begins an interval.
    pub fn begin(&self) -> Begun {
        Begun(Instant::now())
    }

    /// Ends an interval that was `activity`, with commands in flight or not, for the commands that begin with `step`.
    pub fn end(&mut self, begun: Begun, activity: Activity, in_flight: bool, step: Option<u32>) {
        let duration_ns = nanoseconds(begun.0.elapsed());
        let begin_ns = nanoseconds(begun.0.saturating_duration_since(self.origin));
        let step = step.map(|step| self.first_step + step);
        self.intervals.push(Interval { activity, begin_ns, duration_ns, in_flight, step });
    }

    /// Enters what `work` does as `activity`, with nothing in flight.
    pub fn time<T>(&mut self, activity: Activity, work: impl FnOnce() -> T) -> T {
        let begun = self.begin();
        let outcome = work();
        self.end(begun, activity, false, None);
        outcome
    }

    /// Seconds of the intervals that `wanted` chooses.
    pub fn seconds(&self, wanted: impl Fn(&Interval) -> bool) -> f64 {
        // The sum of nothing is -0.0, which would show.
        self.intervals.iter().filter(|interval| wanted(interval)).fold(0.0, |sum, one| sum + one.duration_ns) / 1e9
    }

    /// What the host did in all, within a training of `wall_s` seconds.
    pub fn host_times(&self, wall_s: f64) -> HostTimes {
        let of = |activity| self.seconds(|interval| interval.activity == activity);
        let known = self.seconds(|interval| interval.activity != Activity::Report);
        HostTimes {
            prepare_s: of(Activity::Prepare),
            upload_s: of(Activity::Upload),
            shuffle_s: of(Activity::Shuffle),
            encode_s: of(Activity::Encode),
            submit_s: of(Activity::Submit),
            wait_s: of(Activity::Wait),
            readback_s: of(Activity::Readback),
            other_s: wall_s - known,
        }
    }

    /// The intervals as events of `track`.
    pub fn events(&self, track: Track) -> impl Iterator<Item = Event> {
        self.intervals.iter().map(move |interval| Event {
            track,
            name: interval.activity.name().to_owned(),
            begin_ns: interval.begin_ns,
            duration_ns: interval.duration_ns,
            step: interval.step,
            sub_track: 0,
        })
    }
}

/// Nanoseconds of `duration`.
pub fn nanoseconds(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}
