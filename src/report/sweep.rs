//! Step time against batch size or width: the report of a sweep.

use super::layout::{Table, joined, paragraph};
use super::numbers::{Notes, as_given, finite, fixed, percent_of, three_digits};
use crate::result::{Measured, RunResult, Sweep, SweepFit, SweepPoint, SweepVariable};

const GAP: u16 = 2;
const LEGEND: &str = "step: median over the samples, each the mean of steps submitted together. spread: median \
    absolute deviation of the samples, in percent of the step.";

/// The sweep of a result that holds no training.
pub(super) fn without_training(result: &RunResult) -> Option<&Sweep> {
    result.sweep.value().filter(|_| result.repeats.is_empty())
}

/// The table of sizes and the fitted line in words.
pub(super) fn text(sweep: &Sweep, width: u16) -> String {
    let legend = paragraph(LEGEND, width);
    joined([table(sweep).text(GAP, width), paragraph(line(sweep), width), legend])
}

const fn word(variable: SweepVariable) -> &'static str {
    match variable {
        SweepVariable::Batch => "batch",
        SweepVariable::Width => "width",
    }
}

/// One sentence, without the stamps: what was timed.
pub(super) fn headline(result: &RunResult, sweep: &Sweep) -> String {
    let timed = sweep.points.iter().filter(|point| point.step_s.value().is_some()).count();
    let at = match (sweep.variable, sweep.points.first()) {
        (SweepVariable::Width, Some(point)) => format!(", batch {}", point.batch),
        _ => String::new(),
    };
    let sizes = sweep.points.len();
    let (against, plan, data) = (word(sweep.variable), &result.plan.name, &result.data.name);
    format!("step time against {against}, plan {plan}, {timed} of {sizes} sizes timed{at}, {data}")
}

/// The size of a point: its batch or its width.
pub(super) fn size(variable: SweepVariable, point: &SweepPoint) -> f64 {
    match variable {
        SweepVariable::Batch => f64::from(point.batch),
        SweepVariable::Width => point.width,
    }
}

/// One row for each size.
pub(super) fn table(sweep: &Sweep) -> Table {
    let size = word(sweep.variable);
    let headings =
        [size, "parameters", "step\n[ms]", "us/\nimage", "images/s", "GFLOP/s\n(dense)", "spread\n%", "samples"];
    Table::of(&headings, 0, &sweep.points, |point, notes| cells(sweep.variable, point, notes))
}

fn cells(variable: SweepVariable, point: &SweepPoint, notes: &mut Notes) -> Vec<String> {
    let parameters = point.parameters.clone().map(|count| count as f64);
    vec![
        finite(&Measured::Value(size(variable, point)), as_given),
        notes.or_mark(&parameters, as_given),
        notes.or_mark(&point.step_s, |step_s| three_digits(1e3 * step_s)),
        notes.or_mark(&point.image_s(), |image_s| three_digits(1e6 * image_s)),
        notes.or_mark(&point.image_s(), |image_s| three_digits(1.0 / image_s)),
        notes.or_mark(&point.gflop_per_s(), three_digits),
        notes.or_mark(&percent_of(&point.deviation_s, &point.step_s), |spread| fixed(spread, 1)),
        point.samples_s.len().to_string(),
    ]
}

/// What the fitted line says, or why there is none.
pub(super) fn line(sweep: &Sweep) -> String {
    match &sweep.fit {
        Measured::Value(fit) => words(sweep.variable, fit),
        Measured::Missing { reason } => format!("No line is drawn through these times: {reason}."),
    }
}

/// The fit in words.
fn words(variable: SweepVariable, fit: &SweepFit) -> String {
    let (larger, size) = match variable {
        SweepVariable::Batch => ("larger batches", "batch"),
        SweepVariable::Width => ("wider networks", "width"),
    };
    let half = finite(&fit.half_rate_at, |half| {
        let decimals = match variable {
            SweepVariable::Batch => usize::from(half < 10.0),
            SweepVariable::Width => 2,
        };
        format!("half of it at {size} {}", fixed(half, decimals))
    });
    let trust = match fit.points {
        2 => "two points always lie on a line, so that nothing says how true it is".to_owned(),
        points => {
            let residual = fixed(fit.largest_residual_pct, 1);
            format!("none of the {points} sizes lies further than {residual} % from this line")
        }
    };
    format!(
        "Each step costs {} ms before any work; ever {larger} approach {} GFLOP/s, {half}; {trust}.",
        three_digits(1e3 * fit.overhead_s),
        three_digits(fit.asymptotic_gflop_per_s)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_told_in_words() {
        let fit = SweepFit {
            overhead_s: 0.000_41,
            asymptotic_gflop_per_s: 9.6,
            half_rate_at: 37.0.into(),
            largest_residual_pct: 3.21,
            points: 6,
        };
        assert_eq!(
            words(SweepVariable::Batch, &fit),
            "Each step costs 0.410 ms before any work; ever larger batches approach 9.60 GFLOP/s, half of it at batch \
             37; none of the 6 sizes lies further than 3.2 % from this line."
        );
        let two = SweepFit { points: 2, half_rate_at: Measured::missing("it is unknown"), ..fit };
        let text = words(SweepVariable::Width, &two);
        assert!(text.contains("wider networks") && text.contains("n/a (it is unknown)"), "{text}");
        assert!(text.contains("two points always lie on a line"), "{text}");
    }
}
