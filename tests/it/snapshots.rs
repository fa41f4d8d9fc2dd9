//! Snapshots of a training that an observer wants, on the CPU target.

use crate::common::training::{Silent, begun, job};
use gpubench::bench::{self, Observer, Progress, Snapshot};
use gpubench::check::random_dataset;
use gpubench::cpu::CpuTarget;
use gpubench::data::Dataset;
use gpubench::result::{Measured, RunResult};
use std::time::Duration;

const BATCH: u32 = 16;
const STEPS: u32 = 6;
const EPOCHS: u32 = 2;
/// What looking at a snapshot takes.
const LOOK_S: f64 = 0.05;

/// Wants the state after every chunk of steps, and takes its time.
#[derive(Default)]
struct Curious {
    /// Step of each snapshot, its first parameter, and the losses of the epoch so far.
    seen: Vec<(u32, f32, Vec<f64>)>,
}

impl Observer for Curious {
    fn phase(&mut self, _name: &str) {}
    fn progress(&mut self, _progress: &Progress) {}
    fn wants_snapshot(&self, _at_end_of_epoch: bool) -> bool {
        true
    }
    fn snapshot(&mut self, snapshot: &Snapshot<'_>) {
        let losses: Vec<f64> = snapshot.metrics.iter().map(|metrics| metrics.loss()).collect();
        self.seen.push((snapshot.first_step + losses.len() as u32, snapshot.parameters[0], losses));
        std::thread::sleep(Duration::from_secs_f64(LOOK_S));
    }
    fn stop_requested(&self) -> bool {
        false
    }
    fn checkpoint(&mut self, _result: &RunResult) -> gpubench::Result<()> {
        Ok(())
    }
}

fn trained(dataset: &Dataset, observer: &mut dyn Observer) -> (RunResult, Vec<f32>) {
    let target = CpuTarget::new("a test".to_owned(), Some(1)).unwrap();
    let mut result = begun(dataset, BATCH, EPOCHS, |_| {});
    let finished = pollster::block_on(bench::run(&target, &job(dataset), &mut result, observer)).unwrap();
    (result, finished.parameters)
}

/// The training is the same, bit by bit, and its clock stands still.
#[test]
fn snapshots_show_the_training_and_do_not_change_it() {
    let dataset = random_dataset((STEPS * BATCH) as usize, 3);
    let (plain, parameters) = trained(&dataset, &mut Silent);
    let mut curious = Curious::default();
    let (watched, same) = trained(&dataset, &mut curious);
    assert_eq!(parameters, same);
    let repeat = |result: &RunResult| result.repeats[0].clone();
    assert_eq!(repeat(&plain).epochs[1].test_loss, repeat(&watched).epochs[1].test_loss);
    assert_eq!((repeat(&watched).steps(), repeat(&watched).steps_in(1)), (EPOCHS * STEPS, STEPS));

    let steps: Vec<u32> = curious.seen.iter().map(|(step, ..)| *step).collect();
    assert!(steps.is_sorted() && steps[0] < STEPS && *steps.last().unwrap() == EPOCHS * STEPS, "{steps:?}");
    assert_eq!(curious.seen.last().unwrap().1, parameters[0]);
    let (_, _, losses) = curious.seen.iter().rfind(|(step, ..)| *step == STEPS).unwrap();
    let mean = losses.iter().sum::<f64>() / losses.len() as f64;
    assert!((mean - repeat(&watched).epochs[0].train_loss.value().unwrap()).abs() < 1e-6);
    let looked_s = LOOK_S * curious.seen.len() as f64;
    let Measured::Value(train_s) = repeat(&watched).train_s else { panic!("it was not timed") };
    assert!(train_s < 0.5 * looked_s, "{train_s} s, of which {looked_s} s were spent on snapshots");
}
