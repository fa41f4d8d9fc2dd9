//! Traces: what is written is sound, and what is not sound is caught.
use crate::common::sample;
use crate::common::trace::check;
use gpubench::report::chrome_trace;
use gpubench::result::{Event, Timeline, Track};
use std::collections::BTreeMap;

fn event(track: Track, name: &str, begin_ns: f64, duration_ns: f64) -> Event {
    Event { track, name: name.to_owned(), begin_ns, duration_ns, step: None, sub_track: 0 }
}

/// Two profiled steps of two kernels each inside an event of the step, and a timed training before.
fn timeline() -> Timeline {
    let mut events = vec![
        event(Track::TimedHost, "submit", 900.25, 99.0),
        event(Track::TimedHost, "encode", 100.5, 799.5),
        event(Track::TimedHost, "epoch 1", 100.5, 5000.0),
    ];
    for step in 0..2_u32 {
        let begin_ns = 1e7 + 1e4 * f64::from(step);
        let mut add = |track, name, after_ns, duration_ns| {
            events.push(Event { step: Some(step), ..event(track, name, begin_ns + after_ns, duration_ns) });
        };
        add(Track::ProfiledHost, "encode", 0.0, 2000.0);
        add(Track::ProfiledHost, "submit", 2000.0, 500.0);
        add(Track::ProfiledDevice, "conv_forward(conv1)", 2600.1, 3333.3);
        add(Track::ProfiledDevice, "sgd_update(all)", 5933.4, 1000.0);
        add(Track::ProfiledDevice, "step", 2600.1, 4333.3);
    }
    Timeline { events, alignment_ns: 250.0 }
}

#[test]
fn a_written_trace_is_sound_and_sums_to_what_was_measured() {
    let text = chrome_trace(&timeline(), &sample::gpu_run(1)).unwrap();
    let checked = check(&text).unwrap();
    let expected = [("profiled steps/device", 6), ("profiled steps/host", 4), ("timed training/host", 3)];
    assert_eq!(checked.events, expected.map(|(track, count)| (track.to_owned(), count)).into());
    let sums = BTreeMap::from([("conv_forward(conv1)".to_owned(), 6666.6), ("sgd_update(all)".to_owned(), 2000.0)]);
    checked.expect_device_sums(&sums).unwrap();
    let trace: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(trace["otherData"]["alignment"].as_str().is_some_and(|text| text.contains("250 ns")), "{trace}");
    let steps = trace["traceEvents"].as_array().unwrap().iter().filter(|event| event["args"]["step"] == 1).count();
    assert_eq!(steps, 5, "the events of the second step say so");
}

#[test]
fn wrong_sums_are_caught() {
    let checked = check(&chrome_trace(&timeline(), &sample::gpu_run(1)).unwrap()).unwrap();
    let right = checked.device_sums_ns.clone();
    let changes: [fn(&mut BTreeMap<String, f64>); 3] = [
        |sums| sums.values_mut().for_each(|sum| *sum += 5.0),
        |sums| sums.extend([("batch_gather(batch)".to_owned(), 1.0)]),
        |sums| sums.retain(|name, _| name != "sgd_update(all)"),
    ];
    for change in changes {
        let mut wrong = right.clone();
        change(&mut wrong);
        assert!(checked.expect_device_sums(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn events_that_overlap_are_caught() {
    for overlapping in [
        event(Track::ProfiledDevice, "late", 1e7 + 6900.0, 100.0),
        event(Track::ProfiledDevice, "inside two", 1e7 + 5000.0, 1200.0),
        event(Track::TimedHost, "beyond its epoch", 4000.0, 2000.0),
    ] {
        let mut broken = timeline();
        let name = overlapping.name.clone();
        broken.events.push(overlapping);
        let error = check(&chrome_trace(&broken, &sample::gpu_run(1)).unwrap()).unwrap_err();
        assert!(error.contains(&name) || error.contains("overlaps"), "{error}");
    }
    let mut apart = timeline();
    apart.events.push(event(Track::ProfiledHost, "readback", 1e7 + 2499.5, 100.0));
    check(&chrome_trace(&apart, &sample::gpu_run(1)).unwrap()).expect("half a nanosecond is rounding");
}

#[test]
fn times_that_cannot_be_are_never_written() {
    for (begin_ns, duration_ns) in [(f64::NAN, 1.0), (0.0, f64::INFINITY), (0.0, -1.0)] {
        let mut broken = timeline();
        broken.events.push(event(Track::TimedHost, "broken", begin_ns, duration_ns));
        let error = chrome_trace(&broken, &sample::gpu_run(1)).unwrap_err();
        assert!(error.to_string().contains("broken") && error.exit_code() == 7, "{error}");
    }
    let unaligned = Timeline { alignment_ns: f64::NAN, ..timeline() };
    assert!(!chrome_trace(&unaligned, &sample::gpu_run(1)).unwrap().contains("NaN"));
}

#[test]
fn texts_that_are_no_trace_are_caught() {
    let text = chrome_trace(&timeline(), &sample::gpu_run(1)).unwrap();
    let changes = [
        ("\"ph\":\"X\"", "\"ph\":\"Y\""),
        ("\"ts\":", "\"time\":"),
        ("\"dur\":", "\"dur\":-"),
        ("\"tid\":", "\"thread\":"),
        ("process_name", "process_label"),
        ("\"displayTimeUnit\":\"ns\"", "\"displayTimeUnit\":\"ms\""),
        ("otherData", "data"),
    ];
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        assert!(check(&text.replace(from, to)).is_err(), "{to} is not caught");
    }
    assert!(check("").is_err() && check("{}").is_err());
}

#[test]
fn an_empty_timeline_gives_an_empty_trace() {
    let checked = check(&chrome_trace(&Timeline::default(), &sample::gpu_run(1)).unwrap()).unwrap();
    assert!(checked.events.is_empty() && checked.device_sums_ns.is_empty());
}
