//! Plot areas, axes and ticks. All coordinates that leave this module are finite.

use crate::report::numbers::thousands;
use maud::{Markup, html};

/// Height of a line of text in a plot, pixels.
pub(super) const TEXT_PX: f64 = 13.0;

/// The size of a drawing and the margins around its axes, in pixels of the drawing.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlotArea {
    pub(super) width: f64,
    pub(super) height: f64,
    /// The CSS class of the drawing, which selects the screens that show it.
    pub(super) class: &'static str,
}

/// Areas for a wide screen and for a phone: scaling one plot would make it unreadable on the other.
pub(super) const FULL: [PlotArea; 2] =
    [PlotArea { width: 1040.0, height: 560.0, class: "wide" }, PlotArea { height: 420.0, ..NARROW }];
/// The same for plots that stand two in a row on a wide screen.
pub(super) const HALF: [PlotArea; 2] = [PlotArea { width: 520.0, height: 330.0, class: "wide half" }, NARROW];
const NARROW: PlotArea = PlotArea { width: 328.0, height: 340.0, class: "narrow" };

impl PlotArea {
    pub(super) const LEFT: f64 = 52.0;
    const RIGHT: f64 = 14.0;
    pub(super) const TOP: f64 = 26.0;
    const BOTTOM: f64 = 44.0;

    pub(super) const fn right(&self) -> f64 {
        self.width - Self::RIGHT
    }

    pub(super) const fn bottom(&self) -> f64 {
        self.height - Self::BOTTOM
    }

    /// Whether there is room for names beside points.
    pub(super) const fn is_wide(&self) -> bool {
        self.width > 600.0
    }

    /// A horizontal axis over `range`.
    pub(super) fn x(&self, range: Range) -> Axis {
        Axis { range, from_px: Self::LEFT, to_px: self.right() }
    }

    /// A vertical axis over `range`.
    pub(super) fn y(&self, range: Range) -> Axis {
        Axis { range, from_px: self.bottom(), to_px: Self::TOP }
    }
}

/// A coordinate or length as the text of an attribute.
pub(super) fn px(value: f64) -> String {
    if value.is_finite() { format!("{value:.1}") } else { "0".to_owned() }
}

/// A share of a width as the text of an attribute, from 0 to 100 %.
pub(super) fn percent(part: f64, whole: f64) -> String {
    let share = 100.0 * part / whole;
    if share.is_finite() { format!("{:.2}%", share.clamp(0.0, 100.0)) } else { "0%".to_owned() }
}

/// The range of values of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    low: f64,
    high: f64,
    logarithmic: bool,
}

impl Range {
    /// From 0 to a round number at or above all of `values`; `None` if none of them is above 0.
    pub(super) fn from_zero(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let high = positive(values).fold(0.0, f64::max);
        let step = linear_step(high);
        let high = (high / step - 1e-9).ceil() * step;
        (high > 0.0 && high.is_finite()).then_some(Self { low: 0.0, high, logarithmic: false })
    }

    /// A logarithmic range around all positive `values`; `None` if there are none.
    pub(super) fn logarithmic(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (low, high) =
            positive(values).fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), v| (low.min(v), high.max(v)));
        let (low, high) = (low / 1.4, high * 1.4);
        (low > 0.0 && high.is_finite() && low < high).then_some(Self { low, high, logarithmic: true })
    }

    pub(super) const fn low(&self) -> f64 {
        self.low
    }

    pub(super) const fn high(&self) -> f64 {
        self.high
    }

    /// Round numbers within the range: multiples of powers of ten by 1, 2 and 5 while there are few of them, else by 1
    /// and 3 or 1.
    fn ticks(&self) -> Vec<f64> {
        if !self.logarithmic {
            let step = linear_step(self.high);
            return (0..=(self.high / step + 1e-9) as u32).map(|index| f64::from(index) * step).collect();
        }
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let factors: &[f64] = match self.high / self.low {
            ratio if ratio <= 100.0 => &[1.0, 2.0, 5.0],
            ratio if ratio <= 1000.0 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let all = (first..=last).flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)));
        all.filter(|tick| (self.low..=self.high).contains(tick)).collect()
    }
}

/// A range mapped to pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Axis {
    range: Range,
    from_px: f64,
    to_px: f64,
}

impl Axis {
    /// The position of `value` in pixels; `None` outside the range, with a tolerance for rounding.
    pub(super) fn at(&self, value: f64) -> Option<f64> {
        let Range { low, high, logarithmic } = self.range;
        let share = if logarithmic { (value / low).ln() / (high / low).ln() } else { (value - low) / (high - low) };
        (-1e-6..=1.0 + 1e-6).contains(&share).then_some(self.from_px + share * (self.to_px - self.from_px))
    }

    /// Pixels for a factor of e on a logarithmic axis.
    pub(super) fn px_per_e(&self) -> f64 {
        (self.to_px - self.from_px) / (self.range.high / self.range.low).ln()
    }

    pub(super) const fn range(&self) -> Range {
        self.range
    }
}

fn positive(values: impl IntoIterator<Item = f64>) -> impl Iterator<Item = f64> {
    values.into_iter().filter(|value| value.is_finite() && *value > 0.0)
}

/// A step of 1, 2 or 5 times a power of ten that divides 0 to `high` into about four to eight parts.
fn linear_step(high: f64) -> f64 {
    let rough = high / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough * 0.999).unwrap_or(10.0);
    factor * power
}

/// A tick as text, with no more decimals than it needs.
fn tick_text(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = format!("{value:.3e}");
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let needed = mantissa.trim_end_matches('0').len().saturating_sub(2) as i32;
    let decimals = (needed - exponent.parse::<i32>().unwrap_or(0)).max(0) as usize;
    thousands(&format!("{value:.decimals$}"))
}

/// The grid of two axes with its ticks, `y_title` above and `x_title` below.
pub(super) fn axes(area: &PlotArea, x: &Axis, y: &Axis, x_title: &str, y_title: &str) -> Markup {
    let (top, right, bottom, left) = (PlotArea::TOP, area.right(), area.bottom(), PlotArea::LEFT);
    let ticks = |axis: &Axis| -> Vec<(f64, f64)> {
        axis.range.ticks().into_iter().filter_map(|tick| Some((tick, axis.at(tick)?))).collect()
    };
    html! {
        g class="grid" {
            @for (_, at) in ticks(x) { line x1=(px(at)) x2=(px(at)) y1=(px(top)) y2=(px(bottom)) {} }
            @for (_, at) in ticks(y) { line x1=(px(left)) x2=(px(right)) y1=(px(at)) y2=(px(at)) {} }
        }
        g class="ticks" {
            @for (tick, at) in ticks(x) {
                text x=(px(at)) y=(px(bottom + 17.0)) text-anchor="middle" { (tick_text(tick)) }
            }
            @for (tick, at) in ticks(y) {
                text x=(px(left - 6.0)) y=(px(at + 4.5)) text-anchor="end" { (tick_text(tick)) }
            }
            text x=(px(right)) y=(px(bottom + 36.0)) text-anchor="end" { (x_title) }
            text x="0" y=(px(TEXT_PX)) { (y_title) }
        }
    }
}

/// A plot drawn once for each of `areas`, of which a screen shows the one that fits.
pub(super) fn figure(
    id: &str,
    title: &str,
    description: &str,
    areas: &[PlotArea],
    draw: impl Fn(&PlotArea) -> Markup,
) -> Markup {
    html! {
        @for area in areas {
            @let name = format!("{id}-{}", if area.class == "narrow" { "narrow" } else { "wide" });
            svg class={ "plot " (area.class) } viewBox={ "0 0 " (area.width) " " (area.height) } role="img"
                aria-labelledby={ (name) "-title " (name) "-desc" } {
                title id={ (name) "-title" } { (title) }
                desc id={ (name) "-desc" } { (description) }
                (draw(area))
            }
        }
    }
}

/// The points of a line as the text of an attribute; those outside the axes are left out.
pub(super) fn points(x: &Axis, y: &Axis, values: impl IntoIterator<Item = (f64, f64)>) -> String {
    let place = |(at_x, at_y)| Some(format!("{},{}", px(x.at(at_x)?), px(y.at(at_y)?)));
    values.into_iter().filter_map(place).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let text = |range: Range| range.ticks().into_iter().map(tick_text).collect::<Vec<_>>().join(" ");
        assert_eq!(text(Range::from_zero([0.3, 0.92]).unwrap()), "0 0.2 0.4 0.6 0.8 1");
        assert_eq!(text(Range::from_zero([2300.0]).unwrap()), "0 500 1,000 1,500 2,000 2,500");
        assert_eq!(text(Range::logarithmic([0.03, 40.0]).unwrap()), "0.1 1 10");
        assert_eq!(text(Range::logarithmic([0.2, 4.0]).unwrap()), "0.2 0.5 1 2 5");
        assert_eq!(text(Range::logarithmic([32.0, 1024.0]).unwrap()), "50 100 200 500 1,000");
        assert_eq!(text(Range::logarithmic([1e-4, 12345.0]).unwrap()), "0.0001 0.001 0.01 0.1 1 10 100 1,000 10,000");
    }

    #[test]
    fn nothing_that_is_not_finite_gets_a_place() {
        assert!(Range::from_zero([f64::NAN, f64::INFINITY, -1.0]).is_none());
        assert!(Range::logarithmic([f64::NAN, 0.0]).is_none());
        assert!(Range::logarithmic([1e-308, 1e308]).is_some());
        let axis = FULL[0].x(Range::logarithmic([1.0, f64::NAN, 10.0]).unwrap());
        for value in [f64::NAN, f64::INFINITY, 0.0, -1.0, 100.0] {
            assert_eq!(axis.at(value), None, "{value}");
        }
        assert_eq!((px(f64::NAN), percent(1.0, 0.0)), ("0".to_owned(), "0%".to_owned()));
        assert_eq!((px(1.26), percent(3.0, 2.0)), ("1.3".to_owned(), "100.00%".to_owned()));
    }
}
