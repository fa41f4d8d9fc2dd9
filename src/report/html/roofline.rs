//! The roofline: the rate of each kernel, against the limit for its arithmetic intensity on this adapter.
//!
//! Source: S. Williams, A. Waterman and D. Patterson, "Roofline: an insightful visual performance model", CACM 52(4),
//! 2009.

use super::kernels::{PassStyle, pass_of, passes};
use super::labels::{self, Label, Point, Rect};
use super::plot::{self, Axis, PlotArea, Range, px};
use super::roofs::{Roof, Roofs};
use super::table;
use crate::kernels::Pass;
use crate::report::layout::Table;
use crate::report::numbers::{fixed, three_digits};
use crate::result::{KernelTime, Measured, PeakKind, Peaks, Profile};
use maud::{Markup, html};

const X_TITLE: &str = "arithmetic intensity [FLOP/byte]";
const Y_TITLE: &str = "GFLOP/s";
const CAPTION: &str = "Every kernel's place in the roofline, by the model's counts";
/// A mark is drawn at least this far from the middle of larger ones, in its radii, so that it hides none.
const APART_RADII: f64 = 1.6;

/// A kernel in the plot.
struct Spot<'a> {
    rank: usize,
    kernel: &'a KernelTime,
    intensity: f64,
    gflop_per_s: f64,
    share_pct: f64,
}

impl Spot<'_> {
    fn name(&self) -> String {
        format!("{} ({})", self.kernel.kernel, self.kernel.layer)
    }

    /// The radius of a point whose area is proportional to the share of the time, within limits.
    fn radius(&self) -> f64 {
        (2.2 * self.share_pct.max(0.0).sqrt()).clamp(4.0, 14.0)
    }
}

/// The plot, the kernels that it cannot show, and the figures.
pub(super) fn section(profile: &Profile, peaks: &Measured<Peaks>) -> Markup {
    let (spots, others) = sort(profile);
    let roofs = Roofs::of(peaks);
    let ranges = Range::logarithmic(spots.iter().map(|spot| spot.intensity).chain(roofs.ridges()))
        .zip(Range::logarithmic(spots.iter().map(|spot| spot.gflop_per_s).chain(roofs.peak_gflop_per_s)));
    let description = match spots.iter().max_by(|a, b| a.gflop_per_s.total_cmp(&b.gflop_per_s)) {
        Some(best) => format!(
            "{} kernels; the fastest is {} with {} GFLOP/s at {} FLOP/byte",
            spots.len(),
            best.name(),
            three_digits(best.gflop_per_s),
            three_digits(best.intensity)
        ),
        None => String::new(),
    };
    html! {
        @if let Some(reason) = peaks.reason() { p class="missing" { "roofs: n/a (" (reason) ")" } }
        @if let Some(peaks) = peaks.value() && roofs.peak_gflop_per_s.is_none() {
            @let reason = peaks.figures.iter().find(|figure| figure.kind == PeakKind::Fp32MultiplyAdd);
            p class="missing" {
                "FP32 peak: n/a (" (reason.and_then(|figure| figure.median.reason()).unwrap_or("not measured")) ")"
            }
        }
        @if let Some((x, y)) = ranges {
            p {
                "Each kernel is a mark with its number, as large as its share of the time; marks in one place stand side "
                "by side."
                @if roofs.are_known() {
                    " The roofs are what this adapter reached through this API: below a slope memory is the limit, "
                    "below the level arithmetic."
                }
            }
            p class="key" {
                @for pass in passes(profile) {
                    span { (swatch(pass)) (pass.name) }
                }
            }
            (plot::figure("roofline", "Roofline", &description, &plot::FULL, |area| {
                draw(area, &area.x(x), &area.y(y), &spots, &roofs)
            }))
            ol class="numbers" {
                @for spot in &spots {
                    li { span class="rank" { (spot.rank) } (swatch(pass_of(spot.kernel))) (spot.name()) }
                }
            }
        } @else {
            p class="missing" { "n/a (no kernel has both operations and bytes to its time)" }
        }
        @if !others.is_empty() {
            p class="note" { "Not in the plot: " (others.join("; ")) "." }
        }
        (table::behind("The figures of the roofline", &table::of(&figures(profile), CAPTION, "cards")))
    }
}

/// The kernels in the plot, and a phrase for each of the others.
fn sort(profile: &Profile) -> (Vec<Spot<'_>>, Vec<String>) {
    let mut spots = Vec::new();
    let mut without_flop = Vec::new();
    let mut others = Vec::new();
    for (index, kernel) in profile.kernels.iter().enumerate() {
        let name = format!("{} {} ({})", index + 1, kernel.kernel, kernel.layer);
        match (&kernel.gflop_per_s, &kernel.gbyte_per_s) {
            (Measured::Value(gflop), Measured::Value(gbyte)) if above_0(*gflop) && above_0(*gbyte) => {
                spots.push(Spot {
                    rank: index + 1,
                    kernel,
                    intensity: gflop / gbyte,
                    gflop_per_s: *gflop,
                    share_pct: kernel.share_pct.value().copied().filter(|share| share.is_finite()).unwrap_or(0.0),
                });
            }
            (Measured::Value(gflop), _) if *gflop == 0.0 => without_flop.push(name),
            (Measured::Missing { reason }, _) | (_, Measured::Missing { reason }) => {
                others.push(format!("{name}, n/a ({reason})"));
            }
            _ => others.push(format!("{name}, n/a (not a rate above 0)")),
        }
    }
    spots.retain(|spot| above_0(spot.intensity));
    if !without_flop.is_empty() {
        others.insert(0, format!("without floating-point operations {}", without_flop.join(", ")));
    }
    (spots, others)
}

fn above_0(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

fn swatch(pass: PassStyle) -> Markup {
    html! {
        svg class="mark" width="16" height="16" aria-hidden="true" { (mark(pass, 8.0, 8.0, 5.5)) }
    }
}

/// How far the corners of a pass's mark reach, in radii of the circle of its area.
const fn extent(pass: PassStyle) -> f64 {
    match pass.pass {
        Some(Pass::Forward | Pass::Backward) => 1.0,
        Some(Pass::Update) => 1.253,
        Some(Pass::ForwardBackward) | None => 1.555,
    }
}

/// The mark of a pass, which has a shape as well as a colour. All shapes have the area of a circle of this radius.
fn mark(pass: PassStyle, x: f64, y: f64, radius: f64) -> Markup {
    let corners: &[(f64, f64)] = match pass.pass {
        Some(Pass::Forward) => return html! { circle class=(pass.class) cx=(px(x)) cy=(px(y)) r=(px(radius)) {} },
        Some(Pass::ForwardBackward) => &[(0.0, -1.555), (1.347, 0.778), (-1.347, 0.778)],
        Some(Pass::Backward) => &[(-0.886, -0.886), (0.886, -0.886), (0.886, 0.886), (-0.886, 0.886)],
        Some(Pass::Update) => &[(0.0, -1.253), (1.253, 0.0), (0.0, 1.253), (-1.253, 0.0)],
        None => &[(0.0, 1.555), (1.347, -0.778), (-1.347, -0.778)],
    };
    let points = corners.iter().map(|(right, down)| format!("{},{}", px(x + radius * right), px(y + radius * down)));
    html! { polygon class=(pass.class) points=(points.collect::<Vec<_>>().join(" ")) {} }
}

fn draw(area: &PlotArea, x: &Axis, y: &Axis, spots: &[Spot<'_>], roofs: &Roofs) -> Markup {
    let placed: Vec<(&Spot<'_>, Point)> = spots
        .iter()
        .filter_map(|spot| {
            let (at_x, at_y) = (x.at(spot.intensity)?, y.at(spot.gflop_per_s)?);
            Some((
                spot,
                Point {
                    x: at_x,
                    y: at_y,
                    radius: spot.radius(),
                    extent: extent(pass_of(spot.kernel)),
                    text: spot.rank.to_string(),
                },
            ))
        })
        .collect();
    let (spots, points): (Vec<&Spot<'_>>, Vec<Point>) = placed.into_iter().unzip();
    let points = apart(points);
    let bounds =
        Rect { left: PlotArea::LEFT + 2.0, top: PlotArea::TOP, right: area.right(), bottom: area.bottom() - 2.0 };
    let marks: Vec<Rect> = points.iter().map(|point| Rect::around(point.x, point.y, point.reach())).collect();
    let roofs = roofs.place(area, x, y, &marks);
    let obstacles: Vec<Rect> = roofs.iter().flat_map(Roof::squares).collect();
    let labels = labels::place(&points, &obstacles, &bounds);
    html! {
        (plot::axes(area, x, y, X_TITLE, Y_TITLE))
        g class="roofs" {
            @for roof in &roofs { (roof.draw()) }
        }
        g class="points" {
            @for (spot, point) in spots.iter().zip(&points) {
                g {
                    title {
                        (spot.rank) " " (spot.name()) ": " (three_digits(spot.gflop_per_s)) " GFLOP/s at "
                        (three_digits(spot.intensity)) " FLOP/byte, " (fixed(spot.share_pct, 1)) " % of the time"
                    }
                    (mark(pass_of(spot.kernel), point.x, point.y, point.radius))
                }
            }
        }
        g class="labels" {
            @for label in labels.iter().flatten() { (write(label)) }
        }
    }
}

/// The points, the largest first, with those moved aside by about their size that would hide an earlier one.
fn apart(points: Vec<Point>) -> Vec<Point> {
    let mut offsets: Vec<(f64, f64)> =
        (-2..=2).flat_map(|right| (-2..=2).map(move |down| (f64::from(right), f64::from(down)))).collect();
    offsets.sort_by(|a, b| a.0.hypot(a.1).total_cmp(&b.0.hypot(b.1)));
    let mut placed: Vec<Point> = Vec::new();
    for point in points {
        let distance = APART_RADII * point.radius;
        let hides = |x: f64, y: f64| placed.iter().any(|other| (other.x - x).hypot(other.y - y) < 0.99 * distance);
        let mut moved = offsets.iter().map(|(right, down)| (point.x + right * distance, point.y + down * distance));
        let (x, y) = moved.find(|(x, y)| !hides(*x, *y)).unwrap_or((point.x, point.y));
        placed.push(Point { x, y, ..point });
    }
    placed
}

fn write(label: &Label) -> Markup {
    html! {
        @if let Some([x1, y1, x2, y2]) = label.leader {
            line x1=(px(x1)) y1=(px(y1)) x2=(px(x2)) y2=(px(y2)) {}
        }
        text x=(px(label.x)) y=(px(label.y)) text-anchor=(label.anchor) { (label.text) }
    }
}

fn figures(profile: &Profile) -> Table {
    let headings = ["kernel", "number", "FLOP/byte", "GFLOP/s", "GB/s", "share %"];
    Table::of(&headings, 1, profile.kernels.iter().enumerate(), |(index, kernel), notes| {
        let intensity = match (kernel.gflop_per_s.value(), kernel.gbyte_per_s.value()) {
            (Some(gflop), Some(gbyte)) => Measured::from(gflop / gbyte),
            _ => Measured::missing("a rate is missing"),
        };
        vec![
            format!("{} ({})", kernel.kernel, kernel.layer),
            (index + 1).to_string(),
            notes.or_mark(&intensity, three_digits),
            notes.or_mark(&kernel.gflop_per_s, three_digits),
            notes.or_mark(&kernel.gbyte_per_s, three_digits),
            notes.or_mark(&kernel.share_pct, |share| fixed(share, 1)),
        ]
    })
}
