//! Results in the four tables of the published comparison.

use crate::common::sample;
use gpubench::report::{LoadedResult, PublishedTable, TableView, Tables, published_rows};
use gpubench::result::{AdapterKind, Measured, Member, Parallel, RunResult, Status, Synchronisation};
use std::collections::BTreeMap;

fn stored(file: &str, change: impl FnOnce(&mut RunResult)) -> LoadedResult {
    let mut result = sample::gpu_run(1);
    change(&mut result);
    LoadedResult { file: file.to_owned(), result }
}

fn set_time(result: &mut RunResult, seconds: f64) {
    result.repeats[0].train_s = seconds.into();
    result.summary.train_s = seconds.into();
}

/// A training on the host's cores.
fn on_cores(result: &mut RunResult, threads: u32) {
    let adapter = &mut result.environment.adapter;
    adapter.name = "Imaginary CPU @ 2.00GHz".to_owned();
    adapter.kind = AdapterKind::Cpu;
    adapter.backend = "cpu".to_owned();
    result.plan.name = "host".to_owned();
    result.plan.tuning.insert("threads".to_owned(), threads.to_string());
}

/// A training on two devices together.
fn several(result: &mut RunResult, names: [&str; 2]) {
    let member = |name: &str| Member {
        name: name.to_owned(),
        plan: "fused".to_owned(),
        images_per_batch: 64,
        alone_step_s: 0.002.into(),
    };
    result.parallel = Measured::Value(Parallel {
        sync: Synchronisation::Step,
        members: names.map(member).to_vec(),
        exchange_s: 2.0.into(),
        exchange_pct: 16.5.into(),
        bytes_per_exchange: 1_046_432,
        exchanges_per_epoch: 469,
        scaling_efficiency_pct: 71.5.into(),
        ranks: gpubench::result::one_process(),
        scaling_mode: gpubench::result::one_process(),
    });
}

/// The lines of CSV of one part, each as values by the names of their columns.
fn lines(tables: &Tables<'_>, parts: &[TableView]) -> Vec<BTreeMap<String, String>> {
    let csv = tables.csv(parts).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    reader.deserialize().map(|line| line.unwrap()).collect()
}

fn published_table(tables: &Tables<'_>, table: PublishedTable) -> Vec<BTreeMap<String, String>> {
    lines(tables, &[TableView::Published(table)])
}

#[test]
fn every_published_row_stands_in_its_table() {
    let tables = Tables::of(&[]);
    assert_eq!(TableView::TABLES.map(|table| lines(&tables, &[table]).len()), [11, 3, 3, 9, 0]);
    let mut expected: Vec<(String, String, String)> = Vec::new();
    for one in published_rows() {
        let number = |value: &Measured<f64>| value.value().map_or_else(String::new, f64::to_string);
        let line = published_table(&tables, one.table).into_iter().find(|line| {
            (&line["device"], &line["tool"], &line["device_count"])
                == (&one.device, &one.tool, &one.device_count.to_string())
        });
        let line = line.unwrap_or_else(|| panic!("{one:?} is in no table"));
        for (key, value) in [
            ("train_s", one.train_s.to_string()),
            ("gpu_busy_pct", number(&one.gpu_busy_pct)),
            ("cpus_used", number(&one.cpus_used)),
            ("busiest_cpu_pct", number(&one.busiest_cpu_pct)),
            ("error_pct", number(&one.error_pct)),
            ("source", "published 2016-17".to_owned()),
        ] {
            assert_eq!(line[key], value, "{key} of {one:?}");
        }
        expected.push((one.device.clone(), one.tool.clone(), one.train_s.to_string()));
    }
    assert_eq!(expected.len(), 17);
}

#[test]
fn generations_show_each_tool_that_was_timed_on_several_and_its_gain() {
    let lines = lines(&Tables::of(&[]), &[TableView::Generations]);
    let shown = lines.iter().map(|line| {
        let ratio: f64 = line["ratio_to_first_generation"].parse().unwrap();
        (line["tool"].as_str(), line["device"].as_str(), (100.0 * ratio).round())
    });
    let expected = [
        ("Keras (tensorflow)", "Tesla K80", 100.0),
        ("Keras (tensorflow)", "GTX 1080 Ti", 73.0),
        ("Keras (tensorflow)", "Tesla V100", 54.0),
        ("Keras (CNTK)", "Tesla K80", 100.0),
        ("Keras (CNTK)", "GTX 1080 Ti", 40.0),
        ("Keras (theano)", "Tesla K80", 100.0),
        ("Keras (theano)", "GTX 1080 Ti", 56.0),
        ("mxnet", "Tesla K80", 100.0),
        ("mxnet", "GTX 1080 Ti", 50.0),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

#[test]
fn several_gpus_show_how_well_they_scale() {
    let lines = published_table(&Tables::of(&[]), PublishedTable::ByGpu);
    assert_eq!(lines[1]["device_count"], "8");
    let efficiency: f64 = lines[1]["scaling_efficiency_pct"].parse().unwrap();
    assert!((efficiency - 100.0 * 37.0 / (8.0 * 36.0)).abs() < 1e-9, "{efficiency}");
    assert!(lines[1]["note"].contains("only 1 of the 8 GPUs"));
    assert!(lines[0]["scaling_efficiency_pct"].is_empty());
    assert!(lines[0]["missing"].contains("scaling_efficiency_pct: one device trained"), "{:?}", lines[0]);
}

#[test]
fn devices_that_train_together_are_counted_and_say_what_the_exchange_takes() {
    let all = [
        stored("two.json", |result| several(result, ["Imaginary GPU 9000 (0)", "Imaginary GPU 9000 (1)"])),
        stored("one.json", |result| set_time(result, 20.0)),
        stored("software.json", |result| {
            result.environment.adapter = sample::software_run().environment.adapter;
            several(result, ["llvmpipe (LLVM 15.0.6, 256 bits) #1", "llvmpipe (LLVM 15.0.6, 256 bits) #2"]);
            set_time(result, 200.0);
        }),
        stored("mixed.json", |result| {
            several(result, ["Imaginary GPU 9000", "llvmpipe (LLVM 15.0.6, 256 bits)"]);
            set_time(result, 300.0);
        }),
    ];
    let lines = published_table(&Tables::of(&all), PublishedTable::ByGpu);
    let keys = ["device", "device_count", "scaling_efficiency_pct", "exchange_pct"];
    let shown: Vec<[&str; 4]> = lines.iter().take(4).map(|line| keys.map(|key| line[key].as_str())).collect();
    let expected = [
        ["2 x Imaginary GPU 9000", "2", "71.5", "16.5"],
        ["Imaginary GPU 9000", "1", "", ""],
        ["2 devices on llvmpipe (software), Imaginary CPU @ 2.00GHz, 2 cores", "2", "71.5", "16.5"],
        ["Imaginary GPU 9000 + llvmpipe", "2", "71.5", "16.5"],
    ];
    assert_eq!(shown, expected);
    assert!(lines[1]["missing"].contains("exchange_pct: one device trained"), "{:?}", lines[1]);
}

#[test]
fn results_that_are_alike_share_a_row_and_others_do_not() {
    let all = [
        stored("a.json", |result| set_time(result, 10.0)),
        stored("b.json", |result| {
            set_time(result, 30.0);
            result.settings.seed.value = 2;
            result.repeats[0].final_test_error_pct = 1.0.into();
        }),
        stored("c.json", |result| {
            set_time(result, 11.0);
            result.settings.seed.value = 3;
        }),
        stored("fused.json", |result| result.plan.name = "fused".to_owned()),
        stored("other.json", |result| result.environment.adapter.name = "Imaginary GPU 8000".to_owned()),
        stored("dx12.json", |result| {
            result.environment.adapter.backend = "dx12".to_owned();
            set_time(result, 9.0);
        }),
        stored("debug.json", |result| result.environment.tool.profile = "debug".to_owned()),
    ];
    let tables = Tables::of(&all);
    let lines = published_table(&tables, PublishedTable::ByTool);
    let ours: Vec<_> = lines.iter().filter(|line| line["source"].ends_with(".json")).collect();
    let sources: Vec<&str> = ours.iter().map(|line| line["source"].as_str()).collect();
    assert_eq!(sources, ["dx12.json", "a.json, b.json, c.json", "fused.json", "other.json", "debug.json"]);
    let three = ours[1];
    assert_eq!(
        (three["train_s"].as_str(), three["trainings"].as_str(), three["error_pct"].as_str()),
        ("11", "3", "0.92")
    );
    assert_eq!(three["ratio_to_best"], (11.0_f64 / 9.0).to_string());
    assert_eq!(three["ratio_to_tensorflow"], (11.0_f64 / 20.0).to_string());
    assert_eq!((ours[0]["note"].as_str(), three["note"].as_str()), ("backend: dx12", "backend: vulkan"));
    assert_eq!(ours[4]["tool"], "gpubench 0.1.0 layered (debug build)");
}

/// As files of a version that measured no load are read.
fn without_load(result: &mut RunResult) {
    let missing = || Measured::missing("not measured by this version");
    let summary = &mut result.summary;
    (summary.gpu_busy_pct, summary.driver_gpu_busy_pct) = (missing(), missing());
    (summary.cpus_used, summary.busiest_cpu_pct) = (missing(), missing());
}

#[test]
fn what_a_row_mixes_is_told() {
    let all = [
        stored("a.json", without_load),
        stored("b.json", |result| {
            without_load(result);
            result.environment.tool.shader_hash = "cd".repeat(32);
            result.environment.adapter.driver_info = Measured::Value("1.2.4".to_owned());
            result.summary.gpu_busy_pct = 97.5.into();
        }),
    ];
    let line = published_table(&Tables::of(&all), PublishedTable::ByTool).remove(0);
    for words in ["runs of 2 drivers", "runs of 2 versions of the kernels", "gpu_busy_pct: known of 1 of 2 results"] {
        assert!(line["note"].contains(words), "{line:?}");
    }
    assert_eq!(line["gpu_busy_pct"], "97.5");
    assert!(line["missing"].contains("cpus_used: not measured by this version"), "{line:?}");
}

#[test]
fn cores_stand_beside_the_fastest_gpu_and_keep_their_threads() {
    let all = [
        stored("slow.json", |result| set_time(result, 50.0)),
        stored("fast.json", |result| {
            set_time(result, 5.0);
            result.environment.adapter.name = "Imaginary GPU 9001".to_owned();
        }),
        stored("one.json", |result| {
            on_cores(result, 1);
            set_time(result, 80.0);
        }),
        stored("two.json", |result| {
            on_cores(result, 2);
            set_time(result, 44.0);
        }),
        stored("software.json", |result| {
            let software = sample::software_run();
            result.environment.adapter = software.environment.adapter;
            set_time(result, 121.0);
        }),
    ];
    let tables = Tables::of(&all);
    let lines = published_table(&tables, PublishedTable::GpuAgainstCpu);
    let shown: Vec<_> = lines.iter().map(|line| (line["source"].as_str(), line["threads"].as_str())).collect();
    let expected = [("fast.json", ""), ("two.json", "2"), ("one.json", "1"), ("software.json", "")];
    assert_eq!(shown[..4], expected);
    assert_eq!(shown[4..], [("published 2016-17", ""), ("published 2016-17", "4"), ("published 2016-17", "32")]);
    assert_eq!(lines[1]["device"], "Imaginary CPU @ 2.00GHz, 2 cores");
    assert_eq!(lines[1]["note"], "", "the threads tell the rows apart");
    assert_eq!(lines[3]["device"], "llvmpipe (software), Imaginary CPU @ 2.00GHz, 2 cores");
    assert_eq!(lines[1]["ratio_to_tensorflow"], (44.0_f64 / 130.0).to_string(), "TensorFlow on a CPU");
    assert_eq!(lines[0]["ratio_to_tensorflow"], (5.0_f64 / 37.0).to_string(), "TensorFlow on a GPU");
    let on_gpus = published_table(&tables, PublishedTable::ByTool);
    let on_gpus: Vec<_> = on_gpus.iter().take(3).map(|line| line["source"].as_str()).collect();
    assert_eq!(on_gpus, ["fast.json", "slow.json", "published 2016-17"]);
}

#[test]
fn what_is_not_standard_or_not_complete_is_left_out_with_its_reason() {
    let all = [
        stored("short.json", |result| {
            result.standard = false;
            result.non_standard = vec!["3 epochs instead of 10".to_owned(), "seed | of weights".to_owned()];
        }),
        stored("invalid.json", |result| {
            result.status = Status::Invalid;
            result.reasons = vec!["the test error of 3.20 % is outside".to_owned()];
        }),
        stored("partial.json", |result| result.status = Status::Partial),
        stored("empty.json", |result| result.repeats.clear()),
        stored("good.json", |_| {}),
    ];
    let tables = Tables::of(&all);
    let expected = [
        ("short.json", "non-standard: 3 epochs instead of 10; seed | of weights"),
        ("invalid.json", "INVALID: the test error of 3.20 % is outside"),
        ("partial.json", "PARTIAL"),
        ("empty.json", "it holds no timed training"),
    ];
    let left_out: Vec<(&str, &str)> =
        tables.excluded.iter().map(|one| (one.loaded.file.as_str(), one.reason.as_str())).collect();
    assert_eq!(left_out, expected);
    assert_eq!(published_table(&tables, PublishedTable::ByTool).len(), 12, "the good one and the published");
    let text = tables.text(&TableView::all(), 100);
    let markdown = tables.markdown(&TableView::all());
    let csv = lines(&tables, &TableView::all());
    for (file, reason) in expected {
        assert!(text.contains(file) && text.contains(reason.split(':').next().unwrap()), "{text}");
        assert!(markdown.contains(&format!("| {} |", reason.replace('|', "\\|"))), "{markdown}");
        let line = csv.iter().find(|line| line["source"] == file).unwrap();
        assert_eq!(
            (line["frame"].as_str(), line["missing"].as_str(), line["train_s"].as_str()),
            ("left-out", reason, "")
        );
    }
}

#[test]
fn tables_fit_the_terminal_and_say_where_rows_come_from() {
    let name = "20261124T152638Z-imaginary-gpu-9000-seed1.json";
    let all = [
        stored(name, |_| {}),
        stored("20261124T152639Z-llvmpipe-seed1.json", |result| {
            result.environment.adapter = sample::software_run().environment.adapter;
        }),
        stored("20261124T152641Z-imaginary-gpu-9000-imaginary-gpu-9000-seed1.json", |result| {
            several(result, ["Imaginary GPU 9000 (0)", "Imaginary GPU 9000 (1)"]);
            set_time(result, 1083.4);
        }),
        stored("20261124T152640Z-imaginary-gpu-9000-seed1.json", |result| {
            result.standard = false;
            result.non_standard = vec!["3 epochs instead of 10".to_owned(), "batch 64 instead of 128".to_owned()];
        }),
    ];
    let tables = Tables::of(&all);
    for width in [80, 100, 120, 160] {
        let text = tables.text(&TableView::all(), width);
        for line in text.lines() {
            assert!(line.chars().count() <= usize::from(width), "wider than {width}: {line}");
        }
        assert!(text.contains(name), "{text}");
        assert_eq!(text.matches("vs best: time divided").count(), 1, "one legend for all tables: {text}");
        for (number, times) in [("12.3", 4), ("1,083", 3), ("54.2", 1), ("71.5", 1), ("16.5", 1)] {
            assert!(text.matches(number).count() >= times, "no number is broken, {number}: {text}");
        }
        assert!(!text.contains(" 2.00 "), "devices are counted in whole numbers: {text}");
        assert_eq!(text.contains("published 2016-17"), width >= 100, "{text}");
        for title in [
            "By tool",
            "By GPU number and type",
            "GPU against CPU",
            "GPU generations",
            "The tools since 2016-17",
            "Results that no table",
        ] {
            assert!(text.contains(title), "{title} is not in: {text}");
        }
    }
}

#[test]
fn markdown_tables_are_well_formed() {
    let all = [stored("a|b.json", |result| {
        without_load(result);
        result.environment.adapter.name = "GPU <9000> | 2".to_owned();
    })];
    let page = Tables::of(&all).markdown(&[TableView::Published(PublishedTable::ByTool)]);
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 2 + 12);
    assert!(rows.iter().all(|row| bars(row) == bars(rows[0])), "{page}");
    assert!(rows[1].starts_with("| --- | --- | ---: | ---: |") && rows[1].ends_with("---: | --- |"), "{}", rows[1]);
    assert!(rows[2].contains("GPU &lt;9000> \\| 2") && rows[2].ends_with("a\\|b.json |"), "{}", rows[2]);
    assert!(page.contains("¹ not measured by this version"), "{page}");
}
