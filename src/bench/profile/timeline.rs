//! Events of profiled steps on the host and the device, on one clock.

use crate::bench::host_timeline::Activity;
use crate::gpu::Span;
use crate::result::{Event, Timeline, Track};
use std::ops::Range;

/// One profiled step.
#[derive(Debug, Clone)]
pub struct StepEvents {
    /// Number of the step.
    pub step: u32,
    /// Its times on the host's clock.
    pub clock: StepClock,
    /// Its dispatches on the device's clock, in the order of the plan.
    pub spans: Vec<Span>,
    /// Repetitions of each dispatch within its span.
    pub repeats: Vec<u32>,
}

/// The times of a step on the host's clock, in nanoseconds since the start of the run.
#[derive(Debug, Clone)]
pub struct StepClock {
    /// From the start of encoding to the end of reading back its timestamps.
    pub wall_ns: Range<f64>,
    /// Its submission.
    pub submit_ns: Range<f64>,
    /// When the host's wait for it returned.
    pub wait_end_ns: f64,
}

/// The events of all steps on one clock; `names` are those of the dispatches, in the order of the plan.
///
/// WebGPU does not relate the device's clock to the host's. A step starts on the device no earlier than its submission and ends no
/// later than the host's wait: over many steps this bounds the offset to a small range, whose midpoint is used.
pub fn timeline(steps: &[StepEvents], names: &[String]) -> Timeline {
    let Some((offset_ns, alignment_ns)) = offset_ns(steps) else { return Timeline::default() };
    let mut events = Vec::new();
    for step in steps {
        events.extend(host_events(step));
        events.extend(device_events(step, names, offset_ns));
    }
    Timeline { events, alignment_ns }
}

/// The offset of device times and its uncertainty.
fn offset_ns(steps: &[StepEvents]) -> Option<(f64, f64)> {
    let bounds = steps.iter().filter_map(|step| {
        let (first, last) = (step.spans.first()?, step.spans.last()?);
        Some((step.clock.submit_ns.start - first.begin_ns, step.clock.wait_end_ns - last.end_ns))
    });
    let (lowest, highest) = bounds.fold((f64::NEG_INFINITY, f64::INFINITY), |(lowest, highest), (low, high)| {
        (lowest.max(low), highest.min(high))
    });
    let (middle, half) = (f64::midpoint(lowest, highest), (highest - lowest).abs() / 2.0);
    middle.is_finite().then_some((middle, half))
}

fn host_events(step: &StepEvents) -> Vec<Event> {
    let StepClock { wall_ns, submit_ns, wait_end_ns } = &step.clock;
    let event = |name: &str, begin_ns: f64, end_ns: f64| Event {
        track: Track::ProfiledHost,
        name: name.to_owned(),
        begin_ns,
        duration_ns: end_ns - begin_ns,
        step: Some(step.step),
        sub_track: 0,
    };
    vec![
        event("step", wall_ns.start, wall_ns.end),
        event(Activity::Encode.name(), wall_ns.start, submit_ns.start),
        event(Activity::Submit.name(), submit_ns.start, submit_ns.end),
        event(Activity::Wait.name(), submit_ns.end, *wait_end_ns),
        event(Activity::Readback.name(), *wait_end_ns, wall_ns.end),
    ]
}

/// The dispatches of a step, without those whose samples are dropped.
fn device_events(step: &StepEvents, names: &[String], offset_ns: f64) -> Vec<Event> {
    // End of each sub-track: independent dispatches may overlap.
    let mut ends_ns: Vec<f64> = Vec::new();
    let mut events = Vec::new();
    let named = step.spans.iter().zip(&step.repeats).zip(names);
    for ((span, repeats), name) in named.filter(|((span, _), _)| span.duration_ns() > 0.0) {
        let free = ends_ns.iter().position(|end_ns| *end_ns <= span.begin_ns);
        let sub_track = free.unwrap_or(ends_ns.len());
        match ends_ns.get_mut(sub_track) {
            Some(end_ns) => *end_ns = span.end_ns,
            None => ends_ns.push(span.end_ns),
        }
        events.push(Event {
            track: Track::ProfiledDevice,
            name: if *repeats == 1 { name.clone() } else { format!("{name} x{repeats}") },
            begin_ns: span.begin_ns + offset_ns,
            duration_ns: span.duration_ns(),
            step: Some(step.step),
            sub_track: sub_track as u32,
        });
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(number: u32, submit: Range<f64>, wait_end: f64, spans: &[(f64, f64)]) -> StepEvents {
        StepEvents {
            step: number,
            clock: StepClock { wall_ns: submit.start - 10.0..wait_end + 5.0, submit_ns: submit, wait_end_ns: wait_end },
            spans: spans.iter().map(|&(begin_ns, end_ns)| Span { begin_ns, end_ns }).collect(),
            repeats: vec![1; spans.len()],
        }
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("kernel{index}/layer")).collect()
    }

    #[test]
    fn the_clock_offset_is_the_midpoint_of_its_bounds() {
        // The device's clock is 1000 behind: the first step leaves -5 ..= 15 around it, the second -2 ..= 30.
        let steps = [
            step(0, 1095.0..1097.0, 1215.0, &[(100.0, 150.0), (150.0, 200.0)]),
            step(1, 2098.0..2099.0, 2230.0, &[(1100.0, 1150.0), (1150.0, 1200.0)]),
        ];
        let (offset_ns, off_ns) = offset_ns(&steps).expect("two steps");
        assert_eq!((offset_ns, off_ns), (1006.5, 8.5));
        let timeline = timeline(&steps, &names(2));
        assert_eq!(timeline.events.len(), 2 * (5 + 2));
        assert_eq!(timeline.alignment_ns, 8.5);
    }

    #[test]
    fn overlapping_dispatches_have_sub_tracks_and_empty_ones_are_omitted() {
        let steps = [step(0, 0.0..1.0, 99.0, &[(0.0, 10.0), (5.0, 12.0), (12.0, 12.0), (11.0, 20.0)])];
        let events = timeline(&steps, &names(4)).events;
        let device: Vec<(&str, u32)> = events
            .iter()
            .filter(|event| event.track == Track::ProfiledDevice)
            .map(|event| (event.name.as_str(), event.sub_track))
            .collect();
        assert_eq!(device, [("kernel0/layer", 0), ("kernel1/layer", 1), ("kernel3/layer", 0)]);
    }

    #[test]
    fn without_steps_there_are_no_events() {
        assert_eq!(timeline(&[], &names(1)), Timeline::default());
    }
}
