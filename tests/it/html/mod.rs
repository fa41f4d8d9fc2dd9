//! The page of a result: well-formed, escaped, without a number that is none, and with everything in it.

mod comparison;
mod drawings;
mod first_screen;
mod tables;

use crate::common::{ROOT, sample};
use gpubench::report::{html, text};
use gpubench::result::{Measured, RunResult};
use roxmltree::{Document, Node, ParsingOptions};
use std::fs;
use std::path::Path;

/// All sections in their order; a page leaves out those without content.
const TITLES: [&str; 13] = [
    "Among the published results",
    "Where the time went",
    "Kernels",
    "Roofline",
    "Repeats and steps",
    "Training",
    "Several devices",
    "Load",
    "Step time against size",
    "Measured peaks",
    "Phases",
    "Published figures",
    "Environment and settings",
];

fn parsed(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error} in {page}"))
}

/// The headings of the sections.
fn titles(document: &Document<'_>) -> Vec<String> {
    let headings = document.descendants().filter(|node| node.has_tag_name("h2"));
    headings.map(|node| node.text().unwrap_or_default().to_owned()).collect()
}

fn has_class(node: &Node<'_, '_>, class: &str) -> bool {
    node.attribute("class").is_some_and(|classes| classes.split_whitespace().any(|one| one == class))
}

/// Proves of the page of a result what holds for all of them, and gives its text without that of its style.
fn walk(page: &str) -> String {
    let titles = titles(&parsed(page));
    let known: Vec<&str> = TITLES.into_iter().filter(|title| titles.iter().any(|shown| shown == title)).collect();
    assert_eq!(titles, known, "each section once, in order");
    words_of(page)
}

/// Proves of any page what holds for all of them, and gives its text without that of its style.
fn words_of(page: &str) -> String {
    let document = parsed(page);
    let mut ids = Vec::new();
    let mut words = String::new();
    for node in document.descendants() {
        let tag = node.tag_name().name();
        assert!(
            !["script", "link", "img", "iframe", "object", "use"].contains(&tag),
            "<{tag}> loads or runs something"
        );
        assert!(!tag.contains(':') && node.tag_name().namespace().is_none(), "{tag}");
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            let leads_away = ["src", "srcset"].contains(&name) || (name == "href" && !value.starts_with('#'));
            assert!(!name.starts_with("on") && !leads_away, "{name}={value}");
            no_broken_number(value, name);
            if name == "id" {
                ids.push(value.to_owned());
            }
        }
        for reference in node.attribute("aria-labelledby").into_iter().flat_map(str::split_whitespace) {
            let named = document.descendants().any(|other| other.attribute("id") == Some(reference));
            assert!(named, "{reference} names nothing");
        }
        if tag == "svg" {
            let hidden = node.attribute("aria-hidden") == Some("true");
            let titled = ["title", "desc"].iter().all(|tag| node.children().any(|child| child.has_tag_name(*tag)));
            assert!(hidden || titled, "a drawing without a title or a description");
            assert!(node.descendants().count() > 3 || hidden, "an empty drawing");
        }
        if node.is_text() && !node.parent().is_some_and(|parent| parent.has_tag_name("style")) {
            words += node.text().unwrap_or_default();
            no_broken_number(node.text().unwrap_or_default(), "text");
            if !matches!(node.parent().map(|parent| parent.tag_name().name()), Some("span" | "abbr" | "strong")) {
                words += "\n";
            }
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "two things bear one id");
    words
}

fn no_broken_number(text: &str, place: &str) {
    for word in text.split(|letter: char| !letter.is_alphanumeric()) {
        assert!(!["NaN", "inf", "null", "None"].contains(&word), "{place}: {text}");
    }
}

#[test]
fn a_page_shows_every_part() {
    let result = sample::profiled_run();
    let page = html(&result);
    let words = walk(&page);
    let profile = result.profile.value().unwrap();
    let shown: Vec<&str> = TITLES.into_iter().filter(|title| *title != "Several devices").collect();
    assert_eq!(titles(&parsed(&page)), shown);
    for (index, kernel) in profile.kernels.iter().enumerate() {
        assert!(words.contains(&format!("{} ({})", kernel.kernel, kernel.layer)), "{}", kernel.kernel);
        assert!(words.contains(&format!("\n{}\n", index + 1)), "number {} is nowhere", index + 1);
    }
    for phrase in [
        "device-bound: running kernels takes 9",
        "encoding and submission",
        "compute 10 %",
        "FP32 peak 45.2 GFLOP/s",
        "38.4 GB/s in cache",
        "13.3 GB/s out of cache",
        "without floating-point operations 6 max_pool_backward (pool1)",
        "overhead 4.00 ms",
        "storage read",
        "256 MiB",
        "n/a (this adapter has no 16-bit arithmetic)",
        "n/a (its buffers exceed maxStorageBufferBindingSize)",
        "Tesla K80",
        "Keras (tensorflow)",
        "0000:01:00.0",
    ] {
        assert!(words.contains(phrase), "{phrase:?} is not in: {words}");
    }
}

#[test]
fn a_kernel_is_drawn_in_the_colour_of_its_pass() {
    let mut result = sample::profiled_run();
    let kernels = &mut as_value(&mut result.profile).kernels;
    kernels.truncate(5);
    let cases = [
        ("features_forward", "forward"),
        ("classifier_forward_backward", "both"),
        ("features_backward", "backward"),
        ("gradient_update", "update"),
        ("of_another_version", "other"),
    ];
    for (time, (kernel, _)) in kernels.iter_mut().zip(cases) {
        kernel.clone_into(&mut time.kernel);
    }
    let page = html(&result);
    let document = parsed(&page);
    for (kernel, class) in cases {
        let is_heading = |node: &Node<'_, '_>| node.has_tag_name("th") && node.text() == Some(kernel);
        let row = document.descendants().find(is_heading).unwrap().parent().unwrap();
        let bar = row.descendants().find(|node| node.has_tag_name("rect")).unwrap();
        assert_eq!(bar.attribute("class"), Some(class), "{kernel}");
        let points = document.descendants().filter(|node| node.attribute("class") == Some("points"));
        let marks =
            points.map(|group| group.descendants().filter(|node| node.attribute("class") == Some(class)).count());
        assert_eq!(marks.collect::<Vec<_>>(), [1, 1, 1], "{kernel} has one mark in each size of the roofline");
    }
}

#[test]
fn what_is_missing_is_told_in_its_place() {
    let mut result = sample::profiled_run();
    result.peaks = Measured::missing("the adapter was lost");
    let Measured::Value(profile) = &mut result.profile else { panic!("there is a profile") };
    profile.kernels[0].median_ns = Measured::missing("every sample was dropped");
    profile.kernels[0].gflop_per_s = Measured::missing("every sample was dropped");
    profile.kernels[1].bound = Measured::missing("the peaks are missing");
    let words = walk(&html(&result));
    for reason in ["the adapter was lost", "every sample was dropped", "the peaks are missing"] {
        assert!(words.contains(reason), "{reason} is not in: {words}");
    }
    for kernel in &mut as_value(&mut result.profile).kernels {
        kernel.gflop_per_s = Measured::Value(0.0);
    }
    assert!(walk(&html(&result)).contains("no kernel has both operations and bytes"));
}

#[test]
fn a_column_without_values_is_a_line_with_its_reason() {
    let mut result = sample::gpu_run(2);
    for repeat in &mut result.repeats {
        as_value(&mut repeat.load).gpu.power_w = Measured::missing("no sensor tells it");
    }
    let page = html(&result);
    assert!(walk(&page).contains("power [W]: n/a (no sensor tells it)"), "{}", walk(&page));
    let document = parsed(&page);
    let headings: Vec<&str> = document
        .descendants()
        .filter(|node| node.attribute("role") == Some("columnheader"))
        .flat_map(|node| node.descendants().filter_map(|inner| inner.text()))
        .collect();
    assert!(headings.contains(&"net energy\n[J]") && !headings.contains(&"power\n[W]"), "{headings:?}");
}

#[test]
fn numbers_that_are_none_never_reach_the_page() {
    for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, 1e308, 5e-324] {
        let mut result = sample::profiled_run();
        let bad = Measured::Value(broken);
        for kernel in as_value(&mut result.profile).kernels.iter_mut().take(3) {
            (kernel.median_ns, kernel.p95_ns, kernel.share_pct) = (bad.clone(), bad.clone(), bad.clone());
            (kernel.gflop_per_s, kernel.peak_flop_pct, kernel.peak_bandwidth_pct) =
                (bad.clone(), bad.clone(), bad.clone());
        }
        as_value(&mut result.profile).kernels[4].gbyte_per_s = bad.clone();
        as_value(&mut result.profile).timed_step_s = bad.clone();
        as_value(&mut result.profile).span_ns = bad.clone();
        for figure in as_value(&mut result.peaks).figures.iter_mut().take(3) {
            figure.median = bad.clone();
        }
        let account = as_value(&mut result.account);
        (account.kernels_s, account.rest_s, account.host.wait_s) = (broken, broken, broken);
        let sweep = as_value(&mut result.sweep);
        sweep.points[0].step_s = bad.clone();
        sweep.points[1].width = broken;
        let fit = as_value(&mut sweep.fit);
        (fit.overhead_s, fit.largest_residual_pct, fit.half_rate_at) = (broken, broken, bad.clone());
        for epoch in result.repeats[0].epochs.iter_mut().take(2) {
            (epoch.train_loss, epoch.test_loss, epoch.test_error_pct) = (bad.clone(), bad.clone(), bad.clone());
            epoch.train_s = broken;
        }
        result.phases.cold_total_s = bad.clone();
        result.summary.train_s = bad.clone();
        result.summary.test_error_pct = bad;
        walk(&html(&result));
        as_value(&mut result.account).wall_s = broken;
        as_value(&mut as_value(&mut result.sweep).fit).asymptotic_gflop_per_s = broken;
        walk(&html(&result));
    }
}

fn as_value<T>(measured: &mut Measured<T>) -> &mut T {
    match measured {
        Measured::Value(value) => value,
        Measured::Missing { reason } => panic!("missing: {reason}"),
    }
}

#[test]
fn text_from_the_result_is_escaped() {
    const EVIL: &str = "</title><script>alert(\"1\")</script>&amp;<b a='\u{1b}\0";
    let mut result = sample::profiled_run();
    result.environment.adapter.name = EVIL.to_owned();
    result.environment.adapter.driver = Measured::Value(EVIL.to_owned());
    result.warnings = vec![EVIL.to_owned()];
    result.data.name = EVIL.to_owned();
    as_value(&mut as_value(&mut result.account).verdict).words = EVIL.to_owned();
    as_value(&mut result.peaks).subject.adapter = EVIL.to_owned();
    for kernel in as_value(&mut result.profile).kernels.iter_mut() {
        kernel.kernel = EVIL.to_owned();
        kernel.bound = Measured::missing(EVIL);
    }
    let page = html(&result);
    let words = walk(&page);
    assert!(!page.contains("<script") && !page.contains("<b "));
    assert!(words.contains("</title><script>alert(\"1\")</script>&amp;<b a='\\u{1b}\\u{0}"), "{words}");
}

#[test]
fn every_stored_result_has_a_report_and_a_page() {
    let folder = Path::new(ROOT).join("results");
    let mut read = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let stored = fs::read_to_string(&path).unwrap();
            let result = RunResult::from_json(&stored).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(text(&result, 100).lines().count() > 20);
            assert!(walk(&html(&result)).contains(&result.started_utc));
            read += 1;
        }
    }
    assert!(read >= 2, "only {read} results were found");
}

/// Writes the pages of made-up results to the folder named by GPUBENCH_TEST_PAGES, to be looked at.
#[test]
fn pages_to_look_at() {
    let folder = std::env::var_os("GPUBENCH_TEST_PAGES").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    let pages =
        [("profiled", sample::profiled_run()), ("plain", sample::gpu_run(1)), ("software", sample::software_run())];
    for (name, result) in pages {
        let path = Path::new(&folder).join(format!("{name}.html"));
        fs::write(&path, html(&result)).unwrap();
        assert!(fs::metadata(&path).unwrap().len() < 400_000, "{} is too big to send to anyone", path.display());
    }
}
