//! Whether a text is a trace in the Chrome trace event format whose events could have happened.

use serde_json::Value;
use std::collections::BTreeMap;

/// How far an event may reach beyond the one it lies in, nanoseconds: times are written as fractions of microseconds.
pub const TOLERANCE_NS: f64 = 1.0;

/// What a sound trace holds.
#[derive(Debug, Default)]
pub struct Checked {
    /// Number of events that took time, by process and thread name: "profiled steps/device".
    pub events: BTreeMap<String, usize>,
    /// Nanoseconds of the innermost events on each track of devices, by name.
    pub device_sums_ns: BTreeMap<String, f64>,
}

impl Checked {
    /// Whether the innermost events of the device bear exactly these names and last as long in all, but for rounding.
    pub fn expect_device_sums(&self, given: &BTreeMap<String, f64>) -> Result<(), String> {
        for name in given.keys().chain(self.device_sums_ns.keys()) {
            match (given.get(name), self.device_sums_ns.get(name)) {
                (Some(given), Some(found)) if (given - found).abs() <= TOLERANCE_NS + 1e-9 * given => {}
                (given, found) => return Err(format!("{name} on the device: {found:?} ns in all, not {given:?}")),
            }
        }
        Ok(())
    }
}

/// One event that took time.
struct Event {
    name: String,
    begin_ns: f64,
    end_ns: f64,
    has_child: bool,
}

/// Parses a trace and proves that every event has its fields, durations are not negative, all tracks are named, and
/// that the events of a track nest: each lies inside the one around it or apart from it.
pub fn check(text: &str) -> Result<Checked, String> {
    let trace: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    if trace["displayTimeUnit"] != "ns" {
        return Err("displayTimeUnit is not ns".to_owned());
    }
    for key in ["adapter", "version", "alignment"] {
        text_of(&trace["otherData"], key)?;
    }
    let events = trace["traceEvents"].as_array().ok_or("there are no traceEvents")?;
    let mut names: BTreeMap<(String, u64, u64), String> = BTreeMap::new();
    let mut tracks: BTreeMap<(u64, u64), Vec<Event>> = BTreeMap::new();
    for event in events {
        let (name, pid, tid) = (text_of(event, "name")?, whole(event, "pid")?, whole(event, "tid")?);
        match text_of(event, "ph")?.as_str() {
            "M" => {
                let key = if name == "process_name" { (name, pid, 0) } else { (name, pid, tid) };
                names.insert(key, text_of(&event["args"], "name")?);
            }
            "X" => {
                let (begin_ns, duration_ns) = (number(event, "ts")? * 1e3, number(event, "dur")? * 1e3);
                if duration_ns < 0.0 {
                    return Err(format!("{name} lasts {duration_ns} ns"));
                }
                let end_ns = begin_ns + duration_ns;
                tracks.entry((pid, tid)).or_default().push(Event { name, begin_ns, end_ns, has_child: false });
            }
            other => return Err(format!("an event of the unknown kind {other:?}")),
        }
    }
    let mut checked = Checked::default();
    for ((pid, tid), mut events) in tracks {
        let process = names.get(&("process_name".to_owned(), pid, 0)).ok_or(format!("process {pid} has no name"))?;
        let thread = names.get(&("thread_name".to_owned(), pid, tid)).ok_or(format!("thread {tid} has no name"))?;
        let track = format!("{process}/{thread}");
        nest(&track, &mut events)?;
        checked.events.insert(track, events.len());
        for event in events.iter().filter(|event| thread.starts_with("device") && !event.has_child) {
            *checked.device_sums_ns.entry(event.name.clone()).or_default() += event.end_ns - event.begin_ns;
        }
    }
    Ok(checked)
}

/// Proves that the events of one track nest, and notes which of them lie around others.
fn nest(track: &str, events: &mut [Event]) -> Result<(), String> {
    events.sort_by(|a, b| a.begin_ns.total_cmp(&b.begin_ns).then(b.end_ns.total_cmp(&a.end_ns)));
    let mut open: Vec<usize> = Vec::new();
    for index in 0..events.len() {
        let (begin_ns, end_ns) = (events[index].begin_ns, events[index].end_ns);
        while open.last().is_some_and(|&around| events[around].end_ns <= begin_ns + TOLERANCE_NS) {
            open.pop();
        }
        if let Some(&around) = open.last() {
            if end_ns > events[around].end_ns + TOLERANCE_NS {
                return Err(format!(
                    "{track}: {} from {begin_ns} to {end_ns} ns overlaps {}, which ends at {} ns",
                    events[index].name, events[around].name, events[around].end_ns
                ));
            }
            events[around].has_child = true;
        }
        open.push(index);
    }
    Ok(())
}

fn text_of(event: &Value, key: &str) -> Result<String, String> {
    let text = event[key].as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| format!("{key} is missing in {event}"))
}

fn whole(event: &Value, key: &str) -> Result<u64, String> {
    event[key].as_u64().ok_or_else(|| format!("{key} is missing in {event}"))
}

fn number(event: &Value, key: &str) -> Result<f64, String> {
    let number = event[key].as_f64().filter(|number| number.is_finite());
    number.ok_or_else(|| format!("{key} is missing in {event}"))
}
