//! What is seen first: stamps, large figures, contents; and which sections there are.

use super::{TITLES, as_value, has_class, parsed, titles, walk};
use crate::common::sample;
use gpubench::report::{html, html_fragment, text};
use gpubench::result::{Measured, RunResult, Status};
use roxmltree::{Document, Node};

fn of_class<'a, 'input>(document: &'a Document<'input>, class: &str) -> Vec<Node<'a, 'input>> {
    document.descendants().filter(|node| has_class(node, class)).collect()
}

/// All text inside a node, its pieces separated by single spaces.
fn inside(node: &Node<'_, '_>) -> String {
    let pieces: Vec<&str> =
        node.descendants().filter(|inner| inner.is_text()).filter_map(|inner| inner.text()).collect();
    pieces.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn tiles(result: &RunResult) -> Vec<String> {
    let page = html(result);
    let document = parsed(&page);
    of_class(&document, "tile").iter().map(inside).collect()
}

#[test]
fn the_first_figures_are_time_rate_error_share_of_peak_and_verdict() {
    let shown = tiles(&sample::profiled_run());
    assert_eq!(shown[0], "Time 12.4 s 10 epochs of MNIST");
    assert_eq!(shown[1], "Images/s 48,387 ± 0.8 %, 3 trainings");
    assert_eq!(shown[2], "Test error 0.92 % accepted: 0.4 to 1.5 %");
    assert!(shown[3].starts_with("Share of peak ") && shown[3].contains("% of peak arithmetic"), "{}", shown[3]);
    assert!(shown[4].starts_with("Bound by the device, below both roofs running kernels takes 9"), "{}", shown[4]);
    assert_eq!(shown.len(), 5);
    let without = tiles(&sample::gpu_run(1));
    assert!(without[1].ends_with("one training: no spread"), "{}", without[1]);
    assert!(without.last().unwrap().contains("n/a") && without.last().unwrap().contains("gpubench profile"));
}

#[test]
fn a_result_that_must_not_be_used_says_so_before_any_figure() {
    for (status, stamp) in [(Status::Invalid, "INVALID"), (Status::Partial, "PARTIAL"), (Status::Failed, "FAILED")] {
        let mut result = sample::profiled_run();
        result.status = status;
        result.reasons = vec!["the test error of 3.20 % is outside the accepted range".to_owned()];
        for page in [html(&result), format!("<div>{}</div>", html_fragment(&result))] {
            let document = parsed(&page);
            let [banner] = of_class(&document, "banner")[..] else { panic!("one banner: {page}") };
            assert!(has_class(&banner, "alarm") && inside(&banner).starts_with(stamp));
            let [figures] = of_class(&document, "hero")[..] else { panic!("one row of figures") };
            assert!(banner.range().end < figures.range().start && has_class(&figures, "stamped"));
            assert!(page.contains("the test error of 3.20 % is outside"));
        }
        assert!(html(&result).contains(&format!("<title>{stamp}: ")));
    }
}

#[test]
fn a_non_standard_run_has_one_banner_and_no_badge_elsewhere() {
    let mut both = sample::gpu_run(1);
    (both.status, both.standard) = (Status::Partial, false);
    both.non_standard = vec!["3 epochs instead of 10".to_owned()];
    for (result, expected) in [(sample::software_run(), 1), (both, 1), (sample::gpu_run(1), 0)] {
        let page = html(&result);
        let document = parsed(&page);
        let banners = of_class(&document, "other-task");
        assert_eq!(banners.len(), expected);
        for banner in banners {
            assert_eq!(inside(&banner), format!("non-standard {}", result.non_standard.join("; ")));
        }
        let headings = document.descendants().filter(|node| node.has_tag_name("h2"));
        assert!(headings.clone().all(|heading| heading.children().filter(Node::is_element).count() == 0));
        assert!(headings.count() > 4);
    }
}

#[test]
fn the_headline_is_that_of_the_text_report() {
    for result in [sample::software_run(), sample::gpu_run(2), sample::profiled_run()] {
        let page = html(&result);
        let headline = text(&result, 160).lines().next().unwrap().to_owned();
        let line = headline.trim_start_matches("non-standard: ");
        let label = of_class(&parsed(&page), "hero")[0].attribute("aria-label").map(str::to_owned);
        assert_eq!(label.as_deref(), Some(line));
        assert!(page.contains(&result.environment.adapter.label()));
    }
}

#[test]
fn the_contents_list_leads_to_every_section() {
    for result in [sample::profiled_run(), sample::gpu_run(1)] {
        let page = html(&result);
        let document = parsed(&page);
        let links: Vec<(&str, &str)> = document
            .descendants()
            .filter(|node| node.has_tag_name("a"))
            .map(|node| (node.attribute("href").unwrap().trim_start_matches('#'), node.text().unwrap()))
            .collect();
        let sections: Vec<(&str, &str)> = document
            .descendants()
            .filter(|node| node.has_tag_name("h2"))
            .map(|node| (node.attribute("id").unwrap(), node.text().unwrap()))
            .collect();
        assert_eq!(links, sections);
        assert!(!html_fragment(&result).contains("href"), "a link would take the other page's address");
    }
}

#[test]
fn a_section_without_content_is_left_out() {
    let mut result = sample::gpu_run(1);
    let page = html(&result);
    let absent = [
        "Where the time went",
        "Kernels",
        "Roofline",
        "Repeats and steps",
        "Several devices",
        "Step time against size",
        "Measured peaks",
    ];
    for title in TITLES {
        assert_eq!(titles(&parsed(&page)).iter().any(|shown| shown == title), !absent.contains(&title), "{title}");
    }
    let words = walk(&page);
    let line = "Time account, kernels and roofline: n/a (";
    assert_eq!(words.matches(line).count(), 1, "{words}");
    assert!(words.contains("`gpubench profile` or --profile takes one"));
    assert!(!walk(&html(&sample::profiled_run())).contains(line));

    result.repeats.clear();
    let page = html(&result);
    assert!(
        titles(&parsed(&page)).iter().all(|title| !["Training", "Load", "Repeats and steps"].contains(&title.as_str()))
    );
}

#[test]
fn a_run_stands_among_the_published_ones_by_its_time() {
    let page = html(&sample::gpu_run(1));
    let document = parsed(&page);
    let [list, scale] = of_class(&document, "places")[..] else { panic!("the bars and their scale") };
    let rows: Vec<Node<'_, '_>> = list.children().filter(|node| node.has_tag_name("li")).collect();
    let length = |row: &Node<'_, '_>| -> f64 {
        let bar = row.descendants().find(|node| node.has_tag_name("rect")).unwrap();
        bar.attribute("width").unwrap().trim_end_matches('%').parse().unwrap()
    };
    assert_eq!(rows.len(), 16);
    assert!(rows.windows(2).all(|pair| length(&pair[0]) <= length(&pair[1])), "the fastest is first");
    assert!(has_class(&rows[0], "this") && inside(&rows[0]) == "This run: Imaginary GPU 9000 12.3 s");
    assert_eq!(rows.iter().filter(|row| has_class(row, "this")).count(), 1);
    // 20 s and 130 s are as far apart as their logarithms on the scale from 12.3 / 1.4 to 326 * 1.4 s.
    let place = |seconds: f64| 100.0 * (seconds / 12.3 * 1.4).ln() / (326.0 / 12.3 * 1.96_f64).ln();
    let of = |name: &str| rows.iter().find(|row| inside(row).starts_with(name)).map(length).unwrap();
    for (name, seconds) in [("Keras (tensorflow) on a Tesla V100", 20.0), ("Keras (theano) on a Tesla K80", 130.0)] {
        assert!((of(name) - place(seconds)).abs() < 0.1, "{name}: {} and {}", of(name), place(seconds));
    }
    assert!(inside(&scale).contains("100"), "{}", inside(&scale));
}

#[test]
fn a_run_of_other_work_has_no_place_and_says_why() {
    let mut result = sample::gpu_run(1);
    result.settings.quick = gpubench::result::Setting::default(true);
    let page = html(&result);
    assert!(of_class(&parsed(&page), "places").is_empty());
    assert!(walk(&page).contains("not compared: the run did other work than the published ones"));
    let mut invalid = sample::gpu_run(1);
    invalid.status = Status::Invalid;
    assert!(of_class(&parsed(&html(&invalid)), "places").is_empty());
}

#[test]
fn every_column_and_every_part_of_the_account_is_explained() {
    let mut result = sample::profiled_run();
    as_value(&mut result.account).device_time_factor = Measured::Value(1.1);
    for page in [html(&result), html(&sample::software_run())] {
        let document = parsed(&page);
        let is_heading = |node: &Node<'_, '_>| node.attribute("role") == Some("columnheader");
        let mut seen = 0;
        for heading in document.descendants().filter(is_heading) {
            let explained = heading.children().any(|node| node.attribute("title").is_some_and(|text| text.len() > 40));
            assert!(explained, "{:?} has no explanation", inside(&heading));
            seen += 1;
        }
        assert!(seen > 20, "only {seen} headings");
    }
    let page = html(&result);
    let document = parsed(&page);
    for (name, _) in result.account.value().unwrap().parts() {
        let explained = document.descendants().any(|node| node.has_tag_name("abbr") && node.text() == Some(name));
        assert!(explained, "{name} has no explanation");
    }
    assert!(of_class(&document, "tile").iter().all(|tile| tile.attribute("title").is_some()));
}
