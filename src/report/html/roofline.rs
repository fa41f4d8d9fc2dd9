//! The roofline: the rate of each kernel, against the limit for its arithmetic intensity on this adapter.
//!
//! Source: S. Williams, A. Waterman and D. Patterson, "Roofline: an insightful visual performance model", CACM 52(4),
//! 2009.

use super::kernels::Pass;
use super::labels::{self, Label, Point, Rect};
use super::plot::{self, Axis, PlotArea, Range, TEXT_PX, px};
use super::table;
use crate::report::layout::Table;
use crate::report::numbers::{fixed, three_digits};
use crate::result::{KernelTime, Measured, PeakKind, Peaks, Profile};
use maud::{Markup, html};

/// Number of the longest kernels that are labelled with their names on a wide screen.
const NAMED: usize = 6;
const X_TITLE: &str = "arithmetic intensity [FLOP/byte]";
const Y_TITLE: &str = "GFLOP/s";
const CAPTION: &str = "Every kernel's place in the roofline, by the model's counts";

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
        (2.6 * self.share_pct.max(0.0).sqrt()).clamp(3.5, 16.0)
    }
}

/// The limits of all kernels, in 10^9 operations or bytes per second.
struct Roofs {
    peak_gflop_per_s: Option<f64>,
    /// Bandwidths with their names, the highest first.
    bandwidths: Vec<(f64, &'static str)>,
}

impl Roofs {
    fn of(peaks: &Measured<Peaks>) -> Self {
        let Some(peaks) = peaks.value() else { return Self { peak_gflop_per_s: None, bandwidths: Vec::new() } };
        let sound = |value: &f64| value.is_finite() && *value > 0.0;
        let inner = peaks.bandwidth(0).filter(sound);
        let outer = peaks.bandwidth(u64::MAX).filter(sound);
        let bandwidths = match (inner, outer) {
            (Some(inner), Some(outer)) if inner > 1.02 * outer => vec![(inner, "in cache"), (outer, "out of cache")],
            (_, Some(outer)) => vec![(outer, "memory")],
            _ => Vec::new(),
        };
        Self { peak_gflop_per_s: peaks.highest(PeakKind::Fp32MultiplyAdd).filter(sound), bandwidths }
    }

    /// The intensities above which arithmetic is the limit.
    fn ridges(&self) -> impl Iterator<Item = f64> {
        let peak = self.peak_gflop_per_s;
        self.bandwidths.iter().filter_map(move |(bandwidth, _)| Some(peak? / bandwidth))
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
                "Each kernel is a point with its number from the list above, as large as its share of the time."
                @if !roofs.bandwidths.is_empty() || roofs.peak_gflop_per_s.is_some() {
                    " The roofs are what this adapter reached through this API: below a slope memory is the limit, "
                    "below the level arithmetic."
                }
            }
            p class="key" {
                @for pass in Pass::ALL {
                    span { (swatch(pass)) (pass.class()) }
                }
            }
            (plot::figure("roofline", "Roofline", &description, &plot::FULL, |area| {
                draw(area, &area.x(x), &area.y(y), &spots, &roofs)
            }))
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

fn swatch(pass: Pass) -> Markup {
    html! {
        svg class="mark" width="16" height="16" aria-hidden="true" { (mark(pass, 8.0, 8.0, 5.5)) }
    }
}

/// The mark of a pass, which has a shape as well as a colour.
fn mark(pass: Pass, x: f64, y: f64, radius: f64) -> Markup {
    let class = pass.class();
    match pass {
        Pass::Forward => html! { circle class=(class) cx=(px(x)) cy=(px(y)) r=(px(radius)) {} },
        Pass::Backward => {
            // Squares and diamonds have the area of the circle.
            let half = radius * 0.886;
            html! {
                rect class=(class) x=(px(x - half)) y=(px(y - half)) width=(px(2.0 * half)) height=(px(2.0 * half)) {}
            }
        }
        Pass::Update => {
            let half = radius * 1.25;
            let (left, right, top, bottom) = (px(x - half), px(x + half), px(y - half), px(y + half));
            let (x, y) = (px(x), px(y));
            let points = format!("{x},{top} {right},{y} {x},{bottom} {left},{y}");
            html! { polygon class=(class) points=(points) {} }
        }
    }
}

fn draw(area: &PlotArea, x: &Axis, y: &Axis, spots: &[Spot<'_>], roofs: &Roofs) -> Markup {
    let placed: Vec<(&Spot<'_>, Point)> = spots
        .iter()
        .filter_map(|spot| {
            let number = spot.rank.to_string();
            let named = area.is_wide() && spot.rank <= NAMED;
            let texts = if named { vec![format!("{number} {}", spot.name()), number] } else { vec![number] };
            let (at_x, at_y) = (x.at(spot.intensity)?, y.at(spot.gflop_per_s)?);
            Some((spot, Point { x: at_x, y: at_y, radius: spot.radius(), texts }))
        })
        .collect();
    let (spots, points): (Vec<&Spot<'_>>, Vec<Point>) = placed.into_iter().unzip();
    let bounds =
        Rect { left: PlotArea::LEFT + 2.0, top: PlotArea::TOP, right: area.right(), bottom: area.bottom() - 2.0 };
    let roofs = roof_lines(area, x, y, roofs);
    let obstacles: Vec<Rect> = roofs.iter().flat_map(Roof::squares).collect();
    let labels = labels::place(&points, &obstacles, &bounds);
    html! {
        (plot::axes(area, x, y, X_TITLE, Y_TITLE))
        g class="roofs" {
            @for roof in &roofs { (draw_roof(roof)) }
        }
        g class="points" {
            @for (spot, point) in spots.iter().zip(&points) {
                g {
                    title {
                        (spot.rank) " " (spot.name()) ": " (three_digits(spot.gflop_per_s)) " GFLOP/s at "
                        (three_digits(spot.intensity)) " FLOP/byte, " (fixed(spot.share_pct, 1)) " % of the time"
                    }
                    (mark(Pass::of(&spot.kernel.kernel), point.x, point.y, point.radius))
                }
            }
        }
        g class="labels" {
            @for label in labels.iter().flatten() { (write(label)) }
        }
    }
}

fn write(label: &Label) -> Markup {
    html! {
        @if let Some([x1, y1, x2, y2]) = label.leader {
            line x1=(px(x1)) y1=(px(y1)) x2=(px(x2)) y2=(px(y2)) {}
        }
        text x=(px(label.x)) y=(px(label.y)) text-anchor=(label.anchor) { (label.text) }
    }
}

/// A roof: its two ends in pixels, and its label, which has the slope of the roof.
struct Roof {
    ends: [(f64, f64); 2],
    words: String,
    /// Where the label begins, and its angle in radians.
    at: (f64, f64),
    angle: f64,
}

impl Roof {
    /// The area of the label as squares, one for each letter.
    fn squares(&self) -> impl Iterator<Item = Rect> {
        let (sine, cosine) = self.angle.sin_cos();
        let letters = self.words.chars().count();
        let width = labels::width_px(&self.words);
        (0..letters).map(move |index| {
            let along = (index as f64 + 0.5) * width / letters as f64;
            let middle = -0.35 * TEXT_PX;
            Rect::around(
                self.at.0 + along * cosine - middle * sine,
                self.at.1 + along * sine + middle * cosine,
                0.5 * TEXT_PX,
            )
        })
    }
}

/// The slopes of memory and the level of arithmetic within the plot.
fn roof_lines(area: &PlotArea, x: &Axis, y: &Axis, roofs: &Roofs) -> Vec<Roof> {
    let (left, right) = (x.range().low(), x.range().high());
    let top = roofs.peak_gflop_per_s.unwrap_or_else(|| y.range().high());
    let place = |intensity: f64, rate: f64| Some((x.at(intensity)?, y.at(rate)?));
    // On logarithmic axes all bandwidths have the same slope.
    let angle = (y.px_per_e() / x.px_per_e()).atan();
    let slopes = roofs.bandwidths.iter().enumerate().filter_map(|(index, (bandwidth, name))| {
        let (from, to) = (left.max(y.range().low() / bandwidth), right.min(top / bandwidth));
        let ends = [place(from, from * bandwidth)?, place(to, to * bandwidth)?];
        // The label of the lower slope stands below it, so that the labels of two near slopes do not overlap.
        let beside = if index == 0 { -6.0 } else { 16.0 };
        let at = (
            ends[0].0 + 8.0 * angle.cos() - beside * angle.sin(),
            ends[0].1 + 8.0 * angle.sin() + beside * angle.cos(),
        );
        (from < to).then(|| Roof { ends, words: format!("{} GB/s {name}", three_digits(*bandwidth)), at, angle })
    });
    let level = roofs.peak_gflop_per_s.and_then(|peak| {
        let from = if roofs.bandwidths.is_empty() { left } else { roofs.ridges().fold(right, f64::min).max(left) };
        let ends = [place(from, peak)?, place(right, peak)?];
        let words = format!("FP32 peak {} GFLOP/s", three_digits(peak));
        let at = (area.right() - labels::width_px(&words), ends[1].1 + 17.0);
        Some(Roof { ends, words, at, angle: 0.0 })
    });
    slopes.chain(level).collect()
}

fn draw_roof(roof: &Roof) -> Markup {
    let [(x1, y1), (x2, y2)] = roof.ends;
    let (at_x, at_y) = roof.at;
    html! {
        line x1=(px(x1)) y1=(px(y1)) x2=(px(x2)) y2=(px(y2)) {}
        text transform={ "translate(" (px(at_x)) " " (px(at_y)) ") rotate(" (px(roof.angle.to_degrees())) ")" } {
            (roof.words)
        }
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
