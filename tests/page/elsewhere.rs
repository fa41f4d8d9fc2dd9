//! Results that come from elsewhere: links, files, an earlier visit.

use super::common::ROOT;
use super::run::SHORT;
use super::site::{Site, Visit};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// The result files of this repository.
fn committed() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(Path::new(ROOT).join("results")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths
}

fn report(visit: &Visit) -> String {
    let text = visit.run("return document.getElementById('report').shadowRoot?.textContent ?? ''", &[]);
    text.as_str().unwrap().to_owned()
}

/// What a phone reads from the QR code that `visit` shows.
fn scanned(visit: &Visit) -> String {
    let code = "const svg = document.querySelector('#link-code svg'); \
        return [svg.viewBox.baseVal.width, svg.querySelector('path').getAttribute('d')];";
    let code = visit.run(code, &[]);
    let side = code[0].as_u64().unwrap() as usize;
    // A dark module is drawn as "Mx yh1v1h-1z".
    let dark: std::collections::HashSet<[usize; 2]> = (code[1].as_str().unwrap().split_terminator('z'))
        .map(|module| {
            let (place, _) = module.strip_prefix('M').unwrap().split_once('h').unwrap();
            let (x, y) = place.split_once(' ').unwrap();
            [x.parse().unwrap(), y.parse().unwrap()]
        })
        .collect();
    let quiet = dark.iter().map(|[x, _]| *x).min().unwrap();
    let grid = rqrr::SimpleGrid::from_func(side - 2 * quiet, |x, y| dark.contains(&[x + quiet, y + quiet]));
    let (_, text) = rqrr::Grid::new(grid).decode().expect("the code can be read");
    text
}

pub fn a_result_travels_in_a_link(site: &Site) {
    let visit = site.visit(&format!("?{SHORT}&profile_steps=0&device=Testbed"));
    visit.click("#quick");
    assert_eq!(visit.result_title(90), "Result");
    let (_, result) = visit.download();
    visit.click("#share");
    visit.until("a QR code", 10, "return document.querySelector('#link-code svg') !== null");
    let link = visit.run("return document.getElementById('link-url').value", &[]);
    let link = link.as_str().unwrap();
    assert!(link.starts_with(&format!("{}#r=", site.address)) && link.len() < 8000, "{} characters", link.len());

    let other = site.open(true, &[]);
    let scanned = scanned(&visit);
    assert!(scanned.starts_with(&format!("{}#d=", site.address)), "{scanned}");
    other.go(&scanned);
    other.until("the scanned result", 20, "return !document.getElementById('result').hidden");
    assert!(report(&other).contains("Testbed"));
    other.go("about:blank");
    other.go(link);
    other.until("the result", 20, "return !document.getElementById('result').hidden");
    assert_eq!(other.text("#result-title"), "A result from a link");
    assert!(report(&other).contains("Testbed"));
    assert!(!other.shows("#draw"), "the network does not travel");
    let (_, opened) = other.download();
    assert!(opened.warnings.iter().any(|warning| warning.starts_with("opened from a link")), "{:?}", opened.warnings);
    assert_eq!(opened.repeats[0].steps(), result.repeats[0].steps());
    let rates = [&result, &opened].map(|result| *result.summary.images_per_s.value().unwrap());
    assert!((rates[0] / rates[1] - 1.0).abs() < 1e-3, "{rates:?}");
    other.assert_clean();

    // It is among the earlier results of the browser that ran it, and can be erased.
    visit.run("location.hash = ''; document.getElementById('history').open = true", &[]);
    assert!(visit.text("#history-list").contains("Testbed"), "{}", visit.text("#history-list"));
    visit.click("#history-list button");
    visit.until("it", 10, "return document.getElementById('result-title').innerText === 'An earlier result'");
    visit.click("#history-erase");
    assert_eq!(visit.text("#history-list"), "");
    assert_eq!(visit.run("return localStorage.length", &[]), 0);
    visit.assert_clean();
}

pub fn links_without_a_result_are_refused_in_words(site: &Site) {
    let visit = site.visit("");
    let pack = "const packed = new Blob([arguments[0]]).stream().pipeThrough(new CompressionStream('deflate-raw'));
        return new Response(packed).arrayBuffer().then((bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
          .replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''))";
    let packed = |text: &str| visit.run(pack, &[json!(text)]).as_str().unwrap().to_owned();
    let newer = json!({"schema": gpubench::result::SCHEMA, "schema_version": 999}).to_string();
    let cases = [
        ("AAAA".to_owned(), "damaged"),
        ("%%%".to_owned(), "damaged"),
        (packed("{}")[1..].to_owned(), "damaged"),
        (packed("{\"weather\": \"fine\"}"), "not a gpubench result"),
        (packed(&newer), "schema version 999"),
        ("A".repeat(100_001), "too large"),
        (packed(&"a".repeat(5_000_000)), "too large"),
    ];
    for (fragment, says) in cases {
        visit.run(
            "document.getElementById('problem').hidden = true; location.hash = `r=${arguments[0]}`",
            &[json!(fragment)],
        );
        visit.until(
            format_args!("a refusal that says {says:?}"),
            20,
            "return !document.getElementById('problem').hidden",
        );
        let problem = visit.text("#problem");
        assert!(problem.contains(says), "{says:?} is not in: {problem}");
        assert!(!visit.shows("#result") && visit.shows("#quick"));
    }
    visit.assert_clean();
}

pub fn two_results_are_compared_before_any_run(site: &Site) {
    let visit = site.visit("");
    visit.run("document.getElementById('compare').open = true", &[]);
    let paths = committed();
    let pick = |paths: &[&Path]| {
        let list: Vec<&str> = paths.iter().map(|path| path.to_str().unwrap()).collect();
        visit.type_into("#pick-result", &list.join("\n"));
    };
    pick(&[&Path::new(ROOT).join("Cargo.toml")]);
    visit.until("a refusal", 10, "return document.getElementById('compare-text').innerText.startsWith('Cargo.toml')");
    assert!(visit.text("#compare-text").contains("not a gpubench result") && !visit.shows("#comparison"));
    pick(&[&paths[0]]);
    visit.until("a request", 10, "return document.getElementById('compare-text').innerText.includes('second')");
    pick(&[&paths[1]]);
    visit.until("a comparison", 10, "return document.querySelector('#comparison table') !== null");
    let comparison = visit.text("#comparison");
    for part in ["llvmpipe", "throughput", "step, timed", "B / A", "What else differs"] {
        assert!(comparison.contains(part), "{part} is not in: {comparison}");
    }
    visit.pictures("comparison");
    visit.assert_clean();
}

pub fn a_browser_that_stores_nothing_runs_all_the_same(site: &Site) {
    let visit = site.open(true, &[]);
    let refuse =
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })";
    visit.chromium("Page.addScriptToEvaluateOnNewDocument", &json!({"source": refuse}));
    visit.go(&format!("{}?{SHORT}&profile_steps=0", site.address));
    visit.until("the button", 20, "return !document.getElementById('quick').disabled");
    visit.click("#quick");
    assert_eq!(visit.result_title(90), "Result");
    visit.run("document.getElementById('history').open = true", &[]);
    assert!(visit.text("#history-text").contains("refuses"), "{}", visit.text("#history-text"));
    visit.assert_clean();
}
