//! Drawings by their coordinates: nothing overlaps, every mark is visible, axes are true.

use super::{as_value, has_class, parsed};
use crate::common::sample;
use gpubench::report::html;
use gpubench::result::{Measured, Peak, PeakKind, RunResult, Sample};
use roxmltree::{Document, Node};

const SIZES: [&str; 3] = ["wide", "medium", "narrow"];
const TEXT_PX: f64 = 13.0;
/// Width of a letter and height of a digit, divided by the height of the text, of DejaVu Sans, which is wide.
const LETTER: f64 = 0.62;
const DIGIT: f64 = 0.73;

/// A rectangle: left, top, right, bottom.
#[derive(Debug, Clone, Copy)]
struct Area([f64; 4]);

impl Area {
    fn overlaps(&self, other: &Self) -> bool {
        let ([left, top, right, bottom], [l, t, r, b]) = (self.0, other.0);
        left < r && l < right && top < b && t < bottom
    }

    fn middle(&self) -> (f64, f64) {
        let [left, top, right, bottom] = self.0;
        ((left + right) / 2.0, (top + bottom) / 2.0)
    }
}

fn number(node: &Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

/// The area of a text by its anchor.
fn text_area(node: &Node<'_, '_>) -> Area {
    let width = node.text().unwrap().chars().count() as f64 * TEXT_PX * LETTER;
    let (x, y) = (number(node, "x"), number(node, "y"));
    let left = match node.attribute("text-anchor") {
        Some("middle") => x - width / 2.0,
        Some("end") => x - width,
        _ => x,
    };
    Area([left, y - TEXT_PX * DIGIT, left + width, y])
}

/// The letters of a rotated text, each as a square of the height of a digit.
fn letters(node: &Node<'_, '_>) -> Vec<Area> {
    let transform = node.attribute("transform").unwrap();
    let numbers: Vec<f64> = transform
        .split(|letter: char| !(letter.is_ascii_digit() || letter == '.' || letter == '-'))
        .filter_map(|word| word.parse().ok())
        .collect();
    let [x, y, degrees] = numbers[..] else { panic!("{transform}") };
    let (sine, cosine) = degrees.to_radians().sin_cos();
    let half = TEXT_PX * DIGIT / 2.0;
    let count = node.text().unwrap().chars().count();
    (0..count)
        .map(|index| {
            let along = (index as f64 + 0.5) * TEXT_PX * LETTER;
            let (at_x, at_y) = (x + along * cosine + half * sine, y + along * sine - half * cosine);
            Area([at_x - half, at_y - half, at_x + half, at_y + half])
        })
        .collect()
}

/// The area of a mark: a circle or a polygon.
fn mark_area(node: &Node<'_, '_>) -> Area {
    if node.has_tag_name("circle") {
        let (x, y, r) = (number(node, "cx"), number(node, "cy"), number(node, "r"));
        return Area([x - r, y - r, x + r, y + r]);
    }
    let points = node.attribute("points").unwrap().split_whitespace();
    let points: Vec<(f64, f64)> = points
        .map(|point| point.split_once(',').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).unwrap())
        .collect();
    let fold =
        |pick: fn(&(f64, f64)) -> f64, start: f64, best: fn(f64, f64) -> f64| points.iter().map(pick).fold(start, best);
    Area([
        fold(|point| point.0, f64::INFINITY, f64::min),
        fold(|point| point.1, f64::INFINITY, f64::min),
        fold(|point| point.0, 0.0, f64::max),
        fold(|point| point.1, 0.0, f64::max),
    ])
}

/// The drawing `id` in one of its sizes.
fn drawing<'a, 'input>(document: &'a Document<'input>, id: &str, size: &str) -> Node<'a, 'input> {
    let title = format!("{id}-{size}-title");
    let title = document.descendants().find(|node| node.attribute("id") == Some(&title));
    title.unwrap_or_else(|| panic!("there is no {id} in {size}")).parent().unwrap()
}

fn group<'a, 'input>(drawing: &Node<'a, 'input>, class: &str) -> Node<'a, 'input> {
    drawing.children().find(|node| has_class(node, class)).unwrap_or_else(|| panic!("there is no {class}"))
}

fn marks(drawing: &Node<'_, '_>) -> Vec<Area> {
    let points = group(drawing, "points")
        .descendants()
        .filter(|node| node.has_tag_name("circle") || node.has_tag_name("polygon"));
    points.map(|node| mark_area(&node)).collect()
}

fn apart(areas: &[Area], others: &[Area], what: &str) {
    for (index, area) in areas.iter().enumerate() {
        for (other_index, other) in others.iter().enumerate() {
            let same = std::ptr::eq(areas, others) && index == other_index;
            assert!(same || !area.overlaps(other), "{what} overlap: {area:?} and {other:?}");
        }
    }
}

/// Results with many kernels: as they are, all in one place, and with roofs close to each other.
fn crowded() -> [RunResult; 3] {
    let one_place = || {
        let mut result = sample::profiled_run();
        for kernel in as_value(&mut result.profile).kernels.iter_mut().take(12) {
            (kernel.gflop_per_s, kernel.gbyte_per_s) = (5.0.into(), 2.0.into());
        }
        result
    };
    let mut near_roofs = sample::profiled_run();
    for figure in as_value(&mut near_roofs.peaks).figures.iter_mut() {
        if matches!(figure.kind, PeakKind::StorageRead | PeakKind::StorageCopy | PeakKind::StorageWrite) {
            let median = if figure.bytes == Measured::Value(1 << 20) { 15.0 } else { 12.0 };
            *figure = Peak { median: Measured::Value(median), ..figure.clone() };
        }
    }
    [sample::profiled_run(), one_place(), near_roofs]
}

#[test]
fn every_kernel_with_operations_has_a_visible_mark_and_a_number() {
    for result in crowded() {
        let rate = |kernel: &&gpubench::result::KernelTime| kernel.gflop_per_s.value().is_some_and(|rate| *rate > 0.0);
        let expected = result.profile.value().unwrap().kernels.iter().filter(rate).count();
        assert!(expected >= 30);
        let page = html(&result);
        let document = parsed(&page);
        for size in SIZES {
            let drawing = drawing(&document, "roofline", size);
            let marks = marks(&drawing);
            assert_eq!(marks.len(), expected, "{size}");
            let labels = group(&drawing, "labels").children().filter(|node| node.has_tag_name("text")).count();
            assert_eq!(labels, expected, "{size}: each has room for its number");
            for (index, mark) in marks.iter().enumerate() {
                assert!(visible(mark, &marks[index + 1..]), "{size}: mark {} is hidden: {mark:?}", index + 1);
            }
        }
        let legend = document.descendants().find(|node| has_class(node, "numbers")).unwrap();
        assert_eq!(legend.children().filter(|node| node.has_tag_name("li")).count(), expected);
    }
}

/// Whether a mark is seen below `later` ones: its middle, or a good part of its edge.
fn visible(mark: &Area, later: &[Area]) -> bool {
    let ((x, y), radius) = (mark.middle(), (mark.0[2] - mark.0[0]) / 2.0);
    let covered = |x: f64, y: f64| {
        later.iter().any(|other| {
            let (other_x, other_y) = other.middle();
            (other_x - x).hypot(other_y - y) < (other.0[2] - other.0[0]) / 2.0
        })
    };
    let edge = (0..16).map(|part| f64::from(part) * std::f64::consts::TAU / 16.0);
    let seen = edge.filter(|angle| !covered(x + 0.9 * radius * angle.cos(), y + 0.9 * radius * angle.sin())).count();
    !covered(x, y) || seen >= 4
}

#[test]
fn labels_of_the_roofline_overlap_nothing() {
    for result in crowded() {
        let page = html(&result);
        let document = parsed(&page);
        for size in SIZES {
            let drawing = drawing(&document, "roofline", size);
            let of = |class: &str| {
                group(&drawing, class).children().filter(|node| node.has_tag_name("text")).collect::<Vec<_>>()
            };
            let labels: Vec<Area> = of("labels").iter().map(text_area).collect();
            let roofs: Vec<Vec<Area>> = of("roofs").iter().map(letters).collect();
            apart(&labels, &labels, "numbers");
            apart(&labels, &marks(&drawing), "numbers and marks");
            assert_eq!(roofs.len(), 3, "both slopes and the level are named");
            for (index, roof) in roofs.iter().enumerate() {
                apart(&labels, roof, "numbers and names of roofs");
                roofs[index + 1..].iter().for_each(|other| apart(roof, other, "names of roofs"));
            }
        }
    }
}

#[test]
fn ticks_of_no_drawing_collide() {
    let mut few = sample::gpu_run(12);
    few.repeats[3].train_s = Measured::Value(1400.0);
    for result in crowded().into_iter().chain([few, sample::software_run()]) {
        let page = html(&result);
        let document = parsed(&page);
        let mut seen = 0;
        for drawing in document.descendants().filter(|node| has_class(node, "plot")) {
            let width: f64 = drawing.attribute("viewBox").unwrap().split(' ').nth(2).unwrap().parse().unwrap();
            let ticks = drawing.children().filter(|node| has_class(node, "ticks")).flat_map(|node| node.children());
            let ticks: Vec<Area> =
                ticks.filter(|node| node.has_tag_name("text")).map(|node| text_area(&node)).collect();
            apart(&ticks, &ticks, "ticks");
            for tick in &ticks {
                assert!(
                    tick.0[0] >= -1.0 && tick.0[2] <= width + 1.0,
                    "a tick leaves the drawing: {tick:?} of {width}"
                );
            }
            seen += ticks.len();
        }
        assert!(seen > 20, "only {seen} ticks");
    }
}

#[test]
fn the_axis_of_a_training_counts_steps() {
    let mut result = sample::gpu_run(1);
    let repeat = &mut result.repeats[0];
    repeat.epochs.truncate(2);
    repeat.samples = vec![
        Sample { epoch: 1, first_step: 0, steps: 469, duration_s: 1.2 },
        Sample { epoch: 2, first_step: 469, steps: 31, duration_s: 0.1 },
    ];
    let page = html(&result);
    let document = parsed(&page);
    for size in ["half", "narrow"] {
        let drawing = drawing(&document, "loss", size);
        let series = drawing.children().find(|node| has_class(node, "backward")).unwrap();
        let dots = series.children().filter(|node| node.has_tag_name("circle"));
        let [first, second] = dots.map(|dot| number(&dot, "cx")).collect::<Vec<_>>()[..] else { panic!("two dots") };
        let axis = drawing.children().find(|node| has_class(node, "axis")).unwrap();
        let (from, to) = (number(&axis, "x1"), number(&axis, "x2"));
        let step = |x: f64| 500.0 * (x - from) / (to - from);
        assert!((step(first) - 469.0).abs() < 0.5 && (step(second) - 500.0).abs() < 0.5, "{first} {second}");
    }
}

#[test]
fn the_distribution_of_steps_has_its_figures() {
    let mut result = sample::gpu_run(3);
    for (index, repeat) in result.repeats.iter_mut().enumerate() {
        let samples = (0..469_u32).map(|step| Sample {
            epoch: 1,
            first_step: 10 * step,
            steps: 10,
            duration_s: 0.026 + 0.0001 * f64::from(step % 7) + 0.001 * index as f64,
        });
        repeat.samples = samples.collect();
    }
    let page = html(&result);
    let document = parsed(&page);
    for size in ["half", "narrow"] {
        let violin = drawing(&document, "step-times", size);
        assert!(violin.children().any(|node| has_class(&node, "violin")));
        drawing(&document, "step-course", size);
    }
    for size in SIZES {
        assert_eq!(
            group(&drawing(&document, "trainings", size), "dots").children().count(),
            3,
            "a dot for each training"
        );
    }
    assert!(page.contains("median 2.83 ms") && page.contains("from 469 samples"), "{page}");
    assert!(page.contains("3 trainings, median 12.4 s"));
}
