//! What trainings use, and how they are repeated: fields and interruptions, on the first adapter of this machine.

use crate::common::named;
use crate::common::training::{begun, job};
use crate::common::trials::{Test, adapters, with_adapter};
use gpubench::bench::{self, AdapterTarget, Job, Observer, ProfileOptions, Progress};
use gpubench::check;
use gpubench::gpu::Adapters;
use gpubench::report::{html, text};
use gpubench::result::{Load, Measured, RepeatingEnd, RunResult, Setting, Status, StoppingRule};
use gpubench::telemetry::MachineProbe;
use gpubench::telemetry::sensor::{Absent, Reading, Sensor};
use libtest_mimic::Trial;
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Images in a step, steps in an epoch: small, so that many trainings take little time.
const BATCH: u32 = 24;
const STEPS: u32 = 4;
const IMAGES: u32 = BATCH * STEPS;

/// Notes the pauses it was asked for, and asks for the end when `stops` says so of the pauses or the epochs so far.
#[derive(Default)]
struct Watch {
    paused_s: f64,
    pauses: u32,
    stop_after_pauses: Option<u32>,
    stop_after_steps: Option<u32>,
    steps: Cell<u32>,
}

impl Observer for Watch {
    fn phase(&mut self, _name: &str) {}
    fn progress(&mut self, progress: &Progress) {
        self.steps.set(progress.step.0);
    }
    fn wait(&mut self, seconds: f64) {
        self.paused_s += seconds;
        self.pauses += 1;
    }
    fn stop_requested(&self) -> bool {
        self.stop_after_pauses.is_some_and(|pauses| self.pauses >= pauses)
            || self.stop_after_steps.is_some_and(|steps| self.steps.get() >= steps)
    }
    fn checkpoint(&mut self, _result: &RunResult) -> gpubench::Result<()> {
        Ok(())
    }
}

/// An imaginary board: 150 W of power, held back by its power limit, with a counter that counts just that.
struct Board(Instant);

impl Sensor for Board {
    fn source(&self) -> Measured<String> {
        Measured::Value("an invented sensor".into())
    }
    fn subject(&self) -> &'static str {
        "an imaginary board"
    }
    fn read(&mut self) -> Reading {
        Reading {
            busy_pct: 87.0.into(),
            memory_bytes: Measured::Value(412_000_000),
            power_w: 150.0.into(),
            energy_j: (150.0 * self.0.elapsed().as_secs_f64()).into(),
            throttling: Measured::Value(vec!["power limit".into()]),
            ..Reading::missing("the invented sensor does not tell")
        }
    }
}

/// Trains `epochs` epochs of a few random images as `stopping` asks for.
fn trained(
    (repeat, epochs): (u32, u32),
    stopping: StoppingRule,
    sensor: Box<dyn Sensor>,
    (watch, profile): (&mut Watch, bool),
) -> (RunResult, gpubench::Result<()>) {
    let dataset = check::random_dataset(IMAGES as usize, 3);
    let mut result = begun(&dataset, BATCH, epochs, |settings| {
        settings.repeat = Setting::default(repeat);
        settings.stopping = stopping;
    });
    let probe = MachineProbe::with(sensor, Path::new("/proc"));
    let adapters = adapters();
    let target = AdapterTarget { adapters: &adapters, adapter: &adapters.infos()[0], checked: false };
    let job = Job { profile: profile.then(|| ProfileOptions::new(4)), probe: &probe, ..job(&dataset) };
    let outcome = pollster::block_on(bench::run(&target, &job, &mut result, watch)).map(|_| ());
    (result, outcome)
}

fn stopping_rule(
    target_ci_pct: Option<f64>,
    max_time_s: Option<f64>,
    soak_min: Option<f64>,
    cooldown_s: f64,
) -> StoppingRule {
    let given = |value: Option<f64>| Setting::default(Measured::or_missing(value, "not asked for"));
    StoppingRule {
        cooldown_s: Setting::default(cooldown_s),
        target_ci_pct: given(target_ci_pct),
        max_time_s: given(max_time_s),
        soak_min: given(soak_min),
    }
}

fn nobody() -> Box<dyn Sensor> {
    Box::new(Absent("no sensor in this test".into()))
}

pub fn load_of(result: &RunResult, repeat: usize) -> &Load {
    result.repeats[repeat].load.value().expect("every training has its load")
}

pub fn close(value: f64, expected: f64, share: f64) {
    assert!((value - expected).abs() <= share * expected.abs(), "{value} is not {expected}");
}

fn every_training_has_its_load_and_energy() {
    let asked = (2, 3);
    let board = Box::new(Board(Instant::now()));
    let (result, outcome) = trained(asked, StoppingRule::default(), board, (&mut Watch::default(), true));
    outcome.unwrap();
    for (index, repeat) in result.repeats.iter().enumerate() {
        let (load, train_s) = (load_of(&result, index), *repeat.train_s.value().unwrap());
        // The window is the training's clock: a little more, as it opens before and closes after it, and no
        // evaluations.
        assert!(load.window_s >= train_s && load.window_s < train_s + 0.25, "{} for {train_s}", load.window_s);
        let cpus = *load.cpus_used.value().unwrap();
        let cores = f64::from(std::thread::available_parallelism().unwrap().get() as u32);
        assert!(cpus > 0.0 && cpus <= cores * 1.1, "{cpus} of {cores}");
        assert!(load.voluntary_switches.value().is_some() && load.peak_host_memory_bytes.value().is_some());
        let images = u64::from(2 * IMAGES * 784);
        assert!(repeat.device_buffer_bytes.value().is_some_and(|&bytes| bytes > images));
        let energy = load.energy.value().unwrap();
        close(energy.total_j, 150.0 * load.window_s, 0.5);
        close(*energy.idle_w.value().unwrap(), 150.0, 0.5);
        let net_j = *energy.net_j.value().unwrap();
        assert!((net_j - (energy.total_j - energy.idle_w.value().unwrap() * load.window_s)).abs() < 1e-9);
        close(*energy.net_j_per_epoch.value().unwrap(), net_j / 3.0, 1e-9);
        close(*energy.net_j_per_1000_images.value().unwrap(), net_j * 1000.0 / f64::from(3 * IMAGES), 1e-9);
        let throttling = load.gpu.throttling.value().unwrap();
        assert_eq!((throttling.share_pct, throttling.reasons.as_slice()), (100.0, &["power limit".to_owned()][..]));
        let sampling = load.sampling.value().unwrap();
        assert!(sampling.readings >= 4, "one at each border of the clock: {sampling:?}");
        assert!(f64::from(sampling.readings) <= 4.0 + sampling.most_per_s * load.window_s, "{sampling:?}");
    }
    let summary = &result.summary;
    assert_eq!(summary.driver_gpu_busy_pct, Measured::Value(87.0));
    match &summary.gpu_busy_pct {
        Measured::Value(busy) => assert!(*busy > 0.0 && *busy <= 100.0, "{busy}"),
        // On a busy machine steps of the profile may take another time than those of the training.
        Measured::Missing { reason } => assert!(reason.contains("profile and training disagree"), "{reason}"),
    }
    assert_eq!(result.phases.idle_s, Measured::Value(1.5));
    let told = text(&result, 200);
    for says in [
        " CPUs (",
        "busiest core ",
        "87.0 %",
        "THROTTLED in 100 % of the readings (power limit)",
        "an epoch",
        "Trainings",
    ] {
        assert!(told.contains(says), "{says:?} is not in {told}");
    }
    assert!(html(&result).contains("What each training used"));
    assert!(RunResult::from_json(&result.to_json().unwrap()).unwrap() == result);
}

fn what_nobody_tells_says_why() {
    let (result, outcome) = trained((1, 1), StoppingRule::default(), nobody(), (&mut Watch::default(), false));
    outcome.unwrap();
    let load = load_of(&result, 0);
    for reason in [load.gpu.busy_pct.reason(), load.gpu.power_w.reason(), load.energy.reason()] {
        assert_eq!(reason, Some("no sensor in this test"));
    }
    assert!(load.sampling.value().is_none() && load.cpus_used.value().is_some());
    assert!(result.summary.gpu_busy_pct.reason().is_some_and(|reason| reason.contains("--profile")));
    let told = text(&result, 100);
    assert!(told.contains("n/a (no sensor in this test)") && !told.contains("Trainings\n"), "{told}");
}

fn pauses_lie_between_trainings() {
    let mut watch = Watch::default();
    let asked = stopping_rule(None, None, None, 7.0);
    let (result, outcome) = trained((3, 1), asked, nobody(), (&mut watch, false));
    outcome.unwrap();
    assert_eq!((watch.pauses, watch.paused_s), (2, 14.0));
    let repeating = result.repeating.value().unwrap();
    assert_eq!((repeating.trainings, repeating.ended), (3, RepeatingEnd::Count));
    assert!(text(&result, 200).contains("with pauses of 7 s, as many as were asked for"));
}

fn an_interruption_in_a_pause_keeps_the_trainings() {
    let mut watch = Watch { stop_after_pauses: Some(2), ..Watch::default() };
    let asked = stopping_rule(None, None, None, 1.0);
    let (result, outcome) = trained((9, 1), asked, nobody(), (&mut watch, false));
    assert_eq!(outcome.unwrap_err().exit_code(), 130);
    assert_eq!((result.status, result.repeats.len()), (Status::Partial, 2));
    assert_eq!(result.repeating.value().unwrap().ended, RepeatingEnd::Unfinished);
    assert!(result.summary.train_s.value().is_some());
}

fn trainings_end_when_the_interval_is_narrow() {
    let asked = stopping_rule(Some(50.0), Some(200.0), None, 0.0);
    let (result, outcome) = trained((7, 1), asked, nobody(), (&mut Watch::default(), false));
    outcome.unwrap();
    let repeating = result.repeating.value().unwrap();
    assert_eq!(repeating.ended, RepeatingEnd::Target, "{repeating:?}");
    assert!(repeating.trainings >= 7 && *repeating.half_width_pct.value().unwrap() <= 50.0, "{repeating:?}");
    assert_eq!(result.repeats.len() as u32, repeating.trainings);
}

fn trainings_end_when_the_time_is_up() {
    let asked = stopping_rule(Some(0.01), Some(0.1), None, 0.0);
    let (result, outcome) = trained((5, 1), asked, nobody(), (&mut Watch::default(), false));
    outcome.unwrap();
    let repeating = result.repeating.value().unwrap();
    assert_eq!(repeating.ended, RepeatingEnd::MaxTime, "{repeating:?}");
    assert!(repeating.elapsed_s >= 0.1 && result.status == Status::Complete);
    assert!(text(&result, 200).contains("stopped because --max-time of 0.1 s was over"), "{}", text(&result, 200));
}

fn a_soak_trains_epochs_for_its_time() {
    let asked = stopping_rule(None, None, Some(0.02), 0.0);
    let board = Box::new(Board(Instant::now()));
    let (result, outcome) = trained((1, 10), asked, board, (&mut Watch::default(), false));
    outcome.unwrap();
    let trained_s = *result.repeats[0].train_s.value().unwrap();
    assert!(trained_s >= 1.2, "0.02 minutes: {trained_s}");
    let soak = result.soak.value().unwrap();
    assert_eq!(soak.epochs as usize, result.repeats[0].epochs.len());
    assert!(soak.best_s <= soak.median_s && soak.best_s <= soak.worst_s, "{soak:?}");
    assert!(result.non_standard.iter().any(|phrase| phrase == "a soak of 0.02 minutes instead of 10 epochs"));
    let told = text(&result, 200);
    assert!(told.contains("drift") && told.contains("THROTTLED"), "{told}");
    assert!(RunResult::from_json(&result.to_json().unwrap()).unwrap() == result);
}

fn an_interrupted_soak_keeps_its_epochs() {
    // The steps of three epochs and a part of the fourth.
    let mut watch = Watch { stop_after_steps: Some(3 * STEPS + 1), ..Watch::default() };
    let asked = stopping_rule(None, None, Some(600.0), 0.0);
    let (result, outcome) = trained((1, 10), asked, nobody(), (&mut watch, false));
    assert_eq!(outcome.unwrap_err().exit_code(), 130);
    assert_eq!(result.status, Status::Partial);
    let soak = result.soak.value().unwrap();
    assert_eq!(soak.epochs, 3, "{soak:?}");
    assert!(load_of(&result, 0).window_s > 0.0, "an interrupted training has its load too");
}

const TESTS: &[Test] = &named![
    every_training_has_its_load_and_energy,
    what_nobody_tells_says_why,
    pauses_lie_between_trainings,
    an_interruption_in_a_pause_keeps_the_trainings,
    trainings_end_when_the_interval_is_narrow,
    trainings_end_when_the_time_is_up,
    a_soak_trains_epochs_for_its_time,
    an_interrupted_soak_keeps_its_epochs,
];

pub fn trials(adapters: &Arc<Adapters>) -> Vec<Trial> {
    with_adapter(adapters, TESTS)
}
