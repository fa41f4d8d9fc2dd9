//! Results as JSON, and as people read them.

use crate::common::sample;
use gpubench::data::Identity;
use gpubench::report::{PublishedTable, TableView, Tables};
use gpubench::report::{
    action_benchmark, card, compare, compare_runs, compare_text, comparisons_html, devices_text, headline, html,
    markdown, parse_published, published_rows, text,
};
use gpubench::result::{KernelTime, Measured, Method, Profile, RunResult, SCHEMA_VERSION, Status};
use std::collections::BTreeMap;

fn value(measured: &Measured<f64>) -> f64 {
    *measured.value().expect("the value is there")
}

#[test]
fn a_result_without_a_profile_reads() {
    let mut json: serde_json::Value = serde_json::from_str(&sample::gpu_run(1).to_json().unwrap()).unwrap();
    json.as_object_mut().unwrap().remove("profile");
    let read = RunResult::from_json(&json.to_string()).unwrap();
    assert!(read.profile.reason().is_some_and(|reason| reason.contains("gpubench profile")));
}

#[test]
fn a_result_survives_json() {
    for result in [sample::gpu_run(3), sample::software_run()] {
        let json = result.to_json().unwrap();
        assert!(!json.contains("null"), "{json}");
        assert!(RunResult::from_json(&json).unwrap() == result, "{json}");
    }
}

#[test]
fn a_loss_that_is_not_finite_is_missing_in_json() {
    let mut result = sample::gpu_run(1);
    result.repeats[0].epochs[0].train_loss = Measured::Value(f64::NAN);
    let json = result.to_json().unwrap();
    assert!(!json.contains("null") && !json.contains("NaN"), "{json}");
    let read = RunResult::from_json(&json).unwrap();
    assert_eq!(read.repeats[0].epochs[0].train_loss, Measured::missing("not a finite number"));
}

#[test]
fn unknown_fields_are_ignored_and_newer_versions_refused() {
    let result = sample::gpu_run(1);
    let json = result.to_json().unwrap();
    let with_more = json.replacen('{', "{\"colour\": \"blue\",", 1);
    assert!(RunResult::from_json(&with_more).unwrap() == result, "a field nobody knows changes nothing");

    let version = format!("\"schema_version\": {SCHEMA_VERSION}");
    let newer = json.replacen(&version, &format!("\"schema_version\": {}", SCHEMA_VERSION + 1), 1);
    assert_ne!(newer, json);
    let cases = [
        (newer.as_str(), "use a newer gpubench"),
        ("{\"schema\": \"other\", \"schema_version\": 1}", "\"other\""),
        ("{\"schema\": \"gpubench.result\", \"schema_version\": 1}", "missing field"),
        ("{}", "not a gpubench result"),
        ("", "not a gpubench result"),
        (&json[..json.len() / 2], "not a gpubench result"),
    ];
    for (text, expected) in cases {
        let error = RunResult::from_json(text).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn the_published_rows_are_those_of_the_source() {
    assert_eq!(published_rows().len(), 17);
    assert_eq!(published_rows(), parse_published(include_str!("../../results/published.csv")).unwrap());
    let count = |table| published_rows().iter().filter(|row| row.table == table).count();
    assert_eq!(PublishedTable::ALL.map(count), [11, 3, 3]);
    let times = published_rows().iter().map(|row| (row.device.as_str(), row.tool.as_str(), row.train_s));
    let expected = [
        ("Tesla K80", "neon", 25.0),
        ("Tesla K80", "Keras (tensorflow)", 37.0),
        ("Tesla K80", "R Keras (TF)", 38.0),
        ("Tesla K80", "Keras (CNTK)", 58.0),
        ("Tesla K80", "Keras (theano)", 130.0),
        ("Tesla K80", "mxnet", 50.0),
        ("GTX 1080 Ti", "Keras (CNTK)", 23.0),
        ("GTX 1080 Ti", "mxnet", 25.0),
        ("GTX 1080 Ti", "Keras (tensorflow)", 27.0),
        ("GTX 1080 Ti", "Keras (theano)", 73.0),
        ("Tesla V100", "Keras (tensorflow)", 20.0),
        ("Tesla K80", "Keras (tensorflow)", 37.0),
        ("Tesla K80", "Keras (tensorflow)", 36.0),
        ("GRID K520", "Keras (tensorflow)", 56.0),
        ("Tesla K80", "Keras (tensorflow)", 37.0),
        ("CPU 4 cores", "Keras (tensorflow)", 326.0),
        ("CPU 32 cores", "Keras (tensorflow)", 130.0),
    ];
    assert_eq!(times.collect::<Vec<_>>(), expected);
    let neon = &published_rows()[0];
    assert_eq!((neon.tool.as_str(), neon.train_s, value(&neon.error_pct)), ("neon", 25.0, 0.9));
    assert_eq!(published_rows()[6].gpu_busy_pct, Measured::missing("not published"));
    assert!(published_rows()[12].note.contains("only 1 of the 8 GPUs"));
}

#[test]
fn a_wrong_table_of_published_rows_is_refused_with_its_line() {
    let header = include_str!("../../results/published.csv").lines().next().unwrap();
    let cases = [
        ("a,b\n1,2\n".to_owned(), "columns must be"),
        (format!("{header}\nby tool,,K80,1,neon,25,57,1,100\n"), "line: 2"),
        (format!("{header}\nby colour,,K80,1,neon,25,57,1,100,0.9,\n"), "by colour"),
        (format!("{header}\nby tool,,K80,1,neon,fast,57,1,100,0.9,\n"), "invalid float"),
        (format!("{header}\nby tool,,K80,1,neon,0,57,1,100,0.9,\n"), "line 2: a time is above 0"),
        (format!("{header}\nby tool,,K80,1,neon,NaN,57,1,100,0.9,\n"), "line 2: a time is above 0"),
        (format!("{header}\nby tool,,K80,1,neon,25,157,1,100,0.9,\n"), "line 2: a percentage lies from 0 to 100"),
        (format!("{header}\nby tool,,,1,neon,25,57,1,100,0.9,\n"), "must be named"),
    ];
    for (text, expected) in cases {
        let error = parse_published(&text).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// A row of a table: its values by the keys of their columns.
type Row = BTreeMap<String, String>;

/// The rows of the table that shows a run, the run itself first.
fn rows(result: &RunResult) -> (PublishedTable, Vec<Row>) {
    let table = PublishedTable::of(&result.environment.adapter);
    let csv = Tables::of_run(result).csv(&[TableView::Published(table)]).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    (table, reader.deserialize().map(|row| row.unwrap()).collect())
}

fn number(row: &Row, key: &str) -> f64 {
    row[key].parse().unwrap_or_else(|_| panic!("{key} of {row:?} is no number"))
}

#[test]
fn a_gpu_is_compared_with_tools_and_its_ratios_are_those_of_the_times() {
    let (table, rows) = rows(&sample::gpu_run(5));
    assert_eq!((table, rows.len()), (PublishedTable::ByTool, 12));
    let this = &rows[0];
    assert_eq!((this["device"].as_str(), this["source"].as_str()), ("Imaginary GPU 9000", "2026-11-24"));
    assert!(rows[1..].iter().all(|row| row["source"] == "published 2016-17"));
    assert_eq!((number(this, "train_s"), number(this, "trainings")), (12.5, 5.0));
    assert_eq!((number(this, "ratio_to_best"), number(this, "ratio_to_tensorflow")), (1.0, 12.5 / 20.0));
    let neon = &rows[1];
    assert_eq!((number(neon, "ratio_to_best"), number(neon, "ratio_to_tensorflow")), (25.0 / 12.5, 25.0 / 37.0));
}

#[test]
fn a_software_adapter_is_compared_with_cpus_and_named() {
    let result = sample::software_run();
    let (table, rows) = rows(&result);
    assert_eq!((table, rows.len()), (PublishedTable::GpuAgainstCpu, 4));
    assert_eq!(number(&rows[0], "ratio_to_best"), 1083.4 / 37.0);
    assert_eq!(number(&rows[0], "ratio_to_tensorflow"), 1083.4 / 130.0);
    assert_eq!(rows[0]["device"], "llvmpipe (software), Imaginary CPU @ 2.00GHz, 2 cores");
    assert!(rows[0]["note"].contains("error_pct: synthetic"), "{:?}", rows[0]);
    let reference = "vs TF of this run: time divided by the 130 s of Keras (tensorflow) on CPU 32 cores.";
    let page = markdown(&result);
    assert!(page.contains("0.92 (synthetic)") && page.contains(reference), "{page}");
    let report = text(&result, 160);
    // The headline and the table both carry the error rate.
    assert_eq!(report.matches("(synthetic)").count(), 2, "{report}");
    assert!(report.contains(reference) && report.contains("2026-11-24") && report.contains("single runs"), "{report}");
}

#[test]
fn an_invalid_run_is_stamped_wherever_its_figures_stand_and_sets_no_best() {
    let mut result = sample::gpu_run(1);
    result.status = Status::Invalid;
    result.reasons = vec!["the test error of 3.20 % is outside the accepted range of 0.4 to 1.5 %".to_owned()];
    let (_, rows) = rows(&result);
    assert_eq!(rows[0]["tool"], "gpubench 0.1.0 layered INVALID");
    assert!(rows[0]["ratio_to_best"].is_empty() && rows[0]["ratio_to_tensorflow"].is_empty());
    assert!(rows[0]["missing"].contains("ratio_to_best: not compared: the run is INVALID"), "{:?}", rows[0]);
    assert_eq!(number(&rows[11], "ratio_to_best"), 1.0, "V100 is the best of what may be compared");
    let report = text(&result, 100);
    assert!(report.starts_with("INVALID: "), "{report}");
    assert!(report.contains("the test error of 3.20 % is outside"), "{report}");
    // The headline, the reason, the row, and why it is not compared.
    assert_eq!(report.matches("INVALID").count(), 4, "{report}");
    assert!(markdown(&result).contains("gpubench 0.1.0 layered INVALID"));
    let other = sample::gpu_run(2);
    for (name, output) in [
        ("card", card(&result, None, 100)),
        ("headline", headline(&result, 100)),
        ("page", html(&result)),
        ("comparison", compare_text(&result, &other, 100)),
        ("page of a comparison", comparisons_html(&[compare_runs(vec![&result], vec![&other], 0.02)])),
        ("devices", devices_text(std::slice::from_ref(&result), 100)),
    ] {
        assert!(output.contains("INVALID"), "{name}: {output}");
    }
    assert!(result.to_json_line().unwrap().contains("\"status\":\"invalid\""));
    assert!(action_benchmark(&[&result]).is_err_and(|error| error.to_string().contains("INVALID")));
}

#[test]
fn a_run_that_did_other_work_is_not_compared() {
    let changes: [fn(&mut RunResult); 4] = [
        |result| result.settings.epochs.value = 3,
        |result| result.settings.batch.value = 64,
        |result| result.settings.steps.value = Measured::Value(100),
        |result| result.data.train_images = 6_000,
    ];
    for change in changes {
        let mut result = sample::gpu_run(1);
        result.standard = false;
        change(&mut result);
        let this = &rows(&result).1[0];
        assert_eq!(this["tool"], "gpubench 0.1.0 layered non-standard");
        assert!(
            this["ratio_to_best"].is_empty()
                && this["missing"].contains("ratio_to_best: not compared: the run did other work")
        );
    }
}

#[test]
fn a_run_stopped_early_shows_reasons_in_place_of_figures() {
    let mut result = sample::gpu_run(1);
    result.status = Status::Partial;
    result.reasons = vec!["interrupted; the partial result was kept".to_owned()];
    result.repeats.clear();
    result.summary = Default::default();
    result.phases = Default::default();
    result.check = Measured::missing("the run has not come this far");
    let report = text(&result, 80);
    assert!(report.starts_with("PARTIAL: "), "{report}");
    assert!(report.contains("n/a (the run has not come this far)"), "{report}");
    assert!(report.contains("interrupted; the partial result was kept"), "{report}");
}

#[test]
fn other_data_is_named_beside_the_error_rate() {
    let mut result = sample::gpu_run(1);
    result.data.identity = Identity::Other;
    result.data.name = "data in fashion/".to_owned();
    assert!(text(&result, 120).contains("0.92 % (other data)"));
    assert!(markdown(&result).contains("0.92 (other data)"));
}

#[test]
fn no_line_is_wider_than_the_terminal_and_no_number_is_broken() {
    let long = {
        let mut result = sample::software_run();
        result.settings.repeat.value = 3;
        result.repeats[0].epochs =
            (1..=100).map(|epoch| gpubench::result::Epoch { epoch, ..result.repeats[0].epochs[0].clone() }).collect();
        result
    };
    for result in [sample::gpu_run(5), sample::software_run(), long] {
        for width in [80, 100, 120] {
            let report = text(&result, width);
            for line in report.lines() {
                assert!(
                    line.chars().count() <= usize::from(width),
                    "{} columns at {width}: {line}",
                    line.chars().count()
                );
                assert_eq!(line, line.trim_end());
            }
            let time = if result.environment.adapter.software { "1,083" } else { "12.5" };
            assert!(report.matches(time).count() >= 2, "{report}");
        }
    }
}

fn with_profile(median_ns: f64) -> RunResult {
    let mut result = sample::gpu_run(1);
    let time = |kernel: &str, median_ns: f64| KernelTime {
        kernel: kernel.to_owned(),
        layer: "conv1".to_owned(),
        calls_per_step: 1,
        repeats: 1,
        median_ns: median_ns.into(),
        p95_ns: median_ns.into(),
        share_pct: 50.0.into(),
        gflop_per_s: 1.0.into(),
        gbyte_per_s: 1.0.into(),
        peak_flop_pct: 1.0.into(),
        peak_bandwidth_pct: 1.0.into(),
        bound: Measured::missing("not every peak was measured"),
        compiled: gpubench::result::not_recorded(),
        dropped: 0,
        samples_ns: vec![median_ns],
    };
    result.profile = Measured::Value(Profile {
        method: Method::TimestampsAtPassBoundaries,
        method_note: Measured::missing("the finest method was used"),
        steps: 1,
        clock_step_ns: 1.0.into(),
        dropped: 0,
        profiled_step_s: 1e-3.into(),
        timed_step_s: 1e-3.into(),
        span_ns: 1e6.into(),
        undisturbed_step_ns: (2.0 * median_ns).into(),
        commands: gpubench::result::not_recorded(),
        errors: Vec::new(),
        kernels: vec![time("conv_forward", median_ns), time("conv_backward_weight", 3.0 * median_ns)],
    });
    result
}

#[test]
fn two_results_are_compared_kernel_by_kernel() {
    let (first, mut second) = (with_profile(1000.0), with_profile(1250.0));
    second.environment.adapter.backend = "webgpu".to_owned();
    second.environment.tool.shader_hash = "cd".repeat(32);
    let Measured::Value(profile) = &mut second.profile else { unreachable!() };
    profile.kernels.pop();
    let comparison = compare(&first, &second);
    let ratios: Vec<Option<f64>> = comparison.kernels.iter().map(|figure| figure.ratio().value().copied()).collect();
    assert_eq!(ratios, [Some(1.25), None]);
    assert_eq!(comparison.steps[0].ratio().value(), Some(&1.0), "the same samples");
    assert_eq!(comparison.steps[1].ratio().value(), Some(&1.25));
    assert!(comparison.differences.iter().any(|difference| difference.name == "shaders"), "{comparison:?}");
    let text = compare_text(&first, &second, 100);
    assert!(text.contains("conv_forward conv1") && text.contains("1.25"), "{text}");
    assert!(text.contains("this kernel is not in that result's profile"), "{text}");
}

#[test]
fn results_without_profiles_say_so_when_compared() {
    let result = sample::gpu_run(1);
    let comparison = compare(&result, &result);
    assert!(comparison.kernels.is_empty());
    assert!(comparison.steps[1].ratio().reason().is_some_and(|reason| reason.contains("--profile")));
}
