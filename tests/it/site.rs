//! `gpubench site`: what it makes, of hostile and damaged files too, and what it refuses to replace.

use crate::common::process::{outcome, refused};
use crate::common::sample;
use gpubench::result::RunResult;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A folder `results` with these files.
fn folder_of(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("results")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join("results").join(name), text).unwrap();
    }
    folder
}

/// The rows in the data of a site.
fn rows(site: &Path) -> Vec<Value> {
    let text = fs::read_to_string(site.join("data.js")).unwrap();
    let (_, list) = text.split_once("const ROWS = ").unwrap();
    let list = list.split_once("];\n").unwrap().0.trim_end().trim_end_matches(',');
    serde_json::from_str(&format!("{list}]")).unwrap()
}

#[test]
fn a_site_holds_every_result_once_its_file_and_the_published_rows() {
    let run = sample::profiled_run();
    let other = RunResult { started_utc: "2026-01-02T03:04:05Z".to_owned(), ..sample::gpu_run(7) };
    let [run, other] = [run, other].map(|result| result.to_json().unwrap());
    let list = format!("[{run},{other}]");
    let folder = folder_of(&[("a.json", &run), ("again.json", &run), ("list.json", &list)]);
    let (stdout, stderr) = outcome(folder.path(), &["site", "results", "-o", "public/site"], 0);
    assert!(stdout.is_empty() && stderr.contains("index.html with 2 results"), "{stderr}");
    let site = folder.path().join("public/site");
    let rows = rows(&site);
    let measured: Vec<&Value> = rows.iter().filter(|row| row["from"] == "gpubench").collect();
    assert_eq!(measured.len(), 2);
    assert_eq!(rows.len() - 2, gpubench::report::published_rows().len());
    for row in measured {
        let file = fs::read_to_string(site.join("results").join(row["file"].as_str().unwrap())).unwrap();
        let result = RunResult::from_json(&file).unwrap();
        assert_eq!(row["train_s"].as_f64(), result.summary.train_s.value().copied());
    }
    let page = fs::read_to_string(site.join("index.html")).unwrap();
    assert!(page.contains("default-src 'none'; script-src 'self'; style-src 'self'"), "{page}");
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing comes from elsewhere");
}

#[test]
fn rows_of_frameworks_are_told_apart_and_verified_by_their_losses() {
    let folder = TempDir::new().unwrap();
    let results = Path::new(crate::common::ROOT).join("results");
    outcome(folder.path(), &["site", results.to_str().unwrap(), "-o", "site"], 0);
    let rows = rows(&folder.path().join("site"));
    let of = |from: &str| rows.iter().filter(|row| row["from"] == from).collect::<Vec<_>>();
    let [own, frameworks, published] = ["gpubench", "framework", "published"].map(of);
    assert_eq!(own.len() + frameworks.len() + published.len(), rows.len());
    assert!(frameworks.len() >= 4 && own.len() >= 8 && published.len() > 10, "{rows:?}");
    for row in &frameworks {
        let tools = ["eras (", "JAX", "PyTorch", "mxnet"];
        assert!(
            row["verified"] == true && tools.iter().any(|tool| row["plan"].as_str().unwrap().contains(tool)),
            "{row}"
        );
    }
    // They are on the pages of the same devices.
    assert!(own.iter().any(|row| row["device"] == frameworks[0]["device"]));
    assert!(published.iter().all(|row| row["verified"] == false && row["file"].is_null()));
}

#[test]
fn hostile_text_is_escaped_and_damaged_files_are_told_and_skipped() {
    let mut hostile = sample::gpu_run(1);
    hostile.environment.adapter.name = "</script><script>alert(1)</script>\u{1b}[31m\u{202e}\u{2028}=cmd()".to_owned();
    hostile.plan.name = "\"];alert(2);//".to_owned();
    let folder = folder_of(&[
        ("..%2f<img src=x>.json", &hostile.to_json().unwrap()),
        ("damaged.json", "{\"schema\": \"gpubench.result\", "),
        ("empty.json", ""),
    ]);
    let (_, stderr) = outcome(folder.path(), &["site", "results", "-o", "site"], 3);
    assert!(stderr.contains("damaged.json: ") && stderr.contains("empty.json: "), "{stderr}");
    assert!(stderr.contains("the site lacks 2 of what was named"), "{stderr}");
    let site = folder.path().join("site");
    let data = fs::read_to_string(site.join("data.js")).unwrap();
    assert!(!data.contains('<') && !data.contains('\u{1b}') && !data.contains('\u{202e}'), "{data}");
    let row = rows(&site).remove(0);
    let device = row["device"].as_str().unwrap();
    assert!(device.starts_with("</script><script>alert(1)</script>\\u{1b}[31m\\u{202e}"), "{row}");
    assert_eq!(row["plan"], "\"];alert(2);//");
    assert_eq!(row["file"], "---2f-img-src-x-.json");
}

#[test]
fn a_result_whose_figures_were_changed_is_not_verified() {
    let verified = |change: &dyn Fn(&mut RunResult)| {
        let mut result = sample::full_run();
        change(&mut result);
        let folder = folder_of(&[("a.json", &result.to_json().unwrap())]);
        outcome(folder.path(), &["site", "results", "-o", "site"], 0);
        rows(&folder.path().join("site")).remove(0)["verified"] == true
    };
    assert!(verified(&|_| {}));
    assert!(!verified(&|result| result.summary.train_s = 0.5.into()));
    assert!(!verified(&|result| result.summary.test_error_pct = 0.5.into()));
    assert!(!verified(&|result| result.repeats[3].train_s = 1.0.into()));
    assert!(!verified(&|result| result.check = gpubench::result::Measured::missing("left out")));
}

#[test]
fn a_site_replaces_itself_alone_and_nothing_that_is_none() {
    let run = sample::gpu_run(1).to_json().unwrap();
    let folder = folder_of(&[("a.json", &run)]);
    let path = |name: &str| folder.path().join(name);
    outcome(folder.path(), &["site", "results", "-o", "site"], 0);
    fs::write(path("site/CNAME"), "example.org").unwrap();
    fs::rename(path("results/a.json"), path("results/b.json")).unwrap();
    outcome(folder.path(), &["site", "results", "-o", "site"], 0);
    assert!(path("site/CNAME").is_file() && path("site/results/b.json").is_file());
    assert!(!path("site/results/a.json").exists(), "the old result is gone");

    fs::create_dir(path("other")).unwrap();
    fs::write(path("other/mine.txt"), "mine").unwrap();
    for (output, says) in [("other", "holds something else than a site"), ("results/b.json", "cannot be a site")] {
        let (_, stderr) = outcome(folder.path(), &["site", "results", "-o", output], 2);
        assert!(stderr.contains(says), "{stderr}");
    }
    assert_eq!(fs::read_to_string(path("other/mine.txt")).unwrap(), "mine");
    fs::create_dir(path("none")).unwrap();
    let (_, stderr) = outcome(folder.path(), &["site", "none", "-o", "new"], 3);
    assert!(stderr.contains("holds no JSON file") && stderr.contains("there is no result to show"), "{stderr}");
    assert!(!path("new").exists(), "no site without a result");
    let (_, stderr) = outcome(folder.path(), &["site", "results", "-o", "new", "--page", "none"], 2);
    assert!(stderr.contains("`make web` builds one"), "{stderr}");
    let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with(".gpubench")), "nothing half-made is left");
    refused(&["site", "-o", "x"], 2, &["required"]);
}

#[test]
fn the_package_is_below_a_megabyte() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let mut list = std::process::Command::new(env!("CARGO"));
    list.args(["package", "--list", "--allow-dirty", "--offline"]).current_dir(crate::common::ROOT);
    let output = list.output().unwrap();
    let files = String::from_utf8(output.stdout).unwrap();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    let mut count = 0;
    // Two of the files are made by cargo.
    for file in files.lines().filter_map(|name| fs::read(Path::new(crate::common::ROOT).join(name)).ok()) {
        packed.write_all(&file).unwrap();
        count += 1;
    }
    assert!(count > 200, "{files}{}", String::from_utf8_lossy(&output.stderr));
    let bytes = packed.finish().unwrap().len();
    assert!(bytes < 950_000, "{bytes} bytes, and names of files come on top");
}
