//! What disturbed the timed trainings of a run: other programs, throttling, clocks, drift, late submissions.

use crate::result::{Load, Repeat, RunResult};
use crate::stats::{Slope, median, trend};

/// How the warning begins.
pub const DISTURBED: &str = "disturbed: ";
const ADVICE: &str = "end what else runs, let the device cool down, and measure again";

/// Cores that other programs may use where the training itself is done on cores: a desktop at rest uses fewer.
const OTHERS_BESIDE_CORES: f64 = 0.15;
/// Share of the machine's cores that all programs may use beside a GPU: its driver then finds a free one.
const CORES_BESIDE_GPU: f64 = 0.9;
/// Share of the readings with throttled clocks that may be, in percent.
const THROTTLED_PCT: f64 = 5.0;
/// How far a clock may fall below its highest reading.
const CLOCK_FALL: f64 = 0.2;
/// The change of an epoch's time over a training that may be, in percent, and in standard errors.
const DRIFT_PCT: f64 = 3.0;
const DRIFT_ERRORS: f64 = 3.0;
/// The fewest epochs of which a drift can be told.
const EPOCHS_OF_A_DRIFT: usize = 5;
/// How many times as long as the median, per step, a submission has to take to be late.
const LATE: f64 = 2.0;
/// The share of the training's time that late submissions may cost, in percent.
const LATE_PCT: f64 = 2.0;

/// How bad a disturbance is, to choose the worst of several trainings, and what it was.
type Found = Option<(f64, String)>;

/// One line on what disturbed the trainings and what to do, the worst of each kind; `None` if nothing did, as far as
/// was measured.
pub fn disturbance(result: &RunResult) -> Option<String> {
    let kinds: [fn(&RunResult, &Repeat) -> Found; 5] = [others, throttling, clock, drift, late_submissions];
    let worst = |kind: fn(&RunResult, &Repeat) -> Found| {
        let found: Vec<(f64, String)> = result.repeats.iter().filter_map(|repeat| kind(result, repeat)).collect();
        let count = found.len();
        let (_, words) = found.into_iter().max_by(|one, other| one.0.total_cmp(&other.0))?;
        let trainings = result.repeats.len();
        Some(if trainings == 1 { words } else { format!("{words} (in {count} of {trainings} trainings)") })
    };
    let words: Vec<String> = kinds.into_iter().filter_map(worst).chain(trainings_drift(result)).collect();
    (!words.is_empty()).then(|| format!("{DISTURBED}{}; {ADVICE}", words.join("; ")))
}

fn load(repeat: &Repeat) -> Option<&Load> {
    repeat.load.value()
}

fn others(result: &RunResult, repeat: &Repeat) -> Found {
    let load = load(repeat)?;
    let (&others, &own) = (load.other_cpus.value()?, load.cpus_used.value()?);
    let cores = result.environment.cpu.logical_cores.value().copied().map(f64::from);
    let on_cores = result.environment.adapter.is_on_cores();
    let disturbs = match cores {
        Some(cores) if !on_cores => others > OTHERS_BESIDE_CORES && others + own > CORES_BESIDE_GPU * cores,
        _ => others > OTHERS_BESIDE_CORES,
    };
    let of = cores.map_or_else(String::new, |cores| format!(" of {cores}"));
    let switches = load.involuntary_switches.value();
    let switches = switches.map_or_else(String::new, |count| format!(", {count} involuntary context switches"));
    disturbs.then(|| (others, format!("other programs used {others:.2}{of} cores{switches}")))
}

fn throttling(_: &RunResult, repeat: &Repeat) -> Found {
    let throttling = load(repeat)?.gpu.throttling.value()?;
    let share = throttling.share_pct;
    let reasons = throttling.reasons.join(", ");
    (share > THROTTLED_PCT)
        .then(|| (share, format!("the device throttled in {share:.0} % of the readings ({reasons})")))
}

fn clock(_: &RunResult, repeat: &Repeat) -> Found {
    let clock = load(repeat)?.gpu.core_clock_mhz.value()?;
    let fall = 1.0 - clock.lowest / clock.highest;
    let words = || format!("the device's clock varied from {:.0} to {:.0} MHz", clock.lowest, clock.highest);
    (fall > CLOCK_FALL).then(|| (fall, words()))
}

fn drift(_: &RunResult, repeat: &Repeat) -> Found {
    let times: Vec<f64> = repeat.epochs.iter().map(|epoch| epoch.train_s).collect();
    if times.len() < EPOCHS_OF_A_DRIFT {
        return None;
    }
    let points: Vec<(f64, f64)> = times.iter().enumerate().map(|(index, time)| (index as f64, *time)).collect();
    let line = Slope::through(&points)?;
    let change_pct = 100.0 * line.slope * (times.len() - 1) as f64 / median(&times)?;
    let drifts = change_pct.abs() > DRIFT_PCT && line.slope.abs() > DRIFT_ERRORS * line.error;
    let way = if change_pct > 0.0 { "slower" } else { "faster" };
    drifts.then(|| {
        (change_pct.abs(), format!("epochs became {:.1} % {way} from the first to the last", change_pct.abs()))
    })
}

/// The interval of the median says what is between the trainings of this run: of a drift, nothing of the next one.
fn trainings_drift(result: &RunResult) -> Option<String> {
    let steps = result.repeats.first()?.steps();
    let times: Option<Vec<f64>> =
        result.repeats.iter().map(|one| one.train_s.value().copied().filter(|_| one.steps() == steps)).collect();
    let change_pct = 100.0 * trend(&times?)?;
    let way = if change_pct > 0.0 { "slower" } else { "faster" };
    Some(format!(
        "trainings became {:.1} % {way} from the first to the last, so that their interval does not hold for the next",
        change_pct.abs()
    ))
}

fn late_submissions(_: &RunResult, repeat: &Repeat) -> Found {
    let of_a_step: Vec<f64> =
        repeat.samples.iter().map(|sample| sample.duration_s / f64::from(sample.steps.max(1))).collect();
    let median_s = median(&of_a_step)?;
    let late = repeat.samples.iter().zip(&of_a_step).filter(|(_, step_s)| **step_s > LATE * median_s);
    let lost: Vec<f64> = late.map(|(sample, step_s)| (step_s - median_s) * f64::from(sample.steps)).collect();
    let share = 100.0 * lost.iter().sum::<f64>() / repeat.samples.iter().map(|sample| sample.duration_s).sum::<f64>();
    let words = || {
        let (late, all) = (lost.len(), of_a_step.len());
        format!("{late} of {all} submissions took more than {LATE} times the median, {share:.1} % of the time")
    };
    (share > LATE_PCT).then(|| (share, words()))
}

/// Puts the warning of a disturbance in place of an earlier one; gives the reason that makes a run INVALID whose
/// settings want it undisturbed.
pub fn note(result: &mut RunResult) -> Option<String> {
    result.warnings.retain(|warning| !warning.starts_with(DISTURBED));
    let words = disturbance(result)?;
    result.warnings.push(words.clone());
    result.settings.strict.value.then(|| format!("--strict: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{AdapterKind, Measured, Sample, Spread, Throttling};

    type Change = fn(&mut RunResult);

    /// A run on a GPU whose trainings nothing disturbs, with a load as it is measured.
    fn quiet() -> RunResult {
        let stored = include_str!("../../results/20261124T182840Z-amd-epyc-seed1.json");
        let mut result = RunResult::from_json(stored).expect("a stored result");
        result.repeats.truncate(1);
        result.warnings.clear();
        for epoch in &mut result.repeats[0].epochs {
            epoch.train_s = 1.0 + 0.001 * f64::from(epoch.epoch % 2);
        }
        result.repeats[0].samples =
            (0..100).map(|step| Sample { epoch: 1, first_step: step, steps: 1, duration_s: 0.1 }).collect();
        if let Measured::Value(load) = &mut result.repeats[0].load {
            load.other_cpus = 0.01.into();
        }
        result
    }

    fn load(result: &mut RunResult) -> &mut Load {
        match &mut result.repeats[0].load {
            Measured::Value(load) => load,
            Measured::Missing { reason } => panic!("{reason}"),
        }
    }

    #[test]
    fn each_kind_of_disturbance_is_told_with_what_to_do() {
        assert_eq!(disturbance(&quiet()), None);
        let disturbers: [(&str, Change); 6] = [
            ("other programs used 0.50 of 2 cores", |result| load(result).other_cpus = 0.5.into()),
            ("throttled in 40 % of the readings (power)", |result| {
                let reasons = vec!["power".to_owned()];
                load(result).gpu.throttling = Measured::Value(Throttling { share_pct: 40.0, reasons });
            }),
            ("clock varied from 900 to 1900 MHz", |result| {
                let clock = Spread { lowest: 900.0, mean: 1500.0, highest: 1900.0 };
                load(result).gpu.core_clock_mhz = Measured::Value(clock);
            }),
            ("epochs became 9.", |result| {
                for epoch in &mut result.repeats[0].epochs {
                    epoch.train_s += 0.011 * f64::from(epoch.epoch);
                }
            }),
            ("3 of 100 submissions took more than 2 times the median", |result| {
                result.repeats[0].samples[10..13].iter_mut().for_each(|sample| sample.duration_s = 0.5);
            }),
            ("(in 1 of 2 trainings)", |result| {
                result.repeats.push(result.repeats[0].clone());
                load(result).other_cpus = 1.0.into();
            }),
        ];
        for (words, disturb) in disturbers {
            let mut result = quiet();
            disturb(&mut result);
            let told = disturbance(&result).unwrap_or_default();
            assert!(told.starts_with(DISTURBED) && told.contains(words) && told.contains("measure again"), "{told}");
            assert_eq!(told.lines().count(), 1);
        }
    }

    #[test]
    fn a_gpu_is_not_disturbed_by_programs_on_cores_that_it_does_not_need() {
        let mut result = quiet();
        result.environment.adapter.kind = AdapterKind::DiscreteGpu;
        result.environment.cpu.logical_cores = Measured::Value(16);
        load(&mut result).other_cpus = 4.0.into();
        assert_eq!(disturbance(&result), None);
        load(&mut result).other_cpus = 14.5.into();
        assert!(disturbance(&result).is_some());
    }

    #[test]
    fn a_strict_run_has_a_reason_and_the_warning_stands_once() {
        let mut result = quiet();
        load(&mut result).other_cpus = 0.5.into();
        assert_eq!(note(&mut result), None);
        result.settings.strict.value = true;
        assert!(note(&mut result).is_some_and(|reason| reason.starts_with("--strict: disturbed: ")));
        assert_eq!(result.warnings.len(), 1);
        load(&mut result).other_cpus = 0.0.into();
        assert!(note(&mut result).is_none() && result.warnings.is_empty());
    }
}
