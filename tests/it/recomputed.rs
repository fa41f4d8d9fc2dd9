//! Which figures of a result follow from others, so that a change is found even where the digest is made anew. Every
//! number of full results is changed in turn; those that nothing shows are listed here with the reason.

use crate::common::sample;
use gpubench::bench::verify;
use gpubench::result::RunResult;
use serde_json::Value;
use std::collections::BTreeSet;

/// Fields that no other figure of the result confirms, and why: the digest alone seals them. A `*` stands for any name
/// or number between two slashes.
const SEALED_ONLY: &[(&str, &str)] = &[
    ("/schema_version", "an older version has fewer fields, and is read as well"),
    ("/summary/peak_host_memory_bytes", "read at the end of the run by older versions: no less than in a training"),
    ("/repeats/*/epochs/*/loss_curve/*", "rounded to 1e-6: a change of a hundredth is found where the curve is whole"),
    ("/settings/*/value", "what was asked for: the seed, the number of trainings; --rerun finds another seed"),
    ("/settings/*/*/value", "what was asked for: the minutes of a soak"),
    ("/environment/*/*", "of the machine and the driver, of which a result holds one reading"),
    ("/environment/adapter/limits/*", "of the machine and the driver, of which a result holds one reading"),
    ("/phases/*", "measured once; bounded by the cold total"),
    ("/check/*", "measured once"),
    ("/check/*/*/*", "the reference is not in the file; the outcome of the check is verified"),
    ("/plan/kernels/*/workgroups/*", "of the plan's text; the counts of work are verified by the profile's rates"),
    ("/plan/kernels/*/*", "without a profile nothing rests on the counts of work"),
    ("/repeats/*/train_s", "of a soak or a framework, whose upload is not told apart: bounded by its epochs"),
    ("/repeats/*/thinned/*", "counted of epochs that are not kept: bounded by those that are"),
    ("/soak/*", "of epochs that are not kept: bounded by those that are"),
    ("/repeats/*/evaluate_s", "measured once for each training; the first is that of the phases"),
    ("/repeats/*/device_buffer_bytes", "counted once for each training; the first is that of the summary"),
    ("/repeats/*/epochs/*/train_s", "measured once; bounded by its samples, and with the upload by the training"),
    ("/repeats/*/epochs/*/*_loss", "measured once; that of training is verified where its curve is whole"),
    ("/repeats/*/epochs/*/train_error_pct", "measured once"),
    ("/repeats/*/samples/*/*", "a raw sample: bounded by its epoch's time, its steps by those of its neighbours"),
    ("/repeats/*/load/*", "a reading of the kernel's counters; the medians over the trainings are verified"),
    ("/repeats/*/load/gpu/*", "a reading of the device's sensors"),
    ("/repeats/*/load/gpu/*/*", "a reading of the device's sensors: lowest, mean and highest in this order"),
    ("/repeats/*/load/sampling/*", "counted once"),
    ("/repeating/elapsed_s", "measured once; bounded by the trainings"),
    ("/profile/*", "a median whose samples are not kept"),
    ("/profile/kernels/*/repeats", "a choice of the profiler"),
    ("/profile/kernels/*/samples_ns/*", "a raw sample, which may lie beyond the median and the 95th percentile"),
    ("/profile/kernels/*/compiled/*", "a figure of the driver's compiler"),
    ("/profile/kernels/*/compiled/reported/*", "a figure of the driver's compiler"),
    ("/peaks/duration_s", "measured once"),
    ("/peaks/figures/*/bytes", "a choice of the measurement"),
    ("/peaks/figures/*/*", "a figure that is missing has samples without a median"),
    ("/peaks/figures/*/samples/*", "a raw sample, which may lie beyond the median and its deviation"),
    ("/sweep/points/*/samples_s/*", "a raw sample, which may lie beyond the median and its deviation"),
    ("/sweep/points/*/*", "a choice: the size; with another one the work and the line differ"),
    ("/parallel/*", "measured once, or a count of the plan"),
    ("/tool/agreement/*", "the losses are not in the file; that they agree is verified"),
];

/// Whether a path is of `pattern`.
fn is_of(path: &str, pattern: &str) -> bool {
    let (parts, wanted): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), pattern.split('/').collect());
    let fits = |(part, wanted): (&&str, &&str)| match wanted.strip_prefix('*') {
        Some(end) => part.ends_with(end),
        None => part == wanted,
    };
    parts.len() == wanted.len() && parts.iter().zip(&wanted).all(fits)
}

/// Calls `visit` with the path of every number.
fn numbers(value: &Value, path: &str, visit: &mut dyn FnMut(String)) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| numbers(value, &format!("{path}/{name}"), visit));
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| numbers(value, &format!("{path}/{index}"), visit));
        }
        Value::Number(_) => visit(path.to_owned()),
        _ => {}
    }
}

/// Numbers near `number`: whole ones by one, others by a hundredth and by a millionth.
fn near(number: &Value) -> Vec<Value> {
    match (number.as_u64(), number.as_f64()) {
        (Some(0), _) => vec![1.into()],
        (Some(whole), _) => vec![(whole + 1).into(), (whole - 1).into()],
        (None, Some(0.0)) => vec![0.01.into()],
        (None, real) => [1.01, 0.99, 1.000_001].map(|factor| (real.unwrap_or(1.0) * factor).into()).to_vec(),
    }
}

/// Of trainings and kernels, some of which there are many, the first and another one.
fn is_among_the_tried(path: &str) -> bool {
    let of = |list: &str, tried: &[&str]| {
        path.strip_prefix(list).is_none_or(|rest| rest.split('/').next().is_some_and(|index| tried.contains(&index)))
    };
    of("/repeats/", &["0", "3"]) && of("/profile/kernels/", &["0", "5"]) && of("/plan/kernels/", &["0", "5"])
}

/// Whether a result in which `path` is `value` is refused, or shown to be changed.
fn is_caught(document: &mut Value, path: &str, value: Value) -> bool {
    let place = document.pointer_mut(path).expect("the path is one of the document");
    let kept = std::mem::replace(place, value);
    let caught = RunResult::from_json(&document.to_string()).map_or(true, |result| !verify(&result).is_empty());
    *document.pointer_mut(path).expect("it is there") = kept;
    caught
}

/// A result of each kind.
fn all() -> [RunResult; 5] {
    [sample::full_run(), sample::soak_run(), sample::long_soak_run(), sample::parallel_run(), sample::framework_run()]
}

#[test]
fn results_whose_figures_follow_from_each_other_pass() {
    for result in all() {
        assert_eq!(verify(&result), []);
    }
}

#[test]
fn every_number_that_follows_from_others_is_recomputed() {
    let mut used = BTreeSet::new();
    let mut sealed_only = BTreeSet::new();
    let mut counts = [0, 0];
    for result in all() {
        let mut document: Value = serde_json::from_str(&result.to_json().unwrap()).unwrap();
        document.as_object_mut().unwrap().remove("digest");
        let mut paths = Vec::new();
        numbers(&document, "", &mut |path| paths.push(path));
        // Of the many of a kind some.
        paths.retain(|path| is_among_the_tried(path));
        let many = |path: &str| {
            ["/samples/", "/samples_ns/", "/loss_curve/", "/epochs/"].iter().any(|part| path.contains(part))
        };
        for path in paths.iter().enumerate().filter(|(at, path)| !many(path) || at % 41 == 0).map(|(_, path)| path) {
            let number = document.pointer(path).unwrap().clone();
            let caught = near(&number).into_iter().all(|value| is_caught(&mut document, path, value));
            counts[usize::from(caught)] += 1;
            if caught {
                continue;
            }
            let patterns = SEALED_ONLY.iter().map(|(pattern, _)| *pattern).filter(|pattern| is_of(path, pattern));
            let before = used.len();
            let known: Vec<&str> = patterns.collect();
            used.extend(known.iter().copied());
            if known.is_empty() && before == used.len() {
                sealed_only.insert(path.clone());
            }
        }
    }
    assert!(sealed_only.is_empty(), "a change is not found, and no reason is given why: {sealed_only:#?}");
    let unused: Vec<&str> =
        SEALED_ONLY.iter().map(|(pattern, _)| *pattern).filter(|pattern| !used.contains(pattern)).collect();
    assert!(unused.is_empty(), "these are found, or are not there: {unused:#?}");
    assert!(counts[1] > 300, "{counts:?}");
}

/// What is derived, by its path: the figures that people read, which no pattern above may hide.
const DERIVED: &[&str] = &[
    "/summary/train_s",
    "/summary/train_mad_s",
    "/summary/train_interval/low_s",
    "/summary/train_interval/high_s",
    "/summary/train_interval/confidence_pct",
    "/summary/train_interval/samples",
    "/summary/images_per_s",
    "/summary/dense_gflop_per_s",
    "/summary/test_error_pct",
    "/summary/accepted_test_error_pct/0",
    "/summary/gpu_busy_pct",
    "/summary/driver_gpu_busy_pct",
    "/summary/cpus_used",
    "/summary/busiest_cpu_pct",
    "/summary/net_j_per_1000_images",
    "/summary/device_buffer_bytes",
    "/repeats/0/train_s",
    "/repeats/3/epochs/4/train_loss",
    "/repeats/3/epochs/4/loss_curve/7",
    "/repeats/3/epochs/4/test_errors",
    "/repeats/3/epochs/4/test_error_pct",
    "/repeats/3/final_test_error_pct",
    "/repeats/3/load/energy/net_j",
    "/repeats/3/load/energy/net_j_per_epoch",
    "/repeats/3/load/energy/net_j_per_1000_images",
    "/repeats/3/load/sampling/cpu_pct",
    "/repeating/trainings",
    "/repeating/half_width_pct",
    "/phases/train_s",
    "/phases/evaluate_s",
    "/profile/timed_step_s",
    "/profile/kernels/5/median_ns",
    "/profile/kernels/5/p95_ns",
    "/profile/kernels/5/share_pct",
    "/profile/kernels/5/gflop_per_s",
    "/profile/kernels/5/gbyte_per_s",
    "/profile/kernels/5/peak_flop_pct",
    "/profile/kernels/5/peak_bandwidth_pct",
    "/profile/kernels/5/calls_per_step",
    "/account/wall_s",
    "/account/kernels_s",
    "/account/rest_s",
    "/account/host/wait_s",
    "/peaks/figures/2/median",
    "/peaks/figures/2/deviation",
    "/sweep/points/3/step_s",
    "/sweep/points/3/deviation_s",
    "/sweep/points/3/flop_per_step",
    "/sweep/points/3/parameters",
    "/sweep/fit/overhead_s",
    "/sweep/fit/asymptotic_gflop_per_s",
    "/sweep/fit/half_rate_at",
    "/sweep/fit/largest_residual_pct",
    "/sweep/fit/points",
];

#[test]
fn a_derived_figure_is_found_with_its_place() {
    let mut document: Value = serde_json::from_str(&sample::full_run().to_json().unwrap()).unwrap();
    for path in DERIVED {
        let number = document.pointer(path).unwrap_or_else(|| panic!("{path} is not there")).clone();
        for value in near(&number).into_iter().take(2) {
            assert!(is_caught(&mut document, path, value.clone()), "{path}: {number} as {value}");
        }
    }
    let mut soak: Value = serde_json::from_str(&sample::soak_run().to_json().unwrap()).unwrap();
    for field in ["epochs", "best_s", "best_epoch", "worst_s", "worst_epoch", "median_s", "drift_error_pct_per_hour"] {
        let path = format!("/soak/{field}");
        let value = near(soak.pointer(&path).unwrap()).remove(0);
        assert!(is_caught(&mut soak, &path, value), "{path}");
    }
}

#[test]
fn a_framework_whose_losses_do_not_agree_is_not_believed() {
    let result = sample::framework_run();
    type Change = fn(&mut gpubench::result::Agreement);
    let changes: [Change; 4] = [
        |agreement| agreement.largest_difference = 1e-3,
        |agreement| (agreement.largest_difference, agreement.tolerance) = (1e-3, 1e-2),
        |agreement| agreement.steps = 0,
        |agreement| agreement.worst_step = 10,
    ];
    for change in changes {
        let mut changed = result.clone();
        let tool = changed.tool.as_mut().unwrap();
        tool.agreement = tool.agreement.clone().map(|mut agreement| {
            change(&mut agreement);
            agreement
        });
        assert!(verify(&changed).iter().any(|finding| finding.place == "tool.agreement"), "{:?}", changed.tool);
    }
    let mut untold = result;
    untold.tool.as_mut().unwrap().agreement = gpubench::result::Measured::missing("not compared");
    assert!(verify(&untold).iter().any(|finding| finding.words.contains("were not compared")));
}
