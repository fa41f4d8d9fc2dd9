//! Plot areas, axes and ticks. All coordinates that leave this module are finite.

use crate::report::numbers::thousands;
use maud::{Markup, html};

/// Height of a line of text in a plot, pixels.
pub(super) const TEXT_PX: f64 = 13.0;
/// Width of a letter divided by its height, an upper estimate for wide fonts.
const LETTER_WIDTH: f64 = 0.64;
/// Least distance between the labels of two ticks, pixels.
const BETWEEN_TICKS_PX: f64 = 10.0;

/// The size of a drawing and the margins around its axes, in pixels of the drawing.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlotArea {
    pub(super) width: f64,
    pub(super) height: f64,
    /// The CSS class of the drawing, which selects the widths of the report that show it.
    pub(super) class: &'static str,
}

/// Areas for a screen, for a sheet of paper or a tablet, and for a phone: scaling one plot would make its text
/// unreadable on the others.
pub(super) const FULL: [PlotArea; 3] = [
    PlotArea { width: 1040.0, height: 500.0, class: "wide" },
    PlotArea { width: 690.0, height: 440.0, class: "medium" },
    PlotArea { width: 340.0, height: 420.0, class: "narrow" },
];
/// The same for plots that stand two in a row on a screen.
pub(super) const HALF: [PlotArea; 2] = [
    PlotArea { width: 510.0, height: 300.0, class: "half" },
    PlotArea { width: 340.0, height: 280.0, class: "narrow" },
];

impl PlotArea {
    pub(super) const LEFT: f64 = 52.0;
    const RIGHT: f64 = 14.0;
    pub(super) const TOP: f64 = 30.0;
    const BOTTOM: f64 = 44.0;

    pub(super) const fn right(&self) -> f64 {
        self.width - Self::RIGHT
    }

    pub(super) const fn bottom(&self) -> f64 {
        self.height - Self::BOTTOM
    }

    /// The middle of a text of `half` its width that is kept within the drawing, near `at`.
    pub(super) const fn inside(&self, at: f64, half: f64) -> f64 {
        at.min(self.width - half).max(half)
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

/// An upper estimate of the width of `text`, in pixels.
pub(super) fn width_px(text: &str) -> f64 {
    text.chars().count() as f64 * TEXT_PX * LETTER_WIDTH
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

    /// From 0 to the largest of `values` itself, for an axis that ends where the training ends.
    pub(super) fn to_largest(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let high = positive(values).fold(0.0, f64::max);
        (high > 0.0).then_some(Self { low: 0.0, high, logarithmic: false })
    }

    /// A linear range around all positive `values`, with some room at both ends; `None` if there are none.
    pub(super) fn around(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (low, high) = extremes(values);
        let room = (0.08 * (high - low)).max(0.01 * high);
        let (low, high) = ((low - room).max(0.0), high + room);
        (low < high && high.is_finite()).then_some(Self { low, high, logarithmic: false })
    }

    /// A logarithmic range around all positive `values`; `None` if there are none.
    pub(super) fn logarithmic(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (low, high) = extremes(values);
        let (low, high) = (low / 1.4, high * 1.4);
        (low > 0.0 && high.is_finite() && low < high).then_some(Self { low, high, logarithmic: true })
    }

    /// The logarithmic range from `low` to `high`, ratios below and above 1; `None` unless they are.
    pub(super) fn between_ratios(low: f64, high: f64) -> Option<Self> {
        (low > 0.0 && low < 1.0 && high > 1.0 && high.is_finite()).then_some(Self { low, high, logarithmic: true })
    }

    pub(super) const fn low(&self) -> f64 {
        self.low
    }

    pub(super) const fn high(&self) -> f64 {
        self.high
    }

    /// Lists of round numbers within the range, from many to few: multiples of powers of ten by 1, 2 and 5, by 1 and 3
    /// or by 1 on a logarithmic axis.
    fn tick_choices(&self) -> Vec<Vec<f64>> {
        if !self.logarithmic {
            let span = self.high - self.low;
            let multiples = |step: f64| -> Vec<f64> {
                let (first, last) = ((self.low / step - 1e-9).ceil(), (self.high / step + 1e-9).floor());
                (0..=(last - first).max(0.0) as u32).map(|index| (first + f64::from(index)) * step).collect()
            };
            return [1.0, 2.0, 3.0, 5.0].map(|coarser| multiples(linear_step(coarser * span))).to_vec();
        }
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let ratio = self.high / self.low;
        let multiples = |factors: &[f64], powers: usize| -> Vec<f64> {
            let all = (first..=last).step_by(powers);
            let all = all.flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)));
            all.filter(|tick| (self.low..=self.high).contains(tick)).collect()
        };
        let dense = (ratio <= 100.0).then(|| multiples(&[1.0, 2.0, 5.0], 1));
        let middle = (ratio <= 1000.0).then(|| multiples(&[1.0, 3.0], 1));
        let powers = [1, 2, 3, 6].map(|powers| multiples(&[1.0], powers));
        dense.into_iter().chain(middle).chain(powers).filter(|ticks| !ticks.is_empty()).collect()
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
    /// An axis of `length_px` from 0.
    pub(super) const fn over(range: Range, length_px: f64) -> Self {
        Self { range, from_px: 0.0, to_px: length_px }
    }

    /// The position of `value` in pixels; `None` outside the range, with a tolerance for rounding.
    pub(super) fn at(&self, value: f64) -> Option<f64> {
        let Range { low, high, logarithmic } = self.range;
        let share = if logarithmic { (value / low).ln() / (high / low).ln() } else { (value - low) / (high - low) };
        (-1e-6..=1.0 + 1e-6).contains(&share).then_some(self.from_px + share * (self.to_px - self.from_px))
    }

    /// As [`Axis::at`], with values outside the range at its nearest end.
    pub(super) fn near(&self, value: f64) -> Option<f64> {
        if value.is_finite() { self.at(value.clamp(self.range.low, self.range.high)) } else { None }
    }

    pub(super) const fn range(&self) -> Range {
        self.range
    }

    /// As many ticks as have room for their labels, each with its place; `room` is the length of a label on the axis.
    pub(super) fn ticks(&self, room: impl Fn(&str) -> f64) -> Vec<(f64, f64)> {
        let placed = |ticks: Vec<f64>| -> Vec<(f64, f64)> {
            ticks.into_iter().filter_map(|tick| Some((tick, self.at(tick)?))).collect()
        };
        let reach = |tick: f64| room(&tick_text(tick)) / 2.0;
        let fits = |ticks: &Vec<(f64, f64)>| {
            ticks.windows(2).all(|pair| {
                let [(one, one_px), (other, other_px)] = [pair[0], pair[1]];
                (other_px - one_px).abs() >= reach(one) + reach(other) + BETWEEN_TICKS_PX
            })
        };
        let choices: Vec<Vec<(f64, f64)>> = self.range.tick_choices().into_iter().map(placed).collect();
        choices.iter().find(|ticks| fits(ticks)).or(choices.last()).cloned().unwrap_or_default()
    }
}

/// The lowest and the highest of the positive values.
fn extremes(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    positive(values).fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), v| (low.min(v), high.max(v)))
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
pub(super) fn tick_text(value: f64) -> String {
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
    let (left, bottom) = (PlotArea::LEFT, area.bottom());
    let vertical = y.ticks(|_| 0.5 * TEXT_PX);
    html! {
        g class="grid" {
            @for (_, at) in &vertical { line x1=(px(left)) x2=(px(area.right())) y1=(px(*at)) y2=(px(*at)) {} }
        }
        (horizontal(area, x, x_title))
        g class="ticks" {
            @for (tick, at) in &vertical {
                text x=(px(left - 8.0)) y=(px(at + 4.5)) text-anchor="end" { (tick_text(*tick)) }
            }
            text x="0" y=(px(TEXT_PX)) { (y_title) }
        }
        line class="axis" x1=(px(left)) x2=(px(area.right())) y1=(px(bottom)) y2=(px(bottom)) {}
    }
}

/// The grid and the ticks of a horizontal axis, with its title below.
pub(super) fn horizontal(area: &PlotArea, x: &Axis, title: &str) -> Markup {
    let (top, bottom) = (PlotArea::TOP, area.bottom());
    let ticks = x.ticks(width_px);
    html! {
        g class="grid" {
            @for (_, at) in &ticks { line x1=(px(*at)) x2=(px(*at)) y1=(px(top)) y2=(px(bottom)) {} }
        }
        g class="ticks" {
            @for (tick, at) in &ticks {
                // A label at the edge is kept within the drawing.
                @let half = width_px(&tick_text(*tick)) / 2.0;
                text x=(px(area.inside(*at, half))) y=(px(bottom + 18.0)) text-anchor="middle" {
                    (tick_text(*tick))
                }
            }
            text x=(px(area.right())) y=(px(bottom + 38.0)) text-anchor="end" { (title) }
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
            @let name = format!("{id}-{}", area.class);
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

    fn ticks_of(range: Range, length_px: f64) -> String {
        let axis = Axis::over(range, length_px);
        axis.ticks(width_px).into_iter().map(|(tick, _)| tick_text(tick)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_round_and_few() {
        let text = |range: Range| ticks_of(range, 1000.0);
        assert_eq!(text(Range::from_zero([0.3, 0.92]).unwrap()), "0 0.2 0.4 0.6 0.8 1");
        assert_eq!(text(Range::from_zero([2300.0]).unwrap()), "0 500 1,000 1,500 2,000 2,500");
        assert_eq!(text(Range::to_largest([4690.0]).unwrap()), "0 1,000 2,000 3,000 4,000");
        assert_eq!(text(Range::around([12.3, 12.5]).unwrap()), "12.2 12.3 12.4 12.5 12.6");
        assert_eq!(text(Range::logarithmic([0.03, 40.0]).unwrap()), "0.1 1 10");
        assert_eq!(text(Range::logarithmic([0.2, 4.0]).unwrap()), "0.2 0.5 1 2 5");
        assert_eq!(text(Range::logarithmic([32.0, 1024.0]).unwrap()), "50 100 200 500 1,000");
        assert_eq!(text(Range::logarithmic([1e-4, 12345.0]).unwrap()), "0.0001 0.001 0.01 0.1 1 10 100 1,000 10,000");
    }

    #[test]
    fn ticks_that_have_no_room_are_left_out() {
        assert_eq!(ticks_of(Range::to_largest([4690.0]).unwrap(), 150.0), "0 2,000 4,000");
        assert_eq!(ticks_of(Range::logarithmic([32.0, 1024.0]).unwrap(), 150.0), "30 100 300 1,000");
        assert_eq!(ticks_of(Range::logarithmic([32.0, 1024.0]).unwrap(), 100.0), "100 1,000");
        for length_px in [60.0, 100.0, 262.0, 500.0, 1000.0] {
            for high in [3.0, 80.0, 999.0, 1e6, 1e12] {
                let range = Range::logarithmic([1e-3, high]).unwrap();
                let axis = Axis::over(range, length_px);
                let ticks = axis.ticks(width_px);
                let reach = |tick: f64| width_px(&tick_text(tick)) / 2.0;
                let apart = |pair: &[(f64, f64)]| pair[1].1 - pair[0].1 > reach(pair[0].0) + reach(pair[1].0);
                assert!(ticks.windows(2).all(apart) || length_px < 101.0, "{high} on {length_px}: {ticks:?}");
            }
        }
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
