//! Data-parallel training: which device trained which part of a batch, and what the exchange costs.

use super::layout::{self, Facts, Table};
use super::numbers::{bytes, fixed, or_reason, ratio, three_digits};
use crate::result::{Measured, Parallel, Rank, RunResult, ScalingMode, Synchronisation};

/// The table of devices and the cost of the exchange; nothing if one device trained.
pub(super) fn text(result: &RunResult, width: u16) -> String {
    let Some(parallel) = result.parallel.value() else { return String::new() };
    let facts = layout::facts(facts(result, parallel), width);
    let ranks = ranks(parallel).map_or_else(String::new, |table| format!("{}\n\n", table.text(2, width)));
    format!("Several devices\n\n{}\n\n{ranks}{facts}", table(parallel).text(2, width))
}

/// Mean time of a step of the last timed training, in seconds.
fn step_s(result: &RunResult) -> Option<f64> {
    let repeat = result.repeats.last()?;
    Some(repeat.train_s.value()? / f64::from(repeat.steps().max(1)))
}

/// One row for each device.
pub(super) fn table(parallel: &Parallel) -> Table {
    let headings = ["device", "plan", "images\na batch", "alone\n[ms/step]"];
    Table::of(&headings, 2, &parallel.members, |member, _| {
        vec![
            member.name.clone(),
            member.plan.clone(),
            member.images_per_batch.to_string(),
            or_reason(&member.alone_step_s, |step_s| three_digits(1e3 * step_s)),
        ]
    })
}

/// One row for each process, if there were several: where the time of a step went.
pub(super) fn ranks(parallel: &Parallel) -> Option<Table> {
    let headings = [
        "MPI\nrank",
        "node",
        "trains on",
        "images\na batch",
        "step of\na rank\n[ms]",
        "computing\n[ms/step]",
        "waiting\n[ms/step]",
        "exchange\n[ms/step]",
        "updating\n[ms/step]",
    ];
    let ms = |time: &Measured<f64>| or_reason(time, |seconds| three_digits(1e3 * seconds));
    let row = |(number, rank): (usize, &Rank)| {
        let mut cells =
            vec![number.to_string(), rank.host.clone(), rank.devices.join(" + "), rank.images_per_batch.to_string()];
        cells.extend([&rank.step_s, &rank.compute_s, &rank.wait_s, &rank.exchange_s, &rank.update_s].map(ms));
        cells
    };
    Some(Table::of(&headings, 3, parallel.ranks.value()?.iter().enumerate(), |numbered, _| row(numbered)))
}

/// The account of a mean step over all processes, if there were several.
fn step_account(parallel: &Parallel) -> Option<String> {
    parallel.ranks.value()?;
    let step = parallel.mean_of_ranks(|rank| &rank.step_s);
    let parts = [
        ("computing", parallel.mean_of_ranks(|rank| &rank.compute_s)),
        ("waiting for slower ranks (imbalance)", parallel.mean_of_ranks(|rank| &rank.wait_s)),
        ("exchange between ranks", parallel.mean_of_ranks(|rank| &rank.exchange_s)),
        ("copies and updates", parallel.mean_of_ranks(|rank| &rank.update_s)),
    ];
    let Some(&step_s) = step.value() else { return Some(or_reason(&step, |_| String::new())) };
    let known: f64 = parts.iter().filter_map(|(_, time)| time.value()).sum();
    let share = |seconds: f64| format!("{} ms, {} %", three_digits(1e3 * seconds), fixed(100.0 * seconds / step_s, 1));
    let words = parts.iter().map(|(name, time)| format!("{name} {}", or_reason(time, |seconds| share(*seconds))));
    let words = words.chain([format!("rest {}", share(step_s - known))]).collect::<Vec<_>>().join("; ");
    Some(format!("mean of all ranks: {words}"))
}

/// Speed-up, scaling efficiency, exchange and method.
pub(super) fn facts(result: &RunResult, parallel: &Parallel) -> Facts {
    let fastest_s = parallel.members.iter().filter_map(|member| member.alone_step_s.value().copied());
    let fastest_s = fastest_s.min_by(f64::total_cmp);
    let together = match (step_s(result), fastest_s) {
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
    let batch = parallel.scaling_mode.value().map(|mode| match mode {
        ScalingMode::Strong => "strong: the batch stays, and is shared by all ranks",
        ScalingMode::Weak => "weak: the batch grows with the ranks, which have as many images each as one alone",
    });
    let mut facts = vec![
        ("together", together),
        (
            "efficiency",
            format!("{} of the sum of their speeds alone", or_reason(&parallel.scaling_efficiency_pct, percent)),
        ),
        ("exchange", exchange),
        ("method", sync.to_owned()),
    ];
    facts.extend(step_account(parallel).map(|account| ("a step", account)));
    facts.extend(batch.map(|batch| ("scaling", batch.to_owned())));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::explain;
    use crate::result::{Member, not_reached};

    fn of_ranks(ranks: Vec<Rank>) -> Parallel {
        Parallel {
            sync: Synchronisation::Step,
            members: vec![Member {
                name: "CPU".to_owned(),
                plan: "cpu".to_owned(),
                images_per_batch: 64,
                alone_step_s: 0.01.into(),
            }],
            exchange_s: not_reached(),
            exchange_pct: not_reached(),
            bytes_per_exchange: 0,
            exchanges_per_epoch: 1,
            scaling_efficiency_pct: not_reached(),
            ranks: Measured::Value(ranks),
            scaling_mode: Measured::Value(ScalingMode::Strong),
        }
    }

    fn rank(compute_s: f64, wait_s: Measured<f64>) -> Rank {
        Rank {
            host: "node1".to_owned(),
            devices: vec!["CPU".to_owned()],
            images_per_batch: 64,
            step_s: 0.010.into(),
            compute_s: compute_s.into(),
            wait_s,
            exchange_s: 0.001.into(),
            update_s: 0.0005.into(),
        }
    }

    #[test]
    fn the_account_of_a_step_closes_over_all_ranks() {
        let account = step_account(&of_ranks(vec![rank(0.006, 0.002.into()), rank(0.008, 0.0.into())])).unwrap();
        for part in [
            "computing 7.00 ms, 70.0 %",
            "(imbalance) 1.00 ms, 10.0 %",
            "ranks 1.00 ms, 10.0 %",
            "updates 0.500 ms, 5.0 %",
            "rest 0.500 ms, 5.0 %",
        ] {
            assert!(account.contains(part), "{part} is not in: {account}");
        }
        let account = step_account(&of_ranks(vec![rank(0.006, not_reached())])).unwrap();
        assert!(account.contains("the run has not come this far"), "{account}");
    }

    #[test]
    fn every_column_is_explained() {
        let parallel = of_ranks(vec![rank(0.006, not_reached())]);
        let tables = [table(&parallel), ranks(&parallel).unwrap()];
        let headings = tables.iter().flat_map(|table| table.columns.iter().map(|(heading, _)| *heading));
        let unexplained = headings.filter(|heading| explain::figure(&heading.replace('\n', " ")).is_none());
        assert_eq!(unexplained.collect::<Vec<_>>(), Vec::<&str>::new());
    }
}
