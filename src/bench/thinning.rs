//! The epochs of a long soak that its result keeps, so that neither a file nor the memory grows with the hours.
//!
//! The first epoch and each k-th after it are kept with their samples, and the last one. Where they become too many, k
//! doubles. What is counted of all epochs stays exact.

use crate::result::{Measured, Repeat, Sample, Thinned};

/// The most epochs of a soak that are kept.
pub const MOST_EPOCHS: usize = 256;

/// Appends the samples of an epoch.
pub fn append(repeat: &mut Repeat, samples: &mut Vec<Sample>) {
    if let Measured::Value(thinned) = &mut repeat.thinned {
        thinned.steps = samples.iter().fold(thinned.steps, |sum, sample| sum.saturating_add(sample.steps));
        thinned.samples += samples.len() as u64;
        thinned.samples_s += samples.iter().map(|sample| sample.duration_s).sum::<f64>();
    }
    repeat.samples.append(samples);
}

/// Leaves out epochs of `repeat`, to which one was just added, until no more than `most` are kept.
pub fn thin(repeat: &mut Repeat, most: usize) {
    let Some(last) = repeat.epochs.last().map(|epoch| (epoch.epoch, epoch.train_s)) else { return };
    let mut thinned = match repeat.thinned {
        Measured::Value(thinned) => {
            Thinned { epochs: thinned.epochs.saturating_add(1), epochs_s: thinned.epochs_s + last.1, ..thinned }
        }
        Measured::Missing { .. } if repeat.epochs.len() <= most => return,
        Measured::Missing { .. } => Thinned {
            every: 1,
            epochs: repeat.epochs.len() as u32,
            epochs_s: repeat.epochs.iter().map(|epoch| epoch.train_s).sum(),
            steps: repeat.steps(),
            samples: repeat.samples.len() as u64,
            samples_s: repeat.samples_s(),
        },
    };
    leave_out(repeat, last.0, thinned.every);
    // The first and the last one always stay.
    while repeat.epochs.len() > most.max(2) {
        thinned.every = thinned.every.saturating_mul(2);
        leave_out(repeat, last.0, thinned.every);
    }
    repeat.thinned = Measured::Value(thinned);
}

/// Keeps each `every`-th epoch from the first on, and `last`.
fn leave_out(repeat: &mut Repeat, last: u32, every: u32) {
    let is_kept = |epoch: u32| epoch == last || epoch.saturating_sub(1).is_multiple_of(every);
    repeat.epochs.retain(|epoch| is_kept(epoch.epoch));
    repeat.samples.retain(|sample| is_kept(sample.epoch));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::Epoch;

    /// A training of `count` epochs of three steps each, kept within `most`.
    fn trained(count: u32, most: usize) -> Repeat {
        let mut repeat = Repeat::unfinished();
        for epoch in 1..=count {
            let duration_s = 0.25 + f64::from(epoch % 7);
            let first_step = 3 * (epoch - 1);
            let samples = [(first_step, 2), (first_step + 2, 1)];
            let mut samples =
                samples.map(|(first_step, steps)| Sample { epoch, first_step, steps, duration_s }).to_vec();
            append(&mut repeat, &mut samples);
            repeat.epochs.push(Epoch {
                epoch,
                train_s: 2.0 * duration_s + 0.125,
                train_loss: 1.0.into(),
                train_error_pct: 1.0.into(),
                test_loss: 1.0.into(),
                test_errors: Measured::Value(1),
                test_error_pct: 1.0.into(),
                loss_curve: Vec::new(),
            });
            thin(&mut repeat, most);
            assert!(repeat.epochs.len() <= most && repeat.samples.len() <= 2 * most, "epoch {epoch}");
            assert_eq!(repeat.epochs.last().map(|epoch| epoch.epoch), Some(epoch));
        }
        repeat
    }

    #[test]
    fn epochs_are_kept_at_a_distance_that_doubles_and_all_are_counted() {
        let whole = trained(1000, 1000);
        assert!(whole.thinned.value().is_none() && whole.epochs.len() == 1000);
        let repeat = trained(1000, 8);
        let thinned = repeat.thinned.value().copied().unwrap();
        assert_eq!((thinned.every, thinned.epochs, thinned.steps, thinned.samples), (256, 1000, 3000, 2000));
        assert_eq!(thinned.epochs_s, whole.epochs.iter().map(|epoch| epoch.train_s).sum::<f64>());
        assert_eq!((thinned.samples_s, repeat.steps()), (whole.samples_s(), whole.steps()));
        let kept: Vec<u32> = repeat.epochs.iter().map(|epoch| epoch.epoch).collect();
        assert_eq!(kept, [1, 257, 513, 769, 1000]);
        assert!(repeat.epochs.iter().all(|epoch| repeat.steps_in(epoch.epoch) == 3));
    }

    #[test]
    fn fewer_epochs_than_the_bound_stay_whole() {
        let repeat = trained(8, 8);
        assert!(repeat.thinned.value().is_none() && repeat.epochs.len() == 8);
        assert_eq!(trained(9, 8).thinned.value().map(|thinned| thinned.every), Some(2));
    }
}
