//! What the processes of a training tell each other of it: losses, and where their time went.

use crate::bench::collective::{Collective, gather};
use crate::bench::host_timeline::{Activity, HostTimeline};
use crate::error::Result;
use crate::result::{Measured, Parallel};
use crate::trainer::Metrics;
use serde::{Deserialize, Serialize};

/// Where the time of a process went in a training.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Times {
    train_s: f64,
    compute_s: f64,
    /// Between its devices and the host, updates included.
    update_s: f64,
    /// In each sum over all processes, waiting for them included.
    sums_s: Vec<f64>,
}

impl Times {
    /// The times of a training of `train_s` seconds.
    pub(super) fn of(host_timeline: &HostTimeline, train_s: f64) -> Self {
        let seconds =
            |activities: &[Activity]| host_timeline.seconds(|interval| activities.contains(&interval.activity));
        let sums = host_timeline.intervals.iter().filter(|interval| interval.activity == Activity::AllReduce);
        Self {
            train_s,
            compute_s: seconds(&[Activity::Encode, Activity::Submit, Activity::Wait]),
            update_s: seconds(&[Activity::Exchange]),
            sums_s: sums.map(|interval| interval.duration_ns / 1e9).collect(),
        }
    }
}

/// Records the efficiency of a training of `steps` steps, and each process's times in a mean step; `rank` is the
/// process whose clock counts.
///
/// Who comes last to a sum waits for nobody: the shortest of the processes' times in a sum is what it takes, and what
/// another one spends beyond it is waiting for slower ones.
pub(super) fn record(parallel: &mut Parallel, all: &[Times], rank: usize, steps: u32) {
    let count = all.iter().map(|times| times.sums_s.len()).min().unwrap_or(0);
    let shortest = |sum: usize| all.iter().map(|times| times.sums_s[sum]).fold(f64::INFINITY, f64::min);
    let summing_s: f64 = (0..count).map(shortest).fold(0.0, |total, seconds| total + seconds);
    if let Measured::Value(ranks) = &mut parallel.ranks {
        for (rank, times) in ranks.iter_mut().zip(all) {
            let per_step = |seconds: f64| (seconds / f64::from(steps)).into();
            rank.step_s = per_step(times.train_s);
            rank.compute_s = per_step(times.compute_s);
            rank.exchange_s = per_step(summing_s);
            rank.update_s = per_step(times.update_s);
            let waits = (0..count).map(|sum| times.sums_s[sum] - shortest(sum));
            rank.wait_s = per_step(waits.fold(0.0, |total, seconds| total + seconds));
        }
    }
    let Some(own) = all.get(rank) else { return };
    let exchange_s = own.update_s + summing_s;
    parallel.exchange_s = exchange_s.into();
    parallel.exchange_pct = (100.0 * exchange_s / own.train_s).into();
    let together = f64::from(steps) / own.train_s;
    parallel.scaling_efficiency_pct = Measured::or_missing(
        parallel.alone_steps_per_s().map(|alone| 100.0 * together / alone),
        "not every device could be timed alone",
    );
}

/// The sums over all processes of what each has of every step.
///
/// # Errors
/// As [`Collective::sum`].
pub(super) fn summed(group: &dyn Collective, own: Vec<Metrics>) -> Result<Vec<Metrics>> {
    if group.ranks() == 1 {
        return Ok(own);
    }
    let plain: Vec<_> = own.iter().map(plain).collect();
    let mut sums = vec![Metrics::default(); own.len()];
    for metrics in gather(group, &plain)? {
        for (sum, one) in sums.iter_mut().zip(metrics) {
            *sum = [*sum, metrics_of(one)].into_iter().sum();
        }
    }
    Ok(sums)
}

/// What rank 0 has, if it has anything.
///
/// # Errors
/// As [`Collective::sum`].
pub(super) fn of_first(group: &dyn Collective, own: Option<Metrics>) -> Result<Option<Metrics>> {
    if group.ranks() == 1 {
        return Ok(own);
    }
    let all = gather(group, &own.as_ref().map(plain))?;
    Ok(all.into_iter().next().flatten().map(metrics_of))
}

/// Metrics without loss: the bits of the sum, since JSON has no infinity and no NaN.
type Plain = (u64, u64, u64);

fn plain(metrics: &Metrics) -> Plain {
    (metrics.loss_sum.to_bits(), metrics.correct, metrics.images)
}

fn metrics_of((loss_bits, correct, images): Plain) -> Metrics {
    Metrics { loss_sum: f64::from_bits(loss_bits), correct, images }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Member, Rank, Synchronisation, not_reached};

    fn rank(host: &str) -> Rank {
        Rank {
            host: host.to_owned(),
            devices: vec!["CPU".to_owned()],
            images_per_batch: 64,
            step_s: not_reached(),
            compute_s: not_reached(),
            wait_s: not_reached(),
            exchange_s: not_reached(),
            update_s: not_reached(),
        }
    }

    #[test]
    fn the_shortest_time_in_a_sum_is_what_it_takes_and_the_rest_is_waiting() {
        let member =
            Member { name: "CPU".to_owned(), plan: "cpu".to_owned(), images_per_batch: 64, alone_step_s: 1.0.into() };
        let mut parallel = Parallel {
            sync: Synchronisation::Step,
            members: vec![member.clone(), member],
            exchange_s: not_reached(),
            exchange_pct: not_reached(),
            bytes_per_exchange: 0,
            exchanges_per_epoch: 2,
            scaling_efficiency_pct: not_reached(),
            ranks: Measured::Value(vec![rank("a"), rank("b")]),
            scaling_mode: not_reached(),
        };
        let times = |compute_s: f64, sums_s: [f64; 2]| Times {
            train_s: 2.0,
            compute_s,
            update_s: 0.25,
            sums_s: sums_s.to_vec(),
        };
        record(&mut parallel, &[times(1.0, [0.5, 0.125]), times(1.25, [0.25, 0.25])], 0, 2);
        let ranks = parallel.ranks.value().unwrap();
        let of = |rank: &Rank| {
            [&rank.step_s, &rank.compute_s, &rank.wait_s, &rank.exchange_s, &rank.update_s]
                .map(|time| *time.value().unwrap())
        };
        assert_eq!(of(&ranks[0]), [1.0, 0.5, 0.125, 0.1875, 0.125]);
        assert_eq!(of(&ranks[1]), [1.0, 0.625, 0.0625, 0.1875, 0.125]);
        assert_eq!(parallel.exchange_s, 0.625.into());
        assert_eq!(parallel.exchange_pct, 31.25.into());
        assert_eq!(parallel.scaling_efficiency_pct, 50.0.into());
    }

    #[test]
    fn losses_that_are_no_numbers_are_passed_on() {
        let metrics = Metrics { loss_sum: f64::INFINITY, correct: 3, images: 7 };
        assert_eq!(metrics_of(plain(&metrics)), metrics);
    }
}
