//! How several devices shared a training, and what it cost.

use super::numbers::{bytes, fixed, or_reason, ratio, three_digits};
use super::table::{grid, list};
use crate::result::{Parallel, RunResult, Synchronisation};

/// Headings of the table of devices.
pub(super) const HEADINGS: [&str; 4] = ["device", "plan", "images\na batch", "alone\n[ms/step]"];

/// The table of devices and what sharing cost; nothing where one device trained.
pub(super) fn text(result: &RunResult, width: u16) -> String {
    let Some(parallel) = result.parallel.value() else { return String::new() };
    let table = grid(&HEADINGS, rows(parallel), 2, 2, width);
    let facts = list(facts(parallel, step_s(result)).map(|(name, text)| vec![name.to_owned(), text]), width);
    format!("Several devices\n\n{table}\n\n{facts}")
}

/// Seconds of a step of the last timed training.
pub(super) fn step_s(result: &RunResult) -> Option<f64> {
    let repeat = result.repeats.last()?;
    let steps: u32 = repeat.samples.iter().map(|sample| sample.steps).sum();
    Some(repeat.train_s.value()? / f64::from(steps.max(1)))
}

/// A row of cells for each device.
pub(super) fn rows(parallel: &Parallel) -> Vec<Vec<String>> {
    let row = |member: &crate::result::Member| {
        vec![
            member.name.clone(),
            member.plan.clone(),
            member.images_per_batch.to_string(),
            or_reason(&member.alone_step_s, |step_s| three_digits(1e3 * step_s)),
        ]
    };
    parallel.members.iter().map(row).collect()
}

/// What there is to say, each with its name, for a step of `step_s` seconds.
pub(super) fn facts(parallel: &Parallel, step_s: Option<f64>) -> [(&'static str, String); 4] {
    let fastest_s = parallel.members.iter().filter_map(|member| member.alone_step_s.value().copied());
    let fastest_s = fastest_s.min_by(f64::total_cmp);
    let together = match (step_s, fastest_s) {
        (Some(step_s), Some(fastest_s)) => format!(
            "{} ms a step, {} times as fast as the fastest of them alone",
            three_digits(1e3 * step_s),
            ratio(fastest_s / step_s)
        ),
        (Some(step_s), None) => format!("{} ms a step", three_digits(1e3 * step_s)),
        (None, _) => "n/a (the training did not come to its end)".to_owned(),
    };
    let percent = |share: &f64| format!("{} %", fixed(*share, 1));
    let exchange = format!(
        "{} of the time, {}; {} each time, {} times an epoch",
        or_reason(&parallel.exchange_pct, percent),
        or_reason(&parallel.exchange_s, |seconds| format!("{} s", three_digits(*seconds))),
        bytes(parallel.bytes_per_exchange),
        parallel.exchanges_per_epoch
    );
    let sync = match parallel.sync {
        Synchronisation::Step => "gradients are averaged by the host in every step: the mathematics of one device",
        Synchronisation::Epoch => {
            "parameters are averaged by the host once an epoch: NOT the mathematics of one device"
        }
    };
    [
        ("together", together),
        (
            "efficiency",
            format!("{} of the sum of their speeds alone", or_reason(&parallel.scaling_efficiency_pct, percent)),
        ),
        ("exchange", exchange),
        ("method", sync.to_owned()),
    ]
}
