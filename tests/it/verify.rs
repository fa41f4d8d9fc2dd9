//! Result files that were changed are found, those that were not are not, and all have the form that the schema says.

use crate::common::process::{DIGITS, outcome, refused};
use crate::common::{ROOT, names_in, sample};
use gpubench::bench::verify;
use gpubench::result::{Measured, RunResult, Seal, result_schema, seal};
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The results that came with the program.
fn stored() -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(ROOT).join("results")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    assert!(files.len() >= 8, "{files:?}");
    files
}

#[test]
fn every_stored_result_passes() {
    let folder = TempDir::new().unwrap();
    let results = Path::new(ROOT).join("results");
    let (stdout, _) = outcome(folder.path(), &["verify", results.to_str().unwrap()], 0);
    assert_eq!(stdout.lines().count(), stored().len(), "{stdout}");
}

#[test]
fn losses_can_be_computed_again_anywhere() {
    let folder = TempDir::new().unwrap();
    outcome(folder.path(), &["--adapter", "cpu", "--data", DIGITS, "--steps", "11", "--seed", "5", "-o", "."], 0);
    let file = names_in(folder.path()).into_iter().find(|name| name.ends_with(".json")).unwrap();
    let again = ["verify", "--rerun", "7", "--data", DIGITS, "--json", &file];
    let (stdout, _) = outcome(folder.path(), &again, 0);
    let told: Value = serde_json::from_str(&stdout).unwrap();
    let words = told["results"][0]["rerun"].as_str().unwrap();
    assert!(words.starts_with("7 steps trained again") && words.contains("7 mean losses within 0.00 %"), "{words}");

    // Of another seed, with the digest that such a file would have.
    let path = folder.path().join(&file);
    let mut result = RunResult::from_json(&fs::read_to_string(&path).unwrap()).unwrap();
    result.settings.seed.value = 6;
    fs::write(&path, result.to_json().unwrap()).unwrap();
    let (stdout, _) = outcome(folder.path(), &again, 12);
    assert!(stdout.contains("repeats[0].epochs[0].loss_curve["), "{stdout}");

    let (stdout, _) = outcome(folder.path(), &["verify", "--rerun", "7", "--data", "synthetic:100+10", &file], 12);
    assert!(stdout.contains("cannot be computed again: it was trained on"), "{stdout}");
}

/// Whether a byte of a document can be another: a digit or a letter, also within names and hashes.
fn changed(byte: u8) -> Option<u8> {
    match byte {
        b'9' | b'z' | b'Z' => Some(byte - 1),
        byte if byte.is_ascii_alphanumeric() => Some(byte + 1),
        _ => None,
    }
}

#[test]
fn every_digit_and_letter_of_a_full_result_is_sealed() {
    let document = sample::profiled_run().to_json().unwrap();
    assert_eq!(seal(&document), Seal::Intact);
    // Every byte of the last kilobyte, which holds the digest, and every 37th before: each costs a SHA-256 of it all.
    let tail = document.len() - 1024;
    let mut bytes = document.clone().into_bytes();
    let mut tried = 0;
    for at in 0..bytes.len() {
        let (Some(other), true) = (changed(bytes[at]), at >= tail || at % 37 == 0) else { continue };
        let kept = std::mem::replace(&mut bytes[at], other);
        assert_ne!(
            seal(std::str::from_utf8(&bytes).unwrap()),
            Seal::Intact,
            "byte {at}: {}",
            &document[at - 1..][..30]
        );
        bytes[at] = kept;
        tried += 1;
    }
    assert!(tried > 500, "{tried} bytes");
}

/// Calls `visit` with the path of every value in `value` that holds no others.
fn leaves(value: &Value, path: &str, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| leaves(value, &format!("{path}/{name}"), visit))
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| leaves(value, &format!("{path}/{index}"), visit));
        }
        _ => visit(path),
    }
}

#[test]
fn every_value_of_a_full_result_is_sealed() {
    let document: Value = serde_json::from_str(&sample::profiled_run().to_json().unwrap()).unwrap();
    let mut paths = Vec::new();
    leaves(&document, "", &mut |path| paths.push(path.to_owned()));
    assert!(paths.len() > 300, "{} values", paths.len());
    for path in paths {
        let mut changed = document.clone();
        let value = changed.pointer_mut(&path).unwrap();
        *value = match value {
            Value::Number(number) => (number.as_f64().unwrap() * 1.01 + 1.0).into(),
            Value::Bool(truth) => (!*truth).into(),
            Value::String(text) => format!("{text} ").into(),
            other => panic!("{path}: {other}"),
        };
        assert_ne!(seal(&changed.to_string()), Seal::Intact, "{path}");
    }
}

#[test]
fn figures_that_do_not_follow_from_the_rest_are_found_without_a_digest() {
    let text = fs::read_to_string(Path::new(ROOT).join("results/20261124T182840Z-amd-epyc-seed1.json")).unwrap();
    let result = RunResult::from_json(&text).unwrap();
    assert_eq!(verify(&result), []);
    type Change = fn(&mut RunResult);
    let cases: [(&str, Change); 11] = [
        ("summary.train_s", |result| result.summary.train_s = 9.0.into()),
        ("summary.train_mad_s", |result| result.summary.train_mad_s = 0.001.into()),
        ("summary.images_per_s", |result| result.summary.images_per_s = 1e5.into()),
        ("summary.test_error_pct", |result| result.summary.test_error_pct = 0.5.into()),
        ("repeats[0].epochs[3].test_error_pct", |result| result.repeats[0].epochs[3].test_error_pct = 0.5.into()),
        ("repeats[0].samples[7]", |result| result.repeats[0].samples[7].first_step += 1),
        ("repeats[0].epochs", |result| result.repeats[0].epochs[2].train_s += 20.0),
        ("repeats[0].parameters_sha256", |result| {
            result.repeats[0].parameters_sha256 = Measured::Value("12".to_owned());
        }),
        ("phases.train_s", |result| result.phases.train_s = 5.0.into()),
        ("model.parameters", |result| result.model.parameters -= 1),
        ("standard", |result| result.settings.epochs.value = 9),
    ];
    for (place, change) in cases {
        let mut changed = result.clone();
        change(&mut changed);
        let found = verify(&changed);
        assert!(found.iter().any(|finding| finding.place == place), "{place}: {found:?}");
    }
}

#[test]
fn a_changed_file_ends_with_an_exit_code_of_its_own_and_says_what_is_wrong() {
    let folder = TempDir::new().unwrap();
    let text = fs::read_to_string(&stored()[0]).unwrap();
    let sealed = RunResult::from_json(&text).unwrap().to_json().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("good.json", &sealed);
    write("changed.json", &sealed.replacen("\"started_utc\": \"20", "\"started_utc\": \"19", 1));
    write("old.json", &text);
    let (stdout, _) = outcome(folder.path(), &["verify", "good.json", "old.json"], 0);
    assert!(stdout.contains("good.json: as it was written") && stdout.contains("old.json: its figures"), "{stdout}");
    let (stdout, stderr) = outcome(folder.path(), &["verify", "."], 12);
    assert!(stdout.contains("changed.json: digest: it is not that of the rest"), "{stdout}");
    assert!(stderr.contains("1 of 3 results"), "{stderr}");
    let (stdout, _) = outcome(folder.path(), &["verify", "--json", "changed.json"], 12);
    let document: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(document["results"][0]["digest"], "broken");
    assert_eq!(document["results"][0]["findings"][0]["place"], "digest");
    for verb in ["report", "table"] {
        let (_, stderr) = outcome(folder.path(), &[verb, "changed.json"], 0);
        assert!(stderr.contains("changed.json: it was changed after it was written"), "{stderr}");
    }
    let (lines, _) = outcome(folder.path(), &["report", "good.json", "--format", "jsonl"], 0);
    assert_eq!(lines.lines().count(), 1);
    write("lines.jsonl", &format!("{lines}{lines}"));
    let (stdout, _) = outcome(folder.path(), &["verify", "lines.jsonl"], 0);
    assert!(stdout.contains("lines.jsonl#2: as it was written"), "{stdout}");
    write("other.json", "{\"schema\": \"else\", \"schema_version\": 1}");
    let (stdout, _) = outcome(folder.path(), &["verify", "other.json"], 12);
    assert!(stdout.contains("other.json: schema: "), "{stdout}");
    write("damaged.json", &sealed[..sealed.len() / 2]);
    outcome(folder.path(), &["verify", "good.json", "damaged.json"], 3);
    refused(&["verify", "/nonexistent.json"], 3, &["not read: /nonexistent.json", "could not be read"]);
}

/// What of `value` differs from `schema`, a part of `root`, by the keywords that schemas of this program have.
fn differs(value: &Value, schema: &Value, root: &Value, place: &str) -> Option<String> {
    let Value::Object(keywords) = schema else { return None };
    keywords.iter().find_map(|(keyword, wanted)| keyword_differs(value, keyword, wanted, keywords, root, place))
}

fn keyword_differs(
    value: &Value,
    keyword: &str,
    wanted: &Value,
    all: &Map<String, Value>,
    root: &Value,
    place: &str,
) -> Option<String> {
    let one_of =
        |schemas: &Value| schemas.as_array().unwrap().iter().any(|one| differs(value, one, root, place).is_none());
    let holds = match keyword {
        "$schema" | "$defs" | "title" | "description" | "default" | "format" | "pattern" => true,
        "$ref" => {
            let target = root.pointer(wanted.as_str().unwrap().trim_start_matches('#')).unwrap();
            return differs(value, target, root, place);
        }
        "anyOf" | "oneOf" => one_of(wanted),
        "const" => value == wanted,
        "enum" => wanted.as_array().unwrap().contains(value),
        "type" => match wanted {
            Value::Array(types) => types.iter().any(|one| is_of(value, one)),
            one => is_of(value, one),
        },
        "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap()),
        "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= wanted.as_u64().unwrap()),
        "maxItems" => value.as_array().is_none_or(|list| list.len() as u64 <= wanted.as_u64().unwrap()),
        "required" => wanted.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
        "properties" => {
            let fields = wanted.as_object().unwrap().iter();
            let mut present = fields.filter_map(|(name, schema)| Some((name, value.get(name)?, schema)));
            return present.find_map(|(name, value, schema)| differs(value, schema, root, &format!("{place}/{name}")));
        }
        "additionalProperties" => {
            let known = all.get("properties").and_then(Value::as_object);
            let others = value.as_object().into_iter().flatten();
            let mut others = others.filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)));
            return others.find_map(|(name, value)| differs(value, wanted, root, &format!("{place}/{name}")));
        }
        "items" => {
            let list = value.as_array().into_iter().flatten().enumerate();
            let mut list = list.skip(all.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len));
            return list.find_map(|(index, one)| differs(one, wanted, root, &format!("{place}/{index}")));
        }
        "prefixItems" => {
            let pairs = wanted.as_array().unwrap().iter().zip(value.as_array().into_iter().flatten());
            return pairs
                .enumerate()
                .find_map(|(index, (schema, one))| differs(one, schema, root, &format!("{place}/{index}")));
        }
        other => panic!("the schema has a keyword that this test does not know: {other}"),
    };
    (!holds).then(|| format!("{place}: {keyword} {wanted} does not hold of {value}"))
}

fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    }
}

#[test]
fn the_schema_is_that_of_the_types_and_every_result_has_its_form() {
    let path = Path::new(ROOT).join("docs/result.schema.json");
    let schema = result_schema().unwrap();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == schema, "docs/result.schema.json is out of date: UPDATE=1 cargo test --test it verify");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    // A number at the end would tell two types of one name apart, and tell a reader nothing.
    let is_numbered = |name: &&String| {
        let letters = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        letters != name.as_str() && !["uint", "int", "double", "float"].iter().any(|word| letters.ends_with(word))
    };
    assert_eq!(schema["$defs"].as_object().unwrap().keys().find(is_numbered), None);
    let of = |text: &str| differs(&serde_json::from_str(text).unwrap(), &schema, &schema, "");
    for file in stored() {
        // Fields that came later are absent in files of the first version, and named by no default there.
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(of(&text), None, "{}", file.display());
    }
    let full = sample::profiled_run().to_json().unwrap();
    assert_eq!(of(&full), None);
    for (from, to) in [("\"status\": \"complete\"", "\"status\": \"done\""), ("\"standard\": true", "\"standard\": 1")]
    {
        assert!(full.contains(from) && of(&full.replacen(from, to, 1)).is_some(), "{from}");
    }
}
