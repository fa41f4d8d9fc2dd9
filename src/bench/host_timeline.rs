//! A timeline of the host's activities in a timed training.

use crate::result::{Event, HostTimes, Track};
use web_time::Instant;

/// An activity of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Creating buffers and bind groups.
    Prepare,
    /// Copying data to the device.
    Upload,
    /// Shuffling the order of an epoch.
    Shuffle,
    /// Encoding commands.
    Encode,
    /// Submitting commands.
    Submit,
    /// Blocked until commands are done.
    Wait,
    /// Reading results back.
    Readback,
    /// Passing gradients or parameters between several devices, through the host.
    Exchange,
    /// Summing gradients or parameters over several processes, which includes waiting for them.
    AllReduce,
    /// Reporting progress to the observer.
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
            Activity::AllReduce => "all-reduce",
            Activity::Report => "report",
        }
    }
}

/// One interval of one activity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The activity.
    pub activity: Activity,
    /// Nanoseconds since the timeline's origin.
    pub begin_ns: f64,
    /// Nanoseconds.
    pub duration_ns: f64,
    /// Whether submitted commands had not been waited for: the device may have been busy.
    pub in_flight: bool,
    /// First training step of the commands, if any.
    pub step: Option<u32>,
}

/// The intervals of one training, in the order in which they ended.
#[derive(Debug, Clone)]
pub struct HostTimeline {
    origin: Instant,
    /// Offset of recorded step numbers: the steps of earlier epochs.
    pub first_step: u32,
    /// All intervals.
    pub intervals: Vec<Interval>,
}

/// The start of an interval, to be passed to [`HostTimeline::end`].
#[derive(Debug, Clone, Copy)]
#[must_use = "an interval is recorded when it ends"]
pub struct OpenInterval(Instant);

impl HostTimeline {
    /// Creates an empty timeline whose times count from `origin`.
    pub fn new(origin: Instant) -> Self {
        Self { origin, first_step: 0, intervals: Vec::new() }
    }

    /// Begins an interval.
    pub fn begin(&self) -> OpenInterval {
        OpenInterval(Instant::now())
    }

    /// Records the interval that started with `interval` and ends now; `step` is the first step of its commands, within
    /// the epoch.
    pub fn end(&mut self, interval: OpenInterval, activity: Activity, in_flight: bool, step: Option<u32>) {
        let duration_ns = nanoseconds(interval.0.elapsed());
        let begin_ns = nanoseconds(interval.0.saturating_duration_since(self.origin));
        let step = step.map(|step| self.first_step + step);
        self.intervals.push(Interval { activity, begin_ns, duration_ns, in_flight, step });
    }

    /// Records the duration of `work` as `activity`, with nothing in flight.
    pub fn time<T>(&mut self, activity: Activity, work: impl FnOnce() -> T) -> T {
        let interval = self.begin();
        let output = work();
        self.end(interval, activity, false, None);
        output
    }

    /// Total seconds of the intervals that satisfy `predicate`.
    pub fn seconds(&self, predicate: impl Fn(&Interval) -> bool) -> f64 {
        // `sum` of an empty iterator is -0.0, which would be printed with its sign.
        let durations =
            self.intervals.iter().filter(|interval| predicate(interval)).map(|interval| interval.duration_ns);
        durations.fold(0.0, |sum, duration_ns| sum + duration_ns) / 1e9
    }

    /// Total seconds of each activity within a training of `wall_s` seconds.
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
