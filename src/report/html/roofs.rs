//! The roofs of the roofline: lines in the plot with their names.

use super::labels::Rect;
use super::plot::{Axis, PlotArea, TEXT_PX, px, width_px};
use crate::report::numbers::three_digits;
use crate::result::{Measured, PeakKind, Peaks};
use maud::{Markup, html};

/// Distance of a name from the end of its roof, in pixels.
const FROM_END_PX: f64 = 6.0;
/// Distances of the base line of a name from its roof, above and below it, in pixels.
const BESIDE_PX: [f64; 2] = [-6.0, 16.0];

/// What a letter outside the plot costs, in letters that cover something.
const OUTSIDE_COST: usize = 3;
/// Distance of the squares that stand for a line, in pixels.
const LINE_STEP_PX: f64 = 6.0;

/// The two ends of a roof in pixels, and its name.
type Named = ([(f64, f64); 2], String);

/// The limits of all kernels, in 10^9 operations or bytes per second.
pub(super) struct Roofs {
    pub(super) peak_gflop_per_s: Option<f64>,
    /// Bandwidths with their names, the highest first.
    pub(super) bandwidths: Vec<(f64, &'static str)>,
}

impl Roofs {
    pub(super) fn of(peaks: &Measured<Peaks>) -> Self {
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

    pub(super) fn are_known(&self) -> bool {
        !self.bandwidths.is_empty() || self.peak_gflop_per_s.is_some()
    }

    /// The intensities above which arithmetic is the limit.
    pub(super) fn ridges(&self) -> impl Iterator<Item = f64> {
        let peak = self.peak_gflop_per_s;
        self.bandwidths.iter().filter_map(move |(bandwidth, _)| Some(peak? / bandwidth))
    }

    /// The slopes of memory and the level of arithmetic within the plot, the level first.
    ///
    /// Each name stands at an end of its roof, where it covers the fewest of `marks` and of the names before it.
    pub(super) fn place(&self, area: &PlotArea, x: &Axis, y: &Axis, marks: &[Rect]) -> Vec<Roof> {
        let bounds = Rect { left: PlotArea::LEFT, top: 0.0, right: area.width, bottom: area.bottom() };
        let lines: Vec<Named> = self.level(x, y).into_iter().chain(self.slopes(x, y)).collect();
        let mut taken = marks.to_vec();
        let mut roofs: Vec<Roof> = Vec::new();
        for (index, (ends, words)) in lines.iter().enumerate() {
            let others = lines.iter().enumerate().filter(|(other, _)| *other != index);
            let crossed: Vec<Rect> = others.flat_map(|(_, (ends, _))| along(*ends)).collect();
            let covers = |square: &Rect| {
                let hits = taken.iter().chain(&crossed).any(|other| square.overlaps(other));
                usize::from(hits) + if square.is_inside(&bounds) { 0 } else { OUTSIDE_COST }
            };
            let cost = |roof: &Roof| -> usize { roof.squares().map(|square| covers(&square)).sum() };
            let roof = candidates(*ends, words).min_by_key(cost);
            taken.extend(roof.iter().flat_map(Roof::squares));
            roofs.extend(roof);
        }
        roofs
    }

    fn level(&self, x: &Axis, y: &Axis) -> Option<Named> {
        let peak = self.peak_gflop_per_s?;
        let (left, right) = (x.range().low(), x.range().high());
        let from = if self.bandwidths.is_empty() { left } else { self.ridges().fold(right, f64::min).max(left) };
        let ends = [(x.at(from)?, y.at(peak)?), (x.at(right)?, y.at(peak)?)];
        Some((ends, format!("FP32 peak {} GFLOP/s", three_digits(peak))))
    }

    fn slopes(&self, x: &Axis, y: &Axis) -> impl Iterator<Item = Named> {
        let (left, right) = (x.range().low(), x.range().high());
        let (bottom, top) = (y.range().low(), self.peak_gflop_per_s.unwrap_or_else(|| y.range().high()));
        let place = move |intensity: f64, rate: f64| Some((x.at(intensity)?, y.at(rate)?));
        self.bandwidths.iter().filter_map(move |(bandwidth, name)| {
            let (from, to) = (left.max(bottom / bandwidth), right.min(top / bandwidth));
            let ends = [place(from, from * bandwidth)?, place(to, to * bandwidth)?];
            (from < to).then(|| (ends, format!("{} GB/s {name}", three_digits(*bandwidth))))
        })
    }
}

/// A roof: its two ends in pixels, and its name, which has the slope of the roof.
pub(super) struct Roof {
    ends: [(f64, f64); 2],
    words: String,
    /// Where the name begins, and its angle in radians.
    at: (f64, f64),
    angle: f64,
}

/// Small squares along a line.
fn along([(x1, y1), (x2, y2)]: [(f64, f64); 2]) -> impl Iterator<Item = Rect> {
    let parts = ((x2 - x1).hypot(y2 - y1) / LINE_STEP_PX).ceil().max(1.0);
    (0..=parts as u32).map(move |part| {
        let share = f64::from(part) / parts;
        Rect::around(x1 + share * (x2 - x1), y1 + share * (y2 - y1), 1.0)
    })
}

/// The places of a name: at the upper and the lower end of a roof, above it and below.
fn candidates(ends: [(f64, f64); 2], words: &str) -> impl Iterator<Item = Roof> {
    let [(x1, y1), (x2, y2)] = ends;
    let upper = (x2 - x1).hypot(y2 - y1) - width_px(words) - FROM_END_PX;
    let places = [upper, FROM_END_PX].into_iter().flat_map(|along| BESIDE_PX.map(|beside| (along, beside)));
    places.map(move |(along, beside)| Roof::new(ends, words.to_owned(), along, beside))
}

impl Roof {
    /// `along`: where the name begins on the roof; `beside`: the distance of its base line from the roof, downwards.
    fn new(ends: [(f64, f64); 2], words: String, along: f64, beside: f64) -> Self {
        let [(x1, y1), (x2, y2)] = ends;
        let angle = (y2 - y1).atan2(x2 - x1);
        let (sine, cosine) = angle.sin_cos();
        Self { ends, words, at: (x1 + along * cosine - beside * sine, y1 + along * sine + beside * cosine), angle }
    }

    /// The area of the name as squares, one for each letter.
    pub(super) fn squares(&self) -> impl Iterator<Item = Rect> {
        let (sine, cosine) = self.angle.sin_cos();
        let letters = self.words.chars().count();
        let width = width_px(&self.words);
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

    pub(super) fn draw(&self) -> Markup {
        let [(x1, y1), (x2, y2)] = self.ends;
        let (at_x, at_y) = self.at;
        html! {
            line x1=(px(x1)) y1=(px(y1)) x2=(px(x2)) y2=(px(y2)) {}
            text transform={ "translate(" (px(at_x)) " " (px(at_y)) ") rotate(" (px(self.angle.to_degrees())) ")" } {
                (self.words)
            }
        }
    }
}
