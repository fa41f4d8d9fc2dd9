//! A timeline in the Chrome trace event format, which Perfetto and chrome://tracing open.
//!
//! Source of the format: "Trace Event Format",
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.

use super::load::load;
use crate::result::{Event, RunResult, Timeline, Track};
use crate::{Error, Result};
use serde::Serialize;

/// The timeline as one JSON document: a process for the timed training and one for the profiled steps, each with its
/// tracks.
///
/// `ts` and `dur` are in microseconds with fractions, as the format wants them.
///
/// # Errors
/// [`Error::Output`] if an event begins at no finite time, or lasts less than 0 ns or no finite time.
pub fn chrome_trace(timeline: &Timeline, result: &RunResult) -> Result<String> {
    let mut events: Vec<&Event> = timeline.events.iter().collect();
    // Viewers nest events in the order of the file where two begin together: the longer one comes first.
    events.sort_by(|a, b| {
        let place = |event: &Event| (process(event.track).0, thread(event).0);
        place(a).cmp(&place(b)).then(a.begin_ns.total_cmp(&b.begin_ns)).then(b.duration_ns.total_cmp(&a.duration_ns))
    });
    let mut trace_events = names(&events);
    for event in events {
        trace_events.push(complete(event)?);
    }
    let adapter = &result.environment.adapter;
    let trace = Trace {
        trace_events,
        display_time_unit: "ns",
        other_data: OtherData {
            adapter: adapter.label(),
            backend: adapter.backend.clone(),
            version: format!("gpubench {}", result.environment.tool.version),
            started_utc: result.started_utc.clone(),
            alignment: if timeline.alignment_ns.is_finite() {
                format!("device events may be off by {:.0} ns against host events", timeline.alignment_ns)
            } else {
                "n/a (device and host clocks could not be aligned)".to_owned()
            },
            load: load(result),
            stamps: result.stamps().join(", "),
        },
    };
    serde_json::to_string(&trace).map_err(|error| Error::Output(format!("the trace cannot be written: {error}")))
}

/// The document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trace<'a> {
    trace_events: Vec<TraceEvent<'a>>,
    display_time_unit: &'static str,
    other_data: OtherData,
}

#[derive(Serialize)]
struct OtherData {
    adapter: String,
    backend: String,
    version: String,
    started_utc: String,
    alignment: String,
    load: String,
    stamps: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum TraceEvent<'a> {
    /// Names a process or a thread.
    Metadata { name: &'static str, ph: &'static str, pid: u32, tid: u32, args: Name },
    /// Something with a beginning and a duration.
    Complete {
        name: &'a str,
        cat: &'static str,
        ph: &'static str,
        pid: u32,
        tid: u32,
        ts: f64,
        dur: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        args: Option<Step>,
    },
}

#[derive(Serialize)]
struct Name {
    name: String,
}

#[derive(Serialize)]
struct Step {
    step: u32,
}

const fn process(track: Track) -> (u32, &'static str) {
    match track {
        Track::TimedHost => (1, "timed training"),
        Track::ProfiledHost | Track::ProfiledDevice => (2, "profiled steps"),
    }
}

/// Number and name of the row of an event: each track has one, and further ones for what ran at the same time.
fn thread(event: &Event) -> (u32, String) {
    let (number, name) = match event.track {
        Track::TimedHost | Track::ProfiledHost => (1, "host"),
        Track::ProfiledDevice => (2, "device"),
    };
    match event.sub_track {
        0 => (number, name.to_owned()),
        sub_track => (number + sub_track, format!("{name}, at the same time ({sub_track})")),
    }
}

/// The names of the processes and threads that have events, which are sorted by them.
fn names<'a>(events: &[&Event]) -> Vec<TraceEvent<'a>> {
    let mut names = Vec::new();
    let (mut last_process, mut last_thread) = (None, None);
    for event in events {
        let ((pid, process), (tid, thread)) = (process(event.track), thread(event));
        if last_process != Some(pid) {
            let args = Name { name: process.to_owned() };
            names.push(TraceEvent::Metadata { name: "process_name", ph: "M", pid, tid, args });
        }
        if last_thread != Some((pid, tid)) {
            names.push(TraceEvent::Metadata { name: "thread_name", ph: "M", pid, tid, args: Name { name: thread } });
        }
        (last_process, last_thread) = (Some(pid), Some((pid, tid)));
    }
    names
}

fn complete(event: &Event) -> Result<TraceEvent<'_>> {
    let (begin_us, duration_us) = (event.begin_ns / 1e3, event.duration_ns / 1e3);
    if !begin_us.is_finite() || !duration_us.is_finite() || duration_us < 0.0 {
        return Err(Error::Output(format!(
            "the trace cannot be written: the event {:?} begins at {} ns and lasts {} ns; run again without --trace",
            event.name, event.begin_ns, event.duration_ns
        )));
    }
    let category = match event.track {
        Track::TimedHost | Track::ProfiledHost => "host",
        Track::ProfiledDevice => "device",
    };
    Ok(TraceEvent::Complete {
        name: &event.name,
        cat: category,
        ph: "X",
        pid: process(event.track).0,
        tid: thread(event).0,
        ts: begin_us,
        dur: duration_us,
        args: event.step.map(|step| Step { step }),
    })
}
