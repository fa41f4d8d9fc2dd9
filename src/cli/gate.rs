//! Which verdicts end a comparison with a failure.

use crate::error::{Error, Result};
use crate::report::{ComparedFigure, ResultComparison};
use crate::verdict::Verdict;

/// A value of `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Gate {
    /// The timed step is slower, and its ratio exceeds 1 by more than this.
    Slower(f64),
    /// The same of any kernel.
    Kernel(f64),
    /// A figure that another gate names, or the timed step, has no clear verdict.
    Unclear,
}

/// Parses a percentage: "2%", "2 %" or "2", as a share.
///
/// # Errors
/// What to type.
pub fn percentage(text: &str) -> std::result::Result<f64, String> {
    let number: Option<f64> = text.trim().trim_end_matches('%').trim_end().parse().ok();
    let fits = number.filter(|number| (0.0..=50.0).contains(number) && text.matches('%').count() <= 1);
    fits.map(|number| number / 100.0).ok_or_else(|| "give a percentage from 0 to 50, as in 2%".to_owned())
}

/// Parses a value of `--fail-on`.
///
/// # Errors
/// What to type.
pub fn gate(text: &str) -> std::result::Result<Gate, String> {
    let (name, least) = match text.split_once(':') {
        Some((name, least)) => (name, Some(percentage(least).map_err(|says| format!("{says}: {name}:3%"))?)),
        None => (text, None),
    };
    match (name.trim(), least) {
        ("slower", least) => Ok(Gate::Slower(least.unwrap_or(0.0))),
        ("kernel", least) => Ok(Gate::Kernel(least.unwrap_or(0.0))),
        ("unclear", None) => Ok(Gate::Unclear),
        _ => Err("give slower:3%, kernel:3% or unclear".to_owned()),
    }
}

impl Gate {
    /// The least ratio above 1 at which it fails, if it was given one.
    pub fn least(self) -> Option<f64> {
        match self {
            Gate::Slower(least) | Gate::Kernel(least) => Some(least).filter(|least| *least > 0.0),
            Gate::Unclear => None,
        }
    }

    fn figures<'a>(self, comparison: &'a ResultComparison<'_>) -> &'a [ComparedFigure] {
        match self {
            Gate::Kernel(_) => &comparison.kernels,
            Gate::Slower(_) | Gate::Unclear => comparison.steps.get(..1).unwrap_or_default(),
        }
    }
}

/// Whether all thresholds are at least the margin within which times are the same.
///
/// # Errors
/// [`Error::Usage`] with what to type.
pub fn expect_coarser(gates: &[Gate], margin: f64) -> Result<()> {
    let Some(least) = gates.iter().filter_map(|gate| gate.least()).find(|least| *least < margin) else { return Ok(()) };
    let [least, margin] = [least, margin].map(|share| (1e8 * share).round() / 1e6);
    Err(Error::Usage(format!(
        "--fail-on {least}% is finer than the margin of {margin} % within which times are the same: add --margin {least}%"
    )))
}

/// What a comparison comes to that `gates` name, one sentence each.
pub fn failures(gates: &[Gate], comparison: &ResultComparison<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |sentence: String| {
        if !found.contains(&sentence) {
            found.push(sentence);
        }
    };
    let unclear = gates.contains(&Gate::Unclear);
    for gate in gates {
        let figures = gate.figures(comparison);
        // Kernels that only one of two plans has are no slowdown.
        let compared = figures.iter().filter(|figure| !matches!(gate, Gate::Kernel(_)) || in_both(figure));
        let mut count = 0;
        for figure in compared {
            count += 1;
            let judged = figure.judged.value();
            let verdict = judged.map_or(Verdict::Unclear, |judged| judged.verdict);
            match (verdict, gate, judged) {
                (Verdict::Slower, Gate::Slower(least) | Gate::Kernel(least), Some(judged))
                    if judged.estimate.ratio > 1.0 + least =>
                {
                    let more = 100.0 * (judged.estimate.ratio - 1.0);
                    add(format!("{} is slower by {more:.1} %", figure.name));
                }
                (Verdict::Unclear, ..) if unclear => {
                    let why = judged.map(|judged| judged.reason.as_str()).or(figure.judged.reason());
                    add(format!("{} is unclear: {}", figure.name, why.unwrap_or_default()));
                }
                _ => {}
            }
        }
        if count == 0 {
            add("no kernel is in both results, and --fail-on kernel needs one: measure both with --profile".to_owned());
        }
    }
    found
}

fn in_both(figure: &ComparedFigure) -> bool {
    figure.first_us.value().is_some() && figure.second_us.value().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_and_gates_are_parsed_or_refused_with_what_to_type() {
        for (text, share) in [("2%", 0.02), ("2", 0.02), ("0.5 %", 0.005), ("0", 0.0), ("50%", 0.5)] {
            assert_eq!(percentage(text), Ok(share), "{text}");
        }
        for text in ["", "%", "-1%", "51%", "2%%", "%2", "two", "NaN", "inf", "2 % 3"] {
            assert!(percentage(text).is_err_and(|says| says.contains("as in 2%")), "{text}");
        }
        assert_eq!(gate("slower:3%"), Ok(Gate::Slower(0.03)));
        assert_eq!(gate("kernel"), Ok(Gate::Kernel(0.0)));
        assert_eq!(gate("unclear"), Ok(Gate::Unclear));
        for text in ["", "slow", "slower:", "slower:x", "unclear:3%", "faster:3%", "kernel:3%:4%"] {
            assert!(gate(text).is_err_and(|says| says.contains(":3%")), "{text}");
        }
    }
}
