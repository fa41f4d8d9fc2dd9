//! Accessibility, as far as a program can tell.

use super::common::ROOT;
use super::run;
use super::site::{Site, Visit};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The file of axe-core, which `.ci/setup test` fetches.
pub fn axe() -> PathBuf {
    Path::new(ROOT).join("target/axe-core/axe.min.js")
}

/// Expects axe-core to find nothing on the page as it is now, in light and in dark.
pub fn expect_no_violation(visit: &Visit, what: &str) {
    for scheme in ["light", "dark"] {
        visit.emulate_scheme(scheme);
        let found = visit.run(
            "return axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map(
               ({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target.join(' ')} ${failureSummary}`).join('; ')}`))",
            &[],
        );
        let found: Vec<&str> = found.as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(found.is_empty(), "{what}, {scheme}: {}", found.join("\n"));
    }
}

pub fn axe_finds_no_violation(site: &Site) {
    let visit = site.visit(&format!("?{}&profile_steps=1", run::SHORT));
    let source = fs::read_to_string(axe()).unwrap();
    visit.run(&format!("{source}; window.axe ??= axe; return true"), &[]);
    expect_no_violation(&visit, "start");
    visit.run("document.querySelectorAll('details').forEach((details) => (details.open = true))", &[]);
    expect_no_violation(&visit, "settings");
    visit.click("#quick");
    visit.until("a rate", 90, "return document.getElementById('rate').innerText !== '–'");
    expect_no_violation(&visit, "running");
    assert_eq!(visit.result_title(180), "Result");
    visit.click("#share");
    visit.until("a QR code", 10, "return document.querySelector('#link-code svg') !== null");
    expect_no_violation(&visit, "result");
}
