//! A short run of every fuzz target: the same mutated inputs each time. `fuzz/` has the programs that go on for longer.

#[path = "../../../fuzz/src/lib.rs"]
mod targets;
use crate::common::sample;
use flate2::Compression;
use flate2::write::GzEncoder;
use gpubench::kernels::all_choices;
use gpubench::model::Model;
use gpubench::result::{Candidate, Measured, Peaks, RunResult, Thinned, Tuning};
use gpubench::rng::{Sequence, Stream};
use gpubench::weights::to_safetensors;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use targets::TARGETS;

/// Bytes that often mean something: ends of ranges, separators, the beginnings of formats.
const WORDS: [&[u8]; 36] = [
    b"\0",
    b"\xff",
    b"\0\0\x08\x01",
    b"\0\0\x08\x03",
    b"\0\0\x0c\x02",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\x1f\x8b\x08",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\n",
    b"\r\n",
    b",",
    b":",
    b";",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"-1",
    b"0",
    b"1e999",
    b"18446744073709551616",
    b"NaN",
    b"\xe2\x80\xae",
    b"{\"missing\": \"\"}",
    b"<!-- gpubench table",
    b"<!-- end of gpubench table -->",
    b"-->",
    b"\xf0\x9f\x98\x80",
    b" ",
    b"%",
];

/// Whole numbers that are worth trying in the place of a number.
const NUMBERS: [&str; 8] = ["0", "-1", "1", "4294967295", "4294967296", "18446744073709551615", "1e308", "0.1"];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn big_endian(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn peaks() -> Peaks {
    sample::profiled_run().peaks.value().expect("the sample has peaks").clone()
}

fn tuning() -> Tuning {
    let candidate = |plan: &str, step_s: Measured<f64>| Candidate {
        plan: plan.to_owned(),
        step_s,
        deviation_s: Measured::missing("one sample"),
    };
    Tuning {
        subject: peaks().subject,
        measured_utc: "2026-01-01T00:00:00Z".to_owned(),
        batch: 128,
        cached: false,
        duration_s: 1.5,
        candidates: vec![candidate("fused", 2.0.into()), candidate("fused:images=1", Measured::missing("it failed"))],
    }
}

/// A result with two trainings of few epochs, of which it says that they are some of many.
fn shortened(mut result: RunResult) -> RunResult {
    result.repeats.truncate(2);
    for repeat in &mut result.repeats {
        repeat.epochs.truncate(3);
        repeat.samples.truncate(14);
        let (epochs, steps) = (repeat.epochs.len() as u32, repeat.steps());
        repeat.thinned = Measured::Value(Thinned {
            every: 2,
            epochs: 2 * epochs,
            epochs_s: 9.5,
            steps: 2 * steps,
            samples: 28,
            samples_s: 9.0,
        });
    }
    result
}

/// Right inputs of a target, from which the wrong ones are made.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let labels = [big_endian(&[0x0801, 3]), vec![1, 2, 3]].concat();
    let images = [big_endian(&[0x0803, 1, 28, 28]), vec![7; 784]].concat();
    let rows = big_endian(&[0x0c02, 1, 8, 5, 0, 0, 0, 0, 0, 0, 0]);
    let json = |result: RunResult| result.to_json().unwrap();
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    match target {
        "idx" => vec![labels, images, rows],
        "idx_gzip" => vec![gzip(&labels), [gzip(&labels[..5]), gzip(&labels[5..]), vec![0; 9]].concat()],
        "text" => {
            let utf16: Vec<u8> = "\u{feff}{\"a\": 1}".encode_utf16().flat_map(u16::to_le_bytes).collect();
            vec![b"\xef\xbb\xbf{}".to_vec(), utf16, b"<!DOCTYPE html>".to_vec(), vec![b'a'; 300]]
        }
        "result_json" => vec![
            json(sample::gpu_run(2)).into_bytes(),
            json(RunResult { tuning: Measured::Value(tuning()), ..sample::profiled_run() }).into_bytes(),
            format!("[{},{}]", json(sample::software_run()), json(sample::gpu_run(1))).into_bytes(),
            json(shortened(sample::soak_run())).into_bytes(),
            json(shortened(sample::parallel_run())).into_bytes(),
            json(shortened(sample::framework_run())).into_bytes(),
        ],
        "tuning_json" => texts(&[&tuning().to_json().unwrap(), &peaks().to_json().unwrap()]),
        "published_csv" => vec![fs::read("results/published.csv").unwrap()],
        "weights" => {
            let model = Model::new(0.0);
            vec![to_safetensors(&model, &model.initial_parameters(1)).unwrap()]
        }
        "split" => texts(&["3:1", "1:1:1:1", " 7 : 8 "]),
        "plan" => all_choices().iter().map(|choice| choice.to_string().into_bytes()).collect(),
        "adapter_request" => texts(&["nvidia", "0", "1", "0000:01:00.0", "Größe", "llvmpipe"]),
        "markdown_markers" => {
            texts(&["# Page\r\n<!-- gpubench table: frame=by-tool -->\r\nold\r\n<!-- end of gpubench table -->\r\n\
             <!-- gpubench table: frame=all -->\n<!-- end of gpubench table -->"])
        }
        "procfs" => texts(&[
            "cpu  10 20 30 40 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu1 1 2 3 4 5 6 7 8 9 10\nintr 1 2\nctxt 5\nbtime 6\n\
             processes 7\nprocs_running 1\nprocs_blocked 0\nsoftirq 1 2\n",
        ]),
        _ => panic!("{target} has no seeds: give it some"),
    }
}

/// Damages `bytes` in one of the ways in which files are wrong.
fn mutate(bytes: &mut Vec<u8>, random: &mut Sequence, other: &[u8]) {
    let mut below = |bound: usize| random.below(bound.max(1) as u32) as usize;
    let at = below(bytes.len());
    let end = (at + 1 + below(40)).min(bytes.len());
    match below(9) {
        _ if bytes.is_empty() => bytes.extend(WORDS[below(WORDS.len())]),
        0 => bytes[at] ^= 1 << below(8),
        1 => bytes[at] = below(256) as u8,
        2 => drop(bytes.drain(at..end)),
        3 => {
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
        4 => {
            bytes.splice(at..at, WORDS[below(WORDS.len())].iter().copied());
        }
        5 => {
            let word = WORDS[below(WORDS.len())];
            bytes.splice(at..(at + word.len()).min(bytes.len()), word.iter().copied());
        }
        6 => {
            // The next number in a text becomes another.
            let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|offset| at + offset) else { return };
            let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            bytes.splice(start..start + length, NUMBERS[below(NUMBERS.len())].bytes());
        }
        7 if !other.is_empty() => {
            let from = below(other.len());
            let to = (from + 1 + below(60)).min(other.len());
            bytes.splice(at..at, other[from..to].iter().copied());
        }
        _ => bytes.truncate(at),
    }
}

/// Puts something else in the place of one value of a JSON document, of the same kind but for lists, which grow and
/// shrink, so that many documents are still results.
fn mutate_json(document: &[u8], random: &mut Sequence) -> Vec<u8> {
    const STRINGS: [&str; 8] =
        ["", "|a|\n# b", "=1+2", "\u{202e}tfel", "\u{1b}[31m", "<script>", "complete", "\u{0}😀 ’"];
    const NUMBERS: [&str; 9] =
        ["0", "1", "1e-300", "1e300", "-1.5", "4294967295", "18446744073709551615", "0.5", "9007199254740993"];
    fn leaves<'a>(value: &'a mut Value, found: &mut Vec<&'a mut Value>) {
        // A list of an odd length is a leaf: its length is what is wrong with it then.
        if !(value.is_object() || value.as_array().is_some_and(|list| list.len() % 2 == 0)) {
            return found.push(value);
        }
        match value {
            Value::Array(list) => list.iter_mut().for_each(|inner| leaves(inner, found)),
            Value::Object(fields) => fields.values_mut().for_each(|inner| leaves(inner, found)),
            _ => {}
        }
    }
    let Ok(mut whole) = serde_json::from_slice::<Value>(document) else { return document.to_vec() };
    for _ in 0..1 + random.below(3) {
        let mut found = Vec::new();
        leaves(&mut whole, &mut found);
        let at = random.below(found.len().max(1) as u32) as usize;
        let Some(leaf) = found.into_iter().nth(at) else { break };
        *leaf = match leaf.take() {
            Value::String(text) if random.below(4) > 0 => {
                let other = STRINGS[random.below(STRINGS.len() as u32) as usize];
                if random.below(2) == 0 { other.into() } else { format!("{text}{other}").into() }
            }
            Value::Number(_) => {
                serde_json::from_str(NUMBERS[random.below(NUMBERS.len() as u32) as usize]).expect("a number")
            }
            Value::Bool(value) => Value::Bool(!value),
            Value::Array(mut list) => {
                list.extend(list.clone());
                list.truncate(random.below(list.len() as u32 + 1) as usize);
                Value::Array(list)
            }
            _ => serde_json::json!({"missing": "not told"}),
        };
    }
    serde_json::to_vec(&whole).unwrap()
}

/// How many inputs to try in place of the number that a test takes: for experiments of hours.
const COUNT_VARIABLE: &str = "GPUBENCH_FUZZ_INPUTS";

/// Runs a target on its seeds, which it takes, and on `count` inputs made from them, of which it takes one in `share`
/// or more.
#[expect(clippy::print_stdout, reason = "an experiment tells its figure")]
fn run(name: &str, count: u32, share: u32) {
    let (lane, (_, target)) =
        TARGETS.iter().enumerate().find(|(_, (target, _))| *target == name).expect("a target's name");
    let seeds = seeds(name);
    let asked = std::env::var(COUNT_VARIABLE).ok().and_then(|count| count.parse().ok());
    let count = asked.unwrap_or(count);
    let mut random = Sequence::new(21, Stream::Check, lane as u32);
    let refused = seeds.iter().position(|seed| !target(seed));
    assert_eq!(refused, None, "{name} refuses one of its seeds");
    let mut accepted = 0;
    for number in 0..count {
        let mut bytes = seeds[random.below(seeds.len() as u32) as usize].clone();
        let other = &seeds[random.below(seeds.len() as u32) as usize];
        if name.ends_with("_json") && number % 3 > 0 {
            bytes = mutate_json(&bytes, &mut random);
        } else {
            (0..1 + random.below(4)).for_each(|_| mutate(&mut bytes, &mut random, other));
        }
        match catch_unwind(AssertUnwindSafe(|| target(&bytes))) {
            Ok(taken) => accepted += u32::from(taken),
            Err(_) => {
                let file = std::env::temp_dir().join(format!("gpubench-fuzz-{name}-{number}"));
                fs::write(&file, &bytes).unwrap();
                panic!("{name} panics on input {number}: {}", file.display());
            }
        }
    }
    if asked.is_some() {
        println!("{name}: {accepted} of {count} inputs were accepted, and none panics");
    }
    // What is refused at its first byte tests little.
    assert!(accepted * share >= count, "{name} takes only {accepted} of {count} inputs");
}

/// One test for each target, so that they run side by side and a failure bears its name.
macro_rules! targets {
    ($($test:ident: $target:literal, $count:literal, $share:literal;)*) => {
        const COVERED: &[&str] = &[$($target),*];
        $(
            #[test]
            fn $test() {
                run($target, $count, $share);
            }
        )*
    };
}

targets! {
    idx_files_of_any_content_are_read_or_refused: "idx", 5000, 20;
    gzip_data_of_any_content_are_read_or_refused: "idx_gzip", 5000, 50;
    text_of_any_encoding_is_read_or_refused: "text", 5000, 3;
    results_of_any_content_are_shown_or_refused: "result_json", 300, 4;
    kept_measurements_of_any_content_are_read_or_refused: "tuning_json", 3000, 6;
    published_rows_of_any_content_are_read_or_refused: "published_csv", 2000, 20;
    weights_of_any_content_are_read_or_refused: "weights", 1000, 20;
    splits_of_any_text_are_read_or_refused: "split", 5000, 15;
    plan_names_of_any_text_are_read_or_refused: "plan", 5000, 100;
    adapter_requests_of_any_text_are_answered_or_refused: "adapter_request", 5000, 10;
    markers_in_any_text_are_found_or_refused: "markdown_markers", 5000, 15;
    counters_of_any_content_are_read_or_missing: "procfs", 1000, 20;
}

#[test]
fn every_target_has_a_program_a_test_and_an_entry() {
    let names: BTreeSet<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, COVERED.iter().copied().collect());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let programs: BTreeSet<String> = fs::read_dir(folder.join("fuzz_targets"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, programs.iter().map(String::as_str).collect());
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for name in names {
        let program = fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("gpubench_fuzz::{name}(data)")), "{program}");
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}
