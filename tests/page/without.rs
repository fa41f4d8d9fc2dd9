//! What the page says where it cannot run, and whether it is up to date.

use super::common::ROOT;
use super::site::{Site, built};
use serde_json::json;
use std::fs;
use std::path::Path;

/// `make web` copies the page's own files; where they differ, everything else here would test another page.
pub fn the_page_tested_is_the_page_of_these_sources(_: &Site) {
    for entry in fs::read_dir(Path::new(ROOT).join("web")).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !["html", "js", "css"].contains(&kind) {
            continue;
        }
        let copy = built().join(path.file_name().unwrap());
        assert!(fs::read(&copy).ok() == fs::read(&path).ok(), "{} is out of date: run `make web`", copy.display());
    }
}

pub fn without_webgpu_the_page_says_what_to_do(site: &Site) {
    // Chromium with the interface taken away altogether, and as it is on Linux: with the interface, but without an adapter.
    let cases = [
        (true, ["does not offer WebGPU", "Chrome on Linux needs a flag"]),
        (false, ["no adapter", "--enable-unsafe-webgpu"]),
    ];
    for (taken_away, says) in cases {
        let visit = site.open(false, &[]);
        if taken_away {
            let source = json!({"source": "delete Navigator.prototype.gpu"});
            visit.chromium("Page.addScriptToEvaluateOnNewDocument", &source);
        }
        visit.go(&site.address);
        visit.until("a problem", 20, "return !document.getElementById('problem').hidden");
        let problem = visit.text("#problem");
        for says in says {
            assert!(problem.contains(says), "{says:?} is not in: {problem}");
        }
        assert!(visit.run("return document.getElementById('quick').disabled", &[]) == true);
        visit.assert_clean();
        visit.pictures(if taken_away { "without-webgpu" } else { "without-adapter" });
    }
}

pub fn an_insecure_origin_is_named(site: &Site) {
    let visit = site.open(true, &["--host-resolver-rules=MAP insecure.test 127.0.0.1"]);
    let address = site.address.replace("localhost", "insecure.test");
    visit.go(&address);
    visit.until("a problem", 20, "return !document.getElementById('problem').hidden");
    let problem = visit.text("#problem");
    assert!(problem.starts_with("This page was not loaded securely") && problem.contains("insecure.test"), "{problem}");
    assert!(problem.contains("http://localhost"), "{problem}");
}
